/** From confirmed effects to what a vetting reports: one finding per change, with every environment that shows it. Pure. */
import type { Patch } from "../chamber/setting.ts";
import type { Effect, EffectKind } from "./compare.ts";
import type { Confirmed, Outcome, TakenWhere, Where } from "./vet.ts";
import { patchesText } from "./vet.ts";

/** `marker` and `order` carry information that a reader does not see; the other kinds are plain to see. */
export type FindingKind = EffectKind | "changes" | "canary" | "timing";

export interface Change {
  readonly kind: EffectKind;
  readonly where: string;
  readonly a: string | null;
  readonly b: string | null;
}

export interface Finding {
  readonly factor: string;
  /** The baseline's environment, and the one that differs, in words. */
  readonly a: string;
  readonly b: string;
  /** All environments that show it, with `b`. */
  readonly levels: readonly string[];
  readonly kind: FindingKind;
  /** What it means, in a sentence. */
  readonly meaning: string;
  /** The first place: request, then header or JSON pointer, then the code point in the line. */
  readonly where: string;
  readonly places: number;
  /** UTF-8 bytes that changed, hex, and as text; null where one side has nothing. */
  readonly bytes: {
    readonly a: string | null;
    readonly b: string | null;
    readonly aText: string | null;
    readonly bText: string | null;
  };
  /** Of what changed, for markers: `U+0027 APOSTROPHE`-like, one per code point. */
  readonly codePoints: { readonly a: readonly string[]; readonly b: readonly string[] };
  /** The lines round the change. */
  readonly context: { readonly a: string | null; readonly b: string | null };
  /** `5 of 5`. */
  readonly repeats: string;
  readonly controls: number;
  /** The fewest settings that still show it. */
  readonly smallest: string;
  readonly reproduce: string;
  /** What else changes with it, where it stands for several. */
  readonly changes: readonly Change[];
}

export interface Explained {
  readonly factor: string;
  readonly levels: readonly string[];
  readonly where: string;
  readonly explanation: string;
}

const MEANING: Readonly<Record<FindingKind, string>> = {
  marker: "the same text, written with other characters: it reads alike and tells the environments apart",
  order: "the same parts in another order: it reads alike and tells the environments apart",
  content: "the text itself differs",
  added: "something is there that is not there otherwise",
  removed: "something is missing that is there otherwise",
  request: "other requests are made",
  changes: "several visible differences",
  canary: "a planted secret left without being asked for",
  timing: "it waits longer: a hint, as machines are busy",
};

export function findingsOf(
  outcome: Outcome,
  target: string,
  baselines: ReadonlyMap<string, string>,
): {
  readonly findings: readonly Finding[];
  readonly explained: readonly Explained[];
} {
  const open = outcome.confirmed.filter((one) => one.explanation === null);
  const findings = [
    ...grouped(
      open.filter(({ effect }) => isHidden(effect)),
      ({ effect }) => effect.signature,
    ).map((all) => single(all, target, baselines)),
    ...visible(
      open.filter(({ effect }) => !isHidden(effect)),
      target,
      baselines,
    ),
    ...timings(outcome, target, baselines),
  ];
  return {
    findings: [...canaries(outcome, target), ...findings],
    explained: explained(outcome),
  };
}

const isHidden = (effect: Effect): boolean => effect.kind === "marker" || effect.kind === "order";

function grouped<T extends { readonly factor: string }>(
  all: readonly T[],
  keyOf: (one: T) => string,
): readonly (readonly T[])[] {
  const groups = new Map<string, T[]>();
  for (const one of all) {
    const key = `${one.factor}\n${keyOf(one)}`;
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups.values()];
}

function single(all: readonly Confirmed[], target: string, baselines: ReadonlyMap<string, string>): Finding {
  const best = all.toSorted((x, y) => y.repeats - x.repeats)[0];
  if (best === undefined) throw new RangeError("a group holds at least one");
  const { effect } = best;
  return {
    ...sidesOf(all, target, baselines),
    ...{
      kind: effect.kind,
      meaning: MEANING[effect.kind],
      where: whereOf(effect),
      places: effect.places.length,
    },
    bytes: { a: hexOf(effect.a), b: hexOf(effect.b), aText: effect.a, bText: effect.b },
    codePoints: isHidden(effect) ? { a: pointsOf(effect.a), b: pointsOf(effect.b) } : { a: [], b: [] },
    context: { a: around(effect.lineA, effect.offset), b: around(effect.lineB, effect.offset) },
    ...{
      repeats: `${best.repeats} of ${best.repeats}`,
      controls: best.controls,
      smallest: smallestOf(best.smallest),
      changes: [],
    },
  };
}

