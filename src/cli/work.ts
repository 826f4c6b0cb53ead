/** A session's work at its end: brought in, set aside or left for a review, and on the record. */
import { join, relative } from "node:path";
import type { EventBody, SessionId } from "../core/index.ts";
import type { Finished } from "../workspace/index.ts";
import type { House } from "./wire.ts";

export interface Work {
  /** Relative to the workspace. */
  readonly setAside: readonly string[];
  readonly appeared: readonly string[];
  /** Changes wait for a review. */
  readonly isWaiting: boolean;
}

/** Of the ledger's event: the rest is in the hold. */
const MAX_TOLD = 1_000;

/** Never rejects for what the session wrote: what cannot be brought in now stays in the hold, and is told. */
export async function finishWork(
  house: House,
  session: SessionId,
  workspace: string,
  isGone: boolean,
): Promise<Work> {
  const answer = await house.workspaces.ask({ do: "finish", session, isGone });
  if ("failed" in answer)
    return { setAside: [], appeared: [`(not brought in yet: ${answer.failed})`], isWaiting: true };
  const finished = "finished" in answer ? answer.finished : null;
  for (const event of importEvents(session, workspace, finished)) await house.append(event);
  return workOf(workspace, finished);
}

export function importEvents(
  session: SessionId,
  workspace: string,
  finished: Finished | null,
): readonly EventBody[] {
  return (finished?.outcome.imports ?? [])
    .filter((one) => one.refs.length + one.objects + one.packs + one.held.length > 0)
    .map(({ at, refs, objects, packs, held }) => ({
      kind: "repository.imported",
      session,
      repository: within(workspace, at),
      refs: refs.slice(0, MAX_TOLD),
      objects,
      packs,
      held: held.slice(0, MAX_TOLD),
    }));
}

export function workOf(workspace: string, finished: Finished | null): Work {
  if (finished === null) return { setAside: [], appeared: [], isWaiting: false };
  const { imports, swept } = finished.outcome;
  const held = imports.flatMap((one) => one.held.map(({ path }) => within(workspace, join(one.at, path))));
  return {
    setAside: [...swept.aside.map(({ path }) => path), ...held].slice(0, MAX_TOLD),
    appeared: swept.stayed.slice(0, MAX_TOLD),
    isWaiting: finished.isWaiting,
  };
}

const within = (workspace: string, path: string): string =>
  path.startsWith(`${workspace}/`) ? relative(workspace, path) : path;
