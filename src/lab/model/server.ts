/**
 * A scripted model on loopback: speaks Anthropic Messages, OpenAI Chat Completions and Responses (SSE and WebSocket)
 * and Gemini, and drives any agent through a plan without a key or a network. Also the upstream of tests, so it can
 * misbehave on demand.
 *
 * Measured against claude 2.1.329, codex 0.169, qwen 0.24, gemini 0.61, opencode 1.18, copilot 1.0 (November 2026).
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import zlib from "node:zlib";
import { type Answer, type ReplyEvent, randomIds, steadyIds } from "./answer.ts";
import { answerMessages } from "./anthropic.ts";
import { answerChat } from "./chat.ts";
import { answerConverse } from "./converse.ts";
import { chunkFrame, eventFrame } from "./eventstream.ts";
import { type ModelFault, SLOW_MS } from "./fault.ts";
import { answerGemini } from "./gemini.ts";
import { type Loose, loose, textOf } from "./loose.ts";
import { DEFAULT_PLAN, type Plan, type Script } from "./plan.ts";
import { answerResponses, type Known } from "./responses.ts";
import { acceptWebSocket, type TextSocket } from "./websocket.ts";

const MAX_BODY_BYTES = 128 * 1024 * 1024;

export interface ScriptedRequest {
  /** `WEBSOCKET` for a message on an upgraded connection. */
  readonly method: string;
  /** The Host header: behind a gateway, the host the agent meant. */
  readonly host: string;
  /** With its query. */
  readonly path: string;
  /** Length of the body as it came. */
  readonly bytes: number;
  readonly dialect: string;
}

/** What `onRequest` sees: headers in wire order and case, the body as it came. */
export interface ReceivedRequest extends ScriptedRequest {
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array;
}

export interface ScriptedModelOptions {
  /** Default: read README.md, `echo hi > out.txt`, a final text. */
  readonly plan?: Plan;
  /** The agent's working directory as the agent sees it. */
  readonly cwd: string;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 0: any free port. Null: listen nowhere, serve only what `accept` is given. */
  readonly port?: number | null;
  /** For every model call, or by its number from 1. */
  readonly fault?: ModelFault | ((call: number) => ModelFault | null);
  /** Awaited before every event of a stream but the first. */
  readonly beforeEvent?: (index: number) => Promise<void>;
  /** Encode replies, where the client accepts it. */
  readonly encoding?: "gzip" | "br" | "zstd" | "deflate";
  /** Default `accept`; `refuse` answers 426, which makes Codex fall back to HTTP. */
  readonly websocket?: "accept" | "refuse";
  readonly onRequest?: (request: ReceivedRequest) => void;
  /** The same ids in every session, for comparing sessions. */
  readonly hasSteadyIds?: boolean;
}

export interface ScriptedModel {
  /** `http://host:port`, without a slash at the end. */
  readonly url: string;
  readonly requests: () => readonly ScriptedRequest[];
  /** Serves HTTP on a connection that somebody else accepted (and took the TLS off). */
  readonly accept: (connection: Duplex) => void;
  /** Breaks open connections and stops listening. */
  readonly close: () => Promise<void>;
}

