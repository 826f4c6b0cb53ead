/**
 * OpenAI Chat Completions: platform.openai.com/docs/api-reference/chat (read November 2026), as qwen, copilot, cline,
 * Azure and every compatible server speak it; and its predecessor Completions (`prompt`), which editors use to fill in.
 */
import { withMentions } from "./mention.ts";
import {
  blocks,
  type Fields,
  fieldsOf,
  ofObject,
  type Protocol,
  textOf,
  whole,
  without,
} from "./protocol.ts";
import type { Role } from "./request.ts";
import { toolUse } from "./tool.ts";
import type { Cut } from "./unit.ts";

export const openaiChat: Protocol = {
  name: "openai-chat",
  demands: ["messages", "prompt"],
  cut: (member, value) => {
    if (member === "messages") return ofObject(value, message);
    if (member === "prompt" || member === "suffix") return whole(value, "user");
    if (member === "tools" || member === "functions") return whole(value, "definition");
    return whole(value, "metadata");
  },
};

/** Embeddings and moderations: text in `input`. */
export const openaiInput: Protocol = {
  name: "openai-chat",
  variant: "openai-input",
  demands: ["input"],
  cut: (member, value) => whole(value, member === "input" ? "user" : "metadata"),
};

const ROLES: Readonly<Record<string, Role>> = {
  system: "system",
  developer: "system",
  user: "user",
  assistant: "assistant",
  tool: "tool",
  function: "tool",
};

function message(fields: Fields): readonly Cut[] {
  const role = ROLES[textOf(fields["role"]) ?? ""] ?? "user";
  const rest = { pointer: "", value: without(fields, "content", "tool_calls"), role: "metadata" } as const;
  const calls = blocks("/tool_calls", fields["tool_calls"], "assistant", call);
  if (role !== "tool") return [...withMentions(blocks("/content", fields["content"], role)), ...calls, rest];
  // One result for the message, however many blocks it has.
  const result = { id: textOf(fields["tool_call_id"]), name: textOf(fields["name"]) };
  return [{ pointer: "/content", value: fields["content"], role, result }, ...calls, rest];
}

function call(fields: Fields): Partial<Cut> {
  const target = fieldsOf(fields["function"] ?? fields["custom"]);
  const name = textOf(target["name"]) ?? "";
  return {
    call: { id: textOf(fields["id"]), name, use: toolUse(name, target["arguments"] ?? target["input"]) },
  };
}
