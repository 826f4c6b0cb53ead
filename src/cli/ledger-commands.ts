/** `log`, `show`, `verify`: the ledger as people and scripts read it. They take no lock and work beside a station. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import {
  asSessionId,
  canonicalText,
  Fault,
  type FaultCode,
  type Json,
  type LedgerEvent,
  type SessionId,
} from "../core/index.ts";
import { readEntries, readEvidence, verifyLedger } from "../ledger/index.ts";
import { callLines, type Declaration, declarationText, plural, SessionFold, size } from "../report/index.ts";
import { anchorPlan } from "./anchors.ts";
import { loadRegister } from "./destinations.ts";
import type { Places } from "./places.ts";
import { printable, table, wantsColor } from "./print.ts";
import { lineToRunning, reachStation } from "./reach.ts";
import { witnessPolicyText } from "./witnesses.ts";

/** Of a session, in `show`. */
const MOST_CALLS = 40;

interface Entry {
  readonly index: number;
  readonly event: LedgerEvent;
  readonly signed: boolean;
}

export async function log(
  flags: { readonly json?: boolean; readonly events?: boolean; readonly limit?: string },
  places: Places,
): Promise<number> {
  const limit = flags.limit === undefined ? Number.POSITIVE_INFINITY : Number(flags.limit);
  if (!(limit > 0))
    throw new Fault("usage.invalid", { detail: `-n wants a positive number, not \`${flags.limit}\`` });
  if (flags.events === true) return logEvents(limit, flags.json === true, places);
  const folds = new Map<SessionId, SessionFold>();
  for await (const { index, event } of entriesOf(places)) {
    const session = sessionOf(event);
    if (session === null) continue;
    const fold = folds.get(session) ?? new SessionFold();
    folds.set(session, fold);
    fold.add(index, event);
  }
  const declared = [...folds.values()]
    .flatMap((fold) => fold.declaration() ?? [])
    .slice(limit === Number.POSITIVE_INFINITY ? 0 : -limit);
  if (flags.json === true) for (const row of declared) process.stdout.write(`${JSON.stringify(row)}\n`);
  else if (declared.length === 0)
    process.stdout.write("no sessions yet: start one with `sallyport run claude` or `sallyport demo`\n");
  else process.stdout.write(`${table([LOG_HEAD, ...declared.map(logRow)])}\n`);
  return 0;
}

const LOG_HEAD = ["session", "started", "agent", "workspace", "requests", "sent", "refused", "end"] as const;

function logRow(row: Declaration): string[] {
  const sum = (of: (sent: Declaration["sent"][number]) => number): number =>
    row.sent.reduce((total, sent) => total + of(sent), 0);
  return [
    row.session,
    new Date(row.startedAt).toISOString().replace(/\.\d+Z$/, "Z"),
    printable(`${row.agent.name}${row.agent.version === null ? "" : ` ${row.agent.version}`}`),
    printable(row.workspace),
    String(sum((sent) => sent.requests)),
    size(sum((sent) => sent.requestBytes)),
    String(row.refused.reduce((total, refused) => total + refused.count, 0)),
    row.ended === null ? "no end recorded" : row.ended === "exited" ? `exit ${row.exitCode}` : row.ended,
  ];
}

async function logEvents(limit: number, json: boolean, places: Places): Promise<number> {
  let kept: Entry[] = [];
  for await (const entry of entriesOf(places)) {
    if (limit === Number.POSITIVE_INFINITY) printEvent(entry, json);
    else {
      kept.push(entry);
      if (kept.length > limit * 2) kept = kept.slice(-limit);
    }
  }
  for (const entry of kept.slice(-limit)) printEvent(entry, json);
  return 0;
}

export async function show(
  words: readonly string[],
  flags: {
    readonly json?: boolean;
    readonly events?: boolean;
    readonly evidence?: string;
    readonly reason?: string;
  },
  places: Places,
): Promise<number> {
  const session = asSessionId(words[0] ?? "");
  if (session === null || words.length > 1)
    throw new Fault("usage.invalid", {
      detail: "`show` needs one session id of 8 hexadecimal digits",
      remedy: "see `sallyport log`",
    });
  if (flags.evidence !== undefined) return showEvidence(session, flags.evidence, flags.reason, places);
  const fold = new SessionFold();
  const own: Entry[] = [];
  for await (const entry of entriesOf(places)) {
    if (sessionOf(entry.event) !== session) continue;
    own.push(entry);
    fold.add(entry.index, entry.event);
  }
  const declared = fold.declaration();
  if (declared === null) throw new Fault("session.unknown", { detail: session });
  if (flags.events === true) for (const entry of own) printEvent(entry, flags.json === true);
  else if (flags.json === true) process.stdout.write(`${JSON.stringify(declared)}\n`);
  else {
    const register = await loadRegister(places);
    const color = wantsColor(process.stdout);
    const signedAt = own.every((entry) => entry.signed) ? (own.at(-1)?.event.at ?? null) : null;
    process.stdout.write(`${declarationText(declared, { facts: register.facts, color, signedAt })}\n`);
    for (const [at, line] of callLines(declared.inside?.calls ?? [], MOST_CALLS).entries())
      process.stdout.write(`  ${(at === 0 ? "calls" : "").padEnd(10)} ${printable(line)}\n`);
    process.stdout.write(
      `  ${"look".padEnd(10)} --events lists what happened, --evidence ID --reason TEXT shows exact bytes\n`,
    );
  }
  return 0;
}

