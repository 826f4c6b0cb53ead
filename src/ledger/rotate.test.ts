import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { openLedger, readEntries, verifyLedger } from "./index.ts";
import { type LedgerOptions, openLedgerWith } from "./ledger.ts";

function place(): LedgerOptions {
  const home = mkdtempSync(join(tmpdir(), "rotate-"));
  const clock = { now: () => 1_800_000_000_000, monotonic: () => performance.now() };
  return {
    directory: join(home, "ledger"),
    keyDirectory: join(home, "keys"),
    clock,
    program: "test",
    origin: "example.org/log",
  };
}
const isGood = async (options: LedgerOptions, key: string): Promise<boolean> =>
  (await verifyLedger(options.directory, key)).ok;

it("after a change of key both keys verify, then the new one alone; the log goes on", async () => {
  const options = place();
  let ledger = await openLedger(options);
  const former = ledger.verifierKey;
  const before = await ledger.checkpoint();
  await ledger.rotateKey("local:0");
  const present = ledger.verifierKey;
  expect(present).not.toBe(former);
  expect(readFileSync(join(options.directory, "vkey.txt"), "utf8")).toBe(`${present}\n${former}\n`);
  expect([await isGood(options, former), await isGood(options, present)]).toEqual([true, true]);
  await ledger.close();

  ledger = await openLedger(options);
  expect(ledger.verifierKey).toBe(present);
  expect([await isGood(options, former), await isGood(options, present)]).toEqual([true, true]);
  // A checkpoint from before the change is part of this history, for who holds both keys.
  expect(
    (await verifyLedger(options.directory, `${present}\n${former}`, { remembered: [before] })).problems,
  ).toEqual([]);
  await ledger.retireKey("local:0");
  await ledger.close();
  expect([await isGood(options, former), await isGood(options, present)]).toEqual([false, true]);
  expect((await verifyLedger(options.directory)).ok).toBe(true);
  const kinds = [];
  for await (const { event } of readEntries(options.directory)) kinds.push(event.kind);
  expect(kinds).toEqual(["ledger.opened", "key.rotated", "ledger.opened", "key.retired"]);
});

it("a crash between changing the key and publishing it is made good at the next opening", async () => {
  const options = place();
  const ledger = await openLedgerWith(options, {});
  const published = readFileSync(join(options.directory, "vkey.txt"));
  const former = ledger.verifierKey;
  await ledger.rotateKey("local:0");
  const present = ledger.verifierKey;
  await ledger.close();
  writeFileSync(join(options.directory, "vkey.txt"), published);
  const again = await openLedger(options);
  await again.close();
  expect(readFileSync(join(options.directory, "vkey.txt"), "utf8")).toBe(`${present}\n${former}\n`);
  expect((await verifyLedger(options.directory)).ok).toBe(true);
});

it("a published key that is none of the signers is refused", async () => {
  const [options, other] = [place(), place()];
  await (await openLedger(options)).close();
  await (await openLedger(other)).close();
  writeFileSync(join(options.directory, "vkey.txt"), readFileSync(join(other.directory, "vkey.txt")));
  await expect(openLedger(options)).rejects.toMatchObject({ code: "ledger.key" });
});
