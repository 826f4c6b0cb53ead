// The inbox: what waits, who may answer, and what came of it; a name on a link does not make a second pair of eyes.
import { describe, expect, it } from "vitest";
import { asSessionId, exchangeId, type LedgerEvent } from "../core/index.ts";
import type { OpenQuestion } from "../gateway/index.ts";
import { type ApprovalFacts, accountOf, approvalsNow, historyRow } from "./approvals.ts";

const SESSION = asSessionId("00000001") ?? expect.fail("not an id");
const ID = exchangeId(SESSION, 1);
const question = (more: Partial<OpenQuestion> = {}): OpenQuestion => ({
  id: ID,
  session: SESSION,
  agent: "claude",
  requester: "local:1000",
  text: "holds this",
  rules: ["team/ask"],
  classes: ["secret"],
  host: "api.vendor.example",
  port: 443,
  sentTo: "https://api.vendor.example",
  model: "m",
  requestBytes: 10,
  findings: [],
  askedAt: 1000,
  deadlineAt: 2000,
  self: false,
  isWaiting: true,
  ...more,
});
const asked: LedgerEvent = {
  v: 1,
  at: 1000,
  kind: "approval.asked",
  session: SESSION,
  question: ID,
  requester: "local:1000",
  host: "api.vendor.example",
  port: 443,
  sentTo: "https://api.vendor.example",
  destination: "vendor",
  model: null,
  requestBytes: 10,
  findings: [],
  rules: ["team/ask"],
  classes: ["secret"],
  deadlineAt: 2000,
  evidence: [],
};
const facts = (more: Partial<ApprovalFacts> = {}): ApprovalFacts => ({
  open: { questions: [question()], exceptions: [] },
  asked: [{ index: 7, event: asked }],
  operatorOf: (id) => (id === "vendor" ? "Vendor" : null),
  principal: "local:1001",
  mayApprove: true,
  now: 1500,
  ...more,
});

describe("who may say yes", () => {
  it.each([
    ["another account", "local:1001", {}, null],
    ["the account that asked", "local:1000", {}, "own-question"],
    ["the account that asked, by a link in another name", "local:1000/bob", {}, "own-question"],
    ["the account that asked, where policy lets it", "local:1000", { self: true }, null],
  ] as const)("%s", (_title, principal, more, notYours) => {
    const { questions } = approvalsNow(
      facts({ principal, open: { questions: [question(more)], exceptions: [] } }),
    );
    expect(questions[0]?.notYours).toBe(notYours);
  });

  it("nobody without the right", () => {
    expect(approvalsNow(facts({ mayApprove: false })).questions[0]?.notYours).toBe("no-right");
  });

  it("a name after the slash is no account", () => {
    expect(accountOf("local:1000/ada/../root")).toBe("local:1000");
  });
});

it("what has least time left comes first, with whose server it is and where the ledger holds it", () => {
  const late = question({ id: exchangeId(SESSION, 2), deadlineAt: 1600 });
  const { questions } = approvalsNow(facts({ open: { questions: [question(), late], exceptions: [] } }));
  expect(questions.map(({ id, entry, operator }) => [id, entry, operator])).toEqual([
    [late.id, null, null],
    [ID, 7, "Vendor"],
  ]);
});

it("a break-glass stands before every other exception", () => {
  const waiver = (id: string, kind: "answer" | "break-glass") => ({
    ...{ id, kind, rule: "team/ask", scope: { data: ["secret"], port: [443] }, reason: "outage" },
    ...{ requester: "a", approver: "a", grantedAt: 1, expiresAt: kind === "answer" ? 10 : 20 },
  });
  const { exceptions } = approvalsNow(
    facts({ open: { questions: [], exceptions: [waiver("x", "answer"), waiver("BG-1", "break-glass")] } }),
  );
  expect(exceptions.map(({ id, where }) => [id, where])).toEqual([
    ["BG-1", "data=secret port=443"],
    ["x", "data=secret port=443"],
  ]);
});

it("a station that is gone is told as gone, not as an empty inbox", () => {
  expect(approvalsNow(facts({ open: null }))).toMatchObject({ questions: [], isStationThere: false });
});

it("the history tells each kind of entry, and passes over every other", () => {
  const answered: LedgerEvent = {
    v: 1,
    at: 5,
    kind: "approval.answered",
    session: SESSION,
    question: ID,
    verdict: "allow",
    by: "local:1/ada",
    reason: "rotating",
    scope: "time",
    expiresAt: 99,
    rules: ["team/ask"],
    where: { data: ["secret"] },
    requester: "local:1000",
  };
  expect(historyRow(3, answered)).toMatchObject({
    what: "allowed",
    by: "local:1/ada",
    expiresAt: 99,
    classes: ["secret"],
  });
  expect(historyRow(3, { ...answered, verdict: "deny", scope: "once" })).toMatchObject({
    what: "denied",
    expiresAt: null,
  });
  expect(historyRow(4, asked)).toMatchObject({ what: "asked", id: ID });
  expect(historyRow(5, { v: 1, at: 1, kind: "ledger.opened", program: "p", recovered: 0 })).toBeNull();
});
