/**
 * A state folder with something true on each page about decisions: a real ledger, real signed statements, a vetting report as
 * the lab writes it, a profile of one's own. Names, paths and words are as hostile as a repository or a server could make them.
 */
import { createHash, generateKeyPairSync } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { asSessionId, type EventBody, exchangeId, type SessionId } from "../../src/core/index.ts";
import { openLedger } from "../../src/ledger/index.ts";
import {
  approvingKey,
  publicText,
  putStatement,
  type RegisterPlaces,
  type Statement,
  type Subject,
} from "../../src/register/index.ts";

/** What must never run, reorder or hide: shown as it is in every field that others can write. */
export const HOSTILE = "<img src=x onerror=window.hacked=1>\u202etxt.exe\u200b\u001b[31m";
const DAY = 86_400_000;
const hash = (n: number): string => `h1:${Buffer.alloc(32, n).toString("base64")}`;
const sha = (text: string): string => createHash("sha256").update(text).digest("hex");

export const APPROVED = { hash: hash(1), executable: sha("claude 2.1.329") };
export const UNVETTED = { hash: hash(2), executable: sha("codex 0.169.0") };

export const PROFILE = `apiVersion: sallyport/v1
kind: Profile
metadata: { name: asks, owner: security@corp.example, review: 2026-06-01, title: { en: Secrets wait for a yes, zh-CN: 凭据须经批准 } }
approvals: { self: allow, seconds: 900 }
network:
  default: deny
  allow: [{ id: model, title: { en: The model, zh-CN: 模型 }, because: { en: this is the job, zh-CN: 工作所需 }, hosts: [api.anthropic.com] }]
send:
  default: deny
  rules:
    - { id: code, title: { en: Code may go to the model, zh-CN: 代码可发送给模型 }, because: { en: this is the job, zh-CN: 工作所需 }, when: { data: [public, internal_code, personal] }, then: allow }
    - { id: secrets, title: { en: Secrets need a yes, zh-CN: 凭据须批准 }, because: { en: a person decides, zh-CN: 由人决定 }, when: { data: [secret] }, then: ask, waivable: true, controls: ["nist80053:AC-4"] }
files: { hide: [.env, "*.pem"] }
inspect: { canaries: [{ id: planted, text: zq-canary-7781 }] }
`;

interface Lines {
  readonly path: string;
  readonly lines: readonly (readonly [number, number])[];
  readonly of: number;
  readonly version?: string;
}

