/**
 * Verifies a ledger, or a copy that holds only its published files, with nothing but its public key, and names what is
 * wrong. Second door of this room: the stand-alone verifier ships it alone, so it must not reach the writer.
 *
 * Order: the checkpoint's signature → the leaf tiles fold up, tile by tile, to the signed root → every journal entry and
 * every bundle entry hashes to its leaf → the sealed evidence frames are those that the entries name. Where the tiles do
 * not give the signed root but the journal does, the journal is the reference and the tiles are at fault.
 *
 * What it cannot tell: whether the whole log was replaced by another one that the same key signed. For that it must be
 * held against a checkpoint that someone else kept (`remembered`), or a witness.
 *
 * Memory: one journal segment (64 MiB and one group) and a few tiles, whatever the log's size; only where the tiles are at
 * fault, the journal's leaf hashes too (32 bytes an entry).
 */
import type { X509Certificate } from "node:crypto";
import { join } from "node:path";
import { Fault } from "../core/index.ts";
import { type Anchored, anchorSizes, checkAnchor, readAnchor } from "./anchor.ts";
import { decodeFrameHead, parseEvidenceId, payloadDigest } from "./evidence-id.ts";
import { readIfThere } from "./files.ts";
import { FRAME, payloadOf } from "./frame.ts";
import { GrowingTree, HASH_BYTES, leafHash, leafHashOf, rangeHash, TILE_WIDTH } from "./merkle.ts";
import {
  type Checkpoint,
  linesOf,
  openCheckpoint,
  openNote,
  parseCheckpoint,
  type Verifier,
} from "./note.ts";
import { parseKeys, publishedKeys } from "./published.ts";
import { listSegments, segmentName } from "./segment.ts";
import { droppedDigest } from "./stand-in.ts";
import { decodeBundle, readTile, splitHashes, subtreesOf, tilePath, widthAt } from "./tiles.ts";
import { type Report, walkJournal } from "./walk.ts";
import type { PolicyWitness, WitnessPolicy } from "./witness-policy.ts";

export interface Verification {
  readonly ok: boolean;
  readonly origin: string;
  /** Entries under the checkpoint. */
  readonly size: number;
  /** The signed root, hex. */
  readonly root: string;
  /** Entries that are durable in the journal behind the checkpoint. */
  readonly unsigned: number;
  /**
   * With a policy: how many entries its quorum of witnesses has seen, and what each of them cosigned last; `at` in
   * Unix seconds, by the witness's clock. Else null.
   */
  readonly witnessed: {
    readonly size: number;
    readonly by: readonly { readonly name: string; readonly size: number; readonly at: number }[];
  } | null;
  /** With roots of time-stamp authorities: the stamps that hold, oldest first; `at` in Unix ms. Else null. */
  readonly anchored: readonly Anchored[] | null;
  readonly problems: readonly { readonly at: string; readonly problem: string }[];
}

const MAX_PROBLEMS = 100;
/** How far removed or added entries are looked for before the next ones count as altered. */
const LOOK_AHEAD = 16;

/**
 * `verifierKey`: one key, or one a line; any of them may have signed. Default: what is published in the directory, which proves only that the copy agrees with itself; an
 * auditor brings the key. `remembered`: notes of the same log, kept by others, that its history must contain.
 * `anchorRoots`: whom to believe the time of its anchors. `policy`: whose cosignatures it must bear; without `verifierKey`, its logs are the keys.
 * Never throws for what it finds; what cannot be read is a problem too.
 */
