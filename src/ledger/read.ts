/**
 * Reading, without the lock, also while a writer runs. Entries come from the journal; in a copy that holds only the
 * published tiles they come from the bundles. What is read here is not verified: `verifyLedger` does that.
 */
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { Fault, type LedgerEvent } from "../core/index.ts";
import { type OpenedFrame, openFrame } from "./evidence.ts";
import { decodeFrameHead, parseEvidenceId, payloadDigest } from "./evidence-id.ts";
import { diskFault, readIfThere } from "./files.ts";
import { FRAME, frameHeads, parseFrames, payloadOf } from "./frame.ts";
import { sessionKey } from "./keys.ts";
import { parseCheckpoint } from "./note.ts";
import { findSegment, JournalReader, listSegments, segmentPath } from "./segment.ts";
import { droppedDigest } from "./stand-in.ts";
import { decodeBundle, readTile } from "./tiles.ts";

export interface ReadEntry {
  readonly index: number;
  readonly event: LedgerEvent;
  /** False: durable in the journal, not yet under a checkpoint. */
  readonly signed: boolean;
}

/** Entries from index `from` (default 0) to the present end, in order. Throws `ledger.unreadable` at damage. */
export async function* readEntries(
  directory: string,
  range: { readonly from?: number } = {},
): AsyncGenerator<ReadEntry, void, undefined> {
  for await (const batch of readLeaves(directory, range.from ?? 0))
    for (const { index, bytes, signed } of batch) yield { index, event: parseEvent(bytes, index), signed };
}

export interface Leaf {
  readonly index: number;
  readonly bytes: Buffer;
  readonly signed: boolean;
}

/** The same as bytes, in batches. */
export async function* readLeaves(
  directory: string,
  from: number,
): AsyncGenerator<readonly Leaf[], void, undefined> {
  if (listSegments(directory).length === 0) {
    yield* leavesOfBundles(directory, from);
    return;
  }
  const head = findSegment(directory, (h) => h.entry <= from);
  if (head === null) return;
  const reader = new JournalReader(directory, head.segment);
  let index = head.entry;
  try {
    for (;;) {
      const { frames } = await reader.read();
      if (frames.length === 0) return;
      const signed = signedSize(directory);
      const batch: Leaf[] = [];
      for (const frame of frames) {
        if (frame.kind !== FRAME.event) continue;
        if (index >= from) batch.push({ index, bytes: payloadOf(frame), signed: index < signed });
        index++;
      }
      if (batch.length > 0) yield batch;
    }
  } finally {
    await reader.close();
  }
}

/**
 * The same again and again, from where it stopped: for whoever follows a ledger that grows, at the cost of what is new. Owned
 * by one reader, who takes each batch to its end; after a throw it begins by looking for its place.
 */
export class LeafReader {
  readonly #directory: string;
  #journal: JournalReader | null = null;
  /** Of the next entry that `#journal` gives. */
  #next = 0;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Whether entries from `from` on would be read without looking for the place. */
  isAt(from: number): boolean {
    return this.#journal !== null && this.#next === from;
  }

