/**
 * The scan engine: which detectors match where, with cost linear in the text.
 *
 * 1. Compile: every anchor becomes a byte sequence; its trigrams at offset 0 and 1 go into one table over 64 folded
 *    character classes, so the text is sampled at every second position only.
 * 2. Filter: the low bytes of the text's UTF-16 units (positions stay the string's own), two at a time, pass a 32 KB
 *    bitset, then the anchors of the bucket are compared in full.
 * 3. Confirm: the detector's pattern, sticky, at the one place where a match could start.
 *
 * Equal to the plain loop `for each detector: exec from the left, non-overlapping` by construction; scanner.test.ts
 * holds it to that on the corpora and on random text.
 */
import { Fault } from "../core/index.ts";
import { type Detector, isNumberRun, isReader, NUMBER, type Reader, spansOf } from "./detector.ts";

/** 64 classes, ASCII case folded; everything that no anchor may use shares the last one. */
const CLASSES: Uint8Array = (() => {
  const classes = new Uint8Array(256).fill(63);
  let next = 0;
  for (let letter = 97; letter <= 122; letter++) {
    classes[letter] = next;
    classes[letter - 32] = next++;
  }
  for (let digit = 48; digit <= 57; digit++) classes[digit] = next++;
  for (const other of "_-.:/+=$\"'`@#{~!%&()<>,;|? ") classes[other.charCodeAt(0)] = Math.min(next++, 62);
  // Not with what no anchor uses: indentation would look like three Chinese characters, whose low bytes may be any.
  for (const blank of "\t\n\r") classes[blank.charCodeAt(0)] = classes["~".charCodeAt(0)] ?? 63;
  return classes;
})();

/** The classes of two bytes that stand beside each other, by both of them as this processor reads 16 bits. */
const PAIRS: Uint16Array = (() => {
  const pairs = new Uint16Array(1 << 16);
  const both = new Uint8Array(2);
  const read = new Uint16Array(both.buffer);
  for (both[0] = 0; ; both[0]++) {
    for (both[1] = 0; ; both[1]++) {
      pairs[read[0] ?? 0] = ((CLASSES[both[0]] ?? 63) << 6) | (CLASSES[both[1]] ?? 63);
      if (both[1] === 255) break;
    }
    if (both[0] === 255) return pairs;
  }
})();

const fold = (code: number): number => (code >= 65 && code <= 90 ? code + 32 : code);

interface Item {
  /** The anchor's folded bytes. */
  readonly bytes: Uint8Array;
  /** How far into the anchor the sampled trigram stands: 0 or 1. */
  readonly at: number;
  readonly detectors: readonly number[];
}

/** Items of a bucket are `firsts[bucket]` to `firsts[bucket + 1]`; what is known of an item stands at its number. */
interface Filter {
  readonly bits: Uint32Array;
  /** Trigram to bucket number, or -1. */
  readonly heads: Int16Array;
  readonly firsts: Uint32Array;
  /** Where the item's anchor begins in `bytes`, and how long it is. */
  readonly froms: Uint32Array;
  readonly lengths: Uint8Array;
  readonly shifts: Uint8Array;
  readonly users: readonly (readonly number[])[];
  readonly bytes: Uint8Array;
  /**
   * Eight words a bucket: which classes may follow the trigram for the items sampled at 0 (two words of 32), may stand
   * before and may follow for those sampled at 1, and none. Two letters and a wildcard are met everywhere; this is what
   * keeps three-character anchors cheap.
   */
  readonly guards: Uint32Array;
}

