import { expect, test } from "vitest";
import { parseDocument } from "./document.ts";
import { type Point, UNKNOWN_POINT } from "./label.ts";
import { layer } from "./layer.ts";
import { readyProfile } from "./ready.ts";
import { type Judgement, replay } from "./replay.ts";

const policyOf = (name: string) => layer([parseDocument(readyProfile(name) ?? "", `${name}.yaml`)]);
const point = (labels: Partial<Point>): Point => ({
  ...UNKNOWN_POINT,
  agent: "claude",
  host: "api.anthropic.com",
  channel: "llm",
  ...labels,
});

test("a changed policy over recorded judgements lists what would have been otherwise, most frequent first", () => {
  const recorded: Judgement[] = [
    { entry: 1, verdict: "allow", points: [point({})] },
    { entry: 2, verdict: "allow", points: [point({ data: "secret" })] },
    { entry: 3, verdict: "allow", points: [point({}), point({ data: "secret" })] },
    { entry: 4, verdict: "allow", points: [point({ host: "statsig.anthropic.com", channel: "telemetry" })] },
    { entry: 5, verdict: "allow", points: [point({ data: "secret" })] },
  ];
  const withoutSecrets = recorded.filter(({ entry }) => entry === 1 || entry === 4);
  expect(replay(policyOf("default"), withoutSecrets, "en")).toEqual({
    judged: 2,
    changed: 1,
    changes: [
      {
        from: "allow",
        to: "deny",
        rules: ["default/no-telemetry"],
        count: 1,
        entries: [4],
        sentence:
          "claude sends public to statsig.anthropic.com:443 (telemetry): allow → deny (default/no-telemetry)",
      },
    ],
  });
  const ci = replay(policyOf("ci"), recorded, "en");
  expect(ci.changes.map(({ to, count, entries }) => ({ to, count, entries }))).toEqual([
    { to: "redact", count: 2, entries: [2, 5] },
    { to: "redact", count: 1, entries: [3] },
    { to: "deny", count: 1, entries: [4] },
  ]);
});
