/**
 * The agents Sallyport knows by name: how each is found, started and reached. One table; nothing here runs anything.
 *
 * Facts were measured on the versions named in `tested`, inside a loopback-only namespace, on 2026-11-20.
 * An agent that is not in the table is run by path, with the same sandbox and the same door.
 */

export interface AgentKind {
  readonly name: string;
  readonly title: string;
  /** npm package that carries it. */
  readonly package: string;
  /** The exact version our tests run and `sallyport install` fetches when none is named. */
  readonly tested: string;
  /** Name of its command on PATH. */
  readonly command: string;
  /**
   * Where its program lies below `node_modules` of an install made without install scripts, first that exists wins.
   * `{arch}` stands for Node's name of the architecture (x64, arm64).
   */
  readonly programs: readonly string[];
  /** Variables of the person's environment that it may see, beside the profile's: names, or prefixes ending in `*`. */
  readonly passEnvironment: readonly string[];
  /** Set inside the sandbox unless the person set them. */
  readonly environment: Readonly<Record<string, string>>;
  /**
   * Put before the person's own arguments (so that theirs win) where our wall is the only one: an agent whose own sandbox
   * cannot be built inside ours is told so, or each of its commands would fail.
   */
  readonly confinedArguments: readonly string[];
  /** Files written into its private home when they are not there yet; some only when another server stands in. */
  readonly homeFiles: readonly {
    readonly path: string;
    readonly content: string;
    readonly onlyForStandIn?: boolean;
  }[];
  /**
   * Keys it needs in order to start at all. When another server stands in for the vendor's and the person has set
   * none of `keyVariables`, these obviously fake values are used.
   */
  readonly keyVariables: readonly string[];
  /**
   * Where each of its keys may go. The agent gets a stand-in for it; the gateway puts the real one into requests to these
   * hosts, and to the host of the variable named in `baseVariable` when the person set one.
   */
  readonly keyHosts: Readonly<Record<string, readonly string[]>>;
  readonly baseVariable: string | null;
  readonly standInEnvironment: Readonly<Record<string, string>>;
  /** Makes it speak to `base` (no trailing slash) instead of its vendor: the base-URL door. Null: it has no such setting. */
  readonly baseUrl:
    | ((base: string) => {
        readonly environment: Readonly<Record<string, string>>;
        readonly arguments: readonly string[];
      })
    | null;
  /** Arguments that make it do one task without a person and without asking, as measured. */
  readonly headless: (prompt: string) => readonly string[];
  /** The vendor's host that the base-URL door leads to. */
  readonly modelHost: string;
}

const standIn = "sallyport-stand-in-not-a-key";

