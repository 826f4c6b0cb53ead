/**
 * Looks at the disks that a session writes to while it runs. Limits of one file's size do not bound many files, and what a
 * full disk stops first is not the session but the person's own work, and the record of it.
 */
import { statfsSync } from "node:fs";

const LOOK_MS = 250;

/**
 * Calls once when fewer bytes are free than are to stay free, or fewer than half of what was free at the beginning where
 * that was less already. Returns what ends the looking.
 */
export function watchDisk(
  disk: { readonly paths: readonly string[]; readonly freeBytes: number } | null,
  onFull: (path: string) => void,
): () => void {
  const floors = (disk?.paths ?? []).map((path) => ({
    path,
    floor: Math.min(disk?.freeBytes ?? 0, freeOn(path) / 2),
  }));
  const looking = setInterval(() => {
    const full = floors.find(({ path, floor }) => freeOn(path) < floor);
    if (full === undefined) return;
    clearInterval(looking);
    onFull(full.path);
  }, LOOK_MS).unref();
  return () => clearInterval(looking);
}

/** What a user without rights may still write. */
function freeOn(path: string): number {
  try {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize;
  } catch {
    return Number.POSITIVE_INFINITY; // it has gone, which is no full disk
  }
}
