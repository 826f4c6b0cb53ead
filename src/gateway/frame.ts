/**
 * WebSocket frames of the agent (RFC 6455 5), read for whole messages; the frames' own bytes are kept for forwarding.
 * permessage-deflate (RFC 7692) is undone for reading, in order, as its window runs through all messages.
 * What breaks the protocol throws `gateway.malformed`: the connection then ends.
 */
import { createInflateRaw, type InflateRaw } from "node:zlib";
import { Fault } from "../core/index.ts";

export interface Frame {
  readonly opcode: number;
  readonly isFinal: boolean;
  readonly isCompressed: boolean;
  /** As it came, head included. */
  readonly wire: Buffer;
  /** Unmasked. */
  readonly payload: Buffer;
}

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

const HEAD_MOST = 14;
const CONTROL_MOST = 125;
const malformed = (detail: string): Fault => new Fault("gateway.malformed", { detail });

/** Cuts a byte stream into frames. Any split of the stream gives the same frames. */
export class FrameReader {
  readonly #mostBytes: number;
  readonly #isMasked: boolean;
  #chunks: Buffer[] = [];
  #have = 0;
  /** Bytes needed before there is anything to do. */
  #need = 2;

  /** `from`: an agent's frames are masked, a server's are not. */
  constructor(mostBytes: number, from: "agent" | "server") {
    this.#mostBytes = mostBytes;
    this.#isMasked = from === "agent";
  }

  /** Bytes of a frame that is not complete yet. */
  get have(): number {
    return this.#have;
  }

