/**
 * What a text says when it is decoded: base64, base32, hexadecimal, URL, JSON and HTML escapes, gzip, UTF-16, look-alike and
 * invisible characters, literals added together. Only stretches that a cheap sign gives away are decoded, each with a
 * little of what stands round it, and all of them are scanned as one text; each character knows its place in the source.
 *
 * Not read, and said so: images, PDF, own ciphers, spaced-out text. Keys backwards or in rot13: detectors/disguised.ts.
 */
import { gunzipSync, inflateSync } from "node:zlib";
import { base32 } from "./concealed.ts";

/** Layers that are taken off one after another. */
export const MAX_LAYERS = 3;
/** What one compressed run may unfold to. */
const MAX_UNFOLDED_BYTES = 1 << 20;
/** How much of the source is kept on each side of a decoded stretch, as its context. */
const REACH = 64;
/** Shorter encoded runs hide no credential. */
const SHORTEST_BASE64 = 20;
const SHORTEST_HEX = 32;
const SHORTEST_BASE32 = 24;

/** A decoded text; `places[i]` is where its character i comes from, `places[length]` where the last one ends. */
export interface View {
  readonly text: string;
  readonly places: Uint32Array;
}

/** All decoded stretches of one text as one view, or null when nothing in it is encoded. */
export function decodedView(text: string): View | null {
  const pieces: View[] = [];
  encodedRuns(text, pieces);
  if (mayList(text)) listedBytes(text, pieces);
  if (text.includes("\udb40")) taggedText(text, pieces);
  rewritten(text, pieces);
  if (pieces.length === 0) return null;
  const separator = "\n\u0001\n";
  const places = new Uint32Array(
    pieces.reduce((sum, piece) => sum + piece.text.length + separator.length, 0) + 1,
  );
  let at = 0;
  for (const piece of pieces) {
    places.set(piece.places.subarray(0, piece.text.length), at);
    at += piece.text.length;
    // The separator, and with it the end of the piece.
    places.fill(piece.places[piece.text.length] ?? 0, at, at + separator.length);
    at += separator.length;
  }
  places[at] = places[at - 1] ?? 0;
  return { text: pieces.map((piece) => piece.text + separator).join(""), places };
}

// --- runs of base64 and hexadecimal -------------------------------------------------------------------------------