export async function seed(state: string, principal: string, now: number): Promise<void> {
  let at = now - 12 * DAY;
  const ledger = await openLedger({
    directory: join(state, "ledger"),
    keyDirectory: join(state, "keys"),
    program: "test",
    clock: { now: () => at, monotonic: () => performance.now() },
  });
  let number = 0;
  const session = async (
    agent: string,
    version: string,
    build: { hash: string; executable: string },
    workspace: string,
    profile: string,
  ): Promise<SessionId> => {
    const id = asSessionId((++number).toString(16).padStart(8, "0"));
    if (id === null) throw new Error("not an id");
    await ledger.append({
      kind: "session.started",
      session: id,
      principal,
      agent: { name: agent, version, sha256: build.executable },
      profile: { name: profile, sha256: "" },
      workspace,
      sandbox: "bubblewrap",
      gaps: [],
      upstream: null,
      admission: { build: build.hash, standing: build === APPROVED ? "approved" : "unknown" },
    });
    return id;
  };
  const sent = async (
    id: SessionId,
    n: number,
    to: {
      readonly host: string;
      readonly destination: string | null;
      readonly sentTo?: string;
      readonly address?: string;
      readonly region?: string;
      readonly answers?: string;
    },
    files: readonly Lines[],
    more: Partial<Extract<EventBody, { kind: "exchange.judged" }>> = {},
  ): Promise<void> => {
    at += DAY / 8;
    const sentTo = to.sentTo ?? `https://${to.host}`;
    await ledger.append({
      kind: "exchange.judged",
      session: id,
      exchange: exchangeId(id, n),
      door: "tls",
      protocol: "h2",
      method: "POST",
      host: to.host,
      port: 443,
      path: "/v1/messages",
      queryBytes: 0,
      sentTo,
      destination: to.destination,
      dialect: "anthropic-messages",
      understood: true,
      model: "claude-sonnet-4-5",
      requestBytes: 40_000 + 1000 * n,
      sources: { files: files.map(({ path }) => path), commands: 0, others: 0 },
      findings: [{ class: "internal_code", detector: "workspace", count: files.length }],
      verdict: "allow",
      rules: ["asks/code"],
      evidence: [],
      ...more,
    });
    if (more.verdict === "deny") return;
    if (files.length > 0)
      await ledger.append({
        kind: "exchange.traced",
        session: id,
        exchange: exchangeId(id, n),
        host: to.host,
        sentTo,
        destination: to.destination,
        files: files.map(({ path, lines, of, version }) => ({
          path,
          lines,
          of,
          bytes: lines.reduce((sum, [first, last]) => sum + 38 * (last - first + 1), 0),
          sha256: sha(path + (version ?? "1")),
        })),
        bytes: 22_000,
        unmatchedBytes: 4_100,
      });
    await ledger.append({
      kind: "exchange.answered",
      session: id,
      exchange: exchangeId(id, n),
      status: 200,
      responseBytes: 9_000,
      address: to.address ?? "160.79.104.10",
      tlsPeer: sentTo.startsWith("https") ? sha(`certificate of ${to.host}`) : null,
      usage: { inputTokens: 9000, outputTokens: 700, cachedTokens: 0 },
      reported: { model: to.answers ?? "claude-sonnet-4-5-20250929", region: to.region ?? null },
      complete: true,
      durationMs: 2100,
      evidence: [],
    });
  };
  const anthropic = { host: "api.anthropic.com", destination: "anthropic-api", region: "us" };
  const own = {
    host: "openai-compatible.example",
    destination: null,
    sentTo: "http://10.2.0.7:8000",
    address: "10.2.0.7",
    answers: "qwen3-coder",
  };

  const shop = await session("claude", "2.1.329", APPROVED, "payments-service", "asks");
  await ledger.append({
    kind: "workspace.measured",
    session: shop,
    workspace: "payments-service",
    commit: sha("commit").slice(0, 40),
    files: 214,
    lines: 18_420,
    bytes: 702_000,
    folders: [
      { path: "", files: 214, lines: 18_420 },
      { path: "src", files: 96, lines: 9_300 },
      { path: "src/ledger", files: 22, lines: 3_100 },
      { path: "src/cards", files: 30, lines: 2_900 },
      { path: "src/http", files: 28, lines: 2_100 },
      { path: "src/jobs", files: 16, lines: 1_200 },
      { path: "test", files: 70, lines: 5_600 },
      { path: "docs", files: 26, lines: 1_420 },
      { path: "infra", files: 18, lines: 1_800 },
      { path: "scripts", files: 4, lines: 300 },
    ],
    notRead: 3,
  });
  await sent(shop, 1, anthropic, [
    { path: "src/ledger/post.ts", lines: [[1, 420]], of: 420 },
    {
      path: "src/ledger/balance.ts",
      lines: [
        [1, 180],
        [240, 310],
      ],
      of: 512,
    },
    { path: "README.md", lines: [[1, 88]], of: 88 },
  ]);
  await sent(shop, 2, anthropic, [
    { path: "src/ledger/balance.ts", lines: [[300, 512]], of: 512 },
    { path: "src/cards/tokenise.ts", lines: [[12, 140]], of: 380 },
    { path: "infra/terraform/main.tf", lines: [[1, 60]], of: 610 },
  ]);
  await sent(shop, 3, anthropic, [
    { path: "src/ledger/post.ts", lines: [[100, 220]], of: 431, version: "2" },
    { path: "test/ledger.test.ts", lines: [[1, 260]], of: 900 },
    { path: `docs/${HOSTILE}.md`, lines: [[1, 3]], of: 9 },
  ]);
  await sent(shop, 4, anthropic, [], {
    findings: [{ class: "secret", detector: "github-token", count: 1 }],
    verdict: "deny",
    rules: ["asks/secrets"],
  });
  const site = await session("codex", "0.169.0", UNVETTED, "docs-site", "default");
  await sent(site, 1, own, [{ path: "index.html", lines: [[1, 40]], of: 40 }]);
  await sent(
    site,
    2,
    { ...anthropic, answers: "claude-haiku-4-5" },
    [{ path: "guide.md", lines: [[4, 90]], of: 300 }],
    {
      findings: [{ class: "personal", detector: "email", count: 2 }],
    },
  );
  await session(
    "claude",
    "2.1.329",
    { hash: hash(3), executable: sha("other bytes") },
    `repo-${HOSTILE}`,
    "asks",
  );
  await ledger.append({
    kind: "admission.refused",
    principal,
    agent: { name: "claude", version: "2.1.329" },
    profile: { name: "asks", sha256: "" },
    what: ".claude/hooks",
    hash: hash(4),
    standing: "unknown",
  });
  await questions(ledger, site, principal, () => at);
  await ledger.close();
  await register(state, principal, now);
  vetting(state);
  mkdirSync(join(state, "config/profiles"), { recursive: true });
  writeFileSync(join(state, "config/profiles/asks.yaml"), PROFILE);
  writeFileSync(
    join(state, "config/profiles/broken.yaml"),
    "apiVersion: sallyport/v1\nkind: Profile\nmetadata: { name: broken }\n",
  );
}

