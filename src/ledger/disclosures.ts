/** Questions about what left of repositories, answered from the rows that disclosure-fold.ts keeps. */
import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import type { LedgerEvent } from "../core/index.ts";
import { ALL } from "./disclosure-fold.ts";
import { countLines, type LineRanges, parseRanges, uniteRanges } from "./line-ranges.ts";

const DAY_MS = 86_400_000;

/** Unix ms; whole UTC days. Without it: all there is. */
export interface Period {
  readonly from?: number;
  readonly to?: number;
}

/** What was traced of one repository, for one recipient or (null) all together. */
export interface TracedTotal {
  readonly workspace: string;
  /** Id of the register's row, else the host. */
  readonly destination: string | null;
  readonly exchanges: number;
  /** New text that was compared with the workspace, and the part of it that is in none of its files. */
  readonly bytes: number;
  readonly unmatchedBytes: number;
  readonly first: number;
  readonly last: number;
}

/** What left of one version of one file, to one recipient or (null) all together. */
export interface DisclosedVersion {
  readonly path: string;
  readonly destination: string | null;
  /** SHA-256 of the file as it was matched, hex. */
  readonly version: string;
  readonly ranges: LineRanges;
  readonly lines: number;
  /** Lines that this version has. */
  readonly total: number;
  /** Of the lines, as often as they left. */
  readonly bytes: number;
  readonly exchanges: number;
  readonly first: number;
  readonly last: number;
}

export type Measured = Extract<LedgerEvent, { readonly kind: "workspace.measured" }>;

export interface Disclosures {
  /** Repositories that were measured or of which something was traced, by name. */
  workspaces(): readonly string[];
  /** The latest measurement of a repository; null when there is none. */
  measured(workspace: string): { readonly index: number; readonly event: Measured } | null;
  /** Totals of all repositories, for each recipient and (destination null) for all together. */
  totals(period?: Period): readonly TracedTotal[];
  /** Versions of files of a repository; `destination` null: rows for all recipients together. */
  versions(
    workspace: string,
    destination: string | null,
    period?: Period,
    path?: string,
  ): readonly DisclosedVersion[];
  /** Versions of one file for each recipient apart. */
  recipients(workspace: string, path: string, period?: Period): readonly DisclosedVersion[];
  /** Entries by which lines of a file left, newest first. */
  entries(workspace: string, path: string, limit: number): readonly number[];
}

