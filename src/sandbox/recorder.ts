/**
 * The record of what happens inside a session: takes the helper's frames on a socket of the session's own and appends
 * them to the ledger in groups.
 *
 * What is guaranteed: a program's start is in this process's socket before the program's first instruction, a connection
 * before it is made; they are durable with the next group, at most {@link GROUP_MS} and one commit later, and all of them
 * before `session.ended`. What changes files travels within 20 ms. When an append fails, or this process dies, the socket
 * closes, and the helper ends the session; when the helper dies, the kernel ends it, and `recorder.lost` says so.
 *
 * Arguments may hold secrets: they are sealed evidence, never part of the event.
 */
import { chmod } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { relative } from "node:path";
import {
  asFault,
  type EventBody,
  type ExchangeId,
  type Fault,
  type SessionId,
  type StartedCommand,
} from "../core/index.ts";
import type { EvidenceInput } from "../ledger/index.ts";
import { type AskedFor, Calls } from "./calls.ts";
import { FrameReader, MAY_CHANGE, type Observation } from "./record.ts";

export interface RecorderOptions {
  readonly session: SessionId;
  /** Absolute path; what is in it is told relative to it. */
  readonly workspace: string;
  /** Where the agent starts: what paths of its tool calls are relative to. Default: the workspace. */
  readonly cwd?: string;
  /** Where to listen; the folder is private. */
  readonly socket: string;
  readonly append: (body: EventBody, evidence?: readonly EvidenceInput[]) => Promise<unknown>;
  /** SHA-256 of the file of that identity, read at `path` if it is still that file; null when it cannot be told. */
  readonly hashOf: (identity: string, path: string) => Promise<string | null>;
  /** Resolves when it is known what the workspace holds: programs wait until then where they would change it. Default: now. */
  readonly known?: Promise<unknown>;
  /** The record has an end before the session has one; nothing may leave any more, unless the session may go on. */
  readonly onLost: (fault: Fault | null) => void;
  /** The session goes on without a record, which is told at once. Default: false. */
  readonly goesOn?: boolean;
}

type Of<K extends Observation["kind"]> = Extract<Observation, { kind: K }>;

const GROUP_MS = 200;
/** Between two looks at the socket while much happens: each costs as much as reading a hundred frames. */
const LOOK_MS = 20;
/** So many that come closer together than this. A program that does little starts and ends in fewer. */
const BUSY_MS = 3;
const MANY = 8;
/** A program that has started: what it sends should come after it in the ledger. */
const URGENT_MS = 5;
/** Observations in one event of the ledger. */
const MOST_IN_GROUP = 500;
/** Waiting for the ledger; then the socket is left to fill, which holds the programs inside. */
const MOST_WAITING = 4_000;
/** A helper whose client was killed is killed by the kernel at once; a program that has its last answer needs a moment. */
const ENDING_MS = 1_000;
/** From the program's end to the helper's last frame; both are written before the helper ends. */
const LAST_FRAME_MS = 5_000;

export class Recorder {
  readonly #options: RecorderOptions;
  readonly #server: Server;
  readonly #reader = new FrameReader();
  readonly #calls: Calls;
  #socket: Socket | null = null;
  #helper = 0;
  #waiting: Observation[] = [];
  /** By command, until it is appended. */
  readonly #hashes = new Map<number, Promise<string | null>>();
  #timer: NodeJS.Timeout | null = null;
  #isUrgent = false;
  #flushedAt = 0;
  #heardAt = 0;
  #inARow = 0;
  #appending: Promise<void> = Promise.resolve();
  #isComplete = false;
  #isLossTold = false;
  #isOver = false;
  #fault: Fault | null = null;
  readonly #closed: Promise<void>;
  #close: () => void = () => {};

