/**
 * The filter language of queries: terms that must all hold, `field operator value[,value…]`.
 *
 *   kind=exchange.judged verdict=deny,redact host~statsig bytes>=100000 at>=2026-11-01 class=secret
 *
 * Operators: `=` any of the values, `!=` none of them, `~` contains (one value), `<` `<=` `>` `>=` (numbers and times). Times
 * are ISO 8601 dates or date-times (UTC where none is said) or Unix milliseconds. A value with spaces or commas stands in
 * double quotes, with \\ before a double quote or a backslash in it. Pure; unknown fields, operators that do not fit and malformed values are faults, never guessed at.
 *
 * `class` is any class found, `primary` the gravest of a request's (`none` where nothing was found), `build` a build's hash.
 *
 * Limits: 2,000 characters, 32 terms, 64 values a term.
 */
import { Fault } from "../core/index.ts";

const MAX_TEXT = 2000;
const MAX_TERMS = 32;
const MAX_VALUES = 64;

export const FIELDS = {
  index: "number",
  at: "time",
  kind: "word",
  session: "word",
  agent: "word",
  principal: "word",
  host: "word",
  destination: "word",
  verdict: "word",
  model: "word",
  dialect: "word",
  status: "number",
  bytes: "number",
  class: "word",
  workspace: "word",
  build: "word",
  primary: "word",
  rule: "word",
} as const;
export type Field = keyof typeof FIELDS;
export type Operator = "=" | "!=" | "~" | "<" | "<=" | ">" | ">=";

export interface Term {
  readonly field: Field;
  readonly operator: Operator;
  readonly values: readonly (string | number)[];
}

/** The terms of `text`; none for an empty one. Throws `usage.invalid`, saying where. */
export function parseFilter(text: string): Term[] {
  if (text.length > MAX_TEXT) throw wrong(0, `longer than ${MAX_TEXT} characters`);
  const terms: Term[] = [];
  for (let at = skipSpace(text, 0); at < text.length; at = skipSpace(text, at)) {
    const head = /^([a-z]+)(!=|<=|>=|[=~<>])/.exec(text.slice(at));
    if (head === null) throw wrong(at, "a term is `field operator value`, such as `verdict=deny`");
    const [all, name = "", operator = ""] = head;
    if (!Object.hasOwn(FIELDS, name))
      throw wrong(at, `no field \`${name}\`; there are ${Object.keys(FIELDS).join(", ")}`);
    const field = name as Field; // just looked up
    const read = readValues(text, at + all.length);
    terms.push({
      field,
      operator: operator as Operator,
      values: check(field, operator as Operator, read.values, at),
    });
    if (terms.length > MAX_TERMS) throw wrong(at, `more than ${MAX_TERMS} terms`);
    at = read.end;
  }
  return terms;
}

/** A term as {@link parseFilter} reads it again. */
export function termText(field: Field, operator: Operator, values: readonly (string | number)[]): string {
  const quoted = (value: string | number): string =>
    typeof value === "number" || /^[^\s,"]+$/.test(value)
      ? String(value)
      : `"${value.replaceAll(/["\\]/g, "\\$&")}"`;
  return `${field}${operator}${values.map(quoted).join(",")}`;
}

function readValues(text: string, from: number): { readonly values: string[]; readonly end: number } {
  const values: string[] = [];
  for (let at = from; ; at++) {
    const value = /^(?:"((?:[^"\\]|\\["\\])*)"|([^\s,"]+))/.exec(text.slice(at));
    if (value === null) throw wrong(at, "a value is missing");
    values.push(value[1]?.replaceAll(/\\(["\\])/g, "$1") ?? value[2] ?? "");
    if (values.length > MAX_VALUES) throw wrong(at, `more than ${MAX_VALUES} values`);
    at += value[0].length;
    if (at < text.length && text[at] !== "," && !/\s/.test(text[at] ?? ""))
      throw wrong(at, "a space or comma belongs here");
    if (text[at] !== ",") return { values, end: at };
  }
}

function check(field: Field, operator: Operator, values: readonly string[], at: number): (string | number)[] {
  const kind = FIELDS[field];
  const isOrder = operator.startsWith("<") || operator.startsWith(">");
  if ((isOrder || operator === "~") && values.length > 1) throw wrong(at, `\`${operator}\` takes one value`);
  if (kind === "word") {
    if (isOrder) throw wrong(at, `\`${field}\` has no order`);
    return [...values];
  }
  if (operator === "~") throw wrong(at, `\`${field}\` is no text`);
  return values.map((value) => {
    const number = /^\d{1,15}$/.test(value) ? Number(value) : kind === "time" ? timeOf(value) : Number.NaN;
    if (Number.isNaN(number))
      throw wrong(at, `\`${value}\` is no ${kind === "time" ? "time" : "whole number"}`);
    return number;
  });
}

function timeOf(value: string): number {
  const parts = /^(\d{4}-\d{2}-\d{2})(T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?)?(Z|[+-]\d{2}:\d{2})?$/.exec(
    value,
  );
  if (parts === null) return Number.NaN;
  return Date.parse(`${parts[1]}${parts[2] ?? "T00:00"}${parts[3] ?? "Z"}`);
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && /\s/.test(text[at] ?? "")) at++;
  return at;
}

const wrong = (at: number, detail: string): Fault =>
  new Fault("usage.invalid", { at: `filter, character ${at + 1}`, detail });
