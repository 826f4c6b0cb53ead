/** Questions about what went where, answered from the rows that flow-fold.ts keeps. */
import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import { EXPOSED, HOURS_KEPT } from "./flow-fold.ts";
import type { Words } from "./word-table.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** A longer range is told by days. */
const MAX_HOURS = 24 * 8;
const END_OF_TIME = 8.64e15;

export interface Flow {
  readonly workspace: string;
  readonly agent: string;
  /** The gravest of those found in a request; `none`. */
  readonly class: string;
  readonly verdict: string;
  /** Id of the register's row, else the host. */
  readonly destination: string;
  readonly requests: number;
  readonly bytes: number;
}

export interface FlowPeriod {
  /** Cut outwards to whole hours or whole UTC days; Unix ms, `to` not included. */
  readonly from: number;
  readonly to: number;
  readonly bucketMs: number;
}

export interface FlowChoice {
  readonly workspace?: string;
  readonly agent?: string;
  readonly class?: string;
  readonly verdict?: string;
  readonly destinations?: readonly string[];
}

export interface FlowSeries {
  readonly at: number;
  readonly requests: number;
  readonly bytes: number;
  readonly denied: number;
}

/** One agent build and one destination: sums over a period, by what they are of. */
export interface Exposed {
  readonly agent: string;
  readonly version: string;
  readonly build: string;
  readonly destination: string;
  readonly of: { readonly [K in keyof typeof EXPOSED]: readonly Amount[] };
}

export interface Amount {
  readonly name: string;
  readonly requests: number;
  readonly bytes: number;
}

export interface Flows {
  /** Hours where the range is short and recent enough, else days. Without a bound: from the first entry, to the last. */
  period(range: { readonly from?: number; readonly to?: number }): FlowPeriod;
  /** Every combination there is in the period. */
  flows(period: FlowPeriod): readonly Flow[];
  /** Each bucket that has any, ascending. */
  series(period: FlowPeriod, choice: FlowChoice): readonly FlowSeries[];
  /** Whole UTC days. */
  exposed(range: {
    readonly from: number;
    readonly to: number;
    readonly agent?: string;
    readonly destination?: string;
  }): readonly Exposed[];
  /** Days with any, ascending: their starts. */
  days(): readonly number[];
}

