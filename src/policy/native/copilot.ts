/**
 * GitHub Copilot CLI. `/etc/github-copilot/managed-settings.json` and `--deny-tool` flags; measured on 1.0.102: with bypass
 * switched off, `--allow-all-tools` is cancelled and a headless run can do nothing that would be asked about.
 */
import { advice, asked, type Emitter, json, kept, none, STRING_RULES } from "./form.ts";

export const copilot: Emitter = {
  agent: "copilot",
  since: "1.0.100",
  emit(policy, around) {
    const ask = asked(policy);
    const denied = [
      ...policy.files.hide.map((pattern) => `read(${pattern})`),
      ...policy.programs.deny.map((command) => `shell(${command}:*)`),
      ...(policy.tools.deny.includes("web_fetch") ? ["url"] : []),
    ];
    const settings = { permissions: { disableBypassPermissionsMode: "disable" } };
    return {
      // What asks has to switch bypass off; nothing else in the managed file was confirmed by measurement.
      files:
        ask.length === 0
          ? []
          : [{ path: "/etc/github-copilot/managed-settings.json", content: json(settings) }],
      arguments: [
        ...denied.flatMap((rule) => ["--deny-tool", rule]),
        ...(policy.mcpServers === null ? [] : ["--disable-builtin-mcps"]),
      ],
      environment: around.refusesTelemetry ? { COPILOT_AUTO_UPDATE: "false" } : {},
      holds: {
        "hidden files": advice("its read tool is kept from them; commands are not"),
        "commands refused": advice(STRING_RULES),
        "commands asked about": kept("it then asks about everything that is not a read"),
        "agent's own web tools": advice("by flag"),
        "MCP servers": advice("its own are off; a repository's are not"),
        "repository settings": none(),
        telemetry: none("refused by the gateway"),
      },
    };
  },
};
