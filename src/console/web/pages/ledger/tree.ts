/**
 * The browser's own Merkle tree (RFC 6962, RFC 9162 section 2.1) over tiles (c2sp.org/tlog-tiles, height 8), with WebCrypto.
 * Leaf SHA-256(0x00 ‖ entry), node SHA-256(0x01 ‖ left ‖ right). Shares no code with src/ledger.
 */
export const HASH = 32;
export const WIDTH = 256;

export type Bytes = Uint8Array<ArrayBuffer>;

export const sha256 = async (bytes: Bytes): Promise<Bytes> =>
  new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));

export function leafHash(entry: Uint8Array): Promise<Bytes> {
  const input = new Uint8Array(entry.length + 1);
  input.set(entry, 1);
  return sha256(input);
}

function nodeHash(left: Uint8Array, right: Uint8Array): Promise<Bytes> {
  const input = new Uint8Array(1 + 2 * HASH);
  input[0] = 1;
  input.set(left, 1);
  input.set(right, 1 + HASH);
  return sha256(input);
}

export const isSame = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, at) => byte === b[at]);

/** The tree's right edge: complete subtrees from the left, each smaller than the one before. */
export class Spine {
  readonly #subtrees: { readonly height: number; readonly hash: Bytes }[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** A complete subtree of 2^height leaves; the size must be a multiple of that. */
  async push(hash: Bytes, height = 0): Promise<void> {
    this.#size += 2 ** height;
    let top = { height, hash };
    for (let last = this.#subtrees.at(-1); last?.height === top.height; last = this.#subtrees.at(-1)) {
      this.#subtrees.pop();
      top = { height: top.height + 1, hash: await nodeHash(last.hash, top.hash) };
    }
    this.#subtrees.push(top);
  }

  async root(): Promise<Bytes> {
    let root: Bytes | null = null;
    for (const { hash } of [...this.#subtrees].reverse())
      root = root === null ? hash : await nodeHash(hash, root);
    return root ?? sha256(new Uint8Array(0));
  }
}

/** The root of a full tile: 256 hashes folded eight times. */
export async function foldTile(hashes: readonly Bytes[]): Promise<Bytes> {
  let row = hashes;
  while (row.length > 1) {
    const pairs: Promise<Bytes>[] = [];
    for (let at = 0; at + 1 < row.length; at += 2) {
      const [left, right] = [row[at], row[at + 1]];
      if (left !== undefined && right !== undefined) pairs.push(nodeHash(left, right));
    }
    row = await Promise.all(pairs);
  }
  return row[0] ?? new Uint8Array(0);
}

export function splitHashes(tile: Bytes): readonly Bytes[] {
  const hashes: Bytes[] = [];
  for (let at = 0; at + HASH <= tile.length; at += HASH) hashes.push(tile.subarray(at, at + HASH));
  return hashes;
}

/** The entries of a bundle: each with its length before it, 16 bits, the greater byte first. Null: it is none. */
export function splitBundle(bytes: Bytes): readonly Bytes[] | null {
  const entries: Bytes[] = [];
  for (let at = 0; at < bytes.length; ) {
    const [high, low] = [bytes[at], bytes[at + 1]];
    if (high === undefined || low === undefined) return null;
    const end = at + 2 + high * 256 + low;
    if (end > bytes.length) return null;
    entries.push(bytes.subarray(at + 2, end));
    at = end;
  }
  return entries;
}

/** `tile/0/x001/x234/067`, with `.p/<width>` where it is not full. */
export function tilePath(level: number | "entries", index: number, width: number): string {
  let rest = index;
  let path = String(rest % 1000).padStart(3, "0");
  while (rest >= 1000) {
    rest = Math.floor(rest / 1000);
    path = `x${String(rest % 1000).padStart(3, "0")}/${path}`;
  }
  return `tile/${level}/${path}${width < WIDTH ? `.p/${width}` : ""}`;
}
