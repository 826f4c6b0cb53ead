/**
 * Destinations: what the register says of each, by which source and how old, what went there, and where replies showed
 * something else than the register says. Pure; what is read comes in as data.
 *
 * A difference is told, never repaired: the register is people's word, a reply is the server's, and neither proves the other.
 */
import { BlockList, isIPv6 } from "node:net";
import type { AnsweredBy, Reported, Total } from "../ledger/index.ts";
import { DATED_FACTS, type DatedFact, type Destination, isStale, STALE_DAYS } from "../register/index.ts";
import type {
  Contradiction,
  DestinationDetail,
  DestinationRow,
  DestinationsOverview,
  FactView,
  SourceView,
} from "./api/destinations.ts";

const DAY_MS = 86_400_000;

/** A model server of the organisation's own, which stands in no register. */
export interface OwnServer {
  readonly name: string;
  readonly origin: string;
  readonly serverIn: string;
  readonly operatorLaw: string;
}

export interface DestinationFacts {
  readonly rows: readonly Destination[];
  /** The row for a host, whatever the path; null: none. */
  readonly rowOf: (host: string) => Destination | null;
  /** The register's sources by their keys. */
  readonly sources: Readonly<Record<string, { readonly title: string; readonly url: string }>>;
  readonly ownServers: readonly OwnServer[];
  /** By destination and verdict, and by class, destination and verdict: of the period that is asked about. */
  readonly totals: readonly Total[];
  readonly classes: readonly Total[];
  readonly answeredBy: readonly AnsweredBy[];
  readonly reported: readonly Reported[];
  readonly now: number;
}

/** Every row of the register and every destination without one, those with most traffic first. */
export function destinationsOverview(facts: DestinationFacts): DestinationsOverview {
  const ids = new Set([
    ...facts.rows.map(({ id }) => id),
    ...facts.ownServers.map(({ name }) => name),
    ...facts.totals.map(({ group: [destination = ""] }) => destination),
    ...facts.answeredBy.map(({ destination }) => destination),
  ]);
  const rows = [...ids].map((id) => rowFor(id, facts));
  return {
    rows: rows.sort(
      (a, b) =>
        b.requests - a.requests ||
        b.contradictions.length - a.contradictions.length ||
        (a.id < b.id ? -1 : 1),
    ),
    staleDays: STALE_DAYS,
  };
}

/** One destination; null: neither the register nor the record knows it. */
export function destinationDetail(id: string, facts: DestinationFacts): DestinationDetail | null {
  const known = destinationsOverview(facts).rows.find((row) => row.id === id);
  if (known === undefined) return null;
  const row = facts.rows.find((one) => one.id === id);
  const shown = row === undefined ? [] : factsOf(row, facts.now);
  const keys = [...new Set(shown.flatMap(({ sources }) => sources))];
  const own = (group: readonly string[], at: number): boolean => group[at] === id;
  return {
    row: known,
    facts: shown,
    sources: keys.map((key): SourceView => {
      const source = facts.sources[key];
      return { key, title: source?.title ?? key, url: source?.url ?? null };
    }),
    staleDays: STALE_DAYS,
    answeredBy: facts.answeredBy.filter(({ destination }) => destination === id).map(withoutDestination),
    reported: facts.reported.filter(({ destination }) => destination === id).map(withoutDestination),
    classes: facts.classes
      .filter(({ group: [, destination] }) => destination === id)
      .reduce<DestinationDetail["classes"]>((sums, { group: [name = ""], requests, bytes }) => {
        const before = sums.find((sum) => sum.class === name);
        return [
          ...sums.filter((sum) => sum !== before),
          { class: name, requests: requests + (before?.requests ?? 0), bytes: bytes + (before?.bytes ?? 0) },
        ];
      }, [])
      .toSorted((a, b) => b.requests - a.requests),
    verdicts: facts.totals
      .filter(({ group }) => own(group, 0))
      .map(({ group: [, verdict = ""], requests, bytes }) => ({ verdict, requests, bytes })),
  };
}

const withoutDestination = <T extends { readonly destination: string }>({
  destination: _destination,
  ...rest
}: T): Omit<T, "destination"> => rest;

