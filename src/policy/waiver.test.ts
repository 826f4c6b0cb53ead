import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { documentArbitrary, pointArbitrary, ruleArbitrary } from "./arbitrary.testkit.ts";
import { decide } from "./decide.ts";
import { type PolicyData, type PolicyDocument, parseDocument } from "./document.ts";
import { type Point, UNKNOWN_POINT } from "./label.ts";
import { layer } from "./layer.ts";
import { matches } from "./match.ts";
import {
  type Answer,
  BREAK_GLASS_MS,
  documentWaivers,
  LONGEST_ANSWER_MS,
  LONGEST_WAIVER_MS,
  settle,
  type Waiver,
  withWaivers,
} from "./waiver.ts";

const policy = layer([
  parseDocument(
    `apiVersion: sallyport/v1
kind: Profile
metadata: { name: p, owner: o }
network: { default: deny }
send:
  default: deny
  rules:
    - { id: A, title: Secrets need a yes, because: b, when: { data: [secret] }, then: ask, waivable: true }
    - { id: B, title: Telemetry stays, because: b, when: { channel: [telemetry] }, then: deny }
`,
    "p.yaml",
  ),
]);
const NOW = 1_000_000;
const waiver = (change: Partial<Waiver> = {}): Waiver => ({
  id: "W-7",
  rule: "p/A",
  scope: { repo: ["vault"] },
  reason: "rotating the keys",
  requester: "ann",
  approver: "bob",
  grantedAt: NOW,
  expiresAt: NOW + 1_000,
  kind: "waiver",
  ...change,
});
const point = (labels: Partial<Point>): Point => ({ ...UNKNOWN_POINT, data: "secret", ...labels });
const verdict = (waivers: Waiver[], labels: Partial<Point>, now = NOW): string =>
  decide(withWaivers(policy, waivers, now).policy, point(labels)).verdict;

describe("a waiver holds within its scope and time, and nowhere else", () => {
  test.each<[what: string, labels: Partial<Point>, now: number, expected: string]>([
    ["inside", { repo: "vault" }, NOW, "allow"],
    ["another repository", { repo: "web" }, NOW, "ask"],
    ["where another rule objects too", { repo: "vault", channel: "telemetry" }, NOW, "deny"],
    ["a moment before it ends", { repo: "vault" }, NOW + 999, "allow"],
    ["when it ends", { repo: "vault" }, NOW + 1_000, "ask"],
    ["before it begins", { repo: "vault" }, NOW - 1, "ask"],
    ["at no time at all", { repo: "vault" }, Number.NaN, "ask"],
  ])("%s", (_, labels, now, expected) => {
    expect(verdict([waiver()], labels, now)).toBe(expected);
  });

  test("what it allows is recorded under the waiver, its reason and its approver", () => {
    const { policy: waived, changesAt } = withWaivers(policy, [waiver()], NOW);
    expect(decide(waived, point({ repo: "vault" })).rules).toEqual([
      {
        id: "waiver.W-7",
        title: "Waiver of p/A: Secrets need a yes",
        because: "rotating the keys",
        owner: "bob",
        document: "p",
      },
    ]);
    expect(changesAt).toBe(NOW + 1_000);
  });
});

test.each<[change: Partial<Waiver>, because: RegExp]>([
  [{ rule: "p/C" }, /no rule `p\/C`/],
  [{ rule: "p/B" }, /is not waivable/],
  [{ scope: {} }, /without a scope/],
  [{ reason: " " }, /no reason/],
  [{ approver: "ann" }, /nobody grants their own/],
  [{ expiresAt: NOW }, /must last/],
  [{ expiresAt: NOW + LONGEST_WAIVER_MS + 1 }, /must last/],
  [{ expiresAt: Number.NaN }, /must last/],
  [{ kind: "break-glass", expiresAt: NOW + BREAK_GLASS_MS + 1 }, /must last 60 minutes or less/],
])("a waiver that is not in order is refused: %o", (change, because) => {
  const { active, refused } = withWaivers(policy, [waiver(change)], NOW);
  expect(active).toEqual([]);
  expect(refused[0]?.because).toMatch(because);
});

test("break-glass needs one person, for an hour", () => {
  expect(verdict([waiver({ kind: "break-glass", approver: "ann" })], { repo: "vault" })).toBe("allow");
});

