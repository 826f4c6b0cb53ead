/**
 * opencode. `/etc/opencode/opencode.json`; measured on 1.18.33: the last matching pattern wins, the file beats
 * OPENCODE_CONFIG_CONTENT, a refusal shows the whole list to the model. What no pattern names is allowed, so that no
 * pattern for everything is written: each remaining one gives its answer in any reading order.
 */
import { advice, asked, COVERED, type Emitter, globs, json, kept, none, STRING_RULES } from "./form.ts";

const TOOLS = { web_fetch: "webfetch", web_search: "websearch" } as const;

export const opencode: Emitter = {
  agent: "opencode",
  since: "1.18.0",
  emit(policy, around) {
    const ignores = policy.repositorySettings === "ignore";
    const settings = {
      $schema: "https://opencode.ai/config.json",
      autoupdate: false,
      share: "disabled",
      permission: {
        read: answers(policy.files.hide.flatMap(globs), "deny"),
        ...Object.fromEntries(policy.tools.deny.map((tool) => [TOOLS[tool], "deny"])),
        bash: {
          ...answers(asked(policy).flatMap(withArguments), "ask"),
          ...answers(
            [...policy.programs.deny.flatMap(withArguments), ...policy.files.hide.flatMap(mentions)],
            "deny",
          ),
        },
      },
    };
    return {
      files: [{ path: "/etc/opencode/opencode.json", content: json(settings) }],
      // Measured: the switch stops `opencode.json`, not the plugins.
      covers: ignores
        ? [
            { path: ".opencode/plugin", text: null },
            { path: ".opencode/plugins", text: null },
          ]
        : [],
      arguments: [],
      environment: {
        ...(ignores ? { OPENCODE_DISABLE_PROJECT_CONFIG: "1" } : {}),
        ...(around.refusesTelemetry
          ? { OPENCODE_DISABLE_MODELS_FETCH: "1", OPENCODE_DISABLE_AUTOUPDATE: "1" }
          : {}),
      },
      holds: {
        "hidden files": advice(
          `its read tool is kept from them, and commands that name them; ${STRING_RULES}`,
        ),
        "commands refused": advice(STRING_RULES),
        "commands asked about": advice(`${STRING_RULES}; not asked under \`--auto\``),
        "agent's own web tools": kept(),
        "MCP servers": none(),
        "repository settings": advice(`its plugins are run all the same; ${COVERED}`),
        telemetry: kept("its model list and plugin look-ups; the latter are refused by the gateway"),
      },
    };
  },
};

const withArguments = (command: string): readonly string[] => [command, `${command} *`];

/** Commands that name a hidden file as one of their arguments. */
const mentions = (pattern: string): readonly string[] =>
  [`* ${pattern}`, `*/${pattern}`].flatMap((mention) => [mention, `${mention} *`]);

const answers = (patterns: readonly string[], answer: "ask" | "deny"): Record<string, string> =>
  Object.fromEntries(patterns.map((pattern) => [pattern, answer]));
