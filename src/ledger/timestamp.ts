/**
 * Time-stamp tokens (RFC 3161, in CMS SignedData, RFC 5652): the request for one, and what makes one believed. Pure.
 *
 * Checked, in this order: the status is granted; the token's content is TSTInfo; its imprint is SHA-256 of our bytes; the
 * nonce is ours, where one was asked for; the one signer's signed attributes name the content's type, its digest and the
 * signer's certificate (ESSCertID, RFC 2634 and 5035); the signature over them; the certificate is for time-stamping
 * alone, critically; a chain to a root that is trusted, each valid at the time told.
 *
 * Not checked: revocation (a token is held against its own time, offline). Keys: RSA (PKCS #1 v1.5), ECDSA, Ed25519.
 */
import { createHash, verify, X509Certificate } from "node:crypto";
import { Fault } from "../core/index.ts";
import { children, context, type Der, der, derOid, expect, oidOf, readDer, TAG } from "./der.ts";

const OID = {
  sha256: "2.16.840.1.101.3.4.2.1",
  signedData: "1.2.840.113549.1.7.2",
  tstInfo: "1.2.840.113549.1.9.16.1.4",
  contentType: "1.2.840.113549.1.9.3",
  messageDigest: "1.2.840.113549.1.9.4",
  signingCertificate: "1.2.840.113549.1.9.16.2.12",
  signingCertificateV2: "1.2.840.113549.1.9.16.2.47",
  timeStamping: "1.3.6.1.5.5.7.3.8",
  extendedKeyUsage: "2.5.29.37",
} as const;

const DIGESTS: Readonly<Record<string, string>> = {
  "1.3.14.3.2.26": "sha1",
  [OID.sha256]: "sha256",
  "2.16.840.1.101.3.4.2.2": "sha384",
  "2.16.840.1.101.3.4.2.3": "sha512",
};
/** SHA-1 only names certificates (ESSCertID); nothing signed with it is believed. */
const SIGNED_DIGESTS: ReadonlySet<string> = new Set(["sha256", "sha384", "sha512"]);
/** Signature algorithm → digest; null: the digest that the signer info names. */
const SIGNATURES: Readonly<Record<string, string | null>> = {
  "1.2.840.113549.1.1.1": null,
  "1.2.840.113549.1.1.11": "sha256",
  "1.2.840.113549.1.1.12": "sha384",
  "1.2.840.113549.1.1.13": "sha512",
  "1.2.840.10045.4.3.2": "sha256",
  "1.2.840.10045.4.3.3": "sha384",
  "1.2.840.10045.4.3.4": "sha512",
  "1.3.101.112": null,
};
const ED25519 = "1.3.101.112";
const MAX_CHAIN = 8;

const bad = (detail: string): Fault => new Fault("anchor.invalid", { detail });

/** TimeStampReq for SHA-256 of `bytes`, asking for the certificate. `nonce`: 8 bytes, the first below 0x80 and not 0. */
export function timestampRequest(bytes: Uint8Array, nonce: Buffer): Buffer {
  const algorithm = der(TAG.sequence, derOid(OID.sha256), der(TAG.null));
  const imprint = der(TAG.sequence, algorithm, der(TAG.octets, createHash("sha256").update(bytes).digest()));
  const version = der(TAG.integer, Buffer.from([1]));
  const wantsCertificate = der(TAG.boolean, Buffer.from([0xff]));
  return der(TAG.sequence, version, imprint, der(TAG.integer, nonce), wantsCertificate);
}

export interface Stamped {
  /** Unix ms: the authority's word that the bytes existed then. */
  readonly at: number;
  /** Subject of the authority's certificate, one line. */
  readonly authority: string;
}

/**
 * `response`: a TimeStampResp. `roots`: certificates that are trusted. `nonce`: that of the request; null for a token that was
 * stored. Throws `anchor.invalid` with what is wrong.
 */
export function checkTimestamp(
  response: Buffer,
  bytes: Uint8Array,
  nonce: Buffer | null,
  roots: readonly X509Certificate[],
): Stamped {
  const signed = signedData(response);
  const info = tstInfo(signed.content);
  if (!info.imprint.equals(createHash("sha256").update(bytes).digest()))
    throw bad("it stamps other bytes than these");
  if (nonce !== null && info.nonce?.equals(nonce) !== true)
    throw bad("it answers another request: the nonce differs");
  const signer = checkSigner(signed);
  if (!isForTimestampsAlone(signer)) throw bad("the signer's certificate is not for time-stamping alone");
  checkChain(signer, signed.certificates, roots, info.at);
  return { at: info.at, authority: signer.subject.replaceAll("\n", ", ") };
}

