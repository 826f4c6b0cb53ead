/**
 * What a tool call is for: reading a file, running a command, or something else. By the names that the agents' own
 * tools have as published in November 2026 (claude 2.1, codex 0.169, qwen 0.24, gemini 0.61, opencode 1.18, copilot 1.0,
 * cline 3.0). A tool that is not known counts as other.
 */
import { posix } from "node:path";

export type ToolUse =
  | { readonly kind: "file"; readonly paths: readonly string[] }
  /** `reads`: the one file that it shows and nothing else; `named`: words of it that look like paths. */
  | { readonly kind: "command"; readonly reads: string | null; readonly named: readonly string[] }
  /** An edit: some agents' results show the file as it is then. */
  | { readonly kind: "edit"; readonly paths: readonly string[] }
  /** A search within files: results show lines of those that match. */
  | { readonly kind: "search" }
  | { readonly kind: "other" };

const READ: ReadonlySet<string> = new Set(
  `read read_file readfile read_files read_many_files notebookread view view_file open_file cat_file get_file_contents
  read_text_file read_media_file read_multiple_files view_image`.split(/\s+/),
);
const SHELL: ReadonlySet<string> = new Set(
  `bash bashoutput shell shell_command local_shell run_shell_command exec_command write_stdin execute_command
  run_commands run_command run_terminal_cmd run_in_terminal read_bash write_bash stop_bash powershell task_output
  taskoutput unified_exec terminal get_terminal_output`.split(/\s+/),
);
/** Shells that go on from one call to the next. */
const STAYS: ReadonlySet<string> = new Set("bash bashoutput write_stdin write_bash terminal".split(" "));
const EDIT: ReadonlySet<string> = new Set(
  "edit multiedit replace str_replace str_replace_editor write write_file create notebookedit".split(" "),
);
const SEARCH: ReadonlySet<string> = new Set(
  "grep grep_search search_file_content ripgrep rg search_files search_text codebase_search".split(" "),
);
const PATHS = [
  "file_path",
  "absolute_path",
  "filePath",
  "path",
  "notebook_path",
  "target_file",
  "filename",
] as const;
const LISTS = ["paths", "files"] as const;

export function toolUse(name: string, args: unknown): ToolUse {
  const plain = name.replace(/^(functions|default_api)[.:]/, "").toLowerCase();
  if (SHELL.has(plain)) {
    const use = commandUse(typeof args === "string" ? (parsedOrNull(args) ?? args) : args);
    // Such a shell may have changed its folder before.
    const isTold = !STAYS.has(plain) || (use.reads !== null && posix.isAbsolute(use.reads));
    return isTold ? use : { ...use, reads: null };
  }
  if (SEARCH.has(plain)) return { kind: "search" };
  const kind = READ.has(plain) ? "file" : EDIT.has(plain) ? "edit" : null;
  const paths = kind === null ? [] : pathsIn(typeof args === "string" ? parsedOrNull(args) : args);
  return kind === null || paths.length === 0 ? { kind: "other" } : { kind, paths };
}

/** Whose content a result holds, by what the call was for and what the result looks like. */
export function filesIn(use: ToolUse, result: () => string): readonly string[] {
  switch (use.kind) {
    case "file":
      return use.paths;
    case "edit":
      return SHOWS_FILE.test(result()) ? use.paths : [];
    case "search":
      return foundIn(result());
    case "command":
      return use.reads === null ? [] : [use.reads];
    case "other":
      return [];
    default:
      return use satisfies never;
  }
}

