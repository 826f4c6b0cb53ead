/**
 * Where to cut a body so that what it shares with earlier bodies of its session falls into the same pieces. Agents send
 * their whole history with each request, so the pieces are the elements of the outer arrays (messages, tools, contents)
 * and every long string by itself: then neither a wrapper that changes nor a `cache_control` that wanders from message to
 * message stores a long text again. Cuts stand before the comma of the next element, which is the same byte whether
 * or not an element follows the next one.
 *
 * Bytes that are no JSON (uploads, event streams, frames) are cut by their content: where a rolling hash of the last 32
 * bytes says so, every 4 KiB on average, so that an insertion moves the cuts near it and no others (gear hashing, as in
 * FastCDC, Xia et al., USENIX ATC 2016).
 *
 * Pure, and exact by construction: cuts change no byte. It scans; it does not parse: malformed JSON is cut somewhere, and
 * comes back the same.
 */

/** Strings from this length on are pieces of their own. */
const LONG_STRING_BYTES = 512;
/** No element boundary is cut nearer than this to the cut before it, or an array of numbers would fall to dust. */
const MIN_PIECE_BYTES = 128;
/** Arrays nested deeper are not cut: one request wrapped in another object is as deep as known protocols go. */
const MAX_ARRAY_DEPTH = 3;

/** Pieces of what is no JSON; the mask has 12 bits, so a cut stands every 4 KiB on average. */
const [MIN_CONTENT_BYTES, MAX_CONTENT_BYTES] = [1024, 16 * 1024];
const CONTENT_MASK = 0xfff00000;
/** Up to this length it is one piece: most are replies, which nobody sends again. */
const WHOLE_BYTES = 32 * 1024;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const [OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/** A cut: pieces end before `end`. */
export interface Cut {
  readonly end: number;
  /** Where scanning can be taken up again: at `end`, or behind the quote that stands there. */
  readonly resumeAt: number;
  /** How deep `resumeAt` lies; 0: scanning cannot be taken up here. */
  readonly depth: number;
  /** Bit n: what is open at depth n is an array. */
  readonly arrays: number;
}

const START: Cut = { end: 0, resumeAt: 0, depth: 0, arrays: 0 };

/** Cuts of `bytes`, ascending, the last at its end. `from`: an earlier cut of the same bytes to go on behind. */
export function cutPoints(bytes: Buffer, from: Cut = START): Cut[] {
  if (bytes.length === 0) return [];
  const cuts: Cut[] = [];
  if (from.depth > 0 || startsLikeJson(bytes)) scan(bytes, from, cuts);
  else if (bytes.length > WHOLE_BYTES) cutByContent(bytes, from.end, cuts);
  if (from.end < bytes.length) cuts.push({ ...START, end: bytes.length, resumeAt: bytes.length });
  return cuts;
}

/** 256 fixed, well-mixed numbers (splitmix32). */
const GEAR = Uint32Array.from({ length: 256 }, (_, n) => {
  let z = Math.imul(n + 1, 0x9e3779b9);
  z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
  z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
  return (z ^ (z >>> 16)) >>> 0;
});

function cutByContent(bytes: Buffer, from: number, cuts: Cut[]): void {
  for (let start = from; bytes.length - start > MIN_CONTENT_BYTES; ) {
    const limit = Math.min(bytes.length, start + MAX_CONTENT_BYTES);
    let at = start + MIN_CONTENT_BYTES;
    // The hash forgets a byte after 32 more: the bytes before the first place a cut may stand fill it.
    let hash = 0;
    for (let warm = at - 32; warm < at; warm++) hash = ((hash << 1) + (GEAR[bytes[warm] ?? 0] ?? 0)) | 0;
    while (at < limit && (hash & CONTENT_MASK) !== 0)
      hash = ((hash << 1) + (GEAR[bytes[at++] ?? 0] ?? 0)) | 0;
    if (at >= bytes.length) return;
    cuts.push({ ...START, end: at, resumeAt: at });
    start = at;
  }
}

function startsLikeJson(bytes: Buffer): boolean {
  const first = bytes.subarray(0, 16).toString("latin1").trimStart()[0];
  return first === "{" || first === "[";
}

function scan(bytes: Buffer, from: Cut, cuts: Cut[]): void {
  let depth = from.depth;
  let arrays = from.arrays;
  let last = from.end;
  let at = from.resumeAt;
  const cut = (end: number, resumable: number, resumeAt = end): void => {
    if (end <= last) return;
    cuts.push({ end, resumeAt, depth: resumable, arrays });
    last = end;
  };
  while (at < bytes.length) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      const end = closingQuote(bytes, at + 1);
      if (end - at - 1 >= LONG_STRING_BYTES) {
        cut(at + 1, 0);
        cut(end, end < bytes.length ? depth : 0, end + 1);
      }
      at = end + 1;
      continue;
    }
    if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      depth++;
      if (depth <= MAX_ARRAY_DEPTH)
        arrays = byte === OPEN_ARRAY ? arrays | (1 << depth) : arrays & ~(1 << depth);
    } else if (byte === COMMA || byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) {
      if (depth <= MAX_ARRAY_DEPTH && (arrays & (1 << depth)) !== 0 && at - last >= MIN_PIECE_BYTES)
        cut(at, byte === COMMA ? depth : 0);
      if (byte !== COMMA) depth = Math.max(0, depth - 1);
    }
    at++;
  }
}

/** Index of the quote that ends the string whose content begins at `from`; the length of `bytes` where none does. */
function closingQuote(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(QUOTE, from); at >= 0; at = bytes.indexOf(QUOTE, at + 1)) {
    let slashes = 0;
    while (at - 1 - slashes >= from && bytes[at - 1 - slashes] === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return at;
  }
  return bytes.length;
}
