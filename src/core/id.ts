/** A session's id: 8 hexadecimal digits, unique within one ledger by check at creation. */
export type SessionId = string & { readonly __brand: "SessionId" };
/** An exchange's id: the session's id, a dash, and its number in that session from 1. */
export type ExchangeId = string & { readonly __brand: "ExchangeId" };

/** Randomness is handed in (crypto.randomBytes): this floor has no effects, and a client need not load a crypto library. */
export function newSessionId(random: (bytes: number) => Buffer): SessionId {
  // The brand's only sources are this function and `asSessionId`.
  return random(4).toString("hex") as SessionId;
}

/** The id if `text` has the form of one, else null. */
export function asSessionId(text: string): SessionId | null {
  return /^[0-9a-f]{8}$/.test(text) ? (text as SessionId) : null;
}

export function exchangeId(session: SessionId, number: number): ExchangeId {
  return `${session}-${number}` as ExchangeId;
}
