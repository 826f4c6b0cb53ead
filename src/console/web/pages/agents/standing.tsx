/** Where a build or an extension stands, in a word and a line. */
import type { JSX } from "react";
import { useTranslation } from "react-i18next";
import type { StandingState, StandingView } from "../../../api/agents.ts";
import { When } from "../../parts/figures.tsx";
import { Text } from "../../parts/text.tsx";
import { Chip } from "../../parts/verdict.tsx";

const TONES: Readonly<Record<StandingState, "good" | "warn" | "bad" | "plain">> = {
  approved: "good",
  pending: "warn",
  expired: "warn",
  revoked: "bad",
  changed: "bad",
  unknown: "plain",
};

export function StandingChip({ of }: { readonly of: StandingView }): JSX.Element {
  const { t } = useTranslation(["agents", "frame"]);
  return <Chip tone={TONES[of.state]}>{t(`standing.${of.state}`)}</Chip>;
}

export function StandingLine({ of }: { readonly of: StandingView }): JSX.Element {
  const { t } = useTranslation(["agents", "frame"]);
  const dated = (state: StandingState): string => {
    if (state === "approved") return t("on.until");
    return state === "expired" ? t("on.ended") : t("on.since");
  };
  return (
    <span className="soft">
      {of.by.length > 0 && (
        <>
          {t("by")} <Text>{of.by.join(", ")}</Text>
        </>
      )}
      {of.at !== null && (
        <>
          {" "}
          {dated(of.state)} <When at={of.at} form="day" />
        </>
      )}
      {of.needed > 0 && ` · ${t("needed", { count: of.needed })}`}
      {of.reason !== null && (
        <>
          {": "}
          <Text>{of.reason}</Text>
        </>
      )}
      {of.approvedHash !== null && (
        <>
          {t("approvedBytes")} <code>{of.approvedHash.slice(0, 19)}…</code>
        </>
      )}
    </span>
  );
}
