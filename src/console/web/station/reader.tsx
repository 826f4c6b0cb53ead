/** Who reads: what `GET api/me` says, for every page. Without it there is the sign-in page and nothing else. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { createContext, type JSX, type ReactNode, useCallback, useContext } from "react";
import type { Answer } from "../../api/answer.ts";
import type { Me, Right } from "../../api/me.ts";
import { get, Refused, send } from "./call.ts";

/** A page hides what its reader may not do, and the server refuses it all the same. */
export type Reader = Me;

const ReaderContext = createContext<Reader | null>(null);

export const readerQuery = {
  queryKey: ["me"],
  queryFn: async ({ signal }: { signal: AbortSignal }): Promise<Reader> =>
    (await get<Reader>("me", {}, signal)).data,
  staleTime: 60_000,
  retry: false,
} as const;

export function WithReader({
  children,
  signedOut,
  waiting,
  broken,
}: {
  readonly children: ReactNode;
  readonly signedOut: ReactNode;
  readonly waiting: ReactNode;
  readonly broken: (refused: unknown, again: () => void) => ReactNode;
}): JSX.Element {
  const me = useQuery(readerQuery);
  const again = useCallback(() => void me.refetch(), [me.refetch]);
  if (me.error instanceof Refused && me.error.status === 401) return <>{signedOut}</>;
  if (me.data !== undefined) return <ReaderContext value={me.data}>{children}</ReaderContext>;
  return <>{me.error === null ? waiting : broken(me.error, again)}</>;
}

export function useReader(): Reader {
  const reader = useContext(ReaderContext);
  if (reader === null) throw new Error("a page outside of the frame");
  return reader;
}

export const useMay = (right: Right): boolean => useReader().rights.includes(right);

/** A function that changes something for this reader. What was shown before is asked for anew afterwards. */
export function useSend(): <T>(
  method: "POST" | "PUT" | "DELETE",
  path: string,
  body: unknown,
) => Promise<Answer<T>> {
  const { csrf } = useReader();
  const client = useQueryClient();
  return useCallback(
    async <T,>(method: "POST" | "PUT" | "DELETE", path: string, body: unknown) => {
      const answer = await send<T>(method, path, body, csrf);
      await client.invalidateQueries({ predicate: (query) => query.queryKey[0] !== "me" });
      return answer;
    },
    [client, csrf],
  );
}
