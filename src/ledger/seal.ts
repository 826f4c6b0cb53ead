/** Sealing under a key: what evidence frames and wrapped session keys have in common. */
import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from "node:crypto";

export const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** AES-256-GCM: nonce ‖ ciphertext ‖ tag. A nonce is random and used once. */
export function seal(
  key: Buffer | KeyObject,
  plain: Uint8Array,
  bound: Uint8Array,
  nonce: Uint8Array = randomBytes(NONCE_BYTES),
): Buffer {
  return sealBehind(key, new Uint8Array(0), plain, bound, nonce);
}

/** The same behind `head`, as one piece. */
export function sealBehind(
  key: Buffer | KeyObject,
  head: Uint8Array,
  plain: Uint8Array,
  bound: Uint8Array,
  nonce: Uint8Array,
): Buffer {
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(bound);
  const sealed = cipher.update(plain);
  // Of this mode it is always empty; it ends the tag's computation.
  cipher.final();
  const all = Buffer.allocUnsafe(head.length + nonce.length + sealed.length + TAG_BYTES);
  all.set(head);
  all.set(nonce, head.length);
  sealed.copy(all, head.length + nonce.length);
  cipher.getAuthTag().copy(all, all.length - TAG_BYTES);
  return all;
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
