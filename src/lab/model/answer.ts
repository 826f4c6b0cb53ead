/** What a scripted reply is, before the server puts it on a wire. */
import { createHash, randomBytes } from "node:crypto";

export interface ReplyEvent {
  /** The SSE event name; null for protocols that use none. */
  readonly name: string | null;
  /** JSON, or the text itself (`[DONE]`). */
  readonly data: object | string;
}

export type Answer = { readonly json: object } | { readonly events: readonly ReplyEvent[] };

/** A new id with that prefix. */
export type IdMaker = (prefix: string) => string;

export const randomIds: IdMaker = (prefix) => prefix + randomBytes(12).toString("hex");

/** The n-th id of a prefix is the same in every session: what an agent makes of an id it was given is then to be seen. */
export function steadyIds(): IdMaker {
  const made = new Map<string, number>();
  return (prefix) => {
    const at = (made.get(prefix) ?? 0) + 1;
    made.set(prefix, at);
    return prefix + createHash("sha256").update(`${prefix} ${at}`).digest("hex").slice(0, 24);
  };
}

/** Words with their trailing space, as a model streams them. */
export const words = (text: string): readonly string[] => text.match(/\S+\s*/g) ?? [];

export const pieces = (text: string, size = 20): readonly string[] => {
  const out: string[] = [];
  for (let at = 0; at < text.length; at += size) out.push(text.slice(at, at + size));
  return out;
};
