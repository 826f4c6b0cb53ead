/**
 * What evidence costs: stored bytes beside raw ones, CPU per request (cutting, hashing, compressing, sealing), and every
 * body read back byte for byte. `node bench/ledger/evidence.ts [--captured DIR]`: synthetic sessions, or those of real
 * agents that capture.ts left in DIR.
 */
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type OpenedFrame, openFrame, Pack } from "../../src/ledger/evidence.ts";
import { conversation } from "./conversation.ts";

const ORIGIN = "example.org/bench";
const CASES = [
  { name: "10 turns to 120 KB", turns: 10, bytes: 120e3 },
  { name: "30 turns to 300 KB", turns: 30, bytes: 300e3 },
  { name: "100 turns to 800 KB", turns: 100, bytes: 800e3 },
  { name: "100 turns, cleared at 50", turns: 100, bytes: 800e3, clearAt: 50 },
];

/** Puts each body of the pack together again and compares it. */
function isReadBack(key: Buffer, payloads: readonly Buffer[], bodies: readonly Buffer[]): boolean {
  const frames: (OpenedFrame | null)[] = payloads.map((payload) => openFrame(ORIGIN, key, payload));
  const chunks = frames.flatMap((f) => f?.chunks ?? []);
  return frames.every((f, i) => {
    const runs = f?.items[0]?.runs ?? [];
    const parts = runs.flatMap(({ from, count }) => chunks.slice(from, from + count));
    return bodies[i]?.equals(Buffer.concat(parts)) === true;
  });
}

function measure(what: string, bodies: readonly Buffer[]): void {
  const key = randomBytes(32);
  const pack = new Pack(ORIGIN, "00000001", key);
  let worst = 0;
  const began = process.cpuUsage();
  const payloads = bodies.map((body, i) => {
    const before = process.cpuUsage();
    const { payload } = pack.seal(i + 1, [{ role: "request-body", chunks: [body] }]);
    const { user, system } = process.cpuUsage(before);
    worst = Math.max(worst, (user + system) / 1000);
    return payload;
  });
  const { user, system } = process.cpuUsage(began);
  const raw = bodies.reduce((sum, b) => sum + b.length, 0);
  const stored = payloads.reduce((sum, p) => sum + p.length + 9, 0);
  const cpu = (user + system) / 1000 / bodies.length;
  const [share, megabytes] = [((100 * stored) / raw).toFixed(2), (raw / 1e6).toFixed(2)];
  const back = isReadBack(key, payloads, bodies) ? `all ${bodies.length}` : "NO";
  console.log(
    `| ${what} | ${megabytes} | ${(stored / 1e3).toFixed(0)} | ${share} % | ${cpu.toFixed(2)} | ${worst.toFixed(1)} | ${back} |`,
  );
}

console.log("| session | raw MB | stored KB | of raw | CPU ms/request | worst ms | read back |");
console.log("|---|---|---|---|---|---|---|");
const captured = process.argv[2] === "--captured" ? process.argv[3] : undefined;
if (captured === undefined)
  for (const { name, ...shape } of CASES) {
    const { requests, replies } = conversation({ ...shape, seed: 3 });
    measure(name, requests);
    measure(`${name}: replies`, replies);
  }
else
  for (const name of readdirSync(captured).sort()) {
    const folder = join(captured, name);
    const bodies = readdirSync(folder)
      .sort()
      .map((file) => readFileSync(join(folder, file)));
    measure(`${name}, ${bodies.length} bodies`, bodies);
  }
