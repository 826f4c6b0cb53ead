/**
 * Each page's endpoint over a ledger of a million entries, over HTTP, beside reading the whole record for the same answer; and
 * what taking in a few new entries costs an index of that size.
 * `node bench/console/pages.ts [entries] [folder to keep the ledger in]`
 */
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { request } from "node:http";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { consoleNeighbours } from "../../src/cli/console-wire.ts";
import { placesOf } from "../../src/cli/places.ts";
import { openConsole } from "../../src/console/index.ts";
import { asSessionId, type EventBody, exchangeId, type SessionId } from "../../src/core/index.ts";
import { openLedger, openQueryIndex, readEntries } from "../../src/ledger/index.ts";

const ENTRIES = Number(process.argv[2] ?? 1_000_000);
const DAY = 86_400_000;
const START = Date.parse("2026-08-01T00:00:00Z");
const AIM_MS = 300;
const kept = process.argv[3];
const home = kept ?? mkdtempSync(join(tmpdir(), "bench-console-"));
const places = placesOf({ ...process.env, SALLYPORT_HOME: home });
let at = START;
const clock = { now: () => Math.floor(at), monotonic: () => performance.now() };

const PER_SESSION = 100;
const DESTINATIONS = 40;

/** A session of a hundred entries: its beginning, 33 requests with their replies and traces, its end. */
function event(n: number): EventBody {
  const s = Math.floor(n / PER_SESSION);
  const i = n % PER_SESSION;
  const session = asSessionId((s + 1).toString(16).padStart(8, "0")) as SessionId; // 8 digits
  const who = s % 200;
  if (i === 0)
    return {
      ...{ kind: "session.started", session, principal: `local:${who}`, workspace: `repository-${s % 60}` },
      agent: { name: `agent-${who % 6}`, version: `2.${s % 4}`, sha256: null },
      profile: { name: "default", sha256: "" },
      ...{ sandbox: "bubblewrap", gaps: [], upstream: null },
      admission: { build: `h1:${who % 6}-${s % 4}`, standing: "approved" },
    };
  if (i === PER_SESSION - 1)
    return { kind: "session.ended", session, reason: "exited", exitCode: 0, setAside: [], appeared: [] };
  const exchange = exchangeId(session, Math.floor((i - 1) / 3) + 1);
  // Nearly all goes to the agent's own model server, some to another two.
  const to = i % 10 < 8 ? who % 6 : (who * 7 + i) % DESTINATIONS;
  const host = `api-${to}.example`;
  const where = { host, sentTo: `https://${host}`, destination: to % 3 === 0 ? null : `destination-${to}` };
  const first = i - ((i - 1) % 3);
  const isDenied = first % 50 === 1;
  if ((i - 1) % 3 === 0)
    return {
      ...{
        kind: "exchange.judged",
        session,
        exchange,
        door: "tls",
        protocol: "h2",
        method: "POST",
        ...where,
        port: 443,
      },
      ...{
        path: "/v1/messages",
        queryBytes: 0,
        dialect: "anthropic-messages",
        understood: true,
        model: `model-${to % 9}`,
      },
      ...{
        requestBytes: 40_000 + (n % 1000),
        sources: { files: [`src/file-${n % 300}.ts`], commands: 1, others: 0 },
      },
      findings: n % 4 === 0 ? [{ class: `class-${n % 6}`, detector: "d", count: 1 }] : [],
      ...{ verdict: isDenied ? "deny" : n % 7 === 0 ? "redact" : "allow", rules: ["default"], evidence: [] },
    };
  if ((i - 1) % 3 === 1 || isDenied)
    return {
      ...{
        kind: "exchange.answered",
        session,
        exchange,
        status: 200,
        responseBytes: 2000,
        address: "192.0.2.1",
      },
      ...{ tlsPeer: null, usage: null, complete: true, durationMs: 900, evidence: [] },
    };
  return {
    ...{ kind: "exchange.traced", session, exchange, ...where, bytes: 4000, unmatchedBytes: 1000 },
    files: [
      { path: `src/file-${n % 300}.ts`, lines: [[1, 40]], of: 120, bytes: 1500, sha256: "ab".repeat(32) },
    ],
  };
}

if (!existsSync(places.ledger)) {
  const ledger = await openLedger({
    directory: places.ledger,
    keyDirectory: places.keys,
    clock,
    program: "bench",
  });
  let n = 0;
  const writer = async (): Promise<void> => {
    while (n < ENTRIES) {
      at += (90 * DAY) / ENTRIES;
      await ledger.append(event(n++));
    }
  };
  await Promise.all(Array.from({ length: 1000 }, writer));
  await ledger.close();
}
const load = (): string => loadavg()[0]?.toFixed(1) ?? "";
const index = await openQueryIndex(join(places.state, "index.sqlite"), places.ledger);
const cpu = process.cpuUsage();
const began = performance.now();
const before = index.size;
const size = await index.catchUp();
const used = process.cpuUsage(cpu);
console.log(
  `index: ${size - before} entries in ${((performance.now() - began) / 1000).toFixed(1)} s (${((used.user + used.system) / 1e6).toFixed(1)} s CPU), ${(indexBytes() / 1e6).toFixed(0)} MB, load ${load()}`,
);

