/**
 * The script a scripted model follows, and how a step becomes a call of a tool that the agent in front offers.
 *
 * Stateless: the step is the number of tool results in the request's history, so it survives retries, restarts and
 * side requests. A request that offers no tools (a title, a summary) is answered with text.
 * Tool names and argument names are those of the agents as published in November 2026; an unknown agent is served
 * by its schema's own argument names, and in the last resort by its shell.
 */
import { resolve } from "node:path";
import type { IdMaker } from "./answer.ts";
import { type Loose, listOf, textOf } from "./loose.ts";

export type Step =
  | { readonly kind: "read"; readonly path: string }
  | { readonly kind: "shell"; readonly command: string }
  /** Replaces `before` (within one line) by `after`; an empty `before` writes the whole file. */
  | { readonly kind: "edit"; readonly path: string; readonly before: string; readonly after: string };

export interface Plan {
  readonly steps: readonly Step[];
  /** What the model says when every step has a result. */
  readonly final: string;
}

export const DEFAULT_PLAN: Plan = {
  steps: [
    { kind: "read", path: "README.md" },
    { kind: "shell", command: "echo hi > out.txt" },
  ],
  final: "Done: README read, out.txt written.",
};

/** A tool as a request offers it. `free`: takes free-form text (code mode) instead of arguments. */
export interface OfferedTool {
  readonly name: string;
  readonly schema: Loose;
  readonly free: boolean;
}

export interface ToolCall {
  readonly name: string;
  readonly args: Readonly<Record<string, unknown>>;
  /** The source text for a free-form tool; null for a tool with arguments. */
  readonly source: string | null;
}

export type Move = { readonly say: string } | { readonly call: ToolCall };

export interface Script {
  readonly plan: Plan;
  /** The agent's working directory, for tools that want absolute paths. */
  readonly cwd: string;
  readonly newId: IdMaker;
}

/** What the model does next. `json`: the request wants JSON text rather than prose. */
export function nextMove(
  script: Script,
  tools: readonly OfferedTool[],
  results: number,
  json: boolean,
): Move {
  if (tools.length === 0) return { say: json ? '{"title":"Scripted test"}' : "Scripted test" };
  const step = script.plan.steps[results];
  if (step === undefined) return { say: script.plan.final };
  const call = callFor(step, tools, script.cwd);
  return call === null ? { say: `no usable tool offered: ${tools.map((t) => t.name).join(", ")}` } : { call };
}

const READ = ["Read", "read_file", "read", "view", "ReadFile", "read_files", "read_many_files"];
const SHELL = [
  "Bash",
  "run_shell_command",
  "bash",
  "shell",
  "shell_command",
  "exec_command",
  "local_shell",
].concat(["execute_command", "run_commands", "run_command", "Shell"]);
const EDIT = ["Edit", "replace", "edit", "str_replace", "replace_in_file"];
const WRITE = ["Write", "write_file", "write", "create", "write_to_file"];

const PATH_KEYS = [
  "file_path",
  "absolute_path",
  "filePath",
  "path",
  "target_file",
  "filename",
  "paths",
  "files",
];
const BEFORE_KEYS = ["old_string", "oldString", "old_str"];
const AFTER_KEYS = ["new_string", "newString", "new_str"];
const CONTENT_KEYS = ["content", "contents", "file_text"];
const COMMAND_KEYS = ["command", "cmd", "commands", "script"];

function callFor(step: Step, tools: readonly OfferedTool[], cwd: string): ToolCall | null {
  switch (step.kind) {
    case "read":
      return readCall(step.path, tools, cwd) ?? shellCall(`cat ${quoted(step.path)}`, tools);
    case "edit":
      return editCall(step, tools, cwd) ?? shellCall(editCommand(step), tools);
    case "shell":
      return shellCall(step.command, tools);
    default:
      return step satisfies never;
  }
}

