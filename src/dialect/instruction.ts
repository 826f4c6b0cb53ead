/**
 * Files of instructions (CLAUDE.md, AGENTS.md, …) that agents put into their prompt at the start: workspace content that
 * leaves without a tool call. By the words that stand before them, measured November 2026: claude 2.1, qwen 0.24 and
 * gemini 0.61, opencode 1.18, codex 0.169. copilot 1.0 does not say which file its instructions are from.
 */

const OPENINGS = [
  "Contents of ",
  "--- Context from: ",
  "Instructions from: ",
  "# AGENTS.md instructions for ",
];
const FORMS: readonly (readonly [RegExp, (path: string) => string])[] = [
  [/^Contents of (\/[^\n(]{1,1000}) \([^\n]{1,200}\):$/gm, (path) => path],
  [/^--- Context from: ([^\n]{1,1000}) ---$/gm, (path) => path],
  [/^Instructions from: (\S[^\n]{0,1000})$/gm, (path) => path],
  [/^# AGENTS\.md instructions for (\S[^\n]{0,1000})$/gm, (folder) => `${folder}/AGENTS.md`],
];

/** Paths as the agent wrote them. */
export function instructionFiles(text: string): readonly string[] {
  // Most texts hold none: a search for words is cheaper than four expressions.
  if (!OPENINGS.some((opening) => text.includes(opening))) return NONE;
  return FORMS.flatMap(([form, pathOf]) => [...text.matchAll(form)].map(([, found]) => pathOf(found ?? "")));
}

const NONE: readonly string[] = [];
