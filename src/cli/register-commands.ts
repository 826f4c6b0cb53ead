/** `sallyport register …`: what is approved, who approved it, and the destinations' facts. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, relative, resolve } from "node:path";
import { parse, stringify } from "yaml";
import { canonicalBytes, type EventBody, Fault, type Json, systemClock } from "../core/index.ts";
import { readEntries } from "../ledger/index.ts";
import {
  agentNamed,
  approvingKey,
  DATED_FACTS,
  type Destination,
  findExtensions,
  hashBuild,
  isStale,
  locateAgent,
  nameOf,
  parseRows,
  publicText,
  putStatement,
  readApprovals,
  type Standing,
  type Statement,
  type Subject,
  standingOf,
  statementId,
} from "../register/index.ts";
import { standingText, subjectOf } from "./admission.ts";
import { loadRegister, personFile, registerPlaces } from "./destinations.ts";
import { localPrincipal, type Places } from "./places.ts";
import { hashFile, workspaceOf } from "./prepare.ts";
import { printable, table } from "./print.ts";
import { reachStation } from "./reach.ts";

const DAY_MS = 86_400_000;
const DEFAULT_DAYS = 90;

export interface RegisterFlags {
  readonly reason?: string;
  readonly expires?: string;
  readonly report?: string;
  readonly extension?: string;
  readonly json?: boolean;
}

export async function register(
  [action, ...rest]: readonly string[],
  flags: RegisterFlags,
  places: Places,
): Promise<number> {
  switch (action) {
    case "list":
      return list(rest[0] ?? null, flags, places);
    case "show":
      return show(required(rest[0], "show"), flags, places);
    case "approve":
      return state("approve", rest[0], flags, places);
    case "revoke":
      return state("revoke", rest[0], flags, places);
    case "add":
      return add(required(rest[0], "add"), flags, places);
    case "key":
      process.stdout.write(`${publicText(await approvingKey(registerPlaces(places)))}\n`);
      return 0;
    case "verify":
      return verifyHistory(flags, places);
    default:
      throw new Fault("usage.invalid", {
        detail: action === undefined ? "`register` wants an action" : `\`register ${action}\``,
        remedy: "use list, show, approve, revoke, add, key or verify",
      });
  }
}

interface Listed {
  readonly subject: Subject;
  readonly standing: Standing;
}

function listed(places: Places): readonly Listed[] {
  const { statements, required: wanted } = readApprovals(registerPlaces(places));
  const all = statements.map(({ statement }) => statement);
  const subjects = new Map(all.map(({ subject }) => [`${subject.kind} ${subject.hash}`, subject]));
  return [...subjects.values()].map((subject) => ({
    subject,
    standing: standingOf(subject, all, wanted, systemClock.now()),
  }));
}

async function list(what: string | null, flags: RegisterFlags, places: Places): Promise<number> {
  if (what !== null && !["builds", "extensions", "destinations", "approvers"].includes(what))
    throw new Fault("usage.invalid", {
      detail: `\`register list ${what}\``,
      remedy: "use builds, extensions, destinations, approvers, or nothing for all",
    });
  const is = (name: string): boolean => what === null || what === name;
  const approvals = readApprovals(registerPlaces(places));
  const entries = listed(places);
  const rows = (await loadRegister(places)).register.rows;
  const now = systemClock.now();
  if (flags.json === true) {
    const kinds = (kind: Subject["kind"]): readonly Listed[] =>
      entries.filter(({ subject }) => subject.kind === kind);
    process.stdout.write(
      `${JSON.stringify({
        ...(is("builds") ? { builds: kinds("build") } : {}),
        ...(is("extensions") ? { extensions: kinds("extension") } : {}),
        ...(is("destinations")
          ? { destinations: rows.map((row) => ({ ...row, stale: staleFacts(row, now) })) }
          : {}),
        ...(is("approvers") ? { approvers: approvals.approvers, required: approvals.required } : {}),
        strangers: approvals.strangers,
      })}\n`,
    );
    return 0;
  }
  const say = (text: string): void => void process.stdout.write(`${text}\n`);
  if (is("builds") || is("extensions")) {
    const shown = entries.filter(({ subject }) => is(`${subject.kind}s`));
    say(
      shown.length === 0
        ? "no build or extension has been approved or revoked"
        : table(
            shown.map(({ subject, standing }) =>
              [nameOfSubject(subject), subject.hash, standingText(standing)].map(printable),
            ),
          ),
    );
  }
  if (is("approvers"))
    say(
      approvals.approvers.length === 0
        ? "no approver yet: the first approval at this machine makes a key of yours"
        : `${approvals.required} of: ${approvals.approvers.map(({ name }) => printable(name)).join(", ")}`,
    );
  if (is("destinations"))
    say(
      table(
        rows.map((row) =>
          [
            row.id,
            row.host + (row.path ?? ""),
            row.channel,
            row.operator,
            row.law.join("+"),
            `training ${row.trains}`,
            staleText(row, now),
          ].map(printable),
        ),
      ),
    );
  for (const file of approvals.strangers)
    say(`counts for nothing, its signer is on no list: ${printable(file)}`);
  return 0;
}

async function show(what: string, flags: RegisterFlags, places: Places): Promise<number> {
  const row = (await loadRegister(places)).register.rows.find(({ id }) => id === what);
  const entries = listed(places).filter(({ subject }) => namesOf(subject).includes(what));
  if (row === undefined && entries.length === 0)
    throw new Fault("usage.invalid", {
      detail: `the register does not know \`${what}\``,
      remedy: "see `sallyport register list`",
    });
  const about = readApprovals(registerPlaces(places)).statements.filter(({ statement }) =>
    namesOf(statement.subject).includes(what),
  );
  if (flags.json === true)
    process.stdout.write(
      `${JSON.stringify(row === undefined ? { entries, statements: about } : { ...row, stale: staleFacts(row, systemClock.now()) })}\n`,
    );
  else if (row !== undefined) process.stdout.write(`${stringify(row)}${staleText(row, systemClock.now())}\n`);
  else {
    for (const { subject, standing } of entries)
      process.stdout.write(
        `${printable(`${nameOfSubject(subject)}  ${subject.hash}\n  ${standingText(standing)}`)}\n`,
      );
    for (const { statement, id } of about)
      process.stdout.write(
        `${printable(`  ${new Date(statement.at).toISOString()}  ${statement.action}  ${statement.by}: ${statement.reason}  (${id.slice(0, 16)})`)}\n`,
      );
  }
  return 0;
}

/** Approve or revoke: recorded in the ledger, then signed into the register's folder. */
async function state(
  action: Statement["action"],
  typed: string | undefined,
  flags: RegisterFlags,
  places: Places,
): Promise<number> {
  if (flags.reason === undefined || flags.reason.trim() === "")
    throw new Fault("usage.invalid", {
      detail: `\`register ${action}\` wants a reason`,
      remedy: 'add --reason "what you looked at"',
    });
  const at = registerPlaces(places);
  const subjects = await subjectsOf(action, typed, flags, places);
  const key = await approvingKey(at);
  const approvals = readApprovals(at);
  const by = nameOf(key, approvals, localPrincipal());
  for (const subject of subjects) {
    const statement: Statement = {
      type: "sallyport/register/v1",
      action,
      subject,
      by,
      at: systemClock.now(),
      reason: flags.reason,
      expires: action === "approve" ? systemClock.now() + daysOf(flags.expires) * DAY_MS : null,
      evidence: flags.report === undefined ? {} : { report: await hashFile(resolve(flags.report)) },
    };
    await record(places, {
      principal: localPrincipal(),
      action: action === "approve" ? "approved" : "revoked",
      subject: { kind: subject.kind, name: nameOfSubject(subject), hash: subject.hash },
      by,
      statement: statementId(statement),
      reason: flags.reason,
      expires: statement.expires,
    });
    const file = await putStatement(at, statement, key);
    const stands = listed(places).find((entry) => entry.subject.hash === subject.hash)?.standing;
    if (flags.json === true) process.stdout.write(`${JSON.stringify({ subject, standing: stands, file })}\n`);
    else
      process.stdout.write(
        `${printable(`${nameOfSubject(subject)}: ${stands === undefined ? action : standingText(stands)}\n  ${subject.hash}`)}\n`,
      );
  }
  return 0;
}

