/**
 * What tools on the host execute or obey because it lies in a folder: shells, editors, agents, git and CI. A program in
 * the sandbox may not put such a thing there behind the person's back; what the person runs by name (scripts, a
 * Makefile, `package.json`) is the agent's work and is not meant.
 */

/** Obeyed in whichever folder is entered or opened. */
const ANYWHERE: readonly string[] = [
  ".vscode",
  ".idea",
  ".zed",
  ".fleet",
  ".claude",
  ".cursor",
  ".codex",
  ".gemini",
  ".qwen",
  ".opencode",
  ".kiro",
  ".windsurf",
  ".continue",
  "opencode.json",
  "opencode.jsonc",
  ".mcp.json",
  ".envrc",
  ".autoenv.zsh",
  ".mise.toml",
  "mise.toml",
  ".devcontainer",
  ".devcontainer.json",
  ".exrc",
  ".nvimrc",
  ".nvim.lua",
  ".dir-locals.el",
];

/** Obeyed at the top of a repository. */
const AT_TOP: readonly string[] = [
  ".husky",
  ".github",
  ".gitlab-ci.yml",
  ".circleci",
  ".travis.yml",
  ".buildkite",
  ".drone.yml",
  ".woodpecker",
  ".woodpecker.yml",
  ".forgejo",
  ".gitea",
  "azure-pipelines.yml",
  "bitbucket-pipelines.yml",
  "Jenkinsfile",
  "lefthook.yml",
  ".gitmodules",
  ".gitattributes",
  ".gitconfig",
  ".npmrc",
  ".yarnrc.yml",
  ".pre-commit-config.yaml",
];

/** Names at the top of a workspace. */
export const OBEYED_AT_TOP: readonly string[] = [...ANYWHERE, ...AT_TOP];
const obeyedAnywhere: ReadonlySet<string> = new Set(ANYWHERE);
const obeyedAtTop: ReadonlySet<string> = new Set(OBEYED_AT_TOP);
/** What is below is other people's, and no editor opens it as a project. */
const PACKAGES: ReadonlySet<string> = new Set(["node_modules", "site-packages"]);

/**
 * The part of a path (relative to the workspace, `/` between names) up to the name that is obeyed; null: none is.
 * Not `.git`, of which most is a program's to write: see the workspace's own rules.
 */
export function obeyedPart(path: string): string | null {
  const names = path.split("/");
  for (const [at, name] of names.entries()) {
    if ((at === 0 ? obeyedAtTop : obeyedAnywhere).has(name)) return names.slice(0, at + 1).join("/");
    if (PACKAGES.has(name)) return null;
  }
  return null;
}
