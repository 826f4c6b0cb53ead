/**
 * One session's redacted values: which value has which placeholder. Held in memory only, by the session, and gone with
 * it; nothing here is ever written.
 *
 * Redaction is a function of the body's bytes and the vault: every turn sends the whole conversation again, and the
 * same message must become the same bytes, or the vendor's prompt cache is lost.
 */
import { Fault } from "../core/index.ts";
import type { Detector, Reader } from "./detector.ts";
import { DETECTORS } from "./detectors/index.ts";
import { createRestorer, type Restorer } from "./framing.ts";
import type { InspectedPart, Inspection } from "./inspect.ts";
import { tally } from "./inspect.ts";
import {
  applyEdits,
  asBuffer,
  type ByteEdit,
  decodeString,
  encodeInside,
  type JsonString,
} from "./json-strings.ts";
import { type ManyStrings, manyStrings } from "./many.ts";
import { placeholder } from "./placeholder.ts";
import { createEventRestorer, type EventRestorer, type Known, type RestorerOptions } from "./restore.ts";
import { createSpots, type Spot, type Spots, spotOf } from "./spots.ts";

/** More values than this in one session are refused. */
const MAX_VALUES = 5_000;
/** A value longer than this is refused: what it stands in cannot be edited sensibly. */
const MAX_VALUE_CHARACTERS = 64 * 1024;
/** Files that one value is remembered to stand in. */
const MAX_SOURCES = 1_000;
const NO_SOURCES: ReadonlySet<string> = new Set();
/** How much of the line before a weak value belongs to it. */
const CONTEXT_CHARACTERS = 24;

/** A value of the vault that was met, without the value. */
export interface Met {
  readonly placeholder: string;
  /** The data classes it was found under. */
  readonly classes: readonly string[];
  readonly detector: string;
}

export interface Redacted {
  /** The body to send; untouched stretches are slices of the body that came. */
  readonly chunks: readonly Uint8Array[];
  readonly replaced: number;
  /** Known values that stand where nothing may be edited: a key, a signed block. The caller denies when not zero. */
  readonly left: number;
  /** Each value once, replaced or left. */
  readonly met: readonly Met[];
}

export interface Vault {
  readonly size: number;
  /**
   * Takes the values of the findings of these classes, and returns the inspection without the findings that are only
   * this vault's placeholders come back. Throws Fault("inspect.full").
   */
  learn(parts: readonly InspectedPart[], inspection: Inspection, classes: readonly string[]): Inspection;
  /**
   * The body with every known value replaced; of these classes only, where they are named. Throws
   * Fault("inspect.unreadable") when a JSON body is none.
   */
  redact(body: Uint8Array, form: "json" | "text", classes?: readonly string[]): Redacted;
  /** The known values in a text. */
  find(text: string): readonly Met[];
  /** Placeholders to values in a text; `escaped`: the text is JSON source, so values go in escaped. */
  restore(text: string, escaped: boolean, allows?: (known: Known) => boolean): string;
  /** Where the first placeholder in the text begins; -1: nowhere. */
  first(text: string, escaped: boolean): number;
  /** How many characters at the end of the text may be the beginning of a placeholder. */
  pending(text: string, escaped: boolean): number;
  /** Puts values back into one reply as it streams by; see restore.ts and framing.ts. */
  restorer(contentType: string, options?: RestorerOptions): Restorer;
  /** The same for the events of one reply: WebSocket messages, or an event stream that the caller frames. */
  eventRestorer(options?: RestorerOptions): EventRestorer;
  /** Forgets everything. */
  close(): void;
}

interface Entry {
  /** What is looked for: the value, with what stands before it where the value alone is no clue. */
  readonly sought: string;
  /** Where the value begins in `sought`. */
  readonly offset: number;
  readonly value: string;
  readonly placeholder: string;
  readonly detector: string;
  readonly classes: Set<string>;
}

/** What is looked for, for some classes. */
interface Search {
  readonly entries: readonly Entry[];
  readonly strings: ManyStrings;
}

/** Everything that is known, and where it stood in the bodies that came before. */
interface Everything extends Search {
  readonly spots: Spots<Place>;
}

/** Members of a body that are signed or sealed by the vendor: an edit inside makes the vendor refuse the request. */
const SEALED =
  /\/(?:signature|thinking|encrypted_content|thoughtSignature|thought_signature|redacted_thinking)(?:\/|$)/;
/** The first system block is compared byte for byte by a vendor. */
const FIRST_SYSTEM = /^\/system\/0\//;