async function subjectsOf(
  action: Statement["action"],
  typed: string | undefined,
  flags: RegisterFlags,
  places: Places,
): Promise<readonly Subject[]> {
  if (flags.extension !== undefined) {
    const workspace = workspaceOf(process.cwd());
    const path = relative(workspace, resolve(flags.extension));
    const found = findExtensions(workspace, null).filter((extension) => extension.path === path);
    if (found.length > 0) return found;
    throw new Fault("usage.invalid", {
      detail: `\`${path}\` is nothing that a known agent would run or obey`,
      remedy: `this repository has: ${
        findExtensions(workspace, null)
          .map((extension) => extension.path)
          .join(", ") || "none"
      }`,
    });
  }
  const name = required(typed, action);
  if (action === "revoke") {
    // What was approved can be revoked without having its bytes.
    const known = listed(places).flatMap(({ subject }) => (namesOf(subject).includes(name) ? [subject] : []));
    if (known.length > 0) return known;
  }
  const agent = await locateAgent(name, {
    path: process.env["PATH"] ?? "",
    cwd: process.cwd(),
    agentsFolder: places.agents,
    arch: process.arch,
    node: process.execPath,
  });
  return [await subjectOf(agent, { buildHash: (executable) => hashBuild(executable, hashFile) })];
}

