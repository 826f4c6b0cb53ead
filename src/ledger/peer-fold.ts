/**
 * Who answered in a destination's name, as rows of the query index: the addresses and certificates that replies came
 * from, and what replies said of themselves, each with how often and when. A reply says nothing of its destination: that
 * stands in the judgement of the same exchange, which is kept until its outcome is there.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";

export const PEER_TABLES = ["asked", "answered_by", "reported"] as const satisfies readonly string[];

export const PEER_SCHEMA = `
  CREATE TABLE asked(exchange TEXT PRIMARY KEY, session INTEGER NOT NULL, destination INTEGER NOT NULL,
    sent INTEGER NOT NULL, model INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE answered_by(destination INTEGER, sent INTEGER, address INTEGER, peer INTEGER,
    requests INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    PRIMARY KEY(destination, sent, address, peer)) WITHOUT ROWID;
  CREATE TABLE reported(destination INTEGER, asked INTEGER, model INTEGER, region INTEGER,
    requests INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    PRIMARY KEY(destination, asked, model, region)) WITHOUT ROWID;
`;

type Fields = Readonly<Record<string, unknown>>;

interface Asked {
  readonly session: number;
  readonly destination: number;
  readonly sent: number;
  readonly model: number;
}
interface Seen {
  readonly key: readonly [number, number, number, number];
  requests: number;
  first: number;
  last: number;
}

export class PeerFold {
  readonly #word: (text: string) => number;
  readonly #database: DatabaseSync;
  readonly #putAsked: StatementSync;
  readonly #putAnswered: StatementSync;
  readonly #putReported: StatementSync;
  /** Exchanges without an outcome so far. */
  readonly #asked = new Map<string, Asked>();
  readonly #answered = new Map<string, Seen>();
  readonly #reported = new Map<string, Seen>();

  /** `word`: the id of a text in the index's own table of words. */
  constructor(database: DatabaseSync, word: (text: string) => number) {
    this.#word = word;
    this.#database = database;
    this.#putAsked = database.prepare("INSERT OR REPLACE INTO asked VALUES (?, ?, ?, ?, ?)");
    const seen = (table: string): StatementSync =>
      database.prepare(
        `INSERT INTO ${table} VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
           requests = requests + excluded.requests, first = min(first, excluded.first), last = max(last, excluded.last)`,
      );
    this.#putAnswered = seen("answered_by");
    this.#putReported = seen("reported");
    for (const row of database.prepare("SELECT * FROM asked").all())
      this.#asked.set(String(row["exchange"]), {
        session: Number(row["session"]),
        destination: Number(row["destination"]),
        sent: Number(row["sent"]),
        model: Number(row["model"]),
      });
  }

  /** Takes in an entry of any kind. `session`: its word, if it has one. */
  add(at: number, event: Fields, session: number | null): void {
    if (session === null) return;
    const exchange = textOf(event["exchange"]);
    switch (event["kind"]) {
      case "exchange.judged":
        if (event["verdict"] === "deny") return;
        this.#asked.set(exchange, {
          session,
          destination: this.#word(textOf(event["destination"]) || textOf(event["host"])),
          sent: this.#word(textOf(event["sentTo"])),
          model: this.#word(textOf(event["model"])),
        });
        return;
      case "exchange.answered":
        this.#answer(at, event, this.#asked.get(exchange));
        this.#asked.delete(exchange);
        return;
      case "exchange.failed":
        this.#asked.delete(exchange);
        return;
      case "session.ended":
        for (const [id, asked] of this.#asked) if (asked.session === session) this.#asked.delete(id);
        return;
      default:
        return;
    }
  }

  /** Writes what has gathered, and what is still open; before each commit. */
  flush(): void {
    for (const [sums, put] of [
      [this.#answered, this.#putAnswered],
      [this.#reported, this.#putReported],
    ] as const) {
      for (const { key, requests, first, last } of sums.values()) put.run(...key, requests, first, last);
      sums.clear();
    }
    this.#database.exec("DELETE FROM asked");
    for (const [id, { session, destination, sent, model }] of this.#asked)
      this.#putAsked.run(id, session, destination, sent, model);
  }

  #answer(at: number, event: Fields, asked: Asked | undefined): void {
    if (asked === undefined) return;
    const { destination, sent, model } = asked;
    const [address, peer] = [this.#word(textOf(event["address"])), this.#word(textOf(event["tlsPeer"]))];
    count(this.#answered, [destination, sent, address, peer], at);
    const reported = event["reported"];
    if (typeof reported !== "object" || reported === null) return;
    const said = reported as Fields; // any field may be anything: checked at use
    count(
      this.#reported,
      [destination, model, this.#word(textOf(said["model"])), this.#word(textOf(said["region"]))],
      at,
    );
  }
}

function count(sums: Map<string, Seen>, key: Seen["key"], at: number): void {
  const name = key.join(" ");
  const seen = sums.get(name) ?? { key, requests: 0, first: at, last: at };
  seen.requests++;
  seen.last = Math.max(seen.last, at);
  sums.set(name, seen);
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");
