/**
 * What two environments' runs differ in, and how it looks to a person. Pure.
 *
 * A difference is a fact that every run of one side has and no run of the other; lines that were lost and gained at the
 * same place are paired by their common edges, and cut down to the code points that changed. The same change at many
 * places is one effect.
 */
import { type Fact, foldRun, type ReadRun } from "../observe/fold.ts";
import type { Noise } from "../observe/noise.ts";

/** `marker`: reads the same to a person, or differs in marks alone. The others say what they are. */
export type EffectKind = "marker" | "order" | "content" | "added" | "removed" | "request";

export interface Place {
  readonly request: string;
  /** `body` and a JSON pointer, `header user-agent`, `handshake`, `request line`. */
  readonly part: string;
}

export interface Effect {
  readonly kind: EffectKind;
  /** The same for the same change at other places and in other environments. */
  readonly signature: string;
  /** What changed, without what is equal on both sides; null where there is nothing on that side. */
  readonly a: string | null;
  readonly b: string | null;
  /** The whole lines. */
  readonly lineA: string | null;
  readonly lineB: string | null;
  /** Code points before the change in the line. */
  readonly offset: number;
  readonly places: readonly Place[];
  /** Runs of the same environment disagree on what stands there: seen again and again, it may still be chance. */
  readonly isUnsteady?: boolean;
}

/** Of one environment: its runs, and what they agree on. Grows by `add`. */
export class Side {
  readonly runs: ReadRun[] = [];
  readonly #noise: Noise;
  #first: ReadonlyMap<string, Fact> = new Map();
  readonly #all = new Map<string, Fact>();
  readonly #unsteady = new Map<string, boolean>();
  /** Made when it is asked for. */
  #places: ReadonlyMap<string, readonly string[]> | null = null;
  /** How many runs have a fact. */
  readonly counts = new Map<string, number>();

  constructor(runs: readonly ReadRun[], noise: Noise) {
    this.#noise = noise;
    for (const run of runs) this.add(run);
  }

  add(run: ReadRun): void {
    const { facts } = foldRun(run, this.#noise);
    if (this.runs.length === 0) this.#first = facts;
    for (const [id, fact] of facts) this.#all.set(id, fact);
    this.#unsteady.clear();
    this.#places = null;
    this.runs.push(run);
    for (const id of facts.keys()) this.counts.set(id, (this.counts.get(id) ?? 0) + 1);
  }

  inAll(id: string): boolean {
    return this.counts.get(id) === this.runs.length;
  }

  /** Whether runs disagree on what is at the fact's place: then how often a line comes there says nothing. */
  isUnsteadyAt(fact: Fact): boolean {
    const key = placeKey(fact);
    const known = this.#unsteady.get(key);
    if (known !== undefined) return known;
    const there = this.#byPlace().get(key) ?? [];
    const isUnsteady = there.some((id) => !this.inAll(id));
    this.#unsteady.set(key, isUnsteady);
    return isUnsteady;
  }

  #byPlace(): ReadonlyMap<string, readonly string[]> {
    this.#places ??= idsByPlace(this.#all);
    return this.#places;
  }

  /** Whether any run has something at the fact's place. */
  hasPlace(key: string): boolean {
    return this.#byPlace().has(key);
  }

  /** A line at that place in all runs that reads like this one and is not it; null where there is none. */
  twinOf(key: string, line: string | null): string | null {
    if (line === null || !isProse(line)) return null;
    const wanted = folded(line);
    for (const id of this.#byPlace().get(key) ?? []) {
      const text = this.#all.get(id)?.text ?? null;
      if (text !== null && text !== line && this.inAll(id) && folded(text) === wanted) return text;
    }
    return null;
  }

