/**
 * Opening sealed bytes for somebody: the one place where the console does. The order is the rule: who looks and why is durable in
 * the ledger before a byte is opened, and when that fails nothing is.
 */
import zlib from "node:zlib";
import { type EvidenceRef, Fault, type LedgerEvent, type SessionId } from "../core/index.ts";
import type { Rooms } from "./rooms.ts";
import type { User } from "./route.ts";

/** A body that is longer than this undone is not shown. */
const MAX_BYTES = 16 << 20;

export type Judged = Extract<LedgerEvent, { kind: "exchange.judged" }>;
export type Answered = Extract<LedgerEvent, { kind: "exchange.answered" }>;

export interface Opened {
  readonly ref: EvidenceRef;
  readonly bytes: Buffer | null;
  readonly why: "erased" | "unreadable" | null;
}

/** Each piece once, in order. Throws what recording throws; then nothing was opened. */
export async function openSealed(
  refs: readonly EvidenceRef[],
  look: { readonly session: SessionId; readonly user: User; readonly reason: string },
  rooms: Rooms,
): Promise<{ readonly opened: readonly Opened[]; readonly recordedAt: readonly number[] }> {
  const { session, user, reason } = look;
  const recordedAt = await Promise.all(
    refs.map(({ id }) =>
      rooms.station.record({
        kind: "evidence.viewed",
        session,
        evidenceId: id,
        principal: user.principal,
        reason,
      }),
    ),
  );
  const opened: Opened[] = [];
  for (const ref of refs)
    try {
      opened.push({ ref, bytes: (await rooms.openEvidence(ref.id)).bytes, why: null });
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      opened.push({ ref, bytes: null, why: error.code === "evidence.erased" ? "erased" : "unreadable" });
    }
  return { opened, recordedAt };
}

export interface Head {
  readonly lines: readonly string[];
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** A head as it was on the wire. */
export function headOf(bytes: Buffer): Head {
  const lines = bytes
    .toString("latin1")
    .split(/\r?\n/)
    .filter((line) => line !== "");
  return {
    lines,
    headers: lines.slice(1).flatMap((line) => {
      const colon = line.indexOf(":", line.startsWith(":") ? 1 : 0);
      return colon < 1 ? [] : [[line.slice(0, colon), line.slice(colon + 1).trim()] as const];
    }),
  };
}

/** The content of a body under its codings; null when they cannot be undone, or it is too much. */
export function contentOf(bytes: Buffer, head: Head | null): Buffer | null {
  const codings = (head?.headers ?? [])
    .filter(([name]) => name.toLowerCase() === "content-encoding")
    .flatMap(([, value]) => value.split(",").map((one) => one.trim().toLowerCase()))
    .filter((one) => one !== "" && one !== "identity");
  let out = bytes;
  const bound = { maxOutputLength: MAX_BYTES };
  try {
    for (const coding of codings.reverse()) {
      if (coding === "gzip" || coding === "x-gzip") out = zlib.gunzipSync(out, bound);
      else if (coding === "br") out = zlib.brotliDecompressSync(out, bound);
      else if (coding === "zstd") out = zlib.zstdDecompressSync(out, bound);
      else if (coding === "deflate") out = zlib.inflateSync(out, bound);
      else return null;
    }
  } catch {
    return null; // damaged, cut off, or more than the bound: it is told as not readable
  }
  return out.length > MAX_BYTES ? null : out;
}
