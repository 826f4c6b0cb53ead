/**
 * Signed notes (c2sp.org/signed-note) and checkpoints (c2sp.org/tlog-checkpoint), Ed25519 (type 0x01), and the verifier
 * keys and signer keys that golang.org/x/mod/sumdb/note reads. Cosignatures (c2sp.org/tlog-cosignature; type 0x04 Ed25519,
 * 0x06 ML-DSA-44, which needs Node 24) are verified too. A signature by an unknown key is ignored, as the specification demands; a wrong one by a known key is
 * a fault. Pure but for the signing itself.
 *
 * Limits: a note 1 MB, 100 signature lines, a size below 2^53.
 */
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { Fault } from "../core/index.ts";
import { HASH_BYTES, sha256 } from "./merkle.ts";

const ED25519 = 1;
const COSIGNATURE = 4;
const ML_DSA_44 = 6;
/** Types of which witnesses' keys are. */
export const COSIGNATURES: readonly number[] = [COSIGNATURE, ML_DSA_44];
const KEY_BYTES: Readonly<Record<number, number>> = { [ED25519]: 32, [COSIGNATURE]: 32, [ML_DSA_44]: 1312 };
const STAMPED_BYTES: Readonly<Record<number, number>> = { [COSIGNATURE]: 8 + 64, [ML_DSA_44]: 8 + 2420 };
const MAX_NOTE = 1_000_000;
const MAX_SIGNATURES = 100;
const SPKI_HEAD = Buffer.from("302a300506032b6570032100", "hex");
const SPKI_HEAD_ML_DSA_44 = Buffer.from("30820532300b06096086480165030403110382052100", "hex");
const PKCS8_HEAD = Buffer.from("302e020100300506032b657004220420", "hex");

export interface Verifier {
  readonly name: string;
  readonly id: Buffer;
  readonly type: number;
  readonly key: KeyObject;
  readonly text: string;
}

export interface Signer {
  readonly name: string;
  readonly key: KeyObject;
  readonly verifierKey: string;
}

const bad = (detail: string): Fault => new Fault("ledger.unreadable", { detail });

const keyId = (name: string, type: number, publicKey: Uint8Array): Buffer =>
  sha256(Buffer.concat([Buffer.from(`${name}\n`), Buffer.from([type]), publicKey])).subarray(0, 4);

/** Base64 that has one spelling: what decodes is encoded again and must be equal. */
function strictBase64(text: string, what: string): Buffer {
  const bytes = Buffer.from(text, "base64");
  if (bytes.toString("base64") !== text) throw bad(`${what} is not canonical base64`);
  return bytes;
}

function publicBytes(key: KeyObject): Buffer {
  return createPublicKey(key).export({ format: "der", type: "spki" }).subarray(-32);
}

/** `name+keyid+base64`, as x/mod's note.NewVerifier reads it. */
export function verifierKeyText(name: string, publicKey: Uint8Array, type = ED25519): string {
  const id = keyId(name, type, publicKey).toString("hex");
  return `${name}+${id}+${Buffer.concat([Buffer.from([type]), publicKey]).toString("base64")}`;
}

export function parseVerifierKey(text: string): Verifier {
  const parts = /^([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text);
  if (parts === null) throw bad("malformed verifier key");
  const [, name = "", id = "", encoded = ""] = parts;
  const raw = strictBase64(encoded, "the verifier key");
  const type = raw[0] ?? 0;
  const publicKey = raw.subarray(1);
  if (publicKey.length !== KEY_BYTES[type]) throw bad("unsupported verifier key");
  if (keyId(name, type, publicKey).toString("hex") !== id) throw bad("verifier key and its id disagree");
  const der = Buffer.concat([type === ML_DSA_44 ? SPKI_HEAD_ML_DSA_44 : SPKI_HEAD, publicKey]);
  return { name, id: Buffer.from(id, "hex"), type, key: publicKeyOf(der), text };
}

function publicKeyOf(der: Buffer): KeyObject {
  try {
    return createPublicKey({ key: der, format: "der", type: "spki" });
  } catch {
    throw bad("unsupported verifier key: this Node does not know its algorithm");
  }
}

/** `PRIVATE+KEY+name+keyid+base64(0x01 ‖ seed)`, as x/mod's note.NewSigner reads it. */
export function signerKeyText(name: string, seed: Uint8Array): string {
  const { verifierKey } = signerFromSeed(name, seed);
  const id = parseVerifierKey(verifierKey).id.toString("hex");
  return `PRIVATE+KEY+${name}+${id}+${Buffer.concat([Buffer.from([ED25519]), seed]).toString("base64")}`;
}

export function parseSignerKey(text: string): Signer {
  const parts = /^PRIVATE\+KEY\+([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text.trim());
  if (parts === null) throw new Fault("ledger.key", { detail: "malformed signer key" });
  const raw = Buffer.from(parts[3] ?? "", "base64");
  if (raw[0] !== ED25519 || raw.length !== 33)
    throw new Fault("ledger.key", { detail: "unsupported signer key" });
  const signer = signerFromSeed(parts[1] ?? "", raw.subarray(1));
  if (parseVerifierKey(signer.verifierKey).id.toString("hex") !== parts[2])
    throw new Fault("ledger.key", { detail: "signer key and its id disagree" });
  return signer;
}

function signerFromSeed(name: string, seed: Uint8Array): Signer {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, seed]), format: "der", type: "pkcs8" });
  return { name, key, verifierKey: verifierKeyText(name, publicBytes(key)) };
}

