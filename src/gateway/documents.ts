/**
 * Text out of documents that requests carry in base64: PDF, and office files (zip of XML). Reading foreign documents is
 * work for a thread of its own, with bounded memory and a deadline; it is started when the first document comes and ended
 * when none has come for a while.
 *
 * Failure contract: never throws. What is too large, late, broken or encrypted is `null`: not read, which is counted and
 * which policy can refuse.
 */
import { Worker } from "node:worker_threads";

export type DocumentKind = "pdf" | "office" | "image" | "media";

export interface DocumentIn {
  readonly kind: DocumentKind;
  /** Where the base64 begins in the text. */
  readonly from: number;
}

/** How the base64 of a file begins, by the first bytes of its format. */
const BEGINNINGS: readonly (readonly [string, DocumentKind])[] = [
  ["JVBERi0", "pdf"],
  ["UEsDB", "office"],
  ["iVBORw0KGgo", "image"],
  ["/9j/", "image"],
  ["R0lGOD", "image"],
  ["UklGR", "media"],
  ["SUkqA", "image"],
  ["TU0AK", "image"],
  ["Qk0", "image"],
];
const SHORTEST = 64;

/** The document that a text is, in base64 or as a `data:` URL; null: none that is known. */
export function documentIn(text: string): DocumentIn | null {
  if (text.length < SHORTEST) return null;
  const from = text.startsWith("data:") ? text.indexOf(",", 0) + 1 : 0;
  if (from > 200) return null;
  const found = BEGINNINGS.find(([beginning]) => text.startsWith(beginning, from));
  if (found !== undefined && (found[1] !== "image" || isBase64(text, from))) return { kind: found[1], from };
  return /^data:(?:image|audio|video)\//.test(text.slice(0, 12)) ? { kind: "media", from } : null;
}

/** Short beginnings are those of words, too. */
const isBase64 = (text: string, from: number): boolean =>
  /^[A-Za-z0-9+/]+=*$/.test(text.slice(from, from + 512));

export interface DocumentReader {
  /** The document's text; null: it was not read. */
  read(kind: DocumentKind, bytes: Uint8Array): Promise<string | null>;
  close(): Promise<void>;
}

const MAX_BYTES = 32 * 1024 * 1024;
const MAX_WAITING = 16;
const IDLE_MS = 60_000;
const HEAP_MB = 384;

interface Job {
  readonly kind: DocumentKind;
  readonly bytes: Uint8Array;
  readonly done: (text: string | null) => void;
}

/** Owns the thread. One document at a time; `deadlineMs` for each. */
export class Documents implements DocumentReader {
  readonly #deadlineMs: number;
  readonly #waiting: Job[] = [];
  #worker: Worker | null = null;
  #running: Job | null = null;
  #timer: NodeJS.Timeout | undefined;

  constructor(deadlineMs: number) {
    this.#deadlineMs = deadlineMs;
  }

  read(kind: DocumentKind, bytes: Uint8Array): Promise<string | null> {
    const isReadable = kind === "pdf" || kind === "office";
    if (!isReadable || bytes.length > MAX_BYTES || this.#waiting.length >= MAX_WAITING)
      return Promise.resolve(null);
    return new Promise((done) => {
      this.#waiting.push({ kind, bytes, done });
      this.#next();
    });
  }

  async close(): Promise<void> {
    for (const { done } of this.#waiting.splice(0)) done(null);
    await this.#drop();
  }

  #next(): void {
    if (this.#running !== null) return;
    clearTimeout(this.#timer);
    const job = this.#waiting.shift();
    if (job === undefined) {
      this.#timer = setTimeout(() => void this.#drop(), IDLE_MS).unref();
      return;
    }
    this.#running = job;
    const worker = this.#worker ?? this.#started();
    this.#worker = worker;
    this.#timer = setTimeout(() => void this.#drop(), this.#deadlineMs);
    worker.ref();
    worker.postMessage({ kind: job.kind, bytes: job.bytes });
  }

  #started(): Worker {
    const worker = new Worker(
      new URL(`./document-worker${import.meta.filename.slice(-3)}`, import.meta.url),
      {
        resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
        // A library's warnings about a document are nobody's to read, and could quote it.
        stdout: true,
        stderr: true,
      },
    );
    worker.on("message", (text: string | null) => this.#answered(worker, text));
    worker.on("error", () => this.#answered(worker, null));
    worker.on("exit", () => {
      if (this.#worker === worker) this.#worker = null;
      this.#answered(worker, null);
    });
    return worker;
  }

  #answered(worker: Worker, text: string | null): void {
    if (this.#worker !== null && this.#worker !== worker) return;
    const job = this.#running;
    this.#running = null;
    this.#worker?.unref();
    job?.done(text);
    this.#next();
  }

  /** Ends the thread, and with it what it was at. */
  async #drop(): Promise<void> {
    clearTimeout(this.#timer);
    const worker = this.#worker;
    const job = this.#running;
    this.#worker = null;
    this.#running = null;
    worker?.removeAllListeners();
    worker?.on("error", () => {});
    await worker?.terminate();
    job?.done(null);
    if (this.#waiting.length > 0) this.#next();
  }
}
