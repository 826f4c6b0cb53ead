// A WebSocket through the gateway: each message judged before it goes on, every byte as it was.
import { createHash, randomBytes } from "node:crypto";
import { constants, createDeflateRaw } from "node:zlib";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { serverFrame } from "./frame.ts";
import {
  type Destination,
  policyOf,
  type Rig,
  SECRET_RULE,
  startDestination,
  startRig,
  Wire,
} from "./rig.testkit.ts";

const closing: (() => Promise<void>)[] = [];
const keep = <T extends { close(): Promise<void> }>(thing: T): T => {
  closing.push(() => thing.close());
  return thing;
};
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT = createHash("sha1").update(`${KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");

function agentFrame(
  payload: Buffer | string,
  o: { opcode?: number; fin?: boolean; rsv1?: boolean; mask?: Buffer | null } = {},
): Buffer {
  const bytes = Buffer.from(payload);
  const mask = o.mask === undefined ? randomBytes(4) : o.mask;
  const first = (o.fin === false ? 0 : 0x80) | (o.rsv1 === true ? 0x40 : 0) | (o.opcode ?? 1);
  const maskBit = mask === null ? 0 : 0x80;
  const n = bytes.length;
  const head =
    n < 126
      ? Buffer.from([first, maskBit | n])
      : n < 65536
        ? Buffer.from([first, maskBit | 126, n >> 8, n & 255])
        : Buffer.from([first, maskBit | 127, 0, 0, 0, 0, n >>> 24, (n >> 16) & 255, (n >> 8) & 255, n & 255]);
  if (mask === null) return Buffer.concat([head, bytes]);
  return Buffer.concat([head, mask, bytes.map((byte, i) => byte ^ (mask[i & 3] ?? 0))]);
}

interface Talk {
  readonly rig: Rig;
  readonly wire: Wire;
  readonly server: Destination;
  /** What came after the handshake. */
  sent(): Buffer;
  say(bytes: Buffer): void;
  readonly switched: string;
}

async function talk(o: { rules?: string; extensions?: string; limits?: object } = {}): Promise<Talk> {
  let say = (_bytes: Buffer): void => {};
  let head = 0;
  const extensions = o.extensions === undefined ? "" : `Sec-WebSocket-Extensions: ${o.extensions}\r\n`;
  const switched = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${ACCEPT}\r\n${extensions}\r\n`;
  const server = keep(
    await startDestination((socket, _chunk, sofar) => {
      if (head > 0 || !sofar.includes("\r\n\r\n")) return;
      head = sofar.indexOf("\r\n\r\n") + 4;
      say = (bytes) => void socket.write(bytes);
      socket.write(switched);
    }),
  );
  const rig = keep(
    await startRig({
      policy: policyOf({ ports: [server.port], ...(o.rules === undefined ? {} : { rules: o.rules }) }),
      ...(o.limits === undefined ? {} : { limits: o.limits }),
    }),
  );
  const authority = `a.example.com:${server.port}`;
  const wire = await Wire.tunnel(rig.socketPath, authority);
  const request = `GET /v1/responses HTTP/1.1\r\nHost: ${authority}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: ${KEY}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n`;
  wire.write(request);
  expect(await wire.until("\r\n\r\n")).toBe(switched);
  expect(Buffer.concat(server.received).toString()).toBe(request);
  return {
    rig,
    wire,
    server,
    switched,
    sent: () => Buffer.concat(server.received).subarray(head),
    say: (bytes) => say(bytes),
  };
}

const arrived = async (t: Talk, bytes: number): Promise<Buffer> => {
  while (t.sent().length < bytes) await new Promise((resolve) => setImmediate(resolve));
  return t.sent();
};

