/** Bringing an index up to its ledger on a thread of its own: a million entries take the better part of a minute. */
import { Worker } from "node:worker_threads";
import { Fault, type FaultCode } from "../core/index.ts";

export interface IndexTask {
  /** Of the index, and of the ledger. */
  readonly file: string;
  readonly directory: string;
}

export type IndexAnswer =
  /** Entries taken in so far. */
  | { readonly entries: number }
  | { readonly code: FaultCode; readonly context: { readonly detail?: string; readonly at?: string } };

/** Resolves when what the ledger held is in the index, or when `signal` ends it: what was taken in by then stays. Throws what catching up throws. */
export function catchUpApart(
  task: IndexTask,
  onProgress: (entries: number) => void,
  signal: AbortSignal,
): Promise<void> {
  // The built package has .js where the sources have .ts.
  const name = import.meta.url.endsWith(".ts") ? "./index-worker.ts" : "./index-worker.js";
  const worker = new Worker(new URL(name, import.meta.url), { workerData: task });
  const stop = (): void => void worker.terminate();
  signal.addEventListener("abort", stop, { once: true });
  return new Promise<void>((resolve, reject) => {
    worker.on("message", (answer: IndexAnswer) => {
      if ("entries" in answer) onProgress(answer.entries);
      else reject(new Fault(answer.code, answer.context));
    });
    worker.once("error", (cause) => reject(new Fault("ledger.failed", { at: task.file, cause })));
    worker.once("exit", () => resolve());
  }).finally(() => signal.removeEventListener("abort", stop));
}
