// What must not leave does not leave, is answered with a reason, and is recorded.
import { connect as connectTls } from "node:tls";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, it } from "vitest";
import { Fault } from "../core/index.ts";
import {
  type Destination,
  policyOf,
  type Rig,
  SECRET_RULE,
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
type Options = Parameters<typeof startRig>[0];

async function world(
  options: Options & { rules?: string } = {},
): Promise<{ rig: Rig; server: Destination; authority: string; wire: Wire }> {
  const server = keep(
    await startDestination((socket, _c, sofar) => sofar.includes("\r\n\r\n") && socket.write(REPLY)),
  );
  const rig = keep(
    await startRig({
      policy: policyOf({
        ports: [server.port],
        ...(options.rules === undefined ? {} : { rules: options.rules }),
      }),
      ...options,
    }),
  );
  const authority = `a.example.com:${server.port}`;
  return { rig, server, authority, wire: await Wire.tunnel(rig.socketPath, authority) };
}

describe("a request that two readers could read differently is refused", () => {
  const H = "Host: HOST\r\n";
  it.each([
    [
      "content-length and chunked",
      `POST / HTTP/1.1\r\n${H}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    [
      "chunked and content-length",
      `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`,
    ],
    ["two lengths", `POST / HTTP/1.1\r\n${H}Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcde`],
    ["two equal lengths", `POST / HTTP/1.1\r\n${H}Content-Length: 5\r\nContent-Length: 5\r\n\r\nabcde`],
    ["a list of lengths", `POST / HTTP/1.1\r\n${H}Content-Length: 5, 5\r\n\r\nabcde`],
    ["a signed length", `POST / HTTP/1.1\r\n${H}Content-Length: +5\r\n\r\nabcde`],
    ["a negative length", `POST / HTTP/1.1\r\n${H}Content-Length: -5\r\n\r\nabcde`],
    ["a hexadecimal length", `POST / HTTP/1.1\r\n${H}Content-Length: 0x5\r\n\r\nabcde`],
    ["an empty length", `POST / HTTP/1.1\r\n${H}Content-Length: \r\n\r\nabcde`],
    ["obs-fold", `GET / HTTP/1.1\r\n${H}X: a\r\n b\r\n\r\n`],
    ["a folded transfer coding", `POST / HTTP/1.1\r\n${H}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n`],
    ["a bare line feed in the head", `GET / HTTP/1.1\r\n${H}X: a\nY: b\r\n\r\n`],
    ["bare line feeds only", `GET / HTTP/1.1\nHost: HOST\n\n`],
    ["a bare carriage return", `GET / HTTP/1.1\r\n${H}X: a\rY: b\r\n\r\n`],
    ["white space before the colon", `POST / HTTP/1.1\r\n${H}Content-Length : 5\r\n\r\nabcde`],
    ["white space before the name", `GET / HTTP/1.1\r\n X: y\r\n${H}\r\n`],
    ["a NUL in a field", `GET / HTTP/1.1\r\n${H}X: a\0b\r\n\r\n`],
    ["a field without a colon", `GET / HTTP/1.1\r\n${H}X\r\n\r\n`],
    ["a field without a name", `GET / HTTP/1.1\r\n${H}: x\r\n\r\n`],
    ["another transfer coding", `POST / HTTP/1.1\r\n${H}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`],
    ["xchunked", `POST / HTTP/1.1\r\n${H}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`],
    [
      "chunked twice",
      `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    ["chunked in HTTP/1.0", `POST / HTTP/1.0\r\n${H}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    [
      "a chunk longer than its size",
      `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n`,
    ],
    [
      "a chunk size with a sign",
      `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n`,
    ],
    [
      "a chunk size with 0x",
      `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n`,
    ],
    [
      "a chunk size beyond counting",
      `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\na\r\n0\r\n\r\n`,
    ],
    [
      "a chunk line ended by a bare line feed",
      `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n`,
    ],
    [
      "a length among the trailers",
      `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 3\r\n\r\n`,
    ],
    ["two hosts", `GET / HTTP/1.1\r\n${H}${H}\r\n`],
    ["no host", "GET / HTTP/1.1\r\nX: y\r\n\r\n"],
    ["another host than the tunnel's", "GET / HTTP/1.1\r\nHost: b.example.com\r\n\r\n"],
    ["another port than the tunnel's", "GET / HTTP/1.1\r\nHost: a.example.com:1\r\n\r\n"],
    ["another authority in absolute form", `GET http://b.example.com/ HTTP/1.1\r\n${H}\r\n`],
    ["CONNECT inside the tunnel", `CONNECT b.example.com:443 HTTP/1.1\r\n${H}\r\n`],
    ["a fragment in the target", `GET /a#b HTTP/1.1\r\n${H}\r\n`],
    ["a space in the target", `GET /a b HTTP/1.1\r\n${H}\r\n`],
    ["HTTP/2 without TLS", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ["HTTP/0.9", "GET /\r\n\r\n"],
    ["something that is not HTTP", "SSH-2.0-OpenSSH_9.2\r\n\r\n"],
  ])("%s", async (_name, bytes) => {
    const { rig, server, authority, wire } = await world();
    wire.write(bytes.replaceAll("HOST", authority));
    const answer = await wire.all();
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain("gateway.malformed");
    expect(server.received).toEqual([]);
    expect(rig.of("connection.refused")).toMatchObject([
      { host: "a.example.com", port: server.port, rule: "gateway.malformed" },
    ]);
    expect(rig.of("exchange.judged")).toEqual([]);
  });
});

describe("sizes", () => {
  it.each([
    [
      "a huge header",
      (host: string) => `GET / HTTP/1.1\r\nHost: ${host}\r\nX: ${"a".repeat(70_000)}\r\n\r\n`,
    ],
    ["endless header bytes", () => `GET / HTTP/1.1\r\nX: ${"a".repeat(70_000)}`],
    [
      "a body that says it is too long",
      (host: string) => `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 1001\r\n\r\n`,
    ],
    [
      "chunks that add up",
      (host: string) =>
        `POST / HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n${"a".repeat(1000)}\r\n1\r\na\r\n0\r\n\r\n`,
    ],
  ])("%s: 413, and nothing left", async (_name, bytes) => {
    const { rig, server, authority, wire } = await world({ limits: { bodyBytes: 1000 } });
    wire.write(bytes(authority));
    expect(await wire.all()).toMatch(/^HTTP\/1\.1 413 [\s\S]*gateway\.too-large/);
    expect(server.received).toEqual([]);
    expect(rig.of("connection.refused")[0]?.rule).toBe("gateway.too-large");
  });

  it("a body of very many very small chunks costs about its own size", async () => {
    const { server, authority, wire } = await world();
    const count = 50_000;
    wire.write(
      `POST / HTTP/1.1\r\nHost: ${authority}\r\nTransfer-Encoding: chunked\r\n\r\n${"1\r\na\r\n".repeat(count)}0\r\n\r\n`,
    );
    await wire.until("ok");
    const chunks =
      Buffer.concat(server.received)
        .toString()
        .match(/\r\n[0-9a-f]+\r\n/g) ?? [];
    expect(chunks.length).toBeLessThan(100);
  });

  it("a head of blanks is read in one pass (a pattern that backtracks would take minutes)", async () => {
    const { wire } = await world();
    wire.write(`GET / HTTP/1.1\r\nX:${" ".repeat(60_000)}\x01\r\n\r\n`);
    expect(await wire.all()).toMatch(/^HTTP\/1\.1 400 /);
  });

  it("a body that unpacks to far more than it is cannot be inspected, and does not leave", async () => {
    const { rig, server, authority, wire } = await world({
      limits: { decodedBytes: 100_000, decodedFloorBytes: 100_000 },
    });
    const bomb = gzipSync(Buffer.alloc(200_000));
    wire.write(
      `POST / HTTP/1.1\r\nHost: ${authority}\r\nContent-Encoding: gzip\r\nContent-Length: ${bomb.length}\r\n\r\n`,
    );
    wire.write(bomb);
    expect(await wire.until("gateway.unreadable")).toMatch(/^HTTP\/1\.1 415 /);
    expect(server.received).toEqual([]);
    expect(rig.of("exchange.judged")).toMatchObject([
      { verdict: "deny", understood: false, rules: ["gateway.unreadable"] },
    ]);
  });
});

describe("destinations", () => {
  it.each([
    ["not on the list", "evil.test:443", "default"],
    ["on the list, another port", "api.anthropic.com:22", "default"],
    ["loopback by number", "127.0.0.1:443", "default"],
  ])("CONNECT to a host %s: 403 with the reason", async (_name, authority, rule) => {
    const rig = keep(await startRig());
    await expect(Wire.tunnel(rig.socketPath, authority)).rejects.toThrow(/403[\s\S]*gateway\.refused/);
    const [refused] = rig.of("connection.refused");
    expect(refused).toMatchObject({ host: authority.split(":")[0], port: Number(authority.split(":")[1]) });
    expect(refused?.rule).toContain(rule === "default" ? "" : rule);
  });

  // The same wish in every spelling: an address that must not be dialled, by an allowed name or as a number.
  const NEVER = [
    "169.254.169.254",
    "100.100.100.200",
    "168.63.129.16",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "fe80::1",
    "fd00:ec2::254",
    "::",
    "ff02::1",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "2001:db8::1",
  ];
  const PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.31.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "::1",
    "fc00::1",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "64:ff9b::7f00:1",
  ];
  it.each([
    ...NEVER.map((address) => [address, true] as const),
    ...PRIVATE.map((address) => [address, false] as const),
  ])("a name that resolves to %s is not dialled (private allowed: %s)", async (address, isPrivate) => {
    const rig = keep(
      await startRig({ policy: policyOf({ isPrivate, ports: [80] }), lookup: async () => [address] }),
    );
    const wire = await Wire.tunnel(rig.socketPath, "a.example.com:80");
    wire.write("GET / HTTP/1.1\r\nHost: a.example.com\r\n\r\n");
    expect(await wire.until("address-refused")).toMatch(/^HTTP\/1\.1 403 /);
    expect(rig.of("exchange.failed")).toMatchObject([
      { fault: "gateway.address-refused", mayHaveLeft: false },
    ]);
  });

  it.each(["169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]", "127.0.0.1", "[::1]"])(
    "%s as a number is refused, whoever allows every host",
    async (host) => {
      const rig = keep(await startRig({ policy: policyOf({ hosts: ["*"], ports: [80], isPrivate: false }) }));
      await expect(Wire.tunnel(rig.socketPath, `${host}:80`)).rejects.toThrow(/403[\s\S]*address-refused/);
      expect(rig.of("connection.refused")).toMatchObject([{ rule: "gateway.address-refused" }]);
    },
  );

  it.each([
    "0x7f.1:80",
    "2130706433:80",
    "127.1:80",
    "0177.0.0.1:80",
    "a..example.com:80",
    "a.example.com.:80",
    "%61.example.com:80",
    "a.example.com:0",
    "a.example.com:99999",
    "a.example.com",
    "user@a.example.com:80",
    "[::1%lo]:80",
    "ä.example.com:80",
  ])("%s has more than one reading, or none", async (authority) => {
    const rig = keep(await startRig({ policy: policyOf({ hosts: ["*"], ports: [80] }) }));
    await expect(Wire.tunnel(rig.socketPath, authority)).rejects.toThrow(/400[\s\S]*gateway\.malformed/);
  });

  it("the address that is checked is the one that is dialled: one look-up for one connection (DNS rebinding)", async () => {
    const server = keep(await startDestination((socket) => void socket.write(REPLY)));
    let asked = 0;
    const rig = keep(
      await startRig({
        policy: policyOf({ isPrivate: false, ports: [server.port] }),
        lookup: async () => {
          asked++;
          return ["127.0.0.1"];
        },
      }),
    );
    const wire = await Wire.tunnel(rig.socketPath, `a.example.com:${server.port}`);
    wire.write(`GET / HTTP/1.1\r\nHost: a.example.com:${server.port}\r\n\r\n`);
    expect(await wire.until("address-refused")).toContain("403");
    expect(asked).toBe(1);
    expect(server.connections).toBe(0);
  });

  it("TLS for another server name than CONNECT's is refused and recorded", async () => {
    const rig = keep(await startRig());
    await expect(
      Wire.tunnel(rig.socketPath, "api.anthropic.com:443", {
        ca: rig.caCertificate,
        servername: "b.example.com",
      }),
    ).rejects.toThrow();
    await rig.seen("connection.refused");
    expect(rig.of("connection.refused")).toMatchObject([
      { door: "tls", host: "api.anthropic.com", rule: "gateway.malformed" },
    ]);
  });

  it("a handshake that fails, as for an agent that does not trust the session's certificate, is recorded", async () => {
    const rig = keep(await startRig());
    const wire = await Wire.tunnel(rig.socketPath, "api.anthropic.com:443");
    wire.write("\x16\x03\x01\x00\x05hello");
    await rig.seen("connection.refused");
    expect(rig.of("connection.refused")[0]?.rule).toBe("gateway.handshake");
  });

  it("a tunnel that is opened and closed without a byte is no event", async () => {
    const rig = keep(await startRig());
    const wire = await Wire.tunnel(rig.socketPath, "api.anthropic.com:443");
    wire.close();
    await rig.gateway.close();
    expect(rig.entries).toEqual([]);
  });

  it.each([
    ["an unknown authority", (world: World) => ({ world, host: "a.example.com" }), ""],
    ["another name", (world: World) => ({ world, host: "b.example.com" }), "root"],
  ])("a destination with a certificate of %s is not spoken to", async (_name, secure, roots) => {
    const world = new World();
    const server = keep(await startDestination((socket) => void socket.write(REPLY), secure(world)));
    const rig = keep(
      await startRig({
        policy: policyOf({ ports: [server.port] }),
        extraRoots: roots === "" ? [] : [world.root],
      }),
    );
    const authority = `a.example.com:${server.port}`;
    const wire = await Wire.tunnel(rig.socketPath, authority, { ca: rig.caCertificate });
    wire.write(`GET / HTTP/1.1\r\nHost: ${authority}\r\nAuthorization: key\r\n\r\n`);
    expect(await wire.until("gateway.tls")).toMatch(/^HTTP\/1\.1 502 /);
    expect(server.received).toEqual([]);
    expect(rig.of("exchange.failed")).toMatchObject([{ fault: "gateway.tls", mayHaveLeft: false }]);
  });
});

describe("verdicts", () => {
  const SECRET = "AKIAIOSFODNN7EXAMPLQ";
  const ask = (authority: string, text: string): string => {
    const body = JSON.stringify({ model: "m", max_tokens: 1, messages: [{ role: "user", content: text }] });
    return `POST /v1/messages HTTP/1.1\r\nHost: ${authority}\r\nanthropic-version: 2023-06-01\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  };

  it("a denied request does not leave; the agent is told rule, reason and owner in its protocol's form", async () => {
    const { rig, server, authority, wire } = await world({ rules: SECRET_RULE });
    wire.write(ask(authority, `the key is ${SECRET}`));
    const answer = await wire.until("}}");
    expect(answer).toMatch(/^HTTP\/1\.1 403 /);
    const body: unknown = JSON.parse(answer.slice(answer.indexOf("{")));
    expect(body).toMatchObject({ type: "error", error: { type: "permission_error" } });
    for (const word of ["no-secrets", "a leaked key is a lost key", "Security"])
      expect(answer).toContain(word);
    expect(answer).not.toContain(SECRET);
    expect(server.received).toEqual([]);
    expect(rig.of("exchange.judged")).toMatchObject([
      {
        verdict: "deny",
        rules: ["no-secrets"],
        dialect: "anthropic-messages",
        findings: [{ class: "secret", count: 1 }],
      },
    ]);
  });

  it("a rule about a law holds for an operator that stands under it among others", async () => {
    const { rig, server, authority, wire } = await world({
      rules:
        "  rules:\n    - { id: no-cn, title: Not under Chinese law, because: contract, when: { operatorLaw: [CN] }, then: deny }\n",
      label: (host) => ({
        destination: host,
        channel: "llm",
        serverIn: "US",
        operatorLaw: "US",
        otherLaws: ["CN"],
        trains: "no",
        dpa: "unknown",
      }),
    });
    wire.write(ask(authority, "hello"));
    expect(await wire.until("}}")).toMatch(/^HTTP\/1\.1 403 /);
    expect(server.received).toEqual([]);
    expect(rig.of("exchange.judged")).toMatchObject([{ verdict: "deny", rules: ["no-cn"] }]);
  });

  it("what was denied is denied when it is sent again, and the connection goes on for what is allowed", async () => {
    const { rig, server, authority, wire } = await world({ rules: SECRET_RULE });
    wire.write(ask(authority, SECRET));
    await wire.until("}}");
    wire.write(ask(authority, SECRET));
    await rig.seen("exchange.judged", 2);
    wire.write(ask(authority, "hello"));
    await wire.until("ok");
    expect(rig.of("exchange.judged").map(({ verdict }) => verdict)).toEqual(["deny", "deny", "allow"]);
    expect(Buffer.concat(server.received).toString()).not.toContain(SECRET);
    // What did not leave is new again when it is repeated.
    expect(rig.of("exchange.judged").map(({ findings }) => findings.length)).toEqual([1, 1, 0]);
  });

  it("a body that is not the JSON it says it is passes as it is, counted as not understood", async () => {
    const { rig, server, authority, wire } = await world();
    wire.write(
      `POST /v1/messages HTTP/1.1\r\nHost: ${authority}\r\ncontent-type: application/json\r\nContent-Length: 8\r\n\r\n{"a": [1`,
    );
    await wire.until("ok");
    expect(Buffer.concat(server.received).toString()).toContain('{"a": [1');
    expect(rig.of("exchange.judged")).toMatchObject([{ verdict: "allow", understood: false }]);
  });

  it("an inspection that breaks denies, and what it did not see is new the next time", async () => {
    let broken = true;
    const { server, authority, wire } = await world({
      inspector: {
        labels: null,
        foresee: () => {},
        inspect: (parts) => {
          if (broken) throw new Fault("internal.bug", { detail: "a detector broke" });
          expect(parts.some(({ isNew }) => isNew)).toBe(true);
          return { findings: [], tally: [] };
        },
      },
    });
    wire.write(ask(authority, "hello"));
    await wire.until("internal.bug");
    expect(server.received).toEqual([]);
    broken = false;
    wire.write(ask(authority, "hello"));
    await wire.until("ok");
  });
});

describe("without a record nothing leaves", () => {
  it("an append that fails: 503 that says what to do", async () => {
    const { server, authority, wire } = await world({
      append: async () => {
        throw new Fault("ledger.full", { detail: "no space" });
      },
    });
    wire.write(`GET / HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
    expect(await wire.until("unrecorded")).toMatch(/^HTTP\/1\.1 503 [\s\S]*free space/);
    expect(server.received).toEqual([]);
  });

  it("a disk that hangs: 503 within the limit, and all goes on when it recovers", async () => {
    let recover = (): void => {};
    const hung = new Promise<void>((resolve) => {
      recover = resolve;
    });
    let isHung = true;
    let reached = (): void => {};
    const appending = new Promise<void>((resolve) => {
      reached = resolve;
    });
    const { rig, server, authority, wire } = await world({
      beforeAppend: () => {
        reached();
        return isHung ? hung : undefined;
      },
    });
    wire.write(`GET /1 HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
    await appending;
    rig.pass(6_000);
    expect(await wire.until("unrecorded")).toContain("503");
    expect(server.received).toEqual([]);
    isHung = false;
    recover();
    await rig.seen("exchange.failed");
    expect(rig.of("exchange.failed"), "the late verdict is taken back").toMatchObject([
      { fault: "gateway.unrecorded", mayHaveLeft: false },
    ]);
    wire.write(`GET /2 HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
    await wire.until("ok");
    expect(Buffer.concat(server.received).toString()).toMatch(/^GET \/2 /);
  });

  it("a refusal on a disk that hangs is answered within the limit, too", async () => {
    let reached = (): void => {};
    const appending = new Promise<void>((resolve) => {
      reached = resolve;
    });
    const { rig } = await world({
      beforeAppend: () => {
        reached();
        return new Promise(() => {});
      },
    });
    const wire = await Wire.open(rig.socketPath);
    wire.write("GET http://elsewhere.example.net/ HTTP/1.1\r\nHost: elsewhere.example.net\r\n\r\n");
    await appending;
    rig.pass(6_000);
    expect(await wire.all()).toMatch(/^HTTP\/1\.1 503 [\s\S]*gateway\.unrecorded/);
  });

  it("a byte of the request does not leave before the verdict is durable; the connection may be opened", async () => {
    let let_ = (): void => {};
    const gate = new Promise<void>((resolve) => {
      let_ = resolve;
    });
    const { server, authority, wire } = await world({
      beforeAppend: (body) => (body.kind === "exchange.judged" ? gate : undefined),
    });
    wire.write(`GET / HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
    while (server.connections === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(server.received).toEqual([]);
    let_();
    await wire.until("ok");
  });
});

describe("what goes wrong behind the gateway is told and recorded", () => {
  async function behind(
    serve: Parameters<typeof startDestination>[0],
  ): Promise<{ rig: Rig; wire: Wire; server: Destination; ask: () => void }> {
    const server = keep(await startDestination(serve));
    const rig = keep(await startRig({ policy: policyOf({ ports: [server.port] }) }));
    const wire = await Wire.tunnel(rig.socketPath, `a.example.com:${server.port}`);
    return {
      rig,
      wire,
      server,
      ask: () => wire.write(`GET / HTTP/1.1\r\nHost: a.example.com:${server.port}\r\n\r\n`),
    };
  }

  it.each([
    ["resets without a word", (socket: { destroy(): unknown }) => socket.destroy(), 502, "gateway.broken"],
    [
      "answers no HTTP",
      (socket: { write(text: string): unknown }) => socket.write("hello\r\n\r\n"),
      502,
      "gateway.bad-reply",
    ],
    [
      "answers with two lengths",
      (socket: { write(text: string): unknown }) =>
        socket.write("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"),
      502,
      "gateway.bad-reply",
    ],
    [
      "answers with an endless head",
      (socket: { write(text: string): unknown }) =>
        socket.write(`HTTP/1.1 200 OK\r\nX: ${"a".repeat(70_000)}`),
      502,
      "gateway.bad-reply",
    ],
    [
      "switches the protocol unasked",
      (socket: { write(text: string): unknown }) => socket.write("HTTP/1.1 101 X\r\n\r\n"),
      502,
      "gateway.bad-reply",
    ],
  ] as const)("a destination that %s", async (_name, serve, status, fault) => {
    const { rig, wire, ask } = await behind((socket) => void serve(socket));
    ask();
    expect(await wire.until(fault)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(rig.of("exchange.failed")).toMatchObject([{ fault, mayHaveLeft: true }]);
  });

  it("a destination that breaks off in the middle: the stream breaks, complete is false", async () => {
    const { rig, wire, ask } = await behind((socket) => {
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", () => socket.destroy());
    });
    ask();
    expect(await wire.all()).toBe("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    expect(rig.of("exchange.answered")).toMatchObject([{ status: 200, complete: false, responseBytes: 4 }]);
  });

  it("a destination that never answers: 504 after the limit", async () => {
    let reached = (): void => {};
    const sent = new Promise<void>((resolve) => {
      reached = resolve;
    });
    const { rig, wire, ask } = await behind(() => reached());
    ask();
    await sent;
    rig.pass(16 * 60_000);
    expect(await wire.until("gateway.timeout")).toMatch(/^HTTP\/1\.1 504 /);
    expect(rig.of("exchange.failed")).toMatchObject([{ fault: "gateway.timeout", mayHaveLeft: true }]);
  });

  it("the limit for connecting ends with the connection: a reply may take longer than that", async () => {
    let more = (): void => {};
    const { rig, wire, ask } = await behind((socket) => {
      more = () => void socket.write("rest");
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf");
    });
    ask();
    await wire.until("half");
    for (let i = 0; i < 20; i++) rig.pass(3_000);
    more();
    expect(await wire.until("rest")).toContain("halfrest");
    await rig.seen("exchange.answered");
    expect(rig.of("exchange.answered")).toMatchObject([{ complete: true }]);
  });

  it("of several addresses the next one is tried when one does not answer", async () => {
    const { port } = keep(await startDestination((socket) => void socket.write(REPLY)));
    const rig = keep(
      await startRig({ policy: policyOf({ ports: [port] }), lookup: async () => ["127.0.0.2", "127.0.0.1"] }),
    );
    const wire = await Wire.tunnel(rig.socketPath, `a.example.com:${port}`);
    wire.write(`GET / HTTP/1.1\r\nHost: a.example.com:${port}\r\n\r\n`);
    expect(await wire.until("ok")).toBe(REPLY);
    await rig.seen("exchange.answered");
    expect(rig.of("exchange.answered")[0]?.address).toBe("127.0.0.1");
  });

  it("a destination that cannot be reached or resolved", async () => {
    const gone = await startDestination(() => {});
    await gone.close();
    const rig = keep(
      await startRig({
        policy: policyOf({ ports: [gone.port] }),
        lookup: async (host) => {
          if (host.startsWith("no")) throw Object.assign(new Error("x"), { code: "ENOTFOUND" });
          return ["127.0.0.1"];
        },
      }),
    );
    for (const [host, fault] of [
      ["a.example.com", "gateway.unreachable"],
      ["no.example.com", "gateway.unresolved"],
    ]) {
      const wire = await Wire.tunnel(rig.socketPath, `${host}:${gone.port}`);
      wire.write(`GET / HTTP/1.1\r\nHost: ${host}:${gone.port}\r\n\r\n`);
      expect(await wire.until(fault ?? "")).toMatch(/^HTTP\/1\.1 502 /);
    }
    expect(rig.of("exchange.failed").map(({ mayHaveLeft }) => mayHaveLeft)).toEqual([false, false]);
  });

  it("surplus bytes of one reply never become the next reply", async () => {
    const { wire, ask, server } = await behind(
      (socket) => void socket.write(`${REPLY}HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil`),
    );
    ask();
    await wire.until("ok");
    ask();
    await wire.untilBytes(REPLY.length * 2);
    expect(wire.text).toBe(REPLY.repeat(2));
    expect(server.connections).toBe(2);
  });
});

describe("who leaves and who lingers", () => {
  it("an agent that leaves stops the call at the destination", async () => {
    let stopped = (): void => {};
    const stop = new Promise<void>((resolve) => {
      stopped = resolve;
    });
    const server = keep(
      await startDestination((socket) => {
        socket.once("close", stopped);
        socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n");
      }),
    );
    const rig = keep(await startRig({ policy: policyOf({ ports: [server.port] }) }));
    const wire = await Wire.tunnel(rig.socketPath, `a.example.com:${server.port}`);
    wire.write(`GET / HTTP/1.1\r\nHost: a.example.com:${server.port}\r\n\r\n`);
    await wire.until("abc");
    wire.close();
    await stop;
    await rig.seen("exchange.answered");
    expect(rig.of("exchange.answered")).toMatchObject([{ complete: false, responseBytes: 3 }]);
  });

  it.each([
    ["in the head", "GET / HTTP/1.1\r\nHo"],
    ["in the body", "POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5\r\n\r\na"],
  ])("an agent that dawdles %s is refused after the limit", async (_name, bytes) => {
    const { rig, authority, wire } = await world();
    wire.write(bytes.replace("HOST", authority));
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
    rig.pass(40_000);
    expect(await wire.all()).toMatch(/^HTTP\/1\.1 400 [\s\S]*in time/);
  });

  it("further bytes of a head do not buy further time", async () => {
    const { rig, wire } = await world();
    for (let i = 0; i < 5 && !wire.isClosed; i++) {
      wire.write("X");
      for (let j = 0; j < 10; j++) await new Promise((resolve) => setImmediate(resolve));
      rig.pass(5_000);
    }
    expect(await wire.all()).toMatch(/^HTTP\/1\.1 400 /);
  });

  it("closing lets what is under way end, then leaves nothing", async () => {
    let answer = (): void => {};
    const server = keep(
      await startDestination((socket) => {
        answer = () => void socket.write(REPLY);
      }),
    );
    const rig = keep(await startRig({ policy: policyOf({ ports: [server.port] }) }));
    const wire = await Wire.tunnel(rig.socketPath, `a.example.com:${server.port}`);
    wire.write(`GET / HTTP/1.1\r\nHost: a.example.com:${server.port}\r\n\r\n`);
    while (server.received.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const closed = rig.gateway.close();
    answer();
    await wire.until("ok");
    await closed;
    expect(await wire.all()).toBe(REPLY);
    expect(rig.of("exchange.answered")).toMatchObject([{ complete: true }]);
    await expect(Wire.open(rig.socketPath)).rejects.toThrow();
  });

  it("closing does not wait for ever: what does not end is cut, and recorded as such", async () => {
    const server = keep(
      await startDestination((socket) => void socket.write("HTTP/1.1 200 OK\r\n\r\nendless")),
    );
    const rig = keep(await startRig({ policy: policyOf({ ports: [server.port] }) }));
    const wire = await Wire.tunnel(rig.socketPath, `a.example.com:${server.port}`);
    wire.write(`GET / HTTP/1.1\r\nHost: a.example.com:${server.port}\r\n\r\n`);
    await wire.until("endless");
    const closed = rig.gateway.close();
    rig.pass(11_000);
    await closed;
    expect(rig.of("exchange.answered")).toMatchObject([{ complete: false }]);
  });

  it("fifty at once: each gets its own reply, each is recorded", async () => {
    const server = keep(
      await startDestination((socket, chunk) => {
        const path = /GET (\S+)/.exec(chunk.toString())?.[1] ?? "";
        socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${path.length}\r\n\r\n${path}`);
      }),
    );
    const rig = keep(await startRig({ policy: policyOf({ ports: [server.port] }) }));
    const host = `a.example.com:${server.port}`;
    await Promise.all(
      Array.from({ length: 50 }, async (_, i) => {
        const wire = await Wire.tunnel(rig.socketPath, host);
        for (const turn of ["x", "y"]) {
          wire.write(`GET /${turn}${i} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
          expect(await wire.until(`/${turn}${i}`)).toContain(`/${turn}${i}`);
        }
        wire.close();
      }),
    );
    await rig.seen("exchange.answered", 100);
    expect(new Set(rig.of("exchange.judged").map(({ exchange }) => exchange)).size).toBe(100);
  });
});

it("a client of TLS 1.2 gets one handshake: another in the same connection is refused", async () => {
  const rig = await startRig();
  closing.push(() => rig.close());
  const { socket: raw } = await Wire.tunnel(rig.socketPath, "a.example.com:443");
  raw.removeAllListeners("data");
  const socket = connectTls({
    socket: raw,
    ca: rig.caCertificate,
    servername: "a.example.com",
    maxVersion: "TLSv1.2",
  });
  closing.push(async () => void socket.destroy());
  await new Promise((resolve) => socket.once("secureConnect", resolve));
  const failed = new Promise<Error>((resolve) => socket.once("error", resolve));
  socket.renegotiate({}, (error) => {
    if (error !== null) socket.emit("error", error);
  });
  expect((await failed).message).toMatch(/no renegotiation/i);
});

describe("a flood of what is refused", () => {
  const rubbish = async (rig: Rig): Promise<string> => {
    const wire = await Wire.open(rig.socketPath);
    wire.write("GET / HTTP/1.1\r\nContent-Length: +1\r\n\r\n");
    const said = await wire.all();
    wire.close();
    return said;
  };

  it("is refused to the last, and recorded by its number when there is too much of it", async () => {
    const rig = keep(await startRig({ limits: { refusalsAtOnce: 5, refusalsPerSecond: 1 } }));
    const answers: string[] = [];
    for (let i = 0; i < 40; i++) answers.push(await rubbish(rig));
    expect(answers.slice(0, 5).every((said) => said.startsWith("HTTP/1.1 400 "))).toBe(true);
    expect(answers.slice(10).every((said) => said.startsWith("HTTP/1.1 503 "))).toBe(true);
    const each = rig.of("connection.refused").length;
    expect(each).toBeLessThan(10);
    rig.pass(2_000);
    await rig.seen("connection.refused", each + 1);
    const counted = rig.of("connection.refused").at(-1)?.reason ?? "";
    expect(Number(/^(\d+) further/.exec(counted)?.[1])).toBe(40 - each);
    // Two seconds later there is room for two again.
    expect(await rubbish(rig)).toMatch(/^HTTP\/1\.1 400 /);
  });

  it("leaves the session's good requests alone, and its count is on the record when the session ends", async () => {
    const { rig, authority, wire } = await world({ limits: { refusalsAtOnce: 1, refusalsPerSecond: 0 } });
    for (let i = 0; i < 10; i++) await rubbish(rig);
    wire.write(`GET / HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
    expect(await wire.until("ok")).toContain("200");
    wire.close();
    await rig.gateway.close();
    expect(rig.of("connection.refused").map(({ reason }) => reason.split(",")[0])).toContain(
      "9 further refusals",
    );
  });
});
