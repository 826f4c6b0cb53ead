// Messages to Chat Completions and back: what can be said is said, what cannot is refused, and any division of a stream
// gives the same events.
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { chatToMessages, messagesToChat } from "./index.ts";

const chat = (
  request: object,
  model: string | null = "own",
): { body: unknown; dropped: readonly string[] } => {
  const { body, dropped } = messagesToChat(Buffer.from(JSON.stringify(request)), model);
  return { body: JSON.parse(body.toString()), dropped };
};
const base = { model: "claude", max_tokens: 5, messages: [{ role: "user", content: "hi" }] };

describe("a request", () => {
  it("with everything that has a counterpart", () => {
    expect(
      chat({
        ...base,
        system: [
          { type: "text", text: "You are", cache_control: { type: "ephemeral" } },
          { type: "text", text: "kind" },
        ],
        temperature: 0.5,
        stop_sequences: ["x"],
        stream: true,
        thinking: { type: "enabled", budget_tokens: 1024 },
        metadata: { user_id: "u" },
        tools: [{ name: "Read", description: "Reads", input_schema: { type: "object" }, cache_control: {} }],
        tool_choice: { type: "tool", name: "Read", disable_parallel_tool_use: true },
        messages: [
          { role: "user", content: "read" },
          { role: "system", content: "the date" },
          {
            role: "assistant",
            content: [
              { type: "thinking", thinking: "hm", signature: "s" },
              { type: "text", text: "ok" },
              { type: "tool_use", id: "t1", name: "Read", input: { path: "a.ts" } },
            ],
          },
          {
            role: "user",
            content: [
              {
                type: "tool_result",
                tool_use_id: "t1",
                is_error: true,
                content: [{ type: "text", text: "gone" }],
              },
              { type: "text", text: "go on" },
              { type: "image", source: { type: "base64", media_type: "image/png", data: "aGk=" } },
            ],
          },
        ],
      }),
    ).toEqual({
      dropped: ["cache_control", "is_error", "metadata", "thinking"],
      body: {
        model: "own",
        max_tokens: 5,
        temperature: 0.5,
        stop: ["x"],
        stream: true,
        stream_options: { include_usage: true },
        tools: [
          {
            type: "function",
            function: { name: "Read", description: "Reads", parameters: { type: "object" } },
          },
        ],
        tool_choice: { type: "function", function: { name: "Read" } },
        parallel_tool_calls: false,
        messages: [
          { role: "system", content: "You are\n\nkind" },
          { role: "user", content: "read" },
          { role: "system", content: "the date" },
          {
            role: "assistant",
            content: "ok",
            tool_calls: [
              { id: "t1", type: "function", function: { name: "Read", arguments: '{"path":"a.ts"}' } },
            ],
          },
          { role: "tool", tool_call_id: "t1", content: "gone" },
          {
            role: "user",
            content: [
              { type: "text", text: "go on" },
              { type: "image_url", image_url: { url: "data:image/png;base64,aGk=" } },
            ],
          },
        ],
      },
    });
  });

  test.each([
    ["any", "required"],
    ["auto", "auto"],
    ["none", "none"],
  ])("tool choice %s is %s", (type, expected) => {
    expect(chat({ ...base, tool_choice: { type } }).body).toMatchObject({ tool_choice: expected });
  });

  test.each<[string, object]>([
    ["a server's own tool", { tools: [{ type: "web_search_20250305", name: "web_search" }] }],
    [
      "a PDF",
      {
        messages: [
          {
            role: "user",
            content: [
              { type: "document", source: { type: "base64", media_type: "application/pdf", data: "" } },
            ],
          },
        ],
      },
    ],
    ["content of an unknown kind", { messages: [{ role: "user", content: [{ type: "hologram" }] }] }],
    [
      "a server's tool in the past",
      { messages: [{ role: "assistant", content: [{ type: "server_tool_use" }] }] },
    ],
    ["a role that there is not", { messages: [{ role: "critic", content: "x" }] }],
    ["messages that are no list", { messages: {} }],
  ])("with %s is refused", (_, more) => {
    expect(() => chat({ ...base, ...more })).toThrow(/Chat Completions, which has no word for/);
  });
});

const chunk = (delta: object, more: object = {}): string =>
  `data: ${JSON.stringify({ id: "chatcmpl-1", model: "own", choices: [{ index: 0, delta, finish_reason: null, ...more }] })}\n\n`;
const USAGE = `data: ${JSON.stringify({ choices: [], usage: { prompt_tokens: 10, completion_tokens: 4, prompt_tokens_details: { cached_tokens: 3 } } })}\n\n`;
const STREAM = [
  chunk({ role: "assistant", content: "" }),
  chunk({ content: "Let me " }),
  chunk({ content: "读取" }),
  chunk({
    tool_calls: [{ index: 0, id: "c1", type: "function", function: { name: "Read", arguments: "" } }],
  }),
  chunk({ tool_calls: [{ index: 0, function: { arguments: '{"path":' } }] }),
  chunk({ tool_calls: [{ index: 0, function: { arguments: '"a.ts"}' } }] }),
  chunk({
    tool_calls: [{ index: 1, id: "c2", type: "function", function: { name: "Bash", arguments: "{}" } }],
  }),
  chunk({}, { finish_reason: "tool_calls" }),
  USAGE,
  "data: [DONE]\n\n",
].join("");

