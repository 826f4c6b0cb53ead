/**
 * What differs between two texts: lines first, then characters within lines that stand for each other. Pure.
 * Characters are code points, so that an apostrophe of another alphabet is a change that can be named.
 */
import { diffArrays } from "diff";

export interface Stretch {
  readonly text: string;
  readonly isChanged: boolean;
}

export type DiffLine =
  | { readonly kind: "same"; readonly text: string; readonly before: number; readonly after: number }
  | { readonly kind: "removed"; readonly stretches: readonly Stretch[]; readonly before: number }
  | { readonly kind: "added"; readonly stretches: readonly Stretch[]; readonly after: number };

/** Longer lines are shown as changed whole: comparing them by character costs their product. */
const MAX_LINE = 4_000;
const MAX_EDITS = 20_000;

/** What two different words have in common by chance is no more the same than they are. */
const CHANCE = 2;

function joined(stretches: readonly Stretch[]): Stretch[] {
  const length = (stretch: Stretch | undefined): number =>
    stretch?.isChanged === true ? stretch.text.length : 0;
  const whole: Stretch[] = [];
  for (const [at, stretch] of stretches.entries()) {
    const isBetween = length(stretches[at - 1]) >= CHANCE && length(stretches[at + 1]) >= CHANCE;
    const isChanged = stretch.isChanged || (isBetween && stretch.text.length <= CHANCE);
    const last = whole.at(-1);
    if (last?.isChanged === isChanged)
      whole[whole.length - 1] = { text: last.text + stretch.text, isChanged };
    else whole.push({ text: stretch.text, isChanged });
  }
  return whole;
}

function stretchesOf(
  before: string,
  after: string,
): { readonly before: Stretch[]; readonly after: Stretch[] } {
  const whole = (text: string): Stretch[] => [{ text, isChanged: true }];
  if (before.length > MAX_LINE || after.length > MAX_LINE)
    return { before: whole(before), after: whole(after) };
  const parts = diffArrays([...before], [...after], { maxEditLength: 1_000 });
  if (parts === undefined) return { before: whole(before), after: whole(after) };
  const side = (skip: "added" | "removed"): Stretch[] =>
    parts
      .filter((part) => !part[skip])
      .map((part) => ({ text: part.value.join(""), isChanged: part.added || part.removed }));
  return { before: joined(side("added")), after: joined(side("removed")) };
}

export function linesOf(before: string, after: string): readonly DiffLine[] {
  const parts = diffArrays(before.split("\n"), after.split("\n"), { maxEditLength: MAX_EDITS }) ?? [
    { value: before.split("\n"), added: false, removed: true, count: 0 },
    { value: after.split("\n"), added: true, removed: false, count: 0 },
  ];
  const lines: DiffLine[] = [];
  let a = 1;
  let b = 1;
  for (let at = 0; at < parts.length; at++) {
    const part = parts[at];
    if (part === undefined) break;
    if (!part.added && !part.removed) {
      for (const text of part.value) lines.push({ kind: "same", text, before: a++, after: b++ });
      continue;
    }
    const next = parts[at + 1];
    const [gone, come] = part.removed
      ? [part.value, next?.added === true ? next.value : []]
      : [next?.removed === true ? next.value : [], part.value];
    if (gone.length > 0 && come.length > 0) at++;
    const pairs = gone.map((text, i) => (come[i] === undefined ? null : stretchesOf(text, come[i])));
    for (const [i, text] of gone.entries())
      lines.push({
        kind: "removed",
        stretches: pairs[i]?.before ?? [{ text, isChanged: true }],
        before: a++,
      });
    for (const [i, text] of come.entries())
      lines.push({ kind: "added", stretches: pairs[i]?.after ?? [{ text, isChanged: true }], after: b++ });
  }
  return lines;
}

/** The changed characters that look like others, or like nothing: those outside of ASCII. */
export function namedPoints(stretches: readonly Stretch[]): readonly number[] {
  const codes = new Set<number>();
  for (const { text, isChanged } of stretches)
    if (isChanged)
      for (const character of text) {
        const code = character.codePointAt(0) ?? 0;
        if (code > 0x7e || code < 0x20) codes.add(code);
      }
  return [...codes].slice(0, 12);
}
