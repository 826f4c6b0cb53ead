import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { type EventBody, exchangeId, type LedgerEvent, newSessionId } from "../core/index.ts";
import { declarationText, duration, SessionFold, size } from "./index.ts";

const session = newSessionId(() => Buffer.from("7f3a0001", "hex"));
const STARTED: EventBody = {
  kind: "session.started",
  session,
  principal: "local:1000",
  agent: { name: "claude", version: "2.1.329", sha256: null },
  profile: { name: "default", sha256: "00" },
  workspace: "payments",
  sandbox: "bubblewrap",
  gaps: [],
  upstream: null,
};

function judged(
  number: number,
  more: Partial<Extract<EventBody, { kind: "exchange.judged" }>> = {},
): EventBody {
  return {
    kind: "exchange.judged",
    session,
    exchange: exchangeId(session, number),
    door: "tls",
    protocol: "http/1.1",
    method: "POST",
    host: "api.anthropic.com",
    port: 443,
    path: "/v1/messages",
    queryBytes: 0,
    sentTo: "https://api.anthropic.com",
    destination: "anthropic-api",
    dialect: "anthropic-messages",
    understood: true,
    model: "claude-sonnet-4-5",
    requestBytes: 50_000,
    sources: { files: [], commands: 0, others: 0 },
    findings: [],
    verdict: "allow",
    rules: [],
    evidence: [],
    ...more,
  };
}

function answered(number: number): EventBody {
  return {
    kind: "exchange.answered",
    session,
    exchange: exchangeId(session, number),
    status: 200,
    responseBytes: 1_000,
    address: "198.51.100.7",
    tlsPeer: null,
    usage: { inputTokens: 100, outputTokens: 20, cachedTokens: null },
    complete: true,
    durationMs: 12,
    evidence: [],
  };
}

const refused = (host: string): EventBody => ({
  kind: "connection.refused",
  session,
  door: "tls",
  host,
  port: 443,
  rule: "no-telemetry",
  reason: "",
});

function fold(bodies: readonly EventBody[]): SessionFold {
  const state = new SessionFold();
  for (const [at, body] of bodies.entries()) {
    const event: LedgerEvent = { v: 1, at: 1_000_000 + at * 1_000, ...body };
    state.add(100 + at, event);
  }
  return state;
}

const facts = {
  facts: () => ({ operator: "Anthropic", law: ["US"], asOf: "2026-11-20" }),
  color: false,
  signedAt: 1_010_000,
};

