// A process that writes a ledger, for tests that lock it, kill it, or fill its disk. `mode directory keyDirectory [step]`.
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { asFault, asSessionId, systemClock } from "../../src/core/index.ts";
import { compactLedger, type Ledger, openLedger, verifyLedger } from "../../src/ledger/index.ts";

const [mode = "", directory = "", keyDirectory = "", atStep = ""] = process.argv.slice(2);
const say = (text: string): void => {
  writeFileSync(1, `${text}\n`);
};
const session = asSessionId("7f3a0001");
const record = (ledger: Ledger, reason: string): ReturnType<Ledger["append"]> => {
  if (session === null) throw new Error("not an id");
  return ledger.append({
    kind: "connection.refused",
    session,
    door: "tls",
    host: "h",
    port: 1,
    rule: "r",
    reason,
  });
};

/** Fills the disk until an append is refused, frees space, and appends again. */
async function fill(): Promise<void> {
  const ballast = join(directory, "..", "ballast");
  writeFileSync(ballast, Buffer.alloc(3 * 1024 * 1024));
  const ledger = await openLedger({ directory, keyDirectory, clock: systemClock, program: "fill" });
  let last = 0;
  let refused = "never";
  for (let n = 0; n < 20_000 && refused === "never"; n++)
    try {
      last = (await record(ledger, "x".repeat(2000))).index;
    } catch (error) {
      refused = asFault(error).code;
    }
  rmSync(ballast);
  const next = await record(ledger, "space again");
  await ledger.close();
  const { ok, size, unsigned } = await verifyLedger(directory);
  say(
    JSON.stringify({
      refused,
      follows: next.index === last + 1,
      ok,
      complete: size === next.index + 1 && unsigned === 0,
    }),
  );
}

try {
  if (mode === "fill") await fill();
  else if (mode === "compact") {
    let step = 0;
    await compactLedger(directory, keyDirectory, () => {
      if (step++ === Number(atStep)) process.kill(process.pid, "SIGKILL");
    });
    say("compacted");
  } else if (mode === "grow") {
    const ledger = await openLedger({ directory, keyDirectory, clock: systemClock, program: mode });
    await Promise.all(Array.from({ length: 600 }, (_, n) => record(ledger, `reason ${n}`)));
    await ledger.close();
    say("grown");
  } else {
    const ledger = await openLedger({ directory, keyDirectory, clock: systemClock, program: mode });
    say("opened");
    if (mode === "hold") setInterval(() => undefined, 60_000);
    else await ledger.close();
  }
} catch (error) {
  say(asFault(error).code);
}
