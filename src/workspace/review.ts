/**
 * What a session changed in a workspace that was copy-on-write, and what was set aside: listed, taken, discarded.
 *
 * The list compares the upper directory with the workspace as it is now, so what has been taken is no change any more, and
 * a take that was cut off goes on with the same command. A path that somebody changed after the session began is a
 * conflict: told, and left alone unless forced. Files appear whole, by rename; the way to each goes down by open folders,
 * never through a link (restore.ts).
 *
 * Bytes, modes and links are taken; times, owners, attributes and hard links are not. Not taken at all: sockets, pipes.
 */
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fchmodSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  type Stats,
  symlinkSync,
  unlinkSync,
} from "node:fs";
import { join } from "node:path";
import { obeyedPart } from "../core/index.ts";
import { entryAt } from "./entry.ts";
import { folderOf, type Hold, openToOwner } from "./hold.ts";
import { at, entriesOf, kindOf, type LayerEntry, type Layers, openLayers, readPlain } from "./layers.ts";
import { inFolderOf } from "./restore.ts";
import { sameBytes } from "./same.ts";
import { bytesOf, openFolder, shown, within } from "./tree.ts";

export interface Change {
  /** Relative to the workspace, latin1. */
  readonly path: string;
  readonly was: "made" | "changed" | "removed";
  readonly kind: "file" | "folder" | "link" | "other";
  /** Where it lies: in the copy-on-write workspace, or set aside from one that was written directly. */
  readonly place: "tree" | "aside";
  /** Tools on this machine would obey it: taken by name only. */
  readonly isObeyed: boolean;
  /** Somebody changed it here after the session began. */
  readonly isConflict: boolean;
  /** Absolute host paths of what it was and what it became. */
  readonly before: Buffer;
  readonly after: Buffer;
}

export interface Done {
  readonly path: string;
  /** Null: it is done. */
  readonly failed: string | null;
}

