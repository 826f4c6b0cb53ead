/**
 * What a detector is. Detectors are data: a pattern, where it may start, and the check that makes a match a finding.
 *
 * Rules every detector keeps (detectors.test.ts checks them):
 * - `pattern` is bounded: no nested quantifiers, every repetition has an upper limit, so a match attempt costs at most
 *   a constant. It is applied only where an anchor stands, so the whole scan is linear in the text.
 * - Every match holds one of `anchors` (three characters or more, compared without regard to ASCII case) exactly
 *   `offset` characters after its start, or after a run of `lead`. The plain loop over `pattern` alone is the oracle that proves it.
 * - `accept` is pure. When it throws, the inspection fails and the caller denies.
 */
/**
 * `infrastructure`: names of an organisation's own hosts and resources; no secret, but telling. `concealed`: shaped so as
 * not to be read (data in host names, commands taken apart). `injection`: text that gives a model orders in the name of
 * those it obeys. The last two say something of an intent, not of a value: policy says where they matter.
 */
export type DataClass = "secret" | "personal" | "classified" | "infrastructure" | "concealed" | "injection";

export interface Detector {
  readonly id: string;
  /** One of the pack's, or what an organisation calls its own. */
  readonly class: DataClass | (string & {});
  /** What it finds, in words. */
  readonly title: string;
  /** The public page that documents the format; consulted or recalled at the family's `written` date. */
  readonly source: string;
  readonly anchors: readonly string[];
  /** How far into a match the anchor stands; 0 when left out. */
  readonly offset?: number;
  /** Instead of `offset`: a match starts where the run of these characters before the anchor starts. */
  readonly lead?: "digit" | "mrz" | "host";
  /** Group 1, where there is one, is the value; else the whole match is. */
  readonly pattern: RegExp;
  readonly accept?: (value: string, match: RegExpExecArray) => boolean;
  /** Whether a checksum inside the value holds. Absent: the format has none (or `accept` already demands it). */
  readonly verify?: (value: string) => boolean;
  /** How many leading characters of the value are public (a vendor's prefix) and stay in its placeholder. */
  readonly keep?: number;
  readonly examples: readonly string[];
  readonly counterexamples: readonly string[];
}

/** What a reader or sweeper found: the value's place, and whether a check digit inside it holds. */
export interface Span {
  readonly start: number;
  readonly end: number;
  readonly verified: boolean;
}

/**
 * A detector whose match is read by code, because it needs what stands round it (an assignment, a document's words).
 * `read` is pure, looks at a bounded stretch of text, and may throw only for a bug (which denies).
 */
export interface Reader {
  readonly id: string;
  readonly class: DataClass;
  readonly title: string;
  readonly source: string;
  readonly keep?: number;
  /** What calls the reader: each anchor, each place of one character, or each run of digits (NUMBER). */
  readonly on:
    | { readonly anchors: readonly string[] }
    | { readonly character: string }
    /** `digits`: of how many it reads; of any number where absent. */
    | { readonly numbers: true; readonly digits?: readonly number[] };
  /** Null: nothing stands here. No span: something did, was measured, and is none. */
  readonly read: (text: string, start: number, end: number) => Span | readonly Span[] | null;
  readonly examples: readonly string[];
  readonly counterexamples: readonly string[];
}

export interface Family {
  readonly name: string;
  /** The day the rows were written from the vendors' public documentation. */
  readonly written: string;
  readonly licence: string;
  readonly detectors: readonly (Detector | Reader)[];
}

/**
 * A run of digits, possibly grouped by single blanks or hyphens: what numeric readers are called with. Only runs with
 * four digits in a row, or three behind a separator, count.
 */
export const NUMBER: RegExp = /\d(?:[ -]?\d){7,33}/g;
export const isNumberRun = (raw: string): boolean => /\d{4}|[ -]\d{3}/.test(raw);

export function spansOf(read: Span | readonly Span[] | null): readonly Span[] {
  if (read === null) return [];
  return "start" in read ? [read] : read;
}

export function isReader(detector: Detector | Reader): detector is Reader {
  return "read" in detector;
}

export const OWN_LICENCE =
  "Apache-2.0; formats are facts from the vendors' public documentation, no third-party rule file was copied";

/** The alphabets that token formats name. */
export const ALPHABET = {
  digit: "0-9",
  hex: "0-9a-f",
  HEX: "0-9A-F",
  anyHex: "0-9a-fA-F",
  lower: "a-z0-9",
  UPPER: "A-Z0-9",
  base62: "A-Za-z0-9",
  word: "A-Za-z0-9_",
  url: "A-Za-z0-9_\\-",
  padded: "A-Za-z0-9_=\\-",
  base64: "A-Za-z0-9+\\/=",
  any: "A-Za-z0-9+\\/=_.\\-",
} as const;

