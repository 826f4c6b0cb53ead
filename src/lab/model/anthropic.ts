/** Anthropic Messages (platform.claude.com/docs/en/api/messages), also as Bedrock and Vertex carry it. */
import { type Answer, pieces, type ReplyEvent, words } from "./answer.ts";
import { isThere, type Loose, listOf, textOf } from "./loose.ts";
import { nextMove, type Script } from "./plan.ts";

const USAGE = {
  input_tokens: 1000,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 0,
  output_tokens: 1,
  service_tier: "standard",
};

export function answerMessages(script: Script, body: Loose, stream: boolean): Answer {
  const tools = listOf(body.at("tools")).map((tool) => ({
    name: textOf(tool.at("name")) ?? "",
    schema: tool.at("input_schema"),
    free: false,
  }));
  const blocks = listOf(body.at("messages")).flatMap((message) => listOf(message.at("content")));
  const results = blocks.filter((block) => block.at("type").value === "tool_result").length;
  const move = nextMove(
    script,
    tools,
    results,
    isThere(body.at("output_config")) || isThere(body.at("output_format")),
  );

  const block =
    "call" in move
      ? { type: "tool_use", id: script.newId("toolu_01"), name: move.call.name, input: {} as object }
      : { type: "text", text: "" };
  const stop = "call" in move ? "tool_use" : "end_turn";
  const message = {
    id: script.newId("msg_01"),
    type: "message",
    role: "assistant",
    model: textOf(body.at("model")) ?? "scripted",
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: USAGE,
  };
  if (!stream) {
    const content = "call" in move ? { ...block, input: move.call.args } : { type: "text", text: move.say };
    return {
      json: { ...message, content: [content], stop_reason: stop, usage: { ...USAGE, output_tokens: 20 } },
    };
  }
  const deltas =
    "call" in move
      ? pieces(JSON.stringify(move.call.args)).map((piece) => ({
          type: "input_json_delta",
          partial_json: piece,
        }))
      : words(move.say).map((word) => ({ type: "text_delta", text: word }));
  return {
    events: [
      event({ type: "message_start", message }),
      event({ type: "content_block_start", index: 0, content_block: block }),
      event({ type: "ping" }),
      ...deltas.map((delta) => event({ type: "content_block_delta", index: 0, delta })),
      event({ type: "content_block_stop", index: 0 }),
      event({
        type: "message_delta",
        delta: { stop_reason: stop, stop_sequence: null },
        usage: { output_tokens: 20 },
      }),
      event({ type: "message_stop" }),
    ],
  };
}

const event = (data: { readonly type: string; readonly [field: string]: unknown }): ReplyEvent => ({
  name: data.type,
  data,
});
