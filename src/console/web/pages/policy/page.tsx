import type { JSX } from "react";
import { useTranslation } from "react-i18next";
import { Page } from "../../parts/page.tsx";
import { Empty } from "../../parts/state.tsx";

export function Policy(): JSX.Element {
  const { t } = useTranslation(["policy", "frame"]);
  return (
    <Page title={t("frame:page.policy")} lede={t("lede")}>
      <Empty />
    </Page>
  );
}
