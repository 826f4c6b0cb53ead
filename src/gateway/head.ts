/**
 * HTTP/1 heads (RFC 9112), read strictly and kept as they came. One grammar for both directions: what is not exactly the
 * grammar is refused, never repaired, because a repair is where two readers come to differ (request smuggling):
 * bare LF or CR, obs-fold, white space before the colon, a second or signed Content-Length, Content-Length beside
 * Transfer-Encoding, a transfer coding other than one `chunked`. A test holds this reader against Node's llhttp.
 */
import { Fault, type FaultCode } from "../core/index.ts";

/** Names and values in wire order and case; values without the white space round them, latin-1. */
export type RawHeaders = readonly (readonly [name: string, value: string])[];

/** Where a body ends. `close`: where the connection does; replies only. */
export type Framing =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly length: number }
  | { readonly kind: "chunked" }
  | { readonly kind: "close" };

export interface RequestHead {
  readonly method: string;
  readonly target: string;
  readonly minor: 0 | 1;
  readonly headers: RawHeaders;
  readonly framing: Framing;
  /** The bytes as they came, the empty line included. */
  readonly wire: Buffer;
}

export interface ReplyHead {
  readonly status: number;
  readonly reason: string;
  readonly minor: 0 | 1;
  readonly headers: RawHeaders;
  readonly framing: Framing;
  readonly wire: Buffer;
}

const REQUEST_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}) ([\x21-\x7e]+) HTTP\/1\.([01])$/;
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/;
// The value with the blanks round it: two patterns for blanks side by side would try every division between them.
const FIELD = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([\t\x20-\x7e\x80-\xff]*)$/;
const BARE_LF = /[^\r]\n/;
const LENGTH = /^\d{1,15}$/;
const CRLF2 = Buffer.from("\r\n\r\n");

/**
 * Where the head at the start of `bytes` ends, or -1 while it is not complete. Throws `code` as soon as the bytes can no
 * longer become a head: a line ended by a bare LF would otherwise wait for the time limit. The first `known` bytes were
 * looked at in an earlier call.
 */
export function headEnd(bytes: Buffer, limit: number, code: FaultCode, known = 0): number {
  // What was looked at before is not looked at again: a head that comes byte by byte must not cost its square.
  const from = Math.max(0, known - CRLF2.length);
  const at = bytes.indexOf(CRLF2, from);
  if (at >= 0 && at + 4 <= limit) return at + 4;
  if (at >= 0 || bytes.length >= limit)
    throw new Fault(code === "gateway.malformed" ? "gateway.too-large" : code, {
      detail: `the head is longer than ${limit} bytes`,
    });
  if (BARE_LF.test(bytes.toString("latin1", from)))
    throw new Fault(code, { detail: "a line of the head ends in a bare line feed" });
  return -1;
}

export function parseRequestHead(wire: Buffer): RequestHead {
  const lines = wire.toString("latin1", 0, wire.length - 4).split("\r\n");
  const start = REQUEST_LINE.exec(lines[0] ?? "");
  if (!start) throw new Fault("gateway.malformed", { detail: "the request line is not HTTP/1" });
  const [, method = "", target = "", minorText] = start;
  const minor = minorText === "1" ? 1 : 0;
  const headers = parseFields(lines, 1, "gateway.malformed");
  return { method, target, minor, headers, framing: requestFraming(headers, minor), wire };
}

export function parseReplyHead(wire: Buffer, requestMethod: string): ReplyHead {
  const lines = wire.toString("latin1", 0, wire.length - 4).split("\r\n");
  const start = STATUS_LINE.exec(lines[0] ?? "");
  if (!start) throw new Fault("gateway.bad-reply", { detail: "the status line is not HTTP/1" });
  const [, minorText, statusText, reason = ""] = start;
  const minor = minorText === "1" ? 1 : 0;
  const status = Number(statusText);
  const headers = parseFields(lines, 1, "gateway.bad-reply");
  const hasBody = status >= 200 && status !== 204 && status !== 304 && requestMethod !== "HEAD";
  const framing = replyFraming(headers, minor);
  return { status, reason, minor, headers, framing: hasBody ? framing : { kind: "none" }, wire };
}

/** The fields of `lines` from `first` on. */
export function parseFields(lines: readonly string[], first: number, code: FaultCode): RawHeaders {
  const fields: (readonly [string, string])[] = [];
  for (let i = first; i < lines.length; i++) {
    const field = FIELD.exec(lines[i] ?? "");
    if (!field) throw new Fault(code, { detail: `line ${i + 1} of the head is not a header field` });
    const [, name = "", value = ""] = field;
    fields.push([name, trimmed(value)]);
  }
  return fields;
}

