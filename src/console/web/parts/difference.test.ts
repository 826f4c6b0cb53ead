import fc from "fast-check";
import { expect, it } from "vitest";
import { linesOf, namedPoints } from "./difference.ts";

const sides = (lines: ReturnType<typeof linesOf>): { before: string; after: string } => {
  const text = (line: (typeof lines)[number]): string =>
    line.kind === "same" ? line.text : line.stretches.map((s) => s.text).join("");
  return {
    before: lines
      .filter((l) => l.kind !== "added")
      .map(text)
      .join("\n"),
    after: lines
      .filter((l) => l.kind !== "removed")
      .map(text)
      .join("\n"),
  };
};

it("names the code point of an apostrophe that is another one", () => {
  const lines = linesOf("Today's date is 2026-11-20", "Today\u02bcs date is 2026/11/20");
  const added = lines.find((line) => line.kind === "added");
  expect(added?.kind === "added" && namedPoints(added.stretches)).toEqual([0x2bc]);
  expect(added?.kind === "added" && added.stretches.filter((s) => s.isChanged).map((s) => s.text)).toEqual([
    "\u02bc",
    "/",
    "/",
  ]);
});

it("both sides can be read back whole, whatever they are", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.string({ unit: "grapheme" }), fc.string(), (a, b, c) => {
      const before = `${a}\n${c}\n${b}`;
      const after = `${b}\n${c}`;
      expect(sides(linesOf(before, after))).toEqual({ before, after });
    }),
  );
});

it("texts that are equal have no difference", () => {
  fc.assert(fc.property(fc.string(), (text) => linesOf(text, text).every((line) => line.kind === "same")));
});
