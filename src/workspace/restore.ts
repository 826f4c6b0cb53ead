/**
 * Puts a workspace back to an earlier state, as far as a session changed it. `planRestore` decides, `restore` does.
 *
 * Never overwrites what somebody changed after the session, unless forced. Never steps through a link: the way to each
 * path goes down from the workspace by open descriptors. A file appears whole, by rename; a crash leaves some paths
 * restored, some not, perhaps a file `.sallyport-undo-…`, and the same command again goes on from there.
 *
 * Bytes, modes, links and folders come back; modification times do not, or a build would take what it made of the
 * session's files for up to date. Owners, extended attributes and hard links (each becomes a file of its own) do not either.
 */
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import {
  differences,
  type Entry,
  type FileEntry,
  hasSameBytes,
  isSame,
  openFolder,
  type Tree,
  within,
} from "./tree.ts";

export interface Step {
  readonly path: string;
  /** What the session did to it. */
  readonly was: "made" | "changed" | "removed";
  /**
   * `restore`, `remove`: what is to be done. `done`: it is as it was already. `conflict`: somebody changed it after the
   * session. `lost`: its bytes were not kept. `other`: no program of the session was seen to change it. `stays`: an object
   * of a git repository; harmless, and perhaps all that is left of an older one that git has repacked.
   */
  readonly outcome: "restore" | "remove" | "done" | "conflict" | "lost" | "other" | "stays";
  /** More about `lost`. */
  readonly why?: string;
}

export interface RestoreChoice {
  readonly before: Tree;
  readonly after: Tree;
  readonly now: Tree;
  /** Whether this path is asked for. */
  isChosen(path: string): boolean;
  /** Whether the session did it. */
  isOwn(path: string): boolean;
  readonly isForced: boolean;
}

const GIT_OBJECT = /(?:^|\/)\.git\/(?:modules\/.+\/)?objects\//;

/** What is to be done for each chosen path that differs. Pure. */
export function planRestore(choice: RestoreChoice): readonly Step[] {
  const { before, after, now } = choice;
  return differences(before, after)
    .filter((path) => choice.isChosen(path))
    .map((path): Step => {
      const [was, became, is] = [before.get(path), after.get(path), now.get(path)];
      const step = {
        path,
        was: was === undefined ? "made" : became === undefined ? "removed" : "changed",
      } as const;
      if (isSame(was, is)) return { ...step, outcome: "done" };
      if (was === undefined && GIT_OBJECT.test(path)) return { ...step, outcome: "stays" };
      if (!choice.isOwn(path) && !isModeAlone(was, became)) return { ...step, outcome: "other" };
      const lost = whyLost(was, is);
      if (lost !== null && !(was === undefined && choice.isForced))
        return { ...step, outcome: "lost", why: lost };
      if (!choice.isForced && !isSame(became, is)) return { ...step, outcome: "conflict" };
      return { ...step, outcome: was === undefined ? "remove" : "restore" };
    });
}

/** Changes of modes are not on the record: they are taken for the session's. */
const isModeAlone = (was: Entry | undefined, became: Entry | undefined): boolean =>
  was !== undefined &&
  became !== undefined &&
  ((was.kind === "folder" && became.kind === "folder") ||
    (was.kind === "file" && became.kind === "file" && hasSameBytes(was, became)));

/** `is`: what would be overwritten must be kept as well, or an undo could not be undone. */
function whyLost(was: Entry | undefined, is: Entry | undefined): string | null {
  if (was?.kind === "file" && was.kept === null) {
    // Its bytes are still there: only its mode has changed.
    if (!(is?.kind === "file" && hasSameBytes(was, is))) return was.why;
  }
  if (was?.kind === "left") return was.why;
  if (was?.kind === "other") return "no file, folder or link";
  if (was === undefined && is?.kind === "file" && is.kept === null) return is.why;
  if (was === undefined && is?.kind === "left") return is.why;
  return null;
}

export interface Restored {
  readonly path: string;
  /** Null: it is as it was. */
  readonly failed: string | null;
}

