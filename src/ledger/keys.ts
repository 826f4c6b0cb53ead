/**
 * The key directory (0700, files 0600), apart from the ledger so that the two can be backed up, and expire, apart:
 *
 *   organisation.keys             what wraps session keys (wrapping.ts); the first line wraps new ones
 *   <origin, "/" as "_">/signing.key   the checkpoint signers, in the form of golang.org/x/mod/sumdb/note: the present
 *                                 one, and for a period after a change the one before it
 *   <origin …>/checkpoint         the newest checkpoint signed with it: what makes a restored old copy stand out
 *   <origin …>/sessions/<id>.key  a session's data key, wrapped; destroying it erases the session's
 *                                 evidence. `.erasing`: to be destroyed; `.erased`: destroyed, never to be made again
 *   <origin …>/holds              legal holds in force, `<case> <session or *>` a line
 *
 * Crash story: a session's key file is on the disk before the first byte sealed under it is written.
 * A key file that others can read is refused, not repaired: it must be taken for leaked.
 */
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { open, rename, unlink } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "../core/index.ts";
import { diskFault, putFile, readIfThere, readSecretFile, syncDirectory } from "./files.ts";
import { parseSignerKey, type Signer, signerKeyText } from "./note.ts";
import { KEY_BYTES, unwrapKey, wrapKey } from "./wrapping.ts";

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

/** A session's data key, or null where it was destroyed, is about to be, or never made. Throws `ledger.key`, `ledger.kms`. */
export async function sessionKey(
  keyDirectory: string,
  origin: string,
  session: string,
): Promise<Buffer | null> {
  const path = sessionKeyPath(keyDirectory, origin, session);
  const line = readSecretFile(path)?.toString("utf8");
  return line === undefined ? null : await unwrapKey(keyDirectory, line, path, { origin, session });
}

/** The session's data key, made and durable where there is none yet. */
export async function ensureSessionKey(
  keyDirectory: string,
  origin: string,
  session: string,
): Promise<Buffer> {
  const known = await sessionKey(keyDirectory, origin, session);
  if (known !== null) return known;
  if (erasure(keyDirectory, origin, session) !== "none")
    throw new Fault("evidence.erased", { detail: `session ${session}` });
  const key = randomBytes(KEY_BYTES);
  const line = await wrapKey(keyDirectory, key, { origin, session });
  const path = sessionKeyPath(keyDirectory, origin, session);
  try {
    await makePrivateDirectory(join(path, ".."));
    await putFile(path, line, 0o600);
  } catch (error) {
    throw diskFault(error, path);
  }
  return key;
}
