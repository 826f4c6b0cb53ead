/** A bound on bytes held at one time. */
export class Room {
  readonly #most: number;
  #held = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get held(): number {
    return this.#held;
  }

  /** False when there is no room for them; then nothing is taken. */
  take(bytes: number): boolean {
    if (this.#held + bytes > this.#most) return false;
    this.#held += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#held -= bytes;
  }
}

/** Bytes that pass by, kept as evidence as far as there is room. */
export class Capture {
  readonly #room: Room;
  readonly #most: number;
  readonly #chunks: Buffer[] = [];
  #kept = 0;
  #passed = 0;

  constructor(room: Room, most: number) {
    this.#room = room;
    this.#most = most;
  }

  add(chunk: Buffer): void {
    this.#passed += chunk.length;
    // Once something is missing, what follows would not be a beginning of the whole.
    if (
      this.#kept + chunk.length !== this.#passed ||
      this.#passed > this.#most ||
      !this.#room.take(chunk.length)
    )
      return;
    this.#kept += chunk.length;
    this.#chunks.push(chunk);
  }

  /** All bytes that passed, kept or not. */
  get bytes(): number {
    return this.#passed;
  }

  get isWhole(): boolean {
    return this.#kept === this.#passed;
  }

  get chunks(): readonly Buffer[] {
    return this.#chunks;
  }

  /** The room is given back; the chunks may go. */
  release(): void {
    this.#room.give(this.#kept);
    this.#kept = 0;
    this.#passed = 0;
    this.#chunks.length = 0;
  }
}
