import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { asFault } from "../core/index.ts";
import { createSpots } from "./spots.ts";

const WORDS = ["needle-one", "needle-two"];
const find = (text: string) =>
  WORDS.flatMap((word) =>
    [...text.matchAll(new RegExp(word, "g"))].map(({ index }) => ({
      start: index,
      end: index + word.length,
      word,
    })),
  ).sort((a, b) => a.start - b.start);
const suspects = (bytes: Buffer): number[] =>
  ["needle", "\\u00"]
    .flatMap((probe) => [...bytes.toString("latin1").matchAll(new RegExp(probe.replace("\\", "\\\\"), "g"))])
    .map(({ index }) => index)
    .sort((a, b) => a - b);
/** Counts the bytes that were looked at. */
function fresh() {
  const looked = { bytes: 0 };
  const spots = createSpots({
    find,
    suspects: (bytes) => {
      looked.bytes += bytes.length;
      return suspects(bytes);
    },
  });
  return { spots, looked };
}
const outcome = (run: () => unknown): unknown => {
  try {
    return run();
  } catch (thrown) {
    return asFault(thrown).code;
  }
};

/** Long enough that there are points within. */
const filler = "the quick brown fox jumps over the lazy dog, twice. ".repeat(30);
const turn = (n: number, said: string) => ({
  role: "user",
  content: [{ type: "text", text: `${n} ${filler} ${said}` }],
});

describe("what is remembered of earlier bodies never changes what is found", () => {
  const said = fc.constantFrom(
    "",
    "needle-one",
    'a "needle-two" quoted',
    "needle-one needle-two",
    "\u001b[1m",
    "é😀 needle-one",
  );
  const message = fc.tuple(fc.nat(9), said).map(([n, text]) => turn(n, text));
  const member = fc.constantFrom("system", "tools", "metadata", "messages", "request", "thinking");
  const document = fc
    .tuple(
      fc.uniqueArray(fc.tuple(member, fc.array(message, { maxLength: 5 })), {
        maxLength: 5,
        selector: ([name]) => name,
      }),
      fc.boolean(),
      fc.boolean(),
    )
    .map(([members, wrapped, listed]) => {
      const plain: unknown = Object.fromEntries(members);
      const inner = wrapped ? { model: "m", request: plain, stream: true } : plain;
      return JSON.stringify(listed ? [inner, { last: "needle-one" }] : inner);
    });
  /** Another document, or the last one cut, spliced or with a piece of another in it: mostly no JSON any more. */
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("whole" as const), text: document }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant("cut" as const), at: fc.nat(40_000), size: fc.nat(3000) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant("insert" as const),
        at: fc.nat(40_000),
        text: fc.constantFrom('"x":1,', "[", "]", "{", "}", '"', ",", "needle-one", '"needle-two",', "\\"),
      }),
    },
  );

  test("body after body", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 2, maxLength: 8 }), (steps) => {
        const { spots } = fresh();
        let last = "";
        for (const one of steps) {
          if (one.kind === "whole") last = one.text;
          else if (one.kind === "cut") last = last.slice(0, one.at) + last.slice(one.at + one.size);
          else last = last.slice(0, one.at) + one.text + last.slice(one.at);
          const body = Buffer.from(last);
          expect(outcome(() => spots.in(body))).toEqual(outcome(() => fresh().spots.in(body)));
        }
      }),
      { numRuns: 300 },
    );
  });

  test("the same bytes under another name are another place", () => {
    const tail = Array.from({ length: 8 }, (_, i) => turn(i, "needle-one"));
    const { spots } = fresh();
    for (const body of [
      { model: "m", messages: [turn(0, "")], system: tail },
      { alpha: { first: [turn(0, "")], second: tail } },
      { bravo: { first: [turn(0, "")], second: tail } },
      { model: "m", messages: [turn(0, ""), { signature: tail }] },
      { model: "m", signature: { a: [turn(0, "")], system: tail } },
      [{ model: "m", messages: [turn(0, "")], system: tail }],
    ].map((value) => Buffer.from(JSON.stringify(value)))) {
      expect(spots.in(body)).toEqual(fresh().spots.in(body));
      expect(spots.in(body)).toHaveLength(8);
    }
  });
});

test("a turn is looked at where it is new, also when what follows the messages is long", () => {
  const tools = Array.from({ length: 40 }, (_, i) => turn(i, "needle-two"));
  const messages = Array.from({ length: 100 }, (_, i) => turn(i, i % 9 === 0 ? "needle-one" : ""));
  const body = (turns: number) =>
    Buffer.from(
      JSON.stringify({
        model: "m",
        messages: messages.slice(0, turns),
        system: [turn(turns, "")],
        tools,
        previous: `${turns}`,
        stream: true,
      }),
    );
  const { spots, looked } = fresh();
  spots.in(body(90));
  const first = looked.bytes;
  expect(first).toBeGreaterThan(0.99 * body(90).length);
  for (let turns = 91; turns <= 100; turns++) {
    looked.bytes = 0;
    expect(spots.in(body(turns))).toEqual(fresh().spots.in(body(turns)));
    // What is new, and what is looked at ahead of it.
    expect(looked.bytes).toBeLessThan(body(90).length / 5);
  }
  looked.bytes = 0;
  spots.in(body(100));
  expect(looked.bytes).toBe(0);
});
