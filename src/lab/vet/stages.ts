/** Which environments are tried, in which order, in the time there is. Pure. */
import type { Factor } from "./factors.ts";
import { type Choice, conflicts, designRows, type Row } from "./rows.ts";

/** A row, and whether only hidden differences count in it. */
export interface StagedRow {
  readonly row: Row;
  readonly isHiddenOnly: boolean;
}

export interface Stages {
  /** One level at a time, before the rows. */
  readonly alone: readonly Choice[];
  readonly rows: readonly StagedRow[];
  /** One level at a time, when there is time left. */
  readonly later: readonly Choice[];
  readonly budgetMs: number;
}

export interface StagePlan {
  readonly factors: readonly Factor[];
  readonly budgetMs: number | null;
  readonly combinations: "none" | "all";
}

const LEAST_BUDGET_MS = 60_000;
/** So many environments an expensive build gets by default, however long it takes. */
const LEAST_ENVIRONMENTS = 60;
const MOST_ROWS = 160;
const LEAST_ROWS = 8;
/** Hosts tell more than other factors: so many of them stand beside one level of each of the others. */
const HOSTS_A_TURN = 4;

/** `aRunMs`: how long a run takes among others, so that so many of them make up the time. */
export function stagesOf(plan: StagePlan, aRunMs: number): Stages {
  const budgetMs = plan.budgetMs ?? Math.max(LEAST_BUDGET_MS, LEAST_ENVIRONMENTS * aRunMs);
  const choices = inTurns(plan.factors);
  if (plan.combinations === "none") return { alone: choices, rows: [], later: [], budgetMs };
  const room = Math.floor(budgetMs / aRunMs);
  // Named one by one, factors are mixed whatever they are.
  const mixed = plan.factors.filter((factor) => factor.isApart !== true);
  const isAll = mixed.length < 2;
  const most = Math.min(MOST_ROWS, Math.max(LEAST_ROWS, Math.floor(room / 2)));
  const { rows } = designRows(isAll ? plan.factors : mixed, most);
  const apart = isAll ? [] : apartRows(plan.factors, rows);
  const first = Math.max(LEAST_ROWS, room - rows.length - apart.length);
  return {
    alone: choices.slice(0, first),
    rows: [...rows.map((row) => ({ row, isHiddenOnly: false })), ...apart],
    later: choices.slice(first),
    budgetMs,
  };
}

/** What is not mixed meets everything else in a row of its own. */
function apartRows(factors: readonly Factor[], rows: readonly Row[]): readonly StagedRow[] {
  const [first] = rows;
  if (first === undefined) return [];
  return factors
    .filter((factor) => factor.isApart === true)
    .flatMap((factor, at) =>
      factor.levels
        .filter((level) => level.prompts === undefined)
        .slice(0, 2)
        .map((level, nth) => {
          const apart: Choice = { factor, level };
          const others = (rows[(2 * at + nth) % rows.length] ?? first).filter(
            (one) => !conflicts(one, apart),
          );
          return { row: [apart, ...others], isHiddenOnly: true };
        }),
    );
}

/** Levels of different factors next to each other, so that the first of each are tried before the time is up. */
function inTurns(factors: readonly Factor[]): readonly Choice[] {
  const ranked = factors.flatMap((factor) =>
    factor.levels.map((level, at) => ({
      choice: { factor, level },
      rank: Math.floor(at / (factor.name === "host" ? HOSTS_A_TURN : factor.isApart === true ? 2 : 1)),
    })),
  );
  return ranked.toSorted((a, b) => a.rank - b.rank).map(({ choice }) => choice);
}
