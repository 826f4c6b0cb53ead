import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { createDecoder } from "./decoder.ts";
import { refusal, websocketRefusal } from "./refusal.ts";
import { createReplyReader, type ReplyReading } from "./reply.ts";
import type { DialectName } from "./request.ts";

const sse = (events: readonly (readonly [string, object | string])[], newline = "\n"): string =>
  events
    .map(([name, data]) => {
      const text = typeof data === "string" ? data : JSON.stringify(data);
      return `${name === "" ? "" : `event: ${name}${newline}`}data: ${text}${newline}${newline}`;
    })
    .join("");

function read(dialect: DialectName, type: string, ...chunks: readonly (string | Uint8Array)[]): ReplyReading {
  const reader = createReplyReader(dialect, type);
  for (const chunk of chunks) reader.feed(Buffer.from(chunk));
  return reader.end();
}

const ANTHROPIC = sse([
  [
    "message_start",
    {
      type: "message_start",
      message: {
        model: "claude-sonnet-5",
        usage: {
          input_tokens: 10,
          cache_read_input_tokens: 900,
          cache_creation_input_tokens: 90,
          output_tokens: 1,
        },
      },
    },
  ],
  ["ping", { type: "ping" }],
  [
    "content_block_delta",
    { type: "content_block_delta", delta: { type: "text_delta", text: "häß\u2028lich" } },
  ],
  [
    "message_delta",
    { type: "message_delta", delta: { stop_reason: "tool_use" }, usage: { output_tokens: 20 } },
  ],
  ["message_stop", { type: "message_stop" }],
]);
const CHAT = sse([
  ["", { model: "qwen3", choices: [{ delta: { role: "assistant", content: "" }, finish_reason: null }] }],
  ["", { model: "qwen3", choices: [{ delta: { content: "hi" }, finish_reason: null }], usage: null }],
  ["", { model: "qwen3", choices: [{ delta: {}, finish_reason: "stop" }] }],
  [
    "",
    {
      model: "qwen3",
      choices: [],
      usage: { prompt_tokens: 7, completion_tokens: 2, prompt_tokens_details: { cached_tokens: 3 } },
    },
  ],
  ["", "[DONE]"],
]);
const RESPONSES = sse([
  ["response.created", { type: "response.created", response: { model: "gpt-5", status: "in_progress" } }],
  ["response.output_text.delta", { type: "response.output_text.delta", delta: "x" }],
  [
    "response.completed",
    {
      type: "response.completed",
      response: {
        model: "gpt-5",
        status: "completed",
        usage: { input_tokens: 5, input_tokens_details: { cached_tokens: 4 }, output_tokens: 6 },
      },
    },
  ],
]);
const GEMINI = sse([
  ["", { candidates: [{ content: {} }], usageMetadata: { promptTokenCount: 8 }, modelVersion: "gemini-3" }],
  [
    "",
    {
      candidates: [{ finishReason: "STOP" }],
      usageMetadata: {
        promptTokenCount: 8,
        candidatesTokenCount: 2,
        thoughtsTokenCount: 3,
        cachedContentTokenCount: 1,
      },
    },
  ],
]);

const STREAMS: readonly (readonly [DialectName, string, ReplyReading])[] = [
  ["anthropic-messages", ANTHROPIC, reading(1000, 20, 900, "claude-sonnet-5", "tool_use")],
  ["openai-chat", CHAT, reading(7, 2, 3, "qwen3", "stop")],
  ["openai-responses", RESPONSES, reading(5, 6, 4, "gpt-5", "completed")],
  ["gemini", GEMINI, reading(8, 5, 1, "gemini-3", "STOP")],
];

function reading(
  input: number,
  output: number,
  cached: number | null,
  model: string | null,
  stop: string | null,
): ReplyReading {
  return {
    usage: { inputTokens: input, outputTokens: output, cachedTokens: cached },
    model,
    region: null,
    stop,
    understood: true,
    calls: [],
    asked: [],
  };
}

