/**
 * Compaction: gives back what the journal holds twice or for nobody, and loses no entry.
 *
 *   - Evidence of sessions whose erasure is on the record and whose key is destroyed: nobody can open it.
 *   - Entries that lie in finished bundles under the checkpoint: from then on the bundle is the only place of their bytes,
 *     so a bundle that is damaged later is no longer made again from the journal, but restored from a backup.
 *
 * What was dropped stays provable: the digest of sealed bytes that the entry names, and every leaf, are as they were
 * (stand-in.ts). Segments keep their numbers and heads.
 *
 * Crash story, for each segment: the bundles it leans on are synced → the new segment is written aside and synced →
 * it is read back and held, frame by frame, against the old one → renamed over it → the directory synced. Killed at
 * any point, the old segment is there or the new one, whole; what lies aside is removed by the next compaction.
 *
 * It takes the writer's lock and refuses (`ledger.unreadable`) a ledger that does not verify before; after it, the ledger is
 * verified again.
 */
import { readdirSync, statSync } from "node:fs";
import { open, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Fault } from "../core/index.ts";
import { decodeFrameHead, payloadDigest } from "./evidence-id.ts";
import { diskFault, syncDirectory } from "./files.ts";
import { FRAME, type Frame, FrameBuffer, isZeros, parseFrames, payloadOf } from "./frame.ts";
import { erasure } from "./keys.ts";
import { takeLock } from "./lock.ts";
import { TILE_WIDTH } from "./merkle.ts";
import { readLeaves } from "./read.ts";
import { encodeCommit } from "./recover.ts";
import { decodeHead, listSegments, segmentName, segmentPath } from "./segment.ts";
import { BundledEntries, droppedDigest, encodeDropped, encodeTiled } from "./stand-in.ts";
import { tilePath } from "./tiles.ts";
import { type Verification, verifyLedger } from "./verify.ts";

export interface Compacted {
  /** Bytes of the journal's files. */
  readonly before: number;
  readonly after: number;
  /** Pieces of sealed evidence that were dropped, by this run. */
  readonly dropped: number;
  readonly verification: Verification;
}

const ASIDE = ".compact";

/** `onStep` hears of each step as it begins; tests stop the process there. */
export async function compactLedger(
  directory: string,
  keyDirectory: string,
  onStep: (step: string) => void = () => undefined,
): Promise<Compacted> {
  const lock = await takeLock(directory);
  try {
    const { origin, size } = await verified(directory);
    const erased = await erasedSessions(directory, keyDirectory, origin);
    const tiled = size - (size % TILE_WIDTH);
    const before = journalBytes(directory);
    await removeLeftovers(directory);
    onStep("sync bundles");
    await syncBundles(directory, tiled);
    let dropped = 0;
    for (const number of listSegments(directory)) {
      const job = new SegmentCompaction(directory, number, erased, tiled);
      dropped += await job.run(onStep);
    }
    onStep("verify");
    const verification = await verified(directory);
    return { before, after: journalBytes(directory), dropped, verification };
  } catch (error) {
    throw diskFault(error, directory);
  } finally {
    lock.release();
  }
}

async function verified(directory: string): Promise<Verification> {
  const found = await verifyLedger(directory);
  const [first] = found.problems;
  if (first !== undefined) throw new Fault("ledger.unreadable", { at: first.at, detail: first.problem });
  return found;
}

/** Those whose erasure a checkpoint covers and whose key is gone for good. */
async function erasedSessions(directory: string, keyDirectory: string, origin: string): Promise<Set<string>> {
  const erased = new Set<string>();
  for await (const batch of readLeaves(directory, 0))
    for (const { bytes, signed } of batch) {
      if (!signed || !bytes.includes('"kind":"evidence.erased"')) continue;
      const event = JSON.parse(bytes.toString("utf8")) as { kind: string; session: string }; // verified just before
      if (event.kind === "evidence.erased" && erasure(keyDirectory, origin, event.session) === "done")
        erased.add(event.session);
    }
  return erased;
}

const journalBytes = (directory: string): number =>
  listSegments(directory).reduce((sum, number) => sum + statSync(segmentPath(directory, number)).size, 0);

function removeLeftovers(directory: string): Promise<unknown> {
  const journal = join(directory, "journal");
  const left = readdirSync(journal).filter((name) => name.endsWith(ASIDE));
  return Promise.all(left.map((name) => rm(join(journal, name), { force: true })));
}

