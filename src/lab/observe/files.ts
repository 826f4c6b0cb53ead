/**
 * What a run left in its home, as lines that can be compared like those of a request: the names of files that are new or
 * changed, and the content of those in the workspace, of those that were there before, and of those that a later login or
 * another tool would obey. What git keeps for itself is
 * left out but for hooks and settings: it changes by itself.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";

export interface FileLine {
  readonly section: "files" | "content";
  /** Of a name, the folder it is in; of a content, the file. */
  readonly path: string;
  readonly text: string;
}

/** Path below the home to what tells one state of the file from another. */
export type Listing = ReadonlyMap<string, string>;

/** Of larger files the size says enough: unpacked programs, not settings. */
const MAX_DIGEST_BYTES = 4 * 1024 * 1024;
const MAX_CONTENT_BYTES = 256 * 1024;
/** More is a cache: its names say nothing that these do not. */
const MAX_NAMES = 400;

/** In a home: what a login, a shell, a scheduler or another tool runs or obeys later. */
const PERSISTENT = [
  /^\.(?:bashrc|bash_profile|bash_login|profile|zshrc|zshenv|zprofile|xprofile|xsessionrc|inputrc|gitconfig|npmrc|pam_environment)$/,
  /^\.config\/(?:autostart|systemd|environment\.d|fish|git)\//,
  /^\.local\/(?:bin|share\/(?:systemd|applications|dbus-1))\//,
  /^\.ssh\//,
  /\.git\/(?:hooks\/|config$)/,
  /\/\.(?:vscode|idea|claude|cursor|husky|github)\//,
];

export const isPersistent = (path: string): boolean => PERSISTENT.some((pattern) => pattern.test(path));

export function listing(folder: string): Listing {
  const out = new Map<string, string>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const full = join(entry.parentPath, entry.name);
    const path = full.slice(folder.length + 1);
    if (entry.isSymbolicLink()) out.set(path, `→ ${readlinkSync(full)}`);
    if (!entry.isFile()) continue;
    const { size, mode } = statSync(full);
    const mark = (mode & 0o111) === 0 ? "" : " (executable)";
    if (size > MAX_DIGEST_BYTES) out.set(path, `size ${size}${mark}`);
    else out.set(path, createHash("sha256").update(readFileSync(full)).digest("hex") + mark);
  }
  return out;
}

/** Paths that are new or changed, in order. */
export const changedSince = (before: Listing, after: Listing): readonly string[] =>
  [...after].flatMap(([path, state]) => (before.get(path) === state ? [] : [path])).toSorted();

const isGitOwn = (path: string): boolean =>
  /(?:^|\/)\.git\//.test(path) && !/\.git\/(?:hooks\/|config$)/.test(path);

/** `workspace`: the workspace's path below the home. */
export function fileLines(
  home: string,
  workspace: string,
  before: Listing,
  after: Listing,
): readonly FileLine[] {
  const changed = changedSince(before, after).filter((path) => !isGitOwn(path));
  const names = changed.slice(0, MAX_NAMES).map((path): FileLine => {
    const state = after.get(path) ?? "";
    const link = state.startsWith("→") ? ` ${state}` : "";
    const mark = state.endsWith(" (executable)") ? " (executable)" : "";
    return {
      section: "files",
      path: path.split("/").slice(0, -1).slice(0, 2).join("/"),
      text: path + mark + link,
    };
  });
  const gone = [...before.keys()]
    .filter((path) => !after.has(path) && !isGitOwn(path))
    .map((path): FileLine => ({ section: "files", path: "gone", text: path }));
  const contents = changed.flatMap((path) =>
    before.has(path) || isPersistent(path) || path.startsWith(`${workspace}/`)
      ? contentLines(home, path)
      : [],
  );
  return [...names, ...gone, ...contents];
}

function contentLines(home: string, path: string): readonly FileLine[] {
  const full = join(home, path);
  if (statSync(full, { throwIfNoEntry: false })?.isFile() !== true) return [];
  const bytes = readFileSync(full);
  if (bytes.length > MAX_CONTENT_BYTES || bytes.includes(0)) return [];
  const lines = bytes.toString("utf8").match(/[^\n]*\n|[^\n]+$/g) ?? [];
  return lines.map((text) => ({ section: "content", path, text }));
}