/** Resolves when it listens; rejects with Node's error when the address is taken. */
export async function startScriptedModel(options: ScriptedModelOptions): Promise<ScriptedModel> {
  const seen: ScriptedRequest[] = [];
  const sockets = new Set<Duplex>();
  const state: State = {
    options,
    script: {
      plan: options.plan ?? DEFAULT_PLAN,
      cwd: options.cwd,
      newId: options.hasSteadyIds === true ? steadyIds() : randomIds,
    },
    calls: 0,
    seen,
  };
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    response.on("error", () => undefined); // a client that went away is no news to a script
    receive(state, request, response).catch(() => response.destroy());
  });
  server.on("upgrade", (request, socket, head) => upgrade(state, request, socket, head));
  server.on("connection", (socket: Duplex) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  const host = options.host ?? "127.0.0.1";
  if (options.port !== null)
    await new Promise<void>((ready, failed) => {
      server.once("error", failed);
      server.listen(options.port ?? 0, host, ready);
    });
  // A listening TCP server always has an AddressInfo.
  const port = options.port === null ? 0 : (server.address() as AddressInfo).port;
  return {
    url: `http://${host}:${port}`,
    requests: () => seen,
    accept: (connection) => void server.emit("connection", connection),
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** Owned by one running server. */
interface State {
  readonly options: ScriptedModelOptions;
  readonly script: Script;
  readonly seen: ScriptedRequest[];
  /** Model calls so far. */
  calls: number;
}

async function receive(state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) return void request.destroy();
    chunks.push(chunk);
  }
  const raw = Buffer.concat(chunks);
  const target = targetOf(request);
  const path = target.path.split("?")[0] ?? "";
  const dialect = dialectOf(path);
  note(state, request, { method: request.method ?? "", ...target, bytes: raw.length, dialect }, raw);

  if (dialect === "other") return side(request.method ?? "", path, response);
  const fault = faultOf(state, ++state.calls);
  if (fault === "401" || fault === "429" || fault === "529") return errorReply(fault, response);
  if (fault === "drop") return void request.socket.destroy();
  if (fault === "hang") return;
  const body = parsed(decoded(raw, request.headers["content-encoding"]));
  if (body === null) return json(response, 400, problem("invalid_request_error", "the body is not JSON"));
  const answer = answerTo(state.script, path, body);
  await reply(state, request, response, answer, fault, dialect === "bedrock");
}

function answerTo(script: Script, path: string, body: Loose): Answer {
  if (path.endsWith("/count_tokens")) return { json: { input_tokens: 1000 } };
  if (path.endsWith(":countTokens")) return { json: { totalTokens: 1000 } };
  const streams = body.at("stream").value === true;
  if (/\/messages$/.test(path)) return answerMessages(script, body, streams);
  if (/:rawPredict$/.test(path)) return answerMessages(script, body, streams);
  if (/:streamRawPredict$/.test(path)) return answerMessages(script, body, true);
  if (CONVERSE.test(path)) return answerConverse(script, body, path.endsWith("-stream"));
  if (BEDROCK.test(path)) return answerMessages(script, body, path.endsWith("-stream"));
  if (/\/chat\/completions$/.test(path)) return answerChat(script, body);
  if (/\/responses(\/compact)?$/.test(path)) {
    const { events, final } = answerResponses(script, body, undefined);
    return streams ? { events: events.map((data) => ({ name: data.type, data })) } : { json: final };
  }
  return answerGemini(script, body, path.endsWith(":streamGenerateContent"));
}

const CONVERSE = /^\/model\/[^/]+\/converse(-stream)?$/;
const BEDROCK = /^\/model\/[^/]+\/(invoke(-with-response-stream)?|converse(-stream)?)$/;

function dialectOf(path: string): string {
  if (/\/messages(\/count_tokens)?$|:(streamR|r)awPredict$/.test(path)) return "anthropic-messages";
  if (BEDROCK.test(path)) return "bedrock";
  if (/\/chat\/completions$/.test(path)) return "openai-chat";
  if (/\/responses(\/compact)?$/.test(path)) return "openai-responses";
  if (/:((streamG|g)enerateContent|countTokens)$/.test(path)) return "gemini";
  return "other";
}

/** What agents ask beside the model. They all go on after a 404; reports of theirs are taken with a plain 200. */
function side(method: string, path: string, response: ServerResponse): void {
  const isModels = method === "GET" && /\/models$/.test(path) && !path.startsWith("/backend-api/");
  const isReport = method === "POST" && !/\/(plugins|mcp)\b/.test(path);
  if (method === "HEAD") response.writeHead(200).end();
  else if (isModels) json(response, 200, MODELS);
  else if (isReport || path.startsWith("/copilot_internal/")) json(response, 200, {});
  else json(response, 404, problem("not_found_error", "not served by the scripted model"));
}

const MODELS = {
  object: "list",
  has_more: false,
  data: ["claude-sonnet-5", "claude-haiku-4-5", "gpt-5", "qwen3-coder-plus"].map((id) => ({
    id,
    object: "model",
    type: "model",
    display_name: id,
    created: 1,
    created_at: "2025-01-01T00:00:00Z",
    owned_by: "scripted",
  })),
};

