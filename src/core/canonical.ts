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
  // Each ledger entry passes here: plain concatenation and the plain-text shortcut make it twice as fast.
  if (typeof value === "string") return quoted(value);
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new Fault("canonical.unrepresentable", { detail: `number ${value}` });
    return JSON.stringify(value);
  }
  let text = "";
  if (isList(value)) {
    for (const item of value) text += text === "" ? canonicalText(item) : `,${canonicalText(item)}`;
    return `[${text}]`;
  }
  for (const key of Object.keys(value).sort()) {
    const field = value[key];
    if (field === undefined) continue;
    text +=
      text === "" ? `${quoted(key)}:${canonicalText(field)}` : `,${quoted(key)}:${canonicalText(field)}`;
  }
  return `{${text}}`;
}

/** Printable ASCII without quote and backslash: its own JSON text. */
const PLAIN = /^[ !#-[\]-~]*$/;

function quoted(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`;
  if (!text.isWellFormed())
    throw new Fault("canonical.unrepresentable", { detail: "lone surrogate in a string" });
  return JSON.stringify(text);
}

/** The UTF-8 bytes of {@link canonicalText}: what a ledger leaf holds. */
export function canonicalBytes(value: Json): Buffer {
  return Buffer.from(canonicalText(value), "utf8");
}

const isList = (value: Json): value is readonly Json[] => Array.isArray(value);
