/**
 * The key directory (0700, files 0600), apart from the ledger so that the two can be backed up, and expire, apart:
 *
 *   organisation.keys             one key a line, `<id> <base64 of 32 bytes>`; the first wraps new session keys
 *   <origin, "/" as "_">/signing.key   the checkpoint signers, in the form of golang.org/x/mod/sumdb/note: the present
 *                                 one, and for a period after a change the one before it
 *   <origin …>/checkpoint         the newest checkpoint signed with it: what makes a restored old copy stand out
 *   <origin …>/sessions/<id>.key  a session's data key, wrapped by AES-256-GCM; destroying it erases the session's
 *                                 evidence. `.erasing`: to be destroyed; `.erased`: destroyed, never to be made again
 *   <origin …>/holds              legal holds in force, `<case> <session or *>` a line
 *
 * Crash story: a session's key file is on the disk before the first byte sealed under it is written.
 * A key file that others can read is refused, not repaired: it must be taken for leaked.
 */
import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { open, rename, unlink } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "../core/index.ts";
import { diskFault, putFile, readIfThere, syncDirectory } from "./files.ts";
import { sha256 } from "./merkle.ts";
import { parseSignerKey, type Signer, signerKeyText } from "./note.ts";

const KEY_BYTES = 32;
export const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** A schema-less URL of few characters, so that it is a file name too. */
const ORIGIN = /^[a-z0-9](?:[a-z0-9.-]{0,62}[a-z0-9])?(?:\/[a-z0-9][a-z0-9._-]{0,62}){1,4}$/;

export const isOrigin = (text: string): boolean => ORIGIN.test(text);

export async function makePrivateDirectory(path: string): Promise<void> {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    chmodSync(path, 0o700);
    await syncDirectory(join(path, ".."));
  } catch (error) {
    throw diskFault(error, path);
  }
}

function readSecretFile(path: string): Buffer | null {
  const bytes = readIfThere(path);
  if (bytes !== null && (statSync(path).mode & 0o077) !== 0)
    throw new Fault("ledger.key", { at: path, detail: "others can read it" });
  return bytes;
}

export const ownDirectory = (keyDirectory: string, origin: string): string => {
  if (!isOrigin(origin)) throw new Fault("ledger.key", { detail: "the origin is not of the form host/path" });
  return join(keyDirectory, origin.replaceAll("/", "_"));
};

/** A new log's signer, durable. */
export async function createSigner(keyDirectory: string, origin: string): Promise<Signer> {
  await makePrivateDirectory(ownDirectory(keyDirectory, origin));
  const text = signerKeyText(origin, randomBytes(KEY_BYTES));
  await writeSignerTexts(keyDirectory, origin, [text]);
  return parseSignerKey(text);
}

/** Puts a new signer before the present one; whatever was before that is forgotten. Both, the new one first. */
export async function addSigner(keyDirectory: string, origin: string): Promise<Signer[]> {
  const [present = ""] = signerTexts(keyDirectory, origin);
  await writeSignerTexts(keyDirectory, origin, [signerKeyText(origin, randomBytes(KEY_BYTES)), present]);
  return loadSigners(keyDirectory, origin);
}

/** Forgets all signers but the present one. */
export async function retireSigners(keyDirectory: string, origin: string): Promise<Signer[]> {
  await writeSignerTexts(keyDirectory, origin, signerTexts(keyDirectory, origin).slice(0, 1));
  return loadSigners(keyDirectory, origin);
}

/** The signers, the present one first; at least one, all of this origin. */
export function loadSigners(keyDirectory: string, origin: string): Signer[] {
  const path = signerPath(keyDirectory, origin);
  const signers = signerTexts(keyDirectory, origin).map(parseSignerKey);
  if (signers.length === 0)
    throw new Fault("ledger.key", { at: path, detail: "no signing key for this ledger" });
  if (signers.some((s) => s.name !== origin))
    throw new Fault("ledger.key", { at: path, detail: "the key is another ledger's" });
  return signers;
}

const signerPath = (keyDirectory: string, origin: string): string =>
  join(ownDirectory(keyDirectory, origin), "signing.key");

const signerTexts = (keyDirectory: string, origin: string): string[] =>
  (readSecretFile(signerPath(keyDirectory, origin))?.toString("utf8") ?? "")
    .split("\n")
    .filter((t) => t !== "");

