// The vendors' own SDKs and the `ws` package through the gateway, by both doors. What their helpers make of a reply is
// the strictest reading of it that there is: a frame too many, too few or out of place shows here.
import http from "node:http";
import https from "node:https";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import tls, { connect as tlsConnect } from "node:tls";
import Anthropic from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";
import fc from "fast-check";
import OpenAI from "openai";
import { ResponsesWS } from "openai/resources/responses/ws";
import { afterEach, describe, expect, it, test } from "vitest";
import { type ClientOptions, WebSocket, WebSocketServer } from "ws";
import { policyOf, type Rig, SECRET_RULE, startRig, World } from "../../src/gateway/rig.testkit.ts";
import { type ReceivedRequest, type ScriptedModelOptions, startScriptedModel } from "../../src/lab/index.ts";

const HOSTS = {
  anthropic: "api.anthropic.com",
  openai: "api.openai.com",
  gemini: "generativelanguage.googleapis.com",
} as const;
type DoorName = "base" | "tls";
const DOORS: readonly DoorName[] = ["base", "tls"];

const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** What the sandbox has in front of the session's socket: a TCP port, as SDKs and proxies know no other. */
async function startPort(socketPath: string): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (agent) => {
    const gate = connect(socketPath);
    for (const [from, to] of [
      [agent, gate],
      [gate, agent],
    ] as const) {
      sockets.add(from);
      from.on("error", () => to.destroy());
      from.on("close", () => to.destroy());
      from.pipe(to);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(() => resolve()));
  });
  // A listening TCP server always has an AddressInfo.
  return (server.address() as AddressInfo).port;
}

/** The environment of an agent in the sandbox: HTTPS by the proxy, and the session's authority trusted. */
function trustAndProxy(port: number, ca: string): void {
  const before = tls.getCACertificates("default");
  tls.setDefaultCACertificates([...before, ca]);
  const restore = http.setGlobalProxyFromEnv({ HTTPS_PROXY: `http://127.0.0.1:${port}` });
  closing.push(() => {
    restore();
    tls.setDefaultCACertificates(before);
  });
}

interface Room {
  readonly rig: Rig;
  readonly port: number;
  readonly anthropic: Anthropic;
  readonly openai: OpenAI;
  readonly gemini: GoogleGenAI;
  /** What reached the scripted model. */
  readonly received: readonly ReceivedRequest[];
  judged(): ReturnType<Rig["of"]>[number] & { kind: "exchange.judged" };
  answered(): Promise<ReturnType<Rig["of"]>[number] & { kind: "exchange.answered" }>;
}

async function openRoom(
  door: DoorName,
  options: Partial<ScriptedModelOptions> = {},
  rules?: string,
): Promise<Room> {
  const received: ReceivedRequest[] = [];
  const model = await startScriptedModel({
    cwd: "/w",
    ...options,
    onRequest: (request) => received.push(request),
  });
  closing.push(() => model.close());
  const rig = await startRig({
    upstream: new URL(model.url),
    policy: policyOf({ hosts: Object.values(HOSTS), ...(rules === undefined ? {} : { rules }) }),
    label: (host) => ({
      destination: host,
      channel: "llm",
      serverIn: "US",
      operatorLaw: "US",
      trains: "no",
      dpa: "signed",
    }),
  });
  closing.push(() => rig.close());
  const port = await startPort(rig.socketPath);
  if (door === "tls") trustAndProxy(port, rig.caCertificate);
  const origin = (host: string): string =>
    door === "tls" ? `https://${host}` : `http://127.0.0.1:${port}/${host}`;
  return {
    rig,
    port,
    received,
    anthropic: new Anthropic({ apiKey: "test", baseURL: origin(HOSTS.anthropic), maxRetries: 0 }),
    openai: new OpenAI({ apiKey: "test", baseURL: `${origin(HOSTS.openai)}/v1`, maxRetries: 0 }),
    gemini: new GoogleGenAI({ apiKey: "test", httpOptions: { baseUrl: origin(HOSTS.gemini) } }),
    judged: () => {
      const last = rig.of("exchange.judged").at(-1);
      if (last === undefined) throw new Error("nothing was judged");
      return last;
    },
    answered: async () => {
      await rig.seen("exchange.answered", rig.of("exchange.judged").length);
      const last = rig.of("exchange.answered").at(-1);
      if (last === undefined) throw new Error("nothing was answered");
      return last;
    },
  };
}

