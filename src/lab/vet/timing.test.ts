import { expect, it } from "vitest";
import { slower, waitedLonger } from "./timing.ts";

const gaps = (...all: number[]): ReadonlyMap<string, number>[] =>
  all.map((ms) => new Map([["its start", ms]]));

it.each<[string, number[], number[], boolean]>([
  ["700 ms more each time", [310, 290, 300, 305], [1010, 980, 995, 1005], true],
  ["120 ms more each time", [210, 205, 200, 207], [330, 335, 329, 340], true],
  [
    "a busy machine, where slow runs differ by a sixth",
    [16_595, 15_900, 14_800, 16_100],
    [19_415, 21_000, 20_300, 19_800],
    false,
  ],
  ["controls that differ as much", [200, 900, 300, 250], [1400, 1500, 1450, 1420], false],
  ["one run that was as quick", [310, 290, 300, 305], [1010, 320, 995, 1005], false],
])("%s", (_what, controls, runs, isTold) => {
  expect(slower(gaps(...controls), gaps(...runs)).length > 0).toBe(isTold);
});

it("one slow run is worth another look, whatever the slowest control was", () => {
  const [slow, usual] = gaps(900, 320);
  if (slow === undefined || usual === undefined) throw new Error("two were made");
  expect(waitedLonger(gaps(300, 310, 1200, 305), slow)).toBe(590);
  expect(waitedLonger(gaps(300, 310, 1200, 305), usual)).toBe(0);
});
