/** Which agents run, with which bytes, by whose word; what repositories bring for them; what vetting found. */
import type { JSX } from "react";
import { useTranslation } from "react-i18next";
import { Link, useSearchParams } from "react-router";
import type { AgentsOverview, BuildRow, ExtensionRow } from "../../../api/agents.ts";
import { Num, When } from "../../parts/figures.tsx";
import { Page, Panel } from "../../parts/page.tsx";
import { Answered, Empty, Note } from "../../parts/state.tsx";
import { type Column, Table } from "../../parts/table.tsx";
import { Text } from "../../parts/text.tsx";
import { Chip } from "../../parts/verdict.tsx";
import { useRead } from "../../station/read.ts";
import { useMay } from "../../station/reader.tsx";
import "./agents.css";
import { Approvers } from "./approvers.tsx";
import { BuildView, keyOf } from "./build.tsx";
import { ReportView } from "./report.tsx";
import { StandingChip, StandingLine } from "./standing.tsx";
import { Stating } from "./stating.tsx";

export function Agents(): JSX.Element {
  const { t } = useTranslation(["agents", "frame"]);
  const [search] = useSearchParams();
  const overview = useRead<AgentsOverview>("agents");
  const report = search.get("report");
  if (report !== null) return <ReportView sha256={report} />;
  return (
    <Answered to={overview}>
      {(data, { filter }) => {
        const build = data.builds.find((one) => keyOf(one) === search.get("build"));
        if (build !== undefined) return <BuildView build={build} overview={data} />;
        return (
          <Page title={t("frame:page.agents")} lede={t("lede")}>
            {data.strangers.length > 0 && (
              <Note tone="warn">
                {t("strangers")} <Text>{data.strangers.join(", ")}</Text>
              </Note>
            )}
            <Panel title={t("builds")} note={t("buildsNote")} bare>
              <Builds rows={data.builds} filter={filter} />
            </Panel>
            <Panel title={t("extensions")} note={t("extensionsNote")} bare>
              <Extensions rows={data.extensions} overview={data} />
            </Panel>
            <Approvers overview={data} />
          </Page>
        );
      }}
    </Answered>
  );
}

function Builds({
  rows,
  filter,
}: {
  readonly rows: readonly BuildRow[];
  readonly filter: string | undefined;
}): JSX.Element {
  const { t } = useTranslation(["agents", "frame"]);
  const columns: readonly Column<BuildRow>[] = [
    {
      id: "agent",
      title: t("agent"),
      isHead: true,
      cell: (row) => (
        <>
          <Link to={`?build=${encodeURIComponent(keyOf(row))}`}>
            <Text>{row.version === null ? row.agent : `${row.agent} ${row.version}`}</Text>
          </Link>
          <span className="faint hash">{row.hash === null ? t("noHash") : row.hash.slice(0, 19)}</span>
        </>
      ),
      value: ({ agent, version }) => `${agent} ${version ?? ""}`,
    },
    {
      id: "standing",
      title: t("standingTitle"),
      grows: true,
      cell: ({ standing }) => (
        <span className="row-of">
          <StandingChip of={standing} />
          <StandingLine of={standing} />
        </span>
      ),
      value: ({ standing }) => standing.state,
    },
    {
      id: "vetting",
      title: t("vetting"),
      cell: ({ reports }) => {
        const [latest] = reports;
        if (latest === undefined) return <span className="faint">{t("notVetted")}</span>;
        const { hidden, canaries, visible } = latest;
        return (
          <Link to={`?report=${latest.sha256}`} className="row-of plain-link">
            <Chip tone={hidden + canaries > 0 ? "bad" : "good"}>{t("hiddenCount", { count: hidden })}</Chip>
            {canaries > 0 && <Chip tone="bad">{t("canaryCount", { count: canaries })}</Chip>}
            <Chip>{t("visibleCount", { count: visible })}</Chip>
          </Link>
        );
      },
      value: ({ reports }) => reports[0]?.hidden ?? null,
    },
    {
      id: "sessions",
      title: t("sessions"),
      cell: (row) => <Num filter={row.sessions > 0 ? row.filter : filter}>{row.sessions}</Num>,
      value: ({ sessions }) => sessions,
      numeric: true,
    },
    {
      id: "refused",
      title: t("refused"),
      cell: ({ refused }) => <Num>{refused}</Num>,
      value: ({ refused }) => refused,
      numeric: true,
    },
    {
      id: "last",
      title: t("lastRun"),
      cell: ({ lastRun }) => (lastRun === null ? "–" : <When at={lastRun} />),
      value: ({ lastRun }) => lastRun,
    },
  ];
  return (
    <Table
      caption={t("builds")}
      columns={columns}
      rows={rows}
      rowKey={keyOf}
      empty={<Empty title={t("noBuilds")}>{t("noBuildsWhy")}</Empty>}
    />
  );
}

function Extensions({
  rows,
  overview,
}: {
  readonly rows: readonly ExtensionRow[];
  readonly overview: AgentsOverview;
}): JSX.Element {
  const { t } = useTranslation(["agents", "frame"]);
  const mayState = useMay("register");
  const columns: readonly Column<ExtensionRow>[] = [
    {
      id: "path",
      title: t("path"),
      isHead: true,
      cell: ({ path, hash }) => (
        <>
          <Text className="mono">{path}</Text>
          <span className="faint hash">{hash.slice(0, 19)}</span>
        </>
      ),
      value: ({ path }) => path,
    },
    { id: "type", title: t("type"), cell: ({ type }) => <Chip>{type}</Chip>, value: ({ type }) => type },
    {
      id: "standing",
      title: t("standingTitle"),
      grows: true,
      cell: ({ standing }) => (
        <span className="row-of">
          <StandingChip of={standing} />
          <StandingLine of={standing} />
        </span>
      ),
      value: ({ standing }) => standing.state,
    },
    {
      id: "refused",
      title: t("refused"),
      cell: ({ refused }) => <Num>{refused}</Num>,
      value: ({ refused }) => refused,
      numeric: true,
    },
    ...(mayState
      ? [
          {
            id: "act",
            title: t("act"),
            cell: (row: ExtensionRow) =>
              // What nobody has spoken about yet lies in a repository, which the station does not know the place of.
              row.statements.length === 0 ? (
                <span className="faint">{t("inRepository")}</span>
              ) : (
                <Stating subject={{ hash: row.hash, name: null, title: row.path }} overview={overview} />
              ),
          },
        ]
      : []),
  ];
  return (
    <Table
      caption={t("extensions")}
      columns={columns}
      rows={rows}
      rowKey={({ hash }) => hash}
      empty={<Empty title={t("noExtensions")} />}
    />
  );
}
