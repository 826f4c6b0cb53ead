/** What the rules say, who answers for them, what they prove, and what a change of them would change. */
import type { JSX } from "react";
import { useTranslation } from "react-i18next";
import { Link, useSearchParams } from "react-router";
import type { PolicyOverview } from "../../../api/policy.ts";
import { Page } from "../../parts/page.tsx";
import { Answered } from "../../parts/state.tsx";
import { useRead } from "../../station/read.ts";
import "./policy.css";
import { Draft } from "./draft.tsx";
import { Proofs } from "./proofs.tsx";
import { Rules } from "./rules.tsx";

const TABS = ["rules", "proofs", "draft"] as const;

export function Policy(): JSX.Element {
  const { t, i18n } = useTranslation(["policy", "frame"]);
  const [search] = useSearchParams();
  const overview = useRead<PolicyOverview>("policy", { language: i18n.language });
  const tab = TABS.find((name) => name === search.get("tab")) ?? "rules";
  return (
    <Page title={t("frame:page.policy")} lede={t("lede")}>
      <nav className="tabs" aria-label={t("parts")}>
        {TABS.map((name) => (
          <Link key={name} to={`?tab=${name}`} aria-current={name === tab ? "page" : undefined}>
            {t(`tabs.${name}`)}
          </Link>
        ))}
      </nav>
      <Answered to={overview}>
        {(data) =>
          tab === "rules" ? (
            <Rules overview={data} />
          ) : tab === "proofs" ? (
            <Proofs overview={data} />
          ) : (
            <Draft overview={data} />
          )
        }
      </Answered>
    </Page>
  );
}
