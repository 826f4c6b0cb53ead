/**
 * Personal data. A number alone says little, so a finding needs a check digit that holds and, where the check is weak
 * (one digit in ten passes by chance), the name of the number close before it. Names and addresses are left out: no
 * rule can be exact about them.
 */
import {
  isChineseResidentId,
  isDate,
  isLuhn,
  isMod1110,
  isMrzChecked,
  isVerhoeff,
  mod97,
  weighted,
} from "../checksum.ts";
import { type Family, OWN_LICENCE, type Reader, type Span } from "../detector.ts";

/** How far before a number its name may stand. */
const CONTEXT_CHARACTERS = 48;

const contextBefore = (text: string, start: number): string =>
  text.slice(Math.max(0, start - CONTEXT_CHARACTERS), start).toLowerCase();

/** Part of a longer token: hexadecimal, UUID, path, decimal fraction, identifier; the value of a field of another name. */
const isGlued = (text: string, start: number, end: number): boolean =>
  /[\w.$#/\\%+-]/.test(text.charAt(start - 1)) ||
  (/[=&]/.test(text.charAt(start - 1)) && !NUMBER_FIELD.test(text.slice(Math.max(0, start - 32), start))) ||
  /[\w%]/.test(text.charAt(end)) ||
  /^[.-]\w/.test(text.slice(end, end + 2));

/** `card=`, `cc_number=`: what fields of a form and of a query that hold such a number are called. */
const NUMBER_FIELD =
  /(?:^|[^A-Za-z])(?:(?:credit|debit|payment|bank)?[_-]?cards?|ccn?|pan|ssn|itin|sin|nino?|pesel|aadhaar|cpf|tfn|national_?id|tax_?id|social(?:_?security)?|resident_?id|id_?card|acc(?:oun)?t)(?:[_-]?(?:no|nr|num|number))?=$/i;

interface NumberKind {
  readonly id: string;
  readonly title: string;
  readonly source: string;
  readonly digits: readonly number[];
  /** Must stand in the characters before; absent when the check alone is strong enough. */
  readonly named?: RegExp;
  /** `before`: what stands before it, in lower case. */
  readonly check: (digits: string, raw: string, before: string) => boolean;
  readonly examples: readonly string[];
  readonly counterexamples: readonly string[];
}

const number = (kind: NumberKind): Reader => ({
  id: kind.id,
  class: "personal",
  title: kind.title,
  source: kind.source,
  on: { numbers: true, digits: kind.digits },
  read: (text, start, end): Span | null => {
    const raw = text.slice(start, end);
    const digits = raw.replace(/[ -]/g, "");
    if (!kind.digits.includes(digits.length) || isGlued(text, start, end)) return null;
    if (/^(\d)\1+$/.test(digits)) return null;
    if (kind.named !== undefined && !kind.named.test(contextBefore(text, start))) return null;
    return kind.check(digits, raw, contextBefore(text, start)) ? { start, end, verified: true } : null;
  },
  examples: kind.examples,
  counterexamples: kind.counterexamples,
});

/** Issuer ranges, ISO/IEC 7812 as the schemes publish them. */
const CARD =
  /^(?:4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|6(?:011|5\d\d|4[4-9]\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17})$/;
const CARD_GROUPS = /^(?:\d{12,19}|\d{4}([ -])\d{4}\1\d{4}\1\d{1,7}|\d{4}([ -])\d{6}\2\d{4,5})$/;

const dated = (year: string, month: string, day: string): boolean =>
  isDate(1900 + Number(year), Number(month), Number(day)) ||
  isDate(2000 + Number(year), Number(month), Number(day));

/** The weights 3, 7, 1 over nine digits. */
const isRouting = (digits: string): boolean =>
  [...digits].reduce((sum, digit, i) => sum + Number(digit) * ([3, 7, 1][i % 3] ?? 0), 0) % 10 === 0;

const NUMBERS: readonly Reader[] = [
  number({
    id: "payment-card",
    title: "Payment card number",
    source: "https://www.iso.org/standard/70484.html (ISO/IEC 7812-1)",
    digits: [13, 14, 15, 16, 17, 18, 19],
    check: (digits, raw) => CARD.test(digits) && CARD_GROUPS.test(raw) && isLuhn(digits),
    examples: ["card 4111 1111 1111 1111", "4111-1111-1111-1111", "card,5500000000000004,"],
    counterexamples: ["4111 1111 1111 1112", "id 0x4111111111111111", "1.4111111111111111"],
  }),
  number({
    id: "us-ssn",
    title: "US social security number",
    source: "https://www.ssa.gov/employer/randomization.html",
    digits: [9],
    check: (digits, raw, before) =>
      /^\d{3}([- ])\d{2}\1\d{4}$/.test(raw) &&
      !/^(?:000|666|9)/.test(digits) &&
      !/^\d{3}00/.test(digits) &&
      !/0000$/.test(digits) &&
      // Numbers of advertisements count where somebody calls them one.
      (!["078051120", "219099999", "123456789"].includes(digits) ||
        /(?:ssn|social.security)\W{0,6}$/.test(before) ||
        /(?:^|[,;\t"])(?:ssn|social.security(?:.number)?)["]?(?:[,;\t]|\n)[\s\S]*[,;\t]"?$/.test(before)),
    examples: ["ssn 536-90-4399"],
    counterexamples: ["666-12-3456", "900-12-3456", "123-45-6789", "536904399"],
  }),
  number({
    id: "us-bank-routing",
    title: "US bank routing number",
    source: "https://www.aba.com/about-us/routing-number",
    digits: [9],
    named: /routing|\baba\b|\brtn\b/,
    check: (digits) => /^(?:0\d|1[0-2]|2[1-9]|3[0-2]|6[1-9]|7[0-2]|80)/.test(digits) && isRouting(digits),
    examples: ["routing_number: 021000021"],
    counterexamples: ["routing_number: 021000022", "id 021000021"],
  }),
  number({
    id: "us-itin",
    title: "US individual taxpayer number",
    source: "https://www.irs.gov/individuals/individual-taxpayer-identification-number",
    digits: [9],
    check: (_, raw) => /^9\d{2}-(?:5\d|6[0-5]|7\d|8[0-8]|9[0-24-9])-\d{4}$/.test(raw),
    examples: ["ITIN 911-70-1234"],
    counterexamples: ["911-10-1234"],
  }),
  number({
    id: "de-tax-id",
    title: "German tax identification number",
    source:
      "https://www.bzst.de/DE/Privatpersonen/SteuerlicheIdentifikationsnummer/steuerlicheidentifikationsnummer_node.html",
    digits: [11],
    named: /steuer|tax[ _-]?id|\bidnr/,
    check: (digits) => digits[0] !== "0" && isMod1110(digits),
    examples: ["Steuer-ID: 12345678903"],
    counterexamples: ["Steuer-ID: 12345678904", "build 12345678903"],
  }),
  number({
    id: "pl-pesel",
    title: "Polish PESEL",
    source: "https://www.gov.pl/web/gov/czym-jest-numer-pesel",
    digits: [11],
    named: /pesel/,
    check: (digits) => weighted(digits, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]) % 10 === 0,
    examples: ["PESEL 44051401458"],
    counterexamples: ["PESEL 44051401459"],
  }),
  number({
    id: "gb-nhs",
    title: "UK NHS number",
    source: "https://www.datadictionary.nhs.uk/attributes/nhs_number.html",
    digits: [10],
    named: /\bnhs\b/,
    check: (digits) => {
      const check = 11 - (weighted(digits, [10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11);
      return (check === 11 ? 0 : check) === Number(digits[9]);
    },
    examples: ["NHS no. 401 023 2137"],
    counterexamples: ["NHS no. 401 023 2138"],
  }),
  number({
    id: "in-aadhaar",
    title: "Indian Aadhaar number",
    source: "https://uidai.gov.in/en/my-aadhaar/about-your-aadhaar.html",
    digits: [12],
    named: /aadhaar|aadhar|uidai/,
    check: (digits) => /^[2-9]/.test(digits) && isVerhoeff(digits),
    examples: ["Aadhaar: 3123 4567 8909"],
    counterexamples: ["Aadhaar: 3123 4567 8908"],
  }),
  number({
    id: "kr-rrn",
    title: "Korean resident registration number",
    source: "https://www.law.go.kr/ (Resident Registration Act, enforcement rules)",
    digits: [13],
    check: (digits, raw) => {
      if (!/^\d{6}-\d{7}$/.test(raw) || !dated(digits.slice(0, 2), digits.slice(2, 4), digits.slice(4, 6)))
        return false;
      const sum = weighted(digits, [2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]);
      return (11 - (sum % 11)) % 10 === Number(digits[12]);
    },
    examples: ["960121-1234561"],
    counterexamples: ["960121-1234560", "961321-1234561"],
  }),
  number({
    id: "za-id",
    title: "South African identity number",
    source: "https://www.dha.gov.za/",
    digits: [13],
    named: /\bid\b|identity|\bsa id/,
    check: (digits) =>
      dated(digits.slice(0, 2), digits.slice(2, 4), digits.slice(4, 6)) &&
      /^\d{10}[01]/.test(digits) &&
      isLuhn(digits),
    examples: ["ID number: 8001015009087"],
    counterexamples: ["ID number: 8001015009088"],
  }),
  number({
    id: "th-id",
    title: "Thai national id",
    source: "https://www.bora.dopa.go.th/",
    digits: [13],
    named: /thai|national id|tnin|บัตร/,
    check: (digits) =>
      (11 - (weighted(digits, [13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11)) % 10 === Number(digits[12]),
    examples: ["Thai ID 1234567890121"],
    counterexamples: ["Thai ID 1234567890122"],
  }),
  number({
    id: "ca-sin",
    title: "Canadian social insurance number",
    source: "https://www.canada.ca/en/employment-social-development/services/sin.html",
    digits: [9],
    named: /\bsin\b|social insurance/,
    check: (digits) => !/^[08]/.test(digits) && isLuhn(digits),
    examples: ["SIN: 130 692 544"],
    counterexamples: ["SIN: 130 692 545"],
  }),
  number({
    id: "br-cpf",
    title: "Brazilian CPF",
    source: "https://www.gov.br/receitafederal/",
    digits: [11],
    named: /\bcpf\b/,
    check: (digits) => {
      const digit = (weights: readonly number[]): number => ((weighted(digits, weights) * 10) % 11) % 10;
      return (
        digit([10, 9, 8, 7, 6, 5, 4, 3, 2]) === Number(digits[9]) &&
        digit([11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) === Number(digits[10])
      );
    },
    examples: ["CPF 52998224725"],
    counterexamples: ["CPF 52998224726"],
  }),
  number({
    id: "au-tfn",
    title: "Australian tax file number",
    source: "https://www.ato.gov.au/individuals-and-families/tax-file-number",
    digits: [9],
    named: /\btfn\b|tax file/,
    check: (digits) => weighted(digits, [1, 4, 3, 7, 5, 8, 6, 9, 10]) % 11 === 0,
    examples: ["TFN 876 543 210"],
    counterexamples: ["TFN 876 543 211"],
  }),
  number({
    id: "se-personnummer",
    title: "Swedish personal number",
    source: "https://www.skatteverket.se/privat/folkbokforing/personnummer.4.3810a01c150939e893f18c29.html",
    digits: [10, 12],
    named: /person(?:al)?[ _-]?n|personnummer|\bpnr\b/,
    check: (digits) => {
      const short = digits.slice(-10);
      return dated(short.slice(0, 2), short.slice(2, 4), short.slice(4, 6)) && isLuhn(short);
    },
    examples: ["personnummer 920123-2387"],
    counterexamples: ["personnummer 920123-2388"],
  }),
  number({
    id: "tr-id",
    title: "Turkish national id",
    source: "https://www.nvi.gov.tr/",
    digits: [11],
    named: /\btckn\b|t\.?c\.? ?kimlik|kimlik no/,
    check: (digits) => {
      const odd = weighted(digits, [1, 0, 1, 0, 1, 0, 1, 0, 1]);
      const even = weighted(digits, [0, 1, 0, 1, 0, 1, 0, 1]);
      return (
        digits[0] !== "0" &&
        (((odd * 7 - even) % 10) + 10) % 10 === Number(digits[9]) &&
        weighted(digits, Array(10).fill(1)) % 10 === Number(digits[10])
      );
    },
    examples: ["TC Kimlik no: 10000000146"],
    counterexamples: ["TC Kimlik no: 10000000147"],
  }),
];

/** ISO 13616: country, two check digits, and the length each country registers. */
const IBAN_LENGTH: Readonly<Record<string, number>> = {
  AD: 24,
  AE: 23,
  AL: 28,
  AT: 20,
  AZ: 28,
  BA: 20,
  BE: 16,
  BG: 22,
  BH: 22,
  BI: 27,
  BR: 29,
  BY: 28,
  CH: 21,
  CR: 22,
  CY: 28,
  CZ: 24,
  DE: 22,
  DJ: 27,
  DK: 18,
  DO: 28,
  EE: 20,
  EG: 29,
  ES: 24,
  FI: 18,
  FK: 18,
  FO: 18,
  FR: 27,
  GB: 22,
  GE: 22,
  GI: 23,
  GL: 18,
  GR: 27,
  GT: 28,
  HN: 28,
  HR: 21,
  HU: 28,
  IE: 22,
  IL: 23,
  IQ: 23,
  IS: 26,
  IT: 27,
  JO: 30,
  KW: 30,
  KZ: 20,
  LB: 28,
  LC: 32,
  LI: 21,
  LT: 20,
  LU: 20,
  LV: 21,
  LY: 25,
  MC: 27,
  MD: 24,
  ME: 22,
  MK: 19,
  MN: 20,
  MR: 27,
  MT: 31,
  MU: 30,
  NI: 28,
  NL: 18,
  NO: 15,
  OM: 23,
  PK: 24,
  PL: 28,
  PS: 29,
  PT: 25,
  QA: 29,
  RO: 24,
  RS: 22,
  RU: 33,
  SA: 24,
  SC: 31,
  SD: 18,
  SE: 24,
  SI: 19,
  SK: 24,
  SM: 27,
  SO: 23,
  ST: 25,
  SV: 28,
  TL: 23,
  TN: 24,
  TR: 26,
  UA: 29,
  VA: 22,
  VG: 24,
  XK: 20,
  YE: 30,
};

const IBAN: Reader = {
  id: "iban",
  class: "personal",
  title: "International bank account number",
  source: "https://www.swift.com/standards/data-standards/iban-international-bank-account-number",
  on: { numbers: true },
  read: (text, start) => {
    // The digits of an IBAN begin at most eight letters after its country code.
    const from = Math.max(0, start - 14);
    const head = /(?<![A-Za-z0-9])([A-Z]{2})(?=\d\d)(?:\d\d[A-Z0-9 -]{0,12})?$/.exec(
      text.slice(from, start) + text.slice(start, start + 2),
    );
    const country = /(?<![A-Za-z0-9])[A-Z]{2}(?=\d\d)/.exec(text.slice(from, start + 2));
    if (country === null && head === null) return null;
    const at = from + (country?.index ?? 0);
    const length = IBAN_LENGTH[text.slice(at, at + 2)];
    if (length === undefined) return null;
    let compact = "";
    let end = at;
    while (compact.length < length && end < text.length && end - at < length + 16) {
      const char = text.charAt(end++);
      if (/[A-Za-z0-9]/.test(char)) compact += char.toUpperCase();
      else if (char !== " " && char !== "-") return null;
    }
    if (compact.length !== length || /[A-Za-z0-9]/.test(text.charAt(end))) return null;
    // Check digits run from 02 to 98: others pass the remainder but are never issued.
    if (!/^..(?:0[2-9]|[1-8]\d|9[0-8])/.test(compact)) return null;
    return mod97(compact.slice(4) + compact.slice(0, 4)) === 1 ? { start: at, end, verified: true } : null;
  },
  examples: ["IBAN GB82 WEST 1234 5698 7654 32", "DE89370400440532013000", "NO9386011117947"],
  counterexamples: ["GB82 WEST 1234 5698 7654 33", "XX82370400440532013000", "DE99000000000000000030"],
};

const CHINESE_RESIDENT: Reader = {
  id: "cn-resident-id",
  class: "personal",
  title: "Chinese resident identity number",
  source: "GB 11643-1999",
  on: { numbers: true },
  read: (text, start, end) => {
    if (/[\w.]/.test(text.charAt(start - 1))) return null;
    const id = text.slice(start, start + 18);
    if (end - start < 17 || !isChineseResidentId(id) || /\w/.test(text.charAt(start + 18))) return null;
    return { start, end: start + 18, verified: true };
  },
  examples: ["身份证 11010519491231002X", "id=440308199901010514"],
  counterexamples: ["110105194912310021", "11010519491331002X"],
};

/** Names the domain of an address nobody can own (RFC 2606, RFC 6761) or a machine's own sender. */
const UNOWNED =
  /@(?:[\w-]+\.)*(?:example|test|invalid|localhost)(?:\.(?:com|org|net))?$|^(?:git|noreply|no-reply)@|@users\.noreply\./i;
const FILE_LIKE =
  /\.(?:png|jpe?g|gif|svg|webp|js|mjs|cjs|ts|tsx|jsx|css|scss|py|go|rs|json|md|ya?ml|so|dll|lock|service|local)$/i;

const EMAIL: Reader = {
  id: "email",
  class: "personal",
  title: "E-mail address",
  source: "https://www.rfc-editor.org/rfc/rfc5322#section-3.4.1",
  on: { character: "@" },
  read: (text, at) => {
    let start = at;
    while (start > 0 && at - start < 64 && /[A-Za-z0-9._%+-]/.test(text.charAt(start - 1))) start--;
    while (start < at && /[._%+-]/.test(text.charAt(start))) start++;
    if (start === at || /[/:]/.test(text.charAt(start - 1)) || text.charAt(at - 1) === ".") return null;
    const domain =
      /^@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9-])/.exec(
        text.slice(at, at + 200),
      )?.[0];
    if (domain === undefined) return null;
    const address = text.slice(start, at) + domain;
    if (UNOWNED.test(address) || FILE_LIKE.test(address)) return null;
    return { start, end: at + domain.length, verified: false };
  },
  examples: ["mail jane.doe@fake-company.de now"],
  counterexamples: ["a@example.com", "icon@2x.png", "git@github.com:x/y", "pkg@1.2.3", "@scope/name"],
};

const PHONE: Reader = {
  id: "phone",
  class: "personal",
  title: "Telephone number in international form, or named as one",
  source: "https://www.itu.int/rec/T-REC-E.164",
  on: { character: "+" },
  read: (text, start) => {
    const next = text.charCodeAt(start + 1);
    if (next < 48 || next > 57 || /[\w.+]/.test(text.charAt(start - 1))) return null;
    const raw = /^\+\d{1,3}[ .()-]{0,2}\d(?:[ .()-]{0,2}\d){5,12}(?!\w)/.exec(
      text.slice(start, start + 48),
    )?.[0];
    if (raw === undefined) return null;
    const end = start + raw.length;
    // Arithmetic and time zones: a plus and digits need a telephone's grouping or its name.
    if (
      !/[ .()-]/.test(raw) &&
      !/tel|phone|mobile|fax|call|sms|whatsapp|contact|电话|手机/.test(contextBefore(text, start))
    )
      return null;
    const digits = raw.replace(/\D/g, "");
    return digits.length >= 9 && digits.length <= 15 && !/(\d)\1{5}/.test(digits)
      ? { start, end, verified: false }
      : null;
  },
  examples: ["call +49 30 901820 11", "phone: +14155550132"],
  counterexamples: ["x = 1+4155550132", "2024-01-01T00:00:00+01:00"],
};

const VAT: Readonly<Record<string, RegExp>> = {
  AT: /^U\d{8}$/,
  BE: /^[01]\d{9}$/,
  BG: /^\d{9,10}$/,
  CY: /^\d{8}[A-Z]$/,
  CZ: /^\d{8,10}$/,
  DE: /^\d{9}$/,
  DK: /^\d{8}$/,
  EE: /^\d{9}$/,
  EL: /^\d{9}$/,
  ES: /^[A-Z0-9]\d{7}[A-Z0-9]$/,
  FI: /^\d{8}$/,
  FR: /^[A-HJ-NP-Z0-9]{2}\d{9}$/,
  GB: /^\d{9}(?:\d{3})?$/,
  HR: /^\d{11}$/,
  HU: /^\d{8}$/,
  IE: /^\d[A-Z0-9+*]\d{5}[A-Z]{1,2}$/,
  IT: /^\d{11}$/,
  LT: /^(?:\d{9}|\d{12})$/,
  LU: /^\d{8}$/,
  LV: /^\d{11}$/,
  MT: /^\d{8}$/,
  NL: /^\d{9}B\d\d$/,
  PL: /^\d{10}$/,
  PT: /^\d{9}$/,
  RO: /^\d{2,10}$/,
  SE: /^\d{10}01$/,
  SI: /^\d{8}$/,
  SK: /^\d{10}$/,
};
const VAT_CHECK: Readonly<Record<string, (body: string) => boolean>> = {
  DE: isMod1110,
  HR: isMod1110,
  IT: isLuhn,
  BE: (body) => 97 - (Number(body.slice(0, 8)) % 97) === Number(body.slice(8)),
  PL: (body) => weighted(body, [6, 5, 7, 2, 3, 4, 5, 6, 7]) % 11 === Number(body[9]),
  FR: (body) =>
    !/^\d\d/.test(body) || (12 + 3 * (Number(body.slice(2)) % 97)) % 97 === Number(body.slice(0, 2)),
  DK: (body) => weighted(body, [2, 7, 6, 5, 4, 3, 2, 1]) % 11 === 0,
  LU: (body) => Number(body.slice(0, 6)) % 89 === Number(body.slice(6)),
};

const named = (
  reader: Omit<Reader, "on" | "read" | "class"> & {
    readonly anchors: readonly string[];
    readonly after: RegExp;
    /** Of the value in upper case without separators, and as it stands. */
    readonly check: (value: string, asItStands: string) => boolean;
  },
): Reader => ({
  id: reader.id,
  class: "personal",
  title: reader.title,
  source: reader.source,
  on: { anchors: reader.anchors },
  read: (text, at, end) => {
    if (/[A-Za-z]/.test(text.charAt(at - 1))) return null;
    const stretch = text.slice(end, end + 64);
    const match = reader.after.exec(stretch);
    const value = match?.[1];
    if (
      match === null ||
      value === undefined ||
      !reader.check(value.replace(/[ .-]/g, "").toUpperCase(), value)
    )
      return null;
    const start = end + match.index + match[0].lastIndexOf(value);
    return { start, end: start + value.length, verified: true };
  },
  examples: reader.examples,
  counterexamples: reader.counterexamples,
});

const SPANISH = "TRWAGMYFPDXBNJZSQVHLCKE";

const DOCUMENTS: readonly Reader[] = [
  named({
    id: "vat-number",
    title: "EU or UK VAT number",
    source: "https://taxation-customs.ec.europa.eu/taxation/vat/vat-directive/vat-identification-numbers_en",
    anchors: ["vat", "ust-id", "ust.-id", "uid-nr", "tva", "btw", "partita iva", "p.iva", "umsatzsteuer"],
    after:
      /^[A-Za-z .:#=_"'-]{0,24}?((?:AT|BE|BG|CY|CZ|DE|DK|EE|EL|ES|FI|FR|GB|HR|HU|IE|IT|LT|LU|LV|MT|NL|PL|PT|RO|SE|SI|SK)[ -]?[A-Z0-9](?:[ .-]?[A-Z0-9+*]){6,12})(?![A-Za-z0-9])/,
    check: (value) => {
      const body = value.slice(2);
      return VAT[value.slice(0, 2)]?.test(body) === true && (VAT_CHECK[value.slice(0, 2)]?.(body) ?? true);
    },
    examples: ["VAT ID: DE136695976", "USt-IdNr. DE 136 695 976"],
    counterexamples: ["VAT ID: DE136695975", "private DE136695976x"],
  }),
  named({
    id: "gb-nino",
    title: "UK national insurance number",
    source: "https://www.gov.uk/hmrc-internal-manuals/national-insurance-manual/nim39110",
    anchors: ["national insurance", "nino", "ni number", "ni no"],
    after:
      /^[A-Za-z .:#="']{0,20}?([A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D])(?![A-Za-z0-9])/i,
    check: (value) => !/^(?:BG|GB|KN|NK|NT|TN|ZZ)/.test(value),
    examples: ["NINO: AA 12 34 56 B"],
    counterexamples: ["NINO: GB 12 34 56 B", "domino aa123456b"],
  }),
  named({
    id: "es-nif",
    title: "Spanish NIF or NIE",
    source: "https://www.interior.gob.es/opencms/es/servicios-al-ciudadano/tramites-y-gestiones/dni/",
    anchors: ["nif", "nie", "dni"],
    after: /^[A-Za-z .:#="']{0,12}?([XYZ]?-?\d{7,8}-?[A-Z])(?![A-Za-z0-9])/i,
    check: (value) => {
      const digits = value.replace(/^[XYZ]/, (first) => String("XYZ".indexOf(first))).slice(0, -1);
      return SPANISH.charAt(Number(digits) % 23) === value.slice(-1);
    },
    examples: ["NIF: 12345678Z", "NIE Z8078221M"],
    counterexamples: ["NIF: 12345678A"],
  }),
  named({
    id: "passport",
    title: "Passport number, named as one",
    source: "https://www.icao.int/publications/pages/publication.aspx?docnum=9303",
    anchors: ["passport", "reisepass", "护照号"],
    after:
      /^[A-Za-z .:#="'码]{0,20}?((?:[A-Z]{1,2}\d{6,8}|[CFGHJK][CFGHJKLMNPRTVWXYZ0-9]{8})|(?<=no\.?:? ?|number:? ?|#:? ?)\d{9})(?![A-Za-z0-9])/,
    check: (value) => /\d{3}/.test(value),
    examples: ["passport no: AB1234567", "护照号 E12345678"],
    counterexamples: ["passport-local strategy", "passport 1.0.0"],
  }),
  named({
    id: "fi-hetu",
    title: "Finnish personal identity code",
    source: "https://dvv.fi/en/personal-identity-code",
    anchors: ["hetu", "henkil", "personal identity code", "personbeteckning"],
    after: /^[A-Za-zäö .:#="']{0,24}?([0-3]\d[01]\d{3}[-+A-FU-Y]\d{3}[0-9A-FHJ-NPR-Y])(?![A-Za-z0-9])/i,
    check: (_, raw) =>
      "0123456789ABCDEFHJKLMNPRSTUVWXY".charAt(Number(raw.slice(0, 6) + raw.slice(7, 10)) % 31) ===
      raw.charAt(10).toUpperCase(),
    examples: ["HETU: 131052-308T"],
    counterexamples: ["HETU: 131052-308U", "hetu 131052"],
  }),
  named({
    id: "de-rvnr",
    title: "German social security number",
    source:
      "https://www.deutsche-rentenversicherung.de/DRV/DE/Experten/Arbeitgeber-und-Steuerberater/summa-summarum/Lexikon/V/versicherungsnummer.html",
    anchors: ["sozialversicherung", "rentenversicherung", "versicherungsnummer", "rvnr", "svnr"],
    after: /^[A-Za-z .:#="'-]{0,24}?(\d{2} ?[0-3]\d[01]\d{3} ?[A-Z] ?\d{2} ?\d)(?![A-Za-z0-9])/i,
    check: (value) => {
      const letter = String(value.charCodeAt(8) - 64).padStart(2, "0");
      const digits = value.slice(0, 8) + letter + value.slice(9, 11);
      const sum = [2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1].reduce((total, weight, i) => {
        const product = weight * Number(digits[i]);
        return total + Math.floor(product / 10) + (product % 10);
      }, 0);
      return sum % 10 === Number(value[11]);
    },
    examples: ["Sozialversicherungsnummer: 65 170839 J 003", "RVNR 65170839J003"],
    counterexamples: ["RVNR 65170839J004"],
  }),
  named({
    id: "in-gstin",
    title: "Indian GST number of a trader",
    source: "https://www.gst.gov.in/",
    anchors: ["gstin", "gst no", "gst number"],
    after: /^[A-Za-z .:#="']{0,16}?(\d{2}[A-Z]{5}\d{4}[A-Z][A-Z1-9]Z[0-9A-Z])(?![A-Za-z0-9])/i,
    check: (value) => {
      const sum = [...value.slice(0, 14)].reduce((total, char, i) => {
        const product = Number.parseInt(char, 36) * (1 + (i % 2));
        return total + Math.floor(product / 36) + (product % 36);
      }, 0);
      return (36 - (sum % 36)) % 36 === Number.parseInt(value.charAt(14), 36);
    },
    examples: ["GSTIN: 27AAPFU0939F1ZV"],
    counterexamples: ["GSTIN: 27AAPFU0939F1ZW"],
  }),
  named({
    id: "us-mbi",
    title: "US Medicare beneficiary identifier, named as one",
    source: "https://www.cms.gov/medicare/new-medicare-card/understanding-the-mbi-format",
    anchors: ["mbi", "medicare"],
    after:
      /^[A-Za-z .:#="']{0,24}?([1-9][AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y]\d-?[AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y]\d-?[AC-HJKMNP-RT-Y]{2}\d{2})(?![A-Za-z0-9])/,
    check: () => true,
    examples: ["MBI: 1EG4-TE5-MK73", "Medicare number 1EG4TE5MK73"],
    counterexamples: ["MBI: 1SG4-TE5-MK73", "combi 1EG4TE5MK73"],
  }),
  named({
    id: "it-fiscal-code",
    title: "Italian fiscal code",
    source: "https://www.agenziaentrate.gov.it/portale/web/guest/schede/istanze/richiesta-ts_cf",
    anchors: ["codice fiscale", "fiscal code", "cod. fisc", "c.f."],
    after: /^[A-Za-z .:#="']{0,16}?([A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z])(?![A-Za-z0-9])/i,
    check: (value) => {
      const odd = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23,
      ];
      let sum = 0;
      for (let i = 0; i < 15; i++) {
        const code = value.charCodeAt(i);
        const rank = code >= 65 ? code - 65 : code - 48;
        sum += i % 2 === 0 ? (odd[rank] ?? 0) : rank;
      }
      return String.fromCharCode(65 + (sum % 26)) === value.charAt(15);
    },
    examples: ["codice fiscale RSSMRA85T10A562S"],
    counterexamples: ["codice fiscale RSSMRA85T10A562T"],
  }),
];

export const PERSONAL: Family = {
  name: "personal data",
  written: "2026-11-20",
  licence: OWN_LICENCE,
  detectors: [
    ...NUMBERS,
    IBAN,
    CHINESE_RESIDENT,
    EMAIL,
    PHONE,
    ...DOCUMENTS,
    {
      id: "mrz",
      class: "personal",
      title: "Machine-readable zone of a passport or identity card",
      source: "https://www.icao.int/publications/pages/publication.aspx?docnum=9303",
      anchors: ["<<<"],
      lead: "mrz",
      pattern:
        /(?<![A-Z0-9<])(?:P[A-Z<][A-Z]{3}[A-Z<]{39}\s{1,4})?([A-Z0-9<]{9}\d[A-Z<]{3}\d{7}[MFX<]\d{7}[A-Z0-9<]{14}[\d<]\d)(?![A-Z0-9<])/,
      accept: (line) =>
        isMrzChecked(line.slice(0, 9), line.charAt(9)) &&
        isMrzChecked(line.slice(13, 19), line.charAt(19)) &&
        isMrzChecked(line.slice(21, 27), line.charAt(27)),
      examples: ["L898902C36UTO7408122F1204159ZE184226B<<<<<10"],
      counterexamples: ["L898902C37UTO7408122F1204159ZE184226B<<<<<10", "<<<<<<< HEAD"],
    },
  ],
};
