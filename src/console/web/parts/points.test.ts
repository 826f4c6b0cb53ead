import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { isHidden, piecesOf } from "./points.ts";

const back = (text: string): string =>
  piecesOf(text)
    .map((piece) =>
      piece.kind === "plain" ? piece.text : String.fromCodePoint(piece.code).repeat(piece.times),
    )
    .join("");

describe("hostile text", () => {
  test.each([
    ["a right-to-left override", "invoice\u202egpj.exe"],
    ["an ANSI escape", "\u001b[2Jgone"],
    ["a zero-width space", "pass\u200bword"],
    ["tag characters", "hello\u{e0041}\u{e0042}"],
    ["a line separator", "one\u2028two"],
    ["a lone surrogate", "half \ud83d"],
    ["a private-use character", "\ue000"],
    ["an isolate", "\u2066x\u2069"],
    ["a carriage return", "safe\rEVIL"],
    ["the next line", "a\u0085b"],
  ])("%s never reaches the page as itself", (_, text) => {
    const pieces = piecesOf(text);
    expect(pieces.some((piece) => piece.kind === "point")).toBe(true);
    for (const piece of pieces)
      if (piece.kind === "plain")
        for (const c of piece.text) expect(isHidden(c.codePointAt(0) ?? 0)).toBe(false);
  });

  it("piles of combining marks are cut", () => {
    expect(piecesOf(`e${"\u0301".repeat(40)}`)).toEqual([
      { kind: "plain", text: "e\u0301\u0301\u0301\u0301" },
      { kind: "point", code: 0x301, times: 36 },
    ]);
  });

  it("leaves what people write alone", () => {
    for (const text of ["naïve café", "价格：5元", "مرحبا", "tab\tand\nline", "⚠️ warning", "👩 x"])
      expect(piecesOf(text)).toEqual([{ kind: "plain", text }]);
  });

  it("loses nothing", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(back(text)).toBe(text);
      }),
    );
  });
});
