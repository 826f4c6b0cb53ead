/** What is wrong with a document, where, and the lines round it. */
import type { JSX } from "react";
import { useTranslation } from "react-i18next";
import type { PlacedError } from "../../../api/policy.ts";
import { Icon } from "../../frame/icons.tsx";
import { Text } from "../../parts/text.tsx";

const AROUND = 2;

export function PlacedFault({
  error,
  text,
}: {
  readonly error: PlacedError;
  /** The document; null: it may not be shown. */
  readonly text: string | null;
}): JSX.Element {
  const { t } = useTranslation(["policy", "frame"]);
  const { file, line, column, path, detail, remedy } = error;
  const lines = text?.split("\n") ?? [];
  const from = line === null ? 0 : Math.max(0, line - 1 - AROUND);
  return (
    <div className="fault" role="alert">
      <Icon name="warn" size={20} />
      <div>
        <p className="fault-what">
          <Text>{detail}</Text>
        </p>
        <p className="mono">
          <Text>{`${file}${line === null ? "" : `:${line}:${column ?? 1}`}${path === null ? "" : `  ${path}`}`}</Text>
        </p>
        {line !== null && lines.length > 0 && (
          <ol className="around" start={from + 1}>
            {lines.slice(from, line + AROUND).map((content, at) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: lines have no other name, and never move
              <li key={at} data-here={from + at + 1 === line || undefined}>
                <span className="figures faint" aria-hidden="true">
                  {from + at + 1}
                </span>
                <Text shown={200}>{content}</Text>
              </li>
            ))}
          </ol>
        )}
        <p>
          <strong>{t("frame:state.do")}:</strong> <Text>{remedy}</Text>
        </p>
      </div>
    </div>
  );
}
