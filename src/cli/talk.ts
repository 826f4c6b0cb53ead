/**
 * What a command and the station say to each other over the station's unix socket (0600 in a 0700 folder: the same
 * user only). One JSON value a line, at most 4 MiB; an answer for each question, in order. The connection that asked
 * `run` is the session's life line: when it closes, the session is over.
 */
import type net from "node:net";
import type { ConsoleEvent, Role } from "../console/index.ts";
import { type EventBody, FAULTS, Fault, type FaultCode } from "../core/index.ts";
import type { Told } from "../gateway/index.ts";
import type { study } from "../policy/index.ts";
import type { Declaration } from "../report/index.ts";
import type { SandboxPlan } from "../sandbox/index.ts";
import type { RegisterAction } from "./register-desk.ts";

export const MAX_LINE_BYTES: number = 4 << 20;

export type Question =
  | { readonly op: "hello" }
  | {
      readonly op: "run";
      /** As typed: `claude`, `claude@2.1.329`, a path, a command. */
      readonly agent: string;
      readonly arguments: readonly string[];
      readonly cwd: string;
      readonly environment: Readonly<Record<string, string>>;
      /** Name or file; null for the default. */
      readonly profile: string | null;
      /** A server that stands in for every model destination. */
      readonly upstream: string | null;
      readonly door: "tls" | "base";
      /** Plan and explain only: no session is started. */
      readonly explain: boolean;
      /** The plan of which system to explain. */
      readonly system: "this" | "macos";
      /** Take snapshots of the workspace, so that the session can be undone. */
      readonly undo: boolean;
      /** The whole workspace is copy-on-write, and nothing is changed before somebody has looked at it. */
      readonly review: boolean;
      /** Asked by helper/ask.c, before the client is there: the answer begins with how to build the wall (sandbox/early.ts). */
      readonly isEarly: boolean;
    }
  | {
      readonly op: "ended";
      readonly exitCode: number;
      /** See `session.ended`. */
      readonly withheld: number;
      /** Somebody reads the text of the declaration, with the time at which it was signed. */
      readonly isTold: boolean;
    }
  | { readonly op: "failed" }
  /** Answered when what sessions that are over sent is compared with their workspaces; after ten seconds in any case. */
  | { readonly op: "traced" }
  /** Whether a program of this line's session may connect there; port null: to any port of it. */
  | { readonly op: "reach"; readonly host: string; readonly port: number | null }
  /** Somebody is about to see sealed bytes: answered once that is durable. */
  | { readonly op: "viewed"; readonly session: string; readonly evidence: string; readonly reason: string }
  /** What only the ledger's one writer may do; each is itself recorded. */
  | {
      readonly op: "keep";
      readonly action:
        | { readonly do: "erase"; readonly session: string; readonly reason: string }
        | { readonly do: "hold"; readonly name: string; readonly sessions: readonly string[] }
        | { readonly do: "release"; readonly name: string }
        | { readonly do: "rotate-key" }
        | { readonly do: "retire-key" };
    }
  /** Somebody is about to put a workspace back: answered once that is durable. */
  | {
      readonly op: "undone";
      readonly undone: Omit<Extract<EventBody, { kind: "workspace.undone" }>, "kind" | "principal">;
    }
  /** Somebody is about to take or discard what a session wrote: answered once that is durable. */
  | {
      readonly op: "reviewed";
      readonly reviewed: Omit<Extract<EventBody, { kind: "workspace.reviewed" }>, "kind" | "principal">;
    }
  /** Somebody's word about a build, an extension or a destination: durable in the ledger before it takes effect. */
  | {
      readonly op: "register";
      readonly change: Omit<Extract<EventBody, { kind: "register.changed" }>, "kind">;
    }
  /** Somebody who is signed in to the console approves or revokes: see register-desk.ts. */
  | { readonly op: "register-desk"; readonly action: RegisterAction; readonly by: string }
  /** Questions that wait for a person, and exceptions. `by`: who it is, where somebody signed in says so. */
  | { readonly op: "approvals"; readonly action: ApprovalAction; readonly by?: string }
  /** What the console causes: answered with `{ index }` once that is durable. */
  | { readonly op: "record"; readonly event: ConsoleEvent }
  /** How the station is: answered with `StationState`. */
  | { readonly op: "state" }
  /** The console: started when it does not run. Answered with {@link ConsoleAnswer}. */
  | { readonly op: "console"; readonly action: ConsoleAction }
  /** From now on the station tells this line what happens, as lines `{"told": …}` between its answers. */
  | { readonly op: "subscribe" }
  /** Take up policy documents that have changed, now; answered with {@link Reloaded} when they hold. */
  | { readonly op: "reload" }
  /** Put everything durable under a signed checkpoint now. */
  | { readonly op: "sign" }
  | { readonly op: "stop"; readonly evenWithSessions: boolean };