export async function verifyLedger(
  directory: string,
  verifierKey?: string,
  remembered: readonly string[] = [],
  policy: WitnessPolicy | null = null,
  anchorRoots: readonly X509Certificate[] | null = null,
): Promise<Verification> {
  const problems: { at: string; problem: string }[] = [];
  let more = 0;
  const report: Report = (at, problem) => {
    if (problems.length < MAX_PROBLEMS) problems.push({ at, problem });
    else more++;
  };
  const audit = new Audit(directory, report);
  try {
    await audit.run(verifierKey, remembered, policy, anchorRoots);
  } catch (error) {
    const at = error instanceof Fault ? (error.at ?? directory) : directory;
    report(at, error instanceof Error ? error.message : String(error));
  }
  if (more > 0) problems.push({ at: directory, problem: `and ${more} more problems` });
  const { checkpoint, unsigned, witnessed, anchored } = audit;
  return {
    ok: problems.length === 0,
    origin: checkpoint.origin,
    size: checkpoint.size,
    root: checkpoint.root.toString("hex"),
    unsigned,
    witnessed,
    anchored,
    problems,
  };
}

/** Gives the leaf hash at an index; null where there is none. */
type Leaves = (index: number) => Buffer | null;

class Audit {
  readonly #directory: string;
  readonly #report: Report;
  checkpoint: Checkpoint = { origin: "", size: 0, root: Buffer.alloc(0) };
  unsigned = 0;
  witnessed: Verification["witnessed"] = null;
  anchored: Verification["anchored"] = null;

  constructor(directory: string, report: Report) {
    this.#directory = directory;
    this.#report = report;
  }

