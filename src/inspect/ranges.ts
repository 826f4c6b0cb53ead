/** From letters that text and file have in common to whole lines of the file. */
import type { Letters } from "./letters.ts";
import type { FileContent } from "./provenance.ts";

/** A stretch of the file's letters that the text has, too. */
export interface Agreement {
  readonly file: FileContent;
  readonly text: Letters;
  /** Indexes into the file's letters, the end excluded. */
  readonly from: number;
  readonly to: number;
  /** What is added to them gives the place among the text's letters. */
  readonly shift: number;
}

export interface Run extends Agreement {
  /** Lines of the file that count, from 0, the last included. */
  readonly first: number;
  readonly last: number;
  /** Letters in common within these lines. */
  readonly letters: number;
}

/** So many letters of a line count as the line: tools cut long lines short. */
export const PART_LETTERS = 32;
/** A line with fewer letters may be equal to some others by chance. */
const SHORT_LINE = 16;

/** The agreement cut to lines that count; null: there are none. */
export function covered(agreement: Agreement): Run | null {
  const { file, text, from, to, shift } = agreement;
  const { lines, kept } = file.letters;
  if (to <= from) return null;
  const endOf = (line: number): number => lines[line + 1] ?? kept.length;
  let first = lineAt(lines, from);
  let last = lineAt(lines, to - 1);
  const counts = (line: number): boolean => {
    const [start, end] = [lines[line] as number, endOf(line)];
    const held = Math.min(end, to) - Math.max(start, from);
    if (held >= PART_LETTERS) return true;
    if (held <= 0 || held < end - start) return false;
    if (held >= SHORT_LINE) return true;
    return (start > from || isBegin(text, start + shift)) && (end < to || isEnd(text, end + shift));
  };
  while (first <= last && !counts(first)) first++;
  while (last >= first && !counts(last)) last--;
  if (first > last) return null;
  const [start, end] = [Math.max(from, lines[first] as number), Math.min(to, endOf(last))];
  return { ...agreement, from: start, to: end, first, last, letters: end - start };
}

/** The last line that begins at or before the letter: the one that holds it, as empty ones begin where it ends. */
function lineAt(lines: Uint32Array, letter: number): number {
  let from = 0;
  let to = lines.length;
  while (to - from > 1) {
    const middle = (from + to) >>> 1;
    if ((lines[middle] as number) <= letter) from = middle;
    else to = middle;
  }
  return from;
}

const QUOTES: ReadonlySet<number> = new Set([34, 39, 96]);

/** Whether a line of the text, or something quoted in it, begins with this letter. */
function isBegin(text: Letters, letter: number): boolean {
  return letter === 0 || isLineStart(text, letter) || hasQuoteBefore(text, letter);
}

const isEnd = (text: Letters, letter: number): boolean =>
  letter >= text.kept.length || isLineStart(text, letter) || hasQuoteBefore(text, letter);

const isLineStart = (text: Letters, letter: number): boolean =>
  text.lines[lineAt(text.lines, letter)] === letter;

/** Between this letter and the one before it. */
function hasQuoteBefore({ bytes, places }: Letters, letter: number): boolean {
  const from = letter === 0 ? 0 : (places[letter - 1] as number) + 1;
  for (let at = from; at < (places[letter] as number); at++) if (QUOTES.has(bytes[at] as number)) return true;
  return false;
}

/** First and last line with the lines without letters round them that the text has in the same place. */
export function withBareLines(run: Run): readonly [first: number, last: number] {
  const { file, text, from, to, shift } = run;
  const { lines } = file.letters;
  let { first, last } = run;
  const isWhole = (line: number): boolean =>
    (lines[line] as number) >= from && (lines[line + 1] ?? file.letters.kept.length) <= to;
  if (isWhole(last)) {
    const texts = bareLines(text, lineAt(text.lines, to + shift - 1), 1).slice(breaksAfter(file.letters, to));
    last += agreeing(onlyBare(file.letters, last, 1), texts, 1);
  }
  if (isWhole(first)) {
    const texts = bareLines(text, lineAt(text.lines, from + shift), -1).slice(
      breaksBefore(file.letters, from),
    );
    first -= agreeing(onlyBare(file.letters, first, -1), texts, -1);
  }
  return [first, last];
}

/** Line ends that stand as `\n` in the file's own line after its last letter: the text counts them as lines. */
function breaksAfter({ bytes, places, lines, ends }: Letters, to: number): number {
  const line = lineAt(lines, to - 1);
  return breaksIn(bytes.subarray((places[to - 1] as number) + 1, ends[line]));
}

function breaksBefore({ bytes, places, lines, starts }: Letters, from: number): number {
  return breaksIn(bytes.subarray(starts[lineAt(lines, from)], places[from]));
}

const breaksIn = (bytes: Uint8Array): number =>
  Buffer.from(bytes).toString("latin1").match(/\\+n/g)?.length ?? 0;

const MAX_BARE_LINES = 40;

/**
 * What is visible in the lines without letters that follow, or come before, a line; then what the next one with letters
 * begins, or ends, with before or after them.
 */
function bareLines(
  { bytes, kept, places, lines, starts, ends }: Letters,
  line: number,
  step: 1 | -1,
): string[] {
  const found: string[] = [];
  for (let at = line + step; at >= 0 && at < lines.length && found.length < MAX_BARE_LINES; at += step) {
    const [start, end] = [starts[at] as number, ends[at] as number];
    const [from, to] = [lines[at] as number, lines[at + 1] ?? kept.length];
    if (from === to) found.push(visible(bytes.subarray(start, end)));
    else {
      found.push(
        visible(
          step === 1
            ? bytes.subarray(start, places[from])
            : bytes.subarray((places[to - 1] as number) + 1, end),
        ),
      );
      break;
    }
  }
  return found;
}

/** Of a file: its own lines without letters. */
function onlyBare(letters: Letters, line: number, step: 1 | -1): string[] {
  const found = bareLines(letters, line, step);
  const next = line + step * found.length;
  const isBare = (letters.lines[next + 1] ?? letters.kept.length) === letters.lines[next];
  return isBare ? found : found.slice(0, -1);
}

/** Without white space, and as it was before it was quoted. */
const visible = (bytes: Uint8Array): string =>
  Buffer.from(bytes)
    .toString("utf8")
    .replace(/\\+[nrtbf]|[\s\\]/g, "");

/** How many of the file's lines stand in the text in this order; blank ones count between others. */
function agreeing(own: readonly string[], shown: readonly string[], step: 1 | -1): number {
  const texts = shown.filter((line) => line !== "");
  let count = 0;
  let met = 0;
  for (const [place, line] of own.entries()) {
    if (line === "") continue;
    const text = texts[met++];
    if (text === undefined || !isSame(text, line, step)) break;
    count = place + 1;
    // Something quoted begins or ends here.
    if (text !== line && /["'`]/.test(text)) break;
  }
  return count;
}

/** Equal but for a sign before it, quotes round it, and what is beyond a quote or a tag. */
function isSame(shown: string, line: string, step: 1 | -1): boolean {
  if (shown === line || shown.replace(/^[+\-><|*#/]{1,2}/, "") === line) return true;
  if (shown.replace(/^["'`>+|]+|["'`][,;+]?$/g, "") === line) return true;
  if (step === 1) return shown.startsWith(line) && /["'`<]/.test(shown.charAt(line.length));
  return shown.endsWith(line) && /["'`>]/.test(shown.charAt(shown.length - line.length - 1));
}
