import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import {
  asSessionId,
  type Clock,
  type EventBody,
  type EvidenceRef,
  exchangeId,
  type Fault,
} from "../core/index.ts";
import { isCommitted, type OpenedFrame, openFrame, Pack } from "./evidence.ts";
import { FRAME, frameHeads } from "./frame.ts";
import { openLedger, readEvidence, verifyLedger } from "./index.ts";
import { openLedgerWith } from "./ledger.ts";
import { openEvidence } from "./read.ts";
import { seal as keySeal } from "./seal.ts";
import { listSegments, segmentPath } from "./segment.ts";
import { type Cut, cutPoints } from "./split.ts";

const clock: Clock = { now: () => 1_800_000_000_000, monotonic: () => performance.now() };
const session = asSessionId("7f3a0001") ?? expect.fail("not an id");

const answered = (n: number): EventBody => ({
  kind: "exchange.answered",
  session,
  exchange: exchangeId(session, n),
  status: 200,
  responseBytes: 1,
  address: null,
  tlsPeer: null,
  usage: null,
  complete: true,
  durationMs: 1,
  evidence: [],
});

/** What an agent sends: its history grows, the cache mark wanders, at `clearAt` old results are dropped. */
function conversation(turns: number, clearAt = 0): Buffer[] {
  let seed = 7;
  const random = (): number => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return seed / 2147483648;
  };
  const prose = (length: number): string =>
    Array.from({ length: length / 6 }, () =>
      Math.floor(random() * 1e9)
        .toString(36)
        .padEnd(5, "x"),
    ).join(" ");
  const messages: { role: string; content: Record<string, unknown>[] }[] = [];
  const system = [{ type: "text", text: prose(6000) }];
  const tools = Array.from({ length: 8 }, (_, i) => ({ name: `tool${i}`, description: prose(350) }));
  messages.push({ role: "user", content: [{ type: "text", text: prose(1200) }] });
  return Array.from({ length: turns }, (_, turn) => {
    if (turn === clearAt && turn > 0)
      for (const m of messages.slice(0, -4))
        for (const c of m.content) if ("content" in c) c["content"] = "[cleared]";
    const shown = messages.map((m, i) => ({
      ...m,
      content: m.content.map((c) =>
        i === messages.length - 1 ? { ...c, cache_control: { type: "ephemeral" } } : c,
      ),
    }));
    const request = Buffer.from(JSON.stringify({ model: "m", system, tools, messages: shown, stream: true }));
    messages.push({ role: "assistant", content: [{ type: "text", text: `"${prose(400)}"\\` }] });
    messages.push({ role: "user", content: [{ type: "tool_result", content: prose(4000) }] });
    return request;
  });
}

const sha256 = (...parts: readonly Uint8Array[]): Buffer => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
};
const key = randomBytes(32);
const ORIGIN = "example.org/log";

/** Opens every frame of one pack and puts each body together again. */
function unpack(payloads: readonly Buffer[]): Buffer[] {
  const frames: OpenedFrame[] = payloads.map(
    (p) => openFrame(ORIGIN, key, p) ?? expect.fail("does not open"),
  );
  const chunks = frames.flatMap((f) => f.chunks);
  return frames.flatMap((f) =>
    f.items.map((item) =>
      Buffer.concat(item.runs.flatMap(({ from, count }) => chunks.slice(from, from + count))),
    ),
  );
}
const seal = (pack: Pack, number: number, ...bodies: Buffer[]): Buffer =>
  pack.seal(
    number,
    bodies.map((body) => ({ role: "request-body", chunks: [body] })),
  ).payload;

it.each([
  ["grows", 0],
  ["is cleared half way", 25],
])("a session of 50 turns that %s costs about what is new, and comes back exactly", (_, clearAt) => {
  const bodies = conversation(50, clearAt);
  const pack = new Pack(ORIGIN, session, key);
  const payloads = bodies.map((body, i) => seal(pack, i + 1, body));
  expect(unpack(payloads)).toEqual(bodies);
  const raw = bodies.reduce((sum, b) => sum + b.length, 0);
  const stored = payloads.reduce((sum, p) => sum + p.length, 0);
  // Random words compress to about half; what is new is about 1/25 of what is sent.
  expect(stored / raw).toBeLessThan(0.05);
});

const edit = fc.record({ at: fc.nat(4000), remove: fc.nat(300), insert: fc.string({ maxLength: 700 }) });

