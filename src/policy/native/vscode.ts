/**
 * Visual Studio Code with its chat, as the file that its administrator's policies are read from on Linux (since 1.106).
 * Names, types and values after the product's own list (microsoft/vscode, build/lib/policies/policyData.jsonc); not
 * measured. A value that is not of its policy's type is silently not applied: booleans and words only are written.
 */
import { advice, asked, type Emitter, json, kept, none } from "./form.ts";

export const vscode: Emitter = {
  agent: "vscode",
  since: "1.107.0",
  isRolledOut: true,
  emit(policy, around) {
    const asks = policy.programs.deny.length + asked(policy).length > 0;
    const settings = {
      // Never everything without a question: no sandbox of ours stands round it.
      ChatToolsAutoApprove: false,
      ...(asks ? { ChatToolsTerminalEnableAutoApprove: false } : {}),
      // It knows no server by name: none, or those of the registry it is connected to.
      ...(policy.mcpServers === null
        ? {}
        : { ChatMCP: policy.mcpServers.length === 0 ? "none" : "registry" }),
      ...(around.refusesTelemetry ? { TelemetryLevel: "off", EnableFeedback: false } : {}),
    };
    return {
      files: [{ path: "/etc/vscode/policy.json", content: json(settings) }],
      covers: [],
      arguments: [],
      environment: {},
      holds: {
        "hidden files": none(
          "files are excluded in the organisation's settings on GitHub, and not from agent mode",
        ),
        "commands refused": advice("each command is asked about, none is refused"),
        "commands asked about": kept("each command is asked about"),
        "agent's own web tools": none(),
        "MCP servers":
          policy.mcpServers?.length === 0
            ? kept()
            : advice("those of the registry it is connected to, whatever their names"),
        "repository settings": none("a folder that nobody trusted is opened in restricted mode"),
        telemetry: kept("its own; extensions need not heed it"),
        "network destinations": none(),
        "data that leaves": none("what it sends goes to its vendor's servers first"),
      },
    };
  },
};
