/** `query` and `ledger …`: questions to the whole record, and its keeping. */
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { asSessionId, canonicalText, Fault, type Json, systemClock } from "../core/index.ts";
import {
  compactLedger,
  copyLedger,
  type Dimension,
  makeReceipt,
  openLedger,
  openQueryIndex,
  rewrap,
} from "../ledger/index.ts";
import { size } from "../report/index.ts";
import type { Places } from "./places.ts";
import { printable, table } from "./print.ts";
import { lineToRunning, reachStation } from "./reach.ts";
import type { Question } from "./talk.ts";
import { version } from "./version.ts";

const DIMENSIONS: readonly Dimension[] = ["day", "principal", "agent", "class", "destination", "verdict"];

export async function query(
  words: readonly string[],
  flags: { readonly by?: string; readonly since?: string; readonly limit?: string; readonly json?: boolean },
  places: Places,
): Promise<number> {
  needLedger(places);
  await sign(places);
  const index = await openQueryIndex(join(places.state, "index.sqlite"), places.ledger);
  try {
    const isSeen = process.stderr.isTTY === true;
    await index.catchUp(
      (entries) => isSeen && process.stderr.write(`\rreading the ledger: ${entries} entries`),
    );
    if (isSeen) process.stderr.write("\r\u001b[K");
    if (flags.by !== undefined)
      return totals(
        index.totals(dimensions(flags.by), {
          ...(flags.since === undefined ? {} : { from: day(flags.since) }),
        }),
        flags,
      );
    const found = index.query(words.join(" "), flags.limit === undefined ? 100 : positive(flags.limit));
    for (const { index: at, event } of found)
      if (flags.json === true) process.stdout.write(`${JSON.stringify({ index: at, event })}\n`);
      else {
        const { v: _v, at: time, kind, ...rest } = event;
        process.stdout.write(
          `${String(at).padStart(6)}  ${new Date(time).toISOString()}  ${kind}  ${printable(canonicalText(rest as unknown as Json))}\n`,
        ); // an event is JSON
      }
    return 0;
  } finally {
    index.close();
  }
}

function totals(
  rows: readonly { readonly group: readonly string[]; readonly requests: number; readonly bytes: number }[],
  flags: { readonly by?: string; readonly json?: boolean },
): number {
  if (flags.json === true) for (const row of rows) process.stdout.write(`${JSON.stringify(row)}\n`);
  else {
    const head = [...(flags.by ?? "").split(","), "requests", "bytes"];
    process.stdout.write(
      `${table([head, ...rows.map((row) => [...row.group.map((word) => printable(word) || "-"), String(row.requests), size(row.bytes)])])}\n`,
    );
  }
  return 0;
}

function dimensions(text: string): Dimension[] {
  return text.split(",").map((word) => {
    const known = DIMENSIONS.find((dimension) => dimension === word);
    if (known === undefined)
      throw new Fault("usage.invalid", {
        detail: `unknown dimension \`${word}\``,
        remedy: `use ${DIMENSIONS.join(", ")}`,
      });
    return known;
  });
}

