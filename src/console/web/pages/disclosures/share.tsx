/** `<Share>`: a share as a figure and as a bar; five steps of heat, of which none is told by colour alone. */
import type { JSX } from "react";
import { useTranslation } from "react-i18next";

/** 0: nothing; 4: half or more. */
export function heatOf(share: number): 0 | 1 | 2 | 3 | 4 {
  if (share <= 0) return 0;
  if (share < 0.1) return 1;
  if (share < 0.25) return 2;
  return share < 0.5 ? 3 : 4;
}

export const percentText = (share: number, language: string): string =>
  new Intl.NumberFormat(language, {
    style: "percent",
    maximumFractionDigits: share > 0 && share < 0.1 ? 1 : 0,
  }).format(share);

export function Share({ of, label }: { readonly of: number | null; readonly label: string }): JSX.Element {
  const { t, i18n } = useTranslation(["disclosures", "frame"]);
  if (of === null) return <span className="faint">{t("unknownShare")}</span>;
  return (
    <span className="share">
      <span className="figures">{percentText(of, i18n.language)}</span>
      <meter className="share-bar" min={0} max={1} value={of} data-heat={heatOf(of)} aria-label={label} />
    </span>
  );
}