describe("messages", () => {
  it("each message is an exchange of its own; its frames go on as they were, the server's bytes come as they are", async () => {
    const t = await talk();
    const first = agentFrame(JSON.stringify({ type: "response.create", model: "m", input: "one" }));
    t.wire.write(first);
    expect(await arrived(t, first.length)).toEqual(first);
    const reply = serverFrame(
      1,
      Buffer.from(
        '{"type":"response.completed","response":{"id":"r","status":"completed","model":"m","output":[],"usage":{"input_tokens":7,"output_tokens":5,"total_tokens":12}}}',
      ),
    );
    t.say(reply);
    await t.wire.untilBytes(t.switched.length + reply.length);
    expect(t.wire.bytes.subarray(t.switched.length)).toEqual(reply);
    const second = [
      agentFrame("tw", { fin: false }),
      agentFrame("", { opcode: 9 }),
      agentFrame("o", { opcode: 0 }),
    ];
    for (const frame of second) t.wire.write(frame);
    // The ping may pass between the fragments of a message that is still being gathered.
    const [a = Buffer.alloc(0), ping = Buffer.alloc(0), b = Buffer.alloc(0)] = second;
    expect(await arrived(t, first.length + a.length + ping.length + b.length)).toEqual(
      Buffer.concat([first, ping, a, b]),
    );
    t.wire.close();
    await t.rig.seen("exchange.answered", 3);
    expect(
      t.rig
        .of("exchange.judged")
        .map(({ method, protocol, requestBytes }) => [method, protocol, requestBytes]),
    ).toEqual([
      ["GET", "websocket", 0],
      ["MESSAGE", "websocket", first.length - 6],
      ["MESSAGE", "websocket", 3],
    ]);
    expect(t.rig.of("exchange.judged")[1]).toMatchObject({ dialect: "openai-responses", model: "m" });
    expect(t.rig.of("exchange.judged")[1]?.kept["frames"]).toEqual(first);
    expect(t.rig.of("exchange.answered")[1]?.kept["frames"]).toEqual(reply);
    expect(t.rig.of("exchange.answered")[1]?.usage).toMatchObject({ inputTokens: 7, outputTokens: 5 });
    expect(t.rig.of("exchange.answered")[0]?.kept["response-head"]?.toString()).toBe(t.switched);
  });

  it("a compressed message is read through its window, and forwarded as it was", async () => {
    const t = await talk({ extensions: "permessage-deflate; client_max_window_bits=12", rules: SECRET_RULE });
    const deflate = createDeflateRaw({ windowBits: 12 });
    const compress = (text: string): Promise<Buffer> =>
      new Promise((resolve) => {
        const pieces: Buffer[] = [];
        deflate.on("data", (piece: Buffer) => pieces.push(piece));
        deflate.write(text);
        deflate.flush(constants.Z_SYNC_FLUSH, () => {
          deflate.removeAllListeners("data");
          resolve(Buffer.concat(pieces).subarray(0, -4));
        });
      });
    const text = JSON.stringify({
      type: "response.create",
      model: "m",
      input: "the same words again and again",
    });
    const frames = [await compress(text), await compress(text)].map((bytes) =>
      agentFrame(bytes, { rsv1: true }),
    );
    for (const frame of frames) t.wire.write(frame);
    const all = Buffer.concat(frames);
    expect(await arrived(t, all.length)).toEqual(all);
    t.wire.write(
      agentFrame(
        await compress(
          JSON.stringify({ type: "response.create", model: "m", input: "AKIAIOSFODNN7EXAMPLQ" }),
        ),
        { rsv1: true },
      ),
    );
    expect(await t.wire.all()).toContain("no-secrets");
    expect(t.sent()).toEqual(all);
    expect(t.rig.of("exchange.judged").map(({ verdict, understood }) => [verdict, understood])).toEqual([
      ["allow", true],
      ["allow", true],
      ["allow", true],
      ["deny", true],
    ]);
  });

  it("what a ping, a pong or a close frame says is judged too; an echo and a status say nothing", async () => {
    const t = await talk({ rules: SECRET_RULE });
    const ping = serverFrame(9, Buffer.from("heart"));
    t.say(ping);
    await t.wire.untilBytes(t.switched.length + ping.length);
    const frames = [agentFrame("heart", { opcode: 10 }), agentFrame("note", { opcode: 9 })];
    for (const frame of frames) t.wire.write(frame);
    const all = Buffer.concat(frames);
    expect(await arrived(t, all.length)).toEqual(all);
    t.wire.write(agentFrame("AKIAIOSFODNN7EXAMPLQ", { opcode: 9 }));
    await t.wire.all();
    expect(t.sent()).toEqual(all);
    expect(t.rig.of("exchange.judged").map(({ verdict, requestBytes }) => [verdict, requestBytes])).toEqual([
      ["allow", 0],
      ["allow", 4],
      ["deny", 20],
    ]);
  });

  it("a denied message does not leave; the agent gets an error and a close frame", async () => {
    const t = await talk({ rules: SECRET_RULE });
    t.wire.write(
      agentFrame(JSON.stringify({ type: "response.create", model: "m", input: "AKIAIOSFODNN7EXAMPLQ" })),
    );
    const answer = await t.wire.all();
    expect(answer).toContain('"type":"error"');
    expect(answer).toContain("a leaked key is a lost key");
    expect(t.sent().length).toBe(0);
    expect(t.rig.of("exchange.judged")[1]).toMatchObject({ verdict: "deny", rules: ["no-secrets"] });
  });

  it("a message that is asked about waits, and so do those after it; a yes lets them go on in their order", async () => {
    const t = await talk({ rules: SECRET_RULE.replace("then: deny", "then: ask") });
    const { approvals } = t.rig.gateway;
    const asked = new Promise<string>((resolve) => {
      approvals.subscribe((told) => told.what === "asked" && resolve(told.question.id));
    });
    const frames = [agentFrame("the key is AKIAIOSFODNN7EXAMPLQ"), agentFrame("and more")];
    for (const frame of frames) t.wire.write(frame);
    const id = await asked;
    expect(t.sent()).toHaveLength(0);
    await approvals.answer(id, { verdict: "allow", by: "local:1", reason: "", scope: "once" });
    const both = Buffer.concat(frames);
    expect(await arrived(t, both.length)).toEqual(both);
    expect(t.rig.of("exchange.judged")[1]).toMatchObject({ verdict: "allow", approvals: [id] });
    t.wire.close();
  });

  it("any division of the frames gives the same frames out", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 4 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 30 }),
        async (messages, sizes) => {
          const t = await talk();
          const all = Buffer.concat(
            messages.map((message) => agentFrame(Buffer.from(message), { opcode: 2 })),
          );
          let at = 0;
          for (const size of [...sizes, all.length]) {
            if (at < all.length) t.wire.write(all.subarray(at, at + size));
            at += size;
            await new Promise((resolve) => setImmediate(resolve));
          }
          expect(await arrived(t, all.length)).toEqual(all);
          t.wire.close();
        },
      ),
      { numRuns: 25 },
    );
  });
});

