/**
 * A trust store for Java, which reads no PEM bundle and no variable that would name one: the certificates of a bundle in
 * the `JKS` format, laid where Java looks. All of them are entries of trusted certificates; there is no secret in it.
 *
 * Format: sun.security.provider.JavaKeyStore (OpenJDK). Big-endian: magic, version 2, count; for each entry tag 2, alias,
 * time, the type `X.509`, length, DER; at the end SHA-1 over the password (UTF-16), a phrase, and all before. Java checks
 * that only when it is given the password; `changeit` is the one that everybody knows.
 */
import { createHash } from "node:crypto";

/** Every certificate is one, with a length of two bytes. Not parsed: that would cost a session 20 ms. */
const DER_SEQUENCE = 0x30;
const MAGIC = 0xfeedfeed;
const VERSION = 2;
const TRUSTED = 2;
const PASSWORD = "changeit";
const PHRASE = "Mighty Aphrodite";
const PEM = /-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----/g;

/** The store's bytes; the same for the same bundle. What in it is no certificate is left out. */
export function javaTrustStore(bundle: string): Buffer {
  const certificates = [...bundle.matchAll(PEM)]
    .map(([, base64 = ""]) => Buffer.from(base64, "base64"))
    .filter((der) => der[0] === DER_SEQUENCE && der.length === 4 + der.readUInt16BE(2));
  const body = Buffer.concat([
    words(MAGIC, VERSION, certificates.length),
    ...certificates.flatMap((der, at) => [
      ...[words(TRUSTED), text(`ca${at}`), Buffer.alloc(8), text("X.509")],
      ...[words(der.length), der],
    ]),
  ]);
  const keyed = createHash("sha1").update(Buffer.from(PASSWORD, "utf16le").swap16()).update(PHRASE);
  return Buffer.concat([body, keyed.update(body).digest()]);
}

function words(...numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * numbers.length);
  for (const [at, number] of numbers.entries()) bytes.writeUInt32BE(number, 4 * at);
  return bytes;
}

/** Java's modified UTF-8; ours is ASCII, where the two are one. */
function text(ascii: string): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(ascii.length);
  return Buffer.concat([length, Buffer.from(ascii, "latin1")]);
}
