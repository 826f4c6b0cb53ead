/**
 * The Inspector: what is in a request. Pure: no clock, no I/O, no randomness. New parts are scanned; parts that were
 * scanned before are answered from a bounded memory, so an old secret stays a finding in every turn.
 *
 * Failure contract: when a detector throws, `inspect` throws Fault("inspect.failed") that names the detector, and the
 * caller denies. A finding never holds the value, only its place and a keyed hash.
 */
import { createHmac } from "node:crypto";
import { Fault, type FindingTally } from "../core/index.ts";
import { concealedIn } from "./concealed.ts";
import { type Detector, isReader, type Reader } from "./detector.ts";
import { DETECTORS } from "./detectors/index.ts";
import type { CodeIndex, CodeMatch } from "./fingerprint.ts";
import { Remembered } from "./remembered.ts";
import { createScanner, type Match, type Scanner } from "./scanner.ts";
import { SEED_PHRASE, seedPhrasesIn } from "./seed-phrase.ts";
import { type Term, termDetector } from "./term.ts";
import { decodedView, isCompressed, MAX_LAYERS, unfold, type View } from "./views.ts";

export interface Finding {
  readonly class: string;
  readonly detector: string;
  /** Index into the parts that were inspected. */
  readonly part: number;
  /** UTF-16 offsets into the part's text; `end` is exclusive. */
  readonly start: number;
  readonly end: number;
  /** First 16 bytes of HMAC-SHA256(key, class ‖ 0 ‖ value), hex: the same value has the same hash under one key. */
  readonly hash: string;
  /** A check digit or checksum inside the value holds. */
  readonly verified: boolean;
}

export interface InspectedPart {
  readonly text: string;
  readonly isNew: boolean;
  readonly role: string;
  /** Files that the text shows, and paths that the command named whose output it is. */
  readonly files?: readonly string[];
  readonly named?: readonly string[];
}

/** Files whose content has a class, whatever it says. */
export interface PathLabel {
  /** As it was written; names the finding: the detector is `path:<glob>`. */
  readonly glob: string;
  readonly class: string;
  readonly covers: (path: string) => boolean;
}

export interface Inspection {
  readonly findings: readonly Finding[];
  readonly tally: readonly FindingTally[];
}

export interface Inspector {
  /** Of the part's lines that are the build's own but for look-alike characters: each as its template has it. */
  readonly asVetted?: (part: InspectedPart) => ReadonlyMap<string, string>;
  inspect(parts: readonly InspectedPart[]): Inspection;
  /**
   * Reads a text ahead, and where it meets the one that stands before it, so that `inspect` need not: what it finds does not
   * depend on it. Throws as `inspect` does.
   */
  foresee(
    part: Pick<InspectedPart, "role" | "text">,
    before: Pick<InspectedPart, "role" | "text"> | null,
  ): void;
  /**
   * The labels of the files that a part is from. `inspect` finds by them too; this is for a part whose text was inspected
   * in an earlier turn, as the same text may stand in a file with another label. Null: no path has a label.
   */
  readonly labels: ((part: InspectedPart) => readonly PathLabel[]) | null;
}

export interface InspectorOptions {
  /** Keys the hashes; at least 16 bytes. */
  readonly key: Uint8Array;
  /** Instead of the built-in pack. */
  readonly detectors?: readonly (Detector | Reader)[];
  /** The organisation's own words and canaries. */
  readonly terms?: readonly Term[];
  /** Classified code to recognise. A label is `<class>/<name>`. */
  readonly code?: readonly CodeIndex[];
  readonly paths?: readonly PathLabel[];
}

/** What was found in a text, wherever it stands. */
interface Found {
  readonly class: string;
  readonly detector: string;
  readonly start: number;
  readonly end: number;
  readonly hash: string;
  readonly verified: boolean;
}

const NOTHING: readonly never[] = [];
/** How much of two neighbouring parts is read as one, for what was cut in two. */
const BORDER_CHARACTERS = 256;
/** Borders that were read ahead and not asked for yet. */
const MOST_AHEAD = 20_000;

