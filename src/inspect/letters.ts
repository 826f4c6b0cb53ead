/**
 * The normal form in which texts are compared with files: letters, digits and what lies above ASCII, as UTF-8 bytes. What
 * is dropped is what quoting, indenting, escaping and marking change: white space, punctuation, control characters, the
 * backslash escapes of JSON and shells at any depth, XML's five entities, colour codes.
 *
 * The rule is the same for files and texts, so that what stands in a string literal of a file is dropped on both sides.
 * Only in texts are the heads of lines left out that tools put there: `  12→`, `12:`, `12\t`, `src/a.ts:12:`.
 */

export interface Letters {
  /** UTF-8, as it is. */
  readonly bytes: Uint8Array;
  readonly kept: Uint8Array;
  /** By index in `kept`: the offset in `bytes`. */
  readonly places: Uint32Array;
  /** By line: its first index in `kept`; an empty line shares it with the next. */
  readonly lines: Uint32Array;
  /** By line: its first offset in `bytes`, after its head. */
  readonly starts: Uint32Array;
  /** By line: the offset after its last byte. */
  readonly ends: Uint32Array;
  /** By line: the number that its head tells; 0: none. */
  readonly numbers: Uint32Array;
  /** Lines that have a head. */
  readonly heads: number;
}

export interface LettersOptions {
  /** Whether the two characters `\n` end a line, as in a text that is quoted. */
  readonly isQuoted: boolean;
  /** Whether what a tool put before a line is left out. */
  readonly withoutHeads: boolean;
}

const LF = 10;
const BACKSLASH = 92;
const AMPERSAND = 38;
const ESCAPE = 27;

export const isLetter = (byte: number): boolean =>
  byte >= 128 || (byte >= 97 && byte <= 122) || (byte >= 65 && byte <= 90) || (byte >= 48 && byte <= 57);
const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= 48 && byte <= 57;

export function lettersOf(bytes: Uint8Array, { isQuoted, withoutHeads }: LettersOptions): Letters {
  const kept = new Uint8Array(bytes.length);
  const places = new Uint32Array(bytes.length);
  const lines: number[] = [];
  const starts: number[] = [];
  const ends: number[] = [];
  const numbers: number[] = [];
  let count = 0;
  let heads = 0;
  let at = 0;
  const mayQuote = isQuoted && withoutHeads;
  const beginLine = (): void => {
    if (lines.length > 0) ends.push(at);
    const head = withoutHeads ? headAt(bytes, at) : null;
    if (head !== null) {
      at = head.end;
      heads++;
    }
    lines.push(count);
    starts.push(at);
    numbers.push(head?.number ?? 0);
  };
  if (bytes.length > 0) beginLine();
  while (at < bytes.length) {
    const byte = bytes[at] as number; // within
    if (byte < 128 && isLetter(byte)) {
      kept[count] = byte;
      places[count++] = at++;
    } else if (byte === LF) {
      at++;
      if (at < bytes.length) beginLine();
    } else if (byte === BACKSLASH) {
      const escaped = escapeAt(bytes, at);
      for (const letter of escaped.letters) {
        kept[count] = letter;
        places[count++] = at;
      }
      at = escaped.end;
      if (escaped.isNewline && isQuoted && at < bytes.length) beginLine();
    } else if (byte >= 128) {
      const length = markAt(bytes, at);
      if (length === 0) {
        kept[count] = byte;
        places[count++] = at++;
      } else at += length;
    } else if (byte === AMPERSAND) at = entityEnd(bytes, at);
    else if (byte === ESCAPE) at = colorEnd(bytes, at);
    else {
      at++;
      // The first line of what is quoted has its number after the quote.
      if (mayQuote && (byte === 34 || byte === 39) && isNumbered(bytes, at)) beginLine();
    }
  }
  if (lines.length > 0) ends.push(bytes.length);
  return {
    bytes,
    kept: kept.subarray(0, count),
    places: places.subarray(0, count),
    lines: Uint32Array.from(lines),
    starts: Uint32Array.from(starts),
    ends: Uint32Array.from(ends),
    numbers: Uint32Array.from(numbers),
    heads,
  };
}

interface Escape {
  readonly end: number;
  readonly isNewline: boolean;
  readonly letters: readonly number[];
}
const NO_LETTERS: readonly number[] = [];

/** A run of backslashes with what it escapes: however often a text was quoted, it comes to the same. */
function escapeAt(bytes: Uint8Array, start: number): Escape {
  let at = start;
  while (bytes[at] === BACKSLASH) at++;
  const next = bytes[at];
  // n, r, t, b, f
  if (next === 110) return { end: at + 1, isNewline: true, letters: NO_LETTERS };
  if (next === 114 || next === 116 || next === 98 || next === 102)
    return { end: at + 1, isNewline: false, letters: NO_LETTERS };
  const code = next === 117 ? hexAt(bytes, at + 1) : null;
  if (code === null) return { end: at, isNewline: false, letters: NO_LETTERS };
  return pointAt(bytes, at + 5, code);
}

/** `\u0041`; what is above the basic plane comes in two. */
function pointAt(bytes: Uint8Array, end: number, code: number): Escape {
  if (code < 128) return { end, isNewline: code === LF, letters: isLetter(code) ? [code] : NO_LETTERS };
  let point = code;
  let after = end;
  if (code >= 0xd800 && code < 0xdc00) {
    let at = end;
    while (bytes[at] === BACKSLASH) at++;
    const low = bytes[at] === 117 ? hexAt(bytes, at + 1) : null;
    if (at > end && low !== null && low >= 0xdc00 && low < 0xe000) {
      point = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
      after = at + 5;
    }
  }
  const letters = [...Buffer.from(String.fromCodePoint(point), "utf8")];
  const isMark = markAt(Uint8Array.from(letters), 0) > 0;
  return { end: after, isNewline: false, letters: isMark ? NO_LETTERS : letters };
}

