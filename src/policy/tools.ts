/**
 * Tools that reach out where only the wire shows it: MCP servers over HTTP and their tools, and tools that the model's
 * vendor runs on its own side. Pure. What an agent runs inside its sandbox is its own settings' and the sandbox's business.
 */
import { AGENT_TOOLS, type PolicyDocument } from "./document.ts";
import type { Policy, RuleRef } from "./layer.ts";

/** What a request asks for. */
export interface ToolUse {
  /** MCP servers it speaks to, or tells the vendor to speak to: hosts. */
  readonly mcpServers: readonly string[];
  /** Tools of theirs that it calls. */
  readonly mcpTools: readonly string[];
  /** Types of tools that the vendor runs, as its protocol names them: `web_search_20250305`. */
  readonly vendorTools: readonly string[];
}

/** Whether any document speaks about tools at all; else nobody has to look. */
export const speaksOfTools = (policy: Policy): boolean =>
  policy.tools.deny.length > 0 || policy.mcpServers !== null || policy.mcpTools.deny.length > 0;

/** The rules that refuse it; none: it may be. A server over HTTP goes by its host in `mcp.servers`. */
export function refuseTools(policy: Policy, use: ToolUse): readonly RuleRef[] {
  return policy.layers.flatMap(({ document }) => [
    ...use.mcpServers
      .filter((host) => document.data.mcp?.servers !== undefined && !document.data.mcp.servers.includes(host))
      .map((host) => refOf(document, "mcp.servers", `the MCP server ${host} is not one that may be used`)),
    ...use.mcpTools
      .filter((tool) => document.data.mcp?.tools?.deny?.includes(tool))
      .map((tool) => refOf(document, "mcp.tools", `the MCP tool ${tool} may not be called`)),
    ...AGENT_TOOLS.filter(
      (tool) =>
        document.data.tools?.deny?.includes(tool) && use.vendorTools.some((type) => type.startsWith(tool)),
    ).map((tool) =>
      refOf(
        document,
        `tools.${tool}`,
        `the vendor's ${tool} is switched off: it sends what it likes from there`,
      ),
    ),
  ]);
}

const refOf = ({ data }: PolicyDocument, id: string, title: string): RuleRef => ({
  id,
  title,
  because: `\`${data.metadata.name}\` lists what may be used`,
  owner: data.metadata.owner,
  document: data.metadata.name,
});
