/**
 * What exchanges of a session said: prompts, tool calls and results, for somebody with a reason. Sealed bytes are opened by
 * sealed.ts alone; values that detectors find are masked by mask.ts.
 */
import { z } from "zod";
import { type EvidenceRef, type ExchangeId, Fault, type LedgerEvent } from "../core/index.ts";
import { createDecoder, type Decoded, type Decoder, type TextPart } from "../dialect/index.ts";
import type { Inspector } from "../inspect/index.ts";
import { termText } from "../ledger/index.ts";
import type { ContentPart, Contents, ExchangeContent, Masked, Unmasked } from "./api/sessions.ts";
import { reason } from "./ask-schemas.ts";
import { lazyInspector, maskPlaces, maskWhole, type Record, unplacedIn } from "./mask.ts";
import { decodedRequest, type Piece, saidInReply } from "./recorded.ts";
import type { Rooms } from "./rooms.ts";
import { type Route, type User, valueRoute } from "./route.ts";
import { type Answered, type Judged, type Opened, openSealed } from "./sealed.ts";
import { type SessionEntry, sessionAsked } from "./sessions.ts";

const MAX_EXCHANGES = 50;
const MAX_ENTRIES = 1_000_000;
const MAX_PART_CHARACTERS = 64 * 1024;
/** In a value's id in place of a hash: a part of the request, by number. */
const PART = "part-";

const ROLES: Readonly<Partial<{ [K in TextPart["role"]]: ContentPart["role"] }>> = {
  system: "instructions",
  user: "person",
  assistant: "agent",
  tool: "tool-result",
  opaque: "other",
};

export const contentsRoutes = (rooms: Rooms): readonly Route[] => {
  const inspector = lazyInspector(rooms.findingKey);
  return [
    valueRoute({
      method: "POST",
      path: "/api/sessions/:id/contents",
      rights: ["read-evidence"],
      body: z.strictObject({ reason, exchanges: z.array(z.string().max(40)).min(1).max(MAX_EXCHANGES) }),
      handle: async ({ params, body, user }) => {
        // A question is told as soon as it is durable, which may be before the index has its entries.
        await rooms.fresh();
        const { id } = sessionAsked(params["id"], rooms.index);
        const wanted = exchangesOf(rooms, id, new Set(body.exchanges), true);
        const refs = wanted.flatMap(({ refs: own }) => own);
        const { opened, recordedAt } = await openSealed(
          refs,
          { session: id, user, reason: body.reason },
          rooms,
        );
        const bytesOf = new Map(opened.map((one) => [one.ref.id, one]));
        const decoder = createDecoder();
        const data: Contents = {
          recordedAt,
          exchanges: wanted.map((one) => contentOfExchange(one, bytesOf, decoder, inspector())),
        };
        return { data, filter: termText("session", "=", [id]) };
      },
    }),
    valueRoute({
      method: "POST",
      path: "/api/sessions/:id/unmask",
      rights: ["read-evidence", "unmask"],
      body: z.strictObject({ reason, id: z.string().max(200) }),
      handle: async ({ params, body, user }) => {
        const { id: session } = sessionAsked(params["id"], rooms.index);
        return { data: await unmasked(body.id, { session, user, reason: body.reason }, rooms, inspector()) };
      },
    }),
  ];
};

export interface WantedExchange {
  readonly judged: Judged;
  readonly answered: Answered | null;
  /** All sealed bytes of the two. */
  readonly refs: readonly EvidenceRef[];
  /** Classes replaced in the session up to here, where this request left with replacements. */
  readonly replaced: ReadonlySet<string>;
}

/**
 * In the ledger's order. `orAsked`: of an exchange that was never judged, as it waits for a person, what would leave. Throws
 * `console.unknown` when one of them is not of the session.
 */