/** Long and mixed enough to be replaced wherever it stands; anything weaker only behind the words it was found behind. */
const isStrong = (value: string): boolean =>
  value.length >= 16
    ? new Set(value).size >= 6
    : value.length >= 10 && /\d/.test(value) && /[A-Za-z]/.test(value);

/** A bare word this short stands everywhere: it is not learned, and stays a finding, which denies. */
const isCommon = (sought: string): boolean => sought.length < 6 || /^[A-Za-z0-9]{0,7}$/.test(sought);

export function createVault(options: {
  /** Keys the placeholders; at least 16 bytes. One key for one organisation, or for one session to be unlinkable. */
  readonly key: Uint8Array;
  readonly detectors?: readonly (Detector | Reader)[];
}): Vault {
  if (options.key.length < 16)
    throw new Fault("inspect.failed", { detail: "the placeholder key is shorter than 16 bytes" });
  const keepOf = new Map((options.detectors ?? DETECTORS).map((d) => [d.id, d.keep ?? 0]));
  const entries = new Map<string, Entry>();
  const values = new Map<string, string>();
  const byValue = new Map<string, string>();
  /** By placeholder: the files that the value was read from. */
  const sources = new Map<string, Set<string>>();
  /** By classes. */
  const searches = new Map<string, Search>();
  let everything: Everything | null = null;
  const back: { plain: ManyStrings | null; escaped: ManyStrings | null; words: string[] } = {
    plain: null,
    escaped: null,
    words: [],
  };

  const changed = (): void => {
    searches.clear();
    everything = null;
    back.plain = null;
    back.escaped = null;
  };

  const standIn = (detector: string, value: string): string => {
    const known = byValue.get(value);
    if (known !== undefined) return known;
    for (let attempt = 0; attempt < 100; attempt++) {
      const made = placeholder(options.key, detector, value, keepOf.get(detector) ?? 0, attempt);
      if (values.has(made) || byValue.has(made) || made === value) continue;
      values.set(made, value);
      byValue.set(value, made);
      return made;
    }
    throw new Fault("inspect.full", { detail: "no free placeholder" });
  };

  /**
   * An armoured key is learned line by line: tools show files with numbers before their lines, and the model writes the
   * lines back without.
   */
  const add = (text: string, start: number, end: number, detector: string, dataClass: string): void => {
    const value = text.slice(start, end);
    if (!value.startsWith("-----BEGIN") || !value.includes("\n")) {
      addOne(text, start, end, detector, dataClass);
      return;
    }
    for (const line of armouredLines(value))
      addOne(text, start + line.start, start + line.end, detector, dataClass);
  };

  const addOne = (text: string, start: number, end: number, detector: string, dataClass: string): void => {
    const value = text.slice(start, end);
    if (value.length > MAX_VALUE_CHARACTERS)
      throw new Fault("inspect.full", { detail: "one value is too long" });
    const lineStart = Math.max(text.lastIndexOf("\n", start - 1) + 1, start - CONTEXT_CHARACTERS);
    const from = isStrong(value) ? start : lineStart;
    const wanted = text.slice(from, end);
    if (isCommon(wanted)) return;
    const known = entries.get(wanted);
    if (known?.classes.has(dataClass) === true) return;
    if (known !== undefined) {
      known.classes.add(dataClass);
      changed();
      return;
    }
    if (entries.size >= MAX_VALUES)
      throw new Fault("inspect.full", { detail: `more than ${MAX_VALUES} values` });
    entries.set(wanted, {
      sought: wanted,
      offset: start - from,
      value,
      placeholder: standIn(detector, value),
      detector,
      classes: new Set([dataClass]),
    });
    changed();
  };

  const searchOf = (wanted: readonly Entry[]): Search => ({
    entries: wanted,
    strings: manyStrings(wanted.map(({ sought }) => sought)),
  });

  const searchAll = (): Everything => {
    if (everything !== null) return everything;
    const search = searchOf([...entries.values()]);
    const spots = createSpots({
      find: (text) => hitsIn(text, search),
      suspects: (bytes) => suspectPlaces(bytes, search.entries),
    });
    everything = { ...search, spots };
    return everything;
  };

  const searchFor = (classes: readonly string[]): Search => {
    const name = [...classes].sort().join(" ");
    const made =
      searches.get(name) ?? searchOf([...entries.values()].filter((entry) => isOneOf(entry, classes)));
    searches.set(name, made);
    return made;
  };

  /** A spot without values of other classes. Such a one may have hidden another, so the string is searched again. */
  const ofClasses = (bytes: Buffer, spot: Spot<Place>, classes: readonly string[]): Spot<Place> | null => {
    if (spot.hits.every(({ entry }) => isOneOf(entry, classes))) return spot;
    const text = decodeString(bytes, spot.string.start, spot.string.end);
    return spotOf(bytes, spot.string, hitsIn(text, searchFor(classes)));
  };

  /** Where known values stand in a text. */
  const hitsIn = (text: string, { entries: known, strings }: Search): Place[] =>
    strings.search(text).flatMap(({ word, start, end }) => {
      const entry = known[word];
      return entry === undefined ? [] : [{ start: start + entry.offset, end, entry }];
    });

  const machine = (escaped: boolean): ManyStrings => {
    if (back.plain === null || back.escaped === null) {
      back.words = [...values.keys()];
      back.plain = manyStrings(back.words);
      back.escaped = manyStrings(back.words.map((word) => JSON.stringify(word).slice(1, -1)));
    }
    return escaped ? back.escaped : back.plain;
  };

  /** A placeholder that came back, alone or with no more round it than a detector takes along. */
  const isOwn = (value: string): boolean => {
    if (values.size === 0) return false;
    const hits = machine(false).search(value);
    let rest = "";
    let from = 0;
    for (const { start, end } of hits) {
      rest += value.slice(from, start);
      from = end;
    }
    rest += value.slice(from);
    return hits.length > 0 && (rest.startsWith("-----") ? bareOf(rest) : rest).length < SHORTEST_OWN_REST;
  };

  /** Only of a text that shows one file: which of several a value stands in is not told. */
  const noteSource = (text: string, file: string): void => {
    if (entries.size === 0) return;
    for (const { entry } of hitsIn(text, searchAll())) {
      const known = sources.get(entry.placeholder) ?? new Set();
      if (known.size < MAX_SOURCES) known.add(file);
      sources.set(entry.placeholder, known);
    }
  };

  const vault: Vault = {
    get size() {
      return values.size;
    },
    learn(parts, inspection, classes) {
      const wanted = new Set(classes);
      const findings = inspection.findings.filter((finding) => {
        const value = parts[finding.part]?.text.slice(finding.start, finding.end) ?? "";
        return !isOwn(value);
      });
      for (const { part, start, end, detector, class: dataClass } of findings) {
        const text = parts[part]?.text;
        if (text !== undefined && wanted.has(dataClass)) add(text, start, end, detector, dataClass);
      }
      for (const { text, files = [] } of parts) {
        const [only] = files;
        if (only !== undefined && files.length === 1) noteSource(text, only);
      }
      return { findings, tally: tally(findings) };
    },
    redact(body, form, classes) {
      const search = classes === undefined ? searchAll() : searchFor(classes);
      if (search.entries.length === 0) return untouched(body);
      const bytes = asBuffer(body);
      if (form === "text") {
        const text = bytes.toString("utf8");
        const hits = hitsIn(text, search);
        const edits = hits.map(
          ({ start, end, entry }): ByteEdit => ({
            start: Buffer.byteLength(text.slice(0, start)),
            end: Buffer.byteLength(text.slice(0, end)),
            bytes: Buffer.from(entry.placeholder),
          }),
        );
        return { chunks: applyEdits(body, edits), replaced: edits.length, left: 0, met: metIn(hits) };
      }
      const spots = searchAll()
        .spots.in(bytes)
        .map((spot) => (classes === undefined ? spot : ofClasses(bytes, spot, classes)))
        .filter((spot) => spot !== null);
      const kept = spots.filter(({ string }) => isUntouchable(string));
      const edits = spots.filter(({ string }) => !isUntouchable(string)).flatMap(editsOf);
      return {
        chunks: applyEdits(body, edits),
        replaced: edits.length,
        left: kept.reduce((sum, { hits }) => sum + hits.length, 0),
        met: metIn(spots.flatMap(({ hits }) => hits)),
      };
    },
    find: (text) => (entries.size === 0 ? [] : metIn(hitsIn(text, searchAll()))),
    first: (text, escaped) => (values.size === 0 ? -1 : (machine(escaped).search(text)[0]?.start ?? -1)),
    restore(text, escaped, allows = () => true) {
      if (values.size === 0) return text;
      const hits = machine(escaped).search(text);
      if (hits.length === 0) return text;
      let out = "";
      let from = 0;
      for (const { word, start, end } of hits) {
        const placeholder = back.words[word] ?? "";
        const value = values.get(placeholder) ?? "";
        if (!allows({ placeholder, value, sources: sources.get(placeholder) ?? NO_SOURCES })) continue;
        out += text.slice(from, start) + (escaped ? JSON.stringify(value).slice(1, -1) : value);
        from = end;
      }
      return out + text.slice(from);
    },
    pending(text, escaped) {
      if (values.size === 0) return 0;
      // A placeholder that is complete is not the beginning of one.
      const complete = machine(escaped).search(text).at(-1)?.end ?? 0;
      return Math.min(machine(escaped).pending(text), text.length - complete);
    },
    restorer: (contentType, restoring) => createRestorer(vault, contentType, restoring),
    eventRestorer: (restoring) => createEventRestorer(vault, restoring),
    close() {
      entries.clear();
      values.clear();
      byValue.clear();
      sources.clear();
      changed();
    },
  };
  return vault;
}

