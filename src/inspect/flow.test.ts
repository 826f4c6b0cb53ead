import { describe, expect, it, test } from "vitest";
import { amountOf, createFlow, type FlowBudget } from "./flow.ts";

const budget = (characters: number, bits: number): FlowBudget => ({
  each: { characters, bits },
  all: { characters: characters * 3, bits: bits * 3 },
});
const small = (): ReturnType<typeof createFlow> => createFlow(budget(1e6, 1e6), budget(100, 50));
const detectors = (found: readonly { readonly detector: string }[]): string[] =>
  found.map(({ detector }) => detector);

describe("low and slow", () => {
  it("many small sendings to one place are one large one", () => {
    const flow = small();
    const over = Array.from({ length: 12 }, () => flow.add("https://a", false, { characters: 9, bits: 0 }));
    expect(over.slice(0, 11).flat()).toEqual([]);
    expect(over[11]).toEqual([{ class: "volume", detector: "volume:characters", count: 1 }]);
  });

  it("so are sendings to many places, and what looks random counts by itself", () => {
    const flow = small();
    const found = Array.from({ length: 40 }, (_, i) =>
      flow.add(`https://a${i}`, false, { characters: 8, bits: 4 }),
    );
    expect(found.slice(0, 37).flat()).toEqual([]);
    expect(detectors(found[37] ?? [])).toEqual(["volume:characters", "volume:bits"]);
    expect(detectors(small().add("https://a", false, { characters: 20, bits: 51 }))).toEqual(["volume:bits"]);
  });

  it("a model is sent the workspace", () => {
    const flow = small();
    expect(flow.add("https://model", true, { characters: 500_000, bits: 900_000 })).toEqual([]);
    expect(flow.add("https://a", false, { characters: 90, bits: 10 })).toEqual([]);
  });

  it("what did not leave does not count, nor what says nothing new", () => {
    const flow = small();
    flow.add("https://a", false, { characters: 90, bits: 0 });
    flow.takeBack("https://a", false, { characters: 90, bits: 0 });
    expect(flow.add("https://a", false, { characters: 90, bits: 0 })).toEqual([]);
    flow.add("https://a", false, { characters: 90, bits: 0 });
    expect(flow.add("https://a", false, { characters: 0, bits: 0 })).toEqual([]);
  });
});

test.each<[string, string, number, number]>([
  ["prose and names", "the ReadableStreamDefaultController of a stream_of_many_words, twice", 0, 0],
  ["a commit's id", "2fd4e1c67a2d28fced849ee1bb76e7391b93eb12", 120, 160],
  [
    "base64",
    Buffer.from(Array.from({ length: 90 }, (_, i) => (i * 167 + 41) % 256)).toString("base64"),
    550,
    720,
  ],
  ["one character again and again", `a1${"x".repeat(200)}`, 0, 40],
])("%s: bits", (_, text, least, most) => {
  const { bits, characters } = amountOf([text], false);
  expect(characters).toBe(text.length);
  expect(bits).toBeGreaterThanOrEqual(least);
  expect(bits).toBeLessThanOrEqual(most);
});
