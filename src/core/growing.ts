/** Bodies that grow from turn to turn: an agent sends its whole conversation again with each request. */

const BLOCK = 64 * 1024;

/** The largest n such that the first n bytes are the same: block by block, then by halving the block that differs. */
export function samePrefix(a: Buffer, b: Buffer): number {
  return longestSame(Math.min(a.length, b.length), (from, to) => a.compare(b, from, to, from, to) === 0);
}

/** The largest n such that the last n bytes are the same; at most `most`. */
export function sameSuffix(a: Buffer, b: Buffer, most: number): number {
  const { length: aEnd } = a;
  const { length: bEnd } = b;
  return longestSame(
    Math.min(most, aEnd, bEnd),
    (from, to) => a.compare(b, bEnd - to, bEnd - from, aEnd - to, aEnd - from) === 0,
  );
}

function longestSame(most: number, isSame: (from: number, to: number) => boolean): number {
  let low = 0;
  let high = Math.min(BLOCK, most);
  while (low < most && isSame(low, high)) {
    low = high;
    high = Math.min(low + BLOCK, most);
  }
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (isSame(low, middle)) low = middle;
    else high = middle;
  }
  return low;
}

/**
 * A copy of `bytes` to compare the next one with. It takes the place of `last`, whose first `shared` bytes are the same,
 * where there is room: a turn then needs no new memory, and only what is new is copied. `last` must be from here, and
 * is not to be read any more.
 */
export function keepInPlace(bytes: Buffer, last: Buffer | null, shared: number): Buffer {
  const hasRoom = last !== null && last.buffer.byteLength >= bytes.length;
  const room = hasRoom ? Buffer.from(last.buffer) : Buffer.allocUnsafeSlow(roomFor(bytes.length));
  const from = hasRoom ? shared : 0;
  bytes.copy(room, from, from);
  return room.subarray(0, bytes.length);
}

/** A conversation grows: an eighth more than it has now, in whole pages. */
const roomFor = (bytes: number): number => Math.ceil((bytes + bytes / 8) / 4096) * 4096;
