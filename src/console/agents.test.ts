// The page Agents: what ran and was never vetted is shown beside what was, and a report's hidden differences are counted as such.
import { describe, expect, it } from "vitest";
import { asSessionId, type LedgerEvent } from "../core/index.ts";
import type { VetReport } from "../lab/index.ts";
import type { Approvals, Statement, Subject } from "../register/index.ts";
import { type AgentsFacts, agentsOverview, reportDetail, type SavedReport } from "./agents.ts";

const NOW = Date.parse("2026-11-30T12:00:00Z");
const DAY = 86_400_000;
const SESSION = asSessionId("00000001") ?? expect.fail("not an id");
const hash = (n: number): string => `h1:${Buffer.alloc(32, n).toString("base64")}`;
const build = (n: number, more: Partial<Extract<Subject, { kind: "build" }>> = {}): Subject => ({
  kind: "build",
  agent: "claude",
  version: "2.1.329",
  platform: `${process.platform}-${process.arch}`,
  hash: hash(n),
  files: 3,
  executable: String(n).repeat(64).slice(0, 64),
  native: true,
  ...more,
});
const said = (subject: Subject, more: Partial<Statement> = {}): Statement => ({
  type: "sallyport/register/v1",
  action: "approve",
  subject,
  by: "ada",
  at: NOW - DAY,
  reason: "read the report",
  expires: NOW + DAY,
  evidence: {},
  ...more,
});
const approvals = (required: number, ...statements: readonly Statement[]): Approvals => ({
  approvers: [{ name: "ada", key: "k" }],
  required,
  statements: statements.map((statement, n) => ({ statement, id: `s${n}` })),
  strangers: [],
});
const started = (n: number, version: string, at: number): LedgerEvent => ({
  v: 1,
  at,
  kind: "session.started",
  session: SESSION,
  principal: "local:1",
  agent: { name: "claude", version, sha256: String(n).repeat(64).slice(0, 64) },
  profile: { name: "default", sha256: "" },
  workspace: "w",
  sandbox: "bubblewrap",
  gaps: [],
  upstream: null,
  admission: { build: hash(n), standing: "unknown" },
});
const finding = (kind: string): VetReport["findings"][number] => ({
  factor: "time zone",
  a: "UTC",
  b: "Asia/Shanghai",
  levels: ["Asia/Shanghai"],
  kind: kind as VetReport["findings"][number]["kind"],
  meaning: "",
  where: "request 1",
  places: 1,
  bytes: { a: "27", b: "ca bc", aText: "'", bText: "ʼ" },
  codePoints: { a: ["U+0027 APOSTROPHE"], b: ["U+02BC MODIFIER LETTER APOSTROPHE"] },
  context: { a: null, b: null },
  repeats: "5 of 5",
  controls: 5,
  smallest: "TZ",
  reproduce: "sallyport vet claude",
  changes: [],
});
const report = (executable: string, ...kinds: readonly string[]): SavedReport => ({
  sha256: "f".repeat(64),
  at: NOW - DAY,
  report: {
    agent: "claude",
    build: "2.1.329",
    sha256: executable,
    findings: kinds.map(finding),
    explained: [],
    varied: [],
    notVaried: [],
    notObserved: [],
    touched: {
      hosts: [],
      names: [],
      written: [],
      persistence: [],
      processesLeft: ["node"],
      portsLeft: [9],
      traced: null,
    },
    switches: [],
    installScripts: [],
    runs: 7,
    combinations: 3,
    tookSeconds: 60,
  },
});
const facts = (more: Partial<AgentsFacts>): AgentsFacts => ({
  approvals: approvals(1),
  reports: [],
  events: [],
  signsAs: null,
  now: NOW,
  ...more,
});

describe("builds", () => {
  it("one that was only vetted is there with its report, for somebody's word", () => {
    const { builds } = agentsOverview(facts({ reports: [report("e".repeat(64), "marker")] }));
    expect(builds).toMatchObject([
      { agent: "claude", version: "2.1.329", hash: null, executable: "e".repeat(64), sessions: 0 },
    ]);
    expect(builds[0]?.reports).toMatchObject([{ hidden: 1 }]);
  });

  it("one that ran and that nobody has spoken about is shown as unknown, with how often it ran", () => {
    const { builds } = agentsOverview(
      facts({ events: [started(1, "2.1.1", NOW - DAY), started(1, "2.1.1", NOW - 2 * DAY)] }),
    );
    expect(builds).toEqual([
      expect.objectContaining({
        hash: hash(1),
        platform: null,
        standing: expect.objectContaining({ state: "unknown" }),
        sessions: 2,
        firstRun: NOW - 2 * DAY,
        lastRun: NOW - DAY,
      }),
    ]);
  });

  it("other bytes under an approved version's name are `changed`, and what is approved is named", () => {
    const { builds } = agentsOverview(
      facts({ approvals: approvals(1, said(build(1))), events: [started(2, "2.1.329", NOW)] }),
    );
    expect(builds.map(({ hash: of, standing }) => [of, standing.state, standing.approvedHash])).toEqual([
      [hash(2), "changed", hash(1)],
      [hash(1), "approved", null],
    ]);
  });

  it("of two that must agree, one has", () => {
    const [row] = agentsOverview(facts({ approvals: approvals(2, said(build(1))) })).builds;
    expect(row?.standing).toMatchObject({ state: "pending", by: ["ada"], needed: 1 });
  });

  it("a revocation is shown with whose word and why", () => {
    const revoked = said(build(1), { action: "revoke", at: NOW, reason: "it phones home", expires: null });
    const [row] = agentsOverview(facts({ approvals: approvals(1, said(build(1)), revoked) })).builds;
    expect(row?.standing).toMatchObject({ state: "revoked", by: ["ada"], reason: "it phones home" });
    expect(row?.statements.map(({ action }) => action)).toEqual(["revoke", "approve"]);
  });

  it("has the reports about its own bytes, hidden differences counted apart", () => {
    const [row] = agentsOverview(
      facts({
        approvals: approvals(1, said(build(1))),
        reports: [
          report("1".repeat(64), "marker", "order", "canary", "content"),
          report("2".repeat(64), "marker"),
        ],
      }),
    ).builds;
    expect(row?.reports).toEqual([expect.objectContaining({ hidden: 2, canaries: 1, visible: 1, runs: 7 })]);
  });
});

it("an extension that was kept from starting is shown although nobody has spoken about it", () => {
  const refused: LedgerEvent = {
    v: 1,
    at: NOW,
    kind: "admission.refused",
    principal: "local:1",
    agent: { name: "claude", version: null },
    profile: { name: "strict", sha256: "" },
    what: ".claude/hooks",
    hash: hash(7),
    standing: "unknown",
  };
  expect(agentsOverview(facts({ events: [refused, refused] })).extensions).toEqual([
    expect.objectContaining({ path: ".claude/hooks", type: "hook", refused: 2 }),
  ]);
});

it("a report tells its code points, and what it left running", () => {
  const detail = reportDetail("f".repeat(64), [report("1".repeat(64), "marker")]);
  expect(detail?.findings[0]).toMatchObject({
    isHidden: true,
    codePoints: { a: ["U+0027 APOSTROPHE"], b: ["U+02BC MODIFIER LETTER APOSTROPHE"] },
  });
  expect(detail?.left).toEqual(["node", "port 9"]);
  expect(reportDetail("0".repeat(64), [])).toBeNull();
});
