/**
 * The four questions, one card for each agent build, destination and period: what is transmitted, to whose servers, under which
 * terms, and what whoever can look there would see. The last is answered with the recorded bytes themselves, for a reason.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import { asSessionId, Fault } from "../core/index.ts";
import { createDecoder } from "../dialect/index.ts";
import type { Inspector } from "../inspect/index.ts";
import { type Amount, type AnsweredBy, type Exposed, type Reported, termText } from "../ledger/index.ts";
import { DATED_FACTS, type DatedFact, type Destination, isStale } from "../register/index.ts";
import type { Body, ExactBytes, ExposureCard, Fact, Sample } from "./api/exposure.ts";
import type { Masked } from "./api/sessions.ts";
import { period, reason, word } from "./ask-schemas.ts";
import { exchangesOf, type WantedExchange } from "./contents.ts";
import { exchangeOf } from "./flows.ts";
import { lazyInspector, type MaskedText, maskPlaces, maskValues, type Record, unplacedIn } from "./mask.ts";
import { placing } from "./places.ts";
import { type Piece, sentContent } from "./recorded.ts";
import type { Rooms } from "./rooms.ts";
import { listRoute, type Route, type User, valueRoute } from "./route.ts";
import { headOf, openSealed } from "./sealed.ts";

const DAY_MS = 86_400_000;
/** Without a range: so many of the newest. */
const NEWEST = 4;
const MAX_SHOWN_CHARACTERS = 2_000_000;

const Query = z.strictObject({
  ...period,
  ...{ agent: word, destination: word },
  period: z.enum(["day", "week", "month", "all"]).default("week"),
});
const SampleQuery = z.strictObject({ ...period, agent: z.string(), build: word, destination: z.string() });

export const exposureRoutes = (rooms: Rooms): readonly Route[] => {
  const inspector = lazyInspector(rooms.findingKey);
  return [
    listRoute({
      method: "GET",
      path: "/api/exposure",
      rights: ["look"],
      query: Query,
      name: "exposure",
      columns: CARD_COLUMNS,
      page: async ({ query, user }, { limit, cursor }) => {
        const at = Number(cursor ?? 0) || 0;
        const cards = await cardsOf(query, user, rooms);
        const rows = cards.slice(at, at + limit).map((make) => make());
        return { rows, next: at + limit < cards.length ? String(at + limit) : null, total: cards.length };
      },
    }),
    listRoute({
      method: "GET",
      path: "/api/exposure/exchanges",
      rights: ["read-evidence"],
      query: SampleQuery,
      name: "exchanges",
      columns: ["exchange", "session", "at", "requestBytes", "verdict", "classes", "redacted"],
      page: ({ query }, { limit, cursor }) => {
        const filter = cardFilter(
          { version: "", build: "", ...query },
          query.from ?? 0,
          query.to ?? rooms.clock.now() + DAY_MS,
          true,
        );
        const before = cursor === null ? "" : ` ${termText("index", "<", [Number(cursor) || 0])}`;
        const found = rooms.index.query(`${filter}${before}`, limit);
        const last = found.at(-1);
        const rows = found.map(({ index, event }): Sample => exchangeOf(index, event, rooms.index));
        return {
          rows,
          next: found.length < limit || last === undefined ? null : String(last.index),
          total: null,
          filter,
        };
      },
    }),
    valueRoute({
      method: "POST",
      path: "/api/exposure/exchanges/:id/bytes",
      rights: ["read-evidence"],
      body: z.strictObject({ reason }),
      handle: async ({ params, body, user }) => ({
        data: await exactBytes(params["id"] ?? "", { user, reason: body.reason }, rooms, inspector()),
      }),
    }),
  ];
};

const CARD_COLUMNS = [
  ...["id", "agent", "version", "build", "destination", "from", "to"],
  ["requests", ({ transmitted }: ExposureCard) => transmitted.requests] as const,
  ["bytes", ({ transmitted }: ExposureCard) => transmitted.bytes] as const,
  ["denied", ({ transmitted }: ExposureCard) => transmitted.denied] as const,
  [
    "classes",
    ({ transmitted }: ExposureCard) => transmitted.classes.map((one) => one.class).join(" "),
  ] as const,
  ["sentTo", ({ servers }: ExposureCard) => servers.sentTo.join(" ")] as const,
  ["laws", ({ seen }: ExposureCard) => seen.laws.join(" ")] as const,
  [
    "terms",
    ({ terms }: ExposureCard) => (terms ?? []).map((one) => `${one.name}: ${one.value}`).join("; "),
  ] as const,
  "filter",
];

