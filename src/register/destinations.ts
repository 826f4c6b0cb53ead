/**
 * The register of destinations: who runs a host, under which law, on which terms. A row is a fact with a source and
 * a date, written by people in register/destinations.yaml (schema trust/destinations/v1); nothing here guesses.
 *
 * A host that no row names is "unknown" in every label, which policy treats as the worst case.
 */
import { parse } from "yaml";
import { z } from "zod";
import { Fault } from "../core/index.ts";

const Row = z.object({
  id: z.string(),
  host: z.string(),
  path: z.string().optional(),
  channel: z.string(),
  operator: z.string(),
  legal_entity: z.string(),
  law: z.array(z.string()),
  endpoint: z.string(),
  at_rest: z.string(),
  compute: z.string(),
  trains: z.string(),
  retention: z.string(),
  terms_public: z.union([z.boolean(), z.string()]),
  src: z.array(z.string()),
  as_of: z.union([z.string(), z.date()]).transform(String),
  confidence: z.string(),
});

/** One row: a host (exact, or `*.suffix`), optionally below a path (`/api/*`). */
export type Destination = z.infer<typeof Row>;

const Register = z.object({ version: z.literal(1), rows: z.array(Row) });

export interface DestinationRegister {
  readonly rows: readonly Destination[];
  /** The most specific row for a host and a path: exact host before suffix, with path before without; else null. */
  find(host: string, path: string): Destination | null;
}

/** Parses the register's YAML. Throws `register.invalid` naming the row. */
export function parseDestinations(text: string, file: string): DestinationRegister {
  const result = Register.safeParse(parse(text, { schema: "core" }));
  if (!result.success) {
    const issue = result.error.issues[0];
    throw new Fault("register.invalid", {
      at: `${file} ${issue?.path.join(".") ?? ""}`,
      detail: issue?.message ?? "",
    });
  }
  // Templates ("{region}-…") name families for people to read; only concrete hosts can be matched.
  const rows = result.data.rows.filter((row) => /^(\*\.)?[a-z0-9.-]+$/.test(row.host));
  return {
    rows,
    find: (host, path) =>
      rows
        .filter((row) => hostMatches(row.host, host) && pathMatches(row.path, path))
        .sort((a, b) => specificity(b) - specificity(a))[0] ?? null,
  };
}

const hostMatches = (pattern: string, host: string): boolean =>
  pattern.startsWith("*.") ? host.endsWith(pattern.slice(1)) : host === pattern;

const pathMatches = (pattern: string | undefined, path: string): boolean =>
  pattern === undefined || (pattern.endsWith("*") ? path.startsWith(pattern.slice(0, -1)) : path === pattern);

const specificity = (row: Destination): number =>
  (row.host.startsWith("*.") ? 0 : 1_000) +
  row.host.length +
  (row.path === undefined ? 0 : 10_000 + row.path.length);
