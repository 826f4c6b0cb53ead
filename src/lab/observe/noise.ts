/**
 * What differs between runs in the same environment, learnt and masked. A line is cut into tokens (UUID, timestamp, long
 * hex, base64, number, word, single mark); where two control runs differ only in tokens at the same places, each such
 * place is a slot: named by its location, the kinds of the tokens before it, and the kinds seen in it. In every run a
 * token that fits a slot is replaced by its kind. Kinds keep what a generator fixes (length and case of hex, version of a
 * UUID), so that a value of another make still shows.
 *
 * No field is known by name. What stays different between controls after masking is not stable, and is not compared.
 */

export type Kind = "uuid" | "time" | "hex" | "base64" | "number" | "word" | "mark";

interface Token {
  readonly kind: Kind;
  readonly text: string;
}

const TOKEN =
  /([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})|(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?)|((?<![A-Za-z0-9])(?=[0-9]*[a-f])(?=[a-f]*\d)[0-9a-f]{8,}(?![A-Za-z0-9]))|((?<![A-Za-z0-9+/=_-])(?=[A-Za-z0-9+/_-]*\d)(?=(?-i:[A-Za-z0-9+/_-]*[A-Z]))(?=(?-i:[A-Za-z0-9+/_-]*[a-z]))(?![A-Za-z0-9+/_-]*[0-9a-f]{8}-[0-9a-f]{4}-)[A-Za-z0-9+/_-]{20,}={0,2}(?![A-Za-z0-9+/=_-]))|(\d+(?:\.\d+)?)|([\p{L}\p{M}\p{N}_]+)|([\s\S])/giu;
const KINDS: readonly Kind[] = ["uuid", "time", "hex", "base64", "number", "word", "mark"];

export function tokensOf(line: string): readonly Token[] {
  const out: Token[] = [];
  for (const match of line.matchAll(TOKEN)) {
    const at = match.slice(1).findIndex((group) => group !== undefined);
    out.push({ kind: KINDS[at] ?? "mark", text: match[0] });
  }
  return out;
}

/** What is left of a token in a slot. */
function shape({ kind, text }: Token): string {
  if (kind === "uuid") return `‹uuid v${text[14]}${text === text.toLowerCase() ? "" : ", upper case"}›`;
  if (kind === "hex") return `‹${text.length} hex${text === text.toLowerCase() ? "" : ", upper case"}›`;
  return `‹${kind}›`;
}

/** Words and marks stand for themselves, values for their kind: a slot must be found again where its neighbours vary. */
const context = (tokens: readonly Token[], at: number): string =>
  tokens
    .slice(Math.max(0, at - 3), at)
    .map((t) =>
      t.kind === "mark" ? t.text : t.kind === "word" && t.text.length < 24 ? t.text : `‹${t.kind}›`,
    )
    .join("");

/** Above this a line is compared whole. */
const MAX_TOKENS = 4000;

const MAX_TEXTS = 200_000;
/** Of one location. */
const MAX_MASKS = 2_000;

/** Slots learnt so far. Owns its map; `learn` may be called at any time, `version` tells when masks have changed. */
export class Noise {
  readonly #slots = new Map<string, Set<Kind>>();
  /** Locations with a slot: most have none, and their lines are not cut at all. */
  readonly #places = new Set<string>();
  version = 0;
  /** Masked lines of this version. */
  readonly #masks = new Map<string, Map<string, string>>();
  #masksOf = 0;
  readonly #texts = new Map<string, string>();
  readonly #kept = new WeakMap<object, { readonly version: number; readonly made: unknown }>();

