/** The flows page: what went where, as columns and links, as rows, and as the exchanges behind them. */
import { z } from "zod";
import type { LedgerEvent } from "../core/index.ts";
import { type Field, type Flow, type FlowPeriod, type QueryIndex, termText } from "../ledger/index.ts";
import type { Exchange, FlowColumn, FlowLink, FlowNode, FlowRow, Flows } from "./api/flows.ts";
import { period, word } from "./ask-schemas.ts";
import { type Placed, placing } from "./places.ts";
import type { Rooms } from "./rooms.ts";
import { listRoute, type Route, valueRoute } from "./route.ts";

const COLUMNS = [
  "workspace",
  "agent",
  "class",
  "verdict",
  "destination",
  "jurisdiction",
] as const satisfies readonly FlowColumn[];
/** Names of one column that a picture has room for. */
const MAX_NAMES = 12;
/** Facets are lists to choose from. */
const MAX_FACETS = 200;
/** A filter names no more destinations than these. */
const MAX_NAMED = 60;
const MAX_COUNTED = 100_000;
const FLOW_KINDS = ["exchange.judged", "connection.refused"] as const;

const Query = z.strictObject({
  ...period,
  ...{ workspace: word, agent: word, class: word, verdict: word, destination: word, jurisdiction: word },
});
type Asked = z.infer<typeof Query>;

type Placing = (destination: string) => Placed;
interface Way extends Flow {
  readonly jurisdiction: string;
}

export const flowsRoutes = (all: Rooms): readonly Route[] =>
  routesWith({ rooms: all, waysOf: waysKept(all) });

interface Flowing {
  readonly rooms: Rooms;
  readonly waysOf: (period: FlowPeriod) => readonly Flow[];
}

/** Periods that are remembered. */
const MAX_KEPT = 8;

/** What was asked for last, as long as the index has not grown: the parts of a page ask for the same. */
function waysKept(rooms: Rooms): (period: FlowPeriod) => readonly Flow[] {
  const kept = new Map<string, readonly Flow[]>();
  let size = -1;
  return (period) => {
    const { index } = rooms;
    if (index.size !== size || kept.size >= MAX_KEPT) kept.clear();
    size = index.size;
    const key = `${period.from} ${period.to} ${period.bucketMs}`;
    const ways = kept.get(key) ?? index.flows.flows(period);
    kept.set(key, ways);
    return ways;
  };
}

const routesWith = ({ rooms, waysOf }: Flowing): readonly Route[] => [
  valueRoute({
    method: "GET",
    path: "/api/flows",
    rights: ["look"],
    query: Query,
    handle: async ({ query }) => {
      const look = await lookAt({ rooms, waysOf }, query);
      return { data: flowsOf(look, rooms.index), filter: filterOf(look, {}) };
    },
  }),
  listRoute({
    method: "GET",
    path: "/api/flows/rows",
    rights: ["look"],
    query: Query,
    name: "flows",
    columns: [...COLUMNS, "operator", "requests", "bytes", "filter"],
    page: async ({ query }, { limit, cursor }) => {
      const look = await lookAt({ rooms, waysOf }, query);
      const at = Number(cursor ?? 0) || 0;
      const chosen = [...look.chosen].sort(
        (a, b) => b.bytes - a.bytes || b.requests - a.requests || order(a, b),
      );
      const rows = chosen.slice(at, at + limit).map(
        (way): FlowRow => ({
          ...way,
          operator: look.place(way.destination).row?.operator ?? null,
          filter: filterOf(look, way),
        }),
      );
      const next = at + limit < chosen.length ? String(at + limit) : null;
      return { rows, next, total: chosen.length, filter: filterOf(look, {}) };
    },
  }),
  listRoute({
    method: "GET",
    path: "/api/flows/exchanges",
    rights: ["look"],
    query: Query,
    name: "exchanges",
    columns: EXCHANGE_COLUMNS,
    page: async ({ query }, { limit, cursor }) => {
      const look = await lookAt({ rooms, waysOf }, query);
      const filter = filterOf(look, {});
      const before = cursor === null ? "" : ` ${termText("index", "<", [Number(cursor) || 0])}`;
      const found = rooms.index.query(`${filter}${before}`, limit);
      const last = found.at(-1);
      return {
        rows: found.map(({ index, event }) => exchangeOf(index, event, rooms.index)),
        next: found.length < limit || last === undefined ? null : String(last.index),
        total: rooms.index.count(filter, MAX_COUNTED),
        filter,
      };
    },
  }),
];

