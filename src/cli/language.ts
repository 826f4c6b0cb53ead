/** The language that a person reads, as POSIX has it: LC_ALL, then LC_MESSAGES, then LANG. */

/** Simplified Chinese where the locale says Chinese and not Taiwan, Hong Kong, Macau or Hant; else English. */
export function languageFrom(environment: Readonly<Record<string, string | undefined>>): "en" | "zh-CN" {
  const locale =
    ["LC_ALL", "LC_MESSAGES", "LANG"].map((name) => environment[name]).find((value) => value) ?? "";
  return /^zh(?![a-z])/i.test(locale) && !/[_-](?:TW|HK|MO|Hant)/i.test(locale) ? "zh-CN" : "en";
}
