/** `<Num>`, `<Bytes>`, `<When>`, `<Span>`: figures in the reader's language, exact where one asks. */
import type { JSX, ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";

const UNITS = ["B", "kB", "MB", "GB", "TB"];

/** Powers of 1,000, three figures: `1.24 MB`. */
export function bytesText(bytes: number, language: string): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  const text = new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(value);
  return `${text} ${UNITS[unit]}`;
}

export const numberText = (value: number, language: string): string =>
  new Intl.NumberFormat(language).format(value);

/** Where the entries behind a filter are shown, and the command that shows the same. */
export const entriesAt = (filter: string): string => `/ledger/entries?filter=${encodeURIComponent(filter)}`;

function Leading({
  filter,
  title,
  children,
}: {
  readonly filter: string | null | undefined;
  readonly title?: string;
  readonly children: ReactNode;
}): JSX.Element {
  const { t } = useTranslation();
  if (filter === null || filter === undefined)
    return (
      <span className="figures" {...(title === undefined ? {} : { title })}>
        {children}
      </span>
    );
  return (
    <Link
      className="figures number-link"
      to={entriesAt(filter)}
      title={title === undefined ? t("entries") : `${title} · ${t("entries")}`}
    >
      {children}
    </Link>
  );
}

/** A count; with `filter` it leads to the entries behind it. */
export function Num({
  children,
  filter,
}: {
  readonly children: number;
  readonly filter?: string | null | undefined;
}): JSX.Element {
  const { i18n } = useTranslation();
  return <Leading filter={filter}>{numberText(children, i18n.language)}</Leading>;
}

export function Bytes({
  children,
  filter,
}: {
  readonly children: number;
  readonly filter?: string | null | undefined;
}): JSX.Element {
  const { i18n } = useTranslation();
  return (
    <Leading filter={filter} title={`${numberText(children, i18n.language)} B`}>
      {bytesText(children, i18n.language)}
    </Leading>
  );
}

export type WhenForm = "full" | "day" | "time" | "exact";
const FORMS: Readonly<Record<WhenForm, Intl.DateTimeFormatOptions>> = {
  full: { dateStyle: "medium", timeStyle: "short" },
  day: { dateStyle: "medium" },
  time: { hour: "2-digit", minute: "2-digit", second: "2-digit" },
  exact: { dateStyle: "medium", timeStyle: "medium" },
};

export const whenText = (at: number, language: string, form: WhenForm = "full"): string =>
  new Intl.DateTimeFormat(language, { ...FORMS[form], hourCycle: "h23" }).format(at);

/** A time by the reader's own clock; in full, with the zone and in UTC, as its title. */
export function When({ at, form = "full" }: { readonly at: number; readonly form?: WhenForm }): JSX.Element {
  const { i18n } = useTranslation();
  const iso = new Date(at).toISOString();
  const full = new Intl.DateTimeFormat(i18n.language, { dateStyle: "full", timeStyle: "long" }).format(at);
  return (
    <time className="figures" dateTime={iso} title={`${full} · ${iso}`}>
      {whenText(at, i18n.language, form)}
    </time>
  );
}

/** How long ago, in the greatest unit that fits; the time itself as its title. */
export function Ago({ at, now }: { readonly at: number; readonly now: number }): JSX.Element {
  const { i18n } = useTranslation();
  const units = [
    ["day", 86_400_000],
    ["hour", 3_600_000],
    ["minute", 60_000],
    ["second", 1_000],
  ] as const;
  const gone = Math.max(0, now - at);
  const [unit, length] = units.find(([, ms]) => gone >= ms) ?? units[3];
  const text = new Intl.RelativeTimeFormat(i18n.language, { numeric: "auto" }).format(
    -Math.floor(gone / length),
    unit,
  );
  return (
    <time dateTime={new Date(at).toISOString()} title={whenText(at, i18n.language, "exact")}>
      {text}
    </time>
  );
}

/** `850 ms`, `12.4 s`, `3 min 20 s`, `2 h 5 min` */
export function durationText(ms: number, language: string): string {
  const unit = (value: number, name: string, digits = 0): string =>
    new Intl.NumberFormat(language, {
      style: "unit",
      unit: name,
      unitDisplay: "short",
      maximumFractionDigits: digits,
    }).format(value);
  if (ms < 1_000) return unit(Math.round(ms), "millisecond");
  if (ms < 60_000) return unit(ms / 1_000, "second", 1);
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return `${unit(minutes, "minute")} ${unit(Math.round((ms % 60_000) / 1_000), "second")}`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${unit(hours, "hour")} ${unit(minutes % 60, "minute")}`;
  return unit(Math.floor(hours / 24), "day");
}

export function Duration({ ms }: { readonly ms: number }): JSX.Element {
  const { i18n } = useTranslation();
  return <span className="figures">{durationText(ms, i18n.language)}</span>;
}
