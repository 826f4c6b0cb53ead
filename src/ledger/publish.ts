/**
 * The tailer that turns the journal into a transparency log: it reads what is durable from its own cursor (the size of
 * the last checkpoint), grows the tree, writes tiles and bundles, and signs.
 *
 * Order of a publication: tiles → the checkpoint remembered beside the key → the ledger's checkpoint. So nothing is
 * signed whose tiles were not written, and no signed state is forgotten.
 *
 * Crash story: tiles without a checkpoint are written again with the same bytes. Opening resumes from the checkpoint;
 * after a power cut from the last tiles known to be synced (tile-files.ts), and either way the tree must arrive at the
 * signed root, and at the root remembered beside the key.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "../core/index.ts";
import { diskFault, putFile, readIfThere } from "./files.ts";
import { FRAME, type Frame, payloadOf } from "./frame.ts";
import {
  consistencyProof,
  fold,
  GrowingTree,
  HASH_BYTES,
  leafHashOf,
  rangeHash,
  TILE_WIDTH,
} from "./merkle.ts";
import {
  type Checkpoint,
  checkpointText,
  linesOf,
  openCheckpoint,
  parseVerifierKey,
  type Signer,
  signNote,
} from "./note.ts";
import { findSegment, JournalReader, type Position } from "./segment.ts";
import { bootId, readMark, TileFiles } from "./tile-files.ts";
import { decodeBundle, encodeBundle, readTile, splitHashes, subtreesOf, tilePath, widthAt } from "./tiles.ts";
import { type ProofFrom, type Witness, WitnessClient } from "./witness.ts";

export interface PublisherOptions {
  readonly directory: string;
  readonly signers: readonly Signer[];
  /** The newest checkpoint known to have been signed with this key: the log must contain it. */
  readonly expected: Checkpoint | null;
  /** Makes a signed checkpoint durable beside the key, before the ledger shows it. */
  readonly remember: (note: string) => Promise<void>;
  readonly witnesses?: readonly Witness[];
  /** Monotonic ms. */
  readonly monotonic: () => number;
  /** Whether tiles may be written without leaving the thread. */
  readonly blocking?: boolean;
  /** Default: the running kernel's; tests say otherwise. */
  readonly boot?: string | null;
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
  readonly #files: TileFiles;
  readonly #witnesses: readonly WitnessClient[];
  #begun = false;
  /** What the ledger's own checkpoint says; the tree must pass through it. */
  #checkpoint: Checkpoint | null = null;

  private constructor(
    options: PublisherOptions,
    files: TileFiles,
    tree: GrowingTree,
    bundle: Buffer[],
    note: string | null,
  ) {
    this.#options = options;
    this.#files = files;
    this.#witnesses = (options.witnesses ?? []).map((w) => new WitnessClient(w));
    this.#origin = options.signers[0]?.name ?? "";
    this.#tree = tree;
    this.#bundle = bundle;
    this.#note = note;
    this.#signed = note === null ? -1 : tree.size;
  }

  /**
   * Takes up the log where its checkpoint left it, or, after a power cut, where its tiles are known to be synced.
   * Throws `ledger.unreadable` when its tiles do not give the signed root.
   */
  static restore(options: PublisherOptions): Publisher {
    const { directory } = options;
    const boot = options.boot === undefined ? bootId() : options.boot;
    const mark = readMark(directory, boot);
    const files = new TileFiles(directory, mark, boot, options.blocking ?? false);
    const note = readIfThere(join(directory, "checkpoint"))?.toString("utf8") ?? null;
    if (note === null) {
      const empty = new Publisher(options, files, new GrowingTree(), [], null);
      if (options.expected?.size === 0) empty.#agreed = true;
      return empty;
    }
    const checkpoint = openCheckpoint(
      note,
      options.signers.map((s) => parseVerifierKey(s.verifierKey)),
    );
    if (!mark.isThisBoot && mark.entries < checkpoint.size) {
      const tree = GrowingTree.restored(mark.entries, edgesFromFullTiles(directory, mark.entries));
      const publisher = new Publisher(options, files, tree, [], note);
      publisher.#checkpoint = checkpoint;
      publisher.#signed = checkpoint.size;
      publisher.#compareWithExpectedBelow(mark.entries);
      return publisher;
    }
    const { size, root } = checkpoint;
    const levels: Buffer[][] = [];
    for (let level = 0, n = size; level === 0 || n > 0; level++, n = Math.floor(n / TILE_WIDTH))
      levels.push(edgeTile(directory, size, level, n % TILE_WIDTH));
    const tree = GrowingTree.restored(size, levels);
    if (!tree.root().equals(root)) throw unreadable("checkpoint", "the tiles do not give the signed root");
    const publisher = new Publisher(options, files, tree, edgeBundle(directory, size), note);
    publisher.#compareWithExpectedBelow(size);
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
    try {
      for (;;) {
        const { frames } = await reader.read(limit);
        if (frames.length === 0) return;
        for (const frame of frames) this.#take(frame);
      }
    } catch (error) {
      await this.close(); // what was taken in stays; nobody goes on from here
      throw error;
    }
  }

  /** Makes the tree visible: tiles, then the checkpoint. The note; the present one when nothing is new. */
  async publish(): Promise<string> {
    if (this.#note !== null && this.#signed === this.#tree.size) return await this.#cosigned(this.#note);
    const size = this.#tree.size;
    if (this.#checkpoint !== null && size < this.#checkpoint.size)
      throw unreadable("journal", `it holds ${size} entries, the checkpoint covers ${this.#checkpoint.size}`);
    const files = new Map(this.#finished);
    for (const [path, bytes] of this.#unfinished()) files.set(path, bytes);
    const finished = [...this.#finished.keys()];
    const text = checkpointText({ origin: this.#origin, size, root: this.#tree.root() });
    const signed = signNote(text, this.#options.signers);
    try {
      if (!this.#begun) await this.#files.begin();
      this.#begun = true;
      await this.#files.write(files);
      await this.#options.remember(signed);
      await putFile(join(this.#options.directory, "checkpoint"), signed);
    } catch (error) {
      throw diskFault(error, join(this.#options.directory, "tile"));
    }
    for (const path of finished) this.#finished.delete(path);
    this.#signed = size;
    this.#note = signed;
    await this.#files.dropPartials(finished);
    await this.#files.settle(size, this.#options.monotonic());
    // Seen by all before the witnesses are asked, who may take their time.
    return await this.#cosigned(signed);
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

  /** The present note with what the witnesses that have not cosigned it yet add now; asked again at each publication. */
  async #cosigned(note: string): Promise<string> {
    const { directory, monotonic } = this.#options;
    const size = this.#signed;
    const now = monotonic();
    const wanting = this.#witnesses.filter(
      (w) => w.isWanting(size, now) && linesOf(note, w.key).length === 0,
    );
    if (wanting.length === 0) return note;
    const subtree = subtreesOf(directory, size);
    const proof: ProofFrom = (from) => (from === size ? [] : consistencyProof(subtree, from, size));
    const own = this.#options.signers.map((s) => parseVerifierKey(s.verifierKey));
    const text = note.slice(0, note.lastIndexOf("\n\n") + 2);
    const plain = `${text}${own.flatMap((key) => linesOf(note, key)).join("\n")}\n`;
    const lines = await Promise.all(wanting.map((w) => w.cosign(plain, size, proof, now)));
    const added = lines.join("");
    if (added === "") return note;
    try {
      await mkdir(join(directory, "witnessed"), { recursive: true });
      for (const [i, line] of lines.entries())
        if (line !== "")
          await putFile(join(directory, "witnessed", wanting[i]?.key.id.toString("hex") ?? ""), plain + line);
      await putFile(join(directory, "checkpoint"), note + added);
    } catch (error) {
      throw diskFault(error, join(directory, "witnessed"));
    }
    this.#note = note + added;
    return this.#note;
  }

  /** For an expected checkpoint of at most `size` entries, all of them in published tiles. */
  #compareWithExpectedBelow(size: number): void {
    const { directory, expected } = this.#options;
    if (expected === null || expected.size > size) return;
    if (expected.root.equals(rangeHash(subtreesOf(directory, size), 0, expected.size))) this.#agreed = true;
  }

  /** At each new size: is it one whose root is known? */
  #compare(): void {
    const { expected } = this.#options;
    const { size } = this.#tree;
    if (expected?.size === size && expected.root.equals(this.#tree.root())) this.#agreed = true;
    if (this.#checkpoint?.size !== size) return;
    if (!this.#checkpoint.root.equals(this.#tree.root()))
      throw unreadable("checkpoint", "the journal does not give the signed root");
    this.#checkpoint = null;
  }

  /** `sync`: also what was published just now, within a bounded time. */
  async close(sync = false): Promise<void> {
    if (sync && this.#begun) await this.#files.syncUpTo(this.signed);
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
    this.#compare();
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
}

/** The right edge of a tree of `size`, a multiple of 256, from full tiles alone: partial ones may have been removed. */
function edgesFromFullTiles(directory: string, size: number): Buffer[][] {
  const levels: Buffer[][] = [[]];
  for (let level = 1, n = size / TILE_WIDTH; n > 0; level++, n = Math.floor(n / TILE_WIDTH)) {
    const first = n - (n % TILE_WIDTH);
    const edge: Buffer[] = [];
    for (let index = first; index < n; index++)
      edge.push(fold(edgeTile(directory, size, level - 1, TILE_WIDTH, index)));
    levels.push(edge);
  }
  return levels;
}

function edgeTile(
  directory: string,
  size: number,
  level: number,
  width: number,
  index: number = Math.floor(size / TILE_WIDTH ** (level + 1)),
): Buffer[] {
  if (width === 0) return [];
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
