/**
 * The oracle of the scan engine: no filter, no windows, no shared passes. Tests and bench/inspect hold the engine to it;
 * nothing else uses it.
 */
import { type Detector, isNumberRun, isReader, NUMBER, type Reader, spansOf } from "./detector.ts";
import { judge, type Match } from "./scanner.ts";

const literal = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");

/** The plain loop: every pattern over the whole text, left to right, non-overlapping; readers at every anchor. */
export function plainLoop(detectors: readonly (Detector | Reader)[], text: string): Match[] {
  const found: Match[] = [];
  for (const [rank, detector] of detectors.entries()) {
    if (isReader(detector)) {
      const on = detector.on;
      const pattern =
        "numbers" in on
          ? NUMBER
          : "character" in on
            ? new RegExp(literal(on.character), "g")
            : new RegExp(on.anchors.map((anchor) => `(?=(${literal(anchor)}))`).join("|"), "gi");
      let end = 0;
      for (const match of text.matchAll(pattern)) {
        const hit = match[0] === "" ? (match.slice(1).find((group) => group !== undefined) ?? "") : match[0];
        if ("anchors" in on && match.index < end) continue;
        if ("numbers" in on && !isNumberRun(hit)) continue;
        for (const span of spansOf(detector.read(text, match.index, match.index + hit.length))) {
          end = Math.max(end, span.end);
          found.push({ detector, rank, ...span });
        }
      }
      continue;
    }
    const pattern = new RegExp(detector.pattern.source, `${detector.pattern.flags}g`);
    for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
      const judged = judge(detector, rank, match);
      if (judged !== null) found.push(judged);
    }
  }
  return found;
}

export const sorted = (matches: readonly Match[]): string[] =>
  matches.map((m) => `${m.start}-${m.end} ${m.detector.id} ${m.verified}`).sort();
