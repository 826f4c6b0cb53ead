/** What `sallyport review` does to a hold: see review.ts for files, git-import.ts for repositories. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { entryAt } from "./entry.ts";
import { bringIn } from "./finish.ts";
import { changedRefs } from "./git-import.ts";
import { folderOf, type Hold, openToOwner, removeHold, writeHold } from "./hold.ts";
import { at, openLayers } from "./layers.ts";
import { type Change, type Done, forgetAside, take } from "./review.ts";
import { bytesOf } from "./tree.ts";

/** Something of a repository that waits. */
export interface HeldInRepository {
  /** The git directory, absolute. */
  readonly at: string;
  /** Within it; empty for its commits. */
  readonly path: string;
  readonly why: string | null;
  /** Of commits: which refs would change, in words. */
  readonly commits: string | null;
}

/** What repositories wait with: commits that were not brought in, or files that were held back when they were. */
export function heldOf(root: string, hold: Hold): readonly HeldInRepository[] {
  const imports = hold.outcome?.imports ?? [];
  const held = imports.flatMap((one) =>
    one.held
      .filter(({ path }) => isThere(root, hold, one.at, path))
      .map(({ path, why }) => ({ at: one.at, path, why, commits: null })),
  );
  if (imports.length > 0 || hold.helper === null) return held;
  const { helper, workspace, session, startedAt, granted } = hold;
  return hold.overlays.flatMap(({ kind, name, at: git }): HeldInRepository[] => {
    if (kind !== "git") return [];
    const upper = join(folderOf(root, session), name, "up");
    openToOwner(Buffer.from(upper));
    const layers = openLayers(helper, upper, git);
    const refs = changedRefs({ layers, workspace, session, startedAt, granted, index: "" });
    if (refs === null) return [];
    return [
      {
        at: git,
        path: "",
        why: null,
        commits: refs.length === 0 ? "index, logs or objects alone" : refs.join(", "),
      },
    ];
  });
}

function isThere(root: string, hold: Hold, git: string, path: string): boolean {
  const overlay = hold.overlays.find((one) => one.kind === "git" && one.at === git);
  if (overlay === undefined) return false;
  const upper = join(folderOf(root, hold.session), overlay.name, "up");
  const stat = entryAt(at(upper, bytesOf(path)));
  return stat !== undefined && !stat.isCharacterDevice();
}

export function takeChanges(_root: string, hold: Hold, changes: readonly Change[]): readonly Done[] {
  const done = take(hold.workspace, changes);
  const failed = new Set(done.filter((one) => one.failed !== null).map(({ path }) => path));
  forgetAside(changes.filter(({ path }) => !failed.has(path)));
  return done;
}

/** `paths`: relative to the workspace, of git directories (their commits) or of files that were held back in one. */
export function takeRepositories(root: string, hold: Hold, paths: readonly string[]): readonly Done[] {
  const done: Done[] = [];
  let { outcome } = hold;
  const wanted = new Set(paths);
  const isWhole = hold.overlays.some(
    ({ kind, at: git }) => kind === "git" && wanted.has(relative(hold.workspace, git)),
  );
  if (isWhole && (outcome?.imports.length ?? 0) === 0) {
    const imports = bringIn(root, hold);
    outcome = { imports, swept: outcome?.swept ?? { aside: [], stayed: [] } };
    writeHold(root, { ...hold, outcome });
    for (const one of imports) done.push({ path: bytesOf(relative(hold.workspace, one.at)), failed: null });
  }
  for (const one of outcome?.imports ?? [])
    for (const { path } of one.held) {
      const name = relative(hold.workspace, join(one.at, path));
      if (wanted.has(name)) done.push(takeHeld(root, hold, one.at, path, bytesOf(name)));
    }
  return done;
}

function takeHeld(root: string, hold: Hold, git: string, path: string, name: string): Done {
  const overlay = hold.overlays.find((one) => one.kind === "git" && one.at === git);
  const from = at(join(folderOf(root, hold.session), overlay?.name ?? "", "up"), bytesOf(path));
  const to = join(git, path);
  const stat = entryAt(from);
  if (stat?.isFile() !== true) return { path: name, failed: "it is no plain file: bring it in by hand" };
  try {
    mkdirSync(dirname(to), { recursive: true });
    writeFileSync(`${to}.sallyport`, readFileSync(from), { flag: "wx", mode: stat.mode & 0o777 });
    renameSync(`${to}.sallyport`, to);
    renameSync(from, `${from}.taken`);
    return { path: name, failed: null };
  } catch (error) {
    return { path: name, failed: error instanceof Error ? error.message : String(error) };
  }
}

export const forgetHold = (root: string, hold: Hold): void => removeHold(root, hold.session);
