import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { asSessionId, type Clock, type EventBody, exchangeId } from "../core/index.ts";
import type { EvidenceInput } from "./evidence.ts";
import { FRAME, type Frame, FrameBuffer, parseFrames, payloadOf } from "./frame.ts";
import { openLedger, verifyLedger } from "./index.ts";
import { encodeBundle } from "./tiles.ts";

const clock: Clock = { now: () => 1_800_000_000_000, monotonic: () => performance.now() };
const session = asSessionId("7f3a0001") ?? expect.fail("not an id");
const SIZE = 600;
let source: string;
let keyDirectory: string;

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
const evidenceOf = (n: number): EvidenceInput => ({
  role: "response-body",
  chunks: [Buffer.from(`body ${n}`)],
});

beforeAll(async () => {
  const home = mkdtempSync(join(tmpdir(), "verify-"));
  source = join(home, "ledger");
  keyDirectory = join(home, "keys");
  const ledger = await openLedger({
    directory: source,
    keyDirectory,
    clock,
    program: "test",
    origin: "example.org/log",
  });
  const jobs = Array.from({ length: SIZE - 1 }, (_, n) =>
    ledger.append(answered(n), n % 10 === 0 ? [evidenceOf(n)] : []),
  );
  await Promise.all(jobs);
  await ledger.close();
});

const copy = (): string => {
  const to = join(mkdtempSync(join(tmpdir(), "verify-")), "ledger");
  cpSync(source, to, { recursive: true });
  return to;
};
const segment = "journal/0000000001.seg";

/** Rewrites the journal, checksums and all, as an attacker with the disk but not the key would. */
function rewrite(directory: string, edit: (entries: Buffer[]) => Buffer[]): void {
  const path = join(directory, segment);
  const frames = parseFrames(readFileSync(path), 0).frames;
  const events = frames.filter((f) => f.kind === FRAME.event).map((f) => Buffer.from(payloadOf(f)));
  const edited = edit(events);
  const out = new FrameBuffer();
  const [head] = frames;
  if (head !== undefined) out.bytes(FRAME.head, payloadOf(head));
  for (const entry of edited) out.bytes(FRAME.event, entry);
  writeFileSync(path, out.view());
}
const said = async (directory: string): Promise<string[]> =>
  (await verifyLedger(directory)).problems.map((p) => `${p.at}: ${p.problem}`);
const withoutEvidence = (problems: string[]): string[] => problems.filter((p) => !p.includes("evidence"));

it("an untouched ledger verifies, with its size, origin and root", async () => {
  const found = await verifyLedger(source);
  expect(found).toMatchObject({ ok: true, origin: "example.org/log", size: SIZE, unsigned: 0, problems: [] });
  expect(found.root).toMatch(/^[0-9a-f]{64}$/);
});

it.each<[string, (entries: Buffer[]) => Buffer[], string[]]>([
  ["altered", (e) => e.with(300, Buffer.from('{"kind":"x"}')), ["journal: entry 300 is altered"]],
  ["removed", (e) => e.toSpliced(300, 1), ["journal: entry 300 was removed"]],
  [
    "three removed",
    (e) => e.toSpliced(255, 3),
    [255, 256, 257].map((n) => `journal: entry ${n} was removed`),
  ],
  ["added", (e) => e.toSpliced(10, 0, Buffer.from("{}")), ["journal: an entry was added before entry 10"]],
  [
    "swapped",
    (e) => e.with(20, e[21] ?? Buffer.alloc(0)).with(21, e[20] ?? Buffer.alloc(0)),
    ["journal: entries 20 and 21 are swapped"],
  ],
  [
    "truncated",
    (e) => e.slice(0, 500),
    ["journal: truncated: it ends before entry 500, the checkpoint covers 600"],
  ],
])("an entry %s, with its checksum made good, is named", async (_, edit, expected) => {
  const directory = copy();
  rewrite(directory, edit);
  expect(withoutEvidence(await said(directory))).toEqual(expected);
});

it("sealed evidence that was altered, with its checksum made good, is named by its entry", async () => {
  const directory = copy();
  const path = join(directory, segment);
  const out = new FrameBuffer();
  let nth = 0;
  for (const frame of parseFrames(readFileSync(path), 0).frames) {
    const payload = Buffer.from(payloadOf(frame));
    if (frame.kind === FRAME.evidence && nth++ === 3) payload[40] = (payload[40] ?? 0) ^ 1;
    out.bytes(frame.kind as 0, payload);
  }
  writeFileSync(path, out.view());
  expect(await said(directory)).toEqual([
    expect.stringMatching(/^entry \d+: its sealed evidence is missing or altered$/),
    expect.stringMatching(/^entry \d+: evidence stands before it that it does not name$/),
  ]);
});

