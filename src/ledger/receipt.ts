/**
 * Receipts (c2sp.org/tlog-proof): one entry, the proof that the log holds it, and the checkpoint with all its signatures, in
 * one text that anyone verifies offline. The entry's bytes lie in the `extra` line; what makes them believed is that
 * their hash is the leaf which the proof proves.
 */
import { join } from "node:path";
import { Fault } from "../core/index.ts";
import { readIfThere } from "./files.ts";
import { inclusionProof, leafHash, TILE_WIDTH, verifyInclusion } from "./merkle.ts";
import {
  type Checkpoint,
  linesOf,
  openCheckpoint,
  openNote,
  parseCheckpoint,
  type Verifier,
} from "./note.ts";
import { decodeBundle, readTile, subtreesOf } from "./tiles.ts";
import type { WitnessPolicy } from "./witness-policy.ts";

const FIRST_LINE = "c2sp.org/tlog-proof@v1";
/** An entry of 65,535 bytes in base64, 53 hashes, a note. */
const MAX_TEXT = 1 << 20;

/** The receipt of entry `index`, from published files alone. Throws `usage.invalid` where no checkpoint covers it. */
export function makeReceipt(directory: string, index: number): string {
  const note = readIfThere(join(directory, "checkpoint"))?.toString("utf8");
  const size = note === undefined ? 0 : parseCheckpoint(note).size;
  if (note === undefined || index >= size)
    throw new Fault("usage.invalid", { detail: `the checkpoint covers ${size} entries, not entry ${index}` });
  const bundle = Math.floor(index / TILE_WIDTH);
  const tile = readTile(directory, size, "entries", bundle);
  const entry = tile === null ? undefined : decodeBundle(tile.bytes)?.[index % TILE_WIDTH];
  if (entry === undefined)
    throw new Fault("ledger.unreadable", { at: `tile/entries of ${bundle}`, detail: "missing or malformed" });
  const proof = inclusionProof(subtreesOf(directory, size), index, size);
  const lines = [
    FIRST_LINE,
    `extra ${entry.toString("base64")}`,
    `index ${index}`,
    ...proof.map((h) => h.toString("base64")),
  ];
  return `${lines.join("\n")}\n\n${note}`;
}

export interface ReceiptChecked {
  readonly index: number;
  /** The entry's bytes: an event's canonical JSON. */
  readonly entry: string;
  readonly checkpoint: Checkpoint;
  /** Names, within the policy, of the witnesses that cosigned. */
  readonly cosigned: readonly string[];
}

/** Throws `ledger.unreadable` naming what is wrong with it. */
export function checkReceipt(
  text: string,
  keys: readonly Verifier[],
  policy: WitnessPolicy | null,
): ReceiptChecked {
  const end = text.indexOf("\n\n");
  const [first, extra = "", at = "", ...hashes] = text.slice(0, Math.max(0, end)).split("\n");
  const entry = bytesOf(/^extra (.*)$/.exec(extra)?.[1]);
  const index = /^index (0|[1-9][0-9]{0,15})$/.exec(at)?.[1];
  if (text.length > MAX_TEXT || first !== FIRST_LINE || entry === null || index === undefined)
    throw bad("malformed");
  const note = text.slice(end + 2);
  const checkpoint = openCheckpoint(note, keys);
  const proof = hashes.map((line) => bytesOf(line) ?? Buffer.alloc(0));
  if (!verifyInclusion(leafHash(entry), BigInt(index), BigInt(checkpoint.size), proof, checkpoint.root))
    throw bad("its proof does not lead from its entry to the signed root");
  const cosigned = cosignersOf(note, policy);
  if (policy !== null && !policy.isMetBy(new Set(cosigned)))
    throw bad(`not witnessed: the quorum \`${policy.quorum}\` is not met`);
  return { index: Number(index), entry: entry.toString("utf8"), checkpoint, cosigned };
}

function cosignersOf(note: string, policy: WitnessPolicy | null): string[] {
  return (policy?.witnesses ?? []).flatMap(({ name, key }) =>
    linesOf(note, key).length > 0 && openNote(note, [key]).signatures.length > 0 ? [name] : [],
  );
}

function bytesOf(text: string | undefined): Buffer | null {
  const bytes = text === undefined ? null : Buffer.from(text, "base64");
  return bytes === null || bytes.toString("base64") !== text ? null : bytes;
}

const bad = (detail: string): Fault => new Fault("ledger.unreadable", { at: "receipt", detail });
