/** What a request says before its body: where it goes, and its header fields. */
import type { Memory } from "./memory.ts";
import { unescapeUrl } from "./plain.ts";
import type { RequestView, TextPart } from "./request.ts";

/**
 * Host, path and query as one text, percent escapes undone: a name to look up carries content as well as a body does.
 * Then header fields that are not the protocol's own, as an agent can say anything in them. Credentials are left out:
 * they are what the destination is to have, and whether it may have them is the gateway's business.
 */
export function headParts({ seenHeads }: Memory, request: RequestView): readonly TextPart[] {
  if (seenHeads.size > MAX_HEADS) seenHeads.clear();
  const parts = [partOf(seenHeads, `${request.host}${unescapeUrl(request.path)}`)];
  for (const [name, value] of request.headers) {
    if (USUAL.has(name) || USUAL.has(name.toLowerCase()) || FLAGS.test(value)) continue;
    // The value alone: with its name before it, `session-id: 01a1…` looks like the assignment of a credential.
    parts.push(partOf(seenHeads, name.length > LONG_NAME ? `${name} ${value}` : value));
  }
  return parts;
}

function partOf(seen: Set<string>, text: string): TextPart {
  const isNew = !seen.has(text);
  if (isNew) seen.add(text);
  return { pointer: "", role: "metadata", text, isNew };
}

const MAX_HEADS = 5000;
const LONG_NAME = 48;
/** Dated features of a vendor's protocol (`anthropic-beta: thinking-token-count-2026-05-13,…`), which read like a secret. */
const FLAG = "[a-z_]{1,24}(?:-[a-z0-9]{1,14}){0,5}[-=]20\\d\\d-?\\d\\d-?\\d\\d";
const FLAGS = new RegExp(`^${FLAG}(?:, ?${FLAG}){0,40}$`);
const USUAL: ReadonlySet<string> = new Set(
  `:authority :method :path :scheme accept accept-encoding accept-language api-key authorization cache-control
  connection content-encoding content-length content-type cookie date expect host keep-alive origin
  proxy-authorization proxy-connection sec-websocket-extensions sec-websocket-key sec-websocket-version te trailer
  transfer-encoding upgrade via x-amz-content-sha256 x-amz-date x-amz-security-token x-api-key x-goog-api-key`.split(
    /\s+/,
  ),
);
