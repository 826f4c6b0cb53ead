/**
 * What a ledger publishes beside its tiles: `vkey.txt`, the verifier keys that sign its checkpoints, one a line, the present
 * one first. There are two for a period after a key was changed.
 */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { anchorSizes } from "./anchor.ts";
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
  /** Who cosigned what: names as their signatures give them. `at`: Unix ms of the file. */
  readonly witnesses: readonly { readonly name: string; readonly size: number; readonly at: number }[];
  /** Checkpoints that bear a time stamp, ascending. */
  readonly anchors: readonly { readonly size: number; readonly at: number }[];
}

/** Throws `ledger.unreadable` where a file that is there is no note or no key. */
export function publishedState(directory: string): PublishedState {
  const keys = (readIfThere(join(directory, "vkey.txt"))?.toString("utf8") ?? "")
    .split("\n")
    .filter((line) => line.trim() !== "");
  const origin = publishedKeys(directory)[0]?.name ?? "";
  const file = join(directory, "checkpoint");
  const checkpoint = readIfThere(file)?.toString("utf8") ?? "";
  const kept = {
    ...{ origin, checkpoint, verifierKeys: keys, witnesses: witnessesIn(directory, origin) },
    anchors: anchorSizes(directory).map((size) => ({
      size,
      at: modifiedAt(join(directory, "anchors", `${size}.tsr`)) ?? 0,
    })),
  };
  if (checkpoint === "") return { ...kept, size: 0, root: "", checkpointAt: null };
  const { size } = parseCheckpoint(checkpoint);
  return { ...kept, size, root: checkpoint.split("\n")[2] ?? "", checkpointAt: modifiedAt(file) };
}

function witnessesIn(directory: string, origin: string): PublishedState["witnesses"] {
  const folder = join(directory, "witnessed");
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return []; // nobody has cosigned yet
  }
  return names.flatMap((name) => {
    const note = readIfThere(join(folder, name))?.toString("utf8");
    if (note === undefined) return [];
    const signed = [...note.matchAll(/^\u2014 (\S+) /gm)].map((line) => line[1] ?? "");
    const at = modifiedAt(join(folder, name)) ?? 0;
    return { name: signed.find((one) => one !== origin) ?? name, size: parseCheckpoint(note).size, at };
  });
}

function modifiedAt(file: string): number | null {
  try {
    return Math.round(statSync(file).mtimeMs);
  } catch {
    return null; // gone since: it is replaced by renaming
  }
}

/**
 * A file of the log as it is published, by its path in it: `checkpoint`, `vkey.txt`, or a tile. Null for every other path, and
 * for a tile that is not there.
 */
export function publishedFile(directory: string, path: string): Buffer | null {
  // Nothing but these names: a path is never looked at as one before.
  if (!PUBLISHED.test(path)) return null;
  return readIfThere(join(directory, path));
}

const PUBLISHED =
  /^(?:checkpoint|vkey\.txt|tile\/(?:[0-9]|entries)(?:\/x[0-9]{3}){0,4}\/[0-9]{3}(?:\.p\/[0-9]{1,3})?)$/;
