/**
 * The session's own certificate authority. Its key exists in this process's memory alone and dies with the session; its
 * certificate is trusted inside that session's sandbox and nowhere else. Leaves are ECDSA P-256 (RFC 5280 profile, one
 * subjectAltName, no common name longer than 64) over one key that all leaves of a gateway share: a new key per host
 * would cost more than the signature and protect nothing further.
 *
 * The structures and their DER are those of @peculiar/asn1-x509; the keys and the signature are Node's (docs/adr/0001).
 */
import { constants, createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { isIP } from "node:net";
import { createSecureContext, type SecureContext } from "node:tls";
import { AsnConvert, OctetString } from "@peculiar/asn1-schema";
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  ExtendedKeyUsage,
  Extension,
  Extensions,
  GeneralName,
  id_ce_authorityKeyIdentifier,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_subjectAltName,
  id_ce_subjectKeyIdentifier,
  id_kp_serverAuth,
  KeyIdentifier,
  KeyUsage,
  KeyUsageFlags,
  Name,
  RelativeDistinguishedName,
  SubjectAlternativeName,
  SubjectKeyIdentifier,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
} from "@peculiar/asn1-x509";

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
  readonly #name: Name;
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
      extension(id_ce_basicConstraints, true, new BasicConstraints({ cA: true })),
      extension(id_ce_keyUsage, true, new KeyUsage(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign)),
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
      // A client of TLS 1.2 could ask for handshake after handshake, which cost us more than it.
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    });
    this.#contexts.set(host, made);
    const [oldest] = this.#contexts.keys();
    if (this.#contexts.size > this.#most && oldest !== undefined) this.#contexts.delete(oldest);
    return made;
  }

  /** PEM of a new certificate for `host`, under the shared leaf key. */
  leaf(host: string): string {
    return this.#issue(commonName(host.slice(0, 64)), this.#leafKey.publicKey, LEAF_DAYS, [
      extension(id_ce_basicConstraints, true, new BasicConstraints({ cA: false })),
      extension(id_ce_keyUsage, true, new KeyUsage(KeyUsageFlags.digitalSignature)),
      extension(id_ce_extKeyUsage, false, new ExtendedKeyUsage([id_kp_serverAuth])),
      extension(id_ce_subjectAltName, false, new SubjectAlternativeName([generalName(host)])),
    ]);
  }

  #issue(subject: Name, key: KeyObject, days: number, extensions: readonly Extension[]): string {
    const serial = randomBytes(16);
    serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40; // positive, and no leading zero
    const now = this.#now();
    const body = new TBSCertificate({
      version: Version.v3,
      serialNumber: exact(serial),
      signature: ECDSA_SHA256,
      issuer: this.#name,
      validity: new Validity({
        notBefore: new Date(now - BACKDATE_DAYS * DAY_MS),
        notAfter: new Date(now + days * DAY_MS),
      }),
      subject,
      subjectPublicKeyInfo: AsnConvert.parse(spki(key), SubjectPublicKeyInfo),
      extensions: new Extensions([
        ...extensions,
        extension(id_ce_subjectKeyIdentifier, false, new SubjectKeyIdentifier(keyId(key))),
        extension(
          id_ce_authorityKeyIdentifier,
          false,
          new AuthorityKeyIdentifier({ keyIdentifier: new KeyIdentifier(keyId(this.#pair.publicKey)) }),
        ),
      ]),
    });
    const signature = sign("sha256", Buffer.from(AsnConvert.serialize(body)), this.#pair.privateKey);
    return pem(
      new Certificate({
        tbsCertificate: body,
        signatureAlgorithm: ECDSA_SHA256,
        signatureValue: exact(signature),
      }),
    );
  }
}

const ECDSA_SHA256 = new AlgorithmIdentifier({ algorithm: "1.2.840.10045.4.3.2" }); // RFC 5758 3.2: no parameters
const COMMON_NAME = "2.5.4.3";

const newPair = (): { publicKey: KeyObject; privateKey: KeyObject } =>
  generateKeyPairSync("ec", { namedCurve: "P-256" });
const spki = (key: KeyObject): Buffer => key.export({ type: "spki", format: "der" });
const keyId = (key: KeyObject): ArrayBuffer => exact(createHash("sha1").update(spki(key)).digest());

/** The bytes in an ArrayBuffer of their own, as the library takes them; a Buffer's may be shared. */
const exact = (bytes: Uint8Array): ArrayBuffer => Uint8Array.from(bytes).buffer;

function pem(certificate: Certificate): string {
  const lines =
    Buffer.from(AsnConvert.serialize(certificate))
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

const extension = (extnID: string, critical: boolean, value: object): Extension =>
  new Extension({ extnID, critical, extnValue: new OctetString(AsnConvert.serialize(value)) });

const commonName = (text: string): Name =>
  new Name([
    new RelativeDistinguishedName([
      new AttributeTypeAndValue({ type: COMMON_NAME, value: new AttributeValue({ utf8String: text }) }),
    ]),
  ]);

const generalName = (host: string): GeneralName =>
  isIP(host) === 0 ? new GeneralName({ dNSName: host }) : new GeneralName({ iPAddress: host });
