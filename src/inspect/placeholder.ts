/**
 * What stands for a redacted value: keyed, so it reveals nothing; a function of key and value alone, so the same value
 * always reads the same (prompt caches and the model's reasoning survive); of the value's shape, so code that holds it
 * still parses. Only characters that JSON, shells and URLs leave alone stand for secret characters.
 */
import { createHmac } from "node:crypto";
import { isLuhn, mod97 } from "./checksum.ts";

const DIGITS = "0123456789";
const LOWER = "abcdefghijklmnopqrstuvwxyz";
const UPPER = LOWER.toUpperCase();

/** Values shorter than this keep no shape: length and character classes of a short password say too much. */
const SHORTEST_SHAPED = 16;

/** An endless keyed stream of numbers below a bound. */
function keyed(key: Uint8Array, label: string): (below: number) => number {
  let block = createHmac("sha256", key).update(label, "utf8").digest();
  let at = 0;
  return (below) => {
    for (;;) {
      if (at === block.length) {
        block = createHmac("sha256", key).update(block).digest();
        at = 0;
      }
      const byte = block[at++] ?? 0;
      // Rejection keeps every outcome equally likely.
      if (byte < 256 - (256 % below)) return byte % below;
    }
  };
}

const pick = (next: (below: number) => number, letters: string): string =>
  letters.charAt(next(letters.length));
const many = (next: (below: number) => number, letters: string, count: number): string => {
  let out = "";
  for (let i = 0; i < count; i++) out += pick(next, letters);
  return out;
};

/**
 * The placeholder of `value`. `keep`: how many leading characters are a public prefix. `attempt` above 0 makes another
 * one, for the caller that found the first already taken.
 */
export function placeholder(
  key: Uint8Array,
  detector: string,
  value: string,
  keep: number,
  attempt: number,
): string {
  const next = keyed(key, `${detector}\0${attempt}\0${value}`);
  const shaped = SHAPES[detector]?.(value, next);
  if (shaped !== undefined) return shaped;
  if (value.startsWith("-----BEGIN")) return armour(value, next);
  if (value.length - keep < SHORTEST_SHAPED || /\s/.test(value))
    return `redacted_${many(next, LOWER + DIGITS, 20)}`;
  const body = value.slice(keep);
  const hex = /^[0-9a-f-]+$/.test(body)
    ? "0123456789abcdef"
    : /^[0-9A-F-]+$/.test(body)
      ? "0123456789ABCDEF"
      : null;
  let out = value.slice(0, keep);
  for (const char of body) {
    if (hex !== null && char !== "-") out += pick(next, hex);
    else if (/[0-9]/.test(char)) out += pick(next, DIGITS);
    else if (/[A-Z]/.test(char)) out += pick(next, UPPER);
    else if (/[a-z]/.test(char)) out += pick(next, LOWER);
    // Separators stay, as they are the format's; any other sign would tell what the value holds.
    else out += /[-_.]/.test(char) ? char : pick(next, LOWER + UPPER + DIGITS);
  }
  return out;
}

/** A private key keeps its armour and its line lengths. */
function armour(value: string, next: (below: number) => number): string {
  return value
    .split(/(-----[^-\n]+-----|\\n|\n|\r|[ \t"'+]+)/)
    .map((piece, i) => (i % 2 === 1 ? piece : many(next, UPPER + LOWER + DIGITS, piece.length)))
    .join("");
}

/** Keeps the grouping of a number while its digits are replaced. */
const regroup = (value: string, digits: string): string => {
  let at = 0;
  return value.replace(/\d/g, () => digits.charAt(at++));
};

const SHAPES: Readonly<Record<string, (value: string, next: (below: number) => number) => string>> = {
  // RFC 2606: .invalid never resolves.
  email: (_, next) => `user_${many(next, LOWER + DIGITS, 12)}@redacted.invalid`,
  // ISO/IEC 7812: 9999 is not issued; the check digit holds, so that code which checks it still runs.
  "payment-card": (value, next) => {
    const length = value.replace(/\D/g, "").length;
    const head = `9999${many(next, DIGITS, length - 5)}`;
    const check = [...DIGITS].find((digit) => isLuhn(head + digit)) ?? "0";
    return regroup(value, head + check);
  },
  // 900 to 999 are never social security numbers.
  "us-ssn": (value, next) => regroup(value, `9${many(next, DIGITS, 8)}`),
  // XX is no country's; the check digits hold.
  iban: (value, next) => {
    const length = value.replace(/[^A-Za-z0-9]/g, "").length;
    const account = many(next, DIGITS, length - 4);
    const check = String(98 - mod97(`${account}XX00`)).padStart(2, "0");
    return `XX${check}${account}`;
  },
  // +999 is unassigned.
  phone: (value, next) => `+999${many(next, DIGITS, Math.max(8, value.replace(/\D/g, "").length - 3))}`,
  "cn-resident-id": (_, next) => `999999${many(next, DIGITS, 12)}`,
};
