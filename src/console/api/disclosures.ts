/** What the page Disclosures shows. Lines are counted once for each file, at the version of which most has left. */

/** Somebody who got lines of a repository. */
export interface Recipient {
  /** Id of the register's row, else the host. */
  readonly destination: string;
  /** As the register names the operator; null where it has no row. */
  readonly operator: string | null;
  readonly files: number;
  readonly lines: number;
  /** Of the repository's lines, as measured last; null: it was never measured. */
  readonly share: number | null;
  readonly exchanges: number;
  /** Unix ms. */
  readonly first: number;
  readonly last: number;
}

export interface RepositoryDisclosure {
  /** The folder's name: the record has no more of it. */
  readonly workspace: string;
  readonly measured: {
    readonly at: number;
    readonly commit: string | null;
    readonly files: number;
    readonly lines: number;
    readonly notRead: number;
  } | null;
  /** Files of which lines left, and these lines. */
  readonly files: number;
  readonly lines: number;
  /** Of the repository, what all recipients together could put together again; null: it was never measured. */
  readonly share: number | null;
  /** New text that was compared with the files, and what of it is in none of them. */
  readonly bytes: number;
  readonly unmatchedBytes: number;
  readonly exchanges: number;
  readonly first: number | null;
  readonly last: number | null;
  readonly recipients: readonly Recipient[];
}

export interface DisclosureOverview {
  readonly repositories: readonly RepositoryDisclosure[];
}

/** A directory or a file below the one that is shown. */
export interface DisclosedPlace {
  readonly path: string;
  readonly kind: "directory" | "file";
  /** Lines it has: of a directory as measured, else of the files that left; of a file at the version that left. */
  readonly of: number;
  /** Whether `of` comes from a measurement of all files. */
  readonly isMeasured: boolean;
  readonly lines: number;
  readonly files: number;
  readonly exchanges: number;
  readonly last: number | null;
}

export interface RepositoryDetail {
  readonly repository: RepositoryDisclosure;
  /** The directory whose content is listed; `""` is the repository. */
  readonly under: string;
  /** The recipient that it is about; null: all. */
  readonly destination: string | null;
  readonly places: readonly DisclosedPlace[];
  /** Places that are not listed, as they are too many. */
  readonly more: number;
}

/** One file with lines that left: what the list of files, and its export, has a row for. */
export interface DisclosedFileRow {
  readonly path: string;
  readonly lines: number;
  readonly of: number;
  readonly share: number;
  readonly versions: number;
  readonly exchanges: number;
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

export interface FileVersion {
  /** SHA-256 of the file as matched, hex. */
  readonly sha256: string;
  readonly of: number;
  readonly lines: number;
  /** What left of it to anybody: from 1, both ends included. */
  readonly ranges: readonly (readonly [number, number])[];
  readonly first: number;
  readonly last: number;
  readonly recipients: readonly {
    readonly destination: string;
    readonly ranges: readonly (readonly [number, number])[];
    readonly lines: number;
    readonly exchanges: number;
    readonly first: number;
    readonly last: number;
  }[];
}

/** One request by which lines of the file left. */
export interface FileExchange {
  /** Index of the ledger's entry `exchange.traced`. */
  readonly entry: number;
  readonly at: number;
  readonly session: string;
  readonly exchange: string;
  readonly destination: string;
  /** The origin, where it is not the host that was asked for: another server stood in. */
  readonly stoodIn: string | null;
  readonly sha256: string;
  readonly lines: number;
  readonly ranges: readonly (readonly [number, number])[];
}

export interface FileDetail {
  readonly workspace: string;
  readonly path: string;
  /** The latest first. */
  readonly versions: readonly FileVersion[];
  /** The latest first, at most {@link exchangesShown}. */
  readonly exchanges: readonly FileExchange[];
  readonly exchangesShown: number;
}