function readCall(path: string, tools: readonly OfferedTool[], cwd: string): ToolCall | null {
  const tool = offered(tools, READ);
  if (tool === null) return null;
  const key = keyIn(tool, PATH_KEYS) ?? "file_path";
  const absolute = resolve(cwd, path);
  const wanted = tool.schema.at("properties").at(key);
  if (textOf(wanted.at("type")) !== "array") return withArgs(tool, { [key]: absolute });
  const items = wanted.at("items");
  const item = textOf(items.at("type")) === "object" ? filled(items, { path: absolute }) : absolute;
  return withArgs(tool, { [key]: [item] });
}

function editCall(
  step: Step & { kind: "edit" },
  tools: readonly OfferedTool[],
  cwd: string,
): ToolCall | null {
  const file = resolve(cwd, step.path);
  if (step.before === "") {
    const tool = offered(tools, WRITE);
    const path = tool && keyIn(tool, PATH_KEYS);
    const content = tool && keyIn(tool, CONTENT_KEYS);
    return tool && path && content ? withArgs(tool, { [path]: file, [content]: step.after }) : null;
  }
  const tool = offered(tools, EDIT);
  const path = tool && keyIn(tool, PATH_KEYS);
  const before = tool && keyIn(tool, BEFORE_KEYS);
  const after = tool && keyIn(tool, AFTER_KEYS);
  return tool && path && before && after
    ? withArgs(tool, { [path]: file, [before]: step.before, [after]: step.after })
    : null;
}

function shellCall(command: string, tools: readonly OfferedTool[]): ToolCall | null {
  const tool = offered(tools, SHELL);
  if (tool !== null) {
    const key = keyIn(tool, COMMAND_KEYS) ?? "command";
    const isList = textOf(tool.schema.at("properties").at(key).at("type")) === "array";
    const list = key === "commands" ? [command] : ["bash", "-lc", command];
    return withArgs(tool, { [key]: isList ? list : command });
  }
  // Codex "code mode": one free-form JavaScript tool that calls the nested tools.
  const exec = tools.find((t) => t.free && t.name === "exec");
  if (exec === undefined) return null;
  const source = `const r = await tools.exec_command({cmd: ${JSON.stringify(command)}}); text(JSON.stringify(r));`;
  return { name: exec.name, args: {}, source };
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

function editCommand({ path, before, after }: Step & { kind: "edit" }): string {
  if (before === "") return `printf %s ${quoted(after)} > ${quoted(path)}`;
  const pattern = before.replace(/[\\/.*[\]^$]/g, "\\$&");
  const replacement = after.replace(/[\\/&]/g, "\\$&").replaceAll("\n", "\\n");
  return `sed -i ${quoted(`s/${pattern}/${replacement}/`)} ${quoted(path)}`;
}

const offered = (tools: readonly OfferedTool[], names: readonly string[]): OfferedTool | null => {
  for (const name of names) {
    const tool = tools.find((t) => t.name === name && !t.free);
    if (tool !== undefined) return tool;
  }
  return null;
};

const keyIn = (tool: OfferedTool, keys: readonly string[]): string | null => {
  const offeredKeys = tool.schema.at("properties").keys();
  return keys.find((key) => offeredKeys.includes(key)) ?? null;
};

const withArgs = (tool: OfferedTool, args: Record<string, unknown>): ToolCall => ({
  name: tool.name,
  args: filled(tool.schema, args),
  source: null,
});

/** The arguments with every other required one filled by a harmless value of its type. */
function filled(schema: Loose, args: Record<string, unknown>): Record<string, unknown> {
  const full = { ...args };
  for (const required of listOf(schema.at("required"))) {
    const name = textOf(required);
    if (name === null || name in full) continue;
    const wanted = schema.at("properties").at(name);
    const type = textOf(wanted.at("type")) ?? textOf(wanted.at("type").at(0));
    const choice = listOf(wanted.at("enum"))[0];
    full[name] = choice === undefined ? harmless(type) : choice.value;
  }
  return full;
}

const harmless = (type: string | null): unknown => {
  if (type === "number" || type === "integer") return 1;
  if (type === "boolean") return false;
  if (type === "array") return [];
  if (type === "object") return {};
  return "scripted test step";
};
