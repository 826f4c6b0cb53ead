// Signing in through the gateway, against a scripted authorisation server: what an agent sends to get a token, and what it
// gets, must arrive as it is, under the ready profile that most people have; the same values on their way elsewhere must not.
import { createHash, randomBytes } from "node:crypto";
import { connect } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { layer, parseDocument, readyProfile } from "../policy/index.ts";
import { type Rig, startDestination, startRig, Wire, World } from "./rig.testkit.ts";

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const random = (bytes: number): string => randomBytes(bytes).toString("base64url");
const jwt = (claims: object): string =>
  `${[{ alg: "RS256", kid: random(8) }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".")}.${random(256)}`;

interface Asked {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** All the vendors' servers in one: TLS, one request a connection; every name leads to it by way of a proxy. */
async function scripted(answer: (asked: Asked) => { status: number; body: object }) {
  const world = new World();
  const asked: Asked[] = [];
  const servers = new Map<string, number>();
  const serve = async (name: string): Promise<number> => {
    const known = servers.get(name);
    if (known !== undefined) return known;
    const server = await startDestination(
      (socket, _chunk, sofar) => {
        const text = sofar.toString("latin1");
        const [head = "", ...rest] = text.split("\r\n\r\n");
        const body = rest.join("\r\n\r\n");
        const [start = "", ...lines] = head.split("\r\n");
        const headers = Object.fromEntries(
          lines.map((line) => [
            line.split(": ")[0]?.toLowerCase() ?? "",
            line.split(": ").slice(1).join(": "),
          ]),
        );
        if (rest.length === 0 || body.length < Number(headers["content-length"] ?? 0)) return;
        const [method = "", path = ""] = start.split(" ");
        const one = { method, host: name, path, headers, body };
        asked.push(one);
        const { status, body: said } = answer(one);
        const json = JSON.stringify(said);
        socket.end(
          `HTTP/1.1 ${status} Said\r\ncontent-type: application/json\r\ncontent-length: ${json.length}\r\nconnection: close\r\n\r\n${json}`,
        );
      },
      { world, host: name },
    );
    closing.push(() => server.close());
    servers.set(name, server.port);
    return server.port;
  };
  const hop = await startDestination((socket, _chunk, sofar) => {
    const named = /^CONNECT ([^:]+):443 /.exec(sofar.toString("latin1"))?.[1];
    if (named === undefined || !sofar.includes("\r\n\r\n")) return;
    socket.removeAllListeners("data");
    void serve(named).then((port) => {
      const onward = connect(port, "127.0.0.1", () => {
        socket.write("HTTP/1.1 200 Go\r\n\r\n");
        socket.pipe(onward).pipe(socket);
      });
      onward.on("error", () => {});
    });
  });
  closing.push(() => hop.close());
  const rig = await startRig({
    policy: layer([parseDocument(readyProfile("default") ?? "", "default")]),
    extraRoots: [world.root],
    proxy: () => new URL(`http://127.0.0.1:${hop.port}`),
    label: (name) => ({
      destination: AUTH.has(name) || MODELS.has(name) ? name : null,
      channel: AUTH.has(name) ? "auth" : MODELS.has(name) ? "llm" : "other",
      serverIn: "US",
      operatorLaw: "US",
      trains: "no",
      dpa: "unknown",
    }),
  });
  closing.push(() => rig.close());
  return { rig, asked };
}

const AUTH: ReadonlySet<string> = new Set([
  "auth.openai.com",
  "platform.claude.com",
  "claude.ai",
  "github.com",
  "oauth2.googleapis.com",
  "chat.qwen.ai",
]);
const MODELS: ReadonlySet<string> = new Set(["api.anthropic.com", "chatgpt.com", "api.openai.com"]);

async function send(
  rig: Rig,
  host: string,
  path: string,
  fields: object | string,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ status: number; body: Record<string, string> }> {
  const body = typeof fields === "string" ? fields : JSON.stringify(fields);
  const type = typeof fields === "string" ? "application/x-www-form-urlencoded" : "application/json";
  const wire = await Wire.tunnel(rig.socketPath, `${host}:443`, { ca: rig.caCertificate });
  const more = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  wire.write(
    `POST ${path} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: ${type}\r\n${more.join("")}Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
  );
  const text = await wire.all();
  wire.close();
  return {
    status: Number(text.slice(9, 12)),
    body: JSON.parse(text.slice(text.indexOf("\r\n\r\n") + 4) || "{}"),
  };
}

const form = (fields: Readonly<Record<string, string>>): string => new URLSearchParams(fields).toString();

describe("signing in through the gateway", () => {
  it("codex' device flow: code, waiting, exchange, refresh, and a call with the token", async () => {
    const verifier = random(64);
    const code = `ac_${random(32)}`;
    const tokens = {
      id_token: jwt({ email: "ada@example.org" }),
      access_token: jwt({ scp: ["api"] }),
      refresh_token: `rt_${random(48)}`,
    };
    let polls = 0;
    const { rig, asked } = await scripted(({ path, body }) => {
      if (path === "/api/accounts/deviceauth/usercode")
        return { status: 200, body: { device_auth_id: random(24), user_code: "ABCD-12345", interval: "5" } };
      if (path === "/api/accounts/deviceauth/token")
        return ++polls < 3
          ? { status: 403, body: { error: "authorization_pending" } }
          : {
              status: 200,
              body: { authorization_code: code, code_verifier: verifier, code_challenge: "S256" },
            };
      if (path === "/oauth/token")
        return { status: body.includes("refresh_token") || body.includes(code) ? 200 : 400, body: tokens };
      return { status: 200, body: { ok: "yes" } };
    });
    const client = "app_EMoamEEZ73f0CkXaXp7hrann";
    const started = await send(rig, "auth.openai.com", "/api/accounts/deviceauth/usercode", {
      client_id: client,
    });
    let granted: Awaited<ReturnType<typeof send>>;
    do
      granted = await send(rig, "auth.openai.com", "/api/accounts/deviceauth/token", {
        device_auth_id: started.body["device_auth_id"],
        user_code: started.body["user_code"],
      });
    while (granted.status === 403);
    const exchange = form({
      grant_type: "authorization_code",
      code,
      redirect_uri: "https://auth.openai.com/deviceauth/callback",
      client_id: client,
      code_verifier: granted.body["code_verifier"] ?? "",
    });
    expect(await send(rig, "auth.openai.com", "/oauth/token", exchange)).toEqual({
      status: 200,
      body: tokens,
    });
    const refresh = {
      client_id: client,
      grant_type: "refresh_token",
      refresh_token: tokens.refresh_token,
      scope: "openid profile email",
    };
    expect((await send(rig, "auth.openai.com", "/oauth/token", refresh)).status).toBe(200);
    const call = { model: "gpt-5", input: "hello", stream: false };
    const login = {
      Authorization: `Bearer ${tokens.access_token}`,
      "ChatGPT-Account-Id": "00000000-0000-4000-8000-000000000000",
    };
    expect((await send(rig, "chatgpt.com", "/backend-api/codex/responses", call, login)).status).toBe(200);

    const sent = asked.filter(({ path }) => path === "/oauth/token").map(({ body }) => body);
    expect(sent).toEqual([exchange, JSON.stringify(refresh)]);
    expect(asked.at(-1)?.headers["authorization"]).toBe(login.Authorization);
    expect(polls).toBe(3);
    expect(rig.of("exchange.judged").map(({ verdict }) => verdict)).toEqual(asked.map(() => "allow"));
  });

  it("claude's browser flow: exchange with its verifier, refresh, and a call with the token", async () => {
    const verifier = random(32);
    const state = random(32);
    const tokens = {
      access_token: `sk-ant-oat01-${random(60)}-${random(4)}AA`,
      refresh_token: `sk-ant-ort01-${random(60)}-${random(4)}AA`,
    };
    const { rig, asked } = await scripted(({ path, body }) => {
      if (path !== "/v1/oauth/token") return { status: 200, body: { ok: "yes" } };
      const fields = JSON.parse(body);
      const isRight =
        fields.grant_type === "refresh_token"
          ? fields.refresh_token === tokens.refresh_token
          : fields.code_verifier === verifier;
      return { status: isRight ? 200 : 400, body: isRight ? tokens : { error: "invalid_grant" } };
    });
    const client = "9d1c250a-e61b-44d9-88ed-5944d1962f5e";
    const exchange = {
      grant_type: "authorization_code",
      code: `${random(32)}`,
      redirect_uri: "https://platform.claude.com/oauth/code/callback",
      client_id: client,
      code_verifier: verifier,
      state,
    };
    expect(await send(rig, "platform.claude.com", "/v1/oauth/token", exchange)).toEqual({
      status: 200,
      body: tokens,
    });
    const refresh = { grant_type: "refresh_token", refresh_token: tokens.refresh_token, client_id: client };
    expect(await send(rig, "platform.claude.com", "/v1/oauth/token", refresh)).toEqual({
      status: 200,
      body: tokens,
    });
    const call = { model: "claude-x", max_tokens: 5, messages: [{ role: "user", content: "hello" }] };
    const login = { Authorization: `Bearer ${tokens.access_token}`, "anthropic-beta": "oauth-2025-04-20" };
    expect((await send(rig, "api.anthropic.com", "/v1/messages", call, login)).status).toBe(200);
    expect(asked.map(({ body }) => body)).toEqual(
      [exchange, refresh, call].map((one) => JSON.stringify(one)),
    );
    expect(asked.at(-1)?.headers["authorization"]).toBe(login.Authorization);
  });

  it.each([
    [
      "qwen",
      "chat.qwen.ai",
      "/api/v1/oauth2/token",
      {
        grant_type: "urn:ietf:params:oauth:grant-type:device_code",
        client_id: "f0304373b74a44d2b584a3fb70ca9e56",
        device_code: random(48),
        code_verifier: random(64),
      },
    ],
    [
      "copilot",
      "github.com",
      "/login/oauth/access_token",
      {
        client_id: "Iv1.b507a08c87ecfe98",
        device_code: createHash("sha1").update("x").digest("hex"),
        grant_type: "urn:ietf:params:oauth:grant-type:device_code",
      },
    ],
    [
      "gemini",
      "oauth2.googleapis.com",
      "/token",
      {
        client_id: "681255809395-oo8ft2oprdrnp9e3aqf6av3hmdib135j.apps.googleusercontent.com",
        client_secret: `GOCSPX-${random(21)}`,
        grant_type: "refresh_token",
        refresh_token: `1//0${random(75)}`,
      },
    ],
  ] as const)("%s: the form of its token endpoint arrives as it is", async (_, host, path, fields) => {
    const { rig, asked } = await scripted(() => ({
      status: 200,
      body: { access_token: `ya29.${random(100)}` },
    }));
    expect((await send(rig, host, path, form(fields))).status).toBe(200);
    expect(asked.map(({ body }) => body)).toEqual([form(fields)]);
  });

  it("the same fields on another path, or another vendor's key in them, are a secret on its way out", async () => {
    const { rig, asked } = await scripted(() => ({ status: 200, body: {} }));
    const token = `sk-ant-ort01-${random(60)}-${random(4)}AA`;
    await send(rig, "github.com", "/gists", { grant_type: "refresh_token", refresh_token: token });
    await send(rig, "github.com", "/login/oauth/access_token", {
      grant_type: "refresh_token",
      refresh_token: token,
    });
    await send(
      rig,
      "auth.openai.com",
      "/oauth/token",
      form({ grant_type: "refresh_token", refresh_token: token }),
    );
    await send(rig, "auth.openai.com", "/oauth/token", { grant_type: "x", scope: token });
    expect(asked.filter(({ body }) => body.includes(token))).toEqual([]);
    const found = rig.of("exchange.judged").map(({ verdict, findings }) => [verdict, findings[0]?.class]);
    expect(found.map(([verdict]) => verdict)).not.toContain("allow");
  });
});
