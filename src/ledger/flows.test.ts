import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { asSessionId, type EventBody, exchangeId, type LedgerEvent, type SessionId } from "../core/index.ts";
import { parseFilter, termText } from "./filter.ts";
import { gravest } from "./flow-fold.ts";
import { openLedger } from "./index.ts";
import { openQueryIndex, type QueryIndex } from "./query-index.ts";
import { readEntries } from "./read.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = Date.parse("2026-11-01T00:00:00Z");
const SESSIONS = ["000000a1", "000000a2", "000000a3"] as const;
const id = (text: string): SessionId => asSessionId(text) ?? expect.fail("not an id");

const arbitraryBody = fc.record({
  session: fc.constantFrom(...SESSIONS),
  what: fc.constantFrom("start", "judged", "judged", "judged", "refused", "answered", "ended", "commands"),
  verdict: fc.constantFrom("allow", "redact", "deny"),
  classes: fc.uniqueArray(fc.constantFrom("secret", "personal", "house", "infrastructure"), { maxLength: 3 }),
  host: fc.constantFrom("one.example", 'two "x", y'),
  isKnown: fc.boolean(),
  bytes: fc.nat(100_000),
  files: fc.uniqueArray(fc.constantFrom("a.ts", "b.ts", "c.ts"), { maxLength: 3 }),
  later: fc.nat(3 * DAY),
});
type Drawn = typeof arbitraryBody extends fc.Arbitrary<infer T> ? T : never;

function bodyOf(drawn: Drawn, n: number): EventBody {
  const session = id(drawn.session);
  const { host, bytes } = drawn;
  switch (drawn.what) {
    case "start":
      return {
        kind: "session.started",
        ...{ session, principal: `p-${drawn.session}`, workspace: `w ${drawn.session.at(-1)}` },
        agent: { name: `agent-${drawn.session}`, version: drawn.isKnown ? "1.0" : null, sha256: "ab" },
        profile: { name: "default", sha256: "" },
        ...{ sandbox: "bubblewrap", gaps: ["g"], upstream: null },
      };
    case "refused":
      return { kind: "connection.refused", session, door: "tls", host, port: 443, rule: "r", reason: "no" };
    case "answered":
      return {
        ...{
          kind: "exchange.answered",
          session,
          exchange: exchangeId(session, n),
          status: 200,
          responseBytes: bytes,
        },
        ...{ address: null, tlsPeer: null, usage: null, complete: true, durationMs: 1, evidence: [] },
      };
    case "ended":
      return { kind: "session.ended", session, reason: "exited", exitCode: 0, setAside: [], appeared: [] };
    case "commands":
      return { kind: "command.ended", session, commands: [], unreadable: 0 };
    default:
      return {
        ...{
          kind: "exchange.judged",
          session,
          exchange: exchangeId(session, n),
          door: "tls",
          protocol: "h2",
        },
        ...{ method: "POST", host, port: 443, path: "/", queryBytes: 0, sentTo: `https://${host}` },
        ...{
          destination: drawn.isKnown ? "vendor" : null,
          dialect: "chat",
          understood: drawn.isKnown,
          model: null,
        },
        ...{ requestBytes: bytes, sources: { files: drawn.files, commands: 0, others: 0 } },
        findings: drawn.classes.map((name) => ({ class: name, detector: "d", count: 2 })),
        ...(drawn.verdict === "redact" ? { redacted: [{ class: "secret", detector: "d", count: 3 }] } : {}),
        ...{ verdict: drawn.verdict, rules: ["r"], evidence: [] },
      };
  }
}

type Judged = Extract<LedgerEvent, { kind: "exchange.judged" | "connection.refused" }>;
type Group = Record<string, { requests: number; bytes: number }>;

