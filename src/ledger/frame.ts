/**
 * The journal's frame: `length u32be | crc32 u32be | kind u8 | payload`, `length` counting the payload alone.
 * The checksum covers kind and payload and is seeded with the length, so a run of zeros is never a frame: zeros behind
 * the last frame are room made ready for the next ones.
 *
 * The checksum finds torn tails and bit rot; tampering is found by the tree, never by it.
 * An event's kind is 0 on purpose: kind byte and payload together are the RFC 6962 leaf input, hashed in place.
 *
 * Limits: an event 65,535 bytes (tlog-tiles counts an entry in a uint16), any other frame 128 MiB.
 */
import { crc32 } from "node:zlib";

export const FRAME_HEAD_BYTES = 9;
export const MAX_EVENT_BYTES = 65_535;
export const MAX_FRAME_BYTES = 128 * 1024 * 1024;

/**
 * event: a leaf. head: opens a segment. evidence: sealed bytes. commit: closes a group of frames made durable together.
 * dropped, tiled: what compaction leaves where evidence and entries stood (stand-in.ts).
 */
export const FRAME = { event: 0, head: 1, evidence: 2, commit: 3, dropped: 4, tiled: 5 } as const;
export type FrameKind = (typeof FRAME)[keyof typeof FRAME];

export interface Frame {
  readonly kind: number;
  /** Kind byte and payload: of an event, the leaf's hash input. */
  readonly body: Buffer;
  /** Where the frame begins in its segment. */
  readonly offset: number;
}

export const payloadOf = (frame: Frame): Buffer => frame.body.subarray(1);
export const frameEnd = (frame: Frame): number => frame.offset + 8 + frame.body.length;

/** A growing run of frames that becomes one write. Its owner refills it after `clear`; a view from `view` dies then. */
export class FrameBuffer {
  #bytes = Buffer.allocUnsafe(256 * 1024);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Adds a frame of UTF-8 text; answers the payload's length, or -1 and adds nothing where it exceeds `maxBytes`. */
  text(kind: FrameKind, text: string, maxBytes: number): number {
    this.#reserve(FRAME_HEAD_BYTES + text.length * 3);
    const written = this.#bytes.write(text, this.#length + FRAME_HEAD_BYTES, "utf8");
    if (written > maxBytes) return -1;
    this.#seal(kind, written);
    return written;
  }

  bytes(kind: FrameKind, payload: Uint8Array): void {
    this.#reserve(FRAME_HEAD_BYTES + payload.length);
    this.#bytes.set(payload, this.#length + FRAME_HEAD_BYTES);
    this.#seal(kind, payload.length);
  }

  view(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
    if (this.#bytes.length > 8 * 1024 * 1024) this.#bytes = Buffer.allocUnsafe(256 * 1024);
  }

  #seal(kind: FrameKind, length: number): void {
    const at = this.#length;
    this.#bytes[at + 8] = kind;
    this.#bytes.writeUInt32BE(length, at);
    const body = this.#bytes.subarray(at + 8, at + FRAME_HEAD_BYTES + length);
    this.#bytes.writeUInt32BE(crc32(body, length), at + 4);
    this.#length = at + FRAME_HEAD_BYTES + length;
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + more));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}

export interface Parsed {
  readonly frames: readonly Frame[];
  /** Bytes that whole frames take. */
  readonly consumed: number;
  /** Why parsing stopped: at the end, inside a frame that goes on past the bytes, at zeros, or at bytes that are no frame. */
  readonly stop: "end" | "partial" | "zeros" | "damaged";
  /** With `partial`: bytes needed from `consumed` on to hold the frame. */
  readonly needed: number;
}

/** All whole frames at the start of `bytes`, which lie at `base` in their segment. The frames are views of `bytes`. */
export function parseFrames(bytes: Buffer, base: number): Parsed {
  const frames: Frame[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (bytes.length - at < FRAME_HEAD_BYTES) {
      const stop = isZeros(bytes.subarray(at)) ? "zeros" : "partial";
      return { frames, consumed: at, stop, needed: FRAME_HEAD_BYTES };
    }
    const length = bytes.readUInt32BE(at);
    if (length === 0 && bytes.readUInt32BE(at + 4) === 0 && bytes[at + 8] === 0)
      return { frames, consumed: at, stop: "zeros", needed: 0 };
    if (length > MAX_FRAME_BYTES) return { frames, consumed: at, stop: "damaged", needed: 0 };
    const end = at + FRAME_HEAD_BYTES + length;
    if (end > bytes.length) return { frames, consumed: at, stop: "partial", needed: end - at };
    const body = bytes.subarray(at + 8, end);
    if (crc32(body, length) !== bytes.readUInt32BE(at + 4))
      return { frames, consumed: at, stop: "damaged", needed: 0 };
    frames.push({ kind: bytes.readUInt8(at + 8), body, offset: base + at });
    at = end;
  }
  return { frames, consumed: at, stop: "end", needed: 0 };
}

/** Where frames stand, by their length fields alone, up to the first that cannot be one. `length` is the whole frame's. */
export function* frameHeads(
  bytes: Buffer,
): Generator<{ readonly kind: number; readonly offset: number; readonly length: number }, void, undefined> {
  for (let offset = 0; offset + FRAME_HEAD_BYTES <= bytes.length; ) {
    const length = FRAME_HEAD_BYTES + bytes.readUInt32BE(offset);
    const kind = bytes.readUInt8(offset + 8);
    const isZero = length === FRAME_HEAD_BYTES && bytes.readUInt32BE(offset + 4) === 0;
    if (isZero || offset + length > bytes.length) return;
    yield { kind, offset, length };
    offset += length;
  }
}

export function isZeros(bytes: Buffer): boolean {
  // A zero first byte and every byte equal to its neighbour; compared in one native call.
  return bytes.length === 0 || (bytes[0] === 0 && bytes.subarray(1).equals(bytes.subarray(0, -1)));
}
