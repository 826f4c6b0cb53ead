/**
 * Fingerprints of classified code: a stretch of a restricted repository is recognised after re-indentation, other white
 * space, another case, quoting, diff marks and a tool's line numbers.
 *
 * Text is normalised to its visible characters, without long repetitions; the notices of common licences count for nothing; a gear hash picks about one position in 17 by content alone (so the same
 * stretch gives the same positions wherever it stands); each picked position stands for the SPAN characters before it.
 * (Xia et al., FastCDC, 2016, for the gear hash; Schleimer, Wilkerson, Aiken, Winnowing, 2003, for the idea.)
 *
 * The index holds, per label, Golomb-coded sets of keyed hashes, of what is one file's own and of what its files repeat:
 * about 11 bits each, no code, and without the key no guess can be tested. It answers "maybe" wrongly once in FALSE_RATE; a
 * match needs MATCH_HITS different ones within WINDOW characters, or OWN_WEIGHT times as many of what is repeated.
 *
 * Format of an encoded index, big-endian: "SPF4", 8 bytes that tell the key, then per label: u16 length and UTF-8 label, and
 * the two sets, each u32 count, u32 modulus, u32 length and bits of the Golomb-Rice coded differences (quotient in unary
 * ones, zero, RICE_BITS of remainder).
 */
import { createHmac } from "node:crypto";
import { Fault } from "../core/index.ts";
import { NOTICES } from "./notices.ts";

/** One position in this many is picked. */
const SAMPLE_ONE_IN = 17;
/**
 * Normalised characters that one fingerprint stands for, about a line: a longer stretch seldom is free of a name that
 * was changed, a shorter one stands in many projects (bench/inspect/code.ts).
 */
const SPAN = 28;
const FALSE_RATE = 1_024;
const RICE_BITS = 10;
/**
 * What stands in so many files of one label is a preamble, an idiom or generated, and other projects may have it, too: it
 * counts for less than what is one file's own. What stands in most files is a preamble, and counts for nothing.
 */
const REPEATED_FILES = 8;
const OWN_WEIGHT = 3;
const MATCH_HITS = 3;
/** Source characters within which the hits must lie. */
const WINDOW = 800;
/** The same, where all are of lines that name what others have made: many files begin with the same of these. */
const IMPORT_HITS = 6;
/** And so far apart, or they are one idiom. */
const SPREAD = 12;
const MAGIC = "SPF4";
const OLDER_MAGIC = /^SPF[123]$/;
const SET_HEAD_BYTES = 12;
const KEY_TAG_BYTES = 8;
const HEAD_BYTES = MAGIC.length + KEY_TAG_BYTES;
const MAX_LABEL_BYTES = 512;
const MAX_LABEL_FINGERPRINTS = 1 << 24;

export interface CodeMatch {
  readonly label: string;
  /** UTF-16 offsets of the stretch between the first and the last hit. */
  readonly start: number;
  readonly end: number;
  readonly hits: number;
}

export interface CodeIndex {
  readonly labels: readonly string[];
  /** Stretches of the text that the index knows, per label, in order of place. */
  match(text: string): CodeMatch[];
}

/** Calls `emit` with a keyed 48-bit hash and the source place behind each picked position. */
type Sampler = (text: string, emit: (hash: number, place: number) => void) => void;

/** The sampler's tables come from the key: without it neither positions nor hashes can be made. */
function createSampler(key: Uint8Array): Sampler {
  const stream = (label: string, words: number): Int32Array => {
    const bytes: Buffer[] = [];
    for (let n = 0; n * 8 < words; n++) bytes.push(createHmac("sha256", key).update(`${label}${n}`).digest());
    const all = Buffer.concat(bytes);
    return Int32Array.from({ length: words }, (_, i) => all.readInt32BE(i * 4));
  };
  const gear = stream("gear", 256);
  const [seedA = 0, seedB = 0, multiplyA = 0, multiplyB = 0] = stream("hash", 4);
  const timesA = multiplyA | 1;
  const timesB = multiplyB | 1;
  const picked = Math.floor(2 ** 32 / SAMPLE_ONE_IN);
  return (text, emit) => {
    const kept = new Uint8Array(text.length);
    const places = new Uint32Array(text.length);
    const count = normalise(text, kept, places);
    let rolling = 0;
    for (let i = 0; i < count; i++) {
      rolling = ((rolling << 1) + (gear[kept[i] as number] as number)) | 0;
      if (rolling >>> 0 >= picked || i < SPAN - 1) continue;
      let a = seedA;
      let b = seedB;
      for (let j = i - SPAN + 1; j <= i; j++) {
        const byte = kept[j] as number;
        a = Math.imul(a ^ byte, timesA);
        b = (Math.imul(b, timesB) + byte) | 0;
      }
      a ^= a >>> 15;
      a = Math.imul(a, 0x2c1b3c6d);
      a ^= a >>> 13;
      b ^= b >>> 16;
      b = Math.imul(b, 0x7feb352d);
      b ^= b >>> 15;
      emit((a >>> 0) * 65536 + (b >>> 16), (places[i] as number) + 1);
    }
  };
}

