/**
 * The pages' words: i18next, a file for each page and language, loaded when the page is. English is what types the keys;
 * words.test.ts holds the other languages, and the code, to the same keys.
 */
import i18next from "i18next";
import { initReactI18next } from "react-i18next";

export const LANGUAGES = { en: "English", "zh-CN": "简体中文" } as const;
export type Language = keyof typeof LANGUAGES;
export const isLanguage = (text: string | null): text is Language =>
  text !== null && Object.hasOwn(LANGUAGES, text);

const FILES = import.meta.glob<Record<string, unknown>>("../words/*/*.json", { import: "default" });

/** Begins to load a page's words. What fails here fails again, and is told, when they are needed. */
export const beginWords = (language: Language, page: string): void =>
  void FILES[`../words/${language}/${page}.json`]?.().catch(() => undefined);

/** The first language asked for that there is. */
export function languageOf(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    if (/^zh\b/i.test(tag)) return "zh-CN";
    if (/^en\b/i.test(tag)) return "en";
  }
  return "en";
}

export async function speak(language: Language): Promise<void> {
  await i18next
    .use({
      type: "backend" as const,
      init: () => undefined,
      read: (tongue: string, page: string) => {
        const load = FILES[`../words/${tongue}/${page}.json`];
        return load === undefined ? Promise.reject(new Error(`no words: ${tongue}/${page}`)) : load();
      },
    })
    .use(initReactI18next)
    .init({
      lng: language,
      supportedLngs: Object.keys(LANGUAGES),
      fallbackLng: false,
      load: "currentOnly",
      ns: ["frame"],
      defaultNS: "frame",
      // React writes text as text; i18next must not escape it a second time.
      interpolation: { escapeValue: false },
      react: { useSuspense: true },
    });
  document.documentElement.lang = language;
}

export async function changeLanguage(language: Language): Promise<void> {
  await i18next.changeLanguage(language);
  document.documentElement.lang = language;
}
