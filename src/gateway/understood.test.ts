// A destination may have to be understood: policy can refuse what was read as text only.
import { afterEach, expect, test } from "vitest";
import { policyOf, startDestination, startRig, Wire } from "./rig.testkit.ts";

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const rule = (data: string, then: string): string => `  rules:
    - id: must-be-understood
      title: What nobody can read stays here
      because: It could be anything
      when: { data: [${data}] }
      then: ${then}
`;
/** Refuses whatever is not public, and knows nothing of the class. */
const STRICT = rule("public", "deny").replace(
  "when: { data: [public] }",
  "when: { channel: [llm] }\n      unless: { data: [public] }",
);
const REFUSES = rule("not_understood", "deny");
const MASKS = rule("not_understood", "redact");
const CHANNELS: Readonly<Record<string, string>> = {
  "api.anthropic.com": "llm",
  "tools.example.com": "mcp",
  "site.example.com": "other",
};
const CHAT = '{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"hello"}]}';

test.each<[string, string, string, string, string, number]>([
  ["a model", "api.anthropic.com", "/v1/messages", CHAT, REFUSES, 200],
  ["a model", "api.anthropic.com", "/v1/messages", `${CHAT}!`, REFUSES, 403],
  ["a model", "api.anthropic.com", "/v1/messages", '{"messages":[],"messages":[]}', REFUSES, 403],
  ["a model", "api.anthropic.com", "/v2/new", '{"anything":"hello"}', REFUSES, 403],
  ["a model", "api.anthropic.com", "/v1/models", "", REFUSES, 200],
  ["an MCP server", "tools.example.com", "/mcp", '{"jsonrpc":"2.0","method":"ping"}', REFUSES, 200],
  ["an MCP server", "tools.example.com", "/mcp", "ping", REFUSES, 403],
  ["any other place", "site.example.com", "/", "hello", REFUSES, 200],
  [
    "a model, where it would be masked, which nobody can",
    "api.anthropic.com",
    "/v2/new",
    "hello",
    MASKS,
    403,
  ],
  ["a model, where no rule names it", "api.anthropic.com", "/v2/new", "hello", STRICT, 200],
])("to %s: %s%s %j", async (_, host, path, body, rules, status) => {
  const server = await startDestination((socket, _chunk, sofar) => {
    if (sofar.includes(body, sofar.indexOf("\r\n\r\n") + 4))
      socket.end("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
  });
  const policy = policyOf({ ports: [server.port], rules });
  const rig = await startRig({
    policy,
    label: (name) => ({
      ...{ destination: name, channel: CHANNELS[name] ?? "unknown", serverIn: "US", operatorLaw: "US" },
      ...{ trains: "no", dpa: "unknown" },
    }),
  });
  closing.push(
    () => server.close(),
    () => rig.close(),
  );
  const wire = await Wire.tunnel(rig.socketPath, `${host}:${server.port}`);
  wire.write(
    `POST ${path} HTTP/1.1\r\nHost: ${host}:${server.port}\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  expect((await wire.all()).slice(9, 12)).toBe(String(status));
  expect(server.received.length > 0).toBe(status === 200);
  expect(rig.of("exchange.judged")).toMatchObject([
    status === 200
      ? { verdict: "allow" }
      : { verdict: "deny", rules: expect.arrayContaining(["must-be-understood"]) },
  ]);
});