const writeSignerTexts = (keyDirectory: string, origin: string, texts: readonly string[]): Promise<void> =>
  putFile(signerPath(keyDirectory, origin), texts.map((text) => `${text}\n`).join(""), 0o600);

/** The newest checkpoint this key signed, or null. */
export const rememberedCheckpoint = (keyDirectory: string, origin: string): string | null =>
  readIfThere(join(ownDirectory(keyDirectory, origin), "checkpoint"))?.toString("utf8") ?? null;

export const rememberCheckpoint = (keyDirectory: string, origin: string, note: string): Promise<void> =>
  putFile(join(ownDirectory(keyDirectory, origin), "checkpoint"), note, 0o600);

/** AES-256-GCM: nonce ‖ ciphertext ‖ tag. A nonce is random and used once. */
export function seal(
  key: Buffer | KeyObject,
  plain: Uint8Array,
  bound: Uint8Array,
  nonce: Uint8Array = randomBytes(NONCE_BYTES),
): Buffer {
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(bound);
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** Null where key, bound bytes and sealed bytes do not belong together. */
export function unseal(key: Buffer, sealed: Buffer, bound: Uint8Array): Buffer | null {
  if (sealed.length < NONCE_BYTES + TAG_BYTES) return null;
  const end = sealed.length - TAG_BYTES;
  const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, NONCE_BYTES)).setAAD(bound);
  decipher.setAuthTag(sealed.subarray(end));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, end)), decipher.final()]);
  } catch {
    return null; // the tag does not fit: the only thing GCM tells
  }
}

interface WrappingKey {
  readonly id: string;
  readonly key: Buffer;
}

function organisationKeys(keyDirectory: string): WrappingKey[] {
  const path = join(keyDirectory, "organisation.keys");
  const text = readSecretFile(path)?.toString("utf8") ?? "";
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [id = "", encoded = ""] = line.split(" ");
      const key = Buffer.from(encoded, "base64");
      if (key.length !== KEY_BYTES || keyIdOf(key) !== id)
        throw new Fault("ledger.key", { at: path, detail: "malformed line" });
      return { id, key };
    });
}

const keyIdOf = (key: Buffer): string =>
  sha256(Buffer.concat([Buffer.from("id"), key])).toString("hex", 0, 8);

/** Makes the organisation's first wrapping key where there is none. */
export async function ensureOrganisationKey(keyDirectory: string): Promise<void> {
  if (organisationKeys(keyDirectory).length > 0) return;
  const key = randomBytes(KEY_BYTES);
  await putFile(
    join(keyDirectory, "organisation.keys"),
    `${keyIdOf(key)} ${key.toString("base64")}\n`,
    0o600,
  );
}

const sessionKeyPath = (keyDirectory: string, origin: string, session: string): string =>
  join(ownDirectory(keyDirectory, origin), "sessions", `${session}.key`);

const erasingPath = (keyDirectory: string, origin: string, session: string): string =>
  sessionKeyPath(keyDirectory, origin, session).replace(/key$/, "erasing");
const erasedPath = (keyDirectory: string, origin: string, session: string): string =>
  sessionKeyPath(keyDirectory, origin, session).replace(/key$/, "erased");

/** How far the erasure of a session has come. */
export function erasure(
  keyDirectory: string,
  origin: string,
  session: string,
): "none" | "under way" | "done" {
  if (existsSync(erasingPath(keyDirectory, origin, session))) return "under way";
  return existsSync(erasedPath(keyDirectory, origin, session)) ? "done" : "none";
}

/** Sets a session's key aside so that nothing opens with it any more. False where there is none. */
export async function setKeyAside(keyDirectory: string, origin: string, session: string): Promise<boolean> {
  return await moveKey(
    sessionKeyPath(keyDirectory, origin, session),
    erasingPath(keyDirectory, origin, session),
  );
}

/** Takes back `setKeyAside`. */
export async function putKeyBack(keyDirectory: string, origin: string, session: string): Promise<boolean> {
  return await moveKey(
    erasingPath(keyDirectory, origin, session),
    sessionKeyPath(keyDirectory, origin, session),
  );
}

async function moveKey(from: string, to: string): Promise<boolean> {
  if (!existsSync(from)) return false;
  try {
    await rename(from, to);
    await syncDirectory(join(to, ".."));
    return true;
  } catch (error) {
    throw diskFault(error, from);
  }
}

