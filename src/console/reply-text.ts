/**
 * What a recorded reply says, as text and tool calls: event streams and JSON bodies of the four protocols, put together from
 * their pieces. For people who look, after the fact: nothing is decided by it, and what it does not know it leaves to the
 * bytes. Never throws.
 */
export interface Said {
  readonly role: "agent" | "tool-call";
  readonly tool: string | null;
  readonly text: string;
}

type Fields = Readonly<Record<string, unknown>>;

/** Null: it is of no form that is known. */
export function saidIn(body: string): readonly Said[] | null {
  const messages =
    body.trimStart().startsWith("{") || body.trimStart().startsWith("[") ? whole(body) : events(body);
  return messages.length === 0 ? null : saidBy(messages);
}

/** The same of a WebSocket's messages, each an event. */
export const saidInMessages = (texts: readonly string[]): readonly Said[] => saidBy(texts.flatMap(whole));

function saidBy(messages: readonly Fields[]): readonly Said[] {
  const saying = new Saying();
  for (const message of messages) saying.take(message);
  return saying.said();
}

function whole(body: string): readonly Fields[] {
  const value = parsed(body);
  return (Array.isArray(value) ? value : [value]).flatMap((one) => (isFields(one) ? [one] : []));
}

function events(body: string): readonly Fields[] {
  return body.split(/\r?\n\r?\n/).flatMap((block) => {
    const data = block
      .split(/\r?\n/)
      .flatMap((line) => (line.startsWith("data:") ? [line.slice(5).trimStart()] : []))
      .join("\n");
    const value = data === "" || data === "[DONE]" ? undefined : parsed(data);
    return isFields(value) ? [value] : [];
  });
}

/** Pieces by the place that the protocol names for them. */
class Saying {
  readonly #parts = new Map<string, { role: Said["role"]; tool: string | null; text: string }>();

  take(message: Fields): void {
    this.#messages(message);
    this.#chat(message);
    this.#responses(message);
    this.#gemini(message);
  }

  said(): readonly Said[] {
    return [...this.#parts.values()].filter(({ text, tool }) => text !== "" || tool !== null);
  }

  #add(place: string, role: Said["role"], tool: string | null, text: string): void {
    const part = this.#parts.get(place) ?? { role, tool, text: "" };
    part.text += text;
    part.tool ??= tool;
    this.#parts.set(place, part);
  }

  #messages(message: Fields): void {
    const index = String(message["index"] ?? "");
    if (message["type"] === "content_block_start") this.#block(`m${index}`, message["content_block"]);
    if (message["type"] === "content_block_delta") {
      const delta = fieldsOf(message["delta"]);
      if (typeof delta["text"] === "string") this.#add(`m${index}`, "agent", null, delta["text"]);
      if (typeof delta["partial_json"] === "string")
        this.#add(`m${index}`, "tool-call", null, delta["partial_json"]);
    }
    if (message["type"] === "message")
      for (const [i, block] of listOf(message["content"]).entries()) this.#block(`m${i}`, block);
  }

  #block(place: string, value: unknown): void {
    const block = fieldsOf(value);
    if (block["type"] === "tool_use") {
      const input = fieldsOf(block["input"]);
      this.#add(
        place,
        "tool-call",
        textOf(block["name"]),
        Object.keys(input).length === 0 ? "" : JSON.stringify(input),
      );
    } else if (typeof block["text"] === "string") this.#add(place, "agent", null, block["text"]);
  }

  #chat(message: Fields): void {
    for (const value of listOf(message["choices"])) {
      const choice = fieldsOf(value);
      const said = fieldsOf(choice["delta"] ?? choice["message"]);
      const index = String(choice["index"] ?? 0);
      if (typeof said["content"] === "string") this.#add(`c${index}`, "agent", null, said["content"]);
      for (const [i, one] of listOf(said["tool_calls"]).entries()) {
        const call = fieldsOf(one);
        const tool = fieldsOf(call["function"]);
        const name = typeof tool["name"] === "string" && tool["name"] !== "" ? tool["name"] : null;
        this.#add(`c${index}t${String(call["index"] ?? i)}`, "tool-call", name, textOf(tool["arguments"]));
      }
    }
  }

  #responses(message: Fields): void {
    // The finished items say all that the deltas said.
    const items =
      message["type"] === "response.output_item.done"
        ? [message["item"]]
        : message["object"] === "response"
          ? listOf(message["output"])
          : [];
    for (const [i, value] of items.entries()) {
      const item = fieldsOf(value);
      const place = `r${String(message["output_index"] ?? i)}`;
      if (item["type"] === "function_call" || item["type"] === "custom_tool_call")
        this.#add(place, "tool-call", textOf(item["name"]), textOf(item["arguments"] ?? item["input"]));
      else
        for (const part of listOf(item["content"]))
          this.#add(place, "agent", null, textOf(fieldsOf(part)["text"]));
    }
  }

  #gemini(message: Fields): void {
    const inner = isFields(message["response"]) ? message["response"] : message;
    for (const value of listOf(inner["candidates"]))
      for (const one of listOf(fieldsOf(fieldsOf(value)["content"])["parts"])) {
        const part = fieldsOf(one);
        const call = fieldsOf(part["functionCall"]);
        if (typeof part["text"] === "string") this.#add("g", "agent", null, part["text"]);
        if (typeof call["name"] === "string")
          this.#add(`g${this.#parts.size}`, "tool-call", call["name"], JSON.stringify(call["args"] ?? {}));
      }
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // cut off, or none: what else there is still says something
  }
}

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const fieldsOf = (value: unknown): Fields => (isFields(value) ? value : {});
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const textOf = (value: unknown): string => (typeof value === "string" ? value : "");