function hexAt(bytes: Uint8Array, at: number): number | null {
  let code = 0;
  for (let i = at; i < at + 4; i++) {
    const digit = Number.parseInt(String.fromCharCode(bytes[i] ?? 0), 16);
    if (Number.isNaN(digit)) return null;
    code = code * 16 + digit;
  }
  return code;
}

/** Bytes of a character that is no letter: U+00A0 to U+00BF, U+2000 to U+2BFF (dashes, quotes, arrows, boxes), the byte order mark. */
function markAt(bytes: Uint8Array, at: number): number {
  const [one = 0, two = 0] = [bytes[at], bytes[at + 1]];
  if (one === 0xc2 && two >= 0xa0 && two < 0xc0) return 2;
  if (one === 0xe2 && two >= 0x80 && two < 0xb0) return 3;
  return one === 0xef && two === 0xbb && bytes[at + 2] === 0xbf ? 3 : 0;
}

const ENTITIES = ["lt;", "gt;", "amp;", "quot;", "apos;", "#39;", "#34;", "#x27;"].map((text) =>
  Buffer.from(text),
);

function entityEnd(bytes: Uint8Array, at: number): number {
  for (const entity of ENTITIES)
    if (entity.every((byte, i) => bytes[at + 1 + i] === byte)) return at + 1 + entity.length;
  return at + 1;
}

/** `ESC [ 1;32 m` */
function colorEnd(bytes: Uint8Array, start: number): number {
  if (bytes[start + 1] !== 91) return start + 1;
  let at = start + 2;
  while (isDigit(bytes[at]) || bytes[at] === 59) at++;
  return at + 1;
}

interface Head {
  readonly end: number;
  readonly number: number;
}

const MAX_NUMBER_DIGITS = 7;
const MAX_PATH = 300;

/** What a tool or a diff put before a line; null: nothing that is known. */
function headAt(bytes: Uint8Array, start: number): Head | null {
  let at = blanksEnd(bytes, start);
  // A diff's sign may stand before the number, as a prompt that quotes one has it.
  if (isSign(bytes[at])) at = blanksEnd(bytes, at + 1);
  const number = numberAt(bytes, at);
  if (number !== null) {
    const end = separatorEnd(bytes, number.end, true);
    return end === null ? null : { end, number: number.value };
  }
  const path = pathEnd(bytes, at);
  if (path === null) return null;
  const after = numberAt(bytes, path + 1);
  const end = after === null ? null : separatorEnd(bytes, after.end, false);
  if (after !== null && end !== null) return { end, number: after.value };
  return bytes[path] === 58 ? { end: path + 1, number: 0 } : null;
}

/** A number before an arrow or a tab: anywhere but at the beginning of a line, others are too common. */
function isNumbered(bytes: Uint8Array, start: number): boolean {
  const number = numberAt(bytes, blanksEnd(bytes, start));
  if (number === null) return false;
  const next = bytes[number.end];
  return next === 0xe2 || next === 9 || (next === BACKSLASH && blanksEnd(bytes, number.end) > number.end);
}

/** White space within the line, also as `\t`. */
function blanksEnd(bytes: Uint8Array, start: number): number {
  let at = start;
  for (;;) {
    if (bytes[at] === 32 || bytes[at] === 9) at++;
    else if (bytes[at] === BACKSLASH) {
      let after = at;
      while (bytes[after] === BACKSLASH) after++;
      if (bytes[after] !== 116) return at;
      at = after + 1;
    } else return at;
  }
}

/** + - > | */
const isSign = (byte: number | undefined): boolean =>
  byte === 43 || byte === 45 || byte === 62 || byte === 124;

function numberAt(bytes: Uint8Array, start: number): { readonly end: number; readonly value: number } | null {
  let at = start;
  let value = 0;
  while (isDigit(bytes[at]) && at - start < MAX_NUMBER_DIGITS)
    value = value * 10 + (bytes[at++] as number) - 48;
  return at === start || isDigit(bytes[at]) ? null : { end: at, value };
}

/** Past one of `→ : | │ - . )`, a tab, or blanks where those will do. */
function separatorEnd(bytes: Uint8Array, start: number, isBlankEnough: boolean): number | null {
  const at = blanksEnd(bytes, start);
  const byte = bytes[at];
  if (byte === 58 || byte === 124 || byte === 45 || byte === 46 || byte === 41) return at + 1;
  if (byte === 0xe2 && markAt(bytes, at) === 3) return at + 3;
  if (at > start && isBlankEnough) return at;
  return null;
}

/** Of `src/a.ts` before `:` or `-`, where a number may follow; a name has a dot or a slash in it. */
function pathEnd(bytes: Uint8Array, start: number): number | null {
  let isPath = false;
  for (let at = start; at < start + MAX_PATH; at++) {
    const byte = bytes[at];
    if (byte === undefined) return null;
    if (byte === 46 || byte === 47) isPath = true;
    else if (byte === 58) return isPath && at > start ? at : null;
    else if (byte === 45) {
      if (isPath && isDigit(bytes[at + 1]) && separatorAfterNumber(bytes, at + 1)) return at;
    } else if (!isLetter(byte) && byte !== 95 && byte !== 64 && byte !== 126 && byte !== 43) return null;
  }
  return null;
}

function separatorAfterNumber(bytes: Uint8Array, at: number): boolean {
  const number = numberAt(bytes, at);
  return number !== null && bytes[number.end] === 45;
}
