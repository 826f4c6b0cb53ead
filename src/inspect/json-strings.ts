/**
 * The string values of a JSON document as places in its bytes (RFC 8259), so that an edit changes the inside of one
 * string and every other byte is forwarded as it came. Nothing is re-serialised.
 *
 * Failure contract: what is not JSON, or nests deeper than MAX_DEPTH, throws Fault("inspect.unreadable"); the caller
 * denies, as it does not know what it would be forwarding.
 */
import { Fault } from "../core/index.ts";

/** Deeper nesting is refused. */
const MAX_DEPTH = 512;

export interface JsonString {
  /** Byte offsets of what stands between the quotes. */
  readonly start: number;
  readonly end: number;
  /** RFC 6901 pointer of the value; of the member, where the string is its key. */
  readonly pointer: string;
  readonly isKey: boolean;
}

const QUOTE = 34;
const BACKSLASH = 92;

/** Where the string that opens before `from` ends: the offset of its closing quote. */
function closingQuote(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(QUOTE, from); at >= 0; at = bytes.indexOf(QUOTE, at + 1)) {
    let slashes = at - 1;
    while (slashes >= from && bytes[slashes] === BACKSLASH) slashes--;
    if (((at - 1 - slashes) & 1) === 0) return at;
  }
  throw unreadable("a string does not end");
}

const unreadable = (detail: string): Fault => new Fault("inspect.unreadable", { detail });

/** Behind a comma between two values: all that the rest of a walk depends on, but for the bytes themselves. */
export interface WalkPoint {
  /** Byte offset behind the comma. */
  readonly at: number;
  /** One a container that is open: its pointer, */
  readonly pointers: readonly string[];
  /** and the next index (array) or -1 (object). */
  readonly indices: readonly number[];
  readonly pointer: string;
  readonly isKey: boolean;
}

interface WalkOptions {
  /** Where an earlier walk of the same bytes was. */
  readonly from: WalkPoint | null;
  /** Commas with no more than this many open containers are told of; */
  readonly maxDepth: number;
  /** the walk ends where this returns false, and what follows is not looked at. */
  readonly pass: (at: number, point: () => WalkPoint) => boolean;
}

/** Calls `visit` for every string in document order, keys included. */
export function walkStrings(
  document: Uint8Array,
  visit: (string: JsonString) => void,
  options?: WalkOptions,
): void {
  const bytes = asBuffer(document);
  const from = options?.from ?? null;
  const pointers = [...(from?.pointers ?? [])];
  const indices = [...(from?.indices ?? [])];
  let pointer = from?.pointer ?? "";
  let isKey = from?.isKey ?? false;
  for (let at = from?.at ?? 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      const end = closingQuote(bytes, at + 1);
      if (isKey) {
        pointer = `${pointers.at(-1) ?? ""}/${escapePointer(decodeString(bytes, at + 1, end))}`;
        isKey = false;
        visit({ start: at + 1, end, pointer, isKey: true });
      } else visit({ start: at + 1, end, pointer, isKey: false });
      at = end;
    } else if (byte === 123 || byte === 91) {
      if (pointers.length >= MAX_DEPTH) throw unreadable("nested too deep");
      pointers.push(pointer);
      indices.push(byte === 91 ? 0 : -1);
      isKey = byte === 123;
      if (byte === 91) pointer = `${pointer}/0`;
    } else if (byte === 125 || byte === 93) {
      const opened = pointers.pop();
      const index = indices.pop();
      if (opened === undefined || (index === -1) !== (byte === 125))
        throw unreadable("brackets do not match");
      pointer = opened;
      isKey = false;
    } else if (byte === 44) {
      const index = indices.at(-1);
      if (index === undefined) throw unreadable("a comma outside of everything");
      if (index < 0) isKey = true;
      else {
        indices[indices.length - 1] = index + 1;
        pointer = `${pointers.at(-1) ?? ""}/${index + 1}`;
      }
      if (options === undefined || pointers.length > options.maxDepth) continue;
      const here = at + 1;
      const point = (): WalkPoint => ({
        at: here,
        pointers: [...pointers],
        indices: [...indices],
        pointer,
        isKey,
      });
      if (!options.pass(here, point)) return;
    }
  }
  if (pointers.length > 0) throw unreadable("the document breaks off");
}

const escapePointer = (key: string): string => key.replaceAll("~", "~0").replaceAll("/", "~1");

export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The text of a string whose inside is `start`..`end`. */
export function decodeString(bytes: Buffer, start: number, end: number): string {
  const inside = bytes.toString("utf8", start, end);
  if (!inside.includes("\\")) return inside;
  try {
    return JSON.parse(`"${inside}"`) as string;
  } catch (thrown) {
    throw new Fault("inspect.unreadable", { detail: "a string holds a malformed escape", cause: thrown });
  }
}

/**
 * The bytes at which these UTF-16 units of a string's text begin, ascending; a unit at the text's end begins at the
 * closing quote. Both units of one code point in raw UTF-8 begin where it does.
 */
export function bytesOfUnits(bytes: Buffer, start: number, end: number, units: readonly number[]): number[] {
  const found: number[] = [];
  let unit = 0;
  let next = 0;
  for (let at = start; at < end && next < units.length; ) {
    const byte = bytes[at] ?? 0;
    const isPair = byte >= 0xf0;
    while (next < units.length && (units[next] ?? 0) <= (isPair ? unit + 1 : unit)) {
      found.push(at);
      next++;
    }
    unit += isPair ? 2 : 1;
    if (byte === BACKSLASH) at += bytes[at + 1] === 117 ? 6 : 2;
    else if (byte < 0x80) at += 1;
    else if (byte < 0xe0) at += 2;
    else at += isPair ? 4 : 3;
  }
  while (found.length < units.length) found.push(end);
  return found;
}

export interface ByteEdit {
  readonly start: number;
  readonly end: number;
  readonly bytes: Uint8Array;
}

/** The document with its edits, in order and disjoint: untouched stretches are slices of the same memory. */
export function applyEdits(document: Uint8Array, edits: readonly ByteEdit[]): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  let from = 0;
  for (const edit of edits) {
    if (edit.start > from) chunks.push(document.subarray(from, edit.start));
    chunks.push(edit.bytes);
    from = edit.end;
  }
  if (from < document.length || chunks.length === 0) chunks.push(document.subarray(from));
  return chunks;
}

/** What stands inside the quotes for a text. */
export function encodeInside(text: string): Buffer {
  return Buffer.from(JSON.stringify(text).slice(1, -1), "utf8");
}
