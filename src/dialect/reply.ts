/**
 * Reads a reply as it streams by: usage, model, reason of the end. Never throws, holds back nothing, keeps at most one
 * event (or a bounded JSON body) in memory. What it cannot read costs `understood`, nothing else.
 */
import type { Usage } from "../core/index.ts";
import { type AskedCall, AskedCalls, isOfCall } from "./asked.ts";
import { createBinaryEventParser } from "./eventstream.ts";
import { type Fields, fieldsOf, textOf } from "./protocol.ts";
import type { DialectName } from "./request.ts";
import { createEventParser } from "./sse.ts";
import type { CalledTool } from "./unit.ts";
import { type Account, absorbOf, isTelling } from "./usage.ts";

/** A JSON reply beyond this is passed on unread. */
const MAX_JSON_BYTES = 16 * 1024 * 1024;

export interface ReplyReading {
  /** `inputTokens` counts all input, cached or not; `cachedTokens` what of it came from a cache. */
  readonly usage: Usage | null;
  /** The model that says it answered. */
  readonly model: string | null;
  /** Where it says it was computed; of a router, by whom. */
  readonly region: string | null;
  /** The protocol's own word (`end_turn`, `tool_calls`, `STOP`, `completed`), or `error`. */
  readonly stop: string | null;
  readonly understood: boolean;
  /** Tools that the model asks for, where the agent will not repeat the call in its next request (Responses). */
  readonly calls: readonly CalledTool[];
  /** Commands and changes of files that the agent is asked for. */
  readonly asked: readonly AskedCall[];
}

export interface ReplyReader {
  /** Content-decoded bytes, in order; for a WebSocket one message of the server at a time. */
  feed(chunk: Uint8Array): void;
  end(): ReplyReading;
}

/** `contentType`: the reply's header, or `websocket`. */
export function createReplyReader(dialect: DialectName, contentType: string): ReplyReader {
  const account: Account = {
    input: null,
    output: null,
    cached: null,
    model: null,
    region: null,
    stop: null,
    calls: [],
  };
  const absorbed = absorbOf(dialect);
  const asked = new AskedCalls(dialect);
  const absorb = (into: Account, message: Fields): void => {
    absorbed(into, message);
    asked.take(message);
  };
  const type = contentType.toLowerCase().split(";")[0]?.trim() ?? "";
  // True when it was a JSON value of this protocol.
  const take = (json: Uint8Array): boolean => {
    const value = parsedOrNull(json);
    if (typeof value !== "object" || value === null) return false;
    // Gemini without `alt=sse` streams one list of chunks.
    for (const message of Array.isArray(value) ? value : [value]) absorb(account, fieldsOf(message));
    return true;
  };
  const source =
    type === "text/event-stream"
      ? ofEvents(dialect, take, asked)
      : type === "application/vnd.amazon.eventstream"
        ? ofBinaryEvents(account, absorb)
        : type === "websocket"
          ? ofMessages(take)
          : ofJson(dialect, take);
  return { feed: source.feed, end: () => reading(account, source.end(), asked) };
}

interface Source {
  feed(chunk: Uint8Array): void;
  /** Whether all was understood. */
  end(): boolean;
}

function ofEvents(dialect: DialectName, take: (json: Uint8Array) => boolean, asked: AskedCalls): Source {
  let good = 0;
  let bad = 0;
  const parser = createEventParser(({ name, data }) => {
    if (data.length === 6 && data.toString("latin1") === "[DONE]") return;
    if (dialect !== "mcp" && !isTelling(dialect, name, data) && !isOfCall(dialect, name, data, asked)) good++;
    else if (take(data)) good++;
    else bad++;
  });
  return { feed: parser.feed, end: () => good > 0 && bad === 0 && !parser.hasOddities() };
}

function ofBinaryEvents(account: Account, absorb: (account: Account, message: Fields) => void): Source {
  let good = 0;
  let bad = 0;
  const parser = createBinaryEventParser(({ name, payload }) => {
    const value = fieldsOf(parsedOrNull(payload));
    const inner = textOf(value["bytes"]);
    const message = inner === null ? value : fieldsOf(parsedOrNull(Buffer.from(inner, "base64")));
    if (Object.keys(message).length === 0) bad++;
    else good++;
    if (/exception$/i.test(name)) account.stop = "error";
    absorb(account, message);
  });
  return { feed: parser.feed, end: () => good > 0 && bad === 0 && parser.isSound() };
}

function ofMessages(take: (json: Uint8Array) => boolean): Source {
  let isGood = true;
  return {
    feed: (message) => {
      // The beginning names the event; deltas and beginnings of items say nothing here.
      const head = Buffer.from(message.buffer, message.byteOffset, Math.min(message.byteLength, 200));
      if (
        /"type"\s*:\s*"(?!response\.output_item\.done")[\w.]*\.(delta|done|added|in_progress)"/.test(
          head.toString("latin1"),
        )
      )
        return;
      isGood = take(message) && isGood;
    },
    end: () => isGood,
  };
}

function ofJson(dialect: DialectName, take: (json: Uint8Array) => boolean): Source {
  let chunks: Buffer[] = [];
  let size = 0;
  return {
    feed: (chunk) => {
      size += chunk.byteLength;
      if (size > MAX_JSON_BYTES) chunks = [];
      else chunks.push(Buffer.from(chunk));
    },
    end: () => {
      const body = Buffer.concat(chunks);
      chunks = [];
      if (size === 0) return true;
      return size <= MAX_JSON_BYTES && dialect !== "opaque" && take(body);
    },
  };
}

function reading(
  { input, output, cached, model, region, stop, calls }: Account,
  understood: boolean,
  asked: AskedCalls,
): ReplyReading {
  const isCounted = input !== null || output !== null;
  const usage = isCounted ? { inputTokens: input, outputTokens: output, cachedTokens: cached } : null;
  return { usage, model, region, stop, understood, calls, asked: asked.all() };
}

function parsedOrNull(json: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(json.buffer, json.byteOffset, json.byteLength).toString("utf8"));
  } catch {
    return null;
  }
}