export const AGENTS: readonly AgentKind[] = [
  {
    name: "claude",
    title: "Claude Code",
    package: "@anthropic-ai/claude-code",
    tested: "2.1.329",
    command: "claude",
    programs: ["@anthropic-ai/claude-code-linux-{arch}/claude"],
    passEnvironment: [
      "ANTHROPIC_*",
      "CLAUDE_*",
      "DISABLE_TELEMETRY",
      "DISABLE_ERROR_REPORTING",
      "DO_NOT_TRACK",
    ],
    // IS_SANDBOX is the agent's own word for "I am confined": without it, it refuses its bypass flag to root.
    environment: { IS_SANDBOX: "1", DISABLE_AUTOUPDATER: "1" },
    confinedArguments: [],
    // Its first-run dialog insists on reaching the vendor's sign-in servers, which a stand-in for the model is not.
    homeFiles: [{ path: ".claude.json", content: '{"hasCompletedOnboarding":true}\n', onlyForStandIn: true }],
    keyHosts: {
      ANTHROPIC_API_KEY: ["api.anthropic.com"],
      ANTHROPIC_AUTH_TOKEN: ["api.anthropic.com"],
      CLAUDE_CODE_OAUTH_TOKEN: ["api.anthropic.com"],
    },
    baseVariable: "ANTHROPIC_BASE_URL",
    keyVariables: ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"],
    standInEnvironment: { ANTHROPIC_API_KEY: `sk-ant-${standIn}` },
    baseUrl: (base) => ({ environment: { ANTHROPIC_BASE_URL: base }, arguments: [] }),
    headless: (prompt) => ["-p", "--dangerously-skip-permissions", prompt],
    modelHost: "api.anthropic.com",
  },
  {
    name: "codex",
    title: "Codex CLI",
    package: "@openai/codex",
    tested: "0.169.0",
    command: "codex",
    programs: ["@openai/codex/bin/codex.js"],
    passEnvironment: ["OPENAI_*", "CODEX_API_KEY", "CODEX_ACCESS_TOKEN"],
    environment: {},
    confinedArguments: ["-c", 'sandbox_mode="danger-full-access"'],
    homeFiles: [],
    keyHosts: {
      CODEX_API_KEY: ["api.openai.com"],
      OPENAI_API_KEY: ["api.openai.com"],
      CODEX_ACCESS_TOKEN: ["api.openai.com", "chatgpt.com"],
    },
    baseVariable: null,
    keyVariables: ["CODEX_API_KEY", "OPENAI_API_KEY", "CODEX_ACCESS_TOKEN"],
    standInEnvironment: { CODEX_API_KEY: `sk-${standIn}` },
    // OPENAI_BASE_URL is ignored by 0.169; the setting is not.
    baseUrl: (base) => ({ environment: {}, arguments: ["-c", `openai_base_url="${base}/v1"`] }),
    headless: (prompt) => [
      "exec",
      "--skip-git-repo-check",
      "--dangerously-bypass-approvals-and-sandbox",
      prompt,
    ],
    modelHost: "api.openai.com",
  },
  {
    name: "opencode",
    title: "opencode",
    package: "opencode-ai",
    tested: "1.18.33",
    command: "opencode",
    programs: ["opencode-linux-{arch}/bin/opencode", "opencode-linux-{arch}-baseline/bin/opencode"],
    passEnvironment: ["ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY", "OPENCODE_*"],
    environment: { OPENCODE_DISABLE_AUTOUPDATE: "1" },
    confinedArguments: [],
    homeFiles: [],
    keyHosts: {
      ANTHROPIC_API_KEY: ["api.anthropic.com"],
      OPENAI_API_KEY: ["api.openai.com"],
      GEMINI_API_KEY: ["generativelanguage.googleapis.com"],
    },
    baseVariable: null,
    keyVariables: ["ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY"],
    standInEnvironment: { ANTHROPIC_API_KEY: `sk-ant-${standIn}` },
    baseUrl: (base) => ({
      environment: {
        OPENCODE_CONFIG_CONTENT: JSON.stringify({
          provider: { anthropic: { options: { baseURL: `${base}/v1` } } },
        }),
      },
      arguments: [],
    }),
    headless: (prompt) => ["run", "--auto", "-m", "anthropic/claude-sonnet-4-5", prompt],
    modelHost: "api.anthropic.com",
  },
  {
    name: "qwen",
    title: "Qwen Code",
    package: "@qwen-code/qwen-code",
    tested: "0.24.4",
    command: "qwen",
    programs: ["@qwen-code/qwen-code/cli-entry.js", "@qwen-code/qwen-code/cli.js"],
    passEnvironment: ["OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL", "DASHSCOPE_API_KEY", "QWEN_*"],
    environment: {},
    confinedArguments: [],
    homeFiles: [],
    keyHosts: {
      OPENAI_API_KEY: ["api.openai.com", "dashscope.aliyuncs.com", "dashscope-intl.aliyuncs.com"],
      DASHSCOPE_API_KEY: ["dashscope.aliyuncs.com", "dashscope-intl.aliyuncs.com"],
    },
    baseVariable: "OPENAI_BASE_URL",
    keyVariables: ["OPENAI_API_KEY", "DASHSCOPE_API_KEY"],
    standInEnvironment: {
      OPENAI_API_KEY: `sk-${standIn}`,
      OPENAI_BASE_URL: "https://dashscope.aliyuncs.com/compatible-mode/v1",
      OPENAI_MODEL: "qwen3-coder-plus",
    },
    baseUrl: (base) => ({ environment: { OPENAI_BASE_URL: `${base}/compatible-mode/v1` }, arguments: [] }),
    headless: (prompt) => ["-y", "-p", prompt],
    modelHost: "dashscope.aliyuncs.com",
  },
  {
    name: "gemini",
    title: "Gemini CLI",
    package: "@google/gemini-cli",
    tested: "0.61.0",
    command: "gemini",
    programs: ["@google/gemini-cli/bundle/gemini.js"],
    passEnvironment: ["GEMINI_*", "GOOGLE_*"],
    environment: {},
    confinedArguments: [],
    // Headless, the base-URL variable alone selects an authentication type that it then refuses.
    homeFiles: [
      {
        path: ".gemini/settings.json",
        content: `${JSON.stringify({ security: { auth: { selectedType: "gemini-api-key" } } }, null, 2)}\n`,
      },
    ],
    keyHosts: {
      GEMINI_API_KEY: ["generativelanguage.googleapis.com"],
      GOOGLE_API_KEY: ["generativelanguage.googleapis.com"],
    },
    baseVariable: "GOOGLE_GEMINI_BASE_URL",
    keyVariables: ["GEMINI_API_KEY", "GOOGLE_API_KEY"],
    standInEnvironment: { GEMINI_API_KEY: `AIza-${standIn}` },
    baseUrl: (base) => ({ environment: { GOOGLE_GEMINI_BASE_URL: base }, arguments: [] }),
    headless: (prompt) => ["--skip-trust", "-y", "-p", prompt],
    modelHost: "generativelanguage.googleapis.com",
  },
  {
    name: "copilot",
    title: "GitHub Copilot CLI",
    package: "@github/copilot",
    tested: "1.0.102",
    command: "copilot",
    programs: ["@github/copilot-linux-{arch}/copilot", "@github/copilot/npm-loader.js"],
    passEnvironment: ["COPILOT_*", "GH_TOKEN", "GITHUB_TOKEN"],
    environment: { COPILOT_AUTO_UPDATE: "false" },
    confinedArguments: [],
    homeFiles: [],
    keyHosts: {
      COPILOT_GITHUB_TOKEN: ["api.github.com", "*.githubcopilot.com"],
      GH_TOKEN: ["api.github.com", "github.com", "*.githubcopilot.com"],
      GITHUB_TOKEN: ["api.github.com", "github.com", "*.githubcopilot.com"],
      COPILOT_PROVIDER_API_KEY: ["api.openai.com"],
    },
    baseVariable: "COPILOT_PROVIDER_BASE_URL",
    keyVariables: ["COPILOT_GITHUB_TOKEN", "GH_TOKEN", "GITHUB_TOKEN", "COPILOT_PROVIDER_API_KEY"],
    // Without a GitHub account it can use a provider's own key ("bring your own key").
    standInEnvironment: {
      COPILOT_PROVIDER_BASE_URL: "https://api.openai.com/v1",
      COPILOT_PROVIDER_API_KEY: `sk-${standIn}`,
      COPILOT_MODEL: "gpt-5",
      COPILOT_OFFLINE: "true",
    },
    baseUrl: (base) => ({ environment: { COPILOT_PROVIDER_BASE_URL: `${base}/v1` }, arguments: [] }),
    headless: (prompt) => ["--allow-all-tools", "-p", prompt],
    modelHost: "api.openai.com",
  },
];

/** The agent of that name, or null. */
export function agentNamed(name: string): AgentKind | null {
  return AGENTS.find((agent) => agent.name === name) ?? null;
}