/**
 * Destroys a key that was set aside. It is overwritten before it is removed; a disk that copies on write, or a backup,
 * may still hold it: there it is worthless without the organisation's key, and an erasure is complete when the last
 * backup that holds the file expires.
 */
export async function destroyKey(keyDirectory: string, origin: string, session: string): Promise<void> {
  const path = erasingPath(keyDirectory, origin, session);
  try {
    await putFile(erasedPath(keyDirectory, origin, session), "erased\n", 0o600);
    const file = await open(path, "r+");
    try {
      await file.write(randomBytes((await file.stat()).size), 0, undefined, 0);
      await file.sync();
    } finally {
      await file.close();
    }
    await unlink(path);
    await syncDirectory(join(path, ".."));
  } catch (error) {
    throw diskFault(error, path);
  }
}

/** Sessions whose erasure a crash interrupted. */
export function interruptedErasures(keyDirectory: string, origin: string): string[] {
  const directory = join(ownDirectory(keyDirectory, origin), "sessions");
  if (!existsSync(directory)) return [];
  return readdirSync(directory).flatMap((name) => (name.endsWith(".erasing") ? [name.slice(0, -8)] : []));
}

/** A legal hold: no session of these may be erased; `*` stands for all. */
export interface Hold {
  readonly case: string;
  readonly session: string;
}

export function readHolds(keyDirectory: string, origin: string): Hold[] {
  const path = join(ownDirectory(keyDirectory, origin), "holds");
  return (readSecretFile(path)?.toString("utf8") ?? "")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [name = "", session = "", more] = line.split(" ");
      // Fail closed: a hold that cannot be read must not be taken for none.
      if (name === "" || session === "" || more !== undefined)
        throw new Fault("ledger.key", { at: path, detail: "malformed line" });
      return { case: name, session };
    });
}

export async function writeHolds(
  keyDirectory: string,
  origin: string,
  holds: readonly Hold[],
): Promise<void> {
  const path = join(ownDirectory(keyDirectory, origin), "holds");
  try {
    await putFile(path, holds.map((h) => `${h.case} ${h.session}\n`).join(""), 0o600);
  } catch (error) {
    throw diskFault(error, path);
  }
}

const boundToSession = (origin: string, session: string): Buffer =>
  Buffer.from(`sallyport session key v1\n${origin}\n${session}\n`);

/** A session's data key, or null where it was destroyed, is about to be, or never made. */
export function sessionKey(keyDirectory: string, origin: string, session: string): Buffer | null {
  const path = sessionKeyPath(keyDirectory, origin, session);
  const text = readSecretFile(path)?.toString("utf8");
  if (text === undefined) return null;
  const [version, id, wrapped = ""] = text.trim().split(" ");
  const by = organisationKeys(keyDirectory).find((k) => k.id === id);
  if (version !== "v1" || by === undefined)
    throw new Fault("ledger.key", { at: path, detail: `wrapped by ${id ?? "nothing"}, which is not there` });
  const key = unseal(by.key, Buffer.from(wrapped, "base64"), boundToSession(origin, session));
  if (key === null) throw new Fault("ledger.key", { at: path, detail: "does not unwrap" });
  return key;
}

/** The session's data key, made and durable where there is none yet. */
export async function ensureSessionKey(
  keyDirectory: string,
  origin: string,
  session: string,
): Promise<Buffer> {
  const known = sessionKey(keyDirectory, origin, session);
  if (known !== null) return known;
  if (erasure(keyDirectory, origin, session) !== "none")
    throw new Fault("evidence.erased", { detail: `session ${session}` });
  const by = organisationKeys(keyDirectory)[0];
  if (by === undefined) throw new Fault("ledger.key", { at: keyDirectory, detail: "no organisation key" });
  const key = randomBytes(KEY_BYTES);
  const wrapped = seal(by.key, key, boundToSession(origin, session)).toString("base64");
  const path = sessionKeyPath(keyDirectory, origin, session);
  try {
    await makePrivateDirectory(join(path, ".."));
    await putFile(path, `v1 ${by.id} ${wrapped}\n`, 0o600);
  } catch (error) {
    throw diskFault(error, path);
  }
  return key;
}
