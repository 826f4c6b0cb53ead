/**
 * Which lines of which files a text holds. Pure: files are handed in, and asked for again by path when a line may be theirs.
 *
 * A sampled stretch that text and file have in common (postings.ts) leads to a file and a line; there both are compared
 * letter by letter (letters.ts) as far as they agree, forwards and backwards. A line counts when all its letters are there,
 * or {@link PART_LETTERS} of them; a short one at either end of an agreement only where it is a line, or quoted, in the text,
 * too. Lines without letters (`});`) count where the text has them in the same place.
 *
 * Of no file that is not asked about by name anything is claimed below {@link CLAIM_LETTERS} letters in a row: the same
 * imports, braces and idioms stand in everybody's files. A stretch of the text is claimed for one file, the one that agrees
 * for longest; where the agent named a file, that one goes first.
 */
import { type Letters, lettersOf } from "./letters.ts";
import { NOTICES } from "./notices.ts";
import { GRAM, hashesOf, MAX_PLACES_OF_ONE, type Postings, PostingsBuilder, sample } from "./postings.ts";
import { type Agreement, covered, type Run, withBareLines } from "./ranges.ts";

/** Fewest letters in a row by which a text is said to hold a file's content. */
export const CLAIM_LETTERS = 80;
/** The same, once a longer stretch of that file was found in the text. */
const MORE_LETTERS = 32;
/** The same, of a file that the agent named. */
const NAMED_LETTERS = 6;
/** Files that one text is compared with. */
const MAX_CANDIDATES = 200;
const MAX_RUNS = 5_000;
/** Lines of a named file that are equal to one of the text's are tried so far. */
const MAX_EQUAL_LINES = 8;
const MAX_NAMED = 200;
/** Letters of a file that are compared with a text's, as a multiple of both: more only where each is repetition. */
const EFFORT = 4;
const MIN_EFFORT = 20_000;
/** Agreements that are looked at for whether one has been met already. */
const RECENT = 6;

/** A file as it is now. */
export interface FileContent {
  readonly path: string;
  readonly letters: Letters;
  /** Hex, of its bytes. */
  readonly sha256: string;
}

/** Lines of a file that a text holds. */
export interface Claim {
  readonly file: FileContent;
  /** From 1, both ends included, ascending, disjoint. */
  readonly lines: readonly (readonly [number, number])[];
}

export interface Traced {
  readonly claims: readonly Claim[];
  /** Of the text, in UTF-8. */
  readonly bytes: number;
  /** Of these, what no file of the index holds. */
  readonly unmatchedBytes: number;
}

export { DisclosedLines } from "./disclosed.ts";

/** The file's content now; null: it is not there, or not to be read. */
export type LoadFile = (path: string) => FileContent | null;

export const fileLetters = (bytes: Uint8Array): Letters =>
  lettersOf(bytes, { isQuoted: false, withoutHeads: false });

const encoder = new TextEncoder();

/** Of all stretches of what is everybody's. */
function publicHashes(): ReadonlySet<number> {
  const hashes = new Set<number>();
  for (const notice of NOTICES)
    hashesOf(fileLetters(encoder.encode(notice)).kept, (hash) => hashes.add(hash));
  return hashes;
}

/** Owns the fingerprints of one workspace's files. Files are `add`ed, then `seal`ed; afterwards `replace`d as they change. */
export class ContentIndex {
  readonly #window: number;
  readonly #paths: string[] = [];
  /** By file: the number of its first line, counted through all files. */
  readonly #bases: number[] = [];
  /** By path: the file's number, as it is now. */
  readonly #current = new Map<string, number>();
  /** By file: whether the path stands for it. */
  readonly #isCurrent: boolean[] = [];
  #lines = 0;
  readonly #public = publicHashes();
  #builder: PostingsBuilder | null = new PostingsBuilder();
  #postings: Postings | null = null;
  /** Of files that came later. */
  readonly #later = new Map<number, number[]>();

  /** `window`: of how many positions in a row one is kept. */
  constructor(window: number) {
    this.#window = window;
  }

