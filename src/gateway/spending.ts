/**
 * What sessions and their people have used up, as a fold of the ledger's events: bytes and requests are counted when an
 * exchange is let go (two at once must not both be the last), tokens when its reply's usage is on the record. What was used
 * today before this gateway opened is read once, when a policy first asks about days.
 */
import type { Clock, LedgerEvent, SessionId } from "../core/index.ts";
import type { Policy } from "../policy/index.ts";
import { study } from "../policy/index.ts";

type Spent = { -readonly [K in keyof study.Spent]: study.Spent[K] };
type DaySpent = { -readonly [K in keyof study.DaySpent]: study.DaySpent[K] };

const DAY_MS = 86_400_000;
const dayOf = (at: number): number => Math.floor(at / DAY_MS);
const nothing = (): Spent => ({ requests: 0, bytesOut: 0, inputTokens: 0, outputTokens: 0, minutes: 0 });

interface SessionSpent {
  readonly principal: string;
  readonly startedAt: number;
  readonly spent: Spent;
}

/** Events of today from before this process, with the principal of each event's session. */
export type EarlierToday = (
  since: number,
) => Promise<readonly { readonly principal: string; readonly event: LedgerEvent }[]>;

/** Owned by the gateway. */
export class Spending {
  readonly #clock: Clock;
  readonly #earlier: EarlierToday;
  readonly #sessions = new Map<SessionId, SessionSpent>();
  #day = -1;
  #people = new Map<string, DaySpent>();
  #restored: Promise<void> | null = null;

  constructor(clock: Clock, earlier: EarlierToday) {
    this.#clock = clock;
    this.#earlier = earlier;
  }

  open(session: SessionId, principal: string): void {
    this.#sessions.set(session, { principal, startedAt: this.#clock.monotonic(), spent: nothing() });
  }

  close(session: SessionId): void {
    this.#sessions.delete(session);
  }

  /** Resolves when what the policy asks about is known. Throws what reading the ledger throws: then nothing leaves. */
  async known(policy: Policy): Promise<void> {
    if (!study.hasDayBudget(policy)) return;
    this.#restored ??= this.#restore().catch((error: unknown) => {
      this.#restored = null;
      throw error;
    });
    await this.#restored;
  }

  /** Lets an exchange of so many bytes go, and counts it; or says over which budgets it would go. */
  take(session: SessionId, bytes: number, policy: Policy): study.BudgetDecision {
    const own = this.#sessions.get(session);
    const next = { ...nothing(), requests: 1, bytesOut: bytes };
    const before = own?.spent ?? nothing();
    const minutes = own === undefined ? 0 : (this.#clock.monotonic() - own.startedAt) / 60_000;
    const day = this.#dayOf(own?.principal ?? "");
    const decision = study.decideBudget(policy, { ...before, minutes }, day, next);
    if (decision.verdict === "deny" || own === undefined) return decision;
    for (const spent of [own.spent, day]) {
      spent.requests += 1;
      spent.bytesOut += bytes;
    }
    return decision;
  }

  /** Hears of usage. */
  add(event: LedgerEvent): void {
    if (event.kind !== "exchange.answered" || event.usage === null) return;
    const own = this.#sessions.get(event.session);
    if (own === undefined) return;
    for (const spent of [own.spent, this.#dayOf(own.principal)]) addUsage(spent, event.usage);
  }

  /** When the present day is over. */
  get dayEndsAt(): number {
    return (dayOf(this.#clock.now()) + 1) * DAY_MS;
  }

  #dayOf(principal: string): DaySpent {
    const today = dayOf(this.#clock.now());
    if (today !== this.#day) {
      this.#day = today;
      this.#people = new Map();
    }
    const known = this.#people.get(principal) ?? nothing();
    this.#people.set(principal, known);
    return known;
  }

  async #restore(): Promise<void> {
    const today = dayOf(this.#clock.now());
    for (const { principal, event } of await this.#earlier(today * DAY_MS)) {
      if (dayOf(event.at) !== dayOf(this.#clock.now())) continue;
      const spent = this.#dayOf(principal);
      if (event.kind === "exchange.judged" && event.verdict !== "deny") {
        spent.requests += 1;
        spent.bytesOut += event.requestBytes;
      }
      if (event.kind === "exchange.answered" && event.usage !== null) addUsage(spent, event.usage);
    }
  }
}

function addUsage(
  spent: DaySpent,
  usage: { readonly inputTokens: number | null; readonly outputTokens: number | null },
): void {
  spent.inputTokens += usage.inputTokens ?? 0;
  spent.outputTokens += usage.outputTokens ?? 0;
}
