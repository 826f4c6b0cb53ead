/**
 * Starts a planned session: lays out descriptors, spawns, receives the listener from inside, waits until the agent's
 * program has replaced the first stage. Runs in the client that owns the terminal, so it is light: Node's own modules
 * only, nothing left on disk, no process of ours besides bubblewrap's.
 *
 * Who dies with whom: bubblewrap dies with this process (PDEATHSIG), everything inside dies with bubblewrap (PID
 * namespace); a `kill -9` of the client leaves nothing. In the short time before bubblewrap has set that up, the first
 * stage waits for our answer on the channel, and ends when the channel breaks.
 *
 * Signals: the terminal sends Ctrl-C, Ctrl-\, Ctrl-Z and resize to the whole foreground group, so the agent has them
 * already. From here to the program's end this process does not die of Ctrl-C and Ctrl-\: before the program has started
 * they give up, then they are the agent's alone. Other signals the caller passes on with `signal`; a program that does not end on SIGTERM or SIGHUP is killed after a grace.
 *
 * Failure contract: `launch` either resolves with a running program, or rejects with a Fault and leaves nothing running.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, constants, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { constants as osConstants, tmpdir } from "node:os";
import { join } from "node:path";
import { Fault } from "../core/index.ts";
import type { SandboxPlan } from "./plan.ts";
import { DESCRIPTOR } from "./stage.ts";

export interface Launched {
  /** The program's exit code; 128 + n if signal n ended it. Never rejects. */
  readonly exit: Promise<{ readonly code: number }>;
  /** Delivers a signal to the program itself (not to bubblewrap). False when it has gone already. */
  signal(name: NodeJS.Signals): boolean;
}

export interface LaunchOptions {
  /** A connection that a program made to 127.0.0.1:proxyPort. Half-open is allowed; errors are the receiver's. */
  onConnection(socket: Socket): void;
}

/** From spawning to the program's start; a loaded machine needs under a second. */
const START_LIMIT_MS = 20_000;
/** Between passing SIGTERM or SIGHUP on and killing what is left. */
const GRACE_MS = 5_000;
/** Of bubblewrap's own words, kept for the error message. */
const MAX_COMPLAINT_BYTES = 8_192;
/** Linux, all architectures Node runs on: __O_TMPFILE; with O_DIRECTORY an unnamed file. */
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;

/**
 * Resolves when the program has started. Rejects with `program.missing` (exit code 127), `program.unusable` (126), or
 * `sandbox.failed` with bubblewrap's own message.
 */
export async function launch(plan: SandboxPlan, options: LaunchOptions): Promise<Launched> {
  return plan.kind === "none" ? launchBare(plan, options) : launchInside(plan, options);
}

async function launchInside(plan: SandboxPlan, options: LaunchOptions): Promise<Launched> {
  const child = spawnWithDescriptors(plan);
  const exited = new Promise<{ code: number }>((resolve) => {
    child.once("exit", (code, signal) => resolve({ code: exitCode(code, signal) }));
  });
  const complaint = collect(child.stdio[2], MAX_COMPLAINT_BYTES);
  const information = collect(extra(child, DESCRIPTOR.information), 4096);
  const heard: Heard = { listener: null, programPid: null, refusal: null, problem: "" };
  child.on("message", (message: unknown, handle: unknown) => {
    if (message === "listener" && heard.listener === null && isServer(handle)) {
      heard.listener = handle;
      // Read for each connection (lib/net.js), though not in the published types: a reply may follow the end of a request.
      Object.assign(handle, { allowHalfOpen: true });
      handle.on("connection", options.onConnection);
      heard.programPid = childOf(sandboxPid(information.text()));
    } else if (isRefusal(message)) heard.refusal = message;
    else if (isProblem(message)) heard.problem = message.problem;
  });
  const release = holdKeys(() => {
    heard.problem = "interrupted";
    child.kill("SIGKILL");
  });
  void exited.then(() => {
    release.all();
    heard.listener?.close();
  });
  const giveUp = setTimeout(() => {
    heard.problem = `not started within ${START_LIMIT_MS / 1000} s`;
    child.kill("SIGKILL");
  }, START_LIMIT_MS);
  const failure = await new Promise<Error | null>((resolve) => {
    child.once("error", resolve);
    // End of the channel: the stage has become the program, or has ended.
    child.once("disconnect", () => resolve(null));
  });
  clearTimeout(giveUp);
  if (failure !== null) {
    release.all();
    throw new Fault("sandbox.failed", { detail: failure.message, cause: failure });
  }
  if (heard.listener !== null && heard.refusal === null && heard.problem === "") {
    release.started();
    const send = (name: NodeJS.Signals): boolean => sendTo(heard.programPid, information.text(), name);
    return { exit: exited, signal: sender(send, child) };
  }
  const { code } = await exited;
  const { refusal } = heard;
  if (refusal !== null) throw programFault(plan.program[0] ?? "", refusal.execError, refusal.there === 1);
  await complaint.ended;
  const detail = heard.problem || oneLine(complaint.text()) || `it ended with code ${code}`;
  throw new Fault("sandbox.failed", { detail });
}