export function changesIn(root: string, hold: Hold): readonly Change[] {
  const tree = hold.overlays.find(({ kind }) => kind === "tree");
  const found: Change[] = [];
  if (tree !== undefined && hold.helper !== null) {
    const layers = openLayers(hold.helper, join(folderOf(root, hold.session), tree.name, "up"), tree.at);
    const repositories = new Set(
      hold.overlays.flatMap(({ kind, at: git }) =>
        kind === "git" && git.startsWith(`${tree.at}/`) ? [bytesOf(git.slice(tree.at.length + 1))] : [],
      ),
    );
    for (const entry of entriesOf(layers))
      if (!repositories.has(entry.path)) found.push(...changesAt(layers, entry, hold.startedAt));
  }
  found.push(...asideIn(root, hold));
  return found.toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

function changesAt(layers: Layers, entry: LayerEntry, startedAt: number): readonly Change[] {
  const { path, kind } = entry;
  const before = at(layers.lower, path);
  // A folder on the way may have been hidden and made anew: then what lies here is not what this was made of.
  const was = entryAt(before);
  const make = (over: Pick<Change, "was" | "kind">, where = path): Change => ({
    ...over,
    path: where,
    place: "tree",
    isObeyed: isObeyed(where),
    isConflict: isTouched(at(layers.lower, where), startedAt),
    before: at(layers.lower, where),
    after: at(layers.upper, where),
  });
  if (kind === "removed") return was === undefined ? [] : [make({ was: "removed", kind: kindOfEntry(was) })];
  if (was === undefined) return [make({ was: "made", kind })];
  if (kind === "folder" && was.isDirectory()) {
    const gone = (hides(layers, path) ? goneIn(layers, path) : []).map((inner) =>
      make({ was: "removed", kind: kindOfEntry(lstatSync(at(layers.lower, inner))) }, inner),
    );
    return (was.mode & 0o7777) === (entry.stat.mode & 0o7777)
      ? gone
      : [make({ was: "changed", kind }), ...gone];
  }
  return isAlike(was, entry.stat, before, at(layers.upper, path)) ? [] : [make({ was: "changed", kind })];
}

/** Whether what the lower directory has in this folder, which is in both, was made anew. */
const hides = (layers: Layers, path: string): boolean =>
  path.split("/").some((_, end, names) => layers.opaque.has(names.slice(0, end + 1).join("/")));

/** What a folder that hides what it covers does not have itself. */
const goneIn = (layers: Layers, folder: string): readonly string[] =>
  readdirSync(at(layers.lower, folder), "latin1")
    .map((name) => `${folder}/${name}`)
    .filter((path) => entryAt(at(layers.upper, path)) === undefined);

function isAlike(was: Stats, is: Stats, before: Buffer, after: Buffer): boolean {
  if (was.isFile() && is.isFile())
    return was.size === is.size && (was.mode & 0o7777) === (is.mode & 0o7777) && sameBytes(before, after);
  return (
    was.isSymbolicLink() &&
    is.isSymbolicLink() &&
    readlinkSync(before, "latin1") === readlinkSync(after, "latin1")
  );
}

const kindOfEntry = (stat: Stats): Change["kind"] => {
  const kind = kindOf(stat);
  return kind === "removed" ? "other" : kind;
};

const isObeyed = (path: string): boolean =>
  obeyedPart(shown(path)) !== null || path.split("/").includes(".git");

/** Of a folder: whether anything in it was. */
function isTouched(path: Buffer, startedAt: number): boolean {
  const stat = entryAt(path);
  if (stat === undefined) return false;
  if (!stat.isDirectory()) return stat.ctimeMs >= startedAt;
  return readdirSync(path, "buffer").some((name) =>
    isTouched(Buffer.concat([path, Buffer.from("/"), name]), startedAt),
  );
}

function asideIn(root: string, hold: Hold): readonly Change[] {
  const folder = join(folderOf(root, hold.session), "aside");
  return (hold.outcome?.swept.aside ?? []).flatMap(({ path }): Change[] => {
    const name = bytesOf(path);
    const after = at(folder, name);
    const stat = entryAt(after);
    if (stat === undefined) return [];
    const before = at(hold.workspace, name);
    const isThere = entryAt(before) !== undefined;
    const was = isThere ? "changed" : "made";
    return [
      {
        path: name,
        was,
        kind: kindOfEntry(stat),
        place: "aside",
        isObeyed: true,
        isConflict: isThere,
        before,
        after,
      },
    ];
  });
}

/** Does to the workspace what the session did. The caller has chosen: conflicts and all. */
export function take(workspace: string, changes: readonly Change[]): readonly Done[] {
  const root = openFolder(workspace);
  const modes = new Map<string, number>();
  try {
    // What goes makes room first, from the inside out; folders come before what is in them.
    const removals = changes.filter(({ was }) => was === "removed").toReversed();
    const rest = changes.filter(({ was }) => was !== "removed");
    const done = [...removals, ...rest].map((change): Done => {
      try {
        inFolderOf(root, change.path, new Map(), (folder, name) =>
          takeOne(within(folder, name), folder, change, modes),
        );
        return { path: change.path, failed: null };
      } catch (error) {
        return {
          path: change.path,
          failed: error instanceof Error ? error.message.replace(/,.*/s, "") : String(error),
        };
      }
    });
    // Last, and the inner ones first: a folder may be closed to writing.
    for (const [path, mode] of [...modes].toSorted(([a], [b]) => (a < b ? 1 : -1))) setMode(root, path, mode);
    return done;
  } finally {
    closeSync(root);
  }
}

function setMode(root: number, path: string, mode: number): void {
  inFolderOf(root, path, new Map(), (folder, name) => {
    const fd = openFolder(within(folder, name));
    fchmodSync(fd, mode);
    closeSync(fd);
  });
}

function takeOne(place: Buffer, folder: number, change: Change, modes: Map<string, number>): void {
  const is = entryAt(place);
  if (change.was === "removed") {
    if (is?.isDirectory() === true) rmSync(place, { recursive: true });
    else if (is !== undefined) unlinkSync(place);
    return;
  }
  const { kind, after } = change;
  if (kind === "other") throw new Error("it is no file, folder or link");
  if (kind === "folder") {
    if (is !== undefined && !is.isDirectory()) unlinkSync(place);
    if (is?.isDirectory() !== true) mkdirSync(place, { mode: 0o700 });
    modes.set(change.path, lstatSync(after).mode & 0o777);
    if (change.place === "aside") for (const inner of insideOf(after)) placeAside(place, after, inner);
    return;
  }
  if (is?.isDirectory() === true) rmSync(place, { recursive: true });
  placeFile(place, within(folder, draftName()), kind, after);
}

const draftName = (): string => `.sallyport-take-${randomBytes(6).toString("hex")}`;

function placeFile(place: Buffer, draft: Buffer, kind: "file" | "link", after: Buffer): void {
  if (kind === "link") symlinkSync(readlinkSync(after, "buffer"), draft);
  else {
    // The session's own file, which no link can have taken the place of since it ended.
    closeSync(openSync(after, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK));
    copyFileSync(after, draft, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    chmodSync(draft, lstatSync(after).mode & 0o777);
  }
  renameSync(draft, place);
}

/** Relative paths of what a folder that was set aside holds, folders first. */
function insideOf(folder: Buffer, prefix = ""): readonly string[] {
  return readdirSync(folder, { withFileTypes: true, encoding: "latin1" }).flatMap((entry) => {
    const path = `${prefix}${entry.name}`;
    const inner = Buffer.concat([folder, Buffer.from(`/${entry.name}`, "latin1")]);
    return entry.isDirectory() ? [path, ...insideOf(inner, `${path}/`)] : [path];
  });
}

function placeAside(place: Buffer, after: Buffer, inner: string): void {
  const [to, from] = [place, after].map((one) => Buffer.concat([one, Buffer.from(`/${inner}`, "latin1")]));
  if (to === undefined || from === undefined) return;
  const kind = kindOf(lstatSync(from));
  if (kind === "folder") mkdirSync(to, { recursive: true });
  else if (kind === "file" || kind === "link")
    placeFile(to, Buffer.concat([to, Buffer.from(draftName())]), kind, from);
}

/** Forgets what the session wrote there. What was taken of it stays where it is. */
export function discard(changes: readonly Change[]): readonly Done[] {
  return changes.toReversed().map(({ path, after, kind }): Done => {
    try {
      if (entryAt(after) === undefined) return { path, failed: null };
      if (kind === "folder" && lstatSync(after).isDirectory()) {
        openToOwner(after);
        // What is in it may have been taken or be kept: only what is empty goes, and what was set aside goes whole.
        if (changes.some((one) => one.after === after && one.place === "aside"))
          rmSync(after, { recursive: true });
        else if (readdirSync(after).length === 0) rmdirSync(after);
      } else unlinkSync(after);
      return { path, failed: null };
    } catch (error) {
      return { path, failed: error instanceof Error ? error.message : String(error) };
    }
  });
}

/** After a take: what was set aside and is in the workspace now is forgotten here. */
export function forgetAside(changes: readonly Change[]): void {
  for (const { place, after } of changes)
    if (place === "aside" && existsSync(after)) {
      openToOwner(after);
      rmSync(after, { recursive: true, force: true });
    }
}

/** Text to compare; null: it is none, or too large. */
export function textOf(path: Buffer, maxBytes: number): string | null {
  const stat = entryAt(path);
  if (stat === undefined) return "";
  if (stat.isSymbolicLink()) return `-> ${readlinkSync(path, "utf8")}\n`;
  const bytes = readPlain(path, maxBytes);
  return bytes === null || bytes.includes(0) ? null : bytes.toString("utf8");
}
