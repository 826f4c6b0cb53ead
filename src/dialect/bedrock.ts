/**
 * Amazon Bedrock: docs.aws.amazon.com/bedrock/latest/APIReference (read November 2026). InvokeModel carries the
 * model's own body (here Anthropic's), Converse Amazon's; the model is in the path, replies stream in
 * application/vnd.amazon.eventstream. Requests are signed (SigV4), so nothing in them may be changed.
 */
import { anthropicMessages } from "./anthropic.ts";
import { type Fields, fieldsOf, ofObject, type Protocol, textOf, whole, without } from "./protocol.ts";
import { toolUse } from "./tool.ts";
import type { Cut } from "./unit.ts";

export const bedrockInvoke: Protocol = {
  name: "bedrock",
  demands: ["messages", "prompt", "inputText"],
  cut: (member, value) =>
    member === "prompt" || member === "inputText"
      ? whole(value, "user")
      : anthropicMessages.cut(member, value),
};

export const bedrockConverse: Protocol = {
  name: "bedrock",
  variant: "bedrock-converse",
  demands: ["messages"],
  cut: (member, value) => {
    if (member === "messages") return ofObject(value, message);
    if (member === "system") return whole(value, "system");
    if (member === "toolConfig") return whole(value, "definition");
    return whole(value, "metadata");
  },
};

function message(fields: Fields): readonly Cut[] {
  const role = fields["role"] === "assistant" ? "assistant" : "user";
  const content = Array.isArray(fields["content"]) ? fields["content"] : [];
  return [
    ...content.map(
      (value, i) => ({ pointer: `/content/${i}`, value, role, ...block(fieldsOf(value)) }) as const,
    ),
    {
      pointer: "",
      value: Array.isArray(fields["content"]) ? without(fields, "content") : fields,
      role: "metadata",
    },
  ];
}

function block(fields: Fields): Partial<Cut> {
  const call = fieldsOf(fields["toolUse"]);
  const name = textOf(call["name"]);
  if (name !== null)
    return { call: { id: textOf(call["toolUseId"]), name, use: toolUse(name, call["input"]) } };
  if (fields["toolResult"] === undefined) return {};
  return { role: "tool", result: { id: textOf(fieldsOf(fields["toolResult"])["toolUseId"]), name: null } };
}
