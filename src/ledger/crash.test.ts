import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { asSessionId, type Clock, type EventBody, exchangeId, Fault } from "../core/index.ts";
import { type JournalIo, realIo } from "./files.ts";
import { FRAME, type Frame, frameEnd, isZeros, parseFrames } from "./frame.ts";
import { readEntries, readEvidence, verifyLedger } from "./index.ts";
import { type Ledger, type LedgerOptions, openLedgerWith } from "./ledger.ts";
import { findEnd } from "./recover.ts";

const clock: Clock = { now: () => 1_800_000_000_000, monotonic: () => performance.now() };
const session = asSessionId("7f3a0001") ?? expect.fail("not an id");
const NEVER = { checkpointEveryMs: 1e8, checkpointEveryEntries: 1e9 };
const place = (): LedgerOptions => {
  const home = mkdtempSync(join(tmpdir(), "crash-"));
  return {
    directory: join(home, "ledger"),
    keyDirectory: join(home, "keys"),
    clock,
    program: "test",
    ...NEVER,
  };
};
const answered = (n: number): EventBody => ({
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
});
const body = (n: number): Buffer => Buffer.from(`the body of ${n} `.repeat(20));
const append = (ledger: Ledger, n: number): ReturnType<Ledger["append"]> =>
  ledger.append(answered(n), [{ role: "response-body", chunks: [body(n)] }]);
const errno = (code: string): Error => Object.assign(new Error(`${code}: injected`), { code });
const entries = async (directory: string): Promise<number> => {
  let count = 0;
  for await (const _ of readEntries(directory)) count++;
  return count;
};
const segment = (o: LedgerOptions): string => join(o.directory, "journal/0000000001.seg");

/** A disk that tears the next write in half, or fails the next sync, with the error it is told. */
function faultyDisk(): { readonly io: JournalIo; tearWith: string | null; syncWith: string | null } {
  const disk = {
    tearWith: null as string | null,
    syncWith: null as string | null,
    io: {
      writeDurably: async (fd, bytes, position) => {
        if (disk.tearWith !== null) {
          await realIo.writeDurably(fd, bytes.subarray(0, bytes.length / 2), position);
          throw errno(disk.tearWith);
        }
        await realIo.writeDurably(fd, bytes, position);
        if (disk.syncWith !== null) throw errno(disk.syncWith);
      },
    } satisfies JournalIo,
  };
  return disk;
}

it.each([
  ["a full disk", "tearWith", "ENOSPC", "ledger.full"],
  ["a quota", "tearWith", "EDQUOT", "ledger.full"],
  ["a read-only disk", "tearWith", "EROFS", "ledger.readonly"],
  ["a failing write", "tearWith", "EIO", "ledger.failed"],
  ["a failing fdatasync", "syncWith", "EIO", "ledger.failed"],
  ["an fdatasync on a full disk", "syncWith", "ENOSPC", "ledger.full"],
] as const)(
  "%s refuses the append; when it is well again the ledger goes on by itself",
  async (_, where, code, fault) => {
    const options = place();
    const disk = faultyDisk();
    const ledger = await openLedgerWith(options, { io: disk.io });
    const before = await append(ledger, 1);
    disk[where] = code;
    const results = await Promise.allSettled([append(ledger, 2), append(ledger, 3), append(ledger, 4)]);
    expect(results.map((r) => (r.status === "rejected" ? (r.reason as Fault).code : r.status))).toEqual([
      fault,
      fault,
      fault,
    ]);
    await expect(append(ledger, 5)).rejects.toMatchObject({ code: fault });
    expect(ledger.size).toBe(2);
    disk[where] = null;
    const after = await append(ledger, 6);
    expect([before.index, after.index]).toEqual([1, 2]);
    await ledger.close();
    expect(await entries(options.directory)).toBe(3);
    expect((await verifyLedger(options.directory)).problems).toEqual([]);
    for (const { event } of [before, after]) {
      const ref = "evidence" in event ? event.evidence[0] : undefined;
      const n = "exchange" in event ? Number(event.exchange.slice(9)) : 0;
      expect(await readEvidence(options.directory, options.keyDirectory, ref?.id ?? "")).toEqual(body(n));
    }
  },
);

