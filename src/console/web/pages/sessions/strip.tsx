/** The whole session on one line for each sort of moment, as a map of the list below. */
import { type JSX, useRef } from "react";
import { useTranslation } from "react-i18next";
import type { Moment } from "../../../api/sessions.ts";
import { whenText } from "../../parts/figures.tsx";
import { useWidth } from "../../parts/room.ts";
import { SORTS, sortOf } from "./sorts.ts";

const LANE = 18;
/** A wait longer than so many usual ones, and than so long, is drawn as long as that, and marked. */
const USUAL = 12;
const LEAST_MS = 5_000;

/** Where each moment stands from 0 to 1, with long waits cut; and the moments before which something was cut. */
function along(moments: readonly Moment[]): {
  readonly places: ReadonlyMap<number, number>;
  readonly cuts: readonly Moment[];
} {
  const waits = moments.map((moment, at) => Math.max(0, moment.at - (moments[at - 1]?.at ?? moment.at)));
  const usual = [...waits].sort((a, b) => a - b)[Math.floor(waits.length / 2)] ?? 0;
  const most = Math.max(LEAST_MS, USUAL * usual);
  const whole = Math.max(
    1,
    waits.reduce((sum, wait) => sum + Math.min(wait, most), 0),
  );
  const places = new Map<number, number>();
  let gone = 0;
  for (const [at, moment] of moments.entries()) {
    gone += Math.min(waits[at] ?? 0, most);
    places.set(moment.index, gone / whole);
  }
  return { places, cuts: moments.filter((_, at) => (waits[at] ?? 0) > most) };
}

export function Strip({
  moments,
  selected,
  onSelect,
}: {
  readonly moments: readonly Moment[];
  readonly selected: Moment | undefined;
  readonly onSelect: (moment: Moment) => void;
}): JSX.Element | null {
  const { t, i18n } = useTranslation("sessions");
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const [first, last] = [moments[0], moments.at(-1)];
  if (first === undefined || last === undefined) return null;
  const lanes = SORTS.filter((sort) => moments.some(({ kind }) => sortOf(kind) === sort));
  const left = width < 500 ? 64 : 84;
  const { places, cuts } = along(moments);
  const x = (moment: Moment): number => left + 6 + (places.get(moment.index) ?? 0) * (width - left - 14);
  const y = (moment: Moment): number => lanes.indexOf(sortOf(moment.kind)) * LANE + LANE / 2;
  return (
    <div className="strip" ref={box}>
      {width > 0 && (
        <svg
          width={width}
          height={lanes.length * LANE}
          role="img"
          aria-label={t("strip", { count: moments.length })}
        >
          {lanes.map((sort, at) => (
            <g key={sort}>
              <text x={0} y={at * LANE + LANE / 2 + 4}>
                {t(`sort.${sort}`)}
              </text>
              <line x1={left} x2={width} y1={at * LANE + LANE / 2} y2={at * LANE + LANE / 2} />
            </g>
          ))}
          {cuts.map((moment) => (
            <line
              key={`cut ${moment.index}`}
              className="strip-cut"
              x1={x(moment) - 7}
              x2={x(moment) - 7}
              y1={0}
              y2={lanes.length * LANE}
            />
          ))}
          {selected !== undefined && (
            <line className="strip-now" x1={x(selected)} x2={x(selected)} y1={0} y2={lanes.length * LANE} />
          )}
          {moments.map((moment) => (
            // The list below has the same moments for those without a pointer.
            // biome-ignore lint/a11y/noStaticElementInteractions: part of an image that has its text
            <circle
              key={moment.index}
              cx={x(moment)}
              cy={y(moment)}
              r={moment.index === selected?.index ? 5 : 3.5}
              data-verdict={moment.verdict ?? undefined}
              data-kind={moment.kind}
              onClick={() => onSelect(moment)}
            />
          ))}
        </svg>
      )}
      <div className="strip-foot faint">
        <span>{whenText(first.at, i18n.language, "exact")}</span>
        {cuts.length > 0 && <span>{t("cut")}</span>}
        <span>{whenText(last.at, i18n.language, "time")}</span>
      </div>
    </div>
  );
}
