/** What of a workspace a session's programs were seen to change, and which paths a person names on the command line. */
import { existsSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { Fault, type SessionId } from "../core/index.ts";
import { readEntries } from "../ledger/index.ts";
import { bytesOf } from "../workspace/index.ts";
import type { Places } from "./places.ts";

export interface Changes {
  /** Programs that were seen to change this path, or to rename or remove a folder above it; null: none. */
  by(path: string): string | null;
  /** The record has holes. */
  readonly isLost: boolean;
}

export async function changesOf(session: SessionId, places: Places): Promise<Changes> {
  const programs = new Map<number, string>();
  const own = new Map<string, Set<number>>();
  const moved = new Map<string, Set<number>>();
  let isLost = false;
  const note = (into: Map<string, Set<number>>, path: string, command: number): void => {
    const key = bytesOf(path);
    into.set(key, (into.get(key) ?? new Set()).add(command));
  };
  const entries = existsSync(places.ledger) ? readEntries(places.ledger) : [];
  for await (const { event } of entries) {
    if (!("session" in event) || event.session !== session) continue;
    if (event.kind === "command.started")
      for (const { command, program } of event.commands) programs.set(command, program);
    else if (event.kind === "recorder.lost") isLost = true;
    else if (event.kind === "command.ended") isLost ||= event.unreadable > 0;
    else if (event.kind === "session.ended") for (const path of event.setAside) note(own, path, 0);
    else if (event.kind === "file.changed")
      for (const { command, change, path, to } of event.changes)
        for (const at of to === undefined ? [path] : [path, to]) {
          note(own, at, command);
          if (change === "renamed" || change === "removed") note(moved, at, command);
        }
  }
  const by = (path: string): string | null => {
    const commands = new Set(own.get(path));
    for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1))
      for (const command of moved.get(path.slice(0, end)) ?? []) commands.add(command);
    if (commands.size === 0) return null;
    return [...commands].map((n) => (n === 0 ? "unknown" : `${programs.get(n) ?? "?"} (${n})`)).join(", ");
  };
  return { by, isLost };
}

/** Relative to the workspace, as its trees name paths. Throws `usage.invalid` for one that is not in it. */
export function chosenPath(path: string, workspace: string): string {
  const at = relative(workspace, resolve(path));
  if (at === ".." || at.startsWith("../"))
    throw new Fault("usage.invalid", {
      detail: `\`${path}\` is not in the session's workspace`,
      at: workspace,
      remedy: "name files of the workspace, from where you are",
    });
  return bytesOf(at);
}

export const isAtOrBelow = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(join(folder, "/"));
