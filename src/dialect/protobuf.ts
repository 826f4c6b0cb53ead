/**
 * Protobuf without a schema (protobuf.dev/programming-guides/encoding), alone or in the five-byte envelopes of gRPC and
 * Connect (connectrpc.com/docs/protocol): Cursor and other IDE agents speak it, and no public schema exists.
 *
 * A length-delimited field may be text, bytes or a message; which, only the schema knows. Here UTF-8 without control
 * characters is text, else what parses as a message is one. As that is a guess, such a body is never `understood`, and
 * all bytes that were not told as text are searched for runs of text.
 */
import { isUtf8 } from "node:buffer";
import { brotliDecompressSync, gunzipSync, inflateSync, zstdDecompressSync } from "node:zlib";
import { MAX_UNPACKED_BYTES, plainCuts, textRuns } from "./plain.ts";
import { CONTROL, type Cut } from "./unit.ts";

const MAX_DEPTH = 24;
const MAX_FIELDS = 100_000;

export const isProtobuf = (contentType: string): boolean =>
  /^application\/(grpc|connect|proto|protobuf|x-protobuf|vnd\.google\.protobuf)\b/i.test(contentType) ||
  /^application\/[\w.-]+\+proto\b/i.test(contentType);

export function protobufCuts(body: Buffer, contentType: string): readonly Cut[] {
  const isText = /^application\/grpc-web-text/i.test(contentType);
  const bytes = isText ? fromBase64(body.toString("latin1")) : body;
  const isEnveloped = /^application\/(grpc|connect\+)/i.test(contentType);
  const messages = isEnveloped ? envelopes(bytes) : [{ bytes, isJson: false }];
  const isAllJson = /\bjson\b/i.test(contentType);
  return messages.flatMap((message, i) => {
    if (isAllJson || message.isJson) return plainCuts(message.bytes, "application/json");
    return messageCuts(message.bytes, messages.length > 1 ? `/${i}` : "");
  });
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
function envelopes(body: Buffer): readonly Envelope[] {
  const messages: Envelope[] = [];
  let room = MAX_UNPACKED_BYTES;
  for (let at = 0; at < body.length; ) {
    const flags = body[at] ?? 0;
    const end = at + 5 > body.length ? Number.POSITIVE_INFINITY : at + 5 + body.readUInt32BE(at + 1);
    if (end > body.length) {
      messages.push({ bytes: body.subarray(at), isJson: false });
      break;
    }
    const packed = body.subarray(at + 5, end);
    const bytes = (flags & 1) === 0 ? packed : decompressed(packed, room);
    if (bytes !== packed) room = Math.max(1, room - bytes.length);
    messages.push({ bytes, isJson: (flags & 2) !== 0 });
    at = end;
  }
  return messages;
}

/** By which coding, a header says that is not at hand: each is tried. What none undoes stays as it is. */
function decompressed(message: Buffer, maxOutputLength: number): Buffer {
  for (const undo of [gunzipSync, zstdDecompressSync, inflateSync, brotliDecompressSync])
    try {
      return undo(message, { maxOutputLength });
    } catch {
      // The next one.
    }
  return message;
}

/** One message on its way to be read. */
interface Search {
  readonly root: Buffer;
  readonly cuts: Cut[];
  /** Ranges of the root that are told as texts, in order. */
  readonly told: (readonly [start: number, end: number])[];
  fields: number;
}

/** The texts of a message, and of what lies between them whatever can be read as text. */
function messageCuts(root: Buffer, pointer: string): readonly Cut[] {
  const search: Search = { root, cuts: [], told: [], fields: MAX_FIELDS };
  readMessage(search, 0, root.length, pointer, 0);
  let at = 0;
  const between: Buffer[] = [];
  for (const [start, end] of search.told) {
    // A byte that is no text keeps the pieces apart.
    between.push(root.subarray(at, start), NUL);
    at = end;
  }
  between.push(root.subarray(at));
  return [...search.cuts, ...textRuns(Buffer.concat(between), "")];
}

const NUL = Buffer.of(0);

/** Tells the texts of a message; when it turns out to be none, nothing. */
function readMessage(search: Search, from: number, to: number, pointer: string, depth: number): void {
  const before = { cuts: search.cuts.length, told: search.told.length };
  if (readFields(search, from, to, pointer, depth)) return;
  search.cuts.length = before.cuts;
  search.told.length = before.told;
}

function readFields(search: Search, from: number, to: number, pointer: string, depth: number): boolean {
  const { root } = search;
  let at = from;
  while (at < to) {
    if (--search.fields < 0) return false;
    const key = varint(root, at, to);
    if (key === null || key.value < 8) return false;
    at = key.end;
    const type = key.value % 8;
    const value = type === 0 || type === 2 ? varint(root, at, to) : null;
    if (type === 1 || type === 5) at += type === 1 ? 8 : 4;
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
  const text = isUtf8(value) ? value.toString("utf8") : null;
  if (text !== null && !CONTROL.test(text)) {
    // Text that happens to parse as a message is far more often text.
    search.cuts.push({ pointer, value: text, role: "opaque" });
    search.told.push([from, to]);
  } else if (value[0] === 0x1f && value[1] === 0x8b) search.cuts.push(...plainCuts(value, ""));
  else if (depth < MAX_DEPTH) readMessage(search, from, to, pointer, depth + 1);
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
