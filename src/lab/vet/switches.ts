/**
 * Settings by which vendors say that telemetry, updates or other side traffic can be switched off: each is tried, and
 * what it does is told. Names from the vendors' public documentation and packages as of November 2026.
 */
export interface Switch {
  readonly name: string;
  readonly variables: Readonly<Record<string, string>>;
  readonly arguments: readonly string[];
}

const byVariable = (name: string, value = "1"): Switch => ({
  name: `${name}=${value}`,
  variables: { [name]: value },
  arguments: [],
});
const byArguments = (...all: string[]): Switch => ({ name: all.join(" "), variables: {}, arguments: all });

/** What no vendor owns. */
const COMMON = [byVariable("DO_NOT_TRACK")];

const BY_AGENT: Readonly<Record<string, readonly Switch[]>> = {
  claude: [
    ...[byVariable("DISABLE_TELEMETRY"), byVariable("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC")],
    ...[
      byVariable("DISABLE_AUTOUPDATER"),
      byVariable("DISABLE_ERROR_REPORTING"),
      byVariable("CLAUDE_CODE_ATTRIBUTION_HEADER", "0"),
    ],
  ],
  codex: [
    ...[
      byArguments("-c", "analytics.enabled=false"),
      byArguments("--disable", "plugins", "--disable", "apps"),
    ],
    byArguments("--disable", "api_key_model_discovery"),
  ],
  qwen: [byVariable("QWEN_USAGE_STATISTICS_ENABLED", "0")],
  gemini: [byVariable("GEMINI_TELEMETRY_ENABLED", "false")],
  opencode: [byVariable("OPENCODE_DISABLE_MODELS_FETCH"), byVariable("OPENCODE_DISABLE_AUTOUPDATE")],
  copilot: [byVariable("COPILOT_OFFLINE", "true"), byVariable("COPILOT_AUTO_UPDATE", "false")],
};

export const switchesOf = (agent: string): readonly Switch[] => [...COMMON, ...(BY_AGENT[agent] ?? [])];
