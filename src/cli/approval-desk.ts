/** What the station answers about questions that wait for people, and about exceptions. */
import { randomBytes } from "node:crypto";
import { Fault } from "../core/index.ts";
import type { OpenQuestion, Told } from "../gateway/index.ts";
import { layer, study } from "../policy/index.ts";
import { localPrincipal, type Places } from "./places.ts";
import { documentsFor, workspaceOf } from "./prepare.ts";
import type { ApprovalAction } from "./talk.ts";
import type { House } from "./wire.ts";

export interface ApprovalList {
  readonly questions: readonly OpenQuestion[];
  readonly exceptions: readonly study.Waiver[];
}

export async function approvalDesk(
  action: ApprovalAction,
  house: House,
  places: Places,
  by: string = localPrincipal(),
): Promise<ApprovalList | OpenQuestion | study.Waiver | object> {
  const { approvals } = house.gateway;
  switch (action.do) {
    case "list":
      return { questions: approvals.list(), exceptions: approvals.exceptions() };
    case "answer":
      refuseOwn(action, by, approvals.list());
      return approvals.answer(action.id, {
        verdict: action.verdict,
        by,
        reason: action.reason,
        scope: action.scope,
        ...(action.forMs === null ? {} : { forMs: action.forMs }),
      });
    case "end":
      await approvals.end(action.id, by);
      return {};
    case "break-glass": {
      const waiver = breakGlass(action, by, house.clock.now());
      const documents = await documentsFor(action.profile, action.cwd, workspaceOf(action.cwd), places);
      const [refused] = study.withWaivers(layer(documents), [waiver], waiver.grantedAt).refused;
      if (refused !== undefined)
        throw new Fault("approval.refused", {
          detail: refused.because,
          remedy: "see `sallyport policy explain`: only a rule with `waivable: true` can be waived",
        });
      await approvals.grant(waiver);
      return waiver;
    }
    default:
      action satisfies never;
      throw new Fault("internal.bug", { detail: "unknown action" });
  }
}

/**
 * Somebody signed in to the console bears a name that a link gave them, and the link was made at this account: whoever
 * asked could give themselves another name, and answer their own question by it. The account is what counts.
 */
function refuseOwn(
  { id, verdict }: Extract<ApprovalAction, { do: "answer" }>,
  by: string,
  open: readonly OpenQuestion[],
): void {
  const question = open.find((one) => one.id === id);
  if (question === undefined || question.self || verdict === "deny") return;
  if (accountOf(by) === accountOf(question.requester))
    throw new Fault("approval.refused", {
      detail: `\`${by}\` is the account that asked, and this policy lets nobody answer their own question`,
    });
}

const accountOf = (principal: string): string => principal.split("/", 1)[0] ?? "";

const breakGlass = (
  action: Extract<ApprovalAction, { do: "break-glass" }>,
  by: string,
  now: number,
): study.Waiver => ({
  id: `BG-${randomBytes(4).toString("hex")}`,
  kind: "break-glass",
  rule: action.rule,
  scope: action.scope as study.Waiver["scope"], // matched by equality against labels; a value no label has matches nothing
  reason: action.reason,
  requester: by,
  approver: by,
  grantedAt: now,
  expiresAt: now + action.forMs,
});

/** Of an event, the line that a person at the session's terminal is told; null: it does not concern that session. */
export function toldLine(told: Told, session: string): string | null {
  switch (told.what) {
    case "asked":
      return told.question.session === session
        ? `${told.question.text}. sallyport approvals approve ${told.question.id} | deny ${told.question.id}`
        : null;
    case "expired":
      return told.question.session === session ? `${told.question.id}: no answer in time, refused` : null;
    case "granted":
      return `BREAK-GLASS ${told.waiver.id} until ${new Date(told.waiver.expiresAt).toISOString()}: ${told.waiver.rule} (${told.waiver.reason})`;
    case "ended":
      return `${told.waiver.id} ended: ${told.waiver.rule} holds again`;
    case "answered":
      return null;
    default:
      return told satisfies never;
  }
}
