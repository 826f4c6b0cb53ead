import { connect } from "node:net";
import { afterEach, describe, expect, it, test } from "vitest";
import { randomIds } from "./answer.ts";
import { loose } from "./loose.ts";
import { nextMove, type OfferedTool, type Plan } from "./plan.ts";
import { type ScriptedModel, type ScriptedModelOptions, startScriptedModel } from "./server.ts";
import { frame } from "./websocket.ts";

let model: ScriptedModel | undefined;
const start = async (options: Partial<ScriptedModelOptions> = {}): Promise<ScriptedModel> => {
  model = await startScriptedModel({ cwd: "/w", ...options });
  return model;
};
afterEach(async () => {
  await model?.close();
  model = undefined;
});

const post = (path: string, body: object): Promise<Response> =>
  fetch(`${model?.url}${path}`, { method: "POST", body: JSON.stringify(body) });

const tool = (name: string, ...keys: string[]): OfferedTool => ({
  name,
  free: false,
  schema: loose({ properties: Object.fromEntries(keys.map((k) => [k, { type: "string" }])), required: keys }),
});
const CLAUDE = [
  tool("Bash", "command", "description"),
  tool("Read", "file_path"),
  tool("Edit", "file_path", "old_string", "new_string"),
  tool("Write", "file_path", "content"),
];
const plan = (step: Plan["steps"][number]): Plan => ({ steps: [step], final: "done" });
const change = { kind: "edit", path: "a.txt", before: "one", after: "two" } as const;

describe("a step becomes the call of a tool that the agent offers", () => {
  const free: OfferedTool = { name: "exec", free: true, schema: loose(undefined) };
  test.each<[string, readonly OfferedTool[], Plan["steps"][number], string, unknown]>([
    ["claude reads", CLAUDE, { kind: "read", path: "a.txt" }, "Read", { file_path: "/w/a.txt" }],
    ["claude edits", CLAUDE, change, "Edit", { file_path: "/w/a.txt", old_string: "one", new_string: "two" }],
    ["claude writes", CLAUDE, { ...change, before: "" }, "Write", { file_path: "/w/a.txt", content: "two" }],
    [
      "claude runs",
      CLAUDE,
      { kind: "shell", command: "ls" },
      "Bash",
      { command: "ls", description: "scripted test step" },
    ],
    [
      "gemini edits",
      [tool("replace", "file_path", "instruction", "old_string", "new_string")],
      change,
      "replace",
      { file_path: "/w/a.txt", instruction: "scripted test step", old_string: "one", new_string: "two" },
    ],
    [
      "opencode edits",
      [tool("edit", "filePath", "oldString", "newString")],
      change,
      "edit",
      { filePath: "/w/a.txt", oldString: "one", newString: "two" },
    ],
    [
      "copilot creates",
      [tool("create", "path", "file_text")],
      { ...change, before: "" },
      "create",
      { path: "/w/a.txt", file_text: "two" },
    ],
    [
      "a shell alone edits",
      [tool("bash", "command")],
      change,
      "bash",
      { command: "sed -i 's/one/two/' 'a.txt'" },
    ],
    [
      "a shell alone reads",
      [tool("bash", "command")],
      { kind: "read", path: "it's" },
      "bash",
      { command: "cat 'it'\\''s'" },
    ],
    ["codex writes JavaScript", [free], { kind: "shell", command: "ls" }, "exec", {}],
  ])("%s", (_, tools, step, name, args) => {
    expect(nextMove({ plan: plan(step), cwd: "/w", newId: randomIds }, tools, 0, false)).toMatchObject({
      call: { name, args },
    });
  });

  it("ends with the final text when every step has a result", () => {
    expect(nextMove({ plan: plan(change), cwd: "/w", newId: randomIds }, CLAUDE, 1, false)).toEqual({
      say: "done",
    });
  });
});

const anthropicTools = [{ name: "Read", input_schema: { properties: { file_path: {} } } }];

