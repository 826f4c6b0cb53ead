/** What the page Approvals shows and asks: questions that wait for a person, what was answered, and exceptions in force. */

export interface QuestionView {
  /** The id of the exchange that asked first. */
  readonly id: string;
  readonly session: string;
  readonly agent: string;
  readonly requester: string;
  /** What is asked, with the rules, their reasons and owners. */
  readonly text: string;
  /** `document/rule` */
  readonly rules: readonly string[];
  readonly classes: readonly string[];
  readonly host: string;
  readonly port: number;
  readonly sentTo: string;
  readonly destination: string | null;
  readonly operator: string | null;
  readonly model: string | null;
  readonly requestBytes: number;
  readonly findings: readonly { readonly class: string; readonly detector: string; readonly count: number }[];
  readonly askedAt: number;
  readonly deadlineAt: number;
  /** Whether the agent still waits; else it is answered for its next try. */
  readonly isWaiting: boolean;
  /** Why this reader may not say yes; null: they may. */
  readonly notYours: "no-right" | "own-question" | null;
  /** Index of the ledger's entry that holds the question; null: not in the index yet. */
  readonly entry: number | null;
}

export interface ExceptionView {
  readonly id: string;
  readonly kind: "waiver" | "break-glass" | "answer";
  readonly rule: string;
  /** `agent=claude data=secret` */
  readonly where: string;
  readonly reason: string;
  readonly requester: string;
  readonly approver: string;
  readonly grantedAt: number;
  readonly expiresAt: number;
}

export interface ApprovalsNow {
  readonly questions: readonly QuestionView[];
  /** Those that hold for every session; break-glass first. */
  readonly exceptions: readonly ExceptionView[];
  /** By the server's clock, Unix ms. */
  readonly now: number;
  /** Whether the station could be asked; without it nothing waits, as nothing can leave. */
  readonly isStationThere: boolean;
}

export interface HistoryRow {
  /** Index of the ledger's entry. */
  readonly entry: number;
  readonly at: number;
  readonly what: "asked" | "allowed" | "denied" | "expired" | "granted" | "break-glass" | "ended";
  /** Id of the question or exception. */
  readonly id: string;
  readonly session: string | null;
  readonly rules: readonly string[];
  readonly classes: readonly string[];
  readonly sentTo: string | null;
  readonly requester: string | null;
  readonly by: string | null;
  readonly reason: string | null;
  readonly scope: "once" | "session" | "time" | null;
  readonly expiresAt: number | null;
}

export interface AnswerRequest {
  readonly id: string;
  readonly verdict: "allow" | "deny";
  readonly scope: "once" | "session" | "time";
  /** With scope `time`; else null. */
  readonly forMs: number | null;
  readonly reason: string;
}
