/** `useRead`: a page's question to the server, kept by react-query under its path and its query. */
import { keepPreviousData, type UseQueryResult, useQuery } from "@tanstack/react-query";
import type { Answer } from "../../api/answer.ts";
import { get, type Query, Refused } from "./call.ts";

/**
 * `still`: does not change when something is recorded, so it is not asked for anew. `when` false: not asked yet.
 * While a changed query is under way, the former answer stays.
 */
export function useRead<T>(
  path: string,
  query: Query = {},
  { still = false, when = true }: { readonly still?: boolean; readonly when?: boolean } = {},
): UseQueryResult<Answer<T>, Error> {
  return useQuery({
    queryKey: [path, query],
    queryFn: ({ signal }) => get<T>(path, query, signal),
    enabled: when,
    placeholderData: keepPreviousData,
    staleTime: still ? Number.POSITIVE_INFINITY : 5_000,
    meta: { still },
    retry: (times, error) =>
      times < 2 && error instanceof Refused && (error.status === 0 || error.status === 503),
  });
}
