/** The thread that compares texts with a workspace's files (traces.ts). */
import { parentPort, workerData } from "node:worker_threads";
import {
  type Claim,
  ContentIndex,
  DisclosedLines,
  type FileContent,
  traceText,
} from "../inspect/provenance.ts";
import {
  commitOf,
  identityNow,
  type Listing,
  listFiles,
  Measure,
  type ReadFile,
  readText,
  readTextAt,
} from "./contents.ts";
import type { TraceAnswer, TraceTask } from "./traces.ts";

/** Texts of one request beyond this are counted, and not compared. */
const MAX_TRACED_BYTES = 32 << 20;
/** Letters of files that are kept for the next text. */
const MAX_KEPT_BYTES = 32 << 20;
/** The workspace is looked through for changed files at most so often, and for at most a part of the thread's time. */
const MIN_LOOK_MS = 1_000;
const LOOK_SHARE = 20;
/** One of so many positions is kept: more of them where the workspace is larger. */
const WINDOWS: readonly (readonly [bytes: number, window: number])[] = [
  [64 << 20, 16],
  [128 << 20, 32],
];
const LARGEST_WINDOW = 64;

const { workspace, except } = workerData as { workspace: string; except: readonly string[] }; // by traces.ts
const tell = (answer: TraceAnswer): void => parentPort?.postMessage(answer);

interface Result {
  readonly sentTo: string;
  readonly claims: readonly Claim[];
  readonly bytes: number;
  readonly unmatchedBytes: number;
}

/** The workspace as it was last looked at. Owned by this thread. */
class Contents {
  readonly index: ContentIndex;
  /** By path. */
  readonly #identities = new Map<string, string>();
  readonly #kept = new Map<string, ReadFile>();
  #keptBytes = 0;
  /** Paths that were looked at for the text under way. */
  readonly #looked = new Set<string>();
  #nextLook = 0;

  constructor() {
    const started = performance.now();
    const total = listing().files.reduce((sum, { bytes }) => sum + bytes, 0);
    this.index = new ContentIndex(WINDOWS.find(([most]) => total <= most)?.[1] ?? LARGEST_WINDOW);
    const measure = new Measure();
    let unread = 0;
    const { notRead } = listing(({ path, bytes }, at) => {
      const read = readTextAt(path, at);
      if (read === null) unread++;
      else {
        this.#index(read);
        measure.add(path, read.letters.lines.length, bytes);
      }
    });
    this.index.seal();
    this.#nextLook = performance.now() + MIN_LOOK_MS + (performance.now() - started);
    tell({ told: "measured", commit: commitOf(workspace), ...measure.result(), notRead: notRead + unread });
  }

  /** Files that changed, came or went since are taken up. */
  look(): void {
    this.#looked.clear();
    const started = performance.now();
    if (started < this.#nextLook) return;
    const seen = new Set<string>();
    listing(({ path, identity }, at) => {
      seen.add(path);
      if (this.#identities.get(path) === identity) return;
      const read = readTextAt(path, at);
      if (read === null) this.#forget(path);
      else this.#index(read);
    });
    for (const path of this.#identities.keys()) if (!seen.has(path)) this.#forget(path);
    const tookMs = performance.now() - started;
    this.#nextLook = started + Math.max(MIN_LOOK_MS, tookMs * LOOK_SHARE);
  }

  /** The file as it is now: for one text each is looked at once. */
  load(path: string): FileContent | null {
    const kept = this.#kept.get(path);
    if (kept !== undefined && this.#looked.has(path)) return kept;
    this.#looked.add(path);
    if (kept !== undefined && identityNow(workspace, path) === kept.identity) return kept;
    const read = readText(workspace, path);
    if (read === null) {
      this.#forget(path);
      return null;
    }
    if (this.#identities.get(path) !== read.identity) this.#index(read);
    this.#keep(read);
    return read;
  }

  #index(read: ReadFile): void {
    this.#identities.set(read.path, read.identity);
    this.index.add(read.path, read.letters);
    this.#dropKept(read.path);
  }

  #forget(path: string): void {
    this.#identities.delete(path);
    this.index.remove(path);
    this.#dropKept(path);
  }

  #keep(read: ReadFile): void {
    this.#dropKept(read.path);
    this.#kept.set(read.path, read);
    this.#keptBytes += read.letters.bytes.length;
    for (const path of this.#kept.keys()) {
      if (this.#keptBytes <= MAX_KEPT_BYTES || path === read.path) break;
      this.#dropKept(path);
    }
  }

  #dropKept(path: string): void {
    const known = this.#kept.get(path);
    if (known === undefined) return;
    this.#kept.delete(path);
    this.#keptBytes -= known.letters.bytes.length;
  }
}

/** A workspace that is gone has no files. */
function listing(read?: Parameters<typeof listFiles>[2]): Listing {
  try {
    return listFiles(workspace, except, read);
  } catch {
    return { files: [], notRead: 0 };
  }
}

const contents = new Contents();
const sent = new DisclosedLines();
const results = new Map<string, Result>();

function trace(task: Extract<TraceTask, { do: "trace" }>): Result {
  contents.look();
  const claims: Claim[] = [];
  let [bytes, unmatchedBytes] = [0, 0];
  for (const { text, named } of task.texts) {
    if (bytes > MAX_TRACED_BYTES) {
      bytes += Buffer.byteLength(text);
      unmatchedBytes += Buffer.byteLength(text);
      continue;
    }
    const traced = traceText(text, named, contents.index, (path) => contents.load(path));
    bytes += traced.bytes;
    unmatchedBytes += traced.unmatchedBytes;
    claims.push(...traced.claims);
  }
  return { sentTo: task.sentTo, claims, bytes, unmatchedBytes };
}

parentPort?.on("message", (task: TraceTask) => {
  switch (task.do) {
    case "trace":
      results.set(task.exchange, trace(task));
      break;
    case "settle": {
      const result = results.get(task.exchange);
      results.delete(task.exchange);
      if (result === undefined || !task.hasLeft) break;
      const { sentTo, claims, bytes, unmatchedBytes } = result;
      tell({
        told: "traced",
        exchange: task.exchange,
        files: sent.take(sentTo, claims),
        bytes,
        unmatchedBytes,
      });
      break;
    }
    case "finish":
      tell({ told: "finished" });
      break;
    default:
      task satisfies never;
  }
});