/** Newest period first, then what left most. What each asks of the index is asked when it is made. */
async function cardsOf(
  query: z.infer<typeof Query>,
  user: User,
  rooms: Rooms,
): Promise<readonly (() => ExposureCard)[]> {
  const register = await rooms.register();
  const place = placing(register);
  const periods = periodsOf(query, rooms);
  const peers = { answered: rooms.index.peers.answeredBy(), reported: rooms.index.peers.reported() };
  return periods.flatMap(([from, to]) => {
    const found = rooms.index.flows.exposed({
      ...{ from, to },
      ...(query.agent === undefined ? {} : { agent: query.agent }),
      ...(query.destination === undefined ? {} : { destination: query.destination }),
    });
    return [...found]
      .sort((a, b) => left(b).bytes - left(a).bytes || left(b).requests - left(a).requests)
      .map(
        (exposed) => () => cardOf(exposed, place(exposed.destination).row, [from, to], peers, user, rooms),
      );
  });
}

function periodsOf(
  query: z.infer<typeof Query>,
  rooms: Rooms,
): readonly (readonly [from: number, to: number])[] {
  const days = rooms.index.flows.days();
  const [first, last] = [days[0], days.at(-1)];
  if (first === undefined || last === undefined) return [];
  const chosen = days.filter(
    (day) => day + DAY_MS > (query.from ?? 0) && day < (query.to ?? Number.POSITIVE_INFINITY),
  );
  if (query.period === "all")
    return chosen.length === 0 ? [] : [[chosen[0] ?? first, (chosen.at(-1) ?? last) + DAY_MS]];
  const starts = [...new Set(chosen.map((day) => startOf(day, query.period)))].sort((a, b) => b - a);
  const kept = query.from === undefined && query.to === undefined ? starts.slice(0, NEWEST) : starts;
  return kept.map((start) => [start, endOf(start, query.period)]);
}

function startOf(day: number, of: "day" | "week" | "month" | "all"): number {
  const date = new Date(day);
  // 1 January 1970 was a Thursday.
  if (of === "week") return day - ((day / DAY_MS + 3) % 7) * DAY_MS;
  return of === "month" ? Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1) : day;
}

function endOf(start: number, of: "day" | "week" | "month" | "all"): number {
  if (of !== "month") return start + (of === "week" ? 7 : 1) * DAY_MS;
  const date = new Date(start);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1);
}

const left = ({ of }: Exposed): Amount => {
  const gone = of.verdict.filter(({ name }) => name !== "deny");
  return {
    name: "",
    requests: gone.reduce((sum, one) => sum + one.requests, 0),
    bytes: gone.reduce((sum, one) => sum + one.bytes, 0),
  };
};

function cardFilter(
  {
    agent,
    build,
    destination,
  }: {
    readonly agent: string;
    readonly build?: string | undefined;
    readonly version?: string;
    readonly destination: string;
  },
  from: number,
  to: number,
  hasLeft: boolean,
): string {
  return [
    termText("kind", "=", hasLeft ? ["exchange.judged"] : ["exchange.judged", "connection.refused"]),
    termText("agent", "=", [agent]),
    ...(build === undefined || build === "" ? [] : [termText("build", "=", [build])]),
    termText("destination", "=", [destination]),
    ...(hasLeft ? [termText("verdict", "!=", ["deny"])] : []),
    termText("at", ">=", [from]),
    termText("at", "<", [to]),
  ].join(" ");
}

interface PeersSeen {
  readonly answered: readonly AnsweredBy[];
  readonly reported: readonly Reported[];
}