export async function ledgerCommand(
  words: readonly string[],
  flags: { readonly reason?: string; readonly name?: string; readonly json?: boolean },
  places: Places,
): Promise<number> {
  const [action = "", ...rest] = words;
  switch (action) {
    case "backup":
    case "restore": {
      const folder = rest[0];
      if (folder === undefined)
        throw new Fault("usage.invalid", { detail: `\`ledger ${action}\` wants a folder` });
      if (action === "backup") {
        needLedger(places);
        await sign(places);
      } else await refuseWhileRunning(places);
      const [from, to] = action === "backup" ? [places.ledger, folder] : [folder, places.ledger];
      await mkdir(places.state, { recursive: true, mode: 0o700 });
      const done = await copyLedger(from, to);
      process.stdout.write(
        flags.json === true
          ? `${JSON.stringify(done)}\n`
          : `${action} to ${to}: ${done.size} entries, verified\nkeys are not in it: keep ${places.keys} apart\n`,
      );
      return 0;
    }
    case "compact": {
      needLedger(places);
      await refuseWhileRunning(places);
      const { before, after, dropped, verification } = await compactLedger(places.ledger, places.keys);
      process.stdout.write(
        flags.json === true
          ? `${JSON.stringify({ before, after, dropped, size: verification.size })}\n`
          : `journal from ${size(before)} to ${size(after)}, ${dropped} pieces of erased evidence dropped: ${verification.size} entries, verified\n`,
      );
      return 0;
    }
    case "wrap-with":
      if (rest.length === 0)
        throw new Fault("usage.invalid", {
          detail: "`ledger wrap-with` wants a command",
          remedy: "write it after `--`: sallyport ledger wrap-with -- /usr/local/bin/our-kms",
        });
      return wrapAnew(rest, places);
    case "rewrap":
      return wrapAnew(null, places);
    case "receipt": {
      needLedger(places);
      await sign(places);
      const index = Number(rest[0] ?? Number.NaN);
      if (!Number.isSafeInteger(index) || index < 0)
        throw new Fault("usage.invalid", { detail: "`ledger receipt` wants an entry's number" });
      process.stdout.write(makeReceipt(places.ledger, index));
      return 0;
    }
    case "erase":
      return keep(
        { do: "erase", session: sessionOf(rest[0]), reason: reasonOf(flags.reason) },
        places,
        `erased the evidence of ${rest[0]}: its key is destroyed, the record of it stays`,
      );
    case "hold":
      return keep(
        { do: "hold", name: nameOf(flags.name), sessions: rest.map(sessionOf) },
        places,
        `held: ${rest.length === 0 ? "all sessions" : rest.join(", ")}`,
      );
    case "release":
      return keep({ do: "release", name: nameOf(flags.name) }, places, `lifted ${flags.name}`);
    case "rotate-key":
      return keep(
        { do: "rotate-key" },
        places,
        "checkpoints bear both signatures until `sallyport ledger retire-key`",
      );
    case "retire-key":
      return keep({ do: "retire-key" }, places, "checkpoints bear the present key's signature alone");
    default:
      throw new Fault("usage.invalid", {
        detail: `unknown action \`ledger ${action}\``,
        remedy: "see `sallyport ledger --help`",
      });
  }
}

/** Offline, under the ledger's lock, so that no session's key is made meanwhile. */
async function wrapAnew(command: readonly string[] | null, places: Places): Promise<number> {
  needLedger(places);
  await refuseWhileRunning(places);
  const ledger = await openLedger({
    directory: places.ledger,
    keyDirectory: places.keys,
    clock: systemClock,
    program: `sallyport ${version}`,
  });
  try {
    const { by, former, sessions } = await rewrap(places.keys, command);
    const principal = `local:${process.getuid?.() ?? 0}`;
    await ledger.append({ kind: "wrapping.changed", wrappedBy: by, former, sessions, principal });
    process.stdout.write(
      `${sessions} session keys wrapped anew by ${by}${command === null ? ", a new key in organisation.keys" : ""}\nbackups of ${places.keys} still hold what wrapped them before\n`,
    );
    return 0;
  } finally {
    await ledger.close();
  }
}

async function keep(
  action: Extract<Question, { op: "keep" }>["action"],
  places: Places,
  text: string,
): Promise<number> {
  const line = await reachStation(places);
  const { index } = await line.ask<{ index: number }>({ op: "keep", action }).finally(() => line.close());
  process.stdout.write(`${text} (entry ${index})\n`);
  return 0;
}

/** A running station signs what it has, so that the answer is about everything. */
export async function sign(places: Places): Promise<void> {
  const line = await lineToRunning(places);
  await line?.ask({ op: "sign" }).finally(() => line.close());
}

async function refuseWhileRunning(places: Places): Promise<void> {
  const line = await lineToRunning(places);
  line?.close();
  if (line !== null)
    throw new Fault("station.busy", { detail: "it holds the ledger", remedy: "run `sallyport down` first" });
}

export function needLedger(places: Places): void {
  if (!existsSync(places.ledger))
    throw new Fault("usage.invalid", {
      detail: "there is no ledger",
      at: places.ledger,
      remedy: "run a session first",
    });
}

function sessionOf(text: string | undefined): string {
  if (text === undefined || asSessionId(text) === null)
    throw new Fault("usage.invalid", { detail: "that is no session id", remedy: "see `sallyport log`" });
  return text;
}

function reasonOf(text: string | undefined): string {
  if (text === undefined || text.trim() === "")
    throw new Fault("usage.invalid", { detail: "erasing wants a reason", remedy: 'add --reason "why"' });
  return text;
}

function nameOf(text: string | undefined): string {
  if (text === undefined || text.trim() === "")
    throw new Fault("usage.invalid", { detail: "a hold has a name", remedy: "add --name CASE" });
  return text;
}

function positive(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1)
    throw new Fault("usage.invalid", { detail: `-n wants a positive number, not \`${text}\`` });
  return number;
}

function day(text: string): number {
  const at = Date.parse(text);
  if (Number.isNaN(at))
    throw new Fault("usage.invalid", { detail: `\`${text}\` is no date`, remedy: "write it as 2026-11-20" });
  return at;
}
