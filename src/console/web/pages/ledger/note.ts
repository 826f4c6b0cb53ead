/**
 * The browser's own reading of verifier keys, signed notes and checkpoints (c2sp.org/signed-note, tlog-checkpoint;
 * docs/ledger-format.md), with WebCrypto. Shares no code with src/ledger: the two check each other.
 *
 * A line by an unknown key is passed over; a wrong signature by a known key, or none at all, is a failure. Limits: a note of
 * 1 MB and 100 lines, sizes below 2^53. Throws {@link Broken}, which says what is wrong.
 */
export class Broken extends Error {}

export interface Key {
  readonly name: string;
  /** Eight hexadecimal digits. */
  readonly id: string;
  readonly text: string;
  readonly key: CryptoKey;
}

export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  /** Hexadecimal. */
  readonly root: string;
}

const ED25519 = 1;
const MAX_NOTE = 1_000_000;
const MAX_LINES = 100;
const utf8 = new TextEncoder();

export const hex = (bytes: Uint8Array): string =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** Base64 of one spelling only: what decodes must encode to the same text. */
function bytesOf(text: string, what: string): Uint8Array<ArrayBuffer> {
  let raw: string;
  try {
    raw = atob(text);
  } catch {
    throw new Broken(`${what} is not base64`);
  }
  if (btoa(raw) !== text) throw new Broken(`${what} is not canonical base64`);
  return Uint8Array.from(raw, (character) => character.charCodeAt(0));
}

/** `<name>+<id>+<base64(0x01 ‖ public key)>`; the id must follow from name and key. */
export async function readKey(text: string): Promise<Key> {
  const [, name = "", id = "", encoded = ""] =
    /^([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text) ?? [];
  if (name === "") throw new Broken("malformed verifier key");
  const raw = bytesOf(encoded, "the verifier key");
  if (raw[0] !== ED25519 || raw.length !== 33) throw new Broken("unsupported verifier key");
  const named = utf8.encode(`${name}\n`);
  const input = new Uint8Array(named.length + raw.length);
  input.set(named);
  input.set(raw, named.length);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", input));
  if (hex(digest.subarray(0, 4)) !== id) throw new Broken("verifier key and its id disagree");
  const key = await crypto.subtle.importKey("raw", raw.subarray(1), { name: "Ed25519" }, false, ["verify"]);
  return { name, id, text, key };
}

/** Keys of other types (witnesses') are passed over. */
export async function readKeys(file: string): Promise<readonly Key[]> {
  const lines = file.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const keys = await Promise.all(lines.slice(0, MAX_LINES).map(readKey));
  if (keys.length === 0) throw new Broken("no verifier key is published");
  return keys;
}

export function readCheckpoint(text: string): Checkpoint {
  const [origin = "", size = "", root = ""] = text.split("\n");
  if (origin === "") throw new Broken("the checkpoint names no origin");
  if (!/^(0|[1-9][0-9]{0,15})$/.test(size) || !Number.isSafeInteger(Number(size)))
    throw new Broken("the checkpoint's size is malformed");
  const bytes = bytesOf(root, "the checkpoint's root");
  if (bytes.length !== 32) throw new Broken("the checkpoint's root is not 32 bytes");
  return { origin, size: Number(size), root: hex(bytes) };
}

/** The checkpoint in a note, and the keys of `keys` that signed it. */
export async function openNote(
  note: string,
  keys: readonly Key[],
): Promise<{ readonly checkpoint: Checkpoint; readonly signedBy: readonly Key[] }> {
  if (note.length > MAX_NOTE || /[\u0000-\u0009\u000b-\u001f]/.test(note)) throw new Broken("malformed note");
  const end = note.lastIndexOf("\n\n");
  if (end < 0 || !note.endsWith("\n")) throw new Broken("malformed note");
  const text = note.slice(0, end + 1);
  const lines = note.slice(end + 2, -1).split("\n");
  if (lines.length > MAX_LINES) throw new Broken("too many signatures on the note");
  const signedBy: Key[] = [];
  for (const line of lines) {
    const [, name = "", encoded = ""] = /^\u2014 ([^\s+]+) ([A-Za-z0-9+/]+=*)$/.exec(line) ?? [];
    if (name === "") throw new Broken("malformed signature line");
    const raw = bytesOf(encoded, "a signature");
    const key = keys.find((one) => one.name === name && one.id === hex(raw.subarray(0, 4)));
    if (key === undefined || signedBy.includes(key)) continue;
    const isRight =
      raw.length === 68 &&
      (await crypto.subtle.verify({ name: "Ed25519" }, key.key, raw.subarray(4), utf8.encode(text)));
    if (!isRight) throw new Broken(`wrong signature by ${name}+${key.id}`);
    signedBy.push(key);
  }
  if (signedBy.length === 0) throw new Broken("the checkpoint is signed by no published key");
  const checkpoint = readCheckpoint(text);
  if (signedBy.every(({ name }) => name !== checkpoint.origin))
    throw new Broken(`the checkpoint is of another log: ${checkpoint.origin}`);
  return { checkpoint, signedBy };
}