/** Rows for the person's own register, from a file of the same form; a row of the same id is replaced. */
async function add(file: string, flags: RegisterFlags, places: Places): Promise<number> {
  const fresh = parseRows(await readText(file), file);
  const own = personFile(places);
  const before = existsSync(own)
    ? (parse(await readFile(own, "utf8"), { schema: "core" }) as { rows: { id: string }[] }).rows
    : [];
  if (existsSync(own)) parseRows(await readFile(own, "utf8"), own);
  const given = (parse(await readText(file), { schema: "core" }) as { rows: { id: string }[] }).rows;
  const ids = new Set(fresh.map(({ id }) => id));
  for (const row of fresh)
    await record(places, {
      principal: localPrincipal(),
      action: "added",
      subject: { kind: "destination", name: row.id, hash: rowHash(row) },
      by: localPrincipal(),
      statement: null,
      reason: flags.reason ?? `from ${file}`,
      expires: null,
    });
  await mkdir(dirname(own), { recursive: true, mode: 0o700 });
  const rows = [...before.filter(({ id }) => !ids.has(id)), ...given];
  await writeFile(own, stringify({ version: 1, rows }), { mode: 0o600, flush: true });
  process.stdout.write(
    `${fresh.map(({ id }) => printable(id)).join(", ")}: in ${printable(own)}, in force from the next session\n`,
  );
  return 0;
}

/** Whether the register's files are what the ledger says was done: a statement that was taken away is missed here. */
async function verifyHistory(flags: RegisterFlags, places: Places): Promise<number> {
  const present = new Set(readApprovals(registerPlaces(places)).statements.map(({ id }) => id));
  const rows = new Map((await loadRegister(places)).register.rows.map((row) => [row.id, rowHash(row)]));
  const last = new Map<string, string>();
  const problems: string[] = [];
  let recorded = 0;
  if (existsSync(places.ledger))
    for await (const { index, event } of readEntries(places.ledger)) {
      if (event.kind !== "register.changed") continue;
      recorded += 1;
      const { subject, statement } = event;
      if (statement === null) last.set(subject.name, subject.hash);
      else if (!present.has(statement))
        problems.push(
          `entry ${index}: ${subject.name} was ${event.action} by ${event.by}; that statement is no longer there`,
        );
    }
  for (const [id, hash] of last)
    if (rows.get(id) !== hash) problems.push(`destination ${id} is not as it was last recorded`);
  if (flags.json === true)
    process.stdout.write(`${JSON.stringify({ ok: problems.length === 0, recorded, problems })}\n`);
  else
    process.stdout.write(
      problems.length === 0
        ? `the register is as its ${recorded} recorded changes left it\n`
        : `${problems.map(printable).join("\n")}\n`,
    );
  return problems.length === 0 ? 0 : 7;
}

async function record(
  places: Places,
  change: Omit<Extract<EventBody, { kind: "register.changed" }>, "kind">,
): Promise<void> {
  const line = await reachStation(places);
  await line.ask({ op: "register", change }).finally(() => line.close());
}

/** `agent@version platform`, or the path in the repository. */
function nameOfSubject(subject: Subject): string {
  return subject.kind === "build" ? `${subject.agent}@${subject.version} ${subject.platform}` : subject.path;
}

/** What a person may type for it. */
const namesOf = (subject: Subject): readonly string[] =>
  subject.kind === "build"
    ? [
        `${subject.agent}@${subject.version}`,
        ...(subject.version === "unknown" || agentNamed(subject.agent) === null ? [subject.agent] : []),
        subject.hash,
      ]
    : [subject.path, subject.hash];

const rowHash = (row: Destination): string =>
  createHash("sha256")
    .update(canonicalBytes(row as unknown as Json))
    .digest("hex");

const staleFacts = (row: Destination, now: number): readonly string[] =>
  DATED_FACTS.filter((fact) => isStale(row, fact, now));

const staleText = (row: Destination, now: number): string => {
  const stale = staleFacts(row, now);
  return stale.length === 0 ? `as of ${row.as_of}` : `stale, so unknown to policy: ${stale.join(", ")}`;
};

function daysOf(text: string | undefined): number {
  const days = text === undefined ? DEFAULT_DAYS : Number(/^(\d{1,4})d?$/.exec(text)?.[1]);
  if (Number.isNaN(days) || days < 1)
    throw new Fault("usage.invalid", {
      detail: `\`--expires ${text}\``,
      remedy: "give days, for example 90d",
    });
  return days;
}

function required(word: string | undefined, action: string): string {
  if (word !== undefined) return word;
  throw new Fault("usage.invalid", {
    detail: `\`register ${action}\` wants a name`,
    remedy: `for example: sallyport register ${action} claude@2.1.329`,
  });
}

const readText = (file: string): Promise<string> =>
  readFile(file, "utf8").catch((cause: unknown) => {
    throw new Fault("usage.invalid", { at: file, detail: "it cannot be read", cause });
  });
