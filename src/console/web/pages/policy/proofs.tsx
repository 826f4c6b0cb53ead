/** What holds whatever profile anyone writes; what no property needs; and what a proof does not say, beside each of them. */
import { type JSX, useState } from "react";
import { useTranslation } from "react-i18next";
import type { MutantView, PolicyOverview, ProofsAnswer, ProofView } from "../../../api/policy.ts";
import { Icon } from "../../frame/icons.tsx";
import { Choice } from "../../parts/choice.tsx";
import { Panel } from "../../parts/page.tsx";
import { Answered, Empty, Note } from "../../parts/state.tsx";
import { type Column, Table } from "../../parts/table.tsx";
import { Text } from "../../parts/text.tsx";
import { Chip } from "../../parts/verdict.tsx";
import { useRead } from "../../station/read.ts";
import { PlacedFault } from "./placed.tsx";

export function Proofs({ overview }: { readonly overview: PolicyOverview }): JSX.Element {
  const { t, i18n } = useTranslation(["policy", "frame"]);
  const profiles = overview.documents.filter(({ kind }) => kind === "Profile");
  const [profile, setProfile] = useState(
    profiles.toSorted((a, b) => b.sessions - a.sessions)[0]?.name ?? "default",
  );
  const proofs = useRead<ProofsAnswer>("policy/proofs", { profile, language: i18n.language });
  return (
    <Answered to={proofs}>
      {({ scope, documents, file, proofs: all, mutants, error, tookMs }) => (
        <>
          <Note tone="warn">
            <strong>{t("honestyTitle")}</strong> {t("honesty")}
          </Note>
          {error !== null && <PlacedFault error={error} text={null} />}
          <Panel
            title={t("properties")}
            note={
              <>
                {t(`scopes.${scope}`)} <Text>{documents.join(" + ")}</Text> ·{" "}
                {file === null ? t("starter") : <Text>{file}</Text>} · {t("took", { count: tookMs })}
              </>
            }
            controls={
              scope === "documents" ? (
                <Choice
                  label={t("profile")}
                  value={profile}
                  options={profiles.map(({ name }) => ({ value: name, label: name }))}
                  onChoose={setProfile}
                />
              ) : null
            }
          >
            {all.length === 0 ? (
              <Empty title={t("noProperties")} />
            ) : (
              <ul className="proofs">
                {all.map((proof) => (
                  <Proof key={proof.id} proof={proof} />
                ))}
              </ul>
            )}
          </Panel>
          {scope === "any-profile" && (
            <Panel title={t("mutants")} note={t("mutantsNote")} bare>
              <Mutants rows={mutants} />
            </Panel>
          )}
        </>
      )}
    </Answered>
  );
}

function Proof({ proof }: { readonly proof: ProofView }): JSX.Element {
  const { t } = useTranslation(["policy", "frame"]);
  return (
    <li className="proof" data-holds={proof.holds}>
      <Icon name={proof.holds ? "allow" : "deny"} size={20} />
      <div>
        <p>
          <strong>
            <Text>{proof.title}</Text>
          </strong>{" "}
          <code className="faint">
            <Text>{proof.id}</Text>
          </code>
        </p>
        <p className="soft">
          <Text>{proof.because}</Text>
        </p>
        {proof.holds ? (
          <p className="soft">{t("holds", { count: proof.points })}</p>
        ) : (
          <p>
            <Chip tone="bad">{t("breaks")}</Chip> <Text shown={600}>{proof.counterExample ?? ""}</Text>
          </p>
        )}
        <p className="faint">{t("aboutLabels")}</p>
      </div>
    </li>
  );
}

function Mutants({ rows }: { readonly rows: readonly MutantView[] }): JSX.Element {
  const { t } = useTranslation(["policy", "frame"]);
  const columns: readonly Column<MutantView>[] = [
    {
      id: "rule",
      title: t("rule"),
      isHead: true,
      cell: ({ document, rule }) => <Text>{`${document}/${rule}`}</Text>,
      value: ({ document, rule }) => `${document}/${rule}`,
    },
    {
      id: "needed",
      title: t("neededBy"),
      grows: true,
      cell: ({ neededBy, unproved }) =>
        neededBy.length > 0 ? (
          <span className="row-of">
            {neededBy.map((id) => (
              <Chip key={id} tone="good">
                {id}
              </Chip>
            ))}
          </span>
        ) : unproved !== null ? (
          <span className="soft">
            <Text>{unproved}</Text>
          </span>
        ) : (
          <Chip tone="warn">{t("survives")}</Chip>
        ),
      value: ({ neededBy }) => neededBy.length,
    },
  ];
  return (
    <Table
      caption={t("mutants")}
      columns={columns}
      rows={rows}
      rowKey={({ document, rule }) => `${document}/${rule}`}
      empty={<Empty title={t("noMutants")} />}
    />
  );
}