it("a disk that fails while a new segment begins leaves no half segment", async () => {
  const options = place();
  const disk = faultyDisk();
  const ledger = await openLedgerWith(options, { io: disk.io, segmentBytes: 2000 });
  let n = 1;
  while (statSync(segment(options)).size < 2000) await append(ledger, n++);
  disk.tearWith = "ENOSPC";
  await expect(append(ledger, n)).rejects.toMatchObject({ code: "ledger.full" });
  disk.tearWith = null;
  for (let i = 0; i < 40; i++) await append(ledger, n++);
  await ledger.close();
  expect(await entries(options.directory)).toBe(n);
  expect((await verifyLedger(options.directory)).problems).toEqual([]);
});

/** A ledger as a crash leaves it: all its entries durable and unsigned. */
async function crashed(count: number): Promise<LedgerOptions> {
  const options = place();
  const ledger = await openLedgerWith(options, {});
  for (let n = 1; n <= count; n++) await append(ledger, n);
  const left = {
    ...options,
    directory: `${options.directory}-left`,
    keyDirectory: `${options.keyDirectory}-left`,
  };
  cpSync(options.directory, left.directory, { recursive: true });
  cpSync(options.keyDirectory, left.keyDirectory, { recursive: true });
  await ledger.close();
  return left;
}

/** A segment without the room made ready behind its frames. */
function used(path: string): { readonly whole: Buffer; readonly frames: readonly Frame[] } {
  const bytes = readFileSync(path);
  const { frames, consumed } = parseFrames(bytes, 0);
  expect(isZeros(bytes.subarray(consumed))).toBe(true);
  return { whole: bytes.subarray(0, consumed), frames };
}

it("cut off at any byte, recovery ends at the last whole entry before the cut", async () => {
  const left = await crashed(6);
  const { whole, frames } = used(segment(left));
  const home = mkdtempSync(join(tmpdir(), "cut-"));
  mkdirSync(join(home, "journal"));
  for (let cut = 0; cut <= whole.length; cut++) {
    writeFileSync(join(home, "journal/0000000001.seg"), whole.subarray(0, cut));
    const kept = frames.filter((f) => frameEnd(f) <= cut);
    const last = kept.findLast((f) => f.kind !== FRAME.evidence);
    expect(await findEnd(home, 0), `cut at ${cut}`).toEqual(
      last === undefined
        ? null
        : {
            position: { segment: 1, offset: frameEnd(last) },
            entries: kept.filter((f) => f.kind === FRAME.event).length,
            evidenceFrames: kept.filter((f) => f.kind === FRAME.evidence && f.offset < last.offset).length,
          },
    );
  }
});

it("cut off at some 40 bytes, the ledger opens without help, goes on and verifies", async () => {
  const left = await crashed(3);
  const { length } = used(segment(left)).whole;
  for (let cut = 0; cut <= length; cut += Math.ceil(length / 40)) {
    const options = {
      ...left,
      directory: `${left.directory}-${cut}`,
      keyDirectory: `${left.keyDirectory}-${cut}`,
    };
    cpSync(left.directory, options.directory, { recursive: true });
    cpSync(left.keyDirectory, options.keyDirectory, { recursive: true });
    truncateSync(segment(options), cut);
    const ledger = await openLedgerWith(options, {});
    await append(ledger, 9);
    await ledger.close();
    const found = await verifyLedger(options.directory);
    expect(found.problems, `cut at ${cut}`).toEqual([]);
    expect(found.unsigned).toBe(0);
  }
});

