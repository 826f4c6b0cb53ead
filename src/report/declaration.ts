/**
 * The declaration: what left in one session and what was kept in, as a fold over the session's ledger events. The
 * station folds while the session runs, `sallyport show` folds again from the ledger; both must give the same.
 *
 * Rules: only what an event says; a line whose feature did not act is left out; counts are of distinct things.
 */
import type { BuildStanding, EventBody, LedgerEvent, NormalisedTally, SessionId } from "../core/index.ts";
import { CallFold, type DeclaredCall } from "./call.ts";

type Started = Extract<EventBody, { kind: "session.started" }>;
type Ended = Extract<EventBody, { kind: "session.ended" }>;

/** What is known of a destination, as the register says it. */
export interface DestinationFacts {
  readonly operator: string;
  readonly law: readonly string[];
  readonly asOf: string;
}

export interface DeclaredDestination {
  /** The host that the agent asked for. */
  readonly host: string;
  /** The origin that was really reached. */
  readonly sentTo: string;
  /** Register row; null when the register knows none. */
  readonly id: string | null;
  /** Name of our own server that policy sent it to instead; null: it went where the agent meant. */
  readonly rerouted: string | null;
  readonly requests: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
  /** Requests that no reply came to, though bytes may have left. */
  readonly unanswered: number;
  readonly models: readonly string[];
}

export interface Declaration {
  readonly session: SessionId;
  readonly agent: { readonly name: string; readonly version: string | null; readonly sha256: string | null };
  readonly profile: string;
  readonly workspace: string;
  readonly sandbox: "bubblewrap" | "none";
  readonly gaps: readonly string[];
  readonly upstream: string | null;
  /** Where the register had the build; null in sessions of versions without a register. */
  readonly standing: BuildStanding | null;
  /** How the build's own words compared with its vetted template; null where it has none. */
  readonly template: {
    readonly known: number;
    readonly altered: number;
    readonly unaccounted: number;
  } | null;
  readonly startedAt: number;
  /** Null while the session runs. */
  readonly endedAt: number | null;
  readonly ended: Ended["reason"] | null;
  readonly exitCode: number | null;
  readonly setAside: readonly string[];
  readonly appeared: readonly string[];
  readonly sent: readonly DeclaredDestination[];
  readonly files: readonly string[];
  readonly commandOutputs: number;
  readonly otherToolResults: number;
  /** Request bytes whose format was not understood; they were still recorded whole. */
  readonly notUnderstoodBytes: number;
  /** What was found in requests that left, and was not masked. */
  readonly findings: readonly { readonly class: string; readonly detector: string; readonly count: number }[];
  /** Distinct values by data class that placeholders stood for in what left. */
  readonly redacted: readonly { readonly class: string; readonly count: number }[];
  /** Characters of the build's own lines that left as its vetted template has them, by code points. */
  readonly normalised: readonly NormalisedTally[];
  readonly usage: { readonly inputTokens: number; readonly outputTokens: number };
  /** Requests that left by a person's yes, or by an exception to a rule: by its id. */
  readonly exceptions: readonly { readonly id: string; readonly count: number }[];
  readonly refused: readonly { readonly host: string; readonly rule: string; readonly count: number }[];
  /** What programs did inside, as the recorder told it; null where nothing recorded it. */
  readonly inside: DeclaredInside | null;
  /** SSH connections that were let out; none of what they carried was inspected. */
  readonly tunnels: readonly { readonly host: string; readonly count: number; readonly sentBytes: number }[];
  /** First and last ledger entry of the session. */
  readonly entries: readonly [number, number];
}

export interface DeclaredInside {
  readonly programs: number;
  /** Distinct files and folders of the workspace. */
  readonly changed: number;
  /** The record ended before the session: what came after is not in it. */
  readonly isLost: boolean;
  /** What the model's tool calls did, in the order of their exchanges. */
  readonly calls: readonly DeclaredCall[];
}

interface Tally {
  programs: number;
  isLost: boolean;
  readonly changed: Set<string>;
  readonly calls: CallFold;
  readonly tunnels: Map<string, { host: string; count: number; sentBytes: number }>;
  /** Hosts of tunnels by exchange. */
  readonly openTunnels: Map<string, string>;
  started: Started & { readonly at: number };
  ended: (Ended & { readonly at: number }) | null;
  readonly judged: Map<string, Extract<EventBody, { kind: "exchange.judged" }>>;
  readonly sent: Map<string, { -readonly [K in keyof DeclaredDestination]: DeclaredDestination[K] }>;
  readonly files: Set<string>;
  commands: number;
  others: number;
  notUnderstoodBytes: number;
  readonly findings: Map<string, { class: string; detector: string; count: number }>;
  readonly redacted: Map<string, number>;
  readonly normalised: Map<string, { was: string; is: string; count: number }>;
  readonly usage: { inputTokens: number; outputTokens: number };
  readonly exceptions: Map<string, number>;
  readonly refused: Map<string, { host: string; rule: string; count: number }>;
  template: Declaration["template"];
  first: number;
  last: number;
}