interface SignedData {
  /** The TSTInfo's DER. */
  readonly content: Buffer;
  readonly certificates: readonly X509Certificate[];
  readonly signerInfo: Der;
}

/** RFC 3161 2.4.2: 0 granted, 1 granted with modifications; all else is a refusal. */
function signedData(response: Buffer): SignedData {
  const [status, token] = children(expect(readDer(response), TAG.sequence, "the response"));
  const [code] = children(expect(status, TAG.sequence, "the status"));
  const granted = expect(code, TAG.integer, "the status").content;
  if (granted.length !== 1 || (granted[0] ?? 2) > 1)
    throw bad(`the authority refused: status ${granted.toString("hex")}`);
  const [type, wrapped] = children(expect(token, TAG.sequence, "the token"));
  if (oidOf(type) !== OID.signedData) throw bad("the token is no SignedData");
  const [inner] = children(expect(wrapped, context(0), "the token's content"));
  const parts = children(expect(inner, TAG.sequence, "SignedData"));
  const [contentType, explicit] = children(expect(parts[2], TAG.sequence, "the encapsulated content"));
  if (oidOf(contentType) !== OID.tstInfo) throw bad("the token's content is no TSTInfo");
  const [octets] = children(expect(explicit, context(0), "the encapsulated content"));
  const certificates = parts.find((part) => part.tag === context(0));
  const infos = children(expect(parts.at(-1), TAG.set, "the signers"));
  const [signerInfo] = infos;
  if (signerInfo === undefined || infos.length !== 1) throw bad("a token has one signer");
  return {
    content: expect(octets, TAG.octets, "TSTInfo").content,
    certificates: certificates === undefined ? [] : children(certificates).map(certificateOf),
    signerInfo,
  };
}

function certificateOf(element: Der): X509Certificate {
  try {
    return new X509Certificate(element.bytes);
  } catch (cause) {
    throw new Fault("anchor.invalid", { detail: "a certificate in the token cannot be read", cause });
  }
}

function tstInfo(content: Buffer): {
  readonly at: number;
  readonly imprint: Buffer;
  readonly nonce: Buffer | null;
} {
  const [version, , imprint, , time, ...rest] = children(expect(readDer(content), TAG.sequence, "TSTInfo"));
  if (!expect(version, TAG.integer, "the version").content.equals(Buffer.from([1])))
    throw bad("unknown version of TSTInfo");
  const [algorithm, digest] = children(expect(imprint, TAG.sequence, "the imprint"));
  if (oidOf(children(expect(algorithm, TAG.sequence, "the imprint's digest"))[0]) !== OID.sha256)
    throw bad("its imprint is not by SHA-256");
  return {
    at: timeOf(expect(time, TAG.time, "the time")),
    imprint: expect(digest, TAG.octets, "the imprint").content,
    nonce: rest.find((part) => part.tag === TAG.integer)?.content ?? null,
  };
}

/** GeneralizedTime as RFC 3161 wants it: UTC, seconds, a fraction without trailing zeros. */
function timeOf({ content }: Der): number {
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\.\d{1,9})?Z$/.exec(content.toString("latin1"));
  const [, year, month, day, hour, minute, second, fraction = ""] = parts ?? [];
  const at = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (parts === null || Number.isNaN(at)) throw bad("its time is malformed");
  return at + Math.floor(Number(`0${fraction}`) * 1000);
}

/** The certificate whose key signed it. */
function checkSigner({ content, certificates, signerInfo }: SignedData): X509Certificate {
  const [, , digestAlgorithm, signedAttributes, signatureAlgorithm, signature] = children(
    expect(signerInfo, TAG.sequence, "the signer"),
  );
  const digest = DIGESTS[oidOf(children(expect(digestAlgorithm, TAG.sequence, "the digest"))[0])] ?? "";
  if (!SIGNED_DIGESTS.has(digest)) throw bad("its digest is not of the SHA-2 family");
  const attributes = attributesOf(expect(signedAttributes, context(0), "the signed attributes"));
  if (oidOf(attributes.get(OID.contentType)) !== OID.tstInfo) throw bad("it signs another type of content");
  const told = expect(attributes.get(OID.messageDigest), TAG.octets, "the message digest").content;
  if (!told.equals(createHash(digest).update(content).digest()))
    throw bad("its content is altered: the digest differs");
  const signer = certificates.find((certificate) => isNamed(certificate, attributes));
  if (signer === undefined)
    throw bad("the signer's certificate, as its attributes name it, is not in the token");
  const algorithm = oidOf(children(expect(signatureAlgorithm, TAG.sequence, "the signature's algorithm"))[0]);
  const by = SIGNATURES[algorithm];
  if (by === undefined) throw bad(`signature algorithm ${algorithm} is not known`);
  // RFC 5652 5.4: what is signed is the attributes as a SET, not with the tag they stand under.
  const bytes = Buffer.from((signedAttributes as Der).bytes); // expected above
  bytes[0] = TAG.set;
  const hash = algorithm === ED25519 ? null : (by ?? digest);
  if (!verify(hash, bytes, signer.publicKey, expect(signature, TAG.octets, "the signature").content))
    throw bad("its signature is wrong");
  return signer;
}

