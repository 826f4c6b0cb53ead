/**
 * How long evidence is kept, by what was found in it and where it went. The unit is the session, as its key is what is
 * destroyed. Pure: the fold is over ledger events, the time is handed in.
 */
import type { LedgerEvent } from "../core/index.ts";

export interface RetentionRule {
  readonly id: string;
  /** Days after the session's last event. */
  readonly keepDays: number;
  /** The rule is for sessions with a finding of one of these classes; absent: any session. */
  readonly classes?: readonly string[];
  /** … and that sent to one of these destinations (the register's ids, or hosts it does not know). */
  readonly destinations?: readonly string[];
}

interface SessionStanding {
  lastAt: number;
  readonly classes: Set<string>;
  readonly destinations: Set<string>;
  erased: boolean;
}

export interface Due {
  readonly session: string;
  readonly rule: string;
}

const DAY_MS = 86_400_000;

/** Folds events into what the rules ask about. Grows with the number of sessions. */
export class RetentionFold {
  readonly #sessions = new Map<string, SessionStanding>();

  add(event: LedgerEvent): void {
    if (!("session" in event)) return;
    const standing = this.#sessions.get(event.session) ?? {
      lastAt: 0,
      classes: new Set<string>(),
      destinations: new Set<string>(),
      erased: false,
    };
    this.#sessions.set(event.session, standing);
    if (event.kind === "evidence.erased") standing.erased = true;
    else if (event.kind !== "evidence.viewed") standing.lastAt = Math.max(standing.lastAt, event.at);
    if (event.kind !== "exchange.judged") return;
    for (const finding of event.findings) standing.classes.add(finding.class);
    standing.destinations.add(event.destination ?? event.host);
  }

  /** Sessions to be erased now. The first rule that a session fits decides; one that fits none is kept. */
  due(rules: readonly RetentionRule[], now: number): Due[] {
    const due: Due[] = [];
    for (const [session, standing] of this.#sessions) {
      if (standing.erased) continue;
      const rule = rules.find(
        ({ classes, destinations }) =>
          (classes === undefined || classes.some((c) => standing.classes.has(c))) &&
          (destinations === undefined || destinations.some((d) => standing.destinations.has(d))),
      );
      if (rule !== undefined && standing.lastAt + rule.keepDays * DAY_MS <= now)
        due.push({ session, rule: rule.id });
    }
    return due;
  }
}