/** `text` must end in a newline. Signature lines come in the signers' order. */
export function signNote(text: string, signers: readonly Signer[]): string {
  const lines = signers.map(({ name, key, verifierKey }) => {
    const id = parseVerifierKey(verifierKey).id;
    return `\u2014 ${name} ${Buffer.concat([id, sign(null, Buffer.from(text), key)]).toString("base64")}\n`;
  });
  return `${text}\n${lines.join("")}`;
}

export interface OpenedNote {
  readonly text: string;
  readonly signatures: readonly {
    readonly verifier: Verifier;
    /** Of a cosignature: Unix seconds. */
    readonly time: bigint | null;
  }[];
}

/** The note's text and the known keys that signed it. Throws when malformed, wrongly signed, or signed by none of them. */
export function openNote(note: string, verifiers: readonly Verifier[]): OpenedNote {
  if (note.length > MAX_NOTE || /[\u0000-\u0009\u000b-\u001f]/.test(note)) throw bad("malformed note");
  const end = note.lastIndexOf("\n\n");
  if (end < 0 || !note.endsWith("\n")) throw bad("malformed note");
  const text = note.slice(0, end + 1);
  const lines = note.slice(end + 2, -1).split("\n");
  if (lines.length > MAX_SIGNATURES) throw bad("too many signatures on the note");
  const signatures: { verifier: Verifier; time: bigint | null }[] = [];
  for (const line of lines) {
    const parts = /^\u2014 ([^\s+]+) ([A-Za-z0-9+/]+=*)$/.exec(line);
    if (parts === null) throw bad("malformed signature line");
    const raw = strictBase64(parts[2] ?? "", "a signature");
    if (raw.length < 5) throw bad("malformed signature line");
    const verifier = verifiers.find((v) => v.name === parts[1] && v.id.equals(raw.subarray(0, 4)));
    if (verifier === undefined || signatures.some((s) => s.verifier === verifier)) continue;
    signatures.push({ verifier, time: checkSignature(text, verifier, raw.subarray(4)) });
  }
  if (signatures.length === 0) throw bad("the note is signed by no known key");
  return { text, signatures };
}

/** The signature lines in `text` that bear the key's name and id, right or wrong. */
export function linesOf(text: string, { name, id }: Verifier): string[] {
  const begin = `\u2014 ${name} `;
  return text
    .split("\n")
    .filter((line) => line.startsWith(begin))
    .filter((line) => Buffer.from(line.slice(begin.length), "base64").subarray(0, 4).equals(id));
}

function checkSignature(text: string, verifier: Verifier, signature: Buffer): bigint | null {
  if (COSIGNATURES.includes(verifier.type)) {
    if (signature.length !== STAMPED_BYTES[verifier.type])
      throw bad(`malformed cosignature by ${verifier.name}`);
    const time = signature.readBigUInt64BE(0);
    const signed = cosigned(text, verifier, time);
    if (!verify(null, signed, verifier.key, signature.subarray(8)))
      throw bad(`wrong cosignature by ${verifier.name}`);
    return time;
  }
  if (signature.length !== 64 || !verify(null, Buffer.from(text), verifier.key, signature))
    throw bad(`wrong signature by ${verifier.name}`);
  return null;
}

/** What a cosignature signs: the text with its time, or of ML-DSA-44 the `cosigned_message` of the specification. */
export function cosigned(
  text: string,
  { name, type }: Pick<Verifier, "name" | "type">,
  time: bigint,
): Buffer {
  if (type === COSIGNATURE) return Buffer.from(`cosignature/v1\ntime ${time}\n${text}`);
  const { origin, size, root } = parseCheckpoint(text);
  const number = (value: bigint): Buffer => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(value);
    return bytes;
  };
  const named = (value: string): Buffer => {
    const bytes = Buffer.from(value);
    if (bytes.length > 255) throw bad("a name is longer than 255 bytes");
    return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  };
  const label = Buffer.from("subtree/v1\n\0");
  const range = [number(0n), number(BigInt(size)), root];
  return Buffer.concat([label, named(name), number(time), named(origin), ...range]);
}

export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  readonly root: Buffer;
}

export const checkpointText = (c: Checkpoint): string =>
  `${c.origin}\n${c.size}\n${c.root.toString("base64")}\n`;

export function parseCheckpoint(text: string): Checkpoint {
  const [origin = "", size = "", root = ""] = text.split("\n");
  if (origin === "") throw bad("the checkpoint names no origin");
  if (!/^(0|[1-9][0-9]{0,15})$/.test(size) || !Number.isSafeInteger(Number(size)))
    throw bad("the checkpoint's size is malformed");
  const bytes = strictBase64(root, "the checkpoint's root");
  if (bytes.length !== HASH_BYTES) throw bad("the checkpoint's root is not 32 bytes");
  return { origin, size: Number(size), root: bytes };
}

/** Opens a checkpoint and holds it to the origin of its key. */
export function openCheckpoint(note: string, verifiers: readonly Verifier[]): Checkpoint {
  const checkpoint = parseCheckpoint(openNote(note, verifiers).text);
  if (verifiers.every((v) => v.name !== checkpoint.origin))
    throw bad(`the checkpoint is of another log: ${checkpoint.origin}`);
  return checkpoint;
}
