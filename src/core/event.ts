/**
 * Every kind of thing the ledger can hold: one union, one member per kind. A leaf of the log is the RFC 8785 bytes of
 * one of these. No member holds content (prompts, code, secrets, query strings): content is sealed evidence, and the
 * event carries only its commitment.
 *
 * Rules for change: a field is added, never renamed or given another meaning; a reader ignores what it does not know.
 * `v` goes up only when an old reader would be misled.
 */
import type { ExchangeId, SessionId } from "./id.ts";

/**
 * The commitment to sealed bytes: SHA-256(salt ‖ SHA-256(bytes)), hex, where the frame that the id names is of version 2;
 * SHA-256(salt ‖ bytes) where it is of version 1. The salt lies inside the sealed part.
 */
export interface EvidenceRef {
  /** Names the sealed bytes within the ledger. */
  readonly id: string;
  /** What the bytes are. */
  readonly role: "request-head" | "request-body" | "response-head" | "response-body" | "frames" | "arguments";
  /** Length of the plain bytes. */
  readonly bytes: number;
  /** As above. */
  readonly commitment: string;
}

/**
 * How the agent reached the gateway: CONNECT with TLS inside, a base URL, plain HTTP through the proxy; `caught`: a
 * program that knows of no proxy was stopped when it asked for a name or a connection.
 */
export type Door = "tls" | "base" | "plain" | "caught";
export type WireProtocol = "http/1.1" | "h2" | "websocket";
export type Verdict = "allow" | "normalise" | "redact" | "reroute" | "ask" | "deny";

/** Workspace content and command output that a request carries for the first time in its session. */
export interface SourceTally {
  /** Workspace-relative paths of files whose content a tool result holds. */
  readonly files: readonly string[];
  /** Number of tool results that are outputs of commands. */
  readonly commands: number;
  /** Number of other tool results. */
  readonly others: number;
}

/** A program that started inside the sandbox. Its arguments are sealed: they may hold secrets. */
export interface StartedCommand {
  /** From 1, in the order in which the session's programs started. */
  readonly command: number;
  /** The command that started it; null: the session itself, or not known. */
  readonly parent: number | null;
  /** As the program was asked for: relative to the workspace, else absolute. */
  readonly program: string;
  /** SHA-256 of the file that was run, hex; null when it had changed or gone before it could be read. */
  readonly sha256: string | null;
  /** How many, the program's own name included. */
  readonly arguments: number;
  /** Where it runs: relative to the workspace, else absolute. */
  readonly folder: string;
  /** The tool call that asked for it, where an exchange shows one. A command without has that of the command that started it. */
  readonly call?: AskingCall;
}

/** A tool call in a model's reply. */
export interface AskingCall {
  readonly exchange: ExchangeId;
  /** As the model calls it. */
  readonly tool: string;
  /** Which of the reply's calls, from 1. */
  readonly number: number;
}

/** A change to a file that a program of the sandbox asked the kernel for. */
export interface ChangedFile {
  /** The command whose program asked; 0: not known. */
  readonly command: number;
  /** `written`: opened for writing; `folder`: a folder was made; `linked`: a link was made; `mode`: its mode was changed. */
  readonly change: "created" | "written" | "removed" | "renamed" | "folder" | "linked" | "mode";
  /** Relative to the workspace; absolute when outside. */
  readonly path: string;
  /** The new name, of `renamed` and of hard links. */
  readonly to?: string;
  /** The tool call that asked for the change, where its command has none and an exchange names the file. */
  readonly call?: AskingCall;
}

/** What the snapshots round a session say. */
export interface SnapshotTally {
  /** Files, folders and links of the workspace that differ from before. */
  readonly changed: number;
  /** Files and folders that were too large or could not be read: nothing brings these back. */
  readonly notKept: number;
}

