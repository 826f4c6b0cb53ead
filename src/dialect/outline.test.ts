import { isUtf8 } from "node:buffer";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { createDecoder } from "./decoder.ts";
import { type Outline, outlineOf, sameBytes } from "./outline.ts";
import { parsed } from "./token.ts";

const outline = (text: string, earlier: Outline | null = null): Outline | null =>
  outlineOf(Buffer.from(text), earlier);

/** What an outline says, checked against the body it is of. */
function readBack({ body, items }: Outline): unknown {
  return items.map(({ start, end, container, index, name }) => [
    container,
    index < 0 ? name : index,
    parsed(body, start, end),
  ]);
}

describe("an outline names the elements of a body", () => {
  it("splits lists at the top, and the wrapper that Code Assist uses", () => {
    const found = outline(
      '{"model":"m","messages":[{"a":1},"x" , [2]],"empty":[],"request":{"contents":[1]}} ',
    );
    expect(found && readBack(found)).toEqual([
      ["", "model", "m"],
      ["/messages", 0, { a: 1 }],
      ["/messages", 1, "x"],
      ["/messages", 2, [2]],
      ["/request/contents", 0, 1],
    ]);
  });

  test.each([
    ["a name twice", '{"a":1,"a":2}'],
    ["a name twice, escaped", '{"a":1,"\\u0061":2}'],
    ["a name twice in a wrapper", '{"request":{"a":1,"a":2}}'],
    ["a list twice", '{"messages":[1],"messages":[2]}'],
    ["trailing bytes", '{"a":1}x'],
    ["a second value", '{"a":1}{"b":2}'],
    ["a trailing comma", '{"a":[1,]}'],
    ["no end", '{"a":"b'],
    ["no end after an escape", '{"a":"b\\"'],
    ["a byte order mark", '\ufeff{"a":1}'],
    ["no body", ""],
    ["a scalar", '"a"'],
    ["too deep", `{"a":${"[".repeat(200)}${"]".repeat(200)}}`],
  ])("%s has none", (_, text) => {
    expect(outline(text)).toBeNull();
  });

  it("agrees with JSON.parse on any JSON", () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 })),
        fc.boolean(),
        (value, spaced) => {
          const text = JSON.stringify(value, null, spaced ? 2 : 0);
          const found = outline(text);
          expect(found).not.toBeNull();
          if (found === null) return;
          const rebuilt: Record<string, unknown> = JSON.parse(text);
          for (const { start, end, container, index, name } of found.items) {
            const slice = parsed(found.body, start, end);
            if (index < 0 && container === "") expect(slice).toEqual(rebuilt[name]);
          }
        },
      ),
    );
  });
});

const message = fc.record({
  role: fc.constantFrom("user", "assistant"),
  content: fc.oneof(fc.string({ unit: "binary" }), fc.array(fc.record({ text: fc.string() }))),
});
const body = fc.record({
  head: fc.oneof(fc.constantFrom("a", "b"), fc.integer({ min: 0, max: 120 })),
  messages: fc.array(fc.oneof(fc.nat({ max: 123 }), message), { maxLength: 6 }),
  tools: fc.array(fc.constantFrom("x", "y", { z: "\\" }), { maxLength: 3 }),
  n: fc.nat({ max: 120 }),
});

