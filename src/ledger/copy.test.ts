import { mkdtempSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { asSessionId, type Clock, exchangeId } from "../core/index.ts";
import { copyLedger } from "./copy.ts";
import { type Ledger, openLedger, readEntries, readEvidence, verifyLedger } from "./index.ts";

const clock: Clock = { now: () => 1_800_000_000_000, monotonic: () => performance.now() };
const session = asSessionId("7f3a0001") ?? expect.fail("not an id");
const answer = (ledger: Ledger, n: number): ReturnType<Ledger["append"]> =>
  ledger.append(
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
    [{ role: "response-body", chunks: [Buffer.from(`body ${n}`)] }],
  );
const place = (): {
  directory: string;
  keyDirectory: string;
  backup: string;
  clock: Clock;
  program: string;
} => {
  const home = mkdtempSync(join(tmpdir(), "copy-"));
  return {
    directory: join(home, "ledger"),
    keyDirectory: join(home, "keys"),
    backup: join(home, "backup"),
    clock,
    program: "t",
  };
};

it("a backup made while a writer runs verifies, and restored elsewhere it goes on with its key", async () => {
  const options = place();
  const ledger = await openLedger(options);
  await Promise.all(Array.from({ length: 700 }, (_, n) => answer(ledger, n)));
  await ledger.checkpoint();
  let running = true;
  const load = (async () => {
    for (let n = 1000; running; n++) await answer(ledger, n);
  })();
  const copied = await copyLedger(options.directory, options.backup);
  running = false;
  await load;
  expect(copied).toMatchObject({ ok: true, origin: ledger.origin });
  expect(copied.size).toBeGreaterThanOrEqual(701);
  await ledger.close();

  // Nothing was signed since on the old machine, as far as the key directory knows: the newest backup goes on.
  const newest = `${options.backup}-2`;
  const restored = `${options.backup}-restored`;
  await copyLedger(options.directory, newest);
  await copyLedger(newest, restored);
  const again = await openLedger({ ...options, directory: restored });
  const { event } = await answer(again, 9);
  await again.close();
  expect((await verifyLedger(restored, again.verifierKey)).problems).toEqual([]);
  const id = "evidence" in event ? (event.evidence[0]?.id ?? "") : "";
  expect(String(await readEvidence(restored, options.keyDirectory, id))).toBe("body 9");
  // The older backup is an archive: readable, verifiable, not to be written.
  await expect(openLedger({ ...options, directory: options.backup })).rejects.toMatchObject({
    code: "ledger.forked",
  });
  let read = 0;
  for await (const _ of readEntries(options.backup)) read++;
  expect(read).toBe(copied.size + copied.unsigned);
});

it("a copy is refused from what is no whole ledger, into what is not empty, and where it does not verify", async () => {
  const options = place();
  await (await openLedger(options)).close();
  await expect(copyLedger(options.directory, options.keyDirectory)).rejects.toMatchObject({
    code: "usage.invalid",
  });
  const bundle = join(options.directory, "tile/entries/000.p/1");
  const bytes = readFileSync(bundle);
  bytes[9] = (bytes[9] ?? 0) ^ 1;
  writeFileSync(bundle, bytes);
  await expect(copyLedger(options.directory, options.backup)).rejects.toMatchObject({
    code: "ledger.unreadable",
    detail: "entry 0 is altered",
  });
  unlinkSync(join(options.directory, "checkpoint"));
  await expect(copyLedger(options.directory, `${options.backup}-2`)).rejects.toMatchObject({
    code: "ledger.unreadable",
  });
});
