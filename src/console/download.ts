/**
 * A list as a file: all rows, page by page as the reader takes them, as CSV (RFC 4180) or as lines of JSON in one array.
 *
 * A spreadsheet takes a cell that begins with `=`, `+`, `-`, `@`, a tab or a carriage return for a formula, and what agents
 * sent is in the cells: such a cell gets an apostrophe before it, which spreadsheets hide and do not calculate. Numbers of ours
 * are no text and stay as they are.
 */
import { Readable } from "node:stream";
import { Fault } from "../core/index.ts";
import type { Ask, Column, FileAnswer, ListRoute } from "./route.ts";

const ROWS_A_PAGE = 500;

/** Throws `console.invalid` for another format. The first page is read before it resolves, so that its fault is an answer. */
export async function downloadOf(
  route: ListRoute<never, never>,
  ask: Ask<never, never>,
  format: string,
): Promise<FileAnswer & { readonly name: string }> {
  if (format !== "csv" && format !== "json")
    throw new Fault("console.invalid", { detail: "format: csv or json" });
  const limit = Math.min(ROWS_A_PAGE, route.maxLimit ?? ROWS_A_PAGE);
  const first = await route.page(ask, { limit, cursor: null });
  async function* rows(): AsyncGenerator<object> {
    let page = first;
    for (;;) {
      yield* page.rows;
      if (page.next === null || ask.signal.aborted) return;
      page = await route.page(ask, { limit, cursor: page.next });
    }
  }
  return format === "csv"
    ? {
        type: "text/csv; charset=utf-8",
        name: `${route.name}.csv`,
        bytes: Readable.from(csv(route.columns, rows())),
      }
    : {
        type: "application/json; charset=utf-8",
        name: `${route.name}.json`,
        bytes: Readable.from(json(rows())),
      };
}

async function* csv(columns: readonly Column[], rows: AsyncIterable<object>): AsyncGenerator<string> {
  // A mark by which spreadsheets know UTF-8.
  yield `\ufeff${columns.map((column) => cell(typeof column === "string" ? column : column[0])).join(",")}\r\n`;
  for await (const row of rows) yield `${columns.map((column) => cell(fieldOf(row, column))).join(",")}\r\n`;
}

async function* json(rows: AsyncIterable<object>): AsyncGenerator<string> {
  let mark = "[\n";
  for await (const row of rows) {
    yield `${mark}${JSON.stringify(row)}`;
    mark = ",\n";
  }
  yield mark === "[\n" ? "[]\n" : "\n]\n";
}

function fieldOf(row: object, column: Column): unknown {
  // A column's function takes the rows of its own route.
  if (typeof column !== "string") return column[1](row as never);
  return (row as Readonly<Record<string, unknown>>)[column]; // a row is data
}

/** One cell; exported for its test. */
export function cell(value: unknown): string {
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  const plain =
    value === null || value === undefined ? "" : typeof value === "string" ? value : listText(value);
  const harmless = /^[=+\-@\t\r]/.test(plain) ? `'${plain}` : plain;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

const listText = (value: unknown): string =>
  Array.isArray(value) && value.every((one) => typeof one === "string")
    ? value.join(" ")
    : JSON.stringify(value);