/** The one value of each signed attribute, by its identifier. */
function attributesOf(element: Der): Map<string, Der> {
  const all = new Map<string, Der>();
  for (const attribute of children(element)) {
    const [type, values] = children(attribute);
    const [value, more] = children(expect(values, TAG.set, "an attribute's value"));
    const oid = oidOf(type);
    if (value === undefined || more !== undefined || all.has(oid))
      throw bad("a signed attribute has not one value");
    all.set(oid, value);
  }
  return all;
}

/** SigningCertificate (SHA-1) or SigningCertificateV2 (default SHA-256): the first in their lists is the signer's. */
function isNamed(certificate: X509Certificate, attributes: ReadonlyMap<string, Der>): boolean {
  const v2 = attributes.get(OID.signingCertificateV2);
  const named = v2 ?? attributes.get(OID.signingCertificate);
  const [list] = children(expect(named, TAG.sequence, "the signer's certificate"));
  const [id] = children(expect(list, TAG.sequence, "the signer's certificate"));
  const [first, second] = children(expect(id, TAG.sequence, "the signer's certificate"));
  const algorithm =
    first?.tag === TAG.sequence ? DIGESTS[oidOf(children(first)[0])] : v2 === undefined ? "sha1" : "sha256";
  if (algorithm === undefined) throw bad("the signer's certificate is named by an unknown digest");
  const told = expect(
    first?.tag === TAG.sequence ? second : first,
    TAG.octets,
    "the certificate's hash",
  ).content;
  return told.equals(createHash(algorithm).update(certificate.raw).digest());
}

/** RFC 3161 2.3: extended key usage, critical, for time-stamping and nothing else. */
export function isForTimestampsAlone(certificate: X509Certificate): boolean {
  const [body] = children(readDer(certificate.raw));
  const extensions = children(expect(body, TAG.sequence, "the certificate")).find(
    (part) => part.tag === context(3),
  );
  const [list] = extensions === undefined ? [] : children(extensions);
  for (const extension of list === undefined ? [] : children(list)) {
    const [oid, critical, value] = children(extension);
    if (oidOf(oid) !== OID.extendedKeyUsage || critical?.tag !== TAG.boolean || critical.content[0] !== 0xff)
      continue;
    const purposes = children(readDer(expect(value, TAG.octets, "the key's usage").content)).map(oidOf);
    if (purposes.length === 1 && purposes[0] === OID.timeStamping) return true;
  }
  return false;
}

/** From the signer over certificates in the token to a trusted root. */
function checkChain(
  signer: X509Certificate,
  others: readonly X509Certificate[],
  roots: readonly X509Certificate[],
  at: number,
): void {
  let present = signer;
  for (let depth = 0; depth < MAX_CHAIN; depth++) {
    if (at < Date.parse(present.validFrom) || at > Date.parse(present.validTo))
      throw bad(`the certificate of ${present.subject.replaceAll("\n", ", ")} was not valid then`);
    const child = present;
    if (roots.some((root) => root.raw.equals(child.raw))) return;
    const isIssuer = (candidate: X509Certificate): boolean =>
      candidate.ca && child.checkIssued(candidate) && child.verify(candidate.publicKey);
    const issuer =
      roots.find(isIssuer) ?? others.find((other) => !other.raw.equals(child.raw) && isIssuer(other));
    if (issuer === undefined) throw bad("no chain leads from the signer's certificate to a trusted root");
    present = issuer;
  }
  throw bad("the chain of certificates is too long");
}

/** The certificates in a PEM text. Throws `anchor.invalid` where there is none. */
export function certificatesOf(pem: string): X509Certificate[] {
  const found = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (found.length === 0) throw bad("no certificate in the file of trusted roots");
  try {
    return found.map((text) => new X509Certificate(text));
  } catch (cause) {
    throw new Fault("anchor.invalid", { detail: "a trusted root cannot be read", cause });
  }
}
