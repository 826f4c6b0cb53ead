/**
 * Where a build came from, as far as anybody can show it. Each question has one of four answers, and `unchecked` is one of
 * them: a registry mirror usually strips signatures, and what could not be looked at is said, never passed. Pure, but for
 * {@link vendorManifest}, which asks gpgv.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { AGENTS, type AgentKind } from "./agents.ts";

export interface Check {
  readonly id:
    | "name"
    | "integrity"
    | "signature"
    | "attestation"
    | "vendor-manifest"
    | "install-scripts"
    | "age"
    | "publisher"
    | "host";
  readonly title: string;
  /** `attention`: true, and a person should decide; `failed`: something is not what it claims to be. */
  readonly state: "ok" | "attention" | "failed" | "unchecked";
  readonly detail: string;
}

/** Younger releases are looked at twice: most bad releases are found within days. */
export const COOL_DOWN_DAYS = 7;
const DAY_MS = 86_400_000;

/** What the registry says of one version; every field may be missing, and behind mirrors most are. */
export interface RegistryFacts {
  readonly integrity: string | null;
  /** Of the bytes that were unpacked here, as npm noted it; null where it did not. */
  readonly unpacked: string | null;
  /** Unix ms. */
  readonly publishedAt: number | null;
  readonly publisher: string | null;
  readonly maintainers: readonly string[] | null;
  /** The same of the version before it; null when there is none or nothing is known. */
  readonly before: {
    readonly publisher: string | null;
    readonly maintainers: readonly string[] | null;
  } | null;
}

/**
 * Whether a package's name only looks like that of a known agent's. Compared without scope marks, separators and look-alike
 * letters; two edits away is near.
 */
export function nameCheck(typed: string): Check {
  const title = "the package's name";
  const known = AGENTS.find((kind) => kind.package === typed);
  if (known !== undefined) return { id: "name", title, state: "ok", detail: `${typed}: ${known.title}` };
  for (const kind of AGENTS) {
    if (isNear(typed, kind.package))
      return {
        id: "name",
        title,
        state: "failed",
        detail: `\`${typed}\` looks like \`${kind.package}\` (${kind.title}) and is not it`,
      };
  }
  return { id: "name", title, state: "attention", detail: `\`${typed}\` is no agent the register knows` };
}

function isNear(typed: string, known: string): boolean {
  const [a, b] = [fold(typed), fold(known)];
  if (a === b || distance(a, b) <= 2) return true;
  // The package's last word without its scope, as in `npm i claude-code`.
  const [, last = ""] = known.split("/");
  return last.includes("-") && (fold(typed) === fold(last) || distance(fold(typed), fold(last)) === 1);
}

/** Look-alike digits and letters of other alphabets come to one form; case, scope marks and separators go. */
const fold = (name: string): string =>
  name
    .normalize("NFKD")
    .toLowerCase()
    .replaceAll(/[\p{Mn}@/._\-\s]/gu, "")
    .replaceAll(/[0оοօ]/gu, "o")
    .replaceAll(/[1lіıӏ|]/gu, "i")
    .replaceAll(/[3еє]/gu, "e")
    .replaceAll(/[аɑα]/gu, "a")
    .replaceAll(/[5ѕ]/gu, "s")
    .replaceAll(/[сϲ]/gu, "c")
    .replaceAll(/[рρ]/gu, "p")
    .replaceAll(/rn/g, "m");

