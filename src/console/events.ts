/** What happens, as it happens: so that a page asks again when something it shows has changed. */
import type { Live } from "./api/events.ts";
import type { LiveNews, Rooms } from "./rooms.ts";
import { liveRoute, type Route } from "./route.ts";

const MAX_SESSIONS = 20;

export const eventsRoutes = (rooms: Rooms): readonly Route[] => [
  liveRoute({
    method: "GET",
    path: "/api/events",
    rights: ["look"],
    handle: (_ask, tell) => {
      const now: Live = { what: "index", indexing: rooms.indexing() };
      tell(now);
      return rooms.onLive((news) => tell(liveOf(news)));
    },
  }),
];

function liveOf(news: LiveNews): Live {
  if (news.what !== "entries") return news;
  const kinds: Record<string, number> = {};
  const sessions = new Set<string>();
  for (const event of news.events) {
    kinds[event.kind] = (kinds[event.kind] ?? 0) + 1;
    if ("session" in event && sessions.size < MAX_SESSIONS) sessions.add(event.session);
  }
  return {
    what: "entries",
    from: news.from,
    to: news.from + news.events.length,
    kinds,
    sessions: [...sessions],
  };
}
