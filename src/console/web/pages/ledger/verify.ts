/**
 * Verifies the ledger in the browser: the checkpoint's signature by the published keys; every leaf tile up to the signed root;
 * every entry against its leaf; and that the tree which this browser saw last is the beginning of the present one.
 *
 * What it cannot tell: whether another history was shown to somebody else (that takes a witness), what is not yet under a
 * checkpoint, and sealed evidence (`sallyport verify` does that). It trusts the pages' code, which came from the same server:
 * for an independent check use `dist/verify.mjs` with a key that was kept apart.
 */
import { Broken, type Checkpoint, hex, type Key, openNote, readKeys } from "./note.ts";
import {
  type Bytes,
  foldTile,
  HASH,
  isSame,
  leafHash,
  Spine,
  splitBundle,
  splitHashes,
  tilePath,
  WIDTH,
} from "./tree.ts";

/** What this browser saw last, of one origin. */
export interface Remembered extends Checkpoint {
  /** Verifier keys as published then. */
  readonly keys: readonly string[];
  readonly at: number;
}

export const STEPS = ["key", "signature", "tree", "entries", "before"] as const;
export type Step = (typeof STEPS)[number];

export interface Found {
  readonly step: Step;
  readonly state: "good" | "bad" | "skipped" | "first";
  /** What is wrong; empty where nothing is. */
  readonly problem: string;
}

export interface Verified {
  readonly isGood: boolean;
  readonly checkpoint: Checkpoint | null;
  readonly keys: readonly string[];
  readonly found: readonly Found[];
  readonly hashed: { readonly entries: number; readonly bytes: number };
  readonly before: Remembered | null;
}

export interface Verifying {
  /** Bytes of a file of the log; null: there is none. */
  readonly read: (path: string) => Promise<Bytes | null>;
  readonly remembered: (origin: string) => Remembered | null;
  readonly onProgress: (done: number, of: number) => void;
  readonly signal: AbortSignal;
  /** Hash every entry, not only the tree over them. */
  readonly withEntries: boolean;
}

const AHEAD = 4;
const MAX_PROBLEMS = 5;

export async function verify(work: Verifying): Promise<Verified> {
  const audit = new Audit(work);
  try {
    await audit.run();
  } catch (error) {
    work.signal.throwIfAborted();
    if (!(error instanceof Broken)) throw error;
    audit.bad(error.message);
  }
  return audit.result();
}

class Audit {
  readonly #work: Verifying;
  readonly #found = new Map<Step, Found>();
  #step: Step = "key";
  #keys: readonly Key[] = [];
  #checkpoint: Checkpoint | null = null;
  #before: Remembered | null = null;
  #entries = 0;
  #bytes = 0;

  constructor(work: Verifying) {
    this.#work = work;
  }

