/**
 * Bodies of no known form: whatever text is in them becomes a part, and nothing is skipped.
 *
 * Broken JSON is read twice: as it stands, and string by string with escapes undone, because `AKIA\u0041…` or an
 * escaped quote hides from a detector what the other side may still read.
 */
import { isUtf8 } from "node:buffer";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import type { Cut } from "./unit.ts";

/** Shortest run of text told from binary: shorter ones are chance. */
const MIN_RUN = 4;

export function plainCuts(body: Buffer, contentType: string): readonly Cut[] {
  const inner = unpacked(body);
  // A file in a file is unpacked once; what is packed twice stays unread, and counts as not understood.
  if (inner !== body) return isUtf8(inner) ? unpackedText(inner) : textRuns(inner, "");
  if (!isText(body)) return textRuns(body, "");
  const text = body.toString("utf8");
  const raw = opaque(text);
  if (/^application\/x-www-form-urlencoded/i.test(contentType))
    return [raw, opaque(unescapeUrl(text.replaceAll("+", " ")))];
  return text.includes('"') && text.includes("\\") ? [raw, ...literals(text)] : [raw];
}

export const isText = (body: Buffer): boolean => isUtf8(body) && !body.includes(0);

export const unpackedText = (inner: Buffer): readonly Cut[] => {
  const text = inner.toString("utf8");
  return [opaque(text), ...literals(text)];
};

export type Undo = (packed: Buffer, limit: { readonly maxOutputLength: number }) => Buffer;

/** What a file of a known coding is unpacked by, told by its first bytes; null: it is none. */
export function packerOf(bytes: Buffer): Undo | null {
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) return gunzipSync;
  return bytes.length > 4 && bytes.readUInt32LE(0) === 0xfd2fb528 ? zstdDecompressSync : null;
}

/** What is in a packed file; the bytes themselves when they are none, or too many. */
export function unpacked(packed: Buffer): Buffer {
  const undo = packerOf(packed);
  if (undo === null) return packed;
  try {
    return undo(packed, { maxOutputLength: MAX_UNPACKED_BYTES });
  } catch {
    return packed;
  }
}

export const MAX_UNPACKED_BYTES = 64 * 1024 * 1024;

const opaque = (value: string, pointer = ""): Cut => ({ pointer, value, role: "opaque" });

/**
 * JSON strings in a text that is no JSON, escapes undone; one cut for all that have escapes. By hand, as an expression
 * would look for an end from every quote of a text that has none.
 */
function literals(text: string): readonly Cut[] {
  const undone: string[] = [];
  for (let at = text.indexOf('"'); at >= 0; ) {
    const end = endOfLiteral(text, at);
    const inner = text.slice(at + 1, end);
    if (inner.includes("\\")) undone.push(unescapeJson(inner));
    at = text.indexOf('"', end + 1);
  }
  return undone.length === 0 ? [] : [opaque(undone.join("\n"))];
}

/** Where the closing quote stands, or the end of the text. */
function endOfLiteral(text: string, start: number): number {
  let at = start + 1;
  for (;;) {
    const quote = text.indexOf('"', at);
    if (quote < 0) return text.length;
    let slashes = 0;
    while (quote - slashes > at && text[quote - slashes - 1] === "\\") slashes++;
    if (slashes % 2 === 0) return quote;
    at = quote + 1;
  }
}

function unescapeJson(inner: string): string {
  try {
    return String(JSON.parse(`"${inner}"`));
  } catch {
    return inner.replace(/\\u([0-9a-f]{4})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  }
}

/** Percent escapes undone, also escaped ones; what is none stays as it is. */
export function unescapeUrl(text: string): string {
  let undone = text;
  for (let layer = 0; layer < MAX_LAYERS && undone.includes("%"); layer++) {
    const before = undone;
    undone = undone.replace(/(?:%[0-9a-f]{2})+/gi, (run) =>
      Buffer.from(run.replaceAll("%", ""), "hex").toString("utf8"),
    );
    if (undone === before) break;
  }
  return undone;
}

const MAX_LAYERS = 5;

/**
 * Runs of text in binary: printable ASCII and UTF-8 sequences, and ASCII in UTF-16. Joined line by line into one part,
 * so that a body of short runs costs no more than one of long runs.
 */
export function textRuns(body: Buffer, pointer: string): readonly Cut[] {
  const runs: string[] = [];
  for (let at = 0; at < body.length; ) {
    const end = endOfRun(body, at);
    const wideEnd = end - at < MIN_RUN ? endOfWideRun(body, at) : at;
    if (end - at >= MIN_RUN) runs.push(body.toString("utf8", at, end));
    if (wideEnd - at >= 2 * MIN_RUN) {
      runs.push(body.toString("utf16le", at, wideEnd));
      at = wideEnd;
    } else at = Math.max(end, at + 1);
  }
  return runs.length === 0 ? [] : [opaque(runs.join("\n"), pointer)];
}

const isPrintable = (byte: number | undefined): boolean =>
  byte !== undefined && ((byte >= 0x20 && byte < 0x7f) || byte === 9 || byte === 10 || byte === 13);
const isFollowing = (byte: number | undefined): boolean => byte !== undefined && (byte & 0xc0) === 0x80;

function endOfRun(body: Buffer, start: number): number {
  let at = start;
  for (;;) {
    const byte = body[at] ?? 0;
    if (isPrintable(byte)) at++;
    else if (byte >= 0xc2 && byte < 0xf5 && isFollowing(body[at + 1])) {
      at += 2;
      while (isFollowing(body[at])) at++;
    } else return at;
  }
}

/** Of UTF-16, little end first: `a`, 0, `b`, 0. */
function endOfWideRun(body: Buffer, start: number): number {
  let at = start;
  while (isPrintable(body[at]) && body[at + 1] === 0) at += 2;
  return at;
}