/** Folds the events of one session. Owned by whoever made it; grows with the number of open exchanges and files. */
export class SessionFold {
  #tally: Tally | null = null;

  /** Takes the next event of the session, in ledger order. Events of other sessions must not be given. */
  add(index: number, event: LedgerEvent): void {
    if (event.kind === "session.started") {
      this.#tally = open(event, index);
      return;
    }
    const tally = this.#tally;
    if (tally === null) return;
    tally.last = index;
    tally.calls.add(event);
    switch (event.kind) {
      case "session.ended":
        tally.ended = event;
        break;
      case "connection.refused":
        refuse(tally, event.host, event.rule);
        break;
      case "exchange.judged":
        judge(tally, event);
        break;
      case "exchange.answered": {
        const row = rowOf(tally, event.exchange);
        if (row !== null) row.responseBytes += event.responseBytes;
        tally.usage.inputTokens += event.usage?.inputTokens ?? 0;
        tally.usage.outputTokens += event.usage?.outputTokens ?? 0;
        tally.judged.delete(event.exchange);
        break;
      }
      case "exchange.failed": {
        const row = rowOf(tally, event.exchange);
        if (row !== null) {
          row.unanswered += 1;
          if (!event.mayHaveLeft) {
            const judged = tally.judged.get(event.exchange);
            withdraw(row, judged?.requestBytes ?? 0);
            // The gateway counts them as new once more when they are sent again.
            for (const { class: dataClass, count } of judged?.redacted ?? []) mask(tally, dataClass, -count);
          }
        }
        tally.judged.delete(event.exchange);
        break;
      }
      case "command.started":
        tally.programs += event.commands.length;
        break;
      case "file.changed":
        for (const { path, to } of event.changes) tally.changed.add(to ?? path);
        break;
      case "recorder.lost":
        tally.isLost = true;
        break;
      case "tunnel.opened":
        tally.openTunnels.set(event.exchange, event.host);
        break;
      case "tunnel.closed": {
        const host = tally.openTunnels.get(event.exchange) ?? "";
        tally.openTunnels.delete(event.exchange);
        const row = tally.tunnels.get(host) ?? { host, count: 0, sentBytes: 0 };
        tally.tunnels.set(host, {
          ...row,
          count: row.count + 1,
          sentBytes: row.sentBytes + event.sentBytes,
        });
        break;
      }
      case "template.compared":
        tally.template = { known: event.known, altered: event.altered, unaccounted: event.unaccounted };
        break;
      case "evidence.viewed":
      case "ledger.opened":
        break;
      default:
        // A kind that a newer writer knows: it counts as an entry, and says nothing here.
        break;
    }
  }

  /** The declaration so far, or null before the session's first event. */
  declaration(): Declaration | null {
    const tally = this.#tally;
    return tally === null ? null : close(tally);
  }
}

function open(event: Started & { readonly at: number }, index: number): Tally {
  return {
    started: event,
    ended: null,
    judged: new Map(),
    sent: new Map(),
    files: new Set(),
    commands: 0,
    others: 0,
    notUnderstoodBytes: 0,
    findings: new Map(),
    redacted: new Map(),
    normalised: new Map(),
    usage: { inputTokens: 0, outputTokens: 0 },
    exceptions: new Map(),
    refused: new Map(),
    template: null,
    ...{
      programs: 0,
      isLost: false,
      changed: new Set(),
      calls: new CallFold(),
      tunnels: new Map(),
      openTunnels: new Map(),
    },
    first: index,
    last: index,
  };
}

