/**
 * Starts a planned session: lays out descriptors, spawns, receives the listener from inside, waits until the agent's
 * program has replaced the first stage. Runs in the client that owns the terminal, so it is light: Node's own modules
 * only, nothing left on disk, no process of ours besides the helper (helper/launch.c) and bubblewrap's.
 *
 * Who dies with whom: bubblewrap dies with this process (PDEATHSIG), everything inside dies with bubblewrap (PID
 * namespace); a `kill -9` of the client leaves nothing. bubblewrap's inner half sets that up only after some ten
 * milliseconds of mounting; therefore the first stage waits for our answer on the channel, and ends when it breaks.
 *
 * Signals: with the helper, on a terminal, the program has one of its own, which sends it Ctrl-C, Ctrl-\, Ctrl-Z and resize
 * (helper/terminal.c). Else the person's terminal sends them to the whole foreground group, so the agent has them already. From here to the program's end this process does not die of Ctrl-C and Ctrl-\: until the first stage has its
 * answer they give up, then they are the agent's alone. Other signals the caller passes on with `signal`; a program that does not end on SIGTERM or SIGHUP is killed after a grace.
 *
 * Failure contract: `launch` either resolves with a running program, or rejects with a Fault and leaves nothing running.
 */
import { spawn } from "node:child_process";
import { Socket as DatagramSocket } from "node:dgram";
import { readFileSync, readSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { constants as osConstants } from "node:os";
import { isatty } from "node:tty";
import { Fault } from "../core/index.ts";
import { type Cgroup, openCgroup } from "./cgroup.ts";
import { type DiskEnd, watchDisk } from "./disk.ts";
import { Names } from "./names.ts";
import { exitCode, type Outside, startOutside } from "./outside.ts";
import type { SandboxPlan } from "./plan.ts";

export { type EarlyOutside, outsideOf } from "./outside.ts";

export interface Launched {
  /** Never rejects. */
  readonly exit: Promise<Ended>;
  /** Delivers a signal to the program itself (not to bubblewrap). False when it has gone already. */
  signal(name: NodeJS.Signals): boolean;
}

export interface Ended {
  /** The program's exit code; 128 + n if signal n ended it. */
  readonly code: number;
  /** Control sequences that would have used the person's terminal against them, and did not reach it. */
  readonly withheld: number;
  /** The disk that ended it: too full, or not to be asked. */
  readonly diskEnd: DiskEnd | null;
}

export interface LaunchOptions {
  /**
   * A connection that a program made: to 127.0.0.1:proxyPort, or (`to`) to some other host without knowing of the proxy.
   * Half-open is allowed; errors are the receiver's.
   */
  onConnection(socket: Socket, to: Target | null): void;
  /**
   * Whether a program may connect there, port null: to any port of it. Asked so that a refusal is quick; what is sent is
   * judged again. Left out: nowhere but to the proxy.
   */
  mayReach?(host: string, port: number | null): Promise<boolean>;
  /** Where the plan's wall is being built already. It is given up with everything else that fails. */
  readonly outside?: Outside | null;
  /** Directories of control groups that whoever planned has made for the session. Left out: it gets its own here, where it can. */
  readonly groups?: readonly string[];
}

/** Where a program wanted to go: a name if it asked for one, else an address. */
export interface Target {
  readonly host: string;
  readonly port: number;
}

/** From spawning to the program's start; a loaded machine needs under a second. */
const START_LIMIT_MS = 20_000;
/** Between passing SIGTERM or SIGHUP on and killing what is left. */
const GRACE_MS = 5_000;

/**
 * Resolves when the program has started. Rejects with `program.missing` (exit code 127), `program.unusable` (126), or
 * `sandbox.failed` with bubblewrap's own message.
 */
export async function launch(plan: SandboxPlan, options: LaunchOptions): Promise<Launched> {
  return plan.kind === "none" ? launchBare(plan, options) : launchInside(plan, options);
}

async function launchInside(plan: SandboxPlan, options: LaunchOptions): Promise<Launched> {
  const isOnTerminal = plan.stage === "helper" && isatty(0) && isatty(1);
  const outside = options.outside ?? startOutside(plan, isOnTerminal, options.groups ?? []);
  const group =
    plan.groupLimits === null || options.groups !== undefined
      ? null
      : openCgroup(plan.groupLimits, String(outside.pid));
  // The first move makes the kernel wait for some milliseconds, which bubblewrap uses to mount. Not the helper: it must
  // live where a program inside eats all memory, and says bubblewrap's number itself.
  if (plan.stage !== "helper") enter(group, outside.pid);
  const heard: Heard = {
    ...{ listener: null, program: null, isStarting: false, refusal: null, problem: "", withheld: 0 },
    caught: new Catching(outside, options),
    onWall: (pid) => enter(group, pid),
    onStarted: () => {},
  };
  const abandon = (problem: string): void => {
    heard.problem = problem;
    // The inner half may not be bound to the outer one yet: the helper sees to both, and otherwise the first stage must
    // not get its answer.
    outside.kill(plan.stage === "helper" ? "SIGTERM" : "SIGKILL");
    outside.hangUp();
  };
  const release = holdKeys(() => abandon("interrupted"));
  const isOver = new Promise<Error | null>((resolve) => {
    void outside.ended.then((end) => end instanceof Error && resolve(end));
    // Without the helper, the end of the channel: the stage has become the program, or has ended.
    void outside.silent.then(() => resolve(null));
    heard.onStarted = () => resolve(null);
  });
  hear(outside, heard, options, () => {
    heard.program = findProgram(outside.information);
    // What bubblewrap had started before the move; the stage starts nothing until it is answered.
    enter(group, heard.program?.parent);
    enter(group, heard.program?.pid);
    release.started();
  });
  void outside.ended.then(() => {
    release.all();
    heard.listener?.close();
    heard.caught.close();
  });
  const giveUp = setTimeout(() => abandon(`not started within ${START_LIMIT_MS / 1000} s`), START_LIMIT_MS);
  const failure = await isOver;
  clearTimeout(giveUp);
  if (failure !== null) {
    release.all();
    outside.close();
    throw new Fault("sandbox.failed", { detail: failure.message, cause: failure });
  }
  if (heard.listener !== null && heard.isStarting && heard.refusal === null && heard.problem === "") {
    outside.close();
    return running(plan, outside, heard, group);
  }
  const code = await outside.ended;
  group?.close();
  const { refusal } = heard;
  if (refusal !== null) {
    outside.close();
    throw programFault(plan.program[0] ?? "", refusal.execError, refusal.there === 1);
  }
  const detail = heard.problem || oneLine(await outside.complaint()) || `it ended with code ${code}`;
  outside.close();
  throw new Fault("sandbox.failed", { detail });
}

function running(plan: SandboxPlan, outside: Outside, heard: Heard, group: Cgroup | null): Launched {
  let diskEnd: DiskEnd | null = null;
  const stopWatching = watchDisk(plan.disk, (end) => {
    diskEnd = end;
    outside.kill(plan.stage === "helper" ? "SIGTERM" : "SIGKILL");
  });
  const exit = outside.ended.then(async (code) => {
    stopWatching();
    await vanished(heard.program?.parent ?? 0);
    group?.close();
    // An error is one of starting, and it has started.
    return { code: typeof code === "number" ? code : 1, withheld: heard.withheld, diskEnd };
  });
  return { exit, signal: sender((name) => sendTo(heard.program, name), outside) };
}

function enter(group: Cgroup | null, pid: number | undefined): void {
  try {
    if (pid !== undefined) group?.enter(pid);
  } catch {
    // It has ended already, which is heard on its own.
  }
}

/** Listens to the first stage; `onListener` runs while it waits for its answer. */
function hear(outside: Outside, heard: Heard, options: LaunchOptions, onListener: () => void): void {
  outside.hear((message: unknown, handle: unknown) => {
    if (message === "listener" && heard.listener === null && isServer(handle)) {
      heard.listener = handle;
      // Read for each connection (lib/net.js), though not in the published types: a reply may follow the end of a request.
      Object.assign(handle, { allowHalfOpen: true });
      handle.on("connection", (socket: Socket) => options.onConnection(socket, null));
      onListener();
      outside.say("go");
    } else if (message === "starting") heard.isStarting = true;
    else if (isRefusal(message)) {
      heard.refusal = message;
      heard.onStarted();
    } else if (isProblem(message)) heard.problem = message.problem;
    else if (typeof message === "object" && message !== null) hearHelper(message, handle, heard);
  });
}

/** The helper's own words: see helper/launch.c. */
function hearHelper(message: object, handle: unknown, heard: Heard): void {
  if ("wall" in message && typeof message.wall === "number") heard.onWall(message.wall);
  else if ("started" in message) {
    heard.isStarting = true;
    heard.onStarted();
  } else if ("withheld" in message && typeof message.withheld === "number") heard.withheld = message.withheld;
  else if ("names" in message && handle instanceof DatagramSocket) heard.caught.serveNames(handle);
  else if ("caught" in message && isServer(handle)) heard.caught.serve(handle);
  else if ("ask" in message && Array.isArray(message.ask)) void heard.caught.decide(message.ask);
}

/** What the first stage and the helper have said on the channel. Owned by {@link launchInside}. */
interface Heard {
  listener: Server | null;
  program: ProgramPid | null;
  isStarting: boolean;
  refusal: Refusal | null;
  problem: string;
  /** Control sequences that did not reach the person's terminal. */
  withheld: number;
  readonly caught: Catching;
  readonly onWall: (pid: number) => void;
  onStarted: () => void;
}

/** Connections of programs that know of no proxy: their names, whether they may be made, and where they lead. */
class Catching {
  readonly #outside: Outside;
  readonly #options: LaunchOptions;
  readonly #names = new Names();
  /** Sockets that live in the sandbox's network; closed when it has gone. */
  readonly #open: { close(): unknown }[] = [];
  #isClosed = false;

  constructor(outside: Outside, options: LaunchOptions) {
    this.#outside = outside;
    this.#options = options;
  }

  serveNames(socket: DatagramSocket): void {
    if (!this.#keep(socket)) return;
    socket.on("error", () => {}); // a program that did not wait for its answer
    socket.on("message", (packet, from) => {
      void this.#names
        .answer(packet, (name) => this.#mayReach(name, null))
        .then((answer) => answer !== null && socket.send(answer, from.port, from.address))
        .catch(() => {}); // the socket was closed meanwhile; the program's own deadline answers
    });
  }

  serve(server: Server): void {
    if (!this.#keep(server)) return;
    Object.assign(server, { allowHalfOpen: true });
    server.on("connection", (socket: Socket) => {
      const host = this.#names.hostAt(socket.localAddress ?? "");
      if (host === null) socket.resetAndDestroy();
      else this.#options.onConnection(socket, { host, port: socket.localPort ?? 0 });
    });
  }

  /** The helper holds a program's call until this is answered: `[id, address, port]`. */
  async decide([id, address, port]: readonly unknown[]): Promise<void> {
    const host = this.#names.hostAt(String(address));
    const isAllowed = host !== null && (await this.#mayReach(host, Number(port)));
    this.#outside.say({ answer: [id, isAllowed ? 1 : 0, host ?? ""] });
  }

  /** No answer is a no. */
  async #mayReach(host: string, port: number | null): Promise<boolean> {
    try {
      return (await this.#options.mayReach?.(host, port)) ?? false;
    } catch {
      return false;
    }
  }

  /** False when the session is over: Node tells of a socket some time after it came. */
  #keep(socket: { close(): unknown }): boolean {
    if (this.#isClosed) socket.close();
    else this.#open.push(socket);
    return !this.#isClosed;
  }

  close(): void {
    this.#isClosed = true;
    for (const socket of this.#open.splice(0)) socket.close();
  }
}

interface Refusal {
  readonly execError: number;
  readonly there: number;
}

/** Until released: Ctrl-C and Ctrl-\ call `abandon`, and from `started` on they do nothing here. */
function holdKeys(abandon: () => void): { started(): void; all(): void } {
  let act = abandon;
  const held = (): void => act();
  for (const name of ["SIGINT", "SIGQUIT"] as const) process.on(name, held);
  return {
    started: () => {
      act = () => {};
    },
    all: () => {
      for (const name of ["SIGINT", "SIGQUIT"] as const) process.off(name, held);
    },
  };
}

/** Without a wall: a listener on the host's loopback, then the program as it is. */
async function launchBare(plan: SandboxPlan, options: LaunchOptions): Promise<Launched> {
  const server = createServer({ allowHalfOpen: true }, (socket) => options.onConnection(socket, null));
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) =>
      reject(
        new Fault("sandbox.failed", { at: `127.0.0.1:${plan.proxyPort}`, detail: cause.message, cause }),
      ),
    );
    server.listen({ port: plan.proxyPort, host: "127.0.0.1" }, resolve);
  });
  const child = spawn(plan.file, plan.args, {
    stdio: "inherit",
    env: { ...plan.environment },
    cwd: plan.cwd,
    shell: false,
  });
  const exited = new Promise<Ended>((resolve) => {
    child.once("exit", (code, signal) =>
      resolve({ code: exitCode(code, signal), withheld: 0, diskEnd: null }),
    );
  });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (cause: NodeJS.ErrnoException) => {
      server.close();
      reject(programFault(plan.file, Math.abs(cause.errno ?? 0), cause.code !== "ENOENT"));
    });
  });
  const release = holdKeys(() => {});
  void exited.then(() => {
    release.all();
    server.close();
  });
  const bare = { ended: exited, kill: (name: NodeJS.Signals) => child.kill(name) };
  return { exit: exited, signal: sender((name) => child.exitCode === null && child.kill(name), bare) };
}

function programFault(program: string, errno: number, isThere: boolean): Fault {
  const { ENOENT } = osConstants.errno;
  if (errno === ENOENT && !isThere) return new Fault("program.missing", { at: program });
  const reason =
    errno === ENOENT
      ? "its interpreter or loader is not visible inside"
      : (Object.entries(osConstants.errno).find(([, number]) => number === errno)?.[0] ?? `error ${errno}`);
  return new Fault("program.unusable", { at: program, detail: reason });
}

/**
 * Resolves when the sandbox's pid 1 has gone, and with it, as the kernel sees to that first, everything inside.
 * bubblewrap's outer half does not wait for it. Gives up after a second: then a kernel call hangs, and so would we.
 */
async function vanished(pid: number): Promise<void> {
  const end = performance.now() + 1_000;
  while (performance.now() < end) {
    try {
      const status = readFileSync(`/proc/${pid}/stat`, "utf8");
      if (status.slice(status.lastIndexOf(")") + 2).startsWith("Z")) return;
    } catch {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Sends, and after a request to end sees to it that the program does. */
function sender(
  send: (name: NodeJS.Signals) => boolean,
  outside: { readonly ended: Promise<unknown>; kill(name: NodeJS.Signals): boolean },
): (name: NodeJS.Signals) => boolean {
  let killer: NodeJS.Timeout | undefined;
  void outside.ended.then(() => clearTimeout(killer));
  return (name) => {
    const isSent = send(name);
    if (isSent && (name === "SIGTERM" || name === "SIGHUP"))
      killer ??= setTimeout(() => outside.kill("SIGKILL"), GRACE_MS);
    return isSent;
  };
}

/** The program's number on the host, and that of its parent, the sandbox's pid 1. */
interface ProgramPid {
  readonly pid: number;
  readonly parent: number;
}

/**
 * From bubblewrap's `--info-fd` (`{"child-pid": N, …}`, N being the sandbox's pid 1), while the first stage waits for
 * us and is therefore N's only child; the program keeps its number. Null on a kernel that does not list children.
 */
function findProgram(information: number): ProgramPid | null {
  const bytes = Buffer.alloc(4096);
  const text = bytes.toString("utf8", 0, readSync(information, bytes, 0, bytes.length, 0));
  const parent = Number(/"child-pid":\s*(\d+)/.exec(text)?.[1] ?? 0);
  try {
    const pid = Number.parseInt(readFileSync(`/proc/${parent}/task/${parent}/children`, "utf8"), 10);
    return pid > 0 ? { pid, parent } : null;
  } catch {
    return null; // signals then go nowhere, and `signal` says so
  }
}

/** Sends only while the number still belongs to a child of that parent: it may have been given away. */
function sendTo(program: ProgramPid | null, name: NodeJS.Signals): boolean {
  if (program === null) return false;
  try {
    const status = readFileSync(`/proc/${program.pid}/stat`, "utf8");
    // After the command's name in parentheses: state, parent.
    const parent = Number(status.slice(status.lastIndexOf(")") + 2).split(" ")[1]);
    return parent === program.parent && process.kill(program.pid, name);
  } catch {
    return false; // it ended in between
  }
}

const oneLine = (text: string): string =>
  text
    .trim()
    .replace(/^bwrap: /, "bubblewrap says: ")
    .replaceAll(/\s*\n\s*/g, "; ");

function isServer(handle: unknown): handle is Server {
  return typeof handle === "object" && handle !== null && "close" in handle && "listening" in handle;
}

function isRefusal(message: unknown): message is Refusal {
  return (
    typeof message === "object" &&
    message !== null &&
    "execError" in message &&
    typeof message.execError === "number" &&
    "there" in message &&
    typeof message.there === "number"
  );
}

function isProblem(message: unknown): message is { problem: string } {
  return (
    typeof message === "object" &&
    message !== null &&
    "problem" in message &&
    typeof message.problem === "string"
  );
}
