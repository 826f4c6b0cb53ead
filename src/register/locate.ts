/**
 * From what a person typed (`claude`, `claude@2.1.329`, `./my-agent`, `true`) to the exact program that will start.
 * Reads the file system; starts nothing.
 */
import { constants } from "node:fs";
import { access, open, readFile, realpath, stat } from "node:fs/promises";
import { basename, delimiter, dirname, isAbsolute, join, resolve, sep } from "node:path";
import { Fault } from "../core/index.ts";
import { type AgentKind, agentNamed } from "./agents.ts";

export interface LocatedAgent {
  /** The row of the table, or null for a program run by path. */
  readonly kind: AgentKind | null;
  readonly name: string;
  /** Version by the nearest package.json, or null. */
  readonly version: string | null;
  /** The file whose bytes are the build: absolute, without symbolic links. */
  readonly executable: string;
  /** The program and its first arguments: the executable, or an interpreter and the executable. */
  readonly program: readonly string[];
  /** Folders the sandbox must show read-only for it to start. */
  readonly folders: readonly string[];
}

export interface Surroundings {
  /** The person's PATH. */
  readonly path: string;
  readonly cwd: string;
  /** Where `sallyport install` puts agents: `<folder>/<name>@<version>`. */
  readonly agentsFolder: string;
  /** Node's name of the architecture. */
  readonly arch: string;
  /** Absolute path of the Node that runs JavaScript agents. */
  readonly node: string;
}

/**
 * Finds the agent. A bare known name is looked up on PATH, then in Sallyport's own folder at the tested version;
 * `name@version` only in Sallyport's own folder; anything else is a path or a command on PATH.
 * Throws `agent.not-installed` with the command that installs it, `agent.unknown`, `agent.not-executable`.
 */
export async function locateAgent(typed: string, around: Surroundings): Promise<LocatedAgent> {
  const { name, version } = splitVersion(typed);
  const kind = agentNamed(name);
  if (kind !== null && version !== null)
    return describe(await installed(kind, version, around), kind, around);
  if (kind !== null) {
    const found = await onPath(kind.command, around.path);
    return describe(found ?? (await installed(kind, kind.tested, around)), kind, around);
  }
  const isPath = typed.includes("/");
  const file = isPath ? resolve(around.cwd, typed) : await onPath(typed, around.path);
  if (file === null || !(await exists(file)))
    throw new Fault("agent.unknown", {
      detail: `\`${typed}\``,
      remedy: "name one of claude, codex, opencode, qwen, gemini, copilot, or give the path of a program",
    });
  return describe(file, null, around);
}

/** `claude@2.1.329` as name and version; a leading `@` belongs to the name. */
export function splitVersion(typed: string): { readonly name: string; readonly version: string | null } {
  const at = typed.lastIndexOf("@");
  return at > 0 ? { name: typed.slice(0, at), version: typed.slice(at + 1) } : { name: typed, version: null };
}

/** The folder of one installed build below Sallyport's agents folder. */
export function buildFolder(kind: AgentKind, version: string, agentsFolder: string): string {
  return join(agentsFolder, `${kind.name}@${version}`);
}

async function installed(kind: AgentKind, version: string, around: Surroundings): Promise<string> {
  const modules = join(buildFolder(kind, version, around.agentsFolder), "node_modules");
  for (const program of kind.programs) {
    const file = join(modules, program.replaceAll("{arch}", around.arch));
    if (await exists(file)) return file;
  }
  throw new Fault("agent.not-installed", {
    detail: `${kind.title} (\`${kind.command}\`) is neither on PATH nor installed by Sallyport`,
    remedy: `run \`sallyport install ${kind.name}@${version}\`, or \`npm install -g ${kind.package}\``,
  });
}

async function describe(found: string, kind: AgentKind | null, around: Surroundings): Promise<LocatedAgent> {
  const executable = await realpath(found);
  if (!(await stat(executable)).isFile())
    throw new Fault("agent.not-executable", { at: found, detail: "not a file" });
  const isScript = await startsWithNodeShebang(executable);
  if (!isScript)
    await access(executable, constants.X_OK).catch((cause: unknown) => {
      throw new Fault("agent.not-executable", { at: executable, detail: "no permission to execute", cause });
    });
  const packageFolder = await nearestPackage(executable);
  return {
    kind,
    name: kind?.name ?? basename(found),
    version: packageFolder === null ? null : await versionOf(packageFolder),
    executable,
    // JavaScript agents ask for newer Nodes than a machine may have: they get ours, while the PATH that their own
    // commands see stays the person's.
    program: isScript ? [around.node, executable] : [executable],
    folders: [outermostModules(executable), ...(isScript ? [around.node] : [])],
  };
}

async function onPath(command: string, path: string): Promise<string | null> {
  for (const folder of path.split(delimiter)) {
    if (!isAbsolute(folder)) continue; // a relative PATH entry would run what the repository holds
    const file = join(folder, command);
    if (await exists(file)) return file;
  }
  return null;
}

/** The folder to show: the parent of the outermost `node_modules` on the way, else the file itself. */
function outermostModules(executable: string): string {
  const parts = executable.split(sep);
  const at = parts.indexOf("node_modules");
  return at > 0 ? parts.slice(0, at + 1).join(sep) : executable;
}

async function nearestPackage(executable: string): Promise<string | null> {
  for (
    let folder = dirname(executable);
    folder.includes(`${sep}node_modules${sep}`);
    folder = dirname(folder)
  )
    if (await exists(join(folder, "package.json"))) return folder;
  return null;
}

async function versionOf(packageFolder: string): Promise<string | null> {
  try {
    const parsed: unknown = JSON.parse(await readFile(join(packageFolder, "package.json"), "utf8"));
    if (
      typeof parsed === "object" &&
      parsed !== null &&
      "version" in parsed &&
      typeof parsed.version === "string"
    )
      return parsed.version;
  } catch {
    // A package file that cannot be read leaves the version unknown; the hash still names the build.
  }
  return null;
}

async function startsWithNodeShebang(file: string): Promise<boolean> {
  const handle = await open(file, "r");
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(128), 0, 128, 0);
    return /^#![^\n]*\bnode\b/.test(buffer.toString("latin1", 0, bytesRead));
  } finally {
    await handle.close();
  }
}

const exists = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );
