import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { createDecoder } from "./decoder.ts";
import type { Decoded, Decoder, RequestView } from "./request.ts";

/** Compares also the small bodies of these tests. */
const newDecoder = (): Decoder => createDecoder({ minComparedBytes: 0 });

const view = (path: string, body: unknown, more: Partial<RequestView> = {}): RequestView => ({
  method: "POST",
  host: "api.example.com",
  path,
  headers: [["Content-Type", "application/json"]],
  body: Buffer.from(typeof body === "string" ? body : JSON.stringify(body)),
  ...more,
});
/** What the body says, and the target as text; its shape and what may be a piece of something are tested apart. */
const isSaid = ({ role }: Decoded["parts"][number]): boolean => role !== "target" && role !== "fragment";
const isSaidOrTarget = ({ role }: Decoded["parts"][number]): boolean => role !== "fragment";
const texts = ({ parts }: Decoded): string[] =>
  parts.filter((p) => isSaid(p) && p.role !== "metadata").map((p) => p.text);
const news = ({ parts }: Decoded): string[] => parts.filter((p) => isSaid(p) && p.isNew).map((p) => p.text);

/** Every string in a value, as a plain walk finds it. */
function allStrings(value: unknown): string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap(allStrings);
}

const anthropic = (messages: unknown[], more: object = {}): object => ({
  model: "claude-sonnet-5",
  messages,
  system: [{ type: "text", text: "You are an agent" }],
  tools: [{ name: "Read", description: "Reads a file", input_schema: { type: "object" } }],
  stream: true,
  ...more,
});
const use = (id: string, name: string, input: object): object => ({
  role: "assistant",
  content: [{ type: "tool_use", id, name, input }],
});
const result = (id: string, content: unknown, more: object = {}): object => ({
  role: "user",
  content: [{ type: "tool_result", tool_use_id: id, content, ...more }],
});

describe("what left: tool results by the call they answer", () => {
  const cases: readonly (readonly [string, string, object, object])[] = [
    [
      "claude",
      "/v1/messages?beta=true",
      anthropic([
        use("t1", "Read", { file_path: "/home/agent/work/src/a.ts" }),
        result("t1", "1\tconst a"),
        use("t2", "Bash", { command: "ls" }),
        result("t2", [{ type: "text", text: "a.ts" }]),
        use("t3", "WebSearch", { query: "x" }),
        result("t3", "found"),
      ]),
      { files: ["src/a.ts"], commands: 1, others: 1 },
    ],
    [
      "qwen",
      "/compatible-mode/v1/chat/completions",
      {
        model: "qwen3-coder-plus",
        messages: [
          {
            role: "assistant",
            content: null,
            tool_calls: [
              {
                id: "c1",
                type: "function",
                function: { name: "read_file", arguments: '{"absolute_path":"/home/agent/work/b.md"}' },
              },
              {
                id: "c2",
                type: "function",
                function: { name: "run_shell_command", arguments: '{"command":"ls"}' },
              },
            ],
          },
          { role: "tool", tool_call_id: "c1", content: "text of b" },
          { role: "tool", tool_call_id: "c2", content: "b.md" },
        ],
      },
      { files: ["b.md"], commands: 1, others: 0 },
    ],
    [
      "copilot",
      "/chat/completions",
      {
        model: "gpt-5",
        messages: [
          {
            role: "assistant",
            tool_calls: [
              { id: "c1", type: "function", function: { name: "view", arguments: '{"path":"/etc/passwd"}' } },
            ],
          },
          { role: "tool", tool_call_id: "c1", content: "root:x" },
        ],
      },
      { files: ["/etc/passwd"], commands: 0, others: 0 },
    ],
    [
      "codex, code mode",
      "/v1/responses",
      {
        model: "gpt-5",
        input: [
          {
            type: "custom_tool_call",
            call_id: "x1",
            name: "exec",
            input: 'await tools.exec_command({cmd: "ls"})',
          },
          { type: "custom_tool_call_output", call_id: "x1", output: "a.ts" },
          { type: "function_call", call_id: "x2", name: "update_plan", arguments: "{}" },
          { type: "function_call_output", call_id: "x2", output: "ok" },
        ],
      },
      { files: [], commands: 1, others: 1 },
    ],
    [
      "gemini, without ids",
      "/v1beta/models/gemini-3:streamGenerateContent?alt=sse",
      {
        contents: [
          {
            role: "model",
            parts: [
              { functionCall: { name: "read_file", args: { file_path: "one.txt" } } },
              { functionCall: { name: "run_shell_command", args: { command: "ls" } } },
              { functionCall: { name: "read_file", args: { file_path: "./sub/../two.txt" } } },
            ],
          },
          {
            role: "user",
            parts: [
              { functionResponse: { name: "read_file", response: { output: "1" } } },
              { functionResponse: { name: "run_shell_command", response: { output: "2" } } },
              { functionResponse: { name: "read_file", response: { output: "3" } } },
            ],
          },
        ],
      },
      { files: ["one.txt", "two.txt"], commands: 1, others: 0 },
    ],
    [
      "bedrock converse",
      "/model/anthropic.claude-v4/converse-stream",
      {
        messages: [
          {
            role: "assistant",
            content: [{ toolUse: { toolUseId: "u1", name: "bash", input: { command: "ls" } } }],
          },
          { role: "user", content: [{ toolResult: { toolUseId: "u1", content: [{ text: "a" }] } }] },
        ],
      },
      { files: [], commands: 1, others: 0 },
    ],
  ];

  test.each(cases)("%s", (_, path, body, sources) => {
    const decoder = createDecoder({ workspace: "/home/agent/work", minComparedBytes: 0 });
    const decoded = decoder.decode(view(path, body));
    expect(decoded).toMatchObject({ understood: true, sources });
    // The same again has nothing new to tell.
    expect(decoder.decode(view(path, body)).sources).toEqual({ files: [], commands: 0, others: 0 });
  });

  test.each<[string, string, object]>([
    [
      "claude",
      "/v1/messages",
      {
        messages: [
          {
            role: "user",
            content:
              '<system-reminder>\nCalled the Read tool with the following input: {"file_path":"/w/README.md"}\n</system-reminder>',
          },
          {
            role: "user",
            content: [
              {
                type: "text",
                text: "<system-reminder>\nResult of calling the Read tool:\n1\t# Sample\n</system-reminder>",
              },
              { type: "text", text: "Look at @README.md" },
            ],
          },
        ],
      },
    ],
    [
      "opencode",
      "/v1/messages",
      {
        messages: [
          {
            role: "user",
            content: [
              { type: "text", text: "Look at @README.md" },
              {
                type: "text",
                text: 'Called the Read tool with the following input: {"filePath":"/w/README.md"}',
              },
              { type: "text", text: "<file>\n# Sample\n</file>" },
            ],
          },
        ],
      },
    ],
    [
      "qwen",
      "/v1/chat/completions",
      {
        messages: [
          {
            role: "user",
            content: [
              "Look at @README.md",
              "\n--- Content from referenced files ---",
              "\nContent from README.md:\n",
              "# Sample\n",
            ].map((text) => ({ type: "text", text })),
          },
        ],
      },
    ],
    [
      "gemini",
      "/m:generateContent",
      {
        contents: [{ role: "user", parts: [{ text: "\nContent from @README.md:\n" }, { text: "# Sample" }] }],
      },
    ],
  ])("a file that the person mentioned: %s", (_, path, body) => {
    const decoder = createDecoder({ workspace: "/w" });
    expect(decoder.decode(view(path, body)).sources).toEqual({
      files: ["README.md"],
      commands: 0,
      others: 0,
    });
  });

  test.each([
    [
      "claude",
      "Codebase instructions.\n\nContents of /w/CLAUDE.md (project instructions, checked into the codebase):\n\nBe nice.",
      ["CLAUDE.md"],
    ],
    [
      "qwen",
      "---\n\n--- Context from: QWEN.md ---\nBe nice.\n--- End of Context from: QWEN.md ---\n\n--- Context from: AGENTS.md ---\nx",
      ["QWEN.md", "AGENTS.md"],
    ],
    ["gemini", "<project_context>\n--- Context from: /w/sub/GEMINI.md ---\nBe nice.", ["sub/GEMINI.md"]],
    ["opencode", "</env>\nInstructions from: /w/AGENTS.md\nBe nice.", ["AGENTS.md"]],
    ["codex", "# AGENTS.md instructions for /w\n\n<INSTRUCTIONS>\nBe nice.", ["AGENTS.md"]],
    ["nobody", "The contents of /w/README.md (see there): none", []],
  ])("instructions that the agent puts in itself: %s", (_, text, files) => {
    const decoder = createDecoder({ workspace: "/w", minComparedBytes: 0 });
    const body = anthropic([{ role: "user", content: text }]);
    expect(decoder.decode(view("/v1/messages", body)).sources.files).toEqual(files);
    expect(decoder.decode(view("/v1/messages", body)).sources.files).toEqual([]);
  });

  test.each([
    [
      "an edit that shows the file (qwen)",
      "edit",
      { file_path: "/w/a.js" },
      "The file: /w/a.js has been updated. Showing lines 1-2 of 2 from the edited file:\n\nx",
      ["a.js"],
    ],
    [
      "an edit that shows the file (gemini)",
      "replace",
      { file_path: "a.js" },
      "Successfully modified file: /w/a.js (1 replacements). Here is the updated code:\nx",
      ["a.js"],
    ],
    [
      "an edit that shows nothing (claude)",
      "Edit",
      { file_path: "/w/a.js" },
      "The file /w/a.js has been updated successfully.",
      [],
    ],
    [
      "a search (claude)",
      "Grep",
      { pattern: "x" },
      "src/a.js:1:const x\nsrc/b.js:20-x\nsrc/a.js:3:x",
      ["src/a.js", "src/b.js"],
    ],
    [
      "a search (gemini)",
      "grep_search",
      { pattern: "x" },
      "Found 1 match for pattern\n---\nFile: src/a.js\nL1: const x\n---",
      ["src/a.js"],
    ],
    [
      "a search (opencode)",
      "grep",
      { pattern: "x" },
      "Found 1 matches\n/w/src/a.js:\n  Line 1: const x",
      ["src/a.js"],
    ],
    ["a search that names files only", "Grep", { pattern: "x" }, "Found 2 files\nsrc/a.js\nsrc/b.js", []],
  ])("results that hold files: %s", (_, name, input, text, files) => {
    const decoder = createDecoder({ workspace: "/w" });
    const body = anthropic([use("t", name, input), result("t", text)]);
    const others = files.length === 0 ? 1 : 0;
    expect(decoder.decode(view("/v1/messages", body)).sources).toEqual({ files, commands: 0, others });
  });

  it("counts what was withdrawn again", () => {
    const decoder = newDecoder();
    const first = view("/v1/messages", anthropic([use("t1", "Bash", {}), result("t1", "out")]));
    decoder.withdraw(decoder.decode(first));
    expect(decoder.decode(first).sources.commands).toBe(1);
    expect(decoder.decode(first).sources.commands).toBe(0);
  });
});

describe("what is new", () => {
  it("is told once, and old text stays in view", () => {
    const decoder = newDecoder();
    const first = decoder.decode(view("/v1/messages", anthropic([{ role: "user", content: "one" }])));
    expect(texts(first)).toEqual(["one", "You are an agent", "Read", "Reads a file"]);
    expect(first.parts.every((part) => part.isNew)).toBe(true);
    const messages = [
      { role: "user", content: "one" },
      { role: "user", content: "two" },
    ];
    const second = decoder.decode(view("/v1/messages", anthropic(messages)));
    expect(texts(second)).toEqual(["one", "two", "You are an agent", "Read", "Reads a file"]);
    expect(news(second)).toEqual(["two"]);
    expect(second.elements.filter((e) => e.isNew)).toHaveLength(1);
  });

  it("what follows a conversation is told as the very same parts, though the body ends in an id of its own", () => {
    const turn = (said: readonly string[], id: string, about = "Reads a file"): RequestView =>
      view(
        "/v1/messages",
        anthropic(
          said.map((content) => ({ role: "user", content })),
          { tools: [{ name: "Read", description: about }, { name: "Write" }], diagnostics: { id } },
        ),
      );
    const decoder = newDecoder();
    const first = decoder.decode(turn(["one"], "req-aaaa"));
    const second = decoder.decode(turn(["one", "two"], "req-bbbb"));
    const whole = newDecoder().decode(turn(["one", "two"], "req-bbbb"));
    expect(second.parts.map(({ pointer, role, text }) => [pointer, role, text])).toEqual(
      whole.parts.map(({ pointer, role, text }) => [pointer, role, text]),
    );
    expect(second.elements.map(({ start, end }) => [start, end])).toEqual(
      whole.elements.map(({ start, end }) => [start, end]),
    );
    const third = decoder.decode(turn(["one", "two", "three"], "req-cccc"));
    const tool = ({ parts }: Decoded): unknown => parts.find(({ text }) => text === "Write");
    expect(tool(third)).toBe(tool(second));
    expect(news(third)).toEqual(["three", "req-cccc"]);
    expect(news(first)).toContain("req-aaaa");
    // Of the same length, and another.
    expect(news(decoder.decode(turn(["one", "two", "three"], "req-cccc", "Reads a disk")))).toEqual([
      "Read",
      "Reads a disk",
    ]);
  });

  it("does not turn on a moved cache mark, nor on a string written as a list", () => {
    const decoder = newDecoder();
    const marked = [
      { type: "text", text: "one", cache_control: { type: "ephemeral", ttl: "1h", scope: "somewhere" } },
    ];
    decoder.decode(view("/v1/messages", anthropic([{ role: "user", content: marked }])));
    const next = decoder.decode(
      view(
        "/v1/messages",
        anthropic([
          { role: "user", content: "one" },
          { role: "user", content: [{ type: "text", text: "two" }] },
        ]),
      ),
    );
    expect(news(next)).toEqual(["two"]);
  });

  it("does not let text hide in a cache mark", () => {
    const decoder = newDecoder();
    const marked = (mark: object): object =>
      anthropic([{ role: "user", content: [{ type: "text", text: "one", cache_control: mark }] }]);
    decoder.decode(view("/v1/messages", marked({ type: "ephemeral" })));
    expect(news(decoder.decode(view("/v1/messages", marked({ type: "exfiltrated" }))))).toEqual([
      "exfiltrated",
    ]);
  });

  it("does not let text pass as media by the name of its field", () => {
    const roles = (block: object): unknown[] =>
      newDecoder()
        .decode(view("/v1/messages", { messages: [{ role: "user", content: [block] }] }))
        .parts.filter((part) => part.text.length > 30)
        .map((part) => part.role);
    const base64 = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk";
    expect(roles({ type: "image", source: { media_type: "image/png", data: base64 } })).toEqual(["encoded"]);
    expect(
      roles({ type: "image", source: { media_type: "image/png", data: `password: hunter2 ${base64}` } }),
    ).toEqual(["user"]);
    expect(roles({ type: "image_url", image_url: { url: `data:image/png;base64,${base64}` } })).toEqual([
      "encoded",
    ]);
    expect(
      roles({ type: "image_url", image_url: { url: `data:text/plain,the password is hunter2 ok` } }),
    ).toEqual(["user"]);
  });

  it("tells every header field, save those in the one form that the protocol gives them", () => {
    const decoder = newDecoder();
    const headers = [
      ["X-Api-Key", "sk-key"],
      ["Authorization", "Bearer t"],
      ["Cookie", "a=b"],
      ["X-Note", "text"],
      ["Host", "API.example.com"],
      ["Content-Type", "application/json; charset=utf-8"],
      ["Accept", "text/event-stream, */*;q=0.8"],
      ["Accept-Encoding", "gzip, br;q=0.5"],
      ["X-Amz-Date", "20261120T000000Z"],
      ["Connection", "close, somethinghidden12345"],
      ["Date", "hidden"],
      ["X-A-Name-That-Says-Something-Itself", "1"],
      ["anthropic-beta", "claude-code-20250219,mid-conversation-tool-changes-2026-07-01,effort-2025-11-24"],
    ] as const;
    const first = decoder.decode(view("/v1/messages", { messages: [] }, { headers }));
    expect(first.parts.filter(isSaidOrTarget).map(({ role, text }) => [role, text])).toEqual([
      ["metadata", "api.example.com/v1/messages"],
      ["target", "API.example.com /v1/messages"],
      ["credential", "sk-key"],
      ["credential", "Bearer t"],
      ["credential", "a=b"],
      ["metadata", "text"],
      ["metadata", "close, somethinghidden12345"],
      ["metadata", "hidden"],
      ["metadata", "X-A-Name-That-Says-Something-Itself"],
      ["metadata", "1"],
    ]);
    expect(news(decoder.decode(view("/v1/messages", { messages: [] }, { headers })))).toEqual([]);
  });

  const fragments = ({ parts }: Decoded): string[] =>
    parts.filter(({ role }) => role === "fragment").map(({ text }) => text);

  it("a text in pieces: what requests to one host may hold together stands side by side", () => {
    const decoder = newDecoder();
    const get = (path: string): Decoded => decoder.decode(view(path, "", { method: "GET" }));
    expect(fragments(get("/c?n=1&d=first_piece"))).toEqual([]);
    expect(fragments(get("/c?n=2&d=second_piece"))).toEqual(["first_piece", "second_piece"]);
    // Sent twice, it is one piece.
    expect(fragments(get("/c?n=2&d=second_piece")).at(0)).toBe("first_piecesecond_piece");
    const third = get("/c?n=3&d=third_piece");
    expect(fragments(third)).toEqual([
      ...["first_piecesecond_piece", "third_piece"],
      ...["second_piece", "third_piece"],
    ]);
    decoder.withdraw(third);
    expect(fragments(get("/c?n=3&d=other_piece")).slice(0, 2)).toEqual([
      "first_piecesecond_piece",
      "other_piece",
    ]);
    expect(
      fragments(newDecoder().decode(view("/c?a=front_half&b=back_half", "", { method: "GET" }))),
    ).toEqual(["front_half", "back_half"]);
    const elsewhere = decoder.decode({ ...view("/c?d=alone", "", { method: "GET" }), host: "b.example.com" });
    expect(fragments(elsewhere)).toEqual([]);
  });

  it("messages of a WebSocket too, whatever numbers them; a conversation with a model never", () => {
    const decoder = newDecoder();
    decoder.decodeMessage(Buffer.from("part1: abcdefgh"));
    expect(fragments(decoder.decodeMessage(Buffer.from('{"n":2,"piece":"ijklmnop"}')))).toEqual([
      "abcdefgh",
      "ijklmnop",
    ]);
    const turn = anthropic([{ role: "user", content: "hello" }]);
    decoder.decode(view("/v1/messages", turn));
    expect(fragments(decoder.decode(view("/v1/messages", turn)))).toEqual([]);
  });

  it("turns on the role: the same text as a tool result is a disclosure of its own", () => {
    const decoder = newDecoder();
    decoder.decode(
      view("/v1/messages", anthropic([{ role: "user", content: "same" }, use("t1", "Bash", {})])),
    );
    const next = decoder.decode(
      view(
        "/v1/messages",
        anthropic([{ role: "user", content: "same" }, use("t1", "Bash", {}), result("t1", "same")]),
      ),
    );
    expect(next.sources.commands).toBe(1);
  });

  describe("whose content a part is", () => {
    const command = (text: string, name = "run_shell_command"): object[] => [
      use("t1", name, { command: text }),
      result("t1", "the output"),
    ];
    const sourceOf = (messages: readonly object[]): object => {
      const decoder = createDecoder({ workspace: "/home/agent/work", minComparedBytes: 0 });
      const first = { role: "user", content: "go" };
      const told = [
        anthropic([first, ...messages]),
        anthropic([first, ...messages, { role: "user", content: "on" }]),
        anthropic([...messages, { role: "user", content: "on" }]),
      ].map((body) => {
        const part = decoder
          .decode(view("/v1/messages", body))
          .parts.find(({ text }) => text === "the output");
        return { files: part?.files ?? [], named: part?.named ?? [] };
      });
      // In every turn, and at another place, the same.
      expect(told[1]).toEqual(told[0]);
      expect(told[2]).toEqual(told[0]);
      return told[0] ?? {};
    };

    test.each<[string, readonly object[], readonly string[], readonly string[]]>([
      [
        "a file that was read",
        [use("t1", "Read", { file_path: "/home/agent/work/a/.env" }), result("t1", "the output")],
        ["a/.env"],
        [],
      ],
      ["one that a command shows", command("cat a/.env"), ["a/.env"], ["a/.env"]],
      ["some lines of it", command("sed -n '1,200p' a/.env"), ["a/.env"], ["a/.env"]],
      ["one in quotes", command("cat 'a/.env'"), ["a/.env"], ["a/.env"]],
      ["its beginning", command("head -n 20 /home/agent/work/a/.env"), ["a/.env"], ["a/.env"]],
      ["a shell may have gone elsewhere", command("cat a/.env", "Bash"), [], ["a/.env"]],
      [
        "but not when it names the whole path",
        command("cat /home/agent/work/a/.env", "Bash"),
        ["a/.env"],
        ["a/.env"],
      ],
      ["two files are not one", command("cat .env out.txt"), [], [".env", "out.txt"]],
      ["nor is a pipe", command("cat .env | tee out.txt"), [], [".env", "out.txt"]],
      ["nor what is written to", command("cat .env > out.txt"), [], [".env", "out.txt"]],
      ["nor what a shell expands", command("cat $HOME/.env"), [], ["$HOME/.env"]],
    ])("%s", (_, messages, files, named) => {
      expect(sourceOf(messages)).toEqual({ files, named });
    });

    test.each<[string, object, readonly string[]]>([
      [
        "a shell's argument",
        {
          type: "function_call",
          call_id: "c",
          name: "shell",
          arguments: '{"command":["bash","-lc","cat .env"]}',
        },
        [".env"],
      ],
      [
        "words of a command",
        { type: "function_call", call_id: "c", name: "shell", arguments: '{"command":["cat",".env"]}' },
        [],
      ],
      [
        "code that runs one command",
        {
          type: "custom_tool_call",
          call_id: "c",
          name: "exec",
          input: 'const r = await tools.exec_command({cmd: "cat .env"}); text(JSON.stringify(r));',
        },
        [".env"],
      ],
      [
        "code that does more",
        {
          type: "custom_tool_call",
          call_id: "c",
          name: "exec",
          input: 'const r = await tools.exec_command({cmd: "cat .env"}); text(r + more);',
        },
        [],
      ],
    ])("codex: %s", (_, call, files) => {
      const kind = (call as { type: string }).type;
      const output = { type: `${kind}_output`, call_id: "c", output: "the output" };
      const decoded = newDecoder().decode(view("/v1/responses", { model: "gpt-5", input: [call, output] }));
      const part = decoded.parts.find(({ text }) => text === "the output");
      expect(part?.files ?? []).toEqual(files);
      expect(part?.named).toContain(".env");
    });
  });

  it("points at the text in the body it stands in", () => {
    const decoder = newDecoder();
    const at = (body: object): string[] =>
      decoder
        .decode(view("/v1/messages", body))
        .parts.filter((p) => p.text === "here")
        .map((p) => p.pointer);
    const here = { role: "user", content: [{ type: "text", text: "here" }] };
    expect(at(anthropic([here]))).toEqual(["/messages/0/content/0/text"]);
    expect(at(anthropic([{ role: "user", content: "before" }, here]))).toEqual([
      "/messages/1/content/0/text",
    ]);
    expect(at(anthropic([here, { role: "user", content: "after" }]))).toEqual(["/messages/0/content/0/text"]);
  });
});