/** Never resolves while the test runs. */
function hanging(): Promise<void> {
  return new Promise((resolve) => closing.push(resolve));
}

/** The model's words where no tools are offered, and its last where they are. */
const SAID = "Scripted test";
const DONE = "Done: README read, out.txt written.";
const asked = [{ role: "user" as const, content: "hello" }];
const schema = (
  name: string,
): { type: "object"; properties: Record<string, object>; required: string[] } => ({
  type: "object",
  properties: { [name]: { type: "string" } },
  required: [name],
});

describe.each(DOORS)("by the %s door", (door) => {
  describe("@anthropic-ai/sdk", () => {
    const ask = { model: "claude-sonnet-4-5", max_tokens: 100, messages: asked };
    const TOOLS = [
      { name: "Read", description: "Reads a file", input_schema: schema("file_path") },
      { name: "Bash", description: "Runs a command", input_schema: schema("command") },
    ];

    it("a message, and what the record says about it", async () => {
      const room = await openRoom(door);
      const message = await room.anthropic.messages.create(ask);
      expect(message.content).toEqual([{ type: "text", text: SAID }]);
      expect(message.usage).toMatchObject({ input_tokens: 1000, output_tokens: 20 });
      expect(room.judged()).toMatchObject({
        door,
        host: HOSTS.anthropic,
        path: "/v1/messages",
        dialect: "anthropic-messages",
        understood: true,
        model: ask.model,
        verdict: "allow",
      });
      expect(await room.answered()).toMatchObject({
        status: 200,
        complete: true,
        usage: { inputTokens: 1000, outputTokens: 20 },
      });
      expect(
        Buffer.from(room.received[0]?.body ?? []).equals(
          room.judged().kept["request-body"] ?? Buffer.alloc(0),
        ),
      ).toBe(true);
    });

    it("the streaming helper: events in order, text pieces, the message they add up to", async () => {
      const room = await openRoom(door);
      const stream = room.anthropic.messages.stream(ask);
      const kinds: string[] = [];
      const pieces: string[] = [];
      stream.on("streamEvent", ({ type }) => kinds.push(type));
      stream.on("text", (piece) => pieces.push(piece));
      expect((await stream.finalMessage()).content).toEqual([{ type: "text", text: SAID }]);
      expect(pieces).toEqual(["Scripted ", "test"]);
      expect(kinds).toEqual([
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
      ]);
      expect(await room.answered()).toMatchObject({ complete: true, usage: { outputTokens: 20 } });
    });

    it.each(["streamed", "whole"])("tools to the end, %s: each result counted once", async (how) => {
      const room = await openRoom(door);
      const messages: Anthropic.MessageParam[] = [...asked];
      const called: [string, unknown][] = [];
      let said = "";
      for (let turn = 0; turn < 5 && said === ""; turn++) {
        const request = { ...ask, messages, tools: TOOLS };
        const reply =
          how === "whole"
            ? await room.anthropic.messages.create(request)
            : await room.anthropic.messages.stream(request).finalMessage();
        const [block] = reply.content;
        if (block?.type === "text") said = block.text;
        if (block?.type !== "tool_use") continue;
        called.push([block.name, block.input]);
        messages.push(
          { role: "assistant", content: reply.content },
          { role: "user", content: [{ type: "tool_result", tool_use_id: block.id, content: "fine" }] },
        );
      }
      expect(said).toBe(DONE);
      expect(called).toEqual([
        ["Read", { file_path: "/w/README.md" }],
        ["Bash", { command: "echo hi > out.txt" }],
      ]);
      const sources = room.rig.of("exchange.judged").map((event) => event.sources);
      expect(sources.flatMap(({ files }) => files)).toHaveLength(1);
      expect(sources.reduce((sum, { commands }) => sum + commands, 0)).toBe(1);
    });

    it("counts tokens and lists models", async () => {
      const room = await openRoom(door);
      expect(await room.anthropic.messages.countTokens({ model: ask.model, messages: asked })).toEqual({
        input_tokens: 1000,
      });
      const ids: string[] = [];
      for await (const { id } of room.anthropic.models.list()) ids.push(id);
      expect(ids).toContain("claude-sonnet-5");
      expect(room.rig.of("exchange.judged").map(({ path }) => path)).toEqual([
        "/v1/messages/count_tokens",
        "/v1/models",
      ]);
    });

    test.each([
      ["401", Anthropic.AuthenticationError],
      ["429", Anthropic.RateLimitError],
      ["529", Anthropic.InternalServerError],
    ] as const)("an error %s is the SDK's own, with the vendor's words and headers", async (fault, kind) => {
      const room = await openRoom(door, { fault });
      const error = await room.anthropic.messages.create(ask).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(kind);
      expect(error).toMatchObject({
        status: Number(fault),
        message: expect.stringContaining(`scripted ${fault}`),
      });
      if (fault === "429" && error instanceof kind) expect(error.headers?.get("retry-after")).toBe("1");
      expect((await room.answered()).status).toBe(Number(fault));
    });

    it("a retry after 529 is the SDK's to make, and both are in the record", async () => {
      const room = await openRoom(door, { fault: (call) => (call === 1 ? "529" : null) });
      const message = await room.anthropic.messages.create(ask, { maxRetries: 1 });
      expect(message.content).toEqual([{ type: "text", text: SAID }]);
      await room.answered();
      expect(room.rig.of("exchange.answered").map(({ status }) => status)).toEqual([529, 200]);
    });

    it("an abort in the middle of a stream reaches the model's side, and the record says it broke off", async () => {
      const room = await openRoom(door, {
        beforeEvent: (index) => (index < 4 ? Promise.resolve() : hanging()),
      });
      const stream = room.anthropic.messages.stream(ask);
      stream.on("text", () => stream.abort());
      await expect(stream.finalMessage()).rejects.toBeInstanceOf(Anthropic.APIUserAbortError);
      expect(await room.answered()).toMatchObject({ status: 200, complete: false });
    });

    it("what policy refuses is a permission error that names the rule, is not tried again, and never left", async () => {
      const room = await openRoom(door, {}, SECRET_RULE);
      const secret = `ghp_${"a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"}`;
      const messages = [{ role: "user" as const, content: `the token is ${secret}` }];
      const refused = room.anthropic.messages.create({ ...ask, messages }, { maxRetries: 2 });
      const error = await refused.catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(Anthropic.PermissionDeniedError);
      expect(String(error)).toContain("no-secrets");
      expect(String(error)).not.toContain(secret);
      expect(room.received).toEqual([]);
      expect(room.rig.of("exchange.judged")).toHaveLength(1);
    });
  });

  describe("openai", () => {
    const ask = { model: "gpt-5", messages: asked };
    const TOOLS = [
      { type: "function" as const, function: { name: "read_file", parameters: schema("path") } },
      { type: "function" as const, function: { name: "shell", parameters: schema("command") } },
    ];

    it("a completion, whole and by the streaming helper", async () => {
      const room = await openRoom(door);
      const whole = await room.openai.chat.completions.create(ask);
      expect(whole.choices[0]?.message.content).toBe(SAID);
      expect(room.judged()).toMatchObject({ door, dialect: "openai-chat", understood: true, model: "gpt-5" });
      const pieces: string[] = [];
      const stream = room.openai.chat.completions.stream({ ...ask, stream_options: { include_usage: true } });
      stream.on("content", (piece) => pieces.push(piece));
      expect(await stream.finalContent()).toBe(SAID);
      expect(pieces).toEqual(["Scripted ", "test"]);
      expect(await room.answered()).toMatchObject({
        complete: true,
        usage: { inputTokens: 1000, outputTokens: 20 },
      });
    });

    it("tools to the end by the SDK's own runner", async () => {
      const room = await openRoom(door);
      const called: string[] = [];
      const run = (name: string) => (args: string) => {
        called.push(`${name} ${args}`);
        return "fine";
      };
      const runner = room.openai.chat.completions.runTools({
        ...ask,
        stream: true,
        tools: TOOLS.map(({ type, function: { name, parameters } }) => ({
          type,
          function: { name, description: name, parameters, function: run(name) },
        })),
      });
      expect(await runner.finalContent()).toBe(DONE);
      expect(called).toEqual(['read_file {"path":"/w/README.md"}', 'shell {"command":"echo hi > out.txt"}']);
      const sources = room.rig.of("exchange.judged").map((event) => event.sources);
      expect(sources.reduce((sum, { files, commands }) => sum + files.length + commands, 0)).toBe(2);
    });

    it("a response, whole and by the streaming helper", async () => {
      const room = await openRoom(door);
      const whole = await room.openai.responses.create({ model: "gpt-5", input: "hello" });
      expect(whole.output_text).toBe(SAID);
      const kinds: string[] = [];
      const stream = room.openai.responses.stream({ model: "gpt-5", input: "hello" });
      stream.on("event", ({ type }) => kinds.push(type));
      expect((await stream.finalResponse()).output_text).toBe(SAID);
      expect(kinds.at(0)).toBe("response.created");
      expect(kinds.at(-1)).toBe("response.completed");
      expect(room.judged()).toMatchObject({ dialect: "openai-responses", understood: true, model: "gpt-5" });
      expect(await room.answered()).toMatchObject({
        complete: true,
        usage: { inputTokens: 1000, outputTokens: 20 },
      });
    });

    it("responses over a WebSocket, by the SDK's own client", async () => {
      const room = await openRoom(door);
      const options: ClientOptions = door === "base" ? {} : await tunnelled(room.rig, `${HOSTS.openai}:443`);
      const socket = new ResponsesWS(room.openai, options);
      closing.push(() => socket.close());
      const kinds: string[] = [];
      const done = new Promise<unknown>((resolve, reject) => {
        socket.on("error", reject);
        socket.on("event", (event) => {
          kinds.push(event.type);
          if (event.type === "response.completed") resolve(event.response.output[0]);
        });
      });
      socket.send({
        type: "response.create",
        model: "gpt-5",
        input: [{ type: "message", role: "user", content: "hello" }],
      });
      expect(await done).toMatchObject({ content: [{ type: "output_text", text: SAID }] });
      expect(kinds.at(0)).toBe("response.created");
      expect(room.judged()).toMatchObject({
        protocol: "websocket",
        method: "MESSAGE",
        dialect: "openai-responses",
        understood: true,
        model: "gpt-5",
      });
    });

    it("lists models", async () => {
      const room = await openRoom(door);
      const ids: string[] = [];
      for await (const { id } of room.openai.models.list()) ids.push(id);
      expect(ids).toContain("gpt-5");
    });

    test.each([
      ["401", OpenAI.AuthenticationError],
      ["429", OpenAI.RateLimitError],
      ["529", OpenAI.InternalServerError],
    ] as const)("an error %s is the SDK's own", async (fault, kind) => {
      const room = await openRoom(door, { fault });
      for (const refused of [
        room.openai.chat.completions.create(ask),
        room.openai.responses.create({ model: "gpt-5", input: "hello" }),
      ]) {
        const error = await refused.catch((thrown: unknown) => thrown);
        expect(error).toBeInstanceOf(kind);
        expect(error).toMatchObject({ status: Number(fault) });
      }
    });

    it("an abort in the middle of a stream", async () => {
      const room = await openRoom(door, {
        beforeEvent: (index) => (index < 2 ? Promise.resolve() : hanging()),
      });
      const stream = room.openai.chat.completions.stream(ask);
      stream.on("content", () => stream.abort());
      await expect(stream.done()).rejects.toBeInstanceOf(OpenAI.APIUserAbortError);
      expect(await room.answered()).toMatchObject({ status: 200, complete: false });
    });

    it("what policy refuses is a permission error, for both protocols", async () => {
      const room = await openRoom(door, {}, SECRET_RULE);
      const content = `the token is ghp_${"a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"}`;
      for (const refused of [
        room.openai.chat.completions.create({ ...ask, messages: [{ role: "user", content }] }),
        room.openai.responses.create({ model: "gpt-5", input: content }),
      ]) {
        const error = await refused.catch((thrown: unknown) => thrown);
        expect(error).toBeInstanceOf(OpenAI.PermissionDeniedError);
        expect(String(error)).toContain("no-secrets");
      }
      expect(room.received).toEqual([]);
    });
  });

  describe("@google/genai", () => {
    const ask = { model: "gemini-2.5-pro", contents: "hello" };

    it("content, whole and streamed", async () => {
      const room = await openRoom(door);
      const whole = await room.gemini.models.generateContent(ask);
      expect(whole.text).toBe(SAID);
      expect(room.judged()).toMatchObject({
        door,
        host: HOSTS.gemini,
        path: "/v1beta/models/gemini-2.5-pro:generateContent",
        dialect: "gemini",
        understood: true,
        model: ask.model,
      });
      const pieces: unknown[] = [];
      for await (const { text } of await room.gemini.models.generateContentStream(ask)) pieces.push(text);
      expect(pieces).toEqual(["Scripted ", "test"]);
      expect(await room.answered()).toMatchObject({
        complete: true,
        usage: { inputTokens: 1000, outputTokens: 20 },
      });
    });

    it("a chat with a tool to the end", async () => {
      const room = await openRoom(door, {
        plan: { steps: [{ kind: "read", path: "README.md" }], final: "read it" },
      });
      const chat = room.gemini.chats.create({
        model: ask.model,
        config: {
          tools: [{ functionDeclarations: [{ name: "read_file", parametersJsonSchema: schema("path") }] }],
        },
      });
      const first = await chat.sendMessage({ message: "hello" });
      expect(first.functionCalls).toEqual([{ name: "read_file", args: { path: "/w/README.md" } }]);
      const second = await chat.sendMessage({
        message: [{ functionResponse: { name: "read_file", response: { output: "# Sample" } } }],
      });
      expect(second.text).toBe("read it");
      expect(room.judged().sources.files).toHaveLength(1);
    });

    it("counts tokens and asks for models", async () => {
      const room = await openRoom(door);
      expect((await room.gemini.models.countTokens(ask)).totalTokens).toBe(1000);
      await room.gemini.models.list();
      expect(room.rig.of("exchange.judged").map(({ path }) => path)).toEqual([
        "/v1beta/models/gemini-2.5-pro:countTokens",
        "/v1beta/models",
      ]);
    });

    test.each(["401", "429", "529"] as const)("an error %s is the SDK's own", async (fault) => {
      const room = await openRoom(door, { fault });
      for (const refused of [
        room.gemini.models.generateContent(ask),
        room.gemini.models.generateContentStream(ask),
      ]) {
        const error = await refused.catch((thrown: unknown) => thrown);
        expect(error).toMatchObject({ name: "ApiError", status: Number(fault) });
      }
    });

    it("an abort in the middle of a stream", async () => {
      const room = await openRoom(door, { beforeEvent: hanging });
      const abort = new AbortController();
      const stream = await room.gemini.models.generateContentStream({
        ...ask,
        config: { abortSignal: abort.signal },
      });
      const read = async (): Promise<void> => {
        for await (const _ of stream) abort.abort();
      };
      await expect(read()).rejects.toThrow(/abort/i);
      expect(await room.answered()).toMatchObject({ status: 200, complete: false });
    });

    it("what policy refuses is an error of the SDK's own", async () => {
      const room = await openRoom(door, {}, SECRET_RULE);
      const contents = `the token is ghp_${"a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"}`;
      const error = await room.gemini.models
        .generateContent({ ...ask, contents })
        .catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({
        name: "ApiError",
        status: 403,
        message: expect.stringContaining("no-secrets"),
      });
      expect(room.received).toEqual([]);
    });
  });

  test.each(["gzip", "br", "deflate", "zstd"] as const)(
    "replies in %s, whole and streamed: undone by the SDK, kept as they came, and read for the record",
    async (encoding) => {
      const room = await openRoom(door, { encoding });
      const ask = { model: "claude-sonnet-4-5", max_tokens: 100, messages: asked };
      const headers = { "accept-encoding": encoding };
      const { data, response } = await room.anthropic.messages.create(ask, { headers }).withResponse();
      expect(response.headers.get("content-encoding")).toBe(encoding);
      expect(data.content).toEqual([{ type: "text", text: SAID }]);
      const streamed = room.anthropic.messages.stream(ask, { headers });
      expect((await streamed.finalMessage()).content).toEqual([{ type: "text", text: SAID }]);
      const answered = await room.answered();
      expect(answered).toMatchObject({ complete: true, usage: { inputTokens: 1000, outputTokens: 20 } });
      expect(answered.kept["response-body"]?.includes("message_start"), "still encoded").toBe(false);
    },
  );
});

