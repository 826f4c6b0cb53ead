/**
 * The register of destinations: who runs a host, under which law, on which terms. A row is a set of facts with sources
 * and dates, written by people (schema trust/destinations/v1); nothing here guesses. Two files make it: the starter that
 * ships with the program, and the organisation's own, whose rows replace the starter's of the same id and add to it.
 *
 * A host that no row names is `unknown` in every label, and so is a fact that nobody has looked at for
 * {@link STALE_DAYS}: policy treats unknown as the worst case, so a register that is not kept tightens by itself.
 */
import { parse } from "yaml";
import { z } from "zod";
import { Fault } from "../core/index.ts";

/** Facts older than this are unknown until somebody looks again. */
export const STALE_DAYS = 180;
const DAY_MS = 86_400_000;

/** The facts of a row that policy asks about and that can grow stale, each with a date of its own if it has one. */
export const DATED_FACTS = [
  "operator",
  "legal_entity",
  "law",
  "endpoint",
  "at_rest",
  "compute",
  "trains",
  "retention",
  "agreement",
] as const;
export type DatedFact = (typeof DATED_FACTS)[number];

const Day = z
  .union([z.string(), z.date()])
  .transform((day) => (typeof day === "string" ? day : day.toISOString().slice(0, 10)))
  .refine((day) => /^\d{4}-\d\d-\d\d$/.test(day) && !Number.isNaN(Date.parse(day)), "a day as YYYY-MM-DD");
const Id = z.string().regex(/^[a-z0-9][a-z0-9.-]{0,62}$/, "lower-case letters, digits, dots and dashes");

const Row = z.object({
  id: Id,
  host: z.string().min(1),
  path: z.string().startsWith("/").optional(),
  channel: z.enum(["llm", "telemetry", "update", "auth", "mcp", "package", "scm", "other"]),
  operator: z.string(),
  legal_entity: z.string().default("unknown"),
  /** Laws that can compel the operator; `SELF`: we run it. */
  law: z.array(z.string()).min(1),
  /** Where TLS ends, where content is stored, where it is computed on: independent facts at every large vendor. */
  endpoint: z.string().default("unknown"),
  at_rest: z.string().default("unknown"),
  compute: z.string().default("unknown"),
  decided_by: z.string().nullish(),
  /** Where a reply says where it ran, as a JSON field. */
  location_field: z.string().nullish(),
  trains: z.string().default("unknown"),
  retention: z.string().default("unknown"),
  terms_public: z.union([z.boolean(), z.string()]).default("unknown"),
  /** The version of the terms in force, and who else gets the data under them. */
  terms: z.string().optional(),
  sub_processors: z.array(z.string()).optional(),
  /** The processing agreement: a fact about the organisation, so only its own register can hold one. */
  agreement: z.enum(["signed", "none", "unknown"]).default("unknown"),
  src: z.array(z.string()).min(1),
  as_of: Day,
  /** Facts that were looked at on another day, or have another source, than the row. */
  as_of_by: z.partialRecord(z.enum(DATED_FACTS), Day).optional(),
  src_by: z.partialRecord(z.enum(DATED_FACTS), z.array(z.string()).min(1)).optional(),
  confidence: z.string().default("medium"),
  disable: z.string().nullish(),
  notes: z.string().nullish(),
});

/** One row: a host (exact, `*.suffix`, or with `{region}` for one part), optionally below a path (`/api/*`). */
export type Destination = z.infer<typeof Row>;

const Register = z.object({ version: z.literal(1), rows: z.array(z.unknown()) });

export interface DestinationRegister {
  readonly rows: readonly Destination[];
  /** The most specific row for a host and a path: exact host before pattern, with path before without; else null. */
  find(host: string, path: string): Destination | null;
}

/** Parses a register's YAML. Throws `register.invalid` naming the row and the fact. */
export function parseDestinations(text: string, file: string): DestinationRegister {
  return registerOf(parseRows(text, file));
}

/** The rows of one file. Throws `register.invalid` naming the row and the fact, or two rows of one id. */
export function parseRows(text: string, file: string): readonly Destination[] {
  let data: unknown;
  try {
    data = parse(text, { schema: "core" });
  } catch (cause) {
    throw invalid(file, cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : "", cause);
  }
  const register = Register.safeParse(data);
  if (!register.success) throw invalid(file, issueText(register.error));
  const seen = new Set<string>();
  return register.data.rows.map((raw, at) => {
    const row = Row.safeParse(raw);
    if (!row.success) throw invalid(`${file} rows[${at}]${nameOf(raw)}`, issueText(row.error));
    if (seen.has(row.data.id)) throw invalid(`${file} rows[${at}]`, `\`${row.data.id}\` names two rows`);
    seen.add(row.data.id);
    return row.data;
  });
}