/** The exact bytes. Who looked, and why, is durable before a byte is shown. */
async function showEvidence(
  session: SessionId,
  id: string,
  reason: string | undefined,
  places: Places,
): Promise<number> {
  if (reason === undefined || reason.trim() === "")
    throw new Fault("usage.invalid", {
      detail: "evidence is shown for a reason only",
      remedy: 'add --reason "why you look"',
    });
  let known = false;
  for await (const { event } of entriesOf(places))
    if (sessionOf(event) === session && "evidence" in event && event.evidence.some((ref) => ref.id === id))
      known = true;
  if (!known)
    throw new Fault("usage.invalid", {
      detail: `session ${session} has no evidence \`${id}\``,
      remedy: `see \`sallyport show ${session} --events\``,
    });
  const line = await reachStation(places);
  await line.ask({ op: "viewed", session, evidence: id, reason }).finally(() => line.close());
  process.stdout.write(await readEvidence(places.ledger, places.keys, id));
  return 0;
}

export async function verify(
  flags: {
    readonly json?: boolean;
    readonly ledger?: string;
    readonly key?: string;
    readonly policy?: string;
    readonly "anchor-roots"?: string;
  },
  places: Places,
): Promise<number> {
  const folder = flags.ledger ?? places.ledger;
  if (!existsSync(folder))
    throw new Fault("usage.invalid", {
      detail: "there is no ledger",
      at: folder,
      remedy: "run a session first",
    });
  // A running station signs what it has first, so that the answer is about everything.
  const line = flags.ledger === undefined ? await lineToRunning(places) : null;
  if (line !== null) {
    await line.ask({ op: "sign" }).finally(() => line.close());
  }
  const isOwn = flags.ledger === undefined;
  const policy = await fileOr(flags.policy, "witness.invalid", () =>
    isOwn ? witnessPolicyText(places) : null,
  );
  const anchorRoots = await fileOr(flags["anchor-roots"], "anchor.invalid", async () =>
    isOwn ? ((await anchorPlan(places))?.roots ?? null) : null,
  );
  const result = await verifyLedger(folder, flags.key, {
    ...(isOwn ? { keyDirectory: places.keys } : {}),
    ...(policy === null ? {} : { policy }),
    ...(anchorRoots === null ? {} : { anchorRoots }),
  });
  if (flags.json === true) process.stdout.write(`${JSON.stringify(result)}\n`);
  else {
    for (const { at, problem } of result.problems)
      process.stdout.write(`  ${printable(at)}: ${printable(problem)}\n`);
    const unsigned =
      result.unsigned > 0
        ? `, ${plural(result.unsigned, "more entry").replace("entrys", "entries")} not yet signed`
        : "";
    for (const { name, size, at } of result.witnessed?.by ?? [])
      process.stdout.write(
        `  witness ${printable(name)}: cosigned ${size} entries, ${new Date(at * 1000).toISOString()}\n`,
      );
    const newest = result.anchored?.at(-1);
    if (newest !== undefined)
      process.stdout.write(
        `  time stamp: ${newest.size} entries, ${new Date(newest.at).toISOString()}, by ${printable(newest.authority)}\n`,
      );
    process.stdout.write(
      result.ok
        ? `verified: ${result.size} entries under checkpoint ${result.root} of ${result.origin}${unsigned}\n`
        : `NOT verified: ${plural(result.problems.length, "problem")} in ${folder}\n`,
    );
  }
  return result.ok ? 0 : 7;
}

/** The text of the file that a flag names, else what is configured. */
async function fileOr(
  flag: string | undefined,
  code: FaultCode,
  configured: () => Promise<string | null> | null,
): Promise<string | null> {
  if (flag === undefined) return configured();
  return await readFile(flag, "utf8").catch((cause: unknown) => {
    throw new Fault(code, { at: flag, detail: "cannot be read", cause });
  });
}

async function* entriesOf(places: Places): AsyncIterable<Entry> {
  if (existsSync(places.ledger)) yield* readEntries(places.ledger);
}

const sessionOf = (event: LedgerEvent): SessionId | null => ("session" in event ? event.session : null);

function printEvent({ index, event, signed }: Entry, json: boolean): void {
  if (json) {
    process.stdout.write(`${JSON.stringify({ index, signed, event })}\n`);
    return;
  }
  const { v: _v, at, kind, ...rest } = event;
  process.stdout.write(
    `${String(index).padStart(6)}  ${new Date(at).toISOString()}  ${kind}  ${printable(canonicalText(rest as Json))}\n`,
  );
}
