/** `sallyport provenance`: where a build came from, and what nobody could check. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, sep } from "node:path";
import { Fault, systemClock } from "../core/index.ts";
import {
  type AgentKind,
  agentNamed,
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
  type RegistryFacts,
  registryChecks,
  scriptCheck,
  signatureCheck,
  splitVersion,
  VENDOR_MANIFESTS,
  vendorManifest,
} from "../register/index.ts";
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
      ? await lookAt(typed ?? "", places)
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

async function lookAt(typed: string, places: Places): Promise<Looked> {
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
  const facts = registryFacts(kind, at);
  const fetched = await fetchManifest(kind, at);
  return {
    build: { package: kind.package, version: at, hash },
    checks: [
      nameCheck(kind.package),
      ...registryChecks(facts, systemClock.now()),
      signatures(kind, at, root),
      vendorManifest(
        kind,
        fetched,
        join(places.config, "register/keys", `${kind.name}.gpg`),
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
  const modules = root.slice(0, root.lastIndexOf(`${sep}node_modules${sep}`) + `${sep}node_modules`.length);
  const wrapper = join(modules, kind.package);
  try {
    return wrapper === root ? [] : [manifestOf(wrapper)];
  } catch {
    return []; // installed without it: then it has no scripts here
  }
}

function registryFacts(kind: AgentKind, version: string): RegistryFacts | null {
  const one = npmView(`${kind.package}@${version}`);
  if (one === null) return null;
  const versions = Array.isArray(one["versions"]) ? one["versions"].map(String) : [];
  const previous = versions[versions.indexOf(version) - 1];
  const before = previous === undefined ? null : npmView(`${kind.package}@${previous}`);
  const dist = (one["dist"] ?? {}) as Record<string, unknown>;
  const published = Date.parse(String((one["time"] as Record<string, unknown> | undefined)?.[version] ?? ""));
  return {
    integrity: typeof dist["integrity"] === "string" ? dist["integrity"] : null,
    hasAttestations: typeof dist["attestations"] === "object" && dist["attestations"] !== null,
    publishedAt: Number.isNaN(published) ? null : published,
    publisher: nameIn(one["_npmUser"]),
    maintainers: namesIn(one["maintainers"]),
    before:
      before === null
        ? null
        : { publisher: nameIn(before["_npmUser"]), maintainers: namesIn(before["maintainers"]) },
  };
}

/** Everything the registry says of one version. */
function npmView(spec: string): Record<string, unknown> | null {
  const done = spawnSync("npm", ["view", spec, "--json"], {
    encoding: "utf8",
    timeout: NPM_MS,
    maxBuffer: 64 << 20,
    stdio: ["ignore", "pipe", "ignore"],
  });
  if (done.status !== 0) return null;
  try {
    const answer: unknown = JSON.parse(done.stdout);
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

/** npm audits what a package.json names, in the folder where it lies. */
function signatures(kind: AgentKind, version: string, root: string | null): Check {
  if (root === null) return { ...signatureCheck(""), detail: "not installed by npm" };
  const folder = mkdtempSync(join(tmpdir(), "sallyport-audit-"));
  try {
    writeFileSync(
      join(folder, "package.json"),
      JSON.stringify({ private: true, dependencies: { [kind.package]: version } }),
    );
    symlinkSync(
      root.slice(0, root.indexOf(`${sep}node_modules`) + `${sep}node_modules`.length),
      join(folder, "node_modules"),
    );
    const done = spawnSync("npm", ["audit", "signatures", "--json", "--fetch-retries=0"], {
      cwd: folder,
      encoding: "utf8",
      timeout: NPM_MS,
    });
    return signatureCheck(done.stdout ?? "");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function fetchManifest(
  kind: AgentKind,
  version: string,
): Promise<{ manifest: Uint8Array; signature: Uint8Array } | null> {
  const url = VENDOR_MANIFESTS[kind.name]?.url(version);
  if (url === undefined) return null;
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
