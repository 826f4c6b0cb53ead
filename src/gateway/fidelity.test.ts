import { afterEach, describe, expect, it } from "vitest";
import {
  type Destination,
  policyOf,
  type Rig,
  startDestination,
  startRig,
  Wire,
  World,
} from "./rig.testkit.ts";

const closing: (() => Promise<void>)[] = [];
const keep = <T extends { close(): Promise<void> }>(thing: T): T => {
  closing.push(() => thing.close());
  return thing;
};
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const REPLY =
  "HTTP/1.1 200 Fine By Me\r\nX-First: 1\r\ncontent-type: text/plain\r\nx-FIRST: 2\r\nContent-Length: 5\r\n\r\nhello";
const HEADERS = [
  "Accept: */*",
  "x-Api-Key: k",
  "USER-agent: a b",
  "X-Two: 1",
  "x-two: 2",
  "X-Empty:",
  "Anthropic-Beta: a,b",
];

async function plainWorld(
  serve = (socket: { write(text: string): unknown }): void => void socket.write(REPLY),
): Promise<{ rig: Rig; server: Destination }> {
  const server = keep(
    await startDestination((socket, _chunk, sofar) => sofar.includes("\r\n\r\n") && serve(socket)),
  );
  const rig = keep(await startRig({ policy: policyOf({ ports: [server.port] }) }));
  return { rig, server };
}

describe("what policy allows arrives as it was sent", () => {
  it("absolute form: request line in origin form, fields in order and case, hop-by-hop fields gone", async () => {
    const { rig, server } = await plainWorld();
    const wire = await Wire.open(rig.socketPath);
    wire.write(
      `GET http://a.example.com:${server.port}/p/q?x=1&y=%20 HTTP/1.1\r\n${HEADERS.join("\r\n")}\r\nHost: a.example.com:${server.port}\r\nProxy-Connection: keep-alive\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\n\r\n`,
    );
    expect(await wire.until("hello")).toBe(REPLY);
    expect(Buffer.concat(server.received).toString("latin1")).toBe(
      `GET /p/q?x=1&y=%20 HTTP/1.1\r\n${HEADERS.join("\r\n").replace("X-Empty:", "X-Empty: ")}\r\nHost: a.example.com:${server.port}\r\n\r\n`,
    );
    wire.close();
    await rig.seen("exchange.answered");
    const [judged] = rig.of("exchange.judged");
    expect(judged).toMatchObject({
      door: "plain",
      protocol: "http/1.1",
      method: "GET",
      host: "a.example.com",
      port: server.port,
      path: "/p/q",
      queryBytes: 9,
      verdict: "allow",
      requestBytes: 0,
    });
    expect(judged?.kept["request-head"]?.toString()).toContain("X-Hop: 1");
    const [answered] = rig.of("exchange.answered");
    expect(answered).toMatchObject({
      status: 200,
      responseBytes: 5,
      address: "127.0.0.1",
      tlsPeer: null,
      complete: true,
    });
    expect(answered?.kept["response-body"]?.toString()).toBe("hello");
    expect(answered?.kept["response-head"]?.toString()).toBe(REPLY.slice(0, -5));
  });

  it("TLS inside CONNECT, with the destination's certificate verified and recorded", async () => {
    const world = new World();
    const server = keep(
      await startDestination((socket, _c, sofar) => sofar.includes("}") && socket.write(REPLY), {
        world,
        host: "api.example.com",
      }),
    );
    const rig = keep(
      await startRig({ policy: policyOf({ ports: [server.port] }), extraRoots: [world.root] }),
    );
    const authority = `api.example.com:${server.port}`;
    const wire = await Wire.tunnel(rig.socketPath, authority, { ca: rig.caCertificate });
    const request = `POST /v1/messages?beta=true HTTP/1.1\r\nHost: ${authority}\r\n${HEADERS.join("\r\n")}\r\ncontent-length: 9\r\n\r\n{"a": 1 }`;
    wire.write(request);
    expect(await wire.until("hello")).toBe(REPLY);
    expect(Buffer.concat(server.received).toString("latin1")).toBe(request.replace("X-Empty:", "X-Empty: "));
    wire.close();
    await rig.seen("exchange.answered");
    expect(rig.of("exchange.judged")[0]).toMatchObject({
      door: "tls",
      sentTo: `https://${authority}`,
      requestBytes: 9,
    });
    expect(rig.of("exchange.judged")[0]?.kept["request-body"]?.toString()).toBe('{"a": 1 }');
    expect(rig.of("exchange.answered")[0]?.tlsPeer).toMatch(/^[0-9a-f]{64}$/);
  });
});
