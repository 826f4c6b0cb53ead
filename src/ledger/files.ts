/**
 * The few ways this room touches the disk, so that what is promised about durability stands in one place.
 *
 * Crash story: `putFile` leaves the old file or the new one, never a mixture (write aside, fsync, rename, fsync the
 * directory). Whatever it returns from is on the disk as far as the kernel and the disk tell the truth.
 */
import * as fs from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { Fault } from "../core/index.ts";

/** The system calls the journal makes; tests hand in ones that fail. */
export interface JournalIo {
  /** Resolves when the bytes are on the disk, as after write and fdatasync. `fd` is from `openJournalFile`. */
  writeDurably(fd: number, bytes: Buffer, position: number): Promise<void>;
}

/**
 * On Linux a write to a file opened with O_DSYNC is write and fdatasync in one call, so a group commit takes one turn
 * through libuv's threads instead of two. Elsewhere (macOS: O_DSYNC does not reach the disk, libuv's fdatasync does)
 * the two calls follow each other.
 */
const SYNCS_ON_WRITE = process.platform === "linux";

export function openJournalFile(path: string, isNew: boolean): number {
  const { O_RDWR, O_CREAT, O_EXCL, O_DSYNC } = fs.constants;
  return fs.openSync(path, O_RDWR | (isNew ? O_CREAT | O_EXCL : 0) | (SYNCS_ON_WRITE ? O_DSYNC : 0), 0o644);
}

export const realIo: JournalIo = {
  writeDurably: (fd, bytes, position) =>
    new Promise((resolve, reject) => {
      const finish = (error: Error | null): void => (error ? reject(error) : resolve());
      const step = (from: number): void => {
        fs.write(fd, bytes, from, bytes.length - from, position + from, (error, written) => {
          if (error) reject(error);
          else if (from + written < bytes.length) step(from + written);
          else if (SYNCS_ON_WRITE) resolve();
          else fs.fdatasync(fd, finish);
        });
      };
      step(0);
    }),
};

/** The file's bytes, or null where there is none. */
export function readIfThere(path: string): Buffer | null {
  try {
    return fs.readFileSync(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return null;
    throw error;
  }
}

/** The same for a file that nobody else may be able to read. Throws `ledger.key` where others can. */
export function readSecretFile(path: string): Buffer | null {
  const bytes = readIfThere(path);
  if (bytes !== null && (fs.statSync(path).mode & 0o077) !== 0)
    throw new Fault("ledger.key", { at: path, detail: "others can read it" });
  return bytes;
}

export async function putFile(path: string, bytes: Uint8Array | string, mode = 0o644): Promise<void> {
  const aside = `${path}.new`;
  try {
    const file = await open(aside, "w", mode);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true }); // on a full disk even half a file is in the way
    throw error;
  }
  await syncDirectory(dirname(path));
}

export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** What a failed system call means for the ledger. */
export function diskFault(error: unknown, at: string): Fault {
  if (error instanceof Fault) return error;
  const errno = errnoOf(error);
  const context = {
    at,
    detail: errno ?? (error instanceof Error ? error.message : String(error)),
    cause: error,
  };
  switch (errno) {
    case "ENOSPC":
    case "EDQUOT":
      return new Fault("ledger.full", context);
    case "EROFS":
    case "EACCES":
    case "EPERM":
      return new Fault("ledger.readonly", context);
    default:
      return new Fault("ledger.failed", context);
  }
}