interface TokenFormat {
  readonly id: string;
  readonly title: string;
  readonly source: string;
  /** The literal public prefixes, as the vendor writes them. */
  readonly prefixes: readonly string[];
  readonly body: keyof typeof ALPHABET;
  /** Length of the body: from, to. */
  readonly from: number;
  readonly to: number;
  readonly accept?: (body: string) => boolean;
}

const literal = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");

/** Filler that no one can take for a live value: the alphabet's letters in a fixed stride. */
export function filler(alphabet: keyof typeof ALPHABET, length: number): string {
  const spelled: Record<keyof typeof ALPHABET, string> = {
    digit: "0123456789",
    hex: "0123456789abcdef",
    HEX: "0123456789ABCDEF",
    anyHex: "0123456789abcdef",
    lower: "abcdefghijklmnopqrstuvwxyz0123456789",
    UPPER: "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
    base62: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
    word: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
    url: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
    padded: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
    base64: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
    any: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
  };
  const letters = spelled[alphabet];
  let out = "";
  for (let i = 0; i < length; i++) out += letters.charAt((i * 7 + (i >> 3) * 5 + 3) % letters.length);
  return out;
}

/**
 * A stand-in rather than a token: one character repeated, or too few distinct ones for its length. Documentation is
 * full of `ghp_xxxxxxxx`; a real random body of 16 characters has fewer than six distinct ones about never.
 */
export function isStandIn(body: string): boolean {
  if (body.length < 8) return false;
  const met = new Uint8Array(128);
  let distinct = 0;
  for (let i = 0; i < body.length; i++) {
    const code = body.charCodeAt(i);
    const folded = code >= 65 && code <= 90 ? code + 32 : code;
    if (!((folded >= 97 && folded <= 122) || (folded >= 48 && folded <= 57)) || met[folded] === 1) continue;
    met[folded] = 1;
    if (++distinct === 6) return false;
  }
  return true;
}

/** A prefix too short to be rare is continued with every digit the body may go on with. */
const lengthened = (anchor: string, body: keyof typeof ALPHABET): string[] =>
  anchor.length >= 3 || (body !== "hex" && body !== "digit")
    ? [anchor]
    : [...(body === "hex" ? "0123456789abcdef" : "0123456789")]
        .flatMap((next) => lengthened(anchor + next, body))
        .flatMap((next) =>
          anchor.length === 2
            ? [...(body === "hex" ? "0123456789abcdef" : "0123456789")].map((c) => next + c)
            : [next],
        );

/** The detector of a token with a literal prefix. Left boundary: a short prefix must not continue a word. */
export function token(format: TokenFormat): Detector {
  const { prefixes, body, from, to } = format;
  const shortest = Math.min(...prefixes.map((prefix) => prefix.length));
  const distinctive =
    shortest >= 5 || prefixes.every((prefix) => /^[a-z]{2,}[_-]$/i.test(prefix) && shortest >= 4);
  // A letter before the prefix continues a word, unless it is the second half of an escape such as `\\n`.
  const left = distinctive ? "(?<!(?<!\\\\)[A-Za-z0-9])" : "(?<!(?<!\\\\)[A-Za-z0-9]|[_\\-.])";
  const head = prefixes.length === 1 ? literal(prefixes[0] ?? "") : `(?:${prefixes.map(literal).join("|")})`;
  const pattern = new RegExp(`${left}${head}[${ALPHABET[body]}]{${from},${to}}`);
  const bodyOf = (value: string): string => {
    const prefix = prefixes.find((candidate) => value.startsWith(candidate)) ?? "";
    return value.slice(prefix.length);
  };
  const { accept } = format;
  return {
    id: format.id,
    class: "secret",
    title: format.title,
    source: format.source,
    anchors: prefixes.flatMap((prefix) => lengthened(prefix.toLowerCase(), body)),
    pattern,
    accept: (value) => {
      const rest = bodyOf(value);
      return !isStandIn(rest) && (accept === undefined || accept(rest));
    },
    keep: shortest,
    examples: prefixes.map((prefix) => `token = "${prefix}${filler(body, from)}"`),
    counterexamples: prefixes.flatMap((prefix) => [
      `token = "${prefix}${filler(body, Math.max(1, from - 2))}"`,
      `token = "${prefix}${"x".repeat(from)}"`,
    ]),
  };
}
