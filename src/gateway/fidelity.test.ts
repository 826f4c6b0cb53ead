// What policy allows arrives as it was sent, by every door; replies come back as they were given.
import { gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
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
const HEADERS =
  "Accept: */*\r\nx-Api-Key: k\r\nUSER-agent: a b\r\nX-Two: 1\r\nx-two: 2\r\nX-Empty: \r\nAnthropic-Beta: a,b\r\n";
const BODY = '{"a": 1 }';

type Door = "absolute" | "base" | "tls" | "plain tunnel";
const DOORS: readonly Door[] = ["absolute", "base", "tls", "plain tunnel"];

interface Setting {
  readonly rig: Rig;
  readonly server: Destination;
  /** Opens the door; `start` is the request line and Host field that this door wants. */
  open(): Promise<{ readonly wire: Wire; start(method: string, path: string): string }>;
  readonly authority: string;
  received(): string;
}

type Serve = Parameters<typeof startDestination>[0];
const answering =
  (reply: string | Buffer, until = "\r\n\r\n"): Serve =>
  (socket, _chunk, sofar) => {
    if (sofar.includes(until)) socket.write(reply);
  };

async function open(door: Door, serve: Serve): Promise<Setting> {
  const world = new World();
  const isSecure = door === "tls" || door === "base";
  const host = "api.example.com";
  const server = keep(await startDestination(serve, isSecure ? { world, host } : undefined));
  const rig = keep(await startRig({ policy: policyOf({ ports: [server.port] }), extraRoots: [world.root] }));
  const authority = `${host}:${server.port}`;
  return {
    rig,
    server,
    authority,
    received: () => Buffer.concat(server.received).toString("latin1"),
    open: async () => {
      if (door === "tls" || door === "plain tunnel") {
        const wire = await Wire.tunnel(
          rig.socketPath,
          authority,
          door === "tls" ? { ca: rig.caCertificate } : undefined,
        );
        return { wire, start: (method, path) => `${method} ${path} HTTP/1.1\r\nHost: ${authority}\r\n` };
      }
      const wire = await Wire.open(rig.socketPath);
      return door === "base"
        ? {
            wire,
            start: (method, path) => `${method} /${authority}${path} HTTP/1.1\r\nHost: 127.0.0.1:8888\r\n`,
          }
        : {
            wire,
            start: (method, path) =>
              `${method} http://${authority}${path} HTTP/1.1\r\nHost: ${authority}\r\n`,
          };
    },
  };
}

describe.each(DOORS)("by the door `%s`", (door) => {
  it("fields keep order and case, the body its bytes; only hop-by-hop fields go", async () => {
    const setting = await open(door, answering(REPLY, BODY));
    const { wire, start } = await setting.open();
    wire.write(
      `${start("POST", "/v1/messages?beta=true&x=%20")}${HEADERS}Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\ncontent-LENGTH: 9\r\n\r\n${BODY}`,
    );
    expect(await wire.until("hello")).toBe(REPLY);
    expect(setting.received()).toBe(
      `POST /v1/messages?beta=true&x=%20 HTTP/1.1\r\nHost: ${setting.authority}\r\n${HEADERS}content-LENGTH: 9\r\n\r\n${BODY}`,
    );
    wire.close();
    const { rig } = setting;
    await rig.seen("exchange.answered");
    const isSecure = door === "tls" || door === "base";
    const [judged] = rig.of("exchange.judged");
    expect(judged).toMatchObject({
      door: door === "tls" || door === "base" ? door : "plain",
      protocol: "http/1.1",
      method: "POST",
      host: "api.example.com",
      port: setting.server.port,
      path: "/v1/messages",
      queryBytes: 15,
      sentTo: `${isSecure ? "https" : "http"}://${setting.authority}`,
      verdict: "allow",
      requestBytes: 9,
    });
    expect(judged?.kept["request-head"]?.toString()).toContain("X-Hop: 1");
    expect(judged?.kept["request-body"]?.toString()).toBe(BODY);
    const [answered] = rig.of("exchange.answered");
    expect(answered).toMatchObject({ status: 200, responseBytes: 5, address: "127.0.0.1", complete: true });
    expect(answered?.tlsPeer ?? "").toMatch(isSecure ? /^[0-9a-f]{64}$/ : /^$/);
    expect(answered?.kept["response-head"]?.toString()).toBe(REPLY.slice(0, -5));
    expect(answered?.kept["response-body"]?.toString()).toBe("hello");
  });

  it("the pieces of a stream come as they are sent, not when it ends", async () => {
    let socketOf: { write(text: string): unknown } | null = null;
    const setting = await open(door, (socket, _chunk, sofar) => {
      if (!sofar.includes("\r\n\r\n")) return;
      socketOf = socket;
      socket.write(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\ncontent-type: text/event-stream\r\n\r\n",
      );
    });
    const { wire, start } = await setting.open();
    wire.write(`${start("GET", "/s")}\r\n`);
    await wire.until("event-stream\r\n\r\n");
    for (const piece of ["8;x=y\r\ndata: 1\n\r\n", "3\r\n\n\n\n\r\n", "0\r\nX-Trailer: t\r\n\r\n"]) {
      (socketOf as { write(text: string): unknown } | null)?.write(piece);
      expect(await wire.until(piece)).toContain(piece);
    }
    wire.close();
    await setting.rig.seen("exchange.answered");
    expect(setting.rig.of("exchange.answered")[0]?.kept["response-body"]?.toString()).toBe("data: 1\n\n\n\n");
  });

  it("one connection carries one request after the other, also when they are sent at once", async () => {
    const setting = await open(door, (socket, chunk) => {
      for (const _ of chunk.toString("latin1").matchAll(/^GET /gm)) socket.write(REPLY);
    });
    const { wire, start } = await setting.open();
    wire.write(`${start("GET", "/1")}\r\n${start("GET", "/2")}\r\n${start("GET", "/3")}\r\n`);
    expect((await wire.untilBytes(REPLY.length * 3)).toString()).toBe(REPLY.repeat(3));
    expect(setting.received().match(/GET \/\d/g)).toEqual(["GET /1", "GET /2", "GET /3"]);
    expect(setting.server.connections, "the connection to the destination is used again").toBe(1);
  });
});

describe("framing", () => {
  const cases: readonly {
    name: string;
    send: string;
    reply: string;
    expected?: string;
    sent?: string;
    ends?: boolean;
  }[] = [
    { name: "an empty 204", send: "", reply: "HTTP/1.1 204 No Content\r\nx: y\r\n\r\n" },
    {
      name: "a 304 with a length",
      send: "",
      reply: "HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n",
    },
    {
      name: "a reply that ends with its connection",
      send: "",
      reply: "HTTP/1.1 200 OK\r\nx: y\r\n\r\nall of it",
      expected: "HTTP/1.1 200 OK\r\nx: y\r\nConnection: close\r\n\r\nall of it",
      ends: true,
    },
    {
      name: "early hints before the reply",
      send: "",
      reply: `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${REPLY}`,
    },
    {
      name: "a vendor's 529",
      send: "",
      reply: "HTTP/1.1 529 Overloaded\r\nretry-after: 3\r\ncontent-length: 2\r\n\r\n{}",
    },
    {
      name: "a chunked request with trailers",
      send: "Transfer-Encoding: chunked\r\nTrailer: x-t\r\n\r\n3\r\nabc\r\n002;e=f\r\nde\r\n0\r\nX-T: 1\r\n\r\n",
      reply: REPLY,
      sent: "Transfer-Encoding: chunked\r\nTrailer: x-t\r\n\r\n5\r\nabcde\r\n0\r\nX-T: 1\r\n\r\n",
    },
  ];
  it.each(cases)("$name", async ({ send, reply, expected, sent, ends }) => {
    const setting = await open("plain tunnel", (socket, _chunk, sofar) => {
      if (!sofar.includes(send === "" ? "\r\n\r\n" : "X-T: 1\r\n\r\n")) return;
      socket.write(reply);
      if (ends) socket.end();
    });
    const { wire, start } = await setting.open();
    wire.write(`${start("POST", "/")}${send === "" ? "\r\n" : send}`);
    expect(
      ends ? await wire.all() : (await wire.untilBytes((expected ?? reply).length)).toString("latin1"),
    ).toBe(expected ?? reply);
    if (sent === undefined) return;
    expect(setting.received()).toContain(sent);
    const head = setting.rig.of("exchange.judged")[0]?.kept["request-head"]?.toString();
    expect(head, "trailers leave, so they are evidence").toMatch(/\r\n\r\nX-T: 1\r\n\r\n$/);
  });

  it("HEAD: a length without a body", async () => {
    const reply = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
    const setting = await open("plain tunnel", answering(reply));
    const { wire, start } = await setting.open();
    wire.write(`${start("HEAD", "/")}\r\n`);
    expect(await wire.until("\r\n\r\n")).toBe(reply);
    wire.write(`${start("HEAD", "/")}\r\n`);
    expect((await wire.untilBytes(2 * reply.length)).toString()).toBe(reply.repeat(2));
  });

  it("Expect: 100-continue is answered by the gateway, which needs the body before it may send", async () => {
    const setting = await open("plain tunnel", (socket, _c, sofar) => {
      if (sofar.includes(BODY)) socket.write(`HTTP/1.1 100 Continue\r\n\r\n${REPLY}`);
    });
    const { wire, start } = await setting.open();
    wire.write(`${start("POST", "/")}Expect: 100-continue\r\nContent-Length: 9\r\n\r\n`);
    expect(await wire.until("\r\n\r\n")).toBe("HTTP/1.1 100 Continue\r\n\r\n");
    expect(setting.received()).toBe("");
    wire.write(BODY);
    expect(await wire.until("hello")).toBe(`HTTP/1.1 100 Continue\r\n\r\n${REPLY}`);
    expect(setting.received()).toContain("Expect: 100-continue");
  });

  it("HTTP/1.0: no chunks for who does not know them, and the connection ends", async () => {
    const setting = await open(
      "plain tunnel",
      answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
    );
    const { wire } = await setting.open();
    wire.write(`GET / HTTP/1.0\r\nHost: ${setting.authority}\r\n\r\n`);
    expect(await wire.all()).toBe("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc");
  });
});

describe("a server that stands in for the vendor's", () => {
  it("gets path and query as sent, under its own Host; the record names both", async () => {
    const server = keep(await startDestination(answering(REPLY)));
    const rig = keep(await startRig({ upstream: new URL(`http://127.0.0.1:${server.port}/prefix/`) }));
    const wire = await Wire.tunnel(rig.socketPath, "api.anthropic.com:443", { ca: rig.caCertificate });
    wire.write("GET /v1/models?a=b HTTP/1.1\r\nhost: api.anthropic.com\r\nX: 1\r\n\r\n");
    expect(await wire.until("hello")).toBe(REPLY);
    expect(Buffer.concat(server.received).toString()).toBe(
      `GET /prefix/v1/models?a=b HTTP/1.1\r\nhost: 127.0.0.1:${server.port}\r\nX: 1\r\n\r\n`,
    );
    expect(rig.of("exchange.judged")[0]).toMatchObject({
      host: "api.anthropic.com",
      sentTo: `http://127.0.0.1:${server.port}`,
      destination: "api.anthropic.com",
    });
  });

  it("stands in for model servers only", async () => {
    const server = keep(await startDestination(answering(REPLY)));
    const rig = keep(
      await startRig({ upstream: new URL("http://127.0.0.1:1"), policy: policyOf({ ports: [server.port] }) }),
    );
    const wire = await Wire.tunnel(rig.socketPath, `a.example.com:${server.port}`);
    wire.write(`GET / HTTP/1.1\r\nhost: a.example.com:${server.port}\r\n\r\n`);
    expect(await wire.until("hello")).toBe(REPLY);
  });
});

describe("encodings are undone for reading only", () => {
  it.each([
    ["gzip", gzipSync(BODY)],
    ["zstd", zstdCompressSync(BODY)],
  ] as const)("%s both ways", async (coding, bytes) => {
    const setting = await open("tls", (socket, _c, sofar) => {
      if (!sofar.includes(bytes)) return;
      socket.write(
        `HTTP/1.1 200 OK\r\ncontent-encoding: ${coding}\r\ncontent-length: ${bytes.length}\r\n\r\n`,
      );
      socket.write(bytes);
    });
    const { wire, start } = await setting.open();
    wire.write(`${start("POST", "/")}content-encoding: ${coding}\r\ncontent-length: ${bytes.length}\r\n\r\n`);
    wire.write(bytes);
    await wire.until(bytes.toString("latin1"));
    expect(wire.bytes.subarray(-bytes.length)).toEqual(bytes);
    expect(Buffer.concat(setting.server.received).subarray(-bytes.length)).toEqual(bytes);
    wire.close();
    await setting.rig.seen("exchange.answered");
    expect(setting.rig.of("exchange.judged")[0]?.kept["request-body"]).toEqual(bytes);
  });
});

describe("any division of the bytes gives the same bytes out", () => {
  const REQUEST = Buffer.from(
    "POST /x HTTP/1.1\r\nHost: H\r\nTransfer-Encoding: chunked\r\nA: b\r\n\r\n5\r\nab\r\nc\r\n2;q=1\r\n\r\n\r\n0\r\nT: u\r\n\r\nGET /y HTTP/1.1\r\nHost: H\r\n\r\nPOST /z HTTP/1.1\r\nHost: H\r\nContent-Length: 4\r\n\r\n\r\n\r\n",
    "latin1",
  );
  const REPLIES = Buffer.from(
    "HTTP/1.1 103 Early\r\nL: m\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;a=b\r\n\r\n\r\n\r\n0\r\nT: u\r\n\r\n",
    "latin1",
  );
  const cuts = (length: number): fc.Arbitrary<number[]> =>
    fc.uniqueArray(fc.integer({ min: 1, max: length - 1 }), { maxLength: 12 });
  const cut = (bytes: Buffer, at: readonly number[]): Buffer[] => {
    const places = [0, ...[...at].sort((a, b) => a - b), bytes.length];
    return places.slice(1).map((end, i) => bytes.subarray(places[i], end));
  };

  it("of the agent's and of the destination's", async () => {
    let divide: readonly number[] = [];
    const server = keep(
      await startDestination((socket, _chunk, sofar) => {
        const ends =
          sofar.toString("latin1").match(/T: u\r\n\r\n|GET \/y[\s\S]*?\r\n\r\n|: 4\r\n\r\n\r\n\r\n/g) ?? [];
        const state = socket as { answered?: number };
        for (state.answered ??= 0; state.answered < ends.length; state.answered++)
          for (const piece of cut(REPLIES, divide)) socket.write(piece);
      }),
    );
    const rig = keep(
      await startRig({ policy: policyOf({ ports: [server.port], hosts: ["h.example.com"] }) }),
    );
    const host = `h.example.com:${server.port}`;
    const request = Buffer.from(REQUEST.toString("latin1").replaceAll("Host: H", `Host: ${host}`), "latin1");
    await fc.assert(
      fc.asyncProperty(cuts(request.length), cuts(REPLIES.length), async (mine, theirs) => {
        divide = theirs;
        server.received.length = 0;
        const wire = await Wire.tunnel(rig.socketPath, host);
        for (const piece of cut(request, mine)) {
          wire.write(piece);
          await new Promise((resolve) => setImmediate(resolve));
        }
        const out = await wire.untilBytes(REPLIES.length * 3);
        wire.close();
        expect(out.toString("latin1")).toBe(REPLIES.toString("latin1").repeat(3));
        const sent = Buffer.concat(server.received).toString("latin1");
        const unframed = sent.replace(
          /\r\n\r\n(?:[0-9a-f]+\r\n[\s\S]*?)0\r\nT: u\r\n\r\n/,
          (chunks) => `\r\n\r\n<${unchunk(chunks.slice(4))}>`,
        );
        expect(unframed).toBe(
          request
            .toString("latin1")
            .replace(/5\r\nab\r\nc\r\n2;q=1\r\n\r\n\r\n0\r\nT: u\r\n\r\n/, "<ab\r\nc\r\n>"),
        );
      }),
      { numRuns: 60 },
    );
  });

  function unchunk(text: string): string {
    let out = "";
    for (let rest = text; ; ) {
      const size = Number.parseInt(rest, 16);
      if (size === 0) return out;
      const from = rest.indexOf("\r\n") + 2;
      out += rest.slice(from, from + size);
      rest = rest.slice(from + size + 2);
    }
  }
});
