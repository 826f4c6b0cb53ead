/**
 * Where publishing happens: in this thread as long as little is written, in a thread of its own once hashing and
 * writing tiles would take time from the append path. The hand-over is a restart of the publisher from its last
 * checkpoint, the same path as an opening; where no thread can be had, publishing stays here.
 */
import { Worker } from "node:worker_threads";
import { asFault, Fault, type FaultCode } from "../core/index.ts";
import { loadSigners, rememberCheckpoint } from "./keys.ts";
import { Publisher, type PublisherOptions } from "./publish.ts";
import type { Position } from "./segment.ts";
import type { Witness } from "./witness.ts";

/** So many entries in one publication mean that the append path is busy. */
const HAND_OVER_AT = 16_384;

/** What a publisher needs beside the ledger's directory, as it can be sent to a thread. */
export interface TailerSource {
  readonly directory: string;
  readonly keyDirectory: string;
  readonly origin: string;
  readonly boot: string | null | undefined;
  readonly witnesses: readonly Witness[];
}

export function publisherOptions(
  source: TailerSource,
  expected: PublisherOptions["expected"],
  monotonic: () => number,
): PublisherOptions {
  const { directory, keyDirectory, origin, boot, witnesses } = source;
  return {
    directory,
    signers: loadSigners(keyDirectory, origin),
    expected,
    witnesses,
    remember: (note) => rememberCheckpoint(keyDirectory, origin, note),
    monotonic,
    ...(boot === undefined ? {} : { boot }),
  };
}

/** From the thread: what came of a publication. */
export type Answer =
  | { readonly note: string; readonly signed: number }
  | { readonly code: FaultCode; readonly detail: string | undefined; readonly at: string | undefined };

export class Tailer {
  readonly #source: TailerSource;
  readonly #monotonic: () => number;
  /** Null while the thread publishes. */
  #publisher: Publisher | null;
  #worker: Worker | null = null;
  #mayHandOver = true;
  #signed: number;

  constructor(source: TailerSource, publisher: Publisher, monotonic: () => number) {
    this.#source = source;
    this.#publisher = publisher;
    this.#monotonic = monotonic;
    this.#signed = publisher.signed;
  }

  /** Entries under the published checkpoint. */
  get signed(): number {
    return this.#signed;
  }

  /** Publishes all entries before `limit`; never called while a publication is under way. */
  async publish(limit: Position): Promise<string> {
    if (this.#worker !== null) return await this.#askWorker(this.#worker, limit);
    const before = this.#signed;
    const publisher = this.#publisher ?? this.#restore();
    this.#publisher = publisher;
    await publisher.advance(limit);
    const note = await publisher.publish();
    this.#signed = publisher.signed;
    if (this.#mayHandOver && this.#signed - before >= HAND_OVER_AT) await this.#handOver(publisher);
    return note;
  }

  /** After the signers changed: the next publication reads them anew, from the last checkpoint on. */
  async restart(): Promise<void> {
    await this.close(false);
  }

  /** `sync`: the tiles are good, so sync them within a bounded time. */
  async close(sync: boolean): Promise<void> {
    await this.#worker?.terminate();
    this.#worker = null;
    await this.#publisher?.close(sync);
    this.#publisher = null;
  }

  #restore(): Publisher {
    return Publisher.restore(publisherOptions(this.#source, null, this.#monotonic));
  }

  async #handOver(publisher: Publisher): Promise<void> {
    await publisher.close();
    this.#publisher = null;
    // The built package has .js where the sources have .ts.
    const name = import.meta.url.endsWith(".ts") ? "./publish-worker.ts" : "./publish-worker.js";
    this.#worker = new Worker(new URL(name, import.meta.url), { workerData: this.#source });
    this.#worker.unref();
  }

  async #askWorker(worker: Worker, limit: Position): Promise<string> {
    let answer: Answer;
    try {
      answer = await ask(worker, limit);
    } catch {
      // No thread, or it died: nothing is lost, its last checkpoint is on the disk. Publishing goes on here.
      this.#mayHandOver = false;
      this.#worker = null;
      return await this.publish(limit);
    }
    if ("code" in answer) {
      const { code, detail, at } = answer;
      throw new Fault(code, {
        ...(detail === undefined ? {} : { detail }),
        ...(at === undefined ? {} : { at }),
      });
    }
    this.#signed = answer.signed;
    return answer.note;
  }
}

function ask(worker: Worker, limit: Position): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      worker.off("message", onMessage).off("error", onEnd).off("exit", onEnd);
      worker.unref();
    };
    const onMessage = (answer: Answer): void => {
      done();
      resolve(answer); // the only sender is publish-worker.ts
    };
    const onEnd = (why: unknown): void => {
      done();
      reject(asFault(why));
    };
    worker.on("message", onMessage).on("error", onEnd).on("exit", onEnd);
    worker.ref();
    worker.postMessage(limit);
  });
}
