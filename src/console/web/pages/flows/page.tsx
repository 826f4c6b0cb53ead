/** Flows: what went where. The diagram, the same as a table, and the exchanges behind what is chosen. */
import { type JSX, useState } from "react";
import { ToggleButton, ToggleButtonGroup } from "react-aria-components";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "react-router";
import type { FlowNode, Flows as FlowsData, FlowsQuery } from "../../../api/flows.ts";
import { Choice, Filters } from "../../parts/choice.tsx";
import { Figure, Figures } from "../../parts/facts.tsx";
import { Bytes, Num, numberText } from "../../parts/figures.tsx";
import { Page, Panel } from "../../parts/page.tsx";
import { plainText } from "../../parts/points.ts";
import { RangePicker } from "../../parts/range-picker.tsx";
import { Answered, Empty } from "../../parts/state.tsx";
import { VERDICTS } from "../../parts/verdict.tsx";
import { useRange } from "../../station/range.ts";
import { useRead } from "../../station/read.ts";
import { ExchangeTable, RowTable } from "./lists.tsx";
import { useFlowNames } from "./names.ts";
import { Sankey } from "./sankey.tsx";
import { COLUMNS, type Measure } from "./sankey-layout.ts";
import { Series } from "./series.tsx";
import "./flows.css";

export function Flows(): JSX.Element {
  const { t } = useTranslation(["flows", "frame"]);
  const range = useRange();
  const [search, setSearch] = useSearchParams();
  const [measure, setMeasure] = useState<Measure>("requests");
  const chosen = Object.fromEntries(COLUMNS.map((column) => [column, search.get(column) ?? undefined]));
  const query: FlowsQuery = {
    ...chosen,
    ...(range.from === undefined ? {} : { from: range.from }),
    ...(range.to === undefined ? {} : { to: range.to }),
  };
  const flows = useRead<FlowsData>("flows", { ...query });
  const choose = (column: string, value: string): void =>
    setSearch((now) => {
      const next = new URLSearchParams(now);
      if (value === "") next.delete(column);
      else next.set(column, value);
      return next;
    });
  const chooseNodes = (nodes: readonly FlowNode[]): void =>
    setSearch((now) => {
      const next = new URLSearchParams(now);
      for (const { column, name } of nodes) {
        if (name === null) continue;
        if (nodes.length === 1 && next.get(column) === name) next.delete(column);
        else next.set(column, name);
      }
      return next;
    });

  return (
    <Page title={t("frame:page.flows")} lede={t("lede")} controls={<RangePicker />}>
      <Answered to={flows}>
        {(data) => (
          <>
            <FlowFilters data={data} chosen={chosen} onChoose={choose} />
            {data.requests === 0 ? (
              <Panel>
                <Empty title={t("empty.title")}>{t("empty.how")}</Empty>
              </Panel>
            ) : (
              <>
                <Totals data={data} filter={flows.data?.filter} />
                <Panel
                  title={t("diagram.title")}
                  note={t("diagram.note")}
                  controls={<MeasureSwitch measure={measure} onMeasure={setMeasure} />}
                >
                  <Series flows={data} onChoose={(from, to) => range.choose({ from, to })} />
                  <Sankey flows={data} measure={measure} onChoose={chooseNodes} />
                  <Legend />
                </Panel>
              </>
            )}
          </>
        )}
      </Answered>
      <Panel title={t("rows.title")} note={t("rows.note")} bare>
        <RowTable query={query} onChoose={choose} />
      </Panel>
      <Panel title={t("exchanges.title")} note={t("exchanges.note")} bare>
        <ExchangeTable query={query} />
      </Panel>
    </Page>
  );
}

