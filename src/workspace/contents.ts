/**
 * What texts are compared with: the text files of a workspace, as they are. Every step down goes through an open
 * descriptor (tree.ts); links are not followed. `.git` and installed packages are no content of a workspace's own: of
 * these a file counts when an agent names it.
 */
import { createHash } from "node:crypto";
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { type FileContent, fileLetters } from "../inspect/provenance.ts";
import { bytesOf, identityOf, openFolder, shown, within } from "./tree.ts";

/** Files that are read of one workspace; more are counted as not read. */
export const MAX_FILES = 50_000;
/** A larger file is not read. */
export const MAX_FILE_BYTES: number = 1 << 20;
/** Of all files together; what is beyond is counted as not read. */
export const MAX_TOTAL_BYTES: number = 256 << 20;
/** Directory entries that are looked at. */
const MAX_ENTRIES = 300_000;
const MAX_DEPTH = 100;
/** A file with a NUL in its first bytes is binary. */
const BINARY_BYTES = 8_192;
/** Folders that other programs fill. */
const NOT_OWN: ReadonlySet<string> = new Set([".git", "node_modules", ".venv", ".tox", "__pycache__"]);
const MAX_FOLDERS = 2_000;
const FOLDER_LEVELS = 3;

/** A file that may be read. */
export interface Listed {
  /** Relative, as text. */
  readonly path: string;
  readonly identity: string;
  readonly bytes: number;
}

export interface Listing {
  readonly files: readonly Listed[];
  /** Too large, or beyond a limit. */
  readonly notRead: number;
}

/**
 * `except`: absolute paths that are no part of the workspace. `read`: told of each file that counts, while the way to it is
 * open. Throws what the root's opening says.
 */
export function listFiles(
  root: string,
  except: readonly string[],
  read: (file: Listed, at: Buffer) => void = () => {},
): Listing {
  const not = new Set(except.map((path) => bytesOf(path)));
  const files: Listed[] = [];
  let [notRead, entries, total] = [0, 0, 0];
  const see = (path: string, at: Buffer, stat: BigIntStats): void => {
    const bytes = Number(stat.size);
    if (bytes > MAX_FILE_BYTES || files.length >= MAX_FILES || total + bytes > MAX_TOTAL_BYTES) notRead++;
    else {
      total += bytes;
      const file = { path: shown(path), identity: identityOf(stat), bytes };
      files.push(file);
      read(file, at);
    }
  };
  const enter = (folder: number, prefix: string, depth: number): void => {
    const names = readdirSync(`/proc/self/fd/${folder}`, "latin1").sort();
    const inside: string[] = [];
    for (const name of names) {
      if (++entries > MAX_ENTRIES) return;
      const at = within(folder, name);
      const stat = lstatSync(at, { bigint: true, throwIfNoEntry: false });
      if (stat?.isFile() === true) see(`${prefix}${name}`, at, stat);
      else if (stat?.isDirectory() === true && !NOT_OWN.has(name)) inside.push(name);
    }
    for (const name of inside) {
      if (depth >= MAX_DEPTH || not.has(`${bytesOf(root)}/${prefix}${name}`)) continue;
      let inner: number;
      try {
        inner = openFolder(within(folder, name));
      } catch {
        continue; // gone, or closed to us: nothing of it can be compared
      }
      try {
        enter(inner, `${prefix}${name}/`, depth + 1);
      } finally {
        closeSync(inner);
      }
    }
  };
  const folder = openFolder(root);
  try {
    enter(folder, "", 0);
  } finally {
    closeSync(folder);
  }
  return { files, notRead };
}

export interface ReadFile extends FileContent {
  readonly identity: string;
}

/** The file's identity now; null: it is no regular file within the workspace. */
export function identityNow(root: string, path: string): string | null {
  return inFolderOf(root, path, (at) => {
    const stat = lstatSync(at, { bigint: true, throwIfNoEntry: false });
    return stat?.isFile() === true ? identityOf(stat) : null;
  });
}

/** The file's text; null: it is not there, binary, too large, or was being changed. */
export const readText = (root: string, path: string): ReadFile | null =>
  inFolderOf(root, path, (at) => readTextAt(path, at));

