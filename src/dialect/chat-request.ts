/**
 * A Messages request (docs.anthropic.com/en/api/messages) as a Chat Completions request
 * (platform.openai.com/docs/api-reference/chat), for servers that speak that alone. Pure.
 *
 * What changes nothing in the answer's meaning, or only its price (cache marks, thinking budgets, metadata), is left out and
 * named. What cannot be said in the other protocol (server tools, PDFs, unknown kinds of content) throws
 * `gateway.unroutable`: a model that is told half is worse than none.
 */
import { Fault } from "../core/index.ts";

export interface TranslatedRequest {
  readonly body: Buffer;
  /** What was left out: names of members and kinds of blocks, sorted. */
  readonly dropped: readonly string[];
}

type Fields = Readonly<Record<string, unknown>>;

/** Members with a counterpart of the same meaning. */
const SAME: Readonly<Record<string, string>> = {
  max_tokens: "max_tokens",
  temperature: "temperature",
  top_p: "top_p",
  stop_sequences: "stop",
  stream: "stream",
};
const TRANSLATED: ReadonlySet<string> = new Set([
  ...Object.keys(SAME),
  "model",
  "messages",
  "system",
  "tools",
  "tool_choice",
]);

/** `body` is JSON that its decoder has understood. `model` is put in the place of the one it names. */
export function messagesToChat(body: Uint8Array, model: string | null): TranslatedRequest {
  const request = fieldsOf(JSON.parse(Buffer.from(body).toString("utf8")));
  const dropped = new Set<string>();
  for (const name of Object.keys(request)) if (!TRANSLATED.has(name)) dropped.add(name);
  const chat = {
    model: model ?? request["model"],
    messages: [...systemOf(request["system"], dropped), ...messagesOf(request["messages"], dropped)],
    ...Object.fromEntries(
      Object.entries(SAME).flatMap(([from, to]) => (from in request ? [[to, request[from]]] : [])),
    ),
    ...(request["stream"] === true ? { stream_options: { include_usage: true } } : {}),
    ...toolsOf(request["tools"], dropped),
    ...choiceOf(request["tool_choice"]),
  };
  return { body: Buffer.from(JSON.stringify(chat)), dropped: [...dropped].sort() };
}

function systemOf(system: unknown, dropped: Set<string>): Fields[] {
  if (system === undefined) return [];
  return [{ role: "system", content: joinedText(blocksOf(system), dropped) }];
}

function messagesOf(messages: unknown, dropped: Set<string>): Fields[] {
  return listOf(messages).flatMap((message) => {
    const { role, content } = fieldsOf(message);
    const blocks = blocksOf(content);
    if (role === "assistant") return [assistantMessage(blocks, dropped)];
    if (role === "user") return userMessages(blocks, dropped);
    if (role === "system") return [{ role: "system", content: joinedText(blocks, dropped) }];
    throw unroutable(`a message of role \`${word(role)}\``);
  });
}

/** Results of tools are messages of their own there, and stand before what the person says beside them. */
function userMessages(blocks: readonly Fields[], dropped: Set<string>): Fields[] {
  const results: Fields[] = [];
  const parts: Fields[] = [];
  for (const block of blocks) {
    noteMarks(block, dropped);
    if (block["type"] !== "tool_result") {
      parts.push(partOf(block, dropped));
      continue;
    }
    if (block["is_error"] === true) dropped.add("is_error");
    const inner = blocksOf(block["content"] ?? "");
    const texts = inner.filter((one) => one["type"] === "text");
    results.push({
      role: "tool",
      tool_call_id: block["tool_use_id"],
      content: texts.map((one) => word(one["text"])).join("\n"),
    });
    // A tool's message holds text alone: what else it gave is shown beside what the person says.
    for (const one of inner) if (one["type"] !== "text") parts.push(partOf(one, dropped));
  }
  if (parts.length === 0) return results;
  const isText = parts.every((part) => part["type"] === "text");
  const content = isText ? parts.map((part) => word(part["text"])).join("\n\n") : parts;
  return [...results, { role: "user", content }];
}

