import type { JSX } from "react";
import { useTranslation } from "react-i18next";
import { Page } from "../../parts/page.tsx";
import { Empty } from "../../parts/state.tsx";

export function Approvals(): JSX.Element {
  const { t } = useTranslation(["approvals", "frame"]);
  return (
    <Page title={t("frame:page.approvals")} lede={t("lede")}>
      <Empty />
    </Page>
  );
}
