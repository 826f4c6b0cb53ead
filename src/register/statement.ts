/**
 * What people say of builds and of a repository's extensions: approved, or revoked. A statement is a DSSE envelope
 * (github.com/secure-systems-lab/dsse v1.0.2, Ed25519) round RFC 8785 JSON, one file each, so that a register can live in
 * a git repository and be signed on another machine. Pure.
 */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { z } from "zod";
import { canonicalBytes, Fault, type Json } from "../core/index.ts";

export const PAYLOAD_TYPE = "application/vnd.sallyport.register.v1+json";
const SPKI_HEAD = Buffer.from("302a300506032b6570032100", "hex"); // RFC 8410

const Line = z.string().regex(/^[^\p{Cc}\u2028\u2029]{1,400}$/u, "one line of text");
const Hash = z.string().regex(/^h1:[A-Za-z0-9+/]{43}=$/, "h1: and the base64 of 32 bytes");

const Subject = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("build"),
    agent: Line,
    version: Line,
    /** `linux-x64`, as Node names platform and architecture. */
    platform: Line,
    /** See build.ts. */
    hash: Hash,
    /** How many files the hash covers. */
    files: z.int().min(1),
    /** SHA-256 of the executable, hex: enough to know a native program installed in another way. */
    executable: z.string().regex(/^[0-9a-f]{64}$/, "64 hex digits"),
    /** Whether the executable is the whole program, and not a script that loads other files. */
    native: z.boolean(),
  }),
  z.strictObject({
    kind: z.literal("extension"),
    type: z.enum(["settings", "hook", "mcp", "skill", "plugin", "command", "agent"]),
    /** Path in the repository. */
    path: Line,
    /** `h1:` over its files, named by path. */
    hash: Hash,
  }),
]);
export type Subject = z.infer<typeof Subject>;

const Statement = z.strictObject({
  type: z.literal("sallyport/register/v1"),
  action: z.enum(["approve", "revoke"]),
  subject: Subject,
  /** Who says it, as the approvers' list names the key. */
  by: Line,
  /** Unix ms. */
  at: z.int().min(0),
  reason: Line,
  /** Unix ms; null: until revoked. */
  expires: z.int().min(0).nullable(),
  /** What was looked at: for example the SHA-256 of a vetting report. */
  evidence: z.record(Line, Line),
});
export type Statement = z.infer<typeof Statement>;

const Envelope = z.strictObject({
  payloadType: z.literal(PAYLOAD_TYPE),
  payload: z.base64(),
  signatures: z.array(z.strictObject({ keyid: Line, sig: z.base64() })).length(1),
});

/** Somebody whose word counts: a name, and the base64 of the 32 bytes of an Ed25519 public key. */
export interface Approver {
  readonly name: string;
  readonly key: string;
}

export interface SignedStatement {
  readonly statement: Statement;
  /** SHA-256 of the payload, hex: how the ledger names it. */
  readonly id: string;
}

/** The envelope's text. `key`: an Ed25519 private key. */
export function signStatement(statement: Statement, key: KeyObject): string {
  const payload = payloadOf(statement);
  const sig = sign(null, preAuthentication(payload), key);
  const envelope = {
    payloadType: PAYLOAD_TYPE,
    payload: Buffer.from(payload).toString("base64"),
    signatures: [{ keyid: keyId(publicText(key)), sig: sig.toString("base64") }],
  };
  return `${JSON.stringify(envelope, null, 2)}\n`;
}

/** SHA-256 of the payload, hex: the id under which the ledger holds a statement. */
export const statementId = (statement: Statement): string =>
  createHash("sha256").update(payloadOf(statement)).digest("hex");

/** What a key signs that is somewhere else, a browser for instance: the payload, and the bytes that the signature is over. */
export const toSign = (
  statement: Statement,
): { readonly payload: Uint8Array; readonly signed: Uint8Array } => {
  const payload = payloadOf(statement);
  return { payload, signed: preAuthentication(payload) };
};

/** Throws `register.invalid` for what could not be read back: signed and stored, it would stop the whole register. */
function payloadOf(statement: Statement): Uint8Array {
  const checked = Statement.safeParse(statement);
  if (!checked.success) throw new Fault("register.invalid", { detail: issue(checked.error) });
  return canonicalBytes(statement as unknown as Json);
}

/**
 * The statement, if one of the approvers made it in their own name; null for a stranger's. Throws `register.invalid` for
 * what is no envelope, or bears an approver's key with a signature that is wrong.
 */
export function openStatement(
  text: string,
  file: string,
  approvers: readonly Approver[],
): SignedStatement | null {
  const invalid = (detail: string, cause?: unknown): Fault =>
    new Fault("register.invalid", { at: file, detail, cause });
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (cause) {
    throw invalid("not JSON", cause);
  }
  const envelope = Envelope.safeParse(raw);
  if (!envelope.success) throw invalid(`not a DSSE envelope of ${PAYLOAD_TYPE}: ${issue(envelope.error)}`);
  const [signature] = envelope.data.signatures;
  const approver = approvers.find(({ key }) => keyId(key) === signature?.keyid);
  if (approver === undefined || signature === undefined) return null;
  const payload = Buffer.from(envelope.data.payload, "base64");
  if (
    !verify(null, preAuthentication(payload), publicKey(approver.key), Buffer.from(signature.sig, "base64"))
  )
    throw invalid(`the signature is not ${approver.name}'s`);
  const statement = Statement.safeParse(JSON.parse(payload.toString("utf8")));
  if (!statement.success) throw invalid(issue(statement.error));
  if (statement.data.by !== approver.name)
    throw invalid(`signed by ${approver.name} in the name of ${statement.data.by}`);
  return { statement: statement.data, id: createHash("sha256").update(payload).digest("hex") };
}

/** The raw public key as an approvers' list holds it. */
export function publicText(key: KeyObject): string {
  const shown = key.type === "private" ? createPublicKey(key) : key;
  return shown.export({ format: "der", type: "spki" }).subarray(-32).toString("base64");
}

/** Throws `register.invalid` for what is no key. */
export function publicKey(text: string): KeyObject {
  const bytes = Buffer.from(text, "base64");
  if (bytes.length !== 32 || bytes.toString("base64") !== text)
    throw new Fault("register.invalid", { detail: "an approver's key is the base64 of 32 bytes" });
  return createPublicKey({ key: Buffer.concat([SPKI_HEAD, bytes]), format: "der", type: "spki" });
}

/** Reads an approver's private key (PKCS 8, PEM). Throws `register.invalid`. */
export function privateKey(pem: string, file: string): KeyObject {
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType === "ed25519") return key;
  } catch (cause) {
    throw new Fault("register.invalid", { at: file, detail: "not a private key", cause });
  }
  throw new Fault("register.invalid", { at: file, detail: "not an Ed25519 key" });
}

/** First 8 bytes of the SHA-256 of the raw public key, hex. */
const keyId = (key: string): string =>
  createHash("sha256").update(Buffer.from(key, "base64")).digest("hex").slice(0, 16);

/** PAE of the DSSE specification. */
function preAuthentication(payload: Uint8Array): Buffer {
  return Buffer.concat([
    Buffer.from(`DSSEv1 ${PAYLOAD_TYPE.length} ${PAYLOAD_TYPE} ${payload.length} `),
    payload,
  ]);
}

const issue = (error: z.ZodError): string => {
  const first = error.issues[0];
  return first === undefined ? "" : `${first.path.join(".")}: ${first.message}`;
};
