/**
 * Requests out of the bytes of a connection: HTTP/1.x (RFC 9112) read without repairing anything, so that spacing, case
 * and order stay visible; WebSocket messages (RFC 6455) after an upgrade, each as a request of its own.
 *
 * Failure contract: what cannot be read further is one request with method `BYTES` and the rest as its body.
 */
import zlib from "node:zlib";
import type { Connection } from "../chamber/world.ts";

export interface SeenRequest {
  /** `GET`, `POST`, …; `MESSAGE` for a WebSocket message, `BYTES` for what is no HTTP, `SILENT` for a connection without a byte. */
  readonly method: string;
  readonly scheme: "http" | "https";
  /** Host header, else the name of the handshake, the tunnel, or the port. */
  readonly host: string;
  /** Path with query; empty for BYTES and SILENT. */
  readonly target: string;
  readonly requestLine: string;
  /** As they came, without the line end. */
  readonly headerLines: readonly string[];
  /** Without transfer and content coding. */
  readonly body: Buffer;
  /** Of a chunked body: the sizes of the chunks with what stands beside them, and the trailer lines. */
  readonly framing: readonly string[];
  readonly port: number;
  readonly tunnel: string | null;
  readonly hello: Buffer | null;
  readonly tlsError: string | null;
  /** Milliseconds from the run's begin to its first and last byte, and of the last answer before it (null: none). */
  readonly at: number;
  readonly end: number;
  readonly answeredBefore: number | null;
}

const CRLF2 = Buffer.from("\r\n\r\n");

export function requestsOf(connections: readonly Connection[]): readonly SeenRequest[] {
  return connections.flatMap(readConnection).toSorted((a, b) => a.at - b.at);
}

function readConnection(connection: Connection): readonly SeenRequest[] {
  const all = Buffer.concat(connection.sent.map((piece) => piece.bytes));
  const common = commonOf(connection);
  const isTunnelHead = connection.tunnel === null && /^CONNECT /i.test(all.toString("latin1", 0, 8));
  if (all.length === 0) return [{ ...common, method: "SILENT", ...timesOf(connection, 0, 0) }];
  const out: SeenRequest[] = [];
  let at = 0;
  while (at < all.length) {
    const read = readRequest(all, at);
    if (read === null) {
      out.push({
        ...common,
        method: "BYTES",
        body: all.subarray(at),
        ...timesOf(connection, at, all.length),
      });
      return out;
    }
    const times = timesOf(connection, at, read.end);
    out.push({ ...common, ...read.request, host: hostOf(read.request.headerLines) ?? common.host, ...times });
    at = read.end;
    if (isTunnelHead) return out;
    if (read.isUpgrade) {
      out.push(...readMessages(all, at, out.at(-1) ?? { ...common, method: "BYTES", ...times }, connection));
      return out;
    }
  }
  return out;
}

function commonOf(connection: Connection): Omit<SeenRequest, "at" | "end" | "answeredBefore"> {
  const tunnelHost = connection.tunnel?.to ?? null;
  return {
    ...{ method: "", target: "", requestLine: "", headerLines: [], body: Buffer.alloc(0), framing: [] },
    scheme: connection.hello === null ? "http" : "https",
    host:
      connection.name ?? tunnelHost ?? `${connection.isDatagram ? "UDP port" : "port"} ${connection.port}`,
    port: connection.port,
    tunnel: tunnelHost,
    hello: connection.hello,
    tlsError: connection.tlsError,
  };
}

/** Times of the pieces that hold the bytes from `from` to `to`. */
function timesOf(
  connection: Connection,
  from: number,
  to: number,
): Pick<SeenRequest, "at" | "end" | "answeredBefore"> {
  let offset = 0;
  let [at, end] = [connection.at, connection.at];
  for (const piece of connection.sent) {
    if (offset <= from) at = piece.at;
    if (offset < to) end = piece.at;
    offset += piece.bytes.length;
  }
  const answers = connection.answered.filter((time) => time <= at);
  return { at, end, answeredBefore: answers.at(-1) ?? null };
}

const hostOf = (lines: readonly string[]): string | null => {
  const line = lines.find((text) => /^host:/i.test(text));
  return line === undefined ? null : line.slice(5).trim() || null;
};

interface Read {
  readonly request: Pick<
    SeenRequest,
    "method" | "target" | "requestLine" | "headerLines" | "body" | "framing"
  >;
  readonly end: number;
  readonly isUpgrade: boolean;
}

