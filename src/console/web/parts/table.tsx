/**
 * `<Table>`: rows that can be sorted by each column and exported, as a table where there is room and as cards where there
 * is not. A plain `table`: a screen reader knows its ways round it.
 */
import { type JSX, type ReactNode, useId, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { Icon } from "../frame/icons.tsx";
import { address, type Query } from "../station/call.ts";
import { Empty } from "./state.tsx";
import { type Cell, csvOf, jsonOf, saveAs } from "./table-export.ts";

export interface Column<Row> {
  readonly id: string;
  readonly title: string;
  readonly cell: (row: Row) => ReactNode;
  /** By what it is sorted and exported; absent: neither. */
  readonly value?: (row: Row) => Cell;
  /** Right-aligned, greatest first. */
  readonly numeric?: boolean;
  /** The row's heading: first in a card. */
  readonly isHead?: boolean;
  /** Takes what room there is. */
  readonly grows?: boolean;
}

export interface Sorting {
  readonly column: string;
  readonly direction: "ascending" | "descending";
}

export interface TableProps<Row> {
  /** What the rows are; said by screen readers, and the name of the exported file. */
  readonly caption: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly rowKey: (row: Row) => string;
  readonly sorting?: Sorting;
  /** The rows stand in the server's order and are not all here: no sorting in the browser. */
  readonly isPartial?: boolean;
  /** A list of the server's that gives all rows as a file; absent: the rows that are here. */
  readonly source?: { readonly path: string; readonly query: Query };
  /** Rows at once; the rest on asking. */
  readonly pageSize?: number;
  readonly empty?: ReactNode;
  /** Loads more from the server. */
  readonly onMore?: (() => void) | undefined;
  readonly foot?: ReactNode;
  readonly isExportable?: boolean;
}

function compare(a: Cell, b: Cell, language: string): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1; // nothing comes last
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), language, { numeric: true });
}

function sorted<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  by: Sorting | undefined,
  language: string,
): readonly Row[] {
  const value = columns.find(({ id }) => id === by?.column)?.value;
  if (by === undefined || value === undefined) return rows;
  const sign = by.direction === "ascending" ? 1 : -1;
  return [...rows].sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    return x === null || y === null ? compare(x, y, language) : sign * compare(x, y, language);
  });
}

/** A narrow screen, where rows are cards: fewer of them at once. */
const CARDS = "(max-width: 40rem)";
const CARDS_AT_ONCE = 8;
/** So few columns fit even there. */
const FEW = 3;

export function Table<Row>(props: TableProps<Row>): JSX.Element {
  const { caption, columns, rows, rowKey, isPartial = false, pageSize = 50, empty, onMore, foot } = props;
  const { t, i18n } = useTranslation();
  const [sorting, setSorting] = useState(props.sorting);
  const [shown, setShown] = useState(() =>
    matchMedia(CARDS).matches ? Math.min(pageSize, CARDS_AT_ONCE) : pageSize,
  );
  const captionId = useId();
  const inOrder = useMemo(
    () => (isPartial ? rows : sorted(rows, columns, sorting, i18n.language)),
    [rows, columns, sorting, isPartial, i18n.language],
  );
  if (rows.length === 0) return <>{empty ?? <Empty title={t("table.none")} />}</>;
  const visible = inOrder.slice(0, shown);
  const canSort = (column: Column<Row>): boolean => !isPartial && column.value !== undefined;
  const sortBy = (column: Column<Row>): void =>
    setSorting((now) => {
      const first = column.numeric === true ? "descending" : "ascending";
      if (now?.column !== column.id) return { column: column.id, direction: first };
      return { column: column.id, direction: now.direction === "ascending" ? "descending" : "ascending" };
    });

  return (
    <div className="table-box" data-few={columns.length <= FEW || undefined}>
      <div className="table-scroll" tabIndex={0} role="region" aria-labelledby={captionId}>
        <table>
          <caption id={captionId} className="unseen">
            {caption}
          </caption>
          <thead>
            <tr>
              {columns.map((column) => {
                const isBy = sorting?.column === column.id && !isPartial;
                return (
                  <th
                    key={column.id}
                    scope="col"
                    data-numeric={column.numeric || undefined}
                    data-grows={column.grows || undefined}
                    aria-sort={isBy ? sorting.direction : undefined}
                  >
                    {canSort(column) ? (
                      <button type="button" onClick={() => sortBy(column)}>
                        {column.title}
                        {isBy && <Icon name={sorting.direction === "ascending" ? "up" : "down"} size={12} />}
                      </button>
                    ) : (
                      column.title
                    )}
                  </th>
                );
              })}
            </tr>
          </thead>
          <tbody>
            {visible.map((row) => (
              <tr key={rowKey(row)}>
                {columns.map((column) =>
                  column.isHead === true ? (
                    <th key={column.id} scope="row" data-label={column.title}>
                      {column.cell(row)}
                    </th>
                  ) : (
                    <td key={column.id} data-label={column.title} data-numeric={column.numeric || undefined}>
                      {column.cell(row)}
                    </td>
                  ),
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <TableFoot
        {...props}
        rows={inOrder}
        shown={visible.length}
        onShowMore={() => setShown(shown + pageSize * 4)}
        onMore={onMore}
        foot={foot}
      />
    </div>
  );
}

function TableFoot<Row>({
  caption,
  columns,
  rows,
  shown,
  source,
  onShowMore,
  onMore,
  foot,
  isExportable = true,
}: TableProps<Row> & { readonly shown: number; readonly onShowMore: () => void }): JSX.Element {
  const { t } = useTranslation();
  const hidden = rows.length - shown;
  const exported = columns.flatMap(({ title, value }) => (value === undefined ? [] : [{ title, value }]));
  const save = (format: "csv" | "json"): void => {
    const names = exported.map(({ title }) => title);
    const cells = rows.map((row) => exported.map(({ value }) => value(row)));
    const name = `${caption.toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, "-")}.${format}`;
    if (format === "csv") saveAs(name, "text/csv;charset=utf-8", csvOf(names, cells));
    else saveAs(name, "application/json", jsonOf(names, cells));
  };
  const way = (format: "csv" | "json"): JSX.Element => {
    const label = `${t("table.export", { name: caption })}: ${t(`table.${format}`)}`;
    return source === undefined ? (
      <button type="button" className="more" aria-label={label} onClick={() => save(format)}>
        {t(`table.${format}`)}
      </button>
    ) : (
      <a
        className="more"
        aria-label={label}
        href={address(source.path, { ...source.query, format })}
        download
      >
        {t(`table.${format}`)}
      </a>
    );
  };
  return (
    <div className="table-foot">
      <span className="faint">{foot ?? t("table.rows", { count: rows.length })}</span>
      {hidden > 0 && (
        <button type="button" className="more" onClick={onShowMore}>
          {t("table.more", { count: hidden })}
        </button>
      )}
      {hidden === 0 && onMore !== undefined && (
        <button type="button" className="more" onClick={onMore}>
          {t("table.load")}
        </button>
      )}
      {isExportable && exported.length > 0 && (
        <span className="table-export">
          <Icon name="export" size={14} />
          {way("csv")}
          {way("json")}
        </span>
      )}
    </div>
  );
}
