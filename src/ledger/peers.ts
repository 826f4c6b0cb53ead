/** Questions about who answered in a destination's name, answered from the rows that peer-fold.ts keeps. */
import type { DatabaseSync } from "node:sqlite";

/** One way in which a destination was reached, and how often it answered by it. */
export interface AnsweredBy {
  /** Id of the register's row, else the host. */
  readonly destination: string;
  /** The origin that requests went to. */
  readonly sentTo: string;
  readonly address: string | null;
  /** SHA-256 fingerprint of the peer's certificate, hex; null without TLS. */
  readonly tlsPeer: string | null;
  readonly requests: number;
  readonly first: number;
  readonly last: number;
}

/** What replies said of themselves. */
export interface Reported {
  readonly destination: string;
  /** The model that was asked for. */
  readonly asked: string | null;
  /** The model that says it answered. */
  readonly model: string | null;
  /** Where it says it was computed, or by whom. */
  readonly region: string | null;
  readonly requests: number;
  readonly first: number;
  readonly last: number;
}

export interface Peers {
  answeredBy(): readonly AnsweredBy[];
  reported(): readonly Reported[];
}

export function peersIn(database: DatabaseSync): Peers {
  const orNull = (value: unknown): string | null => (value === "" ? null : String(value));
  const seen = (row: Record<string, unknown>) => ({
    destination: String(row["destination"]),
    requests: Number(row["requests"]),
    first: Number(row["first"]),
    last: Number(row["last"]),
  });
  return {
    answeredBy: () =>
      database
        .prepare(
          `SELECT d.text AS destination, s.text AS sent, a.text AS address, p.text AS peer, requests, first, last
           FROM answered_by t JOIN word d ON d.id = t.destination JOIN word s ON s.id = t.sent
           JOIN word a ON a.id = t.address JOIN word p ON p.id = t.peer ORDER BY requests DESC`,
        )
        .all()
        .map((row) => ({
          ...seen(row),
          sentTo: String(row["sent"]),
          address: orNull(row["address"]),
          tlsPeer: orNull(row["peer"]),
        })),
    reported: () =>
      database
        .prepare(
          `SELECT d.text AS destination, q.text AS asked, m.text AS model, r.text AS region, requests, first, last
           FROM reported t JOIN word d ON d.id = t.destination JOIN word q ON q.id = t.asked
           JOIN word m ON m.id = t.model JOIN word r ON r.id = t.region ORDER BY requests DESC`,
        )
        .all()
        .map((row) => ({
          ...seen(row),
          asked: orNull(row["asked"]),
          model: orNull(row["model"]),
          region: orNull(row["region"]),
        })),
  };
}
