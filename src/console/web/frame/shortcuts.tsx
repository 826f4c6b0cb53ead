/** Keys: `g` and a letter leads to a page, `/` to its search, `?` shows them all. They can be turned off. */
import { type JSX, useEffect, useState } from "react";
import { Switch } from "react-aria-components";
import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";
import { Sheet } from "../parts/sheet.tsx";
import { PAGES } from "./pages.ts";
import { recall, remember, SHOW_SHORTCUTS } from "./preferences.ts";

const TOGETHER_MS = 1_200;

/** A key that somebody types into a field, or that means something to the browser, is not ours. */
function isForUs(event: KeyboardEvent): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return false;
  const { target } = event;
  if (!(target instanceof HTMLElement)) return true;
  return target.closest("input, textarea, select, [contenteditable], [role=dialog]") === null;
}

export function Shortcuts(): JSX.Element {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const [isOn, setOn] = useState(() => recall("shortcuts") !== "off");
  const [isOpen, setOpen] = useState(false);

  useEffect(() => {
    const show = (): void => setOpen(true);
    window.addEventListener(SHOW_SHORTCUTS, show);
    return () => window.removeEventListener(SHOW_SHORTCUTS, show);
  }, []);

  useEffect(() => {
    if (!isOn) return;
    // Not 0: a page that opened a moment ago would take its first `g` for the second key.
    let goneAt = Number.NEGATIVE_INFINITY;
    const onKey = (event: KeyboardEvent): void => {
      if (!isForUs(event)) return;
      if (event.timeStamp - goneAt < TOGETHER_MS) {
        goneAt = Number.NEGATIVE_INFINITY;
        const page = PAGES.find(({ key }) => key === event.key);
        if (page === undefined) return;
        event.preventDefault();
        void navigate(`/${page.path}`);
      } else if (event.key === "g") goneAt = event.timeStamp;
      else if (event.key === "?") setOpen(true);
      else if (event.key === "/") {
        const search = document.querySelector<HTMLElement>("main input[type=search]");
        if (search === null) return;
        event.preventDefault();
        search.focus();
      }
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [isOn, navigate]);

  return (
    <Sheet isOpen={isOpen} onClose={() => setOpen(false)} title={t("shortcuts.title")}>
      <dl className="keys">
        {PAGES.map(({ id, key }) => (
          <div key={id}>
            <dt>
              <kbd>g</kbd> <span className="faint">{t("shortcuts.then")}</span> <kbd>{key}</kbd>
            </dt>
            <dd>{t("shortcuts.go", { page: t(`page.${id}`) })}</dd>
          </div>
        ))}
        <div>
          <dt>
            <kbd>/</kbd>
          </dt>
          <dd>{t("shortcuts.search")}</dd>
        </div>
        <div>
          <dt>
            <kbd>?</kbd>
          </dt>
          <dd>{t("shortcuts.help")}</dd>
        </div>
      </dl>
      <Switch
        className="toggle"
        isSelected={isOn}
        onChange={(on) => {
          setOn(on);
          remember("shortcuts", on ? "on" : "off");
        }}
      >
        <span className="toggle-track" aria-hidden="true" />
        {t("shortcuts.on")}
      </Switch>
    </Sheet>
  );
}