function cardOf(
  exposed: Exposed,
  row: Destination | null,
  [from, to]: readonly [from: number, to: number],
  peers: PeersSeen,
  user: User,
  rooms: Rooms,
): ExposureCard {
  const { agent, version, build, destination, of } = exposed;
  const filter = cardFilter(exposed, from, to, false);
  const total = left(exposed);
  const mark = (name: string): number => of.mark.find((one) => one.name === name)?.requests ?? 0;
  const behind = rooms.index.sessions.behind({ agent, version, build, destination, from, to });
  const ways = of.to.map(({ name }) => name.split(" "));
  const answered = peers.answered.filter((one) => one.destination === destination);
  const mayRead = user.rights.has("read-evidence");
  const sample = mayRead ? rooms.index.query(cardFilter(exposed, from, to, true), 1)[0]?.event : undefined;
  return {
    id: createHash("sha256")
      .update(JSON.stringify([agent, version, build, destination, from, to]))
      .digest("hex")
      .slice(0, 16),
    ...{ agent, version: orNull(version), build: orNull(build), destination, from, to, filter },
    transmitted: {
      ...{ requests: total.requests, bytes: total.bytes },
      denied: of.verdict.find(({ name }) => name === "deny")?.requests ?? 0,
      sessions: behind.reduce((sum, one) => sum + one.sessions, 0),
      classes: of.class.map(({ name, requests }) => ({
        class: name,
        requests,
        filter: `${filter} ${termText("class", "=", [name])}`,
      })),
      redacted: mark("redacted"),
      workspaces: behind.map(({ workspace, sessions }) => ({ name: workspace, count: sessions })),
      notUnderstood: mark("opaque"),
      models: of.model.map(({ name, requests }) => ({ name, count: requests })),
    },
    servers: {
      hosts: distinct(ways.map(([host = ""]) => host)),
      sentTo: distinct(ways.map(([, origin = ""]) => origin)),
      register: row === null ? null : factsOf(row, SERVER_FACTS, rooms.clock.now()),
      reported: peers.reported
        .filter((one) => one.destination === destination)
        .map(({ model, region, requests }) => ({ model, region, requests })),
      tlsPeers: distinct(answered.flatMap(({ tlsPeer }) => tlsPeer ?? [])),
      addresses: distinct(answered.flatMap(({ address }) => address ?? [])),
    },
    terms: row === null ? null : factsOf(row, TERM_FACTS, rooms.clock.now()),
    seen: {
      parties: row === null ? [] : partiesOf(row),
      laws: row === null ? [] : row.law,
      sample: sample?.kind === "exchange.judged" ? sample.exchange : null,
    },
  };
}

const orNull = (text: string): string | null => (text === "" ? null : text);
const distinct = (names: readonly string[]): readonly string[] =>
  [...new Set(names)].filter((name) => name !== "");

const SERVER_FACTS = [
  "operator",
  "legal_entity",
  "law",
  "endpoint",
  "at_rest",
  "compute",
  "decided_by",
  "location_field",
  "channel",
] as const;
const TERM_FACTS = [
  "trains",
  "retention",
  "agreement",
  "terms",
  "terms_public",
  "sub_processors",
  "disable",
  "notes",
] as const;

function factsOf(row: Destination, names: readonly (keyof Destination)[], now: number): readonly Fact[] {
  return names.flatMap((name) => {
    const value = row[name];
    if (value === undefined || value === null) return [];
    const dated = DATED_FACTS.find((one): one is DatedFact => one === name);
    const sources = dated === undefined ? undefined : row.src_by?.[dated];
    const asOf = dated === undefined ? undefined : row.as_of_by?.[dated];
    return {
      name,
      value: Array.isArray(value) ? value.join(", ") : String(value),
      sources: sources ?? row.src,
      asOf: asOf ?? row.as_of,
      isStale: dated === undefined ? false : isStale(row, dated, now),
    };
  });
}

/** Who can come to see what a request holds: whoever gets it, and whoever can compel them. */
function partiesOf(row: Destination): ExposureCard["seen"]["parties"] {
  const who = row.legal_entity === "unknown" ? row.operator : row.legal_entity;
  return [
    { who, by: "receives it", law: null },
    ...row.law.map((law) => ({ who: `authorities under ${law}`, by: `can compel ${who}`, law })),
    ...(row.sub_processors ?? []).map((one) => ({ who: one, by: `works for ${who}`, law: null })),
  ];
}

/** Headers that hold credentials: never shown, whoever asks. */
const CREDENTIAL =
  /^(?:authorization|proxy-authorization|cookie|(?:x-)?api-key|x-goog-api-key|x-api-token|x-amz-security-token)$/i;

