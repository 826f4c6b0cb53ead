/** What a reply says of itself, by protocol: the model that answered, the tokens it counted, why it stopped. */
import { type Fields, fieldsOf, textOf } from "./protocol.ts";
import type { DialectName } from "./request.ts";
import { callOf } from "./responses.ts";
import type { CalledTool } from "./unit.ts";

/** Filled as a reply goes by; later figures replace earlier ones. */
export interface Account {
  /** All input tokens, also those read from or written to a cache. */
  input: number | null;
  output: number | null;
  /** Input tokens read from a cache. */
  cached: number | null;
  model: string | null;
  /** Where the reply says it was computed. */
  region: string | null;
  stop: string | null;
  readonly calls: CalledTool[];
}

/** A reply with more calls than this is not one. */
const MAX_CALLS = 1000;

type Absorb = (account: Account, message: Fields) => void;

const numberOf = (value: unknown): number | null =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : null;

/** Anthropic: platform.claude.com/docs/en/build-with-claude/streaming; an event, or a whole message. */
const anthropic: Absorb = (account, event) => {
  const message = event["type"] === "message_start" ? fieldsOf(event["message"]) : event;
  account.model = textOf(message["model"]) ?? account.model;
  const delta = fieldsOf(event["delta"]);
  account.stop = textOf(message["stop_reason"]) ?? textOf(delta["stop_reason"]) ?? account.stop;
  if (event["type"] === "error") account.stop = "error";
  const usage = fieldsOf(message["usage"]);
  // platform.claude.com/docs/en/manage-claude/data-residency: where inference ran.
  account.region = textOf(usage["inference_geo"]) ?? account.region;
  const read = numberOf(usage["cache_read_input_tokens"]);
  const input = numberOf(usage["input_tokens"]);
  // `input_tokens` leaves out what came from the cache or went into it.
  if (input !== null)
    account.input = input + (read ?? 0) + (numberOf(usage["cache_creation_input_tokens"]) ?? 0);
  account.cached = read ?? account.cached;
  account.output = numberOf(usage["output_tokens"]) ?? account.output;
};

const openaiChat: Absorb = (account, message) => {
  account.model = textOf(message["model"]) ?? account.model;
  // OpenRouter names the provider that it chose.
  account.region = textOf(message["provider"]) ?? account.region;
  const choices = Array.isArray(message["choices"]) ? message["choices"] : [];
  account.stop = textOf(fieldsOf(choices[0])["finish_reason"]) ?? account.stop;
  if (message["error"] !== undefined && message["error"] !== null) account.stop = "error";
  const usage = fieldsOf(message["usage"]);
  account.input = numberOf(usage["prompt_tokens"]) ?? account.input;
  account.output = numberOf(usage["completion_tokens"]) ?? account.output;
  const cached = fieldsOf(usage["prompt_tokens_details"])["cached_tokens"];
  account.cached = numberOf(cached) ?? account.cached;
};

/** An event with its response or one of its items, or a whole response. */
const openaiResponses: Absorb = (account, event) => {
  noteCalls(account, [event["item"]]);
  const response = typeof event["response"] === "object" ? fieldsOf(event["response"]) : event;
  account.model = textOf(response["model"]) ?? account.model;
  // A stream has told its items one by one; the whole response at its end may hold none of them, or all again.
  if (account.calls.length === 0) noteCalls(account, response["output"]);
  const status = textOf(response["status"]);
  if (status !== null && status !== "in_progress" && status !== "queued")
    account.stop = textOf(fieldsOf(response["incomplete_details"])["reason"]) ?? status;
  if (event["type"] === "error" || (event === response && fieldsOf(event["error"])["message"] !== undefined))
    account.stop = "error";
  const usage = fieldsOf(response["usage"]);
  account.input = numberOf(usage["input_tokens"]) ?? account.input;
  account.output = numberOf(usage["output_tokens"]) ?? account.output;
  account.cached = numberOf(fieldsOf(usage["input_tokens_details"])["cached_tokens"]) ?? account.cached;
};

function noteCalls({ calls }: Account, items: unknown): void {
  for (const item of Array.isArray(items) ? items : []) {
    const call = callOf(fieldsOf(item));
    if (call !== null && calls.length < MAX_CALLS) calls.push(call);
  }
}

/** A chunk, or a whole reply; Code Assist wraps both in `response`. */
const gemini: Absorb = (account, chunk) => {
  const reply = typeof chunk["response"] === "object" ? fieldsOf(chunk["response"]) : chunk;
  account.model = textOf(reply["modelVersion"]) ?? account.model;
  const candidates = Array.isArray(reply["candidates"]) ? reply["candidates"] : [];
  account.stop = textOf(fieldsOf(candidates[0])["finishReason"]) ?? account.stop;
  if (chunk["error"] !== undefined) account.stop = "error";
  const usage = fieldsOf(reply["usageMetadata"]);
  account.input = numberOf(usage["promptTokenCount"]) ?? account.input;
  const output = numberOf(usage["candidatesTokenCount"]);
  if (output !== null) account.output = output + (numberOf(usage["thoughtsTokenCount"]) ?? 0);
  account.cached = numberOf(usage["cachedContentTokenCount"]) ?? account.cached;
};

/** Converse counts in camel case; InvokeModel answers in the model's own form. */
const bedrock: Absorb = (account, message) => {
  anthropic(account, message);
  account.stop = textOf(message["stopReason"]) ?? account.stop;
  const usage = fieldsOf(message["usage"]);
  const input = numberOf(usage["inputTokens"]);
  const read = numberOf(usage["cacheReadInputTokens"]);
  if (input !== null) account.input = input + (read ?? 0) + (numberOf(usage["cacheWriteInputTokens"]) ?? 0);
  account.output = numberOf(usage["outputTokens"]) ?? account.output;
  account.cached = read ?? account.cached;
};

const ABSORB: Readonly<Partial<Record<DialectName, Absorb>>> = {
  "anthropic-messages": anthropic,
  "openai-chat": openaiChat,
  "openai-responses": openaiResponses,
  gemini,
  bedrock,
};

export const absorbOf = (dialect: DialectName): Absorb => ABSORB[dialect] ?? (() => undefined);

/**
 * Whether an event of a stream can change the account. Most of a stream is deltas, and parsing them would cost more than
 * all else done to a reply.
 */
export function isTelling(dialect: DialectName, name: string, data: Buffer): boolean {
  switch (dialect) {
    case "anthropic-messages":
      return !name.startsWith("content_block") && name !== "ping";
    case "openai-responses":
      return (
        name === "response.output_item.done" ||
        !/\.(delta|done|added|in_progress|searching|interpreting)$/.test(name)
      );
    case "openai-chat":
      return /"(usage|error)"\s*:\s*\{|"finish_reason"\s*:\s*"|"role"\s*:/.test(data.toString("latin1"));
    case "gemini":
      return true;
    default:
      return false;
  }
}
