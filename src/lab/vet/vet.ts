/**
 * The vetting of one build. Controls teach what is noise. Levels of factors are tried one at a time, the telling ones
 * first; rows of many levels at once (rows.ts) screen for what is left and for what only some together show, and what a
 * row shows is traced to the fewest levels. What differs is tried again and again beside the baseline, and shrunk to the
 * fewest patches that still show it. Nothing is looked for by name: a finding is whatever all runs of one environment say
 * and no run of the other.
 *
 * Never invented: a difference is reported only when all repeats show it and none of the controls, which are made in
 * turn with the repeats.
 */
import { type Clock, Fault } from "../../core/index.ts";
import { type Patch, patchText } from "../chamber/setting.ts";
import { learnNoise, type ReadRun, readRun } from "../observe/fold.ts";
import { Noise } from "../observe/noise.ts";
import { Baseline } from "./baseline.ts";
import { type Bench, type Observed, PROMPTS } from "./bench.ts";
import type { Taken } from "./canary.ts";
import { type Effect, effectsBetween, folded, Side } from "./compare.ts";
import { explanationOf, type Sides } from "./explain.ts";
import type { Factor } from "./factors.ts";
import { unknownPieces } from "./known.ts";
import { fileLiterals } from "./literals.ts";
import { type Choice, fewest, patchesOf, type Row } from "./rows.ts";
import { Screening } from "./screening.ts";
import { type SentPart, sentParts } from "./sent.ts";
import { stagesOf } from "./stages.ts";
import { gapsOf, slower, type Timing, waitedLonger } from "./timing.ts";

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
  /** After it no new environment is begun; null: as long as it takes to try each level once or so. */
  readonly budgetMs: number | null;
  readonly combinations: "none" | "all";
}

export interface Outcome {
  readonly confirmed: readonly Confirmed[];
  readonly timings: readonly Timed[];
  readonly notVaried: readonly string[];
  /** Rows of many levels that were run. */
  readonly combinations: number;
  /** Planted secrets that left. */
  readonly taken: readonly TakenWhere[];
  readonly baseline: readonly ReadRun[];
  readonly noise: Noise;
  /** What was sent in the unchanged surroundings, and to the vendor's own host. */
  readonly sent: readonly SentPart[];
  /** Levels under which the agent sent nothing to its model. */
  readonly silent: readonly string[];
}

/** A planted secret that left, and the environment it left in: none is the unchanged one. */
export interface TakenWhere extends Taken {
  readonly where: readonly Where[];
}

/** A wait that was longer in all of so many pairs of runs. */
export interface Timed extends Timing, Where {
  readonly pairs: number;
}

export interface Where {
  readonly factor: string;
  readonly level: string;
}

const CONTROLS = 4;
/** Of an environment that shows nothing but what a person would see. */
const VISIBLE_REPEATS = 3;
/** Below this a run is so cheap that every run is a session of several prompts and many tools. */
const CHEAP_MS = 700;
/** The same for a build that is no known agent: mostly small, and a busy machine makes it look slow. */
const CHEAP_UNKNOWN_MS = 4_000;
const MAX_RUN_MS = 60_000;
/**
 * That a line which comes and goes is in all of so many runs and in none of twice as many controls has by chance a
 * likelihood below one in a million, however often it comes.
 */
const SURE_REPEATS = 8;
/** Slow levels that are timed, and pairs of runs for each that stays slow; fewer of a build whose runs are long. */
const [MOST_TIMED, TIMED_PAIRS] = [12, 6];
const [MOST_TIMED_DEAR, TIMED_PAIRS_DEAR] = [2, 4];

/** What an environment showed. */
export interface Tried {
  readonly effects: readonly Effect[];
  /** By how many milliseconds its first run waited longer at one place than controls mostly do; 0 for not at all. */
  readonly waitedMs: number;
  readonly runs: number;
}

