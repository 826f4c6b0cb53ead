/**
 * The end of a session, as far as its workspace goes: repositories get what was committed, what the host would obey is set
 * aside. Also for sessions whose client or station died: nothing that they committed is lost with them.
 */
import { join } from "node:path";
import type { SessionId } from "../core/index.ts";
import { importGit, keepIndex } from "./git-import.ts";
import {
  folderOf,
  type Hold,
  type HoldOutcome,
  isMounted,
  openToOwner,
  readHold,
  removeHold,
  writeHold,
} from "./hold.ts";
import { openLayers } from "./layers.ts";
import { sweep } from "./sweep.ts";

export interface Finished {
  readonly outcome: HoldOutcome;
  /** Changes to the workspace wait for a review. */
  readonly isWaiting: boolean;
}

/** How long the end of what runs inside is waited for when nobody has seen it. */
const GONE_MS = 10_000;
const LOOK_MS = 20;

/** Before the session starts; its directories are there. Resolves what cannot be told later. */
export function beginHold(root: string, hold: Hold): void {
  for (const { kind, name, at } of hold.overlays)
    if (kind === "git") keepIndex(at, join(folderOf(root, hold.session), `${name}.index`));
  writeHold(root, hold);
}

/**
 * Null: the session has no hold. `isGone`: somebody has seen the end of everything inside. Throws when something is
 * still alive in there, or a file system call fails; the hold stays, and the same call again goes on from there.
 */
export function finishHold(root: string, session: SessionId, isGone: boolean): Finished | null {
  const hold = readHold(root, session);
  if (hold === null) return null;
  if (hold.outcome !== null) return { outcome: hold.outcome, isWaiting: isWaiting(hold) };
  if (!isGone) awaitEnd(hold.tag);
  if (isWaiting(hold)) {
    const outcome: HoldOutcome = { imports: [], swept: { aside: [], stayed: [] } };
    writeHold(root, { ...hold, outcome });
    return { outcome, isWaiting: true };
  }
  const outcome: HoldOutcome = { imports: bringIn(root, hold), swept: sweepAfter(root, hold) };
  if (isEmpty(outcome)) removeHold(root, session);
  else writeHold(root, { ...hold, outcome });
  return { outcome, isWaiting: false };
}

export const isWaiting = (hold: Hold): boolean => hold.overlays.some(({ kind }) => kind === "tree");

const isEmpty = ({ imports, swept }: HoldOutcome): boolean =>
  imports.every(({ held }) => held.length === 0) && swept.aside.length === 0;

/** What was written to the repositories' own directories. */
export function bringIn(root: string, hold: Hold): HoldOutcome["imports"] {
  const { helper } = hold;
  if (helper === null) return [];
  return hold.overlays
    .filter(({ kind }) => kind === "git")
    .map(({ name, at }) => {
      const upper = join(folderOf(root, hold.session), name, "up");
      openToOwner(Buffer.from(upper));
      const { workspace, session, startedAt, granted } = hold;
      const index = join(folderOf(root, hold.session), `${name}.index`);
      return {
        at,
        ...importGit({
          layers: openLayers(helper, upper, at),
          workspace,
          session,
          startedAt,
          granted,
          index,
        }),
      };
    });
}

function sweepAfter(root: string, hold: Hold): HoldOutcome["swept"] {
  return sweep({
    workspace: hold.workspace,
    startedAt: hold.startedAt,
    overlaid: hold.overlays.map(({ at }) => at),
    known: hold.known,
    untouched: hold.untouched,
    granted: hold.granted,
    shown: hold.shown,
    aside: join(folderOf(root, hold.session), "aside"),
  });
}

function awaitEnd(tag: string): void {
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  for (let left = GONE_MS; isMounted(tag); left -= LOOK_MS) {
    if (left <= 0) throw new Error("programs of the session are still alive");
    Atomics.wait(sleeper, 0, 0, LOOK_MS);
  }
}