async function exactBytes(
  id: string,
  look: { readonly user: User; readonly reason: string },
  rooms: Rooms,
  inspector: Inspector,
): Promise<ExactBytes> {
  const session = asSessionId(id.split("-", 1)[0] ?? "");
  if (session === null) throw new Fault("console.unknown", { detail: "no such exchange" });
  const [wanted] = exchangesOf(rooms, session, new Set([id]));
  if (wanted === undefined) throw new Fault("console.unknown", { detail: "no such exchange" });
  const { judged } = wanted;
  if (judged.verdict === "deny") throw new Fault("console.unknown", { detail: "nothing of it left" });
  const { opened, recordedAt } = await openSealed(judged.evidence, { session, ...look }, rooms);
  const piece = (...roles: readonly string[]): Piece | null => {
    const found = opened.find(({ ref }) => roles.includes(ref.role));
    if (found === undefined || found.bytes === null) return null;
    const { id: evidence, role } = found.ref;
    return { id: evidence, role, bytes: found.bytes };
  };
  const [head, body] = [piece("request-head"), piece("request-body", "frames")];
  const record = (evidence: string): Record => ({ evidence, replaced: wanted.replaced });
  const parsed = head === null ? null : headOf(head.bytes);
  const content = body === null ? null : sentContent(body, parsed);
  const shown =
    body === null || content === null ? null : bodyOf(wanted, body.role, content, record(body.id), inspector);
  const isWithheld = shown === null && content !== null;
  return {
    exchange: id,
    recordedAt,
    sentTo: judged.sentTo,
    head: parsed === null || head === null ? null : headText(parsed.lines, record(head.id), inspector),
    body: shown,
    withheld: isWithheld ? "cannot-mask" : shown === null ? withheldBecause(opened) : null,
    sha256: body === null ? "" : createHash("sha256").update(body.bytes).digest("hex"),
    against: {
      kept: judged.rerouted !== undefined ? "translated" : wanted.replaced.size > 0 ? "placeholders" : "same",
      replaced: (shown?.masked ?? []).filter((one) => one.as === "placeholder"),
      dropped: judged.rerouted?.dropped ?? [],
    },
  };
}

function withheldBecause(
  opened: readonly {
    readonly ref: { readonly role: string };
    readonly bytes: Buffer | null;
    readonly why: string | null;
  }[],
): ExactBytes["withheld"] {
  if (opened.some(({ why }) => why === "erased")) return "erased";
  return opened.some(({ ref, bytes }) => ref.role === "frames" && bytes !== null) ? "frames" : null;
}

/** Null: something was found that cannot be masked in it. */
function bodyOf(
  { judged }: WantedExchange,
  role: Piece["role"],
  content: Buffer,
  record: Record,
  inspector: Inspector,
): Body | null {
  const { method, host, path } = judged;
  const decoder = createDecoder();
  const { parts } =
    role === "frames"
      ? decoder.decodeMessage(content)
      : decoder.decode({ method, host, path, headers: [], body: content });
  const { findings } = inspector.inspect(parts.map((part) => ({ ...part, isNew: true })));
  if (unplacedIn(judged, findings, record.replaced) !== undefined) return null;
  const found = findings.map((finding) => ({
    finding,
    value: parts[finding.part]?.text.slice(finding.start, finding.end) ?? "",
  }));
  const plain = plainBody(content);
  const masked = maskValues(plain.text, found, record);
  return masked === null
    ? null
    : { ...plain, ...cut(masked), isCut: masked.text.length > MAX_SHOWN_CHARACTERS };
}

function plainBody(content: Buffer): Body {
  const text = content.toString("utf8");
  const isUtf8 = Buffer.from(text, "utf8").equals(content);
  const json = jsonOf(text);
  return {
    text: json ?? text,
    isUtf8,
    bytes: content.length,
    isSetOut: json !== null,
    isCut: false,
    masked: [],
  };
}

function jsonOf(text: string): string | null {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return null; // no JSON: shown as it is
  }
}

function cut({ text, masked }: MaskedText): MaskedText {
  if (text.length <= MAX_SHOWN_CHARACTERS) return { text, masked };
  return {
    text: text.slice(0, MAX_SHOWN_CHARACTERS),
    masked: masked.filter((one: Masked) => one.end <= MAX_SHOWN_CHARACTERS),
  };
}

function headText(lines: readonly string[], record: Record, inspector: Inspector): string {
  const text = lines
    .map((line) => {
      const colon = line.indexOf(":");
      return colon > 0 && CREDENTIAL.test(line.slice(0, colon)) ? `${line.slice(0, colon)}: ••••••••` : line;
    })
    .join("\n");
  const { findings } = inspector.inspect([{ text, isNew: true, role: "credential" }]);
  return maskPlaces(text, findings, record).text;
}