  /** Two lines of one location that stand for each other in two control runs. True when a slot was learnt. */
  learn(place: string, one: string, other: string): boolean {
    const [a, b] = [tokensOf(one), tokensOf(other)];
    if (a.length > MAX_TOKENS || b.length > MAX_TOKENS) return false;
    const pairs = aligned(a, b).filter(([x, y]) => a[x]?.text !== b[y]?.text);
    // Lines that have little in common do not stand for each other.
    if (pairs.length > Math.max(1, a.length / 2)) return false;
    let learnt = false;
    for (const [x, y] of pairs) {
      const [tx, ty] = [a[x], b[y]];
      if (tx === undefined || ty === undefined || !isValue(tx, ty)) continue;
      learnt = this.#add(place, context(a, x), [tx.kind, ty.kind]) || learnt;
      learnt = this.#add(place, context(b, y), [tx.kind, ty.kind]) || learnt;
    }
    return learnt;
  }

  #add(place: string, before: string, kinds: readonly Kind[]): boolean {
    const key = `${place}\n${before}`;
    const known = this.#slots.get(key) ?? new Set<Kind>();
    const size = known.size;
    for (const kind of kinds) known.add(kind);
    // A random id may look like a number, a word or hex, as chance has it.
    if (known.size > 1) for (const kind of ["number", "word", "hex", "base64"] as const) known.add(kind);
    this.#slots.set(key, known);
    this.#places.add(place);
    if (known.size > size) this.version += 1;
    return known.size > size;
  }

  /** What was made of `from` under these masks. One kind of thing per object. */
  kept<T>(from: object, make: () => T): T {
    const known = this.#kept.get(from);
    // Only this function writes to it, with what the same caller makes.
    if (known?.version === this.version) return known.made as T;
    const made = make();
    this.#kept.set(from, { version: this.version, made });
    return made;
  }

  /** One string object for equal ones: ids are looked up by the hundred thousand. */
  once(text: string): string {
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    if (this.#texts.size > MAX_TEXTS) this.#texts.clear();
    this.#texts.set(text, text);
    return text;
  }

  mask(place: string, line: string): string {
    if (!this.#places.has(place)) return line;
    if (this.#masksOf !== this.version) this.#masks.clear();
    this.#masksOf = this.version;
    const ofPlace = this.#masks.get(place) ?? new Map<string, string>();
    if (ofPlace.size === 0 || ofPlace.size > MAX_MASKS) this.#masks.set(place, new Map());
    const known = ofPlace.get(line);
    if (known !== undefined) return known;
    const masked = this.#mask(place, line);
    this.#masks.get(place)?.set(line, masked);
    return masked;
  }

  #mask(place: string, line: string): string {
    const tokens = tokensOf(line);
    if (tokens.length > MAX_TOKENS) return line;
    return tokens
      .map((token, at) => {
        if (token.kind === "mark") return token.text;
        const kinds = this.#slots.get(`${place}\n${context(tokens, at)}`);
        if (kinds === undefined || !kinds.has(token.kind)) return token.text;
        return kinds.size > 1 ? "‹value›" : shape(token);
      })
      .join("");
  }
}

/** A mark or a plain word that varies is no value: such a line is not stable, and is not compared. */
function isValue(one: Token, other: Token): boolean {
  if (one.kind === "mark" || other.kind === "mark") return false;
  return one.kind !== "word" || other.kind !== "word" || /\d/.test(one.text + other.text);
}

/** Pairs of positions, when the two have the same number of tokens; else those of the equal head and tail's edges. */
function aligned(a: readonly Token[], b: readonly Token[]): readonly (readonly [number, number])[] {
  if (a.length === b.length) return a.map((_, i) => [i, i] as const);
  const pairs: [number, number][] = [];
  let head = 0;
  while (head < Math.min(a.length, b.length) && same(a[head], b[head])) head += 1;
  for (let i = 0; i < head; i += 1) pairs.push([i, i]);
  let tail = 0;
  while (tail < Math.min(a.length, b.length) - head && same(a[a.length - 1 - tail], b[b.length - 1 - tail]))
    tail += 1;
  for (let i = 0; i < tail; i += 1) pairs.push([a.length - 1 - i, b.length - 1 - i]);
  return pairs;
}

const same = (x: Token | undefined, y: Token | undefined): boolean =>
  x !== undefined && y !== undefined && (x.text === y.text || (x.kind !== "mark" && x.kind === y.kind));
