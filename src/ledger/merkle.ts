/**
 * The tree of RFC 6962 / RFC 9162 section 2.1: leaf hash SHA-256(0x00 ‖ entry), node hash SHA-256(0x01 ‖ left ‖ right),
 * and the two proofs. Pure. The verifiers follow RFC 9162 2.1.3.2 and 2.1.4.2 and share no code with the provers.
 */
import { hash } from "node:crypto";

export const HASH_BYTES = 32;
export const TILE_WIDTH = 256;

export const sha256 = (bytes: Uint8Array): Buffer => hash("sha256", bytes, "buffer");

/** `input` is the byte 0x00 followed by the entry: the body of an event frame. */
export const leafHashOf = (input: Uint8Array): Buffer => sha256(input);

export function leafHash(entry: Uint8Array): Buffer {
  const input = Buffer.allocUnsafe(entry.length + 1);
  input[0] = 0;
  input.set(entry, 1);
  return sha256(input);
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  const input = Buffer.allocUnsafe(65);
  input[0] = 1;
  input.set(left, 1);
  input.set(right, 33);
  return sha256(input);
}

export const emptyRoot = (): Buffer => sha256(Buffer.alloc(0));

/** The root of a complete subtree from its `hashes`, whose number is a power of two. */
export function fold(hashes: readonly Buffer[]): Buffer {
  let row = hashes;
  while (row.length > 1) {
    const above: Buffer[] = [];
    for (let i = 0; i + 1 < row.length; i += 2) above.push(nodeHash(at(row, i), at(row, i + 1)));
    row = above;
  }
  return at(row, 0);
}

/** A tree that grows at the right, holding only its right edge: one unfinished tile per level. */
export class GrowingTree {
  /** levels[l]: the hashes of the unfinished tile at level l, fewer than 256. */
  readonly levels: Buffer[][] = [[]];
  #size = 0;

  /** `levels` as read from tiles, for a tree of `size`. */
  static restored(size: number, levels: readonly Buffer[][]): GrowingTree {
    const tree = new GrowingTree();
    tree.#size = size;
    tree.levels.splice(0, tree.levels.length, ...levels);
    return tree;
  }

  get size(): number {
    return this.#size;
  }

  /** `onTile` hears of each tile that this leaf completes. */
  push(leaf: Buffer, onTile?: (level: number, index: number, hashes: readonly Buffer[]) => void): void {
    let index = this.#size++;
    let hashed = leaf;
    for (let level = 0; ; level++) {
      const tile = this.levels[level] ?? [];
      this.levels[level] = tile;
      tile.push(hashed);
      if (tile.length < TILE_WIDTH) return;
      index = Math.floor(index / TILE_WIDTH);
      onTile?.(level, index, tile);
      hashed = fold(tile);
      this.levels[level] = [];
    }
  }

  root(): Buffer {
    let root: Buffer | undefined;
    for (const tile of this.levels) {
      // From the right: the smallest complete subtrees first.
      for (let end = tile.length, width = 1; end > 0; width *= 2) {
        if ((end & width) === 0) continue;
        const subtree = fold(tile.slice(end - width, end));
        root = root === undefined ? subtree : nodeHash(subtree, root);
        end -= width;
      }
    }
    return root ?? emptyRoot();
  }
}

/** Reads hashes of complete subtrees: 2^level leaves at `index`. */
export type SubtreeHash = (level: number, index: number) => Buffer;

const largestPowerBelow = (n: number): number => {
  let power = 1;
  while (power * 2 < n) power *= 2;
  return power;
};

/** MTH(D[from:to]) of RFC 6962 2.1. */
export function rangeHash(subtree: SubtreeHash, from: number, to: number): Buffer {
  const n = to - from;
  if (n === 0) return emptyRoot();
  const level = Math.log2(n);
  if (Number.isInteger(level) && from % n === 0) return subtree(level, from / n);
  const k = largestPowerBelow(n);
  return nodeHash(rangeHash(subtree, from, from + k), rangeHash(subtree, from + k, to));
}

export function inclusionProof(subtree: SubtreeHash, index: number, size: number): Buffer[] {
  const proof: Buffer[] = [];
  const walk = (from: number, to: number): void => {
    if (to - from <= 1) return;
    const middle = from + largestPowerBelow(to - from);
    if (index < middle) {
      walk(from, middle);
      proof.push(rangeHash(subtree, middle, to));
    } else {
      walk(middle, to);
      proof.push(rangeHash(subtree, from, middle));
    }
  };
  walk(0, size);
  return proof;
}

export function consistencyProof(subtree: SubtreeHash, first: number, second: number): Buffer[] {
  const proof: Buffer[] = [];
  const walk = (from: number, to: number, whole: boolean): void => {
    if (first === to) {
      if (!whole) proof.push(rangeHash(subtree, from, to));
      return;
    }
    const middle = from + largestPowerBelow(to - from);
    if (first <= middle) {
      walk(from, middle, whole);
      proof.push(rangeHash(subtree, middle, to));
    } else {
      walk(middle, to, false);
      proof.push(rangeHash(subtree, from, middle));
    }
  };
  if (first > 0) walk(0, second, true);
  return proof;
}

const isProof = (proof: readonly Uint8Array[]): boolean => proof.every((p) => p.length === HASH_BYTES);

export function verifyInclusion(
  leaf: Buffer,
  index: bigint,
  size: bigint,
  proof: readonly Buffer[],
  root: Buffer,
): boolean {
  if (index < 0n || index >= size || leaf.length !== HASH_BYTES || !isProof(proof)) return false;
  let fn = index;
  let sn = size - 1n;
  let r = leaf;
  for (const p of proof) {
    if (sn === 0n) return false;
    if ((fn & 1n) === 1n || fn === sn) {
      r = nodeHash(p, r);
      while ((fn & 1n) === 0n && fn !== 0n) {
        fn >>= 1n;
        sn >>= 1n;
      }
    } else r = nodeHash(r, p);
    fn >>= 1n;
    sn >>= 1n;
  }
  return sn === 0n && r.equals(root);
}

/** Size 0 is refused as a first size: an empty tree says nothing, so its caller must treat it apart. */
export function verifyConsistency(
  first: bigint,
  second: bigint,
  firstRoot: Buffer,
  secondRoot: Buffer,
  proof: readonly Buffer[],
): boolean {
  if (first <= 0n || first > second || !isProof(proof)) return false;
  if (first === second) return proof.length === 0 && firstRoot.equals(secondRoot);
  const path = (first & (first - 1n)) === 0n ? [firstRoot, ...proof] : proof;
  const start = path[0];
  if (proof.length === 0 || start === undefined) return false;
  let fn = first - 1n;
  let sn = second - 1n;
  while ((fn & 1n) === 1n) {
    fn >>= 1n;
    sn >>= 1n;
  }
  let fr = start;
  let sr = start;
  for (const c of path.slice(1)) {
    if (sn === 0n) return false;
    if ((fn & 1n) === 1n || fn === sn) {
      fr = nodeHash(c, fr);
      sr = nodeHash(c, sr);
      while ((fn & 1n) === 0n && fn !== 0n) {
        fn >>= 1n;
        sn >>= 1n;
      }
    } else sr = nodeHash(sr, c);
    fn >>= 1n;
    sn >>= 1n;
  }
  return sn === 0n && fr.equals(firstRoot) && sr.equals(secondRoot);
}

function at(row: readonly Buffer[], index: number): Buffer {
  const hashed = row[index];
  if (hashed === undefined) throw new RangeError(`no hash at ${index} of ${row.length}`);
  return hashed;
}
