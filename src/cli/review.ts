/**
 * `review`: what a session wrote and nobody has brought in yet, looked at file by file, taken or discarded. What is done is
 * on the record before anything is touched.
 *
 * Three kinds of things wait here: changes of a session that ran with `--review`, its repositories' commits, and what was
 * set aside at the end of any session because the host would have obeyed it. The last is taken by name only, never by
 * `--take-all`.
 */
import { join, relative } from "node:path";
import { asSessionId, Fault, type SessionId } from "../core/index.ts";
import { plural } from "../report/index.ts";
import {
  bytesOf,
  type Change,
  changesIn,
  discardChanges,
  finishHold,
  forgetHold,
  type Hold,
  heldOf,
  listHolds,
  readHold,
  shown,
  takeChanges,
  takeRepositories,
} from "../workspace/index.ts";
import { type Changes, changesOf, chosenPath, isAtOrBelow } from "./changes.ts";
import type { Places } from "./places.ts";
import { printable, table, wantsColor } from "./print.ts";
import { lineToRunning, reachStation } from "./reach.ts";
import { askEach, diffText } from "./review-text.ts";
import type { Hello } from "./talk.ts";

export interface ReviewFlags {
  readonly diff?: boolean;
  readonly take?: boolean;
  readonly "take-all"?: boolean;
  readonly discard?: boolean;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** One thing to decide about. */
export interface Item {
  /** Relative to the workspace, latin1. */
  readonly path: string;
  readonly was: Change["was"] | "commits" | "held";
  /** Null for what a repository holds. */
  readonly change: Change | null;
  /** Programs that were seen to write it. */
  readonly by: string;
  /** Why it needs to be named. */
  readonly why: string | null;
}

interface Case {
  readonly hold: Hold;
  readonly items: readonly Item[];
  readonly places: Places;
  readonly isForced: boolean;
}

/** Of the ledger's event: the rest is counted. */
const MAX_TOLD = 1_000;

/** Resolves to the exit code: 6 when something that was asked for could not be done. Throws `review.*`, `usage.invalid`. */
export async function review(words: readonly string[], flags: ReviewFlags, places: Places): Promise<number> {
  if (words.length === 0) return listAll(flags, places);
  const session = asSessionId(words[0] ?? "");
  if (session === null)
    throw new Fault("usage.invalid", {
      detail: "`review` needs a session id of 8 hexadecimal digits",
      remedy: "see `sallyport review`",
    });
  const asked = [flags.diff, flags.take, flags["take-all"], flags.discard].filter((flag) => flag === true);
  if (asked.length > 1)
    throw new Fault("usage.invalid", {
      detail: "--diff, --take, --take-all and --discard exclude each other",
    });
  const opened = await openCase(session, flags.force === true, places);
  const named = words.slice(1).map((path) => chosenPath(path, opened.hold.workspace));
  const chosen = opened.items.filter(
    ({ path }) => named.length === 0 || named.some((at) => at === "" || isAtOrBelow(path, at)),
  );
  if (named.length > 0 && chosen.length === 0)
    throw new Fault("review.refused", { detail: "nothing of the session is at that path" });
  if (flags.take === true && named.length === 0)
    throw new Fault("usage.invalid", {
      detail: "--take needs paths",
      remedy: "name them, or use --take-all",
    });
  if (flags.diff === true) {
    for (const item of chosen) process.stdout.write(diffText(item, wantsColor(process.stdout)));
    return 0;
  }
  if (flags.take === true) return told(await takeItems(opened, chosen), flags);
  if (flags["take-all"] === true) return told(await takeItems(opened, chosen.filter(isFree)), flags);
  if (flags.discard === true) return told(await discardItems(opened, chosen), flags);
  tellItems(opened, chosen, flags);
  const isSeen = process.stdin.isTTY === true && process.stdout.isTTY === true && flags.json !== true;
  return isSeen && chosen.length > 0 ? interactive(opened, chosen) : 0;
}

/** After a session with `--review`, on a terminal. Nothing is lost when the person leaves. */
export async function reviewNow(id: string, places: Places): Promise<void> {
  const session = asSessionId(id);
  if (session === null) return;
  const opened = await openCase(session, false, places);
  tellItems(opened, opened.items, {});
  if (opened.items.length > 0) await interactive(opened, opened.items);
}

const isFree = ({ why }: Item): boolean => why === null;

async function openCase(session: SessionId, isForced: boolean, places: Places): Promise<Case> {
  const hold = await endedHold(session, places);
  const changes = await changesOf(session, places);
  return { hold, items: itemsOf(hold, changes, places), places, isForced };
}

/** What a session that runs would still change is not decided about; one whose end nobody saw is ended first. */
async function endedHold(session: SessionId, places: Places): Promise<Hold> {
  const hold = readHold(places.holds, session);
  if (hold === null) throw new Fault("review.unknown", { detail: session });
  if (hold.outcome !== null) return hold;
  const line = await lineToRunning(places);
  const hello = await line?.ask<Hello>({ op: "hello" }).finally(() => line.close());
  if (hello?.sessions.some((one) => one.session === session) === true)
    throw new Fault("review.refused", { detail: "the session is still running", remedy: "end it first" });
  finishHold(places.holds, session, false);
  const now = readHold(places.holds, session);
  if (now === null) throw new Fault("review.unknown", { detail: session });
  return now;
}

function itemsOf(hold: Hold, changes: Changes, places: Places): readonly Item[] {
  const files = changesIn(places.holds, hold).map((change): Item => {
    const why = change.isConflict
      ? "changed here after the session began"
      : change.isObeyed
        ? "tools on this machine would obey it"
        : null;
    return { path: change.path, was: change.was, change, by: changes.by(change.path) ?? "", why };
  });
  const repositories = heldOf(places.holds, hold).map(
    ({ at, path, why, commits }): Item => ({
      path: bytesOf(relative(hold.workspace, join(at, path))),
      was: commits === null ? "held" : "commits",
      change: null,
      by: commits ?? "",
      why,
    }),
  );
  return [...files, ...repositories];
}

async function takeItems(opened: Case, items: readonly Item[]): Promise<Outcome> {
  const { hold, isForced, places } = opened;
  const isOpen = ({ change }: Item): boolean => isForced || change?.isConflict !== true;
  const left = items
    .filter((item) => !isOpen(item))
    .map(({ path }) => ({ path, failed: "changed here after the session began (--force overwrites it)" }));
  const wanted = items.filter(isOpen);
  if (wanted.length > 0) await record(opened, "taken", wanted);
  // A file in a folder that was made inside needs that folder.
  const changes = withFolders(
    opened,
    wanted.flatMap(({ change }) => change ?? []),
  );
  const done = takeChanges(places.holds, hold, changes);
  const repositories = wanted.filter(({ change }) => change === null).map(({ path }) => shown(path));
  const brought = repositories.length === 0 ? [] : takeRepositories(places.holds, hold, repositories);
  await settle(opened);
  const asked = new Set(wanted.map(({ path }) => path));
  return {
    verb: "taken",
    done: [...done.filter(({ path, failed }) => asked.has(path) || failed !== null), ...brought, ...left],
  };
}

function withFolders({ items }: Case, changes: readonly Change[]): readonly Change[] {
  const found = new Map(changes.map((change) => [change.path, change]));
  for (const { path } of changes)
    for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) {
      const folder = items.find((item) => item.path === path.slice(0, end))?.change;
      if (folder?.was === "made" && folder.kind === "folder") found.set(folder.path, folder);
    }
  return [...found.values()].toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

async function discardItems(opened: Case, items: readonly Item[]): Promise<Outcome> {
  if (items.length > 0) await record(opened, "discarded", items);
  if (items.length === opened.items.length) {
    forgetHold(opened.places.holds, opened.hold);
    return { verb: "discarded", done: items.map(({ path }) => ({ path, failed: null })) };
  }
  const done = discardChanges(items.flatMap(({ change }) => change ?? []));
  const kept = items
    .filter(({ change }) => change === null)
    .map(({ path }) => ({
      path,
      failed: "a repository's work goes with the whole: --discard without a path",
    }));
  await settle(opened);
  return { verb: "discarded", done: [...done, ...kept] };
}

/** A hold with nothing left to decide about goes. */
async function settle({ hold, places }: Case): Promise<void> {
  const now = readHold(places.holds, hold.session);
  if (now === null) return;
  if (changesIn(places.holds, now).length + heldOf(places.holds, now).length === 0)
    forgetHold(places.holds, now);
}

async function record(
  { hold, places, isForced }: Case,
  decision: "taken" | "discarded",
  items: readonly Item[],
): Promise<void> {
  const line = await reachStation(places);
  const paths = items.slice(0, MAX_TOLD).map(({ path }) => shown(path));
  const reviewed = { session: hold.session, decision, paths, total: items.length, isForced };
  await line.ask({ op: "reviewed", reviewed }).finally(() => line.close());
}

interface Outcome {
  readonly verb: "taken" | "discarded";
  readonly done: readonly { readonly path: string; readonly failed: string | null }[];
}

function told({ verb, done }: Outcome, flags: ReviewFlags): number {
  const failed = done.filter((one) => one.failed !== null);
  if (flags.json === true)
    process.stdout.write(
      `${JSON.stringify({ [verb]: done.map(({ path, failed: why }) => ({ path: shown(path), failed: why })) })}\n`,
    );
  else {
    for (const { path, failed: why } of failed)
      process.stdout.write(`NOT ${verb}: ${printable(shown(path))}: ${printable(why ?? "")}\n`);
    process.stdout.write(`${verb} ${done.length - failed.length} of ${plural(done.length, "path")}\n`);
  }
  return failed.length > 0 ? 6 : 0;
}

function tellItems({ hold }: Case, items: readonly Item[], flags: ReviewFlags): void {
  if (flags.json === true) {
    const rows = items.map(({ path, was, by, why, change }) => ({
      path: shown(path),
      was,
      kind: change?.kind ?? "repository",
      by,
      why,
    }));
    process.stdout.write(
      `${JSON.stringify({ session: hold.session, workspace: hold.workspace, items: rows })}\n`,
    );
    return;
  }
  const rows = items.map(({ path, was, by, why, change }) => [
    was,
    printable(`${shown(path)}${change?.kind === "folder" ? "/" : ""}`),
    printable(by),
    why === null ? "" : `! ${printable(why)}`,
  ]);
  if (rows.length > 0) process.stdout.write(`${table(rows)}\n`);
  process.stdout.write(
    items.length === 0
      ? "nothing waits\n"
      : `${plural(items.length, "change")} of session ${hold.session} in ${printable(hold.workspace)}\n`,
  );
}

function listAll(flags: ReviewFlags, places: Places): number {
  const rows = listHolds(places.holds).map((hold) => ({
    session: hold.session,
    startedAt: new Date(hold.startedAt).toISOString(),
    workspace: hold.workspace,
    hasEnded: hold.outcome !== null,
    items:
      hold.outcome === null ? null : changesIn(places.holds, hold).length + heldOf(places.holds, hold).length,
  }));
  if (flags.json === true) for (const row of rows) process.stdout.write(`${JSON.stringify(row)}\n`);
  else if (rows.length === 0) process.stdout.write("nothing waits for a review\n");
  else
    process.stdout.write(
      `${table(rows.map((row) => [row.session, row.startedAt, row.items === null ? "running, or its end was not seen" : plural(row.items, "change"), printable(row.workspace)]))}\n`,
    );
  return 0;
}

async function interactive(opened: Case, items: readonly Item[]): Promise<number> {
  const { take, discard } = await askEach(items);
  let code = 0;
  if (take.length > 0) code = told(await takeItems(opened, take), {});
  if (discard.length > 0)
    code = Math.max(code, told(await discardItems({ ...opened, items: opened.items }, discard), {}));
  const left = items.length - take.length - discard.length;
  if (left > 0)
    process.stdout.write(
      `${plural(left, "change")} kept for later: sallyport review ${opened.hold.session}\n`,
    );
  return code;
}