/** Optimal string alignment: insert, delete, replace, swap two neighbours. */
function distance(a: string, b: string): number {
  let twoBack: number[] = [];
  let back = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const change = (back[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let least = Math.min(change, (back[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, (twoBack[j - 2] ?? 0) + 1);
      row.push(least);
    }
    twoBack = back;
    back = row;
  }
  return back[b.length] ?? 0;
}

/** Hosts from which the vendors' own pages install, read 2026-11-20. */
const INSTALL_HOSTS: readonly string[] = [
  "claude.ai",
  "downloads.claude.ai",
  "chatgpt.com",
  "opencode.ai",
  "github.com",
  "raw.githubusercontent.com",
  "gh.io",
  "qwen.ai",
  "geminicli.com",
];

/** What an install command would fetch: `npm i -g @antropic-ai/claude-code`, `curl https://c1aude.ai/install.sh | bash`. */
export function installCommandChecks(command: string): readonly Check[] {
  const commands = command.split(/[;|&\n]+/).map((one) => one.split(/\s+/).filter((word) => word !== ""));
  const words = commands.flat();
  const packages = commands.flatMap((one) => packagesIn(one));
  const hosts = words.flatMap((word) => URL.parse(word.replaceAll(/["']/g, ""))?.hostname ?? []);
  return [
    ...packages.map((word) => nameCheck(word.replace(/(?<=.)@[^/@]*$/, ""))),
    ...hosts.map(
      (host): Check => ({
        id: "host",
        title: "the host it installs from",
        state: INSTALL_HOSTS.includes(host)
          ? "ok"
          : INSTALL_HOSTS.some((own) => distance(fold(host), fold(own)) <= 2)
            ? "failed"
            : "attention",
        detail: INSTALL_HOSTS.includes(host)
          ? `${host}: a vendor's`
          : `\`${host}\` is none that a vendor's page names${INSTALL_HOSTS.some((own) => distance(fold(host), fold(own)) <= 2) ? ", and looks like one" : ""}`,
      }),
    ),
  ];
}

/** Packages that one command of a package manager names: `npm i -g a b@1`, `npx -y a`. */
function packagesIn(words: readonly string[]): readonly string[] {
  const at = words.findIndex((word) => /^(?:npm|pnpm|yarn|bun|npx|bunx|pnpx)$/.test(word));
  if (at < 0) return [];
  const rest = words.slice(at + 1).filter((word) => !word.startsWith("-"));
  const isRunner = /x$/.test(words[at] ?? "");
  const verbs = ["install", "i", "add", "global", "exec", "dlx", "x"];
  const named = isRunner
    ? rest.slice(0, 1)
    : verbs.includes(rest[0] ?? "")
      ? rest.filter((word) => !verbs.includes(word))
      : [];
  return named.filter((word) => /^(?:@[^/]+\/)?[^@/.][^/@]*(?:@[^/]+)?$/.test(word));
}

/** What the registry's facts come to. `now` in Unix ms. */
export function registryChecks(facts: RegistryFacts | null, now: number): readonly Check[] {
  const unreachable = "the registry could not be asked";
  const missing = "the registry does not say: a mirror that strips it, or it was never there";
  return [
    integrityCheck(facts, facts === null ? unreachable : missing),
    ageCheck(facts, now, facts === null ? unreachable : missing),
    publisherCheck(facts, facts === null ? unreachable : missing),
  ];
}

/** Whether what the registry serves today is what was unpacked here. */
function integrityCheck(facts: RegistryFacts | null, why: string): Check {
  const say = (state: Check["state"], detail: string): Check => ({
    ...{ id: "integrity", title: "the registry's hash", state, detail },
  });
  if (facts === null || facts.integrity === null) return say("unchecked", why);
  if (facts.unpacked === null)
    return say("unchecked", `${facts.integrity}; npm kept no note of what it unpacked here`);
  return facts.unpacked === facts.integrity
    ? say("ok", `${facts.integrity}, also of what npm unpacked here`)
    : say("failed", `the registry serves ${facts.integrity}, what was unpacked here was ${facts.unpacked}`);
}

function ageCheck(facts: RegistryFacts | null, now: number, why: string): Check {
  const title = "the release's age";
  if (facts === null || facts.publishedAt === null)
    return { id: "age", title, state: "unchecked", detail: why };
  const days = Math.floor((now - facts.publishedAt) / DAY_MS);
  const day = new Date(facts.publishedAt).toISOString().slice(0, 10);
  return {
    id: "age",
    title,
    state: days >= COOL_DOWN_DAYS ? "ok" : "attention",
    detail: `published ${day}, ${days} days ago${days >= COOL_DOWN_DAYS ? "" : `; wait until ${COOL_DOWN_DAYS} unless it mends something urgent`}`,
  };
}

function publisherCheck(facts: RegistryFacts | null, why: string): Check {
  const title = "who published it";
  const before = facts?.before ?? null;
  if (facts === null || facts.publisher === null || before === null || before.publisher === null)
    return { id: "publisher", title, state: "unchecked", detail: why };
  const gone = (before.maintainers ?? []).filter((name) => facts.maintainers?.includes(name) === false);
  const fresh = (facts.maintainers ?? []).filter((name) => before.maintainers?.includes(name) === false);
  const changes = [
    ...(facts.publisher === before.publisher
      ? []
      : [`${facts.publisher} published it, ${before.publisher} the one before`]),
    ...fresh.map((name) => `${name} is new among the maintainers`),
    ...gone.map((name) => `${name} is no longer one`),
  ];
  return {
    id: "publisher",
    title,
    state: changes.length === 0 ? "ok" : "attention",
    detail: changes.length === 0 ? `${facts.publisher}, as the version before` : changes.join("; "),
  };
}

function jsonIn(text: string): unknown {
  const from = text.indexOf("{");
  try {
    return JSON.parse(text.slice(from, text.lastIndexOf("}") + 1));
  } catch {
    return null; // no answer is an answer: unchecked
  }
}

/** Scripts that an install would run on the machine. `packages`: name and scripts of each. */
export function scriptCheck(
  packages: readonly { readonly name: string; readonly scripts: Readonly<Record<string, string>> }[],
): Check {
  const found = packages.flatMap(({ name, scripts }) =>
    ["preinstall", "install", "postinstall"].flatMap((stage) =>
      scripts[stage] === undefined ? [] : [`${name} ${stage}: ${scripts[stage]}`],
    ),
  );
  return {
    id: "install-scripts",
    title: "scripts that an install runs",
    state: found.length === 0 ? "ok" : "attention",
    detail:
      found.length === 0
        ? "none"
        : `${found.join("; ")} (\`sallyport install\` runs none; another installer would, outside any sandbox)`,
  };
}

/** What a vendor publishes beside its builds: a manifest of hashes with a detached signature. */
export interface VendorManifest {
  readonly url: (version: string) => string;
  /** Fingerprint of the signing key, as the vendor's documentation gives it. */
  readonly fingerprint: string;
}

/**
 * Claude Code: SHA-256 per platform, signed since 2.1.89; documented at code.claude.com/docs/en/setup, read 2026-08-22.
 * No other of the agents publishes one.
 */
export const VENDOR_MANIFESTS: Readonly<Record<string, VendorManifest>> = {
  claude: {
    url: (version) => `https://downloads.claude.ai/claude-code-releases/${version}/manifest.json`,
    fingerprint: "31DDDE24DDFAB679F42D7BD2BAA929FF1A7ECACE",
  },
};

const Manifest = z.object({
  platforms: z.record(z.string(), z.object({ checksum: z.string().regex(/^[0-9a-f]{64}$/) })),
});

/**
 * Checks the manifest's signature with gpgv against a keyring that holds the vendor's key alone, then the executable's
 * hash against it. `fetched` null: it could not be fetched.
 */
export function vendorManifest(
  kind: AgentKind,
  fetched: { readonly manifest: Uint8Array; readonly signature: Uint8Array } | null,
  keyring: string,
  platform: string,
  executable: string,
  known: VendorManifest | undefined = VENDOR_MANIFESTS[kind.name],
): Check {
  const title = "the vendor's own manifest";
  const say = (state: Check["state"], detail: string): Check => ({
    id: "vendor-manifest",
    title,
    state,
    detail,
  });
  if (known === undefined) return say("unchecked", `${kind.title} publishes none that we know of`);
  if (fetched === null) return say("unchecked", "it could not be fetched");
  const keys = keyringAt(keyring);
  if (keys === null)
    return say(
      "unchecked",
      `no key to check it with: put the vendor's key ${known.fingerprint} into ${keyring}`,
    );
  const signer = signerOf(fetched.manifest, fetched.signature, keys);
  if (signer === null) return say("unchecked", "gpgv is not installed (Debian: gpgv)");
  if (signer !== known.fingerprint) return say("failed", `its signature is not by ${known.fingerprint}`);
  const manifest = Manifest.safeParse(jsonIn(Buffer.from(fetched.manifest).toString("utf8")));
  const wanted = manifest.success ? manifest.data.platforms[platform]?.checksum : undefined;
  if (wanted === undefined) return say("failed", `it does not name ${platform}`);
  return wanted === executable
    ? say("ok", `signed by ${known.fingerprint}; the executable is the one it names`)
    : say("failed", `it names other bytes for ${platform}: ${wanted}`);
}

/** Of a file as gpg exports it, with or without armour (RFC 9580 6.2): gpgv reads the latter alone. */
function keyringAt(file: string): Uint8Array | null {
  if (!existsSync(file)) return null;
  const bytes = readFileSync(file);
  const armoured =
    /-----BEGIN PGP PUBLIC KEY BLOCK-----\r?\n(?:[^\r\n]+\r?\n)*\r?\n([A-Za-z0-9+/=\r\n]+?)(?:\r?\n=[A-Za-z0-9+/]{4})?\r?\n-----END/.exec(
      bytes.toString("latin1"),
    );
  return armoured === null ? bytes : Buffer.from(armoured[1] ?? "", "base64");
}

/** The fingerprint of the key that made a good signature, `""` for none, null where there is no gpgv. */
function signerOf(manifest: Uint8Array, signature: Uint8Array, keys: Uint8Array): string | null {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-gpg-"));
  try {
    writeFileSync(join(folder, "m"), manifest);
    writeFileSync(join(folder, "s"), signature);
    writeFileSync(join(folder, "k"), keys);
    const status = execFileSync(
      "gpgv",
      ["--status-fd", "1", "--keyring", join(folder, "k"), join(folder, "s"), join(folder, "m")],
      {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      },
    );
    return /^\[GNUPG:\] VALIDSIG ([0-9A-F]{40})/m.exec(status)?.[1] ?? "";
  } catch (thrown) {
    const isMissing = thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT";
    return isMissing ? null : "";
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
