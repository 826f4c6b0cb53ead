/** What the station does to workspaces: on a thread of its own, one thing at a time, so that other sessions do not wait. */
import { Worker } from "node:worker_threads";
import { asFault, Fault, type SessionId } from "../core/index.ts";
import type { Finished } from "./finish.ts";

export interface SnapshotOptions {
  /** `<state>/snapshots` */
  readonly root: string;
  /** Absolute paths that are no part of a workspace, wherever it is. */
  readonly except: readonly string[];
  /** `<state>/held` */
  readonly holds: string;
}

export type SnapshotQuestion =
  | {
      readonly do: "begin";
      readonly session: SessionId;
      readonly workspace: string;
      readonly isRecorded: boolean;
      readonly now: number;
    }
  | { readonly do: "end"; readonly session: SessionId; readonly now: number }
  /** Bring the session's work in: see finish.ts. */
  | { readonly do: "finish"; readonly session: SessionId; readonly isGone: boolean };

export type SnapshotAnswer =
  | { readonly finished: Finished | null }
  /** `notKept`: files and folders that could not be brought back. `changed`: how many differ from before; null at the beginning. */
  | { readonly notKept: number; readonly changed: number | null }
  | { readonly failed: string };

/** Owned by the station. */
export class Snapshots {
  readonly #options: SnapshotOptions;
  #worker: Worker | null = null;
  #waiting: ((answer: SnapshotAnswer) => void)[] = [];

  constructor(options: SnapshotOptions) {
    this.#options = options;
  }

  /** Never rejects: why there is no snapshot is an answer too. */
  ask(question: SnapshotQuestion): Promise<SnapshotAnswer> {
    this.#worker ??= this.#started();
    const worker = this.#worker;
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      worker.ref();
      worker.postMessage(question);
    });
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
  }

  #started(): Worker {
    const name = import.meta.url.endsWith(".ts") ? "./snapshot-worker.ts" : "./snapshot-worker.js";
    const worker = new Worker(new URL(name, import.meta.url), { workerData: this.#options });
    worker.on("message", (answer: SnapshotAnswer) => {
      this.#waiting.shift()?.(answer);
      if (this.#waiting.length === 0) worker.unref();
    });
    const lost = (error: unknown): void => {
      this.#worker = null;
      const failed = asFault(error ?? new Fault("internal.bug", { detail: "the thread ended" })).message;
      for (const resolve of this.#waiting.splice(0)) resolve({ failed });
    };
    worker.on("error", lost);
    worker.on("exit", () => lost(null));
    return worker;
  }
}
