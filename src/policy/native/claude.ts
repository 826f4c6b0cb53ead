/**
 * Claude Code. `/etc/claude-code/managed-settings.json`; measured on 2.1.329: deny, then ask, then allow, lists of all
 * levels merge, both hold in bypass mode too, managed `env` beats the process and the project. `--setting-sources user` leaves a repository's settings
 * out altogether, its `apiKeyHelper` included, which managed settings alone do not stop.
 */
import { advice, asked, type Emitter, globs, json, kept, STRING_RULES } from "./form.ts";

const TOOLS = { web_fetch: "WebFetch", web_search: "WebSearch" } as const;

export const claude: Emitter = {
  agent: "claude",
  since: "2.1.198",
  emit(policy, around) {
    const ignores = policy.repositorySettings === "ignore";
    const deny = [
      ...policy.files.hide.flatMap(globs).flatMap((glob) => [`Read(${glob})`, `Edit(${glob})`]),
      ...policy.programs.deny.map((command) => `Bash(${command}:*)`),
      ...policy.tools.deny.map((tool) => TOOLS[tool]),
    ];
    const settings = {
      permissions: {
        deny,
        ask: asked(policy).map((command) => `Bash(${command}:*)`),
      },
      ...(ignores ? { allowManagedHooksOnly: true, disableSideloadFlags: true } : {}),
      ...(policy.mcpServers === null
        ? {}
        : {
            allowManagedMcpServersOnly: true,
            allowedMcpServers: policy.mcpServers.map((serverName) => ({ serverName })),
          }),
      ...(around.refusesTelemetry
        ? { env: { CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1", DISABLE_UPDATES: "1" } }
        : {}),
    };
    return {
      files: [{ path: "/etc/claude-code/managed-settings.json", content: json(settings) }],
      covers: [],
      arguments: ignores ? ["--setting-sources", "user"] : [],
      environment: {},
      holds: {
        "hidden files": advice(
          `its file tools are kept from them, and commands that name them; ${STRING_RULES}`,
        ),
        "commands refused": advice(STRING_RULES),
        "commands asked about": advice(STRING_RULES),
        "agent's own web tools": kept(),
        "MCP servers": kept(),
        "repository settings": kept(),
        telemetry: kept(),
      },
    };
  },
};
