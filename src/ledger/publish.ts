/**
 * The tailer that turns the journal into a transparency log: it reads what is durable from its own cursor (the size of
 * the last checkpoint), grows the tree, writes tiles and bundles, and signs.
 *
 * Order of a publication, each step durable before the next: tiles → the checkpoint remembered beside the key → the
 * ledger's checkpoint. So nothing is ever signed whose tiles are missing, and no signed state is ever forgotten.
 *
 * Crash story: tiles without a checkpoint are written again with the same bytes; opening resumes from the checkpoint.
 * At most two files are in flight, so that tiles do not starve the journal's fdatasync of libuv's threads.
 */
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Fault } from "../core/index.ts";
import { diskFault, putFile, readIfThere, syncDirectory } from "./files.ts";
import { FRAME, type Frame, payloadOf } from "./frame.ts";
import { GrowingTree, HASH_BYTES, leafHashOf, rangeHash, TILE_WIDTH } from "./merkle.ts";
import {
  type Checkpoint,
  checkpointText,
  openCheckpoint,
  parseVerifierKey,
  type Signer,
  signNote,
} from "./note.ts";
import { findSegment, JournalReader, type Position } from "./segment.ts";
import { decodeBundle, encodeBundle, readTile, splitHashes, subtreesOf, tilePath, widthAt } from "./tiles.ts";

const FILES_IN_FLIGHT = 2;

export interface PublisherOptions {
  readonly directory: string;
  readonly signers: readonly Signer[];
  /** The newest checkpoint known to have been signed with this key: the log must contain it. */
  readonly expected: Checkpoint | null;
  /** Makes a signed checkpoint durable beside the key, before the ledger shows it. */
  readonly remember: (note: string) => Promise<void>;
}

export class Publisher {
  readonly #options: PublisherOptions;
  readonly #origin: string;
  readonly #tree: GrowingTree;
  /** The entries of the unfinished bundle. */
  #bundle: Buffer[];
  /** Files of finished tiles, not yet written. */
  #finished = new Map<string, Buffer>();
  #note: string | null;
  #signed: number;
  /** Whether the log was found to contain the expected checkpoint. */
  #agreed = false;
  #reader: JournalReader | null = null;
  /** Entries below this one were in the tree before the reader's segment began. */
  #readerAt = 0;
  readonly #directories = new Set<string>();

  private constructor(options: PublisherOptions, tree: GrowingTree, bundle: Buffer[], note: string | null) {
    this.#options = options;
    this.#origin = options.signers[0]?.name ?? "";
    this.#tree = tree;
    this.#bundle = bundle;
    this.#note = note;
    this.#signed = note === null ? -1 : tree.size;
  }

  /** Takes up the log where its checkpoint left it; `ledger.unreadable` when its tiles do not give the signed root. */
  static restore(options: PublisherOptions): Publisher {
    const note = readIfThere(join(options.directory, "checkpoint"))?.toString("utf8") ?? null;
    if (note === null) {
      const empty = new Publisher(options, new GrowingTree(), [], null);
      if (options.expected?.size === 0) empty.#agreed = true;
      return empty;
    }
    const verifiers = options.signers.map((s) => parseVerifierKey(s.verifierKey));
    const { size, root } = openCheckpoint(note, verifiers);
    const levels: Buffer[][] = [];
    for (let level = 0, n = size; level === 0 || n > 0; level++, n = Math.floor(n / TILE_WIDTH))
      levels.push(edgeTile(options.directory, size, level, n % TILE_WIDTH));
    const tree = GrowingTree.restored(size, levels);
    if (!tree.root().equals(root)) throw unreadable("checkpoint", "the tiles do not give the signed root");
    const publisher = new Publisher(options, tree, edgeBundle(options.directory, size), note);
    const expected = options.expected?.size ?? Number.POSITIVE_INFINITY;
    if (expected <= size)
      publisher.#compareWithExpected(() => rangeHash(subtreesOf(options.directory, size), 0, expected));
    return publisher;
  }

