/**
 * AWS' binary event streams (application/vnd.amazon.eventstream; docs.aws.amazon.com/transcribe/latest/dg/
 * event-stream.html, read November 2026), incrementally: total length, header length, CRC of both, headers, payload,
 * CRC of all. CRCs are the client's to check; here only lengths are used, and they are bounded.
 */

const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
const PRELUDE = 12;
const CRC = 4;

export interface BinaryEvent {
  /** The `:event-type` or `:exception-type` header. */
  readonly name: string;
  readonly payload: Buffer;
}

export interface BinaryEventParser {
  feed(chunk: Uint8Array): void;
  /** False from the first message on whose lengths contradict each other: what follows cannot be found. */
  readonly isSound: () => boolean;
}

export function createBinaryEventParser(onEvent: (event: BinaryEvent) => void): BinaryEventParser {
  let chunks: Buffer[] = []; // what waits for the rest of its message
  let size = 0;
  let needed = PRELUDE; // joined only when there is something to read, lest small chunks cost their square
  let sound = true;
  const feed = (chunk: Uint8Array): void => {
    if (!sound) return;
    chunks.push(Buffer.from(chunk));
    size += chunk.byteLength;
    if (size < needed) return;
    let pending: Buffer = Buffer.concat(chunks);
    needed = PRELUDE;
    while (pending.length >= PRELUDE) {
      const total = pending.readUInt32BE(0);
      const headers = pending.readUInt32BE(4);
      sound = total <= MAX_MESSAGE_BYTES && total >= PRELUDE + headers + CRC;
      if (!sound) pending = Buffer.alloc(0);
      needed = total;
      if (!sound || pending.length < total) break;
      const payload = pending.subarray(PRELUDE + headers, total - CRC);
      onEvent({ name: eventName(pending.subarray(PRELUDE, PRELUDE + headers)), payload });
      pending = pending.subarray(total);
      needed = PRELUDE;
    }
    chunks = [pending];
    size = pending.length;
  };
  return { feed, isSound: () => sound };
}

/** Header: name length (1), name, type (1), value; a text value (type 7) has its length (2) before it. */
function eventName(headers: Buffer): string {
  for (let at = 0; at < headers.length; ) {
    const nameEnd = at + 1 + (headers[at] ?? 0);
    const name = headers.toString("latin1", at + 1, nameEnd);
    if (headers[nameEnd] !== 7 || nameEnd + 3 > headers.length) return "";
    const end = nameEnd + 3 + headers.readUInt16BE(nameEnd + 1);
    if (name === ":event-type" || name === ":exception-type")
      return headers.toString("utf8", nameEnd + 3, end);
    at = end;
  }
  return "";
}
