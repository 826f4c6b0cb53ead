/**
 * What compaction leaves in the journal where something stood (compact.ts):
 *
 *   dropped  an evidence frame of an erased session: its head (22 bytes) and the first 16 bytes of its SHA-256. Its number
 *            stays taken, and the entry that names it can still be held against the digest.
 *   tiled    a run of entries that finished bundles hold: index of the first (u64be), their number (u32be). Readers of the
 *            journal meet the entries themselves, as if they stood here.
 */
import { join } from "node:path";
import { Fault } from "../core/index.ts";
import { HEAD_BYTES, payloadDigest } from "./evidence-id.ts";
import { readIfThere } from "./files.ts";
import { FRAME, type Frame, payloadOf } from "./frame.ts";
import { TILE_WIDTH } from "./merkle.ts";
import { decodeBundle, tilePath } from "./tiles.ts";

const DIGEST_BYTES = 16;

export const encodeDropped = (payload: Buffer): Buffer =>
  Buffer.concat([payload.subarray(0, HEAD_BYTES), Buffer.from(payloadDigest(payload), "hex")]);

/** The digest of what was dropped; null where the frame is malformed. */
export const droppedDigest = (payload: Buffer): string | null =>
  payload.length === HEAD_BYTES + DIGEST_BYTES ? payload.toString("hex", HEAD_BYTES) : null;

export interface TiledRun {
  readonly first: number;
  readonly count: number;
}

export function encodeTiled({ first, count }: TiledRun): Buffer {
  const payload = Buffer.alloc(12);
  payload.writeBigUInt64BE(BigInt(first));
  payload.writeUInt32BE(count, 8);
  return payload;
}

export function decodeTiled(payload: Buffer): TiledRun | null {
  if (payload.length !== 12) return null;
  return { first: Number(payload.readBigUInt64BE(0)), count: payload.readUInt32BE(8) };
}

/** Reads entries out of finished bundles, keeping the last one: runs follow each other. Owned by one reader. */
export class BundledEntries {
  readonly #directory: string;
  #held = -1;
  #entries: readonly Buffer[] = [];

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The frames, with event frames for the runs. Throws `ledger.unreadable` where a bundle does not hold its entries. */
  expand(frames: readonly Frame[]): readonly Frame[] {
    if (!frames.some((frame) => frame.kind === FRAME.tiled)) return frames;
    return frames.flatMap((frame) => (frame.kind === FRAME.tiled ? this.#run(frame) : frame));
  }

  #run(frame: Frame): Frame[] {
    const run = decodeTiled(payloadOf(frame));
    if (run === null)
      throw new Fault("ledger.unreadable", {
        at: `journal offset ${frame.offset}`,
        detail: "malformed run of entries",
      });
    const bodies = Array.from({ length: run.count }, (_, i) => this.#entry(run.first + i));
    return bodies.map((entry) => ({
      kind: FRAME.event,
      body: Buffer.concat([Buffer.from([FRAME.event]), entry]),
      offset: frame.offset,
    }));
  }

  #entry(index: number): Buffer {
    const bundle = Math.floor(index / TILE_WIDTH);
    const path = tilePath("entries", bundle);
    if (bundle !== this.#held) {
      const bytes = readIfThere(join(this.#directory, path));
      this.#entries = (bytes === null ? null : decodeBundle(bytes)) ?? [];
      this.#held = bundle;
    }
    const entry = this.#entries[index % TILE_WIDTH];
    if (entry === undefined)
      throw new Fault("ledger.unreadable", {
        at: path,
        detail: "missing or malformed, and the journal was compacted",
      });
    return entry;
  }
}
