/**
 * Assigned credentials that no vendor's format gives away: `db_password = "…"`, `Authorization: Bearer …`,
 * `<add key="Secret" value="…"/>`, `vendor_token: 9f8e…`. A name that speaks of a credential calls the reader; the
 * reader finds what is assigned to it; a small model (model.ts) says whether that value is a secret or a word.
 *
 * Every step is bounded by a named constant, so the cost of one name is constant.
 */
import { entropy } from "./checksum.ts";
import { BIGRAMS, SYMBOLS } from "./model.ts";

/** How far a name goes on behind the keyword in it, and before it. */
const NAME_TAIL = 40;
const NAME_HEAD = 60;
const LONGEST_VALUE = 1200;
const LONGEST_BARE = 400;
/** The model measures no more of a value than this. */
const MEASURED = 256;
/** How much of the line the model may look at, on each side. */
const LINE_REACH = 160;

const table = (chars: string): Uint8Array => {
  const set = new Uint8Array(128);
  for (const char of chars) set[char.charCodeAt(0)] = 1;
  return set;
};
const LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
const NAME = table(`${LETTERS}.-`);
const NAME_BACK = table(`${LETTERS}.-$@[]`);
const CLOSERS = table("\\\"'`])*");
const OPENERS = table(" \t([{");
const STOPS = table(" \t\r\n\f\v\"'`,;(){}[]<>");
const OPERATOR = table("=:>|,(-!?+~");
const has = (set: Uint8Array, code: number): boolean => code < 128 && set[code] === 1;

/** Words of names that call the reader again further on in the same name; digits before them belong to a value. */
const FURTHER_WORD =
  /^[^0-9]*?(?:passw|pwd|secret|token|key|auth|cred|private|access|bearer|cipher|login|session|signature|cookie|license|seed|jwt|salt)/i;

const INNER_NAME = /^[A-Za-z_]{0,30}(?:passw?|pwd|secret|token|key|auth|cred)[A-Za-z_]{0,10}$/i;

/** What stands between the name and its value. */
type Operator =
  | "assign"
  | "colon"
  | "arrow"
  | "compare"
  | "call"
  | "comma"
  | "angle"
  | "space"
  | "is"
  | "attribute";

export interface Candidate {
  readonly name: string;
  readonly operator: Operator;
  readonly quoted: boolean;
  readonly start: number;
  readonly end: number;
  readonly value: string;
}

