/**
 * Turns at the event loop: long work is done in steps, one a turn of the loop, whoever it is for, so that the tokens of all
 * other streams pass between two of them. Whoever has long work owns one.
 */
import type { Clock } from "./clock.ts";

/** How long one step may go on, in ms; a step that has begun is not cut short. */
const STEP_MS = 1;

export class Turns {
  readonly #clock: Clock;
  readonly #waiting: (() => void)[] = [];
  #isArmed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves at a turn that nobody else has. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#arm();
    });
  }

  /** Does all steps of `work`, as many in one turn as fit in it. Null: done, within this one. Throws what a step throws. */
  walk<T>(work: Iterable<T>, step: (one: T) => void): Promise<void> | null {
    const steps = work[Symbol.iterator]();
    return this.#once(steps, step) ? null : this.#rest(steps, step);
  }

  async #rest<T>(steps: Iterator<T>, step: (one: T) => void): Promise<void> {
    do await this.next();
    while (!this.#once(steps, step));
  }

  /** Whether all is done. */
  #once<T>(steps: Iterator<T>, step: (one: T) => void): boolean {
    const until = this.#clock.monotonic() + STEP_MS;
    do {
      const { done, value } = steps.next();
      if (done === true) return true;
      step(value);
    } while (this.#clock.monotonic() < until);
    return false;
  }

  #arm(): void {
    if (this.#isArmed) return;
    this.#isArmed = true;
    setImmediate(() => {
      this.#isArmed = false;
      // The next one's turn is after the loop has looked at its sockets again.
      if (this.#waiting.length > 1) this.#arm();
      this.#waiting.shift()?.();
    });
  }
}
