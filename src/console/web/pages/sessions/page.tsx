import type { JSX } from "react";
import { useTranslation } from "react-i18next";
import { Page } from "../../parts/page.tsx";
import { Empty } from "../../parts/state.tsx";

export function Sessions(): JSX.Element {
  const { t } = useTranslation(["sessions", "frame"]);
  return (
    <Page title={t("frame:page.sessions")} lede={t("lede")}>
      <Empty />
    </Page>
  );
}
