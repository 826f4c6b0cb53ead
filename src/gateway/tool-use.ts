/** Which tools a request reaches out by, read off its parts: MCP over HTTP, and what the vendor is told to run. */
import type { Decoded } from "../dialect/index.ts";
import type { study } from "../policy/index.ts";

/** `/params/name` of one call, or of one in a batch. */
const CALL_NAME = /^(?:\/\d+)?\/params\/name$/;
const VENDOR_TOOL = /^\/tools\/\d+\/type$/;
/** Anthropic's `mcp_servers`, OpenAI's tool of type `mcp`. */
const VENDOR_MCP = /^\/(?:mcp_servers\/\d+\/url|tools\/\d+\/server_url)$/;

export function toolUseOf({ dialect, parts }: Decoded, host: string): study.ToolUse {
  const mcpServers = new Set(dialect === "mcp" ? [host] : []);
  const mcpTools = new Set<string>();
  const vendorTools = new Set<string>();
  for (const { pointer, text } of parts) {
    if (dialect === "mcp" && CALL_NAME.test(pointer)) mcpTools.add(text);
    if (dialect === "mcp") continue;
    if (VENDOR_TOOL.test(pointer)) vendorTools.add(text);
    // An address that is none is not on any list.
    if (VENDOR_MCP.test(pointer)) mcpServers.add(URL.parse(text)?.hostname ?? text);
  }
  return { mcpServers: [...mcpServers], mcpTools: [...mcpTools], vendorTools: [...vendorTools] };
}
