/**
 * What of a run's environment stands in its requests word for word: host, user, folder, time zone, date. Such a value is
 * replaced by its name, so that two runs which say the same about different environments compare equal; what remains
 * different is how it was said. A date keeps its separators: `2026-11-20` becomes `‹year›-‹month›-‹day›`.
 *
 * Pure: the zone's local time is worked out by Intl from the run's own beginning and end.
 */
import { homeInside } from "../chamber/plan.ts";
import type { Setting } from "../chamber/setting.ts";

export interface Echo {
  /** The text with the environment's values replaced by their names. */
  replace(text: string): string;
  /** Names that were replaced at least once. */
  readonly met: ReadonlySet<string>;
}

/** Shorter values stand in too many places by chance. */
const MIN_VALUE = 4;
const MINUTE = 60_000;

/** One run's environment, beside its setting. `literals`: further values with their names (prompts, lines of files). */
export interface Surroundings {
  readonly setting: Setting;
  /** Unix ms by the agent's clock. */
  readonly from: number;
  readonly to: number;
  readonly literals: readonly (readonly [value: string, name: string])[];
}

/** `base`: the base URL whose host is to be named, which need not be the setting's; null: none is. */
export function echoOf({ setting, from, to, literals: more }: Surroundings, base: string | null): Echo {
  const met = new Set<string>();
  const literals = literalsOf({ ...setting, base }, more);
  const named = new Map(literals);
  // `.github` is a folder's name where it begins one, and no part of `api.github.com`.
  const pattern = new RegExp(
    literals.map(([value]) => `${value.startsWith(".") ? "(?<![\\w-])" : ""}${escaped(value)}`).join("|"),
    "g",
  );
  const times = timeRules(setting, from, to);
  const meet = (name: string): string => {
    met.add(name);
    return `‹${name}›`;
  };
  return {
    met,
    replace: (text) => {
      const plain =
        literals.length === 0 ? text : text.replace(pattern, (found) => meet(named.get(found) ?? "?"));
      // Only texts with a digit hold a date or a time.
      return /\d/.test(plain) ? times.reduce((at, rule) => rule(at, meet), plain) : plain;
    },
  };
}

/** Longest first, so that an address goes before the host in it. */
function literalsOf(setting: Setting, more: Surroundings["literals"]): [string, string][] {
  const out = new Map<string, string>();
  const add = (value: string | null | undefined, name: string): void => {
    if (value !== null && value !== undefined && value.length >= MIN_VALUE && !out.has(value))
      out.set(value, name);
  };
  for (const [value, name] of more) add(value, name);
  if (setting.base !== null) {
    add(setting.base, "base-url");
    const { host, hostname } = new URL(setting.base);
    add(host, "base-host");
    add(hostname, "base-host");
  }
  add(homeInside(setting), "home");
  add(homeInside(setting).replaceAll("/", "-"), "home");
  add(setting.gitRemote, "git-remote");
  add(remoteHost(setting.gitRemote), "git-host");
  add(setting.gitRemote.replace(/^.*[:/]([^/]+\/[^/]+?)(?:\.git)?$/, "$1"), "git-repository");
  add(setting.gitEmail, "git-email");
  add(setting.gitEmail.replace(/^.*@/, ""), "git-email-domain");
  add(setting.machine, "machine");
  add(setting.user, "user");
  add(setting.dnsSuffix, "dns-suffix");
  for (const zone of zonesOf(setting)) add(zone, "zone");
  for (const [name, value] of Object.entries(setting.variables))
    if (/^(LANG|LANGUAGE|LC_\w+)$/.test(name)) addLocale(add, value);
  return [...out].toSorted(([a], [b]) => b.length - a.length);
}

function addLocale(add: (value: string, name: string) => void, value: string): void {
  const tag = value.replace(/[.@:].*$/, "");
  for (const form of [value, tag, tag.replace("_", "-")]) add(form, "locale");
}

