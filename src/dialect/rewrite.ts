/**
 * Changing text within a body, and nothing else: every byte outside the changed strings stays, so that a provider's
 * prompt cache and its idea of the request stay too. Only values are changed, never names; what cannot be done exactly
 * is not done (null), and the caller then refuses the request.
 */
import type { Decoded, Element } from "./request.ts";
import {
  BACKSLASH,
  CLOSE_LIST,
  CLOSE_OBJECT,
  COMMA,
  type Cursor,
  OPEN_LIST,
  OPEN_OBJECT,
  parsed,
  QUOTE,
  readName,
  skipSpace,
  skipValue,
} from "./token.ts";

/** A range of `decoded.parts[part].text`, in UTF-16 units as a finding gives it, and what is to stand there. */
export interface Edit {
  readonly part: number;
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** claude signs its first system block (`x-anthropic-billing-header`): a change there breaks the session. */
const UNTOUCHABLE = /^\/system\/0(\/|$)/;

/**
 * The body with the edits made. Null when one cannot be made: a part that is no JSON string (a name, a number, a body
 * in no known form), ranges that overlap or split a character, the first system block.
 */
export function rewrite(body: Uint8Array, decoded: Decoded, edits: readonly Edit[]): Buffer | null {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const byPart = Map.groupBy(edits, ({ part }) => part);
  const patches: Patch[] = [];
  for (const [part, ofPart] of byPart) {
    const found = literalOf(bytes, decoded, part);
    const made = found && patchesOf(bytes, found, ofPart);
    if (made === null) return null;
    patches.push(...made);
  }
  patches.sort((a, b) => a.start - b.start);
  const pieces: Buffer[] = [];
  let at = 0;
  for (const { start, end, text } of patches) {
    if (start < at) return null;
    pieces.push(bytes.subarray(at, start), Buffer.from(text));
    at = end;
  }
  return Buffer.concat([...pieces, bytes.subarray(at)]);
}

interface Patch {
  readonly start: number;
  readonly end: number;
  /** As it stands in a JSON string. */
  readonly text: string;
}

interface Literal {
  /** Of the opening quote, and behind the closing one. */
  readonly start: number;
  readonly end: number;
  readonly value: string;
}

/** The string in the body that a part is; null when it is none. */
function literalOf(body: Buffer, decoded: Decoded, part: number): Literal | null {
  const told = decoded.parts[part];
  const element = told && decoded.elements.find(({ parts }) => parts.includes(told));
  if (told === undefined || element === undefined || UNTOUCHABLE.test(told.pointer)) return null;
  const start = find(body, element, told.pointer.slice(element.pointer.length));
  if (start < 0 || body[start] !== QUOTE) return null;
  const cursor = { body, at: start };
  skipValue(cursor);
  const value = parsed(body, start, cursor.at);
  return value === told.text ? { start, end: cursor.at, value: told.text } : null;
}

/** Where the value starts that the pointer, seen from the element, names; -1 when there is none. */
function find(body: Buffer, { start }: Element, pointer: string): number {
  const cursor: Cursor = { body, at: start };
  for (const segment of pointer.split("/").slice(1)) {
    const name = segment.replaceAll("~1", "/").replaceAll("~0", "~");
    const opening = body[cursor.at];
    if (opening !== OPEN_LIST && opening !== OPEN_OBJECT) return -1;
    cursor.at++;
    if (!enter(cursor, opening === OPEN_LIST ? Number(name) : name)) return -1;
  }
  return cursor.at;
}

/** Moves to the member or the element; false when the container ends before. */
function enter(cursor: Cursor, wanted: string | number): boolean {
  const { body } = cursor;
  for (let index = 0; ; index++) {
    skipSpace(cursor);
    if (body[cursor.at] === CLOSE_LIST || body[cursor.at] === CLOSE_OBJECT) return false;
    if (body[cursor.at] === COMMA) {
      cursor.at++;
      skipSpace(cursor);
    }
    const name = typeof wanted === "number" ? index : readName(cursor);
    if (name === wanted) return true;
    if (name === null || skipValue(cursor) < 0) return false;
  }
}

function patchesOf(body: Buffer, literal: Literal, edits: readonly Edit[]): readonly Patch[] | null {
  const sorted = [...edits].sort((a, b) => a.start - b.start);
  const bounds = sorted.flatMap(({ start, end }) => [start, end]);
  // Overlapping, inverted or out of the text.
  if (bounds.some((bound, i) => bound < (bounds[i - 1] ?? 0) || bound > literal.value.length)) return null;
  const offsets = byteOffsets(body, literal, bounds);
  return (
    offsets &&
    sorted.map(({ text }, i) => ({
      start: offsets[2 * i] ?? 0,
      end: offsets[2 * i + 1] ?? 0,
      text: inner(text),
    }))
  );
}

const inner = (text: string): string => JSON.stringify(text).slice(1, -1);

/** Where, in the literal's bytes, each unit of its value stands; null when one stands within a character. */
function byteOffsets(body: Buffer, literal: Literal, units: readonly number[]): readonly number[] | null {
  const offsets: number[] = [];
  let at = literal.start + 1;
  let unit = 0;
  for (const wanted of units) {
    while (unit < wanted) {
      const byte = body[at] ?? 0;
      if (byte === BACKSLASH) {
        at += body[at + 1] === 0x75 ? 6 : 2; // \uXXXX
        unit += 1;
      } else if (byte < 0x80) {
        at += 1;
        unit += 1;
      } else {
        at += byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
        unit += byte < 0xf0 ? 1 : 2;
      }
    }
    if (unit !== wanted || at >= literal.end) return null;
    offsets.push(at);
  }
  return offsets;
}
