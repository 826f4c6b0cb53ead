/** Every page's routes: a page is added by adding its file here. */
import { eventsRoutes } from "./events.ts";
import { flowsRoutes } from "./flows.ts";
import { meRoutes } from "./me.ts";
import type { Rooms } from "./rooms.ts";
import type { Route } from "./route.ts";
import { sessionsRoutes } from "./sessions.ts";

export const routesOf = (rooms: Rooms): readonly Route[] =>
  [flowsRoutes, sessionsRoutes, meRoutes, eventsRoutes].flatMap((routes) => routes(rooms));
