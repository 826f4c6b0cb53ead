/** Columns of the kinds that most tables have: each is shown, sorted and exported by one value. */
import { Bytes, Num, When } from "./figures.tsx";
import type { Column } from "./table.tsx";
import { Text } from "./text.tsx";

type Plain<Row> = Pick<Column<Row>, "isHead" | "grows">;

export const countColumn = <Row,>(
  id: string,
  title: string,
  value: (row: Row) => number,
  filter?: string,
): Column<Row> => ({
  ...{ id, title, value, numeric: true },
  cell: (row) => <Num filter={filter}>{value(row)}</Num>,
});

export const bytesColumn = <Row,>(id: string, title: string, value: (row: Row) => number): Column<Row> => ({
  ...{ id, title, value, numeric: true },
  cell: (row) => <Bytes>{value(row)}</Bytes>,
});

/** Unix ms; null: never. */
export const timeColumn = <Row,>(
  id: string,
  title: string,
  value: (row: Row) => number | null,
): Column<Row> => ({
  ...{ id, title, value },
  cell: (row) => {
    const at = value(row);
    return at === null ? "–" : <When at={at} />;
  },
});

export const textColumn = <Row,>(
  id: string,
  title: string,
  value: (row: Row) => string,
  more: Plain<Row> & { readonly isCode?: boolean } = {},
): Column<Row> => {
  const { isCode = false, ...plain } = more;
  return {
    ...{ id, title, value },
    ...plain,
    cell: (row) =>
      isCode ? (
        <span className="mono">
          <Text>{value(row)}</Text>
        </span>
      ) : (
        <Text>{value(row)}</Text>
      ),
  };
};
