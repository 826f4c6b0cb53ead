/**
 * Finds where the journal's last segment truly ends. Used at each opening: a clean end is only the case in which
 * nothing follows it.
 *
 * What a crash leaves: whole frames of a group never acknowledged (kept: they are true, and whoever asked for them was
 * told nothing), then a torn frame (cut off), or a segment without a whole head (removed). What a crash cannot leave is
 * a damaged frame in front of a *later* group: that group was only begun after the damaged one was on the disk. So
 * where a commit frame of a later group still stands behind the damage, or the checkpoint covers it, the damage is bit
 * rot or tampering, nothing is cut off, and opening throws `ledger.unreadable`.
 */
import { readFile, unlink } from "node:fs/promises";
import { Fault } from "../core/index.ts";
import { diskFault } from "./files.ts";
import { FRAME, FRAME_HEAD_BYTES, frameEnd, type Parsed, parseFrames, payloadOf } from "./frame.ts";
import { decodeHead, listSegments, type Position, segmentName, segmentPath } from "./segment.ts";
import { decodeTiled } from "./stand-in.ts";

/** Everything before `position` is whole; the counts are of the whole journal. */
export interface JournalEnd {
  readonly position: Position;
  readonly entries: number;
  readonly evidenceFrames: number;
}

/** A commit frame's payload: the offset at which its group begins. */
export function encodeCommit(groupStart: number): Buffer {
  const payload = Buffer.allocUnsafe(8);
  payload.writeBigUInt64BE(BigInt(groupStart));
  return payload;
}

/** Null: there is no journal yet. `signedEntries` are those that the checkpoint covers. */
export async function findEnd(directory: string, signedEntries: number): Promise<JournalEnd | null> {
  const numbers = listSegments(directory);
  for (let at = numbers.length - 1; at >= 0; at--) {
    const number = numbers[at] ?? 0;
    if (number !== at + 1) throw damaged(number, 0, `segment ${at + 1} is missing`);
    const bytes = await readFile(segmentPath(directory, number)).catch((error: unknown) => {
      throw diskFault(error, segmentPath(directory, number));
    });
    const end = endOf(bytes, number, signedEntries);
    if (end !== null) return end;
    // Born but never used: its head was not durable, so nothing in it was ever acknowledged.
    await unlink(segmentPath(directory, number));
  }
  if (signedEntries > 0) throw missing(signedEntries, 0);
  return null;
}

function endOf(bytes: Buffer, number: number, signedEntries: number): JournalEnd | null {
  const parsed = parseFrames(bytes, 0);
  const head = decodeHead(parsed.frames[0]);
  if (head === null) {
    if (laterGroupAfter(bytes, 0)) throw damaged(number, 0, "damaged head");
    return null;
  }
  let entries = head.entry;
  let evidenceFrames = head.evidence - 1;
  let pendingEvidence = 0;
  let end = 0;
  for (const frame of parsed.frames) {
    if (frame.kind === FRAME.evidence || frame.kind === FRAME.dropped) {
      pendingEvidence++;
      continue; // sealed bytes without their event belong to nobody: cut off if nothing follows
    }
    if (frame.kind === FRAME.event) entries++;
    if (frame.kind === FRAME.tiled) entries += decodeTiled(payloadOf(frame))?.count ?? 0;
    evidenceFrames += pendingEvidence;
    pendingEvidence = 0;
    end = frameEnd(frame);
  }
  checkDamage(bytes, parsed, number);
  if (entries < signedEntries) throw missing(signedEntries, entries, number, parsed.consumed);
  return { position: { segment: number, offset: end }, entries, evidenceFrames };
}

function checkDamage(bytes: Buffer, parsed: Parsed, number: number): void {
  if (parsed.stop === "end") return;
  if (laterGroupAfter(bytes, parsed.consumed)) throw damaged(number, parsed.consumed, "damaged frame");
}

/** Whether a whole commit frame of a group that began after `offset` stands anywhere behind it. */
export function laterGroupAfter(bytes: Buffer, offset: number): boolean {
  const pattern = Buffer.from([0, 0, 0, 8]); // a commit frame's length field
  for (let at = bytes.indexOf(pattern, offset); at >= 0; at = bytes.indexOf(pattern, at + 1)) {
    if (bytes[at + 8] !== FRAME.commit || at + FRAME_HEAD_BYTES + 8 > bytes.length) continue;
    const frame = parseFrames(bytes.subarray(at, at + FRAME_HEAD_BYTES + 8), at).frames[0];
    if (frame === undefined) continue;
    const start = Number(payloadOf(frame).readBigUInt64BE(0));
    if (start > offset && start <= at) return true;
  }
  return false;
}

const damaged = (segment: number, offset: number, detail: string): Fault =>
  new Fault("ledger.unreadable", { at: `journal/${segmentName(segment)} offset ${offset}`, detail });

function missing(signed: number, entries: number, segment = 1, offset = 0): Fault {
  return damaged(
    segment,
    offset,
    `the checkpoint covers ${signed} entries, the journal holds ${entries} whole ones`,
  );
}
