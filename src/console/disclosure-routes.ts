/** The routes of the page Disclosures: nothing of them is content. */
import { z } from "zod";
import { disclosedFiles, disclosureOverview, fileDetail, repositoryDetail } from "./disclosures.ts";
import type { Rooms } from "./rooms.ts";
import { listRoute, type Route, valueRoute } from "./route.ts";

const Time = z
  .string()
  .regex(/^\d{1,15}$/)
  .transform(Number)
  .optional();
const Period = { from: Time, to: Time };
const Line = z.string().max(2000);
const Place = z.strictObject({
  ...Period,
  workspace: Line,
  under: Line.optional(),
  destination: Line.optional(),
});

export const disclosureRoutes = (rooms: Rooms): readonly Route[] => {
  const sources = async () => {
    const register = await rooms.register();
    const operators = new Map(register.rows.map(({ id, operator }) => [id, operator]));
    const { index } = rooms;
    return {
      disclosures: index.disclosures,
      operatorOf: (destination: string) => operators.get(destination) ?? null,
      entries: (indexes: readonly number[]) => entriesAt(indexes, index),
    };
  };
  return [
    valueRoute({
      method: "GET",
      path: "/api/disclosures",
      rights: ["look"],
      query: z.strictObject(Period),
      handle: async ({ query }) => ({
        data: disclosureOverview(await sources(), period(query)),
        filter: "kind=exchange.traced",
      }),
    }),
    valueRoute({
      method: "GET",
      path: "/api/disclosures/repository",
      rights: ["look"],
      query: Place,
      handle: async ({ query: { workspace, under, destination, ...range } }) => ({
        data: repositoryDetail(
          workspace,
          { under: under ?? "", destination: destination ?? null, period: period(range) },
          await sources(),
        ),
      }),
    }),
    listRoute({
      method: "GET",
      path: "/api/disclosures/files",
      rights: ["look"],
      query: Place,
      name: "disclosed-files",
      columns: ["path", "lines", "of", "share", "versions", "exchanges", "bytes", "first", "last"],
      page: async ({ query: { workspace, under, destination, ...range } }, { limit, cursor }) => {
        const rows = disclosedFiles(
          workspace,
          { under: under ?? "", destination: destination ?? null, period: period(range) },
          await sources(),
        );
        return paged(rows, limit, cursor);
      },
    }),
    valueRoute({
      method: "GET",
      path: "/api/disclosures/file",
      rights: ["look"],
      query: z.strictObject({ ...Period, workspace: Line, path: Line }),
      handle: async ({ query: { workspace, path, ...range } }) => ({
        data: fileDetail(workspace, path, period(range), await sources()),
      }),
    }),
  ];
};

/** `to` is not included: a day that it begins is not asked for. */
function period({ from, to }: { readonly from?: number | undefined; readonly to?: number | undefined }): {
  from?: number;
  to?: number;
} {
  return { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to: to - 1 }) };
}

/** The filter language takes at most 64 values at once. */
const AT_ONCE = 64;

export function entriesAt(
  indexes: readonly number[],
  index: Pick<Rooms["index"], "query">,
): ReturnType<Rooms["index"]["query"]> {
  const found: ReturnType<Rooms["index"]["query"]>[] = [];
  for (let at = 0; at < indexes.length; at += AT_ONCE)
    found.push(index.query(`index=${indexes.slice(at, at + AT_ONCE).join(",")}`, AT_ONCE));
  return found.flat();
}

/** A page of rows that are all there; the cursor is how many came before. */
export function paged<T extends object>(
  rows: readonly T[],
  limit: number,
  cursor: string | null,
): { readonly rows: readonly T[]; readonly next: string | null; readonly total: number } {
  const begin = cursor !== null && /^\d{1,9}$/.test(cursor) ? Number(cursor) : 0;
  const end = begin + limit;
  return { rows: rows.slice(begin, end), next: end < rows.length ? String(end) : null, total: rows.length };
}
