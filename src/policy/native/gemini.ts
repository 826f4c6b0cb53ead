/**
 * Gemini CLI. `/etc/gemini-cli/settings.json` and `/etc/gemini-cli/policies/*.toml`; measured on 0.61.0: the highest
 * priority wins within the administrator's tier; the files are ignored when they or a folder above them do not belong to
 * root or are writable by others, and inside our sandbox nothing is root's: there the rules travel by a flag, and
 * GEMINI_CLI_SYSTEM_SETTINGS_PATH replaces the settings, so that the launcher has to pin it.
 */
import type { Policy } from "../layer.ts";
import { advice, asked, COVERED, EMPTY, type Emitter, json, kept, none, STRING_RULES } from "./form.ts";

const FILE = "/etc/gemini-cli/settings.json";
/** Believed whoever owns it, as it is named by a flag and not the administrator's own folder. */
const FOLDER_INSIDE = "/etc/sallyport/gemini";
const TOOLS = { web_fetch: "web_fetch", web_search: "google_web_search" } as const;
const DENY = 900;
const ASK = 800;

export const gemini: Emitter = {
  agent: "gemini",
  since: "0.61.0",
  emit(policy, around) {
    const settings = {
      ...(policy.mcpServers === null ? {} : { mcp: { allowed: policy.mcpServers } }),
      ...(around.refusesTelemetry
        ? {
            privacy: { usageStatisticsEnabled: false },
            telemetry: { enabled: false },
            general: { enableAutoUpdate: false, enableAutoUpdateNotification: false },
          }
        : {}),
    };
    const content = rulesOf(policy).join("\n");
    const { isInside } = around;
    const folder = isInside ? FOLDER_INSIDE : "/etc/gemini-cli/policies";
    const rules = content === "" ? [] : [{ path: `${folder}/10-sallyport.toml`, content }];
    return {
      files: [...(isInside ? [] : [{ path: FILE, content: json(settings) }]), ...rules],
      covers: policy.repositorySettings === "ignore" ? [{ path: ".gemini/settings.json", text: EMPTY }] : [],
      arguments: isInside
        ? [
            ...rules.map(() => `--admin-policy=${folder}`),
            ...(policy.mcpServers ?? []).map((name) => `--allowed-mcp-server-names=${name}`),
          ]
        : [],
      plainCommands: ["mcp", "extensions", "extension", "skills", "skill", "hooks", "hook", "gemma"],
      environment: { GEMINI_CLI_SYSTEM_SETTINGS_PATH: FILE },
      holds: {
        "hidden files": advice(STRING_RULES),
        "commands refused": advice(STRING_RULES),
        "commands asked about": advice(`${STRING_RULES}; refused when nobody is there to ask`),
        "agent's own web tools": kept(),
        "MCP servers": advice("flags outrank the list"),
        "repository settings": none(`it obeys those of a folder that somebody trusted; ${COVERED}`),
        telemetry: isInside
          ? none("it believes only files that root owns, which inside none is; refused by the gateway")
          : kept(),
      },
    };
  },
};

function rulesOf(policy: Policy): string[] {
  const tools = policy.tools.deny.map((tool) => TOOLS[tool]);
  const ask = asked(policy);
  return [
    ...(tools.length === 0 ? [] : [rule([`toolName = ${list(tools)}`], "deny", DENY)]),
    ...policy.files.hide.flatMap((pattern) => [
      rule(
        [
          `toolName = ["read_file", "read_many_files", "grep_search", "run_shell_command"]`,
          `argsPattern = '${regex(pattern)}'`,
        ],
        "deny",
        DENY,
      ),
    ]),
    ...(policy.programs.deny.length === 0
      ? []
      : [
          rule(
            ['toolName = "run_shell_command"', `commandPrefix = ${list(policy.programs.deny)}`],
            "deny",
            DENY,
          ),
        ]),
    ...(ask.length === 0
      ? []
      : [rule(['toolName = "run_shell_command"', `commandPrefix = ${list(ask)}`], "ask_user", ASK)]),
  ];
}

const rule = (conditions: readonly string[], decision: string, priority: number): string =>
  ["[[rule]]", ...conditions, `decision = "${decision}"`, `priority = ${priority}`, ""].join("\n");

const list = (items: readonly string[]): string =>
  `[${items.map((item) => JSON.stringify(item)).join(", ")}]`;

/** The pattern as a name within the call's arguments, which are JSON: `.env` but not `.env.example`. */
function regex(pattern: string): string {
  const body = pattern
    .split("*")
    .map((part) =>
      part.replace(/[.+^$()|'"]/g, (character) => (/['"]/.test(character) ? "." : `\\${character}`)),
    )
    .join("[^/\\s]*");
  return `(^|[^A-Za-z0-9._-])${body}($|[^A-Za-z0-9._-])`;
}
