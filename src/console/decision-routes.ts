/** The routes of the pages Agents, Destinations and Approvals: what people have decided, and what they are asked. */
import { z } from "zod";
import { Fault } from "../core/index.ts";
import { agentsOverview, reportDetail } from "./agents.ts";
import { approvalsNow, HISTORY_FILTER, historyRow } from "./approvals.ts";
import { destinationDetail, destinationsOverview } from "./destinations.ts";
import type { Rooms } from "./rooms.ts";
import { listRoute, type Route, valueRoute } from "./route.ts";

const MOST_SESSIONS = 50_000;
const MOST_REFUSALS = 5_000;
const MOST_QUESTIONS = 500;
const Time = z
  .string()
  .regex(/^\d{1,15}$/)
  .transform(Number)
  .optional();
const Line = z.string().max(500);
const Hash = z.string().regex(/^h1:[A-Za-z0-9+/]{43}=$/);
const Asked = {
  state: z.enum(["approve", "revoke"]),
  hash: Hash,
  name: Line.nullable(),
  reason: Line.min(4),
  days: z.int().min(1).max(366),
  report: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable(),
};

export const agentRoutes = (rooms: Rooms): readonly Route[] => {
  const { index, registerDesk, vetReports, clock } = rooms;
  const overview = async (by: string) =>
    agentsOverview({
      approvals: registerDesk.approvals(),
      reports: await vetReports(),
      events: [
        ...index.query("kind=session.started", MOST_SESSIONS),
        ...index.query("kind=admission.refused", MOST_REFUSALS),
      ].map(({ event }) => event),
      signsAs: await registerDesk.signsAs(by),
      now: clock.now(),
    });
  return [
    valueRoute({
      method: "GET",
      path: "/api/agents",
      rights: ["look"],
      handle: async ({ user }) => ({ data: await overview(user.principal), filter: "kind=session.started" }),
    }),
    valueRoute({
      method: "GET",
      path: "/api/agents/report",
      rights: ["look"],
      query: z.strictObject({ sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
      handle: async ({ query }) => {
        const data = reportDetail(query.sha256, await vetReports());
        if (data === null)
          throw new Fault("console.unknown", { detail: "no report of that hash is kept here" });
        return { data };
      },
    }),
    valueRoute({
      method: "POST",
      path: "/api/agents/sign",
      rights: ["register"],
      body: z.strictObject(Asked),
      handle: async ({ body, user }) => ({ data: await registerDesk.sign(body, user.principal) }),
    }),
    valueRoute({
      method: "POST",
      path: "/api/agents/prepare",
      rights: ["register"],
      body: z.strictObject({ ...Asked, as: Line }),
      handle: async ({ body: { as, ...asked }, user }) => ({
        data: await registerDesk.prepare(asked, as, user.principal),
      }),
    }),
    valueRoute({
      method: "POST",
      path: "/api/agents/submit",
      rights: ["register"],
      body: z.strictObject({ envelope: z.string().max(65_536) }),
      handle: async ({ body, user }) => ({ data: await registerDesk.submit(body.envelope, user.principal) }),
    }),
  ];
};

export const destinationRoutes = (rooms: Rooms): readonly Route[] => {
  const facts = async ({
    from,
    to,
  }: {
    readonly from?: number | undefined;
    readonly to?: number | undefined;
  }) => {
    const register = await rooms.register();
    const range = { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to: to - 1 }) };
    return {
      rows: register.rows,
      rowOf: (host: string) => register.find(host, "/"),
      sources: await rooms.registerSources(),
      ownServers: await rooms.ownServers(),
      totals: rooms.index.totals(["destination", "verdict"], range),
      classes: rooms.index.totals(["class", "destination", "verdict"], range),
      answeredBy: rooms.index.peers.answeredBy(),
      reported: rooms.index.peers.reported(),
      now: rooms.clock.now(),
    };
  };
  return [
    valueRoute({
      method: "GET",
      path: "/api/destinations",
      rights: ["look"],
      query: z.strictObject({ from: Time, to: Time }),
      handle: async ({ query }) => ({
        data: destinationsOverview(await facts(query)),
        filter: "kind=exchange.judged",
      }),
    }),
    valueRoute({
      method: "GET",
      path: "/api/destinations/one",
      rights: ["look"],
      query: z.strictObject({ id: Line, from: Time, to: Time }),
      handle: async ({ query }) => {
        const data = destinationDetail(query.id, await facts(query));
        if (data === null)
          throw new Fault("console.unknown", { detail: `neither register nor record know \`${query.id}\`` });
        return { data, filter: data.row.filter };
      },
    }),
  ];
};

