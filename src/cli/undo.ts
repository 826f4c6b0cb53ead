/**
 * `undo`: a workspace as a session found it. The undo is on the record before anything is touched; the states round it
 * are kept, so that it can itself be undone.
 */
import { existsSync } from "node:fs";
import { asSessionId, Fault, type SessionId, systemClock } from "../core/index.ts";
import { plural } from "../report/index.ts";
import {
  isSame,
  planRestore,
  restore,
  type SessionSnapshots,
  SnapshotStore,
  type Step,
  shown,
  type Taken,
  type Tree,
} from "../workspace/index.ts";
import { changesOf, chosenPath, isAtOrBelow } from "./changes.ts";
import { notOfWorkspaces, type Places } from "./places.ts";
import { printable, table } from "./print.ts";
import { lineToRunning, reachStation } from "./reach.ts";
import type { Hello } from "./talk.ts";

interface Flags {
  readonly list?: boolean;
  readonly "dry-run"?: boolean;
  readonly all?: boolean;
  readonly force?: boolean;
  readonly redo?: boolean;
  readonly json?: boolean;
}

/** Of the ledger's event: the rest is counted. */
const MAX_TOLD = 1_000;

/** Resolves to the exit code. Throws `undo.*`, `usage.invalid`, `workspace.too-large`, `station.*`. */
export async function undo(words: readonly string[], flags: Flags, places: Places): Promise<number> {
  const session = asSessionId(words[0] ?? "");
  if (session === null)
    throw new Fault("usage.invalid", {
      detail: "`undo` needs a session id of 8 hexadecimal digits",
      remedy: "see `sallyport log`",
    });
  const snapshots = SnapshotStore.find(places.snapshots, session);
  if (snapshots === null) throw new Fault("undo.unknown", { detail: session });
  await refuseWhileRunning(snapshots.workspace, places);
  const store = new SnapshotStore(places.snapshots, snapshots.workspace);
  const take = (): Taken => store.take(notOfWorkspaces(places), systemClock.now());
  const now = takeOrRefuse(snapshots.workspace, take);
  const { before, after } = statesOf(snapshots, store, now, flags);
  const changes = await changesOf(session, places);
  const isSeen = !snapshots.isRecorded || changes.isLost || flags.all === true || flags.redo === true;
  if ((!snapshots.isRecorded || changes.isLost) && flags.redo !== true)
    process.stderr.write(
      "sallyport: the record of what the session's programs changed is not whole: all that changed while it ran counts as theirs\n",
    );
  const chosen = words.slice(1).map((path) => chosenPath(path, snapshots.workspace));
  const steps = planRestore({
    before,
    after,
    now: now.tree,
    isChosen: (path) => chosen.length === 0 || chosen.some((at) => at === "" || isAtOrBelow(path, at)),
    isOwn: (path) => isSeen || changes.by(path) !== null,
    isForced: flags.force === true,
  });
  const told = (step: Step): string => changes.by(step.path) ?? "";
  if (flags.list === true || flags["dry-run"] === true) {
    tell(steps, new Map(), told, flags, flags.list === true);
    return 0;
  }
  const failed = await putBack({ session, snapshots, store, now, before, steps, flags, places, take });
  tell(steps, failed, told, flags, false);
  return failed.size > 0 || steps.some((step) => step.outcome === "conflict" || step.outcome === "lost")
    ? 6
    : 0;
}

interface Work {
  readonly session: SessionId;
  readonly snapshots: SessionSnapshots;
  readonly store: SnapshotStore;
  readonly now: Taken;
  readonly before: Tree;
  readonly steps: readonly Step[];
  readonly flags: Flags;
  readonly places: Places;
  take(): Taken;
}

