/**
 * Everything that can go wrong, in one table. The type system refuses a code that is not in it, and a test keeps
 * docs/errors.md equal to it.
 *
 * `stops`: "request" means this request or command fails and nothing else; "process" means the process must stop,
 * because what is durable is no longer known.
 * Exit codes: 2 usage, 3 a promised control is missing, 4 refused by policy, 5 ledger, 6 agent or sandbox, 7 verification
 * found something, 70 a bug in Sallyport.
 */
export interface FaultKind {
  readonly summary: string;
  readonly remedy: string;
  readonly exitCode: number;
  readonly httpStatus: number;
  readonly stops: "request" | "process";
}

const kind = (
  summary: string,
  remedy: string,
  exitCode: number,
  httpStatus = 500,
  stops: "request" | "process" = "request",
): FaultKind => ({ summary, remedy, exitCode, httpStatus, stops });

export const FAULTS = {
  "agent.unknown": kind("no such agent or program", "name a known agent or give the path of a program", 2),
  "agent.not-installed": kind("the agent is not installed", "install it", 6),
  "agent.not-executable": kind("the program cannot be started", "check the path and its permissions", 6),
  "register.invalid": kind("the register of destinations is not valid", "correct the file", 2),
  "canonical.unrepresentable": kind(
    "a value has no canonical JSON form",
    "report this with the command that led to it",
    70,
  ),
  "internal.bug": kind("an internal check failed", "report this with the command that led to it", 70),
  "usage.invalid": kind("the command line is not understood", "see `sallyport --help`", 2),
} as const satisfies Record<string, FaultKind>;

export type FaultCode = keyof typeof FAULTS;

export interface FaultContext {
  /** What exactly, in lower case, no full stop; never a secret, never a whole body. */
  readonly detail?: string;
  /** Where: `file:line:column path`, a socket, a host. */
  readonly at?: string;
  /** What to do here, when it is more precise than the table's remedy. */
  readonly remedy?: string;
  readonly cause?: unknown;
}

/** The only error type that crosses a folder's door. */
export class Fault extends Error {
  readonly code: FaultCode;
  readonly detail: string | undefined;
  readonly at: string | undefined;
  readonly remedy: string;

  constructor(code: FaultCode, context: FaultContext = {}) {
    super(
      context.detail === undefined ? FAULTS[code].summary : `${FAULTS[code].summary}: ${context.detail}`,
      {
        cause: context.cause,
      },
    );
    this.name = "Fault";
    this.code = code;
    this.detail = context.detail;
    this.at = context.at;
    this.remedy = context.remedy ?? FAULTS[code].remedy;
  }

  get kind(): FaultKind {
    return FAULTS[this.code];
  }
}

/** Any thrown thing as a Fault: itself, or `internal.bug` with the original as its cause. */
export function asFault(thrown: unknown): Fault {
  if (thrown instanceof Fault) return thrown;
  const detail = thrown instanceof Error ? thrown.message : String(thrown);
  return new Fault("internal.bug", { detail, cause: thrown });
}
