/**
 * What a ledger publishes beside its tiles: `vkey.txt`, the verifier keys that sign its checkpoints, one a line, the present
 * one first. There are two for a period after a key was changed.
 */
import { join } from "node:path";
import { putFile, readIfThere } from "./files.ts";
import { parseVerifierKey, type Verifier } from "./note.ts";

/** The keys in a text of one or more lines. Throws `ledger.unreadable` where one is malformed. */
export const parseKeys = (text: string): Verifier[] =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .map(parseVerifierKey);

/** None where the file is missing. */
export const publishedKeys = (directory: string): Verifier[] =>
  parseKeys(readIfThere(join(directory, "vkey.txt"))?.toString("utf8") ?? "");

export const publishKeys = (directory: string, keys: readonly string[]): Promise<void> =>
  putFile(join(directory, "vkey.txt"), keys.map((key) => `${key}\n`).join(""));
