/** What a scripted reply is, before the server puts it on a wire. */
import { randomBytes } from "node:crypto";

export interface ReplyEvent {
  /** The SSE event name; null for protocols that use none. */
  readonly name: string | null;
  /** JSON, or the text itself (`[DONE]`). */
  readonly data: object | string;
}

export type Answer = { readonly json: object } | { readonly events: readonly ReplyEvent[] };

export const newId = (prefix: string): string => prefix + randomBytes(12).toString("hex");

/** Words with their trailing space, as a model streams them. */
export const words = (text: string): readonly string[] => text.match(/\S+\s*/g) ?? [];

export const pieces = (text: string, size = 20): readonly string[] => {
  const out: string[] = [];
  for (let at = 0; at < text.length; at += size) out.push(text.slice(at, at + size));
  return out;
};
