/**
 * One writer per ledger. The lock is a SQLite database held in an exclusive transaction: a POSIX record lock on a
 * file, which the kernel drops when the process dies (kill -9 included) and which holds across network and process
 * namespaces, as it belongs to the inode. A pid file or a socket would do neither.
 *
 * Trap: POSIX locks die when *any* descriptor of the file is closed in the process. Nothing else here opens `lock`.
 */
import { join } from "node:path";
import { Fault } from "../core/index.ts";

export interface WriterLock {
  release(): void;
}

const SQLITE_BUSY = 5;
const SQLITE_FULL = 13;

/** Throws `ledger.locked`, `ledger.full` or `ledger.readonly`. */
export async function takeLock(directory: string): Promise<WriterLock> {
  const path = join(directory, "lock");
  // Loaded here, not at the top: readers and the stand-alone verifier do without SQLite.
  const { DatabaseSync } = await import("node:sqlite");
  let database: InstanceType<typeof DatabaseSync> | undefined;
  try {
    database = new DatabaseSync(path, { timeout: 0 });
    database.exec("PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE");
  } catch (error) {
    database?.close();
    const code = error instanceof Error && "errcode" in error ? error.errcode : undefined;
    const primary = typeof code === "number" ? code & 0xff : undefined;
    const detail = error instanceof Error ? error.message : String(error);
    if (primary === SQLITE_BUSY) throw new Fault("ledger.locked", { at: directory, cause: error });
    if (primary === SQLITE_FULL) throw new Fault("ledger.full", { at: path, detail, cause: error });
    throw new Fault("ledger.readonly", { at: path, detail, cause: error });
  }
  const held = database;
  return { release: () => held.close() };
}
