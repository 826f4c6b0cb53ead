// Which commands and changes of files a reply asks for, in each protocol, streamed and whole.
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import type { AskedCall } from "./asked.ts";
import { createReplyReader } from "./reply.ts";
import type { DialectName } from "./request.ts";

const SSE = "text/event-stream";
const events = (...all: readonly object[]): string =>
  all
    .map(
      (event) =>
        `${"type" in event ? `event: ${String(event.type)}\n` : ""}data: ${JSON.stringify(event)}\n\n`,
    )
    .join("");
function asked(dialect: DialectName, type: string, text: string): readonly AskedCall[] {
  const reader = createReplyReader(dialect, type);
  reader.feed(Buffer.from(text));
  return reader.end().asked;
}
const ran = (tool: string, ...commands: readonly string[]): AskedCall => ({
  ...{ tool, number: 1, commands, paths: [] },
});
const wrote = (tool: string, ...paths: readonly string[]): AskedCall => ({
  ...{ tool, number: 1, commands: [], paths },
});

const anthropicStream = (name: string, input: object): string => {
  const json = JSON.stringify(input);
  const pieces = json.match(/.{1,7}/gsu) ?? [];
  return events(
    { type: "message_start", message: { model: "m", usage: { input_tokens: 1 } } },
    { type: "content_block_start", index: 1, content_block: { type: "tool_use", id: "t", name, input: {} } },
    ...pieces.map((partial_json) => ({
      type: "content_block_delta",
      index: 1,
      delta: { type: "input_json_delta", partial_json },
    })),
    { type: "content_block_stop", index: 1 },
    { type: "message_delta", delta: { stop_reason: "tool_use" }, usage: { output_tokens: 3 } },
  );
};
const chatCall = (args: string, whole: boolean): object => {
  const call = { index: 0, id: "c", function: { name: "run_shell_command", arguments: args } };
  return { choices: [{ index: 0, [whole ? "message" : "delta"]: { tool_calls: [call] } }] };
};
const item = {
  type: "function_call",
  name: "shell",
  arguments: JSON.stringify({ command: ["bash", "-lc", "ls -l"] }),
};
const gemini = {
  candidates: [
    { content: { parts: [{ functionCall: { name: "run_shell_command", args: { command: "ls" } } }] } },
  ],
};
const patch = "*** Begin Patch\n*** Update File: src/a.ts\n@@\n-a\n+b\n*** Add File: b.ts\n+x\n*** End Patch";

describe("a reply asks for", () => {
  test.each<[string, DialectName, string, string, readonly AskedCall[]]>([
    [
      "Messages, streamed",
      "anthropic-messages",
      SSE,
      anthropicStream("Bash", { command: 'echo "ä" > a' }),
      [ran("Bash", 'echo "ä" > a')],
    ],
    [
      "Messages, whole",
      "anthropic-messages",
      "application/json",
      JSON.stringify({ content: [{ type: "tool_use", name: "Write", input: { file_path: "/w/a" } }] }),
      [wrote("Write", "/w/a")],
    ],
    [
      "chat, streamed",
      "openai-chat",
      SSE,
      events(
        chatCall('{"comm', false),
        {
          choices: [
            { index: 0, delta: { tool_calls: [{ index: 0, function: { arguments: 'and":"ls"}' } }] } },
          ],
        },
        { choices: [{ index: 0, delta: {}, finish_reason: "tool_calls" }] },
      ),
      [ran("run_shell_command", "ls")],
    ],
    [
      "chat, whole",
      "openai-chat",
      "application/json",
      JSON.stringify(chatCall('{"command":"ls"}', true)),
      [ran("run_shell_command", "ls")],
    ],
    [
      "Responses, streamed: once, though the end tells it again",
      "openai-responses",
      SSE,
      events(
        { type: "response.output_item.done", item },
        { type: "response.completed", response: { status: "completed", output: [item] } },
      ),
      [ran("shell", "ls -l")],
    ],
    [
      "Responses, code",
      "openai-responses",
      "application/json",
      JSON.stringify({
        output: [
          {
            type: "custom_tool_call",
            name: "exec",
            input: `const r = await tools.exec_command({cmd: "cat 'a b'\\n"}); text(JSON.stringify(r));`,
          },
        ],
      }),
      [ran("exec", "cat 'a b'\n")],
    ],
    [
      "Responses, a patch",
      "openai-responses",
      "application/json",
      JSON.stringify({ output: [{ type: "custom_tool_call", name: "apply_patch", input: patch }] }),
      [wrote("apply_patch", "src/a.ts", "b.ts")],
    ],
    ["Gemini", "gemini", SSE, events(gemini), [ran("run_shell_command", "ls")]],
    [
      "Converse, whole",
      "bedrock",
      "application/json",
      JSON.stringify({
        output: { message: { content: [{ toolUse: { name: "bash", input: { command: "ls" } } }] } },
      }),
      [ran("bash", "ls")],
    ],
    [
      "nothing that runs or writes",
      "anthropic-messages",
      SSE,
      anthropicStream("Read", { file_path: "/w/a" }),
      [],
    ],
  ])("%s", (_name, dialect, type, text, expected) => {
    expect(asked(dialect, type, text)).toEqual(expected);
  });

  it("the file that is written, however long what is written", () => {
    const text = anthropicStream("Write", { file_path: "/w/a", content: "x".repeat(200_000) });
    expect(asked("anthropic-messages", SSE, text)).toEqual([wrote("Write", "/w/a")]);
  });

  it("the same, however the stream is cut, and whatever it holds", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.integer({ min: 1, max: 60 }), (command, size) => {
        const reader = createReplyReader("anthropic-messages", SSE);
        const bytes = Buffer.from(anthropicStream("Bash", { command: `x${command}` }));
        for (let at = 0; at < bytes.length; at += size) reader.feed(bytes.subarray(at, at + size));
        const wellFormed = Buffer.from(`x${command}`).toString();
        expect(reader.end().asked).toEqual([ran("Bash", wellFormed)]);
      }),
    );
  });
});
