/** Who is signed in, and the links that wait. */
import { z } from "zod";
import { Fault } from "../core/index.ts";
import type { Me } from "./api/me.ts";
import type { Rooms } from "./rooms.ts";
import { listRoute, type Route, valueRoute } from "./route.ts";
import { IDLE_MS, type SignedIn } from "./sign-in.ts";

export const meOf = (
  { user, csrf, signedInAt, expiresAt }: SignedIn,
  { version, isDemo, clock }: Pick<Rooms, "version" | "isDemo" | "clock">,
): Me => ({
  principal: user.principal,
  roles: user.roles,
  rights: [...user.rights],
  csrf,
  version,
  language: user.language,
  signedInAt,
  expiresAt,
  idleMs: IDLE_MS,
  now: clock.now(),
  isDemo,
});

export const meRoutes = ({ signIns }: Rooms): readonly Route[] => [
  listRoute({
    method: "GET",
    path: "/api/links",
    rights: ["administer"],
    name: "links",
    columns: ["id", "principal", "roles", "state", "madeAt", "expiresAt", "seenAt"],
    page: ({ user }) => {
      const rows = signIns.list(user.id);
      return { rows, next: null, total: rows.length };
    },
  }),
  valueRoute({
    method: "POST",
    path: "/api/links/revoke",
    rights: ["administer"],
    body: z.strictObject({ id: z.string().max(40) }),
    handle: ({ body }) => {
      if (!signIns.end(body.id)) throw new Fault("console.unknown", { detail: "no such link or session" });
      return { data: {} };
    },
  }),
];