/** Visible characters, case folded; what a tool or a diff put before a line is left out. Returns how many. */
function normalise(text: string, kept: Uint8Array, places: Uint32Array): number {
  let count = 0;
  let atLineStart = true;
  const notices = noticeLines(text);
  for (let i = 0; i < text.length; i++) {
    if (atLineStart) {
      if (notices?.has(i) === true) {
        i = lineEnd(text, i);
        continue;
      }
      i += lineHead(text, i);
      atLineStart = false;
      if (i >= text.length) break;
    }
    const code = text.charCodeAt(i);
    if (code === 10) {
      atLineStart = true;
      continue;
    }
    if (code <= 32 || code === 127) continue;
    // Lines of `####` are everybody's.
    if (count >= MAX_REPEATS && isRepeat(kept, count, code)) continue;
    kept[count] = code >= 65 && code <= 90 ? code + 32 : code & 255;
    places[count++] = i;
  }
  return count;
}

/** Past what marks a line as a comment: the same notice stands behind `#`, `//`, ` *` and ` --`. */
function commentEnd(text: string, start: number): number {
  let at = start;
  for (;;) {
    const code = text.charCodeAt(at);
    // blank, tab, # * / ; -
    if (code === 32 || code === 9 || code === 35 || code === 42 || code === 47 || code === 59 || code === 45)
      at++;
    else return at;
  }
}

const NOTICE = /copyright|spdx-license-identifier|all rights reserved/gi;

/** Where lines begin that say whose a text is: it is the same in all that somebody has made. Null: there are none. */
function noticeLines(text: string): ReadonlySet<number> | null {
  let found: Set<number> | null = null;
  for (const { index } of text.matchAll(NOTICE)) {
    found ??= new Set();
    found.add(index === 0 ? 0 : text.lastIndexOf("\n", index - 1) + 1);
  }
  return found;
}

function lineEnd(text: string, start: number): number {
  const end = text.indexOf("\n", start);
  return end < 0 ? text.length : end;
}

const MAX_REPEATS = 3;
const isRepeat = (kept: Uint8Array, count: number, code: number): boolean =>
  kept[count - 1] === code && kept[count - 2] === code && kept[count - 3] === code;

/** Length of `  12→`, `12:`, `12\t`, `path:12:` is not code; neither is one `+`, `-`, `>` or `|` before it. */
function lineHead(text: string, start: number): number {
  let at = start;
  while (text.charCodeAt(at) === 32 || text.charCodeAt(at) === 9) at++;
  const digits = at;
  while (at < digits + 7 && text.charCodeAt(at) >= 48 && text.charCodeAt(at) <= 57) at++;
  if (at > digits && /[→\t:|]/.test(text.charAt(at))) return commentEnd(text, at + 1) - start;
  const sign = text.charAt(digits);
  if ((sign === "+" || sign === "-" || sign === ">" || sign === "|") && text.charAt(digits + 1) !== sign)
    return commentEnd(text, digits + 1) - start;
  return commentEnd(text, digits) - start;
}

