import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { asSessionId, type Clock, exchangeId, type SessionId } from "../core/index.ts";
import { compactLedger } from "./compact.ts";
import { FRAME, FrameBuffer, parseFrames, payloadOf } from "./frame.ts";
import { readEntries, readEvidence, verifyLedger } from "./index.ts";
import { type Ledger, type LedgerOptions, openLedgerWith } from "./ledger.ts";
import { encodeDropped } from "./stand-in.ts";

const clock: Clock = { now: () => 1_800_000_000_000, monotonic: () => performance.now() };
const id = (text: string): SessionId => asSessionId(text) ?? expect.fail("not an id");
const [kept, gone] = [id("00000001"), id("00000002")];
const by = { principal: "local:0", reason: "asked by the person" };
const INNARDS = { segmentBytes: 120_000, boot: "00000000-0000-0000-0000-000000000001" };

const place = (): LedgerOptions => {
  const home = mkdtempSync(join(tmpdir(), "compact-"));
  return { directory: join(home, "ledger"), keyDirectory: join(home, "keys"), clock, program: "test" };
};
const body = (session: SessionId, n: number): Buffer => Buffer.from(`${session} ${n} `.repeat(40));
async function send(ledger: Ledger, session: SessionId, n: number): Promise<string> {
  const { event } = await ledger.append(
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
    n % 3 === 0 ? [{ role: "response-body", chunks: [body(session, n)] }] : [],
  );
  return "evidence" in event ? (event.evidence[0]?.id ?? "") : "";
}

const source = place();
const ids = new Map<SessionId, string[]>();
beforeAll(async () => {
  const ledger = await openLedgerWith(source, INNARDS);
  for (let round = 0; round < 12; round++)
    await Promise.all(
      [kept, gone].map(async (session) => {
        const made = await Promise.all(
          Array.from({ length: 30 }, (_, i) => send(ledger, session, round * 30 + i)),
        );
        ids.set(session, [...(ids.get(session) ?? []), ...made.filter((one) => one !== "")]);
      }),
    );
  await ledger.erase(gone, by);
  await ledger.close();
});
const copy = (): LedgerOptions => {
  const to = place();
  cpSync(source.directory, to.directory, { recursive: true });
  cpSync(source.keyDirectory, to.keyDirectory, { recursive: true });
  return to;
};
const all = async (directory: string): Promise<unknown[]> => {
  const entries = [];
  for await (const entry of readEntries(directory)) entries.push(entry);
  return entries;
};

it("compacting gives room back, loses no entry and no living evidence, and everything still verifies", async () => {
  const { directory, keyDirectory } = copy();
  const before = await all(directory);
  expect(readdirSync(join(directory, "journal")).length).toBeGreaterThan(1);
  const done = await compactLedger(directory, keyDirectory);
  expect(done).toMatchObject({ dropped: 120, verification: { ok: true, size: 722, problems: [] } });
  expect(done.after).toBeLessThan(done.before / 2);
  expect(await all(directory)).toEqual(before);
  expect(await verifyLedger(directory, undefined, { keyDirectory })).toMatchObject({
    ok: true,
    evidence: { opened: 120, erased: 120 },
  });
  for (const [n, one] of (ids.get(kept) ?? []).entries())
    expect(await readEvidence(directory, keyDirectory, one)).toEqual(body(kept, n * 3));
  for (const one of ids.get(gone) ?? [])
    await expect(readEvidence(directory, keyDirectory, one)).rejects.toMatchObject({
      code: "evidence.erased",
    });
  expect(await compactLedger(directory, keyDirectory)).toMatchObject({
    dropped: 0,
    before: done.after,
    after: done.after,
  });
});

