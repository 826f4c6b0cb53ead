/** The server's events: what is shown is asked for anew when something was recorded, at most once in two seconds. */
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import type { Indexing, Live } from "../../api/events.ts";

export type Line = "live" | "waiting";
const REST_MS = 2_000;

/** Opens the stream while the component lives; tells whether it is open, and how far the index is where it is far behind. */
export function useLive(): { readonly line: Line; readonly indexing: Indexing | null } {
  const client = useQueryClient();
  const [line, setLine] = useState<Line>("waiting");
  const [indexing, setIndexing] = useState<Indexing | null>(null);
  useEffect(() => {
    let source: EventSource | null = null;
    let resting: ReturnType<typeof setTimeout> | undefined;
    let missed = false;
    let wasBehind = false;
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
      source.addEventListener("index", ({ data }: MessageEvent<string>) => {
        const { indexing: now } = JSON.parse(data) as Extract<Live, { what: "index" }>;
        setIndexing(now);
        if (now !== null || wasBehind) refresh();
        wasBehind = now !== null;
      });
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
  return { line, indexing };
}
