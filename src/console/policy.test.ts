// A draft is checked, compared and tried; what it would change is told before anybody puts it in force, and nothing is saved.
import { describe, expect, it } from "vitest";
import { asSessionId, exchangeId, type LedgerEvent } from "../core/index.ts";
import type { FoundEntry } from "../ledger/index.ts";
import { type Point, parseDocument, readyProfile } from "../policy/index.ts";
import {
  documentDetail,
  type PolicyFacts,
  type PolicyFile,
  policyOverview,
  proofsOf,
  type Traffic,
  tryDraft,
} from "./policy.ts";

const SESSION = asSessionId("00000001") ?? expect.fail("not an id");
const PROFILE = (then: string): string => `apiVersion: sallyport/v1
kind: Profile
metadata: { name: team, owner: lead@corp.example, review: 2026-01-01 }
network: { default: deny, allow: [{ id: models, title: Models, because: Work, hosts: [api.vendor.example] }] }
send:
  default: deny
  rules:
    - { id: code, title: Code may go, because: Work, when: { data: [internal_code, public] }, then: ${then} }
inspect: { canaries: [{ id: planted, text: zq-canary-7781 }] }
`;
const GUARDRAILS = `apiVersion: sallyport/v1
kind: Guardrails
metadata: { name: org, owner: ciso@corp.example }
send:
  rules:
    - { id: no-secrets, title: Secrets are masked, because: Leaks, when: { data: [secret] }, unless: { operatorLaw: [SELF] }, then: redact }
    - { id: idle, title: Nobody asked for it, because: Habit, when: { data: [personal], channel: [update] }, then: deny }
`;
const file = (origin: PolicyFile["origin"], name: string, text: string): PolicyFile => ({
  origin,
  file: name,
  text,
  changedAt: 5,
  belongsTo: "account",
});
const started = (profile: string): LedgerEvent => ({
  v: 1,
  at: 100,
  kind: "session.started",
  session: SESSION,
  principal: "local:1",
  agent: { name: "claude", version: null, sha256: null },
  profile: { name: profile, sha256: "" },
  workspace: "w",
  sandbox: "bubblewrap",
  gaps: [],
  upstream: null,
});
const facts = (more: Partial<PolicyFacts> = {}): PolicyFacts => ({
  files: [
    file("own", "/c/team.yaml", PROFILE("allow")),
    file("ready", "default (ready profile)", readyProfile("default") ?? ""),
  ],
  properties: [],
  started: [started("team+org")],
  today: "2026-11-30",
  parse: parseDocument,
  ...more,
});
const POINT: Point = {
  agent: "claude",
  build: "unknown",
  host: "api.vendor.example",
  port: 443,
  channel: "llm",
  serverIn: "US",
  operatorLaw: "US",
  trains: "no",
  dpa: "signed",
  repo: "unknown",
  data: "internal_code",
  model: "m",
};
const judged = (count: number): readonly FoundEntry[] =>
  Array.from({ length: count }, (_, index) => ({
    index,
    event: {
      v: 1,
      at: 1000 + index,
      kind: "exchange.judged",
      session: SESSION,
      exchange: exchangeId(SESSION, index + 1),
      door: "tls",
      protocol: "h2",
      method: "POST",
      host: "api.vendor.example",
      port: 443,
      path: "/",
      queryBytes: 0,
      sentTo: "https://api.vendor.example",
      destination: null,
      dialect: "opaque",
      understood: true,
      model: null,
      requestBytes: 1,
      sources: { files: [], commands: 0, others: 0 },
      findings: [],
      verdict: "allow",
      rules: [],
      evidence: [],
    },
  }));
const traffic = (count: number): Traffic => ({
  judged: judged(count),
  judgementOf: (entry, event) => ({ entry, verdict: event.verdict, points: [POINT] }),
});
const WHERE = { guardrails: "/etc/sallyport/guardrails.yaml", profiles: "/c/profiles" };
const draft = (text: string, more: Partial<PolicyFacts> = {}, requests = 3) =>
  tryDraft({ text, profile: null, language: "en" }, facts(more), traffic(requests), WHERE);

