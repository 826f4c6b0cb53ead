/** One destination: each fact with its source and age, what replies showed, and what went there. */
import type { JSX } from "react";
import { useTranslation } from "react-i18next";
import type { Contradiction, DestinationDetail, FactView, SourceView } from "../../../api/destinations.ts";
import { Bytes, Num, When } from "../../parts/figures.tsx";
import { Page, Panel } from "../../parts/page.tsx";
import { RangePicker } from "../../parts/range-picker.tsx";
import { Answered, Empty, Note } from "../../parts/state.tsx";
import { type Column, Table } from "../../parts/table.tsx";
import { Text } from "../../parts/text.tsx";
import { Chip, Verdict } from "../../parts/verdict.tsx";
import { useRange } from "../../station/range.ts";
import { useRead } from "../../station/read.ts";

export function DestinationView({ id }: { readonly id: string }): JSX.Element {
  const { t } = useTranslation(["destinations", "frame"]);
  const { from, to } = useRange();
  const detail = useRead<DestinationDetail>("destinations/one", { id, from, to });
  return (
    <Page
      title={t("oneTitle")}
      lede={
        <code>
          <Text>{id}</Text>
        </code>
      }
      back={{ to: "/destinations", label: t("frame:page.destinations") }}
      controls={<RangePicker />}
    >
      <Answered to={detail}>{(data) => <Detail detail={data} />}</Answered>
    </Page>
  );
}

function Detail({ detail }: { readonly detail: DestinationDetail }): JSX.Element {
  const { t } = useTranslation(["destinations", "frame"]);
  const { row, facts, sources, staleDays } = detail;
  return (
    <>
      {row.contradictions.map((one) => (
        <Differs key={`${one.kind} ${one.seen}`} one={one} />
      ))}
      <Panel title={t("factsTitle")} note={t("factsNote", { count: staleDays })} bare>
        <Facts rows={facts} sources={sources} />
      </Panel>
      {sources.length > 0 && (
        <Panel title={t("sources")}>
          <ul className="sources">
            {sources.map(({ key, title, url }) => (
              <li key={key}>
                <code>
                  <Text>{key}</Text>
                </code>{" "}
                <Text>{title}</Text>
                {url !== null && url !== "" && (
                  <span className="faint">
                    {" "}
                    <Text>{url}</Text>
                  </span>
                )}
              </li>
            ))}
          </ul>
        </Panel>
      )}
      <div className="split">
        <Panel title={t("traffic")} bare>
          <Counted
            caption={t("byVerdict")}
            rows={detail.verdicts.map(({ verdict, ...rest }) => ({ name: verdict, ...rest }))}
            isVerdict
            filterOf={(name) => `${row.filter} verdict=${name}`}
          />
        </Panel>
        <Panel title={t("byClass")} note={t("byClassNote")} bare>
          <Counted
            caption={t("byClass")}
            rows={detail.classes.map(({ class: name, ...rest }) => ({ name, ...rest }))}
            filterOf={(name) => `${row.filter} class=${name}`}
          />
        </Panel>
      </div>
      <Panel title={t("answeredBy")} note={t("answeredByNote")} bare>
        <AnsweredBy rows={detail.answeredBy} />
      </Panel>
      <Panel title={t("reported")} note={t("reportedNote")} bare>
        <Reported rows={detail.reported} />
      </Panel>
    </>
  );
}

function Differs({ one }: { readonly one: Contradiction }): JSX.Element {
  const { t } = useTranslation(["destinations", "frame"]);
  return (
    <Note tone={one.grave ? "bad" : "warn"}>
      <p>
        <strong>{t(`kinds.${one.kind}`)}</strong> · {t(`kindNotes.${one.kind}`)}
      </p>
      <p className="soft">
        {one.said !== null && (
          <>
            {t("said")} <Text>{one.said}</Text> ·{" "}
          </>
        )}
        {t("seen")} <Text>{one.seen}</Text> · {t("inRequests", { count: one.requests })}
        {one.last !== null && (
          <>
            {" · "}
            {t("lastSeen")} <When at={one.last} />
          </>
        )}
      </p>
    </Note>
  );
}

function Facts({
  rows,
  sources,
}: {
  readonly rows: readonly FactView[];
  readonly sources: readonly SourceView[];
}): JSX.Element {
  const { t } = useTranslation(["destinations", "frame"]);
  const text = ({ value }: FactView): string =>
    value === null ? "" : typeof value === "string" ? value : value.join(", ");
  const columns: readonly Column<FactView>[] = [
    {
      id: "name",
      title: t("fact"),
      isHead: true,
      cell: ({ name }) => t(`facts.${name}`),
      value: ({ name }) => name,
    },
    {
      id: "value",
      title: t("value"),
      grows: true,
      cell: (fact) => (
        <span className="row-of">
          {text(fact) === "unknown" ? <Chip tone="warn">{t("notKnown")}</Chip> : <Text>{text(fact)}</Text>}
          {fact.isStale && <Chip tone="warn">{t("stale")}</Chip>}
        </span>
      ),
      value: text,
    },
    {
      id: "asOf",
      title: t("asOf"),
      cell: ({ asOf, ageDays }) =>
        asOf === null ? (
          <span className="faint">–</span>
        ) : (
          <>
            <span className="figures">{asOf}</span>
            <span className="faint second">{t("age", { count: ageDays ?? 0 })}</span>
          </>
        ),
      value: ({ asOf }) => asOf,
    },
    {
      id: "sources",
      title: t("sources"),
      cell: ({ sources: keys }) => (
        <span className="row-of">
          {keys.map((key) => (
            <span key={key} title={sources.find((source) => source.key === key)?.title ?? key}>
              <Chip>{key}</Chip>
            </span>
          ))}
        </span>
      ),
      value: ({ sources: keys }) => keys.join(" "),
    },
  ];
  return (
    <Table
      caption={t("factsTitle")}
      columns={columns}
      rows={rows}
      rowKey={({ name }) => name}
      empty={<Empty title={t("noFacts")}>{t("noFactsWhy")}</Empty>}
    />
  );
}