export function createInspector(options: InspectorOptions): Inspector {
  if (options.key.length < 16)
    throw new Fault("inspect.failed", { detail: "the hash key is shorter than 16 bytes" });
  const scanner = createScanner([
    ...(options.terms ?? []).map(termDetector),
    ...(options.detectors ?? DETECTORS),
  ]);
  const memory = new Remembered<readonly Found[]>();
  const codes = options.code ?? [];
  const paths = options.paths ?? [];
  const labels = (part: InspectedPart): readonly PathLabel[] =>
    paths.length === 0 || (part.files === undefined && part.named === undefined)
      ? NO_LABELS
      : paths.filter(({ covers }) => [...(part.files ?? []), ...(part.named ?? [])].some(covers));

  const shapesOf = (target: string): readonly Found[] =>
    concealedIn(target).map((found) => ({
      ...found,
      hash: keyedHash(options.key, found.class, target.slice(found.start, found.end)),
      verified: found.class === "personal",
    }));

  /** A text that is an address and nothing else is where somebody is to go: the argument of a tool, a link. */
  const shapeOfUrl = (text: string): readonly Found[] => {
    const [whole, start = "", host = "", path = ""] = URL_ALONE.exec(text) ?? [];
    if (whole === undefined) return [];
    return shapesOf(`${host} ${path}`).map((found) => {
      // One place more behind the host: the blank, for which the text has nothing.
      const at = (place: number): number => start.length + (place > host.length ? place - 1 : place);
      return { ...found, start: at(found.start), end: at(found.end) };
    });
  };

  /** RFC 7617. A password that somebody chose with care is a secret wherever it goes; whether it may is for others to say. */
  const basicLogin = (text: string): readonly Found[] => {
    const [, encoded = ""] = /^basic +([A-Za-z0-9+/=_-]{8,400})$/i.exec(text) ?? [];
    const password = Buffer.from(encoded, "base64").toString("utf8").split(":").slice(1).join(":");
    if (password.length < 10 || !/[a-z]/.test(password) || !/[A-Z]/.test(password) || !/\d/.test(password))
      return [];
    const start = text.length - encoded.length;
    const hash = keyedHash(options.key, "secret", text.slice(start));
    return [{ class: "secret", detector: "basic-login", start, end: text.length, hash, verified: false }];
  };

  const judge = (text: string, role: string): readonly Found[] => {
    const matches = [...matchesIn(scanner, text), ...shortPhrases(text), ...spacedOut(scanner, text)];
    const coded = codes.flatMap((index) => index.match(text));
    if (matches.length + coded.length === 0) return NOTHING;
    return [
      ...disjoint(matches)
        // A login is there by right, and what stands round it is the protocol's: formats only.
        .filter(
          ({ detector }) => role !== "credential" || (detector.class === "secret" && !isReader(detector)),
        )
        .map((match) => foundOf(match, text, options.key)),
      ...coded.map((match) => foundCode(match, text, options.key)),
    ];
  };

  const judgeOnce = (text: string, role: string): readonly Found[] => {
    const shelf = READ_APART.has(role) ? role : "";
    const remembered = memory.get(shelf, text);
    if (remembered !== undefined) return remembered;
    const found =
      role === "target"
        ? shapesOf(text)
        : role === "encoded"
          ? matchesInMedia(scanner, text).map((match) => foundOf(match, text, options.key))
          : [...judge(text, role), ...shapeOfUrl(text), ...(role === "credential" ? basicLogin(text) : [])];
    memory.put(shelf, text, found);
    return found;
  };

  /** The parts inspected last: those of the next turn are mostly the very same objects, told at the same places. */
  let last: { readonly parts: readonly InspectedPart[]; readonly found: readonly (readonly Found[])[] } = {
    parts: [],
    found: [],
  };
  const foundIn = ({ text, role }: InspectedPart): readonly Found[] =>
    role === "fragment" ? NOTHING : judgeOnce(text, role);

  /** Where texts that were read ahead meet; each is asked for once. */
  const ahead = new Map<string, readonly Crossing[]>();
  const crossing = (before: string, after: string, isAhead: boolean): readonly Crossing[] => {
    const head = before.slice(-BORDER_CHARACTERS);
    const tail = after.slice(0, BORDER_CHARACTERS);
    if (!isAhead && ahead.size === 0) return acrossBorder(scanner, head, tail, options.key);
    const name = `${head.length} ${head}${tail}`;
    const known = ahead.get(name);
    if (known !== undefined) {
      if (!isAhead) ahead.delete(name);
      return known;
    }
    const found = acrossBorder(scanner, head, tail, options.key);
    if (!isAhead) return found;
    if (ahead.size >= MOST_AHEAD) ahead.clear();
    ahead.set(name, found);
    return found;
  };
  const told = <T>(work: () => T): T => {
    try {
      return work();
    } catch (thrown) {
      if (thrown instanceof Fault) throw thrown;
      // The cause is kept for the operator, but its message could quote the text: the detail does not repeat it.
      throw new Fault("inspect.failed", { detail: "a detector threw", cause: thrown });
    }
  };

  return {
    labels: paths.length === 0 ? null : labels,
    foresee: (part, before) =>
      told(() => {
        if (part.role !== "fragment") judgeOnce(part.text, part.role);
        if (before !== null && areJoined(before, part)) crossing(before.text, part.text, true);
      }),
    inspect: (parts) =>
      told(() => {
        const findings: Finding[] = [];
        const { parts: before, found: foundBefore } = last;
        const foundNow = parts.map((part, index) =>
          part === before[index] ? (foundBefore[index] ?? NOTHING) : foundIn(part),
        );
        last = { parts, found: foundNow };
        foundNow.forEach((foundHere, index) => {
          const part = parts[index] as InspectedPart; // one for each part
          for (const found of foundHere) findings.push({ ...found, part: index });
          for (const label of labels(part))
            findings.push({ ...foundByPath(label, part, options.key), part: index });
          const previous = parts[index - 1];
          if (previous === undefined || !(part.isNew || previous.isNew) || !areJoined(previous, part)) return;
          for (const head of [previous.text, ...piecesBefore(parts, index)])
            for (const { ends, begins } of crossing(head, part.text, false)) {
              // In each of the parts before that hold some of it, the nearest first.
              let left = ends.end - ends.start;
              for (let at = index - 1; left > 0 && at >= 0; at--) {
                const end = parts[at]?.text.length ?? 0;
                findings.push({ ...ends, part: at, start: Math.max(0, end - left), end });
                left -= end;
              }
              findings.push({ ...begins, part: index });
            }
        });
        return { findings, tally: tally(findings) };
      }),
  };
}

