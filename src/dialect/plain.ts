/**
 * Bodies of no known form: whatever text is in them becomes a part, and nothing is skipped.
 *
 * Broken JSON is read twice: as it stands, and string by string with escapes undone, because `AKIA\u0041…` or an
 * escaped quote hides from a detector what the other side may still read.
 */
import { isUtf8 } from "node:buffer";
import type { Cut } from "./unit.ts";

/** Shortest run of text told from binary: shorter ones are chance. */
const MIN_RUN = 4;
const MAX_CUTS = 20_000;

export function plainCuts(body: Buffer, contentType: string): readonly Cut[] {
  if (!isUtf8(body) || body.includes(0)) return textRuns(body, "");
  const text = body.toString("utf8");
  const raw = opaque(text);
  if (/^application\/x-www-form-urlencoded/i.test(contentType)) return [raw, ...form(text)];
  return text.includes('"') && text.includes("\\") ? [raw, ...literals(text)] : [raw];
}

const opaque = (value: string, pointer = ""): Cut => ({ pointer, value, role: "opaque" });

/** JSON strings in a text that is no JSON, escapes undone; one cut for all that have escapes. */
function literals(text: string): readonly Cut[] {
  const undone: string[] = [];
  for (const [literal] of text.matchAll(/"(?:[^"\\]|\\[\s\S])*"/g)) {
    if (!literal.includes("\\")) continue;
    try {
      undone.push(String(JSON.parse(literal)));
    } catch {
      undone.push(
        literal.replace(/\\u([0-9a-f]{4})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))),
      );
    }
  }
  return undone.length === 0 ? [] : [opaque(undone.join("\n"))];
}

function form(text: string): readonly Cut[] {
  return text.split("&", MAX_CUTS).map((pair) => opaque(unescapeUrl(pair.replaceAll("+", " "))));
}

/** Percent escapes undone where they are whole; the rest stays. */
export function unescapeUrl(text: string): string {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return Buffer.from(
      text.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))),
      "latin1",
    ).toString("utf8");
  }
}

/**
 * Runs of text in binary: printable ASCII and UTF-8 sequences, and ASCII in UTF-16. Joined line by line into few parts,
 * so that a body of short runs costs no more than one of long runs.
 */
export function textRuns(body: Buffer, pointer: string): readonly Cut[] {
  const runs: string[] = [];
  // Latin-1 keeps one character for each byte, so the expression sees bytes.
  const bytes = body.toString("latin1");
  for (const [run] of bytes.matchAll(/(?:[\t\n\r\x20-\x7e]|[\xc2-\xf4][\x80-\xbf]{1,3}){4,}/g)) {
    if (run.length >= MIN_RUN) runs.push(Buffer.from(run, "latin1").toString("utf8"));
  }
  for (const [run] of bytes.matchAll(/(?:[\t\n\r\x20-\x7e]\0){4,}/g)) runs.push(run.replaceAll("\0", ""));
  return runs.length === 0 ? [] : [opaque(runs.join("\n"), pointer)];
}
