// Credential custody, organisation proxies, the gateway's own measure.
import { afterEach, describe, expect, it } from "vitest";
import { Secret } from "../core/index.ts";
import { proxyFromEnvironment, sentinelFor, serveMetrics } from "./index.ts";
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
const REPLY = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const SENTINEL = sentinelFor("sk-ant-", (n) => Buffer.alloc(n, 0xab));
const REAL = "sk-ant-the-real-one";

async function world(): Promise<{
  rig: Rig;
  server: Destination;
  ask(host: string, rest: string): Promise<string>;
  sent(): string;
}> {
  const server = keep(
    await startDestination(
      (socket, _c, sofar) => /\r\n\r\n(?:$|.*end$)/s.test(sofar.toString()) && socket.write(REPLY),
    ),
  );
  const rig = keep(
    await startRig({
      policy: policyOf({ ports: [server.port] }),
      credentials: [
        {
          name: "anthropic",
          sentinel: SENTINEL,
          secret: new Secret(REAL),
          hosts: ["a.example.com", "*.b.example.com"],
        },
      ],
    }),
  );
  return {
    rig,
    server,
    sent: () => Buffer.concat(server.received).toString(),
    ask: async (host, rest) => {
      const wire = await Wire.tunnel(rig.socketPath, `${host}:${server.port}`);
      wire.write(rest.replaceAll("HOST", `${host}:${server.port}`));
      const answer = await wire.until("\r\n\r\n");
      wire.close();
      return answer;
    },
  };
}

describe("a credential in custody", () => {
  it.each([
    [
      "in a key's field",
      `GET / HTTP/1.1\r\nHost: HOST\r\nX-Api-Key: ${SENTINEL}\r\n\r\n`,
      `X-Api-Key: ${REAL}`,
    ],
    [
      "as a bearer",
      `GET / HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer ${SENTINEL}\r\n\r\n`,
      `Authorization: Bearer ${REAL}`,
    ],
    [
      "as a Basic password",
      `GET / HTTP/1.1\r\nHost: HOST\r\nAuthorization: Basic ${Buffer.from(`u:${SENTINEL}`).toString("base64")}\r\n\r\n`,
      `Authorization: Basic ${Buffer.from(`u:${REAL}`).toString("base64")}`,
    ],
    [
      "in the query",
      `GET /x?key=${SENTINEL}&a=b HTTP/1.1\r\nHost: HOST\r\n\r\n`,
      `GET /x?key=${REAL}&a=b HTTP/1.1`,
    ],
  ])(
    "the sentinel %s becomes the real one on the way to its host, and in no record",
    async (_name, request, expected) => {
      const { rig, ask, sent } = await world();
      expect(await ask("x.b.example.com", request)).toContain("200 OK");
      expect(sent()).toContain(expected);
      expect(sent()).not.toContain(SENTINEL);
      await rig.seen("exchange.answered");
      expect(
        JSON.stringify(rig.entries.map(({ body, evidence }) => [body, Object.values(evidence).map(String)])),
      ).not.toContain(REAL);
    },
  );

  it.each([
    ["a field", `GET / HTTP/1.1\r\nHost: HOST\r\nX: ${SENTINEL}\r\n\r\n`],
    [
      "a Basic login",
      `GET / HTTP/1.1\r\nHost: HOST\r\nAuthorization: Basic ${Buffer.from(`${SENTINEL}:`).toString("base64")}\r\n\r\n`,
    ],
    ["the query", `GET /?a=${SENTINEL} HTTP/1.1\r\nHost: HOST\r\n\r\n`],
    ["the query, escaped", `GET /?a=${SENTINEL.replace("s", "%73")} HTTP/1.1\r\nHost: HOST\r\n\r\n`],
    [
      "the body",
      `POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: ${SENTINEL.length + 3}\r\n\r\n${SENTINEL}end`,
    ],
  ])("sent elsewhere in %s it is an incident: refused and recorded", async (_name, request) => {
    const { rig, ask, sent } = await world();
    expect(await ask("c.example.com", request)).toMatch(/^HTTP\/1\.1 403 /);
    expect(sent()).toBe("");
    expect(rig.of("exchange.judged")).toMatchObject([{ verdict: "deny", rules: ["gateway.sentinel"] }]);
  });

  it("in a body for its own host it passes as it is: it is worth nothing", async () => {
    const { ask, sent } = await world();
    expect(
      await ask(
        "a.example.com",
        `POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: ${SENTINEL.length + 3}\r\n\r\n${SENTINEL}end`,
      ),
    ).toContain("200 OK");
    expect(sent()).toContain(`${SENTINEL}end`);
    expect(sent()).not.toContain(REAL);
  });
});

