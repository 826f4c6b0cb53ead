/** `<Diff>`: two texts as one, with what changed marked and every unusual code point in it named. */
import { type JSX, useMemo } from "react";
import { useTranslation } from "react-i18next";
import { type DiffLine, linesOf, namedPoints, type Stretch } from "./difference.ts";
import { piecesOf, pointName } from "./points.ts";
import { Pieces } from "./text.tsx";

const AROUND = 3;

type Shown = DiffLine | { readonly kind: "folded"; readonly count: number; readonly after: number };

/** Unchanged lines away from any change are folded. */
function foldLines(lines: readonly DiffLine[]): readonly Shown[] {
  const near = new Set<number>();
  for (const [at, line] of lines.entries())
    if (line.kind !== "same") for (let i = at - AROUND; i <= at + AROUND; i++) near.add(i);
  const shown: Shown[] = [];
  for (const [at, line] of lines.entries()) {
    const last = shown.at(-1);
    if (line.kind !== "same" || near.has(at)) shown.push(line);
    else if (last?.kind === "folded") shown[shown.length - 1] = { ...last, count: last.count + 1 };
    else shown.push({ kind: "folded", count: 1, after: line.after });
  }
  return shown;
}

export function Diff({
  before,
  after,
  label,
}: {
  readonly before: string;
  readonly after: string;
  readonly label: string;
}): JSX.Element {
  const { t } = useTranslation();
  const shown = useMemo(() => foldLines(linesOf(before, after)), [before, after]);
  if (before === after) return <p className="soft">{t("diff.same")}</p>;
  return (
    <div className="diff" role="region" aria-label={label} tabIndex={0}>
      <ol>
        {shown.map((line) =>
          line.kind === "folded" ? (
            <li key={`folded ${line.after}`} className="diff-folded">
              {t("diff.unchanged", { count: line.count })}
            </li>
          ) : (
            <DiffRow key={line.kind === "removed" ? `- ${line.before}` : `+ ${line.after}`} line={line} />
          ),
        )}
      </ol>
    </div>
  );
}

function DiffRow({ line }: { readonly line: DiffLine }): JSX.Element {
  const { t } = useTranslation();
  const sign = line.kind === "added" ? "+" : line.kind === "removed" ? "−" : " ";
  return (
    <li data-kind={line.kind}>
      <span className="diff-number figures" aria-hidden="true">
        {line.kind === "added" ? line.after : line.before}
      </span>
      <span className="diff-sign" aria-hidden="true">
        {sign}
      </span>
      <span className="diff-text" dir="auto">
        {line.kind !== "same" && <span className="unseen">{t(`diff.${line.kind}`)}: </span>}
        {line.kind === "same" ? <Pieces of={piecesOf(line.text)} /> : <Stretches of={line.stretches} />}
      </span>
    </li>
  );
}

function Stretches({ of }: { readonly of: readonly Stretch[] }): JSX.Element {
  const points = namedPoints(of);
  return (
    <>
      {of.map(({ text, isChanged }, at) =>
        isChanged ? (
          // biome-ignore lint/suspicious/noArrayIndexKey: stretches have no other name, and are never reordered
          <mark key={at}>
            <Pieces of={piecesOf(text)} />
          </mark>
        ) : (
          // biome-ignore lint/suspicious/noArrayIndexKey: as above
          <span key={at}>
            <Pieces of={piecesOf(text)} />
          </span>
        ),
      )}
      {points.length > 0 && (
        <span className="diff-points">
          {points.map((code) => (
            <span key={code} className="point">
              {pointName(code)}
            </span>
          ))}
        </span>
      )}
    </>
  );
}