function readRequest(all: Buffer, from: number): Read | null {
  const headEnd = all.indexOf(CRLF2, from);
  if (headEnd < 0) return null;
  const [requestLine = "", ...headerLines] = all.toString("latin1", from, headEnd).split("\r\n");
  const words = /^([A-Z]+) (\S+) HTTP\/1\.[01]$/.exec(requestLine);
  if (words === null) return null;
  const value = (name: string): string => {
    const line = headerLines.find((text) => text.slice(0, name.length + 1).toLowerCase() === `${name}:`);
    return line === undefined ? "" : line.slice(name.length + 1).trim();
  };
  const bodyStart = headEnd + CRLF2.length;
  const framed = /chunked/i.test(value("transfer-encoding"))
    ? readChunks(all, bodyStart)
    : { bytes: all.subarray(bodyStart, bodyStart + Number(value("content-length") || 0)) };
  const end = "end" in framed ? framed.end : bodyStart + framed.bytes.length;
  const framing = "framing" in framed ? framed.framing : [];
  const [, method = "", target = ""] = words;
  const body = decoded(framed.bytes, value("content-encoding").toLowerCase());
  const isUpgrade = /websocket/i.test(value("upgrade"));
  return { request: { method, target, requestLine, headerLines, body, framing }, end, isUpgrade };
}

/** RFC 9112 7.1. Sizes and trailers are kept as they were written: a program chooses them. */
function readChunks(
  all: Buffer,
  from: number,
): { readonly bytes: Buffer; readonly end: number; readonly framing: readonly string[] } {
  const chunks: Buffer[] = [];
  const sizes: string[] = [];
  let at = from;
  for (;;) {
    const lineEnd = all.indexOf("\r\n", at);
    const line = all.toString("latin1", at, lineEnd < 0 ? at : lineEnd);
    const size = Number.parseInt(line, 16);
    if (lineEnd < 0 || !Number.isFinite(size))
      return { bytes: Buffer.concat(chunks), end: all.length, framing: [sizes.join(" ")] };
    sizes.push(line);
    if (size === 0) {
      const trailers: string[] = [];
      let [start, end] = [lineEnd + 2, all.indexOf("\r\n", lineEnd + 2)];
      while (end > start) {
        trailers.push(`trailer ${all.toString("latin1", start, end)}`);
        [start, end] = [end + 2, all.indexOf("\r\n", end + 2)];
      }
      const framing = [`chunks ${sizes.slice(0, MAX_SIZES).join(" ")}`, ...trailers];
      return { bytes: Buffer.concat(chunks), end: end < 0 ? all.length : end + 2, framing };
    }
    chunks.push(all.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
}

const MAX_SIZES = 200;

function decoded(body: Buffer, coding: string): Buffer {
  try {
    if (coding === "gzip") return zlib.gunzipSync(body);
    if (coding === "br") return zlib.brotliDecompressSync(body);
    if (coding === "deflate") return zlib.inflateSync(body);
    if (coding === "zstd") return zlib.zstdDecompressSync(body);
  } catch {
    // Not what its header says: compared as it is.
  }
  return body;
}

/** Whole messages, unmasked; fragments are joined, control frames skipped. */
function readMessages(
  all: Buffer,
  from: number,
  opening: SeenRequest,
  connection: Connection,
): readonly SeenRequest[] {
  const out: SeenRequest[] = [];
  let parts: Buffer[] = [];
  let [at, began] = [from, from];
  while (at + 2 <= all.length) {
    const [first = 0, second = 0] = [all[at], all[at + 1]];
    let [length, head] = [second & 0x7f, 2];
    if (length === 126 && at + 4 <= all.length) [length, head] = [all.readUInt16BE(at + 2), 4];
    else if (length === 127 && at + 10 <= all.length)
      [length, head] = [Number(all.readBigUInt64BE(at + 2)), 10];
    const isMasked = (second & 0x80) !== 0;
    const start = at + head + (isMasked ? 4 : 0);
    if (start + length > all.length) break;
    const payload = Buffer.from(all.subarray(start, start + length));
    if (isMasked)
      for (let i = 0; i < length; i += 1) payload[i] = (payload[i] ?? 0) ^ (all[start - 4 + (i % 4)] ?? 0);
    at = start + length;
    if ((first & 0x0f) >= 8) continue;
    parts.push(payload);
    if ((first & 0x80) === 0) continue;
    const times = timesOf(connection, began, at);
    out.push({
      ...opening,
      method: "MESSAGE",
      requestLine: "",
      headerLines: [],
      body: Buffer.concat(parts),
      ...times,
    });
    [parts, began] = [[], at];
  }
  return out;
}
