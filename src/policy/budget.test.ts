import { expect, test } from "vitest";
import { decideBudget, type Spent } from "./budget.ts";
import { parseDocument } from "./document.ts";
import { layer } from "./layer.ts";
import { overdue } from "./overdue.ts";

const profile = parseDocument(
  `apiVersion: sallyport/v1
kind: Profile
metadata: { name: p, owner: o, review: 2026-10-01 }
budgets: { because: A runaway loop costs money, requests: 500, outputTokens: 1000 }
network: { default: deny }
send:
  default: deny
  rules:
    - { id: R, title: t, because: b, owner: eve, review: 2026-09-01, when: {}, then: ask }
    - { id: S, title: t, because: b, review: 2026-12-01, when: { data: [a] }, then: deny }
`,
  "p.yaml",
);
const guardrails = parseDocument(
  "apiVersion: sallyport/v1\nkind: Guardrails\nmetadata: { name: g, owner: ciso }\nbudgets: { because: Volume alarm, requests: 100, minutes: 60 }\n",
  "g.yaml",
);
const nothing: Spent = { requests: 0, bytesOut: 0, inputTokens: 0, outputTokens: 0, minutes: 0 };

test.each<[what: string, spent: Partial<Spent>, rules: string[]]>([
  ["within all", { requests: 100, outputTokens: 1000, bytesOut: 1e12 }, []],
  ["the smallest of each holds", { requests: 101 }, ["g/budgets.requests"]],
  [
    "over both",
    { requests: 501, outputTokens: 1001 },
    ["p/budgets.requests", "p/budgets.outputTokens", "g/budgets.requests"],
  ],
  ["a count that is no number", { minutes: Number.NaN }, ["g/budgets.minutes"]],
])("%s", (_, spent, rules) => {
  const decision = decideBudget(layer([guardrails, profile]), { ...nothing, ...spent });
  expect(decision.rules.map(({ document, id }) => `${document}/${id}`)).toEqual(rules);
  expect(decision.verdict).toBe(rules.length === 0 ? "allow" : "deny");
});

test("what should have been reviewed is listed with its owner, the oldest first", () => {
  expect(overdue([profile, guardrails], "2026-11-20")).toEqual([
    { file: "p.yaml", rule: "R", review: "2026-09-01", owner: "eve" },
    { file: "p.yaml", rule: null, review: "2026-10-01", owner: "o" },
  ]);
  expect(overdue([profile], "2026-09-01")).toEqual([]);
});
