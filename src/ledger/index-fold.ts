/**
 * How one entry becomes rows and totals of the query index. Lives as long as nobody else writes the index and no transaction is
 * rolled back: its memory of words is that of the tables.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { DisclosureFold } from "./disclosure-fold.ts";
import { FlowFold, gravest, NO_CLASS } from "./flow-fold.ts";
import { PeerFold } from "./peer-fold.ts";
import { type Running, SessionRows } from "./session-rows.ts";

const DAY_MS = 86_400_000;

/** What totals can be grouped by. `class` counts a request once for each class found in it. */
export type Dimension = "day" | "destination" | "verdict" | "agent" | "principal" | "class";

/** The roll-ups, narrow ones first: a question is put to the first that has all it asks for. */
export const ROLLUPS = [
  { table: "total", columns: ["day", "destination", "verdict", "agent"] },
  { table: "who_total", columns: ["day", "principal", "verdict", "agent"] },
  { table: "cross_total", columns: ["day", "destination", "verdict", "agent", "principal"] },
  { table: "class_total", columns: ["day", "class", "destination", "verdict"] },
  { table: "class_cross", columns: ["day", "class", "destination", "verdict", "agent", "principal"] },
] as const satisfies readonly { readonly table: string; readonly columns: readonly Dimension[] }[];

/** What is known of an entry beside its index; words by their ids. */
export const ENTRY_COLUMNS = [
  "at",
  "kind",
  "session",
  "agent",
  "principal",
  "host",
  "destination",
  "verdict",
  "model",
  "dialect",
  "status",
  "bytes",
  "workspace",
  "build",
  "primary_class",
] as const;

interface Sum {
  readonly key: readonly number[];
  requests: number;
  bytes: number;
}

type Fields = Readonly<Record<string, unknown>>;