/** `anchors[i]` are the anchors of detector i; `numbers`: three digits in a row, or two behind a separator, count too. */
function compileFilter(anchors: readonly (readonly string[])[], numbers: boolean): Filter {
  const byAnchor = new Map<string, number[]>();
  anchors.forEach((list, detector) => {
    for (const anchor of list) {
      const users = byAnchor.get(anchor);
      if (users === undefined) byAnchor.set(anchor, [detector]);
      else if (!users.includes(detector)) users.push(detector);
    }
  });
  const bits = new Uint32Array(1 << 13);
  const heads = new Int16Array(1 << 18).fill(-1);
  const buckets: Item[][] = [];
  const put = (trigram: number, item: Item): void => {
    bits[trigram >>> 5] = (bits[trigram >>> 5] ?? 0) | (1 << (trigram & 31));
    let head = heads[trigram] ?? -1;
    if (head < 0) {
      head = buckets.push([]) - 1;
      heads[trigram] = head;
    }
    buckets[head]?.push(item);
  };
  for (const [anchor, detectors] of byAnchor) {
    const bytes = Uint8Array.from([...anchor].map((char) => fold(char.charCodeAt(0) & 255)));
    const classOf = (i: number): number => CLASSES[bytes[i] ?? 0] ?? 63;
    put((classOf(0) << 12) | (classOf(1) << 6) | classOf(2), { bytes, at: 0, detectors });
    if (bytes.length > 3) {
      put((classOf(1) << 12) | (classOf(2) << 6) | classOf(3), { bytes, at: 1, detectors });
    } else {
      // A three-character anchor met at its second character: whatever class follows.
      for (let last = 0; last < 64; last++)
        put((classOf(1) << 12) | (classOf(2) << 6) | last, { bytes, at: 1, detectors });
    }
  }
  if (numbers) {
    const item: Item = { bytes: new Uint8Array(0), at: 0, detectors: [DIGITS] };
    for (const first of "0123456789 -")
      for (let rest = 0; rest < 100; rest++) {
        const [second, third] = [CLASSES[48 + Math.floor(rest / 10)] ?? 0, CLASSES[48 + (rest % 10)] ?? 0];
        put(((CLASSES[first.charCodeAt(0)] ?? 0) << 12) | (second << 6) | third, item);
      }
  }
  const guards = new Uint32Array(buckets.length * 8);
  const allow = (bucket: number, word: number, byte: number | undefined): void => {
    const at = bucket * 8 + word;
    const allowed = byte === undefined ? -1 : (CLASSES[byte] ?? 63);
    if (allowed < 0) guards.fill(0xffffffff, at, at + 2);
    else guards[at + (allowed >>> 5)] = (guards[at + (allowed >>> 5)] ?? 0) | (1 << (allowed & 31));
  };
  buckets.forEach((items, bucket) => {
    for (const { bytes, at } of items) {
      if (at === 0) allow(bucket, 0, bytes[3]);
      else {
        allow(bucket, 2, bytes[0]);
        allow(bucket, 4, bytes[4]);
      }
    }
  });
  return { bits, heads, guards, ...flattened(buckets) };
}

/** Numbers beside each other instead of objects: a bucket is looked at once in thirty bytes. */
function flattened(
  buckets: readonly (readonly Item[])[],
): Pick<Filter, "firsts" | "froms" | "lengths" | "shifts" | "users" | "bytes"> {
  const items = buckets.flat();
  const firsts = new Uint32Array(buckets.length + 1);
  for (const [at, bucket] of buckets.entries()) firsts[at + 1] = (firsts[at] ?? 0) + bucket.length;
  const froms = new Uint32Array(items.length);
  let size = 0;
  for (const [at, { bytes }] of items.entries()) {
    froms[at] = size;
    size += bytes.length;
  }
  return {
    firsts,
    froms,
    lengths: Uint8Array.from(items, ({ bytes }) => bytes.length),
    shifts: Uint8Array.from(items, ({ at }) => at),
    users: items.map(({ detectors }) => detectors),
    bytes: Uint8Array.from(items.flatMap(({ bytes }) => [...bytes])),
  };
}

/** Bytes filtered at a time; texts longer than this are taken in pieces that overlap by an anchor's length. */
const PIECE_BYTES = 1 << 17;
const LONGEST_ANCHOR = 64;

/**
 * How many readings of a text may come to measure something: a measurement costs some 20 µs, and a text that asks for
 * more of them than any list of credentials is written to keep the station busy. It is refused, not skipped.
 */
const MEASURED_AT_LEAST = 5_000;
const CHARACTERS_PER_MEASURED = 64;

export interface Match {
  readonly detector: Detector | Reader;
  /** The detector's place in the pack: the lower is the more specific. */
  readonly rank: number;
  /** UTF-16 offsets into the text; `end` is exclusive. */
  readonly start: number;
  readonly end: number;
  readonly verified: boolean;
}

export interface Scanner {
  /** Every match in the text, in no particular order. Throws what a detector throws, and Fault("inspect.failed"). */
  scan(text: string): Match[];
}

/** What is called at an anchor: a pattern applied there, or a reader. */
type Armed =
  | { readonly detector: Detector; readonly rank: number; readonly sticky: RegExp }
  | (Ranked & { readonly sticky: null });

interface Ranked {
  readonly detector: Reader;
  readonly rank: number;
}

/** Stands in a bucket for the readers of numbers. */
const DIGITS = -1;

const charactersOf = (pattern: RegExp): Uint8Array =>
  Uint8Array.from({ length: 128 }, (_, code) => (pattern.test(String.fromCharCode(code)) ? 1 : 0));
