/** `sallyport provenance`: where a build came from, and what nobody could check. */
import { readFile, writeFile } from "node:fs/promises";
import { join, resolve, sep } from "node:path";
import { Fault, systemClock } from "../core/index.ts";
import {
  type AgentKind,
  type AttestationTrust,
  agentNamed,
  attestationCheck,
  type Check,
  cycloneDx,
  hashBuild,
  installCommandChecks,
  locateAgent,
  type Manifest,
  manifestOf,
  nameCheck,
  nearestPackage,
  packagesFrom,
  parseNpmKeys,
  type RegistryFacts,
  registryChecks,
  type SignedVersion,
  scriptCheck,
  signatureCheck,
  splitVersion,
  VENDOR_MANIFESTS,
  vendorManifest,
} from "../register/index.ts";
import { npm } from "./npm.ts";
import type { Places } from "./places.ts";
import { hashFile } from "./prepare.ts";
import { printable, table } from "./print.ts";

const NPM_MS = 60_000;
const FETCH_MS = 10_000;

export interface ProvenanceFlags {
  readonly json?: boolean;
  readonly sbom?: string;
  readonly command?: string;
  readonly strict?: boolean;
  /** File or address of the vendor's manifest; its signature lies beside it as `.sig`. */
  readonly manifest?: string;
  /** File of the vendor's key. */
  readonly key?: string;
}

interface Looked {
  readonly checks: readonly Check[];
  /** Null where no bytes are here: only a name or a command was looked at. */
  readonly build: { readonly package: string; readonly version: string; readonly hash: string } | null;
  readonly sbom: object | null;
}

/** Exit 7 when something is not what it claims to be; with --strict also when something could not be checked. */
export async function provenance(
  [typed]: readonly string[],
  flags: ProvenanceFlags,
  places: Places,
): Promise<number> {
  if ((typed === undefined) === (flags.command === undefined))
    throw new Fault("usage.invalid", {
      detail: "`provenance` wants an agent, a package, or an install command",
      remedy: "for example: sallyport provenance claude@2.1.329",
    });
  const looked =
    flags.command === undefined
      ? await lookAt(typed ?? "", flags, places)
      : { checks: installCommandChecks(flags.command), build: null, sbom: null };
  if (flags.sbom !== undefined) {
    if (looked.sbom === null)
      throw new Fault("usage.invalid", { detail: "only a build that is installed has parts to list" });
    await writeFile(flags.sbom, `${JSON.stringify(looked.sbom, null, 2)}\n`);
  }
  if (flags.json === true)
    process.stdout.write(`${JSON.stringify({ build: looked.build, checks: looked.checks })}\n`);
  else process.stdout.write(`${text(looked)}\n`);
  const bad = looked.checks.some(
    ({ state }) => state === "failed" || (flags.strict === true && state === "unchecked"),
  );
  return bad ? 7 : 0;
}

function text({ build, checks }: Looked): string {
  const marks = { ok: "ok", attention: "look", failed: "FAILED", unchecked: "not checked" } as const;
  const head = build === null ? [] : [`${build.package}@${build.version}  ${build.hash}`];
  const rows = table(checks.map((check) => [marks[check.state], check.title, check.detail].map(printable)));
  return [...head, checks.length === 0 ? "nothing in it is an install that is known here" : rows].join("\n");
}

