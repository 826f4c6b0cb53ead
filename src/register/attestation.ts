/**
 * What the registry has on record about how a version was built and published: in-toto statements in Sigstore bundles
 * (SLSA provenance v1, and npm's own publish attestation). Verified by Sigstore's library against a trust root that is
 * shipped, not fetched: certificate authority, certificate transparency, and the log's signed promise or proof. Then the
 * statement has to speak of exactly this version's bytes. No network.
 *
 * Failure contract: whatever does not verify is `failed`; what is not there is `unchecked`.
 */
import { bundleFromJSON, isBundleWithDsseEnvelope, type SerializedBundle } from "@sigstore/bundle";
import { TrustedRoot } from "@sigstore/protobuf-specs";
import { type Signer, toSignedEntity, toTrustMaterial, Verifier } from "@sigstore/verify";
import { z } from "zod";
import type { Check } from "./provenance.ts";
import type { NpmKey } from "./signature.ts";

export interface AttestedVersion {
  readonly name: string;
  readonly version: string;
  /** `sha512-…`. */
  readonly integrity: string | null;
  /** What the package says its source is; null where it does not. */
  readonly repository: string | null;
}

/** `root`: a `trusted_root.json` as Sigstore's TUF repository has it. */
export interface AttestationTrust {
  readonly root: unknown;
  readonly keys: readonly NpmKey[];
}

const Answer = z.object({
  attestations: z
    .array(z.object({ predicateType: z.string(), bundle: z.record(z.string(), z.unknown()) }))
    .min(1),
});
const Statement = z.object({
  predicateType: z.string(),
  subject: z.array(z.object({ name: z.string(), digest: z.record(z.string(), z.string()) })).length(1),
});
const PROVENANCE = /^https:\/\/slsa\.dev\/provenance\//;
/** Whoever else signs may be anybody. */
const BUILDERS: Readonly<Record<string, string>> = {
  "https://token.actions.githubusercontent.com": "GitHub Actions",
  "https://gitlab.com": "GitLab",
};

/** `answer`: what `/-/npm/v1/attestations/NAME@VERSION` gave; null: `why`. */
export function attestationCheck(
  answer: unknown,
  why: string,
  version: AttestedVersion,
  trust: AttestationTrust,
): Check {
  const say = (state: Check["state"], detail: string): Check => ({
    ...{ id: "attestation", title: "the build's attestation (SLSA, sigstore)", state, detail },
  });
  if (answer === null) return say("unchecked", why);
  const read = Answer.safeParse(answer);
  if (!read.success) return say("unchecked", "the registry's answer holds none");
  const found: string[] = [];
  let isStrange = false;
  for (const { predicateType, bundle } of read.data.attestations) {
    const one = verified(bundle, predicateType, version, trust);
    if (typeof one === "string") return say("failed", `${predicateType}: ${one}`);
    if (!PROVENANCE.test(predicateType)) {
      found.push("npm says that it was published so");
      continue;
    }
    const builder = BUILDERS[one.identity?.extensions?.issuer ?? ""];
    const source = one.identity?.subjectAlternativeName ?? "nobody named";
    isStrange ||= builder === undefined || !isFrom(source, version.repository);
    found.push(
      `built by ${builder ?? one.identity?.extensions?.issuer ?? "an unknown builder"} from ${source}`,
    );
  }
  const named = version.repository ?? "nothing";
  return isStrange
    ? say("attention", `${found.join("; ")}; the package names ${named} as its source`)
    : say("ok", found.join("; "));
}

/** The signer, or why it is none. */
function verified(
  serialized: Record<string, unknown>,
  predicateType: string,
  { name, version, integrity }: AttestedVersion,
  { root, keys }: AttestationTrust,
): Signer | string {
  try {
    // Checked by the library as it reads it.
    const bundle = bundleFromJSON(serialized as unknown as SerializedBundle);
    if (!isBundleWithDsseEnvelope(bundle)) return "it is no statement";
    const material = toTrustMaterial(TrustedRoot.fromJSON(root), (hint) => {
      const known = keys.find(({ id, usage }) => id === hint && usage === "npm:attestations");
      if (known === undefined) throw new Error(`signed by ${hint}, no key of npm's`);
      return {
        publicKey: known.key,
        validFor: (date) => known.endedAt === null || date.getTime() < known.endedAt,
      };
    });
    const verifier = new Verifier(material, { tlogThreshold: 1, ctlogThreshold: 1, timestampThreshold: 1 });
    const signer = verifier.verify(toSignedEntity(bundle));
    const { payload, payloadType } = bundle.content.dsseEnvelope;
    if (payloadType !== "application/vnd.in-toto+json") return `it is a ${payloadType}`;
    const statement = Statement.parse(JSON.parse(payload.toString("utf8")));
    const [subject] = statement.subject;
    if (statement.predicateType !== predicateType)
      return "it says something else than the registry says it does";
    if (subject?.name !== purlOf(name, version)) return `it speaks of ${subject?.name ?? "nothing"}`;
    const digest = /^sha512-(.+)$/.exec(integrity ?? "")?.[1] ?? "";
    if (subject.digest["sha512"] !== Buffer.from(digest, "base64").toString("hex"))
      return "it speaks of other bytes";
    return signer;
  } catch (error) {
    return error instanceof Error ? (error.message.split("\n")[0] ?? "") : "it cannot be read";
  }
}

const purlOf = (name: string, version: string): string => `pkg:npm/${name.replace("@", "%40")}@${version}`;

/** `https://github.com/owner/repository/.github/workflows/x.yml@refs/tags/v1` against `git+https://github.com/owner/repository.git`. */
function isFrom(workflow: string, repository: string | null): boolean {
  const own = /[/:]([^/:]+\/[^/]+?)(?:\.git)?(?:[#/].*)?$/.exec(
    (repository ?? "").replace(/^.*?(github\.com|gitlab\.com)/, "$1"),
  )?.[1];
  const [, built] = /^https:\/\/(?:github|gitlab)\.com\/([^/]+\/[^/]+)\//.exec(workflow) ?? [];
  return own !== undefined && built?.toLowerCase() === own.toLowerCase();
}
