/**
 * Protobuf without a schema (protobuf.dev/programming-guides/encoding), alone or in the five-byte envelopes of gRPC and
 * Connect (connectrpc.com/docs/protocol): Cursor and other IDE agents speak it, and no public schema exists.
 *
 * A length-delimited field may be text, bytes or a message; which, only the schema knows. Here: valid UTF-8 without
 * control characters is text, else what parses as a message is one, else it is searched for runs of text. As that is a guess, such a
 * body is never `understood`.
 */
import { isUtf8 } from "node:buffer";
import { gunzipSync } from "node:zlib";
import { plainCuts, textRuns } from "./plain.ts";
import type { Cut } from "./unit.ts";

const MAX_DEPTH = 24;
const MAX_FIELDS = 100_000;
const MAX_UNPACKED_BYTES = 64 * 1024 * 1024;

export const isProtobuf = (contentType: string): boolean =>
  /^application\/(grpc|connect|proto|protobuf|x-protobuf|vnd\.google\.protobuf)\b/i.test(contentType) ||
  /^application\/[\w.-]+\+proto\b/i.test(contentType);

export function protobufCuts(body: Buffer, contentType: string): readonly Cut[] {
  const enveloped = /^application\/(grpc|connect\+)/i.test(contentType) ? envelopes(body) : null;
  const messages = enveloped ?? [body];
  const isJson = /\bjson\b/i.test(contentType);
  return messages.flatMap((message, i) => {
    if (isJson) return plainCuts(message, "application/json");
    const cuts: Cut[] = [];
    const budget = { fields: MAX_FIELDS };
    if (readMessage(message, messages.length > 1 ? `/${i}` : "", cuts, 0, budget)) return cuts;
    return textRuns(message, "");
  });
}

/** The messages of enveloped frames; null when the bytes are no such frames. */
function envelopes(body: Buffer): readonly Buffer[] | null {
  const messages: Buffer[] = [];
  let at = 0;
  while (at < body.length) {
    if (at + 5 > body.length) return null;
    const flags = body[at] ?? 0;
    const end = at + 5 + body.readUInt32BE(at + 1);
    if (end > body.length) return null;
    const message = body.subarray(at + 5, end);
    messages.push((flags & 1) === 0 ? message : unpacked(message));
    at = end;
  }
  return messages;
}

/** Each message of a Connect or gRPC stream may be compressed by itself; gzip is what both demand. */
function unpacked(message: Buffer): Buffer {
  try {
    return gunzipSync(message, { maxOutputLength: MAX_UNPACKED_BYTES });
  } catch {
    return message; // another encoding, or too large: then its bytes are searched as they are
  }
}

/** Adds a message's texts; false when it is none, and then nothing is added. */
function readMessage(
  body: Buffer,
  pointer: string,
  cuts: Cut[],
  depth: number,
  budget: { fields: number },
): boolean {
  const found: Cut[] = [];
  let at = 0;
  while (at < body.length) {
    if (--budget.fields < 0) return false;
    const key = varint(body, at);
    if (key === null || key.value >> 3 === 0) return false;
    at = key.end;
    const type = key.value & 7;
    if (type === 0) {
      const value = varint(body, at);
      if (value === null) return false;
      at = value.end;
    } else if (type === 1 || type === 5) at += type === 1 ? 8 : 4;
    else if (type === 2) {
      const size = varint(body, at);
      if (size === null || size.end + size.value > body.length) return false;
      readBytes(
        body.subarray(size.end, size.end + size.value),
        `${pointer}/${key.value >> 3}`,
        found,
        depth,
        budget,
      );
      at = size.end + size.value;
    } else return false;
    if (at > body.length) return false;
  }
  cuts.push(...found);
  return true;
}

function readBytes(
  value: Buffer,
  pointer: string,
  cuts: Cut[],
  depth: number,
  budget: { fields: number },
): void {
  if (value.length === 0) return;
  const isText = isUtf8(value) && !/[\0-\x08\x0e-\x1f]/.test(value.toString("latin1"));
  // Text that happens to parse as a message is far more often text.
  if (isText) cuts.push({ pointer, value: value.toString("utf8"), role: "opaque" });
  else if (depth >= MAX_DEPTH || !readMessage(value, pointer, cuts, depth + 1, budget))
    cuts.push(...textRuns(value, pointer));
}

/** Up to 53 bits; enough for keys and lengths. Larger values only need their end. */
function varint(body: Buffer, at: number): { readonly value: number; readonly end: number } | null {
  let value = 0;
  for (let i = 0; i < 10; i++) {
    const byte = body[at + i];
    if (byte === undefined) return null;
    if (i < 7) value += (byte & 127) * 2 ** (7 * i);
    if (byte < 128) return { value, end: at + i + 1 };
  }
  return null;
}