/** What reading the whole log gives. */
async function naive(directory: string) {
  const flows: Group = {};
  const sessions: Record<string, Record<string, unknown>> = {};
  const running = new Map<string, Extract<LedgerEvent, { kind: "session.started" }>>();
  const files = new Map<string, Set<string>>();
  let total = 0;
  for await (const { index, event } of readEntries(directory)) {
    if (event.kind === "session.started") {
      running.set(event.session, event);
      files.set(event.session, new Set());
      sessions[event.session] = {
        ...{
          at: event.at,
          agent: event.agent.name,
          first: index,
          last: index,
          entries: 0,
          requests: 0,
          bytes: 0,
        },
        ...{ deny: 0, responseBytes: 0, redacted: 0, files: 0, ended: null },
      };
    }
    if (!("session" in event)) continue;
    const row = sessions[event.session];
    if (row !== undefined) {
      row["last"] = index;
      row["entries"] = Number(row["entries"]) + 1;
      if (event.kind === "session.ended") row["ended"] = "exited";
      if (
        event.kind === "connection.refused" ||
        (event.kind === "exchange.judged" && event.verdict === "deny")
      )
        row["deny"] = Number(row["deny"]) + 1;
      if (event.kind === "exchange.answered")
        row["responseBytes"] = Number(row["responseBytes"]) + event.responseBytes;
      if (event.kind === "exchange.judged" && event.verdict !== "deny") {
        row["requests"] = Number(row["requests"]) + 1;
        row["bytes"] = Number(row["bytes"]) + event.requestBytes;
        row["redacted"] = Number(row["redacted"]) + (event.redacted?.[0]?.count ?? 0);
        for (const file of event.sources.files) files.get(event.session)?.add(file);
        row["files"] = files.get(event.session)?.size ?? 0;
      }
    }
    if (event.kind !== "exchange.judged" && event.kind !== "connection.refused") continue;
    const judged: Judged = event;
    const who = running.get(event.session);
    const isJudged = judged.kind === "exchange.judged";
    const key = JSON.stringify([
      who?.workspace ?? "",
      who?.agent.name ?? "",
      (isJudged ? gravest(judged.findings.map((one) => one.class)) : null) ?? "none",
      isJudged ? judged.verdict : "deny",
      (isJudged ? judged.destination : null) ?? judged.host,
    ]);
    const bytes = isJudged ? judged.requestBytes : 0;
    const sum = flows[key] ?? { requests: 0, bytes: 0 };
    flows[key] = { requests: sum.requests + 1, bytes: sum.bytes + bytes };
    total += bytes;
  }
  return { flows, sessions, total };
}

function told(index: QueryIndex): { flows: Group; sessions: Record<string, Record<string, unknown>> } {
  const flows: Group = {};
  for (const row of index.flows.flows(index.flows.period({})))
    flows[JSON.stringify([row.workspace, row.agent, row.class, row.verdict, row.destination])] = {
      requests: row.requests,
      bytes: row.bytes,
    };
  const sessions: Record<string, Record<string, unknown>> = {};
  for (const row of index.sessions.page({}, 100))
    sessions[row.id] = {
      ...{ at: row.startedAt, agent: row.agent, first: row.first, last: row.last, entries: row.entries },
      ...{
        requests: row.requests,
        bytes: row.requestBytes,
        deny: row.verdicts.deny,
        responseBytes: row.responseBytes,
      },
      ...{ redacted: row.redacted, files: row.files, ended: row.ended },
    };
  return { flows, sessions };
}