export function exchangesOf(
  rooms: Rooms,
  session: string,
  wanted: ReadonlySet<string>,
  orAsked = false,
): readonly WantedExchange[] {
  const kinds = ["exchange.judged", "exchange.answered", ...(orAsked ? ["approval.asked"] : [])];
  const filter = `${termText("session", "=", [session])} ${termText("kind", "=", kinds)}`;
  const entries = rooms.index.query(filter, MAX_ENTRIES, "oldest");
  const judged = gathered(entries).filter((one) => wanted.has(one.judged.exchange));
  const known = new Set<string>(judged.map((one) => one.judged.exchange));
  const asked = entries.flatMap(({ event }) =>
    event.kind === "approval.asked" && wanted.has(event.question) && !known.has(event.question)
      ? [askedFor(event)]
      : [],
  );
  const found = [...judged, ...asked];
  if (found.length < wanted.size)
    throw new Fault("console.unknown", { detail: "the session has no such exchange" });
  return found;
}

/** A question, as the judgement that there will be if the answer is yes. Method and path stand in its sealed head alone. */
function askedFor(event: Extract<LedgerEvent, { kind: "approval.asked" }>): WantedExchange {
  const { v, at, session, question, host, port, sentTo, destination, model, requestBytes, findings } = event;
  const judged: Judged = {
    ...{ v, at, kind: "exchange.judged", session, host, port, sentTo, destination, model },
    exchange: question as ExchangeId, // a question bears the id of the exchange that asked first
    ...{ requestBytes, findings, rules: event.rules, evidence: event.evidence, verdict: "ask" },
    ...{
      door: "tls",
      protocol: "http/1.1",
      method: "",
      path: "",
      queryBytes: 0,
      dialect: "",
      understood: true,
    },
    sources: { files: [], commands: 0, others: 0 },
  };
  return { judged, answered: null, refs: event.evidence, replaced: new Set() };
}

function gathered(entries: readonly SessionEntry[]): readonly WantedExchange[] {
  const answers = new Map<string, Answered>();
  for (const { event } of entries) if (event.kind === "exchange.answered") answers.set(event.exchange, event);
  const replaced = new Set<string>();
  return entries.flatMap(({ event }) => {
    if (event.kind !== "exchange.judged") return [];
    for (const one of event.redacted ?? []) replaced.add(one.class);
    const answered = answers.get(event.exchange) ?? null;
    const waived = new Set((event.waived ?? []).map((one) => one.class));
    const own = event.verdict === "deny" ? [] : [...replaced].filter((name) => !waived.has(name));
    return {
      judged: event,
      answered,
      refs: [...event.evidence, ...(answered?.evidence ?? [])],
      replaced: new Set(own),
    };
  });
}

function contentOfExchange(
  { judged, answered, replaced }: WantedExchange,
  opened: ReadonlyMap<string, Opened>,
  decoder: Decoder,
  inspector: Inspector,
): ExchangeContent {
  const missing: { role: string; why: string }[] = [];
  const take = (event: Judged | Answered | null, ...roles: readonly EvidenceRef["role"][]): Piece | null => {
    const ref = event?.evidence.find((one) => roles.includes(one.role));
    const found = ref === undefined ? undefined : opened.get(ref.id);
    if (ref === undefined || found === undefined) return null;
    const { id, role } = ref;
    if (found.bytes === null) missing.push({ role, why: found.why ?? "unreadable" });
    return found.bytes === null ? null : { id, role, bytes: found.bytes };
  };
  const request = take(judged, "request-body", "frames");
  const requestHead = take(judged, "request-head");
  const reply = take(answered, "response-body", "frames");
  const replyHead = take(answered, "response-head");
  const parts =
    request === null ? null : decodedRequest(judged, request, requestHead?.bytes ?? null, decoder);
  if (request !== null && parts === null) missing.push(unreadable(request));
  const record = (evidence: string): Record => ({ evidence, replaced });
  let shown: readonly ContentPart[] = [];
  let repeated = 0;
  if (request !== null && parts !== null) {
    const told = maskedParts(parts, judged, record(request.id), inspector);
    if (told.isWhole) missing.push({ role: request.role, why: "cannot-mask" });
    shown = joined(
      told.parts.flatMap((part, i) => {
        const own = parts.parts[i];
        return part === null || own?.isNew !== true ? [] : [{ part, block: blockOf(own.pointer) }];
      }),
    );
    repeated = parts.parts.filter((part) => !part.isNew && ROLES[part.role] !== undefined).length;
  }
  const response =
    reply === null ? [] : repliedParts(reply, replyHead?.bytes ?? null, record(reply.id), inspector, missing);
  return { exchange: judged.exchange, dialect: judged.dialect, request: shown, repeated, response, missing };
}

