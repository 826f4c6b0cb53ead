/** What the session declares: what left and what was kept in. The same fold as `sallyport show`. */
import type { JSX } from "react";
import { useTranslation } from "react-i18next";
import type { SessionDetail } from "../../../api/sessions.ts";
import { Command } from "../../parts/copy-button.tsx";
import { Bytes, Num } from "../../parts/figures.tsx";
import { Panel } from "../../parts/page.tsx";
import { Table } from "../../parts/table.tsx";
import { Text } from "../../parts/text.tsx";

export function DeclarationPanel({ detail }: { readonly detail: SessionDetail }): JSX.Element {
  const { t } = useTranslation("sessions");
  const { declaration, text } = detail;
  return (
    <>
      {declaration.sent.length > 0 && (
        <Panel title={t("sent.title")} bare>
          <Table
            caption={t("sent.title")}
            rows={declaration.sent}
            rowKey={(row) => `${row.host} ${row.sentTo} ${row.rerouted ?? ""}`}
            sorting={{ column: "bytes", direction: "descending" }}
            columns={[
              {
                id: "host",
                title: t("sent.host"),
                isHead: true,
                value: (row) => row.host,
                cell: (row) => <Text>{row.host}</Text>,
              },
              {
                id: "sentTo",
                title: t("sent.sentTo"),
                value: (row) => row.rerouted ?? row.sentTo,
                cell: (row) => (
                  <span className="mono">
                    <Text>{row.rerouted ?? row.sentTo}</Text>
                  </span>
                ),
              },
              {
                id: "models",
                title: t("sent.models"),
                value: (row) => row.models.join(" "),
                cell: (row) => <Text>{row.models.join(", ")}</Text>,
              },
              {
                id: "requests",
                title: t("column.requests"),
                numeric: true,
                value: (row) => row.requests,
                cell: (row) => <Num>{row.requests}</Num>,
              },
              {
                id: "bytes",
                title: t("column.bytes"),
                numeric: true,
                value: (row) => row.requestBytes,
                cell: (row) => <Bytes>{row.requestBytes}</Bytes>,
              },
              {
                id: "received",
                title: t("sent.received"),
                numeric: true,
                value: (row) => row.responseBytes,
                cell: (row) => <Bytes>{row.responseBytes}</Bytes>,
              },
            ]}
          />
        </Panel>
      )}
      {declaration.refused.length > 0 && (
        <Panel title={t("refused.title")} bare>
          <Table
            caption={t("refused.title")}
            rows={declaration.refused}
            rowKey={(row) => `${row.host} ${row.rule}`}
            columns={[
              {
                id: "host",
                title: t("sent.host"),
                isHead: true,
                value: (row) => row.host,
                cell: (row) => <Text>{row.host}</Text>,
              },
              {
                id: "rule",
                title: t("refused.rule"),
                value: (row) => row.rule,
                cell: (row) => (
                  <span className="mono">
                    <Text>{row.rule}</Text>
                  </span>
                ),
              },
              {
                id: "count",
                title: t("refused.count"),
                numeric: true,
                value: (row) => row.count,
                cell: (row) => <Num>{row.count}</Num>,
              },
            ]}
          />
        </Panel>
      )}
      <Panel title={t("declaration.title")} note={t("declaration.note")}>
        <Text block>{text}</Text>
        <Command>{`sallyport show ${declaration.session}`}</Command>
      </Panel>
    </>
  );
}