function judge(tally: Tally, event: Extract<EventBody, { kind: "exchange.judged" }>): void {
  if (event.verdict === "deny" || event.verdict === "ask") {
    refuse(tally, event.host, event.rules[0] ?? "policy");
    return;
  }
  for (const finding of event.findings) {
    // What was masked did not leave: it is told as kept in.
    if (event.redacted?.some((masked) => masked.class === finding.class)) continue;
    // Nor did what was put back: it is told as such.
    if (event.normalised !== undefined && finding.class === ALTERED) continue;
    const key = `${finding.class} ${finding.detector}`;
    const known = tally.findings.get(key);
    if (known === undefined) tally.findings.set(key, { ...finding });
    else known.count += finding.count;
  }
  for (const { class: dataClass, count } of event.redacted ?? []) mask(tally, dataClass, count);
  for (const one of event.normalised ?? []) {
    const key = `${one.was}>${one.is}`;
    const known = tally.normalised.get(key) ?? { ...one, count: 0 };
    known.count += one.count;
    tally.normalised.set(key, known);
  }
  for (const rule of event.rules)
    if (rule.startsWith(EXCEPTION)) {
      const id = rule.slice(EXCEPTION.length);
      tally.exceptions.set(id, (tally.exceptions.get(id) ?? 0) + 1);
    }
  tally.judged.set(event.exchange, event);
  const key = `${event.host} ${event.sentTo}`;
  const row = tally.sent.get(key) ?? {
    host: event.host,
    sentTo: event.sentTo,
    id: event.destination,
    rerouted: event.rerouted?.name ?? null,
    requests: 0,
    requestBytes: 0,
    responseBytes: 0,
    unanswered: 0,
    models: [],
  };
  row.requests += 1;
  row.requestBytes += event.requestBytes;
  if (event.model !== null && !row.models.includes(event.model)) row.models = [...row.models, event.model];
  tally.sent.set(key, row);
  for (const file of event.sources.files) tally.files.add(file);
  tally.commands += event.sources.commands;
  tally.others += event.sources.others;
  if (!event.understood) tally.notUnderstoodBytes += event.requestBytes;
}

/** The class of a line that differs from the build's vetted template: see inspect/template.ts. */
const ALTERED = "altered_template";

/** What stands for a rule that an exception takes back: see policy/waiver.ts. */
const EXCEPTION = "waiver.";

function mask(tally: Tally, dataClass: string, count: number): void {
  tally.redacted.set(dataClass, (tally.redacted.get(dataClass) ?? 0) + count);
}

/** A request that never left counts neither as a request nor as bytes. */
function withdraw(row: { requests: number; requestBytes: number; unanswered: number }, bytes: number): void {
  row.requests -= 1;
  row.requestBytes -= bytes;
  row.unanswered -= 1;
}

function rowOf(
  tally: Tally,
  exchange: string,
): { -readonly [K in keyof DeclaredDestination]: DeclaredDestination[K] } | null {
  const judged = tally.judged.get(exchange);
  return judged === undefined ? null : (tally.sent.get(`${judged.host} ${judged.sentTo}`) ?? null);
}

function refuse(tally: Tally, host: string, rule: string): void {
  const key = `${host} ${rule}`;
  const known = tally.refused.get(key);
  if (known === undefined) tally.refused.set(key, { host, rule, count: 1 });
  else known.count += 1;
}

function close(tally: Tally): Declaration {
  const { started, ended } = tally;
  return {
    session: started.session,
    agent: started.agent,
    profile: started.profile.name,
    workspace: started.workspace,
    sandbox: started.sandbox,
    gaps: started.gaps,
    upstream: started.upstream,
    standing: started.admission?.standing ?? null,
    template: tally.template,
    startedAt: started.at,
    endedAt: ended?.at ?? null,
    ended: ended?.reason ?? null,
    exitCode: ended?.exitCode ?? null,
    setAside: ended?.setAside ?? [],
    appeared: ended?.appeared ?? [],
    sent: [...tally.sent.values()].filter((row) => row.requests > 0).map((row) => ({ ...row })),
    files: [...tally.files].sort(),
    commandOutputs: tally.commands,
    otherToolResults: tally.others,
    notUnderstoodBytes: tally.notUnderstoodBytes,
    findings: [...tally.findings.values()].map((row) => ({ ...row })),
    redacted: [...tally.redacted]
      .filter(([, count]) => count > 0)
      .map(([dataClass, count]) => ({ class: dataClass, count })),
    normalised: [...tally.normalised.values()].map((row) => ({ ...row })),
    usage: { ...tally.usage },
    exceptions: [...tally.exceptions].map(([id, count]) => ({ id, count })),
    refused: [...tally.refused.values()].sort((a, b) => b.count - a.count).map((row) => ({ ...row })),
    inside:
      tally.programs === 0 && !tally.isLost
        ? null
        : {
            ...{ programs: tally.programs, changed: tally.changed.size, isLost: tally.isLost },
            calls: tally.calls.calls(),
          },
    tunnels: [...tally.tunnels.values()],
    entries: [tally.first, tally.last],
  };
}
