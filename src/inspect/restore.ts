/**
 * Placeholders back to values in a reply, while it streams. Text and tool input come in pieces cut anywhere, so the end
 * of a piece that may begin a placeholder is held back until the next piece, or until its block ends.
 *
 * Restoring is a capability: text to the person and the input of tools that write files are restored; the input of
 * tools that run commands or fetch is not, or an injected instruction could have the value sent anywhere. Thinking and
 * signed blocks are never touched.
 *
 * Formats: Anthropic Messages, OpenAI chat and Responses, Gemini (vendors' streaming references, 2026-11). What is none
 * of them passes as it came. Failure contract: never throws on bytes; an event that is not understood passes unchanged.
 */
import {
  applyEdits,
  asBuffer,
  decodeString,
  encodeInside,
  type JsonString,
  walkStrings,
} from "./json-strings.ts";

/** What restoring needs of a vault. */
export interface Placeholders {
  readonly size: number;
  restore(text: string, escaped: boolean): string;
  pending(text: string, escaped: boolean): number;
}

export interface RestorerOptions {
  /** Whether values may go into this tool's input (its name), or into text to the person (null). */
  readonly mayRestore?: (tool: string | null) => boolean;
}

export interface Restorer {
  /** What may be sent on now. */
  push(chunk: Uint8Array): Uint8Array[];
  /** The rest. */
  end(): Uint8Array[];
}

/** A body longer than this, that is no stream, passes unrestored. */
const MAX_BODY_BYTES = 32 * 1024 * 1024;
/** An event longer than this passes unrestored. */
const MAX_EVENT_BYTES = 8 * 1024 * 1024;

/** Tools that put text into the workspace, as the agents of the register name them. */
const WRITERS =
  /^(?:write|edit|multi_?edit|notebook_?edit|str_replace\w*|create\w*|apply_patch|update|replace|write_file|edit_file|insert\w*|todo\w*|read\w*|view|grep|glob)$/i;

const writesOnly = (tool: string | null): boolean => tool === null || WRITERS.test(tool);

/** By content type: an event stream, a JSON body, or neither (passes). */
export function createRestorer(
  vault: Placeholders,
  contentType: string,
  options: RestorerOptions = {},
): Restorer {
  const type = contentType.split(";")[0]?.trim().toLowerCase() ?? "";
  const events = createEventRestorer(vault, options);
  if (type === "text/event-stream") return streamRestorer(events);
  if (type === "application/json") return bodyRestorer(events);
  return { push: (chunk) => [chunk], end: () => [] };
}

function bodyRestorer(events: EventRestorer): Restorer {
  let held: Uint8Array[] | null = [];
  let size = 0;
  return {
    push(chunk) {
      if (held === null) return [chunk];
      held.push(chunk);
      size += chunk.length;
      if (size <= MAX_BODY_BYTES) return [];
      const passed = held;
      held = null;
      return passed;
    },
    end() {
      if (held === null) return [];
      const whole = events.whole(Buffer.concat(held));
      held = null;
      return [whole];
    },
  };
}

/** WHATWG server-sent events: blocks that end in an empty line, `data` lines joined by a line feed. */
function streamRestorer(events: EventRestorer): Restorer {
  let held: Buffer = Buffer.alloc(0);
  let name = "";

  const block = (bytes: Buffer): Uint8Array[] => {
    const lines = bytes.toString("utf8").split(/\r\n|\n|\r/);
    const data = lines
      .filter((line) => line.startsWith("data:"))
      .map((line) => line.slice(line[5] === " " ? 6 : 5));
    if (data.length === 0) return [bytes];
    const source = Buffer.from(data.join("\n"));
    const made = events.event(source);
    const own = made.at(-1);
    const before = made.slice(0, -1).map((extra) => framed(name, extra));
    name = lines.find((line) => line.startsWith("event:")) ?? "";
    if (own === source || own === undefined) return [...before, bytes];
    const others = lines.filter((line) => line !== "" && !line.startsWith("data:"));
    return [
      ...before,
      Buffer.from(`${[...others, `data: ${Buffer.from(own).toString("utf8")}`].join("\n")}\n\n`),
    ];
  };

  return {
    push(chunk) {
      held = held.length === 0 ? Buffer.from(asBuffer(chunk)) : Buffer.concat([held, chunk]);
      const out: Uint8Array[] = [];
      for (;;) {
        const end = blockEnd(held);
        if (end < 0) break;
        out.push(...block(held.subarray(0, end)));
        held = held.subarray(end);
      }
      if (held.length > MAX_EVENT_BYTES) {
        out.push(held);
        held = Buffer.alloc(0);
      }
      return out;
    },
    end() {
      const out = held.length > 0 ? block(held) : [];
      held = Buffer.alloc(0);
      return [...out, ...events.end().map((extra) => framed(name, extra))];
    },
  };
}