// ---------------------------------------------------------------------------------------------------------------- ws

/** A TLS connection through CONNECT, for clients that take one ready. */
async function tunnelled(rig: Rig, authority: string): Promise<ClientOptions> {
  const plain = connect(rig.socketPath);
  plain.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
  const head = await new Promise<Buffer>((resolve) => plain.once("data", resolve));
  expect(head.toString("latin1")).toMatch(/^HTTP\/1\.1 200/);
  const socket = tlsConnect({
    socket: plain,
    ca: rig.caCertificate,
    servername: authority.replace(/:\d+$/, ""),
    ALPNProtocols: ["http/1.1"],
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("secureConnect", resolve);
    socket.once("error", reject);
  });
  return { createConnection: () => socket };
}

const CHAT_HOST = "chat.example.com";

interface Line {
  readonly rig: Rig;
  readonly client: WebSocket;
  /** The destination's end. */
  readonly server: WebSocket;
  /** Next message at the client: its bytes, and whether they are binary. */
  next(): Promise<{ readonly data: Buffer; readonly isBinary: boolean }>;
}

/** A `ws` client and a `ws` server with the gateway between them. The server says everything back. */
async function openLine(
  door: DoorName,
  o: { readonly deflate?: boolean; readonly client?: ClientOptions; readonly path?: string } = {},
): Promise<Line> {
  const world = new World();
  const web = https.createServer({ SNICallback: (_name, give) => give(null, world.contextFor(CHAT_HOST)) });
  const deflate = o.deflate === true ? { threshold: 0 } : false;
  const server = new WebSocketServer({
    server: web,
    perMessageDeflate: deflate,
    handleProtocols: (offered) => [...offered].at(-1) ?? false,
  });
  const accepted = new Promise<WebSocket>((resolve) =>
    server.on("connection", (socket) => {
      socket.on("message", (data: Buffer, isBinary) => socket.send(data, { binary: isBinary }));
      socket.on("error", () => {}); // followed by close
      resolve(socket);
    }),
  );
  await new Promise<void>((resolve) => web.listen(0, "127.0.0.1", resolve));
  closing.push(() => {
    for (const socket of server.clients) socket.terminate();
    web.closeAllConnections();
    return new Promise((resolve) => web.close(() => resolve()));
  });
  // A listening TCP server always has an AddressInfo.
  const { port } = web.address() as AddressInfo;
  const rig = await startRig({
    extraRoots: [world.root],
    policy: policyOf({ hosts: [CHAT_HOST], ports: [port] }),
  });
  closing.push(() => rig.close());
  const authority = `${CHAT_HOST}:${port}`;
  const path = o.path ?? "/room";
  const by =
    door === "base"
      ? { url: `ws://127.0.0.1:${await startPort(rig.socketPath)}/${authority}${path}`, options: {} }
      : { url: `ws://${authority}${path}`, options: await tunnelled(rig, authority) };
  const client = new WebSocket(by.url, ["a", "b"], {
    perMessageDeflate: deflate,
    ...by.options,
    ...o.client,
  });
  closing.push(() => client.terminate());
  const came: { readonly data: Buffer; readonly isBinary: boolean }[] = [];
  const waiting: ((one: { readonly data: Buffer; readonly isBinary: boolean }) => void)[] = [];
  client.on("message", (data: Buffer, isBinary) => {
    const one = { data, isBinary };
    const wake = waiting.shift();
    if (wake === undefined) came.push(one);
    else wake(one);
  });
  await new Promise<void>((resolve, reject) => {
    client.once("open", resolve);
    client.once("error", reject);
  });
  return {
    rig,
    client,
    server: await accepted,
    next: () => {
      const one = came.shift();
      return one === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(one);
    },
  };
}

