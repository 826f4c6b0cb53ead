/**
 * A false positive is silenced value by value: by its keyed hash, with a reason and an end. No detector is ever
 * switched off, and a waiver without a future is none.
 */
import type { Finding, Inspection } from "./inspect.ts";
import { tally } from "./inspect.ts";

export interface Waiver {
  /** The finding's keyed hash: 32 hexadecimal digits. */
  readonly hash: string;
  /** Why the value may be sent; shown wherever the waiver is used. */
  readonly reason: string;
  /** Unix milliseconds; from then on the finding counts again. */
  readonly expiresAt: number;
}

export interface Waived extends Inspection {
  /** What was found but does not count, each with the waiver that says so. */
  readonly waived: readonly { readonly finding: Finding; readonly waiver: Waiver }[];
}

/** A waiver lives at most this long: longer is switching off by another name. */
export const LONGEST_WAIVER_MS: number = 366 * 24 * 60 * 60 * 1000;

/**
 * The inspection without what valid waivers cover at `nowMs`. A waiver without a reason, past its end, or with an end
 * further away than LONGEST_WAIVER_MS covers nothing.
 */
export function withoutWaived(inspection: Inspection, waivers: readonly Waiver[], nowMs: number): Waived {
  const valid = new Map(
    waivers
      .filter(({ hash, reason, expiresAt }) => {
        const left = expiresAt - nowMs;
        return /^[0-9a-f]{32}$/.test(hash) && reason.trim() !== "" && left > 0 && left <= LONGEST_WAIVER_MS;
      })
      .map((waiver) => [waiver.hash, waiver]),
  );
  const findings: Finding[] = [];
  const waived: Waived["waived"][number][] = [];
  for (const finding of inspection.findings) {
    const waiver = valid.get(finding.hash);
    if (waiver === undefined) findings.push(finding);
    else waived.push({ finding, waiver });
  }
  return { findings, tally: tally(findings), waived };
}
