/**
 * What a session wrote and nobody has brought in yet: `<state>/held/<session>/`, 0700.
 *
 *   hold.json        {@link Hold}; written before the session starts, and when it has ended
 *   tree/, git-<n>/  copy-on-write directories (sandbox/overlay.ts)
 *   git-<n>.index    the repository's index as the session found it
 *   aside/           what was set aside, under its path in the workspace
 *
 * A hold that is needed no more is removed; one that is there is for `sallyport review`.
 */
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { asSessionId, type SessionId } from "../core/index.ts";
import type { GitImport } from "./git-import.ts";
import type { Swept } from "./sweep.ts";

export interface HeldOverlay {
  readonly kind: "tree" | "git";
  /** `tree`, `git-<n>` */
  readonly name: string;
  /** What it covers. */
  readonly at: string;
}

export interface Hold {
  readonly v: 1;
  readonly session: SessionId;
  readonly workspace: string;
  /** Unix ms. */
  readonly startedAt: number;
  readonly overlays: readonly HeldOverlay[];
  /** What the mounts are called. */
  readonly tag: string;
  /** This and the next three: see sweep.ts. */
  readonly known: readonly string[];
  readonly granted: readonly string[];
  readonly untouched: readonly string[];
  readonly shown: readonly string[];
  /** The helper that reads the directories. */
  readonly helper: string | null;
  /** Null until the session has ended. */
  readonly outcome: HoldOutcome | null;
}

export interface HoldOutcome {
  readonly imports: readonly (GitImport & { readonly at: string })[];
  readonly swept: Swept;
}

export const folderOf = (root: string, session: SessionId): string => join(root, session);

/** Throws what the file system says. */
export function writeHold(root: string, hold: Hold): void {
  const folder = folderOf(root, hold.session);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const draft = join(folder, "hold.json.new");
  writeFileSync(draft, JSON.stringify(hold), { mode: 0o600 });
  renameSync(draft, join(folder, "hold.json"));
}

/** Null: there is none. */
export function readHold(root: string, session: SessionId): Hold | null {
  const file = join(folderOf(root, session), "hold.json");
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Hold) : null; // we wrote it
}

export function listHolds(root: string): readonly Hold[] {
  if (!existsSync(root)) return [];
  return readdirSync(root)
    .flatMap((name) => {
      const id = asSessionId(name);
      const hold = id === null ? null : readHold(root, id);
      return hold === null ? [] : [hold];
    })
    .toSorted((a, b) => a.startedAt - b.startedAt);
}

/** Also what a program or the kernel left without rights. */
export function removeHold(root: string, session: SessionId): void {
  const folder = folderOf(root, session);
  openToOwner(Buffer.from(folder));
  rmSync(folder, { recursive: true, force: true });
}

/** Gives its owner all rights to each folder below; returns what had fewer. */
export function openToOwner(folder: Buffer): void {
  const stat = lstatSync(folder, { throwIfNoEntry: false });
  if (stat?.isDirectory() !== true) return;
  if ((stat.mode & 0o700) !== 0o700) chmodSync(folder, (stat.mode & 0o7777) | 0o700);
  for (const entry of readdirSync(folder, { withFileTypes: true, encoding: "buffer" }))
    if (entry.isDirectory()) openToOwner(Buffer.concat([folder, Buffer.from("/"), entry.name]));
}

/** Whether a mount of that name is alive in any process that this user may look at. */
export function isMounted(tag: string): boolean {
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      if (readFileSync(`/proc/${name}/mountinfo`, "latin1").includes(` ${tag} `)) return true;
    } catch {
      // it ended, or is another user's
    }
  }
  return false;
}
