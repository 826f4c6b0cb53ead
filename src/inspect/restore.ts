/**
 * Placeholders back to values in a reply, while it streams. Text and tool input come in pieces cut anywhere, so the end
 * of a piece that may begin a placeholder is held back until the next piece, or until its block ends.
 *
 * Restoring is a capability: text to the person is restored; the input of a tool that writes one file is, for values that
 * came from that very file. Everything else keeps its placeholders (another file, a command, the web), or an injected
 * instruction could have a value sent anywhere. What a call writes is known when its input is whole: from the first
 * placeholder on, the input is held back until then. Thinking and signed blocks are never touched.
 *
 * Formats: Anthropic Messages, OpenAI chat and Responses, Gemini, Bedrock Converse (vendors' streaming references,
 * 2026-11). What is none of them passes as it came. Failure contract: never throws on bytes; an event that is not
 * understood passes unchanged.
 */
import { applyEdits, decodeString, encodeInside, type JsonString, walkStrings } from "./json-strings.ts";
import { isPlain, mayWrite, sinkOf } from "./sink.ts";

/** A placeholder that the vault knows. */
export interface Known {
  readonly placeholder: string;
  readonly value: string;
  /** Files that the value was read from. */
  readonly sources: ReadonlySet<string>;
}

/** What restoring needs of a vault. */
export interface Placeholders {
  readonly size: number;
  /** Those that `allows` does not allow stay. */
  restore(text: string, escaped: boolean, allows: (known: Known) => boolean): string;
  pending(text: string, escaped: boolean): number;
  /** Where the first placeholder begins; -1: nowhere. */
  first(text: string, escaped: boolean): number;
}

export interface RestorerOptions {
  /** Whether the placeholder was sent to where the reply comes from; default: all were. */
  readonly wasSent?: (placeholder: string) => boolean;
  /** Whether values may go into the files they came from, beside text to the person; default: they may. */
  readonly intoFiles?: boolean;
  /** A path as sources are named; default: as it is. */
  readonly pathOf?: (path: string) => string;
}

/** An event to send: its data, and what went round the event that it is made of. */
export interface Said {
  readonly data: Uint8Array;
  readonly envelope: Buffer | null;
}

export interface EventRestorer {
  /** An event's data (or a WebSocket message) as the events to send in its place; the last one stands for it. */
  event(data: Buffer, envelope?: Buffer | null): readonly Said[];
  /** A whole reply that did not stream. */
  whole(body: Buffer): Uint8Array;
  /** Events for what was still held back. */
  end(): readonly Said[];
}

interface Channel {
  /** Not sent on yet: the end of the last piece, or all since the first placeholder. */
  held: string;
  /** All of a tool's input, for what it writes; null: text. */
  input: string | null;
  /** The last event of the channel and where the piece stands in it: what a held-back rest is sent in. */
  template: Said;
  pointer: string;
  readonly place: Place;
}

/** Where a piece belongs, read off its event. Null: not a place to restore. */
interface Place {
  /** Pieces of one channel continue each other; "" for a text that is complete in its event. */
  readonly channel: string;
  /** The text is itself JSON source. */
  readonly escaped: boolean;
  /** Null: text to the person. */
  readonly tool: string | null;
  /** A complete input, where the text is only part of it. */
  readonly input?: unknown;
}

/** A tool's input longer than this keeps its placeholders. */
const MAX_INPUT_CHARACTERS = 8 * 1024 * 1024;

type Parsed = Readonly<Record<string, unknown>>;
const record = (value: unknown): Parsed =>
  typeof value === "object" && value !== null ? (value as Parsed) : {};
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const text = (value: unknown): string | null => (typeof value === "string" ? value : null);

function parsed(source: string): unknown {
  try {
    return JSON.parse(source);
  } catch {
    return null; // no JSON: there is nothing to know about it
  }
}