  bad(problem: string): void {
    const former = this.#found.get(this.#step)?.problem ?? "";
    this.#found.set(this.#step, {
      step: this.#step,
      state: "bad",
      problem: former === "" ? problem : former,
    });
  }

  result(): Verified {
    const found = STEPS.map(
      (step): Found => this.#found.get(step) ?? { step, state: "skipped", problem: "" },
    );
    return {
      isGood:
        this.#checkpoint !== null && found.every(({ state }) => state !== "bad") && this.#found.has("tree"),
      checkpoint: this.#checkpoint,
      keys: this.#keys.map(({ text }) => text),
      found,
      hashed: { entries: this.#entries, bytes: this.#bytes },
      before: this.#before,
    };
  }

  async run(): Promise<void> {
    this.#keys = await readKeys(await this.#text("vkey.txt"));
    const note = await this.#text("checkpoint");
    this.#good("key");
    this.#step = "signature";
    const { checkpoint } = await openNote(note, this.#keys);
    this.#checkpoint = checkpoint;
    this.#good("signature");
    this.#before = this.#work.remembered(checkpoint.origin);
    this.#checkKeys();
    this.#step = "before";
    this.#checkSize(checkpoint);
    this.#step = "tree";
    const then = await this.#walk(checkpoint);
    this.#compare(checkpoint, then);
  }

  #good(step: Step): void {
    if (!this.#found.has(step)) this.#found.set(step, { step, state: "good", problem: "" });
  }

  /** A key that this browser never saw is believed only beside one that it did: a change of keys is published with both. */
  #checkKeys(): void {
    if (this.#before === null) {
      this.#found.set("key", { step: "key", state: "first", problem: "" });
      return;
    }
    const { keys } = this.#before;
    if (this.#keys.some(({ text }) => keys.includes(text))) return;
    this.#step = "key";
    this.bad("none of the published keys is one that this browser saw before");
  }

  #checkSize(checkpoint: Checkpoint): void {
    if (this.#before === null) this.#found.set("before", { step: "before", state: "first", problem: "" });
    else if (this.#before.size > checkpoint.size)
      this.bad(
        `the ledger was rolled back: this browser saw ${this.#before.size} entries, it has ${checkpoint.size}`,
      );
  }

  #compare(checkpoint: Checkpoint, then: { readonly root: Bytes; readonly before: Bytes | null }): void {
    if (hex(then.root) === checkpoint.root) this.#good("tree");
    else this.bad("the tiles do not give the signed root");
    if (this.#work.withEntries) this.#good("entries");
    if (this.#before === null || then.before === null) return;
    this.#step = "before";
    if (hex(then.before) === this.#before.root) this.#good("before");
    else
      this.bad(
        `history is forked: its first ${this.#before.size} entries are not those that this browser saw`,
      );
  }

  /** Reads tile by tile, a few ahead; the root at the end, and the one at the remembered size on the way. */
  async #walk({ size }: Checkpoint): Promise<{ readonly root: Bytes; readonly before: Bytes | null }> {
    const tiles = Math.ceil(size / WIDTH);
    const spine = new Spine();
    const mark = this.#before !== null && this.#before.size <= size ? this.#before.size : null;
    let before = mark === 0 ? await spine.root() : null;
    const coming: Promise<readonly Bytes[]>[] = [];
    for (let index = 0, asked = 0; index < tiles; index++) {
      while (asked < tiles && asked < index + AHEAD) {
        const tile = this.#tile(asked++, size);
        tile.catch(() => undefined); // told when its turn comes
        coming.push(tile);
      }
      const hashes = (await coming.shift()) ?? [];
      this.#work.signal.throwIfAborted();
      const start = index * WIDTH;
      const isMarked = mark !== null && mark > start && mark < start + hashes.length;
      if (hashes.length === WIDTH && !isMarked) await spine.push(await foldTile(hashes), 8);
      else
        for (const hash of hashes) {
          await spine.push(hash);
          if (spine.size === mark) before = await spine.root();
        }
      if (spine.size === mark) before = await spine.root();
      this.#work.onProgress(Math.min(size, start + WIDTH), size);
    }
    return { root: await spine.root(), before };
  }

  /** The leaf hashes of a tile, after its entries were held against them. */
  async #tile(index: number, size: number): Promise<readonly Bytes[]> {
    const width = Math.min(WIDTH, size - index * WIDTH);
    const tile = await this.#file(0, index, width);
    if (tile.length < width * HASH) throw new Broken(`${tilePath(0, index, width)} is short`);
    const hashes = splitHashes(tile.subarray(0, width * HASH));
    if (this.#work.withEntries) await this.#hashEntries(index, width, hashes);
    return hashes;
  }

  async #hashEntries(index: number, width: number, hashes: readonly Bytes[]): Promise<void> {
    const bytes = await this.#file("entries", index, width);
    const entries = splitBundle(bytes)?.slice(0, width) ?? [];
    const path = tilePath("entries", index, width);
    const problems: string[] = [];
    if (entries.length < width) problems.push(`${path} holds ${entries.length} entries, not ${width}`);
    const made = await Promise.all(entries.map(leafHash));
    for (const [at, hash] of made.entries()) {
      const leaf = hashes[at];
      if (problems.length < MAX_PROBLEMS && (leaf === undefined || !isSame(leaf, hash)))
        problems.push(`entry ${index * WIDTH + at} is altered`);
    }
    this.#entries += made.length;
    this.#bytes += bytes.length;
    const [problem] = problems;
    if (problem !== undefined && this.#found.get("entries")?.state !== "bad")
      this.#found.set("entries", { step: "entries", state: "bad", problem: problems.join("; ") });
  }

  /** A tile as a tree of this size has it: the partial one, or the full one that has taken its place since. */
  async #file(level: 0 | "entries", index: number, width: number): Promise<Bytes> {
    const partial = await this.#work.read(tilePath(level, index, width));
    const bytes = partial ?? (width < WIDTH ? await this.#work.read(tilePath(level, index, WIDTH)) : null);
    if (bytes === null) throw new Broken(`${tilePath(level, index, width)} is missing`);
    return bytes;
  }

  async #text(path: string): Promise<string> {
    const bytes = await this.#work.read(path);
    if (bytes === null) throw new Broken(`${path} is missing`);
    return new TextDecoder("utf-8", { fatal: false }).decode(bytes);
  }
}