/** Questions of former days, each answered in its own way. */
async function questions(
  ledger: Awaited<ReturnType<typeof openLedger>>,
  session: SessionId,
  requester: string,
  at: () => number,
): Promise<void> {
  for (const [n, outcome] of (["allow", "deny", "expired"] as const).entries()) {
    const question = exchangeId(session, 20 + n);
    await ledger.append({
      kind: "approval.asked",
      session,
      question,
      requester,
      host: "api.anthropic.com",
      port: 443,
      sentTo: "https://api.anthropic.com",
      destination: "anthropic-api",
      model: "claude-sonnet-4-5",
      requestBytes: 12_000,
      findings: [{ class: "secret", detector: "github-token", count: 1 }],
      rules: ["asks/secrets"],
      classes: ["secret"],
      deadlineAt: at() + 240_000,
      evidence: [],
    });
    if (outcome === "expired")
      await ledger.append({ kind: "approval.expired", session, question, because: "deadline" });
    else
      await ledger.append({
        kind: "approval.answered",
        session,
        question,
        verdict: outcome,
        by: `${requester}/ada`,
        reason: outcome === "allow" ? "the token is a sample of the manual" : HOSTILE,
        scope: "once",
        expiresAt: at() + 3_600_000,
        rules: ["asks/secrets"],
        where: { data: ["secret"], host: ["api.anthropic.com"] },
        requester,
      });
  }
}