it.each<[string, (frames: Frame[]) => Frame[], RegExp[]]>([
  [
    "removed",
    (frames) =>
      frames.toSpliced(
        frames.findIndex((f) => f.kind === FRAME.evidence),
        1,
      ),
    [/^entry \d+: its sealed evidence is missing or altered$/],
  ],
  [
    "moved before another entry",
    (frames) => {
      const bare = frames.findIndex((f, i) => f.kind === FRAME.event && frames[i - 1]?.kind === FRAME.event);
      const from = frames.findIndex((f, i) => i > bare && f.kind === FRAME.evidence);
      expect(bare).toBeGreaterThan(0);
      return frames.toSpliced(from, 1).toSpliced(bare, 0, ...frames.slice(from, from + 1));
    },
    [
      /^entry \d+: evidence stands before it that it does not name$/,
      /^entry \d+: its sealed evidence is missing or altered$/,
    ],
  ],
])("sealed evidence that was %s is named", async (_, edit, expected) => {
  const directory = copy();
  const path = join(directory, segment);
  const out = new FrameBuffer();
  for (const frame of edit([...parseFrames(readFileSync(path), 0).frames]))
    out.bytes(frame.kind as 0, Buffer.from(payloadOf(frame)));
  writeFileSync(path, out.view());
  expect(await said(directory)).toEqual(expected.map((one) => expect.stringMatching(one)));
});

const flip = (path: string, at: number, bit = 0): void => {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
  writeFileSync(path, bytes);
};

it.each([
  ["tile/0/000", 70, "hash 2"],
  ["tile/0/002.p/88", 33, "hash 1"],
  ["tile/1/000.p/2", 63, "hash 1"],
  ["tile/entries/001", 5, "entry 256 is altered"],
])("a bit flipped in %s is found there", async (file, at, expected) => {
  const directory = copy();
  flip(join(directory, file), at);
  const problems = await said(directory);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(`${file}: ${expected}`);
});

it.each(["tile/0/000", "tile/1/000.p/2", "tile/entries/002.p/88", "checkpoint", "vkey.txt"])(
  "the missing file %s is named",
  async (file) => {
    const directory = copy();
    unlinkSync(join(directory, file));
    expect((await said(directory)).join()).toContain(`${file}: missing`);
  },
);

/** A ledger small enough to be verified thousands of times: 12 entries, some with evidence. */
async function small(): Promise<{ readonly directory: string; readonly key: string }> {
  const home = mkdtempSync(join(tmpdir(), "verify-"));
  const options = {
    directory: join(home, "ledger"),
    keyDirectory: join(home, "keys"),
    clock,
    program: "test",
  };
  const ledger = await openLedger(options);
  for (let n = 1; n < 12; n++) await ledger.append(answered(n), n % 5 === 0 ? [evidenceOf(n)] : []);
  await ledger.close();
  return { directory: options.directory, key: ledger.verifierKey };
}

