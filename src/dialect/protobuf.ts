/**
 * Protobuf without a schema (protobuf.dev/programming-guides/encoding), alone or in the five-byte envelopes of gRPC and
 * Connect (connectrpc.com/docs/protocol): Cursor and other IDE agents speak it, and no public schema exists.
 *
 * A length-delimited field may be text, bytes or a message; which, only the schema knows. Here UTF-8 without control
 * characters is text, and what parses as a message is one, which of a short text may both be true: the tag and the length
 * before `sk-…` may be letters, and then hide where the key begins. As that is a guess, such a body is never `understood`, and
 * all bytes that were not told as text are searched for runs of text.
 */
import { isUtf8 } from "node:buffer";
import { brotliDecompressSync, gunzipSync, inflateSync, zstdDecompressSync } from "node:zlib";
import { Fault } from "../core/index.ts";
import {
  isText,
  MAX_UNPACKED_BYTES,
  packerOf,
  plainCuts,
  textRuns,
  type Undo,
  unpacked,
  unpackedText,
} from "./plain.ts";
import { CONTROL, type Cut } from "./unit.ts";

/** As protobuf's own readers have it. */
const MAX_DEPTH = 100;
/** More are refused, as what is left would not be read. */
const MAX_ENVELOPES = 100_000;
/** Those beyond are read as runs of text alone. */
const MAX_FIELDS = 500_000;
/** Texts of what turned out to be no message are told all the same, if they are long enough to be one. */
const MIN_GUESS = 8;

export const isProtobuf = (contentType: string): boolean =>
  /^application\/(grpc|connect|proto|protobuf|x-protobuf|vnd\.google\.protobuf)\b/i.test(contentType) ||
  /^application\/[\w.-]+\+proto\b/i.test(contentType);

export function protobufCuts(body: Buffer, contentType: string): readonly Cut[] {
  const isBase64 = /^application\/grpc-web-text/i.test(contentType);
  const bytes = isBase64 ? fromBase64(body.toString("latin1")) : body;
  const isEnveloped = /^application\/(grpc|connect\+)/i.test(contentType);
  const room = newRoom();
  const messages = isEnveloped ? envelopes(bytes, room) : [{ bytes, isJson: false }];
  return cutsOf(messages, room, /\bjson\b/i.test(contentType));
}

/** A body that is no text and of no form that is named: a packed file, envelopes, a message, or runs of text in bytes. */
export function binaryCuts(body: Buffer): readonly Cut[] {
  const room = newRoom();
  const inner = unpacked(body);
  if (inner !== body) return unpackedCuts(inner, "", room);
  return cutsOf(isTiled(body) ? envelopes(body, room) : [{ bytes: body, isJson: false }], room);
}

const unpackedCuts = (inner: Buffer, pointer: string, room: Room): readonly Cut[] =>
  isText(inner) ? [...unpackedText(inner), ...guessedCuts(inner)] : messageCuts(inner, pointer, room, true);

/** The texts in a text of no form that is named, where all of it is a message as well; of any other nothing. */
export function guessedCuts(body: Buffer): readonly Cut[] {
  const search: Search = { root: body, cuts: [], told: [], room: newRoom(), isUnpacked: false };
  readMessage(search, 0, body.length, "", 0, true);
  return search.cuts;
}

/** What may yet be spent on one body. */
interface Room {
  /** Bytes, of all that is packed in it together. */
  unpacked: number;
  fields: number;
}
const newRoom = (): Room => ({ unpacked: MAX_UNPACKED_BYTES, fields: MAX_FIELDS });

const cutsOf = (messages: readonly Envelope[], room: Room, isAllJson = false): readonly Cut[] =>
  messages.flatMap((message, i) => {
    if (isAllJson || message.isJson) return plainCuts(message.bytes, "application/json");
    return messageCuts(message.bytes, messages.length > 1 ? `/${i}` : "", room);
  });

/** Whether envelopes, with flags that are in use, fill it to its end. */
function isTiled(body: Buffer): boolean {
  let at = 0;
  let count = 0;
  while (count++ < MAX_ENVELOPES && at + 5 <= body.length && ((body[at] ?? 4) & 0x7c) === 0)
    at += 5 + body.readUInt32BE(at + 1);
  return at === body.length;
}

/** Base64 that may end and begin anew: gRPC for the web pads each message by itself. */
const fromBase64 = (text: string): Buffer =>
  Buffer.concat((text.match(/[^=]+/g) ?? []).map((piece) => Buffer.from(piece, "base64")));

interface Envelope {
  readonly bytes: Buffer;
  /** The last word of a stream of Connect. */
  readonly isJson: boolean;
}

/** The messages of enveloped frames; what is no whole frame is one by itself. */
function envelopes(body: Buffer, room: Room): readonly Envelope[] {
  const messages: Envelope[] = [];
  for (let at = 0; at < body.length; ) {
    const flags = body[at] ?? 0;
    const end = at + 5 > body.length ? Number.POSITIVE_INFINITY : at + 5 + body.readUInt32BE(at + 1);
    if (end > body.length) {
      messages.push({ bytes: body.subarray(at), isJson: false });
      break;
    }
    const packed = body.subarray(at + 5, end);
    const bytes = (flags & 1) === 0 ? packed : decompressed(packed, room);
    messages.push({ bytes, isJson: (flags & 2) !== 0 });
    if (messages.length > MAX_ENVELOPES)
      throw new Fault("gateway.unreadable", { detail: `more than ${MAX_ENVELOPES} messages in one body` });
    at = end;
  }
  return messages;
}

