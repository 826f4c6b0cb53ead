/**
 * The journal's writer: the truth of the ledger, append-only, one per process under the lock.
 *
 * Group commit: whatever is queued while the previous group is made durable becomes one durable write (files.ts), off
 * the event loop. An entry's evidence frames stand before it in the same group, so one write covers both.
 *
 * Room: zeros are written ahead of the frames, in the background. A durable write into them changes no file size and
 * needs no commit of the file system's own journal, which halves its time and keeps it from waiting for other files.
 * Room is never needed for correctness: where there is none, a write makes the file longer.
 *
 * Crash story: an append is acknowledged after fdatasync of its bytes and, for a new segment, fsync of the directory.
 * A crash before that leaves a prefix of the group, which `findEnd` sorts out at the next opening.
 *
 * Failure: when a durable write fails, the kernel may have dropped the dirty pages and cleared the error, so
 * the same descriptor is never trusted again: the group and all that is queued behind it are rejected, the file is
 * closed, and the next append reopens it, cuts it back to the last acknowledged byte, syncs, and only then goes on.
 */
import { closeSync, fdatasyncSync, ftruncateSync, mkdirSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "../core/index.ts";
import { diskFault, errnoOf, type JournalIo, openJournalFile, syncDirectory } from "./files.ts";
import { FRAME, FrameBuffer, MAX_EVENT_BYTES, MAX_FRAME_BYTES } from "./frame.ts";
import { encodeCommit, type JournalEnd } from "./recover.ts";
import { encodeHead, type Position, segmentPath } from "./segment.ts";

/** A segment that has reached this length is followed by a new one. */
export const SEGMENT_BYTES = 64 * 1024 * 1024;

/** Room is made in steps that double from the first to the last length, so that a small ledger stays small. */
const FIRST_ROOM_BYTES = 64 * 1024;
const LAST_ROOM_BYTES = 1024 * 1024;

/** How long an append that may wait does wait for one that may not. */
const PATIENCE_MS = 10;

interface Waiter {
  /** Hears the entry's index. */
  readonly resolve: (index: number) => void;
  readonly reject: (fault: Fault) => void;
}

interface Group {
  readonly frames: FrameBuffer;
  waiters: Waiter[];
}

const emptyGroup = (): Group => ({ frames: new FrameBuffer(), waiters: [] });

export class Journal {
  readonly #directory: string;
  readonly #origin: string;
  readonly #io: JournalIo;
  readonly #segmentBytes: number;
  /** Called after a group is durable. */
  readonly #onDurable: () => void;
  /** Called after a failed group, when numbers given out since the last durable one are void. */
  readonly #onFailure: () => void;

  /** The end of what is acknowledged. Moved by `#commit` alone. */
  #durable: Position;
  #entries: number;
  #evidenceFrames: number;
  /** The numbers the next append gets; ahead of the durable ones by what is queued or being written. */
  #nextEntry: number;
  #nextEvidence: number;
  /** Null: to be reopened before the next write. */
  #fd: number | null = null;
  #filling = emptyGroup();
  #writing = emptyGroup();
  #running: Promise<void> | null = null;
  /** Set while something that may wait does. */
  #patience: NodeJS.Timeout | null = null;
  /** Up to where this segment is written or zeroed; 0 where it is not known. */
  #room = 0;
  #roomStep = FIRST_ROOM_BYTES;
  /** Zeros under way, from `#room` on: no group may be written there meanwhile. */
  #makingRoom: Promise<void> | null = null;
  /** Making room failed on this descriptor: it is reopened before the next group. */
  #isSuspect = false;
  #isClosed = false;

  constructor(options: {
    readonly directory: string;
    readonly origin: string;
    readonly end: JournalEnd | null;
    readonly io: JournalIo;
    readonly segmentBytes: number;
    readonly onDurable: () => void;
    readonly onFailure: () => void;
  }) {
    this.#directory = options.directory;
    this.#origin = options.origin;
    this.#io = options.io;
    this.#segmentBytes = options.segmentBytes;
    this.#onDurable = options.onDurable;
    this.#onFailure = options.onFailure;
    // Segment 0 stands for "no segment yet": full, so that the first append makes segment 1.
    this.#durable = options.end?.position ?? { segment: 0, offset: Number.POSITIVE_INFINITY };
    this.#entries = this.#nextEntry = options.end?.entries ?? 0;
    this.#evidenceFrames = options.end?.evidenceFrames ?? 0;
    this.#nextEvidence = this.#evidenceFrames + 1;
  }

  get entries(): number {
    return this.#entries;
  }
  get nextEvidence(): number {
    return this.#nextEvidence;
  }
  get durable(): Position {
    return this.#durable;
  }

  /**
   * Queues an entry behind its evidence; both get the numbers that `nextEvidence` and the queue's order gave them at
   * this call. Resolves to what `done` makes of the entry's index, once durable. Rejects with `ledger.full`, `.readonly`, `.failed`, and
   * throws `ledger.oversize`; then nothing of it is in the ledger. `mayWait`: for others, so as to share their write, some
   * milliseconds at most.
   */
  append<T>(
    text: string,
    evidence: readonly Buffer[],
    done: (index: number) => T,
    mayWait = false,
  ): Promise<T> {
    if (this.#isClosed) throw new Fault("ledger.closed");
    const { frames } = this.#filling;
    for (const payload of evidence)
      if (payload.length > MAX_FRAME_BYTES)
        throw oversize(`sealed evidence of ${payload.length} bytes, at most ${MAX_FRAME_BYTES}`);
    if (text.length > MAX_EVENT_BYTES || Buffer.byteLength(text) > MAX_EVENT_BYTES)
      throw oversize(`an event of ${Buffer.byteLength(text)} bytes, at most ${MAX_EVENT_BYTES}`);
    for (const payload of evidence) frames.bytes(FRAME.evidence, payload);
    frames.text(FRAME.event, text, MAX_EVENT_BYTES);
    this.#nextEntry++;
    this.#nextEvidence += evidence.length;
    return new Promise((resolve, reject) => {
      this.#filling.waiters.push({ resolve: (index) => resolve(done(index)), reject });
      if (!mayWait) this.#running ??= this.#run();
      else if (this.#running === null)
        this.#patience ??= setTimeout(() => {
          this.#patience = null;
          this.#running ??= this.#run();
        }, PATIENCE_MS);
    });
  }

  /** Takes nothing more, waits for what is queued, then lets the file go. */
  async close(): Promise<void> {
    // The lock goes next: nothing may be written after it.
    this.#isClosed = true;
    if (this.#patience !== null) clearTimeout(this.#patience);
    this.#patience = null;
    this.#running ??= this.#run();
    while (this.#running !== null) await this.#running;
    await this.#makingRoom;
    if (this.#fd !== null && this.#room > this.#durable.offset) ftruncateSync(this.#fd, this.#durable.offset);
    this.#drop();
  }

  async #run(): Promise<void> {
    // Let every append of this turn of the event loop join the first group.
    await Promise.resolve();
    while (this.#filling.waiters.length > 0) {
      [this.#filling, this.#writing] = [this.#writing, this.#filling];
      const { frames, waiters } = this.#writing;
      try {
        await this.#commit(frames, waiters.length, this.#nextEvidence - 1);
        const first = this.#entries - waiters.length;
        waiters.forEach((waiter, i) => {
          waiter.resolve(first + i);
        });
        this.#onDurable();
      } catch (error) {
        await this.#letGo();
        this.#cutBack();
        this.#fail(diskFault(error, segmentPath(this.#directory, Math.max(1, this.#durable.segment))));
      }
      this.#writing.waiters = [];
      frames.clear();
    }
    this.#running = null;
  }

  async #commit(frames: FrameBuffer, newEntries: number, evidenceFrames: number): Promise<void> {
    if (this.#durable.offset >= this.#segmentBytes) await this.#startSegment();
    if (this.#isSuspect) await this.#letGo();
    const fd = this.#fd ?? this.#reopen();
    const { segment, offset } = this.#durable;
    frames.bytes(FRAME.commit, encodeCommit(offset));
    const end = offset + frames.length;
    // Zeros must not fall on what is written now.
    if (end > this.#room) await this.#makingRoom;
    await this.#io.writeDurably(fd, frames.view(), offset);
    this.#durable = { segment, offset: end };
    this.#entries += newEntries;
    this.#evidenceFrames = evidenceFrames;
    this.#room = Math.max(this.#room, end);
    if (this.#room - end < this.#roomStep) this.#makeRoom(fd);
  }

  #makeRoom(fd: number): void {
    const from = this.#room;
    const length = Math.min(this.#roomStep, this.#segmentBytes - from);
    if (this.#makingRoom !== null || length <= 0) return;
    this.#roomStep = Math.min(LAST_ROOM_BYTES, this.#roomStep * 2);
    this.#makingRoom = this.#io
      .writeDurably(fd, Buffer.alloc(length), from)
      .then(
        () => {
          if (this.#fd === fd) this.#room = from + length;
        },
        () => {
          // Perhaps the disk is full, perhaps it failed: this descriptor is not trusted again.
          this.#isSuspect = true;
        },
      )
      .finally(() => {
        this.#makingRoom = null;
      });
  }

  /** What was refused must not be found by the next opening, so it goes at once where it can; else before the next group. */
  #cutBack(): void {
    if (this.#durable.segment === 0) return;
    try {
      this.#reopen();
    } catch {
      // The disk still refuses: the next append tries again, and fails again until it does not.
    }
  }

  #fail(fault: Fault): void {
    const behind = this.#filling.waiters;
    this.#filling.waiters = [];
    this.#filling.frames.clear();
    this.#nextEntry = this.#entries;
    this.#nextEvidence = this.#evidenceFrames + 1;
    this.#onFailure();
    for (const waiter of [...this.#writing.waiters, ...behind]) waiter.reject(fault);
  }

  /** Closes the descriptor, after the zeros that still use it. */
  async #letGo(): Promise<void> {
    await this.#makingRoom;
    this.#drop();
  }

  #drop(): void {
    if (this.#fd !== null) closeSync(this.#fd);
    this.#fd = null;
    this.#isSuspect = false;
    this.#room = 0;
    this.#roomStep = FIRST_ROOM_BYTES;
  }

  /** Back to the last acknowledged byte: whatever stands behind it was refused, or never acknowledged. */
  #reopen(): number {
    const { segment, offset } = this.#durable;
    removeIfThere(segmentPath(this.#directory, segment + 1));
    const fd = openJournalFile(segmentPath(this.#directory, segment), false);
    try {
      ftruncateSync(fd, offset);
      fdatasyncSync(fd);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    this.#fd = fd;
    return fd;
  }

  async #startSegment(): Promise<void> {
    await this.#letGo();
    const segment = this.#durable.segment + 1;
    const path = segmentPath(this.#directory, segment);
    mkdirSync(join(this.#directory, "journal"), { recursive: true });
    removeIfThere(path);
    const head = new FrameBuffer();
    head.bytes(
      FRAME.head,
      encodeHead({
        v: 1,
        origin: this.#origin,
        segment,
        entry: this.#entries,
        evidence: this.#evidenceFrames + 1,
      }),
    );
    const fd = openJournalFile(path, true);
    try {
      await this.#io.writeDurably(fd, head.view(), 0);
      await syncDirectory(join(this.#directory, "journal"));
      await syncDirectory(this.#directory);
    } catch (error) {
      closeSync(fd);
      removeIfThere(path);
      throw error;
    }
    this.#fd = fd;
    this.#durable = { segment, offset: head.length };
  }
}

const oversize = (detail: string): Fault => new Fault("ledger.oversize", { detail });

function removeIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
}
