/**
 * Copy-on-write directories: which a session has, and how the helper is told (helper/overlay.c). A repository's own directory always is one where that is possible, the workspace as a whole when
 * somebody wants to look at the changes first.
 *
 *   <hold>/tree/up, <hold>/tree/work     the workspace
 *   <hold>/git-<n>/up, …/work            the nth repository
 *
 * A repository's overlay is synced as git asks for it. The workspace's is `volatile`: copying a file up would wait for the
 * disk each time (4.5 to 30 s for 10,000 small files, against 0.8 to 5), and what a power cut takes of it is a session's
 * unfinished work; the processes' own end, however sudden, takes nothing.
 */
import { chmodSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "../core/index.ts";
import { type HostFacts, type SandboxSpec, within } from "./facts.ts";
import { repositoriesIn } from "./mounts.ts";

export interface Overlay {
  readonly kind: "tree" | "git";
  /** Host directory, real path; the same inside. */
  readonly at: string;
  readonly device: number;
  readonly inode: number;
  /** `tree` or `git-<n>`, within the session's hold. */
  readonly name: string;
  readonly upper: string;
  readonly work: string;
}

/** Each costs a mount and two directories. Repositories beyond are guarded file by file, as where nothing is copy-on-write. */
const MOST_REPOSITORIES = 16;

/** Throws `sandbox.unavailable` where the whole workspace is wanted and cannot be. */
export function planOverlays(
  spec: SandboxSpec,
  facts: HostFacts,
  workspace: string,
  explain: string[],
): readonly Overlay[] {
  const { hold } = spec;
  if (hold === undefined) return [];
  const { noOverlay } = facts;
  if (noOverlay !== null) {
    if (hold.isWhole)
      throw new Fault("sandbox.unavailable", {
        detail: `changes cannot be held back for a review: ${noOverlay}`,
        remedy: "see `sallyport doctor`; without --review the session starts",
      });
    explain.push(`repositories are guarded file by file, not copy-on-write: ${noOverlay}`);
    return [];
  }
  const one = (kind: Overlay["kind"], name: string, at: string, device: number, inode: number): Overlay => ({
    ...{ kind, at, device, inode, name },
    upper: join(hold.folder, name, "up"),
    work: join(hold.folder, name, "work"),
  });
  const overlays: Overlay[] = [];
  if (hold.isWhole) {
    overlays.push(one("tree", "tree", workspace, facts.workspace.device, facts.workspace.inode));
    explain.push("workspace: copy-on-write; nothing is changed before somebody has looked at it");
  }
  for (const { directories } of repositoriesIn(facts).slice(0, MOST_REPOSITORIES))
    for (const { path, real, device, inode } of directories) {
      // A linked worktree's own directory lies within the shared one.
      if (real !== path || directories.some((other) => other.path !== path && within(path, other.path)))
        continue;
      if (overlays.some((other) => other.kind === "git" && within(path, other.at))) continue;
      overlays.push(one("git", `git-${overlays.length}`, path, device, inode));
      explain.push(`repository ${path}: copy-on-write; what git would run of it is not brought in`);
    }
  return overlays;
}

/** The helper in front of the command, or nothing. */
export function overlayCommand(
  facts: HostFacts,
  spec: SandboxSpec,
  overlays: readonly Overlay[],
): readonly string[] {
  if (overlays.length === 0 || facts.helper.path === null || spec.hold === undefined) return [];
  return [
    ...[facts.helper.path, "overlay", spec.hold.tag],
    ...overlays.flatMap(({ kind, at, device, inode, upper, work }) => [
      ...[at, String(device), String(inode), upper, work, kind === "tree" ? "volatile" : "-"],
    ]),
    "--",
  ];
}

/** The directories that an overlay needs; the upper one looks like what it covers. */
export function makeOverlays(overlays: readonly Overlay[]): void {
  for (const { at, upper, work } of overlays) {
    mkdirSync(work, { recursive: true, mode: 0o700 });
    mkdirSync(upper, { mode: 0o700 });
    chmodSync(upper, statSync(at).mode & 0o7777);
  }
}
