/** The documents, and the rules of one of them in sentences. */
import type { JSX } from "react";
import { useTranslation } from "react-i18next";
import { Link, useSearchParams } from "react-router";
import type { DocumentDetail, DocumentRow, PolicyOverview } from "../../../api/policy.ts";
import { Facts } from "../../parts/facts.tsx";
import { Num, When } from "../../parts/figures.tsx";
import { Panel } from "../../parts/page.tsx";
import { Answered, Note } from "../../parts/state.tsx";
import { type Column, Table } from "../../parts/table.tsx";
import { Text } from "../../parts/text.tsx";
import { Chip } from "../../parts/verdict.tsx";
import { useRead } from "../../station/read.ts";
import { PlacedFault } from "./placed.tsx";
import { Said } from "./said.tsx";

export function Rules({ overview }: { readonly overview: PolicyOverview }): JSX.Element {
  const { t } = useTranslation(["policy", "frame"]);
  const [search] = useSearchParams();
  const { documents } = overview;
  const named = search.get("name");
  const chosen =
    documents.find(({ name, origin }) => name === named && origin === search.get("origin")) ??
    documents.find(({ origin }) => origin === "guardrails") ??
    documents.reduce<DocumentRow | undefined>(
      (most, row) => (most === undefined || row.sessions > most.sessions ? row : most),
      undefined,
    );
  return (
    <>
      <Panel title={t("documents")} note={t("documentsNote")} bare>
        <Documents rows={documents} chosen={chosen} />
      </Panel>
      {chosen !== undefined && <DocumentView key={`${chosen.origin} ${chosen.name}`} row={chosen} />}
    </>
  );
}

function Documents({
  rows,
  chosen,
}: {
  readonly rows: readonly DocumentRow[];
  readonly chosen: DocumentRow | undefined;
}): JSX.Element {
  const { t } = useTranslation(["policy", "frame"]);
  const columns: readonly Column<DocumentRow>[] = [
    {
      id: "name",
      title: t("document"),
      isHead: true,
      cell: (row) => (
        <Link
          to={`?${new URLSearchParams({ tab: "rules", name: row.name, origin: row.origin })}`}
          aria-current={row === chosen ? "true" : undefined}
        >
          <Text>{row.name}</Text>
        </Link>
      ),
      value: ({ name }) => name,
    },
    {
      id: "origin",
      title: t("kind"),
      cell: ({ origin, error }) =>
        error === null ? (
          <Chip tone={origin === "guardrails" ? "accent" : "plain"}>{t(`origins.${origin}`)}</Chip>
        ) : (
          <Chip tone="bad">{t("broken")}</Chip>
        ),
      value: ({ origin }) => origin,
    },
    {
      id: "owner",
      title: t("owner"),
      grows: true,
      cell: ({ owner }) => <Text>{owner ?? "–"}</Text>,
      value: ({ owner }) => owner,
    },
    {
      id: "review",
      title: t("review"),
      cell: ({ review, isOverdue }) => (
        <span className="row-of">
          <span className="figures">{review ?? "–"}</span>
          {isOverdue && <Chip tone="warn">{t("overdue")}</Chip>}
        </span>
      ),
      value: ({ review }) => review,
    },
    {
      id: "rules",
      title: t("rules"),
      cell: ({ rules }) => <Num>{rules}</Num>,
      value: ({ rules }) => rules,
      numeric: true,
    },
    {
      id: "sessions",
      title: t("sessions"),
      cell: ({ sessions }) => <Num>{sessions}</Num>,
      value: ({ sessions }) => sessions,
      numeric: true,
    },
    {
      id: "lastUsed",
      title: t("lastUsed"),
      cell: ({ lastUsed }) => (lastUsed === null ? "–" : <When at={lastUsed} />),
      value: ({ lastUsed }) => lastUsed,
    },
  ];
  return (
    <Table
      caption={t("documents")}
      columns={columns}
      rows={rows}
      rowKey={({ origin, name }) => `${origin} ${name}`}
    />
  );
}

function DocumentView({ row }: { readonly row: DocumentRow }): JSX.Element {
  const { t, i18n } = useTranslation(["policy", "frame"]);
  const { name, origin } = row;
  const detail = useRead<DocumentDetail>("policy/document", { name, origin, language: i18n.language });
  return (
    <Answered to={detail}>
      {({ said, overdue, text }) => (
        <>
          <Panel title={<Text>{said?.title ?? name}</Text>} note={<Text>{row.file}</Text>}>
            {row.error !== null && <PlacedFault error={row.error} text={text} />}
            <Facts
              rows={[
                row.owner === null ? null : { name: t("owner"), value: <Text>{row.owner}</Text> },
                { name: t("version"), value: <span className="figures">{row.version ?? "–"}</span> },
                row.belongsTo === null
                  ? { name: t("file"), value: t("withProgram") }
                  : {
                      name: t("file"),
                      value: (
                        <>
                          {t(`belongs.${row.belongsTo}`)}
                          {row.changedAt !== null && (
                            <>
                              {" · "}
                              {t("changed")} <When at={row.changedAt} />
                            </>
                          )}
                        </>
                      ),
                    },
                { name: t("signature"), value: t("notSigned") },
                { name: "SHA-256", value: <code className="wrap">{row.sha256}</code> },
              ]}
            />
            {overdue.length > 0 && (
              <Note tone="warn">
                {t("overdueRules")} <Text>{overdue.join(", ")}</Text>
              </Note>
            )}
          </Panel>
          {said !== null && <Said said={said} />}
          {text !== null && (
            <details className="source">
              <summary>{t("asWritten")}</summary>
              <Text block>{text}</Text>
            </details>
          )}
        </>
      )}
    </Answered>
  );
}