/** What the first stage has said on the channel. Owned by {@link launchInside}. */
interface Heard {
  listener: Server | null;
  programPid: number | null;
  refusal: Refusal | null;
  problem: string;
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

function spawnWithDescriptors(plan: SandboxPlan): ChildProcess {
  const opened: number[] = [];
  const hold = (bytes: Uint8Array): number => {
    const fd = unnamedFile(bytes);
    opened.push(fd);
    return fd;
  };
  try {
    const stdio: ("inherit" | "pipe" | "ipc" | "ignore" | number)[] = ["inherit", "inherit", "pipe"];
    stdio[DESCRIPTOR.channel] = "ipc";
    stdio[DESCRIPTOR.stderr] = 2;
    stdio[DESCRIPTOR.information] = "pipe";
    stdio[plan.argsDescriptor] = hold(Buffer.from(plan.bwrapArgs.map((arg) => `${arg}\0`).join("")));
    stdio[plan.seccompDescriptor] = hold(Buffer.from(plan.seccomp, "base64"));
    for (const { fd, text } of plan.descriptors) stdio[fd] = hold(Buffer.from(text));
    return spawn(plan.file, plan.args, {
      stdio,
      env: { ...plan.environment },
      cwd: "/",
      shell: false,
      serialization: "json",
    });
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}

/** A readable descriptor of these bytes, at offset 0, that has no name: a killed client leaves nothing behind. */
function unnamedFile(bytes: Uint8Array): number {
  for (const directory of ["/dev/shm", tmpdir()]) {
    try {
      const fd = openSync(directory, O_TMPFILE | constants.O_RDWR, 0o600);
      writeSync(fd, bytes, 0, bytes.length, 0);
      return fd;
    } catch {
      // This file system has no unnamed files; try the next.
    }
  }
  const name = join(tmpdir(), `sallyport-${process.pid}-${performance.now()}`);
  const fd = openSync(name, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
  rmSync(name);
  writeSync(fd, bytes, 0, bytes.length, 0);
  return fd;
}

/** Without a wall: a listener on the host's loopback, then the program as it is. */
async function launchBare(plan: SandboxPlan, options: LaunchOptions): Promise<Launched> {
  const server = createServer({ allowHalfOpen: true }, options.onConnection);
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
  const exited = new Promise<{ code: number }>((resolve) => {
    child.once("exit", (code, signal) => resolve({ code: exitCode(code, signal) }));
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
  return { exit: exited, signal: sender((name) => child.exitCode === null && child.kill(name), child) };
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

/** Sends, and after a request to end sees to it that the program does. */
function sender(
  send: (name: NodeJS.Signals) => boolean,
  child: ChildProcess,
): (name: NodeJS.Signals) => boolean {
  let killer: NodeJS.Timeout | undefined;
  child.once("exit", () => clearTimeout(killer));
  return (name) => {
    const isSent = send(name);
    if (isSent && (name === "SIGTERM" || name === "SIGHUP"))
      killer ??= setTimeout(() => child.kill("SIGKILL"), GRACE_MS);
    return isSent;
  };
}

/** bubblewrap's `--info-fd`: `{"child-pid": N, …}`, N being pid 1 of the sandbox. */
function sandboxPid(information: string): number | null {
  const found = /"child-pid":\s*(\d+)/.exec(information)?.[1];
  return found === undefined ? null : Number(found);
}

/** The first child of the sandbox's pid 1: the stage, and from its exec on the program, under the same number. */
function childOf(pid: number | null): number | null {
  if (pid === null) return null;
  try {
    const first = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ")[0];
    return first === undefined || first === "" ? null : Number(first);
  } catch {
    return null; // gone, or a kernel without the file
  }
}

/** Sends only while the number still belongs to a child of the sandbox's pid 1: it may have been given away. */
function sendTo(known: number | null, information: string, name: NodeJS.Signals): boolean {
  const init = sandboxPid(information);
  const pid = known ?? childOf(init);
  if (pid === null || init === null) return false;
  try {
    const status = readFileSync(`/proc/${pid}/stat`, "utf8");
    // After the command's name in parentheses: state, parent.
    const parentPid = Number(status.slice(status.lastIndexOf(")") + 2).split(" ")[1]);
    return parentPid === init && process.kill(pid, name);
  } catch {
    return false; // it ended in between
  }
}

function exitCode(code: number | null, signal: NodeJS.Signals | null): number {
  return code ?? 128 + (signal === null ? 0 : osConstants.signals[signal]);
}

interface Collected {
  text(): string;
  readonly ended: Promise<void>;
}

/** Of the descriptors past standard error, which the types do not know. */
function extra(child: ChildProcess, fd: number): unknown {
  const streams: readonly unknown[] = child.stdio;
  return streams[fd];
}

function collect(stream: unknown, maxBytes: number): Collected {
  const chunks: Buffer[] = [];
  let size = 0;
  // The entries named here are pipes, which a spawned child's stdio gives as sockets.
  const socket = stream as Socket | null | undefined;
  const ended = new Promise<void>((resolve) => {
    if (!socket) return resolve();
    socket.on("data", (chunk: Buffer) => {
      if (size < maxBytes) chunks.push(chunk);
      size += chunk.length;
    });
    socket.once("close", () => resolve());
    socket.on("error", () => resolve());
  });
  return { text: () => Buffer.concat(chunks).toString("utf8"), ended };
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
