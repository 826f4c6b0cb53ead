/** All sessions, newest first: search, filters, one row each. */
import { type JSX, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useSearchParams } from "react-router";
import type { Count, Rows } from "../../../api/answer.ts";
import type { SessionFacets, SessionRow, SessionsQuery } from "../../../api/sessions.ts";
import { Choice, Filters, Search } from "../../parts/choice.tsx";
import { Bytes, Duration, Num, When } from "../../parts/figures.tsx";
import { Page, Panel } from "../../parts/page.tsx";
import { plainText } from "../../parts/points.ts";
import { RangePicker } from "../../parts/range-picker.tsx";
import { Answered, Empty } from "../../parts/state.tsx";
import { type Column, Table } from "../../parts/table.tsx";
import { Text } from "../../parts/text.tsx";
import { Chip, VERDICTS, Verdict } from "../../parts/verdict.tsx";
import { useRange } from "../../station/range.ts";
import { useRead } from "../../station/read.ts";

const CHOICES = ["agent", "workspace", "profile", "principal", "verdict", "state"] as const;
const AT_ONCE = 100;
const MOST = 500;

export function SessionList(): JSX.Element {
  const { t } = useTranslation(["sessions", "frame"]);
  const [search, setSearch] = useSearchParams();
  const range = useRange();
  const [limit, setLimit] = useState(AT_ONCE);
  const facets = useRead<SessionFacets>("sessions/facets");
  const query: SessionsQuery = {
    ...Object.fromEntries(
      ["q", ...CHOICES, "class", "destination"].flatMap((name) => [[name, search.get(name) ?? undefined]]),
    ),
    ...(range.from === undefined ? {} : { from: range.from }),
    ...(range.to === undefined ? {} : { to: range.to }),
  };
  const sessions = useRead<Rows<SessionRow>>("sessions", { ...query, limit });
  const choose = (name: string, value: string): void =>
    setSearch((now) => {
      const next = new URLSearchParams(now);
      if (value === "") next.delete(name);
      else next.set(name, value);
      return next;
    });
  const counted = (counts: readonly Count[] | undefined): { value: string; label: string }[] =>
    (counts ?? []).map(({ name, count }) => ({ value: name, label: `${plainText(name)} (${count})` }));
  const options: Readonly<Record<(typeof CHOICES)[number], { value: string; label: string }[]>> = {
    agent: counted(facets.data?.data.agents),
    workspace: counted(facets.data?.data.workspaces),
    profile: counted(facets.data?.data.profiles),
    principal: counted(facets.data?.data.principals),
    verdict: VERDICTS.map((name) => ({ value: name, label: t(`frame:verdict.${name}`) })),
    state: (["running", "ended"] as const).map((name) => ({ value: name, label: t(`state.${name}`) })),
  };

  return (
    <Page title={t("frame:page.sessions")} lede={t("lede")} controls={<RangePicker />}>
      <div className="filters">
        <Search label={t("search")} value={query.q ?? ""} onSearch={(text) => choose("q", text)} />
      </div>
      <Filters set={CHOICES.filter((name) => search.get(name) !== null).length}>
        {CHOICES.map((name) => (
          <Choice
            key={name}
            label={t(`choice.${name}`)}
            value={search.get(name) ?? ""}
            options={[{ value: "", label: t("all") }, ...options[name]]}
            onChoose={(value) => choose(name, value)}
          />
        ))}
      </Filters>
      <Panel bare>
        <Answered
          to={sessions}
          isEmpty={({ rows }) => rows.length === 0}
          empty={<Empty title={t("empty.title")}>{t("empty.how")}</Empty>}
        >
          {({ rows, next }) => (
            <SessionTable
              rows={rows}
              isPartial={next !== null}
              query={query}
              onMore={next !== null && limit < MOST ? () => setLimit(MOST) : undefined}
            />
          )}
        </Answered>
      </Panel>
    </Page>
  );
}