export const approvalRoutes = (rooms: Rooms): readonly Route[] => {
  const { index, approvalsDesk, clock } = rooms;
  return [
    valueRoute({
      method: "GET",
      path: "/api/approvals",
      rights: ["look"],
      handle: async ({ user }) => {
        const [open, register] = await Promise.all([
          approvalsDesk.list().catch((error: unknown) => {
            if (error instanceof Fault && error.code === "station.lost") return null;
            throw error;
          }),
          rooms.register(),
        ]);
        const operators = new Map(register.rows.map(({ id, operator }) => [id, operator]));
        const data = approvalsNow({
          open,
          asked: index.query("kind=approval.asked", MOST_QUESTIONS),
          operatorOf: (id) => operators.get(id) ?? register.find(id, "/")?.operator ?? null,
          principal: user.principal,
          mayApprove: user.rights.has("approve"),
          now: clock.now(),
        });
        return { data, filter: HISTORY_FILTER };
      },
    }),
    listRoute({
      method: "GET",
      path: "/api/approvals/history",
      rights: ["look"],
      query: z.strictObject({ from: Time, to: Time }),
      name: "approvals",
      columns: [
        ...["entry", "at", "what", "id", "session", "rules", "classes", "sentTo"],
        ...["requester", "by", "reason", "scope", "expiresAt"],
      ],
      page: ({ query: { from, to } }, { limit, cursor }) => {
        const before = cursor !== null && /^\d{1,15}$/.test(cursor) ? ` index<${cursor}` : "";
        const range = `${from === undefined ? "" : ` at>=${from}`}${to === undefined ? "" : ` at<${to}`}`;
        const filter = `${HISTORY_FILTER}${range}`;
        const found = index.query(`${filter}${before}`, limit + 1);
        const rows = found.slice(0, limit).flatMap((entry) => historyRow(entry.index, entry.event) ?? []);
        const next = found.length > limit ? String(found[limit - 1]?.index ?? 0) : null;
        return { rows, next, total: null, filter };
      },
    }),
    valueRoute({
      method: "POST",
      path: "/api/approvals/answer",
      rights: ["approve"],
      body: z.strictObject({
        id: Line,
        verdict: z.enum(["allow", "deny"]),
        scope: z.enum(["once", "session", "time"]),
        forMs: z
          .int()
          .min(1000)
          .max(366 * 86_400_000)
          .nullable(),
        reason: Line,
      }),
      handle: async ({ body, user }) => {
        if ((body.scope === "time") !== (body.forMs !== null))
          throw new Fault("console.invalid", { detail: "forMs: with scope `time`, and only then" });
        if (body.scope === "time" && (body.verdict === "deny" || body.reason.trim() === ""))
          throw new Fault("console.invalid", { detail: "for a time: a yes, with a reason" });
        await approvalsDesk.answer(body, user.principal);
        return { data: {} };
      },
    }),
    valueRoute({
      method: "POST",
      path: "/api/approvals/end",
      rights: ["approve"],
      body: z.strictObject({ id: Line }),
      handle: async ({ body, user }) => {
        await approvalsDesk.end(body.id, user.principal);
        return { data: {} };
      },
    }),
  ];
};
