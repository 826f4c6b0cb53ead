/**
 * What a reply asks the agent to do: the calls of tools in it, read as they stream by, as far as they say which command
 * is to be run or which file is to be changed. Nothing is decided by it: it tells where a program that starts, or a file
 * that changes, comes from.
 *
 * Formats as in restore.ts and usage.ts (vendors' streaming references, November 2026). Never throws; a call whose input
 * is longer than {@link MOST_INPUT} says what its beginning says.
 */
import { type Fields, fieldsOf, textOf } from "./protocol.ts";
import type { DialectName } from "./request.ts";
import { type ToolAim, toolAim } from "./tool.ts";

/** A call that runs something or writes somewhere. */
export interface AskedCall extends ToolAim {
  /** As the model calls it. */
  readonly tool: string;
  /** Which of the reply's calls, from 1. */
  readonly number: number;
}

interface Open {
  readonly tool: string;
  input: string;
  isCut: boolean;
}

/** Characters of one call's input that are kept: the rest of a long file says nothing here. */
const MOST_INPUT = 64 * 1024;
/** A reply with more calls than this is not one. */
const MOST_CALLS = 200;

/** Collects the calls of one reply. */
export class AskedCalls {
  /** By the place that pieces of the input name. */
  readonly #open = new Map<string, Open>();
  readonly #take: (message: Fields) => void;
  #places = 0;

  constructor(dialect: DialectName) {
    this.#take =
      {
        "anthropic-messages": (message: Fields) => this.#messages(message),
        bedrock: (message: Fields) => this.#bedrock(message),
        "openai-chat": (message: Fields) => this.#chat(message),
        "openai-responses": (message: Fields) => this.#responses(message),
        gemini: (message: Fields) => this.#gemini(message),
      }[dialect as string] ?? (() => undefined);
  }

  /** An event of the stream, or a whole reply. */
  take(message: Fields): void {
    this.#take(message);
  }

  /** Whether more pieces of this call's input are of use: they are most of a stream that writes a file. */
  wants(index: string): boolean {
    return this.#open.get(index)?.isCut === false;
  }

  /** What was asked for so far. */
  all(): readonly AskedCall[] {
    return [...this.#open.values()].flatMap(({ tool, input, isCut }, at) => {
      const aim = toolAim(tool, input, !isCut);
      return aim.commands.length + aim.paths.length === 0 ? [] : [{ tool, number: at + 1, ...aim }];
    });
  }

  #begin(place: string, tool: unknown, input: unknown): void {
    const name = textOf(tool);
    if (name === null || this.#open.size >= MOST_CALLS) return;
    const text = typeof input === "string" ? input : isFilled(input) ? JSON.stringify(input) : "";
    this.#open.set(place, { tool: name, input: "", isCut: false });
    this.#add(place, text);
  }

  #whole(tool: unknown, input: unknown): void {
    this.#begin(`whole ${this.#places++}`, tool, input);
  }

  #add(place: string, piece: unknown): void {
    const call = this.#open.get(place);
    const text = textOf(piece);
    if (call === undefined || text === null || call.isCut) return;
    call.isCut = call.input.length + text.length > MOST_INPUT;
    call.input += text.slice(0, MOST_INPUT - call.input.length);
  }

  #messages(event: Fields): void {
    const block = fieldsOf(event["content_block"]);
    const delta = fieldsOf(event["delta"]);
    if (event["type"] === "content_block_start" && block["type"] === "tool_use")
      this.#begin(String(event["index"]), block["name"], block["input"]);
    else if (delta["type"] === "input_json_delta") this.#add(String(event["index"]), delta["partial_json"]);
    for (const one of listOf(event["content"]))
      if (one["type"] === "tool_use") this.#whole(one["name"], one["input"]);
  }

  #bedrock(event: Fields): void {
    this.#messages(event);
    const place = `b${String(event["contentBlockIndex"])}`;
    const start = fieldsOf(fieldsOf(event["start"])["toolUse"]);
    if (textOf(start["name"]) !== null) this.#begin(place, start["name"], "");
    this.#add(place, fieldsOf(fieldsOf(event["delta"])["toolUse"])["input"]);
    for (const one of listOf(fieldsOf(fieldsOf(event["output"])["message"])["content"])) {
      const call = fieldsOf(one["toolUse"]);
      if (textOf(call["name"]) !== null) this.#whole(call["name"], call["input"]);
    }
  }

  #chat(message: Fields): void {
    for (const choice of listOf(message["choices"])) {
      for (const call of listOf(fieldsOf(choice["delta"])["tool_calls"])) {
        const called = fieldsOf(call["function"]);
        const place = `${String(choice["index"])}:${String(call["index"])}`;
        // Some servers repeat the name with each piece.
        if (!this.#open.has(place)) this.#begin(place, called["name"], "");
        this.#add(place, called["arguments"]);
      }
      for (const call of listOf(fieldsOf(choice["message"])["tool_calls"])) {
        const called = fieldsOf(call["function"]);
        this.#whole(called["name"], called["arguments"]);
      }
    }
  }

  #responses(event: Fields): void {
    const response = typeof event["response"] === "object" ? fieldsOf(event["response"]) : event;
    const items = event["item"] === undefined ? [] : [fieldsOf(event["item"])];
    // A stream has told its items one by one; the whole response at its end may hold none of them, or all again.
    for (const item of items.length > 0 || this.#open.size > 0 ? items : listOf(response["output"])) {
      const type = textOf(item["type"]) ?? "";
      if (!type.endsWith("_call")) continue;
      this.#whole(
        textOf(item["name"]) ?? type.replace(/_call$/, ""),
        item["arguments"] ?? item["input"] ?? item["action"] ?? item["operation"],
      );
    }
  }

  #gemini(chunk: Fields): void {
    const reply = typeof chunk["response"] === "object" ? fieldsOf(chunk["response"]) : chunk;
    for (const candidate of listOf(reply["candidates"]))
      for (const part of listOf(fieldsOf(candidate["content"])["parts"])) {
        const call = fieldsOf(part["functionCall"]);
        if (textOf(call["name"]) !== null) this.#whole(call["name"], call["args"]);
      }
  }
}

const listOf = (value: unknown): readonly Fields[] => (Array.isArray(value) ? value.map(fieldsOf) : []);
const isFilled = (value: unknown): boolean => Object.keys(fieldsOf(value)).length > 0;

const INPUT_PIECE = Buffer.from('"input_json_delta"');

/**
 * Whether an event that tells nothing of the reply's account is part of a call. Most of a stream is text, and parsing
 * that would cost more than all else done to a reply.
 */
export function isOfCall(dialect: DialectName, name: string, data: Buffer, calls: AskedCalls): boolean {
  if (dialect === "openai-chat") return data.includes('"tool_calls"');
  if (dialect !== "anthropic-messages") return false;
  if (name === "content_block_start") return data.includes('"tool_use"');
  if (name !== "content_block_delta" || !data.subarray(0, 120).includes(INPUT_PIECE)) return false;
  const index = /"index"\s*:\s*(\d+)/.exec(data.toString("latin1", 0, 120))?.[1];
  return index === undefined || calls.wants(index);
}