test.each(["waiver", "break-glass", "answer"] as const)(
  "a %s never exceeds its scope, and inside it counts as the rule's consent",
  (kind) => {
    fc.assert(
      fc.property(
        documentArbitrary("p", ["Profile"]),
        ruleArbitrary,
        pointArbitrary,
        (document, scoped, at) => {
          const rules = (document.data.send?.rules ?? []).map((rule) => ({
            ...rule,
            waivable: true,
            // biome-ignore lint/suspicious/noThenProperty: the document's own word
            ...(kind === "answer" && rule.id === "R-0" ? { then: "ask" as const } : {}),
          }));
          const withRules = (list: typeof rules): PolicyDocument => ({
            ...document,
            data: { ...document.data, send: { ...document.data.send, rules: list } } as PolicyData,
          });
          fc.pre(rules.length > 0 && Object.keys(scoped.when).length > 0);
          const before = layer([withRules(rules)]);
          const { policy: after, active } = withWaivers(
            before,
            [waiver({ rule: "p/R-0", scope: scoped.when, kind })],
            NOW,
          );
          expect(active).toHaveLength(1);
          const plain = ({ verdict, redact, rerouteTo }: ReturnType<typeof decide>) => ({
            verdict,
            redact,
            rerouteTo,
          });
          const consenting = rules.map((rule) =>
            // biome-ignore lint/suspicious/noThenProperty: the document's own word
            rule.id === "R-0" ? { ...rule, then: "allow" as const } : rule,
          );
          const expected = matches({ when: scoped.when }, at) ? layer([withRules(consenting)]) : before;
          expect(plain(decide(after, at))).toEqual(plain(decide(expected, at)));
        },
      ),
      { numRuns: 200 },
    );
  },
);

test("an answer is to a rule that asks, by somebody else unless policy lets, and long only where the rule is waivable", () => {
  const asks = (o: { self?: string; waivable?: boolean }) =>
    layer([
      parseDocument(
        `apiVersion: sallyport/v1
kind: Profile
metadata: { name: p, owner: o }
approvals: { self: ${o.self ?? "deny"} }
network: { default: deny }
send:
  default: deny
  rules:
    - { id: A, title: t, because: b, when: { data: [secret] }, then: ask, waivable: ${o.waivable ?? false} }
    - { id: D, title: t, because: b, when: { data: [personal] }, then: deny, waivable: true }
`,
        "p.yaml",
      ),
    ]);
  const why = (policy: ReturnType<typeof asks>, change: Partial<Waiver>): string =>
    withWaivers(policy, [waiver({ kind: "answer", scope: { data: ["secret"] }, ...change })], NOW).refused[0]
      ?.because ?? "holds";
  expect(why(asks({}), {})).toBe("holds");
  expect(why(asks({}), { approver: "ann" })).toMatch(/nobody answers their own/);
  expect(why(asks({ self: "allow" }), { approver: "ann" })).toBe("holds");
  expect(why(asks({}), { rule: "p/D" })).toMatch(/asks nothing/);
  expect(why(asks({}), { expiresAt: NOW + LONGEST_ANSWER_MS + 1 })).toMatch(/must last 720 minutes/);
  expect(why(asks({ waivable: true }), { expiresAt: NOW + LONGEST_ANSWER_MS + 1 })).toBe("holds");
});

test("a document's own waivers hold on their days, for its own rules", () => {
  const text = (waivers: string): string => `apiVersion: sallyport/v1
kind: Profile
metadata: { name: p, owner: o }
network: { default: deny }
send:
  default: allow
  rules: [{ id: A, title: t, because: b, when: { data: [secret] }, then: deny, waivable: true }]
waivers: [${waivers}]
`;
  const one = "id: W, rule: A, scope: { repo: [vault] }, reason: r, requester: ann, approver: bob";
  const document = parseDocument(text(`{ ${one}, from: 2026-11-20, until: 2026-11-21 }`), "p.yaml");
  const own = layer([document]);
  const at = (day: string): string =>
    decide(withWaivers(own, documentWaivers(own), Date.parse(day)).policy, point({ repo: "vault" })).verdict;
  expect(["2026-11-19T23:59Z", "2026-11-20", "2026-11-21T23:59Z", "2026-11-22"].map(at)).toEqual([
    "deny",
    "allow",
    "allow",
    "deny",
  ]);
});

describe("a question is settled by the first answer that counts, else by its deadline", () => {
  const question = { requester: "ann", self: false, askedAt: 100, deadlineAt: 200 };
  const answer = (by: string, at: number, verdict: Answer["verdict"]): Answer => ({
    by,
    at,
    verdict,
    reason: "r",
  });
  test.each<[what: string, answers: Answer[], now: number, state: string, self?: boolean]>([
    ["nobody yet", [], 150, "open"],
    ["nobody in time", [], 200, "expired"],
    ["a clock that tells no time", [], Number.NaN, "expired"],
    ["one's own yes where policy lets", [answer("ann", 150, "allow")], 151, "allowed", true],
    ["somebody else's yes", [answer("bob", 150, "allow")], 151, "allowed"],
    ["one's own yes", [answer("ann", 150, "allow")], 151, "open"],
    ["one's own no", [answer("ann", 150, "deny")], 151, "denied"],
    ["a yes too late", [answer("bob", 200, "allow")], 201, "expired"],
    ["a yes from before the question", [answer("bob", 99, "allow")], 150, "open"],
    ["two at one moment", [answer("bob", 150, "allow"), answer("eve", 150, "deny")], 151, "denied"],
    ["a no after a yes", [answer("eve", 160, "deny"), answer("bob", 150, "allow")], 170, "allowed"],
  ])("%s: %s", (_, answers, now, state, self = false) => {
    expect(settle({ ...question, self }, answers, now).state).toBe(state);
  });
});