const remoteHost = (remote: string): string =>
  remote
    .replace(/^[a-z+]+:\/\//, "")
    .replace(/^[^@/]*@/, "")
    .replace(/[:/].*$/, "");

/** The zone by variable, and by file. */
const zonesOf = (setting: Setting): string[] =>
  [...new Set([setting.variables["TZ"] ?? "", setting.localtime])].filter((z) => z !== "");

type Rule = (text: string, meet: (name: string) => string) => string;

function timeRules(setting: Setting, from: number, to: number): Rule[] {
  const zones = [...zonesOf(setting), "UTC"].filter(isZone);
  const moments = zones.flatMap((zone) => [from, to].map((at) => partsIn(zone, at)));
  const days = new Map(moments.map((m) => [`${m.year}-${m.month}-${m.day}`, m]));
  const locales = [...new Set(["en-US", localeTag(setting)])].filter(isLocale);
  return [
    spelledDates(zones, [from, to], locales),
    numericDates([...days.values()]),
    clockTimes(zones, from, to),
    offsets(zones, from, locales),
  ];
}

/** A whole date in words: `Friday, November 20, 2026`, `2026年11月20日星期五`. */
function spelledDates(
  zones: readonly string[],
  moments: readonly number[],
  locales: readonly string[],
): Rule {
  const found = new Map<string, string>();
  for (const locale of locales)
    for (const [style, options] of Object.entries(SPELLINGS))
      for (const timeZone of zones)
        for (const at of moments) {
          const text = new Intl.DateTimeFormat(locale, { ...options, timeZone }).format(at);
          if (/\d{4}/.test(text) && !/^\d+\D\d+\D\d+\D?$/.test(text) && !found.has(text))
            found.set(text, `date ${locale} ${style}`);
        }
  for (const timeZone of zones)
    for (const at of moments) {
      const [weekday = "", month = "", day = "", year = ""] = asciiDate(timeZone, at);
      found.set(`${weekday} ${month} ${day} ${year}`, "date Date.toDateString");
      found.set(`${weekday}, ${day} ${month} ${year}`, "date RFC 5322");
      found.set(`${day} ${month} ${year}`, "date day month year");
    }
  const longest = [...found.keys()].toSorted((a, b) => b.length - a.length);
  const pattern = new RegExp(longest.map(escaped).join("|"), "g");
  const months = monthPattern(zones, moments, locales);
  return (text, meet) =>
    text
      .replace(pattern, (date) => meet(found.get(date) ?? "date"))
      .replace(months, () => meet("month and year"));
}

/** The month alone: `November 2026`, `Nov 2026`, `2026年11月`, `2026-11`. */
function monthPattern(
  zones: readonly string[],
  moments: readonly number[],
  locales: readonly string[],
): RegExp {
  const found = new Set<string>();
  const digits = new Set<string>();
  for (const timeZone of zones)
    for (const at of moments) {
      const { year, month } = partsIn(timeZone, at);
      digits.add(`${year}-${month}`);
      for (const locale of locales)
        for (const style of ["long", "short"] as const)
          found.add(new Intl.DateTimeFormat(locale, { month: style, year: "numeric", timeZone }).format(at));
    }
  const words = `(?<![\\w-])(?:${[...found].map(escaped).join("|")})(?![\\w-])`;
  return new RegExp(`${words}|(?<!\\d)(?:${[...digits].map(escaped).join("|")})(?![\\d-])`, "g");
}

const SPELLINGS: Readonly<Record<string, Intl.DateTimeFormatOptions>> = {
  full: { dateStyle: "full" },
  long: { dateStyle: "long" },
  medium: { dateStyle: "medium" },
  weekday: { weekday: "long", year: "numeric", month: "long", day: "numeric" },
  short: { weekday: "short", year: "numeric", month: "short", day: "numeric" },
};

function asciiDate(timeZone: string, at: number): string[] {
  const parts = new Intl.DateTimeFormat("en-US", {
    timeZone,
    weekday: "short",
    year: "numeric",
    month: "short",
    day: "2-digit",
  }).formatToParts(at);
  const of = (type: string): string => parts.find((part) => part.type === type)?.value ?? "";
  return [of("weekday"), of("month"), of("day"), of("year")];
}

/** Digits in any order with any separators; the separators stay. */
function numericDates(days: readonly { year: string; month: string; day: string }[]): Rule {
  const isDay = (y: string, m: string, d: string): boolean =>
    days.some(
      (day) =>
        Number(day.year) === Number(y) && Number(day.month) === Number(m) && Number(day.day) === Number(d),
    );
  const word = (name: string, digits: string, meet: (name: string) => string): string =>
    meet(digits.length === 1 ? `${name}, one digit` : name);
  return (text, meet) =>
    text
      .replace(
        /(?<!\d)(\d{4})([^\w\n]{0,3})(\d{1,2})([^\w\n]{0,3})(\d{1,2})(?!\d)/gu,
        (all, y, a, m, b, d) =>
          isDay(y, m, d) ? `${meet("year")}${a}${word("month", m, meet)}${b}${word("day", d, meet)}` : all,
      )
      .replace(
        /(?<!\d)(\d{1,2})([^\w\n]{1,3})(\d{1,2})([^\w\n]{1,3})(\d{4})(?!\d)/gu,
        (all, p, a, q, b, y) => {
          if (isDay(y, p, q))
            return `${word("month", p, meet)}${a}${word("day", q, meet)}${b}${meet("year")}`;
          if (isDay(y, q, p))
            return `${word("day", p, meet)}${a}${word("month", q, meet)}${b}${meet("year")}`;
          return all;
        },
      );
}

/** Local and UTC times of day within the run, and a minute round it. */
function clockTimes(zones: readonly string[], from: number, to: number): Rule {
  const minutes = new Map<number, string>();
  for (const zone of zones.toReversed())
    for (let at = from - MINUTE; at <= to + MINUTE; at += MINUTE) {
      const { hour, minute } = partsIn(zone, at);
      minutes.set(Number(hour) * 60 + Number(minute), zone === "UTC" ? "UTC time" : "local time");
    }
  const nameOf = (h: string, m: string, half: string | undefined): string | undefined => {
    const hour = half === undefined ? Number(h) : (Number(h) % 12) + (/^p/i.test(half) ? 12 : 0);
    return minutes.get(hour * 60 + Number(m));
  };
  const compact = (text: string, meet: (name: string) => string): string =>
    text.replace(
      /(?<=[\d›][T_ -])(\d{2})([-_.]?)(\d{2})([-_.]?)(\d{2})(?!\d)/g,
      (all, h: string, a: string, m: string, b: string) => {
        const name = nameOf(h, m, undefined);
        return name === undefined ? all : `${meet(name)}${a}‹minute›${b}‹seconds›`;
      },
    );
  return (text, meet) =>
    compact(text, meet).replace(
      /(?<![\d:])(\d{1,2})(:|时)(\d{2})(?!\d)(?:(:|分)(\d{2})(?!\d)(?:[.,]\d{1,9})?)?(?:([\s\u202f]?)([AaPp])\.?[Mm]\.?(?!\w))?/gu,
      (all, h, a, m, b, s, gap, half) => {
        const name = nameOf(h, m, half);
        if (name === undefined) return all;
        const seconds = s === undefined ? "" : `${b}‹seconds›`;
        return `${meet(name)}${a}‹minute›${seconds}${half === undefined ? "" : `${gap}‹half›`}`;
      },
    );
}

/** `+08:00`, `-0500`, `GMT+8`, `EST`, `China Standard Time`. */
function offsets(zones: readonly string[], at: number, locales: readonly string[]): Rule {
  const found = new Map<string, string>();
  for (const timeZone of zones) {
    if (timeZone === "UTC") continue;
    for (const locale of locales)
      for (const style of [
        "long",
        "short",
        "shortOffset",
        "longOffset",
        "longGeneric",
        "shortGeneric",
      ] as const) {
        const parts = new Intl.DateTimeFormat(locale, { timeZone, timeZoneName: style }).formatToParts(at);
        const text = parts.find((part) => part.type === "timeZoneName")?.value ?? "";
        if (text.length >= 3) found.set(text, "zone name");
        const digits = /([+-])(\d{2}):(\d{2})$/.exec(text);
        if (digits !== null)
          for (const form of [":", ""]) found.set(`${digits[1]}${digits[2]}${form}${digits[3]}`, "offset");
        if (digits !== null) found.set(`UTC${digits[1]}${Number(digits[2])}`, "zone name");
      }
  }
  const longest = [...found.keys()].toSorted((a, b) => b.length - a.length);
  const pattern = new RegExp(`(?<![\\w])(?:${longest.map(escaped).join("|")})(?!\\w)`, "g");
  return (text, meet) =>
    longest.length === 0 ? text : text.replace(pattern, (zone) => meet(found.get(zone) ?? "zone name"));
}

function partsIn(timeZone: string, at: number): Record<"year" | "month" | "day" | "hour" | "minute", string> {
  const parts = new Intl.DateTimeFormat("en-US", {
    ...{
      timeZone,
      hourCycle: "h23",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
    },
  }).formatToParts(at);
  const of = (type: string): string => parts.find((part) => part.type === type)?.value ?? "";
  return { year: of("year"), month: of("month"), day: of("day"), hour: of("hour"), minute: of("minute") };
}

const localeTag = (setting: Setting): string =>
  (setting.variables["LC_ALL"] ?? setting.variables["LANG"] ?? "en_US")
    .replace(/[.@:].*$/, "")
    .replace("_", "-");

function isZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat("en-US", { timeZone: zone });
    return true;
  } catch {
    return false; // a zone that Intl does not know has no local time to look for
  }
}

function isLocale(tag: string): boolean {
  try {
    return Intl.DateTimeFormat.supportedLocalesOf(tag).length > 0;
  } catch {
    return false; // `C`, `POSIX` and the like
  }
}

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\/-]/g, "\\$&");
