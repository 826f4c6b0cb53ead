/**
 * Exceptions that outlive the session they were granted in. The ledger holds each; `<state>/exceptions/<id>` holds the
 * number of its entry while it holds, so that a station finds it again without reading the ledger.
 *
 * Crash story: the marker is written after the entry is durable, and removed before the exception's end is recorded. A
 * crash in between leaves an exception that does not hold, never one that holds unrecorded.
 */
import { mkdir, open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { LedgerEvent } from "../core/index.ts";
import { readEntries } from "../ledger/index.ts";
import type { study } from "../policy/index.ts";
import type { Places } from "./places.ts";

const folderOf = (places: Places): string => join(places.state, "exceptions");
/** Ids hold letters, digits and dashes only: see approvals-commands.ts and the ids of exchanges. */
const ID = /^[A-Za-z0-9-]{1,64}$/;

/** Those that still hold at `now`. */
export async function readExceptions(places: Places, now: number): Promise<readonly study.Waiver[]> {
  const folder = folderOf(places);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const found: study.Waiver[] = [];
  for (const id of await readdir(folder)) {
    const waivers = ID.test(id)
      ? await exceptionAt(places, Number(await readFile(join(folder, id), "utf8")))
      : [];
    const holding = waivers.filter((waiver) => waiver.id === id && waiver.expiresAt > now);
    if (holding.length === 0) await rm(join(folder, id), { force: true });
    found.push(...holding);
  }
  return found;
}

/** Keeps an exception under the number of its entry; null: it holds no longer. Resolves when that is on the disk. */
export async function keepException(
  places: Places,
  { id }: study.Waiver,
  entry: number | null,
): Promise<void> {
  const folder = folderOf(places);
  const file = join(folder, id);
  if (entry === null) await rm(file, { force: true });
  else await writeFile(file, String(entry), { mode: 0o600 });
  const directory = await open(folder, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

async function exceptionAt(places: Places, entry: number): Promise<readonly study.Waiver[]> {
  if (!Number.isSafeInteger(entry)) return [];
  for await (const { index, event } of readEntries(places.ledger, { from: entry }))
    return index === entry ? waiversOf(event) : [];
  return [];
}

function waiversOf(event: LedgerEvent): readonly study.Waiver[] {
  if (event.kind === "waiver.granted")
    return [
      {
        id: event.waiver,
        kind: event.breakGlass ? "break-glass" : "waiver",
        rule: event.rule,
        scope: event.where as study.Waiver["scope"], // checked against the policy at every use
        reason: event.reason,
        requester: event.requester,
        approver: event.approver,
        grantedAt: event.at,
        expiresAt: event.expiresAt,
      },
    ];
  if (event.kind !== "approval.answered" || event.verdict !== "allow" || event.scope !== "time") return [];
  return event.rules.map((rule) => ({
    id: event.question,
    kind: "answer",
    rule,
    scope: event.where as study.Waiver["scope"], // as above
    reason: event.reason,
    requester: event.requester,
    approver: event.by,
    grantedAt: event.at,
    expiresAt: event.expiresAt,
  }));
}
