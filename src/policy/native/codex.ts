/**
 * Codex CLI. `/etc/codex/requirements.toml` and `/etc/codex/managed_config.toml`; measured on 0.169.0: the managed file
 * beats `-c` flags; `deny_read` takes absolute paths only (`**` patterns are no match or a fatal error) and makes it
 * refuse to start with its own sandbox off; a prefix rule covers a plain command, not one behind a pipe or with a
 * redirection, and what it would ask about is refused under `never`; a project's own `.codex/config.toml` is ignored while
 * the project is not trusted.
 */
import { advice, asked, COVERED, EMPTY, type Emitter, kept, none, STRING_RULES } from "./form.ts";

export const codex: Emitter = {
  agent: "codex",
  since: "0.138.0",
  emit(policy, around) {
    const rules = [
      ...policy.programs.deny.map((command) => prefixRule(command, "forbidden")),
      ...asked(policy).map((command) => prefixRule(command, "prompt")),
    ];
    const ignores = policy.repositorySettings === "ignore";
    // It keeps files hidden by its own sandbox alone, and with `deny_read` refuses to start without one: only where ours
    // lets it build one, or is off.
    const hides = around.hiddenFiles.length > 0 && (policy.sandbox.nested || policy.sandbox.mode === "none");
    const requirements = [
      ...(policy.sandbox.mode === "none" ? ['allowed_sandbox_modes = ["read-only", "workspace-write"]'] : []),
      ...(policy.tools.deny.includes("web_search") ? ['allowed_web_search_modes = ["disabled"]'] : []),
      ...(ignores ? ["allow_managed_hooks_only = true"] : []),
      ...(hides
        ? ["", "[permissions.filesystem]", `deny_read = [${around.hiddenFiles.map(quote).join(", ")}]`]
        : []),
      // Plugins and apps fetch from servers of their own at every start.
      ...(around.refusesTelemetry ? ["", "[features]", "plugins = false", "apps = false"] : []),
      ...(rules.length > 0 ? ["", "[rules]", "prefix_rules = [", ...rules, "]"] : []),
    ];
    const managed = around.refusesTelemetry
      ? ["check_for_update_on_startup = false", "", "[analytics]", "enabled = false"]
      : [];
    const files = [
      { path: "/etc/codex/requirements.toml", content: toml(requirements) },
      { path: "/etc/codex/managed_config.toml", content: toml(managed) },
    ];
    return {
      files: files.filter(({ content }) => content !== ""),
      covers: ignores
        ? [
            { path: ".codex/config.toml", text: "" },
            { path: ".codex/hooks.json", text: EMPTY },
          ]
        : [],
      arguments: [],
      environment: {},
      holds: {
        "hidden files": hides
          ? kept("those that exist when it starts")
          : none("its own sandbox would have to run inside ours"),
        "commands refused": advice(`${STRING_RULES}, as does a pipe or a redirection`),
        "commands asked about": advice(`${STRING_RULES}, as does a pipe; refused where nobody can be asked`),
        "agent's own web tools": kept("it has web search only"),
        "MCP servers": none(),
        "repository settings": advice(`ignored only while nobody trusted the project; ${COVERED}`),
        telemetry: kept(),
      },
    };
  },
};

const prefixRule = (command: string, decision: "forbidden" | "prompt"): string => {
  const tokens = command.split(" ").map((token) => `{ token = ${quote(token)} }`);
  return `  { pattern = [${tokens.join(", ")}], decision = ${quote(decision)}, justification = "organisation's policy" },`;
};

/** TOML's basic strings are JSON's, as long as no control characters are in them: no policy text holds any. */
const quote = (text: string): string => JSON.stringify(text);

const toml = (lines: readonly string[]): string =>
  lines.length === 0 ? "" : `${lines.join("\n").trimStart()}\n`;
