/**
 *   GET /api/health → Health     right `look`
 *   GET /api/health/faults → Rows<StationFault>   newest first
 */
export interface Health {
  readonly now: number;
  readonly versions: {
    readonly sallyport: string;
    readonly node: string;
    readonly platform: string;
    /** Of the running station; differs from the console's own while one of them is old. */
    readonly station: string | null;
  };
  /** Null: it cannot be reached. */
  readonly station: {
    readonly pid: number;
    readonly startedAt: number;
    readonly residentBytes: number;
    readonly sessions: readonly {
      readonly session: string;
      readonly agent: string;
      readonly workspace: string;
    }[];
  } | null;
  readonly gateway: {
    /** Whether the last record could be made: one that cannot record refuses. */
    readonly isReady: boolean;
    readonly sessions: number;
    readonly connections: number;
    readonly exchangesUnderWay: number;
    readonly heldBytes: number;
    /** Questions that wait for a person. */
    readonly waiting: number;
    readonly exchanges: readonly { readonly verdict: string; readonly count: number }[];
    readonly failures: readonly { readonly fault: string; readonly count: number }[];
    readonly recordFailures: number;
    /** Milliseconds to make a record durable, from the histogram: upper bounds. */
    readonly recordMs: { readonly p50: number | null; readonly p99: number | null };
  } | null;
  readonly disk: {
    readonly path: string;
    readonly freeBytes: number;
    readonly totalBytes: number;
    readonly ledgerBytes: number;
    readonly indexBytes: number;
    readonly snapshotBytes: number | null;
  };
  readonly index: {
    readonly size: number;
    readonly ledgerSize: number;
    /** Entries that the pages do not know of yet. */
    readonly lag: number;
    readonly isCatchingUp: boolean;
  };
  /** What this machine enforces, as `sallyport doctor` says it. */
  readonly controls: readonly Control[];
  readonly agents: readonly {
    readonly name: string;
    readonly version: string | null;
    readonly remedy: string | null;
  }[];
  readonly faults: readonly StationFault[];
}

export interface Control {
  readonly id: string;
  readonly title: string;
  readonly detail: string;
  readonly state: "enforced" | "degraded" | "missing";
  readonly isRequired: boolean;
  readonly remedy: string | null;
}

/** A line of the station's log. */
export interface StationFault {
  readonly at: number | null;
  readonly code: string | null;
  readonly detail: string;
}
