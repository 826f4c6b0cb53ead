// What rows show is handed on to the fewest levels that cause it; what they show without a cause is chance.
import { expect, it } from "vitest";
import type { ReadRun } from "../observe/fold.ts";
import type { Effect } from "./compare.ts";
import { hostFactor, ordinaryFactors } from "./factors.ts";
import { type Choice, designRows, type Row } from "./rows.ts";
import { Screening } from "./screening.ts";

const FACTORS = [hostFactor("a.example\nb.example\nc.example"), ...ordinaryFactors("claude")].filter(
  (factor) => factor.isApart !== true,
);
const ROWS = designRows(FACTORS, 40).rows;
const effect = (signature: string): Effect => ({
  ...{ kind: "marker", signature, a: "'", b: signature, lineA: "'", lineB: signature, offset: 0 },
  places: [],
});

/** A build that shows `x` where all of `cause` is set, and `noise` in the runs that `isNoisy` says. */
async function screened(
  cause: readonly string[],
  isNoisy: (row: Row, nth: number) => boolean = () => false,
): Promise<{ screening: Screening; alone: string[]; together: string[][] }> {
  const seen = new Map<ReadRun, readonly Effect[]>();
  const known: Effect[] = [];
  const [alone, together]: [string[], string[][]] = [[], []];
  const names = (row: Row): string[] => row.map(({ factor, level }) => `${factor.name} ${level.name}`);
  const shows = (row: Row): boolean => cause.every((name) => names(row).includes(name));
  let nth = 0;
  const screening = new Screening({
    look: async (row) => {
      const run: ReadRun = { requests: [], echoed: new Set() };
      nth += 1;
      const effects = [...(shows(row) ? ["x"] : []), ...(isNoisy(row, nth) ? ["noise"] : [])];
      seen.set(run, effects.map(effect));
      return run;
    },
    effects: (run) => seen.get(run) ?? [],
    explain: () => null,
    alone: async (choice: Choice) => {
      alone.push(...names([choice]));
      if (shows([choice])) known.push(effect("x"));
    },
    together: async (row) => {
      together.push(names(row));
      known.push(effect("x"));
      return [effect("x")];
    },
    known: () => known,
    isLate: () => false,
    say: () => {},
  });
  for (const row of ROWS) await screening.run({ row, isHiddenOnly: false });
  await screening.trace();
  return { screening, alone, together };
}

it("a level that nobody tried alone is found by the rows that hold it", async () => {
  const { alone, together } = await screened(["machine honeypot1"]);
  expect(alone.at(-1)).toBe("machine honeypot1");
  expect(alone.length).toBeLessThan(4);
  expect(together).toEqual([]);
});

it("what two levels show together is traced to just these", async () => {
  const { together } = await screened(["timezone Asia/Shanghai", "locale zh_CN.UTF-8"]);
  expect(together.map((names) => names.toSorted())).toEqual([
    ["locale zh_CN.UTF-8", "timezone Asia/Shanghai"],
  ]);
});

it("what one run showed and the same row does not again is not followed, and counts as chance", async () => {
  const { screening, together } = await screened(["no such level"], (_, nth) => nth === 7);
  expect(together).toEqual([]);
  expect(screening.showsWithout("noise", new Set(["no such factor"]))).toBe(true);
  expect(screening.showsWithout("x", new Set())).toBe(false);
});
