/** What the pages are given: everything they read, and the one line by which something is written. */
import type { Clock, EventBody, LedgerEvent } from "../core/index.ts";
import type { QueryIndex } from "../ledger/index.ts";
import type { DestinationRegister } from "../register/index.ts";
import type { Indexing } from "./api/events.ts";
import type { Control, StationFault } from "./api/health.ts";
import type { Desks } from "./desks.ts";
import type { SignIns } from "./sign-in.ts";

/** Entries that the console itself causes; the station writes them. */
export type ConsoleEvent = Extract<
  EventBody,
  { kind: "evidence.viewed" | "evidence.unmasked" | "evidence.exported" | "console.signed-in" }
>;

/** The station, which alone writes. Each throws its fault, or `station.lost`. */
export interface StationDesk {
  /** Resolves with the entry's index once it is durable. */
  record(event: ConsoleEvent): Promise<number>;
  state(): Promise<StationState>;
  /** Puts everything durable under a checkpoint. */
  sign(): Promise<void>;
}

export interface StationState {
  readonly pid: number;
  readonly version: string;
  readonly startedAt: number;
  readonly residentBytes: number;
  readonly sessions: readonly {
    readonly session: string;
    readonly agent: string;
    readonly workspace: string;
  }[];
  readonly ledgerSize: number;
  readonly isReady: boolean;
  /** Prometheus text, as the gateway gives it. */
  readonly metrics: string;
  /** Questions that wait for a person. */
  readonly waiting: number;
}

/** What `sallyport doctor` finds: slow, so kept a while by whoever hands it in. */
export interface MachineState {
  readonly controls: readonly Control[];
  readonly agents: readonly {
    readonly name: string;
    readonly version: string | null;
    readonly remedy: string | null;
  }[];
}

export interface Neighbours extends Desks {
  readonly clock: Clock;
  readonly version: string;
  readonly isDemo: boolean;
  readonly places: {
    readonly state: string;
    readonly ledger: string;
    /** Of the query index. */
    readonly index: string;
    readonly snapshots: string;
    /** The built pages. */
    readonly web: string;
  };
  readonly station: StationDesk;
  /** The exact bytes behind an evidence id. Throws `evidence.unknown`, `evidence.erased`, `ledger.unreadable`. */
  readonly openEvidence: (
    id: string,
  ) => Promise<{ readonly bytes: Buffer; readonly salt: Buffer; readonly version: number }>;
  /** As it is now. */
  readonly register: () => Promise<DestinationRegister>;
  readonly machine: () => Promise<MachineState>;
  /** The last lines of the station's log, newest first. */
  readonly stationFaults: (limit: number) => Promise<readonly StationFault[]>;
  /** Keys the hashes of values found. */
  readonly findingKey: Uint8Array;
}

/** What a page's file makes its routes from. */
export interface Rooms extends Neighbours {
  readonly index: QueryIndex;
  /** While the index is far behind the ledger: entries taken in, and how many there are. Null: it follows. */
  readonly indexing: () => Indexing | null;
  /** Resolves when all that was durable before is in the index; while it is far behind, at once. */
  readonly fresh: () => Promise<void>;
  readonly signIns: SignIns;
  /** Calls back with what was taken into the index, and when questions change; the answer forgets the listener. */
  readonly onLive: (listener: (live: LiveNews) => void) => () => void;
}

export type LiveNews =
  | { readonly what: "entries"; readonly from: number; readonly events: readonly LedgerEvent[] }
  | { readonly what: "approvals" }
  | { readonly what: "index"; readonly indexing: Indexing | null };