export class IndexFold {
  readonly #insert: StatementSync;
  readonly #leaf: StatementSync;
  readonly #found: StatementSync;
  readonly #ruled: StatementSync;
  readonly #newWord: StatementSync;
  readonly #rollups: readonly {
    readonly columns: readonly Dimension[];
    readonly add: StatementSync;
    readonly sums: Map<string, Sum>;
  }[];
  readonly #words = new Map<string, number>();
  readonly #disclosures: DisclosureFold;
  readonly #peers: PeerFold;
  readonly #flows: FlowFold;
  readonly #sessions: SessionRows;

  constructor(database: DatabaseSync) {
    const marks = ENTRY_COLUMNS.map(() => "?").join(", ");
    this.#insert = database.prepare(`INSERT INTO entry VALUES (?, ${marks})`);
    this.#leaf = database.prepare("INSERT INTO leaf VALUES (?, ?)");
    this.#found = database.prepare(`INSERT OR IGNORE INTO found VALUES (?, ?, ${marks})`);
    this.#ruled = database.prepare("INSERT OR IGNORE INTO ruled VALUES (?, ?)");
    this.#newWord = database.prepare("INSERT INTO word(text) VALUES (?)");
    this.#rollups = ROLLUPS.map(({ table, columns }) => ({
      columns,
      add: database.prepare(
        `INSERT INTO ${table} VALUES (${"?, ".repeat(columns.length)}?, ?)
         ON CONFLICT DO UPDATE SET requests = requests + excluded.requests, bytes = bytes + excluded.bytes`,
      ),
      sums: new Map(),
    }));
    for (const { id, text } of database.prepare("SELECT id, text FROM word").all())
      this.#words.set(String(text), Number(id));
    const word = (text: string): number => this.#word(text);
    this.#disclosures = new DisclosureFold(database, word);
    this.#peers = new PeerFold(database, word);
    this.#flows = new FlowFold(database);
    this.#sessions = new SessionRows(database, word);
  }

  add(index: number, bytes: Buffer): void {
    const text = bytes.toString("utf8");
    const event = fieldsOf(text);
    const at = numberOf(event["at"]) ?? 0;
    const session = this.#wordOf(event["session"]);
    const host = this.#wordOf(event["host"]);
    const destination = this.#wordOf(event["destination"]) ?? host;
    if (session !== null) this.#sessions.add(index, at, event, session, destination);
    const who = session === null ? null : this.#sessions.runningOf(session);
    const isRefused = event["kind"] === "connection.refused";
    const verdict = isRefused ? this.#word("deny") : this.#wordOf(event["verdict"]);
    const classNames = new Set(
      listOf(event["findings"]).flatMap((found) => {
        const name = fieldOf(found, "class");
        return typeof name === "string" ? [name] : [];
      }),
    );
    const isFlow = event["kind"] === "exchange.judged" || isRefused;
    const primary = isFlow ? this.#word(gravest(classNames) ?? NO_CLASS) : null;
    const size = numberOf(event["requestBytes"]) ?? numberOf(event["responseBytes"]);
    const columns = [
      at,
      this.#wordOf(event["kind"]) ?? this.#word(""),
      session,
      who?.agent ?? null,
      who?.principal ?? this.#wordOf(event["principal"]),
      host,
      destination,
      verdict,
      this.#wordOf(event["model"]),
      this.#wordOf(event["dialect"]),
      numberOf(event["status"]),
      size,
      who?.workspace ?? this.#wordOf(event["workspace"]),
      who?.build ?? null,
      primary,
    ];
    this.#insert.run(index, ...columns);
    this.#leaf.run(index, text);
    const classes = [...classNames].map((name) => this.#word(name));
    for (const found of classes) this.#found.run(found, index, ...columns);
    for (const rule of listOf(event["rules"])) {
      const word = this.#wordOf(rule);
      if (word !== null) this.#ruled.run(word, index);
    }
    this.#disclosures.add(index, at, event, session);
    this.#peers.add(at, event, session);
    this.#flows.seen(index, at);
    if (session !== null && primary !== null)
      this.#flow(event, { at, who, primary, classes, verdict, destination, size });
    if (event["kind"] !== "exchange.judged") return;
    const none = this.#word("");
    const values = {
      day: Math.floor(at / DAY_MS),
      destination: destination ?? none,
      verdict: verdict ?? none,
      agent: who?.agent ?? none,
      principal: who?.principal ?? none,
    };
    for (const { columns, sums } of this.#rollups)
      for (const found of columns.includes("class") ? classes : [none]) {
        const group = { ...values, class: found };
        add(
          sums,
          columns.map((column) => group[column]),
          size ?? 0,
        );
      }
  }

  /** Writes the sums; before each commit. */
  flush(): void {
    for (const rollup of this.#rollups) {
      for (const { key, requests, bytes } of rollup.sums.values()) rollup.add.run(...key, requests, bytes);
      rollup.sums.clear();
    }
    this.#disclosures.flush();
    this.#peers.flush();
    this.#flows.flush();
    this.#sessions.flush();
  }

  #flow(
    event: Fields,
    of: {
      readonly at: number;
      readonly who: Running | null;
      readonly primary: number;
      readonly classes: readonly number[];
      readonly verdict: number | null;
      readonly destination: number | null;
      readonly size: number | null;
    },
  ): void {
    const none = this.#word("");
    const marks: number[] = [];
    if (event["understood"] === false) marks.push(this.#word("opaque"));
    if (listOf(event["redacted"]).length > 0) marks.push(this.#word("redacted"));
    this.#flows.add({
      ...{ at: of.at, primary: of.primary, classes: of.classes, marks },
      workspace: of.who?.workspace ?? none,
      agent: of.who?.agent ?? none,
      version: of.who?.version ?? none,
      build: of.who?.build ?? none,
      verdict: of.verdict ?? none,
      destination: of.destination ?? none,
      to: typeof event["sentTo"] === "string" ? this.#word(`${event["host"]} ${event["sentTo"]}`) : null,
      model: this.#wordOf(event["model"]),
      bytes: of.size ?? 0,
    });
  }

  #wordOf(value: unknown): number | null {
    return typeof value === "string" ? this.#word(value) : null;
  }

  #word(text: string): number {
    const known = this.#words.get(text);
    if (known !== undefined) return known;
    const id = Number(this.#newWord.run(text).lastInsertRowid);
    this.#words.set(text, id);
    return id;
  }
}

function add(sums: Map<string, Sum>, key: readonly number[], bytes: number): void {
  const name = key.join(" ");
  const known = sums.get(name) ?? { key, requests: 0, bytes: 0 };
  known.requests++;
  known.bytes += bytes;
  sums.set(name, known);
}

/** The event's fields; none where the entry is no JSON object, which `verify` reports. */
function fieldsOf(text: string): Fields {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Fields) : {}; // any field may be anything: checked at use
  } catch {
    return {};
  }
}

const numberOf = (value: unknown): number | null => (Number.isSafeInteger(value) ? Number(value) : null);
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const fieldOf = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? (value as Fields)[name] : undefined;
