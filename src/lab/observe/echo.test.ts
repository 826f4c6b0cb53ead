// What the surroundings say word for word is named; how it is written stays to be seen.
import { describe, expect, test } from "vitest";
import { BASELINE, patched } from "../chamber/setting.ts";
import { echoOf } from "./echo.ts";

/** The last hours of a month in New York: the next month in Shanghai. */
const LATE = Date.UTC(2026, 10, 30, 21, 22, 3);
const said = (zone: string, text: string): string => {
  const setting = patched(BASELINE, [
    { kind: "variable", name: "TZ", value: zone },
    { kind: "localtime", value: zone },
  ]);
  return echoOf({ setting, from: LATE, to: LATE + 1000, literals: [] }, null).replace(text);
};

describe("the same sentence in two zones is the same", () => {
  test.each([
    ["The current month is November 2026.", "The current month is December 2026."],
    ["Nov 2026", "Dec 2026"],
    ["usage-2026-11.jsonl", "usage-2026-12.jsonl"],
    ["rollout-2026-11-30T16-22-03-x", "rollout-2026-12-01T05-22-03-x"],
    ["run_20261130_162203", "run_20261201_052203"],
    ["2026-11-30", "2026-12-01"],
  ])("%s", (here, there) => {
    expect(said("Asia/Shanghai", there)).toBe(said("America/New_York", here));
  });
});

test("a hidden folder's name is one where it begins, not within a host's", () => {
  const around = {
    setting: BASELINE,
    from: LATE,
    to: LATE + 1000,
    literals: [[".github", "file name"]] as const,
  };
  expect(echoOf(around, null).replace("read .github/x and src/.github of api.github.com")).toBe(
    "read ‹file name›/x and src/‹file name› of api.github.com",
  );
});

describe("how it is written is not", () => {
  test.each([
    ["2026-11-30", "2026/12/01"],
    ["rollout-2026-11-30T16-22-03", "rollout-2026-12-01T05.22.03"],
    ["version 2026-10", "version 2026-09"],
  ])("%s", (here, there) => {
    expect(said("Asia/Shanghai", there)).not.toBe(said("America/New_York", here));
  });
});