function rowFor(id: string, facts: DestinationFacts): DestinationRow {
  const row = facts.rows.find((one) => one.id === id);
  const own = facts.ownServers.find(({ name }) => name === id);
  const totals = facts.totals.filter(({ group: [destination] }) => destination === id);
  const sum = (of: readonly Total[], what: "requests" | "bytes"): number =>
    of.reduce((all, total) => all + total[what], 0);
  const left = totals.filter(({ group: [, verdict] }) => verdict !== "deny");
  return {
    id,
    host: row?.host ?? own?.origin ?? null,
    path: row?.path ?? null,
    channel: row?.channel ?? (own === undefined ? null : "llm"),
    operator: row?.operator ?? (own === undefined ? null : "SELF"),
    law: row?.law ?? (own === undefined ? [] : [own.operatorLaw]),
    compute: row?.compute ?? own?.serverIn ?? null,
    trains: row?.trains ?? null,
    agreement: row?.agreement ?? null,
    asOf: row?.as_of ?? null,
    stale: row === undefined ? [] : DATED_FACTS.filter((fact) => isStale(row, fact, facts.now)),
    unknown: row === undefined ? [] : DATED_FACTS.filter((fact) => isUnknown(row[fact])),
    requests: sum(totals, "requests"),
    bytes: sum(left, "bytes"),
    denied: sum(totals, "requests") - sum(left, "requests"),
    contradictions: contradictionsOf(id, row, own, sum(left, "requests"), facts),
    filter: `kind=exchange.judged destination=${quoted(id)}`,
  };
}

const isUnknown = (value: string | readonly string[]): boolean =>
  typeof value === "string" ? value === "unknown" : value.includes("unknown");

const UNDATED = [
  "terms",
  "terms_public",
  "sub_processors",
  "decided_by",
  "location_field",
  "disable",
  "notes",
  "confidence",
] as const;

function factsOf(row: Destination, now: number): readonly FactView[] {
  const dated = DATED_FACTS.map((name: DatedFact): FactView => {
    const asOf = row.as_of_by?.[name] ?? row.as_of;
    return {
      name,
      value: row[name],
      asOf,
      ageDays: Math.max(0, Math.floor((now - Date.parse(asOf)) / DAY_MS)),
      isStale: isStale(row, name, now),
      sources: row.src_by?.[name] ?? row.src,
    };
  });
  const others = UNDATED.flatMap((name): FactView[] => {
    const value = row[name];
    if (value === undefined || value === null) return [];
    return [
      {
        name,
        value: typeof value === "boolean" ? (value ? "yes" : "no") : value,
        asOf: null,
        ageDays: null,
        isStale: false,
        sources: [],
      },
    ];
  });
  return [...dated, ...others];
}

function contradictionsOf(
  id: string,
  row: Destination | undefined,
  own: OwnServer | undefined,
  left: number,
  facts: DestinationFacts,
): readonly Contradiction[] {
  const answered = facts.answeredBy.filter(({ destination }) => destination === id);
  const reported = facts.reported.filter(({ destination }) => destination === id);
  const isOurs = own !== undefined || row?.law.includes("SELF") === true;
  const found: Contradiction[] = [
    ...(row === undefined && own === undefined && left > 0
      ? [
          {
            kind: "no-row",
            grave: true,
            said: null,
            seen: id,
            requests: left,
            last: latest(answered),
          } as const,
        ]
      : []),
    ...reported.flatMap((one) => regionDiffers(one, row)),
    ...reported.flatMap(modelDiffers),
    ...answered.flatMap((one) => reachedOtherwise(one, id, row, own, isOurs, facts)),
    ...certificates(answered),
    ...termsUnknown(id, row, facts),
  ];
  return found.sort((a, b) => Number(b.grave) - Number(a.grave) || b.requests - a.requests);
}

/** Policy's codes for places, in a reply's own words for them: `us`, `East US`, `eu-central-1`, `cn-hangzhou`. */
export function regionCode(text: string): string | null {
  const words = text.toLowerCase().split(/[^a-z]+/);
  const has = (...any: readonly string[]): boolean => any.some((word) => words.includes(word));
  if (has("us", "usa", "virginia", "oregon", "ohio", "america")) return "US";
  if (has("eu", "europe", "frankfurt", "ireland", "france", "germany", "sweden", "paris")) return "EU";
  if (has("cn", "china", "hangzhou", "beijing", "shanghai", "shenzhen")) return "CN";
  if (has("uk", "london")) return "UK";
  if (has("sg", "singapore")) return "SG";
  return null;
}

function regionDiffers(one: Reported, row: Destination | undefined): readonly Contradiction[] {
  const computed = row !== undefined && /^[A-Z][A-Z0-9-]{0,15}$/.test(row.compute) ? row.compute : null;
  const code = one.region === null ? null : regionCode(one.region);
  if (computed === null || one.region === null || code === null || code === computed) return [];
  const { requests, last } = one;
  return [{ kind: "region", grave: true, said: computed, seen: one.region, requests, last }];
}

