// The session's reader remembers what was found, and asks the inspector about what is new and what stands beside it.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createDecoder, type Decoded, type Decoder } from "../dialect/index.ts";
import { createInspector, createVault, type Inspector } from "../inspect/index.ts";
import { Reader } from "./session.ts";

const SECRET = "AKIAIOSFODNN7EXAMPLQ";
const KEY = Buffer.alloc(32, 3);
const bodyOf = (texts: readonly string[]): Buffer =>
  Buffer.from(
    JSON.stringify({
      model: "m",
      max_tokens: 1,
      messages: texts.map((content, i) => ({ role: i % 2 === 0 ? "user" : "assistant", content })),
    }),
  );
const decode = (decoder: Decoder, body: Buffer): Decoded =>
  decoder.decode({
    method: "POST",
    host: "api.anthropic.com",
    path: "/v1/messages",
    headers: [["anthropic-version", "2023-06-01"]],
    body,
  });
const newReader = (inspector: Inspector): Reader =>
  new Reader({
    newDecoder: () => createDecoder({ minComparedBytes: 0 }),
    inspector,
    vault: createVault({ key: KEY }),
    waivers: [],
    now: () => 0,
  });

describe("the reader", () => {
  it("an old turn is not inspected again, and its findings stay", () => {
    const inspector = createInspector({ key: KEY });
    const seen: number[] = [];
    const reader = newReader({
      labels: null,
      foresee: () => {},
      inspect: (parts) => {
        seen.push(parts.length);
        return inspector.inspect(parts);
      },
    });
    const texts = Array.from(
      { length: 40 },
      (_, i) => `message ${i} with words of its own ${"x".repeat(i * 10)}`,
    );
    texts[3] = `the key is ${SECRET}`;
    const first = reader.read(decode, bodyOf(texts), () => false);
    expect([[...first.classes], first.found.length]).toEqual([["secret"], 1]);
    const second = reader.read(decode, bodyOf([...texts, "one more"]), () => false);
    expect([[...second.classes], second.found.length]).toEqual([["secret"], 0]);
    expect(seen[1]).toBeLessThan((seen[0] ?? 0) / 4);
  });

  it("finds what an inspector finds that is shown every part of every turn, whatever was withdrawn", () => {
    const text = fc.constantFrom(
      "hello",
      SECRET,
      `a ${SECRET} b`,
      SECRET.slice(0, 10),
      SECRET.slice(10),
      "mail me at jane.doe@example.com",
      "x".repeat(600),
      "",
    );
    const turns = fc.array(fc.array(text, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(turns, fc.array(fc.boolean(), { maxLength: 6 }), (conversation, withdrawn) => {
        const reader = newReader(createInspector({ key: KEY }));
        const decoder = createDecoder({ minComparedBytes: 0 });
        const inspector = createInspector({ key: KEY });
        for (const [i, texts] of conversation.entries()) {
          const reading = reader.read(decode, bodyOf(texts), () => false);
          const decoded = decode(decoder, bodyOf(texts));
          const { findings } = inspector.inspect(decoded.parts);
          for (const { class: dataClass } of findings) expect([...reading.classes]).toContain(dataClass);
          const fresh = findings.filter(({ part }) => decoded.parts[part]?.isNew === true);
          expect(reading.found.reduce((sum, { count }) => sum + count, 0)).toBe(fresh.length);
          if (withdrawn[i] !== true) continue;
          reader.withdraw(reading);
          decoder.withdraw(decoded);
        }
      }),
      { numRuns: 60 },
    );
  });
});
