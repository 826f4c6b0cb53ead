/** From what a person named to a build that can be vetted: fetched, unpacked or found, with how it starts inside. */
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { mkdtemp, readdir, realpath, rm, stat } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { basename, dirname, join, resolve, sep } from "node:path";
import { Fault } from "../core/index.ts";
import { insidePath, type Target } from "../lab/index.ts";
import {
  AGENTS,
  type AgentKind,
  agentNamed,
  hashBuild,
  locateAgent,
  splitVersion,
} from "../register/index.ts";
import { ensureAgent } from "./install.ts";
import type { Places } from "./places.ts";
import { hashFile } from "./prepare.ts";

const NODE_INSIDE = "/opt/node/bin/node";

/** A build that can be run, and what was unpacked for it. */
export interface Found {
  readonly target: Target;
  /** The build's hash as the register has it; null for what the register does not know by name. */
  readonly hash: string | null;
  readonly installScripts: readonly string[];
  close(): Promise<void>;
}

const nothingToClose = async (): Promise<void> => {};

/**
 * `claude@2.1.169`, the path of an executable, of a tarball or of a folder. Fetches what is named and not there.
 * Throws `agent.unknown`, `agent.not-executable`, `setup.failed`.
 */
export async function targetOf(typed: string, places: Places): Promise<Found> {
  const { name, version } = splitVersion(typed);
  const kind = agentNamed(name);
  if (kind !== null) return knownBuild(kind, version ?? kind.tested, places);
  const path = resolve(typed);
  const info = await stat(path).catch(() => null);
  if (info === null)
    throw new Fault("agent.unknown", {
      detail: `\`${typed}\``,
      remedy: `name one of ${AGENTS.map((a) => a.name).join(", ")} with a version, or give a path`,
    });
  if (info.isDirectory())
    return { ...(await folderBuild(await realpath(path))), hash: null, close: nothingToClose };
  if (/\.(?:tgz|tar\.gz|tar)$/.test(path)) return tarballBuild(path);
  return {
    ...{ target: await fileBuild(await realpath(path), places), hash: null },
    ...{ installScripts: [], close: nothingToClose },
  };
}

async function knownBuild(kind: AgentKind, version: string, places: Places): Promise<Found> {
  const folder = await realpath(await ensureAgent(kind, version, places));
  const located = await locateAgent(`${kind.name}@${version}`, {
    ...{ path: "", cwd: "/", agentsFolder: places.agents, arch: process.arch, node: process.execPath },
  });
  const target: Target = {
    ...{ name: kind.name, version, sha256: await hashFile(located.executable), folder, kind },
    command: located.program.map((part) =>
      part === process.execPath ? NODE_INSIDE : insidePath(folder, part),
    ),
  };
  const { hash } = await hashBuild(located.executable, hashFile);
  return {
    ...{ target, hash },
    installScripts: installScripts(join(folder, "node_modules", kind.package, "package.json")),
    close: nothingToClose,
  };
}

async function tarballBuild(path: string): Promise<Found> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "sallyport-vet-")));
  const close = (): Promise<void> => rm(folder, { recursive: true, force: true });
  const done = spawnSync("tar", ["-xf", path, "-C", folder, "--no-same-owner"], {
    stdio: ["ignore", "ignore", "pipe"],
    encoding: "utf8",
  });
  const inner = join(folder, "package");
  if (done.status !== 0) {
    await close();
    throw new Fault("agent.not-executable", {
      at: path,
      detail: `it cannot be unpacked: ${done.stderr.trim().split("\n").at(-1) ?? ""}`,
    });
  }
  try {
    return { ...(await folderBuild(existsSync(inner) ? inner : folder)), hash: null, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A package (the first of its `bin`), or a folder with one executable. */
async function folderBuild(folder: string): Promise<Omit<Found, "close" | "hash">> {
  const manifest = packageAt(join(folder, "package.json"));
  const bin = typeof manifest["bin"] === "string" ? manifest["bin"] : Object.values(manifest["bin"] ?? {})[0];
  const entries = await readdir(folder, { withFileTypes: true });
  const runnable = entries.filter((entry) => entry.isFile() && isExecutable(join(folder, entry.name)));
  const file =
    typeof bin === "string"
      ? join(folder, bin)
      : runnable.length === 1
        ? join(folder, runnable[0]?.name ?? "")
        : null;
  if (file === null || !existsSync(file))
    throw new Fault("agent.not-executable", {
      at: folder,
      detail: "no `bin` in its package.json, and not exactly one executable",
    });
  const name = typeof manifest["name"] === "string" ? manifest["name"] : basename(folder);
  const kind =
    AGENTS.find((agent) => agent.package === name || name.startsWith(`${agent.package}-linux-`)) ?? null;
  const version = typeof manifest["version"] === "string" ? manifest["version"] : null;
  const target: Target = {
    ...{ name: kind?.name ?? name, version, sha256: await hashFile(file), folder, kind },
    command: commandFor(file, insidePath(folder, file)),
  };
  return { target, installScripts: installScripts(join(folder, "package.json")) };
}

async function fileBuild(file: string, places: Places): Promise<Target> {
  const isSystem = file.startsWith("/usr/");
  const folder = isSystem ? null : await folderToShow(file, places);
  const inside = folder === null ? file : insidePath(folder, file);
  return {
    name: basename(file),
    version: null,
    sha256: await hashFile(file),
    folder,
    command: commandFor(file, inside),
    kind: null,
  };
}

/** Its package or its folder, so that what it loads is there; the file alone where that would show a home or more. */
async function folderToShow(file: string, places: Places): Promise<string> {
  const tooWide = new Set([
    "/",
    "/tmp",
    "/var/tmp",
    "/home",
    "/root",
    "/opt",
    "/srv",
    homedir(),
    await realpath(tmpdir()),
    places.state,
  ]);
  const isWide = (folder: string): boolean => tooWide.has(folder) || homedir().startsWith(`${folder}${sep}`);
  for (let folder = dirname(file); !isWide(folder); folder = dirname(folder))
    if (existsSync(join(folder, "package.json")) && depthFrom(folder, file) <= 3) return folder;
  return isWide(dirname(file)) ? file : dirname(file);
}

const depthFrom = (folder: string, file: string): number => file.slice(folder.length + 1).split(sep).length;

function commandFor(file: string, inside: string): readonly string[] {
  const head = readFileSync(file).subarray(0, 128).toString("latin1");
  const isNode = /^#![^\n]*\bnode\b/.test(head) || (/\.[cm]?js$/.test(file) && !head.startsWith("#!"));
  if (isNode) return [NODE_INSIDE, inside];
  if (!isExecutable(file))
    throw new Fault("agent.not-executable", { at: file, detail: "no permission to execute" });
  return [inside];
}

export function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false; // said by whoever asked
  }
}

function packageAt(file: string): Record<string, unknown> {
  if (!existsSync(file)) return {};
  const value: unknown = JSON.parse(readFileSync(file, "utf8"));
  // Each field is checked where it is used.
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function installScripts(file: string): readonly string[] {
  const scripts = packageAt(file)["scripts"];
  if (typeof scripts !== "object" || scripts === null) return [];
  return Object.entries(scripts).flatMap(([name, text]) =>
    /^(?:pre|post)?install$|^prepare$/.test(name) ? [`${name}: ${String(text)}`] : [],
  );
}
