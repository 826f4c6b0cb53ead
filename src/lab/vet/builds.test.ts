import { describe, expect, test } from "vitest";
import { bisect } from "./builds.ts";

const VERSIONS = Array.from({ length: 40 }, (_, at) => `1.0.${at}`);

describe("bisecting releases", () => {
  test.each([
    ["appears once", (at: number) => at >= 23, [["1.0.22", "1.0.23", "appears"]]],
    ["disappears once", (at: number) => at < 3, [["1.0.2", "1.0.3", "disappears"]]],
    [
      "comes and goes round the middle",
      (at: number) => at >= 10 && at < 31,
      [
        ["1.0.9", "1.0.10", "appears"],
        ["1.0.30", "1.0.31", "disappears"],
      ],
    ],
    ["is never there", () => false, []],
  ] as const)("a finding that %s is placed between neighbours", async (_, has, wanted) => {
    let probes = 0;
    const { turns } = await bisect(VERSIONS, async (version) => {
      probes += 1;
      return new Set(has(VERSIONS.indexOf(version)) ? ["x"] : []);
    });
    expect(turns.map(({ from, to, event }) => [from, to, event])).toEqual(wanted);
    expect(probes).toBeLessThan(16);
  });

  test("a range of one or two releases is looked at whole", async () => {
    const { probed } = await bisect(["1.0.0"], async () => new Set());
    expect([...probed.keys()]).toEqual(["1.0.0"]);
    const two = await bisect(
      ["1.0.0", "1.0.1"],
      async (version) => new Set(version === "1.0.1" ? ["x"] : []),
    );
    expect(two.turns).toEqual([{ finding: "x", from: "1.0.0", to: "1.0.1", event: "appears" }]);
  });
});