async function register(state: string, principal: string, now: number): Promise<void> {
  const places: RegisterPlaces = {
    system: "/nonexistent",
    own: join(state, "config/register"),
    keyFile: join(state, "keys/approver.pem"),
    principal,
  };
  const key = await approvingKey(places);
  const second = generateKeyPairSync("ed25519");
  mkdirSync(places.own, { recursive: true });
  writeFileSync(
    join(places.own, "approvers.yaml"),
    stringify({
      version: 1,
      required: 1,
      approvers: [
        { name: "ada", key: publicText(key) },
        { name: "grace", key: publicText(second.publicKey) },
      ],
    }),
  );
  const build = (n: number, agent: string, version: string, executable: string): Subject => ({
    kind: "build",
    agent,
    version,
    platform: `${process.platform}-${process.arch}`,
    hash: hash(n),
    files: 12,
    executable,
    native: true,
  });
  const say = (subject: Subject, by: string, signer: typeof key, more: Partial<Statement>): Promise<string> =>
    putStatement(
      places,
      {
        type: "sallyport/register/v1",
        action: "approve",
        subject,
        by,
        at: now - 9 * DAY,
        reason: "read the vetting report; no hidden difference",
        expires: now + 80 * DAY,
        evidence: {},
        ...more,
      },
      signer,
    );
  await say(build(1, "claude", "2.1.329", APPROVED.executable), "ada", key, {});
  await say(build(5, "claude", "2.1.197", sha("old")), "grace", second.privateKey, { at: now - 40 * DAY });
  await say(build(5, "claude", "2.1.197", sha("old")), "ada", key, {
    action: "revoke",
    reason: `its date line tells time zones apart ${HOSTILE.replace("\u001b", "")}`,
    expires: null,
  });
  const skill: Subject = {
    kind: "extension",
    type: "skill",
    path: `.claude/skills/${"deploy"}`,
    hash: hash(6),
  };
  await say(skill, "grace", second.privateKey, { reason: "read it; it calls make alone" });
}

/** As `sallyport vet --json` has it, of a build with a marker. */
function vetting(state: string): void {
  const line = (quote: string): string =>
    `Today${quote}s date is 2026-11-20\nYou are an agent.\nWork in the folder.`;
  const report = {
    agent: "claude",
    build: "2.1.197",
    sha256: sha("old"),
    findings: [
      {
        factor: "base URL",
        a: "https://gw.corp.example",
        b: "https://api.deepseek.example",
        levels: ["https://api.deepseek.example"],
        kind: "marker",
        meaning:
          "the same text, written with other characters: it reads alike and tells the environments apart",
        where: "request 1, body /system/1/text, code point 6",
        places: 2,
        bytes: { a: "27", b: "cabc", aText: "'", bText: "\u02bc" },
        codePoints: { a: ["U+0027 APOSTROPHE"], b: ["U+02BC MODIFIER LETTER APOSTROPHE"] },
        context: { a: line("'"), b: line("\u02bc") },
        repeats: "5 of 5",
        controls: 5,
        smallest: "base URL alone",
        reproduce: "sallyport vet claude@2.1.197 --vary base-url",
        changes: [],
      },
      {
        factor: "locale",
        a: "en_US",
        b: HOSTILE,
        levels: [HOSTILE],
        kind: "content",
        meaning: "the text itself differs",
        where: "request 1, header accept-language",
        places: 1,
        bytes: { a: null, b: null, aText: null, bText: null },
        codePoints: { a: [], b: [] },
        context: { a: null, b: null },
        repeats: "3 of 3",
        controls: 5,
        smallest: "LANG",
        reproduce: "sallyport vet claude@2.1.197 --vary locale",
        changes: [{ kind: "content", where: "header accept-language", a: "en", b: "de" }],
      },
    ],
    explained: [
      { factor: "time zone", levels: ["Asia/Shanghai"], where: "system", explanation: "the date itself" },
    ],
    varied: [{ factor: "time zone", baseline: "UTC", levels: ["Asia/Shanghai", "America/New_York"] }],
    notVaried: ["operating system", "account"],
    notObserved: ["timing below 50 ms"],
    touched: {
      hosts: [
        { host: "api.anthropic.com", requests: 7, refused: false },
        { host: "statsig.anthropic.com", requests: 2, refused: true },
      ],
      names: ["sentry.io"],
      written: ["~/.claude.json"],
      persistence: [],
      processesLeft: [],
      portsLeft: [],
      traced: null,
    },
    switches: [
      { setting: "DISABLE_TELEMETRY=1", stops: ["statsig.anthropic.com POST /v1/rgstr"], starts: [] },
    ],
    installScripts: [],
    runs: 35,
    combinations: 7,
    tookSeconds: 94,
  };
  mkdirSync(join(state, "vettings"), { recursive: true });
  writeFileSync(join(state, "vettings/claude-2.1.197.json"), JSON.stringify(report));
}
