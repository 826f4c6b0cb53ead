// What exchanges of a session said, whichever way they went.
import { afterEach, describe, expect, it } from "vitest";
import { exchangeId } from "../core/index.ts";
import { judgedEvent, type Kit, SECRET, SESSION, startedEvent, startKit } from "./console.testkit.ts";

let made: Kit;
afterEach(() => made.close());

/** One frame with the mask 0, which leaves the payload as it is. */
const agentFrame = (text: string): Buffer =>
  Buffer.concat([
    Buffer.from([0x81, 0x80 | 126, text.length >> 8, text.length & 255, 0, 0, 0, 0]),
    Buffer.from(text),
  ]);
const serverFrame = (event: object): Buffer => {
  const text = JSON.stringify(event);
  return Buffer.concat([Buffer.from([0x81, 126, text.length >> 8, text.length & 255]), Buffer.from(text)]);
};

describe("a conversation over a WebSocket", () => {
  it("is read as its messages: the prompt with values masked, what the model said, its tool call; and the exact bytes", async () => {
    made = await startKit();
    await made.ledger.append(startedEvent());
    const message = JSON.stringify({
      ...{ type: "response.create", model: "m" },
      input: [
        { type: "message", role: "user", content: [{ type: "input_text", text: `find it with ${SECRET}` }] },
      ],
    });
    const over = {
      protocol: "websocket",
      method: "MESSAGE",
      path: "/v1/responses",
      dialect: "openai-responses",
    } as const;
    await made.ledger.append(judgedEvent(1, over), [{ role: "frames", chunks: [agentFrame(message)] }]);
    const said = [
      { type: "response.output_text.delta", delta: "I lo" },
      {
        ...{ type: "response.output_item.done", output_index: 0 },
        item: { type: "message", role: "assistant", content: [{ type: "output_text", text: "I look." }] },
      },
      {
        ...{ type: "response.output_item.done", output_index: 1 },
        item: {
          type: "function_call",
          name: "shell",
          arguments: '{"command":["ls"]}',
          call_id: "call_12345",
        },
      },
    ];
    await made.ledger.append(
      {
        ...{ kind: "exchange.answered", session: SESSION, exchange: exchangeId(SESSION, 1), status: 101 },
        ...{
          responseBytes: 9,
          address: "192.0.2.1",
          tlsPeer: null,
          usage: null,
          complete: true,
          durationMs: 5,
        },
        evidence: [],
      },
      [{ role: "frames", chunks: [Buffer.concat(said.map(serverFrame))] }],
    );
    await made.settle();
    const person = await made.signIn(["evidence-reader"]);
    const contents = await person.post(`/api/sessions/${SESSION}/contents`, {
      reason: "a complaint",
      exchanges: [`${SESSION}-1`],
    });
    expect(contents.text).not.toContain(SECRET);
    expect(contents.json).toMatchObject({
      data: {
        exchanges: [
          {
            request: [
              { role: "person", text: "find it with ••••••••", masked: [{ class: "secret", as: "value" }] },
            ],
            response: [
              { role: "agent", text: "I look." },
              { role: "tool-call", tool: "shell", text: '{"command":["ls"]}' },
            ],
            missing: [],
          },
        ],
      },
    });
    const exact = await person.post(`/api/exposure/exchanges/${SESSION}-1/bytes`, { reason: "a complaint" });
    expect(exact.text).not.toContain(SECRET);
    expect(exact.json).toMatchObject({
      data: { withheld: null, body: { isSetOut: true, bytes: Buffer.byteLength(message) } },
    });
  });
});
