/** What a request says before its body: where it goes, and its header fields. */
import type { Memory } from "./memory.ts";
import { unescapeUrl } from "./plain.ts";
import type { RequestView, Role, TextPart } from "./request.ts";

/**
 * Host, path and query as one text, percent escapes undone: a name to look up carries content as well as a body does.
 * Then the same as it is on the wire (`target`), for what its shape gives away. Then the header fields: an agent can say
 * anything in any of them, save those whose value has the one form that the protocol gives it. Fields that credentials
 * belong in are told apart (`credential`): what is in them may be there by right.
 */
export function headParts({ seenHeads }: Memory, request: RequestView): readonly TextPart[] {
  if (seenHeads.size > MAX_HEADS) seenHeads.clear();
  const parts: TextPart[] = [];
  const tell = (role: Role, text: string): void => {
    const key = headKey({ role, text });
    const isNew = !seenHeads.has(key);
    if (isNew) seenHeads.add(key);
    parts.push({ pointer: "", role, text, isNew });
  };
  tell("metadata", `${request.host}${unescapeUrl(request.path)}`);
  tell("target", `${spelledHost(request)} ${request.path}`);
  const isNewTarget = parts.at(-1)?.isNew ?? true;
  const own: string[] = [];
  for (const [name, value] of request.headers) {
    const lower = name.toLowerCase();
    if (name.length > LONG_NAME || (name.length > SHORT_NAME && ODD_NAME.test(name))) tell("metadata", name);
    if (CREDENTIAL_FIELDS.has(lower)) tell("credential", value);
    // The value alone: with its name before it, `session-id: 01a1…` looks like the assignment of a credential.
    else if (!FLAGS.test(value) && FORMS[lower]?.test(value) !== true) {
      tell("metadata", value);
      if (parts.at(-1)?.isNew === true) own.push(value);
    }
  }
  return [...parts, ...(isNewTarget ? inPieces(piecesOfPath(request.path)) : []), ...inPieces(own)];
}

/** A key may be cut over the fields of a query, the segments of a path, or several header fields. */
function inPieces(pieces: readonly string[]): TextPart[] {
  const long = pieces
    .filter(({ length }) => length >= SHORTEST_PIECE && length <= LONGEST_PIECE)
    .slice(0, MOST_PIECES);
  const part = (text: string): TextPart => ({ pointer: "", role: "fragment", text, isNew: true });
  return long.flatMap((piece, i) =>
    [1, 2, 3]
      .filter((count) => count <= i)
      .flatMap((count) => [part(long.slice(i - count, i).join("")), part(piece)]),
  );
}

export const piecesOfPath = (path: string): readonly string[] =>
  unescapeUrl(path)
    .split(/[/?&;]/)
    .map((piece) => piece.slice(piece.indexOf("=") + 1))
    .slice(-20);

const SHORTEST_PIECE = 4;
const LONGEST_PIECE = 128;
const MOST_PIECES = 8;

/** What a part of a head is remembered by. */
export const headKey = ({ role, text }: Pick<TextPart, "role" | "text">): string => `${role} ${text}`;

/** The host as the agent wrote it: what is encoded in a name may be told by its capitals. */
function spelledHost({ host, headers }: RequestView): string {
  const written = headers.find(([name]) => name.toLowerCase() === "host")?.[1].replace(/:\d+$/, "");
  return written?.toLowerCase() === host ? written : host;
}

const MAX_HEADS = 5000;
/** Longer names are read, too. */
const LONG_NAME = 24;
/** … and shorter ones with more than a word's capitals or a digit among letters. */
const SHORT_NAME = 15;
const ODD_NAME = /[A-Z]{6}|[A-Za-z]\d[A-Za-z]/;
/** Dated features of a vendor's protocol (`anthropic-beta: thinking-token-count-2026-05-13,…`), which read like a secret. */
const FLAG = "[a-z_]{1,24}(?:-[a-z0-9]{1,14}){0,5}[-=]20\\d\\d-?\\d\\d-?\\d\\d";
const FLAGS = new RegExp(`^${FLAG}(?:, ?${FLAG}){0,40}$`);

/** Sec-WebSocket-Protocol: OpenAI's Realtime takes a key in it, as browsers can set no other field. */
const CREDENTIAL_FIELDS: ReadonlySet<string> = new Set(
  `api-key authorization cookie job-token private-token proxy-authorization sec-websocket-protocol
  x-amz-security-token x-api-key x-auth-token x-goog-api-key`.split(/\s+/),
);

const TOKENS = /^[a-z]{2,12}(?:-[a-z]{2,12})?(?:, ?[a-z]{2,12}(?:-[a-z]{2,12})?){0,4}$/i;
const MEDIA_TYPE =
  '(?:[a-z]{4,12}|\\*)\\/(?:[a-z.+-]{1,40}|\\*)(?:; ?(?:charset="?[a-zA-Z0-9-]{1,12}"?|q=[\\d.]{1,5}))?';
const MEDIA_TYPES = new RegExp(`^${MEDIA_TYPE}(?:, ?${MEDIA_TYPE}){0,8}$`);
/** The forms of the protocol's own fields; the gateway itself holds Host and lengths to what is sent. */
const FORMS: Readonly<Record<string, RegExp>> = {
  ":authority": /^/,
  ":method": /^/,
  ":path": /^/,
  ":scheme": /^/,
  host: /^/,
  accept: MEDIA_TYPES,
  "accept-encoding": /^[a-z*]{1,8}(?:;q=[\d.]{1,5})?(?:, ?[a-z*]{1,8}(?:;q=[\d.]{1,5})?){0,7}$/i,
  "cache-control": TOKENS,
  connection: TOKENS,
  "content-encoding": TOKENS,
  "content-length": /^\d{1,15}$/,
  "content-type": MEDIA_TYPES,
  date: /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/,
  expect: TOKENS,
  "sec-websocket-key": /^[A-Za-z0-9+/]{22}==$/,
  "sec-websocket-version": /^\d{1,3}$/,
  te: TOKENS,
  "transfer-encoding": TOKENS,
  upgrade: TOKENS,
  "x-amz-content-sha256":
    /^(?:[0-9a-f]{64}|(?:STREAMING-)?UNSIGNED-PAYLOAD(?:-TRAILER)?|STREAMING-AWS4-[A-Z0-9-]{8,60})$/,
  "x-amz-date": /^\d{8}T\d{6}Z$/,
};