describe("where a reply says it was computed", () => {
  it.each([
    [
      "anthropic-messages",
      { type: "message", model: "m", usage: { input_tokens: 1, inference_geo: "us" } },
      "us",
    ],
    ["openai-chat", { model: "m", provider: "DeepInfra", choices: [] }, "DeepInfra"],
    ["openai-chat", { model: "m", choices: [] }, null],
  ] as const)("%s", (dialect, message, region) => {
    expect(read(dialect, "application/json", JSON.stringify(message)).region).toBe(region);
  });
});

describe("a stream's account", () => {
  test.each(STREAMS)("%s", (dialect, stream, expected) => {
    expect(read(dialect, "text/event-stream; charset=utf-8", stream)).toEqual(expected);
  });

  it("is the same for any chunking, any line ends, with or without a byte order mark", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...STREAMS),
        fc.constantFrom("\n", "\r", "\r\n"),
        fc.boolean(),
        fc.array(fc.nat(2000), { maxLength: 30 }),
        ([dialect, stream, expected], newline, bom, cuts) => {
          const bytes = Buffer.from((bom ? "\ufeff" : "") + stream.replaceAll("\n", newline));
          const at = [0, ...cuts.map((cut) => cut % bytes.length), bytes.length].sort((a, b) => a - b);
          const chunks = at.slice(1).map((end, i) => bytes.subarray(at[i], end));
          expect(read(dialect, "text/event-stream", ...chunks)).toEqual(expected);
        },
      ),
    );
  });

  it("does not look into a chunk after it was handed back", () => {
    const reader = createReplyReader("anthropic-messages", "text/event-stream");
    const shared = Buffer.alloc(7);
    const bytes = Buffer.from(ANTHROPIC);
    for (let at = 0; at < bytes.length; at += 7) {
      const size = bytes.copy(shared, 0, at, at + 7);
      reader.feed(shared.subarray(0, size));
      shared.fill(0x58);
    }
    expect(reader.end()).toEqual(reading(1000, 20, 900, "claude-sonnet-5", "tool_use"));
  });

  test.each([
    ["no event at all", "x".repeat(100)],
    ["JSON cut off", 'event: message_start\ndata: {"type":\n\n'],
    ["nothing", ""],
  ])("%s: not understood, and no throw", (_, stream) => {
    expect(read("anthropic-messages", "text/event-stream", stream)).toMatchObject({
      usage: null,
      understood: false,
    });
  });

  it("an error in the stream is the reason it stopped", () => {
    const stream = sse([["error", { type: "error", error: { type: "overloaded_error" } }]]);
    expect(read("anthropic-messages", "text/event-stream", stream).stop).toBe("error");
  });
});

