/**
 * What a repository brings that an agent would run or obey: settings with hooks, MCP servers, skills, plug-ins, commands,
 * sub-agents. Whoever can write to the repository wrote them.
 *
 * Places as the agents' documentation names them, read 2026-11-20; they matter only where the profile lets the agent read
 * the repository's settings at all.
 */
import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "../core/index.ts";
import type { Subject } from "./statement.ts";

export type Extension = Extract<Subject, { kind: "extension" }>;
type Place = readonly [path: string, type: Extension["type"]];

const AGENT_FOLDERS = (folder: string): readonly Place[] => [
  [`${folder}/hooks`, "hook"],
  [`${folder}/skills`, "skill"],
  [`${folder}/commands`, "command"],
  [`${folder}/agents`, "agent"],
  [`${folder}/plugins`, "plugin"],
];

const PLACES: Readonly<Record<string, readonly Place[]>> = {
  claude: [
    [".claude/settings.json", "settings"],
    [".claude/settings.local.json", "settings"],
    [".mcp.json", "mcp"],
    ...AGENT_FOLDERS(".claude"),
  ],
  codex: [
    [".codex/config.toml", "settings"],
    [".codex/hooks.json", "hook"],
    [".codex/prompts", "command"],
    [".agents/skills", "skill"],
    ...AGENT_FOLDERS(".codex"),
  ],
  opencode: [
    ["opencode.json", "settings"],
    ["opencode.jsonc", "settings"],
    [".opencode/plugin", "plugin"],
    [".opencode/command", "command"],
    [".opencode/agent", "agent"],
    [".opencode/tool", "plugin"],
    [".opencode/tools", "plugin"],
    ...AGENT_FOLDERS(".opencode"),
  ],
  qwen: [[".qwen/settings.json", "settings"], [".qwen/extensions", "plugin"], ...AGENT_FOLDERS(".qwen")],
  gemini: [
    [".gemini/settings.json", "settings"],
    [".gemini/extensions", "plugin"],
    ...AGENT_FOLDERS(".gemini"),
  ],
  copilot: [
    [".github/hooks", "hook"],
    [".github/skills", "skill"],
    [".github/agents", "agent"],
    [".github/mcp.json", "mcp"],
    [".vscode/mcp.json", "mcp"],
    [".mcp.json", "mcp"],
    [".copilot/config.json", "settings"],
    [".copilot/mcp-config.json", "mcp"],
  ],
};
const MAX_FILES = 10_000;

/** The repository's extensions for that agent (null: for any), by path. */
export function findExtensions(workspace: string, agent: string | null): readonly Extension[] {
  const places = agent === null ? Object.values(PLACES).flat() : (PLACES[agent] ?? []);
  const found = new Map<string, Extension>();
  for (const [path, type] of places) {
    const lines = linesOf(workspace, path);
    if (lines.length === 0) continue;
    const hash = `h1:${createHash("sha256").update(lines.sort(byName).join("")).digest("base64")}`;
    found.set(path, { kind: "extension", type, path, hash });
  }
  return [...found.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** A line is 64 hex digits, two spaces and the name. */
const byName = (a: string, b: string): number => (a.slice(66) < b.slice(66) ? -1 : 1);

/** Hash1's lines over a file or a folder, each named by its path in the repository; none where there is nothing. */
function linesOf(workspace: string, path: string): string[] {
  const file = join(workspace, path);
  const at = lstatSync(file, { throwIfNoEntry: false });
  if (at === undefined) return [];
  const line = (bytes: string | Buffer): string =>
    `${createHash("sha256").update(bytes).digest("hex")}  ${path}\n`;
  // A link may lead to other bytes at any time: what it points to is what was approved.
  if (at.isSymbolicLink()) return [line(`link:${readlinkSync(file)}`)];
  if (at.isFile()) return [line(readFileSync(file))];
  if (!at.isDirectory()) return [line("special")];
  const lines = readdirSync(file).flatMap((name) => linesOf(workspace, `${path}/${name}`));
  if (lines.length > MAX_FILES)
    throw new Fault("admission.refused", { at: file, detail: `more than ${MAX_FILES} files` });
  return lines;
}
