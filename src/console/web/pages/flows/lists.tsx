/** The diagram as a table, and the exchanges behind what is chosen. */
import { type JSX, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { Rows } from "../../../api/answer.ts";
import type { Exchange, FlowRow, FlowsQuery } from "../../../api/flows.ts";
import { Bytes, Num, When } from "../../parts/figures.tsx";
import { Answered } from "../../parts/state.tsx";
import { type Column, Table } from "../../parts/table.tsx";
import { Text } from "../../parts/text.tsx";
import { Chip, Verdict } from "../../parts/verdict.tsx";
import { useRead } from "../../station/read.ts";
import { useFlowNames } from "./names.ts";

const AT_ONCE = 100;
const MOST = 500;

export function RowTable({
  query,
  onChoose,
}: {
  readonly query: FlowsQuery;
  readonly onChoose: (column: string, value: string) => void;
}): JSX.Element {
  const { t } = useTranslation("flows");
  const { valueName } = useFlowNames();
  const [limit, setLimit] = useState(AT_ONCE);
  const rows = useRead<Rows<FlowRow>>("flows/rows", { ...query, limit });
  const value = (column: "workspace" | "agent" | "destination", row: FlowRow): JSX.Element => (
    <button type="button" className="cell-choice" onClick={() => onChoose(column, row[column])}>
      <Text isCut shown={60}>
        {row[column]}
      </Text>
    </button>
  );
  const columns: readonly Column<FlowRow>[] = [
    {
      id: "workspace",
      title: t("column.workspace"),
      isHead: true,
      value: (row) => row.workspace,
      cell: (row) => value("workspace", row),
    },
    { id: "agent", title: t("column.agent"), value: (row) => row.agent, cell: (row) => value("agent", row) },
    {
      id: "class",
      title: t("column.class"),
      value: (row) => row.class,
      cell: (row) =>
        row.class === "none" ? (
          <span className="faint">{valueName("class", "none")}</span>
        ) : (
          <Chip tone="warn">{valueName("class", row.class)}</Chip>
        ),
    },
    {
      id: "verdict",
      title: t("column.verdict"),
      value: (row) => row.verdict,
      cell: (row) => <Verdict of={row.verdict} />,
    },
    {
      id: "destination",
      title: t("column.destination"),
      value: (row) => row.destination,
      cell: (row) => (
        <span className="row-of">
          {value("destination", row)}
          {row.operator !== null && (
            <span className="faint">
              <Text>{row.operator}</Text>
            </span>
          )}
        </span>
      ),
    },
    {
      id: "jurisdiction",
      title: t("column.jurisdiction"),
      value: (row) => row.jurisdiction,
      cell: (row) => <Text>{valueName("jurisdiction", row.jurisdiction)}</Text>,
    },
    {
      id: "requests",
      title: t("measure.requests"),
      numeric: true,
      value: (row) => row.requests,
      cell: (row) => <Num filter={row.filter}>{row.requests}</Num>,
    },
    {
      id: "bytes",
      title: t("measure.bytes"),
      numeric: true,
      value: (row) => row.bytes,
      cell: (row) => <Bytes>{row.bytes}</Bytes>,
    },
  ];
  return (
    <Answered to={rows}>
      {({ rows: found, next }) => (
        <Table
          caption={t("rows.title")}
          columns={columns}
          rows={found}
          rowKey={(row) => [row.workspace, row.agent, row.class, row.verdict, row.destination].join("\n")}
          sorting={{ column: "requests", direction: "descending" }}
          isPartial={next !== null}
          pageSize={12}
          source={{ path: "flows/rows", query: { ...query } }}
          onMore={next !== null && limit < MOST ? () => setLimit(MOST) : undefined}
        />
      )}
    </Answered>
  );
}

export function ExchangeTable({ query }: { readonly query: FlowsQuery }): JSX.Element {
  const { t } = useTranslation("flows");
  const { valueName } = useFlowNames();
  const [limit, setLimit] = useState(50);
  const exchanges = useRead<Rows<Exchange>>("flows/exchanges", { ...query, limit });
  const columns: readonly Column<Exchange>[] = [
    {
      id: "at",
      title: t("exchanges.at"),
      isHead: true,
      value: (row) => new Date(row.at).toISOString(),
      cell: (row) => (
        <Link to={`/sessions/${encodeURIComponent(row.session)}?at=${row.index}`}>
          <When at={row.at} />
        </Link>
      ),
    },
    {
      id: "agent",
      title: t("column.agent"),
      value: (row) => row.agent,
      cell: (row) => <Text>{row.agent}</Text>,
    },
    {
      id: "workspace",
      title: t("column.workspace"),
      value: (row) => row.workspace,
      cell: (row) => <Text>{row.workspace}</Text>,
    },
    {
      id: "request",
      title: t("exchanges.request"),
      value: (row) => `${row.method} ${row.host}${row.path}`,
      cell: (row) => (
        <span className="mono">
          <Text shown={80}>{`${row.method} ${row.host}${row.path}`}</Text>
        </span>
      ),
    },
    {
      id: "model",
      title: t("exchanges.model"),
      value: (row) => row.model,
      cell: (row) => (row.model === null ? "–" : <Text>{row.model}</Text>),
    },
    {
      id: "class",
      title: t("exchanges.found"),
      value: (row) => row.classes.join(" "),
      cell: (row) => (
        <span className="row-of">
          {row.classes.map((name) => (
            <Chip key={name} tone="warn">
              {valueName("class", name)}
            </Chip>
          ))}
        </span>
      ),
    },
    {
      id: "verdict",
      title: t("column.verdict"),
      value: (row) => row.verdict,
      cell: (row) => <Verdict of={row.verdict} />,
    },
    {
      id: "bytes",
      title: t("measure.bytes"),
      numeric: true,
      value: (row) => row.requestBytes,
      cell: (row) => <Bytes filter={`index=${row.index}`}>{row.requestBytes}</Bytes>,
    },
  ];
  return (
    <Answered to={exchanges}>
      {({ rows, next }) => (
        <Table
          caption={t("exchanges.title")}
          columns={columns}
          rows={rows}
          rowKey={(row) => String(row.index)}
          sorting={{ column: "at", direction: "descending" }}
          isPartial={next !== null}
          pageSize={15}
          source={{ path: "flows/exchanges", query: { ...query } }}
          onMore={next !== null && limit < MOST ? () => setLimit(MOST) : undefined}
        />
      )}
    </Answered>
  );
}
