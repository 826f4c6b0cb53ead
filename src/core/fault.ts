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
  "agent.unknown": kind(
    "no such agent or program",
    "name a known agent or give the path of a program",
    2,
    404,
  ),
  "agent.not-installed": kind("the agent is not installed", "install it", 6, 404),
  "agent.not-executable": kind("the program cannot be started", "check the path and its permissions", 6),
  "register.invalid": kind("the register is not valid", "correct the file", 2, 422),
  "register.stranger": kind(
    "the list of approvers does not name you",
    "ask an approver, or have your key added to approvers.yaml",
    4,
    403,
  ),
  "admission.refused": kind(
    "the register does not admit it",
    "see `sallyport register list`; somebody who may approve it runs `sallyport register approve`",
    4,
  ),
  "station.lost": kind(
    "the station stopped while it was needed",
    "look at station.log in the state folder, then run again: what was recorded is kept",
    5,
    503,
  ),
  "station.unreachable": kind(
    "the station cannot be started",
    "look at station.log in the state folder",
    5,
    503,
  ),
  "station.busy": kind("the station has running sessions", "end them first, or add --force", 2, 503),
  "session.unknown": kind("no such session in the ledger", "see `sallyport log`", 2),
  "setup.failed": kind(
    "something that is needed could not be installed",
    "install it by hand, then run this again",
    3,
  ),
  "profile.unknown": kind("no such profile", "see `sallyport profiles`", 2, 404),
  "profile.unreadable": kind("the profile cannot be read", "check the path and its permissions", 2),
  "control.missing": kind(
    "a control that the profile promises cannot be enforced here",
    "see `sallyport doctor`; or name a weaker profile yourself: --profile dangerously-unsandboxed",
    3,
  ),
  "ledger.locked": kind(
    "another process writes this ledger",
    "use the running station, or stop it first",
    5,
    503,
  ),
  "ledger.unreadable": kind(
    "the ledger on disk is not as it was written",
    "run `sallyport verify`; nothing is repaired by guessing, restore from a backup",
    5,
    503,
    "process",
  ),
  "ledger.forked": kind(
    "the ledger on disk is older than, or differs from, what its key has signed",
    "restore the newest copy; an old copy must not go on signing",
    5,
    503,
    "process",
  ),
  "ledger.full": kind("no space left for the ledger", "free space; the ledger goes on by itself", 5, 503),
  "ledger.readonly": kind(
    "the ledger cannot be written",
    "make its directory writable; the ledger goes on by itself",
    5,
    503,
  ),
  "ledger.failed": kind(
    "the disk failed under the ledger",
    "check the disk; the ledger reopens its journal at the next record",
    5,
    503,
  ),
  "ledger.oversize": kind(
    "a record is larger than the ledger holds",
    "split it; see docs/ledger-format.md",
    5,
    413,
  ),
  "ledger.closed": kind("the ledger is closed", "open it again", 5, 503),
  "ledger.key": kind(
    "a key of the ledger is missing or unusable",
    "restore the key directory from its own backup",
    5,
    503,
    "process",
  ),
  "ledger.kms": kind(
    "the command that wraps session keys failed",
    "check the command in organisation.keys and the key service behind it; until it works, evidence cannot be sealed or opened",
    5,
    503,
  ),
  "evidence.unknown": kind("no such evidence in this ledger", "see `sallyport show` for the ids", 5, 404),
  "evidence.erased": kind("the evidence was erased: its key is destroyed", "nothing brings it back", 5, 410),
  "evidence.held": kind("a legal hold forbids to erase this evidence", "lift the hold first", 5, 409),
  "sandbox.unavailable": kind(
    "the sandbox cannot be built on this machine",
    "see `sallyport doctor`; for bubblewrap: sudo apt-get install bubblewrap (dnf install, pacman -S, apk add)",
    3,
  ),
  "lab.silent": kind(
    "the build could not be vetted: it sent nothing",
    "run it by hand with a prompt as its argument and ANTHROPIC_BASE_URL or OPENAI_BASE_URL set",
    3,
  ),
  "sandbox.failed": kind("the sandbox could not be started", "see `sallyport doctor`", 6),
  "sandbox.workspace": kind(
    "this directory cannot be a workspace",
    "change to the directory of one project and run again",
    2,
  ),
  "sandbox.grant": kind(
    "the profile grants a path that no session may have",
    "name a narrower path in the profile's files",
    2,
  ),
  "sandbox.hide": kind("a hide pattern is too wide", "name the directory it is meant for", 2),
  "program.missing": kind(
    "there is no such program inside the sandbox",
    "install it, or grant its directory with files.read in the profile",
    127,
  ),
  "program.unusable": kind("the program cannot be started inside the sandbox", "check its permissions", 126),
  "state.full": kind(
    "there is no room to keep what a session needs",
    "free some space where the state folder lies, then run again",
    5,
    507,
  ),
  "retention.invalid": kind(
    "the retention rules are not valid",
    "correct the file; until then nothing is erased",
    2,
  ),
  "witness.invalid": kind(
    "the policy of witnesses is not valid",
    "correct the file: its form is c2sp.org/tlog-policy",
    2,
  ),
  "anchor.failed": kind(
    "the time-stamp authority gave no answer",
    "check its address; the ledger goes on and asks again",
    5,
    503,
  ),
  "anchor.invalid": kind(
    "a time stamp, or what says which to trust, does not hold",
    "check the authority's address and the file of trusted roots",
    5,
    503,
  ),
  "export.refused": kind(
    "the receiver of an export refuses what it is sent",
    "check its address, its headers and the format; the cursor stays where it was",
    2,
  ),
  "canonical.unrepresentable": kind(
    "a value has no canonical JSON form",
    "report this with the command that led to it",
    70,
  ),
  "policy.too-wide": kind(
    "the policy tells too many cases apart to walk them all",
    "split the documents, or name fewer hosts and classes in one",
    2,
  ),
  "policy.invalid": kind("a policy document is not valid", "correct the document at the place named", 2),
  "inspect.template": kind(
    "the template of a build is not one",
    "make it again: `sallyport template AGENT@VERSION`",
    2,
  ),
  "inspect.unreadable": kind(
    "a body that holds findings is not a document that can be edited",
    "nothing was sent; allow the finding's class for this destination, or keep the value out of the request",
    4,
    403,
  ),
  "inspect.index": kind(
    "an index of classified code cannot be used",
    "make it again with `sallyport classify` on this machine, or give both machines one findings.key",
    2,
  ),
  "inspect.full": kind(
    "this session has redacted more values than it can keep",
    "nothing was sent; start a new session",
    4,
    403,
  ),
  "inspect.failed": kind(
    "the request could not be inspected",
    "nothing was sent; report this with the detector's name if it happens again",
    4,
    403,
  ),
  "console.signed-out": kind(
    "nobody is signed in here",
    "run `sallyport console` and open the link that it prints",
    2,
    401,
  ),
  "console.link": kind(
    "this link does not sign anybody in: it was used, is over, or never was",
    "run `sallyport console` for a new one; each is good once, for five minutes",
    4,
    403,
  ),
  "console.forbidden": kind(
    "the link that you signed in with does not give you this",
    "ask whoever runs Sallyport for a link with the role",
    4,
    403,
  ),
  "console.origin": kind(
    "the request does not come from the console's own pages",
    "open the address that `sallyport console` prints; reload the page if the console was started again",
    4,
    403,
  ),
  "console.invalid": kind("the console does not understand the request", "reload the page", 2, 400),
  "console.unknown": kind("the console has no such thing", "reload the page", 2, 404),
  "console.too-many": kind("too many at once", "wait a minute", 4, 429),
  "console.port": kind("the console cannot listen on this port", "name another with --port", 6),
  "console.failed": kind("the console could not be started", "look at station.log in the state folder", 6),
  "internal.bug": kind("an internal check failed", "report this with the command that led to it", 70),
  "usage.invalid": kind("the command line is not understood", "see `sallyport --help`", 2, 400),
  "gateway.refused": kind(
    "the destination is refused by policy",
    "ask the owner of the rule that is named",
    4,
    403,
  ),
  "gateway.reply-refused": kind(
    "the reply gives orders to the agent's model, and policy keeps such from it",
    "look at the reply with `sallyport show`; a false positive is waived by its hash",
    4,
    403,
  ),
  "gateway.malformed": kind("the request is malformed", "correct the program that sent it", 4, 400),
  "gateway.too-large": kind("the request is over a size limit", "send less at once", 4, 413),
  "gateway.unreadable": kind(
    "the request body cannot be read for inspection",
    "send it without a content-encoding, or with gzip, br, zstd or deflate",
    4,
    415,
  ),
  "gateway.unredacted": kind(
    "a value that policy wants replaced stands where it cannot be, so nothing was sent",
    "keep the value out of what the agent sends, or ask the owner of the rule that is named",
    4,
    403,
  ),
  "gateway.not-approved": kind(
    "a rule asks for a person's yes and there was none, so nothing was sent",
    "see `sallyport approvals`",
    4,
    403,
  ),
  "gateway.unroutable": kind(
    "policy wants this sent to a server of our own and it cannot be, so nothing was sent",
    "see `rerouteTo` of the rule, and `sallyport models` for the servers that are set up",
    4,
    403,
  ),
  "gateway.over-budget": kind(
    "a budget is used up, so nothing was sent",
    "see the rule that is named",
    4,
    403,
  ),
  "approval.unknown": kind("no such open question or exception", "see `sallyport approvals`", 2, 404),
  "approval.refused": kind("this answer does not count", "see the policy's `approvals` section", 4, 403),
  "workspace.too-large": kind(
    "the workspace has too many files for a snapshot, so the session could not be undone",
    "run in a smaller folder",
    6,
  ),
  "undo.unknown": kind(
    "there is no snapshot of what this session found",
    "the last thirty sessions of a workspace can be undone, unless they ran with --no-undo",
    2,
  ),
  "undo.refused": kind("nothing was put back", "see `sallyport undo <session> --list`", 6),
  "review.unknown": kind("there is nothing of this session to look at", "see `sallyport review`", 2),
  "review.refused": kind("nothing was taken or discarded", "see `sallyport review <session>`", 6),
  "review.failed": kind(
    "what the session wrote cannot be read",
    "it is kept; build the helper with `sallyport setup`, then again",
    6,
  ),
  "models.invalid": kind("the list of our own model servers is not valid", "correct the file", 2),
  "gateway.unrecorded": kind(
    "the record of the request could not be made durable, so nothing was sent",
    "see `sallyport doctor`: check the space and the health of the disk that holds the ledger",
    5,
    503,
  ),
  "gateway.busy": kind("the gateway is at its limit of work under way", "try again in a moment", 5, 503),
  "gateway.unresolved": kind(
    "the name of the destination cannot be resolved",
    "check the name and this machine's name service",
    6,
    502,
  ),
  "gateway.address-refused": kind(
    "the destination's address is not one that may be dialled",
    "private addresses need a rule that allows them for this host",
    4,
    403,
  ),
  "gateway.unreachable": kind(
    "the destination cannot be reached",
    "check this machine's connection to it",
    6,
    502,
  ),
  "gateway.tls": kind(
    "the destination's certificate is not trusted",
    "if your organisation has its own root certificate, add it to the gateway's roots",
    6,
    502,
  ),
  "gateway.sentinel": kind(
    "a stand-in for a credential was sent where it does not belong",
    "find out what sent it: the agent, a tool or the repository may be trying to take the credential away",
    4,
    403,
  ),
  "gateway.handshake": kind(
    "the agent did not complete TLS with the gateway",
    "the program must trust the session's certificate: see the certificate variables in `sallyport run --explain`",
    6,
    502,
  ),
  "gateway.broken": kind("the destination broke off the connection", "try again", 6, 502),
  "gateway.bad-reply": kind(
    "the destination's reply is not well-formed",
    "try again; if it stays, tell the destination's operator",
    6,
    502,
  ),
  "gateway.timeout": kind("the destination did not answer in time", "try again", 6, 504),
  "gateway.aborted": kind("the agent left before the reply was complete", "nothing to do", 6, 499),
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
