/** One row for each session in the query index, kept as its entries come; with what it sent, to whom, of which files. */
import type { DatabaseSync, StatementSync } from "node:sqlite";

export const SESSION_TABLES = [
  "session_row",
  "session_class",
  "session_file",
  "session_to",
] as const satisfies readonly string[];

const COUNTS = [
  "requests",
  "request_bytes",
  "response_bytes",
  "input_tokens",
  "output_tokens",
  "allow",
  "redact",
  "reroute",
  "ask",
  "deny",
  "redacted",
  "files",
  "programs",
  "questions",
  "entries",
] as const;
type Counted = (typeof COUNTS)[number];

/** Words by their ids; `gaps` is a JSON array. `first` and `last` are entries. `erased`: its evidence has no key any more. */
export const SESSION_SCHEMA = `
  CREATE TABLE session_row(session INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL, at INTEGER NOT NULL,
    agent INTEGER NOT NULL, version INTEGER NOT NULL, build INTEGER NOT NULL, standing INTEGER NOT NULL,
    workspace INTEGER NOT NULL, principal INTEGER NOT NULL, profile INTEGER NOT NULL, sandbox INTEGER NOT NULL, gaps TEXT NOT NULL,
    ended_at INTEGER, reason INTEGER, exit_code INTEGER, erased INTEGER NOT NULL DEFAULT 0,
    ${COUNTS.map((name) => `${name} INTEGER NOT NULL DEFAULT 0`).join(", ")});
  CREATE TABLE session_class(session INTEGER, class INTEGER, count INTEGER NOT NULL, PRIMARY KEY(session, class)) WITHOUT ROWID;
  CREATE TABLE session_file(session INTEGER, path INTEGER, PRIMARY KEY(session, path)) WITHOUT ROWID;
  CREATE TABLE session_to(session INTEGER, destination INTEGER, requests INTEGER NOT NULL, bytes INTEGER NOT NULL,
    PRIMARY KEY(session, destination)) WITHOUT ROWID;
`;

/** Made once all rows are in, as those of query-index.ts. */
export const SESSION_INDEXES = `
  CREATE INDEX IF NOT EXISTS session_by_first ON session_row(first);
  CREATE INDEX IF NOT EXISTS session_class_by ON session_class(class, session);
  CREATE INDEX IF NOT EXISTS session_to_by ON session_to(destination, session);
`;

type Fields = Readonly<Record<string, unknown>>;

/** Who runs a session: said once, in its first event. */
export interface Running {
  readonly agent: number;
  readonly version: number;
  readonly build: number;
  readonly principal: number;
  readonly workspace: number;
}

interface Gathered {
  readonly counts: Record<Counted, number>;
  readonly classes: Map<number, number>;
  readonly to: Map<number, { requests: number; bytes: number }>;
  last: number;
}

export class SessionRows {
  readonly #word: (text: string) => number;
  readonly #open: StatementSync;
  readonly #end: StatementSync;
  readonly #erase: StatementSync;
  readonly #add: StatementSync;
  readonly #addClass: StatementSync;
  readonly #addFile: StatementSync;
  readonly #addTo: StatementSync;
  readonly #gathered = new Map<number, Gathered>();
  /** Of the sessions that this fold has seen or been asked for. */
  readonly #running = new Map<number, Running | null>();
  readonly #find: StatementSync;

