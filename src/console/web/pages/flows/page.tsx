import type { JSX } from "react";
import { useTranslation } from "react-i18next";
import { Page } from "../../parts/page.tsx";
import { Empty } from "../../parts/state.tsx";

export function Flows(): JSX.Element {
  const { t } = useTranslation(["flows", "frame"]);
  return (
    <Page title={t("frame:page.flows")} lede={t("lede")}>
      <Empty />
    </Page>
  );
}
