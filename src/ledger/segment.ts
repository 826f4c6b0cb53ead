/**
 * The journal's files: `journal/<10 digits>.seg`, numbered from 1 without gaps, each opened by a head frame that says
 * which entry and which evidence frame come first in it. Only the last one grows. Reading needs no lock and works
 * while a writer runs: a reader that meets the end of a segment goes on in the next, and one that meets a frame still
 * being written comes back to it.
 *
 * Behind the last frame of a segment there may be zeros, room made ready for more.
 *
 * A reader may see the last frames a few milliseconds before their fdatasync; the writer's own tailers are held to
 * what is durable.
 */
import { closeSync, openSync, readdirSync, readSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "../core/index.ts";
import { diskFault, errnoOf } from "./files.ts";
import { FRAME, FRAME_HEAD_BYTES, type Frame, isZeros, parseFrames, payloadOf } from "./frame.ts";
import { BundledEntries } from "./stand-in.ts";

const READ_BYTES = 1024 * 1024;

/** What a segment's first frame says. */
export interface SegmentHead {
  readonly v: 1;
  readonly origin: string;
  readonly segment: number;
  /** Index of the first entry in this segment. */
  readonly entry: number;
  /** Number of the first evidence frame in this segment; evidence frames count from 1. */
  readonly evidence: number;
}

export const segmentName = (number: number): string => `${String(number).padStart(10, "0")}.seg`;
export const segmentPath = (directory: string, number: number): string =>
  join(directory, "journal", segmentName(number));

/** The numbers of the segments there are, ascending. */
export function listSegments(directory: string): number[] {
  let names: string[];
  try {
    names = readdirSync(join(directory, "journal"));
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw diskFault(error, join(directory, "journal"));
  }
  return names
    .flatMap((name) => (/^[0-9]{10}\.seg$/.test(name) ? [Number(name.slice(0, 10))] : []))
    .sort((a, b) => a - b);
}

export const encodeHead = (head: SegmentHead): Buffer => Buffer.from(JSON.stringify(head));

/** The head in a segment's first frame, or null where it is none. */
export function decodeHead(frame: Frame | undefined): SegmentHead | null {
  if (frame === undefined || frame.kind !== FRAME.head || frame.offset !== 0) return null;
  try {
    const head: unknown = JSON.parse(payloadOf(frame).toString("utf8"));
    if (typeof head !== "object" || head === null) return null;
    const { v, origin, segment, entry, evidence } = head as Record<string, unknown>; // checked field by field below
    if (v !== 1 || typeof origin !== "string") return null;
    if (!isCount(segment) || !isCount(entry) || !isCount(evidence)) return null;
    return { v, origin, segment, entry, evidence };
  } catch {
    return null; // not JSON: not a head
  }
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

/** The head of segment `number`, or null where the file is missing or its head is damaged. */
export function readHead(directory: string, number: number): SegmentHead | null {
  let fd: number;
  try {
    fd = openSync(segmentPath(directory, number), "r");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return null;
    throw diskFault(error, segmentPath(directory, number));
  }
  try {
    const bytes = Buffer.alloc(4096);
    const length = readSync(fd, bytes, 0, bytes.length, 0);
    return decodeHead(parseFrames(bytes.subarray(0, length), 0).frames[0]);
  } finally {
    closeSync(fd);
  }
}

/** The last segment whose head satisfies `startsAtOrBefore`; null where there is none. */
export function findSegment(
  directory: string,
  startsAtOrBefore: (head: SegmentHead) => boolean,
): SegmentHead | null {
  const numbers = listSegments(directory);
  let found: SegmentHead | null = null;
  let low = 0;
  let high = numbers.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const head = readHead(directory, numbers[middle] ?? 0);
    if (head !== null && startsAtOrBefore(head)) {
      found = head;
      low = middle + 1;
    } else high = middle - 1;
  }
  return found;
}

/** A place in the journal. */
export interface Position {
  readonly segment: number;
  readonly offset: number;
}

/** Reads frames in order from a segment's start on. Owned by one reader; holds one descriptor until `close()`. */
export class JournalReader {
  readonly #directory: string;
  #segment: number;
  #offset = 0;
  #file: FileHandle | null = null;
  #nextSeen = false;
  readonly #bundled: BundledEntries;

  constructor(directory: string, segment: number) {
    this.#directory = directory;
    this.#bundled = new BundledEntries(directory);
    this.#segment = segment;
  }

  get position(): Position {
    return { segment: this.#segment, offset: this.#offset };
  }

  /**
   * The next frames, with the entries themselves where compaction left a run of them to the bundles; at least one, all of one segment; empty at the journal's present end or at `limit`, after which
   * it may be called again. Throws `ledger.unreadable` at a damaged frame that is not the journal's unfinished end.
   */
  async read(limit?: Position): Promise<{ readonly segment: number; readonly frames: readonly Frame[] }> {
    let want = READ_BYTES;
    for (;;) {
      const none = { segment: this.#segment, frames: [] };
      if (limit !== undefined && this.#segment > limit.segment) return none;
      if (limit?.segment === this.#segment) want = Math.min(want, limit.offset - this.#offset);
      if (want <= 0 || !(await this.#opened())) return none;
      const bytes = await this.#bytesAt(want);
      const parsed = parseFrames(bytes, this.#offset);
      if (parsed.frames.length > 0) {
        this.#offset += parsed.consumed;
        this.#nextSeen = false;
        return { segment: this.#segment, frames: this.#bundled.expand(parsed.frames) };
      }
      if (parsed.stop === "partial" && bytes.length === want && parsed.needed > want) {
        want = parsed.needed;
        continue;
      }
      if (limit?.segment === this.#segment) throw this.#damaged();
      if (!(await this.#nextExists())) return none;
      // The segment may have grown between our read and the next one's birth: read it once more, now complete.
      if (!this.#nextSeen) {
        this.#nextSeen = true;
        continue;
      }
      if (!isZeros(await this.#rest(bytes))) throw this.#damaged();
      await this.#turn();
    }
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    await file?.close();
  }

  #damaged(): Fault {
    return new Fault("ledger.unreadable", {
      at: `journal/${segmentName(this.#segment)} offset ${this.#offset}`,
      detail: "damaged frame",
    });
  }

  async #opened(): Promise<boolean> {
    if (this.#file !== null) return true;
    try {
      this.#file = await open(segmentPath(this.#directory, this.#segment), "r");
      return true;
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return false;
      throw diskFault(error, segmentPath(this.#directory, this.#segment));
    }
  }

  async #bytesAt(want: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(Math.max(want, FRAME_HEAD_BYTES));
    let length = 0;
    while (length < want) {
      const got = await this.#file?.read(bytes, length, want - length, this.#offset + length);
      if (got === undefined || got.bytesRead === 0) break;
      length += got.bytesRead;
    }
    return bytes.subarray(0, length);
  }

  /** All that is left of this segment: nothing, or room that was never used. */
  async #rest(bytes: Buffer): Promise<Buffer> {
    if (bytes.length === 0) return bytes;
    const size = (await this.#file?.stat())?.size ?? 0;
    return await this.#bytesAt(Math.max(0, size - this.#offset));
  }

  async #nextExists(): Promise<boolean> {
    try {
      await (await open(segmentPath(this.#directory, this.#segment + 1), "r")).close();
      return true;
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return false;
      throw diskFault(error, segmentPath(this.#directory, this.#segment + 1));
    }
  }

  async #turn(): Promise<void> {
    await this.close();
    this.#segment++;
    this.#offset = 0;
    this.#nextSeen = false;
  }
}
