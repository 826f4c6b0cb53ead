/**
 * Writing tiles, and knowing which of them are on the disk for certain.
 *
 * A tile can be made again from the journal, so it is not worth an fdatasync of its own on the append path's disk: it is
 * written aside and renamed, and synced a minute later, when the kernel has long written it. `tiles.synced` holds two
 * words: the number of entries (a multiple of 256) whose tiles are synced, and the boot in which the rest was written.
 *
 * Crash story: a process that dies leaves its tiles in the kernel's cache, so within the same boot all of them are
 * good. After a power cut the boot differs, and opening makes the tiles behind the mark again from the journal. A missing
 * or strange mark means: make them all again.
 */
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { mkdir, open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Fault } from "../core/index.ts";
import { putFile, readIfThere, syncDirectory } from "./files.ts";
import { TILE_WIDTH } from "./merkle.ts";
import { tilePath } from "./tiles.ts";

const FILES_IN_FLIGHT = 2;
/** The kernel writes dirty pages after 30 s and commits within 5 more. */
const SETTLED_AFTER_MS = 60_000;
const SYNC_BUDGET_MS = 50;

/** The running kernel's id; null where there is none to read, which counts as another boot each time. */
export const bootId = (): string | null =>
  readIfThere("/proc/sys/kernel/random/boot_id")?.toString("utf8").trim() ?? null;

export interface SyncedMark {
  readonly entries: number;
  readonly isThisBoot: boolean;
}

export function readMark(directory: string, boot: string | null): SyncedMark {
  const text = readIfThere(join(directory, "tiles.synced"))?.toString("utf8") ?? "";
  const parts = /^(\d{1,15}) ([0-9a-f-]{36})\n$/.exec(text);
  if (parts === null) return { entries: 0, isThisBoot: false };
  const entries = Number(parts[1]);
  return { entries: entries - (entries % TILE_WIDTH), isThisBoot: boot !== null && parts[2] === boot };
}

/** Owns the tile files of one ledger for as long as its publisher lives. */
export class TileFiles {
  readonly #directory: string;
  readonly #boot: string | null;
  readonly #made = new Set<string>();
  /** Entries below it have their tiles synced. */
  #synced: number;
  /** Sizes published, with the time; older ones than `SETTLED_AFTER_MS` may be synced. */
  readonly #published: { readonly entries: number; readonly at: number }[] = [];
  /** Whether to wait for the disk in this thread: where nothing else runs in it, that is several times cheaper. */
  readonly #blocking: boolean;
  /** Only the first publication of a process can meet tiles that a crash left without their checkpoint. */
  #isFirst = true;
  #hasFailed = false;
  /** After a power cut, tiles behind the mark may be torn: they are replaced, not held against the journal. */
  readonly #mayReplace: boolean;

  constructor(directory: string, mark: SyncedMark, boot: string | null, blocking: boolean) {
    this.#directory = directory;
    this.#blocking = blocking;
    this.#boot = boot;
    this.#synced = mark.entries;
    this.#mayReplace = !mark.isThisBoot;
  }

  /** Said once, before the first tile is written in this boot. */
  async begin(): Promise<void> {
    await this.#writeMark();
  }

