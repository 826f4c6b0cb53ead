/** The unchanged environment: what its runs agree on, and what they teach about values that vary by themselves. */
import { learnNoise, type ReadRun } from "../observe/fold.ts";
import type { Noise } from "../observe/noise.ts";
import { Side } from "./compare.ts";

const LEARNING = 8;

/** Owned by one vetting: the runs of the unchanged environment, and what they agree on. */
export class Baseline {
  readonly #noise: Noise;
  readonly runs: ReadRun[] = [];
  readonly gaps: ReadonlyMap<string, number>[] = [];
  ready: Promise<void> | undefined;
  #side: Side | null = null;
  #version = -1;
  #names = new Set<string>();

  constructor(noise: Noise) {
    this.#noise = noise;
  }

  add(run: ReadRun, gaps: ReadonlyMap<string, number>): void {
    this.runs.push(run);
    this.gaps.push(gaps);
    for (const request of run.requests) this.#names.add(request.name);
    // What eight controls have not shown to vary is left to the repeats.
    if (this.runs.length <= LEARNING)
      for (const other of this.runs.slice(0, -1)) learnNoise(run, other, this.#noise);
  }

  names(): ReadonlySet<string> {
    return this.#names;
  }

  side(): Side {
    if (this.#side === null || this.#version !== this.#noise.version)
      this.#side = new Side(this.runs, this.#noise);
    else if (this.#side.runs.length < this.runs.length)
      for (const run of this.runs.slice(this.#side.runs.length)) this.#side.add(run);
    this.#version = this.#noise.version;
    return this.#side;
  }
}
