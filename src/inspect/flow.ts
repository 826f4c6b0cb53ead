/**
 * Low and slow: what leaves to one place over a session, summed up. A value that is sent a few characters at a time, or in a
 * code that nothing here undoes, is no finding; that much, or much of it without meaning, goes somewhere is.
 *
 * Only what is new in the session counts. Two sums: characters, and bits of what looks random (runs of token characters
 * with letters and digits, by the frequencies of their characters; Shannon 1948). A model is sent the workspace, that is
 * its work, so of models characters alone are counted; anybody else is sent little. Measured (bench/inspect/flow.ts):
 * sessions of five agents over 144 steps sent their model 0.8 to 1.3 million characters with 80,000 to 360,000 bits. The
 * budget of others leaves room for what has business with such runs: a thousand downloads whose paths hold a SHA-256, or
 * six hundred requests that each have a number of their own in a header.
 */
import type { FindingTally } from "../core/index.ts";

export interface Amount {
  readonly characters: number;
  readonly bits: number;
}

/** What may go to one place, and to all of the kind together, in a session. */
export interface FlowBudget {
  readonly each: Amount;
  readonly all: Amount;
}

const MODELS: FlowBudget = {
  each: { characters: 256e6, bits: Number.POSITIVE_INFINITY },
  all: { characters: 512e6, bits: Number.POSITIVE_INFINITY },
};
const OTHERS: FlowBudget = {
  each: { characters: 1e6, bits: 256e3 },
  all: { characters: 4e6, bits: 1e6 },
};

export const VOLUME = "volume";

/** The sums of one session. */
export interface Flow {
  /** Adds what goes to `to` (an origin): the budgets that are now used up, as findings of class `volume`. */
  add(to: string, isModel: boolean, amount: Amount): readonly FindingTally[];
  /** It did not leave. */
  takeBack(to: string, isModel: boolean, amount: Amount): void;
}

export function createFlow(models: FlowBudget = MODELS, others: FlowBudget = OTHERS): Flow {
  const sums = new Map<string, { characters: number; bits: number }>();
  const sumOf = (name: string): { characters: number; bits: number } => {
    const known = sums.get(name) ?? { characters: 0, bits: 0 };
    sums.set(name, known);
    return known;
  };
  const names = (to: string, isModel: boolean): readonly [string, string] => [
    to,
    isModel ? "all models" : "all others",
  ];
  const move = (to: string, isModel: boolean, { characters, bits }: Amount, sign: 1 | -1): void => {
    for (const name of names(to, isModel)) {
      const sum = sumOf(name);
      sum.characters += sign * characters;
      sum.bits += sign * bits;
    }
  };
  return {
    add(to, isModel, amount) {
      if (amount.characters === 0) return [];
      move(to, isModel, amount, 1);
      const { each, all } = isModel ? models : others;
      const [one, kind] = names(to, isModel);
      const used = new Set([...over(sumOf(one), each), ...over(sumOf(kind), all)]);
      return [...used].map((what) => ({ class: VOLUME, detector: `${VOLUME}:${what}`, count: 1 }));
    },
    takeBack: (to, isModel, amount) => move(to, isModel, amount, -1),
  };
}

const over = (sum: Amount, budget: Amount): string[] =>
  (["characters", "bits"] as const).filter((name) => sum[name] > budget[name]);

/** Runs that a name or a word of a language would not be. */
const TOKENS = /[A-Za-z0-9+/_=-]{16,}/g;

/** `isModel`: bits are not asked for, as looking costs as much as inspecting. */
export function amountOf(texts: Iterable<string>, isModel: boolean): Amount {
  let characters = 0;
  let bits = 0;
  for (const text of texts) {
    characters += text.length;
    if (isModel) continue;
    for (const [run] of text.matchAll(TOKENS))
      if (/\d/.test(run) && /[A-Za-z]/.test(run)) bits += bitsIn(run);
  }
  return { characters, bits: Math.round(bits) };
}

function bitsIn(run: string): number {
  const counts = new Map<string, number>();
  for (const char of run) counts.set(char, (counts.get(char) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits += count * Math.log2(run.length / count);
  return bits;
}
