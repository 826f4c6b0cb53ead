/** The ledger: what it is and whether it holds, its entries, and who looked at evidence. */
import type { JSX } from "react";
import { useTranslation } from "react-i18next";
import { NavLink, Route, Routes } from "react-router";
import { Page } from "../../parts/page.tsx";
import { useMay } from "../../station/reader.tsx";
import { AccessLog } from "./access.tsx";
import { Entries } from "./entries.tsx";
import { State } from "./state.tsx";
import "./ledger.css";

export function Ledger(): JSX.Element {
  const { t } = useTranslation(["ledger", "frame"]);
  const mayAudit = useMay("audit");
  return (
    <Page title={t("frame:page.ledger")} lede={t("lede")}>
      <nav className="tabs" aria-label={t("tabs.title")}>
        <NavLink to="/ledger" end>
          {t("tabs.state")}
        </NavLink>
        <NavLink to="/ledger/entries">{t("tabs.entries")}</NavLink>
        {mayAudit && <NavLink to="/ledger/access">{t("tabs.access")}</NavLink>}
      </nav>
      <Routes>
        <Route index element={<State />} />
        <Route path="entries" element={<Entries />} />
        <Route path="access" element={<AccessLog />} />
      </Routes>
    </Page>
  );
}