describe("the declaration", () => {
  test.each<[string, readonly EventBody[]]>([
    [
      "nothing-left",
      [
        STARTED,
        { kind: "session.ended", session, reason: "exited", exitCode: 0, setAside: [], appeared: [] },
      ],
    ],
    [
      "a-task",
      [
        STARTED,
        judged(1),
        answered(1),
        judged(2, {
          sources: { files: ["README.md", "src/a.ts"], commands: 1, others: 0 },
          requestBytes: 51_000,
        }),
        answered(2),
        refused("statsig.anthropic.com"),
        refused("statsig.anthropic.com"),
        judged(3, { findings: [{ class: "secret", detector: "github-token", count: 1 }] }),
        {
          kind: "exchange.failed",
          session,
          exchange: exchangeId(session, 3),
          fault: "gateway.upstream",
          mayHaveLeft: true,
          durationMs: 3,
        },
        { kind: "session.ended", session, reason: "exited", exitCode: 0, setAside: [], appeared: [] },
      ],
    ],
    [
      "secrets-kept-in",
      [
        STARTED,
        judged(1, {
          verdict: "redact",
          rules: ["secrets-masked"],
          findings: [{ class: "secret", detector: "github-token", count: 2 }],
          redacted: [
            { class: "secret", detector: "github-token", count: 2 },
            { class: "personal", detector: "email", count: 1 },
          ],
        }),
        answered(1),
        judged(2, { verdict: "redact", redacted: [{ class: "secret", detector: "pem", count: 1 }] }),
        answered(2),
        judged(3, { verdict: "redact", redacted: [{ class: "secret", detector: "pem", count: 7 }] }),
        {
          kind: "exchange.failed",
          session,
          exchange: exchangeId(session, 3),
          fault: "gateway.unreachable",
          mayHaveLeft: false,
          durationMs: 3,
        },
        { kind: "session.ended", session, reason: "exited", exitCode: 0, setAside: [], appeared: [] },
      ],
    ],
    [
      "programs-and-tunnels",
      [
        STARTED,
        {
          kind: "command.started",
          session,
          commands: [1, 2].map((command) => ({
            ...{ command, parent: command === 1 ? null : 1, program: "/usr/bin/git", sha256: null },
            ...{ arguments: 2, folder: "." },
          })),
          evidence: [],
        },
        {
          kind: "file.changed",
          session,
          changes: [
            { command: 1, change: "created", path: "a" },
            { command: 2, change: "written", path: "a" },
            { command: 2, change: "renamed", path: "a", to: "b" },
          ],
        },
        {
          kind: "tunnel.opened",
          session,
          exchange: exchangeId(session, 1),
          ...{ host: "github.com", port: 22, protocol: "ssh", destination: null, rules: [] },
        },
        {
          kind: "tunnel.closed",
          session,
          exchange: exchangeId(session, 1),
          ...{
            address: "198.51.100.7",
            sentBytes: 4_200,
            receivedBytes: 9_000,
            fault: null,
            durationMs: 800,
          },
        },
        { kind: "recorder.lost", session, detail: "it ended before the session" },
      ],
    ],
    [
      "stand-in-without-sandbox",
      [
        {
          ...STARTED,
          kind: "session.started",
          sandbox: "none",
          upstream: "http://127.0.0.1:8080",
        } as EventBody,
        judged(1, { sentTo: "http://127.0.0.1:8080", understood: false }),
        answered(1),
      ],
    ],
  ])("%s reads as its golden file", (name, bodies) => {
    const declared = fold(bodies).declaration();
    if (declared === null) throw new Error("no declaration");
    const file = join(import.meta.dirname, `../../test/golden/report/${name}.txt`);
    const text = `${declarationText(declared, facts)}\n`;
    if (process.env["UPDATE"] === "1") writeFileSync(file, text);
    expect(existsSync(file) ? readFileSync(file, "utf8") : "").toBe(text);
  });

  it("where the console runs, its page of the session is named", () => {
    const declared = fold([STARTED]).declaration();
    if (declared === null) throw new Error("no declaration");
    const text = declarationText(declared, { ...facts, consoleAt: "http://127.0.0.1:7400" });
    expect(text).toContain(`sallyport show ${session} · http://127.0.0.1:7400/#/sessions/${session}`);
  });

  it("a request that was denied, or that never left, is not declared as sent", () => {
    const declared = fold([
      STARTED,
      judged(1, { verdict: "deny", rules: ["secrets-stay"] }),
      judged(2),
      {
        kind: "exchange.failed",
        session,
        exchange: exchangeId(session, 2),
        fault: "gateway.unreachable",
        mayHaveLeft: false,
        durationMs: 1,
      },
    ]).declaration();
    expect(declared?.sent).toEqual([]);
    expect(declared?.refused).toEqual([{ host: "api.anthropic.com", rule: "secrets-stay", count: 1 }]);
  });

  it("sent bytes are the sum of what the events say, whatever the order of replies", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 1e6 }), { maxLength: 30 }),
        fc.boolean(),
        (sizes, lateFirst) => {
          const replies = sizes.map((_, at) => answered(at + 1));
          const declared = fold([
            STARTED,
            ...sizes.map((requestBytes, at) => judged(at + 1, { requestBytes })),
            ...(lateFirst ? replies.reverse() : replies),
          ]).declaration();
          expect(declared?.sent[0]?.requestBytes ?? 0).toBe(sizes.reduce((a, b) => a + b, 0));
          expect(declared?.sent[0]?.responseBytes ?? 0).toBe(sizes.length * 1_000);
        },
      ),
    );
  });

  it("before the first event there is nothing to declare", () => {
    expect(new SessionFold().declaration()).toBeNull();
  });
});

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1_000, "1.0 kB"],
  [1_840_000, "1.84 MB"],
])("%i bytes read as %s", (bytes, text) => {
  expect(size(bytes)).toBe(text);
});

test.each([
  [1_234, "1.2s"],
  [724_000, "12m 04s"],
])("%i ms read as %s", (ms, text) => {
  expect(duration(ms)).toBe(text);
});
