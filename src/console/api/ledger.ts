/**
 * The ledger itself.
 *
 *   GET  /api/ledger                    → LedgerState                          right `look`
 *   GET  /api/ledger/entries            { filter? } → Rows<Entry>              newest first; CSV and JSON
 *   GET  /api/ledger/entries/:index     → Entry
 *   GET  /api/ledger/fields             → the filter language's fields, for help while one types
 *   GET  /api/ledger/access             → Rows<Access>                         right `audit`: who looked at evidence, and why
 *   POST /api/ledger/sign               {} → LedgerState                       right `audit`: put everything under a checkpoint
 *   POST /api/ledger/evidence           EvidenceExport → download (NDJSON)     rights `audit`, `read-evidence`, `unmask`: values are in it as they are
 *
 * For verifying in the browser, exactly as published (docs/ledger-format.md), right `audit`:
 *   GET /api/ledger/log/checkpoint · /api/ledger/log/vkey.txt · /api/ledger/log/tile/…
 */
export interface LedgerState {
  readonly origin: string;
  /** Entries under the checkpoint. */
  readonly signedSize: number;
  /** All entries: those that wait for a checkpoint too. */
  readonly size: number;
  readonly root: string;
  /** The signed note. */
  readonly checkpoint: string;
  /** Unix ms of the checkpoint's file. */
  readonly checkpointAt: number | null;
  /** Verifier keys: what everybody checks with. */
  readonly verifierKeys: readonly string[];
  /** Others that cosigned. */
  readonly witnesses: readonly { readonly name: string; readonly size: number; readonly at: number }[];
  /** Checkpoints that bear a time stamp (RFC 3161), ascending; `at`: when the stamp was kept. `sallyport verify` checks them. */
  readonly anchors: readonly { readonly size: number; readonly at: number }[];
  readonly kinds: readonly { readonly kind: string; readonly count: number; readonly filter: string }[];
}

export interface Entry {
  readonly index: number;
  readonly at: number;
  readonly kind: string;
  readonly session: string | null;
  /** All of it; without the right to read evidence, without what tells of it. */
  readonly event: Readonly<Record<string, unknown>>;
  readonly signed: boolean;
  /** SHA-256 of the leaf, hex (RFC 6962). */
  readonly leafHash: string;
}

export interface FilterField {
  readonly name: string;
  readonly kind: "word" | "number" | "time";
  readonly operators: readonly string[];
  /** Values that are there, most frequent first, at most 50; none for numbers and times. */
  readonly values: readonly string[];
}

export interface Access {
  readonly index: number;
  readonly at: number;
  readonly what: "viewed" | "unmasked" | "erased" | "exported";
  readonly session: string | null;
  readonly evidence: string | null;
  readonly principal: string;
  readonly reason: string;
}

export interface EvidenceExport {
  readonly reason: string;
  readonly session: string;
}