/** Compressed frames need those before them. */
const unreadable = ({ role }: Piece): { readonly role: string; readonly why: string } => ({
  role,
  why: role === "frames" ? "frames" : "unreadable",
});

/**
 * One for each part; null for those that say nothing to people. Where the record tells of a class that this look does not find,
 * each part stands masked as a whole.
 */
function maskedParts(
  { parts }: Decoded,
  judged: Judged,
  record: Record,
  inspector: Inspector,
): { readonly isWhole: boolean; readonly parts: readonly (ContentPart | null)[] } {
  // All of them, the old ones too: what an earlier exchange sent is still in this one.
  const { findings } = inspector.inspect(parts.map((part) => ({ ...part, isNew: true })));
  const unplaced = unplacedIn(judged, findings, record.replaced);
  if (unplaced !== undefined)
    return {
      isWhole: true,
      parts: parts.map((part, i) =>
        part.text === "" ? null : partOf(part, maskWhole(`${record.evidence}:${PART}${i}`, unplaced)),
      ),
    };
  const byPart = new Map<number, (typeof findings)[number][]>();
  for (const finding of findings) byPart.set(finding.part, [...(byPart.get(finding.part) ?? []), finding]);
  return {
    isWhole: false,
    parts: parts.map((part, i) => partOf(part, maskPlaces(part.text, byPart.get(i) ?? [], record))),
  };
}

/** Where the block begins that a text stands in: a tool call is several texts, which belong together. */
const blockOf = (pointer: string): string =>
  pointer
    .split("/")
    .slice(0, pointer.startsWith("/input") ? 3 : 5)
    .join("/");

/** Ids by which protocols join a call to its result. */
const CALL_ID = /^(?:toolu_|call_|fc_|tooluse_|chatcmpl-)[\w-]{4,}$/;

/** Texts of one block as one part. What the agent says it was told to call: its tool's name first, then what it is called with. */
function joined(
  parts: readonly { readonly part: ContentPart; readonly block: string }[],
): readonly ContentPart[] {
  const out: ContentPart[] = [];
  let last = "";
  for (const { part, block } of parts) {
    if (CALL_ID.test(part.text)) continue;
    const before = out.at(-1);
    const isOne =
      before !== undefined && block === last && (part.role === "agent" || part.role === "tool-result");
    last = block;
    if (!isOne) out.push(part);
    else if (part.role === "agent" && before.tool === null)
      out[out.length - 1] = { ...part, role: "tool-call", tool: before.text };
    else out[out.length - 1] = appended(before, part);
  }
  return out;
}

function appended(before: ContentPart, part: ContentPart): ContentPart {
  const text = `${before.text}\n`;
  const moved = part.masked.map((one) => ({
    ...one,
    start: one.start + text.length,
    end: one.end + text.length,
  }));
  return cut({ ...before, text: text + part.text, masked: [...before.masked, ...moved] });
}

function partOf(
  part: Pick<TextPart, "role">,
  { text, masked }: { readonly text: string; readonly masked: readonly Masked[] },
): ContentPart | null {
  const role = ROLES[part.role];
  return role === undefined ? null : cut({ role, tool: null, text, masked });
}

function cut(part: Omit<ContentPart, "cutBytes">): ContentPart {
  const { text, masked } = part;
  if (text.length <= MAX_PART_CHARACTERS) return { ...part, cutBytes: 0 };
  // Not within a pair of surrogates.
  const end = /[\ud800-\udbff]/.test(text[MAX_PART_CHARACTERS - 1] ?? "")
    ? MAX_PART_CHARACTERS - 1
    : MAX_PART_CHARACTERS;
  return {
    ...part,
    text: text.slice(0, end),
    masked: masked.filter((one) => one.end <= end),
    cutBytes: Buffer.byteLength(text.slice(end)),
  };
}