export function disclosuresIn(database: DatabaseSync): Disclosures {
  const idOf = (text: string): number | null => {
    const row = database.prepare("SELECT id FROM word WHERE text = ?").get(text);
    return row === undefined ? null : Number(row["id"]);
  };
  const select = (where: string, values: readonly SQLInputValue[]): readonly DisclosedVersion[] =>
    joined(
      database
        .prepare(
          `SELECT p.text AS path, w.text AS who, v.text AS version, ranges, lines, total, bytes, exchanges, first, last
           FROM disclosed JOIN word p ON p.id = path JOIN word v ON v.id = version LEFT JOIN word w ON w.id = destination
           WHERE ${where}`,
        )
        .all(...values),
    );
  return {
    workspaces: () =>
      database
        .prepare(
          `SELECT text FROM word WHERE id IN (SELECT workspace FROM measured UNION SELECT workspace FROM traced)
           ORDER BY text`,
        )
        .all()
        .map(({ text }) => String(text)),
    measured: (workspace) => {
      const row = database
        .prepare(
          `SELECT m.idx AS idx, event FROM measured m JOIN leaf ON leaf.idx = m.idx
           WHERE workspace = (SELECT id FROM word WHERE text = ?)`,
        )
        .get(workspace);
      if (row === undefined) return null;
      // The leaf's own text, of the kind that the row was made from.
      return { index: Number(row["idx"]), event: JSON.parse(String(row["event"])) as Measured };
    },
    totals: (period) => {
      const [when, values] = daysIn(period);
      return database
        .prepare(
          `SELECT s.text AS workspace, w.text AS who, sum(exchanges) AS exchanges, sum(bytes) AS bytes,
             sum(unmatched) AS unmatched, min(first) AS first, max(last) AS last
           FROM traced JOIN word s ON s.id = workspace LEFT JOIN word w ON w.id = destination
           WHERE ${when} GROUP BY traced.workspace, traced.destination ORDER BY bytes DESC`,
        )
        .all(...values)
        .map((row) => ({
          workspace: String(row["workspace"]),
          destination: row["who"] === null ? null : String(row["who"]),
          exchanges: Number(row["exchanges"]),
          bytes: Number(row["bytes"]),
          unmatchedBytes: Number(row["unmatched"]),
          first: Number(row["first"]),
          last: Number(row["last"]),
        }));
    },
    versions: (workspace, destination, period, path) => {
      const [when, values] = daysIn(period);
      const [repository, who] = [idOf(workspace), destination === null ? ALL : idOf(destination)];
      const file = path === undefined ? undefined : idOf(path);
      if (repository === null || who === null || file === null) return [];
      const one = file === undefined ? [] : [file];
      return select(
        `workspace = ? AND ${when} AND destination = ?${file === undefined ? "" : " AND path = ?"}`,
        [repository, ...values, who, ...one],
      );
    },
    recipients: (workspace, path, period) => {
      const [when, values] = daysIn(period);
      const [repository, file] = [idOf(workspace), idOf(path)];
      if (repository === null || file === null) return [];
      return select(`workspace = ? AND ${when} AND destination <> ? AND path = ?`, [
        repository,
        ...values,
        ALL,
        file,
      ]);
    },
    entries: (workspace, path, limit) => {
      const [repository, file] = [idOf(workspace), idOf(path)];
      if (repository === null || file === null) return [];
      return database
        .prepare("SELECT idx FROM disclosed_in WHERE workspace = ? AND path = ? ORDER BY idx DESC LIMIT ?")
        .all(repository, file, limit)
        .map(({ idx }) => Number(idx));
    },
  };
}

function daysIn(period: Period | undefined): readonly [where: string, values: readonly number[]] {
  if (period?.from === undefined && period?.to === undefined) return ["day = ?", [ALL]];
  return [
    "day BETWEEN ? AND ?",
    [Math.floor((period.from ?? 0) / DAY_MS), Math.floor((period.to ?? 8.64e15) / DAY_MS)],
  ];
}

/** One row for each version and recipient: those of several days are united. */
function joined(rows: readonly Record<string, unknown>[]): readonly DisclosedVersion[] {
  const found = new Map<string, DisclosedVersion>();
  for (const row of rows) {
    const one: DisclosedVersion = {
      path: String(row["path"]),
      destination: row["who"] === null ? null : String(row["who"]),
      version: String(row["version"]),
      ranges: parseRanges(String(row["ranges"])),
      lines: Number(row["lines"]),
      total: Number(row["total"]),
      bytes: Number(row["bytes"]),
      exchanges: Number(row["exchanges"]),
      first: Number(row["first"]),
      last: Number(row["last"]),
    };
    const key = `${one.version} ${one.destination ?? ""} ${one.path}`;
    const known = found.get(key);
    found.set(key, known === undefined ? one : unite(known, one));
  }
  return [...found.values()];
}

function unite(a: DisclosedVersion, b: DisclosedVersion): DisclosedVersion {
  const ranges = uniteRanges(a.ranges, b.ranges);
  const total = Math.max(a.total, b.total);
  return {
    ...a,
    ranges,
    lines: Math.min(countLines(ranges), total),
    total,
    bytes: a.bytes + b.bytes,
    exchanges: a.exchanges + b.exchanges,
    first: Math.min(a.first, b.first),
    last: Math.max(a.last, b.last),
  };
}
