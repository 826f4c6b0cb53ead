/**
 * How events travel in a reply, and the restorer of a reply by its content type: server-sent events (WHATWG), JSON in one
 * piece, a JSON list whose elements come one by one (Gemini without `alt=sse`), AWS' binary event streams
 * (docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html, read November 2026: total length, header
 * length, CRC-32 of both, headers, payload, CRC-32 of all; big-endian). Anything else passes.
 *
 * Failure contract: never throws on bytes; what cannot be followed passes as it came, unrestored, from there on.
 */
import { crc32 } from "node:zlib";
import { asBuffer } from "./json-strings.ts";
import {
  createEventRestorer,
  type EventRestorer,
  type Placeholders,
  type RestorerOptions,
  type Said,
} from "./restore.ts";

export interface Restorer {
  /** What may be sent on now. */
  push(chunk: Uint8Array): Uint8Array[];
  /** The rest. */
  end(): Uint8Array[];
}

/** A body longer than this, that is no stream, passes unrestored. */
const MAX_BODY_BYTES = 32 * 1024 * 1024;
/** An event longer than this passes unrestored. */
const MAX_EVENT_BYTES = 8 * 1024 * 1024;

export function createRestorer(
  vault: Placeholders,
  contentType: string,
  options: RestorerOptions = {},
): Restorer {
  const type = contentType.split(";")[0]?.trim().toLowerCase() ?? "";
  const events = createEventRestorer(vault, options);
  if (type === "text/event-stream") return eventStream(events);
  if (type === "application/json") return jsonBody(events);
  if (type === "application/vnd.amazon.eventstream") return binaryStream(events);
  return passing;
}

const passing: Restorer = { push: (chunk) => [chunk], end: () => [] };

/** One value, or a list that streams: the first byte tells. */
function jsonBody(events: EventRestorer): Restorer {
  let chosen: Restorer | null = null;
  const before: Uint8Array[] = [];
  return {
    push(chunk) {
      if (chosen !== null) return chosen.push(chunk);
      const first = asBuffer(chunk).find((byte) => !isSpace(byte));
      if (first === undefined) {
        before.push(chunk);
        return [];
      }
      chosen = first === OPEN_LIST ? jsonList(events) : jsonWhole(events);
      return [...before, chunk].flatMap((one) => chosen?.push(one) ?? []);
    },
    end: () => chosen?.end() ?? before,
  };
}

function jsonWhole(events: EventRestorer): Restorer {
  let held: Uint8Array[] | null = [];
  let size = 0;
  return {
    push(chunk) {
      if (held === null) return [chunk];
      held.push(chunk);
      size += chunk.length;
      if (size <= MAX_BODY_BYTES) return [];
      const passed = held;
      held = null;
      return passed;
    },
    end() {
      if (held === null) return [];
      const whole = events.whole(Buffer.concat(held));
      held = null;
      return [whole];
    },
  };
}

const OPEN_LIST = 91;
const QUOTE = 34;
const BACKSLASH = 92;
const isSpace = (byte: number): boolean => byte === 32 || byte === 9 || byte === 10 || byte === 13;
const isOpening = (byte: number): boolean => byte === 123 || byte === OPEN_LIST;
const isClosing = (byte: number): boolean => byte === 125 || byte === 93;

/** Objects of a list, each sent on when it is whole; what stands between them as it came. */
function jsonList(events: EventRestorer): Restorer {
  let held: Buffer = Buffer.alloc(0);
  let depth = 0;
  let inString = false;
  let isEscaped = false;
  let at = 0;
  let start = 0;
  let count = 0;
  let isLost = false;
  /** What was held back longer than its element comes before what follows, as elements of their own. */
  const elements = (said: readonly Said[]): Buffer[] =>
    said.flatMap(({ data }, i) => [Buffer.from(i === 0 && count === 0 ? "" : ","), Buffer.from(data)]);
  const element = (bytes: Buffer): Buffer[] => {
    const made = events.event(bytes);
    const own = made.at(-1);
    const out = [...made.slice(0, -1).flatMap(({ data }) => [Buffer.from(data), Buffer.from(",")])];
    count++;
    return [...out, Buffer.from(own?.data ?? bytes)];
  };
  return {
    push(chunk) {
      if (isLost) return [chunk];
      held = held.length === 0 ? Buffer.from(asBuffer(chunk)) : Buffer.concat([held, chunk]);
      const out: Buffer[] = [];
      let sent = 0;
      for (; at < held.length; at++) {
        const byte = held[at] ?? 0;
        if (inString) {
          if (isEscaped) isEscaped = false;
          else if (byte === BACKSLASH) isEscaped = true;
          else if (byte === QUOTE) inString = false;
        } else if (byte === QUOTE) inString = true;
        else if (isOpening(byte)) {
          if (++depth === 2) start = at;
        } else if (isClosing(byte)) {
          depth--;
          if (depth === 1) {
            out.push(held.subarray(sent, start), ...element(held.subarray(start, at + 1)));
            sent = at + 1;
          } else if (depth === 0) {
            out.push(held.subarray(sent, at), ...elements(events.end()));
            sent = at;
          }
        }
      }
      if (depth < 2) {
        out.push(held.subarray(sent));
        sent = held.length;
      }
      held = held.subarray(sent);
      at -= sent;
      start -= sent;
      if (held.length > MAX_EVENT_BYTES) {
        isLost = true;
        out.push(held);
        held = Buffer.alloc(0);
      }
      return out.filter(({ length }) => length > 0);
    },
    end() {
      const rest = held;
      held = Buffer.alloc(0);
      return rest.length === 0 ? [] : [rest];
    },
  };
}