/** A connection that a program of the sandbox asked the kernel for. */
export interface TriedConnection {
  /** The command whose program asked; 0: not known. */
  readonly command: number;
  /** By what; a datagram never leaves. */
  readonly transport: "tcp" | "udp";
  /** The name that the program asked for, else the address. */
  readonly host: string;
  /** As the program gave it; one of 198.18.0.0/15 stands for a name within this session. */
  readonly address: string;
  /** At the other end. */
  readonly port: number;
  /** `local`: within the sandbox, the way to the gateway included; `caught`: led to the gateway, which decides. */
  readonly outcome: "local" | "caught" | "refused" | "unreachable" | "too-many";
}

/** Workspace content that a request carries for the first time in its session to where it goes. */
export interface Disclosure {
  /** Relative to the workspace. */
  readonly path: string;
  /** From 1, both ends included, ascending, disjoint. */
  readonly lines: readonly (readonly [number, number])[];
  /** Lines that the file had. */
  readonly of: number;
  /** Of those lines, in the file. */
  readonly bytes: number;
  /** SHA-256 of the file as matched, hex. */
  readonly sha256: string;
}

/** What a line of the build's had in the place of its template's characters, and how often, by code points. */
export interface NormalisedTally {
  /** `U+02BC`; several with spaces between them; empty where something was put back in. */
  readonly was: string;
  /** As its vetted template has it, and as it left. */
  readonly is: string;
  readonly count: number;
}

/** What one detector found. */
export interface FindingTally {
  /** The data class, e.g. `secret`, `personal`, `classified`. */
  readonly class: string;
  /** The detector's id. */
  readonly detector: string;
  /** How often. */
  readonly count: number;
}

/** Tokens, as the provider counts them; null where it does not say. */
export interface Usage {
  /** Tokens of the request. */
  readonly inputTokens: number | null;
  /** Tokens of the reply. */
  readonly outputTokens: number | null;
  /** Those of the request that the provider had already. */
  readonly cachedTokens: number | null;
}

/** What the register's statements about a build come to: see src/register/standing.ts. */
export type BuildStanding = "approved" | "pending" | "expired" | "revoked" | "changed" | "unknown";

/** Labels with the values they may have, as a rule's `when`. */
export type WaiverScope = Readonly<Record<string, readonly (string | number)[]>>;

