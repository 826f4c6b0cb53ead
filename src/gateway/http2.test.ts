// HTTP/2 on either side: the same promises as over HTTP/1.
import { createHash } from "node:crypto";
import {
  type ClientHttp2Session,
  connect as connectH2,
  createSecureServer,
  type Http2SecureServer,
  type ServerHttp2Stream,
} from "node:http2";
import { afterEach, describe, expect, it } from "vitest";
import { policyOf, type Rig, SECRET_RULE, startDestination, startRig, Wire, World } from "./rig.testkit.ts";

const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function startH2(
  world: World,
  serve: (stream: ServerHttp2Stream, raw: string[]) => void,
): Promise<number> {
  const server: Http2SecureServer = createSecureServer({
    maxSessionMemory: 100,
    SNICallback: (host, give) => give(null, world.contextFor(host)),
  });
  const sessions = new Set<{ destroy(): void }>();
  server.on("session", (session) => sessions.add(session));
  server.on("stream", (stream: ServerHttp2Stream, _h: unknown, _f: unknown, raw: unknown) => {
    stream.on("error", () => {});
    serve(stream, [...(raw as string[])]);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => {
    for (const session of sessions) session.destroy();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  });
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

async function agent(rig: Rig, authority: string): Promise<ClientHttp2Session> {
  const wire = await Wire.tunnel(rig.socketPath, authority, {
    ca: rig.caCertificate,
    alpn: ["h2", "http/1.1"],
  });
  wire.socket.removeAllListeners("data");
  const session = connectH2(`https://${authority}`, { createConnection: () => wire.socket });
  session.on("error", () => {});
  closing.push(() => session.destroy());
  return session;
}

interface Answer {
  readonly head: readonly string[];
  readonly body: string;
  readonly trailers: readonly string[];
}

function ask(
  session: ClientHttp2Session,
  fields: readonly string[],
  body?: string | Buffer,
): Promise<Answer> {
  const stream = session.request([...fields], { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  return new Promise((resolve, reject) => {
    let head: string[] = [];
    let trailers: string[] = [];
    const pieces: Buffer[] = [];
    stream.on("response", (_h, _f, raw) => {
      head = [...(raw as unknown as string[])];
    });
    stream.on("trailers", (_h: unknown, _f: unknown, raw: string[]) => {
      trailers = raw;
    });
    stream.on("data", (piece: Buffer) => pieces.push(piece));
    stream.on("end", () => resolve({ head, body: Buffer.concat(pieces).toString(), trailers }));
    stream.on("error", reject);
  });
}

/** node:http2 adds a date to what a test's destination sends. */
const withoutDate = (head: readonly string[]): readonly string[] =>
  head.at(-2) === "date" ? head.slice(0, -2) : head;

describe("an HTTP/2 agent and an HTTP/2 destination", () => {
  it("fields keep their order, body and trailers their bytes", async () => {
    const world = new World();
    let seen: string[] = [];
    let body = "";
    const port = await startH2(world, (stream, raw) => {
      seen = raw;
      stream.on("data", (piece: Buffer) => {
        body += piece.toString();
      });
      stream.on("end", () => {
        stream.respond([":status", "200", "x-b", "1", "x-a", "2", "x-b", "3"] as never, {
          waitForTrailers: true,
        });
        stream.on("wantTrailers", () => stream.sendTrailers({ "x-sum": "ok" }));
        stream.end("hello");
      });
    });
    const rig = await startRig({ policy: policyOf({ ports: [port] }), extraRoots: [world.root] });
    closing.push(() => rig.close());
    const authority = `a.example.com:${port}`;
    const session = await agent(rig, authority);
    const fields = [
      ":method",
      "POST",
      ":authority",
      authority,
      ":scheme",
      "https",
      ":path",
      "/v1/x?y",
      "zeta",
      "1",
      "alpha",
      "2",
      "zeta",
      "3",
      "content-length",
      "4",
    ];
    const answer = await ask(session, fields, "body");
    expect(answer.body).toBe("hello");
    expect(withoutDate(answer.head)).toEqual([":status", "200", "x-b", "1", "x-a", "2", "x-b", "3"]);
    expect(answer.trailers).toEqual(["x-sum", "ok"]);
    expect(seen).toEqual(fields);
    expect(body).toBe("body");
    await rig.seen("exchange.answered");
    expect(rig.of("exchange.judged")).toMatchObject([
      { protocol: "h2", door: "tls", method: "POST", path: "/v1/x", requestBytes: 4 },
    ]);
    expect(rig.of("exchange.answered")).toMatchObject([{ status: 200, responseBytes: 5, complete: true }]);
    expect(rig.of("exchange.answered")[0]?.kept["response-body"]?.toString()).toBe("hello");
  });

  it("two hundred streams at once over one connection, large bodies under flow control", async () => {
    const world = new World();
    let connections = 0;
    const big = Buffer.alloc(300_000, "x");
    const port = await startH2(world, (stream, raw) => {
      if (stream.session !== undefined && !("counted" in stream.session)) {
        Object.assign(stream.session, { counted: true });
        connections++;
      }
      stream.respond({ ":status": 200, "x-path": raw[raw.indexOf(":path") + 1] });
      stream.end(big);
    });
    const rig = await startRig({ policy: policyOf({ ports: [port] }), extraRoots: [world.root] });
    closing.push(() => rig.close());
    const authority = `a.example.com:${port}`;
    const session = await agent(rig, authority);
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, i) =>
        ask(session, [":method", "GET", ":authority", authority, ":scheme", "https", ":path", `/${i}`]),
      ),
    );
    answers.forEach(({ head, body }, i) => {
      expect(head.slice(0, 4)).toEqual([":status", "200", "x-path", `/${i}`]);
      expect(body.length).toBe(big.length);
    });
    expect(connections).toBe(1);
  });

  it("a stream that the agent takes back is taken back at the destination", async () => {
    const world = new World();
    let stopped = (): void => {};
    const stop = new Promise<void>((resolve) => {
      stopped = resolve;
    });
    const port = await startH2(world, (stream) => {
      stream.on("close", stopped);
      stream.respond({ ":status": 200 });
      stream.write("a");
    });
    const rig = await startRig({ policy: policyOf({ ports: [port] }), extraRoots: [world.root] });
    closing.push(() => rig.close());
    const authority = `a.example.com:${port}`;
    const session = await agent(rig, authority);
    const stream = session.request({
      ":path": "/",
      ":authority": authority,
      ":scheme": "https",
      ":method": "GET",
    });
    stream.on("error", () => {});
    await new Promise((resolve) => stream.once("data", resolve));
    stream.close(8);
    await stop;
    await rig.seen("exchange.answered");
    expect(rig.of("exchange.answered")).toMatchObject([{ complete: false, responseBytes: 1 }]);
  });

  it("a destination that resets the stream breaks the agent's stream", async () => {
    const world = new World();
    const port = await startH2(world, (stream) => {
      stream.respond({ ":status": 200 });
      stream.write("half", () => stream.destroy(new Error("reset")));
    });
    const rig = await startRig({ policy: policyOf({ ports: [port] }), extraRoots: [world.root] });
    closing.push(() => rig.close());
    const authority = `a.example.com:${port}`;
    const session = await agent(rig, authority);
    await expect(
      ask(session, [":method", "GET", ":authority", authority, ":scheme", "https", ":path", "/"]),
    ).rejects.toThrow();
    await rig.seen("exchange.answered");
    expect(rig.of("exchange.answered")).toMatchObject([{ complete: false }]);
  });
});

describe("an HTTP/2 agent and an HTTP/1 destination", () => {
  it("the request becomes HTTP/1, the reply HTTP/2 again; nothing but the framing changes", async () => {
    const world = new World();
    const server = await startDestination(
      (socket, _c, sofar) =>
        sofar.includes("0\r\n\r\n") &&
        socket.write(
          "HTTP/1.1 201 Created\r\nX-One: 1\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n3\r\nabc\r\n0\r\nX-T: u\r\n\r\n",
        ),
      { world, host: "a.example.com" },
    );
    closing.push(() => server.close());
    const rig = await startRig({ policy: policyOf({ ports: [server.port] }), extraRoots: [world.root] });
    closing.push(() => rig.close());
    const authority = `a.example.com:${server.port}`;
    const session = await agent(rig, authority);
    const answer = await ask(
      session,
      [
        ":method",
        "POST",
        ":authority",
        authority,
        ":scheme",
        "https",
        ":path",
        "/x",
        "cookie",
        "a=1",
        "x-y",
        "z",
        "cookie",
        "b=2",
      ],
      "hi",
    );
    expect(answer).toEqual({ head: [":status", "201", "x-one", "1"], body: "abc", trailers: ["x-t", "u"] });
    expect(Buffer.concat(server.received).toString()).toBe(
      `POST /x HTTP/1.1\r\nHost: ${authority}\r\nx-y: z\r\ncookie: a=1; b=2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n`,
    );
  });
});

describe("refusals", () => {
  it.each([
    [
      "another authority than the tunnel's",
      (_a: string) => [":method", "GET", ":authority", "b.example.com", ":scheme", "https", ":path", "/"],
    ],
    [
      "a host field that disagrees",
      (a: string) => [
        ":method",
        "GET",
        ":authority",
        a,
        ":scheme",
        "https",
        ":path",
        "/",
        "host",
        "b.example.com",
      ],
    ],
    ["another scheme", (a: string) => [":method", "GET", ":authority", a, ":scheme", "http", ":path", "/"]],
  ])("%s: 400 and a record", async (_name, fields) => {
    const rig = await startRig();
    closing.push(() => rig.close());
    const session = await agent(rig, "a.example.com:443");
    const answer = await ask(session, fields("a.example.com"));
    expect(answer.head[1]).toBe("400");
    expect(answer.body).toContain("gateway.malformed");
    expect(rig.of("connection.refused")).toMatchObject([
      { rule: "gateway.malformed", host: "a.example.com" },
    ]);
  });

  it("a body over the limit: 413", async () => {
    const rig = await startRig({ limits: { bodyBytes: 1000 } });
    closing.push(() => rig.close());
    const session = await agent(rig, "a.example.com:443");
    const answer = await ask(
      session,
      [":method", "POST", ":authority", "a.example.com", ":scheme", "https", ":path", "/"],
      Buffer.alloc(1001),
    );
    expect(answer.head[1]).toBe("413");
  });

  it("an append that fails: 503, and nothing reaches the destination", async () => {
    const world = new World();
    let reached = false;
    const port = await startH2(world, () => {
      reached = true;
    });
    const rig = await startRig({
      policy: policyOf({ ports: [port] }),
      extraRoots: [world.root],
      append: async () => {
        throw new Error("disk");
      },
    });
    closing.push(() => rig.close());
    const authority = `a.example.com:${port}`;
    const answer = await ask(await agent(rig, authority), [
      ":method",
      "GET",
      ":authority",
      authority,
      ":scheme",
      "https",
      ":path",
      "/",
    ]);
    expect(answer.head[1]).toBe("503");
    expect(reached).toBe(false);
  });

  it("CONNECT within a tunnel, or for another protocol than WebSocket, is refused and recorded; the others go on", async () => {
    const world = new World();
    const reached: string[] = [];
    const port = await startH2(world, (stream, raw) => {
      reached.push(raw.join(" "));
      stream.respond({ ":status": 200 });
      stream.end("ok");
    });
    const rig = await startRig({ policy: policyOf({ ports: [port] }), extraRoots: [world.root] });
    closing.push(() => rig.close());
    const authority = `a.example.com:${port}`;
    const session = await agent(rig, authority);
    const target = [":authority", authority, ":scheme", "https", ":path", "/"];
    expect((await ask(session, [":method", "GET", ...target])).body).toBe("ok");
    expect(session.remoteSettings.enableConnectProtocol).toBe(true);

    const tunnel = await ask(session, [":method", "CONNECT", ":authority", authority]);
    expect([tunnel.head[1], tunnel.body.includes("CONNECT")]).toEqual(["400", true]);
    const other = await ask(session, [":method", "CONNECT", ":protocol", "connect-udp", ...target]);
    expect([other.head[1], other.body.includes("another protocol")]).toEqual(["400", true]);
    const elsewhere = await ask(session, [
      ...[":method", "CONNECT", ":protocol", "websocket", ":scheme", "https", ":path", "/"],
      ...[":authority", "b.example.com"],
    ]);
    expect(elsewhere.head[1]).toBe("400");
    expect(rig.of("connection.refused")).toMatchObject(
      Array.from({ length: 3 }, () => ({ rule: "gateway.malformed", host: "a.example.com" })),
    );
    expect((await ask(session, [":method", "GET", ...target])).body).toBe("ok");
    expect(reached.filter((head) => !head.startsWith(":method GET"))).toEqual([]);
  });
});

describe("a WebSocket over HTTP/2 (RFC 8441)", () => {
  /** A server for WebSockets that repeats what it hears, and an agent's stream to it. */
  async function chat(o: { rules?: string; accept?: (key: string) => string } = {}) {
    const world = new World();
    let head = "";
    const heard: Buffer[] = [];
    const server = await startDestination(
      (socket, chunk, sofar) => {
        if (head !== "") {
          heard.push(chunk);
          // A text frame, unmasked.
          const frame = Buffer.from(chunk);
          const length = (frame[1] ?? 0) & 127;
          const mask = frame.subarray(2, 6);
          const said = frame.subarray(6, 6 + length).map((byte, i) => byte ^ (mask[i & 3] ?? 0));
          socket.write(Buffer.concat([Buffer.from([0x81, length]), said]));
          return;
        }
        if (!sofar.includes("\r\n\r\n")) return;
        head = sofar.toString("latin1");
        const key = /^sec-websocket-key: (.*)$/im.exec(head)?.[1] ?? "";
        const right = createHash("sha1")
          .update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
          .digest("base64");
        socket.write(
          `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${o.accept?.(key) ?? right}\r\nSec-WebSocket-Protocol: chat\r\n\r\n`,
        );
      },
      { world, host: "a.example.com" },
    );
    closing.push(() => server.close());
    const rig = await startRig({
      policy: policyOf({ ports: [server.port], ...(o.rules === undefined ? {} : { rules: o.rules }) }),
      extraRoots: [world.root],
    });
    closing.push(() => rig.close());
    const authority = `a.example.com:${server.port}`;
    const session = await agent(rig, authority);
    await new Promise<void>((resolve) => session.once("remoteSettings", () => resolve()));
    const stream = session.request({
      ":method": "CONNECT",
      ":protocol": "websocket",
      ":authority": authority,
      ":scheme": "https",
      ":path": "/v1/chat?x=1",
      "sec-websocket-version": "13",
      "sec-websocket-protocol": "chat",
      cookie: "a=1",
    });
    stream.on("error", () => {});
    const pieces: Buffer[] = [];
    stream.on("data", (piece: Buffer) => pieces.push(piece));
    // As a client does that has had a close frame.
    stream.once("end", () => stream.end());
    const over = new Promise<void>((resolve) => stream.once("close", () => resolve()));
    const status = new Promise<number>((resolve) => {
      stream.once("response", (fields) => resolve(Number(fields[":status"])));
      stream.once("close", () => resolve(0));
    });
    const frame = (text: string): Buffer => {
      const mask = Buffer.from([1, 2, 3, 4]);
      const bytes = Buffer.from(text).map((byte, i) => byte ^ (mask[i & 3] ?? 0));
      return Buffer.concat([Buffer.from([0x81, 0x80 | bytes.length]), mask, bytes]);
    };
    return { rig, stream, status, over, heard, frame, pieces, head: () => head };
  }

  it("is opened, each message is judged and recorded, and every byte is as it was", async () => {
    const c = await chat();
    expect(await c.status).toBe(200);
    expect(c.head()).toMatch(/^GET \/v1\/chat\?x=1 HTTP\/1\.1\r\nHost: a\.example\.com:\d+\r\n/);
    expect(c.head()).toMatch(/\r\nConnection: Upgrade\r\n[\s\S]*\r\ncookie: a=1\r\n/);
    for (const text of ["hello", "and again"]) {
      const sofar = c.pieces.length;
      c.stream.write(c.frame(text));
      while (c.pieces.length === sofar) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(Buffer.concat(c.heard)).toEqual(Buffer.concat([c.frame("hello"), c.frame("and again")]));
    expect(Buffer.concat(c.pieces).toString("latin1")).toBe("\x81\x05hello\x81\x09and again");
    c.stream.end();
    await c.rig.seen("exchange.answered", 3);
    expect(c.rig.of("exchange.judged").map(({ protocol, method }) => [protocol, method])).toEqual([
      ["websocket", "GET"],
      ["websocket", "MESSAGE"],
      ["websocket", "MESSAGE"],
    ]);
    expect(c.rig.of("exchange.judged")[1]?.kept["frames"]).toEqual(c.frame("hello"));
  });

  it("what policy refuses does not go on, and the conversation ends", async () => {
    const c = await chat({ rules: SECRET_RULE });
    expect(await c.status).toBe(200);
    c.stream.write(c.frame("the key is AKIAIOSFODNN7EXAMPLQ"));
    await c.over;
    expect(Buffer.concat(c.heard).length).toBe(0);
    expect(Buffer.concat(c.pieces).toString("latin1")).toContain("\x03\xf0gateway.refused");
    expect(c.rig.of("exchange.judged").at(-1)).toMatchObject({ verdict: "deny" });
  });

  it("an answer that does not fit the handshake is cut off", async () => {
    const c = await chat({ accept: () => "bm90IGl0" });
    expect(await c.status).toBe(0);
    await c.over;
  });
});