describe("through an organisation's proxy", () => {
  /** A proxy that opens every way to one port, and notes what it was asked. */
  async function proxy(
    kind: "http" | "socks5",
    to: () => number,
  ): Promise<Destination & { readonly asked: string[] }> {
    const { connect } = await import("node:net");
    const asked: string[] = [];
    const server = keep(
      await startDestination((socket, chunk, sofar) => {
        const state = socket as typeof socket & { step?: number };
        if (state.step === 9) return;
        const open = (answer: Buffer | string): void => {
          state.step = 9;
          const onward = connect(to(), "127.0.0.1", () => {
            socket.write(answer);
            socket.removeAllListeners("data");
            socket.pipe(onward).pipe(socket);
          });
          onward.on("error", () => {});
        };
        if (kind === "http") {
          if (!sofar.includes("\r\n\r\n")) return;
          asked.push(sofar.toString());
          open("HTTP/1.1 200 Go\r\n\r\n");
        } else if (state.step === undefined) {
          state.step = 1;
          socket.write(Buffer.from([5, 2]));
        } else if (state.step === 1) {
          state.step = 2;
          asked.push(chunk.toString("latin1"));
          socket.write(Buffer.from([1, 0]));
        } else {
          asked.push(chunk.toString("latin1"));
          open(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]));
        }
      }),
    );
    return Object.assign(server, { asked });
  }

  it.each(["http", "socks5"] as const)(
    "%s: TLS runs end to end, the proxy sees the authority alone",
    async (kind) => {
      const trusted = new World();
      const server = keep(
        await startDestination((socket, _c, sofar) => sofar.includes("\r\n\r\n") && socket.write(REPLY), {
          world: trusted,
          host: "a.example.com",
        }),
      );
      const hop = await proxy(kind, () => server.port);
      const rig = keep(
        await startRig({
          policy: policyOf({ ports: [443] }),
          extraRoots: [trusted.root],
          lookup: async () => [],
          proxy: proxyFromEnvironment({ https_proxy: `${kind}://us%20er:pw@127.0.0.1:${hop.port}` }),
        }),
      );
      const wire = await Wire.tunnel(rig.socketPath, "a.example.com:443", { ca: rig.caCertificate });
      wire.write("GET /secret-path HTTP/1.1\r\nHost: a.example.com\r\n\r\n");
      expect(await wire.until("ok")).toBe(REPLY);
      if (kind === "http") {
        const login = Buffer.from("us er:pw").toString("base64");
        expect(hop.asked).toEqual([
          `CONNECT a.example.com:443 HTTP/1.1\r\nHost: a.example.com:443\r\nProxy-Authorization: Basic ${login}\r\n\r\n`,
        ]);
      } else expect(hop.asked).toEqual(["\x01\x05us er\x02pw", "\x05\x01\x00\x03\x0da.example.com\x01\xbb"]);
      wire.close();
      await rig.seen("exchange.answered");
      expect(Buffer.concat(hop.received).toString("latin1")).not.toContain("secret-path");
    },
  );

  it("a proxy that refuses is told as such; an address as a number is checked all the same", async () => {
    const hop = keep(await startDestination((socket) => void socket.write("HTTP/1.1 407 No\r\n\r\n")));
    const rig = keep(
      await startRig({
        policy: policyOf({ hosts: ["*"], ports: [80], isPrivate: false }),
        proxy: () => new URL(`http://127.0.0.1:${hop.port}`),
      }),
    );
    const wire = await Wire.tunnel(rig.socketPath, "a.example.com:80");
    wire.write("GET / HTTP/1.1\r\nHost: a.example.com\r\n\r\n");
    expect(await wire.until("gateway.unreachable")).toContain(
      "the proxy wants a login, and the proxy variable holds none",
    );
    await expect(Wire.tunnel(rig.socketPath, "10.0.0.1:80")).rejects.toThrow("address-refused");
  });

  it("the variables mean what they mean elsewhere", () => {
    const choose = proxyFromEnvironment({
      HTTPS_PROXY: "http://p:1",
      http_proxy: "q:2",
      NO_PROXY: "localhost, .corp.example,x.example:8443",
    });
    const of = (scheme: "http" | "https", host: string, port = 443): string | undefined =>
      choose(scheme, host, port)?.href;
    expect([
      of("https", "a.example"),
      of("http", "a.example"),
      of("https", "localhost"),
      of("https", "g.corp.example"),
      of("https", "x.example"),
      of("https", "x.example", 8443),
    ]).toEqual(["http://p:1/", "http://q:2/", undefined, undefined, "http://p:1/", undefined]);
    expect(proxyFromEnvironment({ https_proxy: "http://p", no_proxy: "*" })("https", "a", 1)).toBeNull();
    const past = proxyFromEnvironment({
      all_proxy: "socks5://p",
      no_proxy: "10.0.0.0/8,fd00::/8,[::1],::2,x/y,9.9.9.9/99",
    });
    expect(
      ["10.9.8.7", "11.0.0.1", "fd12::1", "fe80::1", "::1", "::2", "10.corp.example", "9.9.9.9", "x"].filter(
        (host) => past("https", host, 443) === null,
      ),
    ).toEqual(["10.9.8.7", "fd12::1", "::1", "::2"]);
    expect(() => proxyFromEnvironment({ all_proxy: "ftp://x" })).toThrow("proxy variable");
  });
});

