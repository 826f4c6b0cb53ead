/**
 * The bytes of a build, as one hash: every file of the package that holds the agent's program and of the packages it
 * depends on, as Node would resolve them. A program that lies in no package is its one file.
 *
 * The hash is `h1:` of golang.org/x/mod/sumdb/dirhash (Hash1): the lines `<sha256 hex>  <name>\n`, sorted by name, hashed by
 * SHA-256, in base64. A name is `<package>@<version>/<path>`, so that the place of the install does not count. It can be
 * made again with sha256sum, sort and openssl.
 */
import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import { basename, dirname, join, sep } from "node:path";
import { Fault } from "../core/index.ts";

/** A folder of more files than this is no agent. */
const MAX_FILES = 100_000;

export interface BuildFile {
  /** `<package>@<version>/<path>` with `/`, or the file's own name where there is no package. */
  readonly name: string;
  readonly file: string;
  /** A link counts by where it points, not by what it leads to. */
  readonly link: string | null;
}

export interface BuildHash {
  /** `h1:` and base64. */
  readonly hash: string;
  /** SHA-256 of the executable file alone, hex. */
  readonly executable: string;
  readonly files: number;
}

/** The files of a build, sorted by name. Throws `agent.not-executable` for a package that cannot be listed. */
export function listBuild(executable: string): readonly BuildFile[] {
  const root = nearestPackage(executable);
  if (root === null) return [{ name: basename(executable), file: executable, link: null }];
  const files: BuildFile[] = [];
  for (const folder of packagesFrom(root)) {
    const { name, version } = manifestOf(folder);
    walk(folder, `${name}@${version}`, files);
  }
  return files.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** `hashOf` gives the SHA-256 of a file, hex; the caller may remember it. */
export async function hashBuild(
  executable: string,
  hashOf: (file: string) => Promise<string>,
): Promise<BuildHash> {
  const files = listBuild(executable);
  const whole = createHash("sha256");
  for (const { name, file, link } of files) {
    const hash =
      link === null ? await hashOf(file) : createHash("sha256").update(`link:${link}`).digest("hex");
    whole.update(`${hash}  ${name}\n`);
  }
  return { hash: `h1:${whole.digest("base64")}`, executable: await hashOf(executable), files: files.length };
}

/** The folders of the package and of everything it depends on that is there; an optional dependency may be absent. */
export function packagesFrom(root: string): readonly string[] {
  const found = new Set<string>([root]);
  for (const folder of found)
    for (const name of manifestOf(folder).dependencies) {
      const resolved = resolvePackage(name, folder);
      if (resolved !== null && ![...found].some((outer) => resolved.startsWith(`${outer}${sep}`)))
        found.add(resolved);
    }
  return [...found];
}

/** The folder of the package that holds a file below `node_modules`, or null. */
export function nearestPackage(file: string): string | null {
  for (let folder = dirname(file); folder.includes(`${sep}node_modules${sep}`); folder = dirname(folder))
    if (isFile(join(folder, "package.json"))) return folder;
  return null;
}

export interface Manifest {
  readonly name: string;
  readonly version: string;
  /** Names of dependencies, optional and peer ones included. */
  readonly dependencies: readonly string[];
  readonly scripts: Readonly<Record<string, string>>;
  readonly licence: string | null;
}

/** What a package says of itself; what it leaves out is empty. Throws `agent.not-executable` where it cannot be read. */
export function manifestOf(folder: string): Manifest {
  const file = join(folder, "package.json");
  try {
    const raw: unknown = JSON.parse(readFileSync(file, "utf8"));
    const manifest = typeof raw === "object" && raw !== null ? (raw as Record<string, unknown>) : {};
    const record = (key: string): Record<string, unknown> => {
      const value = manifest[key];
      return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
    };
    const text = (key: string): string => (typeof manifest[key] === "string" ? manifest[key] : "");
    return {
      name: text("name") || basename(folder),
      version: text("version") || "0.0.0",
      dependencies: [
        ...new Set(
          ["dependencies", "optionalDependencies", "peerDependencies"].flatMap((key) =>
            Object.keys(record(key)),
          ),
        ),
      ].sort(),
      scripts: Object.fromEntries(
        Object.entries(record("scripts")).filter(
          (entry): entry is [string, string] => typeof entry[1] === "string",
        ),
      ),
      licence: text("license") || null,
    };
  } catch (cause) {
    throw new Fault("agent.not-executable", { at: file, detail: "the package cannot be read", cause });
  }
}

function resolvePackage(name: string, from: string): string | null {
  for (let folder = from; folder.includes("node_modules"); folder = dirname(folder)) {
    const candidate = join(folder, "node_modules", name);
    if (isFile(join(candidate, "package.json"))) return realpathSync(candidate);
    const sibling = basename(folder) === "node_modules" ? join(folder, name) : null;
    if (sibling !== null && isFile(join(sibling, "package.json"))) return realpathSync(sibling);
  }
  return null;
}

function walk(folder: string, name: string, into: BuildFile[]): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const file = join(folder, entry.name);
    const path = `${name}/${entry.name}`;
    if (entry.isDirectory()) walk(file, path, into);
    else if (entry.isSymbolicLink()) into.push({ name: path, file, link: readlinkSync(file) });
    else if (entry.isFile()) into.push({ name: path, file, link: null });
    else throw new Fault("agent.not-executable", { at: file, detail: "neither a file, a folder nor a link" });
    if (into.length > MAX_FILES)
      throw new Fault("agent.not-executable", { at: folder, detail: `more than ${MAX_FILES} files` });
  }
}

const isFile = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
