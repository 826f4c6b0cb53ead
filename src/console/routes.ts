/** Every page's routes: a page is added by adding its file here. */
import { contentsRoutes } from "./contents.ts";
import { agentRoutes, approvalRoutes, destinationRoutes } from "./decision-routes.ts";
import { disclosureRoutes } from "./disclosure-routes.ts";
import { eventsRoutes } from "./events.ts";
import { exposureRoutes } from "./exposure.ts";
import { flowsRoutes } from "./flows.ts";
import { healthRoutes } from "./health.ts";
import { ledgerRoutes } from "./ledger.ts";
import { meRoutes } from "./me.ts";
import { policyRoutes } from "./policy-routes.ts";
import type { Rooms } from "./rooms.ts";
import type { Route } from "./route.ts";
import { sessionsRoutes } from "./sessions.ts";

export const routesOf = (rooms: Rooms): readonly Route[] =>
  [
    flowsRoutes,
    disclosureRoutes,
    sessionsRoutes,
    contentsRoutes,
    exposureRoutes,
    agentRoutes,
    destinationRoutes,
    policyRoutes,
    approvalRoutes,
    ledgerRoutes,
    healthRoutes,
    meRoutes,
    eventsRoutes,
  ].flatMap((routes) => routes(rooms));
