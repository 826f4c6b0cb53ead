// The console's words: every language has the same keys with the same places for values, every key that the code names is
// there, and none is there that no code names. A key built from a variable (`verdict.${name}`) uses all keys of its shape.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const WEB = join(import.meta.dirname, "../src/console/web");
const LANGUAGES = readdirSync(join(WEB, "words")).sort();
const PAGES = readdirSync(join(WEB, "words/en")).map((file) => file.replace(/\.json$/, ""));
const PLURAL = /_(zero|one|two|few|many|other)$/;

function flat(words: unknown, before = ""): [string, string][] {
  if (typeof words === "string") return [[before, words]];
  if (typeof words !== "object" || words === null)
    throw new Error(`${before}: neither words nor a group of them`);
  return Object.entries(words).flatMap(([name, inner]) =>
    flat(inner, before === "" ? name : `${before}.${name}`),
  );
}

const wordsOf = (language: string, page: string): Map<string, string> =>
  new Map(flat(JSON.parse(readFileSync(join(WEB, "words", language, `${page}.json`), "utf8"))));

/** Keys without their plural endings: languages differ in how many they have. */
const keysOf = (language: string, page: string): string[] =>
  [...new Set([...wordsOf(language, page).keys()].map((key) => key.replace(PLURAL, "")))].sort();

const placesOf = (text: string): string[] =>
  [...text.matchAll(/\{\{\s*(\w+)[^}]*\}\}/g)].map((m) => m[1] ?? "").sort();

interface Use {
  readonly page: string;
  readonly shape: RegExp;
  readonly at: string;
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** Every `t("key")` and ``t(`key.${x}`)`` of the code, also as `ns:key`; the default page is the first of `useTranslation`. */
function usesOf(file: string): Use[] {
  const text = readFileSync(join(WEB, file), "utf8");
  const folder = /^pages\/([^/]+)\//.exec(file)?.[1];
  const uses: Use[] = [];
  for (const match of text.matchAll(/\b(?:t|i18nKey)\s*[=(]\s*(?:"([^"\n]+)"|`([^`\n]+)`)/g)) {
    const named = match[1] ?? match[2] ?? "";
    const spaced = /^([\w-]+):(.*)$/s.exec(named);
    const page = spaced?.[1] ?? folder ?? "frame";
    const key = spaced?.[2] ?? named;
    const shape = key
      .split(/\$\{[^}]*\}/)
      .map(escaped)
      .join("[\\w-]+");
    uses.push({ page, shape: new RegExp(`^${shape}$`), at: `${file}: ${named}` });
  }
  return uses;
}

const FILES = readdirSync(WEB, { recursive: true, encoding: "utf8" }).filter((file) =>
  /(?<!\.test)\.tsx?$/.test(file),
);
const USES = FILES.flatMap(usesOf);

it("there is something to check", () => {
  expect(LANGUAGES).toEqual(["en", "zh-CN"]);
  expect(PAGES.length).toBeGreaterThan(10);
  expect(USES.length).toBeGreaterThan(50);
});

describe.each(PAGES)("%s", (page) => {
  it("every language has the same keys", () => {
    for (const language of LANGUAGES) expect(keysOf(language, page), language).toEqual(keysOf("en", page));
  });

  it("every language says the same values", () => {
    const english = wordsOf("en", page);
    for (const language of LANGUAGES)
      for (const [key, text] of wordsOf(language, page)) {
        const other = english.get(key) ?? english.get(`${key.replace(PLURAL, "")}_other`) ?? "";
        // A singular may leave its number out.
        if (!key.endsWith("_one"))
          expect(placesOf(text), `${language} ${page}:${key}`).toEqual(placesOf(other));
      }
  });

  it("no key is unused", () => {
    const unused = keysOf("en", page).filter(
      (key) => !USES.some((use) => use.page === page && use.shape.test(key)),
    );
    expect(unused).toEqual([]);
  });
});

it("no key is missing", () => {
  const missing = USES.filter(
    ({ page, shape }) => !PAGES.includes(page) || !keysOf("en", page).some((key) => shape.test(key)),
  );
  expect(missing.map(({ at }) => at)).toEqual([]);
});