const framed = (eventLine: string, data: Uint8Array): Buffer =>
  Buffer.from(`${eventLine === "" ? "" : `${eventLine}\n`}data: ${Buffer.from(data).toString("utf8")}\n\n`);

/** Where the first block ends, behind its empty line; -1 when it has not. A lone CR at the end may go on. */
function blockEnd(bytes: Buffer): number {
  for (let at = 0; at < bytes.length; at++) {
    const first = lineEnd(bytes, at);
    if (first === 0) continue;
    if (first < 0) return -1;
    const second = lineEnd(bytes, at + first);
    if (second > 0) return at + first + second;
    if (second < 0) return -1;
  }
  return -1;
}

/** Length of the line end at `at`: 0 none, -1 not decidable yet. */
function lineEnd(bytes: Buffer, at: number): number {
  if (bytes[at] === 10) return 1;
  if (bytes[at] !== 13) return 0;
  if (at + 1 >= bytes.length) return -1;
  return bytes[at + 1] === 10 ? 2 : 1;
}

export interface EventRestorer {
  /** An event's data (or a WebSocket message) as the events to send in its place; the last one stands for it. */
  event(data: Buffer): Uint8Array[];
  /** A whole reply that did not stream. */
  whole(body: Buffer): Uint8Array;
  /** Events for what was still held back. */
  end(): Uint8Array[];
}

interface Channel {
  /** The end of the last piece, which may begin a placeholder. */
  held: string;
  /** The last event of the channel and where the piece stands in it: what a held-back rest is sent in. */
  template: Buffer;
  pointer: string;
  readonly escaped: boolean;
}

/** Where a piece belongs, read off its event. Null: not a place to restore. */
interface Place {
  /** Pieces of one channel continue each other; "" for a text that is complete in its event. */
  readonly channel: string;
  /** The text is itself JSON source. */
  readonly escaped: boolean;
  readonly tool: string | null;
}

type Parsed = Readonly<Record<string, unknown>>;
const record = (value: unknown): Parsed =>
  typeof value === "object" && value !== null ? (value as Parsed) : {};
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const text = (value: unknown): string | null => (typeof value === "string" ? value : null);

