import type { JSX } from "react";
import { useTranslation } from "react-i18next";
import { Page } from "../../parts/page.tsx";
import { Empty } from "../../parts/state.tsx";

export function Exposure(): JSX.Element {
  const { t } = useTranslation(["exposure", "frame"]);
  return (
    <Page title={t("frame:page.exposure")} lede={t("lede")}>
      <Empty />
    </Page>
  );
}
