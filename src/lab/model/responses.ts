/** OpenAI Responses (platform.openai.com/docs/api-reference/responses), over SSE and WebSocket. */
import { words } from "./answer.ts";
import { isThere, type Loose, listOf, textOf } from "./loose.ts";
import { nextMove, type OfferedTool, type Script } from "./plan.ts";

/** What an earlier response of the same WebSocket already knew: its client sends only what is new. */
export interface Known {
  readonly tools: readonly OfferedTool[];
  readonly results: number;
}

export interface ResponsesEvent {
  readonly type: string;
  readonly [field: string]: unknown;
}

export interface ResponsesAnswer {
  readonly id: string;
  readonly events: readonly ResponsesEvent[];
  /** The whole response, for a request that does not stream. */
  readonly final: object;
  readonly known: Known;
}

const RESULT = /^(function_call_output|custom_tool_call_output|local_shell_call_output|shell_call_output)$/;

export function answerResponses(script: Script, body: Loose, prior: Known | undefined): ResponsesAnswer {
  const input = listOf(body.at("input"));
  // Codex carries its tools inside the input (`additional_tools`), others in `tools`.
  const lists = [body.at("tools"), ...input.filter(isToolList).map((item) => item.at("tools"))];
  const tools = [...lists.flatMap(toolsIn), ...(prior?.tools ?? [])];
  const results =
    input.filter((item) => RESULT.test(textOf(item.at("type")) ?? "")).length + (prior?.results ?? 0);
  const move = nextMove(script, tools, results, isThere(body.at("text").at("format")));

  const id = script.newId("resp_");
  const response = {
    id,
    object: "response",
    created_at: Math.floor(Date.now() / 1000),
    model: textOf(body.at("model")) ?? "scripted",
    output: [],
    parallel_tool_calls: false,
    tools: [],
    status: "in_progress",
    error: null,
    incomplete_details: null,
  };
  const turn = "call" in move ? callItem(script, move.call) : messageItem(script, move.say);
  const final = { ...response, status: "completed", output: [turn.item], usage: USAGE };
  const events = [
    { type: "response.created", response },
    { type: "response.in_progress", response },
    { type: "response.output_item.added", output_index: 0, item: { ...turn.item, ...turn.opening } },
    ...turn.middle,
    { type: "response.output_item.done", output_index: 0, item: turn.item },
    { type: "response.completed", response: final },
  ].map((event, number) => ({ ...event, sequence_number: number }));
  return { id, events, final, known: { tools, results } };
}

const USAGE = {
  input_tokens: 1000,
  input_tokens_details: { cached_tokens: 0 },
  output_tokens: 20,
  output_tokens_details: { reasoning_tokens: 0 },
  total_tokens: 1020,
};

interface Turn {
  readonly item: object;
  /** How the item differs when it is first announced. */
  readonly opening: object;
  readonly middle: readonly ResponsesEvent[];
}

function callItem(script: Script, call: { name: string; args: object; source: string | null }): Turn {
  const callId = script.newId("call_");
  if (call.source !== null) {
    const id = script.newId("ctc_");
    const at = { item_id: id, output_index: 0 };
    return {
      item: {
        type: "custom_tool_call",
        id,
        call_id: callId,
        name: call.name,
        input: call.source,
        status: "completed",
      },
      opening: { input: "", status: "in_progress" },
      middle: [
        { type: "response.custom_tool_call_input.delta", ...at, delta: call.source },
        { type: "response.custom_tool_call_input.done", ...at, input: call.source },
      ],
    };
  }
  const id = script.newId("fc_");
  const at = { item_id: id, output_index: 0 };
  const args = JSON.stringify(call.args);
  return {
    item: {
      type: "function_call",
      id,
      call_id: callId,
      name: call.name,
      arguments: args,
      status: "completed",
    },
    opening: { arguments: "", status: "in_progress" },
    middle: [
      { type: "response.function_call_arguments.delta", ...at, delta: args },
      { type: "response.function_call_arguments.done", ...at, arguments: args },
    ],
  };
}

function messageItem(script: Script, say: string): Turn {
  const id = script.newId("msg_");
  const part = { type: "output_text", text: say, annotations: [] };
  const at = { item_id: id, output_index: 0, content_index: 0 };
  return {
    item: { type: "message", id, role: "assistant", status: "completed", content: [part] },
    opening: { content: [], status: "in_progress" },
    middle: [
      { type: "response.content_part.added", ...at, part: { ...part, text: "" } },
      ...words(say).map((word) => ({ type: "response.output_text.delta", ...at, delta: word })),
      { type: "response.output_text.done", ...at, text: say },
      { type: "response.content_part.done", ...at, part },
    ],
  };
}

const isToolList = (item: Loose): boolean => item.at("type").value === "additional_tools";

/** The tools of a list; `namespace` entries nest theirs. */
function toolsIn(list: Loose): readonly OfferedTool[] {
  return listOf(list).flatMap((tool): readonly OfferedTool[] => {
    const type = tool.at("type").value;
    if (type === "namespace") return toolsIn(tool.at("tools"));
    const name = textOf(tool.at("name")) ?? (type === "local_shell" ? "local_shell" : null);
    return name === null ? [] : [{ name, schema: tool.at("parameters"), free: type === "custom" }];
  });
}
