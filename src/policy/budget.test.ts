import { expect, test } from "vitest";
import { decideBudget, hasDayBudget, overrunText, type Spent } from "./budget.ts";
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
  "apiVersion: sallyport/v1\nkind: Guardrails\nmetadata: { name: g, owner: ciso }\nbudgets: { because: Volume alarm, requests: 100, minutes: 60, day: { requests: 1000 } }\n",
  "g.yaml",
);
const nothing: Spent = { requests: 0, bytesOut: 0, inputTokens: 0, outputTokens: 0, minutes: 0 };

const before = (spent: Partial<Spent>): Spent => ({ ...nothing, ...spent });

test.each<[what: string, spent: Partial<Spent>, day: Partial<Spent>, rules: string[]]>([
  ["within all", { requests: 99, outputTokens: 1000, bytesOut: 1e12 }, {}, []],
  ["the smallest of each holds", { requests: 100 }, {}, ["g/budgets.requests"]],
  [
    "over both",
    { requests: 500, outputTokens: 1001 },
    {},
    ["p/budgets.requests", "p/budgets.outputTokens", "g/budgets.requests"],
  ],
  ["a count that is no number", { minutes: Number.NaN }, {}, ["g/budgets.minutes"]],
  ["a person's day", {}, { requests: 1000 }, ["g/budgets.day.requests"]],
  ["a day that is no number", {}, { requests: Number.NaN }, ["g/budgets.day.requests"]],
])("%s", (_, spent, day, rules) => {
  const next = { ...nothing, requests: 1 };
  const decision = decideBudget(layer([guardrails, profile]), before(spent), before(day), next);
  expect(decision.rules.map(({ document, id }) => `${document}/${id}`)).toEqual(rules);
  expect(decision.verdict).toBe(rules.length === 0 ? "allow" : "deny");
});

test("what is used up says the reason, the owner, what is left and when there is more, in both languages", () => {
  const policy = layer([guardrails, profile]);
  const decision = decideBudget(policy, before({ bytesOut: 90 }), before({ requests: 1000 }), {
    ...nothing,
    requests: 1,
    bytesOut: 20,
  });
  const ends = Date.UTC(2026, 10, 21);
  expect(overrunText(decision, ends, "en")).toBe(
    "Sallyport refuses this: A person's day has at most 1000 requests (rule g/budgets.day.requests): Volume alarm; owner ciso. 1000 used, 0 left; it starts again at 2026-11-21T00:00:00.000Z",
  );
  expect(overrunText(decision, ends, "zh-CN")).toBe(
    "Sallyport 拒绝：每人每日最多 1000 次请求（规则 g/budgets.day.requests）：Volume alarm；负责人 ciso。已用 1000，剩余 0，于 2026-11-21T00:00:00.000Z 重置",
  );
  expect(hasDayBudget(policy)).toBe(true);
  expect(hasDayBudget(layer([profile]))).toBe(false);
});

test("what should have been reviewed is listed with its owner, the oldest first", () => {
  expect(overdue([profile, guardrails], "2026-11-20")).toEqual([
    { file: "p.yaml", rule: "R", review: "2026-09-01", owner: "eve" },
    { file: "p.yaml", rule: null, review: "2026-10-01", owner: "o" },
  ]);
  expect(overdue([profile], "2026-09-01")).toEqual([]);
});
