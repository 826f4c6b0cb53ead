import type { JSX } from "react";
import { useTranslation } from "react-i18next";
import { Page } from "../../parts/page.tsx";
import { Empty } from "../../parts/state.tsx";

export function Disclosures(): JSX.Element {
  const { t } = useTranslation(["disclosures", "frame"]);
  return (
    <Page title={t("frame:page.disclosures")} lede={t("lede")}>
      <Empty />
    </Page>
  );
}