const problem = (type: string, message: string): object => ({ type: "error", error: { type, message } });

const ERROR_TYPES = { "401": "authentication_error", "429": "rate_limit_error", "529": "overloaded_error" };

function errorReply(fault: keyof typeof ERROR_TYPES, response: ServerResponse): void {
  if (fault === "429") response.setHeader("retry-after", "1");
  json(response, Number(fault), problem(ERROR_TYPES[fault], `scripted ${fault}`));
}

function json(response: ServerResponse, status: number, body: object): void {
  const bytes = Buffer.from(JSON.stringify(body));
  response
    .writeHead(status, { "content-type": "application/json", "content-length": bytes.length })
    .end(bytes);
}

async function reply(
  state: State,
  request: IncomingMessage,
  response: ServerResponse,
  answer: Answer,
  fault: ModelFault | null,
  isBinary: boolean,
): Promise<void> {
  const isStream = "events" in answer;
  const streamType = isBinary ? "application/vnd.amazon.eventstream" : "text/event-stream; charset=utf-8";
  response.setHeader("content-type", isStream ? streamType : "application/json");
  if (isStream) response.setHeader("cache-control", "no-cache");
  response.setHeader("request-id", `req_scripted_${state.calls}`);
  const out = encoder(state.options.encoding, request, response);
  const frame = (event: ReplyEvent): string | Buffer =>
    isBinary ? binaryFrame(event, request) : sseText(event);
  const texts = isStream ? answer.events.map(frame) : halves(JSON.stringify(answer.json));
  const spoilt = texts.map((text) => (typeof text === "string" ? spoil(text, fault, isStream) : text));
  const stopAt = fault === "stall" || fault === "reset" ? Math.ceil(texts.length / 2) : texts.length;
  response.flushHeaders();
  for (const [index, text] of spoilt.slice(0, stopAt).entries()) {
    if (index > 0) await state.options.beforeEvent?.(index);
    if (fault === "slow") await new Promise((done) => setTimeout(done, SLOW_MS));
    if (response.destroyed) return;
    await out.write(text);
  }
  if (fault === "stall") return;
  if (fault === "reset") return void request.socket.resetAndDestroy();
  out.end();
}

const binaryFrame = ({ name, data }: ReplyEvent, { url = "" }: IncomingMessage): Buffer =>
  CONVERSE.test(url.split("?")[0] ?? "") ? eventFrame(name ?? "", data) : chunkFrame(data);

const sseText = ({ name, data }: ReplyEvent): string =>
  `${name === null ? "" : `event: ${name}\n`}data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`;

const halves = (text: string): readonly string[] => [
  text.slice(0, text.length >> 1),
  text.slice(text.length >> 1),
];

function spoil(text: string, fault: ModelFault | null, isStream: boolean): string {
  if (fault === "invalid-sse") return isStream ? `not an event ${"x".repeat(70_000)}\nnor this\n` : text;
  if (fault === "invalid-json") return isStream ? text.replace(/\}\n\n$/, "\n\n") : text.replace(/\}$/, "");
  return text;
}

interface Out {
  /** Resolves when the bytes are handed to the connection, flushed through the encoder. */
  write(text: string | Buffer): Promise<void>;
  end(): void;
}

function encoder(
  encoding: ScriptedModelOptions["encoding"],
  request: IncomingMessage,
  response: ServerResponse,
): Out {
  const accepts = String(request.headers["accept-encoding"] ?? "");
  if (encoding === undefined || !accepts.includes(encoding))
    return { write: async (text) => void response.write(text), end: () => void response.end() };
  response.setHeader("content-encoding", encoding);
  const made = {
    gzip: () => zlib.createGzip(),
    deflate: () => zlib.createDeflate(),
    br: () => zlib.createBrotliCompress(),
    zstd: () => zlib.createZstdCompress(),
  }[encoding]();
  made.pipe(response);
  return {
    write: (text) =>
      new Promise((written) => {
        made.write(text);
        made.flush(() => written());
      }),
    end: () => void made.end(),
  };
}