export type EventBody =
  | {
      /** A writer took the ledger. `recovered` entries had been durable but not yet under a checkpoint. */
      readonly kind: "ledger.opened";
      /** Name and version of what writes. */
      readonly program: string;
      /** Entries that had been durable and not yet under a checkpoint. */
      readonly recovered: number;
    }
  | {
      /** An agent, or another program, is about to run behind the wall. */
      readonly kind: "session.started";
      /** The session: 8 hexadecimal digits. */
      readonly session: SessionId;
      /** A pseudonym: `local:<uid>` on one machine. */
      readonly principal: string;
      /** What runs. */
      readonly agent: {
        /** The agent as the register names it, or the program. */
        readonly name: string;
        /** As the program tells it; null where it tells none. */
        readonly version: string | null;
        /** SHA-256 of the executable file that was started, hex; null when it was not hashed. */
        readonly sha256: string | null;
      };
      /** The profile it runs under: its name, and SHA-256 of all documents that apply, hex. */
      readonly profile: { readonly name: string; readonly sha256: string };
      /** Base name of the workspace folder. */
      readonly workspace: string;
      /** What walls it in. */
      readonly sandbox: "bubblewrap" | "none";
      /** What the sandbox could not enforce on this machine, as the ids `doctor` prints. */
      readonly gaps: readonly string[];
      /** The server standing in for the vendor's, if the person named one; else null. */
      readonly upstream: string | null;
      /** SHA-256 of the indexes of classified code that the session is inspected with, hex; absent when none is. */
      readonly codeIndexes?: readonly string[];
      /** Absent in entries of versions without a register of builds. */
      readonly admission?: {
        /** The whole build's hash, as src/register/build.ts makes it. */
        readonly build: string;
        /** Where the register had it when it started; `unknown`: nobody has approved it, and the profile permits that. */
        readonly standing: BuildStanding;
        /** Whether what the build sends is compared with its vetted template. */
        readonly template?: boolean;
      };
    }
  | {
      /** How the build's own words compared with its vetted template, in distinct lines; once, as the session ends. */
      readonly kind: "template.compared";
      readonly session: SessionId;
      /** The build's hash, as in `session.started`. */
      readonly build: string;
      /** Equal. */
      readonly known: number;
      /** Equal only after look-alike characters, punctuation and invisible ones are folded together. */
      readonly altered: number;
      /** Of system prompt and tools: neither template, nor what person, files or commands said. */
      readonly unaccounted: number;
    }
  | {
      /** Nothing was started: the register does not admit the build, or something the repository brings. */
      readonly kind: "admission.refused";
      readonly principal: string;
      /** What would have run. */
      readonly agent: { readonly name: string; readonly version: string | null };
      readonly profile: { readonly name: string; readonly sha256: string };
      /** `build`, or the extension's path in the repository. */
      readonly what: string;
      /** `h1:…` of its bytes. */
      readonly hash: string;
      /** Where the register has it. */
      readonly standing: BuildStanding;
    }
  | {
      /** Recorded before it takes effect. */
      readonly kind: "register.changed";
      readonly principal: string;
      /** What was done. */
      readonly action: "approved" | "revoked" | "added";
      /** What it is about. */
      readonly subject: {
        /** What sort of thing it is. */
        readonly kind: "build" | "extension" | "destination";
        /** `agent@version platform`, a path in a repository, or a row's id. */
        readonly name: string;
        /** `h1:…` of the bytes; of a row, SHA-256 of its canonical JSON in hex. */
        readonly hash: string;
      };
      /** Whose word it is; SHA-256 of the signed statement, hex: null for rows, which nobody signs. */
      readonly by: string;
      /** SHA-256 of the signed statement, hex; null for rows, which nobody signs. */
      readonly statement: string | null;
      /** Why, in the words of whoever did it. */
      readonly reason: string;
      /** Unix ms; null: until revoked. */
      readonly expires: number | null;
    }
  | {
      /** The session is over: nothing of it leaves any more. */
      readonly kind: "session.ended";
      readonly session: SessionId;
      /** How: the program ended, its client or its station was lost, or it never came up. */
      readonly reason: "exited" | "client-lost" | "station-lost" | "failed";
      /** The program's own; null where it has none. */
      readonly exitCode: number | null;
      /**
       * Workspace files that the session made or changed and the host would obey: moved to the session's hold, or never
       * brought in from a copy-on-write repository.
       */
      readonly setAside: readonly string[];
      /** Such files that could not be moved, and in old entries all that only editors, shells, agents or CI obey. */
      readonly appeared: readonly string[];
      /** Control sequences that would have used the person's terminal against them, and did not reach it; absent: none. */
      readonly withheld?: number;
      /** By the snapshots round the session; absent: there are none, and it cannot be undone. */
      readonly snapshot?: SnapshotTally;
    }
  | {
      /** What the session's programs committed is in the repository now; what git would obey of the rest is not. */
      readonly kind: "repository.imported";
      readonly session: SessionId;
      /** The git directory: relative to the workspace, else absolute. */
      readonly repository: string;
      /** Branches, tags and the like that have changed. At most 1,000. */
      readonly refs: readonly {
        /** `refs/…` */
        readonly name: string;
        /** What it was; null: it was not there. */
        readonly from: string | null;
        /** What it is; null: it was removed. */
        readonly to: string | null;
      }[];
      /** New objects, each checked against its name. */
      readonly objects: number;
      /** New packs, each indexed anew. */
      readonly packs: number;
      /** What was not brought in. At most 1,000. */
      readonly held: readonly {
        /** Within the git directory. */
        readonly path: string;
        /** In words. */
        readonly why: string;
      }[];
    }
  | {
      /** Somebody has looked at what a session changed, and taken or discarded it; recorded before it is done. */
      readonly kind: "workspace.reviewed";
      readonly session: SessionId;
      readonly principal: string;
      /** `taken`: is now in the workspace; `discarded`: is gone. */
      readonly decision: "taken" | "discarded";
      /** Relative to the workspace. At most 1,000. */
      readonly paths: readonly string[];
      /** How many paths. */
      readonly total: number;
      /** Whether it was done although somebody else had changed a path meanwhile. */
      readonly isForced: boolean;
    }
  | {
      /** Nothing was sent: the destination is not allowed, not resolvable to a public address, or malformed. */
      readonly kind: "connection.refused";
      readonly session: SessionId;
      /** How the agent reached the gateway. */
      readonly door: Door;
      /** The name that was asked for. */
      readonly host: string;
      /** The port that was asked for. */
      readonly port: number;
      /** The rule that refused, or which of the gateway's own checks did. */
      readonly rule: string;
      /** What was wrong, in words. */
      readonly reason: string;
    }
  | {
      /** Written and durable before a byte of the request leaves. `verdict` deny: nothing leaves. */
      readonly kind: "exchange.judged";
      readonly session: SessionId;
      /** Names the exchange: the session's id and a number. */
      readonly exchange: ExchangeId;
      readonly door: Door;
      /** What the agent speaks to the gateway. */
      readonly protocol: WireProtocol;
      /** The request's method. */
      readonly method: string;
      readonly host: string;
      readonly port: number;
      /** Path without its query. */
      readonly path: string;
      /** Length of the query, which is evidence and not told here. */
      readonly queryBytes: number;
      /** The origin that the request goes to; differs from host and port when another server stands in. */
      readonly sentTo: string;
      /** Id of the register's row for the destination; null when the register knows none. */
      readonly destination: string | null;
      /** The wire format it was read as; `opaque` where it is none that is known. */
      readonly dialect: string;
      /** Whether the body was read whole as that dialect. */
      readonly understood: boolean;
      /** The model that is asked for; null where the request names none. */
      readonly model: string | null;
      /** Length of the body as it leaves. */
      readonly requestBytes: number;
      /** Workspace content and command output in it, new in the session. */
      readonly sources: SourceTally;
      /** What detectors found in it. */
      readonly findings: readonly FindingTally[];
      /**
       * Distinct values that a placeholder stands for in this request, and for the first time in the session. Absent in
       * entries of versions that could not redact.
       */
      readonly redacted?: readonly FindingTally[];
      /** Characters of the build's own lines that left as its vetted template has them; absent when there were none. */
      readonly normalised?: readonly NormalisedTally[];
      /** Found for the first time in the session and passed over as a false positive; absent when nothing was. */
      readonly waived?: readonly FindingTally[];
      /** `deny` when nothing left; what was asked about and allowed is `allow`, `redact` or `reroute`, with `approvals`. */
      readonly verdict: Verdict;
      readonly rules: readonly string[];
      /** SHA-256 of the policy it was judged under; absent: the one that the session began with. */
      readonly policy?: string;
      /** Questions by whose answers it left. */
      readonly approvals?: readonly string[];
      /** It went to a server of our own instead: its name, the model asked for there, and what it was spoken to in. */
      readonly rerouted?: {
        /** The server of our own. */
        readonly name: string;
        /** The model that is asked for there. */
        readonly model: string | null;
        /** What it is spoken to in. */
        readonly dialect: string;
        /** What of the request has no place in that dialect and was left out. */
        readonly dropped: readonly string[];
      };
      /** The exact bytes, sealed. */
      readonly evidence: readonly EvidenceRef[];
    }
  | {
      /** The reply came. What is unsaid here stands in the judgement of the same exchange. */
      readonly kind: "exchange.answered";
      readonly session: SessionId;
      readonly exchange: ExchangeId;
      /** The reply's HTTP status. */
      readonly status: number;
      /** Length of the body as the agent got it. */
      readonly responseBytes: number;
      /** The address that was dialled. */
      readonly address: string | null;
      /** SHA-256 fingerprint of the peer's certificate, hex without colons; null without TLS. */
      readonly tlsPeer: string | null;
      /** Tokens as the reply counts them; null where it does not. */
      readonly usage: Usage | null;
      /** False when either side broke off before the end. */
      readonly complete: boolean;
      /**
       * The server answered, and what it said was kept from the agent: what was found in it, and the rules by which.
       * Absent when it was not.
       */
      readonly withheld?: { readonly findings: readonly FindingTally[]; readonly rules: readonly string[] };
      /**
       * What the reply says of itself, as far as it is a plain name: the model that answered, and where it was computed
       * or from where it was served. Absent when it says neither.
       */
      readonly reported?: { readonly model: string | null; readonly region: string | null };
      /** From the judgement to the end of the reply, in milliseconds. */
      readonly durationMs: number;
      readonly evidence: readonly EvidenceRef[];
    }
  | {
      /**
       * Which workspace content a request carried that left, by comparison with the files themselves. Made after the
       * verdict, beside the request; a request without one was not traced: see `sallyport disclosures`.
       */
      readonly kind: "exchange.traced";
      readonly session: SessionId;
      readonly exchange: ExchangeId;
      readonly host: string;
      /** The origin that it went to. */
      readonly sentTo: string;
      /** Id of the register's row for the destination; null when the register knows none. */
      readonly destination: string | null;
      /** At most 1,000. */
      readonly files: readonly Disclosure[];
      /** Text that the session had not sent there before, in bytes. */
      readonly bytes: number;
      /** Of that text, what is in no file of the workspace. */
      readonly unmatchedBytes: number;
    }
  | {
      /** What of the workspace requests are compared with; once in a session, as far as its files could be read. */
      readonly kind: "workspace.measured";
      readonly session: SessionId;
      /** Base name, as in `session.started`. */
      readonly workspace: string;
      /** The commit that was checked out; null where git tells none. */
      readonly commit: string | null;
      /** Text files. */
      readonly files: number;
      /** Of those files. */
      readonly lines: number;
      /** Of those files. */
      readonly bytes: number;
      /** Directories up to the third level, each with all that lies below it; `""` is the workspace. At most 2,000. */
      readonly folders: readonly {
        /** Relative to the workspace. */
        readonly path: string;
        /** Text files below it. */
        readonly files: number;
        /** Of those files. */
        readonly lines: number;
      }[];
      /** Files that are too large, binary or unreadable, or beyond the number that is read. */
      readonly notRead: number;
    }
  | {
      /** Allowed, but no reply came: `mayHaveLeft` says whether request bytes may have reached the peer. */
      readonly kind: "exchange.failed";
      readonly session: SessionId;
      readonly exchange: ExchangeId;
      /** The code of what went wrong: docs/errors.md. */
      readonly fault: string;
      /** Whether bytes of the request may have reached the peer. */
      readonly mayHaveLeft: boolean;
      readonly durationMs: number;
    }
  | {
      /** A rule asks: the exchange is held, and nothing of it has left. `evidence` is what would leave as it stands now. */
      readonly kind: "approval.asked";
      readonly session: SessionId;
      /** Names the question: the id of the exchange that asked first. */
      readonly question: string;
      /** The principal of the session that asks. */
      readonly requester: string;
      readonly host: string;
      readonly port: number;
      readonly sentTo: string;
      readonly destination: string | null;
      readonly model: string | null;
      readonly requestBytes: number;
      readonly findings: readonly FindingTally[];
      /** `document/rule` of the rules that ask. */
      readonly rules: readonly string[];
      /** Data classes that they ask about. */
      readonly classes: readonly string[];
      /** Unix ms at which the question is over. */
      readonly deadlineAt: number;
      readonly evidence: readonly EvidenceRef[];
    }
  | {
      /** Somebody answered a question. */
      readonly kind: "approval.answered";
      readonly session: SessionId;
      readonly question: string;
      readonly verdict: "allow" | "deny";
      readonly by: string;
      /** Why, in their words. */
      readonly reason: string;
      /** How far the answer goes: this once, for the session, or until `expiresAt` for every session. */
      readonly scope: "once" | "session" | "time";
      /** Unix ms at which it ends. */
      readonly expiresAt: number;
      readonly rules: readonly string[];
      /** The labels of what it is about. */
      readonly where: WaiverScope;
      readonly requester: string;
    }
  | {
      /** No answer will come: nothing left. `not-asked-any-more`: another answer, or another policy, settled it. */
      readonly kind: "approval.expired";
      readonly session: SessionId;
      readonly question: string;
      /** Why no answer will come. */
      readonly because: "deadline" | "session-ended" | "not-asked-any-more";
    }
  | {
      /** An exception to a rule. `breakGlass`: by one person alone. */
      readonly kind: "waiver.granted";
      /** Names the exception. */
      readonly waiver: string;
      /** `document/rule` that it excepts from. */
      readonly rule: string;
      readonly where: WaiverScope;
      readonly reason: string;
      readonly requester: string;
      /** Who granted it. */
      readonly approver: string;
      readonly expiresAt: number;
      /** Whether one person granted it alone. */
      readonly breakGlass: boolean;
    }
  | {
      /** Taken back before its time. Also an answer that goes beyond its session. */
      readonly kind: "waiver.ended";
      readonly waiver: string;
      readonly by: string;
    }
  | {
      /** A running session is judged by other documents from now on. */
      readonly kind: "policy.changed";
      readonly session: SessionId;
      readonly profile: { readonly name: string; readonly sha256: string };
      /** SHA-256 of the documents that applied until now, hex. */
      readonly before: string;
    }
  | {
      /** Documents of a running session changed and cannot be used: it keeps those it had. */
      readonly kind: "policy.rejected";
      readonly session: SessionId;
      readonly fault: string;
      /** `file:line:column path` */
      readonly where: string;
      /** What is wrong with them. */
      readonly detail: string;
    }
  | {
      /** An SSH connection is about to be made, by a rule that names its port. What it carries is not read. */
      readonly kind: "tunnel.opened";
      readonly session: SessionId;
      readonly exchange: ExchangeId;
      readonly host: string;
      readonly port: number;
      /** What the program's first bytes say. */
      readonly protocol: "ssh";
      readonly destination: string | null;
      /** `document/rule` of the rules that decided, if any spoke. */
      readonly rules: readonly string[];
    }
  | {
      /** It is over. */
      readonly kind: "tunnel.closed";
      readonly session: SessionId;
      readonly exchange: ExchangeId;
      readonly address: string | null;
      /** From the program; none of it was inspected. */
      readonly sentBytes: number;
      /** To the program. */
      readonly receivedBytes: number;
      readonly fault: string | null;
      readonly durationMs: number;
    }
  | {
      /** Programs started: told before their first instruction, by the recorder. Not for attempts whose file is not there. */
      readonly kind: "command.started";
      readonly session: SessionId;
      /** In the order in which they started. */
      readonly commands: readonly StartedCommand[];
      /** Role `arguments`: a line of JSON for each command. */
      readonly evidence: readonly EvidenceRef[];
    }
  | {
      /** A reply was read to its end after what it asked for had begun: what was told of before is the doing of this call. */
      readonly kind: "call.matched";
      readonly session: SessionId;
      readonly call: AskingCall;
      readonly commands: readonly number[];
      /** Of changes of files. */
      readonly paths: readonly string[];
    }
  | {
      /** Programs ended. A command that became another program has no end of its own. */
      readonly kind: "command.ended";
      readonly session: SessionId;
      /** With their exit codes; null: a signal ended it. */
      readonly commands: readonly { readonly command: number; readonly exitCode: number | null }[];
      /** Calls whose arguments could not be read from the program's memory. */
      readonly unreadable: number;
    }
  | {
      /** Programs were about to change files of the workspace, whether it worked or not. */
      readonly kind: "file.changed";
      readonly session: SessionId;
      /** The same change by the same command is told once. */
      readonly changes: readonly ChangedFile[];
    }
  | {
      /** Files outside of the workspace and the system, opened for reading: in what the profile shows of the machine beside both. */
      readonly kind: "file.read";
      readonly session: SessionId;
      /** Each file once in a session, with the first command that read it. */
      readonly reads: readonly { readonly command: number; readonly path: string }[];
    }
  | {
      /** Connections that programs asked the kernel for. */
      readonly kind: "connection.tried";
      readonly session: SessionId;
      /** Once for each command and destination. */
      readonly connections: readonly TriedConnection[];
    }
  | {
      /** The record of what happened inside ended before the session, which was stopped, unless the profile lets it go on: then `detail` says so. */
      readonly kind: "recorder.lost";
      readonly session: SessionId;
      /** How it ended. */
      readonly detail: string;
    }
  | {
      /** Somebody is about to put back what a session changed in its workspace. */
      readonly kind: "workspace.undone";
      readonly session: SessionId;
      readonly principal: string;
      /** `redo`: the last undo itself is undone. */
      readonly direction: "undo" | "redo";
      /** Whether what was changed after the session is overwritten too. */
      readonly isForced: boolean;
      /** Files, folders and links, relative to the workspace: at most the first 1,000. */
      readonly paths: readonly string[];
      /** How many they are. */
      readonly total: number;
    }
  | {
      /** Somebody is about to see sealed bytes. */
      readonly kind: "evidence.viewed";
      readonly session: SessionId;
      /** The id of the sealed bytes. */
      readonly evidenceId: string;
      readonly principal: string;
      /** Why, in their words. */
      readonly reason: string;
    }
  | {
      /** One value that was masked is about to be shown to somebody who looks at sealed bytes. */
      readonly kind: "evidence.unmasked";
      readonly session: SessionId;
      readonly evidenceId: string;
      /** The data class that the value was found as. */
      readonly class: string;
      /** By which detector. */
      readonly detector: string;
      readonly principal: string;
      /** Why, in their words. */
      readonly reason: string;
    }
  | {
      /** Sealed bytes of a session are about to be given out as a file. */
      readonly kind: "evidence.exported";
      readonly session: SessionId;
      /** Pieces of evidence. */
      readonly pieces: number;
      readonly principal: string;
      /** Why, in their words. */
      readonly reason: string;
    }
  | {
      /** Somebody opened the console by a one-time link. */
      readonly kind: "console.signed-in";
      readonly principal: string;
      /** What the link lets them do: the roles of src/console/rights.ts. */
      readonly roles: readonly string[];
      /** Names the link; not what is in its address. */
      readonly link: string;
    }
  | {
      /** The key of the session's evidence is destroyed; the commitments stay. `rule`: the retention rule, if one asked. */
      readonly kind: "evidence.erased";
      readonly session: SessionId;
      readonly principal: string;
      /** Why, in the words of whoever asked. */
      readonly reason: string;
      /** The retention rule, if one asked; else null. */
      readonly rule: string | null;
    }
  | {
      /** From now on nothing erases the evidence of these sessions; an empty list means all. */
      readonly kind: "hold.placed";
      /** The name of the case. */
      readonly case: string;
      readonly sessions: readonly SessionId[];
      readonly principal: string;
    }
  | {
      /** All holds of the case are over. */
      readonly kind: "hold.lifted";
      readonly case: string;
      readonly principal: string;
    }
  | {
      /** All session keys were wrapped anew, by another key of the organisation or by its command. */
      readonly kind: "wrapping.changed";
      /** Ids, as in `organisation.keys`, of what wraps from now on, and of what did. */
      readonly wrappedBy: string;
      /** The id of what wrapped until now. */
      readonly former: string;
      /** Session keys that were wrapped anew. */
      readonly sessions: number;
      readonly principal: string;
    }
  | {
      /** The ledger's signing key was changed; for a period both sign. Keys as in `vkey.txt`. */
      readonly kind: "key.rotated";
      /** The key that signs, as in `vkey.txt`. */
      readonly verifierKey: string;
      /** The key that signed until now. */
      readonly former: string;
      readonly principal: string;
    }
  | {
      /** The period is over: `verifierKey` alone signs. */
      readonly kind: "key.retired";
      readonly verifierKey: string;
      readonly principal: string;
    };

export type EventKind = EventBody["kind"];

/** An event as a leaf holds it: the body with the schema's version and the time it was made durable (Unix ms). */
export type LedgerEvent = { readonly v: 1; readonly at: number } & EventBody;
