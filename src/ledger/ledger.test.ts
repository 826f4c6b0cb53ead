import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { asSessionId, type Clock, type EventBody, exchangeId, type Fault } from "../core/index.ts";
import { type JournalIo, realIo } from "./files.ts";
import { FRAME, parseFrames } from "./frame.ts";
import { type Ledger, openLedger, readEntries, readEvidence, verifyLedger } from "./index.ts";
import { openLedgerWith } from "./ledger.ts";

const clock: Clock = { now: () => 1_800_000_000_000, monotonic: () => performance.now() };
const place = (): { directory: string; keyDirectory: string } => {
  const home = mkdtempSync(join(tmpdir(), "ledger-"));
  return { directory: join(home, "ledger"), keyDirectory: join(home, "keys") };
};
const session = asSessionId("7f3a0001") ?? expect.fail("not an id");
const refused = (n: number): EventBody => ({
  kind: "connection.refused",
  session,
  door: "tls",
  host: `h${n}.example`,
  port: 443,
  rule: "default",
  reason: "not allowed",
});
const answered = (n: number): EventBody => ({
  kind: "exchange.answered",
  session,
  exchange: exchangeId(session, n),
  status: 200,
  responseBytes: 10,
  address: null,
  tlsPeer: null,
  usage: null,
  complete: true,
  durationMs: 5,
  evidence: [],
});
const open = (where: ReturnType<typeof place>): Promise<Ledger> =>
  openLedger({ ...where, clock, program: "test", checkpointEveryMs: 1e6 });
const all = async (
  directory: string,
  from = 0,
): Promise<{ index: number; kind: string; signed: boolean }[]> => {
  const seen = [];
  for await (const { index, event, signed } of readEntries(directory, { from }))
    seen.push({ index, kind: event.kind, signed });
  return seen;
};

it("what was appended is read back in order, unsigned until the checkpoint", async () => {
  const where = place();
  const ledger = await open(where);
  const first = await ledger.append(refused(1));
  expect(first.index).toBe(1);
  expect(await all(where.directory)).toEqual([
    { index: 0, kind: "ledger.opened", signed: false },
    { index: 1, kind: "connection.refused", signed: false },
  ]);
  expect(await ledger.checkpoint()).toBe(readFileSync(join(where.directory, "checkpoint"), "utf8"));
  expect((await all(where.directory, 1)).map((e) => e.signed)).toEqual([true]);
  await ledger.close();
});

it("a second writer on the same ledger is refused, and may write once the first has closed", async () => {
  const where = place();
  const ledger = await open(where);
  await expect(open(where)).rejects.toMatchObject({ code: "ledger.locked" } satisfies Partial<Fault>);
  await ledger.close();
  const again = await open(where);
  expect(again.origin).toBe(ledger.origin);
  expect(again.size).toBe(2);
  await again.close();
});

it("what is over shares the next write, and does not wait long where there is none", async () => {
  const where = place();
  const groups: number[] = [];
  const io: JournalIo = {
    writeDurably: (fd, bytes, position) => {
      const { frames } = parseFrames(bytes, position);
      if (frames.length > 0) groups.push(frames.filter(({ kind }) => kind === FRAME.event).length);
      return realIo.writeDurably(fd, bytes, position);
    },
  };
  const ledger = await openLedgerWith({ ...where, clock, program: "test", checkpointEveryMs: 1e6 }, { io });
  groups.length = 0;
  const over = ledger.append(answered(1));
  const next = ledger.append(refused(1));
  expect((await over).index).toBe(1);
  expect((await next).index).toBe(2);
  expect(groups).toEqual([2]);
  expect((await ledger.append(answered(2))).index).toBe(3);
  const last = ledger.append(answered(3));
  await ledger.close();
  expect((await last).index).toBe(4);
  expect(await all(where.directory, 4)).toEqual([{ index: 4, kind: "exchange.answered", signed: true }]);
});

it("evidence comes back byte for byte, across restarts and several pieces", async () => {
  const where = place();
  const bodies = [Buffer.from("hello"), Buffer.alloc(300_000, "abc"), Buffer.alloc(0), Buffer.from("hello")];
  const ids: string[] = [];
  for (let round = 0; round < 2; round++) {
    const ledger = await open(where);
    for (const body of bodies) {
      const { event } = await ledger.append(answered(1), [
        { role: "response-head", chunks: [Buffer.from("HTTP/1.1 200\r\n")] },
        { role: "response-body", chunks: [body.subarray(0, 3), body.subarray(3)] },
      ]);
      ids.push(...("evidence" in event ? event.evidence.map((e) => e.id) : []));
    }
    await ledger.close();
  }
  expect(ids).toHaveLength(16);
  for (const [i, id] of ids.entries())
    expect(
      (await readEvidence(where.directory, where.keyDirectory, id)).equals(
        i % 2 === 0 ? Buffer.from("HTTP/1.1 200\r\n") : (bodies[((i - 1) / 2) % 4] ?? Buffer.from("?")),
      ),
    ).toBe(true);
});

it("events of a session stand in the order in which they came, also behind its first evidence", async () => {
  const where = place();
  const ledger = await open(where);
  const done = await Promise.all([
    ledger.append(answered(1), [{ role: "response-body", chunks: [Buffer.from("a reply")] }]),
    ledger.append(refused(1)),
    ledger.append(refused(2)),
  ]);
  expect(done.map(({ index }) => index)).toEqual([1, 2, 3]);
  await ledger.close();
});

it("concurrent writers get their indices without a gap", async () => {
  const where = place();
  const ledger = await open(where);
  const got = await Promise.all(Array.from({ length: 2000 }, (_, n) => ledger.append(refused(n))));
  expect(got.map((g) => g.index)).toEqual(Array.from({ length: 2000 }, (_, n) => n + 1));
  await ledger.close();
  const entries = await all(where.directory);
  expect(entries).toHaveLength(2001);
  expect(entries.every((e) => e.signed)).toBe(true);
});

it("a busy ledger hands publishing to a thread, and takes it back when the ledger is opened anew", async () => {
  const where = place();
  const options = { ...where, clock, program: "test", checkpointEveryMs: 1e8, checkpointEveryEntries: 1e9 };
  const ledger = await openLedger(options);
  await Promise.all(Array.from({ length: 17_000 }, (_, n) => ledger.append(refused(n))));
  await ledger.checkpoint();
  await Promise.all(Array.from({ length: 300 }, (_, n) => ledger.append(refused(n))));
  const note = await ledger.checkpoint();
  expect(note.split("\n")[1]).toBe("17301");
  await ledger.append(refused(1));
  await ledger.close();
  expect(await verifyLedger(where.directory)).toMatchObject({ ok: true, size: 17_302, unsigned: 0 });
  const again = await open(where);
  await again.close();
  expect(await verifyLedger(where.directory)).toMatchObject({ ok: true, size: 17_303 });
});
