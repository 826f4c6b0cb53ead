/**
 * Reads one HTTP/1 message body out of a byte stream by its framing (RFC 9112 6 and 7). Any split of the stream gives
 * the same content. Chunk sizes are plain hexadecimal; a chunk extension is allowed and ignored, as the RFC wants, but
 * bounded and without control characters. Throwing (`code`) means that the rest of the connection cannot be trusted.
 */
import { Fault, type FaultCode } from "../core/index.ts";
import { type Framing, parseFields, type RawHeaders } from "./head.ts";

const SIZE_LINE = /^([0-9a-fA-F]{1,10})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?$/;
const FORBIDDEN_TRAILER =
  /^(?:content-length|transfer-encoding|host|connection|trailer|content-encoding|content-type|authorization|upgrade|te)$/i;
const LINE_BYTES = 4096;
const CR = 13;
const LF = 10;

const MOST_DIGITS = 10;
const NO_DIGIT = 255;
/** By byte: what it is worth as a hexadecimal digit. */
const HEX = Uint8Array.from({ length: 256 }, (_, byte) => {
  const digit = "0123456789abcdef".indexOf(String.fromCharCode(byte).toLowerCase());
  return digit < 0 ? NO_DIGIT : digit;
});

type State = "size" | "data" | "data-end" | "trailers" | "done";

export class BodyReader {
  #state: State;
  /** Content bytes left in the body or chunk. */
  #left: number;
  #line = "";
  #trailerBytes = 0;
  #trailerLines: string[] = [];
  readonly #untilClose: boolean;
  readonly #onContent: (slice: Buffer) => void;
  readonly #code: FaultCode;
  readonly #trailerLimit: number;
  trailers: RawHeaders = [];

  constructor(framing: Framing, onContent: (slice: Buffer) => void, code: FaultCode, trailerLimit: number) {
    this.#onContent = onContent;
    this.#code = code;
    this.#trailerLimit = trailerLimit;
    this.#untilClose = framing.kind === "close";
    this.#left = framing.kind === "length" ? framing.length : 0;
    this.#state =
      framing.kind === "none" || (framing.kind === "length" && framing.length === 0)
        ? "done"
        : framing.kind === "chunked"
          ? "size"
          : "data";
    this.#chunked = framing.kind === "chunked";
  }
  readonly #chunked: boolean;

  get isDone(): boolean {
    return this.#state === "done";
  }

  /** Whether the end of the connection is a proper end of this body. */
  get mayEndHere(): boolean {
    return this.#untilClose || this.isDone;
  }

  /** Takes what belongs to this body from `chunk[offset…]`; the offset behind it. */
  feed(chunk: Buffer, offset: number): number {
    let at = offset;
    while (at < chunk.length && this.#state !== "done") {
      if (this.#state === "data") at = this.#takeData(chunk, at);
      else at = this.#takeLine(chunk, at);
    }
    return at;
  }

  #takeData(chunk: Buffer, at: number): number {
    const end = this.#untilClose ? chunk.length : Math.min(chunk.length, at + this.#left);
    this.#onContent(at === 0 && end === chunk.length ? chunk : chunk.subarray(at, end));
    if (!this.#untilClose) {
      this.#left -= end - at;
      if (this.#left === 0) this.#state = this.#chunked ? "data-end" : "done";
    }
    return end;
  }

  #takeLine(chunk: Buffer, at: number): number {
    if (this.#line === "" && this.#state !== "trailers") {
      const next = this.#takeShortLine(chunk, at);
      if (next > 0) return next;
    }
    const lf = chunk.indexOf(LF, at);
    const end = lf < 0 ? chunk.length : lf;
    if (this.#line.length + end - at > LINE_BYTES && this.#state !== "trailers")
      throw new Fault(this.#code, { detail: "a chunk size line is too long" });
    this.#line += chunk.toString("latin1", at, end);
    if (this.#state === "trailers" && this.#trailerBytes + this.#line.length > this.#trailerLimit)
      throw new Fault(this.#code, { detail: `the trailers are longer than ${this.#trailerLimit} bytes` });
    if (lf < 0) return end;
    if (this.#line.charCodeAt(this.#line.length - 1) !== CR)
      throw new Fault(this.#code, { detail: "a line of the chunked body ends in a bare line feed" });
    const line = this.#line.slice(0, -1);
    this.#line = "";
    this.#endLine(line);
    return lf + 1;
  }

  /** A line of nothing but digits, or of nothing, as nearly all are; 0: it is another, or not all there. */
  #takeShortLine(chunk: Buffer, from: number): number {
    let at = from;
    let size = 0;
    for (; at - from <= MOST_DIGITS; at++) {
      const digit = HEX[chunk[at] ?? 0] ?? NO_DIGIT;
      if (digit === NO_DIGIT) break;
      size = size * 16 + digit;
    }
    if (chunk[at] !== CR || chunk[at + 1] !== LF) return 0;
    const isEmpty = at === from;
    if (isEmpty !== (this.#state === "data-end") || at - from > MOST_DIGITS) return 0;
    if (isEmpty) this.#state = "size";
    else {
      this.#left = size;
      this.#state = size === 0 ? "trailers" : "data";
    }
    return at + 2;
  }

  #endLine(line: string): void {
    if (this.#state === "data-end") {
      if (line !== "") throw new Fault(this.#code, { detail: "a chunk is longer than its size" });
      this.#state = "size";
    } else if (this.#state === "size") {
      const size = SIZE_LINE.exec(line);
      if (!size) throw new Fault(this.#code, { detail: "a chunk size is not a hexadecimal number" });
      this.#left = Number.parseInt(size[1] ?? "", 16);
      this.#state = this.#left === 0 ? "trailers" : "data";
    } else if (line !== "") {
      this.#trailerBytes += line.length + 2;
      this.#trailerLines.push(line);
    } else {
      this.trailers = parseFields(this.#trailerLines, 0, this.#code);
      // A trailer that reframes or readdresses the message is an attack, not a trailer (RFC 9110 6.5.1).
      if (this.trailers.some(([name]) => FORBIDDEN_TRAILER.test(name)))
        throw new Fault(this.#code, { detail: "a field that may not stand in the trailers" });
      this.#state = "done";
    }
  }
}