function MeasureSwitch({
  measure,
  onMeasure,
}: {
  readonly measure: Measure;
  readonly onMeasure: (measure: Measure) => void;
}): JSX.Element {
  const { t } = useTranslation("flows");
  return (
    <ToggleButtonGroup
      className="switch switch-words"
      aria-label={t("measure.title")}
      selectionMode="single"
      disallowEmptySelection
      selectedKeys={[measure]}
      onSelectionChange={(keys) => onMeasure(keys.has("bytes") ? "bytes" : "requests")}
    >
      <ToggleButton id="requests">{t("measure.requests")}</ToggleButton>
      <ToggleButton id="bytes">{t("measure.bytes")}</ToggleButton>
    </ToggleButtonGroup>
  );
}

function FlowFilters({
  data,
  chosen,
  onChoose,
}: {
  readonly data: FlowsData;
  readonly chosen: Readonly<Record<string, string | undefined>>;
  readonly onChoose: (column: string, value: string) => void;
}): JSX.Element {
  const { t, i18n } = useTranslation("flows");
  const { valueName } = useFlowNames();
  return (
    <Filters set={COLUMNS.filter((column) => chosen[column] !== undefined).length}>
      {COLUMNS.map((column) => {
        const value = chosen[column] ?? "";
        const known = data.facets[column].map(({ name, requests }) => ({
          value: name,
          label: `${plainText(valueName(column, name))} (${numberText(requests, i18n.language)})`,
        }));
        const options =
          known.some((option) => option.value === value) || value === ""
            ? known
            : [...known, { value, label: plainText(value) }];
        return (
          <Choice
            key={column}
            label={t(`column.${column}`)}
            value={value}
            options={[{ value: "", label: t("all") }, ...options]}
            onChoose={(wanted) => onChoose(column, wanted)}
          />
        );
      })}
    </Filters>
  );
}

function Totals({
  data,
  filter,
}: {
  readonly data: FlowsData;
  readonly filter: string | undefined;
}): JSX.Element {
  const { t } = useTranslation("flows");
  const of = (column: string, name: string): FlowNode | undefined =>
    data.nodes.find((node) => node.column === column && node.name === name);
  const denied = of("verdict", "deny");
  const redacted = of("verdict", "redact");
  const asked = of("verdict", "ask");
  const plain = of("class", "none");
  const destinations = data.nodes
    .filter(({ column }) => column === "destination")
    .reduce((sum, { names }) => sum + names, 0);
  return (
    <Figures>
      <Figure
        label={t("total.left")}
        note={<Bytes>{data.bytes - (denied?.bytes ?? 0) - (asked?.bytes ?? 0)}</Bytes>}
      >
        <Num>{data.requests - (denied?.requests ?? 0) - (asked?.requests ?? 0)}</Num>
      </Figure>
      <Figure
        label={t("total.denied")}
        {...(denied === undefined ? {} : { tone: "deny" as const })}
        note={t("total.deniedNote")}
      >
        <Num filter={denied?.filter}>{denied?.requests ?? 0}</Num>
      </Figure>
      <Figure
        label={t("total.redacted")}
        {...(redacted === undefined ? {} : { tone: "redact" as const })}
        note={t("total.redactedNote")}
      >
        <Num filter={redacted?.filter}>{redacted?.requests ?? 0}</Num>
      </Figure>
      <Figure label={t("total.found")} note={t("total.foundNote")}>
        <Num>{data.requests - (plain?.requests ?? 0)}</Num>
      </Figure>
      <Figure label={t("total.destinations")} note={t("total.all", { count: data.requests })}>
        <Num filter={filter}>{destinations}</Num>
      </Figure>
    </Figures>
  );
}

function Legend(): JSX.Element {
  const { t } = useTranslation("flows");
  return (
    <ul className="legend" aria-label={t("legend.title")}>
      {VERDICTS.map((verdict) => (
        <li key={verdict}>
          <span className="legend-swatch" data-verdict={verdict} aria-hidden="true" />
          {verdict === "deny" ? t("legend.deny") : t(`frame:verdict.${verdict}`)}
        </li>
      ))}
    </ul>
  );
}