const LEADS: Record<"digit" | "mrz" | "host", Uint8Array> = {
  host: charactersOf(/[A-Za-z0-9-]/),
  digit: charactersOf(/[0-9]/),
  mrz: charactersOf(/[A-Z0-9<]/),
};
/** The longest run a lead walks back over. */
const LEAD_LIMIT = 64;

/** Where a match would start whose anchor stands at `at`. */
function startOf(detector: Detector, text: string, at: number): number {
  if (detector.lead === undefined) return at - (detector.offset ?? 0);
  const isLead = LEADS[detector.lead];
  let start = at;
  while (start > 0 && at - start < LEAD_LIMIT && isLead[text.charCodeAt(start - 1)] === 1) start--;
  return start;
}

/** The value inside a match: group 1 where one took part, else all of it. Null when the detector does not accept it. */
export function judge(detector: Detector, rank: number, match: RegExpExecArray): Match | null {
  const value = match.slice(1).find((group) => group !== undefined) ?? match[0];
  if (detector.accept !== undefined && !detector.accept(value, match)) return null;
  const start = match.index + (value === match[0] ? 0 : match[0].lastIndexOf(value));
  const verified = detector.verify?.(value) ?? false;
  return { detector, rank, start, end: start + value.length, verified };
}

export function createScanner(detectors: readonly (Detector | Reader)[]): Scanner {
  const anchored: Armed[] = [];
  const anchors: (readonly string[])[] = [];
  /** By how many digits a number has: all that may read it, in the pack's order. */
  const numeric: Ranked[][] = Array.from({ length: MOST_DIGITS + 1 }, () => []);
  let readsNumbers = false;
  const byCharacter = new Map<string, Ranked[]>();
  for (const [rank, detector] of detectors.entries()) {
    if (!isReader(detector)) {
      const sticky = new RegExp(detector.pattern.source, `${detector.pattern.flags.replace(/[gy]/g, "")}y`);
      anchored.push({ detector, rank, sticky });
      anchors.push(detector.anchors);
    } else if ("anchors" in detector.on) {
      anchored.push({ detector, rank, sticky: null });
      anchors.push(detector.on.anchors);
    } else if ("numbers" in detector.on) {
      readsNumbers = true;
      for (const [digits, readers] of numeric.entries())
        if (detector.on.digits?.includes(digits) ?? true) readers.push({ detector, rank });
    } else
      byCharacter.set(detector.on.character, [
        ...(byCharacter.get(detector.on.character) ?? []),
        { detector, rank },
      ]);
  }
  const filter = compileFilter(anchors, readsNumbers);
  // The text's first byte is the second here, so that the pairs that are looked at stand at even places.
  const piece = new Uint8Array(PIECE_BYTES + 6);
  const pairs = new Uint16Array(piece.buffer);
  const bytes = Buffer.from(piece.buffer);
  const ends = new Float64Array(anchored.length);
  const number = new RegExp(NUMBER.source, "y");
  let numbersRead = 0;
  let measured = 0;
  let affordable = 0;

  const read = (
    { detector, rank }: Ranked,
    text: string,
    start: number,
    end: number,
    found: Match[],
  ): void => {
    const result = detector.read(text, start, end);
    if (result === null) return;
    if (++measured > affordable)
      throw new Fault("inspect.failed", { detail: "too many names of credentials" });
    for (const span of spansOf(result)) found.push({ detector, rank, ...span });
  };

  const onAnchor = (index: number, text: string, at: number, length: number, found: Match[]): void => {
    const armed = anchored[index];
    if (armed === undefined) return;
    const from = ends[index] ?? 0;
    if (armed.sticky === null) {
      if (at < from) return;
      const before = found.length;
      read(armed, text, at, at + length, found);
      for (let i = before; i < found.length; i++)
        ends[index] = Math.max(ends[index] ?? 0, found[i]?.end ?? 0);
      return;
    }
    const { detector, rank, sticky } = armed;
    const start = startOf(detector, text, at);
    if (start < from) return;
    sticky.lastIndex = start;
    const match = sticky.exec(text);
    if (match === null) return;
    ends[index] = start + match[0].length;
    const judged = judge(detector, rank, match);
    if (judged !== null) found.push(judged);
  };

  /** A digit group was met: every number in the region of digits and separators round it, once. */
  const onDigits = (text: string, at: number, found: Match[]): void => {
    if (at < numbersRead) return;
    let start = at;
    while (start > 0 && isDigitOrSeparator(text, start - 1)) start--;
    while (start < at && !isDigit(text.charCodeAt(start))) start++;
    let end = at;
    while (end < text.length && isDigitOrSeparator(text, end)) end++;
    numbersRead = end;
    for (let next = start; end - next >= 8; ) {
      number.lastIndex = next;
      const match = number.exec(text);
      if (match === null) {
        next++;
        continue;
      }
      next += match[0].length;
      if (!isNumberRun(match[0])) continue;
      for (const reader of numeric[digitsIn(match[0])] ?? []) read(reader, text, match.index, next, found);
    }
  };

  const inBucket = (
    head: number,
    text: string,
    base: number,
    at: number,
    size: number,
    found: Match[],
  ): void => {
    const { firsts, froms, lengths, shifts, users, bytes: letters } = filter;
    // Every bucket has its items, and every item its anchor.
    const last = firsts[head + 1] as number;
    for (let item = firsts[head] as number; item < last; item++) {
      const start = at - (shifts[item] as number);
      const length = lengths[item] as number;
      if (start < 0 || start + length > size) continue;
      const from = froms[item] as number;
      // The last character tells most anchors of a bucket apart: they begin alike.
      if (length > 0 && FOLDED[piece[start + length] as number] !== letters[from + length - 1]) continue;
      let k = 0;
      while (k < length && FOLDED[piece[start + k + 1] as number] === letters[from + k]) k++;
      if (k < length) continue;
      for (const index of users[item] as readonly number[]) {
        if (index === DIGITS) onDigits(text, base + at + 2, found);
        else onAnchor(index, text, base + start, length, found);
      }
    }
  };

  const scanPiece = (text: string, base: number, size: number, found: Match[]): void => {
    const { bits, heads, guards } = filter;
    // These arrays cover every byte, every pair, every trigram and every bucket, so no index below can miss.
    let first = CLASSES[piece[1] as number] as number;
    for (let i = 0; i < size; i += 2) {
      const pair = PAIRS[pairs[(i >>> 1) + 1] as number] as number;
      const trigram = (first << 12) | pair;
      first = pair & 63;
      if ((((bits[trigram >>> 5] as number) >>> (trigram & 31)) & 1) === 0) continue;
      const head = heads[trigram] as number;
      const before = CLASSES[piece[i] as number] as number;
      const after = CLASSES[piece[i + 4] as number] as number;
      const guard = head * 8 + (after >>> 5);
      if (
        (((guards[guard] as number) >>> (after & 31)) & 1) === 0 &&
        (((guards[guard + 4] as number) >>> (after & 31)) &
          1 &
          ((guards[head * 8 + 2 + (before >>> 5)] as number) >>> (before & 31))) ===
          0
      )
        continue;
      inBucket(head, text, base, i, size, found);
    }
  };

  return {
    scan(text) {
      const found: Match[] = [];
      ends.fill(0);
      numbersRead = 0;
      measured = 0;
      affordable = MEASURED_AT_LEAST + text.length / CHARACTERS_PER_MEASURED;
      for (let base = 0; base < text.length; base += PIECE_BYTES - LONGEST_ANCHOR) {
        const size = Math.min(PIECE_BYTES, text.length - base);
        // One byte a UTF-16 unit (its low one): positions in the piece are positions in the text.
        bytes.write(base === 0 && size === text.length ? text : text.slice(base, base + size), 1, "latin1");
        piece.fill(0, size + 1, size + 6);
        scanPiece(text, base, size, found);
        if (base + size === text.length) break;
      }
      for (const [character, readers] of byCharacter)
        for (let at = text.indexOf(character); at >= 0; at = text.indexOf(character, at + 1))
          for (const reader of readers) read(reader, text, at, at + 1, found);
      return found;
    },
  };
}

const FOLDED: Uint8Array = Uint8Array.from({ length: 256 }, (_, code) => fold(code));

/** What NUMBER takes at most. */
const MOST_DIGITS = 34;

/** A run's length without what stands between its digits. */
function digitsIn(run: string): number {
  let digits = 0;
  for (let i = 0; i < run.length; i++) if (isDigit(run.charCodeAt(i))) digits++;
  return digits;
}

const isDigit = (code: number): boolean => code >= 48 && code <= 57;

/** A digit, or a single blank or hyphen between two digits. */
function isDigitOrSeparator(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  if (isDigit(code)) return true;
  return (code === 32 || code === 45) && isDigit(text.charCodeAt(at - 1)) && isDigit(text.charCodeAt(at + 1));
}