export type ApprovalAction =
  | { readonly do: "list" }
  | {
      readonly do: "answer";
      readonly id: string;
      readonly verdict: "allow" | "deny";
      readonly scope: "once" | "session" | "time";
      /** With scope `time`. */
      readonly forMs: number | null;
      readonly reason: string;
    }
  /** Takes an exception back. */
  | { readonly do: "end"; readonly id: string }
  | {
      readonly do: "break-glass";
      /** `document/rule` */
      readonly rule: string;
      readonly scope: Readonly<Record<string, readonly (string | number)[]>>;
      readonly forMs: number;
      readonly reason: string;
      /** Where the policy is looked up that must know the rule. */
      readonly profile: string | null;
      readonly cwd: string;
    };

export type ConsoleAction =
  | {
      readonly do: "link";
      /** Null: 7400 or the next that is free. */
      readonly port: number | null;
      readonly roles: readonly Role[];
      /** Whom it is for; null: whoever runs the station. */
      readonly name: string | null;
      readonly language: "en" | "zh-CN";
    }
  | { readonly do: "links" }
  /** A link, somebody who is signed in, or `all`. */
  | { readonly do: "revoke"; readonly id: string }
  /** Ends it, if it runs. */
  | { readonly do: "stop" };

/** Fields as the action asks for them; `origin` null: it does not run. */
export interface ConsoleAnswer {
  readonly origin: string | null;
  readonly url?: string;
  readonly expiresAt?: number;
  readonly links?: readonly ConsoleLink[];
  readonly revoked?: number;
}

export interface ConsoleLink {
  readonly id: string;
  readonly principal: string;
  readonly roles: readonly string[];
  readonly state: "waiting" | "signed-in";
  readonly madeAt: number;
  readonly expiresAt: number;
  readonly seenAt: number | null;
}

/** What a line is told without having asked: a line for people, and the event where it is one. */
export interface News {
  readonly line: string | null;
  readonly event: Told | null;
}

export interface Reloaded {
  /** Sessions that are judged by other documents from now on. */
  readonly changed: readonly string[];
  /** Sessions that keep what they had, and why. */
  readonly rejected: readonly { readonly session: string; readonly at: string; readonly detail: string }[];
}

export interface Hello {
  readonly pid: number;
  readonly version: string;
  readonly startedAt: number;
  readonly sessions: readonly {
    readonly session: string;
    readonly agent: string;
    readonly workspace: string;
  }[];
  readonly ledgerSize: number;
}

export interface Started {
  readonly session: string;
  readonly plan: SandboxPlan;
  /** Directories of the control groups that the station has made for it; null: the client makes its own, where it can. */
  readonly groups: readonly string[] | null;
  /** Connections from inside the sandbox are joined to this socket. */
  readonly gatewaySocket: string;
  /** A line for the person before the agent starts: that its build is not vetted. */
  readonly note: string | null;
}

export interface Reached {
  readonly mayReach: boolean;
}