  /** Facts that all runs have. */
  *stable(): Generator<Fact> {
    for (const [id, fact] of this.#first) if (this.inAll(id)) yield fact;
  }
}

const BARE_NUMBER = /^-?\d+(?:\.\d+)?$|^‹(?:number|value)›$/;

const placeKey = (fact: Fact): string => `${fact.request}\n${fact.section}\n${fact.path}`;

function idsByPlace(facts: ReadonlyMap<string, Fact>): ReadonlyMap<string, readonly string[]> {
  const out = new Map<string, string[]>();
  for (const [id, fact] of facts) {
    const key = placeKey(fact);
    const list = out.get(key);
    if (list === undefined) out.set(key, [id]);
    else list.push(id);
  }
  return out;
}

/** `quoted`: lines of the workspace's files, by what a person reads; a name stands for each where it is quoted exactly. */
export function effectsBetween(
  a: Side,
  b: Side,
  noise: Noise,
  quoted: ReadonlyMap<string, string> = new Map(),
): readonly Effect[] {
  // How often a line comes, and which bare number comes, says nothing where either side's own runs disagree.
  const counts = (fact: Fact): boolean =>
    (fact.nth === 1 && !BARE_NUMBER.test(fact.text)) || !(a.isUnsteadyAt(fact) || b.isUnsteadyAt(fact));
  const [lost, gained] = withoutEqual(
    [...a.stable()].filter((fact) => !b.counts.has(fact.id) && counts(fact)),
    [...b.stable()].filter((fact) => !a.counts.has(fact.id) && counts(fact)),
  );
  const requests = [...requestEffects(lost, "removed"), ...requestEffects(gained, "added")];
  const whole = new Set(requests.flatMap((effect) => effect.places.map((place) => place.request)));
  const rest = (facts: readonly Fact[]): Fact[] =>
    facts.filter((fact) => fact.section !== "presence" && !whole.has(fact.request));
  const isUnsteady = (fact: Fact): boolean => a.isUnsteadyAt(fact) || b.isUnsteadyAt(fact);
  const fromFile = (line: string | null): string | null => {
    const text = line === null || !isProse(line) ? undefined : quoted.get(folded(line));
    const bare = line?.trim() ?? "";
    return text === undefined || text === bare ? null : (line ?? "").replace(bare, () => text);
  };
  const twins: Twins = {
    before: (key, line) => a.twinOf(key, line) ?? fromFile(line),
    after: (key, line) => b.twinOf(key, line) ?? fromFile(line),
  };
  const lines = lineEffects(rest(lost), rest(gained), moreRequests(lost, gained), isUnsteady, twins);
  return merged([...requests, ...withoutCompany(lines), ...orderEffects(a, b, noise)]);
}

/**
 * Without the lines that both sides sent byte for byte: a constant that happens to be a value of one environment (an example's
 * `+03:00` where the zone is Moscow's) was given that value's name there, and says nothing of it.
 */
function withoutEqual(lost: readonly Fact[], gained: readonly Fact[]): [Fact[], Fact[]] {
  const sent = (fact: Fact): string => `${placeKey(fact)}\n${fact.raw}`;
  const isLine = (fact: Fact): boolean => fact.section !== "presence";
  const before = Map.groupBy(lost.filter(isLine), sent);
  const equal = new Set<Fact>();
  for (const fact of gained.filter(isLine)) {
    const twin = before.get(sent(fact))?.shift();
    if (twin !== undefined) equal.add(twin).add(fact);
  }
  return [lost.filter((fact) => !equal.has(fact)), gained.filter((fact) => !equal.has(fact))];
}

/** Spacing that comes or goes with visible text in the same request is part of it: a marker only where it stands alone. */
function withoutCompany(effects: readonly Effect[]): readonly Effect[] {
  const requestOf = (effect: Effect): string => effect.places[0]?.request ?? "";
  const isBlank = (effect: Effect): boolean => isSpacing(effect.a ?? "") && isSpacing(effect.b ?? "");
  const told = new Set(effects.filter((effect) => effect.kind !== "marker").map(requestOf));
  return effects.filter((effect) => !(isBlank(effect) && told.has(requestOf(effect))));
}

/** A sentence that stands twice is a copy; `AGENTS.md` and `agents_md` are two names. */
const isProse = (line: string): boolean => /\S\s+\S/.test(line) && folded(line).length >= 12;

const isSpacing = (text: string): boolean => /^[ \t\r\n]*$/.test(text);

/** Request names of which one side has more: what repeats in the additional ones is no change of its own. */
function moreRequests(lost: readonly Fact[], gained: readonly Fact[]): ReadonlySet<string> {
  return new Set(
    [...lost, ...gained].filter((f) => f.section === "presence" && f.nth > 1).map((f) => f.request),
  );
}

function requestEffects(facts: readonly Fact[], side: "added" | "removed"): Effect[] {
  const whole = new Set(facts.filter((f) => f.section === "presence" && f.nth === 1).map((f) => f.request));
  return facts
    .filter((fact) => fact.section === "presence" && (fact.nth === 1 || !whole.has(fact.request)))
    .map((fact) => {
      const text = fact.nth === 1 ? fact.request : `${fact.request} (number ${fact.nth})`;
      const [a, b] = side === "added" ? [null, text] : [text, null];
      const place = { request: fact.nth === 1 ? fact.request : "", part: "request" };
      return {
        ...{
          kind: "request" as const,
          signature: `request ${side} ${text}`,
          a,
          b,
          lineA: a,
          lineB: b,
          offset: 0,
        },
        places: [place],
      };
    });
}

/** Nothing, or the name that stands for a line of a file. */
const isNamed = (line: string | null): boolean => line === null || /^\s*‹line of [^›]*›\s*$/.test(line);

/** Lines of the other side that read like one which that side seems to lack. */
interface Twins {
  readonly before: (key: string, line: string | null) => string | null;
  readonly after: (key: string, line: string | null) => string | null;
}

interface Lines {
  readonly place: Place;
  readonly texts: readonly string[];
}

function lineEffects(
  lost: readonly Fact[],
  gained: readonly Fact[],
  more: ReadonlySet<string>,
  isUnsteady: (fact: Fact) => boolean,
  twins: Twins,
): Effect[] {
  const [before, after] = [byPlace(lost, more), byPlace(gained, more)];
  const unsteady = new Set([...lost, ...gained].filter(isUnsteady).map(placeKey));
  const effects: Effect[] = [];
  const add = (key: string, place: Place, lineA: string | null, lineB: string | null): void => {
    // A line of which the other side has a twin that reads alike was not added but changed, in one of its copies.
    const x = isNamed(lineA) ? (twins.before(key, lineB) ?? lineA) : lineA;
    const y = isNamed(lineB) ? (twins.after(key, lineA) ?? lineB) : lineB;
    const effect = lineEffect(place, x, y);
    // Two lines that stand for each other are no chance; a line that only came or went may be.
    const isChance = unsteady.has(key) && (x === null || y === null);
    effects.push(isChance ? { ...effect, isUnsteady: true } : effect);
  };
  for (const [key, { place, texts }] of before)
    for (const [a, b] of pairUp(texts, after.get(key)?.texts ?? [])) add(key, place, a, b);
  for (const [key, { place, texts }] of after)
    if (!before.has(key)) for (const text of texts) add(key, place, null, text);
  return effects;
}

function byPlace(facts: readonly Fact[], more: ReadonlySet<string>): Map<string, Lines> {
  const all = new Map<string, { place: Place; texts: string[] }>();
  for (const fact of facts) {
    if (fact.nth > 1 && more.has(fact.request)) continue;
    const key = `${fact.request}\n${fact.section}\n${fact.path}`;
    const entry = all.get(key) ?? { place: { request: fact.request, part: partOf(fact) }, texts: [] };
    // Equal lines at one place are one change, however often they come; a blank line more is a change too.
    if (!entry.texts.includes(fact.text)) entry.texts.push(fact.text);
    all.set(key, entry);
  }
  return all;
}

function partOf(fact: Fact): string {
  if (fact.section === "headers") return `header ${fact.path}`;
  if (fact.section === "request") return "request line";
  if (fact.section === "framing") return `body, ${fact.path}`;
  if (fact.section === "files") return "file's name";
  if (fact.section === "content") return `content of ${fact.path}`;
  if (fact.section === "handshake") return `TLS ClientHello ${fact.path}`;
  return `body ${fact.path}`;
}

/** Each lost line with the gained line most like it; what is left stands alone. */
function pairUp(lost: readonly string[], gained: readonly string[]): [string | null, string | null][] {
  const left = new Set(gained);
  const pairs: [string | null, string | null][] = lost.map((a) => {
    let [best, bestScore] = [null as string | null, 0.25];
    for (const b of left) {
      const score = likeness(a, b);
      if (score > bestScore) [best, bestScore] = [b, score];
    }
    if (best !== null) left.delete(best);
    return [a, best];
  });
  // One of each at the same place is a change of a value, however different the values are.
  const [lone] = pairs;
  const [rest] = left;
  if (pairs.length === 1 && left.size === 1 && lone !== undefined && lone[1] === null && rest !== undefined)
    return [[lone[0], rest]];
  return [...pairs, ...[...left].map((b): [null, string] => [null, b])];
}

/** Share of the longer line that the common head and tail make up. */
function likeness(a: string, b: string): number {
  const { head, tail } = edges([...a], [...b]);
  return (head + tail) / Math.max(a.length, b.length, 1);
}

function edges(a: readonly string[], b: readonly string[]): { readonly head: number; readonly tail: number } {
  const most = Math.min(a.length, b.length);
  let head = 0;
  while (head < most && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < most - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail += 1;
  return { head, tail };
}

function lineEffect(place: Place, lineA: string | null, lineB: string | null): Effect {
  if (lineA === null || lineB === null) {
    const text = lineA ?? lineB ?? "";
    const isUnread = isInvisible(text) || / \((?:spacing|escapes)\)$/.test(place.part);
    const kind = isUnread ? "marker" : lineA === null ? "added" : "removed";
    return {
      kind,
      signature: `${kind} ${lineA === null ? "+" : "-"} ${place.part} ${text}`,
      a: lineA,
      b: lineB,
      lineA,
      lineB,
      offset: 0,
      places: [place],
    };
  }
  const [pointsA, pointsB] = [[...lineA], [...lineB]];
  const changes = hunks(pointsA, pointsB);
  const texts = changes.map(([a, b]) => [a.join(""), b.join("")] as const);
  const kind = isMarker(lineA, lineB) ? "marker" : "content";
  const distinct = [...new Map(texts.map((pair) => [pair.join("\0"), pair])).values()];
  const a = distinct.map(([text]) => text).join(" … ");
  const b = distinct.map(([, text]) => text).join(" … ");
  return {
    kind,
    signature: `${kind} ${JSON.stringify(distinct)}`,
    a,
    b,
    lineA,
    lineB,
    offset: edges(pointsA, pointsB).head,
    places: [place],
  };
}

type Hunk = readonly [a: readonly string[], b: readonly string[]];

/** What changed between two lines, as few and as short pieces as a plain search finds. Lines are short; so is this. */
function hunks(a: readonly string[], b: readonly string[]): readonly Hunk[] {
  const { head, tail } = edges(a, b);
  const [middleA, middleB] = [a.slice(head, a.length - tail), b.slice(head, b.length - tail)];
  const found: Hunk[] = [];
  let [i, j] = [0, 0];
  while (i < middleA.length || j < middleB.length) {
    let [fromA, fromB] = [i, j];
    const next = meeting(middleA, middleB, i, j);
    [i, j] = next;
    found.push([middleA.slice(fromA, i), middleB.slice(fromB, j)]);
    while (i < middleA.length && j < middleB.length && middleA[i] === middleB[j]) [i, j] = [i + 1, j + 1];
    [fromA, fromB] = [i, j];
  }
  return found.filter(([x, y]) => x.length + y.length > 0);
}

const REACH = 80;
const ANCHOR = 4;

/** The nearest positions from which both go on alike for a few code points; else both ends. */
function meeting(a: readonly string[], b: readonly string[], i: number, j: number): [number, number] {
  for (let sum = 0; sum <= 2 * REACH; sum += 1)
    for (let x = Math.max(0, sum - REACH); x <= Math.min(sum, REACH); x += 1) {
      const [p, q] = [i + x, j + sum - x];
      if (p > a.length || q > b.length) continue;
      const goes = Math.min(ANCHOR, a.length - p, b.length - q);
      if (goes === 0 && (p < a.length || q < b.length)) continue;
      let same = 0;
      while (same < goes && a[p + same] === b[q + same]) same += 1;
      if (same === goes) return [p, q];
    }
  return [a.length, b.length];
}

/**
 * The order of what two environments have in common: a difference is one that all looked-at runs of each side agree on.
 * Requests of one name may overtake each other, so the sequences of a run are compared as a set.
 */
function orderEffects(a: Side, b: Side, noise: Noise): Effect[] {
  const isCommon = (id: string): boolean => a.inAll(id) && b.inAll(id);
  // Four runs show whether an order is steady.
  const some = (side: Side): readonly ReadRun[] => [
    ...side.runs.slice(0, 2),
    ...side.runs.slice(2).slice(-2),
  ];
  const orders = (side: Side, key: string): readonly Sequences[] =>
    some(side).map((run) =>
      (foldRun(run, noise).sequences.get(key) ?? []).map((list) => list.filter(isCommon)),
    );
  const [first] = a.runs;
  const effects: Effect[] = [];
  for (const key of first === undefined ? [] : foldRun(first, noise).sequences.keys()) {
    const [before, after] = [orders(a, key), orders(b, key)];
    const [one, other] = [before[0], after[0]];
    if (one === undefined || other === undefined || isSameOrder(one, other)) continue;
    if (before.some((run) => !isSameOrder(run, one)) || after.some((run) => !isSameOrder(run, other)))
      continue;
    const prefix = `${key}\n`;
    const moved = firstInversion(one, other, prefix);
    if (moved === null) continue;
    const [request = "", section = ""] = key.split("\n");
    effects.push({
      ...{ kind: "order", signature: `order ${section} ${moved.a} ${moved.b}`, a: moved.a, b: moved.b },
      ...{ lineA: moved.a, lineB: moved.b, offset: 0, places: [{ request, part: `${section}, order` }] },
    });
  }
  return effects;
}

type Sequences = readonly (readonly string[])[];

function isSameOrder(one: Sequences, other: Sequences): boolean {
  if (one.length !== other.length) return false;
  const isEqual = (x: readonly string[], y: readonly string[] | undefined): boolean =>
    y !== undefined && x.length === y.length && x.every((id, at) => id === y[at]);
  if (one.every((list, at) => isEqual(list, other[at]))) return true;
  const sorted = (all: Sequences): string =>
    all
      .map((list) => list.join("\0"))
      .toSorted()
      .join("\x01");
  return sorted(one) === sorted(other);
}

/** What stands where the two first differ; null when one is only longer (which is told as lines of its own). */
function firstInversion(
  a: Sequences,
  b: Sequences,
  prefix: string,
): { readonly a: string; readonly b: string } | null {
  for (const [index, one] of a.entries()) {
    const other = b[index];
    if (other === undefined) return null;
    const at = one.findIndex((line, i) => line !== other[i]);
    const [x, y] = [one[at], other[at]];
    if (at < 0 || x === undefined || y === undefined) continue;
    if (one.toSorted().join("\0") !== other.toSorted().join("\0")) return null;
    const [p, q] = [x.slice(prefix.length), y.slice(prefix.length)];
    const name = (line: string): string => line.replace(/\n.*/s, "");
    return name(p) === name(q) ? { a: p, b: q } : { a: name(p), b: name(q) };
  }
  return null;
}

/** One effect per signature, with all its places. */
function merged(effects: readonly Effect[]): readonly Effect[] {
  const all = new Map<string, Effect>();
  for (const effect of effects) {
    const known = all.get(effect.signature);
    const places = known === undefined ? effect.places : [...known.places, ...effect.places];
    const isUnsteady = effect.isUnsteady === true && known?.isUnsteady !== false;
    all.set(effect.signature, { ...(known ?? effect), places, isUnsteady });
  }
  return [...all.values()];
}

// ------------------------------------------------------------------------------------------------ how it looks to a person

/** Nothing that a person would see. */
const isInvisible = (text: string): boolean =>
  /^[\s\p{Cf}\p{Mn}\p{Zs}\u115f\u1160\u3164\uffa0]*$/u.test(text);

/** Whether two lines read the same, or differ in marks, spacing, case or look-alike letters alone. */
export function isMarker(a: string, b: string): boolean {
  return a !== b && folded(a) === folded(b);
}

/**
 * What a person reads: compatibility forms folded (UAX 15), invisible characters, accents and modifier letters dropped, Cyrillic and Greek
 * look-alikes as their Latin twins (a subset of UTS 39 confusables), marks and spaces dropped, case ignored.
 */
export function folded(text: string): string {
  return text
    .normalize("NFKD")
    .replaceAll(/[\p{Cf}\p{Mn}\p{Me}\p{Lm}\u115f\u1160\u3164\uffa0]/gu, "")
    .replaceAll(/[\u0370-\u058f\u13a0-\u13ff\u2c80-\u2cff\ua4d0-\ua4ff]/g, (c) => TWINS.get(c) ?? c)
    .replaceAll(/[^\p{L}\p{N}‹›]/gu, "")
    .toLowerCase();
}

const TWINS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    ...{
      а: "a",
      в: "b",
      с: "c",
      ԁ: "d",
      е: "e",
      һ: "h",
      і: "i",
      ј: "j",
      к: "k",
      ӏ: "l",
      м: "m",
      н: "h",
      о: "o",
      р: "p",
    },
    ...{
      ԛ: "q",
      ѕ: "s",
      т: "t",
      ѵ: "v",
      ԝ: "w",
      х: "x",
      у: "y",
      А: "A",
      В: "B",
      С: "C",
      Е: "E",
      Н: "H",
      І: "I",
      Ј: "J",
    },
    ...{
      К: "K",
      М: "M",
      О: "O",
      Р: "P",
      Ѕ: "S",
      Т: "T",
      Х: "X",
      У: "Y",
      α: "a",
      ο: "o",
      ρ: "p",
      ν: "v",
      υ: "u",
      ι: "i",
    },
    ...{
      κ: "k",
      Α: "A",
      Β: "B",
      Ε: "E",
      Ζ: "Z",
      Η: "H",
      Ι: "I",
      Κ: "K",
      Μ: "M",
      Ν: "N",
      Ο: "O",
      Ρ: "P",
      Τ: "T",
      Υ: "Y",
    },
    ...{ Χ: "X", ո: "n", օ: "o", ս: "u", ց: "g", հ: "h" },
  }),
);
