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
import { type Field, parseFilter, type Term } from "./filter.ts";
import { type Dimension, ENTRY_COLUMNS, IndexFold, ROLLUPS } from "./index-fold.ts";
import { leafHash } from "./merkle.ts";
import { PEER_SCHEMA, PEER_TABLES } from "./peer-fold.ts";
import { type Peers, peersIn } from "./peers.ts";
import { publishedKeys } from "./published.ts";
import { type Leaf, readLeaves } from "./read.ts";

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
  /** Entries that fit the filter (filter.ts), newest first. Throws `usage.invalid`. */
  query(filter: string, limit?: number): readonly FoundEntry[];
  /** Judged requests and their bytes, from the roll-ups, greatest first; days from `from` to `to` (Unix ms, whole UTC days). */
  totals(
    by: readonly Dimension[],
    range?: { readonly from?: number; readonly to?: number },
  ): readonly Total[];
  /** What left of repositories. */
  readonly disclosures: Disclosures;
  /** Who answered in destinations' names. */
  readonly peers: Peers;
  close(): void;
}

/** Another version makes the index anew. */
const VERSION = "4";
const ROWS_A_TRANSACTION = 20_000;
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
  CREATE TABLE running(session INTEGER PRIMARY KEY, agent INTEGER NOT NULL, principal INTEGER NOT NULL);
${ROLLUPS.map(
  ({ table, columns }) => `
  CREATE TABLE ${table}(${columns.map((c) => `${c} INTEGER`).join(", ")}, requests INTEGER NOT NULL,
    bytes INTEGER NOT NULL, PRIMARY KEY(${columns.join(", ")})) WITHOUT ROWID;`,
).join("")}
${DISCLOSURE_SCHEMA}${PEER_SCHEMA}`;

/** Made once all rows are in: sorting them together costs a fraction of keeping them sorted. */
const INDEXES = `
  CREATE INDEX IF NOT EXISTS entry_session ON entry(session, idx);
  CREATE INDEX IF NOT EXISTS entry_principal ON entry(principal, idx);
  CREATE INDEX IF NOT EXISTS entry_host ON entry(host, idx) WHERE host IS NOT NULL;
  CREATE INDEX IF NOT EXISTS entry_verdict ON entry(verdict, idx) WHERE verdict IS NOT NULL;
`;

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

  constructor(database: DatabaseSync, directory: string) {
    this.#database = database;
    this.#directory = directory;
    this.disclosures = disclosuresIn(database);
    this.peers = peersIn(database);
  }

  get size(): number {
    return Number(metaOf(this.#database, "cursor") ?? 0);
  }

  async catchUp(onProgress?: (entries: number) => void): Promise<number> {
    if (!(await this.#isOfThisLedger())) this.#startOver();
    let fold = new IndexFold(this.#database);
    let pending: Leaf[] = [];
    let cursor = this.size;
    const take = (): void => {
      if (pending.length === 0) return;
      this.#database.exec("BEGIN IMMEDIATE");
      try {
        // Another process may have been here since: then its rows are the same, and ours are skipped.
        if (this.size !== cursor) {
          cursor = this.size;
          fold = new IndexFold(this.#database);
          pending = pending.filter((leaf) => leaf.index >= cursor);
        }
        for (const leaf of pending) fold.add(leaf.index, leaf.bytes);
        fold.flush();
        const last = pending.at(-1);
        if (last !== undefined) this.#setCursor(last);
        this.#database.exec("COMMIT");
      } catch (error) {
        this.#database.exec("ROLLBACK");
        throw error;
      }
      cursor = this.size;
      pending = [];
      onProgress?.(cursor);
    };
    for await (const batch of readLeaves(this.#directory, cursor)) {
      for (const leaf of batch) pending.push(leaf);
      if (pending.length >= ROWS_A_TRANSACTION) take();
    }
    take();
    this.#database.exec(INDEXES);
    return cursor;
  }

  query(filter: string, limit = 100): readonly FoundEntry[] {
    const terms = parseFilter(filter);
    // One class: that class's own rows, in order, have all that the other terms ask about.
    const isOneClass = ({ field, operator, values }: Term): boolean =>
      field === "class" && operator === "=" && values.length === 1;
    const one = terms.find(isOneClass);
    const from = one === undefined ? "entry" : "found";
    const values: SQLInputValue[] = [];
    const where: string[] = [];
    if (one !== undefined) {
      const known = this.#database.prepare("SELECT id FROM word WHERE text = ?").get(...one.values);
      if (known === undefined) return [];
      where.push("class = ?");
      values.push(Number(known["id"]));
    }
    for (const term of terms) if (term !== one) where.push(this.#condition(term, values));
    const condition = where.length === 0 ? "" : `WHERE ${where.join(" AND ")}`;
    const rows = this.#database
      .prepare(
        `SELECT idx, event FROM (SELECT idx FROM ${from} ${condition} ORDER BY idx DESC LIMIT ?)
         JOIN leaf USING (idx) ORDER BY idx DESC`,
      )
      .all(...values, limit);
    return rows.map((row) => ({
      index: Number(row["idx"]),
      event: JSON.parse(String(row["event"])) as LedgerEvent, // the leaf's own text
    }));
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
    const words = this.#words(
      rows.flatMap((row) => by.flatMap((d) => (d === "day" ? [] : [Number(row[d])]))),
    );
    return rows.map((row) => ({
      group: by.map((d) => {
        const value = Number(row[d]);
        return d === "day" ? new Date(value * DAY_MS).toISOString().slice(0, 10) : (words.get(value) ?? "");
      }),
      requests: Number(row["requests"] ?? 0),
      bytes: Number(row["bytes"] ?? 0),
    }));
  }

  close(): void {
    this.#database.close();
  }

  #condition({ field, operator, values }: Term, out: SQLInputValue[]): string {
    const marks = values.map(() => "?").join(", ");
    const list = LISTED[field];
    const column = COLUMNS[field];
    if (
      list === undefined &&
      (field === "index" || field === "at" || field === "status" || field === "bytes")
    ) {
      out.push(...values);
      if (operator === "=") return `${column} IN (${marks})`;
      if (operator === "!=") return `(${column} IS NULL OR ${column} NOT IN (${marks}))`;
      return `${column} ${operator} ?`;
    }
    let words = `SELECT id FROM word WHERE text IN (${marks})`;
    if (operator === "~") {
      words = "SELECT id FROM word WHERE instr(text, ?) > 0";
    }
    out.push(...values);
    if (list !== undefined) {
      const entries = `SELECT idx FROM ${list} AS listed WHERE listed.${field} IN (${words})`;
      return operator === "!=" ? `idx NOT IN (${entries})` : `idx IN (${entries})`;
    }
    return operator === "!="
      ? `(${column} IS NULL OR ${column} NOT IN (${words}))`
      : `${column} IN (${words})`;
  }

  #words(ids: readonly number[]): Map<number, string> {
    const one = this.#database.prepare("SELECT text FROM word WHERE id = ?");
    return new Map([...new Set(ids)].map((id) => [id, String(one.get(id)?.["text"] ?? "")]));
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
      "running",
      ...ROLLUPS.map((r) => r.table),
      ...DISCLOSURE_TABLES,
      ...PEER_TABLES,
    ])
      this.#database.exec(`DELETE FROM ${table}`);
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
  rule: "",
};

/** Fields of which an entry may have several. */
const LISTED: Readonly<Partial<Record<Field, string>>> = { class: "found", rule: "ruled" };

const originOf = (directory: string): string => publishedKeys(directory)[0]?.name ?? "";
