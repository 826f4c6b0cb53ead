/** `<RangePicker>`: which time a page looks at. It stands in the address, so that a link shows the same. */
import { type JSX, useId, useState } from "react";
import { useTranslation } from "react-i18next";
import { type Range, SPANS, type Span, useRange } from "../station/range.ts";
import { whenText } from "./figures.tsx";
import { Sheet } from "./sheet.tsx";

const NAMES = Object.keys(SPANS) as readonly Span[]; // exactly its keys
const DAY_MS = 86_400_000;

/** The local day as an `input` of type date writes it. */
function dayText(at: number): string {
  const day = new Date(at);
  const two = (n: number): string => String(n).padStart(2, "0");
  return `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}`;
}

export function RangePicker(): JSX.Element {
  const { t, i18n } = useTranslation();
  const range = useRange();
  const [isOpen, setOpen] = useState(false);
  const id = useId();
  const isSpan = (text: string): text is Span => NAMES.some((name) => name === text);
  return (
    <span className="choice">
      <label htmlFor={id}>{t("range.title")}</label>
      <select
        id={id}
        value={range.span ?? "now"}
        onChange={(event) => {
          const chosen = event.target.value;
          if (isSpan(chosen)) range.choose(chosen);
          else if (chosen === "dates") setOpen(true);
        }}
      >
        {range.span === null && <option value="now">{spanText(range, i18n.language)}</option>}
        {NAMES.map((name) => (
          <option key={name} value={name}>
            {t(`range.${name}`)}
          </option>
        ))}
        <option value="dates">{t("range.dates")}</option>
      </select>
      <Sheet isOpen={isOpen} onClose={() => setOpen(false)} title={t("range.title")}>
        <Dates
          range={range}
          onChoose={(from, to) => {
            range.choose({ from, to });
            setOpen(false);
          }}
        />
      </Sheet>
    </span>
  );
}

export function spanText({ from, to }: Pick<Range, "from" | "to">, language: string): string {
  const day = (at: number): string => whenText(at, language, "day");
  return `${from === undefined ? "…" : day(from)} – ${to === undefined ? "…" : day(to - 1)}`;
}

function Dates({
  range,
  onChoose,
}: {
  readonly range: Range;
  readonly onChoose: (from: number, to: number) => void;
}): JSX.Element {
  const { t } = useTranslation();
  const from = useId();
  const to = useId();
  const now = Date.now();
  return (
    <form
      className="form"
      onSubmit={(event) => {
        event.preventDefault();
        const form = new FormData(event.currentTarget);
        const [first, last] = [form.get("from"), form.get("to")].map((day) =>
          new Date(`${String(day)}T00:00`).getTime(),
        );
        if (first === undefined || last === undefined || Number.isNaN(first) || Number.isNaN(last)) return;
        onChoose(Math.min(first, last), Math.max(first, last) + DAY_MS);
      }}
    >
      <div className="field">
        <label htmlFor={from}>{t("range.from")}</label>
        <input
          id={from}
          name="from"
          type="date"
          required
          defaultValue={dayText(range.from ?? now - 7 * DAY_MS)}
        />
      </div>
      <div className="field">
        <label htmlFor={to}>{t("range.to")}</label>
        <input id={to} name="to" type="date" required defaultValue={dayText((range.to ?? now) - 1)} />
      </div>
      <div className="form-foot">
        <button type="submit" className="strong">
          {t("range.apply")}
        </button>
      </div>
    </form>
  );
}
