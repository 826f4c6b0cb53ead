/**
 * What a workspace's folder holds, and how two such states differ. Linux: every step down goes through an open descriptor
 * (`/proc/self/fd/<n>/<name>`, O_NOFOLLOW), so a folder that is swapped for a link while we walk leads nowhere else.
 *
 * Names are bytes: paths are relative, `/` between names, each character one byte (latin1); `shown` makes text of them.
 */
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
} from "node:fs";
import { Fault } from "../core/index.ts";

/** Where a file's bytes lie: a compressed frame of a pack, and the part of the frame that is this file. */
export interface Kept {
  readonly pack: string;
  readonly offset: number;
  readonly length: number;
  readonly start: number;
}

export type Entry =
  | {
      readonly kind: "file";
      readonly mode: number;
      readonly bytes: number;
      /** Device, inode, size, modification and change time: as long as it is the same, so are the bytes. */
      readonly identity: string;
      /** Changed so shortly before that a second change might not show in its identity. */
      readonly isFresh: boolean;
      /** Hex; null: the bytes were not read, so nothing can bring them back. */
      readonly sha256: string | null;
      readonly kept: Kept | null;
      /** Why the bytes were not kept. */
      readonly why: string | null;
    }
  | { readonly kind: "folder"; readonly mode: number }
  | { readonly kind: "link"; readonly target: string }
  /** A socket, a pipe, a device. */
  | { readonly kind: "other" }
  /** A folder that was not looked into. */
  | { readonly kind: "left"; readonly why: string };

export type FileEntry = Extract<Entry, { kind: "file" }>;
export type Tree = ReadonlyMap<string, Entry>;

/** Beyond these a workspace is refused: the start of a session would be felt for too long. */
const MAX_ENTRIES = 300_000;
const MAX_DEPTH = 200;
/** Folders of installed or built things are looked into up to this many entries. */
const MAX_MADE = 2_000;
const MADE = new Set(["node_modules", ".venv", ".tox"]);
/** https://bford.info/cachedir/ */
const CACHE_TAG = "CACHEDIR.TAG";

export const bytesOf = (text: string): string => Buffer.from(text, "utf8").toString("latin1");
export const shown = (path: string): string => Buffer.from(path, "latin1").toString("utf8");
/** A name within an open folder. */
export const within = (folder: number, name: string): Buffer =>
  Buffer.from(`/proc/self/fd/${folder}/${name}`, "latin1");

/** Throws what open(2) says; ELOOP or ENOTDIR where it is no folder but a link. */
export const openFolder = (path: Buffer | string): number =>
  openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);

export const identityOf = (at: BigIntStats): string =>
  `${at.dev}:${at.ino}:${at.size}:${at.mtimeNs}:${at.ctimeNs}`;

/** Told of each regular file: makes its entry. */
export type SeeFile = (path: string, at: Buffer, stat: BigIntStats) => FileEntry;

/**
 * Everything below `root`, itself not. `except`: absolute paths that are no part of it (our own state).
 * Throws `workspace.too-large`; a folder that cannot be opened is `left`.
 */
export function readTree(root: string, except: readonly string[], see: SeeFile): Tree {
  const tree = new Map<string, Entry>();
  const not = new Set(
    except.flatMap((path) => (path.startsWith(`${root}/`) ? bytesOf(path.slice(root.length + 1)) : [])),
  );
  const folder = openFolder(root);
  const device = fstatSync(folder, { bigint: true }).dev;
  const whyLeft = (path: string, stat: BigIntStats, depth: number): string | null => {
    if (not.has(path)) return "Sallyport's own";
    if (stat.dev !== device) return "another file system";
    return depth >= MAX_DEPTH ? "too deep" : null;
  };
  const enter = (folder: number, prefix: string, depth: number): void => {
    for (const name of namesIn(folder)) {
      const path = `${prefix}${name}`;
      const at = within(folder, name);
      const stat = lstatSync(at, { bigint: true, throwIfNoEntry: false });
      if (stat === undefined) continue; // gone since it was listed
      if (tree.size >= MAX_ENTRIES)
        throw new Fault("workspace.too-large", { at: root, detail: `more than ${MAX_ENTRIES} files` });
      if (!stat.isDirectory()) {
        tree.set(path, entryOf(path, at, stat, see));
        continue;
      }
      const left = whyLeft(path, stat, depth);
      if (left !== null) {
        tree.set(path, { kind: "left", why: left });
        continue;
      }
      let inner: number;
      try {
        inner = openFolder(at);
      } catch {
        tree.set(path, { kind: "left", why: "cannot be opened" });
        continue;
      }
      try {
        if (isMade(inner, name)) tree.set(path, { kind: "left", why: "installed or built, and large" });
        else {
          tree.set(path, { kind: "folder", mode: Number(stat.mode) & 0o7777 });
          enter(inner, `${path}/`, depth + 1);
        }
      } finally {
        closeSync(inner);
      }
    }
  };
  try {
    enter(folder, "", 0);
  } finally {
    closeSync(folder);
  }
  return tree;
}

const namesIn = (folder: number): string[] => readdirSync(`/proc/self/fd/${folder}`, "latin1").sort();

function entryOf(path: string, at: Buffer, stat: BigIntStats, see: SeeFile): Entry {
  if (stat.isFile()) return see(path, at, stat);
  if (!stat.isSymbolicLink()) return { kind: "other" };
  return { kind: "link", target: readlinkSync(at, "latin1") };
}

function isMade(folder: number, name: string): boolean {
  if (!MADE.has(name) && lstatSync(within(folder, CACHE_TAG), { throwIfNoEntry: false }) === undefined)
    return false;
  let left = MAX_MADE;
  const isMore = (inside: number): boolean => {
    for (const entry of readdirSync(`/proc/self/fd/${inside}`, { withFileTypes: true, encoding: "latin1" })) {
      left -= 1;
      if (left < 0) return true;
      if (!entry.isDirectory()) continue;
      let inner: number;
      try {
        inner = openFolder(within(inside, entry.name));
      } catch {
        continue; // the walk itself will say that it cannot be opened
      }
      try {
        if (isMore(inner)) return true;
      } finally {
        closeSync(inner);
      }
    }
    return false;
  };
  return isMore(folder);
}

/** Whether both stand for the same thing on disk. Files whose bytes were not read are the same by identity alone. */
export function isSame(one: Entry | undefined, other: Entry | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  switch (one.kind) {
    case "file":
      return other.kind === "file" && one.mode === other.mode && hasSameBytes(one, other);
    case "folder":
      return other.kind === "folder" && one.mode === other.mode;
    case "link":
      return other.kind === "link" && one.target === other.target;
    case "other":
    case "left":
      return other.kind === one.kind; // nothing is known of what is inside
    default:
      one satisfies never;
      return false;
  }
}

export const hasSameBytes = (one: FileEntry, other: FileEntry): boolean =>
  one.sha256 === null || other.sha256 === null
    ? one.identity === other.identity
    : one.sha256 === other.sha256;

/** Paths whose entries differ, in order; what lies below a folder that either did not look into is told by that folder. */
export function differences(before: Tree, after: Tree): readonly string[] {
  const left = [...before, ...after].flatMap(([path, entry]) => (entry.kind === "left" ? [path] : []));
  const found = new Set<string>();
  for (const [path, entry] of before) if (!isSame(entry, after.get(path))) found.add(path);
  for (const path of after.keys()) if (!before.has(path)) found.add(path);
  return [...found].filter((path) => !left.some((folder) => path.startsWith(`${folder}/`))).sort();
}
