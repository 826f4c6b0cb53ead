// curl, a client nobody here wrote, through the gateway: as a proxy, over HTTP/1.1 and HTTP/2.
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createSecureServer } from "node:http2";
import { type AddressInfo, connect, createServer as createTcp, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { policyOf, type Rig, SECRET_RULE, startRig, World } from "../../src/gateway/rig.testkit.ts";

const HOST = "site.example.com";
const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

interface Came {
  readonly method: string;
  readonly version: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly trailers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
}

interface Place {
  readonly rig: Rig;
  readonly came: readonly Came[];
  readonly authority: string;
  readonly proxy: string;
  readonly folder: string;
  curl(
    ...words: readonly string[]
  ): Promise<{ readonly code: number; readonly out: string; readonly told: string }>;
}

const listening = async (server: {
  listen(port: number, host: string, then: () => void): unknown;
  address(): unknown;
}): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port; // a listening TCP server always has one
};

/** A destination that says what it got, with trailers, and the gateway before it on a TCP port. */
async function place(rules = ""): Promise<Place> {
  const world = new World();
  const came: Came[] = [];
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () => {
      const { method = "", httpVersion, headers, trailers } = request;
      came.push({ method, version: httpVersion, headers, trailers, body: Buffer.concat(pieces) });
      response.writeHead(200, { "X-Was": httpVersion, Trailer: "X-Sum" });
      response.write("hello ");
      response.addTrailers({ "X-Sum": "5" });
      response.end("curl");
    });
  };
  const secure = createSecureServer(
    { allowHTTP1: true, SNICallback: (_name, give) => give(null, world.contextFor(HOST)) },
    serve as never, // the compatibility API of node:http2, which has the same members
  );
  const plain = createServer(serve);
  const [tlsPort, plainPort] = [await listening(secure), await listening(plain)];
  const rig = await startRig({
    extraRoots: [world.root],
    policy: policyOf({ hosts: [HOST], ports: [tlsPort, plainPort], rules }),
  });
  const sockets = new Set<Socket>();
  const door = createTcp({ allowHalfOpen: true }, (agent) => {
    const gate = connect({ path: rig.socketPath, allowHalfOpen: true });
    for (const [from, to] of [
      [agent, gate],
      [gate, agent],
    ] as const) {
      sockets.add(from);
      from.on("error", () => to.destroy());
      from.pipe(to);
    }
  });
  const proxy = `http://127.0.0.1:${await listening(door)}`;
  const folder = mkdtempSync(join(tmpdir(), "outside-"));
  writeFileSync(join(folder, "ca.pem"), rig.caCertificate);
  closing.push(async () => {
    for (const socket of sockets) socket.destroy();
    plain.closeAllConnections();
    door.close();
    plain.close();
    await rig.close();
    secure.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    rig,
    came,
    authority: `${HOST}:${tlsPort}`,
    proxy,
    folder,
    curl: (...words) =>
      new Promise((resolve) => {
        const own = ["-sS", "--max-time", "20", "--proxy", proxy, "--cacert", join(folder, "ca.pem")];
        const places = words.map((word) =>
          word.replace("TLS", `https://${HOST}:${tlsPort}`).replace("PLAIN", `http://${HOST}:${plainPort}`),
        );
        execFile("curl", [...own, ...places], { env: { PATH: process.env["PATH"] } }, (error, out, told) =>
          resolve({ code: error === null ? 0 : Number(error.code), out, told }),
        );
      }),
  };
}

describe("curl through the gateway", () => {
  it.each([
    ["HTTP/1.1 in a tunnel", "--http1.1", "TLS/x?y=1", "1.1"],
    ["HTTP/2 in a tunnel", "--http2", "TLS/x?y=1", "2.0"],
    ["a proxy's plain HTTP", "--http1.1", "PLAIN/x", "1.1"],
  ])("%s: head, body and trailers", async (_, version, url, was) => {
    const at = await place();
    const { code, out, told } = await at.curl(version, "-i", "--raw", "-H", "X-Mine: yes", url);
    expect([code, told]).toEqual([0, ""]);
    expect(out).toMatch(new RegExp(`x-was: ${was}`, "i"));
    expect(out).toMatch(/hello[\s\S]*curl/);
    if (was === "1.1") expect(out).toContain("X-Sum: 5");
    expect(at.came).toMatchObject([{ method: "GET", version: was, headers: { "x-mine": "yes" } }]);
    await at.rig.seen("exchange.answered");
    expect(at.rig.of("exchange.judged")).toMatchObject([{ host: HOST, verdict: "allow" }]);
  });

  it("Expect: 100-continue with 5 MB: told to go on, every byte arrives", async () => {
    const at = await place();
    const body = Buffer.alloc(5_000_000, "0123456789abcdef\n");
    writeFileSync(join(at.folder, "body"), body);
    const file = `@${join(at.folder, "body")}`;
    for (const more of [[], ["-H", "Transfer-Encoding: chunked"]]) {
      const words = [
        "--http1.1",
        "-v",
        "-H",
        "Expect: 100-continue",
        ...more,
        "--data-binary",
        file,
        "TLS/up",
      ];
      const { code, out, told } = await at.curl(...words);
      expect([code, out]).toEqual([0, "hello curl"]);
      expect(told).toContain("100 Continue");
    }
    expect(at.came.map((one) => one.body.equals(body))).toEqual([true, true]);
  });

  it("what policy refuses, and a host that it does not know, are errors that curl understands", async () => {
    const at = await place(SECRET_RULE);
    const secret = `ghp_${"aB3dE5gH".repeat(5)}`;
    const refused = await at.curl("--http2", "-i", "--data", `key=${secret}`, "TLS/");
    expect(refused.out).toMatch(/^HTTP\/2 403/m);
    expect(refused.out).toContain("no-secrets");
    expect(refused.out).not.toContain(secret);
    const unknown = await at.curl("https://elsewhere.example.org/");
    expect([unknown.code, unknown.told]).toEqual([56, expect.stringContaining("403")]);
    expect(at.came).toEqual([]);
  });

  it("a curl that is killed in its upload has left: nothing of it is sent", async () => {
    const at = await place();
    const words = ["-sS", "--proxy", at.proxy, "--cacert", join(at.folder, "ca.pem"), "--http1.1", "-T", "-"];
    const child = spawn("curl", [...words, `https://${at.authority}/half`], {
      stdio: ["pipe", "ignore", "ignore"],
    });
    child.stdin.write(Buffer.alloc(100_000, "a"));
    await new Promise((resolve) => child.stdin.write("b", resolve));
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
    // Another request after it shows that the gateway has gone on.
    expect((await at.curl("TLS/after")).out).toBe("hello curl");
    expect(at.came.map(({ body }) => body.length)).toEqual([0]);
  });
});