it("1,000 random bits flipped, one at a time, in any file that is published or is the truth: each is found", async () => {
  const { directory, key } = await small();
  const files = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !["lock", "tiles.synced", "vkey.txt"].includes(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
  expect(files.length).toBe(4);
  const sizes = files.map((file) => statSync(file).size);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  let state = 7;
  for (let n = 0; n < 1000; n++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    let at = state % total;
    let which = 0;
    for (; at >= (sizes[which] ?? 0); which++) at -= sizes[which] ?? 0;
    const bit = (state >>> 20) % 8;
    flip(files[which] ?? "", at, bit);
    const { ok } = await verifyLedger(directory, key);
    expect(ok, `bit ${bit} of byte ${at} of ${files[which]}`).toBe(false);
    flip(files[which] ?? "", at, bit);
  }
  expect((await verifyLedger(directory, key)).problems).toEqual([]);
});

it("a journal cut off at any of its last 1,500 bytes is named, unless every entry is still there", async () => {
  const { directory, key } = await small();
  const path = join(directory, "journal/0000000001.seg");
  const whole = readFileSync(path);
  const events = (bytes: Buffer): number =>
    parseFrames(bytes, 0).frames.filter((frame) => frame.kind === FRAME.event).length;
  let truncated = 0;
  for (let cut = whole.length - 1500; cut < whole.length; cut++) {
    const left = whole.subarray(0, cut);
    writeFileSync(path, left);
    const { problems } = await verifyLedger(directory, key);
    const isMissing = events(left) < events(whole);
    const isTold = problems.some(({ problem }) => problem.startsWith("truncated"));
    expect(isTold, `cut at ${cut}`).toBe(isMissing);
    // Zeros behind the last frame are room made ready, also when they were the first bytes of a commit frame.
    if (!["end", "zeros"].includes(parseFrames(left, 0).stop))
      expect(problems.length, `cut at ${cut}`).toBeGreaterThan(0);
    if (isTold) truncated++;
  }
  expect(truncated).toBeGreaterThan(1000);
});

it("a copy without the journal verifies offline by its tiles, and a rewritten bundle is named", async () => {
  const directory = copy();
  unlinkSync(join(directory, segment));
  expect(await said(directory)).toEqual([]);
  const bundle = join(directory, "tile/entries/000");
  writeFileSync(bundle, encodeBundle(Array.from({ length: 256 }, () => Buffer.from("{}"))));
  expect((await said(directory))[0]).toBe("tile/entries/000: entry 0 is altered");
});

it("whoever holds the keys sees that all evidence is what was committed to, and which was erased", async () => {
  expect(await verifyLedger(source, undefined, { keyDirectory })).toMatchObject({
    ok: true,
    evidence: { opened: 60, erased: 0 },
  });
  const directory = copy();
  const keys = join(directory, "../keys");
  cpSync(keyDirectory, keys, { recursive: true });
  const sessions = join(keys, "example.org_log/sessions");
  const key = join(sessions, `${session}.key`);
  const good = readFileSync(key);
  writeFileSync(key, good.toString().replace(/.=*\n$/, "AAAA\n"), { mode: 0o600 });
  const { problems } = await verifyLedger(directory, undefined, { keyDirectory: keys });
  expect(problems).toEqual([
    { at: `key of session ${session}`, problem: expect.stringContaining("does not unwrap") },
  ]);
  writeFileSync(key, good);
  const ledger = await openLedger({ directory, keyDirectory: keys, clock, program: "test" });
  await ledger.erase(session, { principal: "local:0", reason: "test" });
  await ledger.close();
  expect(await verifyLedger(directory, undefined, { keyDirectory: keys })).toMatchObject({
    ok: true,
    evidence: { opened: 0, erased: 60 },
  });
});

it("history rewritten whole, journal and tiles in agreement, is named by the checkpoint that was signed", async () => {
  const home = mkdtempSync(join(tmpdir(), "verify-"));
  const directory = join(home, "ledger");
  const options = {
    directory,
    keyDirectory: join(home, "keys"),
    clock,
    program: "test",
    origin: "example.org/log",
  };
  const ledger = await openLedger(options);
  await Promise.all(Array.from({ length: SIZE - 1 }, (_, n) => ledger.append(answered(n + 1000))));
  await ledger.close();
  expect(await said(directory)).toEqual([]);
  for (const file of ["checkpoint", "vkey.txt"]) cpSync(join(source, file), join(directory, file));
  const problem =
    "neither the tiles nor the journal give the signed root: history was rewritten, or the checkpoint is another history's";
  expect((await verifyLedger(directory)).problems).toEqual([{ at: "checkpoint", problem }]);
  rmSync(join(directory, "journal"), { recursive: true });
  expect((await verifyLedger(directory)).problems).toEqual([
    { at: "checkpoint", problem: "the tiles do not give the signed root" },
  ]);
});

it("a checkpoint signed by another key is refused", async () => {
  const other = mkdtempSync(join(tmpdir(), "verify-"));
  const ledger = await openLedger({
    directory: join(other, "ledger"),
    keyDirectory: join(other, "keys"),
    clock,
    program: "test",
    origin: "example.org/log",
  });
  await ledger.close();
  const { problems } = await verifyLedger(source, ledger.verifierKey);
  expect(problems[0]).toEqual({ at: "checkpoint", problem: "the note is signed by no known key" });
});

it("a restored old copy is refused for writing, and told from a remembered checkpoint", async () => {
  const home = mkdtempSync(join(tmpdir(), "verify-"));
  const [directory, keys, old] = [join(home, "ledger"), join(home, "keys"), join(home, "old")];
  const options = { directory, keyDirectory: keys, clock, program: "test" };
  await (await openLedger(options)).close();
  cpSync(directory, old, { recursive: true });
  await (await openLedger(options)).close();
  const newest = readFileSync(join(directory, "checkpoint"), "utf8");
  await expect(openLedger({ ...options, directory: old })).rejects.toMatchObject({ code: "ledger.forked" });
  expect((await verifyLedger(old)).ok).toBe(true);
  expect((await verifyLedger(old, undefined, { keyDirectory: keys })).problems[0]?.problem).toBe(
    "the ledger was rolled back: 2 entries were signed once, it has 1",
  );
  expect((await verifyLedger(old, undefined, { remembered: [newest] })).problems[0]?.problem).toBe(
    "the ledger was rolled back: 2 entries were signed once, it has 1",
  );
  // Whoever has the key directory too can go on signing: a checkpoint kept elsewhere tells.
  unlinkSync(
    join(
      keys,
      readFileSync(join(old, "vkey.txt"), "utf8").split("+")[0]?.replace("/", "_") ?? "",
      "checkpoint",
    ),
  );
  const fork = await openLedger({ ...options, directory: old, program: "other" });
  await fork.close();
  expect((await verifyLedger(old)).ok).toBe(true);
  expect((await verifyLedger(old, undefined, { remembered: [newest] })).problems[0]?.problem).toBe(
    "history is forked: its first 2 entries are not those that were signed once",
  );
});

it("a journal cut short behind its checkpoint is not opened for writing", async () => {
  const directory = copy();
  truncateSync(join(directory, segment), 20_000);
  await expect(openLedger({ directory, keyDirectory, clock, program: "test" })).rejects.toMatchObject({
    code: "ledger.unreadable",
  });
});
