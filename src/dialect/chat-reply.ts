/**
 * A Chat Completions reply as a Messages reply: JSON, event streams and errors, as the other half of chat-request.ts. Pure;
 * streams in any division of the bytes. The order of events is what Anthropic's SDKs accept: one block open at a time,
 * message_delta with the reason and the usage, message_stop.
 */
import { createEventParser } from "./sse.ts";

/** Turns a reply round; owned by one reply. */
export interface ReplyTranslator {
  readonly contentType: string;
  /** What to give the agent for these bytes. */
  push(bytes: Uint8Array): string;
  /** The rest. `isWhole` is false when the reply broke off or was no reply. */
  end(): { readonly text: string; readonly isWhole: boolean };
}

type Fields = Readonly<Record<string, unknown>>;

export function chatToMessages(status: number, contentType: string, model: string | null): ReplyTranslator {
  const isStream = status >= 200 && status < 300 && /^text\/event-stream\s*(?:;|$)/i.test(contentType);
  return isStream ? streamed(model ?? "") : whole(status, model ?? "");
}

function whole(status: number, model: string): ReplyTranslator {
  const pieces: Buffer[] = [];
  return {
    contentType: "application/json",
    push: (bytes) => {
      pieces.push(Buffer.from(bytes));
      return "";
    },
    end: () => {
      const body = fieldsIn(Buffer.concat(pieces));
      const message = status >= 200 && status < 300 ? messageOf(body, model) : null;
      return message === null
        ? { text: JSON.stringify(errorOf(status, body)), isWhole: status >= 300 }
        : { text: JSON.stringify(message), isWhole: true };
    },
  };
}

const REASONS: Readonly<Record<string, string>> = {
  stop: "end_turn",
  length: "max_tokens",
  tool_calls: "tool_use",
  function_call: "tool_use",
  content_filter: "refusal",
};

/** null: it is no completion, or calls a tool with what is no JSON. */
function messageOf(body: Fields, model: string): object | null {
  const choice = fieldsOf(listOf(body["choices"])[0]);
  const said = fieldsOf(choice["message"]);
  if (Object.keys(said).length === 0) return null;
  const content: object[] = [];
  if (typeof said["content"] === "string" && said["content"] !== "")
    content.push({ type: "text", text: said["content"] });
  for (const call of listOf(said["tool_calls"]).map(fieldsOf)) {
    const { name, arguments: given } = fieldsOf(call["function"]);
    const input = parsed(word(given) === "" ? "{}" : word(given));
    if (input === undefined) return null;
    content.push({ type: "tool_use", id: call["id"], name, input });
  }
  const calls = content.some((block) => "input" in block);
  return {
    id: idOf(body["id"]),
    type: "message",
    role: "assistant",
    model: word(body["model"]) || model,
    content,
    stop_reason: calls ? "tool_use" : (REASONS[word(choice["finish_reason"])] ?? "end_turn"),
    stop_sequence: null,
    usage: usageOf(body["usage"]),
  };
}

/** The open block of the stream: text, or the call of the given index. */
type Block = { readonly kind: "text" } | { readonly kind: "call"; readonly index: number };

