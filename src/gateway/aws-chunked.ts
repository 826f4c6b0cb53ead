/**
 * The chunks in which Amazon's clients sign a body piece by piece (docs.aws.amazon.com, "Signature calculations for the
 * authorization header: transferring payload in multiple chunks", read November 2026): lines
 * `hex-length;chunk-signature=…`, each followed by so many bytes, and after the last, which is empty, trailers.
 *
 * For reading only: what came is what is forwarded, as a chunk that is changed no longer fits its signature.
 */
import { headerOf, type RawHeaders } from "./head.ts";

export const AWS_CHUNKED = "aws-chunked";

/** Whether the body is so framed; clients name the coding, the kind of signature, or both. */
export const isAwsChunked = (headers: RawHeaders, codings: readonly string[]): boolean =>
  codings.includes(AWS_CHUNKED) || /^STREAMING-/i.test(headerOf(headers, "x-amz-content-sha256") ?? "");

const CHUNK = /^([0-9a-f]{1,8})(?:;chunk-signature=[0-9a-f]{64})?$/i;
/** Nothing but digests of their own lengths may stand behind the last chunk: it is read by nobody. */
const TRAILER =
  /^x-amz-(?:checksum-[a-z0-9]{1,12}:(?:[\w+/]{6}==|[\w+/]{11}=|[\w+/]{27}=|[\w+/]{43}=|[\w+/]{86}==)|trailer-signature:[0-9a-f]{64})$/i;
const MOST_LINE_BYTES = 160;

/** What the chunks hold; null when the bytes are no such chunks, or say more than they need. */
export function unchunkedAws(body: Buffer): Buffer | null {
  const pieces: Buffer[] = [];
  let at = 0;
  for (;;) {
    const end = body.subarray(at, at + MOST_LINE_BYTES).indexOf("\r\n");
    const size = end < 0 ? null : CHUNK.exec(body.toString("latin1", at, at + end));
    if (size === null) return null;
    const start = at + end + 2;
    const length = Number.parseInt(size[1] ?? "", 16);
    if (length === 0) return isEnd(body.toString("latin1", start)) ? Buffer.concat(pieces) : null;
    at = start + length + 2;
    if (at > body.length || body.toString("latin1", at - 2, at) !== "\r\n") return null;
    pieces.push(body.subarray(start, start + length));
  }
}

/** Clients end with an empty line, or leave it out behind trailers. */
const isEnd = (rest: string): boolean =>
  rest.length <= 4 * MOST_LINE_BYTES &&
  rest.split("\r\n").every((line, i, { length }) => TRAILER.test(line) || (line === "" && i >= length - 2));
