/**
 * What every answer of the console's server looks like. Types alone: the pages import them with `import type`.
 *
 * A JSON answer is `{ data, filter? }` with status 200, or `{ fault }` with the fault's own status (401: not signed in, 403:
 * without the right). `filter` is the ledger filter behind the numbers, as `sallyport query` takes it.
 */
export interface Answer<T> {
  readonly data: T;
  readonly filter?: string;
}

export interface Failure {
  readonly fault: {
    /** As in docs/errors.md. */
    readonly code: string;
    readonly message: string;
    readonly remedy: string;
    readonly at?: string;
  };
}

/**
 * A page of a list. Every list takes `limit` (default 50, at most 500), `cursor` (from `next`), `from` and `to` (Unix ms), and
 * with `format=csv|json` gives all its rows as a download.
 */
export interface Rows<T> {
  readonly rows: readonly T[];
  /** Null: there are no more. */
  readonly next: string | null;
  /** How many there are in all, where that is known without reading them. */
  readonly total: number | null;
}

export interface Count {
  readonly name: string;
  readonly count: number;
}
