import { Fault } from "./fault.ts";

/** What JSON can say. Numbers are finite. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json | undefined };

/**
 * RFC 8785 (JCS) text of a value: keys sorted by UTF-16 code units, no white space, ECMAScript number format.
 * A key whose value is `undefined` is left out, as JSON.stringify does.
 * Throws `canonical.unrepresentable` for a lone surrogate or a non-finite number.
 */
export function canonicalText(value: Json): string {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "string") {
    if (!value.isWellFormed())
      throw new Fault("canonical.unrepresentable", { detail: "lone surrogate in a string" });
    return JSON.stringify(value);
  }
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new Fault("canonical.unrepresentable", { detail: `number ${value}` });
    return JSON.stringify(value);
  }
  if (isList(value)) return `[${value.map(canonicalText).join(",")}]`;
  const fields: string[] = [];
  for (const key of Object.keys(value).sort()) {
    const field = value[key];
    if (field !== undefined) fields.push(`${canonicalText(key)}:${canonicalText(field)}`);
  }
  return `{${fields.join(",")}}`;
}

/** The UTF-8 bytes of {@link canonicalText}: what a ledger leaf holds. */
export function canonicalBytes(value: Json): Buffer {
  return Buffer.from(canonicalText(value), "utf8");
}

const isList = (value: Json): value is readonly Json[] => Array.isArray(value);
