/**
 * Qwen Code. `/etc/qwen-code/settings.json`; measured on 0.24.4: deny rules cover `cat` too, an interpreter gets round
 * them; a repository's hooks run whatever the system settings say; QWEN_CODE_SYSTEM_SETTINGS_PATH replaces the file, so
 * that the launcher has to pin it.
 */
import {
  advice,
  asked,
  COVERED,
  EMPTY,
  type Emitter,
  globs,
  json,
  kept,
  none,
  STRING_RULES,
} from "./form.ts";

const FILE = "/etc/qwen-code/settings.json";
const TOOLS = { web_fetch: "WebFetch", web_search: "WebSearch" } as const;

export const qwen: Emitter = {
  agent: "qwen",
  since: "0.24.0",
  emit(policy, around) {
    const settings = {
      permissions: {
        deny: [
          ...policy.files.hide.flatMap(globs).map((glob) => `Read(${glob})`),
          ...policy.programs.deny.map((command) => `Bash(${command} *)`),
          ...policy.programs.deny.map((command) => `Bash(${command})`),
          ...policy.tools.deny.map((tool) => TOOLS[tool]),
        ],
        ask: asked(policy).flatMap((command) => [`Bash(${command})`, `Bash(${command} *)`]),
      },
      ...(policy.mcpServers === null ? {} : { mcp: { allowed: policy.mcpServers } }),
      ...(around.refusesTelemetry
        ? {
            privacy: { usageStatisticsEnabled: false },
            telemetry: { enabled: false },
            general: { enableAutoUpdate: false },
          }
        : {}),
    };
    return {
      files: [{ path: FILE, content: json(settings) }],
      covers: policy.repositorySettings === "ignore" ? [{ path: ".qwen/settings.json", text: EMPTY }] : [],
      arguments: [],
      environment: {
        QWEN_CODE_SYSTEM_SETTINGS_PATH: FILE,
        ...(around.refusesTelemetry ? { QWEN_USAGE_STATISTICS_ENABLED: "0" } : {}),
      },
      holds: {
        "hidden files": advice(
          `its file tools are kept from them, and commands that name them; ${STRING_RULES}`,
        ),
        "commands refused": advice(STRING_RULES),
        "commands asked about": advice(`${STRING_RULES}; not asked under \`-y\``),
        "agent's own web tools": kept(),
        "MCP servers": advice("flags and environment outrank the list"),
        "repository settings": none(
          `it obeys their hooks, servers and providers whatever it is told; ${COVERED}`,
        ),
        telemetry: kept(),
      },
    };
  },
};