/** An index under the key over everything `add`ed, file by file; texts `except`ed (public code) take their fingerprints out again. */
export function buildCodeIndex(key: Uint8Array): {
  add(label: string, text: string): void;
  except(text: string): void;
  encode(): Uint8Array;
} {
  requireKey(key);
  const sample = createSampler(key);
  /** By label: in how many files each fingerprint stands. */
  const sets = new Map<string, Map<number, number>>();
  const files = new Map<string, number>();
  const common = new Set<number>();
  for (const notice of NOTICES) sample(notice, (hash) => common.add(hash));
  return {
    add(label, text) {
      let set = sets.get(label);
      if (set === undefined) {
        set = new Map();
        sets.set(label, set);
      }
      const into = set;
      files.set(label, (files.get(label) ?? 0) + 1);
      const own = new Set<number>();
      sample(text, (hash) => own.add(hash));
      for (const hash of own) into.set(hash, (into.get(hash) ?? 0) + 1);
      if (into.size > MAX_LABEL_FINGERPRINTS)
        throw new Fault("inspect.full", { detail: "too much code under one label" });
    },
    except(text) {
      sample(text, (hash) => common.add(hash));
    },
    encode() {
      const chunks: Buffer[] = [Buffer.from(MAGIC), keyTag(key)];
      for (const [label, set] of sets)
        chunks.push(
          encodeLabel(label),
          ...[false, true].map((isRepeated) =>
            encodeSet(
              [...set].flatMap(([hash, times]) =>
                times >= REPEATED_FILES === isRepeated &&
                (!isRepeated || times * 2 <= (files.get(label) ?? 0)) &&
                !common.has(hash)
                  ? [hash]
                  : [],
              ),
            ),
          ),
        );
      return Buffer.concat(chunks);
    },
  };
}

/** An index made under another key would find nothing, and nobody would notice. */
const keyTag = (key: Uint8Array): Buffer =>
  createHmac("sha256", key).update("which key").digest().subarray(0, KEY_TAG_BYTES);

const requireKey = (key: Uint8Array): void => {
  if (key.length < 16)
    throw new Fault("inspect.failed", { detail: "the fingerprint key is shorter than 16 bytes" });
};

/** A 48-bit hash as a number below the modulus, order kept. */
const reduced = (hash: number, modulus: number): number => Math.floor((hash / 2 ** 48) * modulus);

function encodeLabel(label: string): Buffer {
  const name = Buffer.from(label, "utf8");
  if (name.length > MAX_LABEL_BYTES) throw new Fault("inspect.full", { detail: "a label is too long" });
  const length = Buffer.alloc(2);
  length.writeUInt16BE(name.length);
  return Buffer.concat([length, name]);
}

function encodeSet(hashes: readonly number[]): Buffer {
  const modulus = Math.min(0xffffffff, Math.max(1, hashes.length) * FALSE_RATE);
  const members = [...new Set(hashes.map((hash) => reduced(hash, modulus)))].sort((a, b) => a - b);
  const bits: number[] = [];
  let used = 0;
  const put = (bit: number): void => {
    if ((used & 7) === 0) bits.push(0);
    if (bit === 1) bits[used >> 3] = (bits[used >> 3] ?? 0) | (128 >> (used & 7));
    used++;
  };
  let previous = 0;
  for (const member of members) {
    const difference = member - previous;
    previous = member;
    for (let q = Math.floor(difference / 2 ** RICE_BITS); q > 0; q--) put(1);
    put(0);
    for (let bit = RICE_BITS - 1; bit >= 0; bit--) put((difference >>> bit) & 1);
  }
  const head = Buffer.alloc(SET_HEAD_BYTES);
  head.writeUInt32BE(members.length, 0);
  head.writeUInt32BE(modulus, 4);
  head.writeUInt32BE(bits.length, 8);
  return Buffer.concat([head, Buffer.from(bits)]);
}

interface Members {
  readonly modulus: number;
  readonly members: ReadonlySet<number>;
}

interface LabelSet {
  readonly label: string;
  readonly own: Members;
  /** What stands in many of its files. */
  readonly repeated: Members;
}

const isIn = ({ members, modulus }: Members, hash: number): boolean => members.has(reduced(hash, modulus));

/** Reads an encoded index. Throws Fault("inspect.index") for bytes that are none, or were made under another key. */
export function openCodeIndex(key: Uint8Array, encoded: Uint8Array): CodeIndex {
  requireKey(key);
  const bytes = Buffer.from(encoded.buffer, encoded.byteOffset, encoded.byteLength);
  const sets = decodeSets(bytes);
  if (!bytes.subarray(MAGIC.length, HEAD_BYTES).equals(keyTag(key)))
    throw new Fault("inspect.index", { detail: "it was made under another key" });
  const sample = createSampler(key);
  return {
    labels: sets.map(({ label }) => label),
    match(text) {
      const places: Hit[][] = sets.map(() => []);
      sample(text, (hash, place) => {
        for (let i = 0; i < sets.length; i++) {
          const set = sets[i];
          if (set === undefined) continue;
          const weight = isIn(set.own, hash) ? OWN_WEIGHT : isIn(set.repeated, hash) ? 1 : 0;
          if (weight > 0) places[i]?.push({ hash, place, weight, isImport: isImport(text, place) });
        }
      });
      return sets.flatMap(({ label }, i) => stretches(label, places[i] ?? []));
    },
  };
}

