/**
 * Questions that wait for a person, and what people have allowed for a time.
 *
 * A question is durable before anybody waits for it, an answer before it counts; `ask` resolves after that. A question
 * belongs to a session, and to all exchanges that ask the same of the same destination: an agent that gives up and tries
 * again finds its question still open, or answered. What outlives a session (an answer with a time, break-glass) is
 * restored from the ledger by whoever opens the gateway.
 *
 * Failure contract: what cannot be recorded is denied; a deadline that passes denies.
 */
import {
  asFault,
  type Clock,
  type EventBody,
  type ExchangeId,
  Fault,
  type SessionId,
} from "../core/index.ts";
import type { EvidenceInput } from "../ledger/index.ts";
import { type Point, type RuleRef, study } from "../policy/index.ts";
import type { Deadline, Deadlines } from "./deadlines.ts";
import type { Asking } from "./judge.ts";
import type { Matter } from "./matter.ts";
import type { Sitting } from "./session.ts";
import { phrase } from "./words.ts";

/** A question as people are shown it. */
export interface OpenQuestion {
  /** The id of the exchange that asked first. */
  readonly id: string;
  readonly session: SessionId;
  readonly agent: string;
  readonly requester: string;
  /** What is asked, with the rules, their reasons and owners: in the session's language. */
  readonly text: string;
  /** `document/rule` of the rules that ask. */
  readonly rules: readonly string[];
  readonly classes: readonly string[];
  readonly host: string;
  readonly port: number;
  readonly sentTo: string;
  readonly model: string | null;
  readonly requestBytes: number;
  readonly findings: readonly { readonly class: string; readonly detector: string; readonly count: number }[];
  /** Unix ms. */
  readonly askedAt: number;
  readonly deadlineAt: number;
  /** Whether who asked may answer. */
  readonly self: boolean;
  /** Whether the agent still waits; else it is answered for its next try. */
  readonly isWaiting: boolean;
}

export interface GivenAnswer {
  readonly verdict: "allow" | "deny";
  readonly by: string;
  readonly reason: string;
  readonly scope: "once" | "session" | "time";
  /** With scope `time`: how long. */
  readonly forMs?: number;
}

export type Told =
  | { readonly what: "asked"; readonly question: OpenQuestion }
  | {
      readonly what: "answered";
      readonly question: OpenQuestion;
      readonly verdict: "allow" | "deny";
      readonly by: string;
    }
  | { readonly what: "expired"; readonly question: OpenQuestion }
  | { readonly what: "granted" | "ended"; readonly waiver: study.Waiver };

type Settled =
  | { readonly state: "allowed"; readonly question: string; readonly grants: readonly study.Waiver[] }
  | { readonly state: "denied"; readonly fault: Fault }
  /** Something was allowed that may cover it: judge it again. */
  | { readonly state: "reconsider" };

interface Waiting {
  readonly exchange: ExchangeId;
  readonly settle: (settled: Settled) => void;
}

interface Question extends Omit<OpenQuestion, "isWaiting"> {
  /** The same for all that ask the same of the same destination: what a no for the session is remembered by. */
  readonly key: string;
  /** … about the same values: whose next try it is. */
  readonly exact: string;
  readonly points: readonly [Point, ...Point[]];
  readonly sitting: Sitting;
  readonly deadline: Deadline;
  waiting: Waiting | null;
  /** Allowed once while nobody waited: good for the next try. */
  once: readonly study.Waiver[] | null;
  /** An answer is being made durable. */
  isClosing: boolean;
}

export interface ApprovalsDependencies {
  readonly clock: Clock;
  readonly append: (
    body: EventBody,
    evidence?: readonly EvidenceInput[],
  ) => Promise<{ readonly index: number }>;
  readonly deadlines: Deadlines;
  readonly onFault: (fault: Fault) => void;
  /** What was granted before and still holds. */
  readonly restored?: readonly study.Waiver[];
  /** Told of each grant beyond a session, with the ledger's entry that holds it; and of its end, with null. */
  readonly keep?: (waiver: study.Waiver, entry: number | null) => Promise<void>;
}

/** Of one session: an agent that asks more than this at once is in a loop. */
const MOST_QUESTIONS = 32;
/** How long an answer for once is kept for an agent that has stopped waiting. */
const ONCE_MS = 10 * 60_000;

/** Owned by the gateway; its fields by nobody else. */
export class Approvals {
  readonly #deps: ApprovalsDependencies;
  readonly #questions = new Map<string, Question>();
  /** For every session. */
  #standing: readonly study.Waiver[];
  readonly #ofSession = new Map<SessionId, study.Waiver[]>();
  readonly #denials = new Map<SessionId, Map<string, GivenAnswer>>();
  readonly #sittings = new Map<SessionId, Sitting>();
  readonly #listeners = new Set<(told: Told) => void>();

