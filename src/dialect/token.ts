/** The tokens of JSON text (RFC 8259) in bytes: how to get past a string or a value without making one of it. */
import { isUtf8 } from "node:buffer";

/** JSON nests deeper nowhere in these protocols; also bounds every recursion over parsed values. */
export const MAX_DEPTH = 128;

/** A place in a body; the functions below move it. */
export interface Cursor {
  readonly body: Buffer;
  at: number;
}

const QUOTE = 0x22;
export const COMMA = 0x2c;
export const COLON = 0x3a;
export const OPEN_LIST = 0x5b;
const BACKSLASH = 0x5c;
export const CLOSE_LIST = 0x5d;
export const OPEN_OBJECT = 0x7b;
export const CLOSE_OBJECT = 0x7d;

/** RFC 6901. */
export const escaped = (name: string): string =>
  name.includes("~") || name.includes("/") ? name.replaceAll("~", "~0").replaceAll("/", "~1") : name;

export const unescaped = (step: string): string =>
  step.includes("~") ? step.replaceAll("~1", "/").replaceAll("~0", "~") : step;

export function readName(cursor: Cursor): string | null {
  const { body, at } = cursor;
  if (body[at] !== QUOTE) return null;
  const end = endOfString(body, at);
  if (end < 0) return null;
  cursor.at = end;
  skipSpace(cursor);
  if (body[cursor.at] !== COLON) return null;
  cursor.at++;
  skipSpace(cursor);
  const name = parsed(body, at, end);
  return typeof name === "string" ? name : null;
}

/** The value of a slice, or undefined when it is no JSON in UTF-8. */
export function parsed(body: Buffer, start: number, end: number): unknown {
  try {
    const text = body.toString("utf8", start, end);
    // U+FFFD may be the sender's own; only then is it worth asking whether bytes were replaced.
    if (text.includes("\ufffd") && !isUtf8(body.subarray(start, end))) return undefined;
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function skipSpace(cursor: Cursor): void {
  const { body } = cursor;
  for (let byte = body[cursor.at]; byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09; )
    byte = body[++cursor.at];
}

/** Moves past a value whose inside is not checked here; the number of names in it, -1 when it has no end. */
export function skipValue(cursor: Cursor): number {
  const { body } = cursor;
  const first = body[cursor.at];
  if (first === QUOTE) {
    cursor.at = endOfString(body, cursor.at);
    return cursor.at < 0 ? -1 : 0;
  }
  if (first !== OPEN_OBJECT && first !== OPEN_LIST) return skipScalar(cursor);
  let depth = 0;
  let names = 0;
  let at = cursor.at;
  for (;;) {
    const byte = body[at];
    if (byte === undefined) return -1;
    if (byte === QUOTE) {
      at = endOfString(body, at);
      if (at < 0) return -1;
      continue;
    }
    at++;
    if (byte === COLON) names++;
    else if (byte === OPEN_OBJECT || byte === OPEN_LIST) {
      if (++depth > MAX_DEPTH) return -1;
    } else if ((byte === CLOSE_OBJECT || byte === CLOSE_LIST) && --depth === 0) break;
  }
  cursor.at = at;
  return names;
}

function skipScalar(cursor: Cursor): number {
  const { body, at } = cursor;
  let end = at;
  for (let byte = body[end]; byte !== undefined && isScalarByte(byte); ) byte = body[++end];
  cursor.at = end;
  return end > at ? 0 : -1;
}

/** Letters, digits, plus, minus, point: what numbers and the three words are made of. */
const isScalarByte = (byte: number): boolean =>
  (byte >= 0x30 && byte <= 0x39) ||
  (byte >= 0x61 && byte <= 0x7a) ||
  (byte >= 0x41 && byte <= 0x5a) ||
  byte === 0x2b ||
  byte === 0x2d ||
  byte === 0x2e;

/** Below this distance a loop beats the call of `indexOf`. */
const NEAR = 24;

/** Where the string that opens at `at` has ended, or -1. */
function endOfString(body: Buffer, at: number): number {
  let from = at + 1;
  const near = Math.min(body.length, from + NEAR);
  while (from < near) {
    const byte = body[from];
    if (byte === QUOTE) return from + 1;
    from += byte === BACKSLASH ? 2 : 1;
  }
  for (;;) {
    // `from` is never inside an escape, so the backslashes before a quote decide alone.
    const quote = body.indexOf(QUOTE, from);
    if (quote < 0) return -1;
    let slashes = 0;
    while (quote - slashes > from && body[quote - slashes - 1] === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return quote + 1;
    from = quote + 1;
  }
}
