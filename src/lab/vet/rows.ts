/**
 * Screening by combinations: rows that set many factors at once, chosen so that few runs hold every level and as many
 * pairs of levels as possible (a covering array, built greedily as in Cohen et al., "The AETG System", 1997). What a row
 * shows is no finding: it says where to look, and `suspectsOf` who may have caused it. Pure.
 */
import type { Patch } from "../chamber/setting.ts";
import type { Factor, Level } from "./factors.ts";

export interface Choice {
  readonly factor: Factor;
  readonly level: Level;
}

/** One level of some factors; the others stay as they are. */
export type Row = readonly Choice[];

export const patchesOf = (row: Row): readonly Patch[] => row.flatMap(({ level }) => level.patches);

/** Both set the same thing. */
export const conflicts = (a: Choice, b: Choice): boolean =>
  a.level.patches.some((p) =>
    b.level.patches.some(
      (q) =>
        p.kind === q.kind &&
        (p.kind === "variable" && q.kind === "variable" ? p.name === q.name : p.kind !== "file"),
    ),
  );

export interface Rows {
  readonly rows: readonly Row[];
  /** Pairs of levels of different factors: those the rows hold, and all there are. */
  readonly covered: number;
  readonly pairs: number;
}

/** Candidates tried for each row. */
const TRIES = 12;

/**
 * At most `most` rows. Levels are taken as ordered by how telling they are: pairs of early ones come first. Each factor
 * also stays unchanged in some rows, so that one factor cannot hide another in all of them; the first row changes all, as what
 * only all together show is shown by no other.
 */
export function designRows(factors: readonly Factor[], most: number): Rows {
  const choices = factors.map((factor) => factor.levels.map((level): Choice => ({ factor, level })));
  const open = new Cover(choices);
  const rows: Row[] = [];
  const random = seeded(SEED);
  while (rows.length < most && open.left > 0) {
    let [best, bestGain] = [[] as Row, 0];
    for (let attempt = 0; attempt < TRIES; attempt += 1) {
      const spared = rows.length === 0 ? null : (rows.length - 1) % choices.length;
      const row = candidate(choices, open, random, spared);
      const gain = open.gain(row);
      if (gain > bestGain) [best, bestGain] = [row, gain];
    }
    if (best.length === 0) break;
    open.take(best);
    rows.push(best);
  }
  return { rows, covered: open.pairs - open.left, pairs: open.pairs };
}

/**
 * Each factor in random order takes the level that adds most to what is chosen so far, or stays unchanged, as `spared` does.
 * Null: none stays.
 */
function candidate(
  choices: readonly (readonly Choice[])[],
  open: Cover,
  random: () => number,
  spared: number | null,
): Row {
  const row: Choice[] = [];
  const order = choices.map((levels) => ({ levels, at: random() })).toSorted((a, b) => a.at - b.at);
  for (const { levels } of order) {
    const mayStay = spared !== null && choices.length > 2;
    if (mayStay && (levels === choices[spared] || random() < UNCHANGED)) continue;
    let [best, bestGain] = [null as Choice | null, -1];
    for (const choice of levels) {
      if (row.some((other) => conflicts(choice, other))) continue;
      const gain = open.gainOf(choice, row) + random() * 1e-3;
      if (gain > bestGain) [best, bestGain] = [choice, gain];
    }
    if (best !== null) row.push(best);
  }
  // Named in the order in which factors are listed.
  const rank = (choice: Choice): number => choices.findIndex((levels) => levels.includes(choice));
  return row.toSorted((a, b) => rank(a) - rank(b));
}

/** Share of factors that a row leaves as they are. */
const UNCHANGED = 0.2;
const SEED = 20_261_120;

/** The same rows each time: mulberry32. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Pairs that no row holds yet, by weight. Owned by one design. */
class Cover {
  readonly #number = new Map<Level, number>();
  readonly #weight: number[] = [];
  readonly #open = new Set<number>();
  readonly #unseen = new Set<number>();
  readonly #count: number;
  readonly pairs: number;

  constructor(choices: readonly (readonly Choice[])[]) {
    for (const levels of choices)
      for (const [rank, { level }] of levels.entries()) {
        this.#unseen.add(this.#weight.length);
        this.#number.set(level, this.#weight.length);
        this.#weight.push(1 / (rank + 1));
      }
    this.#count = this.#weight.length;
    for (const [i, levels] of choices.entries())
      for (const others of choices.slice(i + 1))
        for (const a of levels) for (const b of others) if (!conflicts(a, b)) this.#open.add(this.#key(a, b));
    this.pairs = this.#open.size;
  }