function assistantMessage(blocks: readonly Fields[], dropped: Set<string>): Fields {
  const texts: string[] = [];
  const calls: Fields[] = [];
  for (const block of blocks) {
    noteMarks(block, dropped);
    switch (block["type"]) {
      case "text":
        texts.push(word(block["text"]));
        break;
      case "tool_use":
        calls.push({
          id: block["id"],
          type: "function",
          function: { name: block["name"], arguments: JSON.stringify(block["input"] ?? {}) },
        });
        break;
      case "thinking":
      case "redacted_thinking":
        // Signed for its own vendor; nobody else can read or use it.
        dropped.add(word(block["type"]));
        break;
      default:
        throw unroutable(`content of type \`${word(block["type"])}\``);
    }
  }
  const content = texts.length === 0 ? null : texts.join("\n\n");
  return { role: "assistant", content, ...(calls.length === 0 ? {} : { tool_calls: calls }) };
}

/** A part of what a person says: text or an image. */
function partOf(block: Fields, dropped: Set<string>): Fields {
  const source = fieldsOf(block["source"] ?? {});
  switch (block["type"]) {
    case "text":
      return { type: "text", text: block["text"] };
    case "image": {
      const isInline = source["type"] === "base64";
      if (!isInline && source["type"] !== "url") break;
      const url = isInline
        ? `data:${word(source["media_type"])};base64,${word(source["data"])}`
        : source["url"];
      return { type: "image_url", image_url: { url } };
    }
    case "document":
      if (source["type"] !== "text") break;
      dropped.add("document");
      return { type: "text", text: source["data"] };
    default:
      break;
  }
  const kind = source["type"] === undefined ? "" : ` with a source of type \`${word(source["type"])}\``;
  throw unroutable(`content of type \`${word(block["type"])}\`${kind}`);
}

function joinedText(blocks: readonly Fields[], dropped: Set<string>): string {
  return blocks
    .map((block) => {
      noteMarks(block, dropped);
      if (block["type"] !== "text") throw unroutable(`a system block of type \`${word(block["type"])}\``);
      return word(block["text"]);
    })
    .join("\n\n");
}

function toolsOf(tools: unknown, dropped: Set<string>): Fields {
  const list = listOf(tools ?? []).map(fieldsOf);
  if (list.length === 0) return {};
  return {
    tools: list.map((tool) => {
      noteMarks(tool, dropped);
      if (tool["type"] !== undefined && tool["type"] !== "custom")
        throw unroutable(`a tool that its vendor's server runs: \`${word(tool["type"])}\``);
      const { name, description, input_schema: parameters } = tool;
      return {
        type: "function",
        function: { name, ...(description === undefined ? {} : { description }), parameters },
      };
    }),
  };
}

function choiceOf(choice: unknown): Fields {
  if (choice === undefined) return {};
  const { type, name, disable_parallel_tool_use: alone } = fieldsOf(choice);
  const chosen: Readonly<Record<string, unknown>> = {
    auto: "auto",
    any: "required",
    none: "none",
    tool: { type: "function", function: { name } },
  };
  if (!Object.hasOwn(chosen, word(type))) throw unroutable(`a tool choice of type \`${word(type)}\``);
  return { tool_choice: chosen[word(type)], ...(alone === true ? { parallel_tool_calls: false } : {}) };
}

function noteMarks(block: Fields, dropped: Set<string>): void {
  for (const mark of ["cache_control", "citations"]) if (block[mark] !== undefined) dropped.add(mark);
}

/** Text stands for one block of it. */
function blocksOf(content: unknown): readonly Fields[] {
  return typeof content === "string" ? [{ type: "text", text: content }] : listOf(content).map(fieldsOf);
}

function listOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw unroutable("a list that is none");
  return value;
}

function fieldsOf(value: unknown): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw unroutable("an object that is none");
  return value as Fields; // any field may be anything: checked at use
}

const word = (value: unknown): string => (typeof value === "string" ? value : "");

const unroutable = (what: string): Fault =>
  new Fault("gateway.unroutable", {
    detail: `the server speaks Chat Completions, which has no word for ${what}`,
  });
