/** Bedrock Converse and ConverseStream (docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html). */
import { type Answer, pieces, type ReplyEvent, words } from "./answer.ts";
import { isThere, type Loose, listOf, textOf } from "./loose.ts";
import { nextMove, type Script } from "./plan.ts";

const USAGE = { inputTokens: 1000, outputTokens: 20, totalTokens: 1020 };
const METRICS = { latencyMs: 1 };

export function answerConverse(script: Script, body: Loose, stream: boolean): Answer {
  const tools = listOf(body.at("toolConfig").at("tools"))
    .map((tool) => tool.at("toolSpec"))
    .map((spec) => ({
      name: textOf(spec.at("name")) ?? "",
      schema: spec.at("inputSchema").at("json"),
      free: false,
    }));
  const blocks = listOf(body.at("messages")).flatMap((message) => listOf(message.at("content")));
  const results = blocks.filter((block) => isThere(block.at("toolResult"))).length;
  const move = nextMove(script, tools, results, false);
  const stopReason = "call" in move ? "tool_use" : "end_turn";
  const toolUse = "call" in move ? { toolUseId: script.newId("tooluse_"), name: move.call.name } : null;
  if (!stream) {
    const block = "call" in move ? { toolUse: { ...toolUse, input: move.call.args } } : { text: move.say };
    const output = { message: { role: "assistant", content: [block] } };
    return { json: { output, stopReason, usage: USAGE, metrics: METRICS } };
  }
  const deltas =
    "call" in move
      ? pieces(JSON.stringify(move.call.args)).map((input) => ({ toolUse: { input } }))
      : words(move.say).map((text) => ({ text }));
  const event = (name: string, data: object): ReplyEvent => ({ name, data });
  return {
    events: [
      event("messageStart", { role: "assistant" }),
      ...(toolUse ? [event("contentBlockStart", { contentBlockIndex: 0, start: { toolUse } })] : []),
      ...deltas.map((delta) => event("contentBlockDelta", { contentBlockIndex: 0, delta })),
      event("contentBlockStop", { contentBlockIndex: 0 }),
      event("messageStop", { stopReason }),
      event("metadata", { usage: USAGE, metrics: METRICS }),
    ],
  };
}