/** Does what the plan says. `read`: the bytes of an entry of `before`; null: not there. */
export function restore(
  workspace: string,
  before: Tree,
  steps: readonly Step[],
  read: (file: FileEntry) => Buffer | null,
): readonly Restored[] {
  const results: Restored[] = [];
  const root = openFolder(workspace);
  const lifted = new Map<string, number>();
  const attempt = (path: string, work: (folder: number, name: string) => void): void => {
    try {
      inFolderOf(root, path, lifted, work);
      results.push({ path, failed: null });
    } catch (error) {
      results.push({
        path,
        failed: error instanceof Error ? error.message.replace(/,.*/s, "") : String(error),
      });
    }
  };
  try {
    const wanted = steps.filter((step) => step.outcome === "restore");
    for (const { path } of steps.filter((step) => step.outcome === "remove").toReversed())
      attempt(path, (folder, name) => removeOne(within(folder, name)));
    for (const { path } of wanted) {
      const entry = before.get(path);
      if (entry !== undefined) attempt(path, (folder, name) => putBack(folder, name, entry, read));
    }
    // Modes of folders last, and of the inner ones first: a folder may have been closed to writing.
    for (const { path } of wanted.toReversed()) {
      const entry = before.get(path);
      if (entry?.kind === "folder") lifted.set(path, entry.mode);
    }
    for (const [path, mode] of [...lifted].sort(([one], [other]) => (one < other ? 1 : -1)))
      try {
        inFolderOf(root, path, null, (folder, name) => setFolderMode(within(folder, name), mode));
      } catch {
        // the comparison that follows every undo tells of it
      }
  } finally {
    closeSync(root);
  }
  return results;
}

/** `lifted`: folders that had to be opened to their owner for this, with the modes they had. */
export function inFolderOf(
  root: number,
  path: string,
  lifted: Map<string, number> | null,
  work: (folder: number, name: string) => void,
): void {
  const names = path.split("/");
  const name = names.pop() ?? "";
  const open: number[] = [];
  let folder = root;
  try {
    for (const [depth, next] of names.entries()) {
      folder = openFolder(within(folder, next));
      open.push(folder);
      const mode = fstatSync(folder).mode & 0o7777;
      if (lifted === null || (mode & 0o700) === 0o700 || depth < names.length - 1) continue;
      fchmodSync(folder, mode | 0o700);
      const at = names.join("/");
      if (!lifted.has(at)) lifted.set(at, mode);
    }
    work(folder, name);
  } finally {
    for (const fd of open) closeSync(fd);
  }
}

function removeOne(at: Buffer): void {
  const stat = lstatSync(at, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (stat.isDirectory()) rmdirSync(at);
  else unlinkSync(at);
}

function putBack(folder: number, name: string, entry: Entry, read: (file: FileEntry) => Buffer | null): void {
  const at = within(folder, name);
  const is = lstatSync(at, { throwIfNoEntry: false });
  if (entry.kind === "folder") {
    if (is?.isDirectory() === true) return;
    if (is !== undefined) unlinkSync(at);
    mkdirSync(at, { mode: 0o700 });
    return;
  }
  if (is?.isDirectory() === true) rmdirSync(at);
  const temporary = within(folder, `.sallyport-undo-${randomBytes(6).toString("hex")}`);
  if (entry.kind === "link") symlinkSync(Buffer.from(entry.target, "latin1"), temporary);
  else if (entry.kind === "file") {
    if (entry.kept === null) {
      setMode(at, entry.mode);
      return;
    }
    const bytes = read(entry);
    if (bytes === null) throw new Error("the snapshot is damaged");
    writeFileSync(temporary, bytes, { flag: "wx", mode: 0o600 });
    chmodSync(temporary, entry.mode); // of a file we have just made, in a folder we hold open
  } else return;
  renameSync(temporary, at);
}

/** Throws when it is no folder any more. */
function setFolderMode(at: Buffer, mode: number): void {
  const fd = openFolder(at);
  try {
    fchmodSync(fd, mode);
  } finally {
    closeSync(fd);
  }
}

/** Never of what a link points to. */
function setMode(at: Buffer, mode: number): void {
  const fd = openSync(at, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    fchmodSync(fd, mode);
  } finally {
    closeSync(fd);
  }
}