describe("remembering changes the cost and nothing that is told", () => {
  const block = fc.oneof(
    fc.record({ type: fc.constant("text"), text: fc.string({ minLength: 1 }) }),
    fc.record({
      type: fc.constant("tool_result"),
      tool_use_id: fc.constantFrom("a", "b"),
      content: fc.string(),
    }),
    fc.record({
      type: fc.constant("tool_use"),
      id: fc.constantFrom("a", "b"),
      name: fc.constantFrom("Read", "Bash"),
      input: fc.record({ file_path: fc.string() }),
    }),
  );
  const message = fc.record({
    role: fc.constantFrom("user", "assistant"),
    content: fc.oneof(fc.string(), fc.array(block, { maxLength: 3 })),
  });
  const turns = fc.array(fc.array(message, { maxLength: 4 }), { minLength: 1, maxLength: 4 });

  const told = ({ parts, elements, ...rest }: Decoded): object => ({
    ...rest,
    parts: parts.map(({ pointer, role, text }) => [pointer, role, text]),
    elements: elements.map(({ start, end, hash }) => [start, end, hash]),
    sources: null,
  });

  it("nor does reading ahead, whatever is decoded meanwhile", () => {
    fc.assert(
      fc.property(turns, fc.array(fc.nat(12)), fc.array(fc.boolean()), (added, steps, others) => {
        const [ahead, plain] = [newDecoder(), newDecoder()];
        let messages: unknown[] = [];
        for (const [i, some] of added.entries()) {
          messages = [...messages, ...some];
          const request = view("/v1/messages", anthropic(messages, { diagnostics: i }));
          // Some of it is read ahead, or all, or nothing; then another conversation may come in between.
          const work = ahead.foresee(request.body, request)[Symbol.iterator]();
          for (let step = 0; step < (steps[i] ?? 99); step++) if (work.next().done === true) break;
          if (others[i] === true) {
            const other = view("/v1/messages", anthropic(some, { diagnostics: -i }));
            expect(ahead.decode(other)).toEqual(plain.decode(other));
          }
          expect(ahead.decode(request)).toEqual(plain.decode(request));
        }
      }),
    );
  });

  it("for any conversation, growing, shrinking or with changes in the middle", () => {
    fc.assert(
      fc.property(turns, fc.array(fc.nat(6)), (added, cuts) => {
        const decoder = newDecoder();
        let messages: unknown[] = [];
        for (const [i, some] of added.entries()) {
          messages = [...messages.slice(0, messages.length - (cuts[i] ?? 0)), ...some];
          const body = anthropic(messages, { diagnostics: i });
          const warm = decoder.decode(view("/v1/messages", body));
          expect(told(warm)).toEqual(told(newDecoder().decode(view("/v1/messages", body))));
          // The last parts are the request's target, as text and as it is.
          expect(warm.parts.slice(0, -2)).toEqual(warm.elements.flatMap((element) => element.parts));
        }
      }),
    );
  });

  // Values under names that the readers know, of kinds that they do not expect there.
  const name = fc.constantFrom(
    ...[
      "role",
      "content",
      "type",
      "text",
      "id",
      "name",
      "input",
      "output",
      "tool_calls",
      "function",
      "arguments",
    ],
    ...[
      "summary",
      "parts",
      "functionCall",
      "functionResponse",
      "response",
      "args",
      "toolUse",
      "toolResult",
      "source",
    ],
    ...["cache_control", "call_id", "data", "media_type", "x"],
  );
  const word = fc.oneof(
    fc.constantFrom(
      "tool_use",
      "tool_result",
      "custom_tool_call",
      "x_call_output",
      "user",
      "tool",
      "model",
      "image/png",
    ),
    fc.string({ minLength: 2 }).map((text) => `<${text}>`),
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 5 },
      word,
      fc.array(tie("tree"), { maxLength: 3 }),
      fc.dictionary(name, tie("tree"), { maxKeys: 4 }),
    ),
  }));
  const member = fc.constantFrom(
    "messages",
    "input",
    "contents",
    "tools",
    "system",
    "request",
    "params",
    "prompt",
    "x",
  );
  const path = fc.constantFrom(
    ...["/v1/messages", "/v1/chat/completions", "/v1/responses", "/m:generateContent", "/x", "/mcp"],
    ...["/model/m/converse", "/model/m/invoke", "/v1/embeddings", "/v1/traces"],
  );

  it("and every string of a body is a part, whatever its shape", () => {
    fc.assert(
      fc.property(fc.dictionary(member, tree), path, (body, at) => {
        const decoded = newDecoder().decode(view(at, body));
        const found = new Set(decoded.parts.map((part) => part.text));
        for (const text of allStrings(body)) if (text.startsWith("<")) expect(found).toContain(text);
      }),
      { numRuns: 2000 },
    );
  });

  it("and every name of a member that is not a plain word", () => {
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.string({ minLength: 4 }).map((text) => `<${text}>`),
          fc.jsonValue(),
        ),
        path,
        (body, at) => {
          const names: string[] = [];
          JSON.stringify([body, { messages: [body] }], (name, value) => {
            if (name.startsWith("<")) names.push(name);
            return value;
          });
          for (const sent of [body, { messages: [body], contents: [body], input: body }]) {
            const found = newDecoder()
              .decode(view(at, sent))
              .parts.map((part) => part.text)
              .join("\n");
            for (const name of names) expect(found).toContain(name);
          }
        },
      ),
    );
  });

  it("with no room to keep bodies in", () => {
    const small = createDecoder({ maxRememberedBytes: 1000, minComparedBytes: 0 });
    const body = anthropic([{ role: "user", content: "x".repeat(5000) }]);
    const first = small.decode(view("/v1/messages", body));
    const again = small.decode(view("/v1/messages", body));
    expect(told(again)).toEqual(told(first));
    expect(news(again)).toEqual([]);
  });
});

describe("what breaks the rules of JSON is not understood, and still read", () => {
  test.each([
    ["a name twice", '{"model":"m","messages":[{"role":"user","content":"a","content":"b"}]}', ["a", "b"]],
    ["a name twice, deep", '{"messages":[{"content":[{"type":"text","x":{"k":"a","k":"b"}}]}]}', ["a", "b"]],
    ["trailing bytes", '{"messages":[]} {"hidden":"b"}', ["b"]],
    ["an escape that hides", '{"messages":[{"content":"\\u0041KIA"}]', ["AKIA"]],
    ["lines of JSON", '{"a":"one"}\n{"b":"two\\n"}', ["one", "two\n"]],
    ["too deep", `{"messages":${"[".repeat(300)}"deep"${"]".repeat(300)}}`, ["deep"]],
    [
      "invalid UTF-8",
      Buffer.concat([Buffer.from('{"messages":["plain'), Buffer.of(0xff), Buffer.from('"]}')]),
      ["plain"],
    ],
  ])("%s", (_, body, hidden) => {
    const decoded = newDecoder().decode(view("/v1/messages", "", { body: Buffer.from(body) }));
    expect(decoded).toMatchObject({ dialect: "anthropic-messages", understood: false, elements: [] });
    const all = decoded.parts.map((part) => part.text).join("\n");
    for (const text of hidden) expect(all).toContain(text);
  });

  test.each([
    "application/proto",
    "application/grpc",
    "multipart/form-data; boundary=x",
    "text/plain",
    "image/png",
  ])("JSON is read as JSON though its header says %s", (type) => {
    const body = Buffer.from('{"messages":[{"role":"user","content":"\\u0041KIA"}]}');
    const decoded = newDecoder().decode(
      view("/v1/messages", "", { body, headers: [["content-type", type]] }),
    );
    expect(decoded).toMatchObject({ dialect: "anthropic-messages", understood: true });
    expect(texts(decoded)).toEqual(["AKIA"]);
  });

  it("unknown JSON: every string a part", () => {
    const decoded = newDecoder().decode(view("/anything", { a: { b: ["secret text"] } }));
    expect(decoded).toMatchObject({ dialect: "opaque", understood: false });
    expect(texts(decoded)).toEqual(["secret text"]);
  });

  it("no JSON: one part", () => {
    const decoded = newDecoder().decode(view("/anything", "some text"));
    expect(decoded).toMatchObject({ dialect: "opaque", understood: false });
    expect(texts(decoded)).toEqual(["some text"]);
  });

  test.each([
    ["a query", "/x?q=se%63ret+1", "api.example.com/x?q=secret+1"],
    ["escaped thrice", "/x?q=%252573ecret", "api.example.com/x?q=secret"],
    ["beside a broken escape", "/x?q=%zz%73ecret%C3%A9", "api.example.com/x?q=%zzsecreté"],
  ])("where it goes is text too: %s", (_, path, text) => {
    const decoded = newDecoder().decode(view(path, "", { method: "GET" }));
    expect(decoded.parts.map((p) => [p.role, p.text])).toEqual([
      ["metadata", text],
      ["target", `api.example.com ${path}`],
    ]);
  });

  it("never throws, whatever the bytes", () => {
    const decoder: Decoder = newDecoder();
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.constantFrom(
          "application/json",
          "application/grpc",
          "application/proto",
          "multipart/form-data; boundary=x",
          "text/plain",
          "application/x-www-form-urlencoded",
        ),
        (body, type) => {
          const decoded = decoder.decode(view("/x", "", { body, headers: [["content-type", type]] }));
          expect(decoded.dialect).toBeTruthy();
          decoder.decodeMessage(body);
        },
      ),
    );
  });
});

