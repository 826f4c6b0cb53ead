import type { JSX } from "react";
import { useTranslation } from "react-i18next";
import { Page } from "../../parts/page.tsx";
import { Empty } from "../../parts/state.tsx";

export function Destinations(): JSX.Element {
  const { t } = useTranslation(["destinations", "frame"]);
  return (
    <Page title={t("frame:page.destinations")} lede={t("lede")}>
      <Empty />
    </Page>
  );
}
