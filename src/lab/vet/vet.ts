/**
 * The vetting of one build: controls teach what is noise, each level of each factor is tried on its own, what differs is
 * tried again and again beside the baseline, combinations are tried for what only they show, and each difference is
 * shrunk to the fewest patches that still show it. Nothing is looked for by name: a finding is whatever all runs of one
 * environment say and no run of the other.
 *
 * Never invented: a difference is reported only when all repeats show it and none of the controls, which are made in
 * turn with the repeats.
 */
import { type Clock, Fault } from "../../core/index.ts";
import { committedFiles } from "../chamber/home.ts";
import { BASELINE, type Patch, patched, patchText } from "../chamber/setting.ts";
import { learnNoise, type ReadRun, readRun } from "../observe/fold.ts";
import { Noise } from "../observe/noise.ts";
import { type Bench, type Observed, PROMPTS } from "./bench.ts";
import { type Effect, effectsBetween, Side } from "./compare.ts";
import { explanationOf } from "./explain.ts";
import type { Factor, Level } from "./factors.ts";
import { gapsOf, slower, type Timing } from "./timing.ts";

export interface Confirmed {
  readonly factor: string;
  readonly level: string;
  readonly patches: readonly Patch[];
  /** Patches that suffice to show the effect; all of them where fewer do not. */
  readonly smallest: readonly Patch[];
  readonly effect: Effect;
  readonly explanation: string | null;
  readonly repeats: number;
  readonly controls: number;
}

export interface Plan {
  readonly factors: readonly Factor[];
  /** Runs of each differing environment. */
  readonly repeats: number;
  /** After it no new environment is begun. */
  readonly budgetMs: number;
  readonly combinations: "none" | "some" | "all";
}

export interface Outcome {
  readonly confirmed: readonly Confirmed[];
  readonly timings: readonly (Timing & { readonly factor: string; readonly level: string })[];
  readonly notVaried: readonly string[];
  readonly combinations: number;
  readonly observed: readonly Observed[];
  readonly baseline: readonly ReadRun[];
  readonly noise: Noise;
  /** Levels under which the agent sent nothing to its model. */
  readonly silent: readonly string[];
}

const CONTROLS = 4;
const LEARNING = 8;
/** Below this a run is so cheap that every run is a session of several prompts. */
const CHEAP_MS = 700;
const MAX_RUN_MS = 60_000;

interface Tried {
  readonly effects: readonly Effect[];
  readonly timings: readonly Timing[];
  readonly runs: number;
}

export class Vetting {
  readonly #bench: Bench;
  readonly #plan: Plan;
  readonly #clock: Clock;
  readonly #say: (line: string) => void;
  readonly #noise = new Noise();
  readonly #baselines = new Map<number, Baseline>();
  readonly #observed: Observed[] = [];
  readonly #notVaried: string[] = [];
  readonly #silent: string[] = [];
  /** By factor and signatures: how many levels are being repeated for them. */
  readonly #claims = new Map<string, number>();
  readonly #controls = new Map<number, Promise<void>>();
  readonly #literals: readonly (readonly [string, string])[];
  #ignoresClock = false;
  #prompts: readonly string[] = PROMPTS.slice(0, 1);
  #endsAt = Number.POSITIVE_INFINITY;

