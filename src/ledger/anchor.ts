/**
 * Anchors: checkpoints stamped by a time-stamp authority (RFC 3161), so that somebody outside vouches for the time before
 * which a history existed. `anchors/<size>.note` is the checkpoint as it was stamped, `anchors/<size>.tsr` the authority's
 * whole response, as `openssl ts -verify -in <size>.tsr -data <size>.note -CAfile roots.pem` reads it.
 * Written by authority.ts; read and checked here.
 */
import type { X509Certificate } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "../core/index.ts";
import { diskFault, errnoOf, readIfThere } from "./files.ts";
import { checkTimestamp, type Stamped } from "./timestamp.ts";

export interface Anchored extends Stamped {
  /** Entries of the history that was stamped. */
  readonly size: number;
}

/** Sizes of the histories that were stamped, ascending. */
export function anchorSizes(directory: string): number[] {
  let names: string[];
  try {
    names = readdirSync(join(directory, "anchors"));
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw diskFault(error, join(directory, "anchors"));
  }
  return names
    .flatMap((name) => /^(0|[1-9]\d{0,15})\.tsr$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

/** The stamped checkpoint and the response. Throws `ledger.unreadable` where one of them is missing. */
export function readAnchor(
  directory: string,
  size: number,
): { readonly note: Buffer; readonly response: Buffer } {
  const [note, response] = ["note", "tsr"].map((kind) =>
    readIfThere(join(directory, "anchors", `${size}.${kind}`)),
  );
  if (note == null || response == null)
    throw new Fault("ledger.unreadable", { at: `anchors/${size}.note`, detail: "missing" });
  return { note, response };
}

/** What a stored anchor says, once it holds; the note still has to be held against the history. */
export const checkAnchor = (
  anchor: { readonly note: Buffer; readonly response: Buffer },
  roots: readonly X509Certificate[],
): Stamped => checkTimestamp(anchor.response, anchor.note, null, roots);