it("flows and sessions are what reading the whole log gives, in one catching up or many, and every number's filter finds it", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(arbitraryBody, { minLength: 5, maxLength: 40 }),
      fc.array(fc.nat(39), { maxLength: 4 }),
      async (drawn, stops) => {
        const home = mkdtempSync(join(tmpdir(), "flows-"));
        const directory = join(home, "ledger");
        let now = START;
        const clock = { now: () => now, monotonic: () => performance.now() };
        const ledger = await openLedger({
          directory,
          keyDirectory: join(home, "keys"),
          clock,
          program: "test",
        });
        const piecewise = await openQueryIndex(join(home, "a.sqlite"), directory);
        const started = new Set<string>();
        for (const [n, one] of drawn.entries()) {
          now += one.later;
          // A session begins once.
          const isSecond = one.what === "start" && started.has(one.session);
          if (one.what === "start") started.add(one.session);
          await ledger.append(bodyOf(isSecond ? { ...one, what: "judged" } : one, n + 1));
          if (stops.includes(n)) await piecewise.catchUp();
        }
        await ledger.close();
        await piecewise.catchUp();
        const whole = await openQueryIndex(join(home, "b.sqlite"), directory);
        await whole.catchUp();
        const { total, ...expected } = await naive(directory);
        expect(told(whole)).toEqual(expected);
        expect(told(piecewise)).toEqual(expected);
        const period = whole.flows.period({});
        const sum = (rows: readonly { readonly bytes: number }[]): number =>
          rows.reduce((n, row) => n + row.bytes, 0);
        expect(sum(whole.flows.flows(period)), "bytes are conserved").toBe(total);
        expect(sum(whole.flows.series(period, {}))).toBe(total);
        for (const row of whole.flows.flows(period)) {
          const filter = [
            termText("kind", "=", ["exchange.judged", "connection.refused"]),
            ...(row.workspace === "" ? [] : [termText("workspace", "=", [row.workspace])]),
            ...(row.agent === "" ? [] : [termText("agent", "=", [row.agent])]),
            termText("primary", "=", [row.class]),
            termText("verdict", "=", [row.verdict]),
            termText("destination", "=", [row.destination]),
            termText("at", ">=", [period.from]),
            termText("at", "<", [period.to]),
          ].join(" ");
          if (row.workspace !== "") expect(whole.count(filter, 1000), filter).toBe(row.requests);
        }
        const exposed = whole.flows.exposed({ from: period.from, to: period.to });
        const all = exposed.reduce((n, card) => n + card.of.verdict.reduce((m, one) => m + one.bytes, 0), 0);
        expect(all, "every byte is on one card").toBe(total);
        piecewise.close();
        whole.close();
        rmSync(home, { recursive: true });
      },
    ),
    { numRuns: 25 },
  );
}, 120_000);

it("the gravest class is the same whatever the order, and an unknown class is graver than personal data", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.constantFrom("secret", "classified", "house", "personal", "injection")),
      (classes) => {
        expect(gravest(classes)).toBe(gravest([...classes].reverse()));
      },
    ),
  );
  expect([gravest(["personal", "house"]), gravest(["house", "secret"]), gravest([])]).toEqual([
    "house",
    "secret",
    null,
  ]);
});

it("a filter's term written out is read again as it was, whatever its values hold", () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ minLength: 1, maxLength: 30 }), { minLength: 1, maxLength: 5 }),
      (values) => {
        expect(parseFilter(termText("host", "=", values))).toEqual([
          { field: "host", operator: "=", values },
        ]);
      },
    ),
  );
  expect(parseFilter(termText("workspace", "=", [""]))).toEqual([
    { field: "workspace", operator: "=", values: [""] },
  ]);
});

it("hours older than two weeks are forgotten, days are not", async () => {
  const home = mkdtempSync(join(tmpdir(), "hours-"));
  const directory = join(home, "ledger");
  let now = START;
  const clock = { now: () => now, monotonic: () => performance.now() };
  const ledger = await openLedger({ directory, keyDirectory: join(home, "keys"), clock, program: "test" });
  const index = await openQueryIndex(join(home, "i.sqlite"), directory);
  for (let day = 0; day < 30; day++) {
    const drawn = {
      session: SESSIONS[0],
      what: "judged",
      verdict: "allow",
      classes: [],
      host: "h.example",
    } as const;
    await ledger.append(
      bodyOf(
        { ...drawn, classes: [], isKnown: true, bytes: 10, files: [], later: 0 } as unknown as Drawn,
        day + 1,
      ),
    );
    now += DAY;
    await index.catchUp();
  }
  const recent = index.flows.period({ from: now - 3 * DAY, to: now });
  const old = index.flows.period({ from: START, to: START + DAY });
  expect([recent.bucketMs, old.bucketMs]).toEqual([HOUR, DAY]);
  expect(index.flows.flows(recent)[0]?.requests).toBe(3);
  expect(index.flows.flows(old)[0]?.requests).toBe(1);
  expect(index.flows.flows(index.flows.period({}))[0]?.requests).toBe(30);
  await ledger.close();
  index.close();
  rmSync(home, { recursive: true });
});
