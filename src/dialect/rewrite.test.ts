import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { createDecoder } from "./decoder.ts";
import type { Decoded } from "./request.ts";
import { type Edit, rewrite } from "./rewrite.ts";

const decode = (body: Buffer, path = "/v1/messages"): Decoded =>
  createDecoder().decode({ method: "POST", host: "x", path, headers: [], body });

function edited(text: string, find: string, put: string, path?: string): string | null {
  const body = Buffer.from(text);
  const decoded = decode(body, path);
  const edits = decoded.parts.flatMap(({ text: said }, part): Edit[] => {
    const start = said.indexOf(find);
    return start < 0 ? [] : [{ part, start, end: start + find.length, text: put }];
  });
  expect(edits.length, "nothing was found to edit").toBeGreaterThan(0);
  return rewrite(body, decoded, edits)?.toString() ?? null;
}

describe("an edit changes its text and no other byte", () => {
  test.each([
    [
      "in a string",
      '{ "messages" : [{"content":"a SECRET b"}] }',
      '{ "messages" : [{"content":"a [x] b"}] }',
    ],
    [
      "in a block",
      '{"messages":[{"content":[{"type":"text","text":"SECRET"}]}]}',
      '{"messages":[{"content":[{"type":"text","text":"[x]"}]}]}',
    ],
    [
      "after escapes",
      '{"messages":[{"content":"\\u00e9\\n\\"é🎉 SECRET"}]}',
      '{"messages":[{"content":"\\u00e9\\n\\"é🎉 [x]"}]}',
    ],
    ["written in escapes", '{"messages":[{"content":"\\u0053ECRET!"}]}', '{"messages":[{"content":"[x]!"}]}'],
    [
      "twice in a body",
      '{"messages":["SECRET"],"n":1.50,"tools":[{"d":"SECRET"}]}',
      '{"messages":["[x]"],"n":1.50,"tools":[{"d":"[x]"}]}',
    ],
    ["under an odd name", '{"messages":[{"a/b~c":{"":"SECRET"}}]}', '{"messages":[{"a/b~c":{"":"[x]"}}]}'],
    [
      "in system, after its first block",
      '{"messages":[],"system":[{"text":"a"},{"text":"SECRET"}]}',
      '{"messages":[],"system":[{"text":"a"},{"text":"[x]"}]}',
    ],
  ])("%s", (_, body, expected) => {
    expect(edited(body, "SECRET", "[x]")).toBe(expected);
  });

  it("escapes what it puts in", () => {
    expect(edited('{"messages":[{"content":"SECRET"}]}', "SECRET", 'a"b\n')).toBe(
      '{"messages":[{"content":"a\\"b\\n"}]}',
    );
  });

  test.each([
    ["a name", '{"messages":[{"SECRET-IN-A-NAME":1}]}', "SECRET"],
    ["a number", '{"messages":[{"n":4111111111111111}]}', "4111"],
    ["the first system block", '{"messages":[],"system":[{"text":"SECRET"}]}', "SECRET"],
    ["a body that is no JSON", "SECRET", "SECRET"],
    ["half a character", '{"messages":["🎉"]}', "\ud83c"],
  ])("refuses %s", (_, body, find) => {
    expect(edited(body, find, "[x]")).toBeNull();
  });

  it("refuses ranges that overlap", () => {
    const body = Buffer.from('{"messages":["abcdef"]}');
    const edits = [
      { part: 0, start: 0, end: 3, text: "" },
      { part: 0, start: 2, end: 4, text: "" },
    ];
    expect(rewrite(body, decode(body), edits)).toBeNull();
  });

  it("for any text in any place", () => {
    const content = fc.oneof(
      fc.string({ unit: "binary", minLength: 1 }),
      fc.string({ unit: "grapheme", minLength: 1 }),
    );
    const place = fc.tuple(content, fc.nat(), fc.nat(), fc.string());
    fc.assert(
      fc.property(fc.array(place, { minLength: 1, maxLength: 4 }), fc.boolean(), (places, isSpaced) => {
        const messages = places.map(([text], i) => ({
          role: "user",
          content: [{ type: "text", text: `${i} ${text}` }],
        }));
        const body = Buffer.from(JSON.stringify({ messages, n: 1 }, null, isSpaced ? 1 : 0));
        const decoded = decode(body);
        const edits: Edit[] = [];
        const expected = structuredClone(messages);
        for (const [i, [, a, b, put]] of places.entries()) {
          const part = decoded.parts.findIndex(({ pointer }) => pointer === `/messages/${i}/content/0/text`);
          const text = decoded.parts[part]?.text ?? "";
          const [start = 0, end = 0] = [a % (text.length + 1), b % (text.length + 1)].sort((x, y) => x - y);
          if (splits(text, start) || splits(text, end)) continue;
          edits.push({ part, start, end, text: put });
          const block = expected[i]?.content[0];
          if (block !== undefined) block.text = text.slice(0, start) + put + text.slice(end);
        }
        const made = rewrite(body, decoded, edits);
        expect(made && JSON.parse(made.toString())).toEqual({ messages: expected, n: 1 });
      }),
    );
  });
});

/** Whether a cut here would part a surrogate pair. */
const splits = (text: string, at: number): boolean =>
  /[\ud800-\udbff]/.test(text[at - 1] ?? "") && /[\udc00-\udfff]/.test(text[at] ?? "");
