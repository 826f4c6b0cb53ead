/**
 * What went where, as rows of the query index. A request counts once, under the gravest class found in it (`none` where
 * nothing was), so that the bytes of all rows are the bytes of all requests. A connection that was refused counts as a
 * request of no bytes with verdict `deny`: nothing was read of what would have come.
 *
 * Days are kept for good, hours for {@link HOURS_KEPT}: a look at last week is fine-grained, and the table stays small.
 * `exposed` has the same by the agent's exact build, with what an exposure card tells of it.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
export const HOURS_KEPT = 24 * 14;
/** The primary class of a request in which nothing was found. */
export const NO_CLASS = "none";

/** What `exposed.what` says that `value` is. */
export const EXPOSED = {
  verdict: 0,
  class: 1,
  /** `host origin`: whom the agent asked for, and where it went. */
  to: 2,
  model: 3,
  /** `opaque`: not understood; `redacted`: placeholders stand in it. */
  mark: 4,
} as const;

export const FLOW_TABLES = ["flow_day", "flow_hour", "exposed", "span"] as const satisfies readonly string[];

const FLOW = "workspace INTEGER, agent INTEGER, class INTEGER, verdict INTEGER, destination INTEGER";
const FLOW_KEY = "workspace, agent, class, verdict, destination";

/** `span`: the entries of an hour, so that a question about a time need not look at all entries. */
export const FLOW_SCHEMA = `
  CREATE TABLE flow_day(day INTEGER, ${FLOW}, requests INTEGER NOT NULL, bytes INTEGER NOT NULL,
    PRIMARY KEY(day, ${FLOW_KEY})) WITHOUT ROWID;
  CREATE TABLE flow_hour(hour INTEGER, ${FLOW}, requests INTEGER NOT NULL, bytes INTEGER NOT NULL,
    PRIMARY KEY(hour, ${FLOW_KEY})) WITHOUT ROWID;
  CREATE TABLE exposed(day INTEGER, agent INTEGER, version INTEGER, build INTEGER, destination INTEGER,
    what INTEGER, value INTEGER, requests INTEGER NOT NULL, bytes INTEGER NOT NULL,
    PRIMARY KEY(day, agent, version, build, destination, what, value)) WITHOUT ROWID;
  CREATE TABLE span(hour INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL);
`;

/** Gravest first; classes that are not among these come after `classified`. */
const GRAVITY: readonly (string | null)[] = [
  "secret",
  "classified",
  null,
  "personal",
  "infrastructure",
  "injection",
];

/** The gravest; null of none. */
export function gravest(classes: Iterable<string>): string | null {
  let found: string | null = null;
  for (const one of classes) if (found === null || isGraver(one, found)) found = one;
  return found;
}

function isGraver(a: string, b: string): boolean {
  const [rankA, rankB] = [rankOf(a), rankOf(b)];
  return rankA < rankB || (rankA === rankB && a < b);
}

function rankOf(name: string): number {
  const rank = GRAVITY.indexOf(name);
  return rank < 0 ? GRAVITY.indexOf(null) : rank;
}

/** Of one judged request or refused connection; words by their ids. */
export interface Flowing {
  readonly at: number;
  readonly workspace: number;
  readonly agent: number;
  readonly version: number;
  readonly build: number;
  readonly primary: number;
  readonly classes: readonly number[];
  readonly verdict: number;
  readonly destination: number;
  readonly to: number | null;
  readonly model: number | null;
  readonly marks: readonly number[];
  readonly bytes: number;
}

interface Sum {
  readonly key: readonly number[];
  requests: number;
  bytes: number;
}

export class FlowFold {
  readonly #day = new Map<string, Sum>();
  readonly #hour = new Map<string, Sum>();
  readonly #exposed = new Map<string, Sum>();
  readonly #spans = new Map<number, { first: number; last: number }>();
  readonly #putDay: StatementSync;
  readonly #putHour: StatementSync;
  readonly #putExposed: StatementSync;
  readonly #putSpan: StatementSync;
  readonly #forget: StatementSync;
  #latestHour = 0;

  constructor(database: DatabaseSync) {
    const put = (table: string, columns: number): StatementSync =>
      database.prepare(
        `INSERT INTO ${table} VALUES (${"?, ".repeat(columns)}?, ?) ON CONFLICT DO UPDATE SET
           requests = requests + excluded.requests, bytes = bytes + excluded.bytes`,
      );
    this.#putDay = put("flow_day", 6);
    this.#putHour = put("flow_hour", 6);
    this.#putExposed = put("exposed", 7);
    this.#putSpan = database.prepare(
      `INSERT INTO span VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET
         first = min(first, excluded.first), last = max(last, excluded.last)`,
    );
    this.#forget = database.prepare("DELETE FROM flow_hour WHERE hour < ?");
    const latest = database.prepare("SELECT max(hour) AS hour FROM span").get();
    this.#latestHour = Number(latest?.["hour"] ?? 0);
  }

  /** Of each entry. */
  seen(index: number, at: number): void {
    const hour = Math.floor(at / HOUR_MS);
    if (hour > this.#latestHour) this.#latestHour = hour;
    const span = this.#spans.get(hour);
    if (span === undefined) this.#spans.set(hour, { first: index, last: index });
    else span.last = index;
  }

  add(flow: Flowing): void {
    const { workspace, agent, version, build, primary, verdict, destination, bytes } = flow;
    const day = Math.floor(flow.at / DAY_MS);
    const hour = Math.floor(flow.at / HOUR_MS);
    // The keys as text: made once, as this is done for each request of a million.
    const way = `${workspace} ${agent} ${primary} ${verdict} ${destination}`;
    const wayKey = (first: number): readonly number[] => [
      first,
      workspace,
      agent,
      primary,
      verdict,
      destination,
    ];
    count(this.#day, `${day} ${way}`, bytes, () => wayKey(day));
    if (hour > this.#latestHour - HOURS_KEPT) count(this.#hour, `${hour} ${way}`, bytes, () => wayKey(hour));
    const card = `${day} ${agent} ${version} ${build} ${destination}`;
    const expose = (what: number, value: number | null): void => {
      if (value !== null)
        count(this.#exposed, `${card} ${what} ${value}`, bytes, () => [
          ...[day, agent, version, build, destination, what, value],
        ]);
    };
    expose(EXPOSED.verdict, verdict);
    for (const one of flow.classes) expose(EXPOSED.class, one);
    expose(EXPOSED.to, flow.to);
    expose(EXPOSED.model, flow.model);
    for (const mark of flow.marks) expose(EXPOSED.mark, mark);
  }

  /** Writes what has gathered; before each commit. */
  flush(): void {
    const oldest = this.#latestHour - HOURS_KEPT;
    for (const { key, requests, bytes } of this.#day.values()) this.#putDay.run(...key, requests, bytes);
    for (const { key, requests, bytes } of this.#hour.values())
      if ((key[0] ?? 0) > oldest) this.#putHour.run(...key, requests, bytes);
    for (const { key, requests, bytes } of this.#exposed.values())
      this.#putExposed.run(...key, requests, bytes);
    for (const [hour, { first, last }] of this.#spans) this.#putSpan.run(hour, first, last);
    this.#forget.run(oldest + 1);
    for (const sums of [this.#day, this.#hour, this.#exposed, this.#spans]) sums.clear();
  }
}

function count(sums: Map<string, Sum>, name: string, bytes: number, key: () => readonly number[]): void {
  const known = sums.get(name);
  if (known === undefined) sums.set(name, { key: key(), requests: 1, bytes });
  else {
    known.requests++;
    known.bytes += bytes;
  }
}