  constructor(deps: ApprovalsDependencies) {
    this.#deps = deps;
    this.#standing = deps.restored ?? [];
  }

  /** Calls back with everything that happens from now on, until the returned function is called. */
  subscribe(listener: (told: Told) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  list(): readonly OpenQuestion[] {
    return [...this.#questions.values()].filter(({ once }) => once === null).map(shown);
  }

  /** Exceptions that hold for every session. */
  exceptions(): readonly study.Waiver[] {
    const now = this.#deps.clock.now();
    return this.#standing.filter(({ expiresAt }) => expiresAt > now);
  }

  /** From now on the session's rulebook knows what has been allowed. */
  join(sitting: Sitting): void {
    this.#sittings.set(sitting.session.id, sitting);
    this.#tellRulebooks();
  }

  /** Its questions will not be answered any more. Resolves when that is on the record. */
  async leave(session: SessionId): Promise<void> {
    this.#sittings.delete(session);
    this.#ofSession.delete(session);
    this.#denials.delete(session);
    const open = [...this.#questions.values()].filter((question) => question.session === session);
    await Promise.all(open.map((question) => this.#expire(question, "session-ended")));
  }

  /** Holds an exchange until its question is settled. Never rejects. */
  async ask(id: ExchangeId, asking: Asking, matter: Matter, sitting: Sitting): Promise<Settled> {
    const key = keyOf(asking, sitting);
    const denial = this.#denials.get(sitting.session.id)?.get(key);
    if (denial !== undefined) return denied(notApproved(asking, sitting, { denial }));
    const exact = `${key} ${asking.fingerprint}`;
    const known = this.#adoptable(exact);
    if (known?.once != null) {
      this.#drop(known);
      return { state: "allowed", question: known.id, grants: known.once };
    }
    const own = [...this.#questions.values()].filter(({ session }) => session === sitting.session.id);
    if (known === undefined && own.length >= MOST_QUESTIONS)
      return denied(new Fault("gateway.busy", { detail: `${own.length} questions wait for an answer` }));
    try {
      const question = known ?? (await this.#open(id, { key, exact }, asking, matter, sitting));
      return await this.#wait(question, id, matter);
    } catch (error) {
      const cause = asFault(error);
      return denied(new Fault("gateway.unrecorded", { detail: cause.message, remedy: cause.remedy, cause }));
    }
  }

  /**
   * Resolves when the answer is durable and holds. Throws `approval.unknown`, or `approval.refused` when whoever answers
   * may not, or may not for so long.
   */
  async answer(id: string, given: GivenAnswer): Promise<OpenQuestion> {
    const question = this.#questions.get(id);
    if (question === undefined || question.once !== null || question.isClosing)
      throw new Fault("approval.unknown", { detail: `\`${id}\`` });
    const now = this.#deps.clock.now();
    const { by, verdict, reason, scope } = given;
    const { state } = study.settle(question, [{ by, at: now, verdict, reason }], now);
    if (state === "expired")
      throw new Fault("approval.unknown", { detail: `the time to answer \`${id}\` is over` });
    if (state === "open")
      throw new Fault("approval.refused", {
        detail: `\`${by}\` asked, and this policy lets nobody answer their own question`,
      });
    const expiresAt = now + (scope === "time" ? (given.forMs ?? 0) : study.LONGEST_ANSWER_MS);
    const grants = verdict === "allow" ? grantsOf(question, given, now, expiresAt) : [];
    const refused = study.withWaivers(question.sitting.rules.policy, grants, now).refused[0];
    if (refused !== undefined) throw new Fault("approval.refused", { detail: refused.because });
    question.isClosing = true;
    try {
      const { index } = await this.#deps.append({
        kind: "approval.answered",
        session: question.session,
        question: id,
        verdict,
        by,
        reason,
        scope,
        expiresAt,
        rules: question.rules,
        where: scopeOf(question) as Readonly<Record<string, readonly (string | number)[]>>,
        requester: question.requester,
      });
      if (scope === "time") await Promise.all(grants.map((grant) => this.#deps.keep?.(grant, index)));
    } finally {
      question.isClosing = false;
    }
    this.#take(question, given, grants);
    return shown(question);
  }

  /** An exception by order of a person; checked by whoever calls. Resolves when it is durable and holds. */
  async grant(waiver: study.Waiver): Promise<void> {
    const { index } = await this.#deps.append({
      kind: "waiver.granted",
      waiver: waiver.id,
      rule: waiver.rule,
      where: waiver.scope as Readonly<Record<string, readonly (string | number)[]>>,
      reason: waiver.reason,
      requester: waiver.requester,
      approver: waiver.approver,
      expiresAt: waiver.expiresAt,
      breakGlass: waiver.kind === "break-glass",
    });
    await this.#deps.keep?.(waiver, index);
    this.#standing = [...this.#standing, waiver];
    this.#tell({ what: "granted", waiver });
    this.reconsider(null);
  }

  /** Takes an exception back. Throws `approval.unknown`. */
  async end(id: string, by: string): Promise<void> {
    const ended = this.#standing.filter((waiver) => waiver.id === id);
    const [first] = ended;
    if (first === undefined) throw new Fault("approval.unknown", { detail: `\`${id}\`` });
    // First it stops to hold, then it is told: a crash in between leaves too little, never too much.
    this.#standing = this.#standing.filter((waiver) => waiver.id !== id);
    this.#tellRulebooks();
    await Promise.all(ended.map((waiver) => this.#deps.keep?.(waiver, null)));
    await this.#deps.append({ kind: "waiver.ended", waiver: id, by });
    this.#tell({ what: "ended", waiver: first });
  }

  #adoptable(exact: string): Question | undefined {
    return [...this.#questions.values()].find(
      (question) => question.exact === exact && question.waiting === null,
    );
  }

  async #open(
    id: ExchangeId,
    keys: Pick<Question, "key" | "exact">,
    asking: Asking,
    matter: Matter,
    sitting: Sitting,
  ): Promise<Question> {
    const { session, rules } = sitting;
    const standing = rules.now();
    const askedAt = this.#deps.clock.now();
    const { seconds, self } = rules.policy.approvals;
    const { bytes } = matter.about;
    const [point] = asking.points;
    const question: Omit<Question, "deadline"> = {
      id,
      ...keys,
      session: session.id,
      agent: session.agent,
      requester: session.principal ?? "local:0",
      text: standing.refusal({ verdict: "ask", rules: asking.asking }, point),
      rules: asking.asking.map(study.nameOf),
      classes: [...new Set(asking.points.map(({ data }) => data))],
      host: point.host,
      port: point.port,
      sentTo: asking.sentTo,
      model: asking.model,
      requestBytes: bytes,
      findings: asking.found,
      askedAt,
      deadlineAt: askedAt + seconds * 1000,
      self,
      points: asking.points,
      sitting,
      waiting: null,
      once: null,
      isClosing: false,
    };
    await this.#deps.append(
      {
        kind: "approval.asked",
        session: session.id,
        question: id,
        requester: question.requester,
        host: question.host,
        port: question.port,
        sentTo: question.sentTo,
        destination: asking.destination,
        model: question.model,
        requestBytes: bytes,
        findings: question.findings,
        rules: question.rules,
        classes: question.classes,
        deadlineAt: question.deadlineAt,
        evidence: [],
      },
      matter.evidence,
    );
    const deadline = this.#deps.deadlines.start(seconds * 1000, () => void this.#expire(opened, "deadline"));
    const opened: Question = { ...question, deadline };
    this.#questions.set(id, opened);
    return opened;
  }

  #wait(question: Question, exchange: ExchangeId, matter: Matter): Promise<Settled> {
    return new Promise((resolve) => {
      const waiting: Waiting = {
        exchange,
        settle: (settled) => {
          if (question.waiting === waiting) question.waiting = null;
          resolve(settled);
        },
      };
      question.waiting = waiting;
      // The agent has given up; it may come again and find its question.
      matter.onGone(() => waiting.settle(denied(new Fault("gateway.aborted"))));
      if (question.waiting === waiting && exchange === question.id)
        this.#tell({ what: "asked", question: shown(question) });
    });
  }

  #take(question: Question, given: GivenAnswer, grants: readonly study.Waiver[]): void {
    this.#tell({ what: "answered", question: shown(question), verdict: given.verdict, by: given.by });
    if (given.verdict === "deny") {
      const fault = notApproved(question, question.sitting, { denial: given });
      this.#drop(question);
      if (given.scope !== "once") this.#remember(question, given);
      question.waiting?.settle(denied(fault));
      return;
    }
    if (given.scope === "once") {
      const { waiting } = question;
      if (waiting !== null) {
        this.#drop(question);
        waiting.settle({ state: "allowed", question: question.id, grants });
      } else {
        question.once = grants;
        question.deadline.move(ONCE_MS);
      }
      return;
    }
    this.#drop(question);
    if (given.scope === "time") this.#standing = [...this.#standing, ...grants];
    else this.#ofSession.set(question.session, [...(this.#ofSession.get(question.session) ?? []), ...grants]);
    this.#tellRulebooks();
    question.waiting?.settle({ state: "allowed", question: question.id, grants });
    this.reconsider(given.scope === "time" ? null : question.session);
  }

  #remember(question: Question, given: GivenAnswer): void {
    const denials = this.#denials.get(question.session) ?? new Map<string, GivenAnswer>();
    this.#denials.set(question.session, denials.set(question.key, given));
  }

  /** Those that wait and are not asked any more are judged again. null: of every session. */
  reconsider(session: SessionId | null): void {
    this.#tellRulebooks();
    for (const question of [...this.#questions.values()])
      if (session === null || question.session === session) {
        const { waiting } = question;
        if (waiting === null || !isCovered(question)) continue;
        void this.#expire(question, "not-asked-any-more");
        waiting.settle({ state: "reconsider" });
      }
  }

  #tellRulebooks(): void {
    const standing = this.exceptions();
    this.#standing = standing;
    for (const [id, { rules }] of this.#sittings)
      rules.setWaivers([...standing, ...(this.#ofSession.get(id) ?? [])]);
  }

  async #expire(
    question: Question,
    because: "deadline" | "session-ended" | "not-asked-any-more",
  ): Promise<void> {
    const wasAnswered = question.once !== null;
    this.#drop(question);
    const fault = notApproved(question, question.sitting, {});
    question.waiting?.settle(because === "not-asked-any-more" ? { state: "reconsider" } : denied(fault));
    if (wasAnswered) return;
    this.#tell({ what: "expired", question: shown(question) });
    const { session, id } = question;
    await this.#deps
      .append({ kind: "approval.expired", session, question: id, because })
      .catch((error: unknown) => this.#deps.onFault(asFault(error)));
  }

  #drop(question: Question): void {
    this.#questions.delete(question.id);
    question.deadline.stop();
  }

  #tell(told: Told): void {
    for (const listener of this.#listeners) listener(told);
  }
}

const denied = (fault: Fault): Settled => ({ state: "denied", fault });

const shown = (question: Question): OpenQuestion => {
  const {
    key: _key,
    exact: _exact,
    points: _points,
    sitting: _sitting,
    deadline: _deadline,
    ...rest
  } = question;
  const { waiting, once: _once, isClosing: _closing, ...open } = rest;
  return { ...open, isWaiting: waiting !== null };
};

/** Whether nothing asks about it any more, as the rules are now. */
const isCovered = ({ points, sitting }: Question): boolean => {
  const { policy } = sitting.rules.now();
  return points.every((point) => study.explain(policy, point, "en").decision.verdict !== "ask");
};

const keyOf = ({ asking, points, sentTo }: Asking, { session }: Sitting): string =>
  JSON.stringify([
    session.id,
    sentTo,
    asking.map(study.nameOf).sort(),
    [...new Set(points.map(({ data }) => data))].sort(),
  ]);

/** What a yes is about: this agent, this destination, these classes. */
function scopeOf({ points }: Pick<Question, "points">): study.Waiver["scope"] {
  const [first] = points;
  return {
    agent: [first.agent],
    host: [first.host],
    port: [first.port],
    repo: [first.repo],
    data: [...new Set(points.map(({ data }) => data))],
  };
}

const grantsOf = (
  question: Question,
  { by, reason }: GivenAnswer,
  grantedAt: number,
  expiresAt: number,
): readonly study.Waiver[] =>
  question.rules.map((rule) => ({
    id: question.id,
    kind: "answer",
    rule,
    scope: scopeOf(question),
    reason: reason === "" ? "approved" : reason,
    requester: question.requester,
    approver: by,
    grantedAt,
    expiresAt,
  }));

/** What the agent shows: what was asked, and what came of it. */
function notApproved(
  asked: { readonly points: readonly [Point, ...Point[]] } & (
    | { readonly asking: readonly RuleRef[] }
    | { readonly text: string }
  ),
  { rules }: Sitting,
  { denial }: { readonly denial?: GivenAnswer },
): Fault {
  const { language } = rules;
  const question =
    "text" in asked
      ? asked.text
      : rules.now().refusal({ verdict: "ask", rules: asked.asking }, asked.points[0]);
  const outcome =
    denial === undefined
      ? phrase(
          language,
          `Nobody answered within ${rules.policy.approvals.seconds} seconds; try again and answer with: sallyport approvals`,
          `${rules.policy.approvals.seconds} 秒内无人批准；请重试，并用 sallyport approvals 批准`,
        )
      : phrase(
          language,
          `${denial.by} said no${denial.reason === "" ? "" : `: ${denial.reason}`}`,
          `${denial.by} 未批准${denial.reason === "" ? "" : `：${denial.reason}`}`,
        );
  return new Fault("gateway.not-approved", {
    detail: `${question}${phrase(language, ". ", "。")}${outcome}`,
  });
}
