/** One build: its bytes, where it stands and by whose word, what vetting found, and what may be said of it. */
import type { JSX } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { AgentsOverview, BuildRow, ReportRow, StatementView } from "../../../api/agents.ts";
import { Facts } from "../../parts/facts.tsx";
import { Num, When } from "../../parts/figures.tsx";
import { Page, Panel } from "../../parts/page.tsx";
import { Empty } from "../../parts/state.tsx";
import { type Column, Table } from "../../parts/table.tsx";
import { Text } from "../../parts/text.tsx";
import { Chip } from "../../parts/verdict.tsx";
import { useMay } from "../../station/reader.tsx";
import { StandingChip, StandingLine } from "./standing.tsx";
import { Stating } from "./stating.tsx";

/** By which a build is named in the address. */
export const keyOf = ({ hash, agent, version, executable }: BuildRow): string =>
  hash ?? `${agent} ${version ?? ""} ${executable ?? ""}`;

export function BuildView({
  build,
  overview,
}: {
  readonly build: BuildRow;
  readonly overview: AgentsOverview;
}): JSX.Element {
  const { t } = useTranslation(["agents", "frame"]);
  const mayState = useMay("register");
  const { agent, version, hash, platform, executable, standing, sessions, firstRun, lastRun, refused } =
    build;
  const title = version === null ? agent : `${agent} ${version}`;
  return (
    <Page
      title={title}
      lede={t("buildLede")}
      back={{ to: "/agents", label: t("frame:page.agents") }}
      controls={
        mayState && hash !== null ? (
          <Stating
            subject={{ hash, name: version === null ? null : `${agent}@${version}`, title }}
            overview={overview}
            report={build.reports[0]?.sha256 ?? null}
          />
        ) : null
      }
    >
      <Panel>
        <Facts
          rows={[
            {
              name: t("standingTitle"),
              value: (
                <span className="row-of">
                  <StandingChip of={standing} />
                  <StandingLine of={standing} />
                </span>
              ),
            },
            { name: t("hash"), value: hash === null ? t("noHash") : <code>{hash}</code> },
            executable === null ? null : { name: t("executable"), value: <code>{executable}</code> },
            { name: t("platform"), value: platform === null ? t("nobodySpoke") : <Text>{platform}</Text> },
            { name: t("sessions"), value: <Num filter={sessions > 0 ? build.filter : null}>{sessions}</Num> },
            firstRun === null || lastRun === null
              ? null
              : {
                  name: t("ran"),
                  value: (
                    <>
                      <When at={firstRun} /> – <When at={lastRun} />
                    </>
                  ),
                },
            { name: t("refused"), value: <Num>{refused}</Num> },
          ]}
        />
      </Panel>
      <Panel title={t("reports")} note={t("reportsNote")} bare>
        <Reports rows={build.reports} statements={build.statements} />
      </Panel>
      <Panel title={t("statements")} note={t("statementsNote")} bare>
        <Statements rows={build.statements} />
      </Panel>
    </Page>
  );
}

function Reports({
  rows,
  statements,
}: {
  readonly rows: readonly ReportRow[];
  readonly statements: readonly StatementView[];
}): JSX.Element {
  const { t } = useTranslation(["agents", "frame"]);
  const columns: readonly Column<ReportRow>[] = [
    {
      id: "at",
      title: t("when"),
      isHead: true,
      cell: ({ at, sha256 }) => (
        <Link to={`?report=${sha256}`}>
          <When at={at} />
        </Link>
      ),
      value: ({ at }) => at,
    },
    {
      id: "hidden",
      title: t("hidden"),
      cell: ({ hidden }) => <Chip tone={hidden > 0 ? "bad" : "good"}>{String(hidden)}</Chip>,
      value: ({ hidden }) => hidden,
      numeric: true,
    },
    {
      id: "canaries",
      title: t("canaries"),
      cell: ({ canaries }) => <Chip tone={canaries > 0 ? "bad" : "good"}>{String(canaries)}</Chip>,
      value: ({ canaries }) => canaries,
      numeric: true,
    },
    {
      id: "visible",
      title: t("visible"),
      cell: ({ visible }) => <Num>{visible}</Num>,
      value: ({ visible }) => visible,
      numeric: true,
    },
    {
      id: "runs",
      title: t("runs"),
      cell: ({ runs }) => <Num>{runs}</Num>,
      value: ({ runs }) => runs,
      numeric: true,
    },
    {
      id: "named",
      title: t("namedBy"),
      cell: ({ sha256 }) => (
        <Text>
          {statements
            .filter(({ report }) => report === sha256)
            .map(({ by }) => by)
            .join(", ")}
        </Text>
      ),
    },
    {
      id: "sha256",
      title: "SHA-256",
      cell: ({ sha256 }) => <code>{sha256.slice(0, 16)}</code>,
      value: ({ sha256 }) => sha256,
    },
  ];
  return (
    <Table
      caption={t("reports")}
      columns={columns}
      rows={rows}
      rowKey={({ sha256 }) => sha256}
      empty={<Empty title={t("notVetted")}>{t("notVettedWhy")}</Empty>}
    />
  );
}

function Statements({ rows }: { readonly rows: readonly StatementView[] }): JSX.Element {
  const { t } = useTranslation(["agents", "frame"]);
  const columns: readonly Column<StatementView>[] = [
    {
      id: "at",
      title: t("when"),
      isHead: true,
      cell: ({ at }) => <When at={at} form="exact" />,
      value: ({ at }) => at,
    },
    {
      id: "action",
      title: t("what"),
      cell: ({ action }) => (
        <Chip tone={action === "approve" ? "good" : "bad"}>{t(`actions.${action}`)}</Chip>
      ),
      value: ({ action }) => action,
    },
    { id: "by", title: t("who"), cell: ({ by }) => <Text>{by}</Text>, value: ({ by }) => by },
    {
      id: "reason",
      title: t("reason"),
      grows: true,
      cell: ({ reason }) => <Text>{reason}</Text>,
      value: ({ reason }) => reason,
    },
    {
      id: "expires",
      title: t("expires"),
      cell: ({ expires }) => (expires === null ? "–" : <When at={expires} form="day" />),
      value: ({ expires }) => expires,
    },
    {
      id: "report",
      title: t("report"),
      cell: ({ report }) => (report === null ? "–" : <code>{report.slice(0, 12)}</code>),
      value: ({ report }) => report,
    },
    {
      id: "id",
      title: t("statement"),
      cell: ({ id }) => <code>{id.slice(0, 12)}</code>,
      value: ({ id }) => id,
    },
  ];
  return (
    <Table
      caption={t("statements")}
      columns={columns}
      rows={rows}
      rowKey={({ id }) => id}
      empty={<Empty title={t("nobodySpoke")} />}
    />
  );
}
