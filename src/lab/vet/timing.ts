/**
 * Waiting as a signal: how long a build takes from an answer to its next request. A hint and no more, as machines are
 * busy: looked for where one run was slower than every control, and reported only when, with nothing else running, every
 * further run is slower than every further control, by more than they differ.
 */
import type { Observed } from "./bench.ts";

export interface Timing {
  /** Which wait. */
  readonly wait: string;
  /** Milliseconds: the slowest control, the fastest of the other side. */
  readonly a: number;
  readonly b: number;
}

const LEAST_MS = 100;
/** Of the slowest control: on a machine that others use, a few pairs of slow runs differ by a sixth for no reason. */
const LEAST_SHARE = 1 / 3;

type Gaps = ReadonlyMap<string, number>;

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

/** Waits of all runs and controls that are longer in each of the former than in any of the latter. */
export function slower(controls: readonly Gaps[], runs: readonly Gaps[]): readonly Timing[] {
  const out: Timing[] = [];
  for (const wait of controls[0]?.keys() ?? []) {
    const before = controls.map((gaps) => gaps.get(wait)).filter((ms) => ms !== undefined);
    const after = runs.map((gaps) => gaps.get(wait)).filter((ms) => ms !== undefined);
    if (before.length < controls.length || after.length < runs.length) continue;
    const [low, high, least] = [Math.min(...before), Math.max(...before), Math.min(...after)];
    if (least > high + Math.max(LEAST_MS, high - low, high * LEAST_SHARE))
      out.push({ wait, a: high, b: least });
  }
  return out;
}

/** Milliseconds by which the run waited longer somewhere than controls mostly do: worth another look when there is quiet. */
export function waitedLonger(controls: readonly Gaps[], run: Gaps): number {
  const excess = [...run].map(([wait, ms]) => {
    const usual = controls.flatMap((gaps) => gaps.get(wait) ?? []).toSorted((a, b) => a - b);
    return ms - (usual[usual.length >> 1] ?? ms);
  });
  const most = Math.max(0, ...excess);
  return most < LEAST_MS ? 0 : most;
}
