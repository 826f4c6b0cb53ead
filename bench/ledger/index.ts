/** The query index over a million entries: rebuild, and dashboard questions. `node bench/ledger/index.ts [entries]`. */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { asSessionId, type EventBody, exchangeId, type SessionId } from "../../src/core/index.ts";
import { openLedger } from "../../src/ledger/index.ts";
import type { Dimension } from "../../src/ledger/index-fold.ts";
import { openQueryIndex } from "../../src/ledger/query-index.ts";

const ENTRIES = Number(process.argv[2] ?? 1_000_000);
const DAY = 86_400_000;
const home = mkdtempSync(join(tmpdir(), "bench-index-"));
const directory = join(home, "ledger");
let at = Date.parse("2026-08-01T00:00:00Z");
const clock = { now: () => at, monotonic: () => performance.now() };

/** 200 people, 6 agents, 40 destinations, 6 classes, over 90 days; a session has 100 entries. */
function event(n: number): EventBody {
  const session = asSessionId((Math.floor(n / 100) + 1).toString(16).padStart(8, "0")) as SessionId; // 8 digits
  const who = Math.floor(n / 100) % 200;
  if (n % 100 === 0)
    return {
      kind: "session.started",
      session,
      principal: `person-${who}`,
      agent: { name: `agent-${who % 6}`, version: "1", sha256: null },
      profile: { name: "default", sha256: "" },
      workspace: "w",
      sandbox: "bubblewrap",
      gaps: [],
      upstream: null,
    };
  const to = (n * 7) % 40;
  return {
    kind: "exchange.judged",
    session,
    exchange: exchangeId(session, n % 100),
    door: "tls",
    protocol: "h2",
    method: "POST",
    host: `api-${to}.example`,
    port: 443,
    path: "/v1/messages",
    queryBytes: 0,
    sentTo: `https://api-${to}.example`,
    destination: `destination-${to}`,
    dialect: "anthropic-messages",
    understood: true,
    model: `model-${to % 9}`,
    requestBytes: 400_000 - (n % 1000),
    sources: { files: [], commands: 1, others: 0 },
    findings: n % 4 === 0 ? [{ class: `class-${n % 6}`, detector: "d", count: 1 }] : [],
    verdict: n % 50 === 0 ? "deny" : "allow",
    rules: ["default"],
    evidence: [],
  };
}

const ledger = await openLedger({ directory, keyDirectory: join(home, "keys"), clock, program: "bench" });
let n = 0;
const writer = async (): Promise<void> => {
  while (n < ENTRIES) {
    at += (90 * DAY) / ENTRIES;
    at = Math.round(at * 1000) / 1000;
    await ledger.append(event(n++));
  }
};
clock.now = () => Math.floor(at);
await Promise.all(Array.from({ length: 1000 }, writer));
await ledger.close();

const file = join(home, "index.sqlite");
const began = performance.now();
const cpu = process.cpuUsage();
const index = await openQueryIndex(file, directory);
const entries = await index.catchUp();
const used = process.cpuUsage(cpu);
console.log(
  `rebuilt ${entries} entries in ${((performance.now() - began) / 1000).toFixed(1)} s (${((used.user + used.system) / 1e6).toFixed(1)} s CPU), ${(statSync(file).size / 1e6).toFixed(0)} MB\n`,
);
console.log("| question | median ms of 20 | rows |\n|---|---|---|");
function ask(name: string, question: () => readonly unknown[]): void {
  const times: number[] = [];
  let rows = 0;
  for (let i = 0; i < 20; i++) {
    const start = performance.now();
    rows = question().length;
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  console.log(`| ${name} | ${(times[10] ?? 0).toFixed(1)} | ${rows} |`);
}
const totals = (name: string, by: readonly Dimension[], days: number): void =>
  ask(name, () => index.totals(by, { from: at - days * DAY }));
totals("class × destination, 30 days", ["class", "destination"], 30);
totals("day × class, 90 days", ["day", "class"], 90);
totals("principals, 7 days", ["principal"], 7);
totals("destination × verdict, 90 days", ["destination", "verdict"], 90);
ask("last 100 of a person", () => index.query("principal=person-17"));
ask("last 100 denied", () => index.query("verdict=deny"));
ask("one class at one host", () => index.query("class=class-2 host=api-12.example"));
ask("one class at a host that never saw it", () => index.query("class=class-2 host=api-14.example"));
ask("one host", () => index.query("host=api-12.example"));
ask("one class of one person", () => index.query("class=class-2 principal=person-16"));
index.close();
rmSync(home, { recursive: true });
