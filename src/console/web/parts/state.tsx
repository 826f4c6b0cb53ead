/** What a page shows while it waits, when there is nothing, and when it was refused. */
import type { UseQueryResult } from "@tanstack/react-query";
import type { JSX, ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { Answer } from "../../api/answer.ts";
import { Icon, type IconName } from "../frame/icons.tsx";
import { Refused } from "../station/call.ts";
import { Text } from "./text.tsx";

const LINES = ["first", "second", "third", "fourth"];

export function Loading(): JSX.Element {
  const { t } = useTranslation();
  return (
    <div className="loading" role="status">
      <span className="unseen">{t("state.loading")}</span>
      {LINES.map((line) => (
        <span key={line} className="loading-line" aria-hidden="true" />
      ))}
    </div>
  );
}

/** `children`: what would make something appear here. */
export function Empty({
  title,
  children,
}: {
  readonly title?: string;
  readonly children?: ReactNode;
}): JSX.Element {
  const { t } = useTranslation();
  return (
    <div className="empty">
      <p>{title ?? t("state.empty")}</p>
      {children !== undefined && <div className="soft">{children}</div>}
    </div>
  );
}

/** A fault as the CLI tells it: what, where, why, what to do, and its code. */
export function FaultPanel({
  error,
  title,
  again,
}: {
  readonly error: unknown;
  readonly title?: string;
  readonly again?: () => void;
}): JSX.Element {
  const { t } = useTranslation();
  const told = error instanceof Refused ? error.told : null;
  const isForbidden = error instanceof Refused && error.status === 403;
  const what = told?.what ?? (error instanceof Error ? error.message : String(error));
  return (
    <div className="fault" role="alert">
      <Icon name={isForbidden ? "lock" : "warn"} size={20} />
      <div>
        <p className="fault-what">{title ?? (isForbidden ? t("state.forbidden") : <Text>{what}</Text>)}</p>
        {(title !== undefined || isForbidden) && (
          <p>
            <Text>{what}</Text>
          </p>
        )}
        {told?.at != null && (
          <p className="mono">
            <Text>{told.at}</Text>
          </p>
        )}
        {told?.detail != null && (
          <p className="soft">
            <Text>{told.detail}</Text>
          </p>
        )}
        {told?.remedy != null && (
          <p>
            <strong>{t("state.do")}:</strong> <Text>{told.remedy}</Text>
          </p>
        )}
        <p className="fault-foot">
          {told !== null && <code>{told.code}</code>}
          {again !== undefined && (
            <button type="button" className="plain" onClick={again}>
              {t("state.again")}
            </button>
          )}
        </p>
      </div>
    </div>
  );
}

/** Shows `children` with a question's answer; until then, and where there is none, the fitting state. */
export function Answered<T>({
  to,
  isEmpty,
  empty,
  children,
}: {
  readonly to: UseQueryResult<Answer<T>, Error>;
  readonly isEmpty?: (data: T) => boolean;
  readonly empty?: ReactNode;
  readonly children: (data: T, answer: Answer<T>) => ReactNode;
}): JSX.Element {
  if (to.data === undefined)
    return to.error === null ? <Loading /> : <FaultPanel error={to.error} again={() => void to.refetch()} />;
  return (
    <div className="answered" aria-busy={to.isPlaceholderData} data-stale={to.isPlaceholderData || undefined}>
      {to.error !== null && <FaultPanel error={to.error} again={() => void to.refetch()} />}
      {isEmpty?.(to.data.data) === true ? (empty ?? <Empty />) : children(to.data.data, to.data)}
    </div>
  );
}

/** A line that tells something once; `tone` gives its colour and sign. */
export function Note({
  tone = "info",
  children,
}: {
  readonly tone?: "info" | "warn" | "good" | "bad";
  readonly children: ReactNode;
}): JSX.Element {
  const signs: Readonly<Record<typeof tone, IconName>> = {
    info: "info",
    warn: "warn",
    good: "allow",
    bad: "deny",
  };
  return (
    <div className="note" data-tone={tone}>
      <Icon name={signs[tone]} size={18} />
      <div>{children}</div>
    </div>
  );
}