const EXCHANGE_COLUMNS = [
  ...[
    "index",
    "at",
    "session",
    "exchange",
    "agent",
    "workspace",
    "method",
    "host",
    "path",
    "sentTo",
    "destination",
  ],
  ...["dialect", "understood", "model", "requestBytes", "verdict", "rules", "classes", "redacted"],
];

interface Look {
  readonly period: FlowPeriod;
  readonly asked: Asked;
  readonly all: readonly Way[];
  readonly chosen: readonly Way[];
  readonly place: Placing;
  /** Those of the jurisdiction that was asked for; null: none was. */
  readonly destinations: readonly string[] | null;
}

async function lookAt({ rooms, waysOf }: Flowing, asked: Asked): Promise<Look> {
  const range = {
    ...(asked.from === undefined ? {} : { from: asked.from }),
    ...(asked.to === undefined ? {} : { to: asked.to }),
  };
  const period = rooms.index.flows.period(range);
  const place = placing(await rooms.register(), await rooms.ownServers());
  const all = waysOf(period).map(
    (flow): Way => ({ ...flow, jurisdiction: place(flow.destination).jurisdiction }),
  );
  const chosen = all.filter((way) =>
    COLUMNS.every((column) => asked[column] === undefined || way[column] === asked[column]),
  );
  const destinations =
    asked.jurisdiction === undefined
      ? null
      : [
          ...new Set(
            all.flatMap((way) => (way.jurisdiction === asked.jurisdiction ? [way.destination] : [])),
          ),
        ].sort();
  return { period, asked, all, chosen, place, destinations };
}

function flowsOf(look: Look, index: QueryIndex): Flows {
  const { period, asked, all, chosen } = look;
  const kept = new Map(COLUMNS.map((column) => [column, namesKept(chosen, column)]));
  const nodeId = (way: Way, column: FlowColumn): string =>
    kept.get(column)?.has(way[column]) === true ? `${column}:${way[column]}` : `${column}:`;
  return {
    from: period.from,
    to: period.to,
    bucketMs: period.bucketMs,
    requests: sum(chosen, "requests"),
    bytes: sum(chosen, "bytes"),
    rows: chosen.length,
    nodes: COLUMNS.flatMap((column) => nodesOf(look, column, kept.get(column) ?? new Set())),
    links: linksOf(look, nodeId),
    series: index.flows.series(period, {
      ...(asked.workspace === undefined ? {} : { workspace: asked.workspace }),
      ...(asked.agent === undefined ? {} : { agent: asked.agent }),
      ...(asked.class === undefined ? {} : { class: asked.class }),
      ...(asked.verdict === undefined ? {} : { verdict: asked.verdict }),
      ...destinationsChosen(look),
    }),
    facets: Object.fromEntries(
      COLUMNS.map((column) => [column, facetOf(all, column)]),
    ) as unknown as Flows["facets"], // a list for each column
  };
}

function destinationsChosen({ asked, destinations }: Look): { readonly destinations?: readonly string[] } {
  if (asked.destination !== undefined)
    return {
      destinations:
        destinations === null || destinations.includes(asked.destination) ? [asked.destination] : [],
    };
  return destinations === null ? {} : { destinations };
}

/** Greatest by bytes; where all have none, by requests. */
function namesKept(ways: readonly Way[], column: FlowColumn): ReadonlySet<string> {
  const sums = tally(ways, column);
  const names = [...sums].sort(([, a], [, b]) => b.bytes - a.bytes || b.requests - a.requests);
  // Room for one more is room for that one.
  return new Set(
    names.slice(0, names.length === MAX_NAMES + 1 ? MAX_NAMES + 1 : MAX_NAMES).map(([name]) => name),
  );
}

interface Sum {
  requests: number;
  bytes: number;
}

function tally(ways: readonly Way[], column: FlowColumn): Map<string, Sum> {
  const sums = new Map<string, Sum>();
  for (const way of ways) {
    const known = sums.get(way[column]) ?? { requests: 0, bytes: 0 };
    known.requests += way.requests;
    known.bytes += way.bytes;
    sums.set(way[column], known);
  }
  return sums;
}

function nodesOf(look: Look, column: FlowColumn, kept: ReadonlySet<string>): FlowNode[] {
  const rest: Sum & { names: number } = { requests: 0, bytes: 0, names: 0 };
  const nodes: FlowNode[] = [];
  for (const [name, { requests, bytes }] of tally(look.chosen, column))
    if (kept.has(name))
      nodes.push({
        id: `${column}:${name}`,
        column,
        name,
        names: 1,
        requests,
        bytes,
        filter: filterOf(look, { [column]: name }),
      });
    else {
      rest.requests += requests;
      rest.bytes += bytes;
      rest.names++;
    }
  nodes.sort((a, b) => b.bytes - a.bytes || b.requests - a.requests);
  if (rest.names > 0) nodes.push({ id: `${column}:`, column, name: null, ...rest, filter: null });
  return nodes;
}