describe("which protocol", () => {
  test.each([
    ["api.anthropic.com", "/v1/messages?beta=true", { messages: [] }, "anthropic-messages", true],
    ["api.anthropic.com", "/v1/messages/count_tokens", { messages: [] }, "anthropic-messages", true],
    ["api.anthropic.com", "/v1/messages", { mess: [] }, "anthropic-messages", false],
    [
      "eu-aiplatform.googleapis.com",
      "/v1/projects/p/locations/eu/publishers/anthropic/models/claude-x:streamRawPredict",
      { anthropic_version: "vertex-2023-10-16", messages: [] },
      "anthropic-messages",
      true,
    ],
    [
      "bedrock-runtime.eu-central-1.amazonaws.com",
      "/model/eu.anthropic.claude-v4%3A0/invoke",
      { messages: [] },
      "bedrock",
      true,
    ],
    ["api.openai.com", "/v1/responses", { model: "m", input: "hi" }, "openai-responses", true],
    ["chatgpt.com", "/backend-api/codex/responses", { model: "m", input: [] }, "openai-responses", true],
    ["api.githubcopilot.com", "/chat/completions", { model: "m", messages: [] }, "openai-chat", true],
    [
      "x.openai.azure.com",
      "/openai/deployments/gpt5/chat/completions?api-version=1",
      { messages: [] },
      "openai-chat",
      true,
    ],
    [
      "cloudcode-pa.googleapis.com",
      "/v1internal:streamGenerateContent?alt=sse",
      { model: "g", request: { contents: [] } },
      "gemini",
      true,
    ],
    [
      "api.githubcopilot.com",
      "/mcp/readonly",
      { jsonrpc: "2.0", id: 1, method: "tools/call", params: {} },
      "mcp",
      true,
    ],
    ["llm.corp", "/custom", { model: "m", messages: [] }, "openai-chat", true],
    ["llm.corp", "/custom", { model: "m", system: "s", messages: [] }, "anthropic-messages", true],
    ["ab.chatgpt.com", "/otlp/v1/metrics", { resourceMetrics: [] }, "telemetry", true],
    ["statsig.anthropic.com", "/v1/rgstr", { events: [], statsigMetadata: {} }, "telemetry", true],
    ["statsig.anthropic.com", "/v1/initialize", { user: {} }, "telemetry", true],
    ["api3.cursor.sh", "/tev1/v1/rgstr", { events: [] }, "telemetry", true],
    ["api2.cursor.sh", "/aiserver.v1.AnalyticsService/Batch", { events: [] }, "telemetry", true],
    ["mobile.events.data.microsoft.com", "/OneCollector/1.0/", { name: "x" }, "telemetry", true],
    ["otel.cline.bot", "/x", { a: 1 }, "telemetry", true],
    ["data.corp.internal", "/v1/chat/completions", { messages: [] }, "openai-chat", true],
    [
      "generativelanguage.googleapis.com",
      "/v1beta/models/e:embedContent",
      { content: { parts: [] } },
      "gemini",
      true,
    ],
    ["api.anthropic.com", "/api/event_logging/v2/batch", { events: [] }, "telemetry", true],
    [
      "o1.ingest.sentry.io",
      "/api/1/envelope/",
      '{"dsn":"x"}\n{"type":"event"}\n{"message":"m"}',
      "telemetry",
      true,
    ],
    ["api.segment.io", "/v1/batch", { batch: [], writeKey: "k" }, "telemetry", true],
    ["play.googleapis.com", "/log", [[1, 2]], "telemetry", true],
    ["evil.example", "/upload", { data: "x" }, "opaque", false],
  ])("%s %s → %s", (host, path, body, dialect, understood) => {
    expect(newDecoder().decode(view(path, body, { host }))).toMatchObject({ dialect, understood });
  });

  test.each([
    ["/v1beta/models/gemini-3:streamGenerateContent?alt=sse", { contents: [] }, "gemini-3", true],
    [
      "/model/eu.anthropic.claude-v4%3A0/invoke-with-response-stream",
      { messages: [] },
      "eu.anthropic.claude-v4:0",
      true,
    ],
    ["/openai/deployments/gpt5/chat/completions", { messages: [] }, "gpt5", false],
    ["/model/eu.anthropic.claude-v4:0/invoke", { messages: [] }, "eu.anthropic.claude-v4:0", false],
    [
      "/v1/projects/p/locations/eu/publishers/anthropic/models/claude-5:rawPredict",
      { messages: [] },
      "claude-5",
      false,
    ],
    ["/v1/messages", { model: "claude", messages: [], stream: true }, "claude", true],
  ])("model and streaming: %s", (path, body, model, streaming) => {
    expect(newDecoder().decode(view(path, body))).toMatchObject({ model, streaming });
  });

  it("WebSocket frames of Responses, with only what is new in each", () => {
    const decoder = newDecoder();
    const frame = (fields: object): Decoded =>
      decoder.decodeMessage(
        Buffer.from(JSON.stringify({ type: "response.create", model: "gpt-5", ...fields })),
      );
    frame({
      input: [{ type: "custom_tool_call", call_id: "x", name: "exec", input: "tools.exec_command({})" }],
    });
    const next = frame({
      previous_response_id: "r",
      input: [{ type: "custom_tool_call_output", call_id: "x", output: "out" }],
    });
    expect(next).toMatchObject({
      dialect: "openai-responses",
      understood: true,
      streaming: true,
      model: "gpt-5",
    });
    expect(next.sources).toEqual({ files: [], commands: 1, others: 0 });
    expect(news(next)).toEqual(["r", "out", "x"]);
  });
});

