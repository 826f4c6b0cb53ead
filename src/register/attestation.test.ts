// Statements signed by a certificate authority, logs and keys made for this test: the same code that checks real ones.
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { initializeCA, initializeTLog } from "@sigstore/mock";
import { beforeAll, describe, expect, test } from "vitest";
import { type AttestationTrust, attestationCheck } from "./index.ts";

const SLSA = "https://slsa.dev/provenance/v1";
const PUBLISH = "https://github.com/npm/attestation/tree/main/specs/publish/v0.1";
const DIGEST = createHash("sha512").update("the tarball").digest();
const VERSION = {
  ...{ name: "@v/agent", version: "1.2.3", integrity: `sha512-${DIGEST.toString("base64")}` },
  repository: "git+https://github.com/v/agent.git",
};
const WORKFLOW = "https://github.com/v/agent/.github/workflows/release.yml@refs/tags/v1.2.3";
const GITHUB = "https://token.actions.githubusercontent.com";

const der = (key: KeyObject): Buffer => key.export({ format: "der", type: "spki" });
interface Pair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}
const newPair = (): Pair => generateKeyPairSync("ec", { namedCurve: "P-256" });

interface World {
  readonly trust: AttestationTrust;
  attest(more?: Attested): Promise<{ predicateType: string; bundle: Record<string, unknown> }>;
}
interface Logged {
  readonly body: string;
  readonly integratedTime: number;
  readonly logIndex: number;
  readonly verification: {
    readonly signedEntryTimestamp: string;
    readonly inclusionProof: {
      readonly logIndex: number;
      readonly rootHash: string;
      readonly treeSize: number;
      readonly checkpoint: string;
    };
  };
}
interface Attested {
  readonly type?: string;
  readonly subject?: string;
  readonly digest?: string;
  readonly workflow?: string;
  readonly issuer?: string;
  /** Signed by the registry's key instead of by a certificate. */
  readonly byKey?: boolean;
}

/** A certificate transparency log (RFC 6962 3.2): what it promises of a certificate that is about to be issued. */
function transparency({ publicKey, privateKey }: Pair): Parameters<typeof initializeCA>[1] & object {
  const logID = createHash("sha256").update(der(publicKey)).digest();
  return {
    ...{ publicKey: der(publicKey), logID },
    log: async (certificate, issuer) => {
      // The certificate is a sequence of which the first part is what is signed; both lengths take two bytes.
      const inner = Buffer.from(certificate).subarray(4);
      const tbs = inner.subarray(0, 4 + inner.readUInt16BE(2));
      const time = Buffer.alloc(8);
      time.writeBigUInt64BE(BigInt(Date.now()));
      const size = Buffer.from([0, tbs.length >> 8, tbs.length & 0xff]);
      const none = Buffer.from([0, 0]);
      const signed = [Buffer.from([0, 0]), time, Buffer.from([0, 1]), Buffer.from(issuer), size, tbs, none];
      const signature = sign("sha256", Buffer.concat(signed), privateKey);
      const rest = [Buffer.from([0]), logID, time, none, Buffer.from([4, 3, 0, signature.length]), signature];
      const promise = Buffer.concat(rest);
      return new Uint8Array([0, promise.length, ...promise]).buffer;
    },
  };
}