/** A vendor answers an alias with the dated name it stands for: that is the model that was asked for. */
function modelDiffers({ asked, model, requests, last }: Reported): readonly Contradiction[] {
  if (asked === null || model === null) return [];
  const plain = (name: string): string => name.toLowerCase().slice(name.lastIndexOf("/") + 1);
  const [a, b] = [plain(asked), plain(model)];
  if (a.startsWith(b) || b.startsWith(a) || b.includes(a) || a.includes(b)) return [];
  return [{ kind: "model", grave: false, said: asked, seen: model, requests, last }];
}

function reachedOtherwise(
  one: AnsweredBy,
  id: string,
  row: Destination | undefined,
  own: OwnServer | undefined,
  isOurs: boolean,
  { rowOf }: DestinationFacts,
): readonly Contradiction[] {
  const { requests, last } = one;
  const url = URL.parse(one.sentTo);
  const host = url?.hostname.replace(/^\[|\]$/g, "") ?? one.sentTo;
  const isMeant =
    own !== undefined ||
    (row === undefined ? host === id : rowOf(host) !== null && isHostOf(row, host, rowOf));
  // Another server stood in: its address and its TLS are its own, and say nothing of the row.
  if (!isMeant)
    return [{ kind: "stood-in", grave: true, said: row?.host ?? id, seen: one.sentTo, requests, last }];
  if (isOurs) return [];
  return [
    ...(one.address !== null && isPrivateAddress(one.address)
      ? [
          {
            kind: "private-address",
            grave: true,
            said: row?.host ?? id,
            seen: one.address,
            requests,
            last,
          } as const,
        ]
      : []),
    ...(one.tlsPeer === null && url?.protocol === "http:"
      ? [{ kind: "no-tls", grave: true, said: null, seen: one.sentTo, requests, last } as const]
      : []),
  ];
}

/** Rows of one host differ by path: any of them that has the host means it. */
const isHostOf = (row: Destination, host: string, rowOf: DestinationFacts["rowOf"]): boolean => {
  const found = rowOf(host);
  return found !== null && (found.id === row.id || found.host === row.host);
};

function certificates(answered: readonly AnsweredBy[]): readonly Contradiction[] {
  const peers = new Set(answered.flatMap(({ tlsPeer }) => tlsPeer ?? []));
  if (peers.size < 2) return [];
  const requests = answered.reduce((sum, one) => sum + (one.tlsPeer === null ? 0 : one.requests), 0);
  return [
    {
      kind: "certificates",
      grave: false,
      said: null,
      seen: String(peers.size),
      requests,
      last: latest(answered),
    },
  ];
}

/** Content of some class left, unmasked, for somebody of whom it is not known whether they train on it. */
function termsUnknown(
  id: string,
  row: Destination | undefined,
  { classes, now }: DestinationFacts,
): readonly Contradiction[] {
  if (row === undefined || row.law.includes("SELF")) return [];
  const trains = isStale(row, "trains", now) ? "unknown" : row.trains;
  if (trains !== "unknown" && trains !== "yes") return [];
  const left = classes.filter(
    ({ group: [, destination, verdict] }) => destination === id && verdict === "allow",
  );
  if (left.length === 0) return [];
  return [
    {
      kind: "unknown-terms",
      grave: true,
      said: trains,
      seen: [...new Set(left.map(({ group: [name = ""] }) => name))].join(", "),
      requests: left.reduce((most, { requests }) => Math.max(most, requests), 0),
      last: null,
    },
  ];
}

/** Loopback, link-local and the networks that are nobody's in public. */
function isPrivateAddress(address: string): boolean {
  const list = new BlockList();
  for (const [network, bits] of [
    ["10.0.0.0", 8],
    ["100.64.0.0", 10],
    ["127.0.0.0", 8],
    ["169.254.0.0", 16],
    ["172.16.0.0", 12],
    ["192.168.0.0", 16],
    ["198.18.0.0", 15],
  ] as const)
    list.addSubnet(network, bits, "ipv4");
  list.addSubnet("fc00::", 7, "ipv6");
  list.addSubnet("fe80::", 10, "ipv6");
  list.addAddress("::1", "ipv6");
  return list.check(address, isIPv6(address) ? "ipv6" : "ipv4");
}

const latest = (seen: readonly { readonly last: number }[]): number | null =>
  seen.length === 0 ? null : seen.reduce((last, one) => Math.max(last, one.last), 0);

/** As the filter language takes it; a double quote has no place in it, and matches nothing. */
const quoted = (word: string): string => (/^[^\s,"]+$/.test(word) ? word : `"${word.replaceAll('"', "")}"`);