/** By which coding, a header says that is not at hand: each is tried. What none undoes stays as it is. */
function decompressed(message: Buffer, room: Room): Buffer {
  for (const undo of [gunzipSync, zstdDecompressSync, inflateSync, brotliDecompressSync]) {
    const bytes = unpackedBy(undo, message, room);
    if (bytes !== null) return bytes;
  }
  return message;
}

/** Null: it is not of this coding. Throws `gateway.unreadable` beyond the room: what is left packed is not read, and goes nowhere. */
function unpackedBy(undo: Undo, packed: Buffer, room: Room): Buffer | null {
  try {
    const bytes = undo(packed, { maxOutputLength: Math.max(1, room.unpacked) });
    room.unpacked -= bytes.length;
    return bytes;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE")
      throw new Fault("gateway.unreadable", {
        detail: `more than ${MAX_UNPACKED_BYTES} bytes are packed in it`,
        cause: error,
      });
    return null;
  }
}

/** One message on its way to be read. */
interface Search {
  readonly root: Buffer;
  readonly cuts: Cut[];
  /** Ranges of the root that are told as texts, in order. */
  readonly told: (readonly [start: number, end: number])[];
  readonly room: Room;
  /** What is packed twice stays unread. */
  readonly isUnpacked: boolean;
}

/** The texts of a message, and of what lies between them whatever can be read as text. */
function messageCuts(root: Buffer, pointer: string, room: Room, isUnpacked = false): readonly Cut[] {
  const search: Search = { root, cuts: [], told: [], room, isUnpacked };
  readMessage(search, 0, root.length, pointer, 0);
  let at = 0;
  const between: Buffer[] = [];
  for (const [start, end] of search.told) {
    // A byte that is no text keeps the pieces apart.
    between.push(root.subarray(at, Math.max(at, start)), NUL);
    at = Math.max(at, end);
  }
  between.push(root.subarray(at));
  return [...search.cuts, ...textRuns(Buffer.concat(between), "")];
}

const NUL = Buffer.of(0);

/** Tells the texts of a message; when it turns out to be none, only such as are long, and all of it is read as bytes, too. */
function readMessage(
  search: Search,
  from: number,
  to: number,
  pointer: string,
  depth: number,
  isTold = false,
): void {
  const before = { cuts: search.cuts.length, told: search.told.length };
  if (readFields(search, from, to, pointer, depth)) return;
  const guessed = search.cuts.splice(before.cuts);
  search.told.length = before.told;
  // A byte too many at its end must not hide what stands before it. What is text as well was told as that.
  if (isTold) return;
  for (const cut of guessed)
    if (typeof cut.value === "string" && cut.value.length >= MIN_GUESS) search.cuts.push(cut);
}

function readFields(search: Search, from: number, to: number, pointer: string, depth: number): boolean {
  const { root } = search;
  let at = from;
  while (at < to) {
    if (--search.room.fields < 0) return false;
    const key = varint(root, at, to);
    if (key === null || key.value < 8) return false;
    at = key.end;
    const type = key.value % 8;
    const value = type === 0 || type === 2 ? varint(root, at, to) : null;
    if (type === 1 || type === 5) at += type === 1 ? 8 : 4;
    // The marks of an old group: what stands between them is read like any field.
    else if (type === 3 || type === 4) continue;
    else if (value === null) return false;
    else if (type === 0) at = value.end;
    else {
      const end = value.end + value.value;
      if (end > to) return false;
      readBytes(search, value.end, end, `${pointer}/${Math.floor(key.value / 8)}`, depth);
      at = end;
    }
  }
  return at === to;
}

function readBytes(search: Search, from: number, to: number, pointer: string, depth: number): void {
  const value = search.root.subarray(from, to);
  if (value.length === 0) return;
  const text = isUtf8(value) ? value.toString("utf8") : "\0";
  const isTold = !CONTROL.test(text);
  if (isTold) {
    search.cuts.push({ pointer, value: text, role: "opaque" });
    search.told.push([from, to]);
  } else if (!search.isUnpacked) {
    const undo = packerOf(value);
    const inner = undo === null ? null : unpackedBy(undo, value, search.room);
    if (inner !== null) {
      search.cuts.push(...unpackedCuts(inner, pointer, search.room));
      return;
    }
  }
  if (depth < MAX_DEPTH) readMessage(search, from, to, pointer, depth + 1, isTold);
}

/** Up to 53 bits; enough for keys and lengths. Larger values only need their end. */
function varint(
  body: Buffer,
  at: number,
  to: number,
): { readonly value: number; readonly end: number } | null {
  let value = 0;
  for (let i = 0; i < 10 && at + i < to; i++) {
    const byte = body[at + i] ?? 0;
    if (i < 7) value += (byte & 127) * 2 ** (7 * i);
    if (byte < 128) return { value, end: at + i + 1 };
  }
  return null;
}