export function createEventRestorer(vault: Placeholders, options: RestorerOptions = {}): EventRestorer {
  const { wasSent = () => true, intoFiles = true, pathOf = (path) => path } = options;
  const channels = new Map<string, Channel>();
  const tools = new Map<string, string>();

  /** Which values may come back in a text of the place; `input`: the whole of a tool's. */
  const allowed = ({ tool, escaped }: Place, input: unknown): ((known: Known) => boolean) => {
    if (tool === null) return ({ placeholder }) => wasSent(placeholder);
    const sink = sinkOf(tool, escaped && typeof input === "string" ? parsed(input) : input);
    if (sink === null) return () => false;
    const path = pathOf(sink.path);
    return ({ placeholder, value, sources }) =>
      wasSent(placeholder) && sources.has(path) && (!sink.isPatch || isPlain(value));
  };

  const flush = (prefix: string): Said[] => {
    const out: Said[] = [];
    for (const [name, channel] of channels) {
      if (!name.startsWith(prefix)) continue;
      channels.delete(name);
      const { held, input, template, pointer, place } = channel;
      if (held === "") continue;
      const rest = vault.restore(held, place.escaped, allowed(place, input));
      out.push({ ...template, data: only(Buffer.from(template.data), pointer, rest) });
    }
    return out;
  };

  /** What of a piece may go on now. */
  const advance = (piece: string, place: Place, template: Said, pointer: string, isLast: boolean): string => {
    const earlier = channels.get(place.channel);
    const joined = (earlier?.held ?? "") + piece;
    const input = place.tool === null ? null : (earlier?.input ?? "") + piece;
    if (isLast) {
      channels.delete(place.channel);
      return vault.restore(joined, place.escaped, allowed(place, input));
    }
    const isOver = (input?.length ?? 0) > MAX_INPUT_CHARACTERS;
    const first = place.tool === null || isOver ? -1 : vault.first(joined, place.escaped);
    const kept = isOver ? 0 : first >= 0 ? joined.length - first : vault.pending(joined, place.escaped);
    const ready = joined.slice(0, joined.length - kept);
    channels.set(place.channel, {
      held: joined.slice(joined.length - kept),
      input,
      template,
      pointer,
      place,
    });
    return place.tool === null ? vault.restore(ready, place.escaped, allowed(place, null)) : ready;
  };

  const rewrite = (data: Buffer, event: Parsed, envelope: Buffer | null, ended: string | null): Buffer => {
    const changes = new Map<string, string>();
    walkStrings(data, (string) => {
      const place = string.isKey ? null : placeOf(event, string.pointer, tools);
      if (place === null || (place.tool !== null && !(intoFiles && mayWrite(place.tool)))) return;
      const piece = decodeString(data, string.start, string.end);
      const isLast = ended !== null && place.channel.startsWith(ended);
      const said =
        place.channel === ""
          ? vault.restore(piece, place.escaped, allowed(place, place.input ?? piece))
          : advance(piece, place, { data, envelope }, string.pointer, isLast);
      if (said !== piece) changes.set(string.pointer, said);
    });
    return changes.size === 0 ? data : withStrings(data, changes);
  };

  const rewritten = (...parts: Parameters<typeof rewrite>): Buffer => {
    try {
      return rewrite(...parts);
    } catch {
      return parts[0]; // nested deeper than our reader goes: it stays as it came
    }
  };

  return {
    event(data, envelope = null) {
      if (vault.size === 0) return [{ data, envelope }];
      const value = parsed(data.toString("utf8"));
      // `[DONE]`, or no JSON: there is nothing to restore in it.
      if (value === null) return [...flush(""), { data, envelope }];
      const event = record(value);
      noteTools(event, tools);
      const ended = endedBy(event);
      // What ends in this event has its last piece here, or none; what is held back of others ends before it.
      const own = rewritten(data, event, envelope, ended);
      return [...(ended === null ? [] : flush(ended)), { data: own, envelope }];
    },
    whole(body) {
      const value = vault.size === 0 ? null : parsed(body.toString("utf8"));
      return value === null ? body : rewritten(body, record(value), null, "");
    },
    end: () => flush(""),
  };
}

/** Remembers which tool an input channel feeds, from the event that opens it. */
function noteTools(event: Parsed, tools: Map<string, string>): void {
  const block = record(event["content_block"]);
  const name = text(block["name"]);
  if (event["type"] === "content_block_start" && name !== null) tools.set(`a${String(event["index"])}`, name);
  const begun = text(record(record(event["start"])["toolUse"])["name"]);
  if (begun !== null) tools.set(`b${String(event["contentBlockIndex"])}`, begun);
  const item = record(event["item"]);
  const itemName = text(item["name"]);
  if (itemName !== null) tools.set(`r${String(event["output_index"])}`, itemName);
  for (const choice of list(event["choices"]).map(record))
    for (const call of list(record(choice["delta"])["tool_calls"]).map(record)) {
      const called = text(record(call["function"])["name"]);
      if (called !== null && called !== "")
        tools.set(`c${String(choice["index"])}:t${String(call["index"])}`, called);
    }
}