  async run(
    verifierKey: string | undefined,
    remembered: readonly string[],
    policy: WitnessPolicy | null,
    anchorRoots: readonly X509Certificate[] | null,
  ): Promise<void> {
    const keys = this.#keys(verifierKey, policy);
    const note = readIfThere(join(this.#directory, "checkpoint"))?.toString("utf8");
    const isJournal = listSegments(this.#directory).length > 0;
    if (note === undefined) this.#report("checkpoint", "missing");
    else if (keys.length > 0) this.#openCheckpoint(note, keys);
    if (note === undefined && !isJournal) return;

    const quiet: Report = () => undefined;
    const tiles = leavesOfTiles(this.#directory, this.checkpoint.size);
    const tilesAgree = this.#checkTiles(tiles, quiet);
    if (!tilesAgree && isJournal && (await this.#journalGivesRoot()))
      return await this.#journalAgainstItself();
    if (!tilesAgree) {
      this.#checkTiles(tiles, this.#report);
      this.#report(
        "checkpoint",
        isJournal
          ? "neither the tiles nor the journal give the signed root: history was rewritten, or the checkpoint is another history's"
          : "the tiles do not give the signed root",
      );
    }
    if (isJournal) await this.#checkJournal(tiles);
    this.#checkBundles(tiles);
    if (!tilesAgree) return;
    for (const text of remembered) this.#checkRemembered(text, keys);
    if (policy !== null) this.#checkWitnesses(policy, keys);
    if (anchorRoots !== null) this.#checkAnchors(anchorRoots, keys);
  }

  #keys(verifierKey: string | undefined, policy: WitnessPolicy | null): readonly Verifier[] {
    if (verifierKey !== undefined) return parseKeys(verifierKey);
    return policy !== null && policy.logs.length > 0 ? policy.logs : this.#publishedKeys();
  }

  #publishedKeys(): readonly Verifier[] {
    const keys = publishedKeys(this.#directory);
    if (keys.length === 0) this.#report("vkey.txt", "missing, and no verifier key was given");
    return keys;
  }

  #openCheckpoint(note: string, keys: readonly Verifier[]): void {
    try {
      this.checkpoint = openCheckpoint(note, keys);
    } catch (error) {
      this.#report("checkpoint", detailOf(error));
      try {
        this.checkpoint = parseCheckpoint(note); // so that the rest can still be compared with what it claims
      } catch {
        // reported just above: nothing to compare with
      }
    }
  }

  /** Whether the leaf tiles and all tiles above them are there, agree, and give the signed root. */
  #checkTiles(leaves: Leaves, report: Report): boolean {
    const { size, root } = this.checkpoint;
    let agree = true;
    const differ = (at: string, problem: string): void => {
      agree = false;
      report(at, problem);
    };
    const tree = new GrowingTree();
    const check = (level: number, index: number, hashes: readonly Buffer[]): void => {
      if (level === 0) return;
      const tile = readTile(this.#directory, size, level, index);
      const at = tile?.found ?? tilePath(level, index, hashes.length);
      if (tile === null) differ(at, "missing");
      else if (!tile.bytes.equals(Buffer.concat(hashes))) differ(at, "does not match the tiles below it");
    };
    for (let index = 0; index < size; index++) {
      const leaf = leaves(index);
      if (leaf === null) {
        const tile = Math.floor(index / TILE_WIDTH);
        differ(tilePath(0, tile, widthAt(size, 0, tile)), "missing or short");
        return false;
      }
      tree.push(leaf, check);
    }
    for (const [level, hashes] of tree.levels.entries())
      if (hashes.length > 0) check(level, Math.floor(size / TILE_WIDTH ** (level + 1)), hashes);
    if (!tree.root().equals(root)) agree = false;
    return agree;
  }

  async #journalGivesRoot(): Promise<boolean> {
    const { size, root } = this.checkpoint;
    const tree = new GrowingTree();
    for await (const steps of walkJournal(
      this.#directory,
      () => undefined,
      () => undefined,
    ))
      for (const { frame } of steps)
        if (frame.kind === FRAME.event && tree.size < size) tree.push(leafHashOf(frame.body));
    return tree.size === size && tree.root().equals(root);
  }

  /** The journal gives the signed root, so each tile that differs from what follows from it is at fault. */
  async #journalAgainstItself(): Promise<void> {
    const { size } = this.checkpoint;
    const leafTiles: Buffer[] = [];
    const tree = new GrowingTree();
    const check = (level: number, index: number, expected: readonly Buffer[]): void => {
      if (level === 0) leafTiles.push(Buffer.concat(expected));
      const tile = readTile(this.#directory, size, level, index);
      if (tile === null) this.#report(tilePath(level, index, expected.length), "missing");
      else if (tile.bytes.length !== expected.length * HASH_BYTES)
        this.#report(tile.found, `${tile.bytes.length} bytes, not ${expected.length * HASH_BYTES}`);
      else
        for (const [i, found] of splitHashes(tile.bytes).entries())
          if (expected[i]?.equals(found) !== true)
            this.#report(tile.found, `hash ${i} does not match the journal, which gives the signed root`);
    };
    for await (const steps of walkJournal(
      this.#directory,
      () => undefined,
      () => undefined,
    ))
      for (const { frame } of steps)
        if (frame.kind === FRAME.event && tree.size < size) tree.push(leafHashOf(frame.body), check);
    for (const [level, edge] of tree.levels.entries())
      if (edge.length > 0) check(level, Math.floor(size / TILE_WIDTH ** (level + 1)), edge);
    const reference: Leaves = (index) => {
      const at = (index % TILE_WIDTH) * HASH_BYTES;
      const leaf =
        index < 0 ? undefined : leafTiles[Math.floor(index / TILE_WIDTH)]?.subarray(at, at + HASH_BYTES);
      return leaf?.length === HASH_BYTES ? leaf : null;
    };
    await this.#checkJournal(reference);
    this.#checkBundles(reference);
  }

  async #checkJournal(leaves: Leaves): Promise<void> {
    const compare = new Alignment(leaves, this.checkpoint.size, this.#report);
    const evidence = new EvidenceCheck(this.#report);
    for await (const steps of walkJournal(this.#directory, this.#report, (head, number) => {
      const at = `journal/${segmentName(number)}`;
      if (head === null) this.#report(at, "damaged head");
      else if (head.segment !== number) this.#report(at, `is segment ${head.segment} under another name`);
      else if (this.checkpoint.origin !== "" && head.origin !== this.checkpoint.origin)
        this.#report(at, `belongs to another log: ${head.origin}`);
      else if (compare.damaged === 0 && head.entry !== compare.seen)
        this.#report(at, `begins with entry ${head.entry}, but ${compare.seen} stand before it`);
    }))
      for (const { frame, whole } of steps) {
        if (!whole) compare.damaged++;
        if (frame.kind === FRAME.event) {
          evidence.event(compare.seen, payloadOf(frame));
          compare.entry(leafHashOf(frame.body));
        } else if (frame.kind === FRAME.evidence) evidence.frame(payloadOf(frame));
        else if (frame.kind === FRAME.dropped) evidence.dropped(payloadOf(frame));
      }
    evidence.end();
    this.unsigned = compare.end();
  }

  #checkBundles(leaves: Leaves): void {
    const { size } = this.checkpoint;
    for (let index = 0; index * TILE_WIDTH < size; index++) {
      const tile = readTile(this.#directory, size, "entries", index);
      const width = widthAt(size, "entries", index);
      if (tile === null) {
        this.#report(tilePath("entries", index, width), "missing");
        continue;
      }
      const entries = decodeBundle(tile.bytes);
      if (entries === null || entries.length < width)
        this.#report(tile.found, entries === null ? "malformed" : `${entries.length} entries, not ${width}`);
      for (const [i, entry] of (entries ?? []).slice(0, width).entries()) {
        const leaf = leaves(index * TILE_WIDTH + i);
        if (leaf !== null && !leafHash(entry).equals(leaf))
          this.#report(tile.found, `entry ${index * TILE_WIDTH + i} is altered`);
      }
    }
  }

  #checkRemembered(note: string, keys: readonly Verifier[]): void {
    let kept: Checkpoint;
    try {
      kept = openCheckpoint(note, keys);
    } catch (error) {
      this.#report("remembered checkpoint", detailOf(error));
      return;
    }
    this.#contains(kept, "were signed once");
  }

  /** Whether the history contains what `kept` stands for; else the problem is reported. */
  #contains(kept: Checkpoint, how: string): boolean {
    const { size, root } = this.checkpoint;
    if (kept.size > size) {
      this.#report("checkpoint", `the ledger was rolled back: ${kept.size} entries ${how}, it has ${size}`);
      return false;
    }
    const then = kept.size === size ? root : rangeHash(subtreesOf(this.#directory, size), 0, kept.size);
    if (then.equals(kept.root)) return true;
    this.#report("checkpoint", `history is forked: its first ${kept.size} entries are not those that ${how}`);
    return false;
  }

  #checkAnchors(roots: readonly X509Certificate[], keys: readonly Verifier[]): void {
    const holding: Anchored[] = [];
    for (const size of anchorSizes(this.#directory))
      try {
        const anchor = readAnchor(this.#directory, size);
        const stamped = checkAnchor(anchor, roots);
        const kept = openCheckpoint(anchor.note.toString("utf8"), keys);
        if (this.#contains(kept, "were time-stamped")) holding.push({ ...stamped, size: kept.size });
      } catch (error) {
        this.#report(`anchors/${size}`, detailOf(error));
      }
    this.anchored = holding;
  }

  /** A witness that cosigned a tree has checked all smaller ones, so a quorum has seen what each of its members has. */
  #checkWitnesses(policy: WitnessPolicy, keys: readonly Verifier[]): void {
    const by = policy.witnesses.flatMap((witness) => this.#newestOf(witness, keys) ?? []);
    const sizes = by.map((seen) => seen.size).sort((a, b) => b - a);
    const enough = (size: number): boolean =>
      policy.isMetBy(new Set(by.filter((seen) => seen.size >= size).map((seen) => seen.name)));
    const size = [...sizes, 0].find(enough);
    this.witnessed = { size: size ?? 0, by };
    if (size !== undefined) return;
    const who = by.length === 0 ? "none of its witnesses" : by.map((seen) => seen.name).join(", ");
    this.#report("checkpoint", `not witnessed: the quorum \`${policy.quorum}\` wants more than ${who}`);
  }

  /** The newest checkpoint in the directory that this witness cosigned; null where there is none that counts. */
  #newestOf(
    { name, key }: PolicyWitness,
    keys: readonly Verifier[],
  ): { readonly name: string; readonly size: number; readonly at: number } | null {
    let newest: { readonly name: string; readonly size: number; readonly at: number } | null = null;
    for (const file of ["checkpoint", `witnessed/${key.id.toString("hex")}`]) {
      const note = readIfThere(join(this.#directory, file))?.toString("utf8");
      if (note === undefined || linesOf(note, key).length === 0) continue;
      try {
        const seen = openCheckpoint(note, keys);
        const [cosignature] = openNote(note, [key]).signatures;
        if (seen.size < (newest?.size ?? 0)) continue;
        if (this.#contains(seen, `${name} cosigned`))
          newest = { name, size: seen.size, at: Number(cosignature?.time ?? 0n) };
      } catch (error) {
        this.#report(file, detailOf(error));
      }
    }
    return newest;
  }
}

function leavesOfTiles(directory: string, size: number): Leaves {
  let held = -1;
  let hashes: readonly Buffer[] = [];
  return (index) => {
    if (index < 0 || index >= size) return null;
    const tile = Math.floor(index / TILE_WIDTH);
    if (tile !== held) {
      held = tile;
      hashes = splitHashes(readTile(directory, size, 0, tile)?.bytes ?? Buffer.alloc(0));
    }
    const leaf = hashes[index % TILE_WIDTH];
    return leaf?.length === HASH_BYTES ? leaf : null;
  };
}

/**
 * Lays the journal's entries beside the reference leaves and tells alteration, removal, addition and swapping apart, by
 * looking a few entries ahead on both sides. `seen` counts journal entries, `#next` leaves.
 */
class Alignment {
  readonly #leaves: Leaves;
  readonly #size: number;
  readonly #report: Report;
  readonly #ahead: Buffer[] = [];
  #next = 0;
  #behindCheckpoint = 0;
  seen = 0;
  damaged = 0;

  constructor(leaves: Leaves, size: number, report: Report) {
    this.#leaves = leaves;
    this.#size = size;
    this.#report = report;
  }

  entry(hash: Buffer): void {
    this.seen++;
    // The common case holds nothing back.
    if (this.#ahead.length === 0 && this.#leaves(this.#next)?.equals(hash) === true) {
      this.#next++;
      return;
    }
    this.#ahead.push(hash);
    while (this.#ahead.length > LOOK_AHEAD) this.#settle();
  }

  /** Entries behind the checkpoint. */
  end(): number {
    while (this.#ahead.length > 0) this.#settle();
    if (this.#next < this.#size)
      this.#report(
        "journal",
        `truncated: it ends before entry ${this.#next}, the checkpoint covers ${this.#size}`,
      );
    return this.#behindCheckpoint;
  }

  #settle(): void {
    const hash = this.#ahead[0];
    if (hash === undefined) return;
    if (this.#next >= this.#size) {
      this.#ahead.shift();
      this.#behindCheckpoint++;
      return;
    }
    const next = this.#next;
    if (this.#isLeaf(hash, next)) this.#take(1, 1);
    else if (this.#isLeaf(hash, next + 1) && this.#isLeaf(this.#ahead[1], next)) {
      this.#report("journal", `entries ${next} and ${next + 1} are swapped`);
      this.#take(2, 2);
    } else {
      const removed = this.#distance((d) => this.#isLeaf(hash, next + d));
      const added = this.#distance((d) => this.#isLeaf(this.#ahead[d], next));
      if (removed > 0 && (added === 0 || removed <= added)) {
        for (let d = 0; d < removed; d++) this.#report("journal", `entry ${next + d} was removed`);
        this.#take(0, removed);
      } else if (added > 0) {
        this.#report(
          "journal",
          `${added === 1 ? "an entry was" : `${added} entries were`} added before entry ${next}`,
        );
        this.#take(added, 0);
      } else {
        this.#report("journal", `entry ${next} is altered`);
        this.#take(1, 1);
      }
    }
  }

  #isLeaf(hash: Buffer | undefined, index: number): boolean {
    return hash !== undefined && this.#leaves(index)?.equals(hash) === true;
  }

  #distance(found: (distance: number) => boolean): number {
    for (let d = 1; d <= LOOK_AHEAD; d++) if (found(d)) return d;
    return 0;
  }

  #take(entries: number, leaves: number): void {
    this.#ahead.splice(0, entries);
    this.#next += leaves;
  }
}

const ERASED = Buffer.from('"kind":"evidence.erased"');
const HAS_EVIDENCE = Buffer.from('"evidence":[{');

/** Each entry's evidence frames stand right before it, and it names each of them by the digest of its sealed bytes. */
class EvidenceCheck {
  readonly #report: Report;
  #pending = new Set<string>();
  /** Sessions of which compaction dropped evidence, and those whose erasure is on the record. */
  readonly #dropped = new Set<string>();
  readonly #erased = new Set<string>();

  constructor(report: Report) {
    this.#report = report;
  }

  frame(payload: Buffer): void {
    this.#pending.add(payloadDigest(payload));
  }

  dropped(payload: Buffer): void {
    const digest = droppedDigest(payload);
    const head = decodeFrameHead(payload);
    if (digest === null || head === null) return; // then the entry names what is not there
    this.#pending.add(digest);
    this.#dropped.add(head.session);
  }

  /** Only what was erased, on the record, may be dropped. */
  end(): void {
    for (const session of this.#dropped)
      if (!this.#erased.has(session))
        this.#report(
          "journal",
          `evidence of session ${session} was dropped, and its erasure is not on the record`,
        );
  }

  event(index: number, bytes: Buffer): void {
    if (bytes.includes(ERASED)) this.#erased.add(sessionOf(bytes));
    if (this.#pending.size === 0 && !bytes.includes(HAS_EVIDENCE)) return;
    const named = new Set<string>();
    for (const id of evidenceIds(bytes)) named.add(parseEvidenceId(id)?.digest ?? id);
    for (const digest of named)
      if (!this.#pending.delete(digest))
        this.#report(`entry ${index}`, "its sealed evidence is missing or altered");
    if (this.#pending.size > 0)
      this.#report(`entry ${index}`, "evidence stands before it that it does not name");
    this.#pending.clear();
  }
}

/** The session whose erasure the entry records; empty where it is another kind that only mentions the words. */
function sessionOf(bytes: Buffer): string {
  try {
    const event: unknown = JSON.parse(bytes.toString("utf8"));
    if (typeof event !== "object" || event === null || !("kind" in event) || !("session" in event)) return "";
    return event.kind === "evidence.erased" && typeof event.session === "string" ? event.session : "";
  } catch {
    return ""; // not JSON: the leaf's hash already says that the entry is altered
  }
}

function evidenceIds(bytes: Buffer): string[] {
  try {
    const event: unknown = JSON.parse(bytes.toString("utf8"));
    if (typeof event !== "object" || event === null || !("evidence" in event)) return [];
    if (!Array.isArray(event.evidence)) return [];
    return event.evidence.flatMap((ref: unknown) =>
      typeof ref === "object" && ref !== null && "id" in ref && typeof ref.id === "string" ? [ref.id] : [],
    );
  } catch {
    return []; // not JSON: the leaf's hash already says that the entry is altered
  }
}

function detailOf(error: unknown): string {
  if (error instanceof Fault) return error.detail ?? error.message;
  return error instanceof Error ? error.message : String(error);
}
