/**
 * Backup and restore are one act: a copy that is a ledger again, verified after it was made. It takes no lock and may
 * run while a writer does; then it holds what was durable when each part was read. Keys are not copied: they are backed
 * up apart, so that an erased session's key does not live on in a ledger's backup.
 *
 * Order: checkpoint first, then the journal, then the tiles: whatever the checkpoint covers is there by then.
 * Crash story: the copy's checkpoint is written last; a copy without one was not finished and is refused as a source.
 *
 * A copy that is older than what its key has signed since is refused for writing (`ledger.forked`): it is an archive, and
 * writing goes on in a new ledger.
 */
import { constants, existsSync, mkdirSync, readdirSync } from "node:fs";
import { copyFile, open, truncate } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { Fault } from "../core/index.ts";
import { diskFault, errnoOf, putFile, readIfThere, syncDirectory } from "./files.ts";
import { parseCheckpoint } from "./note.ts";
import { findEnd } from "./recover.ts";
import { listSegments, segmentPath } from "./segment.ts";
import { type Verification, verifyLedger } from "./verify.ts";

/**
 * Copies the ledger at `from` to `to`, which must be missing or empty. Throws `ledger.unreadable` when the source has no
 * checkpoint or the copy does not verify (then the copy is left for inspection), `usage.invalid` when `to` is not empty,
 * `ledger.full`, `ledger.readonly`, `ledger.failed`.
 */
export async function copyLedger(from: string, to: string): Promise<Verification> {
  const note = readIfThere(join(from, "checkpoint"));
  const key = readIfThere(join(from, "vkey.txt"));
  if (note === null || key === null)
    throw new Fault("ledger.unreadable", {
      at: from,
      detail: "no checkpoint or verifier key: no whole ledger",
    });
  const { size } = parseCheckpoint(note.toString("utf8"));
  try {
    mkdirSync(to, { recursive: true });
    if (readdirSync(to).length > 0) throw new Fault("usage.invalid", { detail: `\`${to}\` is not empty` });
    await copyJournal(from, to, size);
    const directories = await copyTiles(from, to);
    for (const directory of directories) await syncDirectory(directory);
    for (const folder of ["witnessed", "anchors"]) await copyFlat(join(from, folder), join(to, folder));
    await putFile(join(to, "vkey.txt"), key);
    // All tiles of the copy were synced, whatever boot this is.
    await putFile(join(to, "tiles.synced"), `${size - (size % 256)} 00000000-0000-0000-0000-000000000000\n`);
    await putFile(join(to, "checkpoint"), note);
  } catch (error) {
    throw diskFault(error, to);
  }
  const found = await verifyLedger(to);
  const [first] = found.problems;
  if (first !== undefined) throw new Fault("ledger.unreadable", { at: first.at, detail: first.problem });
  return found;
}

async function copyJournal(from: string, to: string, signed: number): Promise<void> {
  mkdirSync(join(to, "journal"));
  for (const number of listSegments(from))
    await copySynced(segmentPath(from, number), segmentPath(to, number));
  // A writer may have been in the middle of a group: the copy ends where recovery would end.
  const end = await findEnd(to, signed);
  if (end !== null) await truncate(segmentPath(to, end.position.segment), end.position.offset);
  await syncDirectory(join(to, "journal"));
}

/** The directories it made. */
async function copyTiles(from: string, to: string): Promise<Set<string>> {
  const made = new Set<string>([to]);
  for (const entry of readdirSync(join(from, "tile"), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || entry.name.endsWith(".new")) continue;
    const source = join(entry.parentPath, entry.name);
    const target = join(to, relative(from, source));
    for (let d = dirname(target); !made.has(d); d = dirname(d)) made.add(d);
    mkdirSync(dirname(target), { recursive: true });
    try {
      await copySynced(source, target);
    } catch (error) {
      // A partial tile may go while we copy, once its full one is there.
      if (errnoOf(error) !== "ENOENT") throw error;
    }
  }
  return made;
}

/** What others said of its checkpoints: worth keeping, and nothing depends on its being complete. */
async function copyFlat(from: string, to: string): Promise<void> {
  if (!existsSync(from)) return;
  mkdirSync(to);
  for (const name of readdirSync(from))
    if (!name.endsWith(".new")) await copySynced(join(from, name), join(to, name));
  await syncDirectory(to);
}

async function copySynced(from: string, to: string): Promise<void> {
  await copyFile(from, to, constants.COPYFILE_EXCL);
  const file = await open(to, "r+");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