export function flowsIn(database: DatabaseSync, words: Words): Flows {
  const bounds = (): { readonly first: number; readonly last: number } => {
    const row = database.prepare("SELECT min(hour) AS first, max(hour) AS last FROM span").get();
    return { first: Number(row?.["first"] ?? 0), last: Number(row?.["last"] ?? 0) };
  };
  const table = ({ bucketMs }: FlowPeriod): readonly [table: string, column: string] =>
    bucketMs === HOUR_MS ? ["flow_hour", "hour"] : ["flow_day", "day"];
  const within = ({ from, to, bucketMs }: FlowPeriod): readonly [number, number] => [
    from / bucketMs,
    to / bucketMs - 1,
  ];
  return {
    period: ({ from, to }) => {
      const { first, last } = bounds();
      const start = from ?? first * HOUR_MS;
      const end = Math.max(to ?? (last + 1) * HOUR_MS, start + 1);
      const isShort = end - start <= MAX_HOURS * HOUR_MS && start / HOUR_MS > last - HOURS_KEPT;
      const bucketMs = isShort ? HOUR_MS : DAY_MS;
      return {
        from: Math.floor(start / bucketMs) * bucketMs,
        to: Math.ceil(end / bucketMs) * bucketMs,
        bucketMs,
      };
    },
    flows: (period) => {
      const [name, column] = table(period);
      return database
        .prepare(
          `SELECT workspace, agent, class, verdict, destination, sum(requests) AS requests, sum(bytes) AS bytes
           FROM ${name} WHERE ${column} BETWEEN ? AND ? GROUP BY workspace, agent, class, verdict, destination`,
        )
        .all(...within(period))
        .map((row) => ({
          workspace: words.text(row["workspace"]),
          agent: words.text(row["agent"]),
          class: words.text(row["class"]),
          verdict: words.text(row["verdict"]),
          destination: words.text(row["destination"]),
          requests: Number(row["requests"]),
          bytes: Number(row["bytes"]),
        }));
    },
    series: (period, choice) => {
      const [name, column] = table(period);
      const deny = words.id("deny") ?? -1;
      const values: SQLInputValue[] = [deny, ...within(period)];
      const where: string[] = [];
      for (const one of ["workspace", "agent", "class", "verdict"] as const) {
        const wanted = choice[one];
        if (wanted === undefined) continue;
        where.push(` AND ${one} = ?`);
        values.push(words.id(wanted) ?? -1);
      }
      if (choice.destinations !== undefined) {
        where.push(` AND destination IN (${choice.destinations.map(() => "?").join(", ")})`);
        values.push(...choice.destinations.map((destination) => words.id(destination) ?? -1));
      }
      return database
        .prepare(
          `SELECT ${column} AS bucket, sum(requests) AS requests, sum(bytes) AS bytes,
             sum(CASE WHEN verdict = ? THEN requests ELSE 0 END) AS denied
           FROM ${name} WHERE ${column} BETWEEN ? AND ?${where.join("")} GROUP BY ${column} ORDER BY ${column}`,
        )
        .all(...values)
        .map((row) => ({
          at: Number(row["bucket"]) * period.bucketMs,
          requests: Number(row["requests"]),
          bytes: Number(row["bytes"]),
          denied: Number(row["denied"]),
        }));
    },
    exposed: ({ from, to, agent, destination }) => {
      const values: SQLInputValue[] = [
        Math.floor(from / DAY_MS),
        Math.ceil(Math.min(to, END_OF_TIME) / DAY_MS) - 1,
      ];
      const where: string[] = [];
      if (agent !== undefined) {
        where.push(" AND agent = ?");
        values.push(words.id(agent) ?? -1);
      }
      if (destination !== undefined) {
        where.push(" AND destination = ?");
        values.push(words.id(destination) ?? -1);
      }
      const rows = database
        .prepare(
          `SELECT agent, version, build, destination, what, value, sum(requests) AS requests, sum(bytes) AS bytes
           FROM exposed WHERE day BETWEEN ? AND ?${where.join("")}
           GROUP BY agent, version, build, destination, what, value`,
        )
        .all(...values);
      return cardsOf(rows, words);
    },
    days: () =>
      database
        .prepare("SELECT DISTINCT day FROM exposed ORDER BY day")
        .all()
        .map((row) => Number(row["day"]) * DAY_MS),
  };
}

const WHATS = Object.keys(EXPOSED) as readonly (keyof typeof EXPOSED)[]; // its own keys

function cardsOf(rows: readonly Record<string, unknown>[], words: Words): readonly Exposed[] {
  const cards = new Map<string, Exposed & { readonly of: Record<keyof typeof EXPOSED, Amount[]> }>();
  for (const row of rows) {
    const key = `${row["agent"]} ${row["version"]} ${row["build"]} ${row["destination"]}`;
    let card = cards.get(key);
    if (card === undefined) {
      card = {
        agent: words.text(row["agent"]),
        version: words.text(row["version"]),
        build: words.text(row["build"]),
        destination: words.text(row["destination"]),
        // One list for each: see WHATS.
        of: Object.fromEntries(WHATS.map((what) => [what, []])) as unknown as Record<
          keyof typeof EXPOSED,
          Amount[]
        >,
      };
      cards.set(key, card);
    }
    const what = WHATS[Number(row["what"])];
    if (what !== undefined)
      card.of[what].push({
        name: words.text(row["value"]),
        requests: Number(row["requests"]),
        bytes: Number(row["bytes"]),
      });
  }
  for (const { of } of cards.values())
    for (const what of WHATS) of[what].sort((a, b) => b.requests - a.requests || (a.name < b.name ? -1 : 1));
  return [...cards.values()];
}
