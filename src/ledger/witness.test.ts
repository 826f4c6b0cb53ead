import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { verifyLedger } from "./index.ts";
import { type LedgerOptions, openLedgerWith } from "./ledger.ts";
import { verifyConsistency } from "./merkle.ts";
import { openCheckpoint, openNote, parseVerifierKey, verifierKeyText } from "./note.ts";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

interface MockWitness {
  readonly url: string;
  readonly verifierKey: string;
  /** What it signed last. */
  last: { size: number; root: Buffer };
  readonly answers: number[];
  /** Taken instead of an honest answer. */
  wrong: { status: number; body: string } | null;
}

/** A witness after c2sp.org/tlog-witness that really checks signature and consistency, and really signs. */
async function witness(logKey: () => string, type: 4 | 6 = 4): Promise<MockWitness> {
  const { publicKey, privateKey } =
    type === 4 ? generateKeyPairSync("ed25519") : generateKeyPairSync("ml-dsa-44");
  const raw = publicKey.export({ format: "der", type: "spki" }).subarray(type === 4 ? -32 : -1312);
  const mock: MockWitness = {
    url: "",
    verifierKey: verifierKeyText("witness.example", raw, type),
    last: { size: 0, root: Buffer.alloc(0) },
    answers: [],
    wrong: null,
  };
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const { status, body } =
        mock.wrong ?? judge(mock, privateKey, logKey(), Buffer.concat(parts).toString("utf8"));
      mock.answers.push(status);
      response.writeHead(status).end(body);
    });
  });
  servers.push(server);
  await once(server.listen(0, "127.0.0.1"), "listening");
  return Object.assign(mock, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/w` });
}

function judge(
  mock: MockWitness,
  key: KeyObject,
  logKey: string,
  text: string,
): { status: number; body: string } {
  const end = text.indexOf("\n\n");
  const [head = "", ...proof] = text.slice(0, end).split("\n");
  const note = text.slice(end + 2);
  const { size, root } = openCheckpoint(note, [parseVerifierKey(logKey)]);
  const old = Number(/^old (\d+)$/.exec(head)?.[1]);
  if (old !== mock.last.size) return { status: 409, body: `${mock.last.size}\n` };
  const hashes = proof.map((line) => Buffer.from(line, "base64"));
  if (old > 0 && !verifyConsistency(BigInt(old), BigInt(size), mock.last.root, root, hashes))
    return { status: 422, body: "" };
  mock.last = { size, root };
  const time = 1_800_000_000n;
  const signed = note.slice(0, note.lastIndexOf("\n\n") + 1);
  const stamp = Buffer.alloc(8);
  stamp.writeBigUInt64BE(time);
  const { id, type } = parseVerifierKey(mock.verifierKey);
  const signature = sign(null, messageOf(type, signed, time), key);
  return {
    status: 200,
    body: `— witness.example ${Buffer.concat([id, stamp, signature]).toString("base64")}\n`,
  };
}

/** After c2sp.org/tlog-cosignature, written again from its text. */
function messageOf(type: number, text: string, time: bigint): Buffer {
  if (type === 4) return Buffer.from(`cosignature/v1\ntime ${time}\n${text}`);
  const [origin = "", size = "", root = ""] = text.split("\n");
  const message = Buffer.alloc(12 + 1 + 15 + 8 + 1 + origin.length + 8 + 8 + 32);
  let at = message.write("subtree/v1\n\0", 0);
  at = message.writeUInt8(15, at);
  at += message.write("witness.example", at);
  at = message.writeBigUInt64BE(time, at);
  at = message.writeUInt8(origin.length, at);
  at += message.write(origin, at);
  at = message.writeBigUInt64BE(0n, at);
  at = message.writeBigUInt64BE(BigInt(size), at);
  message.set(Buffer.from(root, "base64"), at);
  return message;
}

function place(): LedgerOptions & { now: number } {
  const home = mkdtempSync(join(tmpdir(), "witness-"));
  const options = {
    directory: join(home, "ledger"),
    keyDirectory: join(home, "keys"),
    program: "test",
    checkpointEveryMs: 1e8,
    now: 0,
    clock: { now: () => 1_800_000_000_000, monotonic: () => options.now },
  };
  return options;
}

it.each([
  ["Ed25519", 4],
  ["ML-DSA-44", 6],
] as const)(
  "a witness cosigns (%s) each checkpoint after checking that it contains the one before, over restarts",
  async (_, type) => {
    const options = place();
    let key = "";
    const mock = await witness(() => key, type);
    for (let round = 0; round < 3; round++) {
      const ledger = await openLedgerWith({ ...options, witnesses: [mock] }, {});
      key = ledger.verifierKey;
      for (let n = 0; n < 4; n++) {
        await ledger.hold(`case-${round}-${n}`, [], "local:0");
        const note = await ledger.checkpoint();
        const { signatures } = openNote(note, [parseVerifierKey(mock.verifierKey)]);
        expect(signatures.map((s) => s.time)).toEqual([1_800_000_000n]);
      }
      await ledger.close();
    }
    expect(mock.last.size).toBe(15);
    // Asked anew after each restart from 0, told by 409 where it stands.
    expect(mock.answers.filter((status) => status !== 200)).toEqual([409, 409]);
    const policy = policyOf(mock);
    expect(await verifyLedger(options.directory, key, { policy })).toMatchObject({
      ok: true,
      witnessed: { size: 15 },
    });
    const path = join(options.directory, "checkpoint");
    writeFileSync(path, readFileSync(path, "utf8").replace(/.{6}(=*)\n$/, "AAAAAA$1\n"));
    const { problems } = await verifyLedger(options.directory, key, { policy });
    expect(problems).toEqual([{ at: "checkpoint", problem: "wrong cosignature by witness.example" }]);
  },
);

it.each([
  ["gone", { status: 503, body: "" }],
  ["refusing", { status: 422, body: "" }],
  ["answering nonsense", { status: 200, body: "— witness.example AAAA\n" }],
  ["answering with a size it cannot know", { status: 409, body: "999999\n" }],
  ["answering without end", { status: 200, body: "x".repeat(100_000) }],
])(
  "a witness that is %s prevents nothing, is left alone for a minute and then asked again",
  async (_, wrong) => {
    const options = place();
    let key = "";
    const mock = await witness(() => key);
    mock.wrong = wrong;
    const ledger = await openLedgerWith({ ...options, witnesses: [mock] }, {});
    key = ledger.verifierKey;
    const isCosigned = (note: string): boolean => note.includes("witness.example");
    expect(isCosigned(await ledger.checkpoint())).toBe(false);
    const asked = mock.answers.length;
    mock.wrong = null;
    await ledger.hold("case-1", [], "local:0");
    expect(isCosigned(await ledger.checkpoint())).toBe(false);
    expect(mock.answers).toHaveLength(asked);
    options.now += 61_000;
    await ledger.hold("case-2", [], "local:0");
    expect(isCosigned(await ledger.checkpoint())).toBe(true);
    await ledger.close();
    expect((await verifyLedger(options.directory)).ok).toBe(true);
  },
);

const policyOf = (mock: MockWitness, more = ""): string =>
  `witness w ${mock.verifierKey} ${mock.url}\n${more}quorum w\n`;

it("what a witness has seen is told by policy, also when it was away for the newest checkpoint", async () => {
  const options = place();
  let key = "";
  const mock = await witness(() => key);
  const ledger = await openLedgerWith({ ...options, witnesses: [mock] }, {});
  key = ledger.verifierKey;
  await ledger.hold("case-1", [], "local:0");
  await ledger.checkpoint();
  const policy = policyOf(mock);
  const seen = { name: "w", size: 2, at: 1_800_000_000 };
  expect(await verifyLedger(options.directory, key, { policy })).toMatchObject({
    ok: true,
    witnessed: { size: 2, by: [seen] },
  });
  mock.wrong = { status: 503, body: "" };
  await ledger.hold("case-2", [], "local:0");
  await ledger.checkpoint();
  expect(await verifyLedger(options.directory, key, { policy })).toMatchObject({
    ok: true,
    size: 3,
    witnessed: { size: 2, by: [seen] },
  });
  // It is back, and nothing new was appended.
  mock.wrong = null;
  options.now += 61_000;
  await ledger.checkpoint();
  const { length } = mock.answers;
  await ledger.checkpoint();
  expect(mock.answers).toHaveLength(length);
  expect(await verifyLedger(options.directory, key, { policy })).toMatchObject({ witnessed: { size: 3 } });
  await ledger.close();
});

it("without its cosignature, or with one by another key, the quorum is not met", async () => {
  const options = place();
  let key = "";
  const mock = await witness(() => key);
  const other = await witness(() => key);
  const ledger = await openLedgerWith({ ...options, witnesses: [mock] }, {});
  key = ledger.verifierKey;
  await ledger.checkpoint();
  await ledger.close();
  const problems = [{ at: "checkpoint", problem: expect.stringContaining("not witnessed: the quorum `w`") }];
  expect(await verifyLedger(options.directory, key, { policy: policyOf(other) })).toMatchObject({ problems });
  rmSync(join(options.directory, "witnessed"), { recursive: true });
  const path = join(options.directory, "checkpoint");
  const note = readFileSync(path, "utf8");
  writeFileSync(path, `${note.split("\n").slice(0, -2).join("\n")}\n`);
  expect(await verifyLedger(options.directory, key, { policy: policyOf(mock) })).toMatchObject({ problems });
});

it("an old copy that goes on signing with the ledger's own key is named by what the witness saw", async () => {
  const options = place();
  let key = "";
  const mock = await witness(() => key);
  const witnessed = { ...options, witnesses: [mock] };
  const first = await openLedgerWith(witnessed, {});
  key = first.verifierKey;
  await first.close();
  const old = {
    ...witnessed,
    directory: `${options.directory}-old`,
    keyDirectory: `${options.keyDirectory}-old`,
  };
  cpSync(options.directory, old.directory, { recursive: true });
  cpSync(options.keyDirectory, old.keyDirectory, { recursive: true });
  const stale = `${options.directory}-stale`;
  cpSync(options.directory, stale, { recursive: true });
  const second = await openLedgerWith(witnessed, {});
  await second.hold("case-1", [], "local:0");
  await second.close();
  // The thief has the keys as they were, so the ledger itself sees nothing wrong. Longer than the true one: a fork.
  const fork = await openLedgerWith(old, {});
  for (let n = 0; n < 4; n++) await fork.hold(`forged-${n}`, [], "local:0");
  const note = await fork.checkpoint();
  await fork.close();
  expect(note).not.toContain("witness.example");
  expect(mock.answers.at(-1)).toBe(422);
  const policy = policyOf(mock);
  const alone = await verifyLedger(old.directory, key, { policy });
  expect(alone).toMatchObject({ ok: true, size: 6, witnessed: { size: 1 } });
  // What the witness, or anyone else, kept of the true one names the fork.
  mkdirSync(join(old.directory, "witnessed"), { recursive: true });
  cpSync(join(options.directory, "witnessed"), join(old.directory, "witnessed"), { recursive: true });
  expect((await verifyLedger(old.directory, key, { policy })).problems[0]?.problem).toBe(
    "history is forked: its first 3 entries are not those that w cosigned",
  );
  cpSync(join(options.directory, "witnessed"), join(stale, "witnessed"), { recursive: true });
  expect(await verifyLedger(stale, key, { policy })).toMatchObject({
    problems: [{ at: "checkpoint", problem: "the ledger was rolled back: 3 entries w cosigned, it has 1" }],
    witnessed: { size: 1 },
  });
});
