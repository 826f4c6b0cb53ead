/**
 * The Inspector: what is in the new parts of a request. Pure: no clock, no I/O, no randomness.
 *
 * Failure contract: when a detector throws, `inspect` throws Fault("inspect.failed") that names the detector, and the
 * caller denies. A finding never holds the value, only its place and a keyed hash.
 */
import { createHmac } from "node:crypto";
import { Fault, type FindingTally } from "../core/index.ts";
import type { Detector, Reader } from "./detector.ts";
import { DETECTORS } from "./detectors/index.ts";
import { createScanner, type Match } from "./scanner.ts";

export interface Finding {
  readonly class: string;
  readonly detector: string;
  /** Index into the parts that were inspected. */
  readonly part: number;
  /** UTF-16 offsets into the part's text; `end` is exclusive. */
  readonly start: number;
  readonly end: number;
  /** First 16 bytes of HMAC-SHA256(key, class ‖ 0 ‖ value), hex: the same value has the same hash under one key. */
  readonly hash: string;
  /** A check digit or checksum inside the value holds. */
  readonly verified: boolean;
}

export interface InspectedPart {
  readonly text: string;
  readonly isNew: boolean;
  readonly role: string;
}

export interface Inspection {
  readonly findings: readonly Finding[];
  readonly tally: readonly FindingTally[];
}

export interface Inspector {
  inspect(parts: readonly InspectedPart[]): Inspection;
}

export interface InspectorOptions {
  /** Keys the hashes; at least 16 bytes. */
  readonly key: Uint8Array;
  /** Instead of the built-in pack. */
  readonly detectors?: readonly (Detector | Reader)[];
}

export function createInspector(options: InspectorOptions): Inspector {
  if (options.key.length < 16)
    throw new Fault("inspect.failed", { detail: "the hash key is shorter than 16 bytes" });
  const scanner = createScanner(options.detectors ?? DETECTORS);
  return {
    inspect(parts) {
      const findings: Finding[] = [];
      parts.forEach((part, index) => {
        if (!part.isNew) return;
        for (const match of disjoint(scanText(scanner.scan, part.text)))
          findings.push(findingOf(match, index, part.text, options.key));
      });
      return { findings, tally: tally(findings) };
    },
  };
}

function scanText(scan: (text: string) => Match[], text: string): Match[] {
  try {
    return scan(text);
  } catch (thrown) {
    // The cause is kept for the operator, but its message could quote the text: the detail does not repeat it.
    throw new Fault("inspect.failed", { detail: "a detector threw", cause: thrown });
  }
}

/** Overlapping findings of one class become one: the widest, or the first of the pack where equally wide. */
export function disjoint(matches: readonly Match[]): Match[] {
  const ordered = [...matches].sort((a, b) => a.start - b.start || b.end - a.end || a.rank - b.rank);
  const kept: Match[] = [];
  for (const match of ordered) {
    const rival = kept.findLast(
      (other) => other.detector.class === match.detector.class && other.end > match.start,
    );
    if (rival === undefined) kept.push(match);
    else if (match.end > rival.end) kept[kept.indexOf(rival)] = { ...rival, end: match.end };
  }
  return kept;
}

function findingOf(match: Match, part: number, text: string, key: Uint8Array): Finding {
  const { start, end, verified } = match;
  const value = text.slice(start, end);
  return {
    class: match.detector.class,
    detector: match.detector.id,
    part,
    start,
    end,
    hash: keyedHash(key, match.detector.class, value),
    verified,
  };
}

export function keyedHash(key: Uint8Array, dataClass: string, value: string): string {
  return createHmac("sha256", key).update(`${dataClass}\0${value}`, "utf8").digest("hex").slice(0, 32);
}

export function tally(findings: readonly Finding[]): FindingTally[] {
  const counts = new Map<string, FindingTally>();
  for (const { class: dataClass, detector } of findings) {
    const name = `${dataClass}\0${detector}`;
    counts.set(name, { class: dataClass, detector, count: (counts.get(name)?.count ?? 0) + 1 });
  }
  return [...counts.values()];
}