  constructor(bench: Bench, plan: Plan, clock: Clock, say: (line: string) => void) {
    this.#bench = bench;
    this.#plan = plan;
    this.#clock = clock;
    this.#say = say;
    this.#literals = fileLiterals(
      plan.factors.flatMap(({ levels }) => levels.flatMap(({ patches }) => patches)),
    );
  }

  /** Throws `lab.silent` when the agent sends nothing in the baseline. */
  async run(): Promise<Outcome> {
    this.#endsAt = this.#clock.monotonic() + this.#plan.budgetMs;
    await this.#begin();
    const confirmed: Confirmed[] = [];
    const timings: (Timing & { factor: string; level: string })[] = [];
    const jobs = this.#plan.factors.flatMap((factor) => factor.levels.map((level) => ({ factor, level })));
    await Promise.all(
      inTurns(jobs).map(async ({ factor, level }) => {
        const tried = await this.#try(factor, level);
        if (tried === null) return;
        confirmed.push(...(await this.#confirm(factor, level, tried)));
        timings.push(
          ...tried.timings.map((timing) => ({ ...timing, factor: factor.name, level: level.name })),
        );
      }),
    );
    const combinations = await this.#combine(confirmed);
    return {
      ...{ confirmed: [...confirmed, ...combinations.confirmed], timings, notVaried: this.#notVaried },
      ...{
        combinations: combinations.tried,
        observed: this.#observed,
        noise: this.#noise,
        silent: this.#silent,
      },
      baseline: this.#baseline(this.#prompts).runs,
    };
  }

  // ------------------------------------------------------------------------------------------------------- baseline

  async #begin(): Promise<void> {
    const first = await this.#bench.run([], { prompts: this.#prompts });
    const ran = first?.runs[0];
    if (first === null || ran === undefined || first.requests.every((request) => request.method === "SILENT"))
      throw new Fault("lab.silent", {
        detail: lastLine(ran?.stderr) ?? lastLine(ran?.stdout) ?? `it ended with ${ran?.code}`,
      });
    this.#bench.limit(Math.min(MAX_RUN_MS, 10_000 + ran.tookMs * 8));
    if (ran.tookMs < CHEAP_MS) this.#prompts = PROMPTS;
    this.#say(`one run takes ${(ran.tookMs / 1000).toFixed(1)} s; learning what varies by itself`);
    await this.#baselineFor(this.#prompts);
  }

  #baseline(prompts: readonly string[]): Baseline {
    const known = this.#baselines.get(prompts.length);
    if (known !== undefined) return known;
    const made = new Baseline(this.#noise);
    this.#baselines.set(prompts.length, made);
    return made;
  }

  async #baselineFor(prompts: readonly string[]): Promise<Baseline> {
    const baseline = this.#baseline(prompts);
    baseline.ready ??= Promise.all(Array.from({ length: CONTROLS }, () => this.#newControl(prompts))).then(
      () => undefined,
    );
    await baseline.ready;
    return baseline;
  }

  /** One more run of the unchanged environment; whoever asks while one is queued shares it. */
  #control(prompts: readonly string[]): Promise<void> {
    const queued = this.#controls.get(prompts.length);
    if (queued !== undefined) return queued;
    const made = this.#newControl(prompts).finally(() => this.#controls.delete(prompts.length));
    this.#controls.set(prompts.length, made);
    return made;
  }

  async #newControl(prompts: readonly string[]): Promise<void> {
    const usual = PROMPTS.slice(0, prompts.length);
    const observed = await this.#bench.run([], { prompts: usual });
    if (observed === null) return;
    this.#keep(observed);
    const baseline = this.#baseline(usual);
    baseline.add(this.#read(observed, baseline), gapsOf(observed));
  }

  #keep(observed: Observed): void {
    this.#observed.push({ ...observed, runs: [], requests: summarised(observed.requests) });
  }

  #read(observed: Observed, baseline: Baseline): ReadRun {
    const literals = [
      ...this.#bench.commits.map((id) => [id, "commit"] as const),
      ...this.#bench.canaries.map((canary) => [canary.value, "canary"] as const),
      ...observed.prompts.map((prompt, at) => [prompt, `prompt ${at + 1}`] as const),
      ...this.#literals,
    ];
    const around = { setting: observed.setting, from: observed.from, to: observed.to, literals };
    return readRun(observed.requests, observed.names, around, baseline.names());
  }

  // -------------------------------------------------------------------------------------------------- one environment

  async #try(factor: Factor, level: Level): Promise<Tried | null> {
    const name = `${factor.name} = ${level.name}`;
    const tried = await this.#examine(level.patches, level.prompts ?? this.#prompts, [], factor.name);
    if (tried === "late") this.#notVaried.push(`${name}: the time was up`);
    else if (tried === "silent") this.#silent.push(name);
    if (typeof tried === "string") return null;
    if (tried.effects.length > 0) this.#say(`${name}: ${tried.effects.length} differences`);
    return tried;
  }

  /**
   * What is different there, after as many repeats as it takes: none where the first run shows nothing but noise.
   * `expected`: effects that are known already. `silent`: the agent sends nothing there; `late`: the time is up.
   */
  async #examine(
    patches: readonly Patch[],
    prompts: readonly string[],
    expected: readonly Effect[],
    group: string,
  ): Promise<Tried | "silent" | "late"> {
    const baseline = await this.#baselineFor(prompts);
    const runs: ReadRun[] = [];
    const gaps: ReadonlyMap<string, number>[] = [];
    const isNew = newTo(expected);
    let side = new Side([], this.#noise);
    let version = this.#noise.version;
    let effects: readonly Effect[] = [];
    let timings: readonly Timing[] = [];
    for (let round = 1; round <= this.#plan.repeats; round += 1) {
      const isLate = (): boolean =>
        round === 1 && (this.#clock.monotonic() > this.#endsAt || this.#isDeaf(patches));
      const [observed] = await Promise.all([
        this.#bench.run(patches, { prompts, isLate }),
        round === 1 ? undefined : this.#control(prompts),
      ]);
      if (observed === null) return this.#isDeaf(patches) ? "silent" : "late";
      if (observed.requests.every((request) => request.method === "SILENT")) {
        if (patches.some((patch) => patch.kind === "clock")) this.#ignoresClock = true;
        return "silent";
      }
      this.#keep(observed);
      runs.push(this.#read(observed, baseline));
      gaps.push(gapsOf(observed));
      const last = runs.at(-1);
      if (version !== this.#noise.version || last === undefined) side = new Side(runs, this.#noise);
      else side.add(last);
      version = this.#noise.version;
      effects = effectsBetween(baseline.side(), side, this.#noise).filter(isNew);
      timings = slower(baseline.gaps, gaps);
      // What may be chance is not worth a repeat of its own.
      if (effects.every((effect) => effect.isUnsteady === true) && timings.length === 0) break;
      if (round === 2 && timings.length === 0 && this.#isSettled(group, effects)) break;
    }
    return { effects, timings: runs.length < this.#plan.repeats ? [] : timings, runs: runs.length };
  }

  /** A statically linked program keeps the machine's clock, and trusts no certificate of another day: it says nothing. */
  #isDeaf(patches: readonly Patch[]): boolean {
    return this.#ignoresClock && patches.some((patch) => patch.kind === "clock");
  }

  /** Whether two other levels of the factor go through all repeats for the same effects: two runs then do for this one. */
  #isSettled(group: string, effects: readonly Effect[]): boolean {
    const key = `${group}\n${effects
      .map((effect) => effect.signature)
      .toSorted()
      .join("\n")}`;
    const claims = this.#claims.get(key) ?? 0;
    this.#claims.set(key, claims + 1);
    return claims >= 2;
  }

  async #confirm(factor: Factor, level: Level, tried: Tried): Promise<readonly Confirmed[]> {
    const sides = { a: BASELINE, b: patched(BASELINE, level.patches), patches: level.patches };
    const prompts = level.prompts ?? this.#prompts;
    const baseline = await this.#baselineFor(prompts);
    const repeated = tried.effects.filter((effect) => effect.isUnsteady !== true || tried.runs > 1);
    const all = repeated.map((effect) => ({ effect, explanation: explanationOf(effect, sides) }));
    const open = all.filter(({ explanation }) => explanation === null).map(({ effect }) => effect);
    const smallest = await this.#shrink(level.patches, prompts, open);
    return all.map(({ effect, explanation }) => ({
      ...{ factor: factor.name, level: level.name, patches: level.patches, effect, explanation },
      ...{
        repeats: tried.runs,
        controls: baseline.runs.length,
        smallest: smallest.get(effect.signature) ?? level.patches,
      },
    }));
  }

  /** For each signature the first single patch, else the first half or rest, that shows it too. */
  async #shrink(
    patches: readonly Patch[],
    prompts: readonly string[],
    effects: readonly Effect[],
  ): Promise<ReadonlyMap<string, readonly Patch[]>> {
    const found = new Map<string, readonly Patch[]>();
    if (patches.length < 2 || effects.length === 0) return found;
    const wanted = new Set(effects.map((effect) => effect.signature));
    for (const part of patches.map((patch) => [patch])) {
      if (found.size === wanted.size || this.#clock.monotonic() > this.#endsAt) break;
      const baseline = await this.#baselineFor(prompts);
      const runs = await Promise.all([1, 2].map(() => this.#bench.run(part, { prompts })));
      const side = new Side(
        runs.flatMap((seen) => (seen === null ? [] : [this.#read(seen, baseline)])),
        this.#noise,
      );
      for (const { signature } of effectsBetween(baseline.side(), side, this.#noise))
        if (wanted.has(signature) && !found.has(signature)) found.set(signature, part);
    }
    return found;
  }

  // ---------------------------------------------------------------------------------------------------- combinations

  async #combine(
    confirmed: readonly Confirmed[],
  ): Promise<{ readonly confirmed: readonly Confirmed[]; readonly tried: number }> {
    const rows = combinationsOf(this.#plan);
    if (rows.length > 0) this.#say(`${rows.length} combinations`);
    const found: Confirmed[] = [];
    let tried = 0;
    await Promise.all(
      rows.map(async (row) => {
        const patches = row.flatMap(({ level }) => level.patches);
        const known = (): readonly Effect[] =>
          [...confirmed, ...found]
            .filter(({ factor }) => factor.includes(" + ") || row.some((r) => r.factor.name === factor))
            .map(({ effect }) => effect);
        const result = await this.#examine(
          patches,
          this.#prompts,
          known(),
          row.map((r) => r.factor.name).join(" + "),
        );
        if (result === "late") return;
        tried += 1;
        if (result === "silent") return;
        for (const effect of result.effects.filter(newTo(known()))) {
          const sides = { a: BASELINE, b: patched(BASELINE, patches), patches };
          const explanation = explanationOf(effect, sides);
          const smallest = explanation === null ? await this.#fewest(row, effect) : row;
          found.push({
            ...{
              factor: smallest.map((r) => r.factor.name).join(" + "),
              level: smallest.map((r) => r.level.name).join(" + "),
            },
            ...{ patches, smallest: smallest.flatMap((r) => r.level.patches), effect, explanation },
            ...{ repeats: result.runs, controls: this.#baseline(this.#prompts).runs.length },
          });
        }
      }),
    );
    if (tried < rows.length)
      this.#notVaried.push(
        `${rows.length - tried} of ${rows.length} combinations of factors: the time was up`,
      );
    if (this.#plan.combinations !== "all")
      this.#notVaried.push("combinations of factors beyond the tried ones");
    return { confirmed: found, tried };
  }

  /** Leaves out one factor after another while the effect stays. */
  async #fewest(row: readonly Row[], effect: Effect): Promise<readonly Row[]> {
    let kept = row;
    for (const dropped of row) {
      if (kept.length === 1) break;
      const fewer = kept.filter((r) => r !== dropped);
      const baseline = await this.#baselineFor(this.#prompts);
      const observed = await this.#bench.run(
        fewer.flatMap((r) => r.level.patches),
        { prompts: this.#prompts },
      );
      if (observed === null) continue;
      const side = new Side([this.#read(observed, baseline)], this.#noise);
      const still = effectsBetween(baseline.side(), side, this.#noise).some(
        ({ signature }) => signature === effect.signature,
      );
      if (still) kept = fewer;
    }
    return kept;
  }
}

/** Owned by one vetting: the runs of the unchanged environment, and what they agree on. */
class Baseline {
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

/** Whether an effect, or each piece of it, is among the known ones. */
function newTo(known: readonly Effect[]): (effect: Effect) => boolean {
  const signatures = new Set(known.map((effect) => effect.signature));
  const pieces = new Set(known.flatMap(piecesOf));
  return (effect) =>
    !signatures.has(effect.signature) &&
    !(effect.a !== null && effect.b !== null && piecesOf(effect).every((piece) => pieces.has(piece)));
}

function piecesOf({ a, b }: Effect): readonly string[] {
  const [x, y] = [(a ?? "").split(" … "), (b ?? "").split(" … ")];
  return x.map((text, at) => `${text}\0${y[at] ?? ""}`);
}

interface Row {
  readonly factor: Factor;
  readonly level: Level;
}

/** Levels of different factors next to each other, so that the first of each are tried before the time is up. */
function inTurns(jobs: readonly Row[]): readonly Row[] {
  const rank = new Map<Factor, number>();
  const ranked = jobs.map((job) => {
    const at = rank.get(job.factor) ?? 0;
    rank.set(job.factor, at + 1);
    return { job, at };
  });
  return ranked.toSorted((a, b) => a.at - b.at).map(({ job }) => job);
}

/** Of a factor, how many of its levels take part in combinations. */
const REPRESENTATIVES = { none: 0, some: 2, all: 3 } as const;
const SOME_PAIRS = 60;

/** Pairs of levels of different factors, likely ones first; and whole changes, of everything at once. */
function combinationsOf({ factors, combinations }: Plan): readonly (readonly Row[])[] {
  const take = REPRESENTATIVES[combinations];
  const chosen = factors.map((factor) =>
    factor.levels
      .filter((level) => level.prompts === undefined)
      .slice(0, factor.name === "host" ? 2 * take : take)
      .map((level) => ({ factor, level })),
  );
  const pairs: { row: readonly Row[]; weight: number }[] = [];
  for (const [i, rows] of chosen.entries())
    for (const [j, others] of chosen.slice(i + 1).entries())
      for (const [x, a] of rows.entries())
        for (const [y, b] of others.entries())
          if (!conflicts(a, b)) pairs.push({ row: [a, b], weight: (x + y) * 8 + i + j });
  const ordered = pairs.toSorted((p, q) => p.weight - q.weight).map(({ row }) => row);
  return combinations === "some" ? ordered.slice(0, SOME_PAIRS) : ordered;
}

/** Both set the same thing. */
const conflicts = (a: Row, b: Row): boolean =>
  a.level.patches.some((p) =>
    b.level.patches.some((q) => p.kind === q.kind && !["variable", "file"].includes(p.kind)),
  );

/** Names and lines of every file that is ever changed, in all runs alike: what quotes one is no news. */
function fileLiterals(patches: readonly Patch[]): readonly (readonly [string, string])[] {
  const out: [string, string][] = [];
  const lines = (path: string, text: string): void => {
    for (const line of text.split("\n"))
      if (isTelling(line.trim())) out.push([line.trim(), `line of ${path}`]);
  };
  for (const [path, text] of Object.entries(committedFiles())) lines(path, text);
  for (const patch of patches) {
    if (patch.kind !== "file" || patch.place === "root") continue;
    if (patch.place === "workspace") lines(patch.path, patch.text);
    // A name without a dot is a word that may stand anywhere.
    const names = [patch.path, patch.path.replace(/^.*\//, ""), patch.path.replace(/\/.*$/, "")];
    for (const name of names)
      if (name.includes(".") && name.length >= 6 && name !== "README.md") out.push([name, "file name"]);
  }
  return out;
}

/** Long enough, or in a script, that it stands nowhere by chance. */
const isTelling = (line: string): boolean =>
  (line.length >= 12 && line.includes(" ")) || /[^\x00-\x7f]{2}/.test(line);

/** Enough to say where something went; bodies are read once and not kept. */
const summarised = (requests: Observed["requests"]): Observed["requests"] =>
  requests.map((request) => ({ ...request, body: Buffer.alloc(0), hello: null }));

const lastLine = (text: string | undefined): string | null =>
  text?.trim().split("\n").at(-1)?.slice(0, 300) || null;

/** The patches as a person reads them. */
export const patchesText = (patches: readonly Patch[]): string => patches.map(patchText).join(", ");
