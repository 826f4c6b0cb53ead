/**
 * Sets of lines: pairs from 1, both ends included, ascending, disjoint and not touching. Pure. As text, in rows of the
 * query index, `3-7,9`.
 */
export type LineRanges = readonly (readonly [first: number, last: number])[];

/** All lines of both. What is no range of lines (before 1, the end before its beginning) is passed over. */
export function uniteRanges(a: LineRanges, b: LineRanges): LineRanges {
  const sorted = [...a, ...b]
    .filter(([first, last]) => Number.isSafeInteger(first) && Number.isSafeInteger(last))
    .filter(([first, last]) => first >= 1 && last >= first)
    .sort((x, y) => x[0] - y[0]);
  const united: [number, number][] = [];
  for (const [first, last] of sorted) {
    const open = united.at(-1);
    if (open !== undefined && first <= open[1] + 1) open[1] = Math.max(open[1], last);
    else united.push([first, last]);
  }
  return united;
}

export const countLines = (ranges: LineRanges): number =>
  ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);

export const rangesText = (ranges: LineRanges): string =>
  ranges.map(([first, last]) => (first === last ? String(first) : `${first}-${last}`)).join(",");

/** What {@link rangesText} wrote. */
export const parseRanges = (text: string): LineRanges =>
  text === ""
    ? []
    : text.split(",").map((part): readonly [number, number] => {
        const [first = 0, last = first] = part.split("-").map(Number);
        return [first, last];
      });