export function createEventRestorer(vault: Placeholders, options: RestorerOptions = {}): EventRestorer {
  const mayRestore = options.mayRestore ?? writesOnly;
  const channels = new Map<string, Channel>();
  const tools = new Map<string, string>();

  const flush = (prefix: string): Uint8Array[] => {
    const out: Uint8Array[] = [];
    for (const [name, channel] of channels) {
      if (!name.startsWith(prefix)) continue;
      channels.delete(name);
      if (channel.held !== "")
        out.push(only(channel.template, channel.pointer, vault.restore(channel.held, channel.escaped)));
    }
    return out;
  };

  const rewrite = (data: Buffer, parsed: Parsed, isLast: boolean): Buffer => {
    const changes = new Map<string, string>();
    walkStrings(data, (string) => {
      const place = string.isKey ? null : placeOf(parsed, string.pointer, tools);
      if (place === null || !mayRestore(place.tool)) return;
      const piece = decodeString(data, string.start, string.end);
      if (place.channel === "" || isLast) {
        const held = channels.get(place.channel)?.held ?? "";
        channels.delete(place.channel);
        const restored = vault.restore(held + piece, place.escaped);
        if (restored !== piece) changes.set(string.pointer, restored);
        return;
      }
      const joined = (channels.get(place.channel)?.held ?? "") + piece;
      const kept = vault.pending(joined, place.escaped);
      const ready = vault.restore(joined.slice(0, joined.length - kept), place.escaped);
      channels.set(place.channel, {
        held: joined.slice(joined.length - kept),
        template: data,
        pointer: string.pointer,
        escaped: place.escaped,
      });
      if (ready !== piece) changes.set(string.pointer, ready);
    });
    return changes.size === 0 ? data : withStrings(data, changes);
  };

  const parse = (data: Buffer): Parsed | null => {
    try {
      return record(JSON.parse(data.toString("utf8")));
    } catch {
      // `[DONE]`, or no JSON: there is nothing to restore in it.
      return null;
    }
  };

  return {
    event(data) {
      if (vault.size === 0) return [data];
      const parsed = parse(data);
      if (parsed === null) return [...flush(""), data];
      noteTools(parsed, tools);
      const ends = endedBy(parsed);
      const before = ends === null || ends.inEvent ? [] : flush(ends.prefix);
      return [...before, rewrite(data, parsed, ends?.inEvent ?? false)];
    },
    whole(body) {
      const parsed = vault.size === 0 ? null : parse(body);
      return parsed === null ? body : rewrite(body, parsed, true);
    },
    end: () => flush(""),
  };
}

/** Remembers which tool an input channel feeds, from the event that opens it. */
function noteTools(event: Parsed, tools: Map<string, string>): void {
  const block = record(event["content_block"]);
  const name = text(block["name"]);
  if (event["type"] === "content_block_start" && name !== null) tools.set(`a${String(event["index"])}`, name);
  const item = record(event["item"]);
  const itemName = text(item["name"]);
  if (itemName !== null) tools.set(`r${String(event["output_index"])}`, itemName);
  for (const choice of list(event["choices"]).map(record))
    for (const call of list(record(choice["delta"])["tool_calls"]).map(record)) {
      const called = text(record(call["function"])["name"]);
      if (called !== null && called !== "")
        tools.set(`c${String(choice["index"])}t${String(call["index"])}`, called);
    }
}

/** Which channels end with this event: before it (their rest goes out first), or in it (their last piece is here). */
function endedBy(event: Parsed): { readonly prefix: string; readonly inEvent: boolean } | null {
  const type = text(event["type"]) ?? "";
  if (type === "content_block_stop") return { prefix: `a${String(event["index"])}:`, inEvent: false };
  if (type === "message_stop" || type === "message_delta") return { prefix: "", inEvent: false };
  if (/\.done$/.test(type) && event["output_index"] !== undefined)
    return { prefix: `r${String(event["output_index"])}:`, inEvent: false };
  if (/^response\.(?:completed|failed|incomplete)$/.test(type)) return { prefix: "", inEvent: false };
  const finished = list(event["candidates"])
    .map(record)
    .some((candidate) => candidate["finishReason"] !== undefined);
  if (finished) return { prefix: "g", inEvent: true };
  const ended = list(event["choices"])
    .map(record)
    .find((choice) => text(choice["finish_reason"]) !== null);
  return ended === undefined ? null : { prefix: `c${String(ended["index"])}`, inEvent: false };
}

