/** The pages, in four groups by what they answer. */
import type { JSX } from "react";
import { useTranslation } from "react-i18next";
import { NavLink } from "react-router";
import { Icon } from "./icons.tsx";
import { GROUPS, PAGES } from "./pages.ts";

export function Navigation({ onGo }: { readonly onGo?: () => void }): JSX.Element {
  const { t } = useTranslation();
  return (
    <nav aria-label={t("navigation")}>
      {GROUPS.map((group) => (
        <section key={group} className="nav-group">
          <h2>{t(`group.${group}`)}</h2>
          <ul>
            {PAGES.filter((page) => page.group === group).map(({ id, path }) => (
              <li key={id}>
                <NavLink to={`/${path}`} {...(onGo === undefined ? {} : { onClick: onGo })}>
                  <Icon name={id} size={18} />
                  {t(`page.${id}`)}
                </NavLink>
              </li>
            ))}
          </ul>
        </section>
      ))}
    </nav>
  );
}
