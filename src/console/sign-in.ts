/**
 * One-time links and the signed-in sessions that they become. All of it is in memory: a console that starts again knows
 * nobody. Tokens are 256 random bits, kept as their SHA-256, so that a look at the memory of a table gives no key.
 *
 * A link is used up by its first redemption, whoever it was; a second try with the same token fails and ends nothing. A
 * session gets an id of its own (never the link's), is over after {@link IDLE_MS} without a request and after
 * {@link WHOLE_MS} in any case, and can be revoked.
 */
import { createHash, randomBytes } from "node:crypto";
import { type Clock, Fault } from "../core/index.ts";
import type { Link, Role } from "./api/me.ts";
import { rightsOf } from "./rights.ts";
import type { User } from "./route.ts";

export const LINK_MS: number = 5 * 60_000;
export const IDLE_MS: number = 60 * 60_000;
export const WHOLE_MS: number = 12 * 60 * 60_000;
/** Of each: more is somebody's mistake or attack. */
const MAX_OPEN = 1000;

export interface LinkFor {
  readonly principal: string;
  readonly roles: readonly Role[];
  readonly language: "en" | "zh-CN";
}

interface Waiting extends LinkFor {
  readonly id: string;
  readonly madeAt: number;
}

export interface SignedIn {
  readonly user: User;
  readonly csrf: string;
  readonly signedInAt: number;
  readonly expiresAt: number;
  readonly madeAt: number;
  seenAt: number;
}

/** Owned by the console. */
export class SignIns {
  readonly #clock: Clock;
  /** By the SHA-256 of their tokens. */
  readonly #links = new Map<string, Waiting>();
  /** By the SHA-256 of their cookies. */
  readonly #sessions = new Map<string, SignedIn>();
  readonly #onEnd = new Map<string, Set<() => void>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The token is told here and never again. Throws `console.too-many`. */
  link(made: LinkFor): { readonly id: string; readonly token: string; readonly expiresAt: number } {
    this.#sweep();
    if (this.#links.size >= MAX_OPEN) throw new Fault("console.too-many", { detail: "links that wait" });
    const token = secret();
    const id = randomBytes(6).toString("hex");
    const madeAt = this.#clock.now();
    this.#links.set(hash(token), { ...made, id, madeAt });
    return { id, token, expiresAt: madeAt + LINK_MS };
  }

  /**
   * Signs in. The link is used up before anything else happens. `record` makes the sign-in durable; it fails closed: nobody is
   * signed in when it throws. Throws `console.link`.
   */
  async redeem(
    token: string,
    record: (user: User) => Promise<unknown>,
  ): Promise<{ readonly cookie: string; readonly session: SignedIn }> {
    this.#sweep();
    const key = hash(token);
    const link = this.#links.get(key);
    this.#links.delete(key);
    if (link === undefined) throw new Fault("console.link");
    if (this.#sessions.size >= MAX_OPEN) throw new Fault("console.too-many", { detail: "people signed in" });
    const { id, principal, roles, language } = link;
    const user: User = { id, principal, roles, rights: rightsOf(roles), language };
    await record(user);
    const now = this.#clock.now();
    const cookie = secret();
    const session: SignedIn = {
      user,
      csrf: secret(),
      signedInAt: now,
      expiresAt: now + WHOLE_MS,
      madeAt: link.madeAt,
      seenAt: now,
    };
    this.#sessions.set(hash(cookie), session);
    return { cookie, session };
  }

  /** Who the cookie is; null when nobody is. Counts as a sign of life. */
  find(cookie: string | undefined): SignedIn | null {
    if (cookie === undefined) return null;
    this.#sweep();
    const session = this.#sessions.get(hash(cookie)) ?? null;
    if (session !== null) session.seenAt = this.#clock.now();
    return session;
  }

  /** Of a link or a signed-in session; whether there was one. */
  end(id: string): boolean {
    for (const [key, link] of this.#links) if (link.id === id) return this.#links.delete(key);
    for (const [key, { user }] of this.#sessions)
      if (user.id === id) {
        this.#sessions.delete(key);
        this.#told(id);
        return true;
      }
    return false;
  }

  endAll(): number {
    const ids = this.list("").map(({ id }) => id);
    for (const id of ids) this.end(id);
    return ids.length;
  }

  /** Calls back once when that session ends; the answer forgets the listener. */
  onEnd(id: string, listener: () => void): () => void {
    const all = this.#onEnd.get(id) ?? new Set();
    this.#onEnd.set(id, all.add(listener));
    return () => {
      all.delete(listener);
    };
  }

  list(own: string): readonly Link[] {
    this.#sweep();
    const waiting = [...this.#links.values()].map(
      ({ id, principal, roles, madeAt }): Link => ({
        ...{ id, principal, roles, state: "waiting", madeAt },
        ...{ expiresAt: madeAt + LINK_MS, seenAt: null, isOwn: false },
      }),
    );
    const signedIn = [...this.#sessions.values()].map(
      ({ user: { id, principal, roles }, madeAt, expiresAt, seenAt }): Link => ({
        ...{ id, principal, roles, state: "signed-in", madeAt, expiresAt, seenAt, isOwn: id === own },
      }),
    );
    return [...waiting, ...signedIn].sort((a, b) => b.madeAt - a.madeAt);
  }

  #sweep(): void {
    const now = this.#clock.now();
    for (const [key, { madeAt }] of this.#links) if (now >= madeAt + LINK_MS) this.#links.delete(key);
    for (const [key, { user, expiresAt, seenAt }] of this.#sessions)
      if (now >= expiresAt || now >= seenAt + IDLE_MS) {
        this.#sessions.delete(key);
        this.#told(user.id);
      }
  }

  #told(id: string): void {
    for (const listener of this.#onEnd.get(id) ?? []) listener();
    this.#onEnd.delete(id);
  }
}

const secret = (): string => randomBytes(32).toString("base64url");
const hash = (text: string): string => createHash("sha256").update(text).digest("hex");