export interface Explained {
  readonly agent: { readonly name: string; readonly version: string | null; readonly executable: string };
  readonly policy: { readonly name: string; readonly sha256: string };
  /** Where the register has the build. */
  readonly admission: string;
  readonly plan: SandboxPlan;
  /** The profile of the wall on macOS, where that was asked for. */
  readonly seatbelt: string | null;
  /** The emitter of the agent's own settings (null: none fits), and who holds each grant. */
  readonly native: Pick<study.NativeSettings, "emitter" | "gaps">;
}

export interface Ended {
  readonly declaration: Declaration;
  /** Changes to the workspace wait for a review. */
  readonly isWaiting: boolean;
  readonly text: string;
  readonly colored: string;
}

interface FaultLine {
  readonly fault: {
    readonly code: string;
    readonly detail?: string;
    readonly at?: string;
    readonly remedy: string;
  };
}

/** The client's end. Owned by the command that opened it. */
export class StationLine {
  readonly #socket: net.Socket;
  readonly #waiting: { resolve: (value: unknown) => void; reject: (reason: Fault) => void }[] = [];
  #buffer = "";
  #onNews: (news: News) => void = () => {};
  #lost: Fault | null = null;
  /** Resolves when the station closes the line or dies. */
  readonly closed: Promise<void>;

  constructor(socket: net.Socket) {
    this.#socket = socket;
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => this.#take(text));
    socket.on("error", () => {}); // `close` follows and tells whoever waits
    this.closed = new Promise((resolve) => {
      socket.on("close", () => {
        this.#lost = new Fault("station.lost");
        for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#lost);
        resolve();
      });
    });
  }

  /** Asks and waits. Throws the station's fault, or `station.lost` when it dies before it has answered. */
  ask<T>(question: Question): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#lost !== null) {
        reject(this.#lost);
        return;
      }
      // The station answers each question with the shape that talk.ts names for it; both ends are one program.
      this.#waiting.push({ resolve: resolve as (value: unknown) => void, reject });
      this.#socket.write(`${JSON.stringify(question)}\n`);
    });
  }

  /** The answer to what was asked on this line before it was ours. */
  hear<T>(): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      // As in `ask`.
      if (this.#lost !== null) reject(this.#lost);
      else this.#waiting.push({ resolve: resolve as (value: unknown) => void, reject });
    });
  }

  /** Who hears what the station tells without being asked. */
  onNews(listener: (news: News) => void): void {
    this.#onNews = listener;
  }

  close(): void {
    this.#socket.end();
    this.#socket.unref();
  }

  #take(text: string): void {
    this.#buffer += text;
    for (let end = this.#buffer.indexOf("\n"); end >= 0; end = this.#buffer.indexOf("\n")) {
      const line = this.#buffer.slice(0, end);
      this.#buffer = this.#buffer.slice(end + 1);
      const answer: unknown = JSON.parse(line);
      if (isNews(answer)) {
        this.#onNews(answer.told);
        continue;
      }
      const waiting = this.#waiting.shift();
      if (isFaultLine(answer)) waiting?.reject(faultOf(answer));
      else waiting?.resolve(answer);
    }
  }
}

/** The fault as a line carries it. */
export function faultLine(fault: Fault): FaultLine {
  return {
    fault: {
      code: fault.code,
      remedy: fault.remedy,
      ...(fault.detail === undefined ? {} : { detail: fault.detail }),
      ...(fault.at === undefined ? {} : { at: fault.at }),
    },
  };
}

const isNews = (answer: unknown): answer is { readonly told: News } =>
  typeof answer === "object" && answer !== null && "told" in answer;

const isFaultLine = (answer: unknown): answer is FaultLine =>
  typeof answer === "object" && answer !== null && "fault" in answer;

function faultOf({ fault }: FaultLine): Fault {
  const code = fault.code in FAULTS ? (fault.code as FaultCode) : "internal.bug"; // checked on this line
  return new Fault(code, fault);
}
