/**
 *   GET /api/events    server-sent events; right `look`
 *
 * Each `data:` is one JSON value, named by `event:`. A page that hears of entries asks again for what it shows.
 */
export type Live =
  /** Entries that the pages can show now. */
  | {
      readonly what: "entries";
      readonly from: number;
      readonly to: number;
      readonly kinds: Readonly<Record<string, number>>;
      /** At most 20. */
      readonly sessions: readonly string[];
    }
  /** Questions to people changed: ask `/api/approvals` again. */
  | { readonly what: "approvals" }
  /** How far the index is, where it is far behind, at first and about once a second; null: it has all. */
  | { readonly what: "index"; readonly indexing: Indexing | null }
  | { readonly what: "health"; readonly size: number; readonly lag: number; readonly isReady: boolean }
  /** Signed out, revoked or over: sign in again. */
  | { readonly what: "signed-out" };

/** Entries that the index has taken in, and that there are. */
export interface Indexing {
  readonly size: number;
  readonly of: number;
}
