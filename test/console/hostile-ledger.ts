/**
 * A ledger in which whoever could write a field wrote what might harm its reader: markup, terminal escapes, marks that reorder
 * or hide, lines without end, bytes that are no UTF-8. Written by the product's own writer, with sealed evidence.
 */
import { asSessionId, type Clock, type EventBody, exchangeId, type SessionId } from "../../src/core/index.ts";
import { openLedger } from "../../src/ledger/index.ts";

export const MARKUP = "<img src=x onerror=globalThis.harmed=1><script>globalThis.harmed=1</script>";
export const REORDERED = "invoice\u202egpj.exe\u2066\u200b";
export const ESCAPES = "\u001b[2J\u001b]0;owned\u0007";
export const LONG = "A".repeat(6_000);
/** A value that detectors know: no key of anybody. */
export const SECRET = "ghp_aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5";

export const SESSION = "7f3a0001";
const DAY_MS = 86_400_000;

interface Kind {
  readonly agent: string;
  readonly workspace: string;
  readonly host: string;
  readonly path: string;
  readonly model: string;
  readonly file: string;
  readonly verdict: "allow" | "redact" | "deny";
}

const KINDS: readonly Kind[] = [
  {
    agent: "claude",
    workspace: "payments",
    host: "api.anthropic.com",
    path: "/v1/messages",
    model: "claude-sonnet-4-5",
    file: "src/ledger.ts",
    verdict: "allow",
  },
  {
    agent: MARKUP,
    workspace: MARKUP,
    host: "api.openai.com",
    path: `/v1/${MARKUP}`,
    model: MARKUP,
    file: `src/${MARKUP}`,
    verdict: "redact",
  },
  {
    agent: REORDERED,
    workspace: REORDERED,
    host: "dashscope.aliyuncs.com",
    path: `/${REORDERED}`,
    model: REORDERED,
    file: REORDERED,
    verdict: "deny",
  },
  {
    agent: ESCAPES,
    workspace: `repo${ESCAPES}`,
    host: "generativelanguage.googleapis.com",
    path: `/${ESCAPES}`,
    model: ESCAPES,
    file: `a${ESCAPES}b`,
    verdict: "allow",
  },
  {
    agent: "long",
    workspace: LONG,
    host: "llm.corp.example",
    path: `/${LONG}`,
    model: LONG.slice(0, 900),
    file: LONG,
    verdict: "allow",
  },
];

const sessionOf = (n: number): SessionId => {
  const id = asSessionId((Number.parseInt(SESSION, 16) + n).toString(16));
  if (id === null) throw new Error("no session id");
  return id;
};

const body = (kind: Kind): Buffer =>
  Buffer.concat([
    Buffer.from(
      JSON.stringify({
        model: "claude-sonnet-4-5",
        messages: [
          {
            role: "user",
            content: `please look at ${kind.file} ${MARKUP} ${REORDERED} ${ESCAPES} token ${SECRET}`,
          },
        ],
      }),
    ),
  ]);

/** Fills `<state>/ledger` with sessions of the last days before `now`. Returns the number of entries. */
export async function writeHostileLedger(state: string, now: number): Promise<number> {
  let at = now - 6 * DAY_MS;
  const clock: Clock = { now: () => at, monotonic: () => performance.now() };
  const ledger = await openLedger({
    directory: `${state}/ledger`,
    keyDirectory: `${state}/keys`,
    clock,
    program: "test",
  });
  for (const [n, kind] of KINDS.entries()) {
    const session = sessionOf(n);
    await ledger.append(started(session, kind));
    for (let i = 1; i <= 6; i++) {
      at += 3_600_000 * 3;
      const evidence = [
        {
          role: "request-head" as const,
          chunks: [Buffer.from(`POST ${kind.path} HTTP/1.1\r\nhost: ${kind.host}\r\n\r\n`)],
        },
        {
          role: "request-body" as const,
          chunks: [i === 6 ? Buffer.from([0xff, 0xfe, 0x00, 0x80, 0xc3, 0x28]) : body(kind)],
        },
      ];
      await ledger.append(judged(session, i, kind), evidence);
      if (kind.verdict === "deny") continue;
      await ledger.append(answered(session, i), [
        { role: "response-body", chunks: [Buffer.from(JSON.stringify({ said: MARKUP }))] },
      ]);
    }
    for (const event of inside(session, kind)) await ledger.append(event);
    await ledger.append({
      kind: "session.ended",
      session,
      reason: "exited",
      exitCode: 0,
      setAside: [kind.file],
      appeared: [],
    });
  }
  await ledger.append({
    kind: "evidence.viewed",
    session: sessionOf(0),
    evidenceId: "1-0-00",
    principal: `local:${MARKUP}`,
    reason: `${MARKUP}${REORDERED}`,
  });
  const { size } = ledger;
  await ledger.close();
  return size;
}

const started = (session: SessionId, kind: Kind): EventBody => ({
  kind: "session.started",
  session,
  principal: `local:${kind.agent.slice(0, 40)}`,
  agent: { name: kind.agent, version: "1.2.3", sha256: "ab".repeat(32) },
  profile: { name: "default", sha256: "cd".repeat(32) },
  workspace: kind.workspace,
  sandbox: "bubblewrap",
  gaps: kind.verdict === "deny" ? [MARKUP] : [],
  upstream: null,
});

const judged = (session: SessionId, n: number, kind: Kind): EventBody => ({
  kind: "exchange.judged",
  session,
  exchange: exchangeId(session, n),
  door: "tls",
  protocol: "http/1.1",
  method: "POST",
  host: kind.host,
  port: 443,
  path: kind.path,
  queryBytes: 0,
  sentTo: `https://${kind.host}`,
  destination: kind.host === "api.anthropic.com" ? "anthropic-api" : null,
  dialect: "anthropic-messages",
  understood: true,
  model: kind.model,
  requestBytes: 21_000 + 997 * n,
  sources: { files: [kind.file], commands: 1, others: 0 },
  findings:
    n % 2 === 0 && kind.verdict !== "allow" ? [{ class: "secret", detector: "github-token", count: 1 }] : [],
  verdict: kind.verdict,
  rules: [`default/${kind.verdict}`],
  evidence: [],
});

const answered = (session: SessionId, n: number): EventBody => ({
  kind: "exchange.answered",
  session,
  exchange: exchangeId(session, n),
  status: 200,
  responseBytes: 4_100,
  address: "192.0.2.7",
  tlsPeer: null,
  usage: { inputTokens: 9_000, outputTokens: 340, cachedTokens: null },
  complete: true,
  durationMs: 2_310,
  evidence: [],
});

const inside = (session: SessionId, kind: Kind): readonly EventBody[] => [
  {
    kind: "command.started",
    session,
    commands: [
      {
        command: 1,
        parent: null,
        program: `/usr/bin/${kind.file.slice(0, 200)}`,
        sha256: null,
        arguments: 2,
        folder: ".",
      },
    ],
    evidence: [],
  },
  { kind: "file.changed", session, changes: [{ command: 1, change: "written", path: kind.file }] },
  {
    kind: "connection.refused",
    session,
    door: "tls",
    host: `x.${kind.host}`,
    port: 443,
    rule: `default/${MARKUP}`,
    reason: `${kind.model} is not allowed`,
  },
  { kind: "command.ended", session, commands: [{ command: 1, exitCode: 0 }], unreadable: 0 },
];
