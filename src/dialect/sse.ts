/**
 * Server-sent events (html.spec.whatwg.org/multipage/server-sent-events.html, read November 2026), incrementally: any
 * split of the bytes, CR, LF or CRLF, a byte order mark at the start, comments. An event that the stream's end cuts off
 * is not told, as the specification says.
 */

/** An event's data beyond this is not told: what is read here (usage, model, end) stands in small events. */
export const MAX_EVENT_BYTES = 16 * 1024 * 1024;

const MAX_LINES = 1000;

export interface ServerEvent {
  /** "" when the event has no name. */
  readonly name: string;
  /** Valid during the call only: it may lie in the chunk that was fed. */
  readonly data: Buffer;
}

export interface EventParser {
  feed(chunk: Uint8Array): void;
  /** True when lines were left out as too long, or were no field of an event. */
  readonly hasOddities: () => boolean;
}

const LF = 10;
const CR = 13;
const SPACE = 0x20;
const COLON = 0x3a;
const BOM = Buffer.from([0xef, 0xbb, 0xbf]);
const NEWLINE = Buffer.from([LF]);

/** A parser for one stream; it owns the bytes of the line and event under way. */
export function createEventParser(onEvent: (event: ServerEvent) => void): EventParser {
  let line: Buffer[] = []; // the beginning of the line under way, of earlier chunks
  let lineBytes = 0;
  let data: Buffer[] = [];
  let owned = 0; // how many lines of `data` lie in memory of our own
  let dataBytes = 0;
  let name = "";
  let isFirstLine = true;
  let afterCr = false; // a LF that comes next belongs to the CR before it
  let oddities = false;

  const dispatch = (): void => {
    const [first] = data;
    if (first !== undefined && dataBytes <= MAX_EVENT_BYTES)
      onEvent({ name, data: data.length === 1 ? first : joined(data) });
    data = [];
    owned = 0;
    dataBytes = 0;
    name = "";
  };

  /** A line is [start, end) of `from`; nothing is made of most lines but their place. */
  const endLine = (from: Buffer, start: number, end: number): void => {
    if (line.length > 0) {
      const whole = Buffer.concat([...line, from.subarray(start, end)]);
      const isTooLong = lineBytes + end - start > MAX_EVENT_BYTES;
      line = [];
      lineBytes = 0;
      if (isTooLong) oddities = true;
      else endLine(whole, 0, whole.length);
      return;
    }
    const at = isFirstLine && from.subarray(start, start + 3).equals(BOM) ? start + 3 : start;
    isFirstLine = false;
    if (end === at) dispatch();
    else field(from, at, end);
  };

  const field = (from: Buffer, start: number, end: number): void => {
    if (isData(from, start, end)) {
      const value = from.subarray(from[start + 5] === SPACE ? start + 6 : start + 5, end);
      data.push(value);
      dataBytes += value.length + 1;
      return;
    }
    if (from[start] === COLON) return; // a comment
    const text = from.toString("utf8", start, end);
    const colon = text.indexOf(":");
    const key = colon < 0 ? text : text.slice(0, colon);
    const value = colon < 0 ? "" : text.slice(text[colon + 1] === " " ? colon + 2 : colon + 1);
    if (key === "data") {
      data.push(Buffer.from(value));
      dataBytes += value.length + 1;
    } else if (key === "event") name = value;
    else if (key !== "id" && key !== "retry") oddities = true;
  };

  const feed = (chunk: Uint8Array): void => {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    if (bytes.length === 0) return;
    let at = afterCr && bytes[0] === LF ? 1 : 0;
    afterCr = false;
    // Each is looked for again only when it was passed: a chunk without the other kind is searched once for it.
    let cr = nextOf(bytes, CR, at);
    let lf = nextOf(bytes, LF, at);
    while (at < bytes.length) {
      if (cr < at) cr = nextOf(bytes, CR, at);
      if (lf < at) lf = nextOf(bytes, LF, at);
      const end = Math.min(cr, lf);
      if (end === bytes.length) break;
      endLine(bytes, at, end);
      at = end + 1;
      if (end !== cr) continue;
      if (bytes[at] === LF) at++;
      else afterCr = at === bytes.length;
    }
    keep(bytes, at);
  };

  const keep = (bytes: Buffer, at: number): void => {
    // What waits for later chunks is copied: the chunk is its owner's again after this call.
    if (at < bytes.length) {
      lineBytes += bytes.length - at;
      if (lineBytes <= MAX_EVENT_BYTES) line.push(Buffer.from(bytes.subarray(at)));
    }
    if (dataBytes > MAX_EVENT_BYTES) {
      data = [];
      oddities = true;
    }
    for (let i = owned; i < data.length; i++) data[i] = Buffer.from(data[i] ?? []);
    // An event of very many lines is kept as few, so that lines cost no more than their bytes.
    if (data.length > MAX_LINES) data = [joined(data)];
    owned = data.length;
  };

  return { feed, hasOddities: () => oddities };
}

function joined(lines: readonly Buffer[]): Buffer {
  return Buffer.concat(lines.flatMap((one, i) => (i === 0 ? [one] : [NEWLINE, one])));
}

const nextOf = (bytes: Buffer, byte: number, from: number): number => {
  const found = bytes.indexOf(byte, from);
  return found < 0 ? bytes.length : found;
};

/** `data:`, by far the most lines of a stream. */
const isData = (from: Buffer, at: number, end: number): boolean =>
  end - at >= 5 &&
  from[at] === 0x64 &&
  from[at + 1] === 0x61 &&
  from[at + 2] === 0x74 &&
  from[at + 3] === 0x61 &&
  from[at + 4] === COLON;
