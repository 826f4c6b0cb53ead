/**
 * Appends per second and latency at 1, 64 and 1,024 concurrent writers, beside the raw floor: frames of the same size
 * made beforehand, hashed as leaves, written and fdatasynced in groups by the same rule, with no JSON, no index, no
 * tiles, no signatures. `node bench/ledger/append.ts [seconds]`.
 */

import { hash } from "node:crypto";
import { closeSync, fdatasync, mkdtempSync, openSync, rmSync, write } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import {
  canonicalBytes,
  type EventBody,
  type Json,
  newSessionId,
  systemClock,
} from "../../src/core/index.ts";
import { openLedger } from "../../src/ledger/index.ts";

const SECONDS = Number(process.argv[2] ?? 3);
const session = newSessionId(() => Buffer.from("be9c4000", "hex"));
const body = (n: number): EventBody => ({
  // What somebody waits for: an outcome, which nobody does, shares the next write and may be some milliseconds late.
  kind: "connection.refused",
  session,
  door: "tls",
  host: `host-${n % 1000}.example.com`,
  port: 443,
  rule: "network.default",
  reason:
    "no rule of `default` speaks about such a host; ask its owner, or use one of the hosts that it names for this",
});
const eventBytes = canonicalBytes({ v: 1, at: Date.now(), ...body(1) } as unknown as Json).length;

interface Result {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly cpuUs: number;
}

async function load(writers: number, one: (n: number) => Promise<unknown>): Promise<Result> {
  const latencies: number[] = [];
  let n = 0;
  const until = performance.now() + SECONDS * 1000;
  const cpu = process.cpuUsage();
  const began = performance.now();
  const writer = async (): Promise<void> => {
    while (performance.now() < until) {
      const start = performance.now();
      await one(n++);
      latencies.push(performance.now() - start);
    }
  };
  await Promise.all(Array.from({ length: writers }, writer));
  const seconds = (performance.now() - began) / 1000;
  const used = process.cpuUsage(cpu);
  latencies.sort((a, b) => a - b);
  const at = (q: number): number => latencies[Math.floor(latencies.length * q)] ?? 0;
  return {
    perSecond: latencies.length / seconds,
    p50: at(0.5),
    p99: at(0.99),
    cpuUs: (used.user + used.system) / latencies.length,
  };
}

/** Group commit and nothing else. */
function rawJournal(path: string): { append(): Promise<unknown>; close(): void } {
  const fd = openSync(path, "w");
  const payload = Buffer.alloc(eventBytes, "x");
  let waiting: ((value: unknown) => void)[] = [];
  let parts: Buffer[] = [];
  let running = false;
  let offset = 0;
  const run = (): void => {
    const done = waiting;
    const bytes = Buffer.concat(parts);
    waiting = [];
    parts = [];
    write(fd, bytes, 0, bytes.length, offset, () =>
      fdatasync(fd, () => {
        for (const resolve of done) resolve(undefined);
        setImmediate(() => {
          running = waiting.length > 0;
          if (running) run();
        });
      }),
    );
    offset += bytes.length;
  };
  return {
    append: () => {
      const frame = Buffer.allocUnsafe(9 + payload.length);
      frame.writeUInt32BE(payload.length, 0);
      frame[8] = 0;
      payload.copy(frame, 9);
      const leaf = frame.subarray(8);
      frame.writeUInt32BE(crc32(leaf), 4);
      hash("sha256", leaf, "buffer");
      parts.push(frame);
      return new Promise((resolve) => {
        waiting.push(resolve);
        if (!running) {
          running = true;
          queueMicrotask(run);
        }
      });
    },
    close: () => closeSync(fd),
  };
}

const home = mkdtempSync(join(tmpdir(), "bench-"));
const show = (name: string, writers: number, r: Result): void => {
  const [rate, p50, p99] = [Math.round(r.perSecond).toLocaleString("en"), r.p50.toFixed(2), r.p99.toFixed(2)];
  console.log(`| ${name} | ${writers} | ${rate} | ${p50} | ${p99} | ${r.cpuUs.toFixed(1)} |`);
};
console.log(`event of ${eventBytes} bytes, ${SECONDS} s each\n`);
console.log("| | writers | events/s | p50 ms | p99 ms | CPU µs/event |\n|---|---|---|---|---|---|");
for (const writers of [1, 64, 1024]) {
  const raw = rawJournal(join(home, "raw"));
  const floor = await load(writers, () => raw.append());
  raw.close();
  show("raw", writers, floor);
  const directory = join(home, `ledger-${writers}`);
  const options = { directory, keyDirectory: join(home, "keys"), clock: systemClock, program: "bench" };
  const ledger = await openLedger(options);
  const ours = await load(writers, (n) => ledger.append(body(n)));
  show("ledger", writers, ours);
  console.log(
    `| share of raw | ${writers} | ${((100 * ours.perSecond) / floor.perSecond).toFixed(0)} % | | | |`,
  );
  await ledger.close();
}
rmSync(home, { recursive: true });
