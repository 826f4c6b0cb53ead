/**
 * Files that an agent puts into a message itself, because the person mentioned them (`@README.md`). Measured November
 * 2026: claude 2.1 and opencode announce a tool call in one text block and give its result in the next; qwen 0.24 and
 * gemini 0.61 write "Content from @path:" before the content.
 *
 * Only the tally of what left depends on this. A text that a person wrote in the same words counts as a file; a form
 * not known here does not, and its text is read all the same.
 */
import { fieldsOf, textOf } from "./protocol.ts";
import { type ToolUse, toolUse } from "./tool.ts";
import type { CalledTool, Cut } from "./unit.ts";

const CALLED =
  /^(?:<system-reminder>)?\s*Called the ([\w-]{1,40}) tool with the following input: (\{.{0,4000}\})/s;
const RESULT = /^(?:<system-reminder>)?\s*Result of calling the ([\w-]{1,40}) tool:/;
const CONTENT = /^\s*Content from @?(\S.{0,1000}):\s*$/;
const MAX_ANNOUNCEMENT = 6000;

/** The cuts of a message; those that announce a mentioned file are calls, those that hold one results. */
export function withMentions(cuts: readonly Cut[]): readonly Cut[] {
  let announced: ToolUse | null = null;
  return cuts.map((cut) => {
    const text = textOf(cut.value) ?? textOf(fieldsOf(cut.value)["text"]);
    if (text === null || cut.role !== "user") return cut;
    const call = callIn(text);
    const path = text.length < MAX_ANNOUNCEMENT ? CONTENT.exec(text)?.[1] : undefined;
    const use = announced;
    announced = call?.use ?? (path === undefined ? null : { kind: "file", paths: [path] });
    if (call !== null) return { ...cut, call };
    // The result may stand in the next message: then it is found by the tool's name.
    const name = RESULT.exec(text)?.[1] ?? null;
    if (use !== null) return { ...cut, result: { id: null, name, use } };
    return name === null ? cut : { ...cut, result: { id: null, name } };
  });
}

function callIn(text: string): CalledTool | null {
  const [, name, input] = (text.length < MAX_ANNOUNCEMENT ? CALLED.exec(text) : null) ?? [];
  return name === undefined ? null : { id: null, name, use: toolUse(name, input) };
}
