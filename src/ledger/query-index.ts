/**
 * The query index: a fold of the log into SQLite, for questions that would else read it all. It owns nothing: delete the
 * file, and `catchUp` makes it again with the same answers. Roll-ups are kept in the same transaction as the rows, so they
 * never disagree.
 *
 * Cursor: the number of entries taken in, and the hash of the last one. A ledger of another origin, one that is
 * shorter, or one whose entry at the cursor differs makes the index start over: a restored or recovered ledger cannot
 * leave rows behind that the log does not hold. A damaged index file is deleted and made again.
 *
 * Several processes may hold one index; SQLite lets one write at a time.
 */
import { rmSync } from "node:fs";
import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import { Fault, type LedgerEvent } from "../core/index.ts";
import { DISCLOSURE_SCHEMA, DISCLOSURE_TABLES } from "./disclosure-fold.ts";
import { type Disclosures, disclosuresIn } from "./disclosures.ts";
import { FIELDS, type Field, parseFilter, type Term } from "./filter.ts";
import { FLOW_SCHEMA, FLOW_TABLES } from "./flow-fold.ts";
import { type Flows, flowsIn } from "./flows.ts";
import { type Dimension, ENTRY_COLUMNS, IndexFold, ROLLUPS } from "./index-fold.ts";
import { leafHash } from "./merkle.ts";
import { PEER_SCHEMA, PEER_TABLES } from "./peer-fold.ts";
import { type Peers, peersIn } from "./peers.ts";
import { publishedKeys } from "./published.ts";
import { type Leaf, LeafReader, readLeaves } from "./read.ts";
import { SESSION_INDEXES, SESSION_SCHEMA, SESSION_TABLES } from "./session-rows.ts";
import { type Sessions, sessionsIn } from "./sessions.ts";
import { type Words, wordsIn } from "./word-table.ts";

export interface FoundEntry {
  readonly index: number;
  readonly event: LedgerEvent;
}

export interface Total {
  /** The group's values, in the order asked for; a day is an ISO date; "" where an entry has none. */
  readonly group: readonly string[];
  readonly requests: number;
  readonly bytes: number;
}

export interface QueryIndex {
  /** Entries taken in so far. */
  readonly size: number;
  /** Takes in what the ledger holds beyond; `onProgress` hears the number of entries taken in, now and then. */
  catchUp(onProgress?: (entries: number) => void): Promise<number>;
  /** Entries that fit the filter (filter.ts), newest first unless told otherwise. Throws `usage.invalid`. */
  query(filter: string, limit?: number, order?: "newest" | "oldest"): readonly FoundEntry[];
  /** How many fit it; counts no further than `most`. Throws `usage.invalid`. */
  count(filter: string, most: number): number;
  /** Of all entries, by kind, greatest first. */
  kinds(): readonly { readonly kind: string; readonly count: number }[];
  /** Judged requests and their bytes, from the roll-ups, greatest first; days from `from` to `to` (Unix ms, whole UTC days). */
  totals(
    by: readonly Dimension[],
    range?: { readonly from?: number; readonly to?: number },
  ): readonly Total[];
  /** What left of repositories. */
  readonly disclosures: Disclosures;
  /** Who answered in destinations' names. */
  readonly peers: Peers;
  /** What went where. */
  readonly flows: Flows;
  readonly sessions: Sessions;
  close(): void;
}

/** Another version makes the index anew. */
const VERSION = "5";
const ROWS_A_TRANSACTION = 20_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

const COLUMN_SQL = ENTRY_COLUMNS.map((column) => `${column} INTEGER`).join(", ");
/**
 * `entry` is narrow and its text lies apart, so that looking through many costs little. `found` repeats its columns for each
 * class in an entry: a question about one class is answered in the order of that class alone.
 */
const SCHEMA = `
  CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE word(id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
  CREATE TABLE entry(idx INTEGER PRIMARY KEY, ${COLUMN_SQL});
  CREATE TABLE leaf(idx INTEGER PRIMARY KEY, event TEXT NOT NULL);
  CREATE TABLE found(class INTEGER NOT NULL, idx INTEGER NOT NULL, ${COLUMN_SQL},
    PRIMARY KEY(class, idx)) WITHOUT ROWID;
  CREATE TABLE ruled(rule INTEGER NOT NULL, idx INTEGER NOT NULL, PRIMARY KEY(rule, idx)) WITHOUT ROWID;
${ROLLUPS.map(
  ({ table, columns }) => `
  CREATE TABLE ${table}(${columns.map((c) => `${c} INTEGER`).join(", ")}, requests INTEGER NOT NULL,
    bytes INTEGER NOT NULL, PRIMARY KEY(${columns.join(", ")})) WITHOUT ROWID;`,
).join("")}
${DISCLOSURE_SCHEMA}${PEER_SCHEMA}${FLOW_SCHEMA}${SESSION_SCHEMA}`;

