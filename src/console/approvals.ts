/**
 * Questions that wait for a person, as the station has them now, and what came of earlier ones, as the ledger has it. An
 * answer goes to the station's approval desk, which records it before it counts.
 */
import type { LedgerEvent } from "../core/index.ts";
import type { OpenQuestion } from "../gateway/index.ts";
import type { FoundEntry } from "../ledger/index.ts";
import type { study } from "../policy/index.ts";
import type { ApprovalsNow, ExceptionView, HistoryRow, QuestionView } from "./api/approvals.ts";

/** The account behind a principal: a name after `/` is what a link says, and proves nothing. */
export const accountOf = (principal: string): string => principal.split("/", 1)[0] ?? "";

export interface OpenApprovals {
  readonly questions: readonly OpenQuestion[];
  readonly exceptions: readonly study.Waiver[];
}

export interface ApprovalFacts {
  /** Null: the station does not answer. */
  readonly open: OpenApprovals | null;
  /** `approval.asked` entries of late. */
  readonly asked: readonly FoundEntry[];
  readonly operatorOf: (destination: string) => string | null;
  readonly principal: string;
  readonly mayApprove: boolean;
  readonly now: number;
}

/** What waits, the one with least time left first. */
export function approvalsNow({
  open,
  asked,
  operatorOf,
  principal,
  mayApprove,
  now,
}: ApprovalFacts): ApprovalsNow {
  const entries = new Map(
    asked.flatMap(({ index, event }) =>
      event.kind === "approval.asked" ? [[event.question as string, { index, event }]] : [],
    ),
  );
  return {
    questions: (open?.questions ?? [])
      .map((question): QuestionView => {
        const { id, session, agent, requester, text, rules, classes, host, port } = question;
        const { sentTo, model, requestBytes, findings, askedAt, deadlineAt, isWaiting, self } = question;
        const known = entries.get(id);
        const destination = known?.event.destination ?? null;
        const isOwn = !self && accountOf(principal) === accountOf(requester);
        return {
          ...{ id, session, agent, requester, text, rules, classes, host, port },
          ...{ sentTo, model, requestBytes, findings, askedAt, deadlineAt, isWaiting },
          destination,
          operator: operatorOf(destination ?? host),
          notYours: !mayApprove ? "no-right" : isOwn ? "own-question" : null,
          entry: known?.index ?? null,
        };
      })
      .sort((a, b) => a.deadlineAt - b.deadlineAt),
    exceptions: (open?.exceptions ?? [])
      .map(exceptionOf)
      .sort(
        (a, b) =>
          Number(b.kind === "break-glass") - Number(a.kind === "break-glass") || a.expiresAt - b.expiresAt,
      ),
    now,
    isStationThere: open !== null,
  };
}

const exceptionOf = (waiver: study.Waiver): ExceptionView => ({
  id: waiver.id,
  kind: waiver.kind,
  rule: waiver.rule,
  where: scopeText(waiver.scope),
  reason: waiver.reason,
  requester: waiver.requester,
  approver: waiver.approver,
  grantedAt: waiver.grantedAt,
  expiresAt: waiver.expiresAt,
});

const scopeText = (scope: Readonly<Record<string, readonly (string | number)[] | undefined>>): string =>
  Object.entries(scope)
    .map(([label, values]) => `${label}=${(values ?? []).join(",")}`)
    .join(" ");

/** The ledger filter of all that the history shows. */
export const HISTORY_FILTER =
  "kind=approval.asked,approval.answered,approval.expired,waiver.granted,waiver.ended";

/** One entry as a line of the history; null: it is none. */
export function historyRow(entry: number, event: LedgerEvent): HistoryRow | null {
  const nothing = {
    session: null,
    rules: [],
    classes: [],
    sentTo: null,
    requester: null,
    by: null,
    reason: null,
    scope: null,
    expiresAt: null,
  } as const;
  const row = { ...nothing, entry, at: event.at };
  switch (event.kind) {
    case "approval.asked": {
      const { question: id, session, rules, classes, sentTo, requester, deadlineAt } = event;
      return { ...row, what: "asked", id, session, rules, classes, sentTo, requester, expiresAt: deadlineAt };
    }
    case "approval.answered": {
      const { question: id, session, verdict, rules, requester, by, reason, scope, expiresAt, where } = event;
      return {
        ...row,
        what: verdict === "allow" ? "allowed" : "denied",
        ...{ id, session, rules, requester, by, reason, scope },
        classes: (where["data"] ?? []).map(String),
        expiresAt: scope === "time" ? expiresAt : null,
      };
    }
    case "approval.expired":
      return { ...row, what: "expired", id: event.question, session: event.session, reason: event.because };
    case "waiver.granted":
      return {
        ...row,
        what: event.breakGlass ? "break-glass" : "granted",
        id: event.waiver,
        rules: [event.rule],
        classes: (event.where["data"] ?? []).map(String),
        requester: event.requester,
        by: event.approver,
        reason: event.reason,
        scope: "time",
        expiresAt: event.expiresAt,
      };
    case "waiver.ended":
      return { ...row, what: "ended", id: event.waiver, by: event.by };
    default:
      return null;
  }
}