const closeOf = (socket: WebSocket): Promise<readonly [number, string]> =>
  new Promise((resolve) => socket.once("close", (code, reason) => resolve([code, reason.toString("utf8")])));

describe.each(DOORS)("the ws package by the %s door", (door) => {
  it("the handshake: path, query, own headers and the subprotocol chosen arrive", async () => {
    const line = await openLine(door, { path: "/room?id=7", client: { headers: { "X-Mine": "yes" } } });
    expect(line.client.protocol).toBe("b");
    const judged = line.rig.of("exchange.judged")[0];
    expect(judged).toMatchObject({ door, method: "GET", path: "/room", queryBytes: 4, verdict: "allow" });
    expect(judged?.kept["request-head"]?.toString("latin1")).toContain("X-Mine: yes");
  });

  describe.each([false, true])("with permessage-deflate %s", (deflate) => {
    test.each<[string, Buffer, boolean]>([
      ["text", Buffer.from("grüß dich 👋"), false],
      ["nothing at all", Buffer.alloc(0), false],
      ["binary", Buffer.from(Array.from({ length: 256 }, (_, i) => i)), true],
      ["125 bytes, the last of the short form", Buffer.alloc(125, "a"), false],
      ["126 bytes, the first of the middle form", Buffer.alloc(126, "b"), true],
      ["65,535 bytes, the last of the middle form", Buffer.alloc(65_535, "c"), false],
      ["65,536 bytes, the first of the long form", Buffer.alloc(65_536, "d"), true],
      ["5 MB", Buffer.alloc(5_000_000, "large "), false],
    ])("%s: there and back", async (_name, data, binary) => {
      const line = await openLine(door, { deflate });
      expect(line.client.extensions.includes("permessage-deflate")).toBe(deflate);
      line.client.send(data, { binary });
      const back = await line.next();
      expect(back.isBinary).toBe(binary);
      expect(back.data.equals(data)).toBe(true);
      expect(line.rig.of("exchange.judged").at(-1)).toMatchObject({
        protocol: "websocket",
        method: "MESSAGE",
        verdict: "allow",
      });
    });

    it("fragments, with a ping between them, are one message there; each is judged once", async () => {
      const line = await openLine(door, { deflate });
      const pinged = new Promise<string>((resolve) =>
        line.server.once("ping", (data) => resolve(data.toString())),
      );
      const options = { compress: deflate };
      line.client.send("one ", { ...options, fin: false });
      line.client.ping("between");
      line.client.send("two ", { ...options, fin: false });
      line.client.send("three", { ...options, fin: true });
      expect((await line.next()).data.toString()).toBe("one two three");
      expect(await pinged).toBe("between");
      const messages = line.rig.of("exchange.judged").filter(({ method }) => method === "MESSAGE");
      // A ping can carry words: it is judged as a message of its own.
      expect(messages.map(({ verdict, kept }) => [verdict, kept["frames"] !== undefined])).toEqual([
        ["allow", true],
        ["allow", true],
      ]);
    });

    it("any messages, in any pieces: the same, in the same order", async () => {
      const line = await openLine(door, { deflate });
      const message = fc.record({
        pieces: fc.array(fc.uint8Array({ maxLength: 3000 }), { minLength: 1, maxLength: 4 }),
        binary: fc.constant(true),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 4 }), async (messages) => {
          for (const { pieces, binary } of messages)
            pieces.forEach((piece, i) => {
              line.client.send(piece, { binary, fin: i === pieces.length - 1, compress: deflate });
            });
          for (const { pieces } of messages)
            expect((await line.next()).data.equals(Buffer.concat(pieces))).toBe(true);
        }),
        { numRuns: 25 },
      );
    });
  });

  it("pings and pongs, with their words, in both directions", async () => {
    const line = await openLine(door);
    const ponged = (socket: WebSocket): Promise<string> =>
      new Promise((resolve) => socket.once("pong", (data) => resolve(data.toString())));
    const [atClient, atServer] = [ponged(line.client), ponged(line.server)];
    line.client.ping("from the agent");
    line.server.ping("from the server");
    expect(await atClient).toBe("from the agent");
    expect(await atServer).toBe("from the server");
  });

  test.each<[number, string]>([
    [1000, ""],
    [1000, "done"],
    [1001, "going away"],
    [1011, "it broke"],
    [3000, "registered"],
    [4999, "ä".repeat(61)],
  ])("closing with %i `%s`, from either side: both hear it", async (code, reason) => {
    for (const from of ["client", "server"] as const) {
      const line = await openLine(door);
      const heard = Promise.all([closeOf(line.client), closeOf(line.server)]);
      line[from].close(code, reason);
      expect(await heard).toEqual([
        [code, reason],
        [code, reason],
      ]);
    }
  });

  it("a close without a code stays one, and comes after what was said before it", async () => {
    const line = await openLine(door);
    const heard = closeOf(line.server);
    const said: string[] = [];
    line.server.on("message", (data: Buffer) => said.push(data.toString()));
    for (const word of ["first", "second", "third"]) line.client.send(word);
    line.client.close();
    expect(await heard).toEqual([1005, ""]);
    expect(said).toEqual(["first", "second", "third"]);
  });

  test.each(["client", "server"] as const)("the %s vanishes: the other side hears 1006", async (from) => {
    const line = await openLine(door);
    const other = from === "client" ? line.server : line.client;
    const heard = closeOf(other);
    line[from].terminate();
    expect(await heard).toEqual([1006, ""]);
  });

  it("200 messages at once, each way, in order", async () => {
    const line = await openLine(door, { deflate: true });
    const words = Array.from({ length: 200 }, (_, i) => `${i} ${"x".repeat(i)}`);
    for (const word of words) line.client.send(word);
    const back: string[] = [];
    for (const _ of words) back.push((await line.next()).data.toString());
    expect(back).toEqual(words);
  });
});