describe("a whole reply's account", () => {
  test.each<[DialectName, object, ReplyReading]>([
    [
      "anthropic-messages",
      { model: "c", stop_reason: "end_turn", usage: { input_tokens: 3, output_tokens: 4 } },
      reading(3, 4, null, "c", "end_turn"),
    ],
    [
      "openai-chat",
      { model: "q", choices: [{ finish_reason: "stop" }], usage: { prompt_tokens: 3, completion_tokens: 4 } },
      reading(3, 4, null, "q", "stop"),
    ],
    [
      "openai-responses",
      {
        model: "g",
        status: "incomplete",
        incomplete_details: { reason: "max_output_tokens" },
        usage: { input_tokens: 3, output_tokens: 4 },
      },
      reading(3, 4, null, "g", "max_output_tokens"),
    ],
    [
      "gemini",
      [
        { modelVersion: "g" },
        {
          candidates: [{ finishReason: "STOP" }],
          usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 4 },
        },
      ],
      reading(3, 4, null, "g", "STOP"),
    ],
    [
      "gemini",
      { response: { modelVersion: "g", usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 4 } } },
      reading(3, 4, null, "g", null),
    ],
    [
      "bedrock",
      { stopReason: "end_turn", usage: { inputTokens: 3, outputTokens: 4, cacheReadInputTokens: 5 } },
      reading(8, 4, 5, null, "end_turn"),
    ],
  ])("%s", (dialect, body, expected) => {
    const text = JSON.stringify(body);
    expect(read(dialect, "application/json", text.slice(0, 9), text.slice(9))).toEqual(expected);
  });

  it("WebSocket messages, one at a time", () => {
    const messages = RESPONSES.split("\n")
      .filter((l) => l.startsWith("data: "))
      .map((l) => l.slice(6));
    expect(read("openai-responses", "websocket", ...messages)).toEqual(
      reading(5, 6, 4, "gpt-5", "completed"),
    );
  });

  it("tool calls that only the reply holds, so that a decoder knows their results", () => {
    const item = {
      type: "custom_tool_call",
      call_id: "c",
      name: "exec",
      input: 'tools.exec_command({cmd:"ls"})',
    };
    const events = [
      { type: "response.output_item.added", item: { ...item, input: "" } },
      { type: "response.output_item.done", item },
      { type: "response.completed", response: { status: "completed", output: [item] } },
    ].map((event) => JSON.stringify(event));
    const calls = [
      { id: "c", name: "exec", use: { kind: "command", reads: null, named: ["tools.exec_command"] } },
    ];
    expect(read("openai-responses", "websocket", ...events).calls).toEqual(calls);
    const stream = events.map((text) => `event: ${JSON.parse(text).type}\ndata: ${text}\n\n`).join("");
    const reply = read("openai-responses", "text/event-stream", stream);
    expect(reply.calls).toEqual(calls);
    const decoder = createDecoder();
    decoder.learn(reply);
    const input = [{ type: "custom_tool_call_output", call_id: "c", output: "out" }];
    const frame = JSON.stringify({ type: "response.create", previous_response_id: "r", input });
    expect(decoder.decodeMessage(Buffer.from(frame)).sources).toEqual({ files: [], commands: 1, others: 0 });
  });

  it("AWS event streams, split anywhere", () => {
    const event = (json: object): Buffer => {
      const name = Buffer.from("\x0b:event-type\x07\x00\x05chunk", "latin1");
      const payload = Buffer.from(
        JSON.stringify({ bytes: Buffer.from(JSON.stringify(json)).toString("base64") }),
      );
      const head = Buffer.alloc(12);
      head.writeUInt32BE(12 + name.length + payload.length + 4, 0);
      head.writeUInt32BE(name.length, 4);
      return Buffer.concat([head, name, payload, Buffer.alloc(4)]);
    };
    const bytes = Buffer.concat([
      event({ type: "message_start", message: { model: "c", usage: { input_tokens: 3, output_tokens: 1 } } }),
      event({ type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 4 } }),
    ]);
    for (let cut = 1; cut < bytes.length; cut += 13) {
      const chunks = [bytes.subarray(0, cut), bytes.subarray(cut)];
      expect(read("bedrock", "application/vnd.amazon.eventstream", ...chunks)).toEqual(
        reading(3, 4, null, "c", "end_turn"),
      );
    }
    const absurd = Buffer.alloc(16, 0xff);
    expect(read("bedrock", "application/vnd.amazon.eventstream", absurd).understood).toBe(false);
  });
});

describe("a refusal is an error of the agent's protocol", () => {
  test.each<[DialectName, object]>([
    ["anthropic-messages", { type: "error", error: { type: "permission_error", message: "no" } }],
    [
      "openai-chat",
      { error: { message: "no", type: "permission_error", param: null, code: "refused_by_policy" } },
    ],
    [
      "openai-responses",
      { error: { message: "no", type: "permission_error", param: null, code: "refused_by_policy" } },
    ],
    ["gemini", { error: { code: 403, message: "no", status: "PERMISSION_DENIED" } }],
    ["bedrock", { message: "no" }],
    ["mcp", { jsonrpc: "2.0", id: null, error: { code: -32000, message: "no" } }],
    ["protobuf", { code: "permission_denied", message: "no" }],
  ])("%s", (dialect, expected) => {
    const { status, headers, body } = refusal(dialect, 403, "no");
    expect(status).toBe(403);
    expect(JSON.parse(Buffer.from(body).toString())).toEqual(expected);
    expect(new Map(headers).get("content-length")).toBe(String(body.length));
  });

  it("plain text where no protocol is known", () => {
    expect(Buffer.from(refusal("opaque", 403, "no").body).toString()).toBe("no\n");
  });

  it("and a frame on a WebSocket", () => {
    expect(JSON.parse(websocketRefusal("openai-responses", "no"))).toMatchObject({
      type: "error",
      error: { message: "no" },
    });
  });
});
