/** What the ledger is: its checkpoint, its keys, its witnesses, and how many entries of which kind. */
import type { JSX } from "react";
import { useTranslation } from "react-i18next";
import type { LedgerState } from "../../../api/ledger.ts";
import { Command, Copy } from "../../parts/copy-button.tsx";
import { Facts, Figure, Figures } from "../../parts/facts.tsx";
import { Ago, Num, When } from "../../parts/figures.tsx";
import { Panel } from "../../parts/page.tsx";
import { Answered, Note } from "../../parts/state.tsx";
import { Table } from "../../parts/table.tsx";
import { Text } from "../../parts/text.tsx";
import { useRead } from "../../station/read.ts";
import { useMay, useSend } from "../../station/reader.tsx";
import { VerifyPanel } from "./verify-panel.tsx";

export function State(): JSX.Element {
  const state = useRead<LedgerState>("ledger");
  const mayAudit = useMay("audit");
  const { t } = useTranslation("ledger");
  return (
    <Answered to={state}>
      {(ledger) => (
        <>
          <Totals ledger={ledger} />
          {mayAudit ? <VerifyPanel size={ledger.signedSize} /> : <Note>{t("verify.forbidden")}</Note>}
          <div className="split">
            <Checkpoint ledger={ledger} />
            <Panel title={t("kinds.title")} bare>
              <Table
                caption={t("kinds.title")}
                rows={ledger.kinds}
                rowKey={(row) => row.kind}
                sorting={{ column: "count", direction: "descending" }}
                pageSize={14}
                columns={[
                  {
                    id: "kind",
                    title: t("kinds.kind"),
                    isHead: true,
                    value: (row) => row.kind,
                    cell: (row) => <span className="mono">{row.kind}</span>,
                  },
                  {
                    id: "count",
                    title: t("kinds.count"),
                    numeric: true,
                    value: (row) => row.count,
                    cell: (row) => <Num filter={row.filter}>{row.count}</Num>,
                  },
                ]}
              />
            </Panel>
          </div>
        </>
      )}
    </Answered>
  );
}

function Totals({ ledger }: { readonly ledger: LedgerState }): JSX.Element {
  const { t } = useTranslation("ledger");
  const send = useSend();
  const mayAudit = useMay("audit");
  const behind = ledger.size - ledger.signedSize;
  return (
    <Figures>
      <Figure label={t("total.size")}>
        <Num>{ledger.size}</Num>
      </Figure>
      <Figure
        label={t("total.signed")}
        note={
          behind === 0 ? (
            t("total.all")
          ) : (
            <>
              {t("total.behind", { count: behind })}{" "}
              {mayAudit && (
                <button
                  type="button"
                  className="more"
                  onClick={() => void send("POST", "ledger/sign", {}).catch(() => undefined)}
                >
                  {t("total.sign")}
                </button>
              )}
            </>
          )
        }
      >
        <Num>{ledger.signedSize}</Num>
      </Figure>
      <Figure
        label={t("total.at")}
        note={ledger.checkpointAt === null ? undefined : <When at={ledger.checkpointAt} form="exact" />}
      >
        {ledger.checkpointAt === null ? "–" : <Ago at={ledger.checkpointAt} now={Date.now()} />}
      </Figure>
      <Figure
        label={t("total.witnesses")}
        note={ledger.witnesses.length === 0 ? t("total.noWitness") : undefined}
      >
        <Num>{ledger.witnesses.length}</Num>
      </Figure>
      <Figure label={t("total.anchors")} note={ledger.anchors.length === 0 ? t("total.noAnchor") : undefined}>
        <Num>{ledger.anchors.length}</Num>
      </Figure>
    </Figures>
  );
}

function Checkpoint({ ledger }: { readonly ledger: LedgerState }): JSX.Element {
  const { t } = useTranslation("ledger");
  return (
    <Panel title={t("checkpoint.title")} note={t("checkpoint.note")}>
      <div className="stack">
        <Facts
          rows={[
            {
              name: t("checkpoint.origin"),
              value: (
                <span className="mono">
                  <Text>{ledger.origin}</Text>
                </span>
              ),
            },
            {
              name: t("checkpoint.root"),
              value: (
                <span className="mono">
                  <Text shown={80}>{ledger.root}</Text>
                </span>
              ),
            },
            ...ledger.verifierKeys.map((key, at) => ({
              name: t(`checkpoint.${at === 0 ? "key" : "former"}`),
              value: (
                <span className="with-copy">
                  <span className="mono">
                    <Text shown={160}>{key}</Text>
                  </span>
                  <Copy text={key} />
                </span>
              ),
            })),
            ...ledger.witnesses.map(({ name, size, at }) => ({
              name: t("checkpoint.witness"),
              value: (
                <>
                  <Text>{name}</Text> · <Num>{size}</Num> · <When at={at} />
                </>
              ),
            })),
            ...ledger.anchors.slice(-3).map(({ size, at }) => ({
              name: t("checkpoint.anchor"),
              value: (
                <>
                  <Num>{size}</Num> · <When at={at} />
                </>
              ),
            })),
          ]}
        />
        <Text block className="note-text">
          {ledger.checkpoint}
        </Text>
        <Command>sallyport verify</Command>
      </div>
    </Panel>
  );
}
