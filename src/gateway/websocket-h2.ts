/**
 * A WebSocket over an HTTP/2 stream (RFC 8441): the agent's extended CONNECT becomes the handshake that it stands for, which
 * goes on over HTTP/1.1, and the destination's 101 becomes a 200. The key of that handshake is ours, so its answer is
 * checked here: the agent cannot.
 */
import { createHash, randomBytes } from "node:crypto";
import { Fault } from "../core/index.ts";
import { headerOf, headersOf, type RawHeaders, type ReplyHead } from "./head.ts";

export interface Handshake {
  readonly headers: RawHeaders;
  /** Whether the destination's 101 is the answer to it. */
  readonly isAnswered: (head: ReplyHead) => boolean;
}

/** RFC 6455 1.3. */
const MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** `fields`: without pseudo-fields. Throws `gateway.malformed`. */
export function handshakeOf(protocol: string, fields: RawHeaders): Handshake {
  if (protocol !== "websocket")
    throw new Fault("gateway.malformed", { detail: "CONNECT with another protocol than `websocket`" });
  if (headerOf(fields, "content-length") !== null || headersOf(fields, "sec-websocket-key").length > 0)
    throw new Fault("gateway.malformed", { detail: "a field that this kind of handshake cannot have" });
  const key = randomBytes(16).toString("base64");
  const accept = createHash("sha1").update(`${key}${MAGIC}`).digest("base64");
  const cookies = headersOf(fields, "cookie");
  const kept = fields.filter(([name]) => name !== "cookie");
  return {
    headers: [
      ["Connection", "Upgrade"],
      ["Upgrade", "websocket"],
      ["Sec-WebSocket-Key", key],
      ...kept,
      ...(cookies.length === 0 ? [] : [["cookie", cookies.join("; ")] as const]),
    ],
    isAnswered: ({ headers }) =>
      headerOf(headers, "sec-websocket-accept") === accept &&
      headerOf(headers, "upgrade")?.toLowerCase() === "websocket",
  };
}
