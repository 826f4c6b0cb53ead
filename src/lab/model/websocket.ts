/** The server side of RFC 6455, as far as a scripted model needs it: text messages, fragments, ping, close. */
import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;

export interface TextSocket {
  send(text: string): void;
  /** Bytes that are not frames, for faults. */
  readonly raw: Duplex;
}

/** Answers the upgrade and hands over each text message, in order, after the former one's promise has settled. */
export function acceptWebSocket(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  onMessage: (text: string, peer: TextSocket) => Promise<void>,
): void {
  const key = request.headers["sec-websocket-key"] ?? "";
  const accept = createHash("sha1")
    .update(key + GUID)
    .digest("base64");
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  const peer: TextSocket = { send: (text) => void socket.write(frame(0x81, Buffer.from(text))), raw: socket };
  let pending: Buffer = Buffer.from(head);
  let fragments: Buffer[] = [];
  let turn: Promise<void> = Promise.resolve();
  const pump = (): void => {
    for (let next = readFrame(pending); next !== null; next = readFrame(pending)) {
      pending = next.rest;
      if (next.opcode === 8) return void socket.end(frame(0x88, next.payload.subarray(0, 2)));
      if (next.opcode === 9) socket.write(frame(0x8a, next.payload));
      if (next.opcode > 2) continue;
      fragments.push(next.payload);
      if (!next.final) continue;
      const text = Buffer.concat(fragments).toString("utf8");
      fragments = [];
      turn = turn.then(() => onMessage(text, peer)).catch(() => void socket.destroy());
    }
    if (pending.length > MAX_MESSAGE_BYTES) socket.destroy();
  };
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    pump();
  });
  pump();
}

export function frame(firstByte: number, payload: Buffer): Buffer {
  const size = payload.length;
  const head = Buffer.alloc(size < 126 ? 2 : size < 65_536 ? 4 : 10);
  head[0] = firstByte;
  head[1] = size < 126 ? size : size < 65_536 ? 126 : 127;
  if (head.length === 4) head.writeUInt16BE(size, 2);
  if (head.length === 10) head.writeBigUInt64BE(BigInt(size), 2);
  return Buffer.concat([head, payload]);
}

interface Frame {
  readonly opcode: number;
  readonly final: boolean;
  readonly payload: Buffer;
  readonly rest: Buffer;
}

function readFrame(from: Buffer): Frame | null {
  const first = from[0];
  const second = from[1];
  if (first === undefined || second === undefined) return null;
  let size = second & 127;
  let at = 2;
  if (size === 126) {
    if (from.length < 4) return null;
    size = from.readUInt16BE(2);
    at = 4;
  } else if (size === 127) {
    if (from.length < 10) return null;
    size = Number(from.readBigUInt64BE(2));
    at = 10;
  }
  const masked = (second & 128) !== 0;
  const mask = masked ? from.subarray(at, at + 4) : null;
  if (masked) at += 4;
  if (from.length < at + size) return null;
  const payload = Buffer.from(from.subarray(at, at + size));
  if (mask !== null)
    for (let i = 0; i < payload.length; i++) payload[i] = (payload[i] ?? 0) ^ (mask[i & 3] ?? 0);
  return { opcode: first & 15, final: (first & 128) !== 0, payload, rest: from.subarray(at + size) };
}
