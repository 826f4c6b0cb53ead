/** Time is handed in, so that tests and replays decide what "now" is. */
export interface Clock {
  /** Wall clock, Unix milliseconds. May jump. */
  readonly now: () => number;
  /** Monotonic milliseconds since an arbitrary start. Never goes back. */
  readonly monotonic: () => number;
}

export const systemClock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };
