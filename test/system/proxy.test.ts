// An organisation's proxy end to end: the real `sallyport run`, its station, and a proxy that is a process of its own.
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it, test } from "vitest";
import { newLeafKey, SessionAuthority } from "../../src/gateway/certificate.ts";
import type { Declaration } from "../../src/report/index.ts";
import { Place, ROOT } from "../harness.ts";

const HOST = "models.corp.example";
/** Opens nothing but this test's own proxy. */
const [USER, PASSWORD] = ["an engineer", "not/a:real@password"];
const LOGIN = `${encodeURIComponent(USER)}:${encodeURIComponent(PASSWORD)}`;

const closing: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

interface Asked {
  readonly asked: string;
  readonly letIn: boolean;
  readonly server: string | null;
}

interface Office {
  readonly place: Place;
  readonly asked: readonly Asked[];
  /** Requests that arrived at the destinations. */
  readonly came: readonly string[];
  /** PEM file of the root that the destination, and an HTTPS proxy, are vouched for by. */
  readonly root: string;
  readonly proxyPort: number;
  /** Of a destination beside the proxy's. */
  readonly nearby: string;
  fetch(
    url: string,
    environment: Readonly<Record<string, string>>,
  ): Promise<{ readonly stdout: string; readonly declared: Declaration | null }>;
}

async function office(kind: "http" | "https" | "socks5"): Promise<Office> {
  const key = newLeafKey();
  const authority = new SessionAuthority("corp", key, () => Date.now(), 10);
  const came: string[] = [];
  const secure = createSecureServer({ key: key.pem, cert: authority.leaf(HOST) }, (request, response) => {
    came.push(`${request.method} ${request.headers.host}${request.url}`);
    response.end("from the far side");
  });
  const near = createServer((request, response) => {
    came.push(`${request.method} ${request.headers.host}${request.url}`);
    response.end("from nearby");
  });
  await new Promise<void>((resolve) => secure.listen(0, "127.0.0.1", resolve));
  await new Promise<void>((resolve) => near.listen(0, "127.0.0.2", resolve));
  const portOf = (server: { address(): unknown }): number => (server.address() as AddressInfo).port; // it listens on TCP
  const nearby = `127.0.0.2:${portOf(near)}`;
  const place = new Place({
    "agent.js": readFileSync(join(ROOT, "test/fixtures/tiny-agent/agent.js"), "utf8"),
    "corp.yaml": `apiVersion: sallyport/v1
kind: Profile
metadata: { name: corp, version: 1, owner: me }
network:
  default: deny
  allow:
    - { id: far, title: The far side, because: a test, hosts: [${HOST}] }
    - { id: near, title: Nearby, because: a test, hosts: [127.0.0.2], ports: [${portOf(near)}], private: true }
send: { default: allow }
`,
  });
  chmodSync(join(place.workspace, "agent.js"), 0o755);
  const file = (name: string, text: string): string => {
    writeFileSync(join(place.folder, name), text, { mode: 0o600 });
    return join(place.folder, name);
  };
  const root = file("root.pem", authority.certificate);
  const child: ChildProcess = spawn(
    process.execPath,
    [
      join(ROOT, "test/fixtures/proxy/proxy.js"),
      ...[kind, `${USER}:${PASSWORD}`, String(portOf(secure))],
      ...[file("key.pem", key.pem), file("cert.pem", authority.leaf("localhost"))],
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  closing.push(async () => {
    await place.close();
    child.kill();
    secure.closeAllConnections();
    near.closeAllConnections();
    secure.close();
    near.close();
  });
  let said = "";
  const proxyPort = await new Promise<number>((resolve) =>
    child.stdout?.on("data", (piece: Buffer) => {
      said += piece.toString();
      if (said.includes("\n")) resolve(Number(said.split("\n")[0]));
    }),
  );
  return {
    place,
    came,
    root,
    proxyPort,
    nearby,
    get asked() {
      return said
        .split("\n")
        .slice(1)
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as Asked);
    },
    fetch: async (url, environment) => {
      const args = ["run", "--json", "-p", "./corp.yaml", "./agent.js", url];
      const { stdout, stderr } = await place.run(args, environment);
      const line = stdout.trim().split("\n").at(-1) ?? "";
      return { stdout: stdout + stderr, declared: line.startsWith("{") ? JSON.parse(line) : null };
    },
  };
}

describe("through an organisation's proxy", () => {
  test.each([
    ["http", "http", "HTTPS_PROXY", "127.0.0.1"],
    ["https", "https", "https_proxy", "localhost"],
    ["socks5", "socks5", "ALL_PROXY", "127.0.0.1"],
    ["socks5", "socks5h", "all_proxy", "localhost"],
  ] as const)(
    "%s, as `%s` in %s: the agent's request arrives, and the record says so",
    async (kind, scheme, name, host) => {
      const at = await office(kind);
      const { stdout, declared } = await at.fetch(`https://${HOST}/hello`, {
        NODE_EXTRA_CA_CERTS: at.root,
        [name]: `${scheme}://${LOGIN}@${host}:${at.proxyPort}`,
      });
      expect(stdout).toContain("status 200\nfrom the far side");
      expect(at.came).toEqual([`GET ${HOST}/hello`]);
      expect(at.asked).toEqual([
        { asked: `CONNECT ${HOST}:443`, letIn: true, server: kind === "https" ? "localhost" : null },
      ]);
      expect(declared?.sent).toMatchObject([{ host: HOST, requests: 1 }]);
    },
  );

  it("a wrong password is a clear refusal: what to correct, nothing sent, no password told", async () => {
    for (const kind of ["http", "socks5"] as const) {
      const at = await office(kind);
      const { stdout, declared } = await at.fetch(`https://${HOST}/hello`, {
        NODE_EXTRA_CA_CERTS: at.root,
        HTTPS_PROXY: `${kind}://${encodeURIComponent(USER)}:wrong-pass@127.0.0.1:${at.proxyPort}`,
      });
      expect(stdout).toContain("status 502");
      expect(stdout).toMatch(/the proxy refuses the login[\s\S]*proxy variables[\s\S]*sallyport down/);
      expect(stdout).not.toContain("wrong-pass");
      expect(at.asked).toMatchObject([{ letIn: false }]);
      expect(at.came).toEqual([]);
      expect(declared?.sent ?? []).toEqual([]);
    }
  });

  it("a proxy that is not there, and one whose certificate nobody vouches for, are named as what is wrong", async () => {
    const at = await office("https");
    const url = `https://${LOGIN}@localhost:${at.proxyPort}`;
    const unknown = await at.fetch(`https://${HOST}/hello`, { HTTPS_PROXY: url });
    expect(unknown.stdout).toMatch(
      /status 502[\s\S]*certificate is not trusted: at the proxy of your organisation/,
    );
    await at.place.run(["down"]);
    const gone = await at.fetch(`https://${HOST}/hello`, { HTTPS_PROXY: "http://127.0.0.1:9" });
    expect(gone.stdout).toMatch(/status 502[\s\S]*the proxy of your organisation: ECONNREFUSED/);
    expect([at.asked, at.came]).toEqual([[], []]);
  });

  it("NO_PROXY goes past it: by network and by name; the login of the proxy is not in the sandbox", async () => {
    const at = await office("http");
    const environment = {
      NODE_EXTRA_CA_CERTS: at.root,
      ALL_PROXY: `http://${LOGIN}@127.0.0.1:${at.proxyPort}`,
      NO_PROXY: `127.0.0.0/8, .corp.example`,
    };
    const near = await at.fetch(`http://${at.nearby}/x`, environment);
    expect(near.stdout).toContain("status 200\nfrom nearby");
    expect(at.came).toEqual([`GET ${at.nearby}/x`]);
    // Nobody here resolves the name: that it was looked up shows that the proxy was not asked.
    const named = await at.fetch(`https://${HOST}/hello`, environment);
    expect(named.stdout).toContain("cannot be resolved");
    expect(at.asked).toEqual([]);
    const inside = await at.place.run(["run", "-q", "--", "env"], environment);
    expect(inside.stdout).toContain("HTTPS_PROXY=http://127.0.0.1:3128");
    expect(inside.stdout).not.toContain("password");
  });
});