function stream(pieces: readonly Uint8Array[]): { text: string; isWhole: boolean } {
  const translator = chatToMessages(200, "text/event-stream; charset=utf-8", "asked");
  const text = pieces.map((piece) => translator.push(piece)).join("");
  const rest = translator.end();
  return { text: text + rest.text, isWhole: rest.isWhole };
}

const eventsIn = (text: string): Record<string, unknown>[] =>
  [...text.matchAll(/^data: (.*)$/gm)].map((match) => JSON.parse(match[1] ?? ""));

describe("a streamed reply", () => {
  it("is one block at a time, in order, with the reason and the usage at its end", () => {
    const { text, isWhole } = stream([Buffer.from(STREAM)]);
    expect(isWhole).toBe(true);
    expect(eventsIn(text)).toEqual([
      expect.objectContaining({
        type: "message_start",
        message: expect.objectContaining({ id: "msg_1", model: "own" }),
      }),
      { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
      { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Let me " } },
      { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "读取" } },
      { type: "content_block_stop", index: 0 },
      {
        type: "content_block_start",
        index: 1,
        content_block: { type: "tool_use", id: "c1", name: "Read", input: {} },
      },
      {
        type: "content_block_delta",
        index: 1,
        delta: { type: "input_json_delta", partial_json: '{"path":' },
      },
      { type: "content_block_delta", index: 1, delta: { type: "input_json_delta", partial_json: '"a.ts"}' } },
      { type: "content_block_stop", index: 1 },
      {
        type: "content_block_start",
        index: 2,
        content_block: { type: "tool_use", id: "c2", name: "Bash", input: {} },
      },
      { type: "content_block_delta", index: 2, delta: { type: "input_json_delta", partial_json: "{}" } },
      { type: "content_block_stop", index: 2 },
      {
        type: "message_delta",
        delta: { stop_reason: "tool_use", stop_sequence: null },
        usage: { input_tokens: 7, output_tokens: 4, cache_read_input_tokens: 3 },
      },
      { type: "message_stop" },
    ]);
  });

  it("is the same in any division of its bytes", () => {
    const bytes = Buffer.from(STREAM);
    const whole = stream([bytes]);
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 12 }), (cuts) => {
        const at = [0, ...cuts.sort((a, b) => a - b), bytes.length];
        const pieces = at.slice(1).map((end, i) => bytes.subarray(at[i], end));
        expect(stream(pieces)).toEqual(whole);
      }),
      { numRuns: 60 },
    );
  });

  test.each([
    ["broken off", chunk({ content: "half" }), "broke off"],
    ["empty", "", "broke off"],
    [
      "an error in the stream",
      `${chunk({ content: "a" })}data: {"error":{"message":"out of memory"}}\n\n`,
      "out of memory",
    ],
  ])("%s: ends in an error, and not whole", (_, text, words) => {
    const done = stream([Buffer.from(text)]);
    expect(done.isWhole).toBe(false);
    expect(eventsIn(done.text).at(-1)).toMatchObject({
      type: "error",
      error: { message: expect.stringContaining(words) },
    });
  });
});

describe("a whole reply", () => {
  const given = (status: number, body: unknown): { body: unknown; isWhole: boolean } => {
    const translator = chatToMessages(status, "application/json", "asked");
    translator.push(Buffer.from(typeof body === "string" ? body : JSON.stringify(body)));
    const { text, isWhole } = translator.end();
    return { body: JSON.parse(text), isWhole };
  };
  const message = (more: object, finish = "stop"): object => ({
    id: "chatcmpl-9",
    choices: [{ message: { role: "assistant", ...more }, finish_reason: finish }],
    usage: { prompt_tokens: 1, completion_tokens: 2 },
  });

  test.each([
    ["stop", "end_turn"],
    ["length", "max_tokens"],
    ["content_filter", "refusal"],
  ])("ends by %s: %s", (finish, reason) => {
    expect(given(200, message({ content: "x" }, finish)).body).toMatchObject({
      type: "message",
      content: [{ type: "text", text: "x" }],
      stop_reason: reason,
      model: "asked",
      usage: { input_tokens: 1, output_tokens: 2 },
    });
  });

  it("with a tool call", () => {
    const tool_calls = [{ id: "c", type: "function", function: { name: "Read", arguments: '{"a":1}' } }];
    expect(given(200, message({ content: null, tool_calls })).body).toMatchObject({
      content: [{ type: "tool_use", id: "c", name: "Read", input: { a: 1 } }],
      stop_reason: "tool_use",
    });
  });

  test.each([
    [
      "a tool call of no JSON",
      200,
      message({ tool_calls: [{ id: "c", function: { name: "R", arguments: "{" } }] }),
      false,
    ],
    ["no completion", 200, { hello: 1 }, false],
    ["an error", 429, { error: { message: "slow down" } }, true],
    ["an error that is no JSON", 502, "<html>", true],
  ])("%s is an error in Messages' form", (_, status, body, isWhole) => {
    const done = given(status, body);
    expect(done.isWhole).toBe(isWhole);
    expect(done.body).toMatchObject({
      type: "error",
      error: { type: expect.any(String), message: expect.any(String) },
    });
  });
});
