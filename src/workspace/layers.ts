/**
 * A copy-on-write directory read from outside, after its mount is gone: the upper directory over the one that it covered
 * (Documentation/filesystems/overlayfs.rst; `userxattr`). What a program wrote lies in `upper`, so every name and byte there
 * is its choice: nothing is followed through a link. What covers all of a directory below is marked by an attribute
 * that Node cannot read; the helper lists those (helper/overlay.c).
 *
 * Paths are relative, as in tree.ts: bytes as latin1, `/` between names.
 */
import { spawnSync } from "node:child_process";
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  type Stats,
} from "node:fs";
import { Fault } from "../core/index.ts";
import { entryAt } from "./entry.ts";
import { bytesOf } from "./tree.ts";

export type LayerKind = "file" | "folder" | "link" | "removed" | "other";

export interface LayerEntry {
  readonly path: string;
  readonly kind: LayerKind;
  /** Of `folder`: nothing of what it covers shows through. */
  readonly isOpaque: boolean;
  readonly stat: Stats;
}

export interface Layers {
  /** Absolute host paths. */
  readonly upper: string;
  readonly lower: string;
  /** Folders of `upper` that hide what they cover. */
  readonly opaque: ReadonlySet<string>;
}

/** More would not be a session's work but an attack on whoever reads it. */
const MAX_ENTRIES = 2_000_000;
const HELPER_MS = 60_000;

export const at = (root: string, path: string): Buffer =>
  Buffer.from(path === "" ? bytesOf(root) : `${bytesOf(root)}/${path}`, "latin1");

/** Throws `review.failed` when the helper is not there or cannot read it. */
export function openLayers(helper: string, upper: string, lower: string): Layers {
  const { status, stdout, stderr, error } = spawnSync(helper, ["opaque", upper], {
    encoding: "latin1",
    maxBuffer: 256 << 20,
    timeout: HELPER_MS,
    shell: false,
  });
  if (status !== 0)
    throw new Fault("review.failed", {
      at: upper,
      detail: stderr?.trim() || String(error ?? "the helper failed"),
    });
  return { upper, lower, opaque: new Set(stdout.split("\0").filter((path) => path !== "")) };
}

/** What is in the upper directory, folders before what is in them. */
export function* entriesOf(layers: Layers): Generator<LayerEntry> {
  let left = MAX_ENTRIES;
  const pending = [""];
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    for (const name of readdirSync(at(layers.upper, folder), "latin1").sort()) {
      left -= 1;
      if (left < 0)
        throw new Fault("review.failed", { at: layers.upper, detail: `more than ${MAX_ENTRIES} entries` });
      const path = folder === "" ? name : `${folder}/${name}`;
      const stat = lstatSync(at(layers.upper, path));
      const kind = kindOf(stat);
      yield { path, kind, isOpaque: layers.opaque.has(path), stat };
      if (kind === "folder") pending.push(path);
    }
  }
}

/** A removal is a character device 0/0. */
export function kindOf(stat: Stats): LayerKind {
  if (stat.isFile()) return "file";
  if (stat.isDirectory()) return "folder";
  if (stat.isSymbolicLink()) return "link";
  return stat.isCharacterDevice() && stat.rdev === 0 ? "removed" : "other";
}

/** Whether what the lower directory has at this path shows through. */
export function showsThrough(layers: Layers, path: string): boolean {
  for (let end = path.indexOf("/"); ; end = path.indexOf("/", end + 1)) {
    const part = end < 0 ? path : path.slice(0, end);
    const stat = entryAt(at(layers.upper, part));
    if (stat === undefined) return true;
    if (end < 0 || !stat.isDirectory()) return false;
    if (layers.opaque.has(part)) return false;
  }
}

/** Names in a folder as the program saw it. */
export function mergedNames(layers: Layers, folder: string): readonly string[] {
  const names = new Set<string>();
  const inLower = folder === "" || showsThroughFolder(layers, folder);
  if (inLower) for (const name of namesIn(at(layers.lower, folder))) names.add(name);
  for (const name of namesIn(at(layers.upper, folder))) {
    const stat = lstatSync(at(layers.upper, folder === "" ? name : `${folder}/${name}`));
    if (kindOf(stat) === "removed") names.delete(name);
    else names.add(name);
  }
  return [...names].sort();
}

/** A folder that is in both shows through, unless it is marked. */
function showsThroughFolder(layers: Layers, folder: string): boolean {
  const stat = entryAt(at(layers.upper, folder));
  if (stat === undefined) return showsThrough(layers, folder);
  if (!stat.isDirectory() || layers.opaque.has(folder)) return false;
  const parent = folder.lastIndexOf("/");
  return parent < 0 || showsThroughFolder(layers, folder.slice(0, parent));
}

/** Where the program saw a plain file's bytes; null: it saw none there. */
export function mergedFile(layers: Layers, path: string): Buffer | null {
  const upper = entryAt(at(layers.upper, path));
  if (upper !== undefined) return upper.isFile() ? at(layers.upper, path) : null;
  if (!showsThrough(layers, path)) return null;
  const lower = entryAt(at(layers.lower, path));
  return lower?.isFile() === true ? at(layers.lower, path) : null;
}

/** The bytes of a plain file of at most that size; null: it is none, or larger. */
export function readPlain(path: Buffer, maxBytes: number): Buffer | null {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return null;
  }
  try {
    const stat = fstatSync(fd);
    return stat.isFile() && stat.size <= maxBytes ? readFileSync(fd) : null;
  } finally {
    closeSync(fd);
  }
}

function namesIn(folder: Buffer): readonly string[] {
  try {
    return readdirSync(folder, "latin1");
  } catch {
    return []; // not there, or not a folder
  }
}
