import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Places } from "./places.ts";

/** The key of finding hashes: without it nobody can test a guessed secret against the ledger. Made at first use. */
export async function findingKey(places: Places): Promise<Uint8Array> {
  const file = join(places.keys, "findings.key");
  await mkdir(places.keys, { recursive: true, mode: 0o700 });
  await writeFile(file, randomBytes(32), { mode: 0o600, flag: "wx" }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    },
  );
  return readFile(file);
}
