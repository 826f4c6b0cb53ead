/** What the page Destinations shows: the register's facts with their sources and age, what was seen, and where the two differ. */

/** One fact of a row. */
export interface FactView {
  readonly name:
    | "operator"
    | "legal_entity"
    | "law"
    | "endpoint"
    | "at_rest"
    | "compute"
    | "trains"
    | "retention"
    | "agreement"
    | "terms"
    | "terms_public"
    | "sub_processors"
    | "decided_by"
    | "location_field"
    | "disable"
    | "notes"
    | "confidence";
  /** As written; several are a list. */
  readonly value: string | readonly string[] | null;
  /** The day on which somebody looked last; null: the fact is not dated. */
  readonly asOf: string | null;
  readonly ageDays: number | null;
  /** Nobody has looked for so long that policy takes the fact as unknown. */
  readonly isStale: boolean;
  /** Keys of the register's sources. */
  readonly sources: readonly string[];
}

export interface SourceView {
  readonly key: string;
  readonly title: string;
  readonly url: string | null;
}

/** Something that replies showed and that is not as the register has it. */
export interface Contradiction {
  readonly kind: /** The register has no row for the host. */
    | "no-row"
    /** A reply says that it was computed elsewhere than the row says. */
    | "region"
    /** Another model answered than was asked for. */
    | "model"
    /** A public host answered from a private or loopback address. */
    | "private-address"
    /** It was reached without TLS. */
    | "no-tls"
    /** Requests went to another origin than the one that was asked for. */
    | "stood-in"
    /** More than one certificate answered. */
    | "certificates"
    /** The row says that content is not computed on or stored, and a data class left for it. */
    | "unknown-terms";
  readonly grave: boolean;
  /** What the register says, and what was seen. */
  readonly said: string | null;
  readonly seen: string;
  readonly requests: number;
  readonly last: number | null;
}

export interface DestinationRow {
  /** The row's id; of a host without a row, the host. */
  readonly id: string;
  readonly host: string | null;
  readonly path: string | null;
  readonly channel: string | null;
  readonly operator: string | null;
  readonly law: readonly string[];
  readonly compute: string | null;
  readonly trains: string | null;
  readonly agreement: string | null;
  readonly asOf: string | null;
  /** Facts that count as unknown as they are too old. */
  readonly stale: readonly string[];
  /** Facts of which the register itself says that they are not known. */
  readonly unknown: readonly string[];
  readonly requests: number;
  readonly bytes: number;
  readonly denied: number;
  /** Graver ones first. */
  readonly contradictions: readonly Contradiction[];
  /** The ledger filter of its requests. */
  readonly filter: string;
}

export interface DestinationsOverview {
  readonly rows: readonly DestinationRow[];
  /** Days after which a fact is unknown. */
  readonly staleDays: number;
}

export interface DestinationDetail {
  readonly row: DestinationRow;
  /** Empty: no row of the register. */
  readonly facts: readonly FactView[];
  readonly sources: readonly SourceView[];
  readonly staleDays: number;
  readonly answeredBy: readonly {
    readonly sentTo: string;
    readonly address: string | null;
    readonly tlsPeer: string | null;
    readonly requests: number;
    readonly first: number;
    readonly last: number;
  }[];
  readonly reported: readonly {
    readonly asked: string | null;
    readonly model: string | null;
    readonly region: string | null;
    readonly requests: number;
    readonly first: number;
    readonly last: number;
  }[];
  readonly classes: readonly { readonly class: string; readonly requests: number; readonly bytes: number }[];
  readonly verdicts: readonly {
    readonly verdict: string;
    readonly requests: number;
    readonly bytes: number;
  }[];
}
