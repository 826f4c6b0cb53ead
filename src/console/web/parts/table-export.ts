/** A table as a file. Cells that a spreadsheet would run as a formula get an apostrophe before them. Pure. */
export type Cell = string | number | boolean | null;

const FORMULA = /^[=+\-@\t\r]/;

function csvCell(cell: Cell): string {
  if (cell === null) return "";
  if (typeof cell !== "string") return String(cell);
  const safe = FORMULA.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** RFC 4180, with a byte-order mark, so that spreadsheets read it as UTF-8. */
export const csvOf = (names: readonly string[], rows: readonly (readonly Cell[])[]): string =>
  `\ufeff${[names, ...rows].map((row) => row.map(csvCell).join(",")).join("\r\n")}\r\n`;

export const jsonOf = (names: readonly string[], rows: readonly (readonly Cell[])[]): string =>
  `${JSON.stringify(
    rows.map((row) => Object.fromEntries(names.map((name, at) => [name, row[at] ?? null]))),
    null,
    2,
  )}\n`;

export function saveAs(name: string, type: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
