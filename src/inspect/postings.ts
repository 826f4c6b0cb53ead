/**
 * Where sampled stretches of a workspace's files stand: winnowing (Schleimer, Wilkerson, Aiken, 2003) over letters.
 *
 * Of each `window` hashes of GRAM letters in a row the smallest is kept, in files and texts alike, so that what both hold
 * in common is met wherever GRAM + window - 1 letters or more are equal. Postings lie in two typed arrays, sorted by hash:
 * eight bytes each. What stands in many files (licences, preambles) points nowhere and is left out.
 */

export const GRAM = 16;
/** What stands in more files than this is common. */
const MAX_FILES_OF_ONE = 8;
/** So is what stands in more places: tables, filling. */
export const MAX_PLACES_OF_ONE = 32;
const MULTIPLIER = 0x01000193;
/** MULTIPLIER to the power of GRAM, modulo 2^32. */
const LEAVING: number = (() => {
  let power = 1;
  for (let i = 0; i < GRAM; i++) power = Math.imul(power, MULTIPLIER);
  return power;
})();

/** Calls back with each chosen stretch of GRAM letters: its hash, and where it begins. */
export function sample(
  letters: Uint8Array,
  window: number,
  emit: (hash: number, start: number) => void,
): void {
  const last = letters.length - GRAM;
  if (last < 0) return;
  const ring = new Uint32Array(window);
  let rolling = 0;
  for (let i = 0; i < GRAM - 1; i++) rolling = (Math.imul(rolling, MULTIPLIER) + (letters[i] as number)) | 0;
  let best = -1;
  let bestHash = 0;
  for (let start = 0; start <= last; start++) {
    rolling = (Math.imul(rolling, MULTIPLIER) + (letters[start + GRAM - 1] as number)) | 0;
    if (start > 0) rolling = (rolling - Math.imul(letters[start - 1] as number, LEAVING)) | 0;
    const hash = mixed(rolling);
    ring[start % window] = hash;
    if (best >= 0 && best > start - window) {
      // Of equal ones the first stays: a run of one letter is met once a window, not at each place.
      if (hash < bestHash) {
        best = start;
        bestHash = hash;
        emit(hash, start);
      }
      continue;
    }
    if (start < window - 1 && start < last) continue;
    // The smallest left the window, or this is the first window that is full.
    const from = Math.max(0, start - window + 1);
    best = from;
    for (let i = from; i <= start; i++)
      if ((ring[i % window] as number) <= (ring[best % window] as number)) best = i;
    bestHash = ring[best % window] as number;
    emit(bestHash, best);
  }
}

/** Of every stretch of GRAM letters. */
export function hashesOf(letters: Uint8Array, emit: (hash: number) => void): void {
  sample(letters, 1, emit);
}

function mixed(value: number): number {
  let hash = value ^ (value >>> 16);
  hash = Math.imul(hash, 0x7feb352d);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x846ca68b);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Lines are numbered through all files: `fileOf` tells which file a line is of. */
export interface Postings {
  /** Calls back with the lines at which the stretch may stand. */
  find(hash: number, tell: (line: number) => void): void;
  readonly size: number;
  /** What the arrays take. */
  readonly memoryBytes: number;
}

export class PostingsBuilder {
  #hashes = new Uint32Array(1 << 12);
  #lines = new Uint32Array(1 << 12);
  #count = 0;

  add(hash: number, line: number): void {
    if (this.#count === this.#hashes.length) {
      this.#hashes = grown(this.#hashes);
      this.#lines = grown(this.#lines);
    }
    this.#hashes[this.#count] = hash;
    this.#lines[this.#count++] = line;
  }

  /** To be called once. */
  sorted(fileOf: (line: number) => number): Postings {
    const [hashes, lines] = sortedBoth(
      this.#hashes.subarray(0, this.#count),
      this.#lines.subarray(0, this.#count),
    );
    const count = withoutCommon(hashes, lines, fileOf);
    return postingsOf(hashes.slice(0, count), lines.slice(0, count));
  }
}

function grown(array: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(array.length * 2);
  larger.set(array);
  return larger;
}

/** By hash; equal ones stay in order. Radix sort, 11 bits at a time. */
function sortedBoth(
  hashes: Uint32Array<ArrayBuffer>,
  lines: Uint32Array<ArrayBuffer>,
): readonly [Uint32Array, Uint32Array] {
  let [fromHash, fromLine] = [hashes, lines];
  let [toHash, toLine] = [new Uint32Array(hashes.length), new Uint32Array(hashes.length)];
  for (let shift = 0; shift < 32; shift += 11) {
    const counts = new Uint32Array(2049);
    for (const hash of fromHash) {
      const digit = ((hash >>> shift) & 2047) + 1;
      counts[digit] = (counts[digit] as number) + 1;
    }
    for (let i = 1; i < 2049; i++) counts[i] = (counts[i] as number) + (counts[i - 1] as number);
    for (let i = 0; i < fromHash.length; i++) {
      const digit = ((fromHash[i] as number) >>> shift) & 2047;
      const at = counts[digit] as number;
      counts[digit] = at + 1;
      toHash[at] = fromHash[i] as number;
      toLine[at] = fromLine[i] as number;
    }
    [fromHash, fromLine, toHash, toLine] = [toHash, toLine, fromHash, fromLine];
  }
  return [fromHash, fromLine];
}

/** Moves what stays to the front; returns how many. */
function withoutCommon(hashes: Uint32Array, lines: Uint32Array, fileOf: (line: number) => number): number {
  let count = 0;
  for (let from = 0, to = 0; from < hashes.length; from = to) {
    while (to < hashes.length && hashes[to] === hashes[from]) to++;
    const files = new Set<number>();
    if (to - from > 1) for (let i = from; i < to; i++) files.add(fileOf(lines[i] as number));
    if (files.size > MAX_FILES_OF_ONE || to - from > MAX_PLACES_OF_ONE) continue;
    for (let i = from; i < to; i++) {
      hashes[count] = hashes[i] as number;
      lines[count++] = lines[i] as number;
    }
  }
  return count;
}

const DIRECTORY_BITS = 16;

function postingsOf(hashes: Uint32Array, lines: Uint32Array): Postings {
  const directory = new Uint32Array((1 << DIRECTORY_BITS) + 1);
  for (let i = 0, at = 0; i <= 1 << DIRECTORY_BITS; i++) {
    while (at < hashes.length && (hashes[at] as number) >>> (32 - DIRECTORY_BITS) < i) at++;
    directory[i] = at;
  }
  return {
    size: hashes.length,
    memoryBytes: hashes.byteLength + lines.byteLength + directory.byteLength,
    find(hash, tell) {
      const row = hash >>> (32 - DIRECTORY_BITS);
      let from = directory[row] as number;
      let to = directory[row + 1] as number;
      while (from < to) {
        const middle = (from + to) >>> 1;
        if ((hashes[middle] as number) < hash) from = middle + 1;
        else to = middle;
      }
      for (let i = from; hashes[i] === hash; i++) tell(lines[i] as number);
    },
  };
}
