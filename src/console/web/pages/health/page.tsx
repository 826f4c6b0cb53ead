import type { JSX } from "react";
import { useTranslation } from "react-i18next";
import { Page } from "../../parts/page.tsx";
import { Empty } from "../../parts/state.tsx";

export function Health(): JSX.Element {
  const { t } = useTranslation(["health", "frame"]);
  return (
    <Page title={t("frame:page.health")} lede={t("lede")}>
      <Empty />
    </Page>
  );
}