async function lookAt(typed: string, flags: ProvenanceFlags, places: Places): Promise<Looked> {
  const { name, version } = splitVersion(typed);
  const kind = agentNamed(name);
  if (kind === null) return { checks: [nameCheck(name)], build: null, sbom: null };
  const agent = await locateAgent(typed, {
    path: process.env["PATH"] ?? "",
    cwd: process.cwd(),
    agentsFolder: places.agents,
    arch: process.arch,
    node: process.execPath,
  });
  const { hash, executable } = await hashBuild(agent.executable, hashFile);
  const root = nearestPackage(agent.executable);
  const folders = root === null ? [] : packagesFrom(root);
  const manifests = folders.map(manifestOf);
  const at = version ?? agent.version ?? kind.tested;
  const modules = root === null ? null : modulesOf(root);
  const served = await servedVersions(kind, at, root);
  const fetched = await fetchManifest(kind, at, flags.manifest);
  const keys = parseNpmKeys(await trustText("npm-keys.json"), "npm-keys.json");
  return {
    build: { package: kind.package, version: at, hash },
    checks: [
      nameCheck(kind.package),
      ...registryChecks(await registryFacts(kind, at, served[0] ?? null, modules), systemClock.now()),
      signatureCheck(served.map(signedVersion), keys),
      await attestation(kind, at, served[0] ?? null, {
        root: JSON.parse(await trustText("sigstore-root.json")),
        keys,
      }),
      vendorManifest(
        kind,
        fetched,
        flags.key === undefined
          ? join(places.config, "register/keys", `${kind.name}.gpg`)
          : resolve(flags.key),
        `${process.platform}-${process.arch}`,
        executable,
      ),
      scriptCheck([...manifests, ...wrapperOf(kind, root)]),
    ],
    sbom: manifests.length === 0 ? null : cycloneDx(manifests, hash),
  };
}

/** The package a person names may only be a wrapper round the one that holds the program: its scripts count too. */
function wrapperOf(kind: AgentKind, root: string | null): readonly Manifest[] {
  if (root === null) return [];
  const wrapper = join(modulesOf(root), kind.package);
  try {
    return wrapper === root ? [] : [manifestOf(wrapper)];
  } catch {
    return []; // installed without it: then it has no scripts here
  }
}

const modulesOf = (root: string): string =>
  root.slice(0, root.lastIndexOf(`${sep}node_modules${sep}`) + `${sep}node_modules`.length);

const trustText = (name: string): Promise<string> =>
  readFile(join(import.meta.dirname, "../../register/trust", name), "utf8");

/** What the registry says of the named package and of the one that holds the program; empty where it says nothing. */
async function servedVersions(
  kind: AgentKind,
  version: string,
  root: string | null,
): Promise<readonly Record<string, unknown>[]> {
  const inner = root === null ? null : manifestOf(root);
  const specs = [
    `${kind.package}@${version}`,
    ...(inner === null || inner.name === kind.package ? [] : [`${inner.name}@${inner.version}`]),
  ];
  return specs.flatMap((spec) => {
    const said = npmView(spec);
    return said === null ? [] : [said];
  });
}

const recordIn = (value: unknown): Record<string, unknown> =>
  // Each field is checked where it is used.
  typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
const textIn = (value: unknown): string | null => (typeof value === "string" ? value : null);

function publishedAt(one: Record<string, unknown>): number | null {
  const time = Date.parse(String(recordIn(one["time"])[String(one["version"])] ?? ""));
  return Number.isNaN(time) ? null : time;
}

function signedVersion(one: Record<string, unknown>): SignedVersion {
  const dist = recordIn(one["dist"]);
  const signatures = Array.isArray(dist["signatures"]) ? dist["signatures"].map(recordIn) : [];
  return {
    ...{ name: String(one["name"]), version: String(one["version"]) },
    ...{ integrity: textIn(dist["integrity"]), publishedAt: publishedAt(one) },
    signatures: signatures.map(({ keyid, sig }) => ({ keyid: String(keyid), sig: String(sig) })),
  };
}

async function registryFacts(
  kind: AgentKind,
  version: string,
  one: Record<string, unknown> | null,
  modules: string | null,
): Promise<RegistryFacts | null> {
  if (one === null) return null;
  const versions = Array.isArray(one["versions"]) ? one["versions"].map(String) : [];
  const previous = versions[versions.indexOf(version) - 1];
  const before = previous === undefined ? null : npmView(`${kind.package}@${previous}`);
  return {
    integrity: textIn(recordIn(one["dist"])["integrity"]),
    unpacked: modules === null ? null : await unpackedIntegrity(modules, kind.package, version),
    publishedAt: publishedAt(one),
    publisher: nameIn(one["_npmUser"]),
    maintainers: namesIn(one["maintainers"]),
    before:
      before === null
        ? null
        : { publisher: nameIn(before["_npmUser"]), maintainers: namesIn(before["maintainers"]) },
  };
}

