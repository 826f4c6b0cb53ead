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
    let source: EventSource | null = null;
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
    // A browser opens six connections to a server for all its tabs: one that nobody sees holds none.
    const open = (): void => {
      if (document.visibilityState !== "visible" || source !== null) return;
      source = new EventSource("api/events");
      source.onopen = () => setLine("live");
      source.onerror = () => setLine("waiting");
      source.onmessage = refresh;
      for (const what of ["entries", "approvals", "health", "signed-out"] satisfies Live["what"][])
        source.addEventListener(what, refresh);
    };
    const close = (): void => {
      source?.close();
      source = null;
    };
    const onVisible = (): void => {
      if (document.visibilityState === "hidden") close();
      else {
        open();
        refresh();
      }
    };
    open();
    document.addEventListener("visibilitychange", onVisible);
    return () => {
      document.removeEventListener("visibilitychange", onVisible);
      clearTimeout(resting);
      close();
    };
  }, [client]);
  return line;
}
