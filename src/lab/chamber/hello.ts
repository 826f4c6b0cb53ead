/**
 * What a TLS ClientHello says (RFC 8446 4.1.2, RFC 6066 3, RFC 8701 for GREASE), as lines that can be compared. Values
 * that are random by design (random, session id, key shares' bytes, tickets) are given by their length alone.
 */

/** GREASE values are random by design: all become one word. */
const grease = (value: number): string =>
  (value & 0x0f0f) === 0x0a0a && value >> 8 === (value & 0xff)
    ? "grease"
    : `0x${value.toString(16).padStart(4, "0")}`;

const EXTENSION = {
  serverName: 0,
  groups: 10,
  signatures: 13,
  protocols: 16,
  versions: 43,
  keyShare: 51,
} as const;

/** pre_shared_key and early_data: there when a host is spoken to again, and so by which connection came first. */
const RESUMING: ReadonlySet<number> = new Set([41, 42]);

interface Hello {
  readonly version: number;
  readonly sessionIdBytes: number;
  readonly ciphers: readonly number[];
  readonly compression: readonly number[];
  readonly extensions: readonly { readonly type: number; readonly data: Buffer }[];
}

/** The host of the server_name extension, or null. */
export function helloName(records: Buffer): string | null {
  const data = parseHello(records)?.extensions.find((e) => e.type === EXTENSION.serverName)?.data;
  if (data === undefined || data.length < 5) return null;
  return data.toString("latin1", 5, 5 + data.readUInt16BE(3)) || null;
}

/** One line per property, or a single line with the length where it cannot be read. */
export function helloLines(records: Buffer): readonly string[] {
  const hello = parseHello(records);
  if (hello === null) return [`unreadable ${records.length}`];
  const words = (data: Buffer | undefined, skip: number): string =>
    data === undefined ? "none" : uint16s(data.subarray(skip)).map(grease).join(" ");
  const of = (type: number): Buffer | undefined => hello.extensions.find((e) => e.type === type)?.data;
  return [
    `version ${grease(hello.version)}`,
    `session id bytes ${hello.sessionIdBytes}`,
    `ciphers ${hello.ciphers.map(grease).join(" ")}`,
    `compression ${hello.compression.join(" ")}`,
    `extensions ${hello.extensions
      .filter((e) => !RESUMING.has(e.type))
      .map((e) => grease(e.type))
      .join(" ")}`,
    `groups ${words(of(EXTENSION.groups), 2)}`,
    `signatures ${words(of(EXTENSION.signatures), 2)}`,
    `versions ${words(of(EXTENSION.versions), 1)}`,
    `application protocols ${protocols(of(EXTENSION.protocols))}`,
    `key shares ${keyShares(of(EXTENSION.keyShare))}`,
  ];
}

function parseHello(records: Buffer): Hello | null {
  try {
    // Of one record: 5 bytes head; then the handshake head of 4.
    const body = records.subarray(9, 5 + records.readUInt16BE(3));
    if (records[5] !== 1) return null;
    let at = 34;
    const take = (size: number): Buffer => {
      const taken = body.subarray(at, at + size);
      if (taken.length < size) throw new RangeError("short");
      at += size;
      return taken;
    };
    const sessionIdBytes = take(1).readUInt8();
    take(sessionIdBytes);
    const ciphers = uint16s(take(take(2).readUInt16BE()));
    const compression = [...take(take(1).readUInt8())];
    const extensions: { type: number; data: Buffer }[] = [];
    const end = at + 2 + take(2).readUInt16BE();
    while (at < end) {
      const type = take(2).readUInt16BE();
      extensions.push({ type, data: take(take(2).readUInt16BE()) });
    }
    return { version: body.readUInt16BE(0), sessionIdBytes, ciphers, compression, extensions };
  } catch {
    return null; // cut short, or nothing that this format describes
  }
}

const uint16s = (data: Buffer): number[] =>
  Array.from({ length: data.length >> 1 }, (_, i) => data.readUInt16BE(2 * i));

function protocols(data: Buffer | undefined): string {
  const names: string[] = [];
  for (let at = 2; data !== undefined && at < data.length; at += 1 + (data[at] ?? 0))
    names.push(data.toString("latin1", at + 1, at + 1 + (data[at] ?? 0)));
  return names.join(" ") || "none";
}

function keyShares(data: Buffer | undefined): string {
  const names: string[] = [];
  for (let at = 2; data !== undefined && at + 4 <= data.length; at += 4 + data.readUInt16BE(at + 2))
    names.push(`${grease(data.readUInt16BE(at))}:${data.readUInt16BE(at + 2)}`);
  return names.join(" ") || "none";
}