/**
 * What an image, a signature or another binary value holds. Its base64 says nothing as text, and matches by chance: read
 * are the formats of tokens that make up most of it, stand in what is no pure base64, have a checksum that fits or a long
 * beginning, and every readable stretch of its bytes (the whole value is then the place). A text in base64 is a part of its
 * own: the dialect has taken it apart.
 */
function matchesInMedia(scanner: Scanner, text: string): readonly Match[] {
  const hasUrlSigns = /[-_]/.test(text);
  const isMixed = hasUrlSigns && /[+/]/.test(text);
  const plain = hasUrlSigns || text.length <= 2 * LONGEST_TOKEN ? scanner.scan(text) : [];
  const stretches = readableIn(Buffer.from(text.slice(text.indexOf(",") + 1), "base64"));
  return disjoint([
    ...plain.filter(
      ({ detector, start, end, verified }) =>
        detector.class === "secret" &&
        !isReader(detector) &&
        (isMixed || verified || isLongNamed(detector) || (end - start) * 2 >= text.length),
    ),
    ...(stretches === "" ? [] : scanner.scan(stretches)).map((match) => ({
      ...match,
      start: 0,
      end: text.length,
    })),
  ]);
}
const LONGEST_TOKEN = 4096;
/** A beginning of eight given characters stands in random base64 once in 64^8. */
const LONG_NAME = 8;
const isLongNamed = ({ anchors, offset = 0, lead }: Detector): boolean =>
  offset === 0 && lead === undefined && anchors.every(({ length }) => length >= LONG_NAME);

/** Stretches of printable ASCII too long to be there by chance, a line each; of what is compressed, its content. */
function readableIn(bytes: Buffer): string {
  const unfolded = isCompressed(bytes) ? unfold(bytes) : null;
  if (unfolded !== null) return unfolded;
  return (
    bytes
      .toString("latin1")
      .match(/[\t\n\r\x20-\x7e]{16,}/g)
      ?.join("\n") ?? ""
  );
}

/** Matches in the text and in what it says when decoded, each at its place in the text. */
function matchesIn(scanner: Scanner, text: string): Match[] {
  const matches = scanner.scan(text);
  let layer: View | null = decodedView(text);
  // Where a character of the current layer begins, and where the one before it ends, in the text.
  let begin = (place: number): number => place;
  let finish = (place: number): number => place;
  for (let depth = 0; layer !== null && depth < MAX_LAYERS; depth++) {
    const { text: said, places } = layer;
    const [beginAbove, finishAbove] = [begin, finish];
    begin = (place) => beginAbove(places[place] ?? 0);
    finish = (place) => finishAbove(ending(places, place));
    for (const match of scanner.scan(said)) {
      const [start, end] = [begin(match.start), finish(match.end)];
      if (end > start) matches.push({ ...match, start, end });
    }
    layer = decodedView(said);
  }
  return matches;
}

