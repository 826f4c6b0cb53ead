/**
 * What left of each repository, as rows of the query index: by day and in all, for each recipient and for all together,
 * the union of the lines of each version of each file. A repository is known by its folder's name, as the record has no
 * more of it: two of one name are shown as one.
 *
 * Lines of different versions of a file are never added up: line 12 of one need not be line 12 of the other.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { countLines, type LineRanges, parseRanges, rangesText, uniteRanges } from "./line-ranges.ts";

const DAY_MS = 86_400_000;
/** The `day` of rows about all days, and the `destination` of rows about all recipients. */
export const ALL = -1;

export const DISCLOSURE_TABLES = [
  "placed",
  "measured",
  "traced",
  "disclosed",
  "disclosed_in",
] as const satisfies readonly string[];

/** `placed`: the workspace of each session, for later catch-ups. `traced`: what was looked at, matched or not. */
export const DISCLOSURE_SCHEMA = `
  CREATE TABLE placed(session INTEGER PRIMARY KEY, workspace INTEGER NOT NULL);
  CREATE TABLE measured(workspace INTEGER PRIMARY KEY, idx INTEGER NOT NULL);
  CREATE TABLE traced(workspace INTEGER, day INTEGER, destination INTEGER, exchanges INTEGER NOT NULL,
    bytes INTEGER NOT NULL, unmatched INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    PRIMARY KEY(workspace, day, destination)) WITHOUT ROWID;
  CREATE TABLE disclosed(workspace INTEGER, day INTEGER, destination INTEGER, path INTEGER, version INTEGER,
    ranges TEXT NOT NULL, lines INTEGER NOT NULL, total INTEGER NOT NULL, bytes INTEGER NOT NULL,
    exchanges INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    PRIMARY KEY(workspace, day, destination, path, version)) WITHOUT ROWID;
  CREATE TABLE disclosed_in(workspace INTEGER, path INTEGER, idx INTEGER,
    PRIMARY KEY(workspace, path, idx)) WITHOUT ROWID;
`;

type Fields = Readonly<Record<string, unknown>>;

interface FileRow {
  readonly key: readonly [workspace: number, day: number, destination: number, path: number, version: number];
  ranges: LineRanges;
  total: number;
  bytes: number;
  exchanges: number;
  first: number;
  last: number;
}

interface TracedRow {
  readonly key: readonly [workspace: number, day: number, destination: number];
  exchanges: number;
  bytes: number;
  unmatched: number;
  first: number;
  last: number;
}

export class DisclosureFold {
  readonly #word: (text: string) => number;
  readonly #place: StatementSync;
  readonly #measure: StatementSync;
  readonly #in: StatementSync;
  readonly #known: StatementSync;
  readonly #putFile: StatementSync;
  readonly #putTraced: StatementSync;
  readonly #workspaces = new Map<number, number>();
  readonly #files = new Map<string, FileRow>();
  readonly #traced = new Map<string, TracedRow>();