describe("measure", () => {
  it("counts what was recorded, on a port of its own; not ready while the ledger takes nothing", async () => {
    let isBroken = false;
    const server = keep(await startDestination((socket) => void socket.write(REPLY)));
    const rig = keep(
      await startRig({
        policy: policyOf({ ports: [server.port] }),
        beforeAppend: () => {
          if (isBroken) throw new Error("disk");
        },
      }),
    );
    const metrics = keep(await serveMetrics(rig.gateway, { port: 0 }));
    const get = async (path: string): Promise<[number, string]> => {
      const response = await fetch(`http://127.0.0.1:${metrics.port}${path}`);
      return [response.status, await response.text()];
    };
    const wire = await Wire.tunnel(rig.socketPath, `a.example.com:${server.port}`);
    const ask = (): void => wire.write(`GET / HTTP/1.1\r\nHost: a.example.com:${server.port}\r\n\r\n`);
    ask();
    await wire.until("ok");
    await rig.seen("exchange.answered");
    const [, text] = await get("/metrics");
    expect(text).toContain('sallyport_exchanges_total{verdict="allow",protocol="http/1.1",door="plain"} 1\n');
    expect(text).toContain("sallyport_sessions 1\n");
    expect(text).toContain("sallyport_record_seconds_count 1\n");
    expect(await get("/readyz")).toEqual([200, "ready\n"]);
    isBroken = true;
    ask();
    await wire.until("unrecorded");
    expect((await get("/readyz"))[0]).toBe(503);
    expect((await get("/healthz"))[0]).toBe(200);
    expect((await get("/"))[0]).toBe(404);
  });
});
