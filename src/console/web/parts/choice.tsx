/** `<Choice>`: one of a list, as a filter: a native select with its name before it. */
import { type JSX, type ReactNode, useId } from "react";
import { useTranslation } from "react-i18next";

export interface ChoiceOption {
  readonly value: string;
  readonly label: string;
}

export function Choice({
  label,
  value,
  options,
  onChoose,
  hideLabel = false,
}: {
  readonly label: string;
  /** The first option is the usual one; another is shown as chosen. */
  readonly value: string;
  readonly options: readonly ChoiceOption[];
  readonly onChoose: (value: string) => void;
  readonly hideLabel?: boolean;
}): JSX.Element {
  const id = useId();
  return (
    <span className="choice" data-set={value !== options[0]?.value || undefined}>
      <label htmlFor={id} className={hideLabel ? "unseen" : undefined}>
        {label}
      </label>
      <select id={id} value={value} onChange={(event) => onChoose(event.target.value)}>
        {options.map((option) => (
          <option key={option.value} value={option.value}>
            {option.label}
          </option>
        ))}
      </select>
    </span>
  );
}

/** `<Search>`: words to look for; told when typing rests or on Enter. */
export function Search({
  label,
  value,
  onSearch,
  placeholder,
}: {
  readonly label: string;
  readonly value: string;
  readonly onSearch: (text: string) => void;
  readonly placeholder?: string;
}): JSX.Element {
  const id = useId();
  return (
    <form
      className="search"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        const text = new FormData(event.currentTarget).get("text");
        onSearch(typeof text === "string" ? text.trim() : "");
      }}
    >
      <label htmlFor={id} className="unseen">
        {label}
      </label>
      <input
        key={value}
        id={id}
        name="text"
        type="search"
        defaultValue={value}
        placeholder={placeholder ?? label}
        autoComplete="off"
        spellCheck={false}
        onBlur={(event) => {
          const text = event.target.value.trim();
          if (text !== value) onSearch(text);
        }}
      />
    </form>
  );
}

/** `<Filters>`: a row of choices; on a narrow screen behind a line that tells how many are set. */
export function Filters({
  set,
  children,
}: {
  readonly set: number;
  readonly children: ReactNode;
}): JSX.Element {
  const { t } = useTranslation();
  return (
    <>
      <details className="filters-narrow">
        <summary>{set === 0 ? t("filters") : t("filtersSet", { count: set })}</summary>
        <div className="filters">{children}</div>
      </details>
      <div className="filters filters-wide" role="group" aria-label={t("filters")}>
        {children}
      </div>
    </>
  );
}