describe("other bodies", () => {
  it("multipart: texts, files by name, and runs of text in binary", () => {
    const body = Buffer.concat([
      Buffer.from(
        '--b\r\nContent-Disposition: form-data; name="file"; filename="src/key.pem"\r\n\r\nPRIVATE\r\n',
      ),
      Buffer.from('--b\r\nContent-Disposition: form-data; name="x"; filename="i.png"\r\n\r\n'),
      Buffer.of(0, 1, 2, 255),
      Buffer.from("hidden text"),
      Buffer.from("\r\n--b--\r\n"),
    ]);
    const decoded = newDecoder().decode(
      view("/v1/files", "", { body, headers: [["content-type", 'multipart/form-data; boundary="b"']] }),
    );
    expect(decoded).toMatchObject({ dialect: "upload", understood: true });
    expect(decoded.sources.files).toEqual(["src/key.pem", "i.png"]);
    expect(texts(decoded)).toEqual(["PRIVATE", "hidden text"]);
  });

  const field = (number: number, value: Buffer | string): Buffer => {
    const bytes = Buffer.from(value);
    return Buffer.concat([Buffer.of((number << 3) | 2, bytes.length), bytes]);
  };
  const message = Buffer.concat([
    Buffer.of(8, 1),
    field(2, Buffer.concat([Buffer.of(8, 3), field(3, "deep text")])),
  ]);
  const envelope = (flags: number, inner: Buffer): Buffer =>
    Buffer.concat([Buffer.of(flags, 0, 0, 0, inner.length), inner]);
  const all = (type: string, body: Buffer): string =>
    newDecoder()
      .decode(view("/aiserver.v1.ChatService/Stream", "", { body, headers: [["content-type", type]] }))
      .parts.map((part) => part.text)
      .join("\n");

  test.each<[string, string, Buffer, string]>([
    ["a message", "application/proto", message, "deep text"],
    ["a Connect envelope", "application/connect+proto", envelope(0, message), "deep text"],
    ["a compressed one", "application/connect+proto", envelope(1, gzipSync(message)), "deep text"],
    [
      "gRPC for the web, as text",
      "application/grpc-web-text",
      Buffer.from(envelope(0, message).toString("base64")),
      "deep text",
    ],
    [
      "a Connect envelope of JSON",
      "application/connect+json",
      envelope(0, Buffer.from('{"a":"deep\\u0020text"}')),
      "deep text",
    ],
    ["a gzip file in a field", "application/proto", field(1, gzipSync("deep text")), "deep text"],
    [
      "numbers that spell",
      "application/proto",
      Buffer.concat([Buffer.of(9), Buffer.from("deeptext")]),
      "deeptext",
    ],
    ["UTF-16", "application/proto", field(1, Buffer.from("deep text", "utf16le")), "deep text"],
    ["no message at all", "application/proto", Buffer.from("\xff\xffdeep text\xff", "latin1"), "deep text"],
    ["text with a control character", "application/proto", field(1, "\x01deep text"), "deep text"],
    [
      "twenty messages in messages",
      "application/proto",
      Array.from({ length: 20 }).reduce<Buffer>(
        (inner) => field(2, Buffer.concat([Buffer.of(8, 7), inner])),
        field(3, "deep text"),
      ),
      "deep text",
    ],
    [
      "a list of strings, one after another",
      "application/proto",
      Buffer.concat(["one", "two", "deep text", ""].map((text) => field(4, text))),
      "deep text",
    ],
    [
      "numbers packed as characters",
      "application/proto",
      field(5, Buffer.from([...Buffer.from("deep text")])),
      "deep text",
    ],
    [
      "a map of names and texts",
      "application/proto",
      field(6, Buffer.concat([field(1, "deep text"), field(2, "x")])),
      "deep text",
    ],
    [
      "the second of three envelopes, compressed",
      "application/grpc",
      Buffer.concat([
        envelope(0, message),
        envelope(1, gzipSync(field(1, "hidden there"))),
        envelope(0, message),
      ]),
      "hidden there",
    ],
    ["an envelope in zstd", "application/grpc+proto", envelope(1, zstdCompressSync(message)), "deep text"],
    ["an envelope in deflate", "application/grpc", envelope(1, deflateSync(message)), "deep text"],
    [
      "an envelope in brotli",
      "application/connect+proto",
      envelope(1, brotliCompressSync(message)),
      "deep text",
    ],
    [
      "a compressed envelope before one cut short",
      "application/connect+proto",
      Buffer.concat([envelope(1, gzipSync(message)), Buffer.of(0, 0)]),
      "deep text",
    ],
    [
      "text in the rest behind the last envelope",
      "application/connect+proto",
      Buffer.concat([envelope(0, field(1, "x")), Buffer.from("deep text")]),
      "deep text",
    ],
    ["gRPC's type without envelopes", "application/grpc", message, "deep text"],
    [
      "the last word of a stream, escaped",
      "application/connect+proto",
      Buffer.concat([envelope(0, field(1, "x")), envelope(2, Buffer.from('{"error":"deep\\u0020text"}'))]),
      "deep text",
    ],
    [
      "trailers of gRPC for the web",
      "application/grpc-web+proto",
      Buffer.concat([envelope(0, field(1, "x")), envelope(0x80, Buffer.from("grpc-message: deep text\r\n"))]),
      "deep text",
    ],
    [
      "base64 that is padded in its middle",
      "application/grpc-web-text+proto",
      Buffer.from(
        envelope(0, field(1, "x")).toString("base64") + envelope(1, gzipSync(message)).toString("base64"),
      ),
      "deep text",
    ],
    [
      "an old group",
      "application/proto",
      Buffer.concat([Buffer.of(0x0b), field(2, "deep text"), Buffer.of(0x0c)]),
      "deep text",
    ],
    [
      "a field that claims more than there is",
      "application/proto",
      Buffer.concat([Buffer.of(0x0a, 0x7f), Buffer.from("deep text")]),
      "deep text",
    ],
  ])("protobuf: %s hides nothing", (_, type, body, hidden) => {
    expect(all(type, body)).toContain(hidden);
  });

  it("any text in any nesting of messages is found", () => {
    const nested = fc.letrec<{ node: Buffer }>((tie) => ({
      node: fc
        .array(
          fc.tuple(
            fc.integer({ min: 1, max: 15 }),
            fc.oneof({ maxDepth: 4 }, fc.constantFrom("needle", "x", "\x02needle"), tie("node")),
          ),
          { maxLength: 4 },
        )
        .map((fields) =>
          Buffer.concat(
            fields.filter(([, value]) => value.length < 128).map(([number, value]) => field(number, value)),
          ),
        ),
    })).node;
    fc.assert(
      fc.property(nested, (body) => {
        const count = (text: string): number => text.split("needle").length - 1;
        expect(count(all("application/proto", body))).toBeGreaterThanOrEqual(count(body.toString("latin1")));
      }),
    );
  });

  it("reads what was packed or written in base64, once", () => {
    const packed = newDecoder().decode(
      view("/upload", "", { body: gzipSync('say "hidden\\ntext"'), headers: [] }),
    );
    expect(packed).toMatchObject({ dialect: "opaque", understood: false });
    expect(packed.parts.map((part) => part.text).join()).toContain("hidden\ntext");
    const metadata = Buffer.from('{"prompt_length":12}').toString("base64");
    const logged = newDecoder().decode(view("/api/event_logging/v2/batch", { events: [{ metadata }] }));
    expect(logged.dialect).toBe("telemetry");
    expect(logged.parts.map((part) => part.text)).toContain('{"prompt_length":12}');
  });

  test.each([
    ["JSON-RPC", '{"jsonrpc":"2.0","method":"x"}', "mcp", true],
    ["another protocol", '{"type":"session.update","session":{}}', "opaque", false],
    ["no JSON", "hello", "opaque", false],
  ])("a WebSocket message: %s", (_, text, dialect, understood) => {
    expect(newDecoder().decodeMessage(Buffer.from(text))).toMatchObject({ dialect, understood });
  });
});
