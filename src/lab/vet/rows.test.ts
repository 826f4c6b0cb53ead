import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Factor } from "./factors.ts";
import { hostFactor, ordinaryFactors } from "./factors.ts";
import { type Choice, conflicts, designRows, fewest, type Row, suspectPairs, suspectsOf } from "./rows.ts";

const HOSTS = hostFactor("a.example\nb.example\nc.example\nd.example\ne.example\nf.example");
const FACTORS: readonly Factor[] = [HOSTS, ...ordinaryFactors("claude")].filter(
  (one) => one.isApart !== true,
);
const { rows } = designRows(FACTORS, 60);
const choicesOf = (factors: readonly Factor[]): readonly Choice[] =>
  factors.flatMap((factor) => factor.levels.map((level) => ({ factor, level })));

describe("rows of many levels", () => {
  it("hold every level, one of a factor at most, and none that set the same thing", () => {
    const held = new Set(rows.flatMap((row) => row.map(({ level }) => level)));
    expect(choicesOf(FACTORS).filter(({ level }) => !held.has(level))).toEqual([]);
    for (const row of rows) {
      expect(new Set(row.map(({ factor }) => factor)).size).toBe(row.length);
      expect(row.some((a, at) => row.slice(at + 1).some((b) => conflicts(a, b)))).toBe(false);
    }
  });

  it("hold each pair of the three most telling levels of any two factors", () => {
    const telling = FACTORS.map((factor) => ({ ...factor, levels: factor.levels.slice(0, 3) }));
    const made = designRows(telling, 200);
    expect(made.covered).toBe(made.pairs);
    expect(made.rows.length).toBeLessThan(45);
  });

  it("leave each factor unchanged somewhere, so that none hides another everywhere", () => {
    for (const factor of FACTORS)
      expect(rows.some((row) => row.every((choice) => choice.factor !== factor))).toBe(true);
  });

  it("change all at once in one row, so that what only all together show is shown", () => {
    for (const some of [FACTORS.slice(0, 2), FACTORS.slice(0, 3), FACTORS.slice(0, 5), FACTORS])
      expect(designRows(some, 60).rows[0]?.map(({ factor }) => factor)).toEqual(some);
  });

  it("are the same each time", () => {
    expect(designRows(FACTORS, 60).rows).toEqual(rows);
  });
});

/** Rows that show something: those with all of the cause. */
const shown = (cause: Row): readonly [showing: Row[], silent: Row[]] => {
  const has = (row: Row): boolean => cause.every(({ level }) => row.some((one) => one.level === level));
  return [rows.filter(has), rows.filter((row) => !has(row))];
};

describe("what rows show is traced", () => {
  it("to the one level that causes it: it is always among the suspects", () => {
    for (const cause of choicesOf(FACTORS)) {
      const [showing, silent] = shown([cause]);
      expect(suspectsOf(showing, silent, new Set()).map(({ level }) => level)).toContain(cause.level);
    }
  });

  it("to a pair, where no level alone explains it", () => {
    const [a, b] = [HOSTS, FACTORS[1]].map((factor) => ({ factor, level: factor?.levels[0] }));
    const cause = [a, b] as Row; // both factors have levels
    const [showing, silent] = shown(cause);
    expect(showing.length).toBeGreaterThan(0);
    expect(suspectsOf(showing, silent, new Set(cause.map(({ level }) => level)))).toEqual([]);
    const pairs = suspectPairs(showing, silent).map((pair) => new Set(pair.map(({ level }) => level)));
    expect(pairs).toContainEqual(new Set(cause.map(({ level }) => level)));
  });

  it("to the fewest levels, by leaving out, whatever they are", async () => {
    const [row = []] = rows;
    await fc.assert(
      fc.asyncProperty(fc.subarray([...row], { minLength: 1, maxLength: 3 }), async (cause) => {
        let runs = 0;
        const found = await fewest(
          row,
          async (part) => {
            runs += 1;
            return cause.every((choice) => part.includes(choice));
          },
          100,
        );
        expect(new Set(found)).toEqual(new Set(cause));
        expect(runs).toBeLessThan(80);
      }),
    );
  });
});
