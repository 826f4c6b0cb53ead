/** `<Facts>`: names and what is known under them. */
import type { JSX, ReactNode } from "react";

export interface FactRow {
  readonly name: string;
  readonly value: ReactNode;
}

export function Facts({
  rows,
  wide = false,
}: {
  readonly rows: readonly (FactRow | null)[];
  readonly wide?: boolean;
}): JSX.Element {
  return (
    <dl className="facts" data-wide={wide || undefined}>
      {rows
        .filter((row) => row !== null)
        .map(({ name, value }) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}

/** A figure that stands for a page: large, with what it counts. */
export function Figure({
  label,
  tone,
  children,
  note,
}: {
  readonly label: string;
  readonly tone?: "allow" | "redact" | "deny" | "ask" | "reroute";
  readonly children: ReactNode;
  readonly note?: ReactNode;
}): JSX.Element {
  return (
    <div className="figure" data-tone={tone}>
      <dt>{label}</dt>
      <dd>
        <span className="figure-value">{children}</span>
        {note !== undefined && <span className="figure-note">{note}</span>}
      </dd>
    </div>
  );
}

export function Figures({ children }: { readonly children: ReactNode }): JSX.Element {
  return <dl className="figures-row">{children}</dl>;
}
