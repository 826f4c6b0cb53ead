/** Exposure: for each agent build, destination and period one card with four questions; and the exact bytes that left. */
import type { JSX } from "react";
import { useTranslation } from "react-i18next";
import { Route, Routes, useSearchParams } from "react-router";
import type { Rows } from "../../../api/answer.ts";
import type { ExposureCard, ExposureQuery } from "../../../api/exposure.ts";
import { Choice, Filters } from "../../parts/choice.tsx";
import { Page, Panel } from "../../parts/page.tsx";
import { plainText } from "../../parts/points.ts";
import { RangePicker } from "../../parts/range-picker.tsx";
import { Answered, Empty } from "../../parts/state.tsx";
import { address } from "../../station/call.ts";
import { useRange } from "../../station/range.ts";
import { useRead } from "../../station/read.ts";
import { ExactBytesPage } from "./bytes.tsx";
import { Card } from "./card.tsx";
import "./exposure.css";

const PERIODS = ["week", "day", "month", "all"] as const;
const AT_ONCE = 50;

export function Exposure(): JSX.Element {
  return (
    <Routes>
      <Route index element={<Cards />} />
      <Route path="bytes/:exchange" element={<ExactBytesPage />} />
    </Routes>
  );
}

function Cards(): JSX.Element {
  const { t } = useTranslation(["exposure", "frame"]);
  const range = useRange();
  const [search, setSearch] = useSearchParams();
  const period = PERIODS.find((name) => name === search.get("period")) ?? "week";
  const query: ExposureQuery = {
    period,
    ...(search.get("agent") === null ? {} : { agent: search.get("agent") ?? "" }),
    ...(search.get("destination") === null ? {} : { destination: search.get("destination") ?? "" }),
    ...(range.from === undefined ? {} : { from: range.from }),
    ...(range.to === undefined ? {} : { to: range.to }),
  };
  const cards = useRead<Rows<ExposureCard>>("exposure", { ...query, limit: AT_ONCE });
  const choose = (name: string, value: string): void =>
    setSearch((now) => {
      const next = new URLSearchParams(now);
      if (value === "") next.delete(name);
      else next.set(name, value);
      return next;
    });
  const known = (of: "agent" | "destination"): { value: string; label: string }[] => {
    const names = new Set((cards.data?.data.rows ?? []).map((card) => card[of]));
    const chosen = search.get(of);
    if (chosen !== null) names.add(chosen);
    return [...names].sort().map((name) => ({ value: name, label: plainText(name) }));
  };
  return (
    <Page title={t("frame:page.exposure")} lede={t("lede")} controls={<RangePicker />}>
      <Filters set={["agent", "destination", "period"].filter((name) => search.get(name) !== null).length}>
        <Choice
          label={t("period.title")}
          value={period}
          options={PERIODS.map((name) => ({ value: name, label: t(`period.${name}`) }))}
          onChoose={(value) => choose("period", value)}
        />
        <Choice
          label={t("agent")}
          value={search.get("agent") ?? ""}
          options={[{ value: "", label: t("any") }, ...known("agent")]}
          onChoose={(value) => choose("agent", value)}
        />
        <Choice
          label={t("destination")}
          value={search.get("destination") ?? ""}
          options={[{ value: "", label: t("any") }, ...known("destination")]}
          onChoose={(value) => choose("destination", value)}
        />
      </Filters>
      <Answered
        to={cards}
        isEmpty={({ rows }) => rows.length === 0}
        empty={
          <Panel>
            <Empty title={t("empty.title")}>{t("empty.how")}</Empty>
          </Panel>
        }
      >
        {({ rows, next }) => (
          <>
            {rows.map((card) => (
              <Card key={card.id} card={card} />
            ))}
            <p className="row-of faint">
              {next === null ? t("count", { count: rows.length }) : t("cut", { count: rows.length })}
              <a className="more" href={address("exposure", { ...query, format: "csv" })} download>
                {t("frame:table.csv")}
              </a>
              <a className="more" href={address("exposure", { ...query, format: "json" })} download>
                {t("frame:table.json")}
              </a>
            </p>
          </>
        )}
      </Answered>
    </Page>
  );
}