it.each([
  ["goes on", INNARDS.boot, false],
  ["goes on after a power cut", "00000000-0000-0000-0000-000000000002", false],
  ["goes on when all tiles must be made again", "00000000-0000-0000-0000-000000000002", true],
])("a compacted ledger %s, and is compacted again", async (_, boot, isMarkLost) => {
  const options = copy();
  await compactLedger(options.directory, options.keyDirectory);
  if (isMarkLost) rmSync(join(options.directory, "tiles.synced"));
  for (let round = 0; round < 2; round++) {
    const ledger = await openLedgerWith(options, { ...INNARDS, boot });
    const one = await send(ledger, kept, 999);
    await Promise.all(Array.from({ length: 300 }, (_, n) => send(ledger, kept, n * 3 + 1)));
    await ledger.close();
    expect(await readEvidence(options.directory, options.keyDirectory, one)).toEqual(body(kept, 999));
    const { verification } = await compactLedger(options.directory, options.keyDirectory);
    expect(verification).toMatchObject({ ok: true, size: 722 + (round + 1) * 302 });
  }
});

it("evidence that was dropped without its erasure on the record is named", async () => {
  const { directory, keyDirectory } = copy();
  const [name = ""] = readdirSync(join(directory, "journal"));
  const path = join(directory, "journal", name);
  const out = new FrameBuffer();
  let dropped = 0;
  for (const frame of parseFrames(readFileSync(path), 0).frames) {
    const payload = payloadOf(frame);
    const isKept = frame.kind === FRAME.evidence && payload.toString("hex", 2, 6) === kept;
    if (isKept && dropped++ === 0) out.bytes(FRAME.dropped, encodeDropped(payload));
    else out.bytes(frame.kind as 0, payload);
  }
  writeFileSync(path, out.view());
  const problem = `evidence of session ${kept} was dropped, and its erasure is not on the record`;
  expect((await verifyLedger(directory)).problems).toEqual([{ at: "journal", problem }]);
  await expect(compactLedger(directory, keyDirectory)).rejects.toMatchObject({ code: "ledger.unreadable" });
});

it("a bundle that is lost or altered after compacting is named, and the ledger is not opened for writing past it", async () => {
  const options = copy();
  const { directory, keyDirectory } = options;
  await compactLedger(directory, keyDirectory);
  const bundle = join(directory, "tile/entries/001");
  const bytes = readFileSync(bundle);
  bytes[100] = (bytes[100] ?? 0) ^ 1;
  writeFileSync(bundle, bytes);
  expect((await verifyLedger(directory)).problems.map((p) => p.problem)).toContain("entry 256 is altered");
  rmSync(bundle);
  expect((await verifyLedger(directory)).problems).toContainEqual({
    at: "tile/entries/001",
    problem: "missing or malformed, and the journal was compacted",
  });
  rmSync(join(directory, "tiles.synced"));
  await expect(openLedgerWith(options, INNARDS)).rejects.toMatchObject({ code: "ledger.unreadable" });
});

it("a ledger that does not verify, or that a writer holds, is not compacted", async () => {
  const options = copy();
  const held = await openLedgerWith(options, INNARDS);
  await expect(compactLedger(options.directory, options.keyDirectory)).rejects.toMatchObject({
    code: "ledger.locked",
  });
  await held.close();
  const path = join(options.directory, "tile/0/000");
  const bytes = readFileSync(path);
  bytes[0] = (bytes[0] ?? 0) ^ 1;
  writeFileSync(path, bytes);
  await expect(compactLedger(options.directory, options.keyDirectory)).rejects.toMatchObject({
    at: "tile/0/000",
  });
});

it("stopped at any step it leaves a whole ledger, and the next run finishes", async () => {
  const steps: string[] = [];
  const first = copy();
  await compactLedger(first.directory, first.keyDirectory, (step) => steps.push(step));
  expect(steps.length).toBeGreaterThan(5);
  for (const at of steps) {
    const { directory, keyDirectory } = copy();
    const stop = compactLedger(directory, keyDirectory, (step) => {
      if (step === at) throw new Error("stopped here");
    });
    await expect(stop, at).rejects.toThrow("stopped here");
    expect((await verifyLedger(directory)).problems, at).toEqual([]);
    await compactLedger(directory, keyDirectory);
    expect(readdirSync(join(directory, "journal")).filter((name) => !name.endsWith(".seg"))).toEqual([]);
    expect(await all(directory), at).toEqual(await all(source.directory));
  }
});
