/** What the session declares: what left and what was kept in. The same fold as `sallyport show`. */
import type { JSX } from "react";
import { useTranslation } from "react-i18next";
import type { SessionDetail } from "../../../api/sessions.ts";
import { bytesColumn, countColumn, textColumn } from "../../parts/columns.tsx";
import { Command } from "../../parts/copy-button.tsx";
import { Panel } from "../../parts/page.tsx";
import { type Column, Table } from "../../parts/table.tsx";
import { Text } from "../../parts/text.tsx";

type Declaration = SessionDetail["declaration"];

export function DeclarationPanel({ detail }: { readonly detail: SessionDetail }): JSX.Element {
  const { t } = useTranslation("sessions");
  const { declaration, text } = detail;
  const sent: readonly Column<Declaration["sent"][number]>[] = [
    textColumn("host", t("sent.host"), (row) => row.host, { isHead: true }),
    textColumn("sentTo", t("sent.sentTo"), (row) => row.rerouted ?? row.sentTo, { isCode: true }),
    textColumn("models", t("sent.models"), (row) => row.models.join(", ")),
    countColumn("requests", t("column.requests"), (row) => row.requests),
    bytesColumn("bytes", t("column.bytes"), (row) => row.requestBytes),
    bytesColumn("received", t("sent.received"), (row) => row.responseBytes),
  ];
  const refused: readonly Column<Declaration["refused"][number]>[] = [
    textColumn("host", t("sent.host"), (row) => row.host, { isHead: true }),
    textColumn("rule", t("refused.rule"), (row) => row.rule, { isCode: true }),
    countColumn("count", t("refused.count"), (row) => row.count),
  ];
  return (
    <>
      {declaration.sent.length > 0 && (
        <Panel title={t("sent.title")} bare>
          <Table
            caption={t("sent.title")}
            rows={declaration.sent}
            rowKey={(row) => `${row.host} ${row.sentTo} ${row.rerouted ?? ""}`}
            sorting={{ column: "bytes", direction: "descending" }}
            columns={sent}
          />
        </Panel>
      )}
      {declaration.refused.length > 0 && (
        <Panel title={t("refused.title")} bare>
          <Table
            caption={t("refused.title")}
            rows={declaration.refused}
            rowKey={(row) => `${row.host} ${row.rule}`}
            columns={refused}
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