async function syncBundles(directory: string, entries: number): Promise<void> {
  const folders = new Set<string>();
  for (let n = 0; n * TILE_WIDTH < entries; n++) {
    const path = join(directory, tilePath("entries", n));
    const file = await open(path, "r");
    try {
      await file.datasync();
    } finally {
      await file.close();
    }
    for (let d = dirname(path); d.length >= directory.length; d = dirname(d)) folders.add(d);
  }
  for (const folder of folders) await syncDirectory(folder);
}

class SegmentCompaction {
  readonly #directory: string;
  readonly #number: number;
  readonly #erased: ReadonlySet<string>;
  /** Entries before it lie in finished bundles. */
  readonly #tiled: number;
  readonly #out = new FrameBuffer();
  #index = 0;
  #run = 0;
  #dropped = 0;
  #groupStart = 0;

  constructor(directory: string, number: number, erased: ReadonlySet<string>, tiled: number) {
    this.#directory = directory;
    this.#number = number;
    this.#erased = erased;
    this.#tiled = tiled;
  }

  /** Pieces of evidence dropped. */
  async run(onStep: (step: string) => void): Promise<number> {
    const path = segmentPath(this.#directory, this.#number);
    const bytes = await readFile(path);
    const parsed = parseFrames(bytes, 0);
    const head = decodeHead(parsed.frames[0]);
    // What is behind the last whole frame is room, or a torn tail: the next opening's affair.
    if (head === null || !isZeros(bytes.subarray(parsed.consumed))) return 0;
    this.#index = head.entry;
    for (const frame of parsed.frames) this.#take(frame);
    this.#endRun();
    if (this.#out.length >= parsed.consumed) return 0;
    onStep(`write ${segmentName(this.#number)}`);
    const aside = path + ASIDE;
    await this.#write(aside, (await stat(path)).mode);
    onStep(`compare ${segmentName(this.#number)}`);
    this.#compare(parsed.frames, parseFrames(await readFile(aside), 0).frames);
    onStep(`rename ${segmentName(this.#number)}`);
    await rename(aside, path);
    onStep(`sync ${segmentName(this.#number)}`);
    await syncDirectory(dirname(path));
    return this.#dropped;
  }

  #take(frame: Frame): void {
    if (frame.kind === FRAME.event && this.#index < this.#tiled) {
      this.#run++;
      this.#index++;
      return;
    }
    this.#endRun();
    const payload = payloadOf(frame);
    if (frame.kind === FRAME.event) this.#index++;
    if (frame.kind === FRAME.tiled) this.#index += payload.readUInt32BE(8);
    if (frame.kind === FRAME.commit) {
      this.#out.bytes(FRAME.commit, encodeCommit(this.#groupStart));
      this.#groupStart = this.#out.length;
    } else if (frame.kind === FRAME.evidence && this.#erased.has(decodeFrameHead(payload)?.session ?? "")) {
      this.#out.bytes(FRAME.dropped, encodeDropped(payload));
      this.#dropped++;
    } else this.#out.bytes(frame.kind as 0, payload); // a kind that was read from a whole frame
    if (frame.kind === FRAME.head) this.#groupStart = this.#out.length;
  }

  #endRun(): void {
    if (this.#run > 0)
      this.#out.bytes(FRAME.tiled, encodeTiled({ first: this.#index - this.#run, count: this.#run }));
    this.#run = 0;
  }

  async #write(path: string, mode: number): Promise<void> {
    const file = await open(path, "w", mode & 0o777);
    try {
      await file.writeFile(this.#out.view());
      await file.sync();
    } finally {
      await file.close();
    }
  }

  /** Nothing is taken on trust from the code above: each old frame must be there, or its stand-in. */
  #compare(before: readonly Frame[], after: readonly Frame[]): void {
    const same = (a: Frame | undefined, b: Frame | undefined): boolean => {
      if (a === undefined || b === undefined) return false;
      if (b.kind === FRAME.dropped && a.kind === FRAME.evidence)
        return droppedDigest(payloadOf(b)) === payloadDigest(payloadOf(a));
      return a.body.equals(b.body);
    };
    const whole = (frames: readonly Frame[]): Frame[] =>
      new BundledEntries(this.#directory).expand(frames).filter((frame) => frame.kind !== FRAME.commit);
    const [old, made] = [whole(before), whole(after)];
    if (old.length !== made.length || !old.every((frame, i) => same(frame, made[i])))
      throw new Fault("internal.bug", {
        detail: `compacting ${segmentName(this.#number)} would lose a frame`,
      });
  }
}
