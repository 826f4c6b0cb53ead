/**
 * Waiting for a ledger to grow, beside its writer: by the kernel's word where it gives it, and by a look each second.
 */
import { type FSWatcher, watch } from "node:fs";
import { type ExportBatch, type ExportFormat, encodeEntries, encoderFor } from "./export.ts";

const LOOK_EVERY_MS = 1000;

/** As `exportEntries`, going on with what is appended later, until `signal` aborts. */
export async function* followEntries(
  directory: string,
  format: ExportFormat,
  options: { readonly from: number; readonly unsigned: boolean; readonly signal: AbortSignal },
): AsyncGenerator<ExportBatch, void, undefined> {
  let { from } = options;
  const encode = encoderFor(directory, format);
  const growth = new Growth(directory, options.signal);
  try {
    while (!options.signal.aborted) {
      for await (const batch of encodeEntries(directory, encode, { from, unsigned: options.unsigned })) {
        from = batch.read;
        yield batch;
      }
      await growth.next();
    }
  } finally {
    growth.close();
  }
}

/** Yields at once, and then each time the ledger may have grown, until `signal` aborts. */
export async function* watchLedger(
  directory: string,
  signal: AbortSignal,
): AsyncGenerator<void, void, undefined> {
  const growth = new Growth(directory, signal);
  try {
    while (!signal.aborted) {
      yield;
      await growth.next();
    }
  } finally {
    growth.close();
  }
}

/** Owned by one follower. */
class Growth {
  readonly #watcher: FSWatcher | null;
  readonly #signal: AbortSignal;
  #hasGrown = false;
  #wake: () => void = () => undefined;

  constructor(directory: string, signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener("abort", () => this.#grown(), { once: true });
    this.#watcher = watching(directory, () => this.#grown());
  }

  #grown(): void {
    this.#hasGrown = true;
    this.#wake();
  }

  /** Resolves at once where something happened since the last time. */
  async next(): Promise<void> {
    if (!this.#hasGrown && !this.#signal.aborted)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, LOOK_EVERY_MS);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    this.#hasGrown = false;
  }

  close(): void {
    this.#watcher?.close();
  }
}

/** Null where the kernel has no watch to give: then the look each second has to do. */
function watching(directory: string, onChange: () => void): FSWatcher | null {
  try {
    return watch(directory, onChange).on("error", () => undefined);
  } catch {
    return null;
  }
}
