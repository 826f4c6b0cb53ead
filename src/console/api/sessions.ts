/**
 * Sessions and their replay.
 *
 *   GET  /api/sessions                SessionsQuery → Rows<SessionRow>   right `look`; newest first; CSV and JSON
 *   GET  /api/sessions/facets         → SessionFacets
 *   GET  /api/sessions/:id            → SessionDetail
 *   GET  /api/sessions/:id/moments    → Rows<Moment>    in order; no content; limit up to 2,000
 *   POST /api/sessions/:id/contents   ContentsAsked → Contents    right `read-evidence`: recorded before a byte is shown
 *   POST /api/sessions/:id/unmask     UnmaskAsked → Unmasked      right `unmask`: recorded before the value is shown
 */
import type { Declaration } from "../../report/index.ts";
import type { Count } from "./answer.ts";

export interface SessionsQuery {
  /** Part of an id, an agent, a workspace, a profile or a principal. */
  readonly q?: string;
  readonly from?: number;
  readonly to?: number;
  readonly agent?: string;
  readonly workspace?: string;
  readonly profile?: string;
  readonly principal?: string;
  /** Sessions that have a request with that verdict. */
  readonly verdict?: string;
  /** Sessions in which that class was found. */
  readonly class?: string;
  readonly destination?: string;
  readonly state?: "running" | "ended";
}

export interface SessionRow {
  readonly id: string;
  readonly agent: string;
  readonly version: string | null;
  /** `h1:…` of the whole build, else SHA-256 of the program, else null. */
  readonly build: string | null;
  /** Where the register had the build when it started. */
  readonly standing: string | null;
  readonly workspace: string;
  readonly principal: string;
  readonly profile: string;
  readonly sandbox: string;
  /** Controls that the machine could not enforce. */
  readonly gaps: readonly string[];
  readonly startedAt: number;
  /** Null: it runs, or nobody recorded its end. */
  readonly endedAt: number | null;
  readonly ended: string | null;
  readonly exitCode: number | null;
  readonly requests: number;
  /** Of requests that left. */
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** By verdict; connections that were refused count as `deny`. */
  readonly verdicts: readonly Count[];
  /** By class: how often found. */
  readonly findings: readonly Count[];
  /** Values that placeholders stood for. */
  readonly redacted: number;
  /** Distinct workspace files of which content left as tool results. */
  readonly files: number;
  /** Programs that the recorder saw start. */
  readonly programs: number;
  /** Questions that were put to people. */
  readonly questions: number;
  readonly filter: string;
}

export interface SessionFacets {
  readonly agents: readonly Count[];
  readonly workspaces: readonly Count[];
  readonly profiles: readonly Count[];
  readonly principals: readonly Count[];
}

export interface SessionDetail {
  readonly session: SessionRow;
  readonly declaration: Declaration;
  /** The declaration as the terminal shows it. */
  readonly text: string;
  readonly completeness: Completeness;
  /** Whether sealed bytes can still be opened: false once they were erased. */
  readonly hasEvidence: boolean;
}

/** Whether the time line shows all that the ledger holds of the session, and whether the ledger holds all there was to hold. */
export interface Completeness {
  /** Ledger entries of the session, by the index. */
  readonly entries: number;
  /** Moments of the time line stand for so many of them: the same number, or something is missing. */
  readonly shown: number;
  /** Entries under a signed checkpoint. */
  readonly signed: number;
  /** Exchanges that were let out and have neither a reply nor a failure on record. */
  readonly withoutOutcome: readonly string[];
  /** Numbers missing among the session's exchanges: a gap means a lost or withheld entry. */
  readonly missingExchanges: readonly number[];
  /** The same among the programs that the recorder numbered. */
  readonly missingCommands: readonly number[];
  /** `recorded`: programs, files and connections are on record; `lost`: only until the recorder ended; `none`: they are not. */
  readonly recorder: "recorded" | "lost" | "none";
  readonly hasEnd: boolean;
  /** All of the above are as they should be. */
  readonly isWhole: boolean;
}

export type MomentKind =
  | "session"
  | "exchange"
  | "answer"
  | "failure"
  | "refused"
  | "approval"
  | "policy"
  | "tunnel"
  | "command"
  | "command-end"
  | "file"
  | "read"
  | "connection"
  | "disclosure"
  | "evidence"
  | "other";

/** One thing that happened, as one ledger entry tells it. */
export interface Moment {
  readonly index: number;
  readonly at: number;
  readonly kind: MomentKind;
  /** The event's own kind. */
  readonly event: string;
  readonly exchange: string | null;
  readonly verdict: string | null;
  /** In English, short, from the event alone: names of hosts, files, programs. The page may word it in another language from `fields`. */
  readonly title: string;
  /** The event's fields, without what tells of evidence where the right to read it is missing. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** Whether sealed content belongs to it; absent without the right to read it. */
  readonly hasContent?: boolean;
}

export interface ContentsAsked {
  /** Why; kept in the ledger. */
  readonly reason: string;
  /** At most 50 exchanges, in order. */
  readonly exchanges: readonly string[];
}

export interface Contents {
  /** Ledger entries that say who looked. */
  readonly recordedAt: readonly number[];
  readonly exchanges: readonly ExchangeContent[];
}

export interface ExchangeContent {
  readonly exchange: string;
  /** What the bytes were read as; `opaque`: as text. */
  readonly dialect: string;
  /** Of the request, what no earlier exchange of those asked for holds: a conversation is sent again each time. */
  readonly request: readonly ContentPart[];
  /** Parts of the request that an earlier one holds. */
  readonly repeated: number;
  readonly response: readonly ContentPart[];
  /** What of it is not shown, and why: `erased`, `too-large`, `unreadable`, `frames`, `cannot-mask`. */
  readonly missing: readonly { readonly role: string; readonly why: string }[];
}

export interface ContentPart {
  readonly role: "instructions" | "person" | "agent" | "tool-call" | "tool-result" | "other";
  /** The tool's name. */
  readonly tool: string | null;
  /** Values found stand masked: `Masked.as` is in the text in their place. Cut at 64 KiB. */
  readonly text: string;
  readonly cutBytes: number;
  readonly masked: readonly Masked[];
}

export interface Masked {
  /** Names the value in this session, for `unmask`: evidence id, and a keyed hash. */
  readonly id: string;
  readonly class: string;
  readonly detector: string;
  /** UTF-16 offsets into the part's text. */
  readonly start: number;
  readonly end: number;
  /**
   * `value`: it left as it is, and stands masked here; `placeholder`: by the record it left as this placeholder, which is shown
   * as it is, and no record holds the value.
   */
  readonly as: "value" | "placeholder";
}

export interface UnmaskAsked {
  readonly id: string;
  readonly reason: string;
}

export interface Unmasked {
  readonly id: string;
  readonly text: string;
  readonly recordedAt: number;
}
