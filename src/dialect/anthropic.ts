/**
 * Anthropic Messages: platform.claude.com/docs/en/api/messages (read November 2026), also as Bedrock InvokeModel and
 * Vertex rawPredict carry it (model in the path, `anthropic_version` in the body). claude writes members in the order
 * model, messages, system, tools, and has messages of role `system` in the middle of the conversation.
 */
import { withMentions } from "./mention.ts";
import { blocks, type Fields, ofObject, type Protocol, textOf, whole, without } from "./protocol.ts";
import type { Role } from "./request.ts";
import { toolUse } from "./tool.ts";
import type { Cut } from "./unit.ts";

export const anthropicMessages: Protocol = {
  name: "anthropic-messages",
  demands: ["messages", "requests"],
  cut: (member, value) => {
    // A batch: whole requests, each one element.
    if (member === "requests") return whole(value, "user");
    if (member === "messages") return ofObject(value, message);
    if (member === "system") return whole(value, "system");
    if (member === "tools") return whole(value, "definition");
    return whole(value, "metadata");
  },
};

function message(fields: Fields): readonly Cut[] {
  const role = ROLES[textOf(fields["role"]) ?? ""] ?? "user";
  return [
    ...withMentions(blocks("/content", fields["content"], role, block)),
    { pointer: "", value: without(fields, "content"), role: "metadata" },
  ];
}

const ROLES: Readonly<Record<string, Role>> = { assistant: "assistant", system: "system", user: "user" };

function block(fields: Fields): Partial<Cut> {
  const type = textOf(fields["type"]) ?? "";
  // Also server_tool_use and mcp_tool_use, and the results of both.
  if (type.endsWith("tool_use")) {
    const name = textOf(fields["name"]) ?? "";
    return { call: { id: textOf(fields["id"]), name, use: toolUse(name, fields["input"]) } };
  }
  if (type.endsWith("tool_result"))
    return { role: "tool", result: { id: textOf(fields["tool_use_id"]), name: null } };
  return {};
}