  async write(files: ReadonlyMap<string, Buffer>): Promise<void> {
    const queue = [...files];
    const work = async (): Promise<void> => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const path = join(this.#directory, next[0]);
        if (!this.#made.has(dirname(path))) {
          await mkdir(dirname(path), { recursive: true });
          this.#made.add(dirname(path));
        }
        if (this.#isFirst && (await this.#isThere(path, next[1]))) continue;
        if (this.#blocking) writeAsideNow(path, next[1]);
        else await writeAside(path, next[1]);
      }
    };
    // All settled before the first failure is told: a second attempt must not meet the first one's writes.
    const ends = await Promise.allSettled(Array.from({ length: FILES_IN_FLIGHT }, work));
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  }

  /** Tiles never change: bytes that differ from those already there mean that history would be rewritten. */
  async #isThere(path: string, bytes: Buffer): Promise<boolean> {
    const there = await readFile(path).catch(() => null); // not there, or unreadable: written anew
    if (there?.equals(bytes) === true) return true;
    if (there !== null && there.length === bytes.length && !this.#mayReplace)
      throw new Fault("ledger.unreadable", {
        at: path,
        detail: "a tile already written differs from the journal",
      });
    return false;
  }

  /** c2sp.org/tlog-tiles: a partial tile may go once the full one exists. Nothing depends on its going. */
  async dropPartials(finished: readonly string[]): Promise<void> {
    for (const path of finished) {
      const partials = join(this.#directory, `${path}.p`);
      if (!this.#isFirst && !this.#made.has(partials)) continue;
      await rm(partials, { recursive: true, force: true }).catch(() => undefined); // only tidiness is lost
      this.#made.delete(partials);
    }
    this.#isFirst = false;
  }

  /** Syncs tiles that were published long enough ago, for a bounded time, and moves the mark. */
  async settle(size: number, nowMs: number): Promise<void> {
    this.#published.push({ entries: size, at: nowMs });
    let upTo = 0;
    for (let first = this.#published[0]; first !== undefined; first = this.#published[0]) {
      if (nowMs - first.at < SETTLED_AFTER_MS) break;
      upTo = first.entries;
      this.#published.shift();
    }
    if (upTo > 0) await this.syncUpTo(upTo);
    const left = this.#published[0];
    // What the budget did not cover stays settled for the next time.
    if (upTo - (upTo % TILE_WIDTH) > this.#synced)
      this.#published.unshift({ entries: upTo, at: -SETTLED_AFTER_MS });
    else if (left !== undefined && this.#published.length > 4096) this.#published.splice(1, 2048);
  }

  /** Syncs the full tiles below `size`, within the budget. Never fails: what is not synced stays behind the mark. */
  async syncUpTo(size: number): Promise<void> {
    if (this.#hasFailed) return;
    try {
      await this.#sync(size);
    } catch {
      // A full disk, or one that lost a tile: a second fdatasync would lie, so the mark stays until the next process.
      this.#hasFailed = true;
    }
  }

  async #sync(size: number): Promise<void> {
    const before = this.#synced;
    const until = performance.now() + SYNC_BUDGET_MS;
    const directories = new Set<string>();
    let at = this.#synced;
    for (; at + TILE_WIDTH <= size && performance.now() < until; at += TILE_WIDTH)
      for (const path of finishedAt(at + TILE_WIDTH)) {
        const file = await open(join(this.#directory, path), "r");
        try {
          await file.datasync();
        } finally {
          await file.close();
        }
        for (let d = dirname(path); d !== "."; d = dirname(d)) directories.add(d);
      }
    if (at === before) return;
    for (const directory of directories) await syncDirectory(join(this.#directory, directory));
    this.#synced = at;
    await this.#writeMark();
  }

  async #writeMark(): Promise<void> {
    const boot = this.#boot ?? "00000000-0000-0000-0000-000000000000";
    await putFile(join(this.#directory, "tiles.synced"), `${this.#synced} ${boot}\n`);
  }
}

async function writeAside(path: string, bytes: Buffer): Promise<void> {
  try {
    await writeFile(`${path}.new`, bytes);
    await rename(`${path}.new`, path);
  } catch (error) {
    await rm(`${path}.new`, { force: true }); // on a full disk even half a tile is in the way
    throw error;
  }
}

function writeAsideNow(path: string, bytes: Buffer): void {
  try {
    writeFileSync(`${path}.new`, bytes);
    renameSync(`${path}.new`, path);
  } catch (error) {
    rmSync(`${path}.new`, { force: true });
    throw error;
  }
}

/** The files that the entry before `size`, a multiple of 256, completed. */
function finishedAt(size: number): string[] {
  const tile = size / TILE_WIDTH - 1;
  const paths = [tilePath("entries", tile)];
  for (let level = 0, n = size; n % TILE_WIDTH === 0 && n > 0; level++) {
    n /= TILE_WIDTH;
    paths.push(tilePath(level, n - 1));
  }
  return paths;
}