  private constructor(options: RecorderOptions) {
    this.#options = options;
    this.#calls = new Calls(options.workspace, options.cwd);
    this.#closed = new Promise((resolve) => {
      this.#close = resolve;
    });
    this.#server = createServer((socket) => this.#take(socket));
  }

  /** Resolves when it listens. */
  static async listen(options: RecorderOptions): Promise<Recorder> {
    const recorder = new Recorder(options);
    await new Promise<void>((resolve, reject) => {
      recorder.#server.once("error", reject);
      recorder.#server.listen(options.socket, resolve);
    });
    await chmod(options.socket, 0o600);
    return recorder;
  }

  /** A reply asks for these: what starts from now on may be their doing, and what had started already is told to be. */
  asked(exchange: ExchangeId, calls: readonly AskedFor[]): void {
    if (this.#isOver) return;
    this.#appending = this.#appending
      .then(async () => {
        const { append, session } = this.#options;
        for (const late of this.#calls.ask(exchange, calls))
          await append({ kind: "call.matched", session, ...late });
      })
      .catch((thrown: unknown) => this.#fail(asFault(thrown)));
  }

  /**
   * Resolves when everything that was told is durable, or cannot become so. `wasRun`: the session had a program, so a
   * record without its end is a lost one. `isEnding`: its client died, and the helper with it, so that what that had told lies in
   * the socket, and is read; or its programs may end by themselves now. Never rejects.
   */
  async finish(wasRun: boolean, isEnding = false): Promise<void> {
    if (this.#socket !== null && (wasRun || isEnding)) {
      const late = setTimeout(() => this.#socket?.destroy(), wasRun ? LAST_FRAME_MS : ENDING_MS);
      await this.#closed;
      clearTimeout(late);
    }
    this.#socket?.destroy();
    this.#server.close();
    this.#flush();
    this.#isOver = true;
    await this.#appending;
    if (this.#isComplete || !wasRun) return;
    this.#tellLoss();
    await this.#appending;
  }

  /** Once, after all that was told before. */
  #tellLoss(): void {
    if (this.#isLossTold) return;
    this.#isLossTold = true;
    this.#flush();
    const { append, session, goesOn } = this.#options;
    const how =
      this.#fault?.message ?? (this.#socket === null ? "it never came" : "it ended before the session");
    const detail = goesOn === true ? `${how}; the profile lets the session go on without it` : how;
    this.#appending = this.#appending
      .then(async () => void (await append({ kind: "recorder.lost", session, detail })))
      .catch(() => {}); // what cannot be written ends the session's line too
  }

  #take(socket: Socket): void {
    if (this.#socket !== null) {
      socket.destroy(); // one helper a session
      return;
    }
    this.#socket = socket;
    socket.on("error", () => {}); // `close` follows
    void Promise.resolve(this.#options.known).then(() => socket.write(MAY_CHANGE));
    socket.on("data", (bytes) => {
      this.#rest(socket);
      try {
        for (const observation of this.#reader.read(bytes)) this.#hear(observation);
      } catch (thrown) {
        this.#fail(asFault(thrown));
      }
      if (this.#waiting.length > MOST_WAITING) this.#flush();
    });
    socket.on("close", () => {
      this.#close();
      if (this.#isComplete) return;
      if (this.#options.goesOn === true && !this.#isOver) {
        this.#tellLoss();
        void this.#appending.then(() => this.#options.onLost(this.#fault)); // on the record before anybody is told
      } else this.#options.onLost(this.#fault);
    });
  }

  /** While much happens, what comes waits in the socket, where no program inside can reach it. */
  #rest(socket: Socket): void {
    const now = performance.now();
    this.#inARow = now - this.#heardAt < BUSY_MS ? this.#inARow + 1 : 0;
    this.#heardAt = now;
    if (this.#inARow < MANY) return;
    socket.pause();
    setTimeout(() => {
      if (this.#waiting.length <= MOST_WAITING) socket.resume();
    }, LOOK_MS);
  }

  #hear(observation: Observation): void {
    if (observation.kind === "hello") this.#helper = observation.pid;
    else if (observation.kind === "end") {
      this.#isComplete = true;
      this.#flush();
      // The helper waits, with its open files, until we have read them.
      void Promise.allSettled([...this.#hashes.values()]).then(() => this.#socket?.end());
    } else {
      if (observation.kind === "started") this.#hash(observation);
      this.#waiting.push(observation);
      // The first of a burst: the rest of it shares the groups that follow.
      const isStart = observation.kind === "started" && performance.now() - this.#flushedAt > 2 * GROUP_MS;
      if (isStart && !this.#isUrgent && this.#timer !== null) clearTimeout(this.#timer);
      if (this.#timer === null || (isStart && !this.#isUrgent))
        this.#timer = setTimeout(() => this.#flush(), isStart ? URGENT_MS : GROUP_MS);
      this.#isUrgent ||= isStart;
    }
  }

  /** At once: the helper keeps the last programs open only, and not for longer than it lives. */
  #hash({ command, identity, held }: Of<"started">): void {
    const path = held < 0 ? "" : `/proc/${this.#helper}/fd/${held}`;
    this.#hashes.set(command, this.#options.hashOf(identity, path));
  }

  /** Nothing can be recorded any more: the helper hears its socket close, and ends the session. */
  #fail(fault: Fault): void {
    this.#fault ??= fault;
    this.#isComplete = false;
    this.#socket?.destroy();
  }

  /** One after the other, so that the ledger holds the groups in order. */
  #flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#isUrgent = false;
    this.#flushedAt = performance.now();
    const group = this.#waiting;
    if (group.length === 0) return;
    this.#waiting = [];
    this.#appending = this.#appending
      .then(async () => {
        if (this.#fault !== null) return;
        for (let at = 0; at < group.length; at += MOST_IN_GROUP)
          await this.#append(group.slice(at, at + MOST_IN_GROUP));
        this.#socket?.resume();
      })
      .catch((thrown: unknown) => this.#fail(asFault(thrown)));
  }

  async #append(group: readonly Observation[]): Promise<void> {
    const of = <K extends Observation["kind"]>(kind: K): Of<K>[] =>
      group.filter((one): one is Of<K> => one.kind === kind);
    const { session, append } = this.#options;
    const place = (path: string): string => this.#place(path);
    const started = of("started");
    // Before the first append: the ledger holds a command's start before what it did.
    const commands = await this.#described(started);
    const done: Promise<unknown>[] = [];
    if (started.length > 0)
      done.push(append({ kind: "command.started", session, commands, evidence: [] }, [argumentsOf(started)]));
    const files = of("file").map(({ command, change, path, to }) => {
      const [from, into] = [place(path), to === null ? null : place(to)];
      const call = this.#calls.ofChange(command, from, into);
      return {
        ...{ command, change, path: from },
        ...(into === null ? {} : { to: into }),
        ...(call === null ? {} : { call }),
      };
    });
    if (files.length > 0) done.push(append({ kind: "file.changed", session, changes: files }));
    const reads = of("read").map(({ command, path }) => ({ command, path }));
    if (reads.length > 0) done.push(append({ kind: "file.read", session, reads }));
    const connections = of("connection").map(({ kind: _, ...rest }) => rest);
    if (connections.length > 0) done.push(append({ kind: "connection.tried", session, connections }));
    const ended = of("ended").map(({ command, exitCode }) => ({ command, exitCode }));
    const unreadable = of("unreadable").length;
    if (ended.length > 0 || unreadable > 0)
      done.push(append({ kind: "command.ended", session, commands: ended, unreadable }));
    await Promise.all(done);
  }

  async #described(started: readonly Of<"started">[]): Promise<StartedCommand[]> {
    const commands: StartedCommand[] = [];
    for (const one of started) {
      const { command, parent, program, count } = one;
      const sha256 = (await this.#hashes.get(command)) ?? null;
      this.#hashes.delete(command);
      const call = this.#calls.ofCommand(command, parent, one.arguments);
      commands.push({
        ...{ command, parent: parent === 0 ? null : parent, program: this.#place(program), sha256 },
        ...{ arguments: count, folder: this.#place(one.folder) },
        ...(call === null ? {} : { call }),
      });
    }
    return commands;
  }

  #place(path: string): string {
    const { workspace } = this.#options;
    if (path === workspace) return ".";
    return path.startsWith(`${workspace}/`) ? relative(workspace, path) : path;
  }
}

function argumentsOf(started: readonly Of<"started">[]): EvidenceInput {
  const lines = started.map(({ command, arguments: words, isCut }) =>
    JSON.stringify({ command, arguments: words, ...(isCut ? { cut: true } : {}) }),
  );
  return { role: "arguments", chunks: [Buffer.from(`${lines.join("\n")}\n`)] };
}
