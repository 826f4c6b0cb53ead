/**
 * Gemini generateContent, streamGenerateContent and countTokens: ai.google.dev/api/generate-content (read November
 * 2026), on the Gemini API, on Vertex AI, and wrapped in `request` by Code Assist. Names come in camel and snake case.
 */
import { withMentions } from "./mention.ts";
import { blocks, type Fields, fieldsOf, type Protocol, textOf, whole, without } from "./protocol.ts";
import { toolUse } from "./tool.ts";
import type { Cut } from "./unit.ts";

export const gemini: Protocol = {
  name: "gemini",
  demands: ["contents", "generateContentRequest"],
  cut: (member, value) => {
    if (member === "contents") return content(value);
    if (member === "systemInstruction" || member === "system_instruction") return whole(value, "system");
    if (member === "tools") return whole(value, "definition");
    return whole(value, "metadata");
  },
};

export const geminiEmbedding: Protocol = {
  name: "gemini",
  variant: "gemini-embedding",
  demands: ["content", "requests"],
  cut: (_, value) => whole(value, "user"),
};

function content(value: unknown): readonly Cut[] {
  const fields = fieldsOf(value);
  const role = fields["role"] === "model" ? "assistant" : "user";
  if (!Array.isArray(fields["parts"])) return whole(value, role);
  return [
    ...withMentions(blocks("/parts", fields["parts"], role, partCut)),
    { pointer: "", value: without(fields, "parts"), role: "metadata" },
  ];
}

function partCut(part: Fields): Partial<Cut> {
  const call = part["functionCall"] ?? part["function_call"];
  if (call !== undefined) {
    const fields = fieldsOf(call);
    const name = textOf(fields["name"]) ?? "";
    return { call: { id: textOf(fields["id"]), name, use: toolUse(name, fields["args"]) } };
  }
  const response = part["functionResponse"] ?? part["function_response"];
  if (response === undefined) return {};
  const fields = fieldsOf(response);
  return { role: "tool", result: { id: textOf(fields["id"]), name: textOf(fields["name"]) } };
}
