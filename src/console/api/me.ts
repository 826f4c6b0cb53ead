/**
 * Signing in and who one is.
 *
 *   POST /api/sign-in   SignIn → Me      with a one-time link's token; sets the cookie. No csrf header yet.
 *   GET  /api/me        → Me             401 `console.signed-out` when nobody is signed in
 *   POST /api/sign-out  → {}
 *   GET  /api/links     → Rows<Link>     right `administer`
 *   POST /api/links/revoke  { id } → {}  right `administer`: a link, or a person who is signed in
 *
 * Everything that is not GET carries `x-sallyport-csrf: <Me.csrf>` and `content-type: application/json`.
 */
export type Role =
  | "viewer"
  | "approver"
  | "policy-author"
  | "evidence-reader"
  | "unmasker"
  | "auditor"
  | "admin";

/**
 * What a route may need. `look`: aggregates, sessions, entries without what tells of evidence; `approve`: answer questions;
 * `write-policy`; `read-evidence`: exact bytes with values masked, for a reason; `unmask`: one value, for a reason; `audit`:
 * exports, tiles, and who looked at what; `register`: approve and revoke builds, destinations; `administer`: links.
 */
export type Right =
  | "look"
  | "approve"
  | "write-policy"
  | "read-evidence"
  | "unmask"
  | "audit"
  | "register"
  | "administer";

export interface SignIn {
  readonly token: string;
}

export interface Me {
  /** A pseudonym: `local:<uid>`, with `/<name>` where the link was made for somebody. */
  readonly principal: string;
  readonly roles: readonly Role[];
  readonly rights: readonly Right[];
  readonly csrf: string;
  /** Sallyport's own. */
  readonly version: string;
  /** By the environment that the link was made in. */
  readonly language: "en" | "zh-CN";
  /** Unix ms. */
  readonly signedInAt: number;
  /** Unix ms: over by then, whatever is done. */
  readonly expiresAt: number;
  /** Over after so long without a request. */
  readonly idleMs: number;
  /** The server's clock, Unix ms. */
  readonly now: number;
  /** Whether this is the seeded demonstration. */
  readonly isDemo: boolean;
}

export interface Link {
  /** Not the token: that is told once. */
  readonly id: string;
  readonly principal: string;
  readonly roles: readonly Role[];
  readonly state: "waiting" | "signed-in";
  readonly madeAt: number;
  readonly expiresAt: number;
  /** Last request; null while it waits. */
  readonly seenAt: number | null;
  /** Whether it is the one that asks. */
  readonly isOwn: boolean;
}