/** An environment beside the baseline. */
interface Environment {
  readonly where: readonly Where[];
  readonly patches: readonly Patch[];
  readonly prompts: readonly string[];
  /** Of levels that are likely to show the same. */
  readonly group: string;
  /** Whether it is dropped when the time is up before its first run. */
  readonly canWait: boolean;
}

export class Vetting {
  readonly #bench: Bench;
  readonly #plan: Plan;
  readonly #clock: Clock;
  readonly #say: (line: string) => void;
  readonly #noise = new Noise();
  readonly #baselines = new Map<number, Baseline>();
  readonly #taken: TakenWhere[] = [];
  readonly #notVaried: string[] = [];
  readonly #silent: string[] = [];
  readonly #confirmed: Confirmed[] = [];
  /** Levels under which the first run waited longer than controls mostly do. */
  readonly #slow: { readonly choice: Choice; readonly waitedMs: number }[] = [];
  readonly #timings: Timed[] = [];
  /** By factor and signatures: how many levels are being repeated for them. */
  readonly #claims = new Map<string, number>();
  readonly #controls = new Map<number, Promise<void>>();
  readonly #literals: readonly (readonly [string, string])[];
  /** Lines of files by what a person reads. */
  readonly #quoted: ReadonlyMap<string, string>;
  readonly #screening: Screening;
  /** Signatures of what an environment showed for a while and then did not, with the environments' factors. */
  readonly #passing = new Map<string, Set<string>>();
  readonly #sent = new Map<string, SentPart>();
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
    const lines = this.#literals.filter(([, name]) => name.startsWith("line of"));
    this.#quoted = new Map(lines.map(([text]) => [folded(text), text]));
    this.#screening = new Screening({
      look: (row, canWait) => this.#look(row, canWait),
      effects: (run) => this.#effectsOf([run]),
      explain: (effect, row) => explanationOf(effect, this.#sides(patchesOf(row))),
      alone: (choice) => this.#alone(choice, false),
      together: (row) => this.#together(row),
      known: () => this.#confirmed.map(({ effect }) => effect),
      isLate: () => this.#clock.monotonic() > this.#endsAt + (this.#endsAt - this.#beganAt) / 2,
      say,
    });
  }

  #beganAt = 0;

  /** Throws `lab.silent` when the agent sends nothing in the baseline. */
  async run(): Promise<Outcome> {
    this.#beganAt = this.#clock.monotonic();
    await this.#begin();
    const before = this.#clock.monotonic();
    await this.#baselineFor(this.#prompts);
    const stages = stagesOf(this.#plan, (this.#clock.monotonic() - before) / CONTROLS);
    this.#endsAt = this.#beganAt + stages.budgetMs;
    await Promise.all([
      ...stages.alone.map((choice) => this.#alone(choice, true)),
      ...stages.rows.map((row) => this.#screening.run(row)),
      ...stages.later.map((choice) => this.#alone(choice, true)),
    ]);
    if (stages.rows.length > 0) await this.#screening.trace();
    await this.#timeSlowOnes();
    this.#tellWhatIsLeft([...stages.alone, ...stages.later]);
    return {
      ...{
        confirmed: this.#confirmed.map((one) => this.#orChance(one)),
        timings: this.#timings,
        notVaried: this.#notVaried,
      },
      ...{ combinations: this.#screening.ran, taken: this.#taken },
      ...{ noise: this.#noise, silent: this.#silent, sent: [...this.#sent.values()] },
      baseline: this.#baseline(this.#prompts).runs,
    };
  }

  /**
   * What comes and goes by itself, one run in ten, is now and then there in all repeats of some environment: it was seen
   * for a while under other factors too. A marker is told all the same: nothing writes one by chance.
   */
  #orChance(one: Confirmed): Confirmed {
    const { effect, explanation } = one;
    if (explanation !== null || effect.kind === "marker") return one;
    const causes = this.#confirmed.filter(({ effect: other }) => other.signature === effect.signature);
    const factors = new Set(causes.flatMap(({ factor }) => factor.split(" + ")));
    const elsewhere = [...(this.#passing.get(effect.signature) ?? [])].some((name) => !factors.has(name));
    if (!elsewhere && !this.#screening.showsWithout(effect.signature, factors)) return one;
    return { ...one, explanation: "it comes and goes by itself: seen for a while in other surroundings too" };
  }

  #tellWhatIsLeft(choices: readonly Choice[]): void {
    const names = (all: readonly Choice[]): string =>
      all.map(({ factor, level }) => `${factor.name} ${level.name}`).join(", ");
    const waiting = choices.filter(({ level }) => !this.#screening.cleared.has(level));
    const mixed = waiting.filter(({ level }) => this.#screening.mixed.has(level));
    const left = waiting.filter(({ level }) => !this.#screening.mixed.has(level));
    for (const one of left) this.#notVaried.push(`${names([one])}: the time was up`);
    if (mixed.length > 0) this.#notVaried.push(`alone, only together with other changes: ${names(mixed)}`);
    if (this.#plan.combinations === "none") this.#notVaried.push("combinations of factors");
    if (this.#prompts.length === 1)
      this.#notVaried.push("a second prompt in the same home, longer sessions: a run takes too long");
  }

  // ------------------------------------------------------------------------------------------------------- baseline

  async #begin(): Promise<void> {
    let first = await this.#bench.run([], { prompts: this.#prompts });
    if (isSilent(first)) {
      // A client of plain HTTP alone.
      this.#bench.speakPlainHttp();
      first = (await this.#bench.run([], { prompts: this.#prompts })) ?? first;
    }
    const ran = first?.runs[0];
    if (first === null || ran === undefined || isSilent(first))
      throw new Fault("lab.silent", {
        detail: lastLine(ran?.stderr) ?? lastLine(ran?.stdout) ?? `it ended with ${ran?.code}`,
      });
    this.#bench.limit(Math.min(MAX_RUN_MS, 10_000 + ran.tookMs * 8));
    if (ran.tookMs < (this.#bench.isKnownAgent ? CHEAP_MS : CHEAP_UNKNOWN_MS)) {
      this.#prompts = PROMPTS;
      this.#bench.lengthenSessions();
    }
    this.#say(`one run takes ${(ran.tookMs / 1000).toFixed(1)} s; learning what varies by itself`);
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
    this.#keep(observed, []);
    this.#note(observed);
    const baseline = this.#baseline(usual);
    baseline.add(this.#read(observed, baseline), gapsOf(observed));
  }

  #note(observed: Observed): void {
    for (const part of sentParts(observed.requests)) this.#sent.set(`${part.role}\n${part.text}`, part);
  }

  #keep({ taken }: Observed, where: readonly Where[]): void {
    this.#taken.push(...taken.map((one) => ({ ...one, where })));
  }

  #read(observed: Observed, baseline: Baseline): ReadRun {
    const literals = [
      ...this.#bench.commits.map((id) => [id, "commit"] as const),
      ...this.#bench.canaries.map((canary) => [canary.value, "canary"] as const),
      ...observed.prompts.map((prompt, at) => [prompt, `prompt ${at + 1}`] as const),
      ...this.#literals,
    ];
    const around = { setting: observed.setting, from: observed.from, to: observed.to, literals };
    return readRun(observed.requests, observed.names, around, baseline.names(), observed.files);
  }

  #sides(patches: readonly Patch[]): Sides {
    return { a: this.#bench.settingOf([]), b: this.#bench.settingOf(patches), patches };
  }

  #effectsOf(runs: readonly ReadRun[]): readonly Effect[] {
    const baseline = this.#baseline(this.#prompts);
    return effectsBetween(baseline.side(), new Side(runs, this.#noise), this.#noise, this.#quoted);
  }

  // -------------------------------------------------------------------------------------------------- one environment

  /** One level by itself: what it shows is confirmed. `canWait`: not when the time is up. */
  async #alone({ factor, level }: Choice, canWait: boolean): Promise<void> {
    const name = `${factor.name} = ${level.name}`;
    const prompts = level.prompts ?? this.#prompts;
    const where = whereOf([{ factor, level }]);
    const tried = await this.#examine({
      ...{ where, patches: level.patches, prompts, group: factor.name, canWait },
    });
    if (tried === "silent") this.#silent.push(name);
    if (tried !== "late") this.#screening.cleared.add(level);
    if (typeof tried === "string") return;
    if (tried.effects.length > 0) this.#say(`${name}: ${tried.effects.length} differences`);
    if (tried.waitedMs > 0) this.#slow.push({ choice: { factor, level }, waitedMs: tried.waitedMs });
    const repeated = tried.effects.filter((effect) => effect.isUnsteady !== true || tried.runs > 1);
    await this.#confirm(
      { name: factor.name, level: level.name, patches: level.patches, prompts },
      repeated,
      tried,
    );
  }

  /** When all else is done: pairs of runs, one after another, as long as each is slower than its control. */
  async #timeSlowOnes(): Promise<void> {
    const [most, pairs] = this.#isCheap ? [MOST_TIMED, TIMED_PAIRS] : [MOST_TIMED_DEAR, TIMED_PAIRS_DEAR];
    const slowest = this.#slow.toSorted((a, b) => b.waitedMs - a.waitedMs);
    for (const { factor, level } of slowest.slice(0, most).map(({ choice }) => choice)) {
      const prompts = level.prompts ?? this.#prompts;
      const [controls, runs]: [ReadonlyMap<string, number>[], ReadonlyMap<string, number>[]] = [[], []];
      let timings: readonly Timing[] = [];
      for (let pair = 0; pair < pairs; pair += 1) {
        const inTurn = [
          () => this.#bench.run([], { prompts: PROMPTS.slice(0, prompts.length) }),
          () => this.#bench.run(level.patches, { prompts }),
        ] as const;
        // Each goes first in turn: a machine that grows busier makes the second one slow.
        const early = pair % 2 === 0 ? null : await inTurn[1]();
        const control = await inTurn[0]();
        const run = early ?? (await inTurn[1]());
        if (control === null || run === null) return;
        controls.push(gapsOf(control));
        runs.push(gapsOf(run));
        timings = slower(controls, runs);
        if (timings.length === 0) break;
      }
      this.#timings.push(
        ...timings.map((timing) => ({ ...timing, factor: factor.name, level: level.name, pairs })),
      );
    }
  }

  /** What several levels show together and the known ones do not. */
  async #together(row: Row): Promise<readonly Effect[]> {
    const patches = patchesOf(row);
    const name = row.map(({ factor }) => factor.name).join(" + ");
    const level = row.map((choice) => choice.level.name).join(" + ");
    const known = this.#confirmed.map(({ effect }) => effect);
    const isNew = (effect: Effect): boolean => unknownPieces(effect, known).length > 0;
    const prompts = this.#prompts;
    const where = whereOf(row);
    const tried = await this.#examine({ where, patches, prompts, group: name, canWait: false }, isNew);
    if (typeof tried === "string") return [];
    this.#say(`${name} = ${level}: ${tried.effects.length} differences`);
    await this.#confirm({ name, level, patches, prompts }, tried.effects, tried);
    return tried.effects;
  }

  /** One run of many levels, and what it said; `silent`, or `late` when the time is up. */
  async #look(row: Row, canWait: boolean): Promise<ReadRun | "silent" | "late"> {
    const baseline = await this.#baselineFor(this.#prompts);
    const patches = patchesOf(row).filter((patch) => !(this.#ignoresClock && patch.kind === "clock"));
    const isLate = (): boolean => canWait && this.#clock.monotonic() > this.#endsAt;
    const observed = await this.#bench.run(patches, { prompts: this.#prompts, isLate });
    if (observed === null) return "late";
    if (isSilent(observed)) return "silent";
    this.#keep(observed, whereOf(row));
    return this.#read(observed, baseline);
  }

  /**
   * What is different there, after as many repeats as it takes: none where the first run shows nothing but noise, or what
   * follows from the setting. `silent`: the agent sends nothing there; `late`: the time is up.
   */
  async #examine(
    { where, patches, prompts, group, canWait }: Environment,
    isWanted: (effect: Effect) => boolean = () => true,
  ): Promise<Tried | "silent" | "late"> {
    const baseline = await this.#baselineFor(prompts);
    const sides = this.#sides(patches);
    const runs: ReadRun[] = [];
    let waitedMs = 0;
    let effects: readonly Effect[] = [];
    for (let round = 1; round <= this.#roundsFor(effects); round += 1) {
      const isFirst = round === 1;
      const isLate = (): boolean =>
        isFirst && ((canWait && this.#clock.monotonic() > this.#endsAt) || this.#isDeaf(patches));
      const [observed] = await Promise.all([
        this.#bench.run(patches, { prompts, isLate }),
        isFirst ? undefined : this.#control(prompts),
      ]);
      if (observed === null) return this.#isDeaf(patches) ? "silent" : "late";
      const isClock = patches.some((patch) => patch.kind === "clock");
      if (isSilent(observed) || (isClock && hasRefusedTls(observed))) {
        if (isClock) this.#ignoresClock = true;
        return "silent";
      }
      this.#keep(observed, where);
      if (isFirst && patches.some((patch) => patch.kind === "base" && patch.value === null))
        this.#note(observed);
      const run = this.#read(observed, baseline);
      // What varies here may stand beside what is different here, where no control has it.
      for (const other of runs) learnNoise(run, other, this.#noise);
      runs.push(run);
      if (isFirst) waitedMs = waitedLonger(baseline.gaps, gapsOf(observed));
      const before = effects;
      effects = effectsBetween(
        baseline.side(),
        new Side(runs, this.#noise),
        this.#noise,
        this.#quoted,
      ).filter(isWanted);
      this.#notePassing(group, before, effects);
      // What may be chance, and what the setting explains, is not worth a repeat of its own.
      const open = effects.filter(
        (effect) => explanationOf(this.#isCheap ? steady(effect) : effect, sides) === null,
      );
      if (open.length === 0 || (round === 2 && this.#isSettled(group, open))) break;
      if (round >= VISIBLE_REPEATS && !open.some((effect) => isHidden(effect) || effect.isUnsteady === true))
        break;
    }
    const isSure = runs.length >= SURE_REPEATS;
    return {
      effects: isSure ? effects.map(steady) : effects,
      waitedMs,
      runs: runs.length,
    };
  }

  /** What stands among things that vary by themselves is believed after more repeats, where these cost little. */
  #roundsFor(effects: readonly Effect[]): number {
    const isOpen = this.#isCheap && effects.some((effect) => effect.isUnsteady === true);
    return isOpen ? Math.max(SURE_REPEATS, this.#plan.repeats) : this.#plan.repeats;
  }

  get #isCheap(): boolean {
    return this.#prompts.length > 1;
  }

  #notePassing(group: string, before: readonly Effect[], now: readonly Effect[]): void {
    const still = new Set(now.map(({ signature }) => signature));
    for (const { signature } of before) {
      if (still.has(signature)) continue;
      const groups = this.#passing.get(signature) ?? new Set();
      for (const factor of group.split(" + ")) groups.add(factor);
      this.#passing.set(signature, groups);
    }
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

  async #confirm(
    { name, level, patches, prompts }: Named,
    effects: readonly Effect[],
    { runs }: Tried,
  ): Promise<void> {
    const baseline = await this.#baselineFor(prompts);
    const sides = this.#sides(patches);
    const all = effects.map((effect) => ({ effect, explanation: explanationOf(effect, sides) }));
    const open = all.filter(({ explanation }) => explanation === null).map(({ effect }) => effect);
    const smallest = await this.#shrink(patches, prompts, open);
    for (const { effect, explanation } of all)
      this.#confirmed.push({
        ...{ factor: name, level, patches, effect, explanation },
        ...{ repeats: runs, controls: baseline.runs.length },
        smallest: smallest.get(effect.signature) ?? patches,
      });
  }

  /** For each signature the first single patch that shows it too. */
  async #shrink(
    patches: readonly Patch[],
    prompts: readonly string[],
    effects: readonly Effect[],
  ): Promise<ReadonlyMap<string, readonly Patch[]>> {
    const found = new Map<string, readonly Patch[]>();
    if (patches.length < 2 || effects.length === 0) return found;
    if (patches.length > MOST_SINGLY) return this.#narrow(patches, prompts, effects);
    const wanted = new Set(effects.map((effect) => effect.signature));
    for (const part of patches.map((patch) => [patch])) {
      if (found.size === wanted.size) break;
      const baseline = await this.#baselineFor(prompts);
      const runs = await Promise.all([1, 2].map(() => this.#bench.run(part, { prompts })));
      const side = new Side(
        runs.flatMap((seen) => (seen === null ? [] : [this.#read(seen, baseline)])),
        this.#noise,
      );
      for (const { signature } of effectsBetween(baseline.side(), side, this.#noise, this.#quoted))
        if (wanted.has(signature) && !found.has(signature)) found.set(signature, part);
    }
    return found;
  }

  /** Of many patches: those without which the effect is gone, for as many effects as a few runs find out about. */
  async #narrow(
    patches: readonly Patch[],
    prompts: readonly string[],
    effects: readonly Effect[],
  ): Promise<ReadonlyMap<string, readonly Patch[]>> {
    const found = new Map<string, readonly Patch[]>();
    const baseline = await this.#baselineFor(prompts);
    const shown = new Map<string, ReadonlySet<string>>();
    const keyOf = (part: readonly Patch[]): string => part.map((patch) => patches.indexOf(patch)).join();
    const look = async (part: readonly Patch[]): Promise<ReadonlySet<string>> => {
      const known = shown.get(keyOf(part));
      if (known !== undefined) return known;
      const observed = await this.#bench.run(part, { prompts });
      const side = new Side(observed === null ? [] : [this.#read(observed, baseline)], this.#noise);
      const all = effectsBetween(baseline.side(), side, this.#noise, this.#quoted);
      const signatures = new Set(all.map(({ signature }) => signature));
      shown.set(keyOf(part), signatures);
      return signatures;
    };
    // What a person does not see first; each answer mostly explains others too.
    const order = effects.toSorted((x, y) => Number(isHidden(y)) - Number(isHidden(x)));
    for (const { signature } of order) {
      if (found.has(signature) || shown.size >= MOST_NARROWING) continue;
      const part = await fewest(
        patches,
        async (some) => (await look(some)).has(signature),
        MOST_NARROWING - shown.size,
      );
      for (const one of shown.get(keyOf(part)) ?? []) if (!found.has(one)) found.set(one, part);
    }
    return found;
  }
}

/** An environment with its names for people. */
interface Named {
  readonly name: string;
  readonly level: string;
  readonly patches: readonly Patch[];
  readonly prompts: readonly string[];
}

/** So many patches are tried one by one, twice each. */
const MOST_SINGLY = 4;
/** Runs to narrow down a larger number. */
const MOST_NARROWING = 12;

const steady = (effect: Effect): Effect => ({ ...effect, isUnsteady: false });

/** Carries information that a reader does not see. */
export const isHidden = (effect: Effect): boolean => effect.kind === "marker" || effect.kind === "order";

const isSilent = (observed: Observed | null): boolean =>
  observed?.requests.every((request) => request.method === "SILENT") === true;

/** Some program in it does not see the shifted clock, and refuses certificates of another day. */
const hasRefusedTls = (observed: Observed): boolean =>
  observed.requests.some(({ method, hello }) => method === "SILENT" && hello !== null);

const whereOf = (row: Row): readonly Where[] =>
  row.map(({ factor, level }) => ({ factor: factor.name, level: level.name }));

const lastLine = (text: string | undefined): string | null =>
  text?.trim().split("\n").at(-1)?.slice(0, 300) || null;

/** The patches as a person reads them. */
export const patchesText = (patches: readonly Patch[]): string => patches.map(patchText).join(", ");
