/**
 * Evidence: the exact bytes of requests and replies, kept once per session, compressed, sealed. One frame holds what one
 * append brought. A frame's pieces ("chunks") are numbered through its pack, and a body is a list of runs of those
 * numbers, so that a request that sends its history again costs about what is new in it.
 *
 *   frame    version u8 = 2 | codec u8 (0 stored, 1 zstd) | session 4 bytes | number u64be | previous u64be | sealed
 *   sealed   AES-256-GCM under the session's key: nonce 12 | ciphertext | tag 16; bound to the head above and the origin
 *   plain    varint first chunk | varint items | items | varint chunks | varint length each | the chunks' bytes
 *   item     salt 32 | varint bytes | varint runs | runs: zigzag varint distance from the last run's end, varint count
 *
 * `number` counts evidence frames through the ledger from 1; `previous` is the pack's frame before this one, 0 for its
 * first. A pack lives in one process's memory: after a restart or a refused write the session begins a new pack, and
 * no frame ever refers to one that may not be there.
 *
 * An id is `<number>-<item>-<first 16 bytes of SHA-256 of the frame's payload, hex>`: whoever holds the log can check
 * the sealed bytes without a key. The commitment is SHA-256(salt ‖ SHA-256(bytes)) with the salt inside the sealed part,
 * so that after the key is destroyed nobody can test a guess against it, and each item's salt opens that item alone. The
 * inner hash goes on from where the last body was the same: a request that repeats a megabyte hashes what is new.
 * Frames of version 1 commit to SHA-256(salt ‖ bytes); they are read, and not written any more.
 *
 * Memory: per live session the last body of each role (at most 16 MiB each, a hash state for each 32 KiB) and a name
 * per chunk.
 * Limits: 64 items a frame, 256 MiB of plain bytes, 2^20 chunks a pack.
 */