  get left(): number {
    return this.#open.size;
  }

  #numberOf(choice: Choice): number {
    return this.#number.get(choice.level) ?? 0;
  }

  #key(a: Choice, b: Choice): number {
    const [x, y] = [this.#numberOf(a), this.#numberOf(b)];
    return Math.min(x, y) * this.#count + Math.max(x, y);
  }

  /** What the choice adds: itself if no row had it, and its pairs with the row. */
  gainOf(choice: Choice, row: Row): number {
    const at = this.#numberOf(choice);
    const own = this.#weight[at] ?? 0;
    let gain = this.#unseen.has(at) ? UNSEEN + own : 0;
    for (const other of row)
      if (this.#open.has(this.#key(choice, other))) gain += own * (this.#weight[this.#numberOf(other)] ?? 0);
    return gain;
  }

  gain(row: Row): number {
    return row.reduce((sum, choice, at) => sum + this.gainOf(choice, row.slice(0, at)), 0);
  }

  take(row: Row): void {
    for (const [at, choice] of row.entries()) {
      this.#unseen.delete(this.#numberOf(choice));
      for (const other of row.slice(0, at)) this.#open.delete(this.#key(choice, other));
    }
  }
}

/** A level that no row had goes before pairs of rare ones. */
const UNSEEN = 0.5;

/**
 * Who alone may have caused what the `showing` rows have and the `silent` ones have not: choices in all of the former and
 * in none of the latter. `cleared`: levels that were tried alone without it.
 */
export function suspectsOf(
  showing: readonly Row[],
  silent: readonly Row[],
  cleared: ReadonlySet<Level>,
): readonly Choice[] {
  const [first, ...others] = showing;
  const has = (row: Row, { level }: Choice): boolean => row.some((choice) => choice.level === level);
  return (first ?? []).filter(
    (choice) =>
      !cleared.has(choice.level) &&
      others.every((row) => has(row, choice)) &&
      !silent.some((row) => has(row, choice)),
  );
}

/** Pairs in all showing rows and together in no silent one: the fewest that explain what no single level does. */
export function suspectPairs(showing: readonly Row[], silent: readonly Row[]): readonly Row[] {
  const common = suspectsOf(showing, [], new Set());
  const isTogether = (row: Row, pair: Row): boolean =>
    pair.every(({ level }) => row.some((choice) => choice.level === level));
  return common.flatMap((a, at) =>
    common.slice(at + 1).flatMap((b) => (silent.some((row) => isTogether(row, [a, b])) ? [] : [[a, b]])),
  );
}

/**
 * The fewest parts of a whole that still show it (delta debugging, Zeller and Hildebrandt 2002). `shows` costs a run;
 * at most `most` are made.
 */
export async function fewest<T>(
  whole: readonly T[],
  shows: (part: readonly T[]) => Promise<boolean>,
  most: number,
): Promise<readonly T[]> {
  let [kept, parts, runs] = [whole, 2, 0];
  const ask = async (part: readonly T[]): Promise<boolean> => {
    if (part.length === 0 || runs >= most) return false;
    runs += 1;
    return await shows(part);
  };
  while (kept.length > 1 && runs < most) {
    const size = Math.ceil(kept.length / parts);
    const chunks = Array.from({ length: parts }, (_, at) => kept.slice(at * size, (at + 1) * size)).filter(
      (chunk) => chunk.length > 0,
    );
    const one = await firstOf(chunks, ask);
    if (one !== null) {
      [kept, parts] = [one, 2];
      continue;
    }
    const rest =
      chunks.length > 2
        ? await firstOf(
            chunks.map((chunk) => kept.filter((one) => !chunk.includes(one))),
            ask,
          )
        : null;
    if (rest !== null) [kept, parts] = [rest, Math.max(2, chunks.length - 1)];
    else if (size === 1) break;
    else parts = Math.min(kept.length, parts * 2);
  }
  return kept;
}

async function firstOf<T>(
  parts: readonly (readonly T[])[],
  ask: (part: readonly T[]) => Promise<boolean>,
): Promise<readonly T[] | null> {
  for (const part of parts) if (await ask(part)) return part;
  return null;
}
