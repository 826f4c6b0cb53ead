/**
 * The namespace's own name service (RFC 1035): gives a name an address of the range that is set aside for tests of
 * network devices (RFC 2544, 198.18.0.0/15), and knows it again when a program connects there. It asks nobody: names are
 * resolved by the gateway, when something is really sent. A name that may be reached on no port does not exist.
 *
 * Only type A has an answer; AAAA, HTTPS and others get an empty one, so that programs go on with A at once.
 * What is not one plain question is answered with FORMERR; addresses are given out until they are used up, then SERVFAIL.
 */

/** Answers live as long as the session's addresses do; short, so that nothing keeps one for another session. */
const TTL_SECONDS = 30;
const FIRST = 198 * 2 ** 24 + 18 * 2 ** 16 + 1;
const MOST_NAMES = 65_000;
const MAX_NAME = 253;
const TYPE_A = 1;
const CLASS_IN = 1;
const HEADER_BYTES = 12;
const RCODE = { ok: 0, format: 1, server: 2, missing: 3 } as const;

/** A question's name, in lower case, without the last dot; null when it is not a name of letters, digits, `-` and `_`. */
export interface NameQuestion {
  readonly name: string;
  readonly type: number;
  /** Offset behind the question. */
  readonly end: number;
}

export function parseQuestion(packet: Uint8Array): NameQuestion | null {
  const bytes = Buffer.from(packet.buffer, packet.byteOffset, packet.byteLength);
  // A query (not a response) of the standard kind, with one question.
  if (bytes.length < HEADER_BYTES + 5 || bytes.readUInt16BE(4) !== 1 || (bytes.readUInt8(2) & 0xf8) !== 0)
    return null;
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (;;) {
    const length = bytes[at];
    // Longer than 63 is a pointer, which a question has no use for.
    if (length === undefined || length > 63 || at + length + 1 > bytes.length) return null;
    at += 1;
    if (length === 0) break;
    labels.push(bytes.toString("latin1", at, at + length).toLowerCase());
    at += length;
  }
  const name = labels.join(".");
  const isPlain = /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/.test(name) && name.length <= MAX_NAME;
  if (!isPlain || at + 4 > bytes.length || bytes.readUInt16BE(at + 2) !== CLASS_IN) return null;
  return { name, type: bytes.readUInt16BE(at), end: at + 4 };
}

/** Names of one session and the addresses that stand for them. */
export class Names {
  readonly #byName = new Map<string, string>();
  readonly #byAddress = new Map<string, string>();

  /** The answer to a packet; null where none is due. `mayReach` says whether the name exists. */
  async answer(packet: Uint8Array, mayReach: (name: string) => Promise<boolean>): Promise<Buffer | null> {
    if (packet.length < HEADER_BYTES || ((packet[2] ?? 0) & 0x80) !== 0) return null; // a response is nobody's question
    const question = parseQuestion(packet);
    if (question === null) return reply(packet, HEADER_BYTES, RCODE.format, null);
    if (!(await mayReach(question.name))) return reply(packet, question.end, RCODE.missing, null);
    if (question.type !== TYPE_A) return reply(packet, question.end, RCODE.ok, null);
    const address = this.#addressOf(question.name);
    if (address === null) return reply(packet, question.end, RCODE.server, null);
    return reply(packet, question.end, RCODE.ok, address);
  }

  /** The name that an address was given out for, else the address itself; null for one that stands for no name. */
  hostAt(address: string): string | null {
    const plain = address.startsWith("::ffff:") ? address.slice(7) : address;
    return this.#byAddress.get(plain) ?? (/^198\.1[89]\./.test(plain) ? null : plain);
  }

  #addressOf(name: string): string | null {
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    if (this.#byName.size >= MOST_NAMES) return null;
    const number = FIRST + this.#byName.size;
    const address = [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join(".");
    this.#byName.set(name, address);
    this.#byAddress.set(address, name);
    return address;
  }
}

function reply(packet: Uint8Array, questionEnd: number, code: number, address: string | null): Buffer {
  const hasQuestion = questionEnd > HEADER_BYTES;
  const head = Buffer.from(packet.subarray(0, questionEnd));
  head.writeUInt8(0x80 | ((packet[2] ?? 0) & 0x01), 2); // a response; recursion desired as asked
  head.writeUInt8(0x80 | code, 3); // recursion available: some resolvers give up without
  head.writeUInt16BE(hasQuestion ? 1 : 0, 4);
  head.writeUInt16BE(address === null ? 0 : 1, 6);
  head.writeUInt32BE(0, 8);
  if (address === null) return head;
  const answer = Buffer.alloc(16);
  answer.writeUInt16BE(0xc000 | HEADER_BYTES, 0); // the name: that of the question
  answer.writeUInt16BE(TYPE_A, 2);
  answer.writeUInt16BE(CLASS_IN, 4);
  answer.writeUInt32BE(TTL_SECONDS, 6);
  answer.writeUInt16BE(4, 10);
  for (const [at, part] of address.split(".").entries()) answer.writeUInt8(Number(part), 12 + at);
  return Buffer.concat([head, answer]);
}