const ATTRIBUTE = /[ \t]{0,4}(?:\r?\n[ \t-]{0,40})?["']?(?:value|Value|VALUE)["']?[ \t]{0,2}[=:][ \t]{0,4}/y;
const ANNOTATION =
  /[ \t]{0,4}(?:[A-Za-z_][\w<>.| ?[\]]{0,40}?)[ \t]{0,4}=[ \t]{0,4}(?=(?:[bruf@$]|new String\()?["'`])/y;
const WORD_OPERATOR = /(?:is|to|was|be|of|für|ist|equals)[ \t]{1,3}(?:set to |now |also )?(?=["'`])/y;
const SCHEME =
  /(?:[Bb]earer|BEARER|[Bb]asic|BASIC|[Tt]oken|TOKEN|SSWS|ApiKey|apikey|Apikey|key|Key|KEY|secret|SECRET|token|access|ACCESS|private|PRIVATE|_?api[_ -]?key|authtoken|pat|PAT)[ \t:=]{1,3}/y;

/** The value assigned to the name that holds the keyword at `start`..`end`, or null. */
export function readCandidate(text: string, start: number, end: number): Candidate | null {
  const limit = Math.min(text.length, end + NAME_TAIL);
  let at = end;
  while (at < limit && has(NAME, text.charCodeAt(at))) at++;
  const nameEnd = at;
  // `access_token_secret` is read once, at its last word: the others would find the same value.
  if (nameEnd > end && FURTHER_WORD.test(text.slice(end, nameEnd))) return null;
  for (let n = 0; n < 4 && has(CLOSERS, text.charCodeAt(at)); n++) at++;
  const closed = at;
  at = skipBlank(text, at);
  const spaced = at > closed;
  let operator: Operator;
  const code = text.charCodeAt(at);
  if (code === 46 && text.charCodeAt(at + 1) === 61) {
    at += 2;
    operator = "assign";
  } else if (has(OPERATOR, code) && !(code === 45 && text.charCodeAt(at + 1) !== 62 && nameEnd !== end)) {
    const from = at;
    while (at < from + 4 && has(OPERATOR, text.charCodeAt(at))) at++;
    const sign = text.slice(from, at);
    operator = operatorOf(sign);
    if (sign === ":" || sign === "?:") {
      if (testAt(ANNOTATION, text, at)) {
        at = ANNOTATION.lastIndex;
        operator = "assign";
      }
    }
  } else if (closed > nameEnd && testAt(ATTRIBUTE, text, closed)) {
    at = ATTRIBUTE.lastIndex;
    operator = "attribute";
  } else if (code === 10 && testAt(ATTRIBUTE, text, at)) {
    at = ATTRIBUTE.lastIndex;
    operator = "attribute";
  } else if (spaced) {
    if (testAt(ANNOTATION, text, closed)) {
      // Go: `var token string = "…"`.
      at = ANNOTATION.lastIndex;
      operator = "assign";
    } else if (testAt(WORD_OPERATOR, text, at)) {
      at = WORD_OPERATOR.lastIndex;
      operator = "is";
    } else operator = "space";
  } else return hyphenated(text, start, end);
  return readValue(text, start, nameEnd, operator, at);
}

/** Applies a sticky pattern at a place; where it ends is its lastIndex. */
function testAt(sticky: RegExp, text: string, at: number): boolean {
  sticky.lastIndex = at;
  return sticky.test(text);
}

/** `vendor-token-9f8e…`: the value hangs on the name by the sign that the name itself is written with. */
function hyphenated(text: string, start: number, end: number): Candidate | null {
  // The value begins behind the last separator that is followed by nothing but the value's own characters.
  let stop = end;
  let digitAt = -1;
  const limit = Math.min(text.length, end + LONGEST_HANGING);
  for (; stop < limit && has(HANGING, text.charCodeAt(stop)); stop++)
    if (digitAt < 0 && isDigit(text.charCodeAt(stop))) digitAt = stop;
  if (digitAt < 0 || stop - end === LONGEST_HANGING || has(NOT_BEHIND, text.charCodeAt(stop))) return null;
  // The first digit is in the value: its beginning is the separator before it.
  let open = digitAt;
  while (open > end && !has(SEPARATORS, text.charCodeAt(open - 1))) open--;
  if (open === end || stop - open < SHORTEST_HANGING) return null;
  return candidate(text, start, open - 1, "space", false, open, stop);
}

const LONGEST_HANGING = 200;
const SHORTEST_HANGING = 16;
const HANGING = table(`${LETTERS}-.+/=`);
const SEPARATORS = table("-._");
const NOT_BEHIND = table("(");
const isDigit = (code: number): boolean => code >= 48 && code <= 57;

function operatorOf(sign: string): Operator {
  if (sign.startsWith("=>") || sign.startsWith("->")) return "arrow";
  if (sign.startsWith("==") || sign.startsWith("!=") || sign.startsWith("||")) return "compare";
  if (sign.startsWith("(")) return "call";
  if (sign.startsWith(",")) return "comma";
  if (sign.startsWith(">")) return "angle";
  if (sign.includes("=")) return "assign";
  return "colon";
}

function skipBlank(text: string, from: number): number {
  let at = from;
  while (at < from + 24 && (text.charCodeAt(at) === 32 || text.charCodeAt(at) === 9)) at++;
  return at;
}

function readValue(
  text: string,
  start: number,
  nameEnd: number,
  operator: Operator,
  from: number,
): Candidate | null {
  let at = from;
  while (at < from + 12 && has(OPENERS, text.charCodeAt(at))) at++;
  // A value on the next line: only where an operator asks for one and a quote or a block scalar answers.
  if (/[\r\n|>]/.test(text.charAt(at)) && (operator === "colon" || operator === "assign")) {
    const next = /^[|>]?-?\r?\n[ \t]{0,60}(?=["'`])/.exec(text.slice(at, at + 72));
    if (next === null) return null;
    at += next[0].length;
  } else if (operator === "angle" && /[\r\n]/.test(text.charAt(at))) {
    // <token>⏎ value ⏎</token>
    const next = /^\r?\n[ \t]{0,60}(?=[^\s<]{4,600}\s{0,60}<\/)/.exec(text.slice(at, at + 800));
    if (next === null) return null;
    at += next[0].length;
  }
  for (let n = 0; n < 2; n++) {
    SCHEME.lastIndex = at;
    if (!isQuote(text, at) && SCHEME.test(text)) at = SCHEME.lastIndex;
  }
  if (text.startsWith("new String(", at)) at += 11;
  if (text.startsWith("String(", at)) at += 7;
  if (/[brufLRNE@$]/.test(text.charAt(at)) && isQuote(text, at + 1)) at++;
  let escaped = text.charCodeAt(at) === 92 && isQuote(text, at + 1) ? "\\" : "";
  if (escaped !== "" || isQuote(text, at)) {
    const quote = escaped + text.charAt(at + escaped.length);
    let open = at + quote.length;
    let close = closing(text, open, quote);
    if (close < 0) return null;
    // "Bearer abc", "token: abc" inside the quotes.
    SCHEME.lastIndex = open;
    if (SCHEME.test(text) && SCHEME.lastIndex < close) open = SCHEME.lastIndex;
    escaped = "";
    while (close > open && text.charCodeAt(close - 1) === 32) close--;
    return candidate(text, start, nameEnd, operator, true, open, close);
  }
  if (operator === "is") return null;
  let stop = at;
  const limit = Math.min(text.length, at + LONGEST_BARE);
  while (stop < limit) {
    const code = text.charCodeAt(stop);
    if (has(STOPS, code)) break;
    if (code === 92 && /[nrt"'\\u]/.test(text.charAt(stop + 1))) break;
    // `token=secret=…`: the inner name is read on its own.
    if ((code === 61 || code === 58) && stop - at < NAME_TAIL && INNER_NAME.test(text.slice(at, stop))) break;
    if (code === 38 && /^&(?:amp;)?[\w.-]{1,40}=/.test(text.slice(stop, stop + 48))) break;
    stop++;
  }
  while (stop > at && /[.,:!?*]/.test(text.charAt(stop - 1))) stop--;
  if (isCode(text, start, nameEnd, operator, from, at, stop)) return null;
  return candidate(text, start, nameEnd, operator, false, at, stop);
}

/**
 * An expression or a word of prose where a bare value would stand: a call, an index, a path of names, a name. Most of
 * what follows `key` in source code, so it is told apart before anything is measured. A bare word counts only where a
 * configuration file puts it: right behind the sign, and behind the name of a password.
 */
function isCode(
  text: string,
  start: number,
  nameEnd: number,
  operator: Operator,
  from: number,
  at: number,
  stop: number,
): boolean {
  const next = text.charCodeAt(stop);
  if (next === 40 || next === 91 || next === 123) return true;
  let named = true;
  for (let i = at; i < stop && named; i++) named = has(WORDS, text.charCodeAt(i));
  if (!named) return false;
  if (operator !== "assign" && operator !== "colon" && operator !== "angle") return true;
  const first = text.charCodeAt(at) | 32;
  const value = text.slice(at, stop);
  if (value.includes(".")) return true;
  if (value.length >= 16 && !value.includes("_") && surprise(value) > RANDOM_LETTERS) return false;
  return !(first >= 97 && first <= 122 && at - from <= 1 && PASSWORD_NAME.test(text.slice(start, nameEnd)));
}

/** Letters, `_` and `.`: what names are made of when they hold no digit. */
const WORDS = table("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.");
/** Bits a pair above which letters alone are no words; ordinary identifiers stay below 4.6. */
const RANDOM_LETTERS = 5;
const PASSWORD_NAME = /pass|pwd|secret/i;

const isQuote = (text: string, at: number): boolean => {
  const code = text.charCodeAt(at);
  return code === 34 || code === 39 || code === 96;
};

/** Where the quotation ends; -1 when it does not on this line. */
function closing(text: string, from: number, quote: string): number {
  const limit = Math.min(text.length, from + LONGEST_VALUE);
  for (let at = from; at < limit; at++) {
    const code = text.charCodeAt(at);
    if (code === 10) return -1;
    if (quote.length === 2) {
      if (code === 92 && text.charAt(at + 1) === quote.charAt(1)) return at;
    } else if (code === 92) at++;
    else if (code === quote.charCodeAt(0)) return at;
  }
  return -1;
}

function candidate(
  text: string,
  start: number,
  nameEnd: number,
  operator: Operator,
  quoted: boolean,
  open: number,
  close: number,
): Candidate | null {
  if (close - open < 4) return null;
  let nameStart = start;
  while (nameStart > 0 && start - nameStart < NAME_HEAD && has(NAME_BACK, text.charCodeAt(nameStart - 1)))
    nameStart--;
  return {
    name: text.slice(nameStart, nameEnd),
    operator,
    quoted,
    start: open,
    end: close,
    value: text.slice(open, close),
  };
}

/** Mean bits per pair of characters under the language of ordinary identifiers; random text costs about 6. */
export function surprise(value: string): number {
  const width = SYMBOLS.length + 1;
  let bits = 0;
  let pairs = 0;
  let previous = -1;
  for (let i = 0; i < value.length && i < 80; i++) {
    const code = value.charCodeAt(i);
    const folded = code >= 65 && code <= 90 ? code + 32 : code;
    const symbol =
      folded >= 97 && folded <= 122
        ? folded - 97
        : folded >= 48 && folded <= 57
          ? folded - 22
          : folded === 95
            ? 36
            : 37;
    if (previous >= 0) {
      bits += BIGRAMS.charCodeAt(previous * width + symbol) - 33;
      pairs++;
    }
    previous = symbol;
  }
  return pairs === 0 ? 6 : bits / pairs / 7;
}

const STAND_IN =
  /^(?:<.*>|\$\{?.*|%[^%]*%?|\{\{?.*|\*+|x{3,}|\.{3,}|your|my[_-]?|some|change|example|test|dummy|fake|null|none|nil|true|false|undefined|redacted|todo|string|passwo?r?d?|passwd|secret|token|key|required|optional|process\.|os\.|env[.:]|self\.|this\.|config|settings|get|set|is|has|request|response|params|options|user|name|value|default|type|id|ref:|var\.|local\.|data\.|module\.|secrets?\.|vault:|enc:|arn:|aws_|@|#\{|\/run\/secrets|encrypted|placeholder|insert|enter|replace|invalid|wrong|foo|bar|abc|sample)/i;

const test = (pattern: RegExp, text: string): number => (pattern.test(text) ? 1 : 0);

/** The names of the model's inputs, in order. */
export const FEATURES = [
  "quoted",
  "assign",
  "colon",
  "call",
  "comma",
  "compare",
  "angle",
  "space",
  "is",
  "attribute",
  "arrow",
  "password",
  "secret",
  "token",
  "key",
  "auth",
  "private",
  "vendorOnly",
  "public",
  "nameLength",
  "nameParts",
  "length",
  "entropy",
  "relativeEntropy",
  "surprise",
  "digits",
  "uppers",
  "lowers",
  "symbols",
  "spaces",
  "classes",
  "switches",
  "hex",
  "hexLength",
  "uuid",
  "base64",
  "identifier",
  "camel",
  "words",
  "path",
  "call-like",
  "dotted",
  "standIn",
  "repeats",
  "sameAsName",
  "exampleLine",
  "commentLine",
  "codeLine",
  "longestWord",
  "vowels",
  "digitRun",
  "sequence",
  "interpolated",
  "url",
  "kebab",
  "constant",
  "testLine",
  "uniqueRatio",
  "tailOfLine",
  "hyphens",
  "sentence",
] as const;

const HEX_LENGTHS = new Set([16, 20, 24, 32, 40, 48, 56, 64, 96, 128]);
const VENDORLESS =
  /pass|pwd|secret|token|key|auth|cred|private|access|bearer|basic|login|session|cookie|license|seed|jwt|cert|salt|cipher|signature|\bpat\b|psk/i;

export function features(text: string, found: Candidate): number[] {
  const { name, operator } = found;
  const value = found.value.slice(0, MEASURED);
  const lowName = name.toLowerCase();
  const lineStart = Math.max(text.lastIndexOf("\n", found.start) + 1, found.start - LINE_REACH);
  const newline = text.indexOf("\n", found.end);
  const before = text.slice(lineStart, found.start);
  const after = text.slice(found.end, Math.min(newline < 0 ? text.length : newline, found.end + LINE_REACH));
  const letters = value.replace(/[^A-Za-z]/g, "");
  const digits = value.replace(/\D/g, "").length;
  const uppers = value.replace(/[^A-Z]/g, "").length;
  const symbols = value.replace(/[A-Za-z0-9\s]/g, "").length;
  const length = value.length;
  const bits = entropy(value);
  let switches = 0;
  for (let i = 1; i < length; i++)
    if (kindOf(value.charCodeAt(i)) !== kindOf(value.charCodeAt(i - 1))) switches++;
  const hex = /^(?:0x)?[0-9a-f]{12,}$/i.test(value);
  const longest = Math.max(0, ...(value.match(/[A-Z]?[a-z]+|[A-Z]+/g) ?? []).map((word) => word.length));
  const bareName = lowName.replace(/[^a-z]/g, "");
  const bareValue = value.toLowerCase().replace(/[^a-z]/g, "");
  const is = (wanted: Operator): number => (operator === wanted ? 1 : 0);
  return [
    found.quoted ? 1 : 0,
    is("assign"),
    is("colon"),
    is("call"),
    is("comma"),
    is("compare"),
    is("angle"),
    is("space"),
    is("is"),
    is("attribute"),
    is("arrow"),
    test(/pass|pwd|psw|psk/, lowName),
    test(/secret/, lowName),
    test(/token|bearer|jwt|\bpat\b/, lowName),
    test(/key/, lowName),
    test(/auth|cred|basic/, lowName),
    test(/private|access/, lowName),
    VENDORLESS.test(name) ? 0 : 1,
    test(
      /public|pub_?key|client_?id|key_?id|_id$|name$|type$|url$|path$|file$|size$|length$|count$|field$|label$|title$|text$|message$|error$|index$|code$|format$|algorithm$|version$|map$|set$|list$|class$/,
      lowName,
    ),
    Math.min(name.length, 60),
    name.split(/[_.\-[\]]|(?<=[a-z])(?=[A-Z])/).length,
    Math.min(length, 200),
    bits,
    bits / Math.log2(Math.max(2, length)),
    surprise(value),
    digits / length,
    uppers / length,
    (letters.length - uppers) / length,
    symbols / length,
    Math.min(value.split(/\s/).length - 1, 20),
    (digits > 0 ? 1 : 0) + (uppers > 0 ? 1 : 0) + (letters.length > uppers ? 1 : 0) + (symbols > 0 ? 1 : 0),
    switches / length,
    hex ? 1 : 0,
    hex && HEX_LENGTHS.has(length) ? 1 : 0,
    test(/^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i, value),
    test(/^[A-Za-z0-9+/]{16,}={1,2}$/, value),
    test(/^[A-Za-z_][A-Za-z_]*$/, value),
    test(/^[a-z]+(?:[A-Z][a-z]+)+$|^(?:[A-Z][a-z]+){2,}$/, value),
    test(/^[a-z]{3,}(?:[_. -][a-z]{2,})+$/i, value),
    test(
      /^[.~]?\/|\\|\/.*\/|\.(?:js|ts|py|go|json|ya?ml|md|html|com|org|io|net|pem|crt|key|txt|properties)\b/,
      value,
    ),
    test(/[()]|->|::|=>/, value + after.slice(0, 1).replace(/[^(]/, "")),
    test(/^[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)+$/, value),
    test(STAND_IN, value),
    test(/(.)\1{3,}/, value),
    bareName.length > 2 &&
    (bareValue.includes(bareName.slice(-6)) || (bareValue.length > 3 && bareName.includes(bareValue)))
      ? 1
      : 0,
    test(/example|sample|dummy|fake|mock|placeholder|todo|your/i, before + after),
    test(/^\s*(?:\d{1,6}[:\t→])?\s*(?:\/\/|#|\*|--|"""|<!--)/, before),
    test(
      /\b(?:def|func|function|public|private|static|import|from|class|return|if|var|let|const|final|val)\b/,
      before,
    ),
    longest,
    letters.length === 0 ? 0 : value.replace(/[^aeiouAEIOU]/g, "").length / letters.length,
    Math.max(0, ...(value.match(/\d+/g) ?? []).map((run) => run.length)),
    test(/0123|1234|abcd|qwer|asdf|3210|4321/i, value),
    test(/\$\{|#\{|\{\{|%\(|\$\(|%s|\{\d?\}|<[a-z]/i, value),
    test(/^[a-z][a-z0-9+.-]*:\/\//i, value),
    test(/^[a-z0-9]+(?:-[a-z0-9]+)+$/, value),
    test(/^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$/, value),
    test(/\btest|spec\b|assert|expect|should/i, before),
    new Set(value).size / length,
    after.trim() === "" || /^["'`]?[;,)}\]]*\s*$/.test(after) ? 1 : 0,
    (value.match(/-/g) ?? []).length,
    test(/^[A-Z]?[a-z']+(?: [a-z']+){2,}/, value),
  ];
}

const kindOf = (code: number): number =>
  code >= 48 && code <= 57 ? 0 : code >= 97 && code <= 122 ? 1 : code >= 65 && code <= 90 ? 2 : 3;