/** Where the character before `end` ends in the source: a run that is decoded as a whole ends with its last one. */
function ending(places: Uint32Array, end: number): number {
  const last = places[end - 1] ?? 0;
  let at = end;
  while (at < places.length && places[at] === last) at++;
  return places[at] ?? last;
}

/**
 * Fields of a record (`metadata`: telemetry events, request ids) and of a tool's definition stand side by side without
 * being one text: an agent's name followed by an id is no key. Fragments are read with each other alone.
 */
const areJoined = (before: Pick<InspectedPart, "role">, after: Pick<InspectedPart, "role">): boolean =>
  (before.role === "fragment") === (after.role === "fragment") &&
  !STANDS_ALONE.has(before.role) &&
  !STANDS_ALONE.has(after.role);
const STANDS_ALONE: ReadonlySet<string> = new Set([
  "metadata",
  "definition",
  "target",
  "credential",
  "encoded",
]);
/** Roles whose texts are judged by rules of their own. */
const READ_APART: ReadonlySet<string> = new Set(["target", "credential", "encoded"]);

const URL_ALONE =
  /^((?:https?|wss?):\/\/(?:[^/?#@\s]{0,100}@)?)([^/?#:@\s]{1,253})((?::\d{1,5})?(?:[/?#]\S{0,4000})?)$/i;

/** In a short text a phrase needs no name before it. */
const LONGEST_SHORT = 2048;
/** Characters set apart by one separator throughout: `A.K.I.A…`, `I g n o r e  a l l`. */
const SPACED = /(?<![A-Za-z0-9])(?:[A-Za-z0-9_/=-]([ .,_+|-])(?:\1{1,2})?){9,400}[A-Za-z0-9](?![A-Za-z0-9])/g;

/** How a character may stand in such a run: not at all, as a separator, as a character, or both. */
const NEITHER = 0;
const SEPARATES = 1;
const STANDS = 2;
const IS_ALNUM = 4;
const SPACED_KINDS: Uint8Array = Uint8Array.from({ length: 128 }, (_, code) => {
  const char = String.fromCharCode(code);
  return (
    (/[ .,_+|-]/.test(char) ? SEPARATES : NEITHER) |
    (/[A-Za-z0-9_/=-]/.test(char) ? STANDS : NEITHER) |
    (/[A-Za-z0-9]/.test(char) ? IS_ALNUM : NEITHER)
  );
});
/** The shortest run has 19 characters, so it holds one of these windows whole. */
const SPACED_STEP = 8;
const SPACED_WINDOW = 10;

/** Whether the expression may find anything: in a run, no two letters or digits stand side by side. */
function maySpaceOut(text: string): boolean {
  for (let from = 0; from + SPACED_WINDOW <= text.length; from += SPACED_STEP) {
    let before = NEITHER;
    let standing = 0;
    let at = from;
    for (; at < from + SPACED_WINDOW; at++) {
      const kind = SPACED_KINDS[text.charCodeAt(at)] ?? NEITHER;
      if (kind === NEITHER || (kind & before & IS_ALNUM) !== 0) break;
      if ((kind & STANDS) !== 0) standing++;
      before = kind;
    }
    if (at === from + SPACED_WINDOW && standing > 1) return true;
  }
  return false;
}

function spacedOut(scanner: Scanner, text: string): Match[] {
  if (text.length > LONGEST_SHORT || !maySpaceOut(text)) return [];
  return [...text.matchAll(SPACED)].flatMap(({ 0: run, 1: separator = " ", index }) => {
    const words = run.replaceAll(separator.repeat(2), "\0").replaceAll(separator, "").replaceAll("\0", " ");
    return scanner.scan(words).map((match) => ({ ...match, start: index, end: index + run.length }));
  });
}

const shortPhrases = (text: string): Match[] =>
  text.length > LONGEST_SHORT
    ? []
    : seedPhrasesIn(text).map((span) => ({ ...span, detector: SEED_PHRASE, rank: 0 }));

/** A token may be cut in more than two: what stands before the part at `index`, two of its pieces joined, three, and so on. */
function piecesBefore(parts: readonly InspectedPart[], index: number): readonly string[] {
  const last = parts[index];
  if (last === undefined || last.role === "fragment" || !PIECE.test(last.text)) return NOTHING;
  const heads: string[] = [];
  let head = "";
  for (let at = index - 1; at >= 0 && index - at <= MOST_PIECES; at--) {
    const piece = parts[at];
    if (piece === undefined || !areJoined(piece, last) || !PIECE.test(piece.text)) break;
    head = piece.text + head;
    if (index - at > 1) heads.push(head);
  }
  return heads;
}

/** No text, and no whole token of its own. */
const PIECE = /^[\w+/=.~-]{2,48}$/;
const MOST_PIECES = 8;

/** What two neighbouring parts hold only together. */
interface Crossing {
  /** Seen from the first of what was looked at of the first part, or of the pieces before it; it ends where the part ends. */
  readonly ends: Found;
  /** In the second part. */
  readonly begins: Found;
}

/**
 * What neighbouring parts hold only together: one finding in each, under one hash. A token that is whole in one of
 * them is no such thing: what begins the next part would be taken for more of it.
 */
function acrossBorder(scanner: Scanner, head: string, tail: string, key: Uint8Array): readonly Crossing[] {
  const text = head + tail;
  const crossing = scanner.scan(text).filter(({ start, end }) => start < head.length && end > head.length);
  if (crossing.length === 0) return NOTHING;
  const begun = new Set(scanner.scan(head).map(({ detector, start }) => `${detector.id} ${start}`));
  const ended = new Set(scanner.scan(tail).map(({ detector, end }) => `${detector.id} ${end + head.length}`));
  return (
    disjoint(crossing)
      // A name at the end of one message and a word at the start of the next are no assignment: formats only.
      .filter(({ detector }) => detector.class === "secret" && !isReader(detector))
      .filter(
        ({ detector, start, end }) =>
          !begun.has(`${detector.id} ${start}`) && !ended.has(`${detector.id} ${end}`),
      )
      .map((match) => {
        const found = foundOf(match, text, key);
        return {
          ends: { ...found, end: head.length },
          begins: { ...found, start: 0, end: match.end - head.length },
        };
      })
  );
}

/** Overlapping findings of one class become one: the widest, or the first of the pack where equally wide. */
export function disjoint(matches: readonly Match[]): Match[] {
  if (matches.length < 2) return [...matches];
  const ordered = [...matches].sort((a, b) => a.start - b.start || b.end - a.end || a.rank - b.rank);
  const kept: Match[] = [];
  for (const match of ordered) {
    const rival = kept.findLast(
      (other) => other.detector.class === match.detector.class && other.end > match.start,
    );
    if (rival === undefined) kept.push(match);
    else if (match.end > rival.end) kept[kept.indexOf(rival)] = { ...rival, end: match.end };
  }
  return kept;
}

function foundOf(match: Match, text: string, key: Uint8Array): Found {
  const { start, end, verified } = match;
  const dataClass = match.detector.class;
  return {
    class: dataClass,
    detector: match.detector.id,
    start,
    end,
    hash: keyedHash(key, dataClass, text.slice(start, end)),
    verified,
  };
}

const NO_LABELS: readonly PathLabel[] = [];

/** A label speaks of all that a file holds; the hash is of the path, so that a waiver is for one file. */
function foundByPath({ glob, class: dataClass }: PathLabel, part: InspectedPart, key: Uint8Array): Found {
  const path = [...(part.files ?? []), ...(part.named ?? [])].join("\n");
  const hash = keyedHash(key, dataClass, path);
  return {
    class: dataClass,
    detector: `${PATH_DETECTOR}${glob}`,
    start: 0,
    end: part.text.length,
    hash,
    verified: false,
  };
}

/** How the id of a finding by path begins: it is about where a text is from, not about the text. */
export const PATH_DETECTOR = "path:";

function foundCode({ label, start, end }: CodeMatch, text: string, key: Uint8Array): Found {
  const slash = label.indexOf("/");
  const dataClass = slash < 0 ? "classified" : label.slice(0, slash);
  return {
    class: dataClass,
    detector: `code:${label.slice(slash + 1)}`,
    start,
    end,
    hash: keyedHash(key, dataClass, text.slice(start, end)),
    verified: false,
  };
}

function keyedHash(key: Uint8Array, dataClass: string, value: string): string {
  return createHmac("sha256", key).update(`${dataClass}\0${value}`, "utf8").digest("hex").slice(0, 32);
}

export function tally(findings: readonly Finding[]): FindingTally[] {
  const counts = new Map<string, FindingTally>();
  for (const { class: dataClass, detector } of findings) {
    const name = `${dataClass}\0${detector}`;
    counts.set(name, { class: dataClass, detector, count: (counts.get(name)?.count ?? 0) + 1 });
  }
  return [...counts.values()];
}
