/** How changes are shown, and how a person on a terminal decides about each. */
import { lstatSync } from "node:fs";
import { createInterface } from "node:readline/promises";
import { styleText } from "node:util";
import { structuredPatch } from "diff";
import { type Change, shown, textOf } from "../workspace/index.ts";
import { printable, wantsColor } from "./print.ts";
import type { Item } from "./review.ts";

/** Larger files are told by their size. */
const MAX_TEXT_BYTES = 2 << 20;
/** Two texts that differ everywhere would take minutes to compare. */
const MAX_COMPARE_MS = 2_000;
/** Of one file's diff, while a person is asked. */
const LINES_AT_ONCE = 200;

/** A unified diff; what cannot be shown as text is told. Nothing of a file reaches the terminal as an escape. */
export function diffText({ path, was, change, by, why }: Item, isColored: boolean): string {
  const paint = (style: "green" | "red" | "cyan" | "bold", text: string): string =>
    isColored ? styleText(style, text, { validateStream: false }) : text;
  const name = printable(shown(path));
  const about = [was, by === "" ? null : `by ${by}`, why === null ? null : `! ${why}`].filter(
    (one) => one !== null,
  );
  const head = `${paint("bold", name)}  ${printable(about.join(" · "))}\n`;
  if (change === null || change.kind === "folder" || change.kind === "other") return head;
  const before = was === "made" ? "" : textOf(change.before, MAX_TEXT_BYTES);
  const after = was === "removed" ? "" : textOf(change.after, MAX_TEXT_BYTES);
  const modes = modeChange(change);
  if (modes !== null && before === after) return `${head}${modes}\n`;
  if (before === null || after === null) return `${head}(binary, or larger than 2 MiB)\n`;
  const patch = structuredPatch(name, name, before, after, "", "", { context: 3, timeout: MAX_COMPARE_MS });
  if (patch === undefined) return `${head}(too different to compare line by line)\n`;
  const lines = patch.hunks.flatMap((hunk) => [
    paint("cyan", `@@ -${hunk.oldStart},${hunk.oldLines} +${hunk.newStart},${hunk.newLines} @@`),
    ...hunk.lines.map((line) => {
      const text = printable(line);
      return line.startsWith("+") ? paint("green", text) : line.startsWith("-") ? paint("red", text) : text;
    }),
  ]);
  return `${head}${lines.map((line) => `${line}\n`).join("")}`;
}

function modeChange({ was, before, after }: Change): string | null {
  if (was !== "changed") return null;
  const [from, to] = [before, after].map((path) =>
    ((lstatSync(path, { throwIfNoEntry: false })?.mode ?? 0) & 0o7777).toString(8),
  );
  return from === to ? null : `mode ${from} → ${to}`;
}

export interface Decided {
  readonly take: readonly Item[];
  readonly discard: readonly Item[];
}

/** Asks about each. The end of input, Ctrl-C and `q` leave the rest undecided. */
export async function askEach(items: readonly Item[]): Promise<Decided> {
  const take: Item[] = [];
  const discard: Item[] = [];
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const isColored = wantsColor(process.stdout);
  try {
    for (const [at, item] of items.entries()) {
      const lines = diffText(item, isColored).split("\n");
      const more = lines.length - LINES_AT_ONCE;
      process.stdout.write(`\n${lines.slice(0, LINES_AT_ONCE).join("\n")}`);
      if (more > 0) process.stdout.write(`\n… ${more} more lines (d shows them)\n`);
      const answer = await decide(terminal, item, at, items.length, lines);
      if (answer === "q") break;
      if (answer === "a") {
        // What the host would obey, and what changed here meanwhile, is asked about one by one.
        take.push(item, ...items.slice(at + 1).filter(({ why }) => why === null));
        break;
      }
      if (answer === "y") take.push(item);
      if (answer === "x") discard.push(item);
    }
  } catch (error) {
    if (!(error instanceof Error && error.name === "AbortError")) throw error; // Ctrl-C, or the end of input
    process.stdout.write("\n");
  } finally {
    terminal.close();
  }
  return { take, discard };
}

type Answer = "y" | "n" | "x" | "a" | "q";

async function decide(
  terminal: ReturnType<typeof createInterface>,
  item: Item,
  at: number,
  of: number,
  lines: readonly string[],
): Promise<Answer> {
  const ended = new AbortController();
  terminal.once("close", () => ended.abort());
  const question = `(${at + 1}/${of}) take ${printable(shown(item.path))}? [y]es, [n]ot now, [x] discard, [d]iff, [a]ll the rest, [q]uit `;
  for (;;) {
    const answer = (await terminal.question(question, { signal: ended.signal })).trim().toLowerCase();
    if (answer === "y" || answer === "n" || answer === "x" || answer === "a" || answer === "q") return answer;
    if (answer === "d") process.stdout.write(`${lines.join("\n")}\n`);
  }
}