  /** `word`: the id of a text in the index's own table of words. */
  constructor(database: DatabaseSync, word: (text: string) => number) {
    this.#word = word;
    this.#open = database.prepare(
      `INSERT OR REPLACE INTO session_row(session, first, last, at, agent, version, build, standing, workspace, principal,
         profile, sandbox, gaps) VALUES (${"?, ".repeat(12)}?)`,
    );
    this.#end = database.prepare(
      "UPDATE session_row SET ended_at = ?, reason = ?, exit_code = ? WHERE session = ?",
    );
    this.#erase = database.prepare("UPDATE session_row SET erased = 1 WHERE session = ?");
    this.#add = database.prepare(
      `UPDATE session_row SET last = ?, ${COUNTS.map((name) => `${name} = ${name} + ?`).join(", ")} WHERE session = ?`,
    );
    this.#addClass = database.prepare(
      "INSERT INTO session_class VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count",
    );
    this.#addFile = database.prepare("INSERT OR IGNORE INTO session_file VALUES (?, ?)");
    this.#addTo = database.prepare(
      `INSERT INTO session_to VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET
         requests = requests + excluded.requests, bytes = bytes + excluded.bytes`,
    );
    this.#find = database.prepare(
      "SELECT agent, version, build, principal, workspace FROM session_row WHERE session = ?",
    );
  }

  /** Null for a session of which no beginning was seen. */
  runningOf(session: number): Running | null {
    const known = this.#running.get(session);
    if (known !== undefined) return known;
    const row = this.#find.get(session);
    const found =
      row === undefined
        ? null
        : {
            agent: Number(row["agent"]),
            version: Number(row["version"]),
            build: Number(row["build"]),
            principal: Number(row["principal"]),
            workspace: Number(row["workspace"]),
          };
    this.#running.set(session, found);
    return found;
  }

  /** Takes in an entry of any kind that names a session. */
  add(index: number, at: number, event: Fields, session: number, destination: number | null): void {
    if (event["kind"] === "session.started") this.#start(index, at, event, session);
    if (this.runningOf(session) === null) return;
    const gathered = this.#of(session);
    const { counts } = gathered;
    gathered.last = index;
    counts.entries++;
    switch (event["kind"]) {
      case "session.ended":
        this.#end.run(at, this.#word(textOf(event["reason"])), numberOf(event["exitCode"]), session);
        break;
      case "evidence.erased":
        this.#erase.run(session);
        break;
      case "connection.refused":
        counts.deny++;
        break;
      case "exchange.judged":
        this.#judge(event, session, gathered, destination);
        break;
      case "exchange.answered":
        counts.response_bytes += numberOf(event["responseBytes"]) ?? 0;
        counts.input_tokens += numberOf(fieldOf(event["usage"], "inputTokens")) ?? 0;
        counts.output_tokens += numberOf(fieldOf(event["usage"], "outputTokens")) ?? 0;
        break;
      case "command.started":
        counts.programs += listOf(event["commands"]).length;
        break;
      case "approval.asked":
        counts.questions++;
        break;
      default:
        break;
    }
  }

  /** Writes what has gathered; before each commit. */
  flush(): void {
    for (const [session, { counts, classes, to, last }] of this.#gathered) {
      this.#add.run(last, ...COUNTS.map((name) => counts[name]), session);
      for (const [found, count] of classes) this.#addClass.run(session, found, count);
      for (const [destination, { requests, bytes }] of to)
        this.#addTo.run(session, destination, requests, bytes);
    }
    this.#gathered.clear();
  }

  #start(index: number, at: number, event: Fields, session: number): void {
    const agent = event["agent"];
    const admission = event["admission"];
    const word = (value: unknown): number => this.#word(textOf(value));
    const running: Running = {
      agent: word(fieldOf(agent, "name")),
      version: word(fieldOf(agent, "version")),
      build: word(fieldOf(admission, "build") ?? fieldOf(agent, "sha256")),
      principal: word(event["principal"]),
      workspace: word(event["workspace"]),
    };
    this.#running.set(session, running);
    this.#open.run(
      ...[session, index, index, at, running.agent, running.version, running.build],
      word(fieldOf(admission, "standing")),
      ...[
        running.workspace,
        running.principal,
        word(fieldOf(event["profile"], "name")),
        word(event["sandbox"]),
      ],
      JSON.stringify(listOf(event["gaps"]).filter((gap) => typeof gap === "string")),
    );
  }

  #judge(event: Fields, session: number, gathered: Gathered, destination: number | null): void {
    const { counts, classes, to } = gathered;
    const bytes = numberOf(event["requestBytes"]) ?? 0;
    const verdict = textOf(event["verdict"]);
    if (
      verdict === "allow" ||
      verdict === "redact" ||
      verdict === "reroute" ||
      verdict === "ask" ||
      verdict === "deny"
    )
      counts[verdict]++;
    for (const finding of listOf(event["findings"])) {
      const found = this.#word(textOf(fieldOf(finding, "class")));
      classes.set(found, (classes.get(found) ?? 0) + (numberOf(fieldOf(finding, "count")) ?? 0));
    }
    if (verdict === "deny") return;
    counts.requests++;
    counts.request_bytes += bytes;
    for (const one of listOf(event["redacted"])) counts.redacted += numberOf(fieldOf(one, "count")) ?? 0;
    for (const path of listOf(fieldOf(event["sources"], "files")))
      if (typeof path === "string")
        counts.files += Number(this.#addFile.run(session, this.#word(path)).changes);
    if (destination === null) return;
    const sum = to.get(destination) ?? { requests: 0, bytes: 0 };
    sum.requests++;
    sum.bytes += bytes;
    to.set(destination, sum);
  }

  #of(session: number): Gathered {
    const known = this.#gathered.get(session);
    if (known !== undefined) return known;
    // One of each name: see COUNTS.
    const counts = Object.fromEntries(COUNTS.map((name) => [name, 0])) as Record<Counted, number>;
    const made: Gathered = { counts, classes: new Map(), to: new Map(), last: 0 };
    this.#gathered.set(session, made);
    return made;
  }
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");
const numberOf = (value: unknown): number | null => (Number.isSafeInteger(value) ? Number(value) : null);
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const fieldOf = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? (value as Fields)[name] : undefined; // any field may be anything: checked at use
