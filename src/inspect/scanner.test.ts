import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DETECTORS } from "./detectors/index.ts";
import { plainLoop, sorted } from "./plain-loop.ts";
import { createScanner } from "./scanner.ts";

describe("the engine equals the plain loop", () => {
  const scanner = createScanner(DETECTORS);

  test("on every example, alone, side by side and after an odd number of characters", () => {
    for (const detector of DETECTORS) {
      for (const example of [...detector.examples, ...detector.counterexamples]) {
        for (const text of [example, ` ${example}`, `ключ 🔑 ${example} ${example}`])
          expect(sorted(scanner.scan(text)), detector.id).toEqual(sorted(plainLoop(DETECTORS, text)));
      }
    }
  }, 240_000);

  test("on text spliced from examples and noise", () => {
    const pieces = DETECTORS.flatMap((d) => [...d.examples, ...d.counterexamples]);
    const noise = fc.stringMatching(/^[ -~\n\u0400-\u0420]{0,40}$/);
    const spliced = fc.array(fc.oneof(fc.constantFrom(...pieces), noise), { maxLength: 12 });
    fc.assert(
      fc.property(spliced, fc.nat({ max: 3 }), (parts, cut) => {
        const text = parts.join("").slice(cut);
        expect(sorted(scanner.scan(text))).toEqual(sorted(plainLoop(DETECTORS, text)));
      }),
      { numRuns: 60 },
    );
  });

  test("across the border of the pieces that a long text is filtered in", () => {
    const secret = DETECTORS.find((d) => d.id === "github-token")?.examples[0] ?? "";
    for (const before of [131000, 131060, 131072, 131073, 262000]) {
      const text = `${" ".repeat(before)}${secret} ${secret}`;
      expect(scanner.scan(text).filter((m) => m.detector.id === "github-token").length).toBe(2);
    }
  });
});