function placeOf(event: Parsed, pointer: string, tools: ReadonlyMap<string, string>): Place | null {
  const at = pointer.split("/").slice(1);
  const [first, second, third, fourth, fifth] = at;
  const complete = (tool: string | null, escaped = false): Place => ({ channel: "", escaped, tool });
  const type = text(event["type"]) ?? "";
  if (first === "delta" && at.length === 2 && type === "content_block_delta") {
    const name = `a${String(event["index"])}`;
    if (second === "text") return { channel: `${name}:text`, escaped: false, tool: null };
    if (second === "partial_json")
      return { channel: `${name}:json`, escaped: true, tool: tools.get(name) ?? "" };
    return null;
  }
  if (first === "content_block" && second === "text" && at.length === 2) return complete(null);
  if (first === "content" && third === "text" && at.length === 3) return complete(null);
  if (first === "content" && third === "input")
    return complete(text(record(list(event["content"])[Number(second)])["name"]) ?? "");
  if (first === "delta" && at.length === 1) {
    const name = `r${String(event["output_index"])}`;
    if (type === "response.output_text.delta")
      return { channel: `${name}:${String(event["content_index"])}`, escaped: false, tool: null };
    if (type === "response.function_call_arguments.delta")
      return { channel: `${name}:args`, escaped: true, tool: tools.get(name) ?? "" };
    if (type === "response.custom_tool_call_input.delta")
      return { channel: `${name}:input`, escaped: false, tool: tools.get(name) ?? "" };
    return null;
  }
  if (type.startsWith("response.")) {
    const own = tools.get(`r${String(event["output_index"])}`) ?? "";
    if (at.length === 1 && first === "text") return complete(null);
    if (at.length === 1 && first === "arguments") return complete(own, true);
    if (at.length === 1 && first === "input") return complete(own);
    if (first === "part" && second === "text") return complete(null);
    if (first === "item") return itemPlace(record(event["item"]), at.slice(1), complete);
    if (first === "response" && second === "output")
      return itemPlace(
        record(list(record(event["response"])["output"])[Number(third)]),
        at.slice(3),
        complete,
      );
    return null;
  }
  if (first === "output" && second !== undefined)
    return itemPlace(record(list(event["output"])[Number(second)]), at.slice(2), complete);
  if (first === "choices" && second !== undefined) {
    const choice = record(list(event["choices"])[Number(second)]);
    const name = `c${String(choice["index"])}`;
    if (third === "delta" && fourth === "content" && at.length === 4)
      return { channel: `${name}:text`, escaped: false, tool: null };
    if (third === "message" && fourth === "content" && at.length === 4) return complete(null);
    if (fourth === "tool_calls" && at.at(-1) === "arguments" && fifth !== undefined) {
      const call = record(list(record(choice[third ?? ""])["tool_calls"])[Number(fifth)]);
      if (third === "message") return complete(text(record(call["function"])["name"]) ?? "", true);
      const callName = `${name}t${String(call["index"])}`;
      return { channel: callName, escaped: true, tool: tools.get(callName) ?? "" };
    }
    return null;
  }
  if (first === "candidates" && third === "content" && fourth === "parts") {
    const candidate = record(list(event["candidates"])[Number(second)]);
    const part = record(list(record(candidate["content"])["parts"])[Number(fifth)]);
    if (at[5] === "text" && at.length === 6 && part["thought"] !== true)
      return { channel: `g${String(second)}`, escaped: false, tool: null };
    if (at[5] === "functionCall" && at[6] === "args")
      return complete(text(record(part["functionCall"])["name"]) ?? "");
  }
  return null;
}

function itemPlace(
  item: Parsed,
  at: readonly string[],
  complete: (tool: string | null, escaped?: boolean) => Place,
): Place | null {
  if (at[0] === "content" && at[2] === "text") return complete(null);
  if (at[0] === "arguments" && at.length === 1) return complete(text(item["name"]) ?? "", true);
  if (at[0] === "input" && at.length === 1) return complete(text(item["name"]) ?? "");
  return null;
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

/** The event with one piece only: the other pieces it carried have been sent. */
function only(template: Buffer, pointer: string, piece: string): Buffer {
  const changes = new Map<string, string>();
  walkStrings(template, (string) => {
    const pieces =
      /^\/(?:delta(?:\/(?:text|partial_json))?|choices\/\d+\/delta\/(?:content|tool_calls\/\d+\/function\/arguments)|candidates\/\d+\/content\/parts\/\d+\/text)$/;
    if (!string.isKey && pieces.test(string.pointer))
      changes.set(string.pointer, string.pointer === pointer ? piece : "");
  });
  return withStrings(template, changes);
}