describe("a draft", () => {
  it.each([
    ["an unknown key", `${PROFILE("allow")}sent: 1\n`, 10, 1, "sent"],
    ["no verdict", PROFILE("maybe"), 8, 101, "send.rules[0].then"],
    ["a duplicate key", `${PROFILE("allow")}kind: Profile\n`, 10, 1, null],
    ["no YAML", "a: [", 1, 5, null],
  ])("with %s is refused at its place", (_title, text, line, column, path) => {
    const answer = draft(text);
    expect(answer).toMatchObject({ isValid: false, error: { line, column, path, file: "draft.yaml" } });
  });

  it("that forbids what was allowed: the sentence, that it is tighter, and which recorded requests it would have refused", () => {
    const answer = draft(PROFILE("deny"));
    if (!answer.isValid) expect.fail("valid");
    expect(answer.replaces).toBe("/c/team.yaml");
    expect(answer.diff?.loosens).toBe(false);
    expect(answer.diff?.changes[0]?.sentence).toContain("becomes deny");
    expect(answer.replay).toMatchObject({ judged: 3, changed: 3, isOwnTraffic: true, isCut: false });
    expect(answer.replay.changes[0]).toMatchObject({
      from: "allow",
      to: "deny",
      rules: ["team/code"],
      count: 3,
      entries: [0, 1, 2],
    });
    expect(answer.place).toEqual({
      file: "/c/profiles/team.yaml",
      commands: ["sallyport policy check /c/profiles/team.yaml", "sallyport policy reload"],
    });
  });

  it("that is looser is said to be", () => {
    const answer = draft(
      PROFILE("allow").replace("[internal_code, public]", "[internal_code, public, secret]"),
    );
    expect(answer).toMatchObject({ isValid: true, diff: { loosens: true } });
  });

  it("of guardrails is tried beside a profile, and compared with no guardrails where there are none", () => {
    const answer = tryDraft(
      { text: GUARDRAILS, profile: "team", language: "en" },
      facts(),
      traffic(2),
      WHERE,
    );
    if (!answer.isValid) expect.fail("valid");
    expect(answer.replaces).toBeNull();
    expect(answer.replay.judged).toBe(2);
    expect(answer.place.file).toBe("/etc/sallyport/guardrails.yaml");
  });

  it("of a new profile is compared with nothing", () => {
    const answer = draft(PROFILE("allow").replace("name: team", "name: fresh"));
    expect(answer).toMatchObject({ isValid: true, replaces: null, diff: null, diffFault: null });
  });

  it("is tried on other profiles' traffic only where its own has none, and says so", () => {
    const answer = draft(PROFILE("deny"), { started: [started("default")] });
    expect(answer).toMatchObject({ isValid: true, replay: { isOwnTraffic: false, judged: 3 } });
  });
});

describe("the documents", () => {
  it("are told with owner, use and whether somebody should have looked again; one that is broken with its place", () => {
    const { documents } = policyOverview(
      facts({ files: [...facts().files, file("own", "/c/broken.yaml", "kind: [")] }),
      "en",
    );
    expect(documents).toEqual([
      expect.objectContaining({
        name: "team",
        owner: "lead@corp.example",
        isOverdue: true,
        sessions: 1,
        lastUsed: 100,
      }),
      expect.objectContaining({ name: "default", origin: "ready", sessions: 0, error: null }),
      expect.objectContaining({ name: "broken", kind: null, error: expect.objectContaining({ line: 1 }) }),
    ]);
  });

  it("are shown as they are written only to whoever may write policy: they hold canaries", () => {
    const seen = documentDetail("team", "own", facts(), "en", false);
    expect(JSON.stringify(seen)).not.toContain("zq-canary-7781");
    expect(documentDetail("team", "own", facts(), "en", true)?.text).toContain("zq-canary-7781");
    expect(documentDetail("nobody", "own", facts(), "en", true)).toBeNull();
  });
});

describe("proofs", () => {
  it("beside guardrails are about every profile, and tell which rule no property needs", () => {
    const answer = proofsOf(
      "team",
      facts({ files: [file("guardrails", "/g.yaml", GUARDRAILS), ...facts().files] }),
      "en",
      () => 0,
    );
    expect(answer.scope).toBe("any-profile");
    expect(answer.proofs.find(({ id }) => id === "S-1")).toMatchObject({ holds: true });
    expect(answer.proofs.find(({ id }) => id === "S-3")).toMatchObject({
      holds: false,
      counterExample: expect.any(String),
    });
    expect(answer.mutants).toEqual([
      expect.objectContaining({ rule: "no-secrets", neededBy: ["S-1"] }),
      expect.objectContaining({ rule: "idle", neededBy: [] }),
    ]);
  });

  it("of properties that are broken say where", () => {
    const answer = proofsOf(
      "team",
      facts({ properties: [{ file: "/p.yaml", text: "kind: Properties\n" }] }),
      "en",
      () => 0,
    );
    expect(answer).toMatchObject({ file: "/p.yaml", proofs: [], error: { file: "/p.yaml", line: 1 } });
  });

  it("the starter's hold or break for each ready profile as they are", () => {
    const { proofs } = proofsOf("default", facts(), "zh-CN", () => 0);
    expect(proofs.map(({ id, holds }) => [id, holds])).toEqual([
      ["S-1", true],
      ["S-2", true],
      ["S-3", true],
      ["S-4", true],
    ]);
  });
});
