/**
 * Just enough of DER (ITU-T X.690) to read time-stamp tokens and write their requests. Strict: definite, shortest lengths,
 * tags of one byte, nothing behind the end. Pure. Own code, so that the stand-alone verifier stays without dependencies;
 * what it reads is believed only after a signature over the exact bytes was checked.
 */
import { Fault } from "../core/index.ts";

export interface Der {
  /** The identifier byte: class, constructed bit and number. */
  readonly tag: number;
  readonly content: Buffer;
  /** With its header. */
  readonly bytes: Buffer;
}

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  null: 0x05,
  oid: 0x06,
  time: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Of a context-specific, constructed element. */
export const context = (number: number): number => 0xa0 | number;

const bad = (detail: string): Fault => new Fault("anchor.invalid", { detail });

/** The one element that `bytes` is. Throws `anchor.invalid`, as all of these do. */
export function readDer(bytes: Buffer): Der {
  const element = elementAt(bytes, 0);
  if (element.bytes.length !== bytes.length) throw bad("bytes behind the end of a DER element");
  return element;
}

/** The elements in a constructed one. */
export function children(parent: Der): Der[] {
  if ((parent.tag & 0x20) === 0) throw bad("a DER element is not constructed");
  const all: Der[] = [];
  for (let at = 0; at < parent.content.length; ) {
    const element = elementAt(parent.content, at);
    all.push(element);
    at += element.bytes.length;
  }
  return all;
}

/** The element, if it is there and has this tag. */
export function expect(element: Der | undefined, tag: number, what: string): Der {
  if (element?.tag !== tag) throw bad(`${what} is missing or of another type`);
  return element;
}

function elementAt(bytes: Buffer, at: number): Der {
  const tag = bytes[at];
  const first = bytes[at + 1];
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) throw bad("malformed DER");
  let begin = at + 2;
  let length = first;
  if (first >= 0x80) {
    const width = first - 0x80;
    if (width < 1 || width > 3 || begin + width > bytes.length) throw bad("malformed DER length");
    length = bytes.readUIntBE(begin, width);
    begin += width;
    if (length < 0x80 || length < 2 ** (8 * (width - 1))) throw bad("a DER length is not the shortest");
  }
  const end = begin + length;
  if (end > bytes.length) throw bad("DER ends early");
  return { tag, content: bytes.subarray(begin, end), bytes: bytes.subarray(at, end) };
}

/** Dotted decimals. */
export function oidOf(element: Der | undefined): string {
  const { content } = expect(element, TAG.oid, "an object identifier");
  const arcs: number[] = [];
  let arc = 0;
  for (const byte of content) {
    arc = arc * 128 + (byte & 0x7f);
    if (arc > Number.MAX_SAFE_INTEGER / 128) throw bad("an object identifier is too long");
    if (byte >= 0x80) continue;
    arcs.push(arc);
    arc = 0;
  }
  const first = Math.min(2, Math.floor((arcs[0] ?? 0) / 40));
  return [first, (arcs[0] ?? 0) - first * 40, ...arcs.slice(1)].join(".");
}

export function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  if (content.length < 0x80) return Buffer.concat([Buffer.from([tag, content.length]), content]);
  const width = content.length < 0x100 ? 1 : content.length < 0x10000 ? 2 : 3;
  const head = Buffer.alloc(2 + width);
  head[0] = tag;
  head[1] = 0x80 + width;
  head.writeUIntBE(content.length, 2, width);
  return Buffer.concat([head, content]);
}

export function derOid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((arc) => {
    const groups = [arc & 0x7f];
    for (let more = Math.floor(arc / 128); more > 0; more = Math.floor(more / 128))
      groups.unshift((more & 0x7f) | 0x80);
    return groups;
  });
  return der(TAG.oid, Buffer.from(bytes));
}
