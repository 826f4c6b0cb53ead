// Anthropic's own SDK asks for Claude; a server of our own that speaks Chat Completions alone answers. What the SDK's
// helpers make of the translated reply is the strictest reading of it that there is.
import { type AddressInfo, connect, createServer } from "node:net";
import Anthropic from "@anthropic-ai/sdk";
import { afterEach, describe, expect, it, test } from "vitest";
import { policyOf, type Rig, startRig } from "../../src/gateway/rig.testkit.ts";
import { type ReceivedRequest, type ScriptedModelOptions, startScriptedModel } from "../../src/lab/index.ts";

const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const RULES = `  rules:
    - { id: own, title: Our own models, because: a reason, when: { channel: [llm] }, unless: { operatorLaw: [SELF] }, then: reroute, rerouteTo: [own-model] }
    - { id: masked, title: Secrets are masked, because: a reason, when: { data: [secret] }, then: redact }
`;

async function place(
  options: Partial<ScriptedModelOptions> = {},
): Promise<{ rig: Rig; client: Anthropic; received: ReceivedRequest[] }> {
  const received: ReceivedRequest[] = [];
  const model = await startScriptedModel({
    cwd: "/w",
    ...options,
    onRequest: (request) => received.push(request),
  });
  closing.push(() => model.close());
  const rig = await startRig({
    policy: policyOf({ rules: RULES }),
    label: () => ({
      destination: "anthropic",
      channel: "llm",
      serverIn: "US",
      operatorLaw: "US",
      trains: "no",
      dpa: "signed",
    }),
    destinations: new Map([
      [
        "own-model",
        {
          name: "own-model",
          url: new URL(model.url),
          speaks: ["openai-chat"],
          model: () => "qwen3-coder",
          labels: {
            destination: "own-model",
            channel: "llm",
            serverIn: "ONPREM",
            operatorLaw: "SELF",
            trains: "no",
            dpa: "signed",
          },
          secret: null,
        },
      ],
    ]),
  });
  closing.push(() => rig.close());
  const port = createServer((agent) => {
    const gate = connect(rig.socketPath);
    agent.on("error", () => gate.destroy());
    gate.on("error", () => agent.destroy());
    agent.pipe(gate).pipe(agent);
  });
  await new Promise<void>((resolve) => port.listen(0, "127.0.0.1", resolve));
  closing.push(() => void port.close());
  const { port: number } = port.address() as AddressInfo; // it listens on TCP
  const baseURL = `http://127.0.0.1:${number}/api.anthropic.com`;
  return { rig, received, client: new Anthropic({ apiKey: "test", baseURL, maxRetries: 0 }) };
}

const ask = {
  model: "claude-sonnet-5",
  max_tokens: 100,
  messages: [{ role: "user" as const, content: "hello" }],
};
const TOOLS: Anthropic.Tool[] = [
  {
    name: "Read",
    description: "Reads a file",
    input_schema: { type: "object", properties: { file_path: { type: "string" } }, required: ["file_path"] },
  },
];

describe("Claude's SDK and a server that speaks Chat Completions", () => {
  it("a message, and the record of what left", async () => {
    const { rig, client, received } = await place();
    const message = await client.messages.create({ ...ask, system: "Be kind", metadata: { user_id: "u" } });
    expect(message.content).toEqual([{ type: "text", text: "Scripted test" }]);
    expect(message.usage).toMatchObject({ input_tokens: 1000, output_tokens: 20 });
    expect(JSON.parse(Buffer.from(received[0]?.body ?? []).toString())).toEqual({
      model: "qwen3-coder",
      messages: [
        { role: "system", content: "Be kind" },
        { role: "user", content: "hello" },
      ],
      max_tokens: 100,
    });
    const names = received[0]?.headers.map(([name]) => name.toLowerCase()) ?? [];
    expect(names.filter((name) => /anthropic|api-key|authorization/.test(name))).toEqual([]);
    expect(rig.of("exchange.judged")).toMatchObject([
      {
        verdict: "reroute",
        path: "/v1/messages",
        dialect: "anthropic-messages",
        rerouted: { name: "own-model", model: "qwen3-coder", dialect: "openai-chat", dropped: ["metadata"] },
      },
    ]);
    expect(rig.of("exchange.judged")[0]?.kept["request-body"]).toEqual(Buffer.from(received[0]?.body ?? []));
    await rig.seen("exchange.answered");
    expect(rig.of("exchange.answered")).toMatchObject([
      { complete: true, usage: { inputTokens: 1000, outputTokens: 20 } },
    ]);
  });

  it("the streaming helper, text and a tool's input in pieces, and the turn after it", async () => {
    const { client } = await place();
    const pieces: string[] = [];
    const said = client.messages.stream(ask).on("text", (piece) => pieces.push(piece));
    expect((await said.finalMessage()).content).toEqual([{ type: "text", text: "Scripted test" }]);
    expect(pieces.length).toBeGreaterThan(1);
    const inputs: string[] = [];
    const first = await client.messages
      .stream({ ...ask, tools: TOOLS })
      .on("inputJson", (piece) => inputs.push(piece))
      .finalMessage();
    const [block] = first.content;
    expect(first.stop_reason).toBe("tool_use");
    expect(block).toMatchObject({ type: "tool_use", name: "Read", input: { file_path: "/w/README.md" } });
    expect(inputs.length).toBeGreaterThan(1);
    if (block?.type !== "tool_use") throw new Error("no tool was called");
    const second = await client.messages.create({
      ...ask,
      tools: TOOLS,
      messages: [
        ...ask.messages,
        { role: "assistant", content: first.content },
        { role: "user", content: [{ type: "tool_result", tool_use_id: block.id, content: "# Sample" }] },
      ],
    });
    expect(second.type).toBe("message");
  });

  it("what is masked there comes back as it was", async () => {
    /** Shaped like a key; it opens nothing. */
    const key = `ghp_${"aB3dE5gH".repeat(5)}`;
    let seen = "";
    const { client, received } = await place({
      plan: {
        steps: [],
        get final() {
          return `you said ${seen}`;
        },
      },
    });
    const word = (): string =>
      /ghp_[A-Za-z0-9]{40}/.exec(Buffer.from(received.at(-1)?.body ?? []).toString())?.[0] ?? "";
    await client.messages.create({ ...ask, messages: [{ role: "user", content: `key ${key}` }] });
    seen = word();
    expect(seen).not.toBe(key);
    const again = await client.messages
      .stream({ ...ask, tools: TOOLS, messages: [{ role: "user", content: `key ${key}` }] })
      .finalMessage();
    expect(JSON.stringify(again.content)).toContain(key);
  });

  test.each([
    ["401", Anthropic.AuthenticationError],
    ["429", Anthropic.RateLimitError],
  ] as const)("an error %s is the SDK's own", async (fault, kind) => {
    const { client } = await place({ fault });
    await expect(client.messages.create(ask)).rejects.toBeInstanceOf(kind);
  });

  it("what cannot be said there is refused, and so is counting", async () => {
    const { client, received, rig } = await place();
    const tools = [{ type: "web_search_20250305", name: "web_search" }] as unknown as Anthropic.Tool[];
    await expect(client.messages.create({ ...ask, tools })).rejects.toThrow(
      /which has no word for a tool that its vendor/,
    );
    await expect(client.messages.countTokens({ model: ask.model, messages: ask.messages })).rejects.toThrow(
      /speaks openai-chat/,
    );
    expect(received).toEqual([]);
    expect(rig.of("exchange.judged").map(({ verdict }) => verdict)).toEqual(["deny", "deny"]);
  });
});