  feed(chunk: Buffer): Frame[] {
    this.#chunks.push(chunk);
    this.#have += chunk.length;
    const frames: Frame[] = [];
    if (this.#have < this.#need) return frames;
    let all = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks, this.#have);
    for (;;) {
      const head = readHead(all, this.#mostBytes, this.#isMasked);
      if (head === null || all.length < head.headBytes + head.payloadBytes) {
        this.#need = head === null ? Math.min(all.length + 1, HEAD_MOST) : head.headBytes + head.payloadBytes;
        this.#chunks = all.length > 0 ? [all] : [];
        this.#have = all.length;
        return frames;
      }
      const end = head.headBytes + head.payloadBytes;
      const payload = unmask(all.subarray(head.headBytes, end), head.mask);
      frames.push({ ...head, wire: all.subarray(0, end), payload });
      all = all.subarray(end);
    }
  }
}

interface FrameHead {
  readonly opcode: number;
  readonly isFinal: boolean;
  readonly isCompressed: boolean;
  readonly headBytes: number;
  readonly payloadBytes: number;
  readonly mask: Buffer;
}

function readHead(bytes: Buffer, mostBytes: number, isMasked: boolean): FrameHead | null {
  if (bytes.length < 2) return null;
  const first = bytes.readUInt8(0);
  const second = bytes.readUInt8(1);
  const opcode = first & 0x0f;
  const isFinal = (first & 0x80) !== 0;
  const isCompressed = (first & 0x40) !== 0;
  if ((first & 0x30) !== 0) throw malformed("a reserved bit of a WebSocket frame is set");
  if (((second & 0x80) !== 0) !== isMasked)
    throw malformed(`a WebSocket frame is ${isMasked ? "not " : ""}masked`);
  if (![0, 1, 2, 8, 9, 10].includes(opcode)) throw malformed("a WebSocket frame has an unknown opcode");
  const short = second & 0x7f;
  if (opcode >= 8 && (!isFinal || isCompressed || short > CONTROL_MOST))
    throw malformed("a WebSocket control frame is fragmented, compressed or too long");
  const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
  const maskBytes = isMasked ? 4 : 0;
  const headBytes = 2 + lengthBytes + maskBytes;
  if (bytes.length < headBytes) return null;
  const payloadBytes =
    lengthBytes === 2 ? bytes.readUInt16BE(2) : lengthBytes === 8 ? Number(bytes.readBigUInt64BE(2)) : short;
  if (payloadBytes > mostBytes)
    throw new Fault("gateway.too-large", { detail: `a WebSocket frame is longer than ${mostBytes} bytes` });
  return {
    opcode,
    isFinal,
    isCompressed,
    headBytes,
    payloadBytes,
    mask: bytes.subarray(headBytes - maskBytes, headBytes),
  };
}

function unmask(payload: Buffer, mask: Buffer): Buffer {
  if (mask.length === 0) return payload;
  const out = Buffer.allocUnsafe(payload.length);
  for (let i = 0; i < payload.length; i++) out[i] = (payload[i] ?? 0) ^ (mask[i & 3] ?? 0);
  return out;
}

/** A whole message from a server: one frame, not masked, not compressed. */
export function serverFrame(opcode: number, payload: Buffer): Buffer {
  return Buffer.concat([frameHead(opcode, payload.length, 0), payload]);
}

/** A whole message from an agent: one frame, masked with these four bytes, not compressed. */
export function agentFrame(opcode: number, payload: Buffer, mask: Buffer): Buffer {
  return Buffer.concat([frameHead(opcode, payload.length, 0x80), mask, unmask(payload, mask)]);
}

function frameHead(opcode: number, n: number, maskBit: number): Buffer {
  if (n < 126) return Buffer.from([0x80 | opcode, maskBit | n]);
  if (n < 65536) return Buffer.from([0x80 | opcode, maskBit | 126, n >> 8, n & 255]);
  const long = Buffer.alloc(10);
  long[0] = 0x80 | opcode;
  long[1] = maskBit | 127;
  long.writeBigUInt64BE(BigInt(n), 2);
  return long;
}

export interface Compression {
  /** Each message starts with an empty window. */
  readonly noContextTakeover: boolean;
  readonly windowBits: number;
}

/** What each side does to its own messages. */
export interface Agreement {
  readonly agent: Compression;
  readonly server: Compression;
}

/** What the server's handshake agreed to; null: no extension. Throws for an extension that cannot be read through. */
export function agreementOf(extensions: readonly string[]): Agreement | null {
  const agreed = extensions.join(",").trim();
  if (agreed === "") return null;
  const [name = "", ...parameters] = agreed.split(";").map((part) => part.trim().toLowerCase());
  if (name !== "permessage-deflate" || agreed.includes(","))
    throw new Fault("gateway.bad-reply", { detail: "a WebSocket extension that cannot be read through" });
  return { agent: compressionOf(parameters, "client"), server: compressionOf(parameters, "server") };
}

function compressionOf(parameters: readonly string[], side: "client" | "server"): Compression {
  const bits = parameters
    .find((parameter) => parameter.startsWith(`${side}_max_window_bits=`))
    ?.split("=")[1];
  const windowBits = bits === undefined ? 15 : Number(bits.replaceAll('"', ""));
  if (!Number.isInteger(windowBits) || windowBits < 8 || windowBits > 15)
    throw new Fault("gateway.bad-reply", { detail: "a WebSocket window size out of range" });
  return { noContextTakeover: parameters.includes(`${side}_no_context_takeover`), windowBits };
}

const TAIL = Buffer.from([0, 0, 0xff, 0xff]);

/** Undoes permessage-deflate, message by message. Owns a zlib stream. */
export class MessageInflater {
  readonly #agreed: Compression;
  readonly #mostBytes: number;
  #stream: InflateRaw | null = null;

  constructor(agreed: Compression, mostBytes: number) {
    this.#agreed = agreed;
    this.#mostBytes = mostBytes;
  }

  inflate(compressed: Buffer): Promise<Buffer> {
    const stream = this.#stream ?? createInflateRaw({ windowBits: Math.max(9, this.#agreed.windowBits) });
    this.#stream = stream;
    return new Promise((resolve, reject) => {
      const pieces: Buffer[] = [];
      let bytes = 0;
      const settle = (give: () => void): void => {
        stream.removeAllListeners("data");
        stream.removeAllListeners("error");
        stream.on("error", () => {});
        give();
      };
      const fail = (detail: string): void => {
        stream.destroy();
        settle(() => reject(new Fault("gateway.unreadable", { detail })));
      };
      stream.on("error", () => fail("a compressed WebSocket message is damaged"));
      stream.on("data", (piece: Buffer) => {
        bytes += piece.length;
        if (bytes > this.#mostBytes)
          return fail(`a WebSocket message is longer than ${this.#mostBytes} bytes when decompressed`);
        pieces.push(piece);
      });
      stream.write(compressed);
      stream.write(TAIL);
      stream.flush(() => {
        if (stream.destroyed) return;
        if (this.#agreed.noContextTakeover) this.#stream = null;
        settle(() => resolve(Buffer.concat(pieces, bytes)));
        if (this.#agreed.noContextTakeover) stream.destroy();
      });
    });
  }

  close(): void {
    this.#stream?.destroy();
  }
}
