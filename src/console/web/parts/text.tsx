/** `<Text>`: what somebody else wrote, shown harmless. See points.ts. */
import { type JSX, useState } from "react";
import { useTranslation } from "react-i18next";
import { type Piece, piecesOf, pointName } from "./points.ts";

/** What is shown of a text before somebody asks for the rest. */
const SHOWN = 400;
const SHOWN_BLOCK = 6_000;
/** More than this is never put on a page at once. */
const MOST = 400_000;

export interface TextProps {
  readonly children: string;
  /** Keep lines and spaces, in the face of code. */
  readonly block?: boolean;
  /** Characters before "show more". */
  readonly shown?: number;
  readonly className?: string;
  /** Within a button or a link: what is too long is cut, as there can be no button in it that shows the rest. */
  readonly isCut?: boolean;
}

/** Cuts between code points. */
function cut(text: string, length: number): string {
  const end = (text.codePointAt(length - 1) ?? 0) > 0xffff ? length - 1 : length;
  return text.slice(0, end);
}

export function Text({ children, block = false, shown, className, isCut = false }: TextProps): JSX.Element {
  const { t } = useTranslation();
  const [isOpen, setOpen] = useState(false);
  const limit = shown ?? (block ? SHOWN_BLOCK : SHOWN);
  const isLong = children.length > limit + limit / 4;
  const text = isLong && !isOpen ? cut(children, limit) : cut(children, MOST);
  const pieces = <Pieces of={piecesOf(text)} />;
  const more = isLong && !isCut && (
    <button type="button" className="more" onClick={() => setOpen(!isOpen)}>
      {isOpen ? t("text.less") : t("text.more", { count: children.length })}
    </button>
  );
  const classes = ["text", block && "text-block", className].filter(Boolean).join(" ");
  if (block)
    return (
      <div className={classes}>
        <pre dir="auto">
          {pieces}
          {isLong && !isOpen && "…"}
        </pre>
        {more}
      </div>
    );
  return (
    <span className={classes}>
      <bdi>
        {pieces}
        {isLong && !isOpen && "…"}
      </bdi>
      {more}
    </span>
  );
}

/** Pieces in a row, hidden characters as their code points. */
export function Pieces({ of }: { readonly of: readonly Piece[] }): JSX.Element {
  const { t } = useTranslation();
  return (
    <>
      {of.map((piece, at) =>
        piece.kind === "plain" ? (
          piece.text
        ) : (
          // biome-ignore lint/suspicious/noArrayIndexKey: pieces have no other name, and are never reordered
          <span key={at} className="point" title={t("text.point")}>
            {pointName(piece.code)}
            {piece.times > 1 && `×${piece.times}`}
          </span>
        ),
      )}
    </>
  );
}