  async *read(from: number): AsyncGenerator<readonly Leaf[], void, undefined> {
    if (!this.isAt(from)) {
      await this.close();
      const head = findSegment(this.#directory, (h) => h.entry <= from);
      if (head === null) {
        yield* readLeaves(this.#directory, from); // tiles alone, or nothing yet
        return;
      }
      this.#journal = new JournalReader(this.#directory, head.segment);
      this.#next = head.entry;
    }
    const journal = this.#journal;
    if (journal === null) return;
    let isWhole = false;
    try {
      for (;;) {
        const { frames } = await journal.read();
        if (frames.length === 0) break;
        const signed = signedSize(this.#directory);
        const batch: Leaf[] = [];
        for (const frame of frames) {
          if (frame.kind !== FRAME.event) continue;
          const index = this.#next++;
          if (index >= from) batch.push({ index, bytes: payloadOf(frame), signed: index < signed });
        }
        if (batch.length > 0) yield batch;
      }
      isWhole = true;
    } finally {
      if (!isWhole) await this.close();
    }
  }

  async close(): Promise<void> {
    const journal = this.#journal;
    this.#journal = null;
    await journal?.close();
  }
}

async function* leavesOfBundles(
  directory: string,
  from: number,
): AsyncGenerator<readonly Leaf[], void, undefined> {
  const size = signedSize(directory);
  for (let n = Math.floor(from / 256); n * 256 < size; n++) {
    const tile = readTile(directory, size, "entries", n);
    const entries = tile === null ? null : decodeBundle(tile.bytes);
    if (entries === null)
      throw new Fault("ledger.unreadable", { at: `tile/entries of ${n}`, detail: "missing or malformed" });
    yield entries
      .map((bytes, i) => ({ index: n * 256 + i, bytes, signed: true }))
      .filter(({ index }) => index >= from && index < size);
  }
}

function signedSize(directory: string): number {
  const note = readIfThere(join(directory, "checkpoint"));
  return note === null ? 0 : parseCheckpoint(note.toString("utf8")).size;
}

function parseEvent(bytes: Buffer, index: number): LedgerEvent {
  try {
    return JSON.parse(bytes.toString("utf8")) as LedgerEvent; // written by `append` from the union; verified elsewhere
  } catch (error) {
    throw new Fault("ledger.unreadable", { at: `entry ${index}`, detail: "not an event", cause: error });
  }
}

/**
 * The exact bytes behind an evidence id. Throws `evidence.unknown`, `evidence.erased`, `ledger.unreadable` when the
 * sealed bytes are not those the id names, `ledger.key`.
 */
export async function readEvidence(directory: string, keyDirectory: string, id: string): Promise<Buffer> {
  const { bytes } = await openEvidence(directory, keyDirectory, id);
  return bytes;
}

/** With salt and frame version, so that a commitment can be checked (`isCommitted`). */
export async function openEvidence(
  directory: string,
  keyDirectory: string,
  id: string,
): Promise<{ readonly bytes: Buffer; readonly salt: Buffer; readonly version: number }> {
  const wanted = parseEvidenceId(id);
  if (wanted === null) throw new Fault("evidence.unknown", { detail: `\`${id.slice(0, 80)}\`` });
  const frames = new EvidenceFrames(directory);
  const payload = await frames.payload(wanted.number);
  const head = payload === null ? null : decodeFrameHead(payload);
  if (payload === null || head === null) throw new Fault("evidence.unknown", { detail: `\`${id}\`` });
  // Compaction dropped it: that is for erased sessions alone.
  if (droppedDigest(payload) === wanted.digest)
    throw new Fault("evidence.erased", { detail: `session ${head.session}` });
  if (payloadDigest(payload) !== wanted.digest) throw altered(wanted.number);
  const key = await sessionKey(keyDirectory, frames.origin, head.session);
  if (key === null) throw new Fault("evidence.erased", { detail: `session ${head.session}` });
  const opened = openFrame(frames.origin, key, payload);
  const item = opened?.items[wanted.item];
  if (opened === null || item === undefined) throw altered(wanted.number);
  const lowest = item.runs.reduce((low, run) => Math.min(low, run.from), opened.firstChunk);
  const pack = await packBack(frames, key, opened, head.previous, lowest);
  const parts: Buffer[] = [];
  for (const { from, count } of item.runs)
    for (let at = from; at < from + count; at++) parts.push(chunkOf(pack, at, wanted.number));
  const bytes = Buffer.concat(parts);
  if (bytes.length !== item.bytes) throw altered(wanted.number);
  return { bytes, salt: item.salt, version: opened.version };
}

/** The pack's frames from this one back to the one that holds chunk `lowest`, newest first. */
async function packBack(
  frames: EvidenceFrames,
  key: Buffer,
  newest: OpenedFrame,
  previous: number,
  lowest: number,
): Promise<OpenedFrame[]> {
  const pack = [newest];
  let next = previous;
  for (let oldest = newest; oldest.firstChunk > lowest; ) {
    const payload = next === 0 ? null : await frames.payload(next);
    const head = payload === null ? null : decodeFrameHead(payload);
    const opened = payload === null ? null : openFrame(frames.origin, key, payload);
    if (head === null || opened === null) throw altered(next);
    pack.push(opened);
    oldest = opened;
    next = head.previous;
  }
  return pack;
}

function chunkOf(pack: readonly OpenedFrame[], chunk: number, number: number): Buffer {
  let low = 0;
  let high = pack.length - 1; // newest first: firstChunk falls
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((pack[middle]?.firstChunk ?? 0) <= chunk) high = middle;
    else low = middle + 1;
  }
  const frame = pack[low];
  const bytes = frame?.chunks[chunk - frame.firstChunk];
  if (bytes === undefined) throw altered(number);
  return bytes;
}

const altered = (number: number): Fault =>
  new Fault("ledger.unreadable", {
    at: `evidence frame ${number}`,
    detail: "sealed bytes damaged or altered",
  });

/** Finds evidence frames by number; remembers the places of those in segments it has gone through. */
class EvidenceFrames {
  readonly #directory: string;
  readonly #places = new Map<
    number,
    { readonly segment: number; readonly offset: number; readonly bytes: number }
  >();
  readonly #seen = new Set<number>();
  origin = "";

  constructor(directory: string) {
    this.#directory = directory;
  }

  async payload(number: number): Promise<Buffer | null> {
    if (!this.#places.has(number)) await this.#goThrough(number);
    const place = this.#places.get(number);
    if (place === undefined) return null;
    const file = await open(segmentPath(this.#directory, place.segment), "r").catch((error: unknown) => {
      throw diskFault(error, segmentPath(this.#directory, place.segment));
    });
    try {
      const bytes = Buffer.allocUnsafe(place.bytes);
      await file.read(bytes, 0, place.bytes, place.offset);
      const frame = parseFrames(bytes, 0).frames[0];
      if (frame === undefined) throw altered(number);
      return payloadOf(frame);
    } finally {
      await file.close();
    }
  }

  async #goThrough(number: number): Promise<void> {
    const head = findSegment(this.#directory, (h) => h.evidence <= number);
    if (head === null || this.#seen.has(head.segment)) return;
    this.#seen.add(head.segment);
    this.origin = head.origin;
    const path = segmentPath(this.#directory, head.segment);
    const bytes = await readFile(path).catch((error: unknown) => {
      throw diskFault(error, path);
    });
    let next = head.evidence;
    // Heads alone: the checksum of the one that is wanted is looked at when it is read.
    for (const { kind, offset, length } of frameHeads(bytes))
      if (kind === FRAME.evidence || kind === FRAME.dropped)
        this.#places.set(next++, { segment: head.segment, offset, bytes: length });
  }
}
