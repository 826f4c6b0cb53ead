/**
 * GitHub Copilot CLI. `/etc/github-copilot/managed-settings.json` or flags; measured on 1.0.102: any permission in the managed
 * file cancels `--allow-all-tools`, so that a headless run can do nothing but read; flags do not. A managed denial of a
 * file covers `cat` too, a flag's does not. `url` among the denials starts its own network sandbox: never written.
 */
import { advice, asked, COVERED, EMPTY, type Emitter, json, kept, none, STRING_RULES } from "./form.ts";

export const copilot: Emitter = {
  agent: "copilot",
  since: "1.0.100",
  emit(policy, around) {
    const ask = asked(policy).map((command) => `shell(${command}:*)`);
    const deny = [
      ...policy.files.hide.map((pattern) => `read(${pattern})`),
      ...policy.programs.deny.map((command) => `shell(${command}:*)`),
    ];
    const managed = {
      path: "/etc/github-copilot/managed-settings.json",
      content: json({ permissions: { deny, ask } }),
    };
    return {
      files: ask.length === 0 ? [] : [managed],
      // Obeyed once somebody trusted the folder.
      covers:
        policy.repositorySettings === "ignore"
          ? [
              { path: ".github/hooks", text: null },
              { path: ".github/copilot/settings.json", text: EMPTY },
              { path: ".github/copilot/settings.local.json", text: EMPTY },
              ...[".mcp.json", ".github/mcp.json", ".vscode/mcp.json"].map((path) => ({ path, text: EMPTY })),
            ]
          : [],
      arguments: [
        ...(ask.length === 0 ? deny.map((rule) => `--deny-tool=${rule}`) : []),
        ...(policy.tools.deny.includes("web_fetch") ? ["--excluded-tools=web_fetch"] : []),
        ...(policy.mcpServers === null ? [] : ["--disable-builtin-mcps"]),
      ],
      environment: around.refusesTelemetry ? { COPILOT_AUTO_UPDATE: "false" } : {},
      holds: {
        "hidden files": advice(
          ask.length === 0 ? "its read tool is kept from them; commands are not" : STRING_RULES,
        ),
        "commands refused": advice(STRING_RULES),
        "commands asked about": kept("it then asks about everything that is not a read"),
        "agent's own web tools": advice("by a flag that was not measured"),
        "MCP servers": advice("its own are off; a repository's are not"),
        "repository settings": none(`it obeys those of a folder that somebody trusted; ${COVERED}`),
        telemetry: none("refused by the gateway"),
      },
    };
  },
};
