/** Requests over time, in buckets of an hour or a day; what was denied stands apart. A click looks at that bucket alone. */
import { type JSX, useRef } from "react";
import { useTranslation } from "react-i18next";
import type { Flows } from "../../../api/flows.ts";
import { numberText, whenText } from "../../parts/figures.tsx";
import { useWidth } from "../../parts/room.ts";

const HEIGHT = 64;
const DAY_MS = 86_400_000;

export function Series({
  flows,
  onChoose,
}: {
  readonly flows: Flows;
  readonly onChoose: (from: number, to: number) => void;
}): JSX.Element | null {
  const { t, i18n } = useTranslation("flows");
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const { series, bucketMs } = flows;
  const [first, last] = [series[0], series.at(-1)];
  if (first === undefined || last === undefined) return null;
  const from = Math.min(flows.from, first.at);
  const buckets = Math.max(1, Math.round((Math.max(flows.to, last.at + bucketMs) - from) / bucketMs));
  const step = width / buckets;
  const most = Math.max(...series.map(({ requests }) => requests));
  const form = bucketMs < DAY_MS ? "full" : "day";
  const high = (requests: number): number =>
    requests === 0 ? 0 : Math.max(2, (requests / most) * (HEIGHT - 4));
  return (
    <div className="series" ref={box}>
      {width > 0 && (
        <svg
          width={width}
          height={HEIGHT}
          viewBox={`0 0 ${width} ${HEIGHT}`}
          role="img"
          aria-label={t("series.label", {
            count: series.length,
            most: numberText(most, i18n.language),
            from: whenText(first.at, i18n.language, form),
            to: whenText(last.at, i18n.language, form),
          })}
        >
          {series.map((bucket) => {
            const x = ((bucket.at - from) / bucketMs) * step;
            const wide = Math.max(1, step - (step > 4 ? 1.5 : 0));
            const denied = high(bucket.denied);
            const whole = high(bucket.requests);
            const text = t("series.bucket", {
              at: whenText(bucket.at, i18n.language, form),
              requests: numberText(bucket.requests, i18n.language),
              denied: numberText(bucket.denied, i18n.language),
            });
            return (
              // The range picker does the same for those without a pointer.
              // biome-ignore lint/a11y/noStaticElementInteractions: part of an image that has its text
              <g key={bucket.at} className="bucket" onClick={() => onChoose(bucket.at, bucket.at + bucketMs)}>
                <title>{text}</title>
                <rect className="bucket-hit" x={x} y={0} width={Math.max(wide, 3)} height={HEIGHT} />
                <rect className="bucket-all" x={x} y={HEIGHT - whole} width={wide} height={whole} />
                <rect className="bucket-denied" x={x} y={HEIGHT - denied} width={wide} height={denied} />
              </g>
            );
          })}
        </svg>
      )}
      <div className="series-foot faint">
        <span>{whenText(from, i18n.language, "day")}</span>
        <span>{t(`series.${bucketMs < DAY_MS ? "hours" : "days"}`)}</span>
        <span>{whenText(from + buckets * bucketMs - 1, i18n.language, "day")}</span>
      </div>
    </div>
  );
}