// --------------------------------------------------------------------------------------------- Responses over WebSocket

function upgrade(state: State, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  const target = targetOf(request);
  note(state, request, { method: "GET", ...target, bytes: 0, dialect: "openai-responses" }, Buffer.alloc(0));
  if (state.options.websocket === "refuse")
    return void socket.end("HTTP/1.1 426 Upgrade Required\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
  const known = new Map<string, Known>(); // by response id: later frames carry only what is new
  acceptWebSocket(request, socket, head, async (text, peer) => {
    const bytes = Buffer.from(text);
    note(
      state,
      request,
      { method: "WEBSOCKET", ...target, bytes: bytes.length, dialect: "openai-responses" },
      bytes,
    );
    const body = parsed(bytes);
    if (body?.at("type").value === "response.create") await converse(state, body, known, peer);
  });
}

async function converse(
  state: State,
  body: Loose,
  known: Map<string, Known>,
  peer: TextSocket,
): Promise<void> {
  const fault = faultOf(state, ++state.calls);
  if (fault === "hang") return;
  if (fault === "drop") return void peer.raw.destroy();
  if (fault === "401" || fault === "429" || fault === "529") {
    const error = { type: "invalid_request_error", code: fault, message: `scripted ${fault}` };
    return peer.send(JSON.stringify({ type: "error", status: Number(fault), error }));
  }
  const answer = answerResponses(
    state.script,
    body,
    known.get(textOf(body.at("previous_response_id")) ?? ""),
  );
  known.set(answer.id, answer.known);
  // A warm-up frame (`generate: false`) gets its beginning and its end, and no output.
  const warmUp = body.at("generate").value === false;
  const events = warmUp
    ? [
        answer.events[0],
        { type: "response.completed", sequence_number: 1, response: { ...answer.final, output: [] } },
      ]
    : answer.events;
  const stopAt = fault === "stall" || fault === "reset" ? Math.ceil(events.length / 2) : events.length;
  for (const [index, event] of events.slice(0, stopAt).entries()) {
    if (index > 0) await state.options.beforeEvent?.(index);
    if (fault === "slow") await new Promise((done) => setTimeout(done, SLOW_MS));
    const text = JSON.stringify(event);
    peer.send(fault === "invalid-json" || fault === "invalid-sse" ? text.slice(0, -1) : text);
  }
  if (fault === "reset") peer.raw.destroy();
}

// --------------------------------------------------------------------------------------------------------------- inward

function note(state: State, request: IncomingMessage, seen: ScriptedRequest, body: Uint8Array): void {
  state.seen.push(seen);
  if (state.options.onRequest === undefined) return;
  const raw = request.rawHeaders;
  const headers = Array.from(
    { length: raw.length / 2 },
    (_, i) => [raw[2 * i] ?? "", raw[2 * i + 1] ?? ""] as const,
  );
  state.options.onRequest({ ...seen, headers, body });
}

const faultOf = ({ options }: State, call: number): ModelFault | null =>
  typeof options.fault === "function" ? options.fault(call) : (options.fault ?? null);

/** Host and path, also of an absolute-form request line. */
function targetOf(request: IncomingMessage): { readonly host: string; readonly path: string } {
  const line = request.url ?? "";
  if (!/^https?:\/\//.test(line)) return { host: request.headers.host ?? "", path: line };
  const url = new URL(line);
  return { host: url.host, path: url.pathname + url.search };
}

function decoded(body: Buffer, encoding: string | undefined): Buffer {
  try {
    if (encoding === "gzip") return zlib.gunzipSync(body);
    if (encoding === "br") return zlib.brotliDecompressSync(body);
    if (encoding === "deflate") return zlib.inflateSync(body);
    if (encoding === "zstd") return zlib.zstdDecompressSync(body);
  } catch {
    // Not what its header says: read it as it is, which then is no JSON and gets a 400.
  }
  return body;
}

function parsed(body: Buffer): Loose | null {
  try {
    return loose(JSON.parse(body.toString("utf8")));
  } catch {
    return null;
  }
}
