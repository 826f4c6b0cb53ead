/**
 * Waiting as a signal: how long a build takes from an answer to its next request. A hint and no more, as machines are
 * busy: reported only when every run of one environment was slower than every control, by more than they differ.
 */
import type { Observed } from "./bench.ts";

export interface Timing {
  /** Which wait. */
  readonly wait: string;
  /** Milliseconds: the slowest control, the fastest of the other side. */
  readonly a: number;
  readonly b: number;
}

const LEAST_MS = 120;

/** Waits of one run by name: before the first request, and between an answer and the next request. */
export function gapsOf(observed: Observed): ReadonlyMap<string, number> {
  const gaps = new Map<string, number>();
  const models = observed.requests.filter(
    (request) => request.method === "POST" || request.method === "MESSAGE",
  );
  const [first] = models;
  if (first !== undefined) gaps.set("from its start to its first request", first.at);
  for (const [index, request] of models.entries())
    if (request.answeredBefore !== null)
      gaps.set(`from an answer to request ${index + 1}`, request.at - request.answeredBefore);
  const [run] = observed.runs;
  if (run !== undefined) gaps.set("from its start to its end", run.tookMs);
  return gaps;
}

export function slower(
  controls: readonly ReadonlyMap<string, number>[],
  runs: readonly ReadonlyMap<string, number>[],
): readonly Timing[] {
  const out: Timing[] = [];
  for (const wait of controls[0]?.keys() ?? []) {
    const before = controls.map((gaps) => gaps.get(wait)).filter((ms) => ms !== undefined);
    const after = runs.map((gaps) => gaps.get(wait)).filter((ms) => ms !== undefined);
    if (before.length < controls.length || after.length < runs.length) continue;
    const [low, high, least] = [Math.min(...before), Math.max(...before), Math.min(...after)];
    if (least > high + Math.max(LEAST_MS, 2 * (high - low))) out.push({ wait, a: high, b: least });
  }
  return out;
}
