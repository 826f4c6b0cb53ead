/**
 * A bound on the records that one session's refused connections and malformed requests make: so many at once, so many a second
 * (a bucket that fills by itself). What is beyond it is refused all the same, and counted; the count is on the record soon
 * after. Otherwise whoever sends rubbish in a loop decides how fast the ledger grows, and what else waits for its disk.
 */
import type { Clock } from "../core/index.ts";

export class Flood {
  readonly #clock: Clock;
  readonly #atOnce: number;
  readonly #perSecond: number;
  #left: number;
  #filledAt: number;
  #counted = 0;

  constructor(clock: Clock, atOnce: number, perSecond: number) {
    this.#clock = clock;
    this.#atOnce = atOnce;
    this.#perSecond = perSecond;
    this.#left = atOnce;
    this.#filledAt = clock.monotonic();
  }

  /** Whether the next refusal has a record of its own; else it is counted. */
  admits(): boolean {
    const now = this.#clock.monotonic();
    this.#left = Math.min(this.#atOnce, this.#left + ((now - this.#filledAt) / 1000) * this.#perSecond);
    this.#filledAt = now;
    if (this.#left < 1) {
      this.#counted++;
      return false;
    }
    this.#left--;
    return true;
  }

  /** How many were counted since it was asked last. */
  takeCounted(): number {
    const counted = this.#counted;
    this.#counted = 0;
    return counted;
  }
}