/** qwen 0.24 and gemini 0.61 show the file after an edit; claude, opencode and copilot only say that it was done. */
const SHOWS_FILE =
  /^.{0,500}(Showing lines \d|Here is the updated code:|Here's the result of running `cat -n`)/s;

/** `path:12:text` (claude, copilot), `File: path` (qwen, gemini), `path:` before `  Line 12:` (opencode); by their sources, not measured. */
const MATCH_LINES = [
  /^(?:File: )([^\n:]{1,500})$/gm,
  /^([^\n:]{1,500}):\d+[:-]/gm,
  /^([^\n:]{1,500}):\n\s{1,4}Line \d/gm,
];
const MAX_FOUND = 500;

function foundIn(result: string): readonly string[] {
  const found = new Set<string>();
  for (const form of MATCH_LINES)
    for (const [, path = ""] of result.matchAll(form)) if (found.size < MAX_FOUND) found.add(path);
  return [...found];
}

/** Codex' code mode: JavaScript that calls the nested tools. */
export function codeUse(source: string): ToolUse {
  if (!/\btools\s*(\.|\[\s*["'`])\s*(exec_command|shell|write_stdin|local_shell|unified_exec)\b/.test(source))
    return { kind: "other" };
  const only = ONE_CALL.exec(source)?.[1];
  const command = only === undefined ? null : parsedOrNull(only);
  return { ...commandUse({ command }), named: pathsNamed(source) };
}

/** Code that runs one command and shows what it prints. */
const ONE_CALL =
  /^\s*const \w+ = await tools\.(?:exec_command|shell)\(\{\s*"?(?:cmd|command)"?\s*:\s*("(?:[^"\\]|\\.)*")\s*\}\);?\s*text\([\w.()]+\);?\s*$/;

function commandUse(args: unknown): ToolUse & { readonly kind: "command" } {
  const words = commandOf(args);
  const script = words.length === 3 && SHELLS.test(words[0] ?? "") && /^-\w*c$/.test(words[1] ?? "");
  const line = script ? (words[2] ?? "") : words.join(" ");
  const shown = words.length > 1 && !script ? null : fileShown(line);
  const reads = shown === null ? null : posix.join(posix.isAbsolute(shown) ? "" : folderOf(args), shown);
  return { kind: "command", reads, named: pathsNamed(line) };
}

/** Where the command runs, when its call says so. */
function folderOf(args: unknown): string {
  // A parsed JSON object: its members are unknown.
  const fields = typeof args === "object" && args !== null ? (args as Readonly<Record<string, unknown>>) : {};
  const folder = ["workdir", "cwd", "dir_path", "directory"].map((name) => fields[name]).find(Boolean);
  return typeof folder === "string" ? folder : "";
}

const SHELLS = /^(?:\/(?:usr\/)?bin\/)?(?:ba|z|da)?sh$/;
const COMMANDS = ["command", "cmd", "commands", "script", "code", "input"] as const;

function commandOf(args: unknown): readonly string[] {
  if (typeof args === "string") return [args];
  if (typeof args !== "object" || args === null) return [];
  // A parsed JSON object: its members are unknown.
  const fields = args as Readonly<Record<string, unknown>>;
  for (const name of COMMANDS) {
    const command = fields[name];
    if (typeof command === "string") return [command];
    if (Array.isArray(command)) return command.filter((word) => typeof word === "string");
  }
  return [];
}

/** What a call is to run, and where it is to write. */
export interface ToolAim {
  /** Command lines, as the call gives them. */
  readonly commands: readonly string[];
  /** Files, as the call names them. */
  readonly paths: readonly string[];
}

const WRITES: ReadonlySet<string> = new Set(
  `edit edit_file multiedit multi_edit notebookedit notebook_edit replace replace_in_file replace_string_in_file
  str_replace str_replace_editor str_replace_based_edit_tool write write_file write_to_file create create_file
  insert_edit_into_file apply_patch apply_diff update_file`.split(/\s+/),
);
const PATCHED = /^\*\*\* (?:Update|Add|Delete) File: (\S.*?)\s*$|^\*\*\* Move to: (\S.*?)\s*$/gm;
const CODE_COMMAND = /\b(?:cmd|command)["']?\s*:\s*("(?:[^"\\\n]|\\.)*")/g;
const FIRST_PATH =
  /"(?:file_path|absolute_path|filePath|path|notebook_path|target_file|filename)"\s*:\s*("(?:[^"\\]|\\.)*")/;
const MOST_AIMS = 50;

/** `input`: the arguments' JSON text, or free text. `isWhole`: it was not cut. */
export function toolAim(name: string, input: string, isWhole: boolean): ToolAim {
  const plain = name.replace(/^(functions|default_api)[.:]/, "").toLowerCase();
  const args = isWhole ? parsedOrNull(input) : null;
  if (plain === "exec" && typeof (args ?? input) === "string") {
    // Codex' code mode: JavaScript that calls the nested tools. A patch in it is the text of a string.
    const texts = Array.from(input.matchAll(CODE_COMMAND), ([, literal = ""]) => parsedOrNull(literal));
    const paths = /\bapply_patch\b/.test(input) ? patchedIn([input.replaceAll("\\n", "\n")]) : [];
    return {
      commands: texts.filter((text) => typeof text === "string").slice(0, MOST_AIMS),
      paths,
    };
  }
  if (SHELL.has(plain)) {
    const words = commandOf(args);
    const isScript = words.length === 3 && SHELLS.test(words[0] ?? "") && /^-\w*c$/.test(words[1] ?? "");
    const line = isScript ? (words[2] ?? "") : words.join(" ");
    const paths = /\bapply_patch\b/.test(line) ? patchedIn([line]) : [];
    return { commands: line.trim() === "" ? [] : [line], paths };
  }
  if (!WRITES.has(plain)) return { commands: [], paths: [] };
  const first = isWhole ? null : parsedOrNull(FIRST_PATH.exec(input)?.[1] ?? "");
  const named = typeof first === "string" ? [first] : pathsIn(args);
  return {
    commands: [],
    paths: named.length > 0 ? named.slice(0, MOST_AIMS) : patchedIn(textsIn(args, input)),
  };
}

const patchedIn = (texts: readonly string[]): readonly string[] =>
  texts
    .flatMap((text) => Array.from(text.matchAll(PATCHED), ([, path, moved]) => path ?? moved ?? ""))
    .slice(0, MOST_AIMS);

/** The strings of arguments, or the free text that was given in their place. */
function textsIn(args: unknown, input: string): readonly string[] {
  if (typeof args === "string") return [args];
  if (typeof args !== "object" || args === null) return [input];
  return Object.values(args)
    .flatMap((value: unknown) => (Array.isArray(value) ? value : [value]))
    .filter((value) => typeof value === "string");
}

/** A command that shows one file, and in which no character means anything to a shell. */
const SHOWS_ONE = [
  /^\s*(?:cat|nl|head|tail|bat)(?: +-{1,2}[\w=]+| +\d+)* +(?!-)(['"]?)([\w@%+,./-]{1,500})\1\s*$/,
  /^\s*sed +-n +(?:'\d+(?:,\d+)?p'|"\d+(?:,\d+)?p"|\d+(?:,\d+)?p) +(['"]?)([\w@%+,./-]{1,500})\1\s*$/,
];

const fileShown = (command: string): string | null =>
  SHOWS_ONE.map((form) => form.exec(command)?.[2]).find((path) => path !== undefined) ?? null;

const MAX_NAMED = 64;
const MAX_COMMAND = 20_000;

/** Words with a dot or a slash in them, of a command or a program. */
function pathsNamed(command: string): readonly string[] {
  const found = new Set<string>();
  for (const [word] of command.slice(0, MAX_COMMAND).matchAll(/[^\s"'`;|&<>()=,{}[\]\\:]{1,500}/g))
    if (found.size < MAX_NAMED && /[./]/.test(word) && /\w/.test(word) && !word.startsWith("-"))
      found.add(word);
  return [...found];
}

function pathsIn(args: unknown): readonly string[] {
  if (typeof args !== "object" || args === null) return [];
  // A parsed JSON object: its members are unknown.
  const fields = args as Readonly<Record<string, unknown>>;
  for (const name of PATHS) {
    const path = fields[name];
    if (typeof path === "string") return [path];
  }
  for (const name of LISTS) {
    const list = fields[name];
    if (Array.isArray(list))
      return list.flatMap((item) => (typeof item === "string" ? [item] : pathsIn(item)));
  }
  return [];
}

function parsedOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * The path relative to the workspace when it lies inside, else normalised. `cwd`: what relative paths are relative to,
 * where it is known. Pure text: nothing is resolved.
 */
export function workspacePath(path: string, workspace: string | null, cwd: string | null = null): string {
  const given = path.replace(/^file:\/\//, "");
  const plain = cwd === null ? posix.normalize(given) : posix.resolve(cwd, given);
  if (workspace === null || !posix.isAbsolute(plain)) return plain;
  const relative = posix.relative(posix.normalize(workspace), plain);
  return relative !== "" && !relative.startsWith("..") ? relative : plain;
}