describe("what breaks the protocol ends the conversation", () => {
  it.each([
    ["an unmasked frame", agentFrame("x", { mask: null })],
    ["a reserved bit", Buffer.concat([Buffer.from([0xa1]), agentFrame("x").subarray(1)])],
    ["compression that was not agreed", agentFrame("x", { rsv1: true })],
    ["an unknown opcode", agentFrame("x", { opcode: 3 })],
    ["a continuation of nothing", agentFrame("x", { opcode: 0 })],
    ["a new message inside a message", Buffer.concat([agentFrame("x", { fin: false }), agentFrame("y")])],
    ["a fragmented ping", agentFrame("x", { opcode: 9, fin: false })],
    ["a long ping", agentFrame("x".repeat(126), { opcode: 9 })],
    ["a message over the limit", agentFrame("x".repeat(1001))],
  ])("%s", async (_name, bytes) => {
    const t = await talk({ limits: { bodyBytes: 1000 } });
    t.wire.write(bytes);
    expect(await t.wire.all()).toMatch(/gateway\.(?:malformed|too-large)/);
    expect(t.sent().length).toBe(0);
  });

  it("an extension that cannot be read through is refused at the handshake", async () => {
    const server = keep(
      await startDestination(
        (socket) =>
          void socket.write(
            `HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${ACCEPT}\r\nSec-WebSocket-Extensions: x-cipher\r\n\r\n`,
          ),
      ),
    );
    const rig = keep(await startRig({ policy: policyOf({ ports: [server.port] }) }));
    const authority = `a.example.com:${server.port}`;
    const wire = await Wire.tunnel(rig.socketPath, authority);
    wire.write(`GET / HTTP/1.1\r\nHost: ${authority}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`);
    expect(await wire.until("bad-reply")).toMatch(/^HTTP\/1\.1 502 /);
  });

  it("a destination that refuses the handshake is heard as it is", async () => {
    const reply = "HTTP/1.1 426 Upgrade Required\r\ncontent-length: 2\r\n\r\nno";
    const server = keep(await startDestination((socket) => void socket.write(reply)));
    const rig = keep(await startRig({ policy: policyOf({ ports: [server.port] }) }));
    const authority = `a.example.com:${server.port}`;
    const wire = await Wire.tunnel(rig.socketPath, authority);
    wire.write(`GET / HTTP/1.1\r\nHost: ${authority}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`);
    expect(await wire.until("no")).toBe(reply);
  });
});
