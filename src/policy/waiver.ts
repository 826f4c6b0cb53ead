/**
 * Exceptions for a time, and answers to questions. Pure: who asked, who answered, when, and what time it is are handed in.
 *
 * A waiver takes away what one rule objects to, at the points its scope names, until it expires; every other rule goes
 * on speaking. Three kinds:
 * - `waiver`: of a rule that says it is waivable; nobody grants their own
 * - `break-glass`: the same by one person alone, for at most {@link BREAK_GLASS_MS}; whoever applies it records it loudly
 * - `answer`: a yes to what a rule asks. Any rule that asks can be answered; one's own question only where policy lets
 *   (`approvals.self`). For longer than {@link LONGEST_ANSWER_MS} it takes a rule that is waivable.
 */
import { LONGEST_WAIVER_DAYS } from "./contradiction.ts";
import type { DocumentWaiver, SendRule } from "./document.ts";
import type { Policy, RuleRef, SendRuleInLayer } from "./layer.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
export const LONGEST_WAIVER_MS = LONGEST_WAIVER_DAYS * DAY_MS;
export const BREAK_GLASS_MS = 60 * 60 * 1000;
export const LONGEST_ANSWER_MS = 12 * 60 * 60 * 1000;

export interface Waiver {
  readonly id: string;
  readonly kind: "waiver" | "break-glass" | "answer";
  /** `document/rule` */
  readonly rule: string;
  /** The labels of the points it holds for; at least one. */
  readonly scope: SendRule["when"];
  readonly reason: string;
  readonly requester: string;
  readonly approver: string;
  /** Unix ms. */
  readonly grantedAt: number;
  readonly expiresAt: number;
}

export interface Waived {
  readonly policy: Policy;
  /** The waivers that hold now. */
  readonly active: readonly Waiver[];
  /** Those that do not, and why. */
  readonly refused: readonly { readonly waiver: Waiver; readonly because: string }[];
  /** When to ask again at the latest: the next expiry or beginning, Unix ms; null: nothing will change by itself. */
  readonly changesAt: number | null;
}

/** The waivers that the policy's own documents grant to their own rules. */
export const documentWaivers = (policy: Policy): readonly Waiver[] =>
  policy.layers.flatMap(({ document: { data } }) =>
    (data.kind === "Repository" ? [] : (data.waivers ?? [])).map((written) =>
      fromDocument(written, data.metadata.name),
    ),
  );

const fromDocument = (written: DocumentWaiver, document: string): Waiver => ({
  id: `${document}.${written.id}`,
  kind: "waiver",
  rule: `${document}/${written.rule}`,
  scope: written.scope,
  reason: written.reason,
  requester: written.requester,
  approver: written.approver,
  grantedAt: Date.parse(written.from),
  expiresAt: Date.parse(written.until) + DAY_MS,
});

/** The policy as it is with the waivers that hold at `now`. A waiver that is wrong in any way is refused, not repaired. */
export function withWaivers(policy: Policy, waivers: readonly Waiver[], now: number): Waived {
  const judged = waivers.map((waiver) => ({ waiver, because: objection(policy, waiver, now) }));
  const active = judged.flatMap(({ waiver, because }) => (because === null ? [waiver] : []));
  const refused = judged.flatMap(({ waiver, because }) => (because === null ? [] : [{ waiver, because }]));
  const moments = waivers
    .flatMap(({ grantedAt, expiresAt }) => [grantedAt, expiresAt])
    .filter((at) => at > now);
  const changesAt = moments.length === 0 ? null : Math.min(...moments);
  if (active.length === 0) return { policy, active, refused, changesAt };
  const rules = policy.send.rules.map((rule): SendRuleInLayer => {
    const own = active.filter((waiver) => waiver.rule === nameOf(rule.ref));
    return own.length === 0
      ? rule
      : { ...rule, waived: own.map((waiver) => ({ scope: waiver.scope, ref: refOf(waiver, rule.ref) })) };
  });
  return { policy: { ...policy, send: { ...policy.send, rules } }, active, refused, changesAt };
}

