/** What the page Policy shows. Nothing of it is saved by the server: a draft is checked, compared and tried, and that is all. */
import type { study } from "../../policy/index.ts";

export type SaidDocument = study.SaidDocument;

export type Origin = "guardrails" | "own" | "ready";

/** What is wrong with a document, and where. */
export interface PlacedError {
  readonly file: string;
  /** From 1; null: not at one place. */
  readonly line: number | null;
  readonly column: number | null;
  /** `network.allow[0].hosts[0]`; null: the document as a whole. */
  readonly path: string | null;
  readonly detail: string;
  readonly remedy: string;
}

export interface DocumentRow {
  readonly origin: Origin;
  readonly file: string;
  /** As the document names itself; of one that cannot be read, the file's name. */
  readonly name: string;
  readonly kind: "Guardrails" | "Profile" | "Repository" | null;
  readonly title: string | null;
  readonly owner: string | null;
  readonly version: number | null;
  readonly review: string | null;
  readonly isOverdue: boolean;
  readonly rules: number;
  /** SHA-256 of its text, hex. */
  readonly sha256: string;
  /** When the file was changed, Unix ms; null: it comes with the program. */
  readonly changedAt: number | null;
  /** Who the file belongs to on this machine: the administrator, this account; null: it comes with the program. */
  readonly belongsTo: "administrator" | "account" | "other" | null;
  /** Sessions that ran under it. */
  readonly sessions: number;
  readonly lastUsed: number | null;
  readonly error: PlacedError | null;
}

export interface PolicyOverview {
  readonly documents: readonly DocumentRow[];
  /** Files of properties; none: the starter's are shown. */
  readonly properties: readonly string[];
}

export interface DocumentDetail {
  readonly row: DocumentRow;
  readonly said: SaidDocument | null;
  /** Ids of rules whose day of review is over. */
  readonly overdue: readonly string[];
  /** As it is written; null without the right to write policy, as it may hold canaries. */
  readonly text: string | null;
}

export interface ProofView {
  readonly id: string;
  readonly title: string;
  readonly because: string;
  readonly holds: boolean;
  /** Kinds of sending that were walked. */
  readonly points: number;
  /** In words; null: none. */
  readonly counterExample: string | null;
}

export interface MutantView {
  readonly document: string;
  readonly rule: string;
  readonly neededBy: readonly string[];
  readonly unproved: string | null;
}

export interface ProofsAnswer {
  /** `any-profile`: beside every profile that anyone may ever write; `documents`: for these documents. */
  readonly scope: "any-profile" | "documents";
  readonly documents: readonly string[];
  /** Where the properties stand; null: the starter's, as nobody has written any. */
  readonly file: string | null;
  readonly proofs: readonly ProofView[];
  readonly mutants: readonly MutantView[];
  readonly tookMs: number;
  readonly error: PlacedError | null;
}

export interface DraftRequest {
  readonly text: string;
  /** Beside which profile guardrails are tried; null: `default`. */
  readonly profile: string | null;
  readonly language: "en" | "zh-CN";
  readonly from?: number | undefined;
  readonly to?: number | undefined;
}

export interface DraftReplay {
  /** Recorded requests that were judged again. */
  readonly judged: number;
  readonly changed: number;
  /** Whether only sessions under the standing document were taken, and not all there are. */
  readonly isOwnTraffic: boolean;
  /** Whether there were more than are taken. */
  readonly isCut: boolean;
  readonly from: number | null;
  readonly changes: readonly {
    readonly from: string;
    readonly to: string;
    readonly rules: readonly string[];
    readonly count: number;
    /** Some of the ledger's entries. */
    readonly entries: readonly number[];
    readonly sentence: string;
  }[];
}

export type DraftAnswer =
  | { readonly isValid: false; readonly error: PlacedError }
  | {
      readonly isValid: true;
      readonly said: SaidDocument;
      /** The document that it would stand in place of; null: none of its name and kind. */
      readonly replaces: string | null;
      readonly standingText: string | null;
      /** Null: there is nothing to compare with, or it could not be compared; see `diffFault`. */
      readonly diff: {
        readonly loosens: boolean;
        readonly changes: readonly { readonly loosens: boolean; readonly sentence: string }[];
        /** Changes that are not listed. */
        readonly more: number;
      } | null;
      readonly diffFault: string | null;
      readonly overdue: readonly string[];
      readonly replay: DraftReplay;
      /** Where it would have to be put, by a person, and the commands that check it and take it up. */
      readonly place: { readonly file: string; readonly commands: readonly string[] };
    };
