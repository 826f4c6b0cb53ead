/**
 * What of workspaces has left, folded from the ledger: which lines of which files, to whom, when, and what share that is
 * of each workspace. A workspace is known by its base name, as the ledger holds no more of it.
 *
 * A file counts with the version of which most has left: lines of two versions are not the same lines. So a share is a
 * lower bound where files changed in between. Requests that left and were not compared are told, by session.
 */
import type { LedgerEvent } from "../core/index.ts";

type Measured = Extract<LedgerEvent, { kind: "workspace.measured" }>;
type Traced = Extract<LedgerEvent, { kind: "exchange.traced" }>;
export type LineRange = readonly [first: number, last: number];

export interface DisclosedTo {
  /** The origin that it went to. */
  readonly sentTo: string;
  readonly lines: readonly LineRange[];
  readonly count: number;
  /** Unix ms. */
  readonly first: number;
  readonly last: number;
}

export interface DisclosedFile {
  readonly path: string;
  /** To all together, of the version of which most has left. */
  readonly lines: readonly LineRange[];
  readonly count: number;
  /** Lines that this version has. */
  readonly of: number;
  readonly sha256: string;
  /** How many versions lines left of. */
  readonly versions: number;
  readonly to: readonly DisclosedTo[];
}

export interface WorkspaceDisclosures {
  readonly workspace: string;
  /** As it was measured last; null where it never was. */
  readonly measured: Pick<Measured, "commit" | "files" | "lines" | "bytes" | "notRead"> | null;
  readonly sessions: number;
  /** Requests that were compared. */
  readonly requests: number;
  /** Of the text that was compared. */
  readonly bytes: number;
  readonly unmatchedBytes: number;
  /** Lines that could be put together again from what left, of all recipients together. */
  readonly lines: number;
  /** Those of which most left first. */
  readonly files: readonly DisclosedFile[];
  /** Requests that left and were not compared, by session. */
  readonly notCompared: readonly {
    readonly session: string;
    readonly requests: number;
    readonly isOver: boolean;
  }[];
}

interface Version {
  readonly of: number;
  readonly to: Map<string, { ranges: LineRange[]; first: number; last: number }>;
}

interface Workspace {
  measured: Measured | null;
  readonly sessions: Set<string>;
  requests: number;
  bytes: number;
  unmatchedBytes: number;
  /** By path, then by SHA-256. */
  readonly files: Map<string, Map<string, Version>>;
}

interface Session {
  readonly workspace: string;
  /** Exchanges that were let go and of which no comparison is known. */
  readonly waiting: Set<string>;
  /** Whether its program compared at all: older ones did not. */
  isOver: boolean;
}

export interface DisclosureChoice {
  readonly workspace?: string;
  readonly session?: string;
}

/** Fed with all events in order. */
export class DisclosureFold {
  readonly #choice: DisclosureChoice;
  readonly #workspaces = new Map<string, Workspace>();
  readonly #sessions = new Map<string, Session>();

  constructor(choice: DisclosureChoice = {}) {
    this.#choice = choice;
  }