it("3,000 bits flipped in an unsigned tail: recovery refuses, or ends exactly at the damaged frame of the last group", async () => {
  const left = await crashed(6);
  const { whole, frames } = used(segment(left));
  const lastGroup = frames.filter((f) => f.kind === FRAME.commit).at(-2);
  const begin = lastGroup === undefined ? 0 : frameEnd(lastGroup);
  const home = mkdtempSync(join(tmpdir(), "flip-"));
  mkdirSync(join(home, "journal"));
  let [refused, ended] = [0, 0];
  for (let n = 0; n < 3000; n++) {
    const at = (n * 7919) % whole.length;
    const bytes = Buffer.from(whole);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << (n % 8));
    writeFileSync(join(home, "journal/0000000001.seg"), bytes);
    const damaged = frames.findLast((f) => f.offset <= at);
    const end = await findEnd(home, 0).catch((error: unknown) => error);
    if (at < begin) {
      expect(end, `bit ${n % 8} of byte ${at}`).toMatchObject({ code: "ledger.unreadable" });
      refused++;
    } else {
      const kept = frames
        .filter((f) => frameEnd(f) <= (damaged?.offset ?? 0) && f.kind !== FRAME.evidence)
        .at(-1);
      expect(end).toMatchObject({ position: { offset: kept === undefined ? 0 : frameEnd(kept) } });
      ended++;
    }
  }
  expect([refused > 1000, ended > 100]).toEqual([true, true]);
});

it("room that was made ready and not used is cut off at close, and read over after a crash", async () => {
  const options = place();
  const ledger = await openLedgerWith(options, { segmentBytes: 100_000 });
  let n = 1;
  for (; n < 400; n++) await append(ledger, n);
  const left = `${options.directory}-left`;
  cpSync(options.directory, left, { recursive: true });
  expect(await entries(left)).toBe(400);
  expect((await verifyLedger(left)).unsigned).toBe(400);
  await ledger.close();
  const { length } = used(segment(options)).whole;
  expect(statSync(segment(options)).size).toBe(length);
  expect(await entries(options.directory)).toBe(400);
});

it("after a power cut the tiles that were not synced are made again from the journal", async () => {
  const options = place();
  const boots = ["00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"];
  const first = await openLedgerWith(options, { boot: boots[0] ?? "" });
  await Promise.all(Array.from({ length: 1000 }, (_, n) => append(first, n)));
  await first.checkpoint();
  const left = {
    ...options,
    directory: `${options.directory}-left`,
    keyDirectory: `${options.keyDirectory}-left`,
  };
  cpSync(options.directory, left.directory, { recursive: true });
  cpSync(options.keyDirectory, left.keyDirectory, { recursive: true });
  await first.close();
  // What a power cut may leave of files that were never synced.
  writeFileSync(join(left.directory, "tile/0/001"), Buffer.alloc(8192));
  truncateSync(join(left.directory, "tile/entries/002"), 0);
  rmSync(join(left.directory, "tile/0/003.p"), { recursive: true });
  await expect(openLedgerWith(left, { boot: boots[0] ?? "" })).rejects.toMatchObject({
    code: "ledger.unreadable",
  });
  const second = await openLedgerWith(left, { boot: boots[1] ?? "" });
  await append(second, 1001);
  await second.close();
  expect(await verifyLedger(left.directory)).toMatchObject({ ok: true, size: 1003, problems: [] });
});

it.each([
  ["back by an hour", -3_600_000],
  ["back before the epoch", -1_900_000_000_000],
  ["ahead by a century", 3_155_760_000_000],
])("a clock that jumps %s changes no order and no proof", async (_, jump) => {
  let now = 1_800_000_000_000;
  const options = { ...place(), clock: { now: () => now, monotonic: () => performance.now() } };
  const ledger = await openLedgerWith(options, {});
  await append(ledger, 1);
  now += jump;
  const { event, index } = await append(ledger, 2);
  expect([event.at, index]).toEqual([now, 2]);
  await ledger.checkpoint();
  now -= jump;
  await append(ledger, 3);
  await ledger.close();
  expect(await verifyLedger(options.directory)).toMatchObject({ ok: true, size: 4 });
});

it("a ledger whose journal is gone is not taken for a new one", async () => {
  const options = place();
  const ledger = await openLedgerWith(options, {});
  await append(ledger, 1);
  await ledger.close();
  rmSync(join(options.directory, "journal"), { recursive: true });
  await expect(findEnd(options.directory, 2)).rejects.toMatchObject({ code: "ledger.unreadable" });
  await expect(openLedgerWith(options, {})).rejects.toMatchObject({ code: "ledger.unreadable" });
});