/** Paths that are not as they were afterwards, with why. */
async function putBack(work: Work): Promise<ReadonlyMap<string, string>> {
  const { session, snapshots, store, now, before, flags, places } = work;
  const steps = work.steps.filter((step) => step.outcome === "restore" || step.outcome === "remove");
  if (steps.length === 0) return new Map();
  const line = await reachStation(places);
  const undone = {
    session,
    direction: flags.redo === true ? ("redo" as const) : ("undo" as const),
    isForced: flags.force === true,
    paths: steps.slice(0, MAX_TOLD).map((step) => shown(step.path)),
    total: steps.length,
  };
  await line.ask({ op: "undone", undone }).finally(() => line.close());
  store.remember(session, { ...snapshots, undone: { before: now.id, after: null } });
  const results = restore(snapshots.workspace, before, steps, (file) => store.read(file));
  const then = work.take();
  store.remember(session, { ...snapshots, undone: { before: now.id, after: then.id } });
  const words = new Map(
    results.flatMap(({ path, failed }) => (failed === null ? [] : [[path, failed] as const])),
  );
  return new Map(
    steps.flatMap(({ path }) =>
      isSame(before.get(path), then.tree.get(path)) ? [] : [[path, words.get(path) ?? "it differs"] as const],
    ),
  );
}

/** A session that runs would go on changing what is put back. */
async function refuseWhileRunning(workspace: string, places: Places): Promise<void> {
  const line = await lineToRunning(places);
  if (line === null) return;
  const { sessions } = await line.ask<Hello>({ op: "hello" }).finally(() => line.close());
  const running = sessions.find((one) => one.workspace === workspace);
  if (running !== undefined)
    throw new Fault("undo.refused", {
      at: workspace,
      detail: `session ${running.session} is running there`,
      remedy: "end it first",
    });
}

function takeOrRefuse(workspace: string, take: () => Taken): Taken {
  if (!existsSync(workspace))
    throw new Fault("undo.refused", {
      at: workspace,
      detail: "the workspace is not there any more",
      remedy: "make an empty folder in its place, then again",
    });
  return take();
}

/** Between which states is gone back: of the session, or of its last undo. */
function statesOf(
  snapshots: SessionSnapshots,
  store: SnapshotStore,
  now: Taken,
  flags: Flags,
): { readonly before: Tree; readonly after: Tree } {
  if (flags.redo === true && snapshots.undone === null)
    throw new Fault("undo.refused", { detail: "this session was not undone", remedy: "leave --redo out" });
  const { before, after } = flags.redo === true && snapshots.undone !== null ? snapshots.undone : snapshots;
  if (after === null && flags.force !== true)
    throw new Fault("undo.refused", {
      detail: `the end of ${flags.redo === true ? "the undo" : "the session"} was not seen, so later changes cannot be told from its own`,
      remedy: "see --dry-run --force; with --force everything goes back that differs from before",
    });
  return { before: store.tree(before), after: after === null ? now.tree : store.tree(after) };
}

const WORDS: Readonly<Record<Step["outcome"], string>> = {
  restore: "put back",
  remove: "removed",
  done: "as it was",
  conflict: "LEFT: changed after the session (--force overwrites it)",
  lost: "LEFT: was not kept",
  other: "left: the session was not seen to change it (--all takes it too)",
  stays: "left: an object of git's, harmless",
};

function tell(
  steps: readonly Step[],
  failed: ReadonlyMap<string, string>,
  by: (step: Step) => string,
  flags: Flags,
  isList: boolean,
): void {
  const rows = steps.map((step) => ({
    path: shown(step.path),
    was: step.was,
    outcome: failed.has(step.path) ? ("failed" as const) : step.outcome,
    why: failed.get(step.path) ?? step.why ?? null,
    by: by(step),
  }));
  if (flags.json === true) {
    process.stdout.write(
      `${JSON.stringify({ isDone: !isList && flags["dry-run"] !== true, changes: rows })}\n`,
    );
    return;
  }
  const word = (row: (typeof rows)[number]): string => {
    if (row.outcome === "failed") return `NOT put back: ${row.why}`;
    return row.why === null ? WORDS[row.outcome] : `${WORDS[row.outcome]}: ${row.why}`;
  };
  const lines = rows.map((row) =>
    [row.was, row.path, isList ? row.by : word(row)].map((cell) => printable(cell)),
  );
  if (lines.length > 0) process.stdout.write(`${table(lines)}\n`);
  const done = rows.filter((row) => row.outcome === "restore" || row.outcome === "remove").length;
  process.stdout.write(
    isList
      ? `the session changed ${plural(rows.length, "path")}\n`
      : `${flags["dry-run"] === true ? "would put back" : "put back"} ${done} of ${plural(rows.length, "path")}\n`,
  );
}
