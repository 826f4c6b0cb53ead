/**
 * Refusals in the form that the agent's own protocol has for errors, so that the agent shows the reason instead of a
 * parse error, and does not try again what will be refused again.
 */
import type { DialectName, RawHeaders } from "./request.ts";

export interface Refusal {
  readonly status: number;
  readonly headers: RawHeaders;
  readonly body: Uint8Array;
}

/** `message` is shown to the person; it must hold nothing of the request. */
export function refusal(dialect: DialectName, status: number, message: string): Refusal {
  const body = bodyOf(dialect, status, message);
  const isText = typeof body === "string";
  const bytes = Buffer.from(isText ? body : JSON.stringify(body));
  const headers: (readonly [string, string])[] = [
    ["content-type", isText ? "text/plain; charset=utf-8" : "application/json"],
    ["content-length", String(bytes.length)],
    // Both vendors' SDKs obey it; without it they repeat 408, 409, 429 and all of 5xx.
    ["x-should-retry", "false"],
  ];
  if (dialect === "bedrock") headers.push(["x-amzn-errortype", AWS_TYPES[status] ?? "ValidationException"]);
  return { status, headers, body: bytes };
}

/** The text frame that says so on a Responses WebSocket. */
export function websocketRefusal(dialect: DialectName, message: string): string {
  if (dialect === "mcp") return JSON.stringify(rpcError(message));
  const error = { type: "invalid_request_error", code: "refused_by_policy", message, param: null };
  return JSON.stringify({ type: "error", status: 403, error });
}

function bodyOf(dialect: DialectName, status: number, message: string): object | string {
  switch (dialect) {
    case "anthropic-messages":
      return { type: "error", error: { type: ANTHROPIC_TYPES[status] ?? "api_error", message } };
    case "openai-chat":
    case "openai-responses":
      return {
        error: { message, type: OPENAI_TYPES[status] ?? "api_error", param: null, code: "refused_by_policy" },
      };
    case "gemini":
      return { error: { code: status, message, status: GOOGLE_TYPES[status] ?? "UNKNOWN" } };
    case "bedrock":
      return { message };
    case "mcp":
      return rpcError(message);
    case "telemetry":
    case "upload":
      return { error: { message } };
    case "protobuf":
      // Connect's error form; gRPC clients show the HTTP status.
      return { code: status === 401 ? "unauthenticated" : "permission_denied", message };
    case "opaque":
      return `${message}\n`;
    default:
      return dialect satisfies never;
  }
}

const rpcError = (message: string): object => ({
  jsonrpc: "2.0",
  id: null,
  error: { code: -32_000, message },
});

type Types = Readonly<Record<number, string>>;
const ANTHROPIC_TYPES: Types = {
  400: "invalid_request_error",
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  529: "overloaded_error",
};
const OPENAI_TYPES: Types = {
  400: "invalid_request_error",
  401: "authentication_error",
  403: "permission_error",
  404: "invalid_request_error",
  413: "invalid_request_error",
  429: "rate_limit_error",
};
const GOOGLE_TYPES: Types = {
  400: "INVALID_ARGUMENT",
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  429: "RESOURCE_EXHAUSTED",
  500: "INTERNAL",
  502: "UNAVAILABLE",
  503: "UNAVAILABLE",
  504: "DEADLINE_EXCEEDED",
};
const AWS_TYPES: Types = {
  400: "ValidationException",
  401: "UnrecognizedClientException",
  403: "AccessDeniedException",
  404: "ResourceNotFoundException",
  429: "ThrottlingException",
  500: "InternalServerException",
  503: "ServiceUnavailableException",
};
