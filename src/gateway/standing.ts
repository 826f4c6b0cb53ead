/**
 * What policy says to one session at one moment: an immutable standing, handed out whole, so that no request is judged
 * by half a policy. A new policy, a new waiver or the passing of one's time makes a new standing; a request that is
 * under way keeps the one it began with, save where it is judged again.
 */
import type { Clock } from "../core/index.ts";
import { type ConnectionDecision, decideConnection, type Policy, study } from "../policy/index.ts";

export interface Standing {
  /** With the waivers that hold. */
  readonly policy: Policy;
  /** What policy says about speaking to a host at all. */
  readonly connection: (host: string, port: number) => ConnectionDecision;
  /** The words of a refusal, in the session's language. */
  readonly refusal: (refused: study.Refused, about: study.RefusedAbout) => string;
}

const MOST_DECISIONS = 1_000;

/** Owned by the session's door. */
export class Rulebook {
  readonly #clock: Clock;
  readonly #language: study.Language;
  #policy: Policy;
  #waivers: readonly study.Waiver[] = [];
  #standing: Standing;
  /** Unix ms; null: the standing does not change by itself. */
  #changesAt: number | null = null;
  /** When the standing was made: the wall clock may jump back over a waiver's beginning. */
  #madeAt = 0;

  constructor(policy: Policy, language: study.Language, clock: Clock) {
    this.#policy = policy;
    this.#language = language;
    this.#clock = clock;
    this.#standing = this.#make();
  }

  /** Without waivers: what the documents say. */
  get policy(): Policy {
    return this.#policy;
  }

  get language(): study.Language {
    return this.#policy.language ?? this.#language;
  }

  now(): Standing {
    const now = this.#clock.now();
    if (this.#changesAt !== null && (now >= this.#changesAt || now < this.#madeAt))
      this.#standing = this.#make();
    return this.#standing;
  }

  /** The standing with further exceptions, for one request: what a person has just allowed. */
  withGrants(grants: readonly study.Waiver[]): Standing {
    if (grants.length === 0) return this.now();
    const { policy } = study.withWaivers(this.#policy, [...this.#all(), ...grants], this.#clock.now());
    return standingOf(policy, this.language);
  }

  /** From now on; what is under way is not touched. */
  setPolicy(policy: Policy): void {
    this.#policy = policy;
    this.#standing = this.#make();
  }

  setWaivers(waivers: readonly study.Waiver[]): void {
    this.#waivers = waivers;
    this.#standing = this.#make();
  }

  #all(): readonly study.Waiver[] {
    return [...study.documentWaivers(this.#policy), ...this.#waivers];
  }

  #make(): Standing {
    this.#madeAt = this.#clock.now();
    const { policy, changesAt } = study.withWaivers(this.#policy, this.#all(), this.#madeAt);
    this.#changesAt = changesAt;
    return standingOf(policy, this.language);
  }
}

function standingOf(policy: Policy, language: study.Language): Standing {
  const refuse = study.refuser(policy);
  return {
    policy,
    connection: remembering((host, port) => decideConnection(policy, host, port)),
    refusal: (refused, about) => refuse(refused, about, language),
  };
}

/** An agent asks about the same few hosts all the time. */
function remembering(decide: Standing["connection"]): Standing["connection"] {
  const known = new Map<string, ConnectionDecision>();
  return (host, port) => {
    const key = `${host}:${port}`;
    let decision = known.get(key);
    if (decision === undefined) {
      if (known.size >= MOST_DECISIONS) known.clear();
      decision = decide(host, port);
      known.set(key, decision);
    }
    return decision;
  };
}
