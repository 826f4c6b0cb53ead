/** The sessions page: the list, one session with its declaration, and its time line. No content: contents.ts has that. */
import { z } from "zod";
import { asSessionId, Fault, type LedgerEvent, type SessionId } from "../core/index.ts";
import {
  type IndexedSession,
  publishedState,
  type QueryIndex,
  type SessionChoice,
  termText,
} from "../ledger/index.ts";
import { declarationText, SessionFold } from "../report/index.ts";
import type { SessionDetail, SessionFacets, SessionRow } from "./api/sessions.ts";
import { period, word } from "./ask-schemas.ts";
import { completenessOf } from "./completeness.ts";
import { momentOf } from "./moments.ts";
import { placing } from "./places.ts";
import type { Rooms } from "./rooms.ts";
import { listRoute, type Route, valueRoute } from "./route.ts";

const MAX_MOMENTS = 2000;
/** Entries of one session that are folded for its page; more are told as a fault and not left out in silence. */
const MAX_ENTRIES = 200_000;

const Query = z.strictObject({
  ...period,
  ...{
    q: word,
    agent: word,
    workspace: word,
    profile: word,
    principal: word,
    class: word,
    destination: word,
    build: word,
  },
  verdict: z.enum(["allow", "normalise", "redact", "reroute", "ask", "deny"]).optional(),
  state: z.enum(["running", "ended"]).optional(),
});

export const sessionsRoutes = (rooms: Rooms): readonly Route[] => [
  listRoute({
    method: "GET",
    path: "/api/sessions",
    rights: ["look"],
    query: Query,
    name: "sessions",
    columns: SESSION_COLUMNS,
    page: ({ query }, { limit, cursor }) => {
      const choice = defined(query) as SessionChoice; // the same fields, none of them undefined
      const { sessions } = rooms.index;
      const found = sessions.page(choice, limit, cursor === null ? undefined : Number(cursor) || 0);
      const last = found.at(-1);
      return {
        rows: found.map(sessionRow),
        next: found.length < limit || last === undefined ? null : String(last.first),
        total: sessions.count(choice),
        filter: termText("kind", "=", ["session.started"]),
      };
    },
  }),
  valueRoute({
    method: "GET",
    path: "/api/sessions/facets",
    rights: ["look"],
    handle: () => {
      const { facet } = rooms.index.sessions;
      const data: SessionFacets = {
        agents: facet("agent"),
        workspaces: facet("workspace"),
        profiles: facet("profile"),
        principals: facet("principal"),
      };
      return { data };
    },
  }),
  valueRoute({
    method: "GET",
    path: "/api/sessions/:id",
    rights: ["look"],
    handle: async ({ params }) => {
      const session = sessionRow(sessionAsked(params["id"], rooms.index));
      return { data: await detailOf(session, rooms), filter: session.filter };
    },
  }),
  listRoute({
    method: "GET",
    path: "/api/sessions/:id/moments",
    rights: ["look"],
    name: "moments",
    columns: ["index", "at", "event", "exchange", "verdict", "title", "fields"],
    maxLimit: MAX_MOMENTS,
    page: ({ params, user }, { limit, cursor }) => {
      const { id, entries } = sessionAsked(params["id"], rooms.index);
      const filter = termText("session", "=", [id]);
      const after = cursor === null ? "" : ` ${termText("index", ">", [Number(cursor) || 0])}`;
      const found = rooms.index.query(`${filter}${after}`, limit, "oldest");
      const last = found.at(-1);
      return {
        rows: found.map(({ index, event }) => momentOf(index, event, user)),
        next: found.length < limit || last === undefined ? null : String(last.index),
        total: entries,
        filter,
      };
    },
  }),
];

const SESSION_COLUMNS = [
  ...["id", "agent", "version", "build", "standing", "workspace", "principal", "profile", "sandbox", "gaps"],
  ...[
    "startedAt",
    "endedAt",
    "ended",
    "exitCode",
    "requests",
    "requestBytes",
    "responseBytes",
    "inputTokens",
  ],
  ...["outputTokens", "verdicts", "findings", "redacted", "files", "programs", "questions", "filter"],
];

async function detailOf(session: SessionRow, rooms: Rooms): Promise<SessionDetail> {
  const entries = rooms.index.query(session.filter, MAX_ENTRIES, "oldest");
  const fold = new SessionFold();
  for (const { index, event } of entries) fold.add(index, event);
  const declaration = fold.declaration();
  if (declaration === null) throw new Fault("session.unknown", { detail: session.id });
  const { size: signedSize, checkpointAt } = publishedState(rooms.places.ledger);
  const indexed = rooms.index.sessions.one(session.id);
  const completeness = completenessOf(entries, { entries: indexed?.entries ?? 0, signedSize });
  const place = placing(await rooms.register());
  const text = declarationText(declaration, {
    facts: (id) => {
      const { row } = place(id);
      return row === null ? null : { operator: row.operator, law: row.law, asOf: row.as_of };
    },
    color: false,
    signedAt: completeness.signed === completeness.shown ? checkpointAt : null,
  });
  return { session, declaration, text, completeness, hasEvidence: indexed?.isErased === false };
}

/** Throws `session.unknown`. */
export function sessionAsked(
  text: string | undefined,
  index: QueryIndex,
): IndexedSession & { readonly id: SessionId } {
  const id = asSessionId(text ?? "");
  const row = id === null ? null : index.sessions.one(id);
  if (id === null || row === null) throw new Fault("console.unknown", { detail: "no such session" });
  return { ...row, id };
}

const orNull = (text: string): string | null => (text === "" ? null : text);

function sessionRow(row: IndexedSession): SessionRow {
  const { first: _first, last: _last, isErased: _isErased, entries: _entries, verdicts, ...rest } = row;
  return {
    ...rest,
    version: orNull(row.version),
    build: orNull(row.build),
    standing: orNull(row.standing),
    verdicts: Object.entries(verdicts)
      .filter(([, count]) => count > 0)
      .map(([name, count]) => ({ name, count })),
    filter: termText("session", "=", [row.id]),
  };
}

/** The fields that were given. */
const defined = (query: object): object =>
  Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined));

export type SessionEntry = { readonly index: number; readonly event: LedgerEvent };