function linksOf(look: Look, nodeId: (way: Way, column: FlowColumn) => string): FlowLink[] {
  const links = new Map<
    string,
    {
      source: string;
      target: string;
      verdict: string;
      requests: number;
      bytes: number;
      only: Partial<Way> | null;
    }
  >();
  for (const way of look.chosen)
    for (const [i, column] of COLUMNS.entries()) {
      const next = COLUMNS[i + 1];
      if (next === undefined) continue;
      const [source, target] = [nodeId(way, column), nodeId(way, next)];
      const key = `${source}\u0000${target}\u0000${way.verdict}`;
      const isRest = source === `${column}:` || target === `${next}:`;
      const link = links.get(key) ?? {
        ...{ source, target, verdict: way.verdict, requests: 0, bytes: 0 },
        only: isRest ? null : { [column]: way[column], [next]: way[next], verdict: way.verdict },
      };
      link.requests += way.requests;
      link.bytes += way.bytes;
      links.set(key, link);
    }
  return [...links.values()].map(({ only, ...link }) => ({
    ...link,
    filter: only === null ? null : filterOf(look, only),
  }));
}

const facetOf = (
  ways: readonly Way[],
  column: FlowColumn,
): { readonly name: string; readonly requests: number }[] =>
  [...tally(ways, column)]
    .map(([name, { requests }]) => ({ name, requests }))
    .sort((a, b) => b.requests - a.requests || (a.name < b.name ? -1 : 1))
    .slice(0, MAX_FACETS);

/** The ledger filter behind what was asked and `more`. */
function filterOf({ asked, period, all, destinations }: Look, more: Partial<Way>): string {
  const terms = [termText("kind", "=", FLOW_KINDS)];
  const add = (field: Field, value: string | undefined): void => {
    if (value !== undefined) terms.push(termText(field, "=", [value]));
  };
  add("workspace", more.workspace ?? asked.workspace);
  add("agent", more.agent ?? asked.agent);
  add("primary", more.class ?? asked.class);
  add("verdict", more.verdict ?? asked.verdict);
  const destination = more.destination ?? asked.destination;
  if (destination !== undefined) add("destination", destination);
  else {
    // The ledger holds no jurisdictions: those of its destinations that have it now.
    const named =
      more.jurisdiction === undefined
        ? destinations
        : [
            ...new Set(
              all.flatMap((way) => (way.jurisdiction === more.jurisdiction ? [way.destination] : [])),
            ),
          ].sort();
    if (named !== null && named.length > 0)
      terms.push(termText("destination", "=", named.slice(0, MAX_NAMED)));
  }
  terms.push(termText("at", ">=", [period.from]), termText("at", "<", [period.to]));
  return terms.join(" ");
}

const sum = (ways: readonly Way[], of: "requests" | "bytes"): number =>
  ways.reduce((total, way) => total + way[of], 0);
const order = (a: Way, b: Way): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);

export function exchangeOf(
  index: number,
  event: LedgerEvent,
  { sessions }: Pick<QueryIndex, "sessions">,
): Exchange {
  const session = "session" in event ? event.session : "";
  const row = sessions.one(session);
  const who = { agent: row?.agent ?? "", workspace: row?.workspace ?? "" };
  if (event.kind === "exchange.judged")
    return {
      ...{
        index,
        at: event.at,
        session,
        exchange: event.exchange,
        ...who,
        method: event.method,
        host: event.host,
      },
      ...{ path: event.path, sentTo: event.sentTo, destination: event.destination, dialect: event.dialect },
      ...{ understood: event.understood, model: event.model, requestBytes: event.requestBytes },
      ...{ verdict: event.verdict, rules: event.rules },
      classes: [...new Set(event.findings.map((one) => one.class))],
      redacted: (event.redacted ?? []).reduce((total, { count }) => total + count, 0),
    };
  const host = event.kind === "connection.refused" ? event.host : "";
  return {
    ...{
      index,
      at: event.at,
      session,
      exchange: "",
      ...who,
      method: "",
      host,
      path: "",
      sentTo: "",
      destination: null,
    },
    ...{ dialect: "", understood: true, model: null, requestBytes: 0, verdict: "deny" },
    rules: event.kind === "connection.refused" ? [event.rule] : [],
    ...{ classes: [], redacted: 0 },
  };
}