/** Beginning of the names of the channels that end with this event. Null: none does. */
function endedBy(event: Parsed): string | null {
  const type = text(event["type"]) ?? "";
  if (type === "content_block_stop") return `a${String(event["index"])}:`;
  if (type === "message_stop" || type === "message_delta") return "";
  if (/\.done$/.test(type) && event["output_index"] !== undefined)
    return `r${String(event["output_index"])}:`;
  if (/^response\.(?:completed|failed|incomplete)$/.test(type)) return "";
  if (
    event["contentBlockIndex"] !== undefined &&
    event["delta"] === undefined &&
    event["start"] === undefined
  )
    return `b${String(event["contentBlockIndex"])}:`;
  if (event["stopReason"] !== undefined) return "";
  const finished = list(event["candidates"])
    .map(record)
    .some((candidate) => candidate["finishReason"] !== undefined);
  if (finished) return "g";
  const ended = list(event["choices"])
    .map(record)
    .find((choice) => text(choice["finish_reason"]) !== null);
  return ended === undefined ? null : `c${String(ended["index"])}:`;
}

const complete = (tool: string | null, escaped = false, input?: unknown): Place => ({
  channel: "",
  escaped,
  tool,
  ...(input === undefined ? {} : { input }),
});

/** By the protocol whose event it is. */
function placeOf(event: Parsed, pointer: string, tools: ReadonlyMap<string, string>): Place | null {
  const at = pointer.split("/").slice(1);
  const type = text(event["type"]) ?? "";
  if (type.startsWith("response.")) return placeInResponses(event, type, at, tools);
  if (event["contentBlockIndex"] !== undefined) return placeInConverse(event, at, tools);
  switch (at[0]) {
    case "delta":
    case "content_block":
    case "content":
      return placeInMessages(event, type, at, tools);
    case "choices":
      return placeInChat(event, at, tools);
    case "candidates":
      return placeInGemini(record(list(event["candidates"])[Number(at[1])]), at);
    case "response":
      // Gemini Code Assist puts the usual reply in a wrapper.
      return at[1] === "candidates"
        ? placeInGemini(record(list(record(event["response"])["candidates"])[Number(at[2])]), at.slice(1))
        : null;
    case "output":
      if (at[1] === "message")
        return placeInConverseReply(record(record(event["output"])["message"]), at.slice(2));
      return placeInItem(record(list(event["output"])[Number(at[1])]), at.slice(2));
    default:
      return null;
  }
}

type Pointer = readonly string[];
type Tools = ReadonlyMap<string, string>;

function placeInMessages(event: Parsed, type: string, at: Pointer, tools: Tools): Place | null {
  const [first, second, third] = at;
  if (first === "delta" && at.length === 2 && type === "content_block_delta") {
    const name = `a${String(event["index"])}`;
    if (second === "text") return { channel: `${name}:text`, escaped: false, tool: null };
    if (second === "partial_json")
      return { channel: `${name}:json`, escaped: true, tool: tools.get(name) ?? "" };
    return null;
  }
  if (first === "content_block" && second === "text" && at.length === 2) return complete(null);
  if (first !== "content") return null;
  if (third === "text" && at.length === 3) return complete(null);
  const block = record(list(event["content"])[Number(second)]);
  return third === "input" ? complete(text(block["name"]) ?? "", false, block["input"]) : null;
}

function placeInResponses(event: Parsed, type: string, at: Pointer, tools: Tools): Place | null {
  const [first, second, third] = at;
  const name = `r${String(event["output_index"])}`;
  const own = tools.get(name) ?? "";
  if (first === "delta" && at.length === 1) {
    if (type === "response.output_text.delta")
      return { channel: `${name}:${String(event["content_index"])}`, escaped: false, tool: null };
    if (type === "response.function_call_arguments.delta")
      return { channel: `${name}:args`, escaped: true, tool: own };
    if (type === "response.custom_tool_call_input.delta")
      return { channel: `${name}:input`, escaped: false, tool: own };
    return null;
  }
  if (at.length === 1 && first === "text") return complete(null);
  if (at.length === 1 && first === "arguments") return complete(own, true);
  if (at.length === 1 && first === "input") return complete(own);
  if (first === "part" && second === "text") return complete(null);
  if (first === "item") return placeInItem(record(event["item"]), at.slice(1));
  if (first === "response" && second === "output")
    return placeInItem(record(list(record(event["response"])["output"])[Number(third)]), at.slice(3));
  return null;
}

