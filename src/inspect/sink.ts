/**
 * Where a value may come back in a tool call: into the one file that the call writes, told exactly, or nowhere. By the
 * names and inputs of the agents' own tools as published in November 2026 (claude 2.1, codex 0.169, qwen 0.24, gemini
 * 0.61, opencode 1.18, copilot 1.0, cline 3.0). A tool of a server (`mcp__…`) has no such name.
 *
 * Patches are codex' and copilot's form (`*** Begin Patch`). One patch of one file is an edit of that file, given to
 * `apply_patch` as its input, as a command's words, as a quoted here-document that is the whole command, or as a string
 * in code that does nothing else. Anything else that a command or code does cannot be told, and gets nothing.
 */

export interface Sink {
  /** As the call gives it. */
  readonly path: string;
  /** The text is lines of a patch: a value must be one plain line, or it would change what the patch says. */
  readonly isPatch: boolean;
}

const EDITORS: ReadonlySet<string> = new Set(
  `write write_file write_to_file create create_file edit edit_file multiedit multi_edit notebookedit notebook_edit
  str_replace str_replace_editor str_replace_based_edit_tool replace replace_in_file replace_string_in_file
  insert_edit_into_file apply_patch apply_diff update_file`.split(/\s+/),
);
const SHELLS: ReadonlySet<string> = new Set(
  "bash shell shell_command local_shell exec_command run_shell_command container.exec".split(" "),
);
const CODE = "exec";
const PATHS = [
  "file_path",
  "absolute_path",
  "filePath",
  "path",
  "notebook_path",
  "target_file",
  "filename",
] as const;

const plainName = (tool: string): string => tool.replace(/^(functions|default_api)[.:]/, "").toLowerCase();

/** Whether calls of the tool can have a sink at all. */
export function mayWrite(tool: string): boolean {
  const name = plainName(tool);
  return EDITORS.has(name) || SHELLS.has(name) || name === CODE;
}

/** The call's sink; null: it writes no one file that can be told. `input`: its arguments, or its text. */
export function sinkOf(tool: string, input: unknown): Sink | null {
  const name = plainName(tool);
  if (name === CODE) return typeof input === "string" ? patchInCode(input) : null;
  if (typeof input === "string") return EDITORS.has(name) ? patched(input) : null;
  if (typeof input !== "object" || input === null || Array.isArray(input)) return null;
  // A parsed JSON object: its members are unknown.
  const fields = input as Readonly<Record<string, unknown>>;
  if (SHELLS.has(name)) return patchInCommand(fields["command"] ?? fields["cmd"]);
  if (!EDITORS.has(name)) return null;
  const named = PATHS.filter((one) => fields[one] !== undefined);
  const path = fields[named[0] ?? ""];
  if (named.length > 1) return null;
  if (typeof path === "string") return path === "" ? null : { path, isPatch: false };
  const texts = Object.values(fields).filter((value) => typeof value === "string" && value.includes(BEGIN));
  return texts.length === 1 ? patched(texts[0] as string) : null; // filtered to strings
}

const BEGIN = "*** Begin Patch";
const END = "*** End Patch";

/** The one file that a patch changes, where it stays. */
function patched(text: string): Sink | null {
  const lines = text.trim().split(/\r?\n/);
  if (lines[0] !== BEGIN || lines.at(-1) !== END) return null;
  const words = lines.slice(1, -1).filter((line) => line.startsWith("*** ") && line !== "*** End of File");
  const path =
    words.length === 1 ? /^\*\*\* (?:Update|Add) File: (\S.*)$/.exec(words[0] ?? "")?.[1] : undefined;
  return path === undefined ? null : { path: path.trimEnd(), isPatch: true };
}

function patchInCommand(command: unknown): Sink | null {
  const words: readonly unknown[] = Array.isArray(command) ? command : [command];
  if (!words.every((word) => typeof word === "string")) return null;
  const [first = "", second = "", third = ""] = words;
  if (words.length === 2 && first === "apply_patch") return patched(second);
  if (words.length === 3 && /^(?:\/(?:usr\/)?bin\/)?(?:ba|z|da)?sh$/.test(first) && /^-l?c$/.test(second))
    return heredoc(third);
  return words.length === 1 ? heredoc(first) : null;
}

/** The shell reads nothing into a here-document whose delimiter is quoted. */
function heredoc(script: string): Sink | null {
  const found = /^\s*apply_patch\s*<<\s*(['"])([A-Za-z_]\w*)\1\n([\s\S]*)\n\2\s*$/.exec(script);
  const text = found?.[3];
  if (text === undefined || text.split("\n").includes(found?.[2] ?? "")) return null;
  return patched(text);
}

const LITERAL = String.raw`("(?:[^"\\\n]|\\.)*")`;
const CALL_OF = (call: string): RegExp =>
  new RegExp(String.raw`^\s*(?:const \w+\s*=\s*)?await tools\.${call};?\s*(?:text\([\w.() ]*\);?\s*)?$`);
const PATCH_CALL = CALL_OF(String.raw`apply_patch\(${LITERAL}\)`);
const COMMAND_CALL = CALL_OF(
  String.raw`(?:exec_command|shell)\(\{\s*"?(?:cmd|command)"?\s*:\s*${LITERAL}\s*\}\)`,
);

/** One call with one string, of which nothing but the result is shown. */
function patchInCode(source: string): Sink | null {
  const patch = PATCH_CALL.exec(source)?.[1];
  const command = COMMAND_CALL.exec(source)?.[1];
  try {
    if (patch !== undefined) return patched(String(JSON.parse(patch)));
    return command === undefined ? null : heredoc(String(JSON.parse(command)));
  } catch {
    return null; // an escape that JavaScript has and JSON has not
  }
}

/** One line without a character that quotes or escapes anywhere. */
export const isPlain = (value: string): boolean => /^[^\p{Cc}\u2028\u2029"'`\\$]+$/u.test(value);