const RUN = new Uint8Array(128);
for (const char of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-")
  RUN[char.charCodeAt(0)] = 1;
const UPPER_CASE = 1;
const LOWER_CASE = 2;
const BEYOND_HEX = 4;
const BASE32_DIGIT = 8;
const MIXED = UPPER_CASE | LOWER_CASE;
const KIND: Uint8Array = Uint8Array.from({ length: 128 }, (_, code) => {
  const char = String.fromCharCode(code);
  return (
    (/[A-Z]/.test(char) ? UPPER_CASE : 0) |
    (/[a-z]/.test(char) ? LOWER_CASE : 0) |
    (/[2-7]/.test(char) ? BASE32_DIGIT : 0) |
    (/[0-9a-fA-F]/.test(char) ? 0 : BEYOND_HEX)
  );
});
const isRun = (code: number): boolean => code < 128 && RUN[code] === 1;

function encodedRuns(text: string, pieces: View[]): void {
  // As Boyer and Moore search: the last character that the shortest run would have is looked at first.
  for (let at = SHORTEST_BASE64 - 1, from = 0; at < text.length; ) {
    let start = at;
    while (start >= from && isRun(text.charCodeAt(start))) start--;
    if (start >= from) {
      from = start + 1;
      at = start + SHORTEST_BASE64;
      continue;
    }
    start = from;
    let end = start;
    // Which kinds of characters the run holds: words and rulers are told from base64 before anything is copied.
    let kinds = 0;
    for (let code = text.charCodeAt(end); end < text.length && isRun(code); code = text.charCodeAt(++end))
      kinds |= KIND[code] ?? 0;
    const isCandidate = (kinds & MIXED) === MIXED || (kinds & BEYOND_HEX) === 0 || kinds & BASE32_DIGIT;
    if (end - start >= SHORTEST_BASE64 && isCandidate) {
      const runEnd = wrappedEnd(text, start, end);
      const decoded = decodeRun(text.slice(start, runEnd));
      if (decoded !== null) pieces.push(opaque(decoded, start, runEnd, text));
      end = runEnd;
    }
    from = end;
    at = end + SHORTEST_BASE64 - 1;
  }
}

/** base64 in lines of equal length (MIME, PEM): the run goes on behind the line ends. */
function wrappedEnd(text: string, start: number, end: number): number {
  const width = end - start;
  if (width < 40 || width > 100) return end;
  let to = end;
  for (;;) {
    const gap = /^(?:\\n|\r?\n)[ \t]{0,24}/.exec(text.slice(to, to + 32));
    if (gap === null) return to;
    let next = to + gap[0].length;
    const from = next;
    while (next < text.length && next - from < width && isRun(text.charCodeAt(next))) next++;
    if (next === from || (next < text.length && isRun(text.charCodeAt(next)))) return to;
    to = next;
    if (next - from < width) return to;
  }
}

const PROBE_CHARACTERS = 128;
/** Stands before what was hexadecimal: what is random there was hidden, while random text as such is everywhere. */
const HEX_MARK = "~hex~";

/** RFC 4648 base32, which has one case only and the digits 2 to 7. */
function inBase32(run: string): string | null {
  if (run.length < SHORTEST_BASE32 || !/^(?:[A-Z2-7]+|[a-z2-7]+)$/.test(run) || !/[2-7]/.test(run))
    return null;
  if (!isReadable(base32(run.slice(0, PROBE_CHARACTERS)))) return null;
  return base32(run).toString("utf8");
}

function decodeRun(raw: string): string | null {
  const run = raw.length > 100 ? raw.replace(/\\n|[\s]/g, "") : raw;
  const hex = run.startsWith("0x") ? run.slice(2) : run;
  // Not as one pattern over all of it: that overflows its stack on megabytes of digits.
  if (hex.length >= SHORTEST_HEX && !/[^0-9a-fA-F]/.test(hex)) {
    // A secret may begin or end in the middle of binary: the longest readable stretch counts.
    const said = readable(Buffer.from(hex.slice(0, hex.length & ~1), "hex"));
    return said === null ? null : HEX_MARK + said;
  }
  if (!/[A-Z]/.test(run) || !/[a-z]/.test(run)) return inBase32(run);
  const probe = Buffer.from(run.slice(0, PROBE_CHARACTERS), "base64");
  if (isCompressed(probe)) return unfold(Buffer.from(run, "base64"));
  if (looksUtf16(probe)) return utf16In(Buffer.from(run, "base64"));
  if (!isReadable(probe)) return null;
  return Buffer.from(run, "base64").toString("utf8");
}

export function unfold(bytes: Buffer): string | null {
  try {
    const limit = { maxOutputLength: MAX_UNFOLDED_BYTES };
    const out = bytes[0] === 0x1f ? gunzipSync(bytes, limit) : inflateSync(bytes, limit);
    return isReadable(out.subarray(0, PROBE_CHARACTERS)) ? out.toString("utf8") : null;
  } catch {
    // Not what its first bytes promised, or larger than may be read: there is no text to scan.
    return null;
  }
}

export const isCompressed = (bytes: Buffer): boolean =>
  (bytes[0] === 0x1f && bytes[1] === 0x8b) ||
  (bytes[0] === 0x78 && (((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0)) % 31 === 0);

const looksUtf16 = (bytes: Buffer): boolean => {
  if (bytes.length < 12) return false;
  let zeros = 0;
  for (let i = 0; i < bytes.length; i++) if (bytes[i] === 0) zeros++;
  return zeros * 5 > bytes.length * 2 && zeros * 5 < bytes.length * 3;
};

const isPrintable = (byte: number): boolean =>
  (byte >= 32 && byte < 127) || byte === 9 || byte === 10 || byte === 13;

/** Big end first where the first of each two bytes is the empty one. */
function utf16In(bytes: Buffer): string {
  const even = bytes.subarray(0, bytes.length & ~1);
  let empty = 0;
  for (let at = 0; at < Math.min(even.length, PROBE_CHARACTERS); at += 2) if (even[at] === 0) empty += 4;
  const ordered = empty > Math.min(even.length, PROBE_CHARACTERS) ? Buffer.from(even).swap16() : even;
  return ordered.toString("utf16le").replaceAll("\0", "");
}

/** More than 92 in 100 bytes are printable ASCII. */
function isReadable(bytes: Buffer): boolean {
  if (bytes.length < 8) return false;
  let good = 0;
  for (const byte of bytes) if (isPrintable(byte)) good++;
  return good * 100 > bytes.length * 92;
}

/** The longest stretch of printable characters, if it is long enough to matter. */
function readable(bytes: Buffer): string | null {
  let best = 0;
  let bestStart = 0;
  let start = 0;
  for (let i = 0; i <= bytes.length; i++) {
    if (i < bytes.length && isPrintable(bytes[i] ?? 0)) continue;
    if (i - start > best) {
      best = i - start;
      bestStart = start;
    }
    start = i + 1;
  }
  return best >= 16 ? bytes.toString("latin1", bestStart, bestStart + best) : null;
}

/** A decoded run with what names it in front; every decoded character stands for the whole run. */
function opaque(decoded: string, start: number, end: number, text: string): View {
  const lead = Math.max(text.lastIndexOf("\n", start - 1) + 1, start - REACH);
  const head = text.slice(lead, start);
  const places = new Uint32Array(head.length + decoded.length + 1);
  for (let i = 0; i < head.length; i++) places[i] = lead + i;
  places.fill(start, head.length, head.length + decoded.length);
  places[head.length + decoded.length] = end;
  return { text: head + decoded, places };
}

// --- bytes listed one by one --------------------------------------------------------------------------------------

/** `67:68:70`, `=67=68`, `0x67, 0x68`, `\147\150`, `01100111 01101000`: how bytes are written one by one, and read back. */
const LISTS: readonly (readonly [pattern: RegExp, piece: RegExp, base: number])[] = [
  [/[0-9a-f]{2}([:=, -])[0-9a-f]{2}(?:\1[0-9a-f]{2}){13,4000}/gi, /[0-9a-f]{2}/gi, 16],
  [/0x[0-9a-f]{2}(?:[, ]{1,2}0x[0-9a-f]{2}){14,4000}/gi, /(?<=0x)[0-9a-f]{2}/gi, 16],
  [/\\[0-3][0-7]{2}(?:\\{1,2}[0-3][0-7]{2}){14,4000}/g, /[0-3][0-7]{2}/g, 8],
  [/[01]{8}(?:[ ,]?[01]{8}){14,4000}/g, /[01]{8}/g, 2],
];

/** The shortest list has 44 characters, so it holds one of these windows whole. */
const LIST_STEP = 16;
const LIST_WINDOW = 12;
const LISTED = new Uint8Array(128);
for (const char of "0123456789abcdefABCDEFx:=, -\\") LISTED[char.charCodeAt(0)] = 1;

/** Whether a list may stand in it: a window of nothing but its characters, with a separator or in two digits alone. */
function mayList(text: string): boolean {
  for (let from = 0; from + LIST_WINDOW <= text.length; from += LIST_STEP) {
    let at = from;
    let signs = 0;
    let bits = 0;
    for (; at < from + LIST_WINDOW; at++) {
      const code = text.charCodeAt(at);
      if (code > 127 || LISTED[code] === 0) break;
      if (code === 48 || code === 49) bits++;
      else if (code < 48 || code === 58 || code === 61 || code === 92) signs++;
    }
    if (at === from + LIST_WINDOW && (signs >= 2 || bits >= LIST_WINDOW - 2)) return true;
  }
  return false;
}

function listedBytes(text: string, pieces: View[]): void {
  for (const [pattern, piece, base] of LISTS)
    for (const { 0: run, index } of text.matchAll(pattern)) {
      const bytes = Buffer.from((run.match(piece) ?? []).map((digits) => Number.parseInt(digits, base)));
      if (isReadable(bytes)) pieces.push(opaque(bytes.toString("utf8"), index, index + run.length, text));
    }
}

/** Characters of the tag block (U+E0020 to U+E007E) are invisible, and spell ASCII that a model reads. */
function taggedText(text: string, pieces: View[]): void {
  for (const { 0: run, index } of text.matchAll(/(?:\udb40[\udc20-\udc7e]){4,4000}/g)) {
    const said = run
      .replaceAll("\udb40", "")
      .replace(/[\udc20-\udc7e]/g, (low) => String.fromCharCode(low.charCodeAt(0) - 0xdc00));
    pieces.push(opaque(said, index, index + run.length, text));
  }
}

// --- escapes and characters, place by place -----------------------------------------------------------------------

const ESCAPE =
  /\\(?:u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,6})\}|x([0-9a-fA-F]{2})|(["'\\/`])|([nrt]))|%([0-9a-fA-F]{2})|&#(\d{2,6});|&#[xX]([0-9a-fA-F]{2,5});|&(quot|apos|amp|lt|gt);|=([0-9A-F]{2})(?=[0-9A-Za-z=])/g;
const NAMED: Readonly<Record<string, string>> = { quot: '"', apos: "'", amp: "&", lt: "<", gt: ">" };
const WHITE: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t" };

/** Invisible: zero-width, joiners, bidirectional marks and isolates, soft hyphen, variation selectors, tags. */
const INVISIBLE = new RegExp(
  "[\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180e\\u200b-\\u200f\\u202a-\\u202e\\u2060-\\u206f\\ufe00-\\ufe0f\\ufeff]" +
    "|\\udb40[\\udc00-\\udc7f\\udd00-\\uddef]",
);
const LOOK_ALIKE: Readonly<Record<string, string>> = Object.fromEntries(
  [
    ["АΑ", "A"],
    ["ВΒ", "B"],
    ["СϹ", "C"],
    ["ЕΕ", "E"],
    ["НΗ", "H"],
    ["ІΙӀ", "I"],
    ["Ј", "J"],
    ["КΚ", "K"],
    ["МΜ", "M"],
    ["Ν", "N"],
    ["ОΟ", "O"],
    ["РΡ", "P"],
    ["Ѕ", "S"],
    ["ТΤ", "T"],
    ["ХΧ", "X"],
    ["ҮΥ", "Y"],
    ["Ζ", "Z"],
    ["аα", "a"],
    ["Ь", "b"],
    ["сϲ", "c"],
    ["ԁ", "d"],
    ["е", "e"],
    ["ɡ", "g"],
    ["һ", "h"],
    ["іι", "i"],
    ["ј", "j"],
    ["к", "k"],
    ["ӏ", "l"],
    ["м", "m"],
    ["п", "n"],
    ["оοσ", "o"],
    ["рρ", "p"],
    ["ԛ", "q"],
    ["г", "r"],
    ["ѕ", "s"],
    ["т", "t"],
    ["υ", "u"],
    ["ѵν", "v"],
    ["ѡ", "w"],
    ["х", "x"],
    ["уγ", "y"],
    ["‐‑‒–—−", "-"],
    ["＿", "_"],
  ].flatMap(([from = "", to = ""]) => [...from].map((char) => [char, to])),
);

/** Signs that a text has something to rewrite; each is one search of the whole text by the engine's string search. */
const needsEscapes = (text: string): boolean =>
  text.includes("%") || text.includes("&#") || text.includes("&quot;") || text.includes("\\");

function rewritten(text: string, pieces: View[]): void {
  if (needsEscapes(text)) windows(text, escapePlaces(text), ESCAPES, pieces);
  // More UTF-8 bytes than characters: something is not ASCII. Cheaper than looking for it.
  if (Buffer.byteLength(text) !== text.length || text.includes("\0"))
    windows(text, strangePlaces(text), STRANGE, pieces);
  windows(text, joinPlaces(text), JOINS, pieces);
}

/** Places where an escape stands that could hide a plain character; `\n` alone hides none. */
function escapePlaces(text: string): number[] {
  const places: number[] = [];
  for (let at = text.indexOf("%"); at >= 0; at = text.indexOf("%", at + 1))
    if (isHex(text.charCodeAt(at + 1)) && isHex(text.charCodeAt(at + 2))) places.push(at);
  for (let at = text.indexOf("&"); at >= 0; at = text.indexOf("&", at + 1))
    if (text.charCodeAt(at + 1) === 35 || text.startsWith("quot;", at + 1)) places.push(at);
  for (let at = text.indexOf("\\"); at >= 0; at = text.indexOf("\\", at + 1)) {
    const next = text.charCodeAt(at + 1);
    // A quote, a slash or another backslash; or u and x with their digits.
    if (
      next === 34 ||
      next === 47 ||
      ((next === 117 || next === 120) && isHexOrBrace(text.charCodeAt(at + 2)))
    )
      places.push(at);
    else if (next === 92) places.push(at++);
  }
  return places.sort((a, b) => a - b);
}

const isHex = (code: number): boolean =>
  (code >= 48 && code <= 57) || (code >= 97 && code <= 102) || (code >= 65 && code <= 70);
const isHexOrBrace = (code: number): boolean => isHex(code) || code === 123;

function strangePlaces(text: string): number[] {
  const places: number[] = [];
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 128 && code !== 0) continue;
    if (code === 0 || isInvisible(code) || (code >= 0xff01 && code <= 0xff5e) || code === 0xd835)
      places.push(at);
    // A look-alike among plain letters and digits; a word of another script has none beside it.
    else if (
      LOOK_ALIKE[text.charAt(at)] !== undefined &&
      (has(LITERAL, text.charCodeAt(at - 1)) || has(LITERAL, text.charCodeAt(at + 1)))
    )
      places.push(at);
  }
  return places;
}

