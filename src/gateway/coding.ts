/**
 * Undoes content codings, for reading only: what is forwarded is always what came. Bounded in size and in ratio, so that
 * a small body cannot become the whole memory. Small bodies are undone in place, large ones on the thread pool.
 * null means that the bytes cannot be read (unknown coding, damaged, too large): for a request the caller denies.
 */
import { promisify } from "node:util";
import zlib from "node:zlib";
import { headersOf, type RawHeaders } from "./head.ts";
import type { Limits } from "./limits.ts";

type Bound = { readonly maxOutputLength: number };
interface Coding {
  readonly now: (bytes: Buffer, bound: Bound) => Buffer;
  readonly later: (bytes: Buffer, bound: Bound) => Promise<Buffer>;
}

const gzip: Coding = { now: zlib.gunzipSync, later: promisify<Buffer, Bound, Buffer>(zlib.gunzip) };
const CODINGS: Readonly<Record<string, Coding>> = {
  gzip,
  "x-gzip": gzip,
  br: { now: zlib.brotliDecompressSync, later: promisify<Buffer, Bound, Buffer>(zlib.brotliDecompress) },
  zstd: { now: zlib.zstdDecompressSync, later: promisify<Buffer, Bound, Buffer>(zlib.zstdDecompress) },
  deflate: { now: zlib.inflateSync, later: promisify<Buffer, Bound, Buffer>(zlib.inflate) },
  "deflate-raw": { now: zlib.inflateRawSync, later: promisify<Buffer, Bound, Buffer>(zlib.inflateRaw) },
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

async function undo(bytes: Buffer, name: string, bound: Bound): Promise<Buffer | null> {
  if (bytes.length === 0) return bytes;
  // Two formats are sent under the name deflate (RFC 9110 8.4.1.2): with the zlib header and without.
  const key = name === "deflate" && ((bytes[0] ?? 0) & 0x0f) !== 8 ? "deflate-raw" : name;
  const coding = Object.hasOwn(CODINGS, key) ? CODINGS[key] : undefined;
  if (coding === undefined) return null;
  try {
    return bytes.length <= IN_PLACE_BYTES ? coding.now(bytes, bound) : await coding.later(bytes, bound);
  } catch {
    // Damaged or over the bound: zlib tells them apart, the answer does not.
    return null;
  }
}