/** A known value in a text. */
interface Place {
  readonly start: number;
  readonly end: number;
  readonly entry: Entry;
}

const untouched = (body: Uint8Array): Redacted => ({ chunks: [body], replaced: 0, left: 0, met: [] });

const metIn = (places: readonly Place[]): Met[] => [
  ...new Map(
    places.map(({ entry: { placeholder: word, classes, detector } }) => [
      word,
      { placeholder: word, classes: [...classes], detector },
    ]),
  ).values(),
];

/** What tools, diffs and quotations put before a line. */
const LINE_HEAD = /^[ \t]*(?:\d{1,6}[→\t:|])?[ \t]*(?:[+>|-](?![-+>|]))?[ \t]*/;
const SHORTEST_LINE = 8;

/** The lines of an armoured key that hold it, without what stands round them. */
function armouredLines(value: string): { readonly start: number; readonly end: number }[] {
  const found: { start: number; end: number }[] = [];
  let at = 0;
  for (const line of value.split("\n")) {
    const head = LINE_HEAD.exec(line)?.[0].length ?? 0;
    const content = line.slice(head);
    const held = /^[A-Za-z][A-Za-z-]*: |-----/.test(content) ? null : /[A-Za-z0-9+/=]{8,}/.exec(content);
    if (held !== null && held[0].length >= SHORTEST_LINE)
      found.push({ start: at + head + held.index, end: at + head + held.index + held[0].length });
    at += line.length + 1;
  }
  return found;
}

