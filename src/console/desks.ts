/** What the pages about people's decisions are handed: the register, policy documents, and the station's desks. */
import type { LedgerEvent } from "../core/index.ts";
import type { study } from "../policy/index.ts";
import type { Approvals } from "../register/index.ts";
import type { SavedReport } from "./agents.ts";
import type { PreparedStatement, StatedAnswer, StateRequest } from "./api/agents.ts";
import type { AnswerRequest } from "./api/approvals.ts";
import type { OpenApprovals } from "./approvals.ts";
import type { OwnServer } from "./destinations.ts";
import type { PolicyFile, Whereabouts } from "./policy.ts";

/** What writes goes through the station, which records it before it takes effect; `by`: who is signed in. */
export interface Desks {
  readonly registerDesk: {
    /** As it is now. Throws `register.invalid`. */
    approvals(): Approvals;
    /** Under which name this machine's key would sign for them; null: it would not. */
    signsAs(by: string): Promise<string | null>;
    sign(asked: StateRequest, by: string): Promise<StatedAnswer>;
    /** `as`: the approver whose key, in a browser, will sign. */
    prepare(asked: StateRequest, as: string, by: string): Promise<PreparedStatement>;
    submit(envelope: string, by: string): Promise<StatedAnswer>;
  };
  /** Vetting reports kept on this machine, the newest first. */
  readonly vetReports: () => Promise<readonly SavedReport[]>;
  /** The register's sources by their keys. */
  readonly registerSources: () => Promise<
    Readonly<Record<string, { readonly title: string; readonly url: string }>>
  >;
  /** Model servers of one's own. */
  readonly ownServers: () => Promise<readonly OwnServer[]>;
  readonly policyDesk: {
    files(): Promise<readonly PolicyFile[]>;
    properties(): Promise<readonly { readonly file: string; readonly text: string }[]>;
    /** How recorded requests are judged again, by the register's labels of now. */
    judge(): Promise<
      (
        entry: number,
        event: Extract<LedgerEvent, { kind: "exchange.judged" }>,
        agent: string,
      ) => study.Judgement
    >;
    readonly whereabouts: Whereabouts;
  };
  readonly approvalsDesk: {
    /** Throws `station.lost`. */
    list(): Promise<OpenApprovals>;
    answer(answer: AnswerRequest, by: string): Promise<void>;
    end(id: string, by: string): Promise<void>;
  };
}