  add(event: LedgerEvent): void {
    switch (event.kind) {
      case "session.started":
        if ((this.#choice.workspace ?? event.workspace) !== event.workspace) return;
        if ((this.#choice.session ?? event.session) !== event.session) return;
        this.#sessions.set(event.session, { workspace: event.workspace, waiting: new Set(), isOver: false });
        break;
      case "workspace.measured": {
        const known = this.#sessions.get(event.session);
        if (known !== undefined) this.#workspace(known.workspace).measured = event;
        break;
      }
      case "exchange.judged":
        if (event.verdict !== "deny" && event.verdict !== "ask" && event.requestBytes > 0)
          this.#sessions.get(event.session)?.waiting.add(event.exchange);
        break;
      case "exchange.failed":
        if (!event.mayHaveLeft) this.#sessions.get(event.session)?.waiting.delete(event.exchange);
        break;
      case "exchange.traced":
        this.#trace(event);
        break;
      case "session.ended": {
        const known = this.#sessions.get(event.session);
        if (known !== undefined) known.isOver = true;
        break;
      }
      default:
        break; // says nothing about what left
    }
  }

  result(): readonly WorkspaceDisclosures[] {
    for (const { workspace } of this.#sessions.values()) this.#workspace(workspace);
    return [...this.#workspaces]
      .map(([name, workspace]) => this.#told(name, workspace))
      .sort((a, b) => b.lines - a.lines || (a.workspace < b.workspace ? -1 : 1));
  }

  #trace(event: Traced): void {
    const session = this.#sessions.get(event.session);
    if (session === undefined) return;
    session.waiting.delete(event.exchange);
    const workspace = this.#workspace(session.workspace);
    workspace.sessions.add(event.session);
    workspace.requests++;
    workspace.bytes += event.bytes;
    workspace.unmatchedBytes += event.unmatchedBytes;
    for (const { path, lines, of, sha256 } of event.files) {
      const versions = workspace.files.get(path) ?? new Map<string, Version>();
      workspace.files.set(path, versions);
      const version = versions.get(sha256) ?? { of, to: new Map() };
      versions.set(sha256, version);
      const to = version.to.get(event.sentTo) ?? { ranges: [], first: event.at, last: event.at };
      version.to.set(event.sentTo, {
        ranges: united([...to.ranges, ...lines]),
        first: to.first,
        last: event.at,
      });
    }
  }

  #workspace(name: string): Workspace {
    const known = this.#workspaces.get(name);
    if (known !== undefined) return known;
    const made = {
      measured: null,
      sessions: new Set<string>(),
      ...{ requests: 0, bytes: 0, unmatchedBytes: 0 },
      files: new Map(),
    };
    this.#workspaces.set(name, made);
    return made;
  }

  #told(name: string, workspace: Workspace): WorkspaceDisclosures {
    const { measured, sessions, requests, bytes, unmatchedBytes } = workspace;
    const files = [...workspace.files]
      .map(([path, versions]) => fileOf(path, versions))
      .sort((a, b) => b.count - a.count || (a.path < b.path ? -1 : 1));
    const notCompared = [...this.#sessions].flatMap(([session, { workspace: own, waiting, isOver }]) =>
      own === name && waiting.size > 0 ? [{ session, requests: waiting.size, isOver }] : [],
    );
    return {
      workspace: name,
      measured:
        measured === null
          ? null
          : {
              commit: measured.commit,
              files: measured.files,
              lines: measured.lines,
              bytes: measured.bytes,
              notRead: measured.notRead,
            },
      ...{ sessions: sessions.size, requests, bytes, unmatchedBytes },
      lines: files.reduce((sum, { count }) => sum + count, 0),
      files,
      notCompared,
    };
  }
}

function fileOf(path: string, versions: ReadonlyMap<string, Version>): DisclosedFile {
  const told = [...versions].map(([sha256, { of, to }]) => {
    const lines = united([...to.values()].flatMap(({ ranges }) => ranges));
    return { sha256, of, lines, count: countOf(lines) };
  });
  // Of versions with as many lines the latest.
  const best = told.reduce((most, one) => (one.count >= most.count ? one : most));
  const to = new Map<string, DisclosedTo>();
  for (const version of versions.values())
    for (const [sentTo, { ranges, first, last }] of version.to) {
      const known = to.get(sentTo);
      const isMore = countOf(ranges) >= (known?.count ?? 0);
      to.set(sentTo, {
        sentTo,
        lines: isMore || known === undefined ? ranges : known.lines,
        count: isMore || known === undefined ? countOf(ranges) : known.count,
        first: Math.min(first, known?.first ?? first),
        last: Math.max(last, known?.last ?? last),
      });
    }
  return { path, ...best, versions: versions.size, to: [...to.values()] };
}

const countOf = (lines: readonly LineRange[]): number =>
  lines.reduce((sum, [first, last]) => sum + last - first + 1, 0);

/** Ascending and disjoint. */
function united(lines: readonly LineRange[]): LineRange[] {
  const found: [number, number][] = [];
  for (const [first, last] of lines.toSorted((a, b) => a[0] - b[0])) {
    const open = found.at(-1);
    if (open !== undefined && first <= open[1] + 1) open[1] = Math.max(open[1], last);
    else found.push([first, last]);
  }
  return found;
}
