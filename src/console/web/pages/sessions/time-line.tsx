/** The time line: every moment in order, filtered by sort, stepped through by key, its content shown for a reason. */
import { type JSX, type KeyboardEvent, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { ToggleButton, ToggleButtonGroup } from "react-aria-components";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "react-router";
import type { Rows } from "../../../api/answer.ts";
import type { Moment } from "../../../api/sessions.ts";
import { Icon } from "../../frame/icons.tsx";
import { When } from "../../parts/figures.tsx";
import { Panel } from "../../parts/page.tsx";
import { Answered, Empty } from "../../parts/state.tsx";
import { Text } from "../../parts/text.tsx";
import { Verdict } from "../../parts/verdict.tsx";
import { useRead } from "../../station/read.ts";
import { useContents } from "./contents.tsx";
import { MomentPanel } from "./moment.tsx";
import { SIGNS, SORTS, type Sort, sortOf } from "./sorts.ts";
import { Strip } from "./strip.tsx";
import { useTitle } from "./titles.ts";

const MOST = 2_000;
const STEP_MS = 900;

export function TimeLine({
  id,
  hasEvidence,
}: {
  readonly id: string;
  readonly hasEvidence: boolean;
}): JSX.Element {
  const { t } = useTranslation("sessions");
  const moments = useRead<Rows<Moment>>(`sessions/${encodeURIComponent(id)}/moments`, { limit: MOST });
  return (
    <Answered to={moments} isEmpty={({ rows }) => rows.length === 0} empty={<Empty />}>
      {({ rows, next }) => (
        <Panel
          title={t("line.title")}
          note={next === null ? t("line.note") : t("line.cut", { count: rows.length })}
          bare
        >
          <Steps id={id} moments={rows} hasEvidence={hasEvidence} />
        </Panel>
      )}
    </Answered>
  );
}

function Steps({
  id,
  moments,
  hasEvidence,
}: {
  readonly id: string;
  readonly moments: readonly Moment[];
  readonly hasEvidence: boolean;
}): JSX.Element {
  const { t } = useTranslation("sessions");
  const [search, setSearch] = useSearchParams();
  const present = useMemo(
    () => SORTS.filter((sort) => moments.some(({ kind }) => sortOf(kind) === sort)),
    [moments],
  );
  const [sorts, setSorts] = useState<ReadonlySet<Sort>>(new Set(SORTS));
  const [isPlaying, setPlaying] = useState(false);
  const list = useRef<HTMLOListElement>(null);
  const shown = useMemo(() => moments.filter(({ kind }) => sorts.has(sortOf(kind))), [moments, sorts]);
  const at = Number(search.get("at") ?? Number.NaN);
  const selected = shown.find(({ index }) => index === at) ?? shown[0];
  const contents = useContents(id);

  const select = useCallback(
    (moment: Moment | undefined, focus = false): void => {
      if (moment === undefined) return;
      setSearch(
        (now) =>
          new URLSearchParams([...[...now].filter(([name]) => name !== "at"), ["at", String(moment.index)]]),
        {
          replace: true,
        },
      );
      const row = list.current?.querySelector<HTMLElement>(`[data-index="${moment.index}"]`);
      row?.scrollIntoView({ block: "nearest" });
      if (focus) row?.focus({ preventScroll: true });
    },
    [setSearch],
  );
  const step = useCallback(
    (by: number, focus: boolean): boolean => {
      const now = shown.findIndex(({ index }) => index === selected?.index);
      const next = shown[now + by];
      select(next, focus);
      return next !== undefined;
    },
    [shown, selected, select],
  );
  useEffect(() => {
    if (!isPlaying) return;
    const timer = setTimeout(() => {
      if (!step(1, false)) setPlaying(false);
    }, STEP_MS);
    return () => clearTimeout(timer);
  }, [isPlaying, step]);
  const onKey = (event: KeyboardEvent): void => {
    const by =
      event.key === "ArrowDown" || event.key === "j"
        ? 1
        : event.key === "ArrowUp" || event.key === "k"
          ? -1
          : 0;
    if (by !== 0) {
      event.preventDefault();
      step(by, true);
    } else if (event.key === "Home" || event.key === "End") {
      event.preventDefault();
      select(event.key === "Home" ? shown[0] : shown.at(-1), true);
    } else if (event.key === " ") {
      event.preventDefault();
      setPlaying(!isPlaying);
    }
  };

  return (
    <div className="replay">
      <div className="replay-head">
        <button
          type="button"
          className="plain"
          aria-pressed={isPlaying}
          onClick={() => setPlaying(!isPlaying)}
        >
          <Icon name={isPlaying ? "pause" : "play"} />
          {t(`line.${isPlaying ? "pause" : "play"}`)}
        </button>
        <ToggleButtonGroup
          className="sorts"
          aria-label={t("line.sorts")}
          selectionMode="multiple"
          selectedKeys={sorts}
          onSelectionChange={(keys) => setSorts(new Set(SORTS.filter((sort) => keys.has(sort))))}
        >
          {present.map((sort) => (
            <ToggleButton key={sort} id={sort}>
              <Icon name={SIGNS[sort]} size={14} />
              {t(`sort.${sort}`)}
              <span className="figures faint">
                {moments.filter(({ kind }) => sortOf(kind) === sort).length}
              </span>
            </ToggleButton>
          ))}
        </ToggleButtonGroup>
        {hasEvidence && contents.ask}
      </div>
      <Strip moments={shown} selected={selected} onSelect={(moment) => select(moment)} />
      <div className="replay-body">
        <ol ref={list} className="moments" onKeyDown={onKey} aria-label={t("line.title")}>
          {shown.map((moment) => (
            <MomentRow
              key={moment.index}
              moment={moment}
              isSelected={moment.index === selected?.index}
              onSelect={select}
            />
          ))}
        </ol>
        {selected !== undefined && (
          <MomentPanel moment={selected} contents={contents} hasEvidence={hasEvidence} />
        )}
      </div>
    </div>
  );
}

function MomentRow({
  moment,
  isSelected,
  onSelect,
}: {
  readonly moment: Moment;
  readonly isSelected: boolean;
  readonly onSelect: (moment: Moment) => void;
}): JSX.Element {
  const title = useTitle(moment);
  return (
    <li>
      <button
        type="button"
        className="moment"
        data-index={moment.index}
        data-kind={moment.kind}
        aria-current={isSelected ? "true" : undefined}
        tabIndex={isSelected ? 0 : -1}
        onClick={() => onSelect(moment)}
      >
        <When at={moment.at} form="time" />
        <Icon name={SIGNS[sortOf(moment.kind)]} size={15} />
        <span className="moment-title">
          <Text isCut shown={140}>
            {title}
          </Text>
        </span>
        {moment.verdict !== null && <Verdict of={moment.verdict} />}
      </button>
    </li>
  );
}