it("an event too large is refused alone; evidence of its session is still good", async () => {
  const options = place();
  const ledger = await openLedgerWith(options, {});
  const first = await append(ledger, 1);
  const large = ledger.append({ ...answered(2), tlsPeer: "x".repeat(70_000) } as EventBody, [
    { role: "response-body", chunks: [body(3)] },
  ]);
  await expect(large).rejects.toMatchObject({ code: "ledger.oversize" });
  const third = await append(ledger, 3);
  await ledger.close();
  expect([first.index, third.index]).toEqual([1, 2]);
  const ref = "evidence" in third.event ? third.event.evidence[0] : undefined;
  expect(await readEvidence(options.directory, options.keyDirectory, ref?.id ?? "")).toEqual(body(3));
});

it("what a failing disk took although it was refused is not found after a crash", async () => {
  const options = place();
  const disk = faultyDisk();
  const ledger = await openLedgerWith(options, { io: disk.io });
  await append(ledger, 1);
  disk.syncWith = "EIO";
  await expect(append(ledger, 2)).rejects.toMatchObject({ code: "ledger.failed" });
  // The process is killed now: nothing more is appended or closed.
  expect(await entries(options.directory)).toBe(2);
  disk.syncWith = null;
  await ledger.close();
});

it("an append that still fetches its session's key when the ledger closes writes nothing", async () => {
  const options = place();
  const ledger = await openLedgerWith(options, {});
  const late = append(ledger, 1);
  const closed = ledger.close();
  await expect(late).rejects.toMatchObject({ code: "ledger.closed" });
  await closed;
  expect(await entries(options.directory)).toBe(1);
});

it("nothing is appended after close", async () => {
  const ledger = await openLedgerWith(place(), {});
  await ledger.close();
  await expect(append(ledger, 1)).rejects.toBeInstanceOf(Fault);
});

it("evidence that takes long to prepare keeps its place among what comes of its session, and all comes back", async () => {
  const o = place();
  // A clock that makes every step of preparing a turn of its own.
  let now = 0;
  const ledger = await openLedgerWith({ ...o, clock: { now: clock.now, monotonic: () => (now += 2) } }, {});
  const bodies = Array.from({ length: 6 }, (_, n) =>
    n % 2 === 0 ? Buffer.from(Array.from({ length: 60_000 }, (_, i) => `${n} ${i * n} `).join("")) : body(n),
  );
  const add = (n: number): ReturnType<Ledger["append"]> =>
    ledger.append(answered(n), [{ role: "request-body", chunks: [bodies[n] ?? Buffer.alloc(0)] }]);
  const all = await Promise.all(bodies.map((_, n) => add(n)));
  expect(all.map(({ index }) => index)).toEqual([1, 2, 3, 4, 5, 6]);
  await ledger.close();
  for (const [n, { event }] of all.entries()) {
    const [ref] = "evidence" in event ? event.evidence : [];
    expect(
      (await readEvidence(o.directory, o.keyDirectory, ref?.id ?? "")).equals(bodies[n] ?? body(0)),
    ).toBe(true);
  }
  expect((await verifyLedger(o.directory, undefined, { keyDirectory: o.keyDirectory })).problems).toEqual([]);
});

it("a write that is refused while evidence is prepared leaves nothing that refers to what is not there", async () => {
  const o = place();
  const disk = faultyDisk();
  let now = 0;
  const ledger = await openLedgerWith(
    { ...o, clock: { now: clock.now, monotonic: () => (now += 2) } },
    { io: disk.io },
  );
  const long = Buffer.from(Array.from({ length: 60_000 }, (_, i) => `${i * 7} `).join(""));
  const add = (bytes: Buffer): ReturnType<Ledger["append"]> =>
    ledger.append(answered(1), [{ role: "request-body", chunks: [bytes] }]);
  await add(body(1));
  disk.syncWith = "EIO";
  const refused = ledger.append({ kind: "ledger.opened", program: "x", recovered: 0 });
  const mended = refused.catch(() => {
    disk.syncWith = null;
  });
  const kept = add(long);
  await mended;
  await expect(refused).rejects.toMatchObject({ code: "ledger.failed" });
  const { event } = await kept;
  await ledger.close();
  const [ref] = "evidence" in event ? event.evidence : [];
  expect((await readEvidence(o.directory, o.keyDirectory, ref?.id ?? "")).equals(long)).toBe(true);
});
