/**
 * Where a build or an extension stands: what the statements about it come to. Pure.
 *
 * It is approved while as many different approvers as are required have approved exactly these bytes since it was last
 * revoked and none of these approvals that are needed has expired. One approver's revocation is enough to stop it.
 */
import type { Statement, Subject } from "./statement.ts";

/** Approvers' clocks may differ by this much. */
const CLOCK_SKEW_MS = 5 * 60_000;

export type Standing =
  | { readonly state: "approved"; readonly by: readonly string[]; readonly expires: number | null }
  /** Some have approved it, not yet enough. */
  | { readonly state: "pending"; readonly by: readonly string[]; readonly needed: number }
  | { readonly state: "expired"; readonly on: number }
  | { readonly state: "revoked"; readonly by: string; readonly at: number; readonly reason: string }
  /** Other bytes of the same name and version have been approved. */
  | { readonly state: "changed"; readonly approved: string }
  | { readonly state: "unknown" };

export function standingOf(
  subject: Subject,
  statements: readonly Statement[],
  required: number,
  now: number,
): Standing {
  const about = statements.filter((statement) => isAbout(statement, subject));
  // A revocation counts whatever its date; an approval from the future does not: a clock set back admits nothing.
  const revocation = latest(about.filter(({ action }) => action === "revoke"));
  const approvals = perApprover(
    about.filter(
      ({ action, at }) =>
        action === "approve" && at <= now + CLOCK_SKEW_MS && (revocation === null || at > revocation.at),
    ),
  );
  const valid = approvals.filter(({ expires }) => expires === null || expires > now);
  if (valid.length >= required) return approved(valid, required);
  if (revocation !== null && valid.length === 0)
    return { state: "revoked", by: revocation.by, at: revocation.at, reason: revocation.reason };
  const ended = approvals.flatMap(({ expires }) => (expires !== null && expires <= now ? [expires] : []));
  if (ended.length > 0 && approvals.length >= required) return { state: "expired", on: Math.max(...ended) };
  if (valid.length > 0)
    return { state: "pending", by: valid.map(({ by }) => by).sort(), needed: required - valid.length };
  const other = statements.find(
    (statement) =>
      statement.action === "approve" &&
      isNamesake(statement.subject, subject) &&
      !isAbout(statement, subject),
  );
  return other === undefined ? { state: "unknown" } : { state: "changed", approved: other.subject.hash };
}

/** It holds until so many have expired that too few are left. */
function approved(valid: readonly Statement[], required: number): Standing {
  const ends = valid.map(({ expires }) => expires ?? Number.POSITIVE_INFINITY).sort((a, b) => b - a);
  const end = ends[required - 1] ?? Number.POSITIVE_INFINITY;
  return {
    state: "approved",
    by: valid.map(({ by }) => by).sort(),
    expires: Number.isFinite(end) ? end : null,
  };
}

/** Whether a statement speaks of exactly these bytes. A native program that is one file is known by that file. */
function isAbout({ subject: said }: Statement, asked: Subject): boolean {
  if (said.kind !== asked.kind) return false;
  if (said.hash === asked.hash) return true;
  return said.kind === "build" && asked.kind === "build" && said.native && asked.native && asked.files === 1
    ? said.executable === asked.executable
    : false;
}

function isNamesake(said: Subject, asked: Subject): boolean {
  if (said.kind === "build" && asked.kind === "build")
    return said.agent === asked.agent && said.version === asked.version && said.platform === asked.platform;
  return said.kind === "extension" && asked.kind === "extension" && said.path === asked.path;
}

const latest = (statements: readonly Statement[]): Statement | null =>
  statements.reduce<Statement | null>(
    (last, next) => (last === null || next.at >= last.at ? next : last),
    null,
  );

/** Each approver's newest word only. */
function perApprover(statements: readonly Statement[]): readonly Statement[] {
  const newest = new Map<string, Statement>();
  for (const statement of statements) {
    const known = newest.get(statement.by);
    if (known === undefined || statement.at >= known.at) newest.set(statement.by, statement);
  }
  return [...newest.values()];
}
