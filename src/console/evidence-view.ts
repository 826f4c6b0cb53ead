/**
 * What of an event may be seen without the right to read evidence: nothing that tells of it, neither names nor lengths nor how
 * many pieces there are.
 */
import type { LedgerEvent } from "../core/index.ts";
import type { User } from "./route.ts";

const OF_EVIDENCE: ReadonlySet<string> = new Set(["evidence", "evidenceId", "pieces"]);
/** Why somebody looked is for those who look after that, and for those who look. */
const OF_LOOKING: ReadonlySet<string> = new Set([
  "evidence.viewed",
  "evidence.unmasked",
  "evidence.exported",
]);

/** The event's own fields, without version, time and kind. */
export function fieldsFor(event: LedgerEvent, { rights }: Pick<User, "rights">): Record<string, unknown> {
  const { v: _v, at: _at, kind, ...fields } = event;
  const mayRead = rights.has("read-evidence");
  const mayAudit = mayRead || rights.has("audit");
  return Object.fromEntries(
    Object.entries(fields).filter(
      ([name]) =>
        (mayRead || !OF_EVIDENCE.has(name)) && (mayAudit || name !== "reason" || !OF_LOOKING.has(kind)),
    ),
  );
}

export const hasEvidence = (event: LedgerEvent): boolean => "evidence" in event && event.evidence.length > 0;
