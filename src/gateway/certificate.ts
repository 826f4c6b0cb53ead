/**
 * The session's own certificate authority. Its key exists in this process's memory alone and dies with the session; its
 * certificate is trusted inside that session's sandbox and nowhere else. Leaves are ECDSA P-256 (RFC 5280 profile, one
 * subjectAltName, no common name longer than 64) over one key that all leaves of a gateway share: a new key per host
 * would cost more than the signature and protect nothing further.
 *
 * The writer is plain DER on node:crypto. It only writes, never reads, so nothing hostile is parsed here.
 */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { isIP } from "node:net";
import { createSecureContext, type SecureContext } from "node:tls";
import { addressBytes } from "./address.ts";

const DAY_MS = 86_400_000;
const CA_DAYS = 90;
const LEAF_DAYS = 60;
/** Clocks of containers run behind; a certificate from the future is refused. */
const BACKDATE_DAYS = 1;

/** TLS 1.3's three, and what of TLS 1.2 authenticates what it encrypts. */
const CIPHERS = [
  "TLS_AES_128_GCM_SHA256",
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
].join(":");

export interface LeafKey {
  readonly publicKey: KeyObject;
  /** PKCS#8 PEM, as createSecureContext wants it. */
  readonly pem: string;
}

export function newLeafKey(): LeafKey {
  const pair = newPair();
  return {
    publicKey: pair.publicKey,
    pem: pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

/** Mints certificates for hosts and keeps the most recently used. Owns the CA key. */
export class SessionAuthority {
  readonly #pair = newPair();
  readonly #name: Buffer;
  readonly #leafKey: LeafKey;
  readonly #now: () => number;
  readonly #most: number;
  /** Least recently used first. */
  readonly #contexts = new Map<string, SecureContext>();
  /** PEM. */
  readonly certificate: string;

  constructor(session: string, leafKey: LeafKey, now: () => number, mostContexts: number) {
    this.#leafKey = leafKey;
    this.#now = now;
    this.#most = mostContexts;
    this.#name = commonName(`Sallyport session ${session}`);
    this.certificate = this.#issue(this.#name, this.#pair.publicKey, CA_DAYS, [
      extension(OID.basicConstraints, true, seq(TRUE)),
      extension(OID.keyUsage, true, bitString(1, 0x06)),
    ]);
  }

  /** What a TLS server for `host` needs. */
  contextFor(host: string): SecureContext {
    const known = this.#contexts.get(host);
    if (known !== undefined) {
      this.#contexts.delete(host);
      this.#contexts.set(host, known);
      return known;
    }
    const made = createSecureContext({
      key: this.#leafKey.pem,
      cert: this.leaf(host) + this.certificate,
      minVersion: "TLSv1.2",
      ciphers: CIPHERS,
    });
    this.#contexts.set(host, made);
    const [oldest] = this.#contexts.keys();
    if (this.#contexts.size > this.#most && oldest !== undefined) this.#contexts.delete(oldest);
    return made;
  }

  /** PEM of a new certificate for `host`, under the shared leaf key. */
  leaf(host: string): string {
    return this.#issue(commonName(host.slice(0, 64)), this.#leafKey.publicKey, LEAF_DAYS, [
      extension(OID.basicConstraints, true, seq()),
      extension(OID.keyUsage, true, bitString(7, 0x80)),
      extension(OID.extKeyUsage, false, seq(oid("1.3.6.1.5.5.7.3.1"))),
      extension(OID.subjectAltName, false, seq(generalName(host))),
    ]);
  }

  #issue(subject: Buffer, key: KeyObject, days: number, extensions: readonly Buffer[]): string {
    const serial = randomBytes(16);
    serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
    const now = this.#now();
    const body = seq(
      context(0, der(0x02, Buffer.from([2]))),
      der(0x02, serial),
      ECDSA_SHA256,
      this.#name,
      seq(time(now - BACKDATE_DAYS * DAY_MS), time(now + days * DAY_MS)),
      subject,
      spki(key),
      context(
        3,
        seq(
          ...extensions,
          extension(OID.subjectKeyId, false, der(0x04, keyId(key))),
          extension(OID.authorityKeyId, false, seq(der(0x80, keyId(this.#pair.publicKey)))),
        ),
      ),
    );
    const signature = sign("sha256", body, this.#pair.privateKey);
    return pem(seq(body, ECDSA_SHA256, der(0x03, Buffer.from([0]), signature)));
  }
}

const newPair = (): { publicKey: KeyObject; privateKey: KeyObject } =>
  generateKeyPairSync("ec", { namedCurve: "P-256" });
const spki = (key: KeyObject): Buffer => key.export({ type: "spki", format: "der" });
const keyId = (key: KeyObject): Buffer => createHash("sha1").update(spki(key)).digest();

function pem(bytes: Buffer): string {
  const lines = bytes.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

// DER (X.690): tag, length, content.
function der(tag: number, ...content: readonly Buffer[]): Buffer {
  const body = Buffer.concat(content);
  const n = body.length;
  const length = n < 128 ? [n] : n < 256 ? [0x81, n] : [0x82, n >> 8, n & 255];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
}
const seq = (...content: readonly Buffer[]): Buffer => der(0x30, ...content);
const context = (number: number, ...content: readonly Buffer[]): Buffer => der(0xa0 | number, ...content);
const bitString = (unusedBits: number, byte: number): Buffer => der(0x03, Buffer.from([unusedBits, byte]));
const TRUE = der(0x01, Buffer.from([0xff]));

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split(".").map(Number);
  const bytes = [first * 40 + second];
  for (const part of rest) {
    const group = [part & 127];
    for (let left = part >>> 7; left > 0; left >>>= 7) group.unshift((left & 127) | 128);
    bytes.push(...group);
  }
  return der(0x06, Buffer.from(bytes));
}
const OID = {
  basicConstraints: "2.5.29.19",
  keyUsage: "2.5.29.15",
  extKeyUsage: "2.5.29.37",
  subjectAltName: "2.5.29.17",
  subjectKeyId: "2.5.29.14",
  authorityKeyId: "2.5.29.35",
} as const;
const ECDSA_SHA256 = seq(oid("1.2.840.10045.4.3.2"));

const extension = (id: string, isCritical: boolean, value: Buffer): Buffer =>
  seq(oid(id), ...(isCritical ? [TRUE] : []), der(0x04, value));
const commonName = (text: string): Buffer =>
  seq(der(0x31, seq(oid("2.5.4.3"), der(0x0c, Buffer.from(text, "utf8")))));

function time(at: number): Buffer {
  const digits = new Date(at).toISOString().replace(/[-:T]/g, "").slice(0, 14);
  // RFC 5280 4.1.2.5: two-digit years through 2049.
  return digits < "2050"
    ? der(0x17, Buffer.from(`${digits.slice(2)}Z`))
    : der(0x18, Buffer.from(`${digits}Z`));
}

function generalName(host: string): Buffer {
  const version = isIP(host);
  return version === 0 ? der(0x82, Buffer.from(host, "latin1")) : der(0x87, Buffer.from(addressBytes(host)));
}
