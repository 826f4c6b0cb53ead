/**
 * A case of agent-egress-bench (case.schema.json, version 1) and what it asks of an agent: the requests to send, or the
 * reply to fetch. Every file is a case or says why not, and every payload has a reading: at worst it is sent as it is.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

const Case = z.object({
  schema_version: z.literal(1),
  id: z.string().min(1),
  title: z.string().default(""),
  /** Kinds and transports that the suite may yet add are told by the payload, or not applicable by name. */
  input_type: z.string(),
  transport: z.string(),
  payload: z.record(z.string(), z.unknown()),
  expected_verdict: z.enum(["block", "allow"]),
  requires: z.array(z.string()).default([]),
});
export type Case = z.infer<typeof Case>;

const OPCODES = ["text", "binary", "continuation", "ping", "pong", "close"] as const;
/** Bytes as a case writes them: a text, in an encoding that is named beside it, or a value that is sent as JSON. */
const Content = z.union([
  z.string(),
  z.number(),
  z.boolean(),
  z.record(z.string(), z.unknown()),
  z.array(z.unknown()),
]);
const Frame = z.object({
  opcode: z.enum(OPCODES).catch("text"),
  fin: z.boolean().default(true),
  encoding: z.string().optional(),
  payload: Content.default("").transform((value) =>
    typeof value === "string" ? value : JSON.stringify(value),
  ),
});
export type Frame = z.infer<typeof Frame>;

const HeaderValue = z.union([z.string(), z.number(), z.boolean()]).transform(String);
const Headers = z
  .record(z.string(), z.union([HeaderValue, z.array(HeaderValue).transform((values) => values.join(", "))]))
  .default({});
const Message = z.record(z.string(), z.unknown());
type Message = z.infer<typeof Message>;

const Payload = z.object({
  url: z.string().optional(),
  method: z.string().optional(),
  headers: Headers,
  content_type: z.string().optional(),
  encoding: z.string().optional(),
  body: Content.optional(),
  response_body: Content.optional(),
  response_headers: Headers,
  jsonrpc_messages: z.array(Message).min(1).optional(),
  agent_card: z.unknown().optional(),
  frames: z.array(Frame).min(1).optional(),
});
type Payload = z.infer<typeof Payload>;

/** How the agent speaks to the gateway where a destination is HTTPS: by base URL, or by CONNECT with TLS inside. */
export type Way = "base" | "tunnel";

export interface Ask {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | null;
}

export interface Said {
  readonly type: string;
  readonly body: Buffer;
}

export type Errand =
  | {
      readonly kind: "http";
      readonly way: Way;
      /** One after the other, each when the one before was answered. */
      readonly asks: readonly Ask[];
      /** The first answers the first; the last answers all that are left. */
      readonly replies: readonly [Said, ...Said[]];
      /** What the case is about comes in the replies, and has arrived when the agent has it. */
      readonly comesIn: boolean;
    }
  | { readonly kind: "websocket"; readonly url: string; readonly frames: readonly Frame[] };

/** A file that is no case says why; every other file is one. */
export interface Unreadable {
  readonly id: string;
  readonly why: string;
}

/** Every file of a folder, by name: one that is no case must not hide the others. Of the whole suite, its folder `cases`. */
export function readCases(given: string): readonly (Case | Unreadable)[] {
  const folder = existsSync(join(given, "case.schema.json")) ? join(given, "cases") : given;
  return readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .sort()
    .map((name): Case | Unreadable => {
      try {
        return Case.parse(JSON.parse(readFileSync(join(folder, name), "utf8")));
      } catch (error) {
        const issue = error instanceof z.ZodError ? error.issues[0] : undefined;
        const why = issue === undefined ? "no JSON" : `${issue.path.join(".")}: ${issue.message}`;
        return { id: name.replace(/\.json$/, ""), why: `the file is no case of version 1 (${why})` };
      }
    });
}

// The suite names no server for these; any will do, as every public host is allowed.
const MCP_SERVER = "https://tools.example.net/mcp";
const A2A_AGENT = "https://agent.example.net";
const MODEL = "https://models.example.net/v1/messages";
const ANY_HOST = "https://site.example.net/";

const JSON_TYPE = "application/json";
const RECEIVED: Said = { type: "text/plain; charset=utf-8", body: Buffer.from("received\n") };

export function errandOf(one: Case): Errand {
  const payload = Payload.parse(one.payload);
  const { url, frames, agent_card: card, jsonrpc_messages: messages } = payload;
  const way: Way = one.transport === "fetch_proxy" ? "base" : "tunnel";
  if (frames !== undefined) return { kind: "websocket", url: url ?? "wss://chat.example.net/", frames };
  if (card !== undefined)
    return http(way, [fetched(url ?? `${A2A_AGENT}/.well-known/agent-card.json`)], [jsonSaid(card)], true);
  if (messages !== undefined)
    return one.transport === "mcp_stdio"
      ? modelTurns(way, messages)
      : rpc(way, url ?? serverOf(one), messages);
  if (payload.response_body !== undefined) {
    const type =
      payload.response_headers["Content-Type"] ?? payload.content_type ?? "text/html; charset=utf-8";
    const body = bytesOf(payload.response_body, payload.encoding);
    return http(way, [{ ...fetched(url ?? ANY_HOST), headers: payload.headers }], [{ type, body }], true);
  }
  if (url === undefined) return bareText(one, way);
  return http(way, [askOf(payload, url)], [RECEIVED], false);
}

const http = (
  way: Way,
  asks: readonly Ask[],
  replies: readonly [Said, ...Said[]],
  comesIn: boolean,
): Errand => ({
  kind: "http",
  way,
  asks,
  replies,
  comesIn,
});