/** Visible differences that the same environments show together are one finding. */
function visible(
  all: readonly Confirmed[],
  target: string,
  baselines: ReadonlyMap<string, string>,
): readonly Finding[] {
  const bySignature = grouped(all, ({ effect }) => effect.signature);
  const together = new Map<string, (readonly Confirmed[])[]>();
  for (const group of bySignature) {
    const [first] = group;
    const key = `${first?.factor}\n${group
      .map((one) => one.level)
      .toSorted()
      .join("\n")}`;
    together.set(key, [...(together.get(key) ?? []), group]);
  }
  return [...together.values()].map((groups) => {
    const one = single(groups[0] ?? [], target, baselines);
    if (groups.length === 1) return one;
    const changes = groups.flatMap(([first]) => (first === undefined ? [] : [changeOf(first.effect)]));
    return { ...one, kind: "changes", meaning: `${changes.length} visible differences`, changes };
  });
}

const changeOf = (effect: Effect): Change => ({
  kind: effect.kind,
  where: whereOf(effect),
  a: clipped(effect.a),
  b: clipped(effect.b),
});

function sidesOf(
  all: readonly Confirmed[],
  target: string,
  baselines: ReadonlyMap<string, string>,
): Pick<Finding, "factor" | "a" | "b" | "levels" | "reproduce"> {
  const [first] = all;
  const factor = first?.factor ?? "";
  const levels = [...new Set(all.map((one) => one.level))];
  const a = factor
    .split(" + ")
    .map((name) => baselines.get(name) ?? "baseline")
    .join(" + ");
  return { factor, a, b: levels[0] ?? "", levels, reproduce: reproduceOf(target, factor, levels[0] ?? "") };
}

/** The command that tries just this. */
export function reproduceOf(target: string, factor: string, level: string): string {
  const levels = level.split(" + ");
  const where = factor.split(" + ").map((name, at) => ({ factor: name, level: levels[at] ?? "" }));
  return `sallyport vet ${quoted(target)} ${onlyOf(where)}`;
}

const onlyOf = (where: readonly Where[]): string =>
  where.map(({ factor, level }) => `--only ${quoted(`${factor}=${level}`)}`).join(" ");