async function makeWorld(): Promise<World> {
  const [caKeys, ctKeys, logKeys, npmKeys] = [newPair(), newPair(), newPair(), newPair()];
  const ctlog = transparency(ctKeys);
  const ca = await initializeCA(caKeys, ctlog);
  const tlog = await initializeTLog("https://rekor.sigstore.dev", logKeys);
  const from = { start: "2020-01-01T00:00:00.000Z" };
  const key = (bytes: Buffer): object => ({
    ...{ rawBytes: bytes.toString("base64"), keyDetails: "PKIX_ECDSA_P256_SHA_256", validFor: from },
  });
  const log = (bytes: Buffer, id: Buffer): object => ({
    ...{ baseUrl: "https://rekor.sigstore.dev", hashAlgorithm: "SHA2_256", publicKey: key(bytes) },
    logId: { keyId: id.toString("base64") },
  });
  const logId = createHash("sha256").update(tlog.publicKey).digest();
  const root = {
    mediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
    tlogs: [log(tlog.publicKey, logId)],
    ctlogs: [log(ctlog.publicKey, ctlog.logID)],
    certificateAuthorities: [
      {
        ...{ subject: { commonName: "test", organization: "test" }, uri: "https://ca.test", validFor: from },
        certChain: { certificates: [{ rawBytes: ca.rootCertificate.toString("base64") }] },
      },
    ],
    timestampAuthorities: [],
  };
  const attest: World["attest"] = async ({
    type = SLSA,
    subject = "pkg:npm/%40v/agent@1.2.3",
    digest = DIGEST.toString("hex"),
    workflow = WORKFLOW,
    issuer = GITHUB,
    byKey = false,
  } = {}) => {
    const statement = {
      ...{ _type: "https://in-toto.io/Statement/v1", predicateType: type, predicate: {} },
      subject: [{ name: subject, digest: { sha512: digest } }],
    };
    const payload = Buffer.from(JSON.stringify(statement));
    const payloadType = "application/vnd.in-toto+json";
    const encoded = Buffer.concat([
      Buffer.from(`DSSEv1 ${payloadType.length} ${payloadType} ${payload.length} `),
      payload,
    ]);
    const keys = byKey ? npmKeys : newPair();
    const signature = sign("sha256", encoded, keys.privateKey).toString("base64");
    const certificate = byKey
      ? null
      : await ca.issueCertificate({
          publicKey: der(keys.publicKey),
          subjectAltName: workflow,
          extensions: [
            { oid: "1.3.6.1.4.1.57264.1.1", value: issuer, legacy: true },
            { oid: "1.3.6.1.4.1.57264.1.8", value: issuer },
          ],
        });
    const verifier =
      certificate === null
        ? keys.publicKey.export({ format: "pem", type: "spki" })
        : `-----BEGIN CERTIFICATE-----\n${certificate.toString("base64")}\n-----END CERTIFICATE-----\n`;
    const logged = await tlog.log({
      ...{ apiVersion: "0.0.1", kind: "dsse" },
      spec: {
        envelopeHash: { algorithm: "sha256", value: "00".repeat(32) },
        payloadHash: { algorithm: "sha256", value: createHash("sha256").update(payload).digest("hex") },
        signatures: [{ signature, verifier: Buffer.from(verifier).toString("base64") }],
      },
    });
    // As Rekor's interface has it; its types are not installed.
    const [entry] = Object.values(logged as Readonly<Record<string, Logged>>);
    if (entry === undefined) throw new Error("the log gave no entry");
    const proof = entry.verification.inclusionProof;
    return {
      predicateType: type,
      bundle: {
        mediaType: "application/vnd.dev.sigstore.bundle+json;version=0.2",
        verificationMaterial: {
          ...(certificate === null
            ? { publicKey: { hint: "SHA256:npm" } }
            : { x509CertificateChain: { certificates: [{ rawBytes: certificate.toString("base64") }] } }),
          tlogEntries: [
            {
              logIndex: String(entry.logIndex),
              logId: { keyId: logId.toString("base64") },
              kindVersion: { kind: "dsse", version: "0.0.1" },
              integratedTime: String(entry.integratedTime),
              inclusionPromise: { signedEntryTimestamp: entry.verification.signedEntryTimestamp },
              inclusionProof: {
                logIndex: String(proof.logIndex),
                rootHash: Buffer.from(proof.rootHash, "hex").toString("base64"),
                treeSize: String(proof.treeSize),
                hashes: [],
                checkpoint: { envelope: proof.checkpoint },
              },
              canonicalizedBody: entry.body,
            },
          ],
        },
        dsseEnvelope: {
          ...{ payload: payload.toString("base64"), payloadType },
          signatures: [{ sig: signature, keyid: byKey ? "SHA256:npm" : "" }],
        },
      },
    };
  };
  const npm = { id: "SHA256:npm", usage: "npm:attestations", key: npmKeys.publicKey, endedAt: null } as const;
  return { trust: { root, keys: [npm] }, attest };
}

let world: World;
let other: World;
beforeAll(async () => {
  [world, other] = await Promise.all([makeWorld(), makeWorld()]);
});

describe("an attestation", () => {
  test.each<[string, readonly Attested[], string, string]>([
    ["by the builder and by the registry", [{}, { type: PUBLISH, byKey: true }], "ok", WORKFLOW],
    ["by the registry alone", [{ type: PUBLISH, byKey: true }], "ok", "npm says"],
    ["of other bytes", [{ digest: "00".repeat(64) }], "failed", "other bytes"],
    ["of another version", [{ subject: "pkg:npm/%40v/agent@1.2.4" }], "failed", "it speaks of"],
    [
      "from another repository than the package names",
      [{ workflow: WORKFLOW.replace("/v/", "/mallory/") }],
      "attention",
      "mallory/agent",
    ],
    ["by somebody's own account", [{ issuer: "https://accounts.example" }], "attention", "accounts.example"],
  ])("%s", async (_what, all, state, detail) => {
    const attestations = await Promise.all(all.map((one) => world.attest(one)));
    expect(attestationCheck({ attestations }, "", VERSION, world.trust)).toMatchObject({
      state,
      detail: expect.stringContaining(detail),
    });
  });

  test("under another authority is none", async () => {
    for (const byKey of [false, true]) {
      const attestations = [await other.attest({ byKey })];
      expect(attestationCheck({ attestations }, "", VERSION, world.trust).state).toBe("failed");
    }
  });

  test("under the shipped root one made here is none, and the root can be read", async () => {
    const root: unknown = JSON.parse(
      readFileSync(join(import.meta.dirname, "../../register/trust/sigstore-root.json"), "utf8"),
    );
    const { detail, state } = attestationCheck({ attestations: [await world.attest()] }, "", VERSION, {
      root,
      keys: [],
    });
    expect(state).toBe("failed");
    expect(detail).not.toMatch(/undefined|cannot read/i);
  });

  test.each<[string, (text: string) => string]>([
    [
      "another payload",
      (text) => text.replace(/"payload":"(.)/, (_, c) => `"payload":"${c === "e" ? "f" : "e"}`),
    ],
    [
      "no entry in the log",
      (text) => text.replace(/"tlogEntries":\[.*?\]\}(?=,"dsse|\})/s, '"tlogEntries":[]}'),
    ],
    ["another time in the log", (text) => text.replace(/"integratedTime":"\d/, '"integratedTime":"2')],
    ["a changed signature", (text) => text.replace(/"sig":"MEU?C?I?/, '"sig":"MEQCIA')],
  ])("with %s is none", async (_what, change) => {
    const before = JSON.stringify(await world.attest());
    const after = change(before);
    expect(after).not.toBe(before);
    expect(attestationCheck({ attestations: [JSON.parse(after)] }, "", VERSION, world.trust).state).toBe(
      "failed",
    );
  });

  test.each([
    ["was not there", null],
    ["is no answer", { attestations: [] }],
  ])("that %s is said to be unchecked", (_what, answer) => {
    expect(attestationCheck(answer, "HTTP 404", VERSION, world.trust).state).toBe("unchecked");
  });
});