const serverOf = ({ transport }: Case): string => (transport === "a2a" ? `${A2A_AGENT}/a2a` : MCP_SERVER);

const fetched = (url: string): Ask => ({ method: "GET", url, headers: {}, body: null });

function askOf({ method, headers, content_type: type, body, encoding }: Payload, url: string): Ask {
  return {
    method: method ?? (body === undefined ? "GET" : "POST"),
    url,
    headers: { ...(type === undefined ? {} : { "Content-Type": type }), ...headers },
    body: body === undefined ? null : bytesOf(body, encoding),
  };
}

const posted = (url: string, value: unknown): Ask => ({
  method: "POST",
  url,
  headers: { "Content-Type": JSON_TYPE, Accept: "application/json, text/event-stream" },
  body: jsonBytes(value),
});

/** JSON-RPC over HTTP: what has a method is sent, what has none is what the server answers with. */
function rpc(way: Way, server: string, messages: readonly Message[]): Errand {
  const answers = messages.filter((message) => !("method" in message));
  const sent = messages.filter((message) => "method" in message);
  const [first, ...more] = answers;
  if (first === undefined)
    return http(
      way,
      sent.map((message) => posted(server, message)),
      [jsonSaid({ jsonrpc: "2.0", id: 1, result: {} })],
      false,
    );
  // Each answer needs a question; those that the case does not write are the plainest there are.
  const asks = answers.map((_, i) =>
    posted(server, sent[i] ?? { jsonrpc: "2.0", id: i + 1, method: "tools/list" }),
  );
  return http(way, asks, [jsonSaid(first), ...more.map(jsonSaid)], true);
}

/**
 * What a local MCP server is told and says stays in the sandbox; the agent carries it to its model with the next turn,
 * and there it leaves: definitions as tools, calls and results as the conversation.
 */
function modelTurns(way: Way, messages: readonly Message[]): Errand {
  const tools: unknown[] = [];
  const turns: unknown[] = [{ role: "user", content: "go on" }];
  const asks = messages.map((message, i) => {
    const id = `toolu_${i + 1}`;
    const result = asRecord(message["result"]);
    const { name = message["method"], arguments: input = message["params"] } = asRecord(message["params"]);
    if (Array.isArray(result["tools"]))
      for (const tool of result["tools"]) {
        const { inputSchema, ...rest } = asRecord(tool);
        tools.push({ ...rest, input_schema: inputSchema });
      }
    else {
      const isCall = "method" in message;
      const call = isCall ? { name, input } : { name: "tool", input: {} };
      const content = isCall ? "done" : (result["content"] ?? JSON.stringify(message["error"] ?? result));
      turns.push(
        { role: "assistant", content: [{ type: "tool_use", id, ...call }] },
        { role: "user", content: [{ type: "tool_result", tool_use_id: id, content }] },
      );
    }
    return posted(MODEL, { model: "m", max_tokens: 1, tools: [...tools], messages: [...turns] });
  });
  return http(way, asks, [jsonSaid({ type: "message", role: "assistant", content: [] })], false);
}

/** A payload in no form that is known: all of it is sent, or is what the server answers with. */
function bareText(one: Case, way: Way): Errand {
  const server = one.transport.startsWith("mcp") || one.transport === "a2a" ? serverOf(one) : ANY_HOST;
  return COMES_IN.has(one.input_type)
    ? http(way, [fetched(server)], [jsonSaid(one.payload)], true)
    : http(way, [posted(server, one.payload)], [RECEIVED], false);
}

const asRecord = (value: unknown): Message =>
  // A JSON object's members are unknown.
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Message) : {};

const jsonSaid = (value: unknown): Said => ({ type: JSON_TYPE, body: jsonBytes(value) });

function bytesOf(content: z.infer<typeof Content>, encoding: string | undefined): Buffer {
  if (typeof content !== "string") return jsonBytes(content);
  return encoding === "base64" || encoding === "hex" ? Buffer.from(content, encoding) : Buffer.from(content);
}

/** Everything that must arrive for the case's payload to be where it was sent. */
export function unitsOf(errand: Errand): number {
  if (errand.kind === "http") return errand.asks.length;
  return errand.frames.filter(({ fin, opcode, payload }) => fin && (opcode !== "close" || payload !== ""))
    .length;
}

const jsonBytes = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

const COMES_IN: ReadonlySet<string> = new Set([
  "response_content",
  "mcp_tool_result",
  "mcp_tool_definition",
  "a2a_agent_card",
]);

/** What the product lacks, by the suite's word for it. */
const LACKS: Readonly<Record<string, string>> = {
  mcp_tool_baseline:
    "the product keeps no baseline of a server's tool definitions to compare later ones with",
  mcp_chain_memory:
    "the product judges each call by what it holds, not sequences of calls that are harmless one by one",
  shell_analysis:
    "the product does not judge what a command would do: the sandbox holds what it can reach, and the gateway what it sends",
};

/**
 * Why the product has no door for the case; null when it has. An answer about a block-case follows the suite's rule: what
 * `requires` names and the tool's profile does not support makes it not applicable. An allow-case needs nothing but its
 * transport: it is always run, as whatever the product does not read it must not break either.
 */
export function whyNotApplicable(
  one: Case | Unreadable,
  supports: Readonly<Record<string, boolean>>,
): string | null {
  if ("why" in one) return one.why;
  if (supports[one.transport] !== true) return `the product has no ${one.transport} transport`;
  if (one.expected_verdict === "allow") return null;
  const missing = one.requires.filter((need) => supports[need] !== true);
  return missing.length === 0
    ? null
    : missing.map((need) => LACKS[need] ?? `the product does not support ${need}`).join("; ");
}
