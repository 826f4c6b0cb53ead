/** The ledger page: its entries, what it has signed, who looked at evidence, and the log itself for checking in the browser. */
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { z } from "zod";
import { canonicalBytes, Fault, type Json, type LedgerEvent } from "../core/index.ts";
import { FIELDS, publishedFile, publishedState, termText } from "../ledger/index.ts";
import type { Access, Entry, FilterField, LedgerState } from "./api/ledger.ts";
import { reason } from "./ask-schemas.ts";
import { fieldsFor } from "./evidence-view.ts";
import type { Rooms } from "./rooms.ts";
import { fileRoute, listRoute, type Route, type User, valueRoute } from "./route.ts";
import { sessionAsked } from "./sessions.ts";

const MAX_COUNTED = 100_000;
const MAX_VALUES = 50;
const MAX_ENTRIES = 1_000_000;
const LOOKED = ["evidence.viewed", "evidence.unmasked", "evidence.exported", "evidence.erased"] as const;

export const ledgerRoutes = (rooms: Rooms): readonly Route[] => [
  valueRoute({
    method: "GET",
    path: "/api/ledger",
    rights: ["look"],
    handle: () => ({ data: stateOf(rooms) }),
  }),
  listRoute({
    method: "GET",
    path: "/api/ledger/entries",
    rights: ["look"],
    query: z.strictObject({ filter: z.string().max(2000).default("") }),
    name: "entries",
    columns: ["index", "at", "kind", "session", "signed", "leafHash", "event"],
    page: ({ query: { filter }, user }, { limit, cursor }) => {
      const { size } = publishedState(rooms.places.ledger);
      const before = cursor === null ? "" : ` ${termText("index", "<", [Number(cursor) || 0])}`;
      const found = rooms.index.query(`${filter}${before}`, limit);
      const last = found.at(-1);
      return {
        rows: found.map(({ index, event }) => entryOf(index, event, size, user)),
        next: found.length < limit || last === undefined ? null : String(last.index),
        total: rooms.index.count(filter, MAX_COUNTED),
        filter,
      };
    },
  }),
  valueRoute({
    method: "GET",
    path: "/api/ledger/entries/:index",
    rights: ["look"],
    handle: ({ params, user }) => {
      const filter = termText("index", "=", [
        /^\d{1,15}$/.test(params["index"] ?? "") ? Number(params["index"]) : -1,
      ]);
      const found = filter.endsWith("-1") ? undefined : rooms.index.query(filter, 1)[0];
      if (found === undefined) throw new Fault("console.unknown", { detail: "no such entry" });
      const { size } = publishedState(rooms.places.ledger);
      return { data: entryOf(found.index, found.event, size, user), filter };
    },
  }),
  valueRoute({
    method: "GET",
    path: "/api/ledger/fields",
    rights: ["look"],
    handle: () => ({ data: fieldsOf(rooms) }),
  }),
  listRoute({
    method: "GET",
    path: "/api/ledger/access",
    rights: ["audit"],
    name: "access",
    columns: ["index", "at", "what", "session", "evidence", "principal", "reason"],
    page: (_ask, { limit, cursor }) => {
      const filter = termText("kind", "=", LOOKED);
      const before = cursor === null ? "" : ` ${termText("index", "<", [Number(cursor) || 0])}`;
      const found = rooms.index.query(`${filter}${before}`, limit);
      const last = found.at(-1);
      return {
        rows: found.flatMap(({ index, event }) => accessOf(index, event)),
        next: found.length < limit || last === undefined ? null : String(last.index),
        total: rooms.index.count(filter, MAX_COUNTED),
        filter,
      };
    },
  }),
  valueRoute({
    method: "POST",
    path: "/api/ledger/sign",
    rights: ["audit"],
    handle: async () => {
      await rooms.station.sign();
      return { data: stateOf(rooms) };
    },
  }),
  fileRoute({
    method: "POST",
    path: "/api/ledger/evidence",
    rights: ["audit", "read-evidence", "unmask"],
    body: z.strictObject({ session: z.string().max(20), reason }),
    handle: async ({ body, user }) => {
      const { id } = sessionAsked(body.session, rooms.index);
      const entries = rooms.index.query(termText("session", "=", [id]), MAX_ENTRIES, "oldest");
      const pieces = entries.reduce(
        (n, { event }) => n + ("evidence" in event ? event.evidence.length : 0),
        0,
      );
      // Durable before a byte is read.
      await rooms.station.record({
        ...{ kind: "evidence.exported", session: id, pieces },
        principal: user.principal,
        reason: body.reason,
      });
      return {
        type: "application/x-ndjson",
        name: `evidence-${id}.ndjson`,
        bytes: Readable.from(exported(entries, rooms)),
      };
    },
  }),
  fileRoute({
    method: "GET",
    path: "/api/ledger/log/*",
    rights: ["audit"],
    handle: async ({ params }) => {
      const path = params["*"] ?? "";
      const bytes = publishedFile(rooms.places.ledger, path);
      if (bytes === null) throw new Fault("console.unknown", { detail: "no such file of the log" });
      return {
        type: path.startsWith("tile/") ? "application/octet-stream" : "text/plain; charset=utf-8",
        bytes,
      };
    },
  }),
];