function repliedParts(
  reply: Piece,
  head: Buffer | null,
  record: Record,
  inspector: Inspector,
  missing: { role: string; why: string }[],
): readonly ContentPart[] {
  const said = saidInReply(reply, head);
  if (said === null) {
    missing.push(unreadable(reply));
    return [];
  }
  const { findings } = inspector.inspect(
    said.map((one) => ({ text: one.text, isNew: true, role: "assistant" })),
  );
  return said.map(({ role, tool, text: one }, i) =>
    cut({
      role,
      tool,
      ...maskPlaces(
        one,
        findings.filter(({ part }) => part === i),
        record,
      ),
    }),
  );
}

/** Throws `console.unknown` when the session's evidence has no such value. */
async function unmasked(
  id: string,
  look: { readonly session: SessionEntryId; readonly user: User; readonly reason: string },
  rooms: Rooms,
  inspector: Inspector,
): Promise<Unmasked> {
  const [evidence = "", hash = ""] = splitId(id);
  const filter = `${termText("session", "=", [look.session])} ${termText("kind", "=", ["exchange.judged", "exchange.answered"])}`;
  const all = gathered(rooms.index.query(filter, MAX_ENTRIES, "oldest"));
  const one = all.find(({ refs }) => refs.some((ref) => ref.id === evidence));
  const ref = one?.refs.find((found) => found.id === evidence);
  if (one === undefined || ref === undefined || hash === "")
    throw new Fault("console.unknown", { detail: "no such value" });
  const isRequest = one.judged.evidence.some((found) => found.id === evidence);
  const headRef = (isRequest ? one.judged.evidence : (one.answered?.evidence ?? [])).find(({ role }) =>
    role.endsWith("-head"),
  );
  const head = headRef === undefined || headRef.id === evidence ? null : await bytesOrNull(headRef.id, rooms);
  const bytes = (await rooms.openEvidence(evidence)).bytes;
  const texts = textsIn(one.judged, { id: ref.id, role: ref.role, bytes }, head, isRequest);
  const { findings } = inspector.inspect(texts.map((part) => ({ ...part, isNew: true })));
  const finding = hash.startsWith(PART)
    ? wholePart(Number(hash.slice(PART.length)), texts, unplacedIn(one.judged, findings, one.replaced))
    : findings.find((found) => found.hash === hash);
  if (finding === undefined) throw new Fault("console.unknown", { detail: "no such value" });
  // The value has been found in memory; it is shown to nobody before this is durable.
  const recordedAt = await rooms.station.record({
    ...{ kind: "evidence.unmasked", session: look.session, evidenceId: evidence },
    ...{
      class: finding.class,
      detector: finding.detector,
      principal: look.user.principal,
      reason: look.reason,
    },
  });
  return { id, text: texts[finding.part]?.text.slice(finding.start, finding.end) ?? "", recordedAt };
}

/** A part whose values have no known places, as one value. Undefined: there is no such part, or nothing is masked so. */
function wholePart(
  part: number,
  texts: readonly { readonly text: string }[],
  unplaced: { readonly class: string; readonly detector: string } | undefined,
):
  | {
      readonly class: string;
      readonly detector: string;
      readonly part: number;
      readonly start: number;
      readonly end: number;
    }
  | undefined {
  const text = texts[part]?.text;
  return text === undefined || unplaced === undefined
    ? undefined
    : { class: unplaced.class, detector: unplaced.detector, part, start: 0, end: text.length };
}

type SessionEntryId = Extract<LedgerEvent, { kind: "evidence.viewed" }>["session"];

const splitId = (id: string): readonly string[] => {
  const at = id.lastIndexOf(":");
  return at < 0 ? [] : [id.slice(0, at), id.slice(at + 1)];
};

const bytesOrNull = (id: string, rooms: Rooms): Promise<Buffer | null> =>
  rooms.openEvidence(id).then(
    ({ bytes }) => bytes,
    () => null, // a body can be read without its head, unless it is coded
  );

function textsIn(
  judged: Judged,
  piece: Piece,
  head: Buffer | null,
  isRequest: boolean,
): readonly { readonly text: string; readonly role: string }[] {
  if (isRequest) return decodedRequest(judged, piece, head, createDecoder())?.parts ?? [];
  return (saidInReply(piece, head) ?? []).map((one) => ({ text: one.text, role: "assistant" }));
}