/** Blocks that end in an empty line, `data` lines joined by a line feed. */
function eventStream(events: EventRestorer): Restorer {
  let held: Buffer = Buffer.alloc(0);

  const block = (bytes: Buffer): Uint8Array[] => {
    const lines = bytes.toString("utf8").split(/\r\n|\n|\r/);
    const data = lines
      .filter((line) => line.startsWith("data:"))
      .map((line) => line.slice(line[5] === " " ? 6 : 5));
    if (data.length === 0) return [bytes];
    const source = Buffer.from(data.join("\n"));
    const name = lines.find((line) => line.startsWith("event:"));
    const made = events.event(source, name === undefined ? null : Buffer.from(name));
    const own = made.at(-1);
    const before = made.slice(0, -1).map(framed);
    if (own === undefined || own.data === source) return [...before, bytes];
    const others = lines.filter((line) => line !== "" && !line.startsWith("data:"));
    return [
      ...before,
      Buffer.from(`${[...others, `data: ${Buffer.from(own.data).toString("utf8")}`].join("\n")}\n\n`),
    ];
  };

  return {
    push(chunk) {
      held = held.length === 0 ? Buffer.from(asBuffer(chunk)) : Buffer.concat([held, chunk]);
      const out: Uint8Array[] = [];
      for (;;) {
        const end = blockEnd(held);
        if (end < 0) break;
        out.push(...block(held.subarray(0, end)));
        held = held.subarray(end);
      }
      if (held.length > MAX_EVENT_BYTES) {
        out.push(held);
        held = Buffer.alloc(0);
      }
      return out;
    },
    end() {
      const out = held.length > 0 ? block(held) : [];
      held = Buffer.alloc(0);
      return [...out, ...events.end().map(framed)];
    },
  };
}

const framed = ({ data, envelope }: Said): Buffer =>
  Buffer.from(
    `${envelope === null ? "" : `${envelope.toString("utf8")}\n`}data: ${Buffer.from(data).toString("utf8")}\n\n`,
  );

/** Where the first block ends, behind its empty line; -1 when it has not. A lone CR at the end may go on. */
function blockEnd(bytes: Buffer): number {
  for (let at = 0; at < bytes.length; at++) {
    const first = lineEnd(bytes, at);
    if (first === 0) continue;
    if (first < 0) return -1;
    const second = lineEnd(bytes, at + first);
    if (second > 0) return at + first + second;
    if (second < 0) return -1;
  }
  return -1;
}

/** Length of the line end at `at`: 0 none, -1 not decidable yet. */
function lineEnd(bytes: Buffer, at: number): number {
  if (bytes[at] === 10) return 1;
  if (bytes[at] !== 13) return 0;
  if (at + 1 >= bytes.length) return -1;
  return bytes[at + 1] === 10 ? 2 : 1;
}

const PRELUDE = 12;
const CRC = 4;

/** Messages of AWS' framing. InvokeModel puts the model's own event in base64 into the payload's `bytes`. */
function binaryStream(events: EventRestorer): Restorer {
  let held: Buffer = Buffer.alloc(0);
  let isLost = false;

  const message = (bytes: Buffer): Uint8Array[] => {
    const headers = bytes.subarray(PRELUDE, PRELUDE + bytes.readUInt32BE(4));
    const payload = bytes.subarray(PRELUDE + headers.length, bytes.length - CRC);
    const inner = wrapped(payload);
    const made = events.event(inner ?? payload, headers);
    return made.map(({ data, envelope }, i) =>
      i === made.length - 1 && (data === payload || data === inner)
        ? bytes
        : binaryFrame(envelope ?? headers, inner === null ? data : wrapping(data)),
    );
  };
  let wraps = false;
  const wrapped = (payload: Buffer): Buffer | null => {
    const found = /^\s*\{\s*"bytes"\s*:\s*"([A-Za-z0-9+/=]*)"/.exec(payload.toString("latin1"))?.[1];
    wraps ||= found !== undefined;
    return found === undefined ? null : Buffer.from(found, "base64");
  };
  const wrapping = (data: Uint8Array): Buffer =>
    Buffer.from(JSON.stringify({ bytes: Buffer.from(data).toString("base64") }));

  return {
    push(chunk) {
      if (isLost) return [chunk];
      held = held.length === 0 ? Buffer.from(asBuffer(chunk)) : Buffer.concat([held, chunk]);
      const out: Uint8Array[] = [];
      while (held.length >= PRELUDE) {
        const total = held.readUInt32BE(0);
        isLost = total > MAX_EVENT_BYTES || total < PRELUDE + held.readUInt32BE(4) + CRC;
        if (isLost || held.length < total) break;
        out.push(...message(held.subarray(0, total)));
        held = held.subarray(total);
      }
      if (!isLost) return out;
      const rest = held;
      held = Buffer.alloc(0);
      return [...out, rest];
    },
    end() {
      const rest = held.length === 0 ? [] : [held];
      held = Buffer.alloc(0);
      const last = events
        .end()
        .map(({ data, envelope }) => binaryFrame(envelope ?? Buffer.alloc(0), wraps ? wrapping(data) : data));
      return [...last, ...rest];
    },
  };
}

export function binaryFrame(headers: Uint8Array, payload: Uint8Array): Buffer {
  const frame = Buffer.alloc(PRELUDE + headers.length + payload.length + CRC);
  frame.writeUInt32BE(frame.length, 0);
  frame.writeUInt32BE(headers.length, 4);
  frame.writeUInt32BE(crc32(frame.subarray(0, 8)), 8);
  frame.set(headers, PRELUDE);
  frame.set(payload, PRELUDE + headers.length);
  frame.writeUInt32BE(crc32(frame.subarray(0, frame.length - CRC)), frame.length - CRC);
  return frame;
}