/** The same set as INVISIBLE, by its first unit: asked of every character that is not ASCII. */
const isInvisible = (code: number): boolean =>
  code === 0xad ||
  (code >= 0x200b &&
    code <= 0x206f &&
    (code <= 0x200f || (code >= 0x202a && code <= 0x202e) || code >= 0x2060)) ||
  (code >= 0xfe00 && code <= 0xfe0f) ||
  code === 0xfeff ||
  code === 0xdb40 ||
  code === 0x34f ||
  code === 0x61c ||
  code === 0x115f ||
  code === 0x1160 ||
  code === 0x17b4 ||
  code === 0x17b5 ||
  (code >= 0x180b && code <= 0x180e);

/** `"abc" + "def"`, `'abc' 'def'`: where two literals meet. */
const JOIN = /(["'`])[ \t]{0,8}(?:[+.&][ \t]{0,8})?(?:\\?\r?\n[ \t]{0,40}(?:[+.&][ \t]{0,4})?)?(["'`])/y;

function joinPlaces(text: string): number[] {
  const places: number[] = [];
  for (const quote of ['"', "'", "`"]) {
    for (let at = text.indexOf(quote); at >= 0; at = text.indexOf(quote, at + 1)) {
      // The cheap signs first: what follows a closing quote is mostly a bracket, a comma or a letter.
      if (!isGap(text.charCodeAt(at + 1)) || !has(LITERAL, text.charCodeAt(at - 1))) continue;
      let next = at + 1;
      while (next < at + 64 && isGap(text.charCodeAt(next))) next++;
      const opening = text.charCodeAt(next);
      if ((opening !== 34 && opening !== 39 && opening !== 96) || !has(LITERAL, text.charCodeAt(next + 1)))
        continue;
      JOIN.lastIndex = at;
      if (JOIN.test(text)) places.push(at);
    }
  }
  return places.sort((a, b) => a - b);
}

const LITERAL = new Uint8Array(128);
for (const char of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+/=.-")
  LITERAL[char.charCodeAt(0)] = 1;
const has = (set: Uint8Array, code: number): boolean => code < 128 && set[code] === 1;
/** Blank, line end, `+`, `.`, `&`, backslash. */
const isGap = (code: number): boolean =>
  code === 32 ||
  code === 43 ||
  code === 10 ||
  code === 9 ||
  code === 13 ||
  code === 46 ||
  code === 38 ||
  code === 92;

/** What stands at a place in the view, and how long it is in the source; null: the character itself. */
interface Reading {
  readonly isSign: (code: number) => boolean;
  readonly read: (text: string, at: number) => { readonly text: string; readonly length: number } | null;
}

function windows(text: string, places: readonly number[], reading: Reading, pieces: View[]): void {
  for (let i = 0; i < places.length; ) {
    const from = Math.max(0, (places[i] ?? 0) - REACH);
    let to = (places[i] ?? 0) + REACH;
    while (i + 1 < places.length && (places[i + 1] ?? 0) - REACH <= to) to = (places[++i] ?? 0) + REACH;
    i++;
    pieces.push(rewrite(text, from, Math.min(text.length, to), reading));
  }
}

function rewrite(text: string, from: number, to: number, reading: Reading): View {
  let out = "";
  let copied = from;
  // Upper bound: no reading makes more characters than it takes from the source.
  const places = new Uint32Array(to - from + 1);
  const copy = (end: number): void => {
    for (let at = copied; at < end; at++) places[out.length + at - copied] = at;
    out += text.slice(copied, end);
  };
  for (let at = from; at < to; ) {
    const read = reading.isSign(text.charCodeAt(at)) ? reading.read(text, at) : null;
    if (read === null) {
      at++;
      continue;
    }
    copy(at);
    for (let k = 0; k < read.text.length; k++) places[out.length + k] = at;
    out += read.text;
    at += read.length;
    copied = at;
  }
  copy(Math.max(copied, to));
  places[out.length] = Math.max(copied, to);
  return { text: out, places: places.slice(0, out.length + 1) };
}

const ESCAPE_AT = new RegExp(ESCAPE.source, "y");

function unescapeFrom(text: string, at: number): { text: string; length: number } | null {
  ESCAPE_AT.lastIndex = at;
  const match = ESCAPE_AT.exec(text);
  if (match === null) return null;
  const [whole, u4, u6, x2, plain, white, url, decimal, hexadecimal, named, quoted] = match;
  const hex = u4 ?? u6 ?? x2 ?? url ?? hexadecimal ?? quoted;
  const point = hex !== undefined ? Number.parseInt(hex, 16) : decimal !== undefined ? Number(decimal) : -1;
  if (point > 0x10ffff) return null;
  const said =
    point >= 0
      ? String.fromCodePoint(point)
      : (plain ?? (white === undefined ? NAMED[named ?? ""] : WHITE[white]) ?? "");
  return { text: said, length: whole.length };
}

function plainFrom(text: string, at: number): { text: string; length: number } | null {
  const code = text.charCodeAt(at);
  if (code === 0) return { text: "", length: 1 };
  const invisible = isInvisible(code) ? INVISIBLE.exec(text.slice(at, at + 2)) : null;
  if (invisible?.index === 0) return { text: "", length: invisible[0].length };
  const alike = LOOK_ALIKE[text.charAt(at)];
  if (alike !== undefined) return { text: alike, length: 1 };
  // Full-width and mathematical letters fold by compatibility (Unicode NFKC).
  const whole = code >= 0xd800 && code <= 0xdbff ? text.slice(at, at + 2) : text.charAt(at);
  const folded = whole.normalize("NFKC");
  return folded !== whole && folded.length <= whole.length ? { text: folded, length: whole.length } : null;
}

function joinFrom(text: string, at: number): { text: string; length: number } | null {
  JOIN.lastIndex = at;
  const match = JOIN.exec(text);
  if (match === null || !/[A-Za-z0-9_+/=.-]/.test(text.charAt(at - 1))) return null;
  return { text: "", length: match[0].length };
}

const ESCAPES: Reading = {
  isSign: (code) => code === 92 || code === 37 || code === 38 || code === 61,
  read: unescapeFrom,
};
const STRANGE: Reading = { isSign: (code) => code > 127 || code === 0, read: plainFrom };
const JOINS: Reading = { isSign: (code) => code === 34 || code === 39 || code === 96, read: joinFrom };