/** npm notes in the folder what it unpacked into it (`node_modules/.package-lock.json`). */
async function unpackedIntegrity(modules: string, name: string, version: string): Promise<string | null> {
  try {
    const lock = recordIn(JSON.parse(await readFile(join(modules, ".package-lock.json"), "utf8")));
    const noted = recordIn(recordIn(lock["packages"])[`node_modules/${name}`]);
    return noted["version"] === version ? textIn(noted["integrity"]) : null;
  } catch {
    return null; // another installer laid it: said as `unchecked`
  }
}

/** Asked of the registry that npm is set to; it has no command of its own for it. */
async function attestation(
  kind: AgentKind,
  version: string,
  one: Record<string, unknown> | null,
  trust: AttestationTrust,
): Promise<Check> {
  const about = {
    ...{ name: kind.package, version, integrity: textIn(recordIn(one?.["dist"])["integrity"]) },
    repository: textIn(recordIn(one?.["repository"])["url"]),
  };
  const spec = `${kind.package.replace("/", "%2f")}@${version}`;
  const registry = npm(["config", "get", "registry"], { timeout: NPM_MS, prints: "back" });
  try {
    const address = new URL(
      `-/npm/v1/attestations/${spec}`,
      `${(registry.stdout ?? "").trim().replace(/\/?$/, "/")}`,
    );
    const reply = await fetch(address, { signal: AbortSignal.timeout(FETCH_MS) });
    if (reply.ok) return attestationCheck(await reply.json(), "", about, trust);
    return attestationCheck(null, `the registry has none to show (HTTP ${reply.status})`, about, trust);
  } catch {
    return attestationCheck(null, "the registry could not be asked", about, trust);
  }
}

/** Everything the registry says of one version. */
function npmView(spec: string): Record<string, unknown> | null {
  const done = npm(["view", spec, "--json"], { timeout: NPM_MS, prints: "back" });
  if (done.status !== 0) return null;
  try {
    const answer: unknown = JSON.parse(done.stdout ?? "");
    return typeof answer === "object" && answer !== null ? (answer as Record<string, unknown>) : null;
  } catch {
    return null; // npm prints nothing where a version does not exist
  }
}

/** npm writes a person as `name <address>` or as an object. */
function nameIn(value: unknown): string | null {
  if (typeof value === "string") return value.split(" <")[0] ?? null;
  if (typeof value === "object" && value !== null && "name" in value) return String(value.name);
  return null;
}
const namesIn = (value: unknown): readonly string[] | null =>
  Array.isArray(value) ? value.flatMap((one) => nameIn(one) ?? []) : null;

/** From the vendor, or from where `given` says: a file or an address, its signature beside it. */
async function fetchManifest(
  kind: AgentKind,
  version: string,
  given: string | undefined,
): Promise<{ manifest: Uint8Array; signature: Uint8Array } | null> {
  const url = given ?? VENDOR_MANIFESTS[kind.name]?.url(version);
  if (url === undefined) return null;
  if (given !== undefined && !/^https?:\/\//.test(given))
    try {
      return { manifest: await readFile(given), signature: await readFile(`${given}.sig`) };
    } catch (cause) {
      throw new Fault("usage.invalid", {
        at: given,
        detail: "the manifest or its signature (`.sig` beside it) cannot be read",
        cause,
      });
    }
  const get = async (address: string): Promise<Uint8Array> => {
    const reply = await fetch(address, { signal: AbortSignal.timeout(FETCH_MS), redirect: "error" });
    if (!reply.ok) throw new Error(String(reply.status));
    return reply.bytes();
  };
  try {
    const [manifest, signature] = await Promise.all([get(url), get(`${url}.sig`)]);
    return { manifest, signature };
  } catch {
    return null; // said as `unchecked`
  }
}
