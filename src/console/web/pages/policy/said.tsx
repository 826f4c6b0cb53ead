/** A document as sentences: rules by what they do, then what else it grants or takes away. */
import type { JSX } from "react";
import { useTranslation } from "react-i18next";
import type { SaidDocument } from "../../../api/policy.ts";
import { Facts } from "../../parts/facts.tsx";
import { Panel } from "../../parts/page.tsx";
import { Empty } from "../../parts/state.tsx";
import { Text } from "../../parts/text.tsx";
import { Chip, Verdict } from "../../parts/verdict.tsx";

type Rule = SaidDocument["rules"][number];
const SECTIONS = ["send", "network"] as const;
const SHOWN = 12;

export function Said({ said }: { readonly said: SaidDocument }): JSX.Element {
  const { t } = useTranslation(["policy", "frame"]);
  return (
    <>
      {SECTIONS.map((section) => {
        const rules = said.rules.filter((rule) => rule.section === section);
        const otherwise = said.defaults[section];
        return (
          <Panel
            key={section}
            title={t(`sections.${section}`)}
            note={otherwise === null ? t("saysNothing") : t(`otherwise.${otherwise}`)}
          >
            {rules.length === 0 ? (
              <Empty title={t("noRules")} />
            ) : (
              <ol className="rules">
                {rules.map((rule) => (
                  <RuleItem key={rule.id} rule={rule} />
                ))}
              </ol>
            )}
          </Panel>
        );
      })}
      {said.waivers.length > 0 && (
        <Panel title={t("waivers")}>
          <ul className="rules">
            {said.waivers.map((waiver) => (
              <li key={waiver.id}>
                <div>
                  <strong>
                    <Text>{waiver.rule}</Text>
                  </strong>{" "}
                  <Text>{waiver.where}</Text>
                  <p className="soft">
                    <Text>{waiver.reason}</Text> · {t("waiverBy")} <Text>{waiver.approver}</Text> ·{" "}
                    <span className="figures">
                      {waiver.from} – {waiver.until}
                    </span>
                  </p>
                </div>
              </li>
            ))}
          </ul>
        </Panel>
      )}
      {said.grants.length > 0 && (
        <Panel title={t("grants")} note={t("grantsNote")}>
          <Facts
            rows={said.grants.map(({ section, values }) => ({
              name: section,
              value: (
                <span className="row-of">
                  {values.slice(0, SHOWN).map((value) => (
                    <Chip key={value}>{value}</Chip>
                  ))}
                  {values.length > SHOWN && (
                    <details>
                      <summary>{t("moreValues", { count: values.length - SHOWN })}</summary>
                      <span className="row-of">
                        {values.slice(SHOWN).map((value) => (
                          <Chip key={value}>{value}</Chip>
                        ))}
                      </span>
                    </details>
                  )}
                </span>
              ),
            }))}
          />
        </Panel>
      )}
    </>
  );
}

function RuleItem({ rule }: { readonly rule: Rule }): JSX.Element {
  const { t } = useTranslation(["policy", "frame"]);
  return (
    <li>
      <Verdict of={rule.outcome} />
      <div>
        <p>
          <strong>
            <Text>{rule.title}</Text>
          </strong>{" "}
          <code className="faint">
            <Text>{rule.id}</Text>
          </code>
        </p>
        <p>
          <Text shown={600}>{rule.when}</Text>
        </p>
        <p className="soft">
          <Text>{rule.because}</Text>
        </p>
        <p className="rule-foot faint">
          {t("owner")}: <Text>{rule.owner}</Text>
          {rule.review !== null && ` · ${t("review")}: ${rule.review}`}
          {rule.isWaivable && ` · ${t("waivable")}`}
          {rule.unproved !== null && (
            <>
              {" · "}
              {t("unproved")} <Text>{rule.unproved}</Text>
            </>
          )}
          {rule.controls.length > 0 && (
            <>
              {" · "}
              <Text>{rule.controls.join(", ")}</Text>
            </>
          )}
        </p>
      </div>
    </li>
  );
}