/** Made once all rows are in: sorting them together costs a fraction of keeping them sorted. */
const INDEXES = `
  CREATE INDEX IF NOT EXISTS entry_session ON entry(session, idx);
  CREATE INDEX IF NOT EXISTS entry_principal ON entry(principal, idx);
  CREATE INDEX IF NOT EXISTS entry_host ON entry(host, idx) WHERE host IS NOT NULL;
  CREATE INDEX IF NOT EXISTS entry_verdict ON entry(verdict, idx) WHERE verdict IS NOT NULL;
  CREATE INDEX IF NOT EXISTS entry_workspace ON entry(workspace, idx) WHERE workspace IS NOT NULL;
  CREATE INDEX IF NOT EXISTS entry_kind ON entry(kind, idx);
${SESSION_INDEXES}`;

/** Opens or makes the index at `file` of the ledger at `directory`. Nothing is taken in before `catchUp`. */
export async function openQueryIndex(file: string, directory: string): Promise<QueryIndex> {
  const sqlite = await import("node:sqlite");
  const open = (): DatabaseSync => {
    const database = new sqlite.DatabaseSync(file, { timeout: 10_000 });
    try {
      database.exec(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536; PRAGMA wal_autocheckpoint=20000",
      );
      prepareSchema(database);
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  };
  try {
    return new SqliteIndex(open(), directory);
  } catch (error) {
    // SQLITE_CORRUPT 11, SQLITE_NOTADB 26: disposable, so made anew. Anything else is a fault.
    const code = error instanceof Error && "errcode" in error ? Number(error.errcode) & 0xff : 0;
    if (code !== 11 && code !== 26) throw new Fault("ledger.failed", { at: file, cause: error });
    for (const suffix of ["", "-wal", "-shm"]) rmSync(`${file}${suffix}`, { force: true });
    return new SqliteIndex(open(), directory);
  }
}

function prepareSchema(database: DatabaseSync): void {
  const isThere = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'meta'").get() !== undefined;
  const version = isThere ? metaOf(database, "version") : null;
  if (version === VERSION) return;
  database.exec("BEGIN IMMEDIATE");
  const tables = database
    .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    .all();
  for (const { name } of tables) database.exec(`DROP TABLE "${String(name)}"`);
  database.exec(SCHEMA);
  database.prepare("INSERT INTO meta VALUES ('version', ?)").run(VERSION);
  database.exec("COMMIT");
}

function metaOf(database: DatabaseSync, name: string): string | null {
  const row = database.prepare("SELECT value FROM meta WHERE name = ?").get(name);
  return row === undefined ? null : String(row["value"]);
}

class SqliteIndex implements QueryIndex {
  readonly #database: DatabaseSync;
  readonly #directory: string;
  readonly disclosures: Disclosures;
  readonly peers: Peers;
  readonly flows: Flows;
  readonly sessions: Sessions;
  readonly #words: Words;
  readonly #reader: LeafReader;
  #catching: Promise<number> = Promise.resolve(0);
  /** Its memory is of the tables as they were left by the last transaction: null where they may have changed since. */
  #fold: { readonly fold: IndexFold; readonly cursor: number } | null = null;

  constructor(database: DatabaseSync, directory: string) {
    this.#database = database;
    this.#directory = directory;
    this.disclosures = disclosuresIn(database);
    this.peers = peersIn(database);
    this.#words = wordsIn(database);
    this.flows = flowsIn(database, this.#words);
    this.sessions = sessionsIn(database, this.#words);
    this.#reader = new LeafReader(directory);
  }

  get size(): number {
    return Number(metaOf(this.#database, "cursor") ?? 0);
  }

  /** One after the other: the reader has one place. */
  catchUp(onProgress?: (entries: number) => void): Promise<number> {
    const next = this.#catching.catch(() => 0).then(() => this.#catchUp(onProgress));
    this.#catching = next;
    return next;
  }

  async #catchUp(onProgress?: (entries: number) => void): Promise<number> {
    // Where we stopped, in the same open file: then it is the same ledger. Else look.
    if (!this.#reader.isAt(this.size) && !(await this.#isOfThisLedger())) this.#startOver();
    let pending: Leaf[] = [];
    let cursor = this.size;
    const take = (): void => {
      if (pending.length === 0) return;
      this.#take(pending);
      cursor = this.size;
      pending = [];
      onProgress?.(cursor);
    };
    for await (const batch of this.#reader.read(cursor)) {
      for (const leaf of batch) pending.push(leaf);
      if (pending.length >= ROWS_A_TRANSACTION) take();
    }
    take();
    this.#database.exec(INDEXES);
    if (metaOf(this.#database, "analysed") === null && cursor > 0) {
      // Once is enough: what matters is that a session is rarer than a verdict.
      this.#database.exec("PRAGMA analysis_limit=1000; ANALYZE");
      this.#setMeta("analysed", "1");
    }
    return cursor;
  }

  #take(leaves: readonly Leaf[]): void {
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      const cursor = this.size;
      // Another process may have been here since: then its rows are the same, and ours are skipped.
      const fold = this.#fold?.cursor === cursor ? this.#fold.fold : new IndexFold(this.#database);
      const ours = leaves.filter((leaf) => leaf.index >= cursor);
      for (const leaf of ours) fold.add(leaf.index, leaf.bytes);
      fold.flush();
      const last = ours.at(-1);
      if (last !== undefined) this.#setCursor(last);
      this.#database.exec("COMMIT");
      this.#fold = { fold, cursor: this.size };
    } catch (error) {
      this.#fold = null;
      this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  query(filter: string, limit = 100, order: "newest" | "oldest" = "newest"): readonly FoundEntry[] {
    const found = this.#found(filter);
    if (found === null) return [];
    const way = order === "newest" ? "DESC" : "ASC";
    const rows = this.#database
      .prepare(
        `SELECT idx, event FROM (SELECT idx FROM ${found.from} ORDER BY idx ${way} LIMIT ?)
         JOIN leaf USING (idx) ORDER BY idx ${way}`,
      )
      .all(...found.values, limit);
    return rows.map((row) => ({
      index: Number(row["idx"]),
      event: JSON.parse(String(row["event"])) as LedgerEvent, // the leaf's own text
    }));
  }

  count(filter: string, most: number): number {
    const found = this.#found(filter);
    if (found === null) return 0;
    const row = this.#database
      .prepare(`SELECT count(*) AS n FROM (SELECT idx FROM ${found.from} LIMIT ?)`)
      .get(...found.values, most);
    return Number(row?.["n"] ?? 0);
  }

  kinds(): readonly { readonly kind: string; readonly count: number }[] {
    return this.#database
      .prepare("SELECT kind, count(*) AS n FROM entry GROUP BY kind ORDER BY n DESC")
      .all()
      .map((row) => ({ kind: this.#words.text(row["kind"]), count: Number(row["n"]) }));
  }

  /** The table and its condition; null where no entry can fit. */
  #found(filter: string): { readonly from: string; readonly values: readonly SQLInputValue[] } | null {
    const terms = parseFilter(filter);
    // One class: that class's own rows, in order, have all that the other terms ask about.
    const isOneClass = ({ field, operator, values }: Term): boolean =>
      field === "class" && operator === "=" && values.length === 1;
    const one = terms.find(isOneClass);
    const values: SQLInputValue[] = [];
    const where: string[] = [];
    if (one !== undefined) {
      const known = this.#words.id(String(one.values[0]));
      if (known === null) return null;
      where.push("class = ?");
      values.push(known);
    }
    for (const term of terms) if (term !== one) where.push(this.#condition(term, values));
    const condition = where.length === 0 ? "" : ` WHERE ${where.join(" AND ")}`;
    return { from: `${one === undefined ? "entry" : "found"}${condition}`, values };
  }

  totals(
    by: readonly Dimension[],
    range: { readonly from?: number; readonly to?: number } = {},
  ): readonly Total[] {
    const rollup = ROLLUPS.find(({ columns }) =>
      by.every((d) => (columns as readonly Dimension[]).includes(d)),
    );
    if (rollup === undefined) throw new Fault("internal.bug", { detail: `no roll-up by ${by.join(", ")}` });
    const columns = by.join(", ");
    const rows = this.#database
      .prepare(
        `SELECT ${columns === "" ? "" : `${columns}, `}sum(requests) AS requests, sum(bytes) AS bytes FROM ${rollup.table}
         WHERE day >= ? AND day <= ? ${columns === "" ? "" : `GROUP BY ${columns}`} ORDER BY requests DESC, bytes DESC`,
      )
      .all(Math.floor((range.from ?? 0) / DAY_MS), Math.floor((range.to ?? 8.64e15) / DAY_MS));
    return rows.map((row) => ({
      group: by.map((d) => {
        const value = Number(row[d]);
        return d === "day" ? new Date(value * DAY_MS).toISOString().slice(0, 10) : this.#words.text(value);
      }),
      requests: Number(row["requests"] ?? 0),
      bytes: Number(row["bytes"] ?? 0),
    }));
  }

  close(): void {
    void this.#reader.close(); // a descriptor for reading: nothing hangs on when it goes
    this.#database.close();
  }

  #condition({ field, operator, values }: Term, out: SQLInputValue[]): string {
    const list = LISTED[field];
    const column = COLUMNS[field];
    if (FIELDS[field] !== "word") {
      const marks = values.map(() => "?").join(", ");
      out.push(...values);
      if (operator === "!=") return `(${column} IS NULL OR ${column} NOT IN (${marks}))`;
      const own = operator === "=" ? `${column} IN (${marks})` : `${column} ${operator} ?`;
      return field === "at" ? `${own}${this.#span(operator, values, out)}` : own;
    }
    let words: string;
    if (operator === "~") {
      words = "SELECT id FROM word WHERE instr(text, ?) > 0";
      out.push(...values);
      // Ids themselves, not a question for them: by those SQLite picks the index.
    } else words = values.map((value) => this.#words.id(String(value)) ?? -1).join(", ");
    if (list !== undefined) {
      const entries = `SELECT idx FROM ${list} AS listed WHERE listed.${field} IN (${words})`;
      return operator === "!=" ? `idx NOT IN (${entries})` : `idx IN (${entries})`;
    }
    if (operator === "!=") return `(${column} IS NULL OR ${column} NOT IN (${words}))`;
    // "": an entry that has none.
    return values.includes("") ? `(${column} IS NULL OR ${column} IN (${words}))` : `${column} IN (${words})`;
  }

  /** Of a time, the entries among which those of it are: a clock may have gone back, so it is a bound and no more. */
  #span(operator: Term["operator"], values: Term["values"], out: SQLInputValue[]): string {
    const hour = Math.floor(Number(values[0]) / HOUR_MS);
    if (operator === "=") return "";
    out.push(hour);
    return operator.startsWith(">")
      ? " AND idx >= (SELECT ifnull(min(first), 0) FROM span WHERE hour >= ?)"
      : " AND idx <= (SELECT ifnull(max(last), -1) FROM span WHERE hour <= ?)";
  }

  async #isOfThisLedger(): Promise<boolean> {
    const origin = originOf(this.#directory);
    const cursor = this.size;
    if (cursor === 0) {
      this.#setMeta("origin", origin);
      return true;
    }
    if (metaOf(this.#database, "origin") !== origin) return false;
    for await (const [last] of readLeaves(this.#directory, cursor - 1))
      return last !== undefined && leafHash(last.bytes).toString("hex") === metaOf(this.#database, "last");
    return false;
  }

  #startOver(): void {
    this.#database.exec("BEGIN IMMEDIATE");
    for (const table of [
      "meta",
      "word",
      "entry",
      "leaf",
      "found",
      "ruled",
      ...ROLLUPS.map((r) => r.table),
      ...DISCLOSURE_TABLES,
      ...PEER_TABLES,
      ...FLOW_TABLES,
      ...SESSION_TABLES,
    ])
      this.#database.exec(`DELETE FROM ${table}`);
    this.#fold = null;
    this.#words.forget();
    this.#setMeta("version", VERSION);
    this.#setMeta("origin", originOf(this.#directory));
    this.#database.exec("COMMIT");
  }

  #setCursor(last: Leaf): void {
    this.#setMeta("cursor", String(last.index + 1));
    this.#setMeta("last", leafHash(last.bytes).toString("hex"));
  }

  #setMeta(name: string, value: string): void {
    this.#database
      .prepare("INSERT INTO meta VALUES (?, ?) ON CONFLICT(name) DO UPDATE SET value = excluded.value")
      .run(name, value);
  }
}

const COLUMNS: Readonly<Record<Field, string>> = {
  index: "idx",
  at: "at",
  kind: "kind",
  session: "session",
  agent: "agent",
  principal: "principal",
  host: "host",
  destination: "destination",
  verdict: "verdict",
  model: "model",
  dialect: "dialect",
  status: "status",
  bytes: "bytes",
  class: "",
  workspace: "workspace",
  build: "build",
  primary: "primary_class",
  rule: "",
};

/** Fields of which an entry may have several. */
const LISTED: Readonly<Partial<Record<Field, string>>> = { class: "found", rule: "ruled" };

const originOf = (directory: string): string => publishedKeys(directory)[0]?.name ?? "";