  /** Entries under the published checkpoint. */
  get signed(): number {
    return Math.max(0, this.#signed);
  }
  /** Entries in the tree, signed or not. */
  get size(): number {
    return this.#tree.size;
  }

  /** Takes in all entries before `limit`, which must be durable. */
  async advance(limit: Position): Promise<void> {
    const reader = this.#reader ?? this.#openReader();
    if (reader === null) return;
    this.#reader = reader;
    for (;;) {
      const { frames } = await reader.read(limit);
      if (frames.length === 0) return;
      for (const frame of frames) this.#take(frame);
    }
  }

  /** Makes the tree visible: tiles, then the checkpoint. The note; the present one when nothing is new. */
  async publish(): Promise<string> {
    if (this.#note !== null && this.#signed === this.#tree.size) return this.#note;
    const size = this.#tree.size;
    const files = new Map(this.#finished);
    for (const [path, bytes] of this.#unfinished()) files.set(path, bytes);
    const finished = [...this.#finished.keys()];
    const text = checkpointText({ origin: this.#origin, size, root: this.#tree.root() });
    const note = signNote(text, this.#options.signers);
    try {
      await this.#writeTiles(files);
      await this.#options.remember(note);
      await putFile(join(this.#options.directory, "checkpoint"), note);
    } catch (error) {
      throw diskFault(error, join(this.#options.directory, "tile"));
    }
    for (const path of finished) this.#finished.delete(path);
    this.#signed = size;
    this.#note = note;
    await this.#dropPartials(finished);
    return note;
  }

  /**
   * After all durable entries are taken in: throws `ledger.forked` where the log does not contain what this key has
   * signed before, i.e. an old copy was restored or history was rewritten.
   */
  checkNotForked(): void {
    const { expected } = this.#options;
    if (expected === null || this.#agreed) return;
    throw new Fault("ledger.forked", {
      at: this.#options.directory,
      detail:
        expected.size > this.#tree.size
          ? `its key has signed ${expected.size} entries, it holds ${this.#tree.size}`
          : `its first ${expected.size} entries are not those its key has signed`,
    });
  }

  #compareWithExpected(root: () => Buffer): void {
    if (this.#options.expected?.root.equals(root()) === true) this.#agreed = true;
  }

  async close(): Promise<void> {
    const reader = this.#reader;
    this.#reader = null;
    await reader?.close();
  }

  #openReader(): JournalReader | null {
    const head = findSegment(this.#options.directory, (h) => h.entry <= this.#tree.size);
    if (head === null) return null;
    this.#readerAt = head.entry;
    return new JournalReader(this.#options.directory, head.segment);
  }

  #take(frame: Frame): void {
    if (frame.kind !== FRAME.event) return;
    // Restarted in the middle of a segment: skip what the checkpoint covers already.
    if (this.#readerAt++ < this.#tree.size) return;
    const index = this.#tree.size;
    this.#bundle.push(Buffer.from(payloadOf(frame)));
    this.#tree.push(leafHashOf(frame.body), (level, n, hashes) => {
      this.#finished.set(tilePath(level, n), Buffer.concat(hashes));
    });
    if (this.#options.expected?.size === index + 1) this.#compareWithExpected(() => this.#tree.root());
    if (this.#bundle.length < TILE_WIDTH) return;
    this.#finished.set(tilePath("entries", Math.floor(index / TILE_WIDTH)), encodeBundle(this.#bundle));
    this.#bundle = [];
  }

  #unfinished(): [path: string, bytes: Buffer][] {
    const files: [string, Buffer][] = [];
    let n = this.#tree.size;
    this.#tree.levels.forEach((hashes, level) => {
      if (hashes.length > 0)
        files.push([tilePath(level, Math.floor(n / TILE_WIDTH), hashes.length), Buffer.concat(hashes)]);
      n = Math.floor(n / TILE_WIDTH);
    });
    if (this.#bundle.length > 0) {
      const index = Math.floor(this.#tree.size / TILE_WIDTH);
      files.push([tilePath("entries", index, this.#bundle.length), encodeBundle(this.#bundle)]);
    }
    return files;
  }

  async #writeTiles(files: ReadonlyMap<string, Buffer>): Promise<void> {
    const queue = [...files];
    const touched = new Set<string>();
    const work = async (): Promise<void> => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const path = join(this.#options.directory, next[0]);
        await this.#makeDirectory(dirname(path), touched);
        await writeTile(path, next[1]);
        touched.add(dirname(path));
      }
    };
    await Promise.all(Array.from({ length: FILES_IN_FLIGHT }, work));
    for (const directory of touched) await syncDirectory(directory);
  }

  /** A new directory's name is made durable in its parent with the rest of `touched`. */
  async #makeDirectory(path: string, touched: Set<string>): Promise<void> {
    if (this.#directories.has(path)) return;
    const first = await mkdir(path, { recursive: true });
    this.#directories.add(path);
    if (first === undefined) return;
    for (let parent = dirname(path); parent.length >= dirname(first).length; parent = dirname(parent))
      touched.add(parent);
  }

  /** c2sp.org/tlog-tiles: a partial tile may go once the full one exists. Nothing depends on its going. */
  async #dropPartials(finished: readonly string[]): Promise<void> {
    for (const path of finished) {
      const partials = join(this.#options.directory, `${path}.p`);
      await rm(partials, { recursive: true, force: true }).catch(() => undefined); // only tidiness is lost
      this.#directories.delete(partials);
    }
  }
}

/** Tiles never change: bytes that differ from those already there mean that history would be rewritten. */
async function writeTile(path: string, bytes: Buffer): Promise<void> {
  const there = await readFile(path).catch(() => null); // not there, or unreadable: written anew
  if (there?.equals(bytes) === true) return;
  if (there !== null && there.length === bytes.length)
    throw unreadable(path, "a tile already written differs from the journal");
  const aside = `${path}.new`;
  const file = await open(aside, "w", 0o644);
  try {
    await file.writeFile(bytes);
    await file.datasync();
  } finally {
    await file.close();
  }
  await rename(aside, path);
}

function edgeTile(directory: string, size: number, level: number, width: number): Buffer[] {
  if (width === 0) return [];
  const index = Math.floor(size / TILE_WIDTH ** (level + 1));
  const tile = readTile(directory, size, level, index);
  if (tile === null || tile.bytes.length !== width * HASH_BYTES)
    throw unreadable(tilePath(level, index, width), "tile missing or short");
  return splitHashes(tile.bytes);
}

function edgeBundle(directory: string, size: number): Buffer[] {
  const index = Math.floor(size / TILE_WIDTH);
  const width = widthAt(size, "entries", index);
  if (width === 0) return [];
  const tile = readTile(directory, size, "entries", index);
  const entries = tile === null ? null : decodeBundle(tile.bytes);
  if (entries === null || entries.length < width)
    throw unreadable(tilePath("entries", index, width), "bundle missing or malformed");
  return entries.slice(0, width);
}

const unreadable = (at: string, detail: string): Fault => new Fault("ledger.unreadable", { at, detail });
