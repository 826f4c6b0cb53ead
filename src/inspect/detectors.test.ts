import { describe, expect, test } from "vitest";
import { type Detector, isReader, type Reader } from "./detector.ts";
import { DETECTORS, FAMILIES } from "./detectors/index.ts";
import { createScanner } from "./scanner.ts";

describe("the pack", () => {
  test("every detector has its own id, a title, a source, examples and counter-examples", () => {
    expect(DETECTORS.length).toBeGreaterThan(200);
    expect(new Set(DETECTORS.map((d) => d.id)).size).toBe(DETECTORS.length);
    for (const detector of DETECTORS) {
      expect(detector.title, detector.id).not.toBe("");
      expect(detector.source, detector.id).toMatch(/^https?:\/\/|^GB |^[A-Z]/);
      expect(detector.examples.length, detector.id).toBeGreaterThan(0);
      expect(detector.counterexamples.length, detector.id).toBeGreaterThan(0);
    }
    for (const family of FAMILIES) expect(family.licence).toContain("no third-party rule file");
  });

  test("no pattern repeats without an upper limit", () => {
    for (const detector of DETECTORS) {
      const pattern = isReader(detector) ? null : detector.pattern;
      if (pattern === null) continue;
      const bare = pattern.source.replace(/\\./g, "").replace(/\[(?:[^\]])*\]/g, "");
      expect(bare, detector.id).not.toMatch(/[*+](?!\))|\{\d+,\}/);
    }
  });

  test("every anchor is lower case and at least three characters", () => {
    for (const detector of DETECTORS) {
      const anchors = isReader(detector)
        ? "anchors" in detector.on
          ? detector.on.anchors
          : []
        : detector.anchors;
      for (const anchor of anchors) {
        expect(anchor.length, `${detector.id} ${anchor}`).toBeGreaterThanOrEqual(3);
        expect(anchor, detector.id).toBe(anchor.toLowerCase());
      }
    }
  });

  const cases = (kind: "examples" | "counterexamples"): [string, string, Detector | Reader][] =>
    DETECTORS.flatMap((d) => d[kind].map((text): [string, string, Detector | Reader] => [d.id, text, d]));

  test.each(cases("examples"))("%s finds its example %s", (_, text, detector) => {
    const found =
      createScanner([detector]).scan(`head ${text} tail`).length +
      createScanner([detector]).scan(text).length;
    expect(found).toBeGreaterThan(0);
  });

  test.each(cases("counterexamples"))("%s leaves its counter-example %s", (_, text, detector) => {
    expect(createScanner([detector]).scan(text)).toEqual([]);
  });
});