describe("an earlier outline changes the cost and nothing else", () => {
  it("gives the same items for any two bodies", () => {
    fc.assert(
      fc.property(body, body, fc.nat(8), (one, other, keep) => {
        // Half of the time a real next turn: the same messages and one more.
        const next = { ...other, messages: [...one.messages.slice(0, keep), ...other.messages] };
        const first = outline(JSON.stringify(one));
        const alone = outline(JSON.stringify(next));
        const after = outline(JSON.stringify(next), first);
        expect(after?.items).toEqual(alone?.items);
        expect(after?.members).toEqual(alone?.members);
      }),
      { numRuns: 500 },
    );
  });

  it("refuses what is refused alone: any edit of a body's bytes", () => {
    fc.assert(
      fc.property(
        body,
        fc.nat(),
        fc.constantFrom(...'",:[]{}0 \\a'),
        fc.boolean(),
        (value, at, byte, insert) => {
          const text = JSON.stringify(value);
          const i = at % text.length;
          const edited = text.slice(0, i) + byte + text.slice(insert ? i : i + 1);
          const alone = outline(edited);
          const after = outline(edited, outline(text));
          expect(after?.items).toEqual(alone?.items);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it("does not take `1` for the start of `12`", () => {
    const found = outline('{"a":[1,12]}', outline('{"a":[1,1]}'));
    expect(found && readBack(found)).toEqual([
      ["/a", 0, 1],
      ["/a", 1, 12],
    ]);
  });

  it("sees a name that now stands in the head and in the kept tail", () => {
    const earlier = outline('{"m":[1,2],"z":3,"y":4}');
    expect(outline('{"y":0,"m":[1,2],"z":3,"y":4}', earlier)).toBeNull();
  });

  it("takes over all but the new element of a turn", () => {
    const messages = Array.from({ length: 50 }, (_, i) => `message ${i}`);
    const tools = Array.from({ length: 20 }, (_, i) => `tool ${i}`);
    const first = outline(JSON.stringify({ messages, tools }));
    const second = outline(JSON.stringify({ messages: [...messages, "new"], tools }), first);
    expect(second?.sameHead).toBeGreaterThanOrEqual(49);
    expect(second?.sameTail).toBeGreaterThanOrEqual(19);
  });
});

it("common starts and ends are exact", () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.string(), fc.string(), (head, a, b, tail) => {
      const [one, other] = [Buffer.from(head + a + tail), Buffer.from(head + b + tail)];
      const { prefix, suffix } = sameBytes(one, other);
      const most = Math.min(one.length, other.length);
      const naive = (limit: number, at: (n: number) => boolean): number => {
        let n = 0;
        while (n < limit && at(n)) n++;
        return n;
      };
      expect(prefix).toBe(naive(most, (n) => one[n] === other[n]));
      expect(suffix).toBe(naive(most - prefix, (n) => one.at(-1 - n) === other.at(-1 - n)));
    }),
  );
});

// github.com/nst/JSONTestSuite (MIT): 318 bodies that parsers disagree about. Not kept here; give its folder to run it.
const suite = process.env["JSON_TEST_SUITE"];
describe.skipIf(suite === undefined)(
  "JSONTestSuite (skipped unless JSON_TEST_SUITE names its test_parsing folder)",
  () => {
    const files = suite === undefined ? [] : readdirSync(suite).filter((name) => name.endsWith(".json"));
    // Stricter than RFC 8259 on purpose.
    const REFUSED = /duplicated_key/;

    it("takes what must be taken, refuses what must be refused, and shows every text of both", () => {
      expect(files.length).toBeGreaterThan(300);
      for (const file of files) {
        const body = readFileSync(join(suite ?? "", file));
        for (const [head, tail] of [
          ['{"z":0,"x":', "}"],
          ['{"m":[0,{"y":', "}]}"],
        ] as const) {
          const whole = Buffer.concat([Buffer.from(head), body, Buffer.from(tail)]);
          const isStrict = decodes(whole);
          if (file.startsWith("y_")) expect([file, isStrict]).toEqual([file, !REFUSED.test(file)]);
          if (file.startsWith("n_")) expect([file, isStrict]).toEqual([file, false]);
          // What is left to the parser is read as JSON.parse reads it, or not at all.
          if (isStrict) expect([file, isJson(whole.toString())]).toEqual([file, true]);
          expect([file, hidden(whole)]).toEqual([file, []]);
        }
        expect([file, hidden(body)]).toEqual([file, []]);
      }
    });
  },
);

/** Texts of a body that no part shows: its strings where it is JSON, else all of its printable runs. */
function hidden(body: Buffer): readonly string[] {
  const { parts } = decoded(body);
  const shown = parts.map(({ text }) => text).join("\n");
  const runs = body.toString("latin1").match(/[\x20-\x7e]{4,}/g) ?? [];
  const said = isUtf8(body) && isJson(body.toString()) ? stringsIn(JSON.parse(body.toString())) : runs;
  return said.filter((text) => !shown.includes(text));
}

function stringsIn(value: unknown): readonly string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(stringsIn) : [];
}

const decoded = (body: Buffer): ReturnType<ReturnType<typeof createDecoder>["decode"]> =>
  createDecoder().decode({ method: "POST", host: "x", path: "/v1/embeddings", headers: [], body });

/** Whether a decoder takes the body for strict JSON. */
const decodes = (body: Buffer): boolean => decoded(body).elements.length > 0;

describe("bodies that parsers disagree about", () => {
  test.each([
    ["[1,]", false],
    ["[,1]", false],
    ["[1 2]", false],
    ["[1]]", false],
    ["[1}", false],
    ['{"a":1,}', false],
    ['{"a" 1}', false],
    ["{a:1}", false],
    ["{'a':1}", false],
    ['{"a":"b"}//c', false],
    ['["\\x"]', false],
    ['["\\u00"]', false],
    ['["a\tb"]', false],
    ['["a\0b"]', false],
    ["[01]", false],
    ["[1.]", false],
    ["[.1]", false],
    ["[+1]", false],
    ["[1e]", false],
    ["[0x1]", false],
    ["[NaN]", false],
    ["[nul]", false],
    ["[TRUE]", false],
    ["[\f1]", false],
    ["[1,\n2\r\t ]", true],
    ["[1E+2,-0,0e1,1.5]", true],
    ['["\\ud83d\\ude00","\\ud800","\\u0000","\\/"]', true],
    ['{"":"","\\u0000":1}', true],
    ["[[],{},[{}]]", true],
    ['{"a":{},"b":[],"c":null}', true],
  ])("%j: %s", (text, isStrict) => {
    const body = Buffer.from(`{"x":${text},"m":[${text}]}`);
    expect(decodes(body)).toBe(isStrict);
    expect(isJson(body.toString())).toBe(isStrict);
    expect(hidden(body)).toEqual([]);
  });

  // What RFC 8259 leaves to the parser, and what is told by bytes alone.
  const bytes = (...values: readonly (string | number)[]): Buffer =>
    Buffer.concat(values.map((one) => (typeof one === "string" ? Buffer.from(one) : Buffer.of(one))));
  test.each<[string, Buffer, boolean]>([
    ["half a pair", bytes('["\\uD888 hidden"]'), true],
    ["the wrong half first", bytes('["\\uDc00\\uD800 hidden"]'), true],
    ["a noncharacter", bytes('["\uffff hidden"]'), true],
    ["a number beyond a double", bytes('[1e9999,-1e-9999,"hidden"]'), true],
    ["a number of 100 digits", bytes(`[${"9".repeat(100)},"hidden"]`), true],
    ["a lone continuation byte", bytes('["hidden', 0x81, '"]'), false],
    ["an overlong slash", bytes('["hidden', 0xc0, 0xaf, '"]'), false],
    ["a surrogate in UTF-8", bytes('["hidden', 0xed, 0xa0, 0x80, '"]'), false],
    ["Latin-1", bytes('["hidden', 0xe9, '"]'), false],
    ["cut in a character", bytes('["hidden', 0xe0, 0xff, '"]'), false],
    ["a byte order mark", bytes('\ufeff["hidden"]'), false],
    ["half an escape", bytes('["hidden\\u12"]'), false],
    ["an escape of UTF-16 cut short", bytes('["\\ud83d\\u hidden"]'), false],
    ["a quote never closed", bytes('["hidden'), false],
    ["no byte at all in the list", bytes('["hidden",,1]'), false],
    ["100,000 lists never closed", bytes(`["hidden",${"[".repeat(100_000)}`), false],
    ["lists and objects never closed", bytes(`["hidden",${'[{"":'.repeat(50_000)}`), false],
    ["500 lists in lists", bytes(`["hidden",${"[".repeat(500)}${"]".repeat(500)}]`), false],
  ])("%s: nothing throws and nothing is hidden", (_, body, isStrict) => {
    expect(decodes(body)).toBe(isStrict);
    expect(decoded(body).understood).toBe(false);
    expect(decoded(body).parts.some(({ text }) => text.includes("hidden"))).toBe(true);
    expect(hidden(body)).toEqual([]);
  });
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