/** The same of a file that an open folder leads to. */
export function readTextAt(path: string, at: Buffer): ReadFile | null {
  let fd: number;
  try {
    fd = openSync(at, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return null;
  }
  try {
    const stat = fstatSync(fd, { bigint: true });
    const size = Number(stat.size);
    if (!stat.isFile() || size > MAX_FILE_BYTES) return null;
    const bytes = new Uint8Array(size);
    let got = 0;
    while (got < size) {
      const count = readSync(fd, bytes, got, size - got, null);
      if (count === 0) return null;
      got += count;
    }
    if (bytes.subarray(0, BINARY_BYTES).includes(0)) return null;
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    return { path, identity: identityOf(stat), letters: fileLetters(bytes), sha256 };
  } catch {
    return null;
  } finally {
    closeSync(fd);
  }
}

/** Null also when the way there is none: a part of it is a link, or gone. */
function inFolderOf<T>(root: string, path: string, work: (at: Buffer) => T | null): T | null {
  const names = bytesOf(path).split("/");
  const name = names.pop() ?? "";
  if ([...names, name].some((one) => one === "" || one === "." || one === "..")) return null;
  const open: number[] = [];
  try {
    let folder = openFolder(root);
    open.push(folder);
    for (const next of names) {
      folder = openFolder(within(folder, next));
      open.push(folder);
    }
    return work(within(folder, name));
  } catch {
    return null;
  } finally {
    for (const fd of open) closeSync(fd);
  }
}

export interface Measured {
  readonly files: number;
  readonly lines: number;
  readonly bytes: number;
  readonly folders: readonly { readonly path: string; readonly files: number; readonly lines: number }[];
}

/** Counts files for `workspace.measured`. */
export class Measure {
  #bytes = 0;
  readonly #folders = new Map<string, { path: string; files: number; lines: number }>();

  add(path: string, lines: number, bytes: number): void {
    this.#bytes += bytes;
    const names = path.split("/").slice(0, -1);
    for (let level = 0; level <= Math.min(names.length, FOLDER_LEVELS); level++) {
      const folder = names.slice(0, level).join("/");
      const known = this.#folders.get(folder) ?? { path: folder, files: 0, lines: 0 };
      this.#folders.set(folder, known);
      known.files++;
      known.lines += lines;
    }
  }

  /** The largest folders, in the order of their paths; the workspace itself is one of them. */
  result(): Measured {
    const folders = [...this.#folders.values()]
      .sort((a, b) => b.lines - a.lines)
      .slice(0, MAX_FOLDERS)
      .sort((a, b) => (a.path < b.path ? -1 : 1));
    const { files = 0, lines = 0 } = this.#folders.get("") ?? {};
    return { files, lines, bytes: this.#bytes, folders };
  }
}

const HASH = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;
const MAX_REFS_BYTES = 8 << 20;

/**
 * What git has checked out, read from its own files: no git is run, which would obey what the workspace configures.
 * Null: there is no repository, or nothing is committed.
 */
export function commitOf(workspace: string): string | null {
  try {
    const folder = gitFolder(workspace);
    const head = readFileSync(join(folder, "HEAD"), "utf8").trim();
    if (HASH.test(head)) return head;
    const ref = /^ref: (refs\/[^\0]{1,500})$/.exec(head)?.[1];
    if (ref === undefined || ref.includes("..")) return null;
    const places = [folder, commonFolder(folder)];
    for (const place of places) {
      const loose = textOf(join(place, ref)).trim();
      if (HASH.test(loose)) return loose;
    }
    for (const place of places)
      for (const line of textOf(join(place, "packed-refs")).split("\n"))
        if (line.endsWith(` ${ref}`) && HASH.test(line.split(" ")[0] ?? ""))
          return line.split(" ")[0] ?? null;
    return null;
  } catch {
    return null; // no repository
  }
}

/** `.git`, or what it points to where the workspace is a further work tree. */
function gitFolder(workspace: string): string {
  const at = join(workspace, ".git");
  if (lstatSync(at).isDirectory()) return at;
  const to = /^gitdir: (.{1,4000})$/m.exec(readFileSync(at, "utf8"))?.[1] ?? "";
  return resolve(workspace, to);
}

const commonFolder = (folder: string): string => {
  const to = textOf(join(folder, "commondir")).trim();
  return to === "" ? dirname(folder) : resolve(folder, to);
};

function textOf(file: string): string {
  const stat = lstatSync(file, { throwIfNoEntry: false });
  return stat?.isFile() === true && stat.size < MAX_REFS_BYTES ? readFileSync(file, "utf8") : "";
}