  /** Returns the number of its lines. */
  add(path: string, letters: Letters): number {
    const base = this.#enter(path, letters);
    const builder = this.#builder;
    this.#sampled(letters, base, (hash, line) => {
      if (builder !== null) builder.add(hash, line);
      else this.#addLater(hash, line);
    });
    return letters.lines.length;
  }

  seal(): void {
    this.#postings ??= this.#builder?.sorted((line) => this.#fileOf(line)) ?? null;
    this.#builder = null;
  }

  remove(path: string): void {
    const file = this.#current.get(path);
    if (file !== undefined) this.#isCurrent[file] = false;
    this.#current.delete(path);
  }

  has(path: string): boolean {
    return this.#current.has(path);
  }

  /** What the arrays take, and what came later. */
  get memoryBytes(): number {
    return (this.#postings?.memoryBytes ?? 0) + this.#later.size * 64 + this.#paths.length * 100;
  }

  #enter(path: string, letters: Letters): number {
    const base = this.#lines;
    this.remove(path);
    this.#current.set(path, this.#paths.length);
    this.#isCurrent.push(true);
    this.#paths.push(path);
    this.#bases.push(base);
    this.#lines += Math.max(1, letters.lines.length);
    return base;
  }

  #addLater(hash: number, line: number): void {
    const known = this.#later.get(hash);
    if (known === undefined) this.#later.set(hash, [line]);
    else if (known.length < MAX_PLACES_OF_ONE) known.push(line);
  }

  #sampled(letters: Letters, base: number, emit: (hash: number, line: number) => void): void {
    let line = 0;
    sample(letters.kept, this.#window, (hash, start) => {
      if (this.#public.has(hash)) return;
      while (line + 1 < letters.lines.length && (letters.lines[line + 1] as number) <= start) line++;
      while (line > 0 && (letters.lines[line] as number) > start) line--;
      emit(hash, base + line);
    });
  }

  #fileOf(line: number): number {
    let from = 0;
    let to = this.#bases.length;
    while (to - from > 1) {
      const middle = (from + to) >>> 1;
      if ((this.#bases[middle] as number) <= line) from = middle;
      else to = middle;
    }
    return from;
  }

  /** Of each file that may hold something of the text: where the text and which of its lines may agree. */
  seedsOf(kept: Uint8Array): ReadonlyMap<string, Seeds> {
    const seeds = new Map<number, Seeds>();
    let file = 0;
    sample(kept, this.#window, (hash, start) => {
      const tell = (line: number): void => {
        if (line < (this.#bases[file] as number) || line >= (this.#bases[file + 1] ?? this.#lines))
          file = this.#fileOf(line);
        if (this.#isCurrent[file] !== true) return;
        const known = seeds.get(file);
        const local = line - (this.#bases[file] as number);
        if (known === undefined) seeds.set(file, [start, local]);
        else known.push(start, local);
      };
      this.#postings?.find(hash, tell);
      for (const line of this.#later.get(hash) ?? NO_LINES) tell(line);
    });
    return new Map([...seeds].map(([number, found]) => [this.#paths[number] ?? "", found]));
  }
}

/** In pairs: an index into the text's letters, and a line of the file, from 0. */
type Seeds = number[];
const NO_LINES: readonly number[] = [];

const PATH_HEAD = /^[\s"'>+|-]{0,20}([^\s:"']{1,300})[:-]\d{1,7}[:-]/gm;

/** `named`: paths of files that the agent's own words say the text may be of. */
export function traceText(
  text: string,
  named: readonly string[],
  index: ContentIndex,
  load: LoadFile,
): Traced {
  const bytes = encoder.encode(text);
  const hinted = new Set([...named, ...pathsOfHeads(text, index)].slice(0, MAX_NAMED));
  const plain = lettersOf(bytes, { isQuoted: true, withoutHeads: false });
  const bare = lettersOf(bytes, { isQuoted: true, withoutHeads: true });
  const runs: Run[] = [];
  for (const letters of bare.heads === 0 ? [plain] : [bare, plain])
    runs.push(...runsIn(letters, hinted, index, load));
  const { claims, claimedBytes } = chosen(runs, hinted, bytes.length);
  return { claims, bytes: bytes.length, unmatchedBytes: Math.max(0, bytes.length - claimedBytes) };
}

function pathsOfHeads(text: string, index: ContentIndex): Set<string> {
  const found = new Set<string>();
  for (const [, path = ""] of text.matchAll(PATH_HEAD)) {
    const plain = path.replace(/^\.\//, "");
    if (found.size < MAX_NAMED && index.has(plain)) found.add(plain);
  }
  return found;
}

/** All agreements of the text's letters with files that may hold some of it. */
function runsIn(text: Letters, hinted: ReadonlySet<string>, index: ContentIndex, load: LoadFile): Run[] {
  const seeds = index.seedsOf(text.kept);
  const ranked = [...seeds.keys()].sort((a, b) => (seeds.get(b)?.length ?? 0) - (seeds.get(a)?.length ?? 0));
  const runs: Run[] = [];
  for (const path of new Set([...hinted, ...ranked.slice(0, MAX_CANDIDATES)])) {
    const file = load(path);
    if (file === null) continue;
    const starts = hinted.has(path) ? equalLines(file.letters, text) : [];
    for (const run of agreements(file, text, starts, seeds.get(path) ?? []))
      if (runs.length < MAX_RUNS) runs.push(run);
  }
  return runs;
}

/** Where in the line, which is these letters, the stretch begins that stands at `start` in the text; -1: nowhere any more. */
function gramAt({ letters }: FileContent, from: number, to: number, text: Letters, start: number): number {
  const { kept } = letters;
  const last = Math.min(to, kept.length - GRAM + 1);
  for (let at = from; at < last; at++) {
    let same = 0;
    while (same < GRAM && kept[at + same] === text.kept[start + same]) same++;
    if (same === GRAM) return at;
  }
  return -1;
}

interface Start {
  /** Index into the text's letters. */
  readonly start: number;
  /** Index into the file's letters. */
  readonly at: number;
}

/** Lines of the text that are lines of the file: first the one whose number the text tells. */
function equalLines(file: Letters, text: Letters): Start[] {
  const byContent = new Map<string, number[]>();
  const contentOf = ({ kept, lines }: Letters, line: number): string =>
    Buffer.from(kept.subarray(lines[line], lines[line + 1] ?? kept.length)).toString("latin1");
  for (let line = 0; line < file.lines.length; line++) {
    const content = contentOf(file, line);
    const known = byContent.get(content);
    if (known === undefined) byContent.set(content, [line]);
    else known.push(line);
  }
  const found: Start[] = [];
  for (let line = 0; line < text.lines.length; line++) {
    const content = contentOf(text, line);
    if (content === "") continue;
    const equal = byContent.get(content) ?? [];
    const told = (text.numbers[line] as number) - 1;
    const tried = equal.includes(told) ? [told] : equal.slice(0, MAX_EQUAL_LINES);
    for (const one of tried) found.push({ start: text.lines[line] as number, at: file.lines[one] as number });
  }
  return found;
}

/** The longest stretch round each start in which both have the same letters; each once. */
function agreements(file: FileContent, text: Letters, starts: readonly Start[], seeds: Seeds): Run[] {
  const found: Agreement[] = [];
  /** By shift: where the last agreement ends, in the text. */
  const ends = new Map<number, number>();
  const { kept, lines } = file.letters;
  let effort = EFFORT * (text.kept.length + kept.length) + MIN_EFFORT;
  const extend = (start: number, at: number): void => {
    if (effort < 0 || (ends.get(start - at) ?? -1) > start) return;
    let before = 0;
    while (before < start && before < at && kept[at - before - 1] === text.kept[start - before - 1]) before++;
    let after = 0;
    const most = Math.min(kept.length - at, text.kept.length - start);
    while (after < most && kept[at + after] === text.kept[start + after]) after++;
    effort -= before + after;
    ends.set(start - at, start + after);
    found.push({ file, text, from: at - before, to: at + after, shift: start - at });
  };
  for (const { start, at } of starts) extend(start, at);
  for (let i = 0; i < seeds.length && found.length < MAX_RUNS && effort >= 0; i += 2) {
    const [start = 0, line = 0] = [seeds[i], seeds[i + 1]];
    const [from, to] = [lines[line] ?? 0, lines[line + 1] ?? kept.length];
    let isMet = false;
    for (let back = found.length - 1; back >= 0 && back >= found.length - RECENT && !isMet; back--) {
      const one = found[back] as Agreement; // within
      const at = start - one.shift;
      isMet = at >= one.from && at < one.to && at >= from && at < to;
    }
    if (isMet) continue;
    const at = gramAt(file, from, to, text, start);
    effort -= to - from;
    if (at >= 0) extend(start, at);
  }
  return found.flatMap((agreement) => covered(agreement) ?? []);
}

/** What each stretch of the text is claimed for. */
function chosen(
  runs: readonly Run[],
  hinted: ReadonlySet<string>,
  length: number,
): { readonly claims: readonly Claim[]; readonly claimedBytes: number } {
  const weight = (run: Run): number => run.letters * (hinted.has(run.file.path) ? 2 : 1);
  const taken = new Uint8Array(length);
  const found = new Map<FileContent, [number, number][]>();
  let claimedBytes = 0;
  const waiting = runs.toSorted((a, b) => weight(b) - weight(a));
  for (let i = 0; i < waiting.length; i++) {
    const run = waiting[i] as Run; // within
    const least = hinted.has(run.file.path)
      ? NAMED_LETTERS
      : found.has(run.file)
        ? MORE_LETTERS
        : CLAIM_LETTERS;
    const free = freePart(run, taken);
    if (free === null || (free.letters < least && !isTold(free, hinted))) continue;
    const [from, to] = placesOf(free);
    for (let at = from; at < to; at++) if (taken[at] === 0) claimedBytes++;
    taken.fill(1, from, to);
    const [first, last] = withBareLines(free);
    const lines = found.get(run.file) ?? [];
    found.set(run.file, lines);
    lines.push([first + 1, last + 1]);
  }
  const claims = [...found].map(([file, lines]) => ({ file, lines: joined(lines) }));
  return { claims, claimedBytes };
}

/** Whether the text tells the file's name and the line's number. */
function isTold({ file, text, first, from, shift }: Run, hinted: ReadonlySet<string>): boolean {
  if (!hinted.has(file.path)) return false;
  const place = Math.max(from, file.letters.lines[first] as number) + shift;
  const line = text.lines.lastIndexOf(place);
  return line >= 0 && text.numbers[line] === first + 1;
}

const placesOf = ({ text, from, to, shift }: Run): readonly [number, number] => [
  text.places[from + shift] as number,
  (text.places[to + shift - 1] as number) + 1,
];

/** The longest part of the run that nothing has been claimed of; null: none with a line in it. */
function freePart(run: Run, taken: Uint8Array): Run | null {
  const { text, from, to, shift } = run;
  let best: readonly [number, number] = [from, from];
  for (let at = from; at < to; at++) {
    const start = at;
    while (at < to && taken[text.places[at + shift] as number] === 0) at++;
    if (at - start > best[1] - best[0]) best = [start, at];
  }
  if (best[0] === from && best[1] === to) return run;
  return best[0] === best[1] ? null : covered({ ...run, from: best[0], to: best[1] });
}

/** Ascending and disjoint. */
export function joined(lines: readonly (readonly [number, number])[]): [number, number][] {
  const found: [number, number][] = [];
  for (const [first, last] of lines.toSorted((a, b) => a[0] - b[0])) {
    const open = found.at(-1);
    if (open !== undefined && first <= open[1] + 1) open[1] = Math.max(open[1], last);
    else found.push([first, last]);
  }
  return found;
}