interface CountedRow {
  readonly name: string;
  readonly requests: number;
  readonly bytes: number;
}

function Counted({
  caption,
  rows,
  filterOf,
  isVerdict = false,
}: {
  readonly caption: string;
  readonly rows: readonly CountedRow[];
  readonly filterOf: (name: string) => string;
  readonly isVerdict?: boolean;
}): JSX.Element {
  const { t } = useTranslation(["destinations", "frame"]);
  const columns: readonly Column<CountedRow>[] = [
    {
      id: "name",
      title: isVerdict ? t("verdict") : t("class"),
      isHead: true,
      cell: ({ name }) => (isVerdict ? <Verdict of={name} /> : <Chip tone="warn">{name}</Chip>),
      value: ({ name }) => name,
    },
    {
      id: "requests",
      title: t("requests"),
      cell: ({ requests, name }) => <Num filter={filterOf(name)}>{requests}</Num>,
      value: ({ requests }) => requests,
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
      caption={caption}
      columns={columns}
      rows={rows}
      rowKey={({ name }) => name}
      empty={<Empty title={t("noTraffic")} />}
    />
  );
}

function AnsweredBy({ rows }: { readonly rows: DestinationDetail["answeredBy"] }): JSX.Element {
  const { t } = useTranslation(["destinations", "frame"]);
  const columns: readonly Column<DestinationDetail["answeredBy"][number]>[] = [
    {
      id: "sentTo",
      title: t("origin"),
      isHead: true,
      cell: ({ sentTo }) => <Text>{sentTo}</Text>,
      value: ({ sentTo }) => sentTo,
    },
    {
      id: "address",
      title: t("address"),
      cell: ({ address }) => <Text>{address ?? "–"}</Text>,
      value: ({ address }) => address,
    },
    {
      id: "tlsPeer",
      title: t("certificate"),
      grows: true,
      cell: ({ tlsPeer }) =>
        tlsPeer === null ? <Chip tone="warn">{t("noTls")}</Chip> : <code className="peer">{tlsPeer}</code>,
      value: ({ tlsPeer }) => tlsPeer,
    },
    {
      id: "requests",
      title: t("replies"),
      cell: ({ requests }) => <Num>{requests}</Num>,
      value: ({ requests }) => requests,
      numeric: true,
    },
    { id: "first", title: t("first"), cell: ({ first }) => <When at={first} />, value: ({ first }) => first },
    { id: "last", title: t("last"), cell: ({ last }) => <When at={last} />, value: ({ last }) => last },
  ];
  return (
    <Table
      caption={t("answeredBy")}
      columns={columns}
      rows={rows}
      rowKey={({ sentTo, address, tlsPeer }) => `${sentTo} ${address} ${tlsPeer}`}
      empty={<Empty title={t("noReplies")} />}
    />
  );
}

function Reported({ rows }: { readonly rows: DestinationDetail["reported"] }): JSX.Element {
  const { t } = useTranslation(["destinations", "frame"]);
  const columns: readonly Column<DestinationDetail["reported"][number]>[] = [
    {
      id: "asked",
      title: t("asked"),
      isHead: true,
      cell: ({ asked }) => <Text>{asked ?? "–"}</Text>,
      value: ({ asked }) => asked,
    },
    {
      id: "model",
      title: t("model"),
      cell: ({ model }) => <Text>{model ?? "–"}</Text>,
      value: ({ model }) => model,
    },
    {
      id: "region",
      title: t("region"),
      cell: ({ region }) => (region === null ? t("unsaid") : <Text>{region}</Text>),
      value: ({ region }) => region,
    },
    {
      id: "requests",
      title: t("replies"),
      cell: ({ requests }) => <Num>{requests}</Num>,
      value: ({ requests }) => requests,
      numeric: true,
    },
    { id: "last", title: t("last"), cell: ({ last }) => <When at={last} />, value: ({ last }) => last },
  ];
  return (
    <Table
      caption={t("reported")}
      columns={columns}
      rows={rows}
      rowKey={({ asked, model, region }) => `${asked} ${model} ${region}`}
      empty={<Empty title={t("noReported")} />}
    />
  );
}
