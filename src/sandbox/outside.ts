/**
 * The process outside of the wall, as the launching client speaks with it: one that it starts itself, or one that was
 * started while Node was (helper/early.c) and speaks on Node's own channel, as if it were our parent.
 *
 * Failure contract: `ended` resolves once, when the process has gone, and never rejects.
 */
import { spawn } from "node:child_process";
import { closeSync, constants, openSync, readSync, rmSync, writeSync } from "node:fs";
import { constants as osConstants, tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { SandboxPlan } from "./plan.ts";
import { DESCRIPTOR } from "./stage.ts";

export interface Outside {
  readonly pid: number | undefined;
  /** The file that bubblewrap writes its `--info-fd` to. */
  readonly information: number;
  /** With its exit code, 128 + n if signal n ended it; an error when it could not be started. */
  readonly ended: Promise<number | Error>;
  /** Its channel is closed: without the helper, the first stage has become the program, or has ended. */
  readonly silent: Promise<void>;
  readonly isConnected: boolean;
  hear(listener: (message: unknown, handle: unknown) => void): void;
  /** To one that has gone: nothing; its end is heard on its own. */
  say(message: string | object): void;
  hangUp(): void;
  kill(name: NodeJS.Signals): boolean;
  /** What it and bubblewrap complained of, when it has ended. */
  complaint(): Promise<string>;
  close(): void;
}

/** What the environment tells of a wall that is being built: see helper/early.c. */
export interface EarlyWall {
  readonly pid: number;
  readonly complaint: number;
  readonly information: number;
}

/** Of bubblewrap's own words, kept for the error message. */
const MAX_COMPLAINT_BYTES = 8_192;
/** Linux, all architectures Node runs on: __O_TMPFILE; with O_DIRECTORY an unnamed file. */
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;
/** A helper that could not say how it ended was killed. */
const KILLED = 128 + osConstants.signals.SIGKILL;

/** `isOnTerminal`: the program gets a terminal of its own, by the helper. */
export function startOutside(plan: SandboxPlan, isOnTerminal: boolean, groups: readonly string[]): Outside {
  const opened: number[] = [];
  const hold = (bytes: Uint8Array): number => {
    const fd = unnamedFile(bytes);
    opened.push(fd);
    return fd;
  };
  // A file, not a pipe: if we die early, a broken pipe would end bubblewrap's outer half while its inner half, not yet
  // bound to it, waits for it for ever.
  const information = unnamedFile(new Uint8Array());
  try {
    const stdio: ("inherit" | "pipe" | "ipc" | "ignore" | number)[] = ["inherit", "inherit", "pipe"];
    stdio[DESCRIPTOR.channel] = "ipc";
    stdio[DESCRIPTOR.stderr] = 2;
    stdio[DESCRIPTOR.information] = information;
    for (const { fd, bytes } of contents(plan)) stdio[fd] = hold(bytes);
    const args = isOnTerminal ? ["terminal", plan.file, ...plan.args] : plan.args;
    const child = spawn(plan.file, args, {
      stdio,
      env: outsideEnvironment(plan, groups),
      cwd: "/",
      shell: false,
      serialization: "json",
    });
    const complaint = collect(child.stderr, MAX_COMPLAINT_BYTES);
    return {
      pid: child.pid,
      information,
      ended: new Promise((resolve) => {
        child.once("error", resolve);
        child.once("exit", (code, signal) => resolve(exitCode(code, signal)));
      }),
      silent: new Promise((resolve) => {
        child.once("disconnect", resolve);
      }),
      get isConnected() {
        return child.connected;
      },
      hear: (listener) => void child.on("message", listener),
      say: (message) => void (child.connected && child.send(message, () => {})),
      hangUp: () => void (child.connected && child.disconnect()),
      kill: (name) => child.kill(name),
      complaint,
      close: () => closeSync(information),
    };
  } catch (error) {
    closeSync(information);
    throw error;
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}

export interface EarlyOutside extends Outside {
  /** Whether it builds a wall. Until then the line to the station is its own. */
  readonly isBuilding: Promise<boolean>;
}

/** One that was started before us: its channel is Node's own (NODE_CHANNEL_FD), by which it says how it ended. */
export function outsideOf({ pid, complaint, information }: EarlyWall): EarlyOutside {
  let code = KILLED;
  let hears: ((message: unknown, handle: unknown) => void) | null = null;
  const unheard: [message: unknown, handle: unknown][] = [];
  const building = Promise.withResolvers<boolean>();
  process.on("message", (message: unknown, handle: unknown) => {
    if (isNumbered(message, "ended")) code = message.ended;
    else if (isNumbered(message, "line")) building.resolve(message.line === 1);
    else if (hears === null) unheard.push([message, handle]);
    else hears(message, handle);
  });
  const silent = new Promise<void>((resolve) => {
    if (process.connected) process.once("disconnect", resolve);
    else resolve();
  });
  void silent.then(() => building.resolve(false));
  return {
    pid,
    information,
    isBuilding: building.promise,
    ended: silent.then(() => code),
    silent,
    get isConnected() {
      return process.connected;
    },
    hear: (listener) => {
      hears = listener;
      for (const [message, handle] of unheard.splice(0)) listener(message, handle);
    },
    say: (message) => void (process.connected && process.send?.(message, undefined, undefined, () => {})),
    hangUp: () => void (process.connected && process.disconnect()),
    // Our own child, which nobody has waited for: its number is its own until we end.
    kill: (name) => {
      try {
        return process.kill(pid, name);
      } catch {
        return false;
      }
    },
    complaint: async () => {
      const bytes = Buffer.alloc(MAX_COMPLAINT_BYTES);
      try {
        return bytes.toString("utf8", 0, readSync(complaint, bytes, 0, bytes.length, null));
      } catch {
        return ""; // nothing was said, and somebody still could
      }
    },
    close: () => {
      closeSync(information);
      closeSync(complaint);
    },
  };
}

/** `groups`: directories of control groups that the helper moves what it starts to; it takes the variable away. */
export const outsideEnvironment = (
  plan: SandboxPlan,
  groups: readonly string[],
): Readonly<Record<string, string>> =>
  groups.length === 0 ? plan.environment : { ...plan.environment, SALLYPORT_GROUPS: groups.join("\n") };

/** What each numbered descriptor of a plan holds. */
export function contents(plan: SandboxPlan): readonly { readonly fd: number; readonly bytes: Buffer }[] {
  return [
    { fd: plan.argsDescriptor, bytes: Buffer.from(plan.bwrapArgs.map((arg) => `${arg}\0`).join("")) },
    { fd: plan.seccompDescriptor, bytes: Buffer.from(plan.seccomp, "base64") },
    ...plan.descriptors.map(({ fd, text }) => ({ fd, bytes: Buffer.from(text) })),
  ];
}

export function exitCode(code: number | null, signal: NodeJS.Signals | null): number {
  return code ?? 128 + (signal === null ? 0 : osConstants.signals[signal]);
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

/** Resolves with the text when the stream has ended. */
function collect(stream: Readable | null | undefined, maxBytes: number): () => Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  const ended = new Promise<void>((resolve) => {
    if (!stream) return resolve();
    stream.on("data", (chunk: Buffer) => {
      if (size < maxBytes) chunks.push(chunk);
      size += chunk.length;
    });
    stream.once("close", () => resolve());
    stream.on("error", () => resolve());
  });
  return async () => {
    await ended;
    return Buffer.concat(chunks).toString("utf8");
  };
}

const isNumbered = <K extends string>(message: unknown, key: K): message is Record<K, number> =>
  typeof message === "object" &&
  message !== null &&
  typeof Object.getOwnPropertyDescriptor(message, key)?.value === "number";
