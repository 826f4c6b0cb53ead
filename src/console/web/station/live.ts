/** The server's events: what is shown is asked for anew when something was recorded, at most once in two seconds. */
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import type { Live } from "../../api/events.ts";

export type Line = "live" | "waiting";
const REST_MS = 2_000;

/** Opens the stream while the component lives; tells whether it is open. */
export function useLive(): Line {
  const client = useQueryClient();
  const [line, setLine] = useState<Line>("waiting");
  useEffect(() => {
    const source = new EventSource("api/events", { withCredentials: false });
    let resting: ReturnType<typeof setTimeout> | undefined;
    let missed = false;
    const refresh = (): void => {
      if (resting !== undefined) {
        missed = true;
        return;
      }
      void client.invalidateQueries({ predicate: (query) => query.meta?.["still"] !== true });
      resting = setTimeout(() => {
        resting = undefined;
        if (!missed) return;
        missed = false;
        refresh();
      }, REST_MS);
    };
    source.onopen = () => setLine("live");
    source.onerror = () => setLine("waiting");
    source.onmessage = refresh;
    for (const what of ["entries", "approvals", "health", "signed-out"] satisfies Live["what"][])
      source.addEventListener(what, refresh);
    return () => {
      clearTimeout(resting);
      source.close();
    };
  }, [client]);
  return line;
}