function streamed(model: string): ReplyTranslator {
  let out = "";
  let blocks = 0;
  let open: Block | null = null;
  let isBegun = false;
  let reason: string | null = null;
  let usage: unknown;
  let isDone = false;
  let isBroken = false;
  const closedCalls = new Set<number>();

  const tell = (type: string, fields: object): void => {
    out += `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;
  };
  const close = (): void => {
    if (open === null) return;
    tell("content_block_stop", { index: blocks - 1 });
    if (open.kind === "call") closedCalls.add(open.index);
    open = null;
  };
  const start = (block: Block, content: object): void => {
    close();
    tell("content_block_start", { index: blocks, content_block: content });
    blocks++;
    open = block;
  };
  const delta = (fields: object): void => tell("content_block_delta", { index: blocks - 1, delta: fields });
  const breakOff = (message: string): void => {
    isBroken = true;
    tell("error", { error: { type: "api_error", message } });
  };
  const begin = (chunk: Fields): void => {
    isBegun = true;
    tell("message_start", {
      message: {
        id: idOf(chunk["id"]),
        type: "message",
        role: "assistant",
        model: word(chunk["model"]) || model,
        content: [],
        stop_reason: null,
        stop_sequence: null,
        usage: { input_tokens: 0, output_tokens: 0 },
      },
    });
  };
  const call = (given: Fields): void => {
    const index = typeof given["index"] === "number" ? given["index"] : 0;
    const { name, arguments: args } = fieldsOf(given["function"]);
    // One block at a time is all that Messages has: what comes for a call that is over cannot be told.
    if (closedCalls.has(index)) {
      breakOff("the server went back to a tool call that was over");
      return;
    }
    if (open === null || open.kind !== "call" || open.index !== index)
      start({ kind: "call", index }, { type: "tool_use", id: given["id"], name, input: {} });
    if (typeof args === "string" && args !== "") delta({ type: "input_json_delta", partial_json: args });
  };
  const take = (chunk: Fields): void => {
    if (chunk["error"] !== undefined) {
      breakOff(messageIn(chunk));
      return;
    }
    if (!isBegun) begin(chunk);
    if (chunk["usage"] !== undefined && chunk["usage"] !== null) usage = chunk["usage"];
    const choice = fieldsOf(listOf(chunk["choices"])[0]);
    const said = fieldsOf(choice["delta"]);
    if (typeof said["content"] === "string" && said["content"] !== "") {
      if (open?.kind !== "text") start({ kind: "text" }, { type: "text", text: "" });
      delta({ type: "text_delta", text: said["content"] });
    }
    for (const one of listOf(said["tool_calls"])) if (!isBroken) call(fieldsOf(one));
    if (typeof choice["finish_reason"] === "string") reason = choice["finish_reason"];
  };
  const parser = createEventParser(({ data }) => {
    if (isDone || isBroken) return;
    const text = data.toString("utf8");
    if (text === "[DONE]") isDone = true;
    else take(fieldsOf(parsed(text)));
  });
  const taken = (): string => {
    const text = out;
    out = "";
    return text;
  };
  return {
    contentType: "text/event-stream; charset=utf-8",
    push: (bytes) => {
      parser.feed(bytes);
      return taken();
    },
    end: () => {
      if (isBroken) return { text: taken(), isWhole: false };
      if (!isBegun || (reason === null && !isDone)) {
        breakOff("the server broke off its reply");
        return { text: taken(), isWhole: false };
      }
      const wasCalling = open?.kind === "call" || closedCalls.size > 0;
      close();
      const stop = wasCalling ? "tool_use" : (REASONS[reason ?? "stop"] ?? "end_turn");
      tell("message_delta", { delta: { stop_reason: stop, stop_sequence: null }, usage: usageOf(usage) });
      tell("message_stop", {});
      return { text: taken(), isWhole: true };
    },
  };
}

const ERROR_TYPES: Readonly<Record<number, string>> = {
  400: "invalid_request_error",
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  529: "overloaded_error",
};

const errorOf = (status: number, body: Fields): object => ({
  type: "error",
  error: { type: ERROR_TYPES[status] ?? "api_error", message: messageIn(body) },
});

function messageIn(body: Fields): string {
  const error = body["error"];
  const said = typeof error === "string" ? error : word(fieldsOf(error)["message"]) || word(body["message"]);
  return said === "" ? "the server's reply is no completion" : said;
}

function usageOf(usage: unknown): object {
  const { prompt_tokens, completion_tokens, prompt_tokens_details } = fieldsOf(usage);
  const cached = countOf(fieldsOf(prompt_tokens_details)["cached_tokens"]);
  // Messages counts what came from the cache apart.
  return {
    input_tokens: Math.max(0, countOf(prompt_tokens) - cached),
    output_tokens: countOf(completion_tokens),
    ...(cached > 0 ? { cache_read_input_tokens: cached } : {}),
  };
}

const countOf = (value: unknown): number => (typeof value === "number" && value >= 0 ? value : 0);
const idOf = (value: unknown): string => `msg_${word(value).replace(/^chatcmpl-/, "") || "unnamed"}`;
const word = (value: unknown): string => (typeof value === "string" ? value : "");
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const fieldsOf = (value: unknown): Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {}; // checked at use

const fieldsIn = (bytes: Buffer): Fields => fieldsOf(parsed(bytes.toString("utf8")));

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // what is no JSON is told as such by whoever asked
  }
}
