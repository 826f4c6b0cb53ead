/**
 * Many deadlines, one sweep: setting and moving a deadline writes a number, and a sweep every so often fires those that
 * have passed. A timer per socket would cost more than the rest of an idle connection. Accuracy is one sweep.
 */
import type { Clock } from "../core/index.ts";

export interface Deadline {
  /** From now on `ms` more. */
  move(ms: number): void;
  /** Never fires until moved again. */
  rest(): void;
  stop(): void;
}

interface Entry {
  at: number;
  readonly fire: () => void;
}

export class Deadlines {
  readonly #entries = new Set<Entry>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  start(ms: number, fire: () => void): Deadline {
    const entry: Entry = { at: this.#clock.monotonic() + ms, fire };
    this.#entries.add(entry);
    return {
      move: (more) => {
        entry.at = this.#clock.monotonic() + more;
      },
      rest: () => {
        entry.at = Number.POSITIVE_INFINITY;
      },
      stop: () => void this.#entries.delete(entry),
    };
  }

  /** Fires what has passed, each once. */
  sweep(): void {
    const now = this.#clock.monotonic();
    for (const entry of this.#entries)
      if (entry.at <= now) {
        this.#entries.delete(entry);
        entry.fire();
      }
  }

  get size(): number {
    return this.#entries.size;
  }
}
