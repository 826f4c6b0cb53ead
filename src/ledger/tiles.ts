/**
 * Tiles and entry bundles as files (c2sp.org/tlog-tiles, tile height 8): `tile/<level>/<n>[.p/<width>]` holds up to 256
 * hashes, `tile/entries/<n>[.p/<width>]` up to 256 entries, each with its length as uint16be. A partial file may be
 * gone once its full one exists. A tile never changes after it was written.
 */
import { join } from "node:path";
import { Fault } from "../core/index.ts";
import { readIfThere } from "./files.ts";
import { fold, HASH_BYTES, type SubtreeHash, TILE_WIDTH } from "./merkle.ts";

export type TileLevel = number | "entries";

export function tilePath(level: TileLevel, index: number, width: number = TILE_WIDTH): string {
  let rest = index;
  let path = String(rest % 1000).padStart(3, "0");
  while (rest >= 1000) {
    rest = Math.floor(rest / 1000);
    path = `x${String(rest % 1000).padStart(3, "0")}/${path}`;
  }
  return `tile/${level}/${path}${width < TILE_WIDTH ? `.p/${width}` : ""}`;
}

export function encodeBundle(entries: readonly Uint8Array[]): Buffer {
  const parts: Uint8Array[] = [];
  for (const entry of entries) {
    const length = Buffer.allocUnsafe(2);
    length.writeUInt16BE(entry.length);
    parts.push(length, entry);
  }
  return Buffer.concat(parts);
}

/** The entries, or null where the bytes are no bundle. */
export function decodeBundle(bytes: Buffer): Buffer[] | null {
  const entries: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (at + 2 > bytes.length) return null;
    const end = at + 2 + bytes.readUInt16BE(at);
    if (end > bytes.length) return null;
    entries.push(bytes.subarray(at + 2, end));
    at = end;
  }
  return entries;
}

export function splitHashes(tile: Buffer): Buffer[] {
  const hashes: Buffer[] = [];
  for (let at = 0; at < tile.length; at += HASH_BYTES) hashes.push(tile.subarray(at, at + HASH_BYTES));
  return hashes;
}

/** Width that tile `index` of `level` has in a tree of `size`; 0 or less: it does not exist. */
export const widthAt = (size: number, level: TileLevel, index: number): number =>
  Math.min(
    TILE_WIDTH,
    Math.floor(size / TILE_WIDTH ** (level === "entries" ? 0 : level)) - index * TILE_WIDTH,
  );

/** The tile as a tree of `size` has it, or null; `found` names the file it came from. */
export function readTile(
  directory: string,
  size: number,
  level: TileLevel,
  index: number,
): { readonly bytes: Buffer; readonly found: string } | null {
  const width = widthAt(size, level, index);
  for (const path of [tilePath(level, index, width), tilePath(level, index)]) {
    const bytes = readIfThere(join(directory, path));
    if (bytes === null) continue;
    if (level !== "entries")
      return {
        bytes: bytes.length >= width * HASH_BYTES ? bytes.subarray(0, width * HASH_BYTES) : bytes,
        found: path,
      };
    return { bytes, found: path };
  }
  return null;
}

/** Hashes of complete subtrees out of the tiles of a tree of `size`; throws `ledger.unreadable` where a tile is missing. */
export function subtreesOf(directory: string, size: number): SubtreeHash {
  const cache = new Map<string, Buffer>();
  return (level, index) => {
    const tileLevel = Math.floor(level / 8);
    const count = 2 ** (level % 8);
    const first = index * count;
    const tileIndex = Math.floor(first / TILE_WIDTH);
    const key = tilePath(tileLevel, tileIndex);
    let bytes = cache.get(key);
    if (bytes === undefined) {
      const tile = readTile(directory, size, tileLevel, tileIndex);
      if (tile === null || tile.bytes.length !== widthAt(size, tileLevel, tileIndex) * HASH_BYTES)
        throw new Fault("ledger.unreadable", { at: key, detail: "tile missing or short" });
      bytes = tile.bytes;
      if (cache.size > 4096) cache.clear();
      cache.set(key, bytes);
    }
    const from = (first % TILE_WIDTH) * HASH_BYTES;
    return fold(splitHashes(bytes.subarray(from, from + count * HASH_BYTES)));
  };
}
