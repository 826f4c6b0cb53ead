/** Who is signed in, and how the pages look: at the foot of the navigation. */
import { useQueryClient } from "@tanstack/react-query";
import { type JSX, useState } from "react";
import { ToggleButton, ToggleButtonGroup } from "react-aria-components";
import { useTranslation } from "react-i18next";
import { send } from "../station/call.ts";
import { useReader } from "../station/reader.tsx";
import { Icon } from "./icons.tsx";
import { applyTheme, recall, remember, SHOW_SHORTCUTS, type Theme, themeOf } from "./preferences.ts";
import { changeLanguage, isLanguage, LANGUAGES } from "./words.ts";

const THEMES: readonly Theme[] = ["system", "light", "dark"];

export function ThemeSwitch(): JSX.Element {
  const { t } = useTranslation();
  const [theme, setTheme] = useState<Theme>(() => themeOf(recall("theme")));
  return (
    <ToggleButtonGroup
      aria-label={t("theme.title")}
      className="switch"
      selectionMode="single"
      disallowEmptySelection
      selectedKeys={[theme]}
      onSelectionChange={(keys) => {
        const [key] = keys;
        const chosen = themeOf(String(key));
        setTheme(chosen);
        remember("theme", chosen);
        applyTheme(chosen);
      }}
    >
      {THEMES.map((name) => (
        <ToggleButton key={name} id={name} aria-label={t(`theme.${name}`)}>
          <Icon name={name} />
        </ToggleButton>
      ))}
    </ToggleButtonGroup>
  );
}

export function LanguageSwitch(): JSX.Element {
  const { t, i18n } = useTranslation();
  return (
    <select
      className="language"
      aria-label={t("language")}
      value={i18n.language}
      onChange={(event) => {
        const chosen = event.target.value;
        if (!isLanguage(chosen)) return;
        remember("language", chosen);
        void changeLanguage(chosen);
      }}
    >
      {Object.entries(LANGUAGES).map(([tag, name]) => (
        <option key={tag} value={tag} lang={tag}>
          {name}
        </option>
      ))}
    </select>
  );
}

export function Settings(): JSX.Element {
  const { t } = useTranslation();
  const { principal, csrf } = useReader();
  const client = useQueryClient();
  return (
    <div className="settings">
      <div className="settings-row">
        <LanguageSwitch />
        <ThemeSwitch />
      </div>
      <div className="settings-row">
        <span className="who" title={t("signedIn", { name: principal })}>
          <span className="unseen">{t("signedIn", { name: "" })}</span>
          <span className="mono">{principal}</span>
        </span>
        <button
          type="button"
          className="quiet"
          aria-label={t("shortcuts.open")}
          title={t("shortcuts.open")}
          onClick={() => window.dispatchEvent(new Event(SHOW_SHORTCUTS))}
        >
          <Icon name="keyboard" />
        </button>
        <button
          type="button"
          className="quiet"
          aria-label={t("signOut")}
          title={t("signOut")}
          onClick={() => {
            void send("POST", "sign-out", {}, csrf).finally(() => {
              client.clear();
              window.location.hash = "#/";
              window.location.reload();
            });
          }}
        >
          <Icon name="leave" />
        </button>
      </div>
    </div>
  );
}