function trimmed(value: string): string {
  let start = 0;
  let end = value.length;
  while (start < end && isBlank(value.charCodeAt(start))) start++;
  while (end > start && isBlank(value.charCodeAt(end - 1))) end--;
  return value.slice(start, end);
}

const isBlank = (code: number): boolean => code === 32 || code === 9;

function requestFraming(headers: RawHeaders, minor: 0 | 1): Framing {
  const found = framingFields(headers, "gateway.malformed");
  if (found.chunked && minor === 0)
    throw new Fault("gateway.malformed", { detail: "a transfer coding in an HTTP/1.0 request" });
  if (found.chunked) return { kind: "chunked" };
  return found.length === null ? { kind: "none" } : { kind: "length", length: found.length };
}

function replyFraming(headers: RawHeaders, minor: 0 | 1): Framing {
  const found = framingFields(headers, "gateway.bad-reply");
  if (found.chunked && minor === 0)
    throw new Fault("gateway.bad-reply", { detail: "a transfer coding in an HTTP/1.0 reply" });
  if (found.chunked) return { kind: "chunked" };
  return found.length === null ? { kind: "close" } : { kind: "length", length: found.length };
}

function framingFields(headers: RawHeaders, code: FaultCode): { length: number | null; chunked: boolean } {
  let length: number | null = null;
  let chunked = false;
  for (const [name, value] of headers) {
    if (name.length === 14 && name.toLowerCase() === "content-length") {
      if (length !== null) throw new Fault(code, { detail: "more than one content-length" });
      if (!LENGTH.test(value)) throw new Fault(code, { detail: "content-length is not a plain number" });
      length = Number(value);
    } else if (name.length === 17 && name.toLowerCase() === "transfer-encoding") {
      if (chunked || value.toLowerCase() !== "chunked")
        throw new Fault(code, { detail: "a transfer coding other than one `chunked`" });
      chunked = true;
    }
  }
  if (chunked && length !== null)
    throw new Fault(code, { detail: "content-length beside a transfer coding" });
  return { length, chunked };
}

/** The value of the only field of that name; null when there is none or more than one. `name` is lower case. */
export function headerOf(headers: RawHeaders, name: string): string | null {
  let found: string | null = null;
  for (const [key, value] of headers)
    if (key.length === name.length && key.toLowerCase() === name) {
      if (found !== null) return null;
      found = value;
    }
  return found;
}

/** All values of that name, in order. */
export function headersOf(headers: RawHeaders, name: string): readonly string[] {
  return headers
    .filter(([key]) => key.length === name.length && key.toLowerCase() === name)
    .map(([, value]) => value);
}

const HOP: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authorization",
  "proxy-authenticate",
  "te",
  "upgrade",
]);
const MAY_NOT_BE_NAMED: ReadonlySet<string> = new Set([
  "host",
  "content-length",
  "transfer-encoding",
  "authorization",
  "content-type",
  "content-encoding",
]);

/**
 * The end-to-end fields (RFC 9110 7.6.1), in their order and case; the framing fields stay, as the body is framed alike
 * on both sides. A field that Connection names goes too, unless the message would mean something else without it.
 */
export function endToEnd(headers: RawHeaders): RawHeaders {
  let named: Set<string> | null = null;
  for (const [name, value] of headers)
    if (name.length === 10 && name.toLowerCase() === "connection") {
      named ??= new Set();
      for (const token of value.toLowerCase().split(",")) named.add(token.trim());
    }
  return headers.filter(([name]) => {
    const key = name.toLowerCase();
    return !HOP.has(key) && (named === null || !named.has(key) || MAY_NOT_BE_NAMED.has(key));
  });
}

/** Whether the sender closes the connection after this message. */
export function isLast(headers: RawHeaders, minor: 0 | 1): boolean {
  const tokens = headersOf(headers, "connection").join(",").toLowerCase();
  return minor === 0
    ? !/(?:^|,)\s*keep-alive\s*(?:,|$)/.test(tokens)
    : /(?:^|,)\s*close\s*(?:,|$)/.test(tokens);
}

/** A start line and fields as the text of a head (latin-1). */
export function headText(startLine: string, headers: RawHeaders): string {
  let text = `${startLine}\r\n`;
  for (const [name, value] of headers) text += `${name}: ${value}\r\n`;
  return `${text}\r\n`;
}