function SessionTable({
  rows,
  isPartial,
  query,
  onMore,
}: {
  readonly rows: readonly SessionRow[];
  readonly isPartial: boolean;
  readonly query: SessionsQuery;
  readonly onMore: (() => void) | undefined;
}): JSX.Element {
  const { t } = useTranslation("sessions");
  const columns: readonly Column<SessionRow>[] = [
    {
      id: "started",
      title: t("column.started"),
      isHead: true,
      value: (row) => new Date(row.startedAt).toISOString(),
      cell: (row) => (
        <Link to={`/sessions/${encodeURIComponent(row.id)}`}>
          <When at={row.startedAt} />
        </Link>
      ),
    },
    {
      id: "agent",
      title: t("choice.agent"),
      value: (row) => `${row.agent} ${row.version ?? ""}`.trim(),
      cell: (row) => <AgentCell row={row} />,
    },
    {
      id: "workspace",
      title: t("choice.workspace"),
      value: (row) => row.workspace,
      cell: (row) => <Text>{row.workspace}</Text>,
    },
    {
      id: "principal",
      title: t("choice.principal"),
      value: (row) => row.principal,
      cell: (row) => (
        <span className="mono">
          <Text>{row.principal}</Text>
        </span>
      ),
    },
    {
      id: "duration",
      title: t("column.duration"),
      numeric: true,
      value: (row) => (row.endedAt === null ? null : row.endedAt - row.startedAt),
      cell: (row) =>
        row.endedAt === null ? (
          <Chip tone="accent">{t("state.running")}</Chip>
        ) : (
          <Duration ms={row.endedAt - row.startedAt} />
        ),
    },
    {
      id: "requests",
      title: t("column.requests"),
      numeric: true,
      value: (row) => row.requests,
      cell: (row) => <Num filter={row.filter}>{row.requests}</Num>,
    },
    {
      id: "bytes",
      title: t("column.bytes"),
      numeric: true,
      value: (row) => row.requestBytes,
      cell: (row) => <Bytes>{row.requestBytes}</Bytes>,
    },
    {
      id: "verdicts",
      title: t("column.verdicts"),
      value: (row) => row.verdicts.map(({ name, count }) => `${name} ${count}`).join(" "),
      cell: (row) => <Verdicts of={row.verdicts} />,
    },
    {
      id: "findings",
      title: t("column.findings"),
      value: (row) => row.findings.map(({ name, count }) => `${name} ${count}`).join(" "),
      cell: (row) => <Findings of={row.findings} />,
    },
    {
      id: "files",
      title: t("column.files"),
      numeric: true,
      value: (row) => row.files,
      cell: (row) => <Num>{row.files}</Num>,
    },
  ];
  return (
    <Table
      caption={t("frame:page.sessions")}
      columns={columns}
      rows={rows}
      rowKey={(row) => row.id}
      sorting={{ column: "started", direction: "descending" }}
      isPartial={isPartial}
      source={{ path: "sessions", query: { ...query } }}
      onMore={onMore}
    />
  );
}

function AgentCell({ row }: { readonly row: SessionRow }): JSX.Element {
  const { t } = useTranslation("sessions");
  return (
    <span className="row-of">
      <Text>{row.agent}</Text>
      {row.version !== null && (
        <span className="faint">
          <Text>{row.version}</Text>
        </span>
      )}
      {row.gaps.length > 0 && <Chip tone="bad">{t("gaps", { count: row.gaps.length })}</Chip>}
    </span>
  );
}

/** Verdicts other than `allow`, which goes without saying where it stands alone. */
export function Verdicts({ of }: { readonly of: readonly Count[] }): JSX.Element {
  const told = of.filter(({ name, count }) => count > 0 && (name !== "allow" || of.length === 1));
  return (
    <span className="row-of">
      {told.map(({ name, count }) => (
        <Verdict key={name} of={name} count={count} />
      ))}
    </span>
  );
}

export function Findings({ of }: { readonly of: readonly Count[] }): JSX.Element {
  return (
    <span className="row-of">
      {of
        .filter(({ count }) => count > 0)
        .map(({ name, count }) => (
          <Chip key={name} tone="warn">{`${name} ${count}`}</Chip>
        ))}
    </span>
  );
}
