/**
 * Kills a writer under load with SIGKILL, again and again, on one ledger: `node scripts/ledger-kill.ts [rounds]`
 * (default 1000, some five minutes). Promises checked: each start recovers by itself, no acknowledged entry is
 * missing or different, all evidence that was acknowledged opens, and the ledger verifies. SIGKILL is a process crash,
 * not a power cut: the kernel keeps what was written.
 */
import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { canonicalBytes, exchangeId, type Json, newSessionId, systemClock } from "../src/core/index.ts";
import { openLedger, readEvidence, verifyLedger } from "../src/ledger/index.ts";
import { readLeaves } from "../src/ledger/read.ts";

const WRITERS = 24;

const [role = "1000", directory = "", keyDirectory = ""] = process.argv.slice(2);
if (role === "write") await write();
else await torment(Number(role));

/** Appends without end, telling each acknowledged entry on standard output as `index sha256 evidence-id`. */
async function write(): Promise<void> {
  const ledger = await openLedger({ directory, keyDirectory, clock: systemClock, program: "ledger-kill" });
  const session = newSessionId(randomBytes);
  let next = 0;
  const writer = async (): Promise<void> => {
    for (;;) {
      const n = next++;
      const evidence =
        n % 3 === 0
          ? [{ role: "response-body" as const, chunks: [Buffer.from(`body ${n} `.repeat(n % 400))] }]
          : [];
      const { index, event } = await ledger.append(
        {
          kind: "exchange.answered",
          session,
          exchange: exchangeId(session, n),
          status: 200,
          responseBytes: n,
          address: null,
          tlsPeer: null,
          usage: null,
          complete: true,
          durationMs: 1,
          evidence: [],
        },
        evidence,
      );
      const hash = createHash("sha256")
        .update(canonicalBytes(event as unknown as Json))
        .digest("hex");
      const id = "evidence" in event ? (event.evidence[0]?.id ?? "-") : "-";
      writeSync(1, `${index} ${hash} ${id}\n`);
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, writer));
}

async function torment(rounds: number): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), "ledger-kill-"));
  const [ledger, keys] = [join(home, "ledger"), join(home, "keys")];
  const acknowledged = new Map<number, { readonly hash: string; readonly id: string }>();
  let starts = 0;
  for (let round = 1; round <= rounds; round++) {
    // One in five while it starts and recovers, the others under load.
    const lines = await killed(ledger, keys, round % 5 === 0 ? "start" : "load");
    if (lines.length > 0) starts++;
    for (const line of lines) {
      const [index = "", hash = "", id = ""] = line.split(" ");
      acknowledged.set(Number(index), { hash, id });
    }
    if (round % 100 === 0) console.log(`${round} kills, ${acknowledged.size} acknowledged`);
  }
  const last = await openLedger({
    directory: ledger,
    keyDirectory: keys,
    clock: systemClock,
    program: "check",
  });
  await last.close();
  const { ok, problems, size } = await verifyLedger(ledger);
  let found = 0;
  for await (const batch of readLeaves(ledger, 0))
    for (const { index, bytes } of batch)
      if (acknowledged.get(index)?.hash === createHash("sha256").update(bytes).digest("hex")) found++;
  let opened = 0;
  const evidence = [...acknowledged.values()].filter((a) => a.id !== "-");
  const sample = evidence.filter((_, i) => i % Math.ceil(evidence.length / 50) === 0);
  for (const { id } of sample) if ((await readEvidence(ledger, keys, id)) !== null) opened++;
  const lost = acknowledged.size - found;
  console.log(
    JSON.stringify({
      kills: rounds,
      starts,
      entries: size,
      acknowledged: acknowledged.size,
      lost,
      opened,
      ok,
      problems,
    }),
  );
  rmSync(home, { recursive: true });
  process.exitCode = ok && lost === 0 && acknowledged.size > 0 && opened === sample.length ? 0 : 1;
}

/** What one writer had acknowledged when it was killed. */
function killed(ledger: string, keys: string, when: "start" | "load"): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [import.meta.filename, "write", ledger, keys], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let text = "";
    const killAfter = (ms: number): void => {
      setTimeout(() => child.kill("SIGKILL"), Math.random() * ms);
    };
    if (when === "start") killAfter(250);
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      if (text === "" && when === "load") killAfter(150);
      text += chunk;
    });
    child.on("error", reject);
    child.on("close", (code) => {
      if (code !== null) reject(new Error(`the writer ended by itself with ${code}`));
      // The last line may be cut; whole ones were acknowledged.
      else resolve(text.split("\n").slice(0, -1));
    });
  });
}
