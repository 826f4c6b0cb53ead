/** Recorded pieces of an exchange as what they say: the request's texts, and what the reply said. Null: not readable here. */
import type { EvidenceRef } from "../core/index.ts";
import type { Decoded, Decoder } from "../dialect/index.ts";
import { messagesIn } from "./frames.ts";
import { type Said, saidIn, saidInMessages } from "./reply-text.ts";
import { contentOf, type Head, headOf, type Judged } from "./sealed.ts";

export interface Piece {
  readonly id: string;
  readonly role: EvidenceRef["role"];
  readonly bytes: Buffer;
}

/** The content of what an agent sent: a body under its codings, or a WebSocket's message. */
export function sentContent({ role, bytes }: Piece, head: Head | null): Buffer | null {
  if (role !== "frames") return contentOf(bytes, head);
  const messages = messagesIn(bytes, "agent");
  return messages === null || messages.length === 0 ? null : Buffer.concat(messages);
}

export function decodedRequest(
  judged: Judged,
  piece: Piece,
  head: Buffer | null,
  decoder: Decoder,
): Decoded | null {
  const parsed: Head | null = head === null ? null : headOf(head);
  const body = sentContent(piece, parsed);
  if (body === null) return null;
  if (piece.role === "frames") return decoder.decodeMessage(body);
  const { host } = judged;
  const [method, path] = judged.method === "" ? requestLineOf(parsed) : [judged.method, judged.path];
  return decoder.decode({ method, host, path, headers: parsed?.headers ?? [], body });
}

/** Of a head as it was on the wire. */
function requestLineOf(head: Head | null): readonly [method: string, path: string] {
  const [, method = "POST", target = "/"] = /^(\S+) (\S+)/.exec(head?.lines[0] ?? "") ?? [];
  return [method, URL.parse(target, "https://host.invalid")?.pathname ?? "/"];
}

export function saidInReply({ role, bytes }: Piece, head: Buffer | null): readonly Said[] | null {
  if (role === "frames") {
    const messages = messagesIn(bytes, "server");
    return messages === null ? null : saidInMessages(messages.map((one) => one.toString("utf8")));
  }
  const body = contentOf(bytes, head === null ? null : headOf(head));
  if (body === null) return null;
  const text = body.toString("utf8");
  return saidIn(text) ?? [{ role: "agent", tool: null, text }];
}
