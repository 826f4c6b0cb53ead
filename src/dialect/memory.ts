/**
 * What a decoder remembers of its session, bounded. Everything here may be forgotten at any time: forgetting makes
 * content new again (inspected and told once more), never old.
 */
import { hash } from "node:crypto";
import { keepInPlace } from "../core/index.ts";
import { type Item, type Outline, type Sameness, sameBytes } from "./outline.ts";
import type { Protocol } from "./protocol.ts";
import type { Element } from "./request.ts";
import type { ToolUse } from "./tool.ts";
import type { Unit } from "./unit.ts";

/** An element of one body, read. */
export interface ReadItem {
  readonly item: Item;
  /** As it is told from its second time on. */
  readonly element: Element;
  /** Depends on the element's bytes and its kind of place alone. */
  readonly units: readonly Unit[];
}

export interface Snapshot {
  readonly protocol: Protocol;
  readonly outline: Outline;
  readonly read: readonly ReadItem[];
}

/** A session talks on few lanes at once: the conversation, a side model for titles, subagents. */
const MAX_SNAPSHOTS = 6;
const MAX_UNITS = 200_000;
const MAX_CALLS = 20_000;
/** A body, its parts and their strings, measured: 3.1 where all is Latin-1, 4.7 where each text has a character beyond. */
const BYTES_PER_BYTE = 4;
/** Readings may outgrow the snapshots by this before those that no snapshot holds are dropped. */
const SPARE_BYTES = 1024 * 1024;
const BYTES_PER_UNIT = 100;

export interface Memory {
  readonly maxBytes: number;
  /** Latest first. */
  snapshots: readonly Snapshot[];
  /** By place and hash: what reading an element found. Holds somewhat more than the snapshots do. */
  readonly readings: Map<string, readonly Unit[]>;
  readBytes: number;
  /** Keys of units sent, oldest first. */
  readonly units: Set<string>;
  /** Digests of short elements, by their bytes. */
  readonly digests: Map<string, string>;
  /** Targets and header values sent. */
  readonly seenHeads: Set<string>;
  /** Tool calls by id, oldest first. */
  readonly calls: Map<string, ToolUse>;
  /** By host, "" for messages of a WebSocket: what may be pieces of one text, oldest first. */
  readonly fragments: Map<string, readonly string[]>;
}

export const emptyMemory = (maxBytes: number): Memory => ({
  maxBytes,
  snapshots: [],
  readings: new Map(),
  readBytes: 0,
  units: new Set(),
  digests: new Map(),
  seenHeads: new Set(),
  fragments: new Map(),
  calls: new Map(),
});

/** An earlier body, and what another has in common with it. */
export interface Likeness extends Sameness {
  readonly snapshot: Snapshot;
}

/** The earlier body that shares most with this one; null when there is none. */
export function mostSimilar({ snapshots }: Memory, body: Buffer): Likeness | null {
  let found: Likeness | null = null;
  let best = 0;
  for (const snapshot of snapshots) {
    const { prefix, suffix } = sameBytes(body, snapshot.outline.body);
    if (prefix + suffix > best) [best, found] = [prefix + suffix, { snapshot, prefix, suffix }];
    if (best > body.length - body.length / 8) break; // near enough to be the lane
  }
  return found;
}

/**
 * Keeps a copy of a body; it takes the place of the earlier one, and its memory, when most of that is in it. Returns how
 * to take it back when it was not sent: what it took the place of is then forgotten, too.
 */
export function remember(memory: Memory, read: Snapshot, from: Likeness | null): () => void {
  const { sameHead, sameTail } = read.outline;
  const earlier = from?.snapshot ?? null;
  const isSuccessor = earlier !== null && sameHead + sameTail >= (earlier.read.length * 2) / 3;
  const body = keepInPlace(read.outline.body, isSuccessor ? earlier.outline.body : null, from?.prefix ?? 0);
  const latest = { ...read, outline: { ...read.outline, body } };
  const others = memory.snapshots.filter((one) => !(isSuccessor && one === earlier));
  let room = memory.maxBytes - memory.units.size * BYTES_PER_UNIT;
  const kept = [latest, ...others].slice(0, MAX_SNAPSHOTS).filter(({ outline }) => {
    room -= outline.body.length * BYTES_PER_BYTE;
    return room >= 0;
  });
  memory.snapshots = kept;
  const held = kept.reduce((sum, { outline }) => sum + outline.body.length, 0);
  if (memory.readBytes > 2 * held + SPARE_BYTES) {
    memory.readings.clear();
    memory.readBytes = 0;
    for (const { protocol, read } of kept)
      for (const { item, element, units } of read) keepReading(memory, protocol, item, element.hash, units);
  }
  return () => {
    memory.snapshots = memory.snapshots.filter((one) => one !== latest);
  };
}

/** Equal for elements whose bytes say all there is to know about their reading. */
const readingKey = (protocol: Protocol, { container, index, name }: Item, digest: string): string =>
  `${protocol.variant ?? protocol.name} ${container}${index < 0 ? `/${name}` : ""} ${digest}`;

export const readingOf = (memory: Memory, protocol: Protocol, item: Item, digest: string) =>
  memory.readings.get(readingKey(protocol, item, digest));

export function keepReading(
  memory: Memory,
  protocol: Protocol,
  item: Item,
  digest: string,
  units: readonly Unit[],
): void {
  memory.readings.set(readingKey(protocol, item, digest), units);
  memory.readBytes += item.end - item.start;
}

/** SHA-256 of an element's bytes. Short ones (a model's name, `true`) come again and again, and are looked up. */
export function digestOf({ digests }: Memory, body: Buffer, { start, end }: Item): string {
  if (end - start > SHORT) return hash("sha256", body.subarray(start, end), "hex");
  const text = body.toString("latin1", start, end);
  const known = digests.get(text);
  if (known !== undefined) return known;
  const digest = hash("sha256", body.subarray(start, end), "hex");
  if (digests.size >= MAX_DIGESTS) digests.clear();
  digests.set(text, digest);
  return digest;
}

const SHORT = 48;
const MAX_DIGESTS = 2000;

/** True when the session has not sent such a unit before; from now on it has. */
export function isNewUnit({ units }: Memory, { key }: Unit): boolean {
  if (units.has(key)) return false;
  units.add(key);
  if (units.size > MAX_UNITS) dropOldest(units);
  return true;
}

export function noteCall({ calls }: Memory, id: string, use: ToolUse): void {
  calls.delete(id);
  calls.set(id, use);
  if (calls.size > MAX_CALLS) dropOldest(calls);
}

function dropOldest(from: { keys(): Iterator<string>; delete(key: string): boolean }): void {
  const { value, done } = from.keys().next();
  if (done !== true) from.delete(value);
}