/** `sources:` of a register that {@link parseRows} has read: titles and addresses by the keys that rows name. */
export function parseSources(
  text: string,
): Readonly<Record<string, { readonly title: string; readonly url: string }>> {
  const Source = z.object({ title: z.string(), url: z.string().default("") });
  const found = z
    .object({ sources: z.record(z.string(), z.unknown()) })
    .safeParse(parse(text, { schema: "core" }));
  return Object.fromEntries(
    Object.entries(found.data?.sources ?? {}).flatMap(([key, value]) => {
      const source = Source.safeParse(value);
      return source.success ? [[key, { title: source.data.title, url: source.data.url }]] : [];
    }),
  );
}

/** The organisation's rows over the starter's: same id replaces, a new id adds. */
export function overlay(starter: readonly Destination[], own: readonly Destination[]): DestinationRegister {
  const replaced = new Set(own.map(({ id }) => id));
  return registerOf([...own, ...starter.filter(({ id }) => !replaced.has(id))]);
}

/** Whether nobody has looked at that fact for {@link STALE_DAYS}. `now` in Unix ms. */
export function isStale(row: Destination, fact: DatedFact, now: number): boolean {
  return now - Date.parse(row.as_of_by?.[fact] ?? row.as_of) > STALE_DAYS * DAY_MS;
}

function registerOf(rows: readonly Destination[]): DestinationRegister {
  const exact = new Map<string, Destination[]>();
  const patterns: { readonly matches: RegExp; readonly row: Destination }[] = [];
  for (const row of rows)
    for (const host of row.host.split(/,\s*(?![^{]*\})/))
      if (/^[a-z0-9.:-]+$/.test(host)) exact.set(host, [...(exact.get(host) ?? []), row]);
      else {
        const matches = hostPattern(host);
        if (matches !== null) patterns.push({ matches, row });
      }
  return {
    rows,
    find: (host, path) =>
      best(exact.get(host) ?? [], path) ??
      best(
        patterns.filter(({ matches }) => matches.test(host)).map(({ row }) => row),
        path,
      ),
  };
}

/**
 * `*.suffix` is any name below it, `{region}` one part of a name, `{au,in,jp}` one of these. Anything else is a text for
 * people (`{customer}` alone, "workspace endpoint") and matches nothing.
 */
function hostPattern(host: string): RegExp | null {
  if (!/^(?:\*\.)?(?:[a-z0-9.-]|\{[a-z0-9,-]+\})+$/.test(host) || !/\.[a-z0-9-]+\.[a-z]+$/.test(host))
    return null;
  const source = host.replaceAll(/\*\.|\{([^}]*)\}|\./g, (token, inner: string | undefined) => {
    if (token === ".") return "\\.";
    if (token === "*.") return "(?:[a-z0-9_-]+\\.)+";
    return inner?.includes(",") === true ? `(?:${inner.replaceAll(",", "|")})` : "[a-z0-9-]+";
  });
  return new RegExp(`^${source}$`);
}

const best = (rows: readonly Destination[], path: string): Destination | null =>
  rows.filter((row) => pathMatches(row.path, path)).sort((a, b) => specificity(b) - specificity(a))[0] ??
  null;

const pathMatches = (pattern: string | undefined, path: string): boolean =>
  pattern === undefined || (pattern.endsWith("*") ? path.startsWith(pattern.slice(0, -1)) : path === pattern);

const specificity = (row: Destination): number =>
  row.host.replaceAll(/\{[^}]*\}|\*/g, "").length + (row.path === undefined ? 0 : 10_000 + row.path.length);

const nameOf = (raw: unknown): string =>
  typeof raw === "object" && raw !== null && "id" in raw ? ` (${String(raw.id)})` : "";

function issueText(error: z.ZodError): string {
  const issue = error.issues[0];
  return issue === undefined ? "" : `${issue.path.join(".")}: ${issue.message}`.replace(/^: /, "");
}

const invalid = (at: string, detail: string, cause?: unknown): Fault =>
  new Fault("register.invalid", { at, detail, cause });