it("whatever is edited between two bodies, both come back exactly", () => {
  const [base = Buffer.alloc(0)] = conversation(3).slice(-1);
  fc.assert(
    fc.property(fc.array(edit, { maxLength: 5 }), fc.nat(20_000), (edits, length) => {
      const bodies = [base.subarray(0, length)];
      for (const { at, remove, insert } of edits) {
        const last = bodies.at(-1) ?? base;
        bodies.push(Buffer.concat([last.subarray(0, at), Buffer.from(insert), last.subarray(at + remove)]));
      }
      const pack = new Pack(ORIGIN, session, key);
      expect(unpack(bodies.map((b, i) => seal(pack, i + 1, b)))).toEqual(bodies);
    }),
    { numRuns: 200 },
  );
});

it("cuts ascend to the end, and scanning taken up at a cut finds the same cuts", () => {
  const json = fc.json({ maxDepth: 5, stringUnit: "grapheme" }).map((text) => Buffer.from(text));
  const bytes = fc.oneof(
    json,
    fc.uint8Array({ maxLength: 2000 }).map((b) => Buffer.from(b)),
  );
  const whole = conversation(4).at(-1) ?? Buffer.alloc(0);
  const law = (body: Buffer): void => {
    const cuts = cutPoints(body);
    const ends = cuts.map((c: Cut) => c.end);
    expect(ends).toEqual([...new Set(ends)].sort((a, b) => a - b));
    expect(ends.at(-1) ?? 0).toBe(body.length);
    for (const [i, cut] of cuts.entries())
      if (cut.depth > 0) expect(cutPoints(body, cut)).toEqual(cuts.slice(i + 1));
  };
  law(whole);
  fc.assert(fc.property(bytes, law), { numRuns: 300 });
});

it("what is no JSON is cut by its content: an insertion or a removal stores what is near it, not all behind it again", () => {
  const body = createHash("shake256", { outputLength: 400_000 }).update("no json").digest();
  const pieces = cutPoints(body).length;
  expect([pieces > 60, pieces < 130]).toEqual([true, true]);
  for (const edited of [
    Buffer.concat([body.subarray(0, 100_003), Buffer.from("some words"), body.subarray(100_003)]),
    Buffer.concat([body.subarray(0, 200_000), body.subarray(200_777)]),
    Buffer.concat([Buffer.from("x"), body]),
  ]) {
    const pack = new Pack(ORIGIN, session, key);
    const payloads = [body, edited].map((b, i) => seal(pack, i + 1, b));
    expect(payloads[1]?.length).toBeLessThan(40_000);
    expect(unpack(payloads)).toEqual([body, edited]);
  }
});

it("a frame opens only with its own key, its own origin and unaltered", () => {
  const payload = seal(new Pack(ORIGIN, session, key), 1, Buffer.from("text"));
  expect(openFrame(ORIGIN, randomBytes(32), payload)).toBeNull();
  expect(openFrame("example.org/other", key, payload)).toBeNull();
  for (let at = 0; at < payload.length; at++) {
    const altered = Buffer.from(payload);
    altered[at] = (altered[at] ?? 0) ^ 1;
    expect(openFrame(ORIGIN, key, altered), `byte ${at}`).toBeNull();
  }
});

it("however a long body changes from turn to turn, each commitment is to its exact bytes", () => {
  const text = Buffer.concat(conversation(40));
  fc.assert(
    fc.property(
      fc.array(
        edit.map((e) => ({ ...e, at: e.at * 60 })),
        { maxLength: 6 },
      ),
      (edits) => {
        const pack = new Pack(ORIGIN, session, key);
        let body = text.subarray(0, 240_000);
        for (const [i, { at, remove, insert }] of [{ at: 0, remove: 0, insert: "" }, ...edits].entries()) {
          const cutAt = i % 3 === 2 ? Math.min(at, body.length) : body.length;
          body = Buffer.concat([
            body.subarray(0, at),
            Buffer.from(insert),
            body.subarray(at + remove, cutAt),
          ]);
          const { payload, refs } = pack.seal(i + 1, [{ role: "request-body", chunks: [Buffer.from(body)] }]);
          const salt = openFrame(ORIGIN, key, payload)?.items[0]?.salt ?? expect.fail("does not open");
          expect(refs[0]?.bytes).toBe(body.length);
          expect(refs[0]?.commitment).toBe(sha256(salt, sha256(body)).toString("hex"));
        }
      },
    ),
    { numRuns: 30 },
  );
});

