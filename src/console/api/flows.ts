/**
 * Flows: what went where.
 *
 *   GET /api/flows        FlowsQuery → Flows            right `look`
 *   GET /api/flows/rows   FlowsQuery → Rows<FlowRow>    greatest first; CSV and JSON
 *   GET /api/flows/exchanges  FlowsQuery → Rows<Exchange>  newest first; CSV and JSON: where a click leads
 *
 * A request counts once: under its primary class, the gravest of those found in it, so that the bytes of all rows add up to
 * the bytes of all requests (say so on the page). Bytes are what left, or with verdict `deny` what would have. Times are cut to
 * whole hours (ranges up to eight days) or whole UTC days, outwards; `from` and `to` in the answer say to what.
 */
export type FlowColumn = "workspace" | "agent" | "class" | "verdict" | "destination" | "jurisdiction";

export interface FlowsQuery {
  readonly from?: number;
  readonly to?: number;
  /** Each narrows to one value; `class=none`: requests in which nothing was found. */
  readonly workspace?: string;
  readonly agent?: string;
  readonly class?: string;
  readonly verdict?: string;
  readonly destination?: string;
  /** A law, as the register says it: `US`, `CN`, `SELF`, `unknown`. */
  readonly jurisdiction?: string;
}

export interface FlowRow {
  readonly workspace: string;
  readonly agent: string;
  /** The primary class; `none`. */
  readonly class: string;
  readonly verdict: string;
  /** Id of the register's row, else the host. */
  readonly destination: string;
  /** By the register as it is now: all laws that can compel whoever runs it, joined by `+`; `unknown`. */
  readonly jurisdiction: string;
  /** Null: the register has no row for it. */
  readonly operator: string | null;
  readonly requests: number;
  readonly bytes: number;
  readonly filter: string;
}

export interface FlowNode {
  /** `<column>:<name>`, `<column>:` for the rest. */
  readonly id: string;
  readonly column: FlowColumn;
  /** Null: the rest, which the page has no room for. */
  readonly name: string | null;
  /** How many names the rest stands for; 1 for a name. */
  readonly names: number;
  readonly requests: number;
  readonly bytes: number;
  /** Null for the rest and for jurisdictions, which the ledger does not hold. */
  readonly filter: string | null;
}

export interface FlowLink {
  readonly source: string;
  readonly target: string;
  /** One link for each verdict, so that a verdict's way can be followed through all columns. */
  readonly verdict: string;
  readonly requests: number;
  readonly bytes: number;
  readonly filter: string | null;
}

export interface FlowBucket {
  /** Its start, Unix ms. */
  readonly at: number;
  readonly requests: number;
  readonly bytes: number;
  readonly denied: number;
}

export interface Flows {
  readonly from: number;
  readonly to: number;
  /** An hour or a day. */
  readonly bucketMs: number;
  readonly requests: number;
  readonly bytes: number;
  /** Distinct combinations: rows of the table. */
  readonly rows: number;
  /** In the order of the columns, greatest first, the rest last. */
  readonly nodes: readonly FlowNode[];
  readonly links: readonly FlowLink[];
  readonly series: readonly FlowBucket[];
  /** All there is to choose from in the range, whatever is chosen. */
  readonly facets: Readonly<
    Record<FlowColumn, readonly { readonly name: string; readonly requests: number }[]>
  >;
}

export interface Exchange {
  readonly index: number;
  readonly at: number;
  readonly session: string;
  readonly exchange: string;
  readonly agent: string;
  readonly workspace: string;
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly sentTo: string;
  readonly destination: string | null;
  readonly dialect: string;
  readonly understood: boolean;
  readonly model: string | null;
  readonly requestBytes: number;
  readonly verdict: string;
  readonly rules: readonly string[];
  readonly classes: readonly string[];
  readonly redacted: number;
}
