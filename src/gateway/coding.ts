/**
 * Undoes content codings, for reading: what is forwarded is what came, save where it was redacted. Bounded in size and in ratio, so that
 * a small body cannot become the whole memory. Small bodies are undone in place, large ones on the thread pool.
 * null means that the bytes cannot be read (unknown coding, damaged, too large): for a request the caller denies.
 */
import type { Transform } from "node:stream";
import { promisify } from "node:util";
import zlib from "node:zlib";
import { headersOf, type RawHeaders } from "./head.ts";
import type { Limits } from "./limits.ts";

type Bound = { readonly maxOutputLength: number };
interface Coding {
  readonly now: (bytes: Buffer, bound: Bound) => Buffer;
  readonly later: (bytes: Buffer, bound: Bound) => Promise<Buffer>;
  readonly redo: (bytes: Buffer) => Promise<Buffer>;
  readonly stream: () => Transform;
}

const gzip: Coding = {
  now: zlib.gunzipSync,
  later: promisify<Buffer, Bound, Buffer>(zlib.gunzip),
  redo: promisify<Buffer, Buffer>(zlib.gzip),
  stream: zlib.createGunzip,
};
const CODINGS: Readonly<Record<string, Coding>> = {
  gzip,
  "x-gzip": gzip,
  br: {
    now: zlib.brotliDecompressSync,
    later: promisify<Buffer, Bound, Buffer>(zlib.brotliDecompress),
    // Brotli's own default takes a second for a megabyte.
    redo: (bytes) =>
      promisify<Buffer, zlib.BrotliOptions, Buffer>(zlib.brotliCompress)(bytes, {
        params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 5 },
      }),
    stream: zlib.createBrotliDecompress,
  },
  zstd: {
    now: zlib.zstdDecompressSync,
    later: promisify<Buffer, Bound, Buffer>(zlib.zstdDecompress),
    redo: promisify<Buffer, Buffer>(zlib.zstdCompress),
    stream: zlib.createZstdDecompress,
  },
  deflate: {
    now: zlib.inflateSync,
    later: promisify<Buffer, Bound, Buffer>(zlib.inflate),
    redo: promisify<Buffer, Buffer>(zlib.deflate),
    stream: zlib.createInflate,
  },
  "deflate-raw": {
    now: zlib.inflateRawSync,
    later: promisify<Buffer, Bound, Buffer>(zlib.inflateRaw),
    redo: promisify<Buffer, Buffer>(zlib.deflateRaw),
    stream: zlib.createInflateRaw,
  },
};
const IN_PLACE_BYTES = 32 * 1024;
const MOST_CODINGS = 3;

/** The codings in the order they were applied; empty for none. */
export function codingsOf(headers: RawHeaders): readonly string[] {
  const values = headersOf(headers, "content-encoding");
  if (values.length === 0) return [];
  return values
    .join(",")
    .split(",")
    .map((token) => token.trim().toLowerCase())
    .filter((token) => token !== "" && token !== "identity");
}

export async function undoCodings(
  bytes: Buffer,
  codings: readonly string[],
  limits: Limits,
): Promise<Buffer | null> {
  if (codings.length > MOST_CODINGS) return null;
  let out = bytes;
  for (const name of codings.toReversed()) {
    const undone = await undo(out, name, {
      maxOutputLength: Math.min(
        limits.decodedBytes,
        Math.max(limits.decodedFloorBytes, bytes.length * limits.decodedRatio),
      ),
    });
    if (undone === null) return null;
    out = undone;
  }
  return out;
}

/** The bytes in these codings again, as `like` was; null when one is unknown. */
export async function redoCodings(
  bytes: Buffer,
  codings: readonly string[],
  like: Buffer,
): Promise<Buffer | null> {
  if (codings.length > MOST_CODINGS) return null;
  let out = bytes;
  for (const [at, name] of codings.entries()) {
    // Only the outermost coding's form can be seen; within another, `deflate` is taken to have its header.
    const coding = codingNamed(name, at === codings.length - 1 ? like : ZLIB_HEADER);
    if (coding === null) return null;
    out = await coding.redo(out);
  }
  return out;
}

const ZLIB_HEADER = Buffer.from([0x78]);

/** A stream that undoes one coding; null for an unknown one. `deflate` is read by its first byte. */
export function undoingStream(name: string, first: Buffer): Transform | null {
  return codingNamed(name, first)?.stream() ?? null;
}

/** Two formats are sent under the name deflate (RFC 9110 8.4.1.2): with the zlib header and without. */
function codingNamed(name: string, bytes: Buffer): Coding | null {
  const key = name === "deflate" && ((bytes[0] ?? 0) & 0x0f) !== 8 ? "deflate-raw" : name;
  return (Object.hasOwn(CODINGS, key) ? CODINGS[key] : undefined) ?? null;
}

async function undo(bytes: Buffer, name: string, bound: Bound): Promise<Buffer | null> {
  if (bytes.length === 0) return bytes;
  const coding = codingNamed(name, bytes);
  if (coding === null) return null;
  try {
    return bytes.length <= IN_PLACE_BYTES ? coding.now(bytes, bound) : await coding.later(bytes, bound);
  } catch {
    // Damaged or over the bound: zlib tells them apart, the answer does not.
    return null;
  }
}
