/** Questions about sessions, answered from the rows that session-rows.ts keeps. */
import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import type { Words } from "./word-table.ts";

export interface IndexedSession {
  readonly id: string;
  readonly agent: string;
  /** "" where none is told; so for build and standing. */
  readonly version: string;
  readonly build: string;
  readonly standing: string;
  readonly workspace: string;
  readonly principal: string;
  readonly profile: string;
  readonly sandbox: string;
  readonly gaps: readonly string[];
  /** First and last entry. */
  readonly first: number;
  readonly last: number;
  readonly startedAt: number;
  readonly endedAt: number | null;
  readonly ended: string | null;
  readonly exitCode: number | null;
  readonly isErased: boolean;
  readonly requests: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly verdicts: Readonly<Record<"allow" | "redact" | "reroute" | "ask" | "deny", number>>;
  readonly redacted: number;
  readonly files: number;
  readonly programs: number;
  readonly questions: number;
  readonly entries: number;
  readonly findings: readonly { readonly name: string; readonly count: number }[];
}

export interface SessionChoice {
  /** Part of an id, agent, workspace, profile or principal, in whatever case. */
  readonly q?: string;
  readonly from?: number;
  readonly to?: number;
  readonly agent?: string;
  readonly workspace?: string;
  readonly profile?: string;
  readonly principal?: string;
  readonly verdict?: "allow" | "redact" | "reroute" | "ask" | "deny";
  readonly class?: string;
  readonly destination?: string;
  readonly build?: string;
  readonly state?: "running" | "ended";
}

export interface Sessions {
  /** Newest first, from before entry `before`. */
  page(choice: SessionChoice, limit: number, before?: number): readonly IndexedSession[];
  count(choice: SessionChoice): number;
  /** Null: no entry begins it. */
  one(id: string): IndexedSession | null;
  /** Of all sessions: how many there are of each, greatest first. */
  facet(column: "agent" | "workspace" | "profile" | "principal"): readonly {
    readonly name: string;
    readonly count: number;
  }[];
  /** The workspace files of which content left, by name. */
  files(id: string): readonly string[];
  /** Sessions of one build that sent to a destination and ran within the time (Unix ms), by their workspaces. */
  behind(card: {
    readonly agent: string;
    readonly version: string;
    readonly build: string;
    readonly destination: string;
    readonly from: number;
    readonly to: number;
  }): readonly { readonly workspace: string; readonly sessions: number }[];
}

export function sessionsIn(database: DatabaseSync, words: Words): Sessions {
  const read = (rows: readonly Record<string, unknown>[]): readonly IndexedSession[] =>
    rows.map((row) => sessionOf(row, words, findingsOf(database, row["session"], words)));
  return {
    page: (choice, limit, before) => {
      const { hits, where, values } = condition(choice, words);
      const bound = before === undefined ? "" : " AND first < ?";
      return read(
        database
          .prepare(`${hits}SELECT * FROM session_row WHERE ${where}${bound} ORDER BY first DESC LIMIT ?`)
          .all(...values, ...(before === undefined ? [] : [before]), limit),
      );
    },
    count: (choice) => {
      const { hits, where, values } = condition(choice, words);
      const row = database
        .prepare(`${hits}SELECT count(*) AS n FROM session_row WHERE ${where}`)
        .get(...values);
      return Number(row?.["n"] ?? 0);
    },
    one: (id) => {
      const rows = database.prepare("SELECT * FROM session_row WHERE session = ?").all(words.id(id) ?? -1);
      return read(rows)[0] ?? null;
    },
    facet: (column) =>
      database
        .prepare(
          `SELECT ${column} AS name, count(*) AS n FROM session_row GROUP BY ${column} ORDER BY n DESC, ${column}`,
        )
        .all()
        .map((row) => ({ name: words.text(row["name"]), count: Number(row["n"]) })),
    files: (id) =>
      database
        .prepare("SELECT path FROM session_file WHERE session = ?")
        .all(words.id(id) ?? -1)
        .map((row) => words.text(row["path"]))
        .sort(),
    behind: ({ agent, version, build, destination, from, to }) =>
      database
        .prepare(
          `SELECT workspace, count(*) AS n FROM session_to JOIN session_row USING (session)
           WHERE destination = ? AND agent = ? AND version = ? AND build = ? AND at < ? AND ifnull(ended_at, at) >= ?
           GROUP BY workspace ORDER BY n DESC, workspace`,
        )
        .all(...[destination, agent, version, build].map((text) => words.id(text) ?? -1), to, from)
        .map((row) => ({ workspace: words.text(row["workspace"]), sessions: Number(row["n"]) })),
  };
}

