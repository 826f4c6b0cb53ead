/**
 * Looks at the disks that a session writes to while it runs. Limits of one file's size do not bound many files, and what a
 * full disk stops first is not the session but the person's own work, and the record of it.
 *
 * Failure contract: a disk that does not say how much is free counts as full. Directories are held open, so that one that
 * is moved or removed meanwhile still answers for its disk.
 */
import { closeSync, constants, openSync, statfsSync } from "node:fs";

const LOOK_MS = 250;

export interface DiskEnd {
  readonly path: string;
  /** `unknown`: nobody can tell how much is left. */
  readonly why: "full" | "unknown";
}

/** Bytes that a user without rights may still write. Throws when the disk does not say. */
export type FreeBytes = (path: string) => number;

/**
 * Calls once when fewer bytes are free than are to stay free, or fewer than half of what was free at the beginning where
 * that was less already. Returns what ends the looking.
 */
export function watchDisk(
  disk: { readonly paths: readonly string[]; readonly freeBytes: number } | null,
  onEnd: (end: DiskEnd) => void,
  freeOn: FreeBytes = freeBytesOn,
): () => void {
  const held: number[] = [];
  let looking: NodeJS.Timeout | undefined;
  const stop = (): void => {
    clearInterval(looking);
    for (const fd of held.splice(0)) closeSync(fd);
  };
  /** Null: it did not say at the beginning. */
  const floors: { readonly path: string; readonly at: string; readonly floor: number | null }[] = [];
  const look = (): void => {
    for (const { path, at, floor } of floors) {
      const free = floor === null ? null : tell(freeOn, at);
      if (free !== null && floor !== null && free >= floor) continue;
      stop();
      onEnd({ path, why: free === null ? "unknown" : "full" });
      return;
    }
  };
  for (const path of disk?.paths ?? []) {
    const at = tell((name) => hold(name, held), path);
    const free = at === null ? null : tell(freeOn, at);
    // From the next look on: whoever called has not yet what this returns.
    floors.push({
      ...{ path, at: at ?? path },
      floor: free === null ? null : Math.min(disk?.freeBytes ?? 0, free / 2),
    });
  }
  if (floors.length > 0) looking = setInterval(look, LOOK_MS).unref();
  return stop;
}

/** Where the directory stays reachable for as long as its descriptor is open. */
function hold(path: string, held: number[]): string {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  held.push(fd);
  return `/proc/self/fd/${fd}`;
}

function freeBytesOn(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}

function tell<T>(ask: (path: string) => T, path: string): T | null {
  try {
    return ask(path);
  } catch {
    return null; // the caller ends the session for it
  }
}