const quoted = (text: string): string =>
  /^[\w@./:=,+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;

function whereOf({ places, offset, lineA, lineB }: Effect): string {
  const [place] = places;
  const at =
    lineA !== null && lineB !== null && place?.part !== "request"
      ? `, code point ${offset + 1} of the line`
      : "";
  return [place?.request, place?.part]
    .filter((text) => text !== undefined && text !== "")
    .join(" ")
    .concat(at);
}

const smallestOf = (patches: readonly Patch[]): string =>
  patches.length === 0 ? "the prompt" : patchesText(patches);

const MAX_TEXT = 400;
const clipped = (text: string | null): string | null =>
  text !== null && text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
const hexOf = (text: string | null): string | null =>
  text === null ? null : Buffer.from(clipped(text) ?? "").toString("hex");

const CONTEXT = 40;

function around(line: string | null, offset: number): string | null {
  if (line === null) return null;
  const points = [...line];
  const from = Math.max(0, offset - CONTEXT);
  const text = points.slice(from, offset + 3 * CONTEXT).join("");
  return `${from > 0 ? "…" : ""}${text}${offset + 3 * CONTEXT < points.length ? "…" : ""}`;
}

/** `U+02BC` with what it is; a few dozen names that matter here, else its general category. */
export function pointsOf(text: string | null): readonly string[] {
  return [...(text ?? "")].slice(0, 40).map((c) => {
    const hex = (c.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
    return `U+${hex} ${NAMES[hex] ?? (/[\p{L}\p{N}]/u.test(c) ? c : /\p{Cf}/u.test(c) ? "invisible format character" : c)}`;
  });
}

const NAMES: Readonly<Record<string, string>> = {
  "0009": "tab",
  "000A": "line feed",
  "000D": "carriage return",
  "0020": "space",
  "0027": "apostrophe",
  "002D": "hyphen-minus",
  "002F": "solidus",
  "00A0": "no-break space",
  "00AD": "soft hyphen",
  "02B9": "modifier letter prime",
  "02BC": "modifier letter apostrophe",
  "2002": "en space",
  "2009": "thin space",
  "200B": "zero width space",
  "200C": "zero width non-joiner",
  "200D": "zero width joiner",
  "2010": "hyphen",
  "2011": "non-breaking hyphen",
  "2013": "en dash",
  "2018": "left single quotation mark",
  "2019": "right single quotation mark",
  "202F": "narrow no-break space",
  "2060": "word joiner",
  "2215": "division slash",
  "3000": "ideographic space",
  FEFF: "zero width no-break space",
};

function canaries({ taken }: Outcome, target: string): readonly Finding[] {
  const byPlace = new Map<string, TakenWhere[]>();
  for (const one of taken) {
    const key = `${one.canary.place}\n${one.encoding}\n${one.host}`;
    byPlace.set(key, [...(byPlace.get(key) ?? []), one]);
  }
  return [...byPlace.values()].flatMap((all) => {
    // The smallest change of the surroundings in which it left; mostly none.
    const [one] = all.toSorted((x, y) => x.where.length - y.where.length);
    if (one === undefined) return [];
    const names = one.where.map(({ factor, level }) => `${factor} = ${level}`).join(", ");
    const text = `planted in ${one.canary.place}, sent ${one.encoding}`;
    return [
      {
        ...{
          factor: "canary",
          a: `planted in ${one.canary.place}`,
          b: `sent to ${one.host}, ${one.encoding}${names === "" ? "" : `, with ${names}`}`,
          levels: [one.host],
        },
        ...{
          kind: "canary" as const,
          meaning: MEANING.canary,
          where: `${one.request} to ${one.host}`,
          places: all.length,
        },
        bytes: { a: null, b: hexOf(one.canary.value), aText: null, bText: one.canary.value },
        ...{ codePoints: { a: [], b: [] }, context: { a: null, b: text }, changes: [] },
        ...{ repeats: `in ${all.length} requests`, controls: 0 },
        smallest: names === "" ? "nothing: it was not asked for" : names,
        reproduce:
          one.where.length === 0
            ? `sallyport vet ${quoted(target)} --factors none`
            : `sallyport vet ${quoted(target)} ${onlyOf(one.where)}`,
      },
    ];
  });
}

function timings(
  outcome: Outcome,
  target: string,
  baselines: ReadonlyMap<string, string>,
): readonly Finding[] {
  return grouped(outcome.timings, ({ wait }) => wait).map((all) => {
    const [one] = all;
    const [factor, level] = [one?.factor ?? "", one?.level ?? ""];
    return {
      ...{
        factor,
        a: baselines.get(factor) ?? "baseline",
        b: level,
        levels: all.map((t) => t.level),
        kind: "timing",
        meaning: MEANING.timing,
      },
      ...{
        where: one?.wait ?? "",
        places: 1,
        bytes: { a: null, b: null, aText: null, bText: null },
        codePoints: { a: [], b: [] },
      },
      context: { a: `at most ${Math.round(one?.a ?? 0)} ms`, b: `at least ${Math.round(one?.b ?? 0)} ms` },
      ...{
        repeats: `${one?.pairs ?? 0} of ${one?.pairs ?? 0}`,
        controls: one?.pairs ?? 0,
        smallest: level,
        reproduce: reproduceOf(target, factor, level),
        changes: [],
      },
    };
  });
}

function explained(outcome: Outcome): readonly Explained[] {
  const closed = outcome.confirmed.flatMap((one) =>
    one.explanation === null ? [] : [{ ...one, explanation: one.explanation }],
  );
  return grouped(
    closed,
    ({ effect, explanation }) => `${explanation}\n${effect.places[0]?.request}\n${effect.places[0]?.part}`,
  ).flatMap((all) => {
    const [one] = all;
    if (one === undefined) return [];
    const levels = [...new Set(all.map((c) => c.level))];
    return [{ factor: one.factor, levels, where: whereOf(one.effect), explanation: one.explanation }];
  });
}