function placeInItem(item: Parsed, at: Pointer): Place | null {
  if (at[0] === "content" && at[2] === "text") return complete(null);
  if (at[0] === "arguments" && at.length === 1) return complete(text(item["name"]) ?? "", true);
  if (at[0] === "input" && at.length === 1) return complete(text(item["name"]) ?? "");
  return null;
}

function placeInChat(event: Parsed, at: Pointer, tools: Tools): Place | null {
  const [, second, third, fourth, fifth] = at;
  const choice = record(list(event["choices"])[Number(second)]);
  const name = `c${String(choice["index"])}`;
  if (third === "delta" && fourth === "content" && at.length === 4)
    return { channel: `${name}:text`, escaped: false, tool: null };
  if (third === "message" && fourth === "content" && at.length === 4) return complete(null);
  if (fourth !== "tool_calls" || at.at(-1) !== "arguments" || fifth === undefined) return null;
  const call = record(list(record(choice[third ?? ""])["tool_calls"])[Number(fifth)]);
  if (third === "message") return complete(text(record(call["function"])["name"]) ?? "", true);
  const callName = `${name}:t${String(call["index"])}`;
  return { channel: callName, escaped: true, tool: tools.get(callName) ?? "" };
}

function placeInGemini(candidate: Parsed, at: Pointer): Place | null {
  if (at[2] !== "content" || at[3] !== "parts") return null;
  const part = record(list(record(candidate["content"])["parts"])[Number(at[4])]);
  if (at[5] === "text" && at.length === 6 && part["thought"] !== true)
    return { channel: `g${String(at[1])}`, escaped: false, tool: null };
  const call = record(part["functionCall"]);
  return at[5] === "functionCall" && at[6] === "args"
    ? complete(text(call["name"]) ?? "", false, call["args"])
    : null;
}

function placeInConverse(event: Parsed, at: Pointer, tools: Tools): Place | null {
  const name = `b${String(event["contentBlockIndex"])}`;
  if (at[0] !== "delta") return null;
  if (at[1] === "text" && at.length === 2) return { channel: `${name}:text`, escaped: false, tool: null };
  return at[1] === "toolUse" && at[2] === "input" && at.length === 3
    ? { channel: `${name}:json`, escaped: true, tool: tools.get(name) ?? "" }
    : null;
}

function placeInConverseReply(message: Parsed, at: Pointer): Place | null {
  if (at[0] !== "content") return null;
  if (at[2] === "text" && at.length === 3) return complete(null);
  const call = record(record(list(message["content"])[Number(at[1])])["toolUse"]);
  return at[2] === "toolUse" && at[3] === "input"
    ? complete(text(call["name"]) ?? "", false, call["input"])
    : null;
}

/** The event with these strings in place of its own. */
function withStrings(data: Buffer, changes: ReadonlyMap<string, string>): Buffer {
  const edits: { start: number; end: number; bytes: Uint8Array }[] = [];
  walkStrings(data, (string: JsonString) => {
    const changed = string.isKey ? undefined : changes.get(string.pointer);
    if (changed !== undefined)
      edits.push({ start: string.start, end: string.end, bytes: encodeInside(changed) });
  });
  return Buffer.concat(applyEdits(data, edits));
}

const PIECES =
  /^\/(?:delta(?:\/(?:text|partial_json|toolUse\/input))?|choices\/\d+\/delta\/(?:content|tool_calls\/\d+\/function\/arguments)|(?:response\/)?candidates\/\d+\/content\/parts\/\d+\/text)$/;

/** The event with one piece only: the other pieces it carried have been sent. */
function only(template: Buffer, pointer: string, piece: string): Buffer {
  const changes = new Map<string, string>();
  walkStrings(template, (string) => {
    if (!string.isKey && PIECES.test(string.pointer))
      changes.set(string.pointer, string.pointer === pointer ? piece : "");
  });
  return withStrings(template, changes);
}
