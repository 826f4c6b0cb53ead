/**
 * Lines of a build's own, put back as its vetted template has them, in the bytes that leave. Only where a whole line of a
 * JSON string (or of a text) is the altered one; nothing else of the body changes. Pure.
 */
import {
  applyEdits,
  asBuffer,
  type ByteEdit,
  decodeString,
  encodeInside,
  walkStrings,
} from "./json-strings.ts";
import { isUntouchable } from "./vault.ts";

export interface Normalised {
  readonly body: Buffer;
  /** Each altered line that was put back, as it was and as it is, with how often. */
  readonly changes: readonly { readonly was: string; readonly is: string; readonly count: number }[];
  /** Altered lines that stand where nothing may be edited, or of which it cannot be told what they should be. */
  readonly left: number;
}

/**
 * `lines`: by the JSON pointer of the text they stand in, each altered line as it should be; the line itself where that
 * cannot be told. Throws Fault("inspect.unreadable") when the body is no JSON.
 */
export function normalise(
  body: Uint8Array,
  lines: ReadonlyMap<string, ReadonlyMap<string, string>>,
): Normalised {
  const bytes = asBuffer(body);
  const counts = new Map<string, { readonly was: string; readonly is: string; count: number }>();
  const edits: ByteEdit[] = [];
  let left = 0;
  walkStrings(bytes, (string) => {
    const own = string.isKey ? undefined : lines.get(string.pointer);
    if (own === undefined) return;
    const text = decodeString(bytes, string.start, string.end);
    const told = text.split("\n").map((line) => ({ line, plain: own.get(line) }));
    const altered = told.filter(({ plain }) => plain !== undefined);
    if (altered.length === 0) return;
    if (isUntouchable(string) || altered.some(({ line, plain }) => line === plain)) {
      left += altered.length;
      return;
    }
    for (const { line: was, plain: is = was } of altered) {
      const known = counts.get(was) ?? { was, is, count: 0 };
      known.count += 1;
      counts.set(was, known);
    }
    const plain = told.map(({ line, plain: is = line }) => is).join("\n");
    edits.push({ start: string.start, end: string.end, bytes: encodeInside(plain) });
  });
  return { body: Buffer.concat(applyEdits(bytes, edits)), changes: [...counts.values()], left };
}

/** What changed between two lines, as code points: the tally's own words. */
export function changesIn(was: string, is: string): { readonly was: string; readonly is: string } {
  const [a, b] = [[...was], [...is]];
  let head = 0;
  while (head < Math.min(a.length, b.length) && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < Math.min(a.length, b.length) - head && a[a.length - 1 - tail] === b[b.length - 1 - tail])
    tail += 1;
  // Where as many code points stand on both sides, only those that differ are named.
  const [x, y] = [a.slice(head, a.length - tail), b.slice(head, b.length - tail)];
  const isAligned = x.length === y.length;
  const pick = (own: readonly string[], other: readonly string[]): string =>
    own
      .filter((char, at) => !isAligned || char !== other[at])
      .slice(0, MOST_POINTS)
      .map((char) => `U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`)
      .join(" ");
  return { was: pick(x, y), is: pick(y, x) };
}

const MOST_POINTS = 20;
