/**
 * The journal as an auditor walks it: unlike the reader it does not stop at damage, but says what is wrong, finds the
 * next whole frame, and goes on, so that one flipped bit does not hide the rest. Holds one segment in memory.
 */
import { readFile } from "node:fs/promises";
import { asFault } from "../core/index.ts";
import { FRAME, FRAME_HEAD_BYTES, type Frame, isZeros, MAX_FRAME_BYTES, parseFrames } from "./frame.ts";
import { decodeHead, listSegments, type SegmentHead, segmentName, segmentPath } from "./segment.ts";
import { BundledEntries } from "./stand-in.ts";

export interface Step {
  readonly segment: number;
  readonly frame: Frame;
  /** False: the checksum is wrong; the frame is shown as its length field delimits it. */
  readonly whole: boolean;
}

export type Report = (at: string, problem: string) => void;

const RETRIES = 5;
/** Frames are handed on in batches of this many bytes, so that their number does not weigh on memory. */
const BATCH_BYTES = 1024 * 1024;
const HEAD_WINDOW = 4096;

/** Frames in batches. `onHead` hears each segment's head before its frames come. */
export async function* walkJournal(
  directory: string,
  report: Report,
  onHead: (head: SegmentHead | null, number: number) => void,
): AsyncGenerator<readonly Step[], void, undefined> {
  const numbers = listSegments(directory);
  const bundled = new BundledEntries(directory);
  for (const [i, number] of numbers.entries()) {
    if (number !== i + 1 && number !== (numbers[i - 1] ?? 0) + 1)
      report(`journal/${segmentName(number - 1)}`, "segment missing");
    const bytes = await settled(directory, number, i === numbers.length - 1);
    for (const steps of walkSegment(bytes, number, report, onHead)) yield expanded(steps, bundled, report);
  }
}

/** With the entries themselves where compaction left runs of them to the bundles, as far as these hold them. */
function expanded(steps: readonly Step[], bundled: BundledEntries, report: Report): readonly Step[] {
  if (!steps.some(({ frame }) => frame.kind === FRAME.tiled)) return steps;
  return steps.flatMap((step) => {
    if (step.frame.kind !== FRAME.tiled) return step;
    try {
      return bundled.expand([step.frame]).map((frame) => ({ ...step, frame }));
    } catch (error) {
      const fault = asFault(error);
      report(fault.at ?? "journal", fault.detail ?? fault.message);
      return [];
    }
  });
}

/** The segment's bytes; where its end is being written right now, as it is after that. */
async function settled(directory: string, number: number, last: boolean): Promise<Buffer> {
  const path = segmentPath(directory, number);
  let bytes = await readFile(path);
  for (let tries = 0; last && tries < RETRIES; tries++) {
    const { stop, consumed } = parseFrames(bytes, 0);
    if (stop === "end" || isZeros(bytes.subarray(consumed))) break;
    const again = await readFile(path);
    if (again.equals(bytes)) break;
    bytes = again;
  }
  return bytes;
}

function* walkSegment(
  bytes: Buffer,
  segment: number,
  report: Report,
  onHead: (head: SegmentHead | null, number: number) => void,
): Generator<readonly Step[], void, undefined> {
  onHead(decodeHead(parseFrames(bytes.subarray(0, HEAD_WINDOW), 0).frames[0]), segment);
  for (let at = 0, window = BATCH_BYTES; at < bytes.length; ) {
    const parsed = parseFrames(bytes.subarray(at, at + window), at);
    if (parsed.frames.length > 0) yield parsed.frames.map((frame) => ({ segment, frame, whole: true }));
    at += parsed.consumed;
    const isCutByWindow = parsed.stop === "partial" && at + parsed.needed <= bytes.length;
    window = isCutByWindow ? Math.max(BATCH_BYTES, parsed.needed) : BATCH_BYTES;
    if (isCutByWindow || at >= bytes.length) continue;
    if (parsed.stop === "end") continue;
    if (parsed.stop === "zeros" && isZeros(bytes.subarray(at))) return;
    const delimited = delimitedFrame(bytes, at);
    const next = delimited === null ? nextWhole(bytes, at + 1) : at + 8 + delimited.body.length;
    const where = `journal/${segmentName(segment)} offset ${at}`;
    if (next === null) {
      report(
        where,
        `${bytes.length - at} bytes at the end are no whole frame: damage, or a write cut short by a crash, which the next opening removes`,
      );
      return;
    }
    report(where, `damaged frame (${next - at} bytes)`);
    if (delimited !== null) yield [{ segment, frame: delimited, whole: false }];
    at = next;
  }
}

/** The frame that the length field delimits, where what follows it is whole or the end. */
function delimitedFrame(bytes: Buffer, at: number): Frame | null {
  if (bytes.length - at < FRAME_HEAD_BYTES) return null;
  const end = at + FRAME_HEAD_BYTES + bytes.readUInt32BE(at);
  if (end > bytes.length || (end < bytes.length && !isWhole(bytes, end))) return null;
  return { kind: bytes.readUInt8(at + 8), body: bytes.subarray(at + 8, end), offset: at };
}

function isWhole(bytes: Buffer, at: number): boolean {
  if (bytes.length - at < FRAME_HEAD_BYTES) return false;
  const length = bytes.readUInt32BE(at);
  const end = at + FRAME_HEAD_BYTES + length;
  if (length > MAX_FRAME_BYTES || end > bytes.length || bytes.readUInt8(at + 8) > 7) return false;
  return parseFrames(bytes.subarray(at, end), at).frames.length === 1;
}

function nextWhole(bytes: Buffer, from: number): number | null {
  for (let at = from; at + FRAME_HEAD_BYTES <= bytes.length; at++) if (isWhole(bytes, at)) return at;
  return null;
}
