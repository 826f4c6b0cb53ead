// Tools that reach out over the wire are what policy says they are: MCP servers by their host, their tools by name, and
// what the vendor would run on its own side.
import { afterEach, expect, test } from "vitest";
import { policyOf, startDestination, startRig, Wire } from "./rig.testkit.ts";

const closing: (() => Promise<void>)[] = [];
const keep = <T extends { close(): Promise<void> }>(thing: T): T => {
  closing.push(() => thing.close());
  return thing;
};
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const MODEL = "api.anthropic.com";
const call = (name: string): object => ({
  jsonrpc: "2.0",
  id: 1,
  method: "tools/call",
  params: { name, arguments: {} },
});
const ask = (more: object): object => ({
  model: "m",
  max_tokens: 1,
  messages: [{ role: "user", content: "hi" }],
  ...more,
});
const LISTED = "mcp: { servers: [mcp.example.com], tools: { deny: [delete_repo] } }";

test.each<[what: string, more: string, host: string, path: string, body: object, rule: string | null]>([
  ["a server that is listed", LISTED, "mcp.example.com", "/mcp", call("read"), null],
  ["a server that is not", LISTED, "other.example.com", "/mcp", call("read"), "mcp.servers"],
  ["a tool that is refused", LISTED, "mcp.example.com", "/mcp", call("delete_repo"), "mcp.tools"],
  [
    "such a tool in a batch",
    LISTED,
    "mcp.example.com",
    "/mcp",
    [call("read"), call("delete_repo")],
    "mcp.tools",
  ],
  [
    "a word in an argument is no tool",
    LISTED,
    "mcp.example.com",
    "/mcp",
    { ...call("read"), x: "delete_repo" },
    null,
  ],
  ["without a list any server", "mcp: {}", "other.example.com", "/mcp", call("read"), null],
  [
    "a server that the vendor is told to use",
    LISTED,
    MODEL,
    "/v1/messages",
    ask({ mcp_servers: [{ type: "url", url: "https://evil.example/sse", name: "x" }] }),
    "mcp.servers",
  ],
  [
    "one that is listed",
    LISTED,
    MODEL,
    "/v1/messages",
    ask({ mcp_servers: [{ type: "url", url: "https://mcp.example.com/sse", name: "x" }] }),
    null,
  ],
  [
    "OpenAI's way to say so",
    LISTED,
    MODEL,
    "/v1/responses",
    {
      model: "m",
      input: "hi",
      tools: [{ type: "mcp", server_url: "https://evil.example", server_label: "x" }],
    },
    "mcp.servers",
  ],
  [
    "the vendor's own search",
    "tools: { deny: [web_search] }",
    MODEL,
    "/v1/messages",
    ask({ tools: [{ type: "web_search_20250305", name: "web_search" }] }),
    "tools.web_search",
  ],
  [
    "another tool of the vendor's",
    "tools: { deny: [web_search] }",
    MODEL,
    "/v1/messages",
    ask({ tools: [{ type: "web_fetch_20250910", name: "web_fetch" }] }),
    null,
  ],
  [
    "a tool of the agent's own of that name",
    "tools: { deny: [web_search] }",
    MODEL,
    "/v1/messages",
    ask({ tools: [{ name: "web_search", input_schema: { type: "object" } }] }),
    null,
  ],
])("%s", async (_, more, host, path, body, rule) => {
  const server = keep(
    await startDestination((socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"ok"')),
  );
  const rig = keep(await startRig({ policy: policyOf({ ports: [server.port], more }) }));
  const authority = `${host}:${server.port}`;
  const wire = await Wire.tunnel(rig.socketPath, authority);
  const text = JSON.stringify(body);
  wire.write(
    `POST ${path} HTTP/1.1\r\nHost: ${authority}\r\ncontent-type: application/json\r\ncontent-length: ${text.length}\r\n\r\n${text}`,
  );
  await rig.seen("exchange.judged");
  expect(rig.of("exchange.judged")).toMatchObject([
    rule === null ? { verdict: "allow" } : { verdict: "deny", rules: [rule] },
  ]);
  if (rule === null) await wire.until('"ok"');
  else {
    expect(await wire.until(`rule test/${rule}`)).toContain("owner The tester");
    expect(server.received).toEqual([]);
  }
});
