/**
 * OpenAI Responses: platform.openai.com/docs/api-reference/responses (read November 2026), over HTTP and as the frames
 * of a WebSocket (`response.create` with `previous_response_id` and only what is new). Codex puts its tools into
 * `input[0]` (`additional_tools`) and calls them from JavaScript (custom tool `exec`).
 */
import { blocks, type Fields, ofObject, type Protocol, textOf, whole, without } from "./protocol.ts";
import type { Role } from "./request.ts";
import { codeUse, toolUse } from "./tool.ts";
import type { CalledTool, Cut } from "./unit.ts";

export const openaiResponses: Protocol = {
  name: "openai-responses",
  demands: ["input", "prompt", "previous_response_id", "type"],
  cut: (member, value) => {
    if (member === "input") return ofObject(value, item);
    if (member === "instructions") return whole(value, "system");
    if (member === "tools") return whole(value, "definition");
    return whole(value, "metadata");
  },
};

const ROLES: Readonly<Record<string, Role>> = {
  system: "system",
  developer: "system",
  user: "user",
  assistant: "assistant",
};

function item(fields: Fields): readonly Cut[] {
  const type = textOf(fields["type"]) ?? "message";
  if (type === "additional_tools") return whole(fields, "definition");
  if (type.endsWith("_output")) {
    const result = { id: idOf(fields), name: null };
    const rest = { pointer: "", value: without(fields, "output"), role: "metadata" } as const;
    return [{ pointer: "/output", value: fields["output"], role: "tool", result }, rest];
  }
  const call = callOf(fields);
  if (call !== null) return [{ pointer: "", value: fields, role: "assistant", call }];
  const role = ROLES[textOf(fields["role"]) ?? ""] ?? (type === "reasoning" ? "assistant" : "user");
  return [
    ...blocks("/content", fields["content"], role),
    ...blocks("/summary", fields["summary"], role),
    { pointer: "", value: without(fields, "content", "summary"), role: "metadata" },
  ];
}

const idOf = (fields: Fields): string | null => textOf(fields["call_id"]) ?? textOf(fields["id"]);

/** The tool call that an item is, in a request or in a reply; null when it is none. */
export function callOf(fields: Fields): CalledTool | null {
  const type = textOf(fields["type"]) ?? "";
  if (!type.endsWith("_call")) return null;
  const name = textOf(fields["name"]) ?? type.replace(/_call$/, "");
  const use =
    type === "custom_tool_call"
      ? codeUse(textOf(fields["input"]) ?? "")
      : toolUse(name, fields["arguments"] ?? fields["action"]);
  return { id: idOf(fields), name, use };
}
