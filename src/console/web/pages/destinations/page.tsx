/** Who is behind each destination, on which terms, by which source and how old; and where replies showed something else. */
import { type JSX, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useSearchParams } from "react-router";
import type { DestinationRow, DestinationsOverview } from "../../../api/destinations.ts";
import { Choice, Search } from "../../parts/choice.tsx";
import { Figure, Figures } from "../../parts/facts.tsx";
import { Bytes, Num } from "../../parts/figures.tsx";
import { Page, Panel } from "../../parts/page.tsx";
import { RangePicker } from "../../parts/range-picker.tsx";
import { Answered, Empty } from "../../parts/state.tsx";
import { type Column, Table } from "../../parts/table.tsx";
import { Text } from "../../parts/text.tsx";
import { Chip } from "../../parts/verdict.tsx";
import { useRange } from "../../station/range.ts";
import { useRead } from "../../station/read.ts";
import "./destinations.css";
import { DestinationView } from "./destination.tsx";

const SHOWS = ["used", "contradicted", "stale", "unknown", "all"] as const;
type Show = (typeof SHOWS)[number];
const isShow = (text: string): text is Show => SHOWS.some((one) => one === text);

const isShown: Readonly<Record<Show, (row: DestinationRow) => boolean>> = {
  used: ({ requests }) => requests > 0,
  contradicted: ({ contradictions }) => contradictions.length > 0,
  stale: ({ stale }) => stale.length > 0,
  unknown: ({ unknown }) => unknown.includes("trains") || unknown.includes("agreement"),
  all: () => true,
};

export function Destinations(): JSX.Element {
  const { t } = useTranslation(["destinations", "frame"]);
  const [search] = useSearchParams();
  const { from, to } = useRange();
  const overview = useRead<DestinationsOverview>("destinations", { from, to });
  const id = search.get("id");
  if (id !== null) return <DestinationView id={id} />;
  return (
    <Page title={t("frame:page.destinations")} lede={t("lede")} controls={<RangePicker />}>
      <Answered to={overview}>
        {({ rows, staleDays }) => <Overview rows={rows} staleDays={staleDays} />}
      </Answered>
    </Page>
  );
}

function Overview({
  rows,
  staleDays,
}: {
  readonly rows: readonly DestinationRow[];
  readonly staleDays: number;
}): JSX.Element {
  const { t } = useTranslation(["destinations", "frame"]);
  const used = rows.filter(isShown.used);
  const [show, setShow] = useState<Show>(used.length > 0 ? "used" : "all");
  const [words, setWords] = useState("");
  const shown = rows.filter(
    (row) =>
      isShown[show](row) &&
      `${row.id} ${row.host ?? ""} ${row.operator ?? ""}`.toLowerCase().includes(words.toLowerCase()),
  );
  const grave = used.filter(({ contradictions }) => contradictions.some((one) => one.grave));
  return (
    <>
      <Figures>
        <Figure label={t("figureUsed")} note={t("figureRows", { count: rows.length })}>
          <Num>{used.length}</Num>
        </Figure>
        <Figure label={t("figureContradicted")} {...(grave.length > 0 ? { tone: "deny" as const } : {})}>
          <Num>{grave.length}</Num>
        </Figure>
        <Figure label={t("figureTrains")} note={t("figureTrainsNote")}>
          <Num>{used.filter(({ trains }) => trains === "unknown" || trains === null).length}</Num>
        </Figure>
        <Figure label={t("figureAgreement")}>
          <Num>
            {used.filter(({ agreement, law }) => agreement !== "signed" && !law.includes("SELF")).length}
          </Num>
        </Figure>
        <Figure label={t("figureStale")} note={t("figureStaleNote", { count: staleDays })}>
          <Num>{rows.filter(isShown.stale).length}</Num>
        </Figure>
      </Figures>
      <Panel
        title={t("table")}
        note={t("tableNote")}
        controls={
          <>
            <Search label={t("search")} value={words} onSearch={setWords} />
            <Choice
              label={t("show")}
              value={show}
              options={SHOWS.map((one) => ({ value: one, label: t(`shows.${one}`) }))}
              onChoose={(value) => setShow(isShow(value) ? value : "all")}
            />
          </>
        }
        bare
      >
        <div className="wide-head">
          <Rows rows={shown} />
        </div>
      </Panel>
    </>
  );
}

