/** OpenAI Chat Completions (platform.openai.com/docs/api-reference/chat). */
import { type Answer, pieces, type ReplyEvent, words } from "./answer.ts";
import { isThere, type Loose, listOf, textOf } from "./loose.ts";
import { nextMove, type Script } from "./plan.ts";

export function answerChat(script: Script, body: Loose): Answer {
  const tools = listOf(body.at("tools"))
    .filter((tool) => tool.at("type").value === "function")
    .map((tool) => ({
      name: textOf(tool.at("function").at("name")) ?? "",
      schema: tool.at("function").at("parameters"),
      free: false,
    }));
  const results = listOf(body.at("messages")).filter((m) => m.at("role").value === "tool").length;
  const move = nextMove(script, tools, results, isThere(body.at("response_format")));

  const id = script.newId("chatcmpl-");
  const created = Math.floor(Date.now() / 1000);
  const model = textOf(body.at("model")) ?? "scripted";
  const usage = { prompt_tokens: 1000, completion_tokens: 20, total_tokens: 1020 };
  const finish = "call" in move ? "tool_calls" : "stop";
  const call =
    "call" in move
      ? {
          id: script.newId("call_"),
          type: "function",
          name: move.call.name,
          arguments: JSON.stringify(move.call.args),
        }
      : null;
  if (body.at("stream").value !== true) {
    const message = {
      role: "assistant",
      content: "say" in move ? move.say : null,
      ...(call && {
        tool_calls: [
          { id: call.id, type: call.type, function: { name: call.name, arguments: call.arguments } },
        ],
      }),
    };
    const choices = [{ index: 0, message, finish_reason: finish }];
    return { json: { id, object: "chat.completion", created, model, choices, usage } };
  }
  const chunk = (choices: readonly object[], more: object = {}): ReplyEvent => ({
    name: null,
    data: { id, object: "chat.completion.chunk", created, model, choices, ...more },
  });
  const delta = (fields: object, reason: string | null = null): ReplyEvent =>
    chunk([{ index: 0, delta: fields, finish_reason: reason }]);
  const content = call
    ? [
        {
          tool_calls: [
            { index: 0, id: call.id, type: call.type, function: { name: call.name, arguments: "" } },
          ],
        },
        ...pieces(call.arguments).map((piece) => ({
          tool_calls: [{ index: 0, function: { arguments: piece } }],
        })),
      ]
    : words("say" in move ? move.say : "").map((word) => ({ content: word }));
  return {
    events: [
      delta({ role: "assistant", content: "" }),
      ...content.map((fields) => delta(fields)),
      delta({}, finish),
      chunk([], { usage }),
      { name: null, data: "[DONE]" },
    ],
  };
}