/** Why a waiver does not hold; null: it does. */
function objection(policy: Policy, waiver: Waiver, now: number): string | null {
  const found = policy.send.rules.find(({ ref }) => nameOf(ref) === waiver.rule);
  if (found === undefined) return `no rule \`${waiver.rule}\` in the policy`;
  const isAnswer = waiver.kind === "answer";
  if (isAnswer && found.rule.then !== "ask") return `\`${waiver.rule}\` asks nothing`;
  if (!isAnswer && found.rule.waivable !== true) return `\`${waiver.rule}\` is not waivable`;
  if (Object.values(waiver.scope).every((values) => values === undefined))
    return "without a scope it would be a change of policy";
  if (waiver.reason.trim() === "") return "no reason is given";
  const own = waiver.approver === waiver.requester;
  if (own && waiver.kind === "waiver") return "nobody grants their own waiver";
  if (own && isAnswer && !policy.approvals.self) return "nobody answers their own question here";
  const longest = longestOf(waiver.kind, found.rule.waivable === true);
  const duration = waiver.expiresAt - waiver.grantedAt;
  if (!(duration > 0 && duration <= longest))
    return `it must last ${longest / 60_000} minutes or less, and more than none`;
  if (!(now >= waiver.grantedAt)) return "it has not begun";
  if (!(now < waiver.expiresAt)) return "it has expired";
  return null;
}

const longestOf = (kind: Waiver["kind"], waivable: boolean): number => {
  if (kind === "break-glass") return BREAK_GLASS_MS;
  return kind === "answer" && !waivable ? LONGEST_ANSWER_MS : LONGEST_WAIVER_MS;
};

export const nameOf = (ref: RuleRef): string => `${ref.document}/${ref.id}`;

const TITLES: Readonly<Record<Waiver["kind"], string>> = {
  waiver: "Waiver of",
  "break-glass": "Break-glass of",
  answer: "Approval asked by",
};

/** What the record and the explanation name in the rule's place. */
const refOf = (waiver: Waiver, rule: RuleRef): RuleRef => ({
  id: `waiver.${waiver.id}`,
  title: `${TITLES[waiver.kind]} ${nameOf(rule)}: ${rule.title}`,
  because: waiver.reason,
  owner: waiver.approver,
  document: rule.document,
});

/** An exchange that waits for a person, after the verdict `ask`. */
export interface Question {
  readonly requester: string;
  /** Whether the requester's own yes counts: `policy.approvals.self`. */
  readonly self: boolean;
  /** Unix ms. An answer after the deadline is none. */
  readonly askedAt: number;
  readonly deadlineAt: number;
}

export interface Answer {
  readonly by: string;
  readonly at: number;
  readonly verdict: "allow" | "deny";
  readonly reason: string;
}

export type Settlement =
  | { readonly state: "open" }
  | { readonly state: "allowed" | "denied"; readonly by: string; readonly reason: string }
  | { readonly state: "expired" };

/** What has become of a question. The first answer that counts settles it, a denial before an approval of equal time. */
export function settle(question: Question, answers: readonly Answer[], now: number): Settlement {
  const [first] = answers
    .filter(
      ({ by, at, verdict }) =>
        at >= question.askedAt &&
        at < question.deadlineAt &&
        // Whoever asked may take it back, but not approve it unless policy lets.
        (verdict === "deny" || question.self || by !== question.requester),
    )
    .toSorted((a, b) => a.at - b.at || (a.verdict === "deny" ? -1 : 1));
  if (first !== undefined)
    return { state: first.verdict === "allow" ? "allowed" : "denied", by: first.by, reason: first.reason };
  // Not "before": a clock that yields NaN must not hold a question open.
  return now < question.deadlineAt ? { state: "open" } : { state: "expired" };
}