function decodeSets(bytes: Buffer): LabelSet[] {
  const broken = (): Fault => new Fault("inspect.index", { detail: "it is no index of code" });
  if (OLDER_MAGIC.test(bytes.toString("latin1", 0, MAGIC.length)))
    throw new Fault("inspect.index", {
      detail: "it was made by an earlier version",
      remedy: "make it again with `sallyport classify`",
    });
  if (bytes.length < HEAD_BYTES || bytes.toString("latin1", 0, MAGIC.length) !== MAGIC) throw broken();
  const sets: LabelSet[] = [];
  for (let at = HEAD_BYTES; at < bytes.length; ) {
    if (at + 2 > bytes.length) throw broken();
    const length = bytes.readUInt16BE(at);
    const named = at + 2 + length;
    if (length > MAX_LABEL_BYTES || named > bytes.length) throw broken();
    const own = decodeMembers(bytes, named);
    const repeated = own === null ? null : decodeMembers(bytes, own.end);
    if (own === null || repeated === null) throw broken();
    sets.push({ label: bytes.toString("utf8", at + 2, named), own, repeated });
    at = repeated.end;
  }
  return sets;
}

/** The set that begins there, and where it ends; null: there is none. */
function decodeMembers(bytes: Buffer, at: number): (Members & { readonly end: number }) | null {
  if (at + SET_HEAD_BYTES > bytes.length) return null;
  const [count, modulus, size] = [
    bytes.readUInt32BE(at),
    bytes.readUInt32BE(at + 4),
    bytes.readUInt32BE(at + 8),
  ];
  const end = at + SET_HEAD_BYTES + size;
  if (end > bytes.length || count > MAX_LABEL_FINGERPRINTS) return null;
  const members = new Set<number>();
  let bit = (at + SET_HEAD_BYTES) * 8;
  let isBroken = false;
  const next = (): number => {
    if (bit >= end * 8) {
      isBroken = true;
      return 0;
    }
    const value = ((bytes[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1;
    bit++;
    return value;
  };
  let member = 0;
  for (let n = 0; n < count && !isBroken; n++) {
    let difference = 0;
    while (next() === 1) difference += 2 ** RICE_BITS;
    let rest = 0;
    for (let k = 0; k < RICE_BITS; k++) rest = rest * 2 + next();
    member += difference + rest;
    members.add(member);
  }
  return isBroken ? null : { members, modulus, end };
}

interface Hit {
  readonly hash: number;
  readonly place: number;
  readonly weight: number;
  readonly isImport: boolean;
}

const IMPORT =
  /[^\S\n]*(?:import\b|from\s+[\w.]+\s+import\b|#\s*include\b|using\s|use\s|package\s|require\b)/y;

function isImport(text: string, place: number): boolean {
  const start = text.lastIndexOf("\n", place - 1) + 1;
  IMPORT.lastIndex = start + lineHead(text, start);
  return IMPORT.test(text);
}

/** Hits that lie close enough together and weigh enough, joined. The same line twice says no more than once. */
function stretches(label: string, hits: readonly Hit[]): CodeMatch[] {
  const found: CodeMatch[] = [];
  const within = new Map<number, number>();
  let [first, weight, imports] = [0, 0, 0];
  for (let last = 0; last < hits.length; last++) {
    const hit = hits[last] as Hit; // last < length
    const times = within.get(hit.hash) ?? 0;
    within.set(hit.hash, times + 1);
    if (times === 0) {
      weight += hit.weight;
      if (hit.isImport) imports += hit.weight;
    }
    for (; hit.place - (hits[first] as Hit).place > WINDOW; first++) {
      const gone = hits[first] as Hit; // first <= last
      const left = (within.get(gone.hash) ?? 1) - 1;
      if (left > 0) within.set(gone.hash, left);
      else {
        within.delete(gone.hash);
        weight -= gone.weight;
        if (gone.isImport) imports -= gone.weight;
      }
    }
    const start = (hits[first] as Hit).place;
    const isEnough = weight >= (weight === imports ? IMPORT_HITS : MATCH_HITS) * OWN_WEIGHT;
    if (!isEnough || hit.place - start < SPREAD) continue;
    const from = Math.max(0, start - SPAN);
    const open = found.at(-1);
    if (open !== undefined && from <= open.end)
      found[found.length - 1] = { ...open, end: hit.place, hits: open.hits + 1 };
    else found.push({ label, start: from, end: hit.place, hits: last - first + 1 });
  }
  return found;
}
