/**
 * npm's own signature over one version of a package: ECDSA P-256 with SHA-256 over `name@version:integrity`
 * (docs.npmjs.com, "About registry signatures", read 2026-11-30). The keys are npm's as Sigstore's TUF repository
 * distributes them, shipped with Sallyport: a mirror that signs for itself is not npm, whatever keys it hands out. Pure.
 */
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { z } from "zod";
import { Fault } from "../core/index.ts";
import type { Check } from "./provenance.ts";

export interface NpmKey {
  /** `SHA256:…`, as signatures name it. */
  readonly id: string;
  readonly usage: "npm:signatures" | "npm:attestations";
  readonly key: KeyObject;
  /** Unix ms; null while it is in use. */
  readonly endedAt: number | null;
}

/** What a registry says of one version. */
export interface SignedVersion {
  readonly name: string;
  readonly version: string;
  readonly integrity: string | null;
  readonly signatures: readonly { readonly keyid: string; readonly sig: string }[];
  /** Unix ms. */
  readonly publishedAt: number | null;
}

const KeyFile = z.object({
  keys: z.array(
    z.object({
      keyId: z.string(),
      keyUsage: z.enum(["npm:signatures", "npm:attestations"]),
      publicKey: z.object({
        rawBytes: z.base64(),
        keyDetails: z.literal("PKIX_ECDSA_P256_SHA_256"),
        validFor: z.object({ end: z.iso.datetime().optional() }),
      }),
    }),
  ),
});

/** `text`: the file `registry.npmjs.org/keys.json` of Sigstore's TUF repository. Throws `register.invalid`. */
export function parseNpmKeys(text: string, at: string): readonly NpmKey[] {
  const read = KeyFile.safeParse(JSON.parse(text));
  if (!read.success) throw new Fault("register.invalid", { at, detail: read.error.issues[0]?.message ?? "" });
  return read.data.keys.map(({ keyId, keyUsage, publicKey: { rawBytes, validFor } }) => ({
    ...{ id: keyId, usage: keyUsage },
    key: createPublicKey({ key: Buffer.from(rawBytes, "base64"), format: "der", type: "spki" }),
    endedAt: validFor.end === undefined ? null : Date.parse(validFor.end),
  }));
}

type Said = Pick<Check, "state" | "detail">;

/** One check for all of them: as good as the worst. */
export function signatureCheck(versions: readonly SignedVersion[], keys: readonly NpmKey[]): Check {
  const usable = keys.filter(({ usage }) => usage === "npm:signatures");
  const said = versions.map((one) => saidOf(one, usable));
  const state = (["failed", "unchecked", "ok"] as const).find((wanted) =>
    said.some((one) => one.state === wanted),
  );
  return {
    ...{ id: "signature", title: "the registry's signature", state: state ?? "unchecked" },
    detail: said.map(({ detail }) => detail).join("; ") || "the registry could not be asked",
  };
}

function saidOf(one: SignedVersion, keys: readonly NpmKey[]): Said {
  const spec = `${one.name}@${one.version}`;
  if (one.integrity === null || one.signatures.length === 0)
    return { state: "unchecked", detail: `${spec}: none: a mirror that strips it, or it was never there` };
  const bytes = Buffer.from(`${spec}:${one.integrity}`);
  const tried = one.signatures.flatMap(({ keyid, sig }) => {
    const known = keys.find(({ id }) => id === keyid);
    return known === undefined
      ? []
      : [{ known, isGood: verify("sha256", bytes, known.key, Buffer.from(sig, "base64")) }];
  });
  if (tried.length === 0)
    return {
      state: "unchecked",
      detail: `${spec}: signed by ${one.signatures.map(({ keyid }) => keyid).join(", ")}, no key of npm's`,
    };
  const [bad] = tried.filter(({ isGood }) => !isGood);
  if (bad !== undefined)
    return { state: "failed", detail: `${spec}: the signature by ${bad.known.id} does not fit` };
  return inTime(spec, one.publishedAt, tried[0]?.known);
}

/** A key that was retired signs nothing new. */
function inTime(spec: string, publishedAt: number | null, known: NpmKey | undefined): Said {
  const end = known?.endedAt ?? null;
  if (end === null) return { state: "ok", detail: `${spec}: by npm's key ${known?.id ?? ""}` };
  const day = new Date(end).toISOString().slice(0, 10);
  if (publishedAt === null)
    return { state: "unchecked", detail: `${spec}: by a key retired on ${day}, its own date is not known` };
  return publishedAt < end
    ? { state: "ok", detail: `${spec}: by npm's key ${known?.id ?? ""}, in use until ${day}` }
    : { state: "failed", detail: `${spec}: by a key that was retired on ${day}, before it was published` };
}