function condition(
  choice: SessionChoice,
  words: Words,
): { readonly hits: string; readonly where: string; readonly values: readonly SQLInputValue[] } {
  const where: string[] = ["1"];
  const q = choice.q ?? "";
  const values: SQLInputValue[] = q === "" ? [] : [q];
  const add = (text: string, ...more: SQLInputValue[]): void => {
    where.push(text);
    values.push(...more);
  };
  for (const column of ["agent", "workspace", "profile", "principal", "build"] as const) {
    const wanted = choice[column];
    if (wanted !== undefined) add(`${column} = ?`, words.id(wanted) ?? -1);
  }
  if (choice.from !== undefined) add("at >= ?", choice.from);
  if (choice.to !== undefined) add("at < ?", choice.to);
  if (choice.state === "running") add("ended_at IS NULL");
  if (choice.state === "ended") add("ended_at IS NOT NULL");
  if (choice.verdict !== undefined) add(`"${choice.verdict}" > 0`);
  if (choice.class !== undefined)
    add("session IN (SELECT session FROM session_class WHERE class = ?)", words.id(choice.class) ?? -1);
  if (choice.destination !== undefined)
    add(
      "session IN (SELECT session FROM session_to WHERE destination = ?)",
      words.id(choice.destination) ?? -1,
    );
  if (q !== "") {
    const columns = ["session", "agent", "workspace", "profile", "principal"];
    add(`(${columns.map((column) => `${column} IN (SELECT id FROM hit)`).join(" OR ")})`);
  }
  const hits =
    q === "" ? "" : "WITH hit AS MATERIALIZED (SELECT id FROM word WHERE instr(lower(text), lower(?)) > 0) ";
  return { hits, where: where.join(" AND "), values };
}

const findingsOf = (
  database: DatabaseSync,
  session: unknown,
  words: Words,
): readonly { readonly name: string; readonly count: number }[] =>
  database
    .prepare("SELECT class, count FROM session_class WHERE session = ? ORDER BY count DESC, class")
    .all(Number(session))
    .map((row) => ({ name: words.text(row["class"]), count: Number(row["count"]) }));

function sessionOf(
  row: Readonly<Record<string, unknown>>,
  words: Words,
  findings: IndexedSession["findings"],
): IndexedSession {
  const number = (column: string): number => Number(row[column]);
  const orNull = (column: string): number | null => (row[column] === null ? null : Number(row[column]));
  const text = (column: string): string => words.text(row[column]);
  return {
    id: text("session"),
    ...{ agent: text("agent"), version: text("version"), build: text("build"), standing: text("standing") },
    ...{
      workspace: text("workspace"),
      principal: text("principal"),
      profile: text("profile"),
      sandbox: text("sandbox"),
    },
    gaps: JSON.parse(String(row["gaps"])) as readonly string[], // written by session-rows.ts
    ...{ first: number("first"), last: number("last"), startedAt: number("at"), endedAt: orNull("ended_at") },
    ended: row["reason"] === null ? null : text("reason"),
    exitCode: orNull("exit_code"),
    isErased: number("erased") === 1,
    ...{
      requests: number("requests"),
      requestBytes: number("request_bytes"),
      responseBytes: number("response_bytes"),
    },
    ...{ inputTokens: number("input_tokens"), outputTokens: number("output_tokens") },
    verdicts: {
      ...{ allow: number("allow"), redact: number("redact"), reroute: number("reroute"), ask: number("ask") },
      deny: number("deny"),
    },
    ...{ redacted: number("redacted"), files: number("files"), programs: number("programs") },
    ...{ questions: number("questions"), entries: number("entries"), findings },
  };
}
