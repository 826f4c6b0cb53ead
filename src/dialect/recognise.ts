/** Which protocol a request speaks: by its path as the vendors publish it, then by the members of its body. */
import { anthropicMessages } from "./anthropic.ts";
import { bedrockConverse, bedrockInvoke } from "./bedrock.ts";
import { openaiChat, openaiInput } from "./chat.ts";
import { gemini, geminiEmbedding } from "./gemini.ts";
import { mcp } from "./mcp.ts";
import type { Protocol } from "./protocol.ts";
import { openaiResponses } from "./responses.ts";
import { isLikelyTelemetryHost, isTelemetryBody, isTelemetryTarget, telemetry } from "./telemetry.ts";

export interface Target {
  /** Lower case, without port. */
  readonly host: string;
  /** Without its query. */
  readonly path: string;
  readonly query: string;
}

export function targetOf(host: string, path: string): Target {
  const mark = path.indexOf("?");
  return {
    host: host.toLowerCase().replace(/:\d+$/, ""),
    path: mark < 0 ? path : path.slice(0, mark),
    query: mark < 0 ? "" : path.slice(mark + 1),
  };
}

const BY_PATH: readonly (readonly [RegExp, Protocol])[] = [
  [/\/messages(\/count_tokens|\/batches)?$/, anthropicMessages],
  [/\/publishers\/anthropic\/models\/[^/]+:(streamR|r)awPredict$/, anthropicMessages],
  [/^\/model\/[^/]+\/(invoke|invoke-with-response-stream|count-tokens)$/, bedrockInvoke],
  [/^\/model\/[^/]+\/converse(-stream)?$/, bedrockConverse],
  [/\/chat\/completions$/, openaiChat],
  [/\/completions$/, openaiChat],
  [/\/(embeddings|moderations)$/, openaiInput],
  [/\/responses(\/compact|\/input_tokens)?$/, openaiResponses],
  [/:(generateContent|streamGenerateContent|countTokens|batchGenerateContent)$/, gemini],
  [/:(embedContent|batchEmbedContents)$/, geminiEmbedding],
  [/\/mcp(\/|$)/, mcp],
];

/** Null when nothing tells. `members`: the names at the top of a JSON body. */
export function recognise({ host, path }: Target, members: ReadonlySet<string>): Protocol | null {
  // Where it goes decides before what it looks like: a telemetry host is no model, whatever path is used on it.
  if (isTelemetryTarget(host, path)) return telemetry;
  for (const [pattern, protocol] of BY_PATH) if (pattern.test(path)) return protocol;
  if (isTelemetryBody(members)) return telemetry;
  if (members.has("jsonrpc")) return mcp;
  if (members.has("messages") && (members.has("anthropic_version") || members.has("system")))
    return anthropicMessages;
  if (members.has("contents")) return gemini;
  if (members.has("model") && members.has("messages")) return openaiChat;
  if (members.has("model") && members.has("input")) return openaiResponses;
  return isLikelyTelemetryHost(host) ? telemetry : null;
}

/** A WebSocket message: there is no path to go by. */
export function recogniseMessage(members: ReadonlySet<string>): Protocol | null {
  if (members.has("jsonrpc")) return mcp;
  const isResponses = members.has("type") && (members.has("input") || members.has("previous_response_id"));
  return isResponses ? openaiResponses : null;
}

/** The model that a path names: Gemini, Vertex, Bedrock, Azure. */
export function modelInPath(path: string): string | null {
  // Bedrock's ids end in `:0`; Google's are followed by `:method`.
  const found = /\/model\/([^/]+)\/|\/models\/([^/:]+)(?::|\/|$)|\/deployments\/([^/]+)\//.exec(path);
  const name = found?.[1] ?? found?.[2] ?? found?.[3];
  if (name === undefined) return null;
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

export const streamsByPath = ({ path, query }: Target): boolean =>
  /:(streamGenerateContent|streamRawPredict)$|\/(invoke-with-response-stream|converse-stream)$/.test(path) ||
  /(^|&)alt=sse(&|$)/.test(query);