  /** `word`: the id of a text in the index's own table of words. */
  constructor(database: DatabaseSync, word: (text: string) => number) {
    this.#word = word;
    this.#place = database.prepare("INSERT OR REPLACE INTO placed VALUES (?, ?)");
    this.#measure = database.prepare("INSERT OR REPLACE INTO measured VALUES (?, ?)");
    this.#in = database.prepare("INSERT OR IGNORE INTO disclosed_in VALUES (?, ?, ?)");
    this.#known = database.prepare(
      `SELECT ranges, total, bytes, exchanges, first, last FROM disclosed
       WHERE workspace = ? AND day = ? AND destination = ? AND path = ? AND version = ?`,
    );
    this.#putFile = database.prepare(`INSERT OR REPLACE INTO disclosed VALUES (${"?, ".repeat(11)}?)`);
    this.#putTraced = database.prepare(
      `INSERT INTO traced VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
         exchanges = exchanges + excluded.exchanges, bytes = bytes + excluded.bytes,
         unmatched = unmatched + excluded.unmatched, first = min(first, excluded.first), last = max(last, excluded.last)`,
    );
    for (const { session, workspace } of database.prepare("SELECT * FROM placed").all())
      this.#workspaces.set(Number(session), Number(workspace));
  }

  /** Takes in an entry of any kind. `session`: its word, if it has one. */
  add(index: number, at: number, event: Fields, session: number | null): void {
    if (session === null) return;
    if (event["kind"] === "session.started") {
      const workspace = this.#word(textOf(event["workspace"]));
      this.#workspaces.set(session, workspace);
      this.#place.run(session, workspace);
    }
    const workspace = this.#workspaces.get(session);
    if (workspace === undefined) return;
    if (event["kind"] === "workspace.measured") this.#measure.run(workspace, index);
    if (event["kind"] === "exchange.traced") this.#trace(index, at, event, workspace);
  }

  /** Writes what has gathered; before each commit. */
  flush(): void {
    for (const { key, ranges, total, bytes, exchanges, first, last } of this.#files.values())
      this.#putFile.run(
        ...key,
        rangesText(ranges),
        Math.min(countLines(ranges), total),
        total,
        bytes,
        exchanges,
        first,
        last,
      );
    for (const { key, exchanges, bytes, unmatched, first, last } of this.#traced.values())
      this.#putTraced.run(...key, exchanges, bytes, unmatched, first, last);
    this.#files.clear();
    this.#traced.clear();
  }

  #trace(index: number, at: number, event: Fields, workspace: number): void {
    const recipient = textOf(event["destination"]) || textOf(event["host"]);
    const day = Math.floor(at / DAY_MS);
    const wholes = [
      [ALL, ALL],
      [ALL, this.#word(recipient)],
      [day, ALL],
      [day, this.#word(recipient)],
    ] as const;
    for (const [when, destination] of wholes) this.#addTraced([workspace, when, destination], at, event);
    for (const item of listOf(event["files"])) {
      const file = fieldsOf(item);
      const [path, total] = [textOf(file["path"]), numberOf(file["of"])];
      const lines = uniteRanges([], listOf(file["lines"]).flatMap(rangeOf));
      if (path === "" || lines.length === 0) continue;
      const [pathWord, version] = [this.#word(path), this.#word(textOf(file["sha256"]))];
      this.#in.run(workspace, pathWord, index);
      for (const [when, destination] of wholes) {
        const row = this.#fileRow([workspace, when, destination, pathWord, version], at);
        row.ranges = uniteRanges(row.ranges, lines);
        row.total = Math.max(row.total, total);
        row.bytes += numberOf(file["bytes"]);
        row.exchanges++;
        row.last = Math.max(row.last, at);
      }
    }
  }

  #addTraced(key: TracedRow["key"], at: number, event: Fields): void {
    const name = key.join(" ");
    const row = this.#traced.get(name) ?? { key, exchanges: 0, bytes: 0, unmatched: 0, first: at, last: at };
    row.exchanges++;
    row.bytes += numberOf(event["bytes"]);
    row.unmatched += numberOf(event["unmatchedBytes"]);
    row.last = Math.max(row.last, at);
    this.#traced.set(name, row);
  }

  #fileRow(key: FileRow["key"], at: number): FileRow {
    const name = key.join(" ");
    const gathered = this.#files.get(name);
    if (gathered !== undefined) return gathered;
    const known = this.#known.get(...key);
    const row: FileRow = {
      key,
      ranges: parseRanges(String(known?.["ranges"] ?? "")),
      total: Number(known?.["total"] ?? 0),
      bytes: Number(known?.["bytes"] ?? 0),
      exchanges: Number(known?.["exchanges"] ?? 0),
      first: Number(known?.["first"] ?? at),
      last: Number(known?.["last"] ?? at),
    };
    this.#files.set(name, row);
    return row;
  }
}

const rangeOf = (item: unknown): (readonly [number, number])[] =>
  Array.isArray(item) && item.length === 2 ? [[Number(item[0]), Number(item[1])]] : [];
const textOf = (value: unknown): string => (typeof value === "string" ? value : "");
const numberOf = (value: unknown): number =>
  Number.isSafeInteger(value) && Number(value) >= 0 ? Number(value) : 0;
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const fieldsOf = (value: unknown): Fields =>
  typeof value === "object" && value !== null ? (value as Fields) : {}; // any field may be anything: checked at use
