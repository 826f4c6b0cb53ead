/**
 * Where to cut a body so that what it shares with earlier bodies of its session falls into the same pieces. Agents send
 * their whole history with each request, so the pieces are the elements of the outer arrays (messages, tools, contents)
 * and every long string by itself: then neither a wrapper that changes nor a `cache_control` that wanders from message to
 * message stores a long text again. Cuts stand before the comma of the next element, which is the same byte whether
 * or not an element follows the next one.
 *
 * Pure, and exact by construction: cuts change no byte. Bytes that are no JSON are one piece. It scans; it does not
 * parse: malformed JSON is cut somewhere, and comes back the same.
 */

/** Strings from this length on are pieces of their own. */
const LONG_STRING_BYTES = 512;
/** No element boundary is cut nearer than this to the cut before it, or an array of numbers would fall to dust. */
const MIN_PIECE_BYTES = 128;
/** Arrays nested deeper are not cut: one request wrapped in another object is as deep as known protocols go. */
const MAX_ARRAY_DEPTH = 3;

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
  if (from.end < bytes.length) cuts.push({ ...START, end: bytes.length, resumeAt: bytes.length });
  return cuts;
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