// What is new costs the same whatever is there: ten entries more, twenty times.
const ledger = await openLedger({
  directory: places.ledger,
  keyDirectory: places.keys,
  clock: { ...clock, now: () => Date.now() },
  program: "bench",
});
const more: number[] = [];
await index.catchUp();
for (let round = 0; round < 20; round++) {
  for (let i = 0; i < 10; i++)
    await ledger.append({ ...event(5), session: asSessionId("00000001") as SessionId } as EventBody);
  const start = performance.now();
  await index.catchUp();
  more.push(performance.now() - start);
}
await ledger.close();
console.log(`ten entries more: ${median(more).toFixed(1)} ms at the median of 20\n`);
index.close();

// No station runs: what would be recorded by it is said to be.
const { neighbours: wired } = await consoleNeighbours(places);
const neighbours = { ...wired, station: { ...wired.station, record: async () => 0 } };
const console_ = await openConsole({
  neighbours,
  port: 0,
  exact: true,
  report: (fault) => console.error(fault),
  maxRequests: 1e6,
});
const session = (BigInt(Math.floor(ENTRIES / PER_SESSION / 2)) + 1n).toString(16).padStart(8, "0");
const last = START + 90 * DAY;
const range = (days: number): string => `from=${last - days * DAY}&to=${last}`;
let cookie = "";
cookie = await signIn();

console.log("| page | median ms of 15 | the first | CPU ms | bytes |\n|---|--:|--:|--:|--:|");
let isMissed = false;
for (const [name, path] of [
  ["flows, all 90 days", "/api/flows"],
  ["flows, 30 days", `/api/flows?${range(30)}`],
  ["flows, a week by the hour", `/api/flows?${range(7)}`],
  ["flows, one repository", "/api/flows?workspace=repository-7"],
  ["flows, rows", "/api/flows/rows?limit=50"],
  ["flows, exchanges of one way", "/api/flows/exchanges?workspace=repository-7&verdict=deny"],
  [
    "flows, exchanges of an old day",
    `/api/flows/exchanges?agent=agent-2&from=${START + 5 * DAY}&to=${START + 6 * DAY}`,
  ],
  ["sessions", "/api/sessions"],
  ["sessions, searched", "/api/sessions?q=repository-1"],
  ["sessions, facets", "/api/sessions/facets"],
  ["one session", `/api/sessions/${session}`],
  ["its time line", `/api/sessions/${session}/moments?limit=2000`],
  ["exposure", "/api/exposure"],
  ["disclosures", "/api/disclosures"],
  ["ledger", "/api/ledger"],
  ["entries", "/api/ledger/entries"],
  [
    "entries, filtered",
    `/api/ledger/entries?filter=${encodeURIComponent("verdict=deny agent=agent-3 workspace=repository-9")}`,
  ],
  ["agents", "/api/agents"],
  ["destinations", "/api/destinations"],
] as const) {
  const times: number[] = [];
  let bytes = 0;
  const spent = process.cpuUsage();
  for (let i = 0; i < 15; i++) {
    const start = performance.now();
    const reply = await get(path);
    times.push(performance.now() - start);
    if (reply.status !== 200) throw new Error(`${path}: ${reply.status} ${reply.text.slice(0, 300)}`);
    bytes = reply.text.length;
  }
  const ms = median(times);
  const { user, system } = process.cpuUsage(spent);
  if (ms > AIM_MS) isMissed = true;
  console.log(
    `| ${name} | ${ms.toFixed(0)}${ms > AIM_MS ? " **over**" : ""} | ${times[0]?.toFixed(0)} | ${((user + system) / 15_000).toFixed(0)} | ${bytes} |`,
  );
}
await console_.close();

const naive = performance.now();
const sums = new Map<string, number>();
const running = new Map<string, string>();
for await (const { event: one } of readEntries(places.ledger)) {
  if (one.kind === "session.started") running.set(one.session, `${one.workspace} ${one.agent.name}`);
  if (one.kind !== "exchange.judged") continue;
  const key = `${running.get(one.session)} ${one.findings[0]?.class} ${one.verdict} ${one.destination ?? one.host}`;
  sums.set(key, (sums.get(key) ?? 0) + one.requestBytes);
}
console.log(
  `\nthe flows by reading the whole record: ${(performance.now() - naive).toFixed(0)} ms, ${sums.size} ways (load ${load()})`,
);
if (kept === undefined) rmSync(home, { recursive: true });
process.exitCode = isMissed ? 1 : 0;
process.exit();

/** With what is not checkpointed yet. */
function indexBytes(): number {
  const files = ["", "-wal"].map((suffix) => join(places.state, `index.sqlite${suffix}`));
  return files.reduce((sum, file) => sum + (existsSync(file) ? statSync(file).size : 0), 0);
}

function median(times: readonly number[]): number {
  return [...times].sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0;
}

async function signIn(): Promise<string> {
  const { url } = console_.link({ principal: "local:0", roles: ["viewer"], language: "en" });
  const body = JSON.stringify({ token: url.split("/").at(-1) });
  const reply = await get("/api/sign-in", { method: "POST", body });
  return reply.cookie;
}

function get(
  path: string,
  o: { readonly method?: string; readonly body?: string } = {},
): Promise<{ readonly status: number; readonly text: string; readonly cookie: string }> {
  return new Promise((resolve, reject) => {
    const headers =
      o.body === undefined ? { cookie } : { origin: console_.origin, "content-type": "application/json" };
    const sent = request(
      { host: "127.0.0.1", port: console_.port, path, method: o.method ?? "GET", headers },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          text += chunk;
        });
        response.once("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            text,
            cookie: response.headers["set-cookie"]?.[0]?.split(";")[0] ?? "",
          }),
        );
      },
    );
    sent.once("error", reject);
    sent.end(o.body);
  });
}
