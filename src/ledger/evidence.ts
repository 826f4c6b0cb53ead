/**
 * Evidence: the exact bytes of requests and replies, kept once per session, compressed, sealed. One frame holds what one
 * append brought. A frame's pieces ("chunks") are numbered through its pack, and a body is a list of runs of those
 * numbers, so that a request that sends its history again costs about what is new in it.
 *
 *   frame    version u8 = 1 | codec u8 (0 stored, 1 zstd) | session 4 bytes | number u64be | previous u64be | sealed
 *   sealed   AES-256-GCM under the session's key: nonce 12 | ciphertext | tag 16; bound to the head above and the origin
 *   plain    varint first chunk | varint items | items | varint chunks | varint length each | the chunks' bytes
 *   item     salt 32 | varint bytes | varint runs | runs: zigzag varint distance from the last run's end, varint count
 *
 * `number` counts evidence frames through the ledger from 1; `previous` is the pack's frame before this one, 0 for its
 * first. A pack lives in one process's memory: after a restart or a refused write the session begins a new pack, and
 * no frame ever refers to one that may not be there.
 *
 * An id is `<number>-<item>-<first 16 bytes of SHA-256 of the frame's payload, hex>`: whoever holds the log can check
 * the sealed bytes without a key. The commitment is SHA-256(salt ‖ bytes) with the salt inside the sealed part, so that
 * after the key is destroyed nobody can test a guess against it.
 *
 * Memory: per live session the last body of each role (at most 16 MiB each) and a name per chunk.
 * Limits: 64 items a frame, 256 MiB of plain bytes, 2^20 chunks a pack.
 */
import { createHash, randomBytes } from "node:crypto";
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { type EvidenceRef, Fault } from "../core/index.ts";
import { decodeFrameHead, HEAD_BYTES, payloadDigest } from "./evidence-id.ts";
import { seal, unseal } from "./keys.ts";
import { sha256 } from "./merkle.ts";
import { type Cut, cutPoints } from "./split.ts";

export interface EvidenceInput {
  readonly role: EvidenceRef["role"];
  /** The bytes, in order; their division means nothing. */
  readonly chunks: readonly Uint8Array[];
}

const SALT_BYTES = 32;
const CODEC = { stored: 0, zstd: 1 } as const;
const MAX_ITEMS = 64;
const MAX_PLAIN_BYTES = 256 * 1024 * 1024;
const MAX_CHUNKS = 2 ** 20;
const MAX_REMEMBERED_BODY = 16 * 1024 * 1024;

/** What one session has stored so far, by one process. Owned by the ledger; forgotten when a write is refused. */
export class Pack {
  readonly #session: string;
  readonly #origin: string;
  readonly #key: Buffer;
  #chunks = new Map<string, number>();
  #nextChunk = 0;
  #previous = 0;
  /** The last body of each role, so that only what differs from it is cut and hashed. */
  readonly #bodies = new Map<string, RememberedBody>();

  constructor(origin: string, session: string, key: Buffer) {
    this.#origin = origin;
    this.#session = session;
    this.#key = key;
  }