function Rows({ rows }: { readonly rows: readonly DestinationRow[] }): JSX.Element {
  const { t } = useTranslation(["destinations", "frame"]);
  const columns: readonly Column<DestinationRow>[] = [
    {
      id: "id",
      title: t("destination"),
      isHead: true,
      cell: ({ id, host, path }) => (
        <>
          <Link to={`?id=${encodeURIComponent(id)}`}>
            <Text>{id}</Text>
          </Link>
          {host !== null && host !== id && (
            <span className="faint second">
              <Text>{host + (path ?? "")}</Text>
            </span>
          )}
        </>
      ),
      value: ({ id }) => id,
    },
    {
      id: "operator",
      title: t("facts.operator"),
      cell: ({ operator, law }) =>
        operator === null ? (
          <Chip tone="bad">{t("noRow")}</Chip>
        ) : (
          <>
            <Text>{operator === "SELF" ? t("ourselves") : operator}</Text>{" "}
            <span className="faint">
              <Text>{law.join(" + ")}</Text>
            </span>
          </>
        ),
      value: ({ operator }) => operator,
    },
    {
      id: "compute",
      title: t("facts.compute"),
      cell: ({ compute }) => <Known of={compute} />,
      value: ({ compute }) => compute,
    },
    {
      id: "trains",
      title: t("facts.trains"),
      cell: ({ trains }) => <Known of={trains} />,
      value: ({ trains }) => trains,
    },
    {
      id: "agreement",
      title: t("facts.agreement"),
      cell: ({ agreement }) => <Known of={agreement} />,
      value: ({ agreement }) => agreement,
    },
    {
      id: "differs",
      title: t("differs"),
      grows: true,
      cell: ({ contradictions, stale }) => (
        <span className="row-of">
          {contradictions.map((one) => (
            <Chip key={`${one.kind} ${one.seen}`} tone={one.grave ? "bad" : "warn"}>
              {t(`kinds.${one.kind}`)}
            </Chip>
          ))}
          {stale.length > 0 && <Chip tone="warn">{t("staleCount", { count: stale.length })}</Chip>}
        </span>
      ),
      value: ({ contradictions }) => contradictions.length,
    },
    {
      id: "requests",
      title: t("requests"),
      cell: ({ requests, filter }) => <Num filter={requests > 0 ? filter : null}>{requests}</Num>,
      value: ({ requests }) => requests,
      numeric: true,
    },
    {
      id: "denied",
      title: t("denied"),
      cell: ({ denied, filter }) => <Num filter={denied > 0 ? `${filter} verdict=deny` : null}>{denied}</Num>,
      value: ({ denied }) => denied,
      numeric: true,
    },
    {
      id: "bytes",
      title: t("bytes"),
      cell: ({ bytes }) => <Bytes>{bytes}</Bytes>,
      value: ({ bytes }) => bytes,
      numeric: true,
    },
  ];
  return (
    <Table
      caption={t("table")}
      columns={columns}
      rows={rows}
      rowKey={({ id }) => id}
      empty={<Empty title={t("none")}>{t("noneWhy")}</Empty>}
    />
  );
}

/** What is not known is no fact, and stands out. */
export function Known({ of }: { readonly of: string | null }): JSX.Element {
  const { t } = useTranslation(["destinations", "frame"]);
  if (of === null || of === "unknown") return <Chip tone="warn">{t("notKnown")}</Chip>;
  return <Text shown={60}>{of}</Text>;
}
