/**
 * What a ledger publishes beside its tiles: `vkey.txt`, the verifier keys that sign its checkpoints, one a line, the present
 * one first. There are two for a period after a key was changed.
 */
import { statSync } from "node:fs";
import { join } from "node:path";
import { putFile, readIfThere } from "./files.ts";
import { parseCheckpoint, parseVerifierKey, type Verifier } from "./note.ts";

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

/** What the ledger has signed, as it lies there: nothing of it is checked here. */
export interface PublishedState {
  /** "" before the first key. */
  readonly origin: string;
  readonly size: number;
  /** Base64, as in the note. */
  readonly root: string;
  /** The signed note; "" before the first. */
  readonly checkpoint: string;
  /** Unix ms of its file. */
  readonly checkpointAt: number | null;
  readonly verifierKeys: readonly string[];
}

/** Throws `ledger.unreadable` where a file that is there is no note or no key. */
export function publishedState(directory: string): PublishedState {
  const keys = (readIfThere(join(directory, "vkey.txt"))?.toString("utf8") ?? "")
    .split("\n")
    .filter((line) => line.trim() !== "");
  const origin = publishedKeys(directory)[0]?.name ?? "";
  const file = join(directory, "checkpoint");
  const checkpoint = readIfThere(file)?.toString("utf8") ?? "";
  if (checkpoint === "")
    return { origin, size: 0, root: "", checkpoint, checkpointAt: null, verifierKeys: keys };
  const { size } = parseCheckpoint(checkpoint);
  const root = checkpoint.split("\n")[2] ?? "";
  return { origin, size, root, checkpoint, checkpointAt: statSync(file).mtimeMs, verifierKeys: keys };
}