function stateOf(rooms: Rooms): LedgerState {
  const { size: signedSize, ...published } = publishedState(rooms.places.ledger);
  const kinds = rooms.index
    .kinds()
    .map(({ kind, count }) => ({ kind, count, filter: termText("kind", "=", [kind]) }));
  return { ...published, signedSize, size: Math.max(signedSize, rooms.index.size), kinds };
}

function entryOf(index: number, event: LedgerEvent, signedSize: number, user: User): Entry {
  const leaf = canonicalBytes(event as unknown as Json); // an event is JSON
  return {
    index,
    at: event.at,
    kind: event.kind,
    session: "session" in event ? event.session : null,
    event: { v: event.v, at: event.at, kind: event.kind, ...fieldsFor(event, user) },
    signed: index < signedSize,
    leafHash: createHash("sha256").update(LEAF_PREFIX).update(leaf).digest("hex"),
  };
}
const LEAF_PREFIX = Buffer.of(0);

function accessOf(index: number, event: LedgerEvent): readonly Access[] {
  switch (event.kind) {
    case "evidence.viewed":
    case "evidence.unmasked":
      return [
        {
          ...{ index, at: event.at, what: event.kind === "evidence.viewed" ? "viewed" : "unmasked" },
          ...{
            session: event.session,
            evidence: event.evidenceId,
            principal: event.principal,
            reason: event.reason,
          },
        },
      ];
    case "evidence.exported":
    case "evidence.erased":
      return [
        {
          ...{ index, at: event.at, what: event.kind === "evidence.exported" ? "exported" : "erased" },
          ...{ session: event.session, evidence: null, principal: event.principal, reason: event.reason },
        },
      ];
    default:
      return [];
  }
}

function fieldsOf(rooms: Rooms): readonly FilterField[] {
  const { index } = rooms;
  const flows = index.flows.flows(index.flows.period({}));
  const top = (of: (flow: (typeof flows)[number]) => string): string[] => {
    const counts = new Map<string, number>();
    for (const flow of flows) counts.set(of(flow), (counts.get(of(flow)) ?? 0) + flow.requests);
    return [...counts].sort((a, b) => b[1] - a[1]).map(([name]) => name);
  };
  const known: Readonly<Record<string, readonly string[]>> = {
    kind: index.kinds().map(({ kind }) => kind),
    agent: index.sessions.facet("agent").map(({ name }) => name),
    workspace: index.sessions.facet("workspace").map(({ name }) => name),
    principal: index.sessions.facet("principal").map(({ name }) => name),
    verdict: ["allow", "redact", "reroute", "ask", "deny"],
    primary: top((flow) => flow.class),
    class: top((flow) => flow.class).filter((name) => name !== "none"),
    destination: top((flow) => flow.destination),
  };
  return Object.entries(FIELDS).map(([name, kind]) => ({
    name,
    kind,
    operators: kind === "word" ? ["=", "!=", "~"] : ["=", "!=", "<", "<=", ">", ">="],
    values: (known[name] ?? []).slice(0, MAX_VALUES),
  }));
}

/**
 * A line for each piece: the entry that commits to it, and the bytes with their salt, so that anybody can check
 * SHA-256(salt ‖ SHA-256(bytes)) against the entry, and the entry against the log. What cannot be opened is a line that says so.
 */
async function* exported(
  entries: readonly { readonly index: number; readonly event: LedgerEvent }[],
  rooms: Rooms,
): AsyncGenerator<string> {
  for (const { index, event } of entries) {
    if (!("evidence" in event)) continue;
    for (const { id, role, commitment } of event.evidence) {
      const head = {
        entry: index,
        kind: event.kind,
        exchange: "exchange" in event ? event.exchange : null,
        id,
        role,
        commitment,
      };
      try {
        const { bytes, salt, version } = await rooms.openEvidence(id);
        yield `${JSON.stringify({ ...head, version, salt: salt.toString("hex"), base64: bytes.toString("base64") })}\n`;
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
        yield `${JSON.stringify({ ...head, fault: error.code })}\n`;
      }
    }
  }
}