it("a frame of version 1 is read, and its commitment is checked by its own rule", () => {
  const [salt, body, head] = [randomBytes(32), Buffer.from("of version 1"), Buffer.alloc(22)];
  head[0] = 1;
  head.write(session, 2, "hex");
  head.writeBigUInt64BE(1n, 6);
  const plain = Buffer.concat([
    Buffer.from([0, 1]),
    salt,
    Buffer.from([body.length, 1, 0, 1, 1, body.length]),
    body,
  ]);
  const frame = openFrame(
    ORIGIN,
    key,
    Buffer.concat([head, keySeal(key, plain, Buffer.concat([head, Buffer.from(ORIGIN)]))]),
  );
  expect(frame).toMatchObject({ version: 1, chunks: [body] });
  const ref = { bytes: body.length, commitment: sha256(salt, body).toString("hex") };
  expect(isCommitted(1, salt, [body], ref)).toBe(true);
  expect(isCommitted(2, salt, [body], ref)).toBe(false);
});

it("nothing of the plain bytes stands in the ledger's files; the commitment is salted", async () => {
  const home = mkdtempSync(join(tmpdir(), "evidence-"));
  const [directory, keyDirectory] = [join(home, "ledger"), join(home, "keys")];
  const ledger = await openLedger({ directory, keyDirectory, clock, program: "test" });
  const body = Buffer.from("the quick brown fox, uncompressible 0b8f1c");
  const refs: EvidenceRef[] = [];
  for (let n = 1; n <= 2; n++) {
    const { event } = await ledger.append(answered(n), [{ role: "response-body", chunks: [body] }]);
    if ("evidence" in event) refs.push(...event.evidence);
  }
  await ledger.close();
  expect(refs).toHaveLength(2);
  expect(refs[0]?.commitment).not.toBe(refs[1]?.commitment);
  for (const ref of refs) {
    const { bytes, salt } = await openEvidence(directory, keyDirectory, ref.id);
    expect(bytes).toEqual(body);
    expect(sha256(salt, sha256(bytes)).toString("hex")).toBe(ref.commitment);
    expect(await readEvidence(directory, keyDirectory, ref.id)).toEqual(body);
  }
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((f) => f.isFile());
  expect(files.length).toBeGreaterThan(3);
  for (const file of files)
    expect(readFileSync(join(file.parentPath, file.name)).includes("quick brown"), file.name).toBe(false);
});

it("a session whose pack runs over many segments and a restart is read back; one flipped bit is told, not shown", async () => {
  const home = mkdtempSync(join(tmpdir(), "evidence-"));
  const [directory, keyDirectory] = [join(home, "ledger"), join(home, "keys")];
  const bodies = conversation(30);
  const ids: string[] = [];
  for (const half of [bodies.slice(0, 15), bodies.slice(15)]) {
    const ledger = await openLedgerWith(
      { directory, keyDirectory, clock, program: "test" },
      { segmentBytes: 20_000 },
    );
    for (const body of half) {
      const { event } = await ledger.append(answered(ids.length), [
        { role: "response-body", chunks: [body] },
      ]);
      if ("evidence" in event) ids.push(event.evidence[0]?.id ?? "");
    }
    await ledger.close();
  }
  expect(listSegments(directory).length).toBeGreaterThan(3);
  expect(await verifyLedger(directory, undefined, { keyDirectory })).toMatchObject({
    ok: true,
    evidence: { opened: 30, erased: 0 },
  });
  for (const [i, id] of ids.entries())
    expect((await readEvidence(directory, keyDirectory, id)).equals(bodies[i] ?? Buffer.alloc(0)), id).toBe(
      true,
    );
  const path = segmentPath(directory, 2);
  const bytes = readFileSync(path);
  const place = [...frameHeads(bytes)].find((f) => f.kind === FRAME.evidence) ?? expect.fail("no evidence");
  const at = place.offset + 100;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes);
  const results = await Promise.allSettled(ids.map((id) => readEvidence(directory, keyDirectory, id)));
  const failed = results.flatMap((r) => (r.status === "rejected" ? [(r.reason as Fault).code] : []));
  // The frame itself, and the later ones of its pack that refer to it.
  expect(failed.length).toBeGreaterThan(0);
  expect(new Set(failed)).toEqual(new Set(["ledger.unreadable"]));
  for (const [i, r] of results.entries())
    if (r.status === "fulfilled") expect(r.value.equals(bodies[i] ?? Buffer.alloc(0))).toBe(true);
});

it.each(["", "1-0-00", "999-0-00000000000000000000000000000000", "../../etc/passwd"])(
  "evidence `%s` is unknown",
  async (id) => {
    const home = mkdtempSync(join(tmpdir(), "evidence-"));
    const [directory, keyDirectory] = [join(home, "ledger"), join(home, "keys")];
    await (await openLedger({ directory, keyDirectory, clock, program: "test" })).close();
    await expect(readEvidence(directory, keyDirectory, id)).rejects.toMatchObject({
      code: "evidence.unknown",
    });
  },
);
