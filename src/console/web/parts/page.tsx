/** `<Page>`: a page's head and body. Its heading takes the focus when it opens, so that a screen reader says where one is. */
import { type JSX, type ReactNode, useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { Icon } from "../frame/icons.tsx";

export function Page({
  title,
  lede,
  controls,
  back,
  children,
}: {
  readonly title: string;
  /** The question that the page answers. */
  readonly lede?: ReactNode;
  /** At the right of the head: time, filters. */
  readonly controls?: ReactNode;
  readonly back?: { readonly to: string; readonly label: string };
  readonly children: ReactNode;
}): JSX.Element {
  const { t } = useTranslation();
  const heading = useRef<HTMLHeadingElement>(null);
  const name = t("name");
  useEffect(() => {
    document.title = `${title} · ${name}`;
  }, [title, name]);
  useEffect(() => {
    const { activeElement } = document;
    // Not where somebody is typing, nor on the first page of all.
    if (activeElement !== null && activeElement !== document.body && activeElement.closest("main") === null)
      heading.current?.focus({ preventScroll: true });
  }, []);
  return (
    <div className="page">
      <header className="page-head">
        <div>
          {back !== undefined && (
            <Link className="page-back" to={back.to}>
              <Icon name="back" size={14} />
              {back.label}
            </Link>
          )}
          <h1 tabIndex={-1} ref={heading}>
            {title}
          </h1>
          {lede !== undefined && <p className="lede">{lede}</p>}
        </div>
        {controls !== undefined && <div className="page-controls">{controls}</div>}
      </header>
      {children}
    </div>
  );
}

/** A part of a page with its own heading. */
export function Panel({
  title,
  note,
  controls,
  children,
  bare = false,
}: {
  readonly title?: ReactNode;
  readonly note?: ReactNode;
  readonly controls?: ReactNode;
  readonly children: ReactNode;
  /** Without padding: a table fills it to the edge. */
  readonly bare?: boolean;
}): JSX.Element {
  return (
    <section className="panel" data-bare={bare || undefined}>
      {(title !== undefined || controls !== undefined) && (
        <header className="panel-head">
          <div>
            {title !== undefined && <h2>{title}</h2>}
            {note !== undefined && <p className="soft">{note}</p>}
          </div>
          {controls !== undefined && <div className="panel-controls">{controls}</div>}
        </header>
      )}
      <div className="panel-body">{children}</div>
    </section>
  );
}
