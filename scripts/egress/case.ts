/**
 * A case of agent-egress-bench (case.schema.json, version 1) and what it asks of an agent: the requests to send, or the
 * reply to fetch. Throws what zod throws when a file is no case, and an Error when a payload has no reading here.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

const Case = z.object({
  schema_version: z.literal(1),
  id: z.string().min(1),
  title: z.string(),
  input_type: z.enum([
    "url",
    "request_body",
    "header",
    "response_content",
    "mcp_tool_call",
    "mcp_tool_result",
    "mcp_tool_definition",
    "mcp_tool_sequence",
    "a2a_message",
    "a2a_agent_card",
    "websocket_frame",
  ]),
  transport: z.enum(["fetch_proxy", "http_proxy", "mcp_stdio", "mcp_http", "websocket", "a2a"]),
  payload: z.record(z.string(), z.unknown()),
  expected_verdict: z.enum(["block", "allow"]),
  requires: z.array(z.string()),
});
export type Case = z.infer<typeof Case>;

const Frame = z.object({
  opcode: z.enum(["text", "binary", "continuation", "ping", "pong", "close"]),
  fin: z.boolean().default(true),
  encoding: z.string().optional(),
  payload: z.string().default(""),
});
export type Frame = z.infer<typeof Frame>;

const Payload = z.object({
  url: z.string().optional(),
  method: z.string().default("GET"),
  headers: z.record(z.string(), z.string()).default({}),
  content_type: z.string().optional(),
  body: z.string().optional(),
  response_body: z.string().optional(),
  jsonrpc_messages: z.array(z.record(z.string(), z.unknown())).optional(),
  agent_card: z.unknown().optional(),
  frames: z.array(Frame).optional(),
});

/** How the agent speaks to the gateway where a destination is HTTPS: by base URL, or by CONNECT with TLS inside. */
export type Way = "base" | "tunnel";

export interface Ask {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | null;
}

export type Errand =
  | {
      readonly kind: "http";
      readonly way: Way;
      readonly asks: readonly Ask[];
      readonly reply: { readonly type: string; readonly body: Buffer };
    }
  | { readonly kind: "websocket"; readonly url: string; readonly frames: readonly Frame[] };

/** Every case of a folder, by file name. */
export function readCases(folder: string): readonly Case[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .sort()
    .map((name) => Case.parse(JSON.parse(readFileSync(join(folder, name), "utf8"))));
}

// The suite names no server for these two; any will do, as every public host is allowed.
const MCP_SERVER = "https://tools.example.net/mcp";
const A2A_AGENT = "https://agent.example.net";

const PLAIN_REPLY = { type: "text/plain; charset=utf-8", body: Buffer.from("received\n") };
const JSON_TYPE = "application/json";

export function errandOf(one: Case): Errand {
  const payload = Payload.parse(one.payload);
  const { url, method, headers, body, content_type: type, jsonrpc_messages: messages } = payload;
  const way: Way = one.transport === "fetch_proxy" ? "base" : "tunnel";
  if (payload.frames !== undefined && url !== undefined)
    return { kind: "websocket", url, frames: payload.frames };
  if (payload.agent_card !== undefined)
    return {
      kind: "http",
      way,
      asks: [{ method: "GET", url: `${A2A_AGENT}/.well-known/agent-card.json`, headers: {}, body: null }],
      reply: { type: JSON_TYPE, body: jsonBytes(payload.agent_card) },
    };
  if (messages !== undefined) {
    const server = url ?? (one.transport === "a2a" ? `${A2A_AGENT}/a2a` : MCP_SERVER);
    const isAnswer = messages.some((message) => !("method" in message));
    const said = isAnswer ? [{ jsonrpc: "2.0", id: 1, method: "tools/list" }] : messages;
    return {
      kind: "http",
      way,
      asks: said.map((message) => ({
        method: "POST",
        url: server,
        headers: { "Content-Type": JSON_TYPE, Accept: "application/json, text/event-stream" },
        body: jsonBytes(message),
      })),
      reply: {
        type: JSON_TYPE,
        body: isAnswer ? jsonBytes(messages[0]) : jsonBytes({ jsonrpc: "2.0", id: 1, result: {} }),
      },
    };
  }
  if (url === undefined) throw new Error(`${one.id}: a payload of ${one.input_type} without a url`);
  return {
    kind: "http",
    way,
    asks: [
      {
        method,
        url,
        headers: { ...(type === undefined ? {} : { "Content-Type": type }), ...headers },
        body: body === undefined ? null : Buffer.from(body),
      },
    ],
    reply:
      payload.response_body === undefined
        ? PLAIN_REPLY
        : { type: "text/html; charset=utf-8", body: Buffer.from(payload.response_body) },
  };
}

/** Everything that must arrive for the case's payload to be where it was sent. */
export function unitsOf(errand: Errand): number {
  if (errand.kind === "http") return errand.asks.length;
  return errand.frames.filter(({ fin, opcode, payload }) => fin && (opcode !== "close" || payload !== ""))
    .length;
}

const jsonBytes = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

const COMES_IN: ReadonlySet<Case["input_type"]> = new Set([
  "response_content",
  "mcp_tool_result",
  "mcp_tool_definition",
  "a2a_agent_card",
]);
const NO_STDIO =
  "a local MCP server talks to its agent over pipes inside the sandbox, and no gateway lies between them: what either " +
  "then sends out of the sandbox is judged as HTTP or WebSocket, which are other cases";
const REPLIES =
  "replies and definitions reach the agent as they came: the gateway reads them for the record and judges only what " +
  "leaves";

/**
 * Why the product has no door for the case; null when it has. An answer about a block-case follows the suite's rule: what
 * `requires` names and the tool's profile does not support makes it not applicable. An allow-case needs nothing but its
 * transport: it is always run, as whatever the product does not read it must not break either.
 */
export function whyNotApplicable(one: Case, supports: Readonly<Record<string, boolean>>): string | null {
  if (one.transport === "mcp_stdio" && supports["mcp_stdio"] !== true) return NO_STDIO;
  if (supports[one.transport] !== true) return `the product has no ${one.transport} transport`;
  if (one.expected_verdict === "allow") return null;
  if (COMES_IN.has(one.input_type) && supports["response_scanning"] !== true) return REPLIES;
  const missing = one.requires.filter((need) => supports[need] !== true);
  return missing.length === 0 ? null : `the product does not support ${missing.join(", ")}`;
}
