import { describe, expect, it, test } from "vitest";
import { BASELINE, type Patch, patched } from "../chamber/setting.ts";
import type { Effect } from "./compare.ts";
import { explanationOf } from "./explain.ts";

const effect = (a: string | null, b: string | null, kind: Effect["kind"] = "content"): Effect => ({
  ...{ kind, signature: "s", a, b, lineA: a, lineB: b, offset: 0 },
  places: [{ request: "POST x", part: "body /a" }],
});
const told = (patches: readonly Patch[], one: Effect): string | null =>
  explanationOf(one, { a: BASELINE, b: patched(BASELINE, patches), patches });

const README: Patch = { kind: "file", place: "workspace", path: "README.md", text: "x" };
const CHINESE: Patch = { kind: "variable", name: "LC_ALL", value: "zh_CN.UTF-8" };

describe("what follows from the setting is explained", () => {
  test.each([
    ["a count of the changed content", [README], effect("120", "97")],
    ["a digest of it within a line", [README], effect("version=1.2.e61;", "version=1.2.236;")],
    [
      "a shell's warning of a language it lacks",
      [CHINESE],
      effect(null, "bash: warning: setlocale: LC_ALL: cannot change locale (zh_CN.UTF-8)", "added"),
    ],
  ] as const)("%s", (_, patches, one) => {
    expect(told(patches, one)).not.toBeNull();
  });
});

describe("what a build could mark with is not", () => {
  test.each([
    ["one digit, which may be a flag", [README], effect("0", "1")],
    ["words for numbers", [README], effect("version=1.2.e61;", "version=1.2.xyz;")],
    ["a digest where nothing that is read was changed", [CHINESE], effect("a=e61", "a=236")],
    ["another apostrophe", [CHINESE], effect("Today's", "Today\u02bcs", "marker")],
  ] as const)("%s", (_, patches, one) => {
    expect(told(patches, one)).toBeNull();
  });

  it("an order is not, but of a library's own header through a proxy", () => {
    const order = (part: string, a: string, b: string): Effect => ({
      ...effect(a, b, "order"),
      places: [{ request: "POST x", part }],
    });
    const PROXY: Patch = { kind: "variable", name: "ALL_PROXY", value: "http://proxy.example:3128" };
    expect(told([PROXY], order("headers, order", "user-agent", "host"))).toMatch(/proxy/);
    expect(told([README], order("headers, order", "user-agent", "host"))).toBeNull();
    expect(told([PROXY], order("headers, order", "x-app", "anthropic-beta"))).toBeNull();
    expect(told([PROXY], order("body, order", "user-agent", "host"))).toBeNull();
  });
});
