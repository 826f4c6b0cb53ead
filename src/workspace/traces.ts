/**
 * Which of a session's requests carry which lines of its workspace: found out in a thread of its own, beside the requests.
 *
 * The thread reads the workspace when the first request comes, and looks for changed files again as it goes on. It holds
 * about one byte for two bytes of text, at most {@link MAX_TOTAL_BYTES}. Failure contract: a thread that fails, or has more
 * waiting than {@link MAX_WAITING_BYTES}, leaves requests without a trace, which `sallyport disclosures` tells; no request
 * waits for it or is refused for it.
 */
import { Worker } from "node:worker_threads";
import { asFault, type Disclosure, type EventBody, Fault, type SessionId } from "../core/index.ts";

/** Text that waits for the thread. */
const MAX_WAITING_BYTES = 64 << 20;
/** How long the end of a session waits for what is outstanding, and how long that may go on by itself afterwards. */
const FINISH_MS = 1_000;
const LATE_MS = 10 * 60_000;

export interface TracedText {
  readonly text: string;
  /** Paths within the workspace of which it may be, by the agent's own words. */
  readonly named: readonly string[];
}

/** A request on its way out. */
export interface TraceOf {
  readonly exchange: Extract<EventBody, { kind: "exchange.traced" }>["exchange"];
  readonly host: string;
  readonly sentTo: string;
  readonly destination: string | null;
  readonly texts: readonly TracedText[];
}

export interface TracesOptions {
  readonly session: SessionId;
  /** Absolute. */
  readonly workspace: string;
  /** Its base name. */
  readonly name: string;
  /** Absolute paths that are no part of a workspace, wherever it is. */
  readonly except: readonly string[];
  readonly append: (event: EventBody) => Promise<unknown>;
  readonly onFault: (fault: Fault) => void;
  /** Milliseconds that the end waits; default 1 s. */
  readonly finishMs?: number;
}

export type TraceTask =
  | {
      readonly do: "trace";
      readonly exchange: string;
      readonly sentTo: string;
      readonly texts: readonly TracedText[];
    }
  | { readonly do: "settle"; readonly exchange: string; readonly hasLeft: boolean }
  | { readonly do: "finish" };

export type TraceAnswer =
  | ({ readonly told: "measured" } & Omit<
      Extract<EventBody, { kind: "workspace.measured" }>,
      "kind" | "session" | "workspace"
    >)
  | {
      readonly told: "traced";
      readonly exchange: string;
      readonly files: readonly Disclosure[];
      readonly bytes: number;
      readonly unmatchedBytes: number;
    }
  | { readonly told: "finished" };

interface Outstanding {
  readonly about: Omit<TraceOf, "texts">;
  readonly size: number;
}

/** Owned by one session. */
export class Traces {
  readonly #options: TracesOptions;
  /** null: not started yet, or failed. */
  #worker: Worker | null = null;
  #isOver = false;
  readonly #outstanding = new Map<string, Outstanding>();
  #waitingBytes = 0;
  readonly #appending = new Set<Promise<unknown>>();
  #finished: () => void = () => {};
  #wentAway: () => void = () => {};
  /** Resolves when, after `finish`, everything is recorded or given up, and the thread is gone. */
  readonly gone: Promise<void>;

  constructor(options: TracesOptions) {
    this.#options = options;
    this.gone = new Promise((resolve) => {
      this.#wentAway = resolve;
    });
  }

  /** Its session is over. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Never throws, and does not wait. What it finds is recorded once `settle` says that the request has left. */
  begin({ texts, ...about }: TraceOf): void {
    if (this.#isOver) return;
    const size = texts.reduce((sum, { text }) => sum + text.length, 0);
    if (this.#waitingBytes + size > MAX_WAITING_BYTES) return;
    this.#outstanding.set(about.exchange, { about, size });
    this.#waitingBytes += size;
    this.#post({ do: "trace", exchange: about.exchange, sentTo: about.sentTo, texts });
  }

  /** Of a request that did not leave nothing is told, and what is new stays new. */
  settle(exchange: string, hasLeft: boolean): void {
    const known = this.#outstanding.get(exchange);
    if (known === undefined) return;
    this.#post({ do: "settle", exchange, hasLeft });
    if (!hasLeft) this.#drop(exchange);
  }

  /**
   * Takes nothing more. Resolves when what is outstanding is recorded, or after a second: what is left then (the first look
   * at a huge workspace) goes on by itself, for ten minutes at most, and is recorded after the session's end; see `gone`.
   */
  async finish(): Promise<void> {
    this.#isOver = true;
    if (this.#worker === null) return this.#end();
    const finished = new Promise<void>((resolve) => {
      this.#finished = resolve;
    });
    this.#post({ do: "finish" });
    if (await isWithin(this.#options.finishMs ?? FINISH_MS, finished)) return this.#end();
    void isWithin(LATE_MS, finished).then(() => this.#end());
  }

  /** Gives up what is outstanding: it is told as not compared. */
  async abandon(): Promise<void> {
    this.#finished();
    await this.#end();
  }

  async #end(): Promise<void> {
    this.#isOver = true;
    const worker = this.#worker;
    this.#worker = null;
    await worker?.terminate();
    await Promise.all(this.#appending);
    this.#wentAway();
  }

  #post(task: TraceTask): void {
    try {
      this.#worker ??= this.#started();
      this.#worker.postMessage(task);
    } catch (error) {
      this.#lost(error);
    }
  }

  #started(): Worker {
    const name = import.meta.url.endsWith(".ts") ? "./trace-worker.ts" : "./trace-worker.js";
    const { workspace, except } = this.#options;
    const worker = new Worker(new URL(name, import.meta.url), { workerData: { workspace, except } });
    worker.on("message", (answer: TraceAnswer) => this.#take(answer));
    worker.on("error", (error) => this.#lost(error));
    worker.on("exit", () => {
      if (this.#worker === worker) this.#lost(new Fault("internal.bug", { detail: "the thread ended" }));
    });
    // It keeps nobody up: the session's end waits for it.
    worker.unref();
    return worker;
  }

  #lost(error: unknown): void {
    this.#isOver = true;
    this.#worker = null;
    this.#outstanding.clear();
    this.#options.onFault(asFault(error));
    this.#finished();
  }

  #take(answer: TraceAnswer): void {
    const { session, name } = this.#options;
    switch (answer.told) {
      case "measured": {
        const { told: _, ...measured } = answer;
        this.#append({ kind: "workspace.measured", session, workspace: name, ...measured });
        break;
      }
      case "traced": {
        const about = this.#drop(answer.exchange);
        const { files, bytes, unmatchedBytes } = answer;
        if (about !== null)
          this.#append({ kind: "exchange.traced", session, ...about, files, bytes, unmatchedBytes });
        break;
      }
      case "finished":
        this.#finished();
        break;
      default:
        answer satisfies never;
    }
  }

  #drop(exchange: string): Outstanding["about"] | null {
    const known = this.#outstanding.get(exchange);
    if (known === undefined) return null;
    this.#outstanding.delete(exchange);
    this.#waitingBytes -= known.size;
    return known.about;
  }

  #append(event: EventBody): void {
    const done = this.#options
      .append(event)
      .catch((error: unknown) => this.#options.onFault(asFault(error)))
      .finally(() => this.#appending.delete(done));
    this.#appending.add(done);
  }
}

/** Whether it resolves within so many milliseconds. */
async function isWithin(ms: number, done: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms).unref();
  });
  const isDone = await Promise.race([done.then(() => true), late]);
  clearTimeout(timer);
  return isDone;
}
