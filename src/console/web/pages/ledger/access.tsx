/** Who looked at evidence and why; and the export of a session's evidence, which is itself such a look. */

import { useQueryClient } from "@tanstack/react-query";
import { type JSX, useState } from "react";
import { Input, Label, TextField } from "react-aria-components";
import { useTranslation } from "react-i18next";
import type { Rows } from "../../../api/answer.ts";
import type { Access, EvidenceExport } from "../../../api/ledger.ts";
import { Num, When } from "../../parts/figures.tsx";
import { Panel } from "../../parts/page.tsx";
import { ReasonDialog } from "../../parts/reason-dialog.tsx";
import { Answered, Empty } from "../../parts/state.tsx";
import { Table } from "../../parts/table.tsx";
import { Text } from "../../parts/text.tsx";
import { Chip } from "../../parts/verdict.tsx";
import { sendForFile } from "../../station/call.ts";
import { useRead } from "../../station/read.ts";
import { useMay, useReader } from "../../station/reader.tsx";

export function AccessLog(): JSX.Element {
  const { t } = useTranslation("ledger");
  const access = useRead<Rows<Access>>("ledger/access", { limit: 500 });
  const mayRead = useMay("read-evidence");
  const mayUnmask = useMay("unmask");
  return (
    <Panel
      title={t("access.title")}
      note={t("access.note")}
      controls={mayRead && mayUnmask && <ExportButton />}
      bare
    >
      <Answered
        to={access}
        isEmpty={({ rows }) => rows.length === 0}
        empty={<Empty title={t("access.none")} />}
      >
        {({ rows, next }) => (
          <Table
            caption={t("access.title")}
            rows={rows}
            rowKey={(row) => String(row.index)}
            sorting={{ column: "at", direction: "descending" }}
            isPartial={next !== null}
            source={{ path: "ledger/access", query: {} }}
            columns={[
              {
                id: "at",
                title: t("entries.at"),
                isHead: true,
                value: (row) => new Date(row.at).toISOString(),
                cell: (row) => <When at={row.at} form="exact" />,
              },
              {
                id: "what",
                title: t("access.what"),
                value: (row) => row.what,
                cell: (row) => (
                  <Chip tone={row.what === "viewed" ? "plain" : "warn"}>{t(`access.${row.what}`)}</Chip>
                ),
              },
              {
                id: "principal",
                title: t("access.who"),
                value: (row) => row.principal,
                cell: (row) => (
                  <span className="mono">
                    <Text>{row.principal}</Text>
                  </span>
                ),
              },
              {
                id: "reason",
                title: t("access.why"),
                grows: true,
                value: (row) => row.reason,
                cell: (row) => <Text>{row.reason}</Text>,
              },
              {
                id: "session",
                title: t("entries.session"),
                value: (row) => row.session,
                cell: (row) => (
                  <span className="mono">
                    <Text>{row.session ?? "–"}</Text>
                  </span>
                ),
              },
              {
                id: "index",
                title: t("entries.index"),
                numeric: true,
                value: (row) => row.index,
                cell: (row) => <Num filter={`index=${row.index}`}>{row.index}</Num>,
              },
            ]}
          />
        )}
      </Answered>
    </Panel>
  );
}

function ExportButton(): JSX.Element {
  const { t } = useTranslation("ledger");
  const { csrf } = useReader();
  const client = useQueryClient();
  const [isOpen, setOpen] = useState(false);
  const [session, setSession] = useState("");
  return (
    <>
      <button type="button" className="plain" onClick={() => setOpen(true)}>
        {t("export.title")}
      </button>
      <ReasonDialog
        isOpen={isOpen}
        onClose={() => setOpen(false)}
        title={t("export.title")}
        action={t("export.do")}
        onReason={async (reason) => {
          const asked: EvidenceExport = { reason, session: session.trim() };
          await sendForFile("ledger/evidence", asked, csrf);
          await client.invalidateQueries({ queryKey: ["ledger/access"] });
        }}
      >
        <p>{t("export.about")}</p>
        <TextField className="field" value={session} onChange={setSession} isRequired pattern="[0-9a-f]{8}">
          <Label>{t("export.session")}</Label>
          <Input className="mono" autoComplete="off" spellCheck={false} />
        </TextField>
      </ReasonDialog>
    </>
  );
}