/** An armoured text without its armour. */
const bareOf = (value: string): string =>
  value
    .split("\n")
    .map((line) => line.replace(LINE_HEAD, ""))
    .filter((line) => !/^[A-Za-z][A-Za-z-]*: |-----/.test(line))
    .join("")
    .replace(/[\s"',;\\]/g, "");

/** A finding with this many characters beside a placeholder holds something of its own. */
const SHORTEST_OWN_REST = 8;

export const isUntouchable = ({ isKey, pointer }: JsonString): boolean =>
  isKey || SEALED.test(pointer) || FIRST_SYSTEM.test(pointer);

const isOneOf = (entry: Entry, classes: readonly string[]): boolean =>
  classes.some((dataClass) => entry.classes.has(dataClass));

const editsOf = ({ string, hits, ranges }: Spot<Place>): readonly ByteEdit[] =>
  hits.map(({ entry }, i) => ({
    start: string.start + (ranges[i]?.start ?? 0),
    end: string.start + (ranges[i]?.end ?? 0),
    bytes: encodeInside(entry.placeholder),
  }));

/** Shorter probes than this would be met everywhere. */
const SHORTEST_PROBE = 4;

/**
 * Ascending byte offsets near which a known value may stand: where its longest run of letters and digits stands, or an
 * escape of a plain character could hide it. Null: one value has no such run, so every string is a suspect.
 */
function suspectPlaces(bytes: Buffer, entries: readonly Entry[]): number[] | null {
  const places: number[] = [];
  const probes = new Set<string>(["\\u00"]);
  for (const { sought } of entries) {
    const runs = sought.match(/[A-Za-z0-9]+/g) ?? [];
    const probe = runs.reduce((longest, run) => (run.length > longest.length ? run : longest), "");
    if (probe.length < SHORTEST_PROBE) return null;
    probes.add(probe.slice(0, 48));
  }
  for (const probe of probes)
    for (let at = bytes.indexOf(probe, 0, "latin1"); at >= 0; at = bytes.indexOf(probe, at + 1, "latin1"))
      places.push(at);
  return places.sort((a, b) => a - b);
}
