/** The newest requests of a card: each leads to its exact bytes. */
import { type JSX, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { Rows } from "../../../api/answer.ts";
import type { ExposureCard, Sample } from "../../../api/exposure.ts";
import { Icon } from "../../frame/icons.tsx";
import { Bytes, When } from "../../parts/figures.tsx";
import { Sheet } from "../../parts/sheet.tsx";
import { Answered } from "../../parts/state.tsx";
import { Table } from "../../parts/table.tsx";
import { Chip, Verdict } from "../../parts/verdict.tsx";
import { useRead } from "../../station/read.ts";

export function Samples({ card }: { readonly card: ExposureCard }): JSX.Element {
  const { t } = useTranslation("exposure");
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <button type="button" className="plain" onClick={() => setOpen(true)}>
        <Icon name="lock" size={14} />
        {t("bytes.show")}
      </button>
      <Sheet isOpen={isOpen} onClose={() => setOpen(false)} title={t("bytes.choose")} wide>
        <SampleTable card={card} />
      </Sheet>
    </>
  );
}

function SampleTable({ card }: { readonly card: ExposureCard }): JSX.Element {
  const { t } = useTranslation("exposure");
  const samples = useRead<Rows<Sample>>("exposure/exchanges", {
    agent: card.agent,
    build: card.build,
    destination: card.destination,
    from: card.from,
    to: card.to,
    limit: 50,
  });
  return (
    <Answered to={samples}>
      {({ rows }) => (
        <Table
          caption={t("bytes.choose")}
          rows={rows}
          rowKey={(row) => row.exchange}
          sorting={{ column: "at", direction: "descending" }}
          columns={[
            {
              id: "at",
              title: t("bytes.at"),
              isHead: true,
              value: (row) => new Date(row.at).toISOString(),
              cell: (row) => (
                <Link to={`/exposure/bytes/${encodeURIComponent(row.exchange)}`}>
                  <When at={row.at} form="exact" />
                </Link>
              ),
            },
            {
              id: "exchange",
              title: t("bytes.exchange"),
              value: (row) => row.exchange,
              cell: (row) => <span className="mono">{row.exchange}</span>,
            },
            {
              id: "verdict",
              title: t("bytes.verdict"),
              value: (row) => row.verdict,
              cell: (row) => <Verdict of={row.verdict} />,
            },
            {
              id: "classes",
              title: t("bytes.classes"),
              value: (row) => row.classes.join(" "),
              cell: (row) => (
                <span className="row-of">
                  {row.classes.map((name) => (
                    <Chip key={name} tone="warn">
                      {name}
                    </Chip>
                  ))}
                </span>
              ),
            },
            {
              id: "bytes",
              title: t("bytes.size"),
              numeric: true,
              value: (row) => row.requestBytes,
              cell: (row) => <Bytes>{row.requestBytes}</Bytes>,
            },
          ]}
        />
      )}
    </Answered>
  );
}
