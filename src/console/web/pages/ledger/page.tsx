import type { JSX } from "react";
import { useTranslation } from "react-i18next";
import { Page } from "../../parts/page.tsx";
import { Empty } from "../../parts/state.tsx";

export function Ledger(): JSX.Element {
  const { t } = useTranslation(["ledger", "frame"]);
  return (
    <Page title={t("frame:page.ledger")} lede={t("lede")}>
      <Empty />
    </Page>
  );
}
