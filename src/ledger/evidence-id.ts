/** What can be known of an evidence frame without a key: its head, and the id that names its bytes (see evidence.ts). */
import { sha256 } from "./merkle.ts";

export const HEAD_BYTES = 22;

/** 1 was written until November 2026. */
const VERSIONS: readonly (number | undefined)[] = [1, 2];

export interface FrameHead {
  readonly version: number;
  readonly codec: number;
  readonly session: string;
  readonly number: number;
  readonly previous: number;
}

export function decodeFrameHead(payload: Buffer): FrameHead | null {
  if (payload.length < HEAD_BYTES || !VERSIONS.includes(payload[0])) return null;
  return {
    version: payload.readUInt8(0),
    codec: payload.readUInt8(1),
    session: payload.toString("hex", 2, 6),
    number: Number(payload.readBigUInt64BE(6)),
    previous: Number(payload.readBigUInt64BE(14)),
  };
}

export interface EvidenceId {
  readonly number: number;
  readonly item: number;
  readonly digest: string;
}

export function parseEvidenceId(id: string): EvidenceId | null {
  const parts = /^([1-9][0-9]{0,15})-([0-9]{1,2})-([0-9a-f]{32})$/.exec(id);
  if (parts === null) return null;
  return { number: Number(parts[1]), item: Number(parts[2]), digest: parts[3] ?? "" };
}

/** The part of an id that names the sealed bytes. */
export const payloadDigest = (payload: Uint8Array): string => sha256(payload).toString("hex", 0, 16);
