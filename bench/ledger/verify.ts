/**
 * Writes a ledger of a million entries, verifies it and opens it again: `node bench/ledger/verify.ts [entries]`.
 */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exchangeId, newSessionId, systemClock } from "../../src/core/index.ts";
import { openLedger, verifyLedger } from "../../src/ledger/index.ts";

const ENTRIES = Number(process.argv[2] ?? 1_000_000);
const home = mkdtempSync(join(tmpdir(), "bench-verify-"));
const options = {
  directory: join(home, "ledger"),
  keyDirectory: join(home, "keys"),
  clock: systemClock,
  program: "bench",
};
const session = newSessionId(randomBytes);

async function timed<T>(name: string, run: () => Promise<T>): Promise<T> {
  const began = performance.now();
  const result = await run();
  const megabytes = (process.memoryUsage().rss / 1e6).toFixed(0);
  console.log(`| ${name} | ${((performance.now() - began) / 1000).toFixed(2)} | ${megabytes} |`);
  return result;
}

console.log(`${ENTRIES} entries\n\n| | seconds | resident MB after it |\n|---|---|---|`);
await timed("write, 1,000 writers", async () => {
  const ledger = await openLedger(options);
  let n = 0;
  const writer = async (): Promise<void> => {
    while (n < ENTRIES)
      await ledger.append({
        kind: "exchange.answered",
        session,
        exchange: exchangeId(session, n++),
        status: 200,
        responseBytes: 48_213,
        address: "203.0.113.7",
        tlsPeer: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        usage: { inputTokens: 41_000, outputTokens: 812, cachedTokens: 39_000 },
        complete: true,
        durationMs: 4123,
        evidence: [],
      });
  };
  await Promise.all(Array.from({ length: 1000 }, writer));
  await ledger.close();
});
const found = await timed("verify", () => verifyLedger(options.directory));
const again = await timed("open", () => openLedger(options));
await again.close();
rmSync(home, { recursive: true });
console.log(`\nverified: ${found.ok}, size ${found.size}`);
