/** What the page Agents shows: builds that ran or were spoken about, what repositories bring for agents, vetting reports. */

export type StandingState = "approved" | "pending" | "expired" | "revoked" | "changed" | "unknown";

/** Where a build or an extension stands, and by whose word. */
export interface StandingView {
  readonly state: StandingState;
  /** Approvers whose word counts now; of a revocation, who revoked. */
  readonly by: readonly string[];
  /** How many more must agree; 0 where that is not what is missing. */
  readonly needed: number;
  /** Unix ms: when it ends, ended, or was revoked; null: not dated. */
  readonly at: number | null;
  /** Of a revocation. */
  readonly reason: string | null;
  /** `h1:…` of the bytes that are approved, where these are not. */
  readonly approvedHash: string | null;
}

/** One statement about it, as somebody signed it. */
export interface StatementView {
  /** SHA-256, hex: as the ledger names it. */
  readonly id: string;
  readonly action: "approve" | "revoke";
  readonly by: string;
  readonly at: number;
  readonly reason: string;
  readonly expires: number | null;
  /** SHA-256 of the vetting report that was looked at, hex; null: none is named. */
  readonly report: string | null;
}

export interface BuildRow {
  /** `h1:…`; null: it ran before builds were hashed, or could not be. */
  readonly hash: string | null;
  readonly agent: string;
  readonly version: string | null;
  /** Null: it has run here, and nobody has spoken about it. */
  readonly platform: string | null;
  /** SHA-256 of the executable, hex. */
  readonly executable: string | null;
  readonly standing: StandingView;
  readonly sessions: number;
  readonly firstRun: number | null;
  readonly lastRun: number | null;
  /** Times that the register kept it from starting. */
  readonly refused: number;
  readonly reports: readonly ReportRow[];
  readonly statements: readonly StatementView[];
  /** The ledger filter of its sessions. */
  readonly filter: string;
}

export interface ExtensionRow {
  readonly hash: string;
  readonly type: string;
  /** In the repository. */
  readonly path: string;
  readonly standing: StandingView;
  readonly refused: number;
  readonly statements: readonly StatementView[];
}

export interface ApproverView {
  readonly name: string;
  /** Base64 of an Ed25519 public key. */
  readonly key: string;
}

export interface AgentsOverview {
  readonly builds: readonly BuildRow[];
  readonly extensions: readonly ExtensionRow[];
  readonly approvers: readonly ApproverView[];
  readonly required: number;
  /** Statements whose signer is on no list: they count for nothing. */
  readonly strangers: readonly string[];
  /** Under which name the machine's own key signs for whoever is signed in; null: it does not. */
  readonly signsAs: string | null;
}

/** A vetting report that is kept on this machine. */
export interface ReportRow {
  /** SHA-256 of the report's file, hex: what statements name it by. */
  readonly sha256: string;
  readonly agent: string;
  readonly build: string;
  readonly at: number;
  readonly runs: number;
  /** Differences that a reader does not see: markers and orders. */
  readonly hidden: number;
  /** Planted secrets that left without being asked for. */
  readonly canaries: number;
  readonly visible: number;
  readonly explained: number;
}

export interface FindingView {
  readonly kind: string;
  readonly isHidden: boolean;
  readonly factor: string;
  readonly baseline: string;
  readonly levels: readonly string[];
  readonly meaning: string;
  readonly where: string;
  readonly places: number;
  readonly bytes: {
    readonly a: string | null;
    readonly b: string | null;
    readonly aText: string | null;
    readonly bText: string | null;
  };
  readonly codePoints: { readonly a: readonly string[]; readonly b: readonly string[] };
  readonly context: { readonly a: string | null; readonly b: string | null };
  readonly repeats: string;
  readonly controls: number;
  readonly smallest: string;
  readonly reproduce: string;
  readonly changes: readonly {
    readonly where: string;
    readonly a: string | null;
    readonly b: string | null;
  }[];
}

export interface ReportDetail {
  readonly row: ReportRow;
  readonly executable: string;
  readonly combinations: number;
  readonly tookSeconds: number;
  readonly findings: readonly FindingView[];
  readonly explained: readonly {
    readonly factor: string;
    readonly levels: readonly string[];
    readonly where: string;
    readonly explanation: string;
  }[];
  readonly varied: readonly {
    readonly factor: string;
    readonly baseline: string;
    readonly levels: readonly string[];
  }[];
  readonly notVaried: readonly string[];
  readonly notObserved: readonly string[];
  readonly hosts: readonly { readonly host: string; readonly requests: number; readonly refused: boolean }[];
  readonly names: readonly string[];
  readonly written: readonly string[];
  readonly persistence: readonly string[];
  readonly left: readonly string[];
  readonly switches: readonly {
    readonly setting: string;
    readonly stops: readonly string[];
    readonly starts: readonly string[];
  }[];
  readonly installScripts: readonly string[];
}

/** What somebody asks for when they approve or revoke: the body of POST /api/agents/sign and /api/agents/prepare. */
export interface StateRequest {
  readonly state: "approve" | "revoke";
  readonly hash: string;
  /** `agent@version` of a build that nobody has spoken about yet; else null. */
  readonly name: string | null;
  readonly reason: string;
  readonly days: number;
  /** SHA-256 of the report that was looked at; null: none. */
  readonly report: string | null;
}

/** POST /api/agents/prepare: what a key in the browser signs. */
export interface PreparedStatement {
  /** Base64. */
  readonly payload: string;
  readonly signed: string;
}

/** POST /api/agents/sign and /api/agents/submit. */
export interface StatedAnswer {
  /** Of the ledger's entry. */
  readonly index: number;
  readonly statement: string;
  readonly by: string;
}
