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

const SMALLEST_SLAB = 16 * 1024;

/**
 * Memory for one session's request bodies, used again: a body of a megabyte in new memory costs as much as sending it, and
 * the garbage collector's time once more. Whoever gives a slab back must be the last to hold it.
 */
export class Slabs {
  readonly #free: Buffer[] = [];
  readonly #most: number;
  #kept = 0;

  /** Keeps at most `most` bytes for later. */
  constructor(most: number) {
    this.#most = most;
  }

  /** At least `bytes` long. */
  take(bytes: number): Buffer {
    let length = SMALLEST_SLAB;
    while (length < bytes) length *= 2;
    const at = this.#free.findIndex((slab) => slab.length === length);
    if (at < 0) return Buffer.allocUnsafeSlow(length);
    this.#kept -= length;
    return this.#free.splice(at, 1)[0] ?? Buffer.allocUnsafeSlow(length);
  }

  give(slab: Buffer): void {
    if (this.#kept + slab.length > this.#most) return;
    this.#kept += slab.length;
    this.#free.push(slab);
  }
}

/** What a body may take up before any of it has come: a length is quickly said. */
const MOST_BEFORE = 1024 * 1024;

/** A body on its way in, copied together into one piece. */
export class Whole {
  readonly #slabs: Slabs;
  #slab: Buffer | null;
  #small: Buffer | null = null;
  #length = 0;

  /** `expected`: its length, where that is known. */
  constructor(slabs: Slabs, expected: number | null) {
    this.#slabs = slabs;
    if (expected !== null && expected < SMALLEST_SLAB) {
      this.#small = Buffer.allocUnsafe(expected);
      this.#slab = null;
    } else this.#slab = slabs.take(Math.min(expected ?? SMALLEST_SLAB, MOST_BEFORE));
  }

  add(piece: Buffer): void {
    const room = this.#small ?? this.#roomFor(this.#length + piece.length);
    this.#length += piece.copy(room, this.#length);
  }

  #roomFor(bytes: number): Buffer {
    const slab = this.#slab ?? this.#slabs.take(bytes);
    if (slab.length >= bytes) return slab;
    const larger = this.#slabs.take(bytes);
    slab.copy(larger, 0, 0, this.#length);
    this.#slabs.give(slab);
    this.#slab = larger;
    return larger;
  }

  get bytes(): Buffer {
    return (this.#small ?? this.#slab ?? Buffer.alloc(0)).subarray(0, this.#length);
  }

  /** Its memory may hold another body from now on. */
  recycle(): void {
    if (this.#slab !== null) this.#slabs.give(this.#slab);
    this.#slab = null;
    this.#small = null;
    this.#length = 0;
  }
}

const FEW = 32;
const SMALL = 1024;
const BLOCK = 8 * 1024;

/**
 * Pieces of a body, in order. A body that comes in very many very small pieces (a byte a chunk is legal) is copied
 * together, as the bookkeeping of each piece is a hundred times its size.
 */
export class Gather {
  readonly #chunks: Buffer[] = [];
  #block: Buffer | null = null;
  #filled = 0;

  add(piece: Buffer): void {
    if (piece.length === 0) return;
    if (piece.length >= SMALL || (this.#chunks.length < FEW && this.#block === null)) {
      this.#close();
      this.#chunks.push(piece);
      return;
    }
    if (this.#block === null || this.#filled + piece.length > BLOCK) {
      this.#close();
      this.#block = Buffer.allocUnsafeSlow(BLOCK);
    }
    this.#filled += piece.copy(this.#block, this.#filled);
  }

  #close(): void {
    if (this.#block !== null) this.#chunks.push(this.#block.subarray(0, this.#filled));
    this.#block = null;
    this.#filled = 0;
  }

  get chunks(): readonly Buffer[] {
    this.#close();
    return this.#chunks;
  }

  /** All as one piece (none when empty): joined once, for the reading, the evidence and the sending alike. */
  joined(): readonly Buffer[] {
    this.#close();
    return this.#chunks.length <= 1 ? this.#chunks : [Buffer.concat(this.#chunks)];
  }
}

const FIRST_BLOCK = 4 * 1024;
const LAST_BLOCK = 256 * 1024;

/** Bytes that pass by, copied together as evidence as far as there is room. */
export class Capture {
  readonly #room: Room;
  readonly #most: number;
  readonly #blocks: Buffer[] = [];
  #filled = 0;
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
    let block = this.#blocks.at(-1);
    if (block === undefined || this.#filled + chunk.length > block.length) {
      const next = block === undefined ? FIRST_BLOCK : Math.min(LAST_BLOCK, block.length * 4);
      this.#close();
      block = Buffer.allocUnsafe(Math.max(next, chunk.length));
      this.#blocks.push(block);
    }
    this.#filled += chunk.copy(block, this.#filled);
  }

  #close(): void {
    const last = this.#blocks.pop();
    if (last !== undefined) this.#blocks.push(last.subarray(0, this.#filled));
    this.#filled = 0;
  }

  /** All bytes that passed, kept or not. */
  get bytes(): number {
    return this.#passed;
  }

  get isWhole(): boolean {
    return this.#kept === this.#passed;
  }

  get chunks(): readonly Buffer[] {
    const last = this.#blocks.at(-1);
    return last === undefined ? [] : [...this.#blocks.slice(0, -1), last.subarray(0, this.#filled)];
  }

  /** The room is given back; the chunks may go. */
  release(): void {
    this.#room.give(this.#kept);
    this.#kept = 0;
    this.#passed = 0;
    this.#blocks.length = 0;
    this.#filled = 0;
  }
}