  /** The frame for these inputs and what an event says of each. `number` is the frame's, given by the journal. */
  seal(
    number: number,
    inputs: readonly EvidenceInput[],
  ): { readonly payload: Buffer; readonly refs: readonly EvidenceRef[] } {
    if (inputs.length > MAX_ITEMS)
      throw new Fault("ledger.oversize", {
        detail: `${inputs.length} pieces of evidence, at most ${MAX_ITEMS}`,
      });
    if (this.#nextChunk > MAX_CHUNKS) this.#startOver();
    const fresh: Buffer[] = [];
    const firstChunk = this.#nextChunk;
    const items: Buffer[] = [];
    const described: { role: EvidenceRef["role"]; bytes: number; commitment: string }[] = [];
    let total = 0;
    for (const { role, chunks } of inputs) {
      const bytes = joined(chunks);
      total += bytes.length;
      if (total > MAX_PLAIN_BYTES)
        throw new Fault("ledger.oversize", { detail: `evidence of more than ${MAX_PLAIN_BYTES} bytes` });
      const salt = randomBytes(SALT_BYTES);
      const commitment = createHash("sha256").update(salt).update(bytes).digest("hex");
      described.push({ role, bytes: bytes.length, commitment });
      items.push(Buffer.concat([salt, varint(bytes.length), this.#recipe(role, bytes, fresh)]));
    }
    const plain = Buffer.concat([
      varint(firstChunk),
      varint(items.length),
      ...items,
      varint(fresh.length),
      ...fresh.map((chunk) => varint(chunk.length)),
      ...fresh,
    ]);
    const payload = this.#sealed(number, plain);
    this.#previous = number;
    const digest = payloadDigest(payload);
    return { payload, refs: described.map((d, item) => ({ id: `${number}-${item}-${digest}`, ...d })) };
  }

  #recipe(role: EvidenceRef["role"], bytes: Buffer, fresh: Buffer[]): Buffer {
    // What is the same as in the last body of this role, up to the last element they share, is cut the same.
    const last = this.#bodies.get(role);
    const pieces: Piece[] = last === undefined ? [] : sharedPieces(last, bytes);
    const known = pieces.at(-1);
    let start = known?.end ?? 0;
    for (const cut of cutPoints(bytes, known)) {
      const chunk = bytes.subarray(start, cut.end);
      start = cut.end;
      const name = sha256(chunk).toString("latin1");
      let at = this.#chunks.get(name);
      if (at === undefined) {
        at = this.#nextChunk++;
        this.#chunks.set(name, at);
        fresh.push(chunk);
      }
      pieces.push({ ...cut, chunk: at });
    }
    if (bytes.length <= MAX_REMEMBERED_BODY) this.#bodies.set(role, { bytes: Buffer.from(bytes), pieces });
    else this.#bodies.delete(role);
    return encodeRuns(pieces);
  }

  #sealed(number: number, plain: Buffer): Buffer {
    const packed = zstdCompressSync(plain, { params: { [constants.ZSTD_c_compressionLevel]: 3 } });
    const codec = packed.length < plain.length ? CODEC.zstd : CODEC.stored;
    const head = Buffer.alloc(HEAD_BYTES);
    head[0] = 1;
    head[1] = codec;
    head.write(this.#session, 2, "hex");
    head.writeBigUInt64BE(BigInt(number), 6);
    head.writeBigUInt64BE(BigInt(this.#previous), 14);
    const sealed = seal(this.#key, codec === CODEC.zstd ? packed : plain, bound(head, this.#origin));
    return Buffer.concat([head, sealed]);
  }

  #startOver(): void {
    this.#chunks = new Map();
    this.#nextChunk = 0;
    this.#previous = 0;
    this.#bodies.clear();
  }
}

interface Piece extends Cut {
  /** Its chunk's number in the pack. */
  readonly chunk: number;
}

interface RememberedBody {
  readonly bytes: Buffer;
  readonly pieces: readonly Piece[];
}

/** The pieces of `last` that `bytes` begins with, up to the last cut from which scanning can go on. */
function sharedPieces(last: RememberedBody, bytes: Buffer): Piece[] {
  const shared = commonPrefix(last.bytes, bytes);
  let count = last.pieces.length;
  for (let piece = last.pieces[count - 1]; piece !== undefined; piece = last.pieces[--count - 1])
    if (piece.depth > 0 && piece.end < shared) break;
  return last.pieces.slice(0, count);
}

const COMPARED_AT_ONCE = 64 * 1024;

function commonPrefix(a: Buffer, b: Buffer): number {
  const length = Math.min(a.length, b.length);
  let at = 0;
  let step = COMPARED_AT_ONCE;
  while (at < length) {
    const end = Math.min(at + step, length);
    if (a.compare(b, at, end, at, end) === 0) at = end;
    else if (step === 1) break;
    else step = Math.max(1, step >> 3);
  }
  return at;
}

function encodeRuns(pieces: readonly Piece[]): Buffer {
  const runs: { from: number; count: number }[] = [];
  for (const { chunk } of pieces) {
    const last = runs.at(-1);
    if (last !== undefined && last.from + last.count === chunk) last.count++;
    else runs.push({ from: chunk, count: 1 });
  }
  const bytes = [...varintBytes(runs.length)];
  let expected = 0;
  for (const { from, count } of runs) {
    bytes.push(...varintBytes(zigzag(from - expected)), ...varintBytes(count));
    expected = from + count;
  }
  return Buffer.from(bytes);
}

/** A frame, opened: its items' recipes and the chunks it brought. */
export interface OpenedFrame {
  readonly firstChunk: number;
  readonly chunks: readonly Buffer[];
  readonly items: readonly {
    readonly salt: Buffer;
    readonly bytes: number;
    readonly runs: readonly { readonly from: number; readonly count: number }[];
  }[];
}

/** Opens a frame with its session's key; null where key or bytes are wrong. */
export function openFrame(origin: string, key: Buffer, payload: Buffer): OpenedFrame | null {
  const head = decodeFrameHead(payload);
  if (head === null) return null;
  const unsealed = unseal(key, payload.subarray(HEAD_BYTES), bound(payload.subarray(0, HEAD_BYTES), origin));
  if (unsealed === null) return null;
  const plain =
    head.codec === CODEC.zstd
      ? zstdDecompressSync(unsealed, { maxOutputLength: 2 * MAX_PLAIN_BYTES })
      : unsealed;
  const read = new VarintReader(plain);
  const firstChunk = read.number();
  const items = read.times(read.number(), () => {
    const salt = read.bytes(SALT_BYTES);
    const bytes = read.number();
    let expected = 0;
    const runs = read.times(read.number(), () => {
      const from = expected + unzigzag(read.number());
      const count = read.number();
      expected = from + count;
      return { from, count };
    });
    return { salt, bytes, runs };
  });
  const lengths = read.times(read.number(), () => read.number());
  return { firstChunk, items, chunks: lengths.map((length) => read.bytes(length)) };
}

const bound = (head: Buffer, origin: string): Buffer => Buffer.concat([head, Buffer.from(origin)]);

function joined(chunks: readonly Uint8Array[]): Buffer {
  const [only] = chunks;
  if (chunks.length === 1 && only !== undefined)
    return Buffer.from(only.buffer, only.byteOffset, only.length);
  return Buffer.concat(chunks);
}

const zigzag = (n: number): number => (n >= 0 ? n * 2 : -n * 2 - 1);
const unzigzag = (n: number): number => (n % 2 === 0 ? n / 2 : -(n + 1) / 2);

const varint = (value: number): Buffer => Buffer.from(varintBytes(value));

function varintBytes(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return bytes;
}

/** Reads what `seal` wrote; the bytes are authenticated, so running past their end is a bug, told as one. */
class VarintReader {
  readonly #bytes: Buffer;
  #at = 0;
  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }
  number(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#bytes.readUInt8(this.#at++);
      value += (byte % 128) * scale;
      if (byte < 128) return value;
    }
  }
  bytes(length: number): Buffer {
    if (this.#at + length > this.#bytes.length) throw new RangeError("evidence frame ends early");
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
  times<T>(count: number, read: () => T): T[] {
    const all: T[] = [];
    for (let i = 0; i < count; i++) all.push(read());
    return all;
  }
}
