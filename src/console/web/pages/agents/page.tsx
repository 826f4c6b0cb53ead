import type { JSX } from "react";
import { useTranslation } from "react-i18next";
import { Page } from "../../parts/page.tsx";
import { Empty } from "../../parts/state.tsx";

export function Agents(): JSX.Element {
  const { t } = useTranslation(["agents", "frame"]);
  return (
    <Page title={t("frame:page.agents")} lede={t("lede")}>
      <Empty />
    </Page>
  );
}