describe("every dialect carries the same plan", () => {
  test.each([
    ["/v1/messages?beta=true", { tools: anthropicTools, messages: [] }, /"tool_use".*"Read"/],
    [
      "/v1/messages",
      { tools: anthropicTools, messages: [], stream: true },
      /input_json_delta[\s\S]*message_stop/,
    ],
    ["/x:streamRawPredict", { tools: anthropicTools, messages: [] }, /message_stop/],
    ["/model/anthropic.claude-v4%3A0/invoke", { tools: anthropicTools, messages: [] }, /"tool_use".*"Read"/],
    [
      "/model/anthropic.claude-v4%3A0/invoke-with-response-stream",
      { tools: anthropicTools, messages: [] },
      /:event-type[\s\S]*"bytes"/,
    ],
    ["/model/m/converse", { messages: [] }, /"output".*Scripted test/],
    [
      "/model/m/converse-stream",
      { toolConfig: { tools: [{ toolSpec: { name: "read" } }] } },
      /toolUse[\s\S]*metadata/,
    ],
    ["/v1/messages/count_tokens", { messages: [] }, /input_tokens/],
    [
      "/v1/chat/completions",
      { tools: [{ type: "function", function: { name: "view" } }] },
      /"tool_calls".*"view"/,
    ],
    ["/v1/chat/completions", { stream: true, messages: [] }, /Scripted [\s\S]*\[DONE\]/],
    [
      "/v1/responses",
      { input: [{ type: "additional_tools", tools: [{ type: "custom", name: "exec" }] }] },
      /exec_command/,
    ],
    ["/v1/responses", { stream: true, input: "x" }, /response\.created[\s\S]*response\.completed/],
    [
      "/v1beta/models/g:generateContent",
      { tools: [{ functionDeclarations: [{ name: "read_file" }] }] },
      /functionCall/,
    ],
    ["/v1beta/models/g:streamGenerateContent?alt=sse", { contents: [] }, /finishReason/],
  ])("%s", async (path, body, expected) => {
    await start();
    const response = await post(path, body);
    expect(response.status).toBe(200);
    expect(await response.text()).toMatch(expected);
  });

  it("remembers over a WebSocket what later frames leave out", async () => {
    const { url } = await start();
    const messages: string[] = [];
    const socket = new WebSocket(`${url.replace("http", "ws")}/v1/responses`);
    const completed = (): Promise<{ response: { id: string; output: { type: string }[] } }> =>
      new Promise((done) => {
        socket.onmessage = ({ data }) => {
          messages.push(String(data));
          const event = JSON.parse(String(data));
          if (event.type === "response.completed") done(event);
        };
      });
    await new Promise((open) => socket.addEventListener("open", open));
    const say = (fields: object): void => socket.send(JSON.stringify({ type: "response.create", ...fields }));
    let done = completed();
    say({ input: [{ type: "additional_tools", tools: [{ type: "custom", name: "exec" }] }] });
    const first = await done;
    expect(first.response.output[0]?.type).toBe("custom_tool_call");
    done = completed();
    const results = ["a", "b"].map((output) => ({ type: "custom_tool_call_output", output }));
    say({ previous_response_id: first.response.id, input: results });
    expect((await done).response.output[0]?.type).toBe("message");
    socket.close();
  });

  it("reads a frame split at every byte", async () => {
    const { url } = await start();
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    socket.setNoDelay(true);
    const received = new Promise<string>((done) => {
      let all = "";
      socket.on("data", (chunk) => {
        all += chunk.toString("latin1");
        if (all.includes("response.completed")) done(all);
      });
    });
    const payload = Buffer.from(JSON.stringify({ type: "response.create", input: "hi" }));
    const bytes = Buffer.concat([
      Buffer.from(
        "GET /v1/responses HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: a\r\n\r\n",
      ),
      frame(0x81, payload),
    ]);
    for (const byte of bytes) socket.write(Buffer.of(byte));
    expect(await received).toContain("101 Switching Protocols");
    socket.destroy();
  });
});

describe("faults", () => {
  const call = (): Promise<Response> => post("/v1/messages", { messages: [], stream: true });

  test.each([
    ["401", 401],
    ["429", 429],
    ["529", 529],
  ] as const)("%s is the protocol's own error", async (fault, status) => {
    await start({ fault });
    const response = await call();
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ type: "error" });
  });

  it("drop closes before a reply, and by number only the first call", async () => {
    await start({ fault: (number) => (number === 1 ? "drop" : null) });
    await expect(call()).rejects.toThrow();
    expect((await call()).status).toBe(200);
  });

  it("reset breaks the stream in the middle", async () => {
    await start({ fault: "reset" });
    const response = await call();
    expect(response.status).toBe(200);
    await expect(response.text()).rejects.toThrow();
  });

  it("invalid-json keeps its framing", async () => {
    await start({ fault: "invalid-json" });
    const text = await (await call()).text();
    for (const line of text.split("\n").filter((l) => l.startsWith("data: ")))
      expect(() => JSON.parse(line.slice(6))).toThrow();
  });

  it("invalid-sse holds no event", async () => {
    await start({ fault: "invalid-sse" });
    expect(await (await call()).text()).not.toMatch(/^data:/m);
  });

  it("a stream waits where the test says", async () => {
    let release = (): void => undefined;
    const gate = new Promise<void>((open) => {
      release = open;
    });
    await start({ beforeEvent: (index) => (index === 2 ? gate : Promise.resolve()) });
    const reader = (await call()).body?.getReader();
    let text = "";
    while (!text.includes("content_block_start")) text += Buffer.from((await reader?.read())?.value ?? []);
    expect(text).not.toContain("ping");
    release();
    for (let part = await reader?.read(); part && !part.done; part = await reader?.read())
      text += Buffer.from(part.value);
    expect(text).toContain("message_stop");
  });
});

describe("side calls", () => {
  test.each([
    ["HEAD", "/api/hello", 200],
    ["GET", "/v1/models", 200],
    ["GET", "/api/claude_code/settings", 404],
    ["GET", "/backend-api/codex/models", 404],
    ["POST", "/api/event_logging/v2/batch", 200],
    ["POST", "/api/eval/sdk-x", 200],
    ["GET", "/copilot_internal/user", 200],
  ])("%s %s → %i", async (method, path, status) => {
    await start();
    expect((await fetch(`${model?.url}${path}`, { method })).status).toBe(status);
  });

  it("notes what came, with headers in wire case", async () => {
    const heads: unknown[] = [];
    const { requests } = await start({ onRequest: ({ headers }) => heads.push(headers) });
    await post("/v1/messages", { messages: [] });
    expect(requests()).toMatchObject([
      { method: "POST", path: "/v1/messages", bytes: 15, dialect: "anthropic-messages" },
    ]);
    expect(heads).toHaveLength(1);
  });

  test.each(["gzip", "br", "deflate", "zstd"] as const)("replies in %s where accepted", async (encoding) => {
    await start({ encoding });
    const response = await fetch(`${model?.url}/v1/messages`, {
      method: "POST",
      headers: { "accept-encoding": encoding },
      body: JSON.stringify({ messages: [], stream: true }),
    });
    expect(response.headers.get("content-encoding")).toBe(encoding);
    expect(await response.text()).toContain("message_stop");
  });
});