import {
  createHash,
  createSecretKey,
  type Hash,
  hash as hashOnce,
  type KeyObject,
  randomFillSync,
} from "node:crypto";
import { constants, zstdCompress, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { type EvidenceRef, Fault, keepInPlace, samePrefix } from "../core/index.ts";
import { decodeFrameHead, HEAD_BYTES, payloadDigest } from "./evidence-id.ts";
import { NONCE_BYTES, sealBehind, unseal } from "./seal.ts";
import { type Cut, cutPoints } from "./split.ts";

export interface EvidenceInput {
  readonly role: EvidenceRef["role"];
  /** The bytes, in order; their division means nothing. */
  readonly chunks: readonly Uint8Array[];
}

const SALT_BYTES = 32;
const DIGEST_BYTES = 32;
const CODEC = { stored: 0, zstd: 1 } as const;
const MAX_ITEMS = 64;
const MAX_PLAIN_BYTES = 256 * 1024 * 1024;
const MAX_CHUNKS = 2 ** 20;
const MAX_REMEMBERED_BODY = 16 * 1024 * 1024;
/** Whether a session sends most of it again each time: only that is worth comparing. */
const REPEATED: ReadonlySet<EvidenceRef["role"]> = new Set(["request-body", "frames"]);
const SMALL_BODY = 4 * 1024;
/** Bytes that one step of preparing cuts or hashes, or a few times as many. */
const STEP_BYTES = 128 * 1024;
/** Bytes between two hash states of a remembered body. */
const STATE_EVERY_BYTES = 32 * 1024;
/** Below this compressing costs more time than it saves bytes. */
const MIN_COMPRESSED_BYTES = 4096;
const RANDOM_BYTES = 1024;

/** What one session has stored so far, by one process. Owned by the ledger; forgotten when a write is refused. */
export class Pack {
  readonly #key: KeyObject;
  /** A frame's head with the origin behind it: what its sealed part is bound to. */
  readonly #bound: Buffer;
  /** A salt and a digest, to be hashed. */
  readonly #committed = Buffer.allocUnsafeSlow(SALT_BYTES + DIGEST_BYTES);
  #chunks = new Map<string, number>();
  #nextChunk = 0;
  #previous = 0;
  /** The last body of each role, so that only what differs from it is cut and hashed. */
  readonly #bodies = new Map<string, RememberedBody>();
  /** Random bytes for salts and nonces, each used once. */
  readonly #random = Buffer.allocUnsafeSlow(RANDOM_BYTES);
  #randomUsed = RANDOM_BYTES;

  constructor(origin: string, session: string, key: Buffer) {
    this.#bound = bound(Buffer.alloc(HEAD_BYTES), origin);
    this.#bound.write(session, 2, "hex");
    this.#key = createSecretKey(key);
  }

  /** {@link prepare} and {@link close} in one. */
  seal(number: number, inputs: readonly EvidenceInput[]): Sealed {
    const prepared = this.prepare(inputs);
    return this.close(number, prepared, compress(prepared.plain));
  }

  /**
   * What the frame for these inputs will hold. What was prepared first must be closed first: later frames refer to the
   * chunks of earlier ones.
   */
  prepare(inputs: readonly EvidenceInput[]): Prepared {
    const steps = this.preparing(inputs);
    for (;;) {
      const { done, value } = steps.next();
      if (done === true) return value;
    }
  }

  /** The same in steps, each of about as many bytes as are hashed in a moment. Nothing else of the pack in between. */
  *preparing(inputs: readonly EvidenceInput[]): Generator<undefined, Prepared> {
    if (inputs.length > MAX_ITEMS)
      throw new Fault("ledger.oversize", {
        detail: `${inputs.length} pieces of evidence, at most ${MAX_ITEMS}`,
      });
    if (this.#nextChunk > MAX_CHUNKS) this.#startOver();
    const fresh: Buffer[] = [];
    const firstChunk = this.#nextChunk;
    const items: { readonly salt: Buffer; readonly length: number; readonly runs: readonly Run[] }[] = [];
    const described: { role: EvidenceRef["role"]; bytes: number; commitment: string }[] = [];
    let total = 0;
    for (const { role, chunks } of inputs) {
      const bytes = joined(chunks);
      total += bytes.length;
      if (total > MAX_PLAIN_BYTES)
        throw new Fault("ledger.oversize", { detail: `evidence of more than ${MAX_PLAIN_BYTES} bytes` });
      const salt = this.#randomBytes(SALT_BYTES);
      const { digest, runs } =
        bytes.length < SMALL_BODY ? this.#whole(bytes, fresh) : yield* this.#recipe(role, bytes, fresh);
      salt.copy(this.#committed);
      digest.copy(this.#committed, SALT_BYTES);
      described.push({ role, bytes: bytes.length, commitment: hashOnce("sha256", this.#committed, "hex") });
      items.push({ salt, length: bytes.length, runs });
    }
    if (total > STEP_BYTES) yield;
    const writer = new PlainWriter(fresh, items);
    writer.number(firstChunk);
    writer.number(inputs.length);
    for (const { salt, length, runs } of items) {
      writer.bytes(salt);
      writer.number(length);
      writer.runs(runs);
    }
    writer.number(fresh.length);
    for (const chunk of fresh) writer.number(chunk.length);
    for (const chunk of fresh) writer.bytes(chunk);
    return { plain: writer.written, described };
  }

  /** The frame, and what an event says of each input. `number` is the frame's, given by the journal; `packed` from {@link compress}. */
  close(number: number, { plain, described }: Prepared, packed: Buffer | null): Sealed {
    const payload = this.#sealed(number, plain, packed);
    this.#previous = number;
    const digest = payloadDigest(payload);
    return { payload, refs: described.map((d, item) => ({ id: `${number}-${item}-${digest}`, ...d })) };
  }

  /** Cutting what is small costs more than what might be stored twice. */
  #whole(bytes: Buffer, fresh: Buffer[]): Recipe {
    const digest = hashOnce("sha256", bytes, "buffer");
    if (bytes.length === 0) return { digest, runs: [] };
    const from = this.#chunkOf(digest.toString("latin1"), bytes, fresh);
    return { digest, runs: [{ from, count: 1 }] };
  }

  *#recipe(role: EvidenceRef["role"], bytes: Buffer, fresh: Buffer[]): Generator<undefined, Recipe> {
    if (!REPEATED.has(role)) {
      const digest = hashOnce("sha256", bytes, "buffer");
      return { digest, runs: runsOf(yield* this.#piecesOf(bytes, [], digest, fresh)) };
    }
    // What is the same as in the last body of this role, up to the last element they share, is cut the same.
    const last = this.#bodies.get(role);
    const shared = last === undefined ? 0 : samePrefix(last.bytes, bytes);
    const { digest, states } = hashFrom(last?.states ?? [], shared, bytes);
    if (bytes.length - shared > STEP_BYTES) yield;
    const known = last === undefined ? [] : sharedPieces(last, shared);
    const pieces = yield* this.#piecesOf(bytes, known, digest, fresh);
    if (bytes.length <= MAX_REMEMBERED_BODY)
      this.#bodies.set(role, { bytes: keepInPlace(bytes, last?.bytes ?? null, shared), pieces, states });
    else this.#bodies.delete(role);
    return { digest, runs: runsOf(pieces) };
  }

  /** The pieces of `bytes`, of which those in `known` come first; chunks that the pack does not hold go into `fresh`. */
  *#piecesOf(
    bytes: Buffer,
    known: Piece[],
    digest: Buffer,
    fresh: Buffer[],
  ): Generator<undefined, readonly Piece[]> {
    const pieces = known;
    const resume = known.at(-1);
    let start = resume?.end ?? 0;
    let rested = start;
    const cuts = cutPoints(bytes, resume);
    for (const cut of cuts) {
      if (start - rested > STEP_BYTES) {
        rested = start;
        yield;
      }
      const chunk = bytes.subarray(start, cut.end);
      start = cut.end;
      const isAll = chunk.length === bytes.length;
      const name = isAll ? digest.toString("latin1") : hashOnce("sha256", chunk, "binary");
      pieces.push({ ...cut, chunk: this.#chunkOf(name, chunk, fresh) });
    }
    return pieces;
  }

  /** Its number; one that the pack does not hold goes into `fresh`. */
  #chunkOf(name: string, chunk: Buffer, fresh: Buffer[]): number {
    let at = this.#chunks.get(name);
    if (at === undefined) {
      at = this.#nextChunk++;
      this.#chunks.set(name, at);
      fresh.push(chunk);
    }
    return at;
  }

  #randomBytes(count: number): Buffer {
    if (this.#randomUsed + count > RANDOM_BYTES) {
      randomFillSync(this.#random);
      this.#randomUsed = 0;
    }
    this.#randomUsed += count;
    const taken = Buffer.allocUnsafe(count);
    this.#random.copy(taken, 0, this.#randomUsed - count, this.#randomUsed);
    return taken;
  }

  #sealed(number: number, plain: Buffer, packed: Buffer | null): Buffer {
    const content = packed !== null && packed.length < plain.length ? packed : plain;
    const head = this.#bound;
    head[0] = FRAME_VERSION;
    head[1] = content === plain ? CODEC.stored : CODEC.zstd;
    writeUint64(head, number, 6);
    writeUint64(head, this.#previous, 14);
    return sealBehind(this.#key, head.subarray(0, HEAD_BYTES), content, head, this.#randomBytes(NONCE_BYTES));
  }

  #startOver(): void {
    this.#chunks = new Map();
    this.#nextChunk = 0;
    this.#previous = 0;
    this.#bodies.clear();
  }
}

const FRAME_VERSION = 2;
const COMPRESSION = { params: { [constants.ZSTD_c_compressionLevel]: 3 } };
/** From here on compressing is left to another thread. */
const LONG_COMPRESSION_BYTES = 64 * 1024;

/** What a frame will hold, before it has its number. */
export interface Prepared {
  readonly plain: Buffer;
  readonly described: readonly Omit<EvidenceRef, "id">[];
}

interface Sealed {
  readonly payload: Buffer;
  readonly refs: readonly EvidenceRef[];
}

/** Null: not worth it. */
export const compress = (plain: Buffer): Buffer | null =>
  plain.length < MIN_COMPRESSED_BYTES
    ? null
    : zstdCompressSync(plain, { ...COMPRESSION, chunkSize: plain.length });

/** Whether it takes so long that nobody else should wait for it. */
export const compressesLong = (plain: Buffer): boolean => plain.length >= LONG_COMPRESSION_BYTES;

/** As {@link compress}, on another thread. */
export const compressAside = (plain: Buffer): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    zstdCompress(plain, COMPRESSION, (error, packed) => (error === null ? resolve(packed) : reject(error)));
  });

interface Piece extends Cut {
  /** Its chunk's number in the pack. */
  readonly chunk: number;
}

interface Recipe {
  readonly digest: Buffer;
  readonly runs: readonly Run[];
}

interface RememberedBody {
  readonly bytes: Buffer;
  readonly pieces: readonly Piece[];
  /** SHA-256 of the first `STATE_EVERY_BYTES`, of twice as many, and so on. */
  readonly states: readonly Hash[];
}

/** The pieces of `last` in its first `shared` bytes, up to the last cut from which scanning can go on. */
function sharedPieces(last: RememberedBody, shared: number): Piece[] {
  let count = last.pieces.length;
  for (let piece = last.pieces[count - 1]; piece !== undefined; piece = last.pieces[--count - 1])
    if (piece.depth > 0 && piece.end < shared) break;
  return last.pieces.slice(0, count);
}

/** SHA-256 of `bytes`, whose first `shared` are those that `known` has the states of; and their states. */
function hashFrom(
  known: readonly Hash[],
  shared: number,
  bytes: Buffer,
): { readonly digest: Buffer; readonly states: readonly Hash[] } {
  if (bytes.length < STATE_EVERY_BYTES) return { digest: hashOnce("sha256", bytes, "buffer"), states: [] };
  const states = known.slice(0, Math.floor(shared / STATE_EVERY_BYTES));
  const hash = states.at(-1)?.copy() ?? createHash("sha256");
  let at = states.length * STATE_EVERY_BYTES;
  for (; at + STATE_EVERY_BYTES <= bytes.length; at += STATE_EVERY_BYTES) {
    hash.update(bytes.subarray(at, at + STATE_EVERY_BYTES));
    states.push(hash.copy());
  }
  return { digest: hash.update(bytes.subarray(at)).digest(), states };
}

/** Chunks that follow each other in number. */
interface Run {
  readonly from: number;
  count: number;
}

function runsOf(pieces: readonly Piece[]): readonly Run[] {
  const runs: Run[] = [];
  let last: Run | null = null;
  for (const { chunk } of pieces) {
    if (last !== null && last.from + last.count === chunk) last.count++;
    else {
      last = { from: chunk, count: 1 };
      runs.push(last);
    }
  }
  return runs;
}

/** The longest a number can be. */
const MOST_VARINT_BYTES = 8;

/** A frame's plain bytes, written once into room for all of them. */
class PlainWriter {
  readonly #room: Buffer;
  #length = 0;

  constructor(chunks: readonly Buffer[], items: readonly { readonly runs: readonly Run[] }[]) {
    let most = (3 + chunks.length) * MOST_VARINT_BYTES;
    for (const { length } of chunks) most += length;
    for (const { runs } of items) most += SALT_BYTES + (2 + 2 * runs.length) * MOST_VARINT_BYTES;
    this.#room = Buffer.allocUnsafe(most);
  }

  get written(): Buffer {
    return this.#room.subarray(0, this.#length);
  }

  bytes(bytes: Buffer): void {
    this.#length += bytes.copy(this.#room, this.#length);
  }

  number(value: number): void {
    let rest = value;
    while (rest >= 128) {
      this.#room[this.#length++] = (rest % 128) + 128;
      rest = Math.floor(rest / 128);
    }
    this.#room[this.#length++] = rest;
  }

  runs(runs: readonly Run[]): void {
    this.number(runs.length);
    let expected = 0;
    for (const { from, count } of runs) {
      this.number(zigzag(from - expected));
      this.number(count);
      expected = from + count;
    }
  }
}

/** As `writeBigUInt64BE`, without a big number. */
function writeUint64(into: Buffer, value: number, at: number): void {
  into.writeUInt32BE(Math.floor(value / 2 ** 32), at);
  into.writeUInt32BE(value % 2 ** 32, at + 4);
}

/** A frame, opened: its items' recipes and the chunks it brought. */
export interface OpenedFrame {
  /** Of the frame's format: says what its items' commitments are. */
  readonly version: number;
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
  const chunks = lengths.map((length) => read.bytes(length));
  return { version: head.version, firstChunk, items, chunks };
}

/** Whether `chunks`, in order, are what an event's ref committed to with this salt, in a frame of this version. */
export function isCommitted(
  version: number,
  salt: Uint8Array,
  chunks: Iterable<Uint8Array>,
  ref: Pick<EvidenceRef, "bytes" | "commitment">,
): boolean {
  const hash = createHash("sha256");
  if (version === 1) hash.update(salt);
  let length = 0;
  for (const chunk of chunks) {
    hash.update(chunk);
    length += chunk.length;
  }
  const digest = hash.digest();
  const commitment = version === 1 ? digest : hashOnce("sha256", Buffer.concat([salt, digest]), "buffer");
  return length === ref.bytes && commitment.toString("hex") === ref.commitment;
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
