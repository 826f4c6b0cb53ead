/** How commands speak: results on stdout, everything else on stderr, faults in four lines. */
import { styleText } from "node:util";
import { asFault, type Fault } from "../core/index.ts";
import type { study } from "../policy/index.ts";

/** Colours only where a person looks: a terminal, and neither NO_COLOR nor TERM=dumb. */
export function wantsColor(
  stream: NodeJS.WriteStream,
  environment: NodeJS.ProcessEnv = process.env,
): boolean {
  if (environment["NO_COLOR"] !== undefined || environment["TERM"] === "dumb") return false;
  return stream.isTTY === true;
}

/** What happened, where, and what to do. The code comes last: it is for looking up. */
export function faultText(fault: Fault, color: boolean): string {
  const paint = (style: Parameters<typeof styleText>[0], text: string): string =>
    color ? styleText(style, text, { validateStream: false }) : text;
  const lines = [`${paint("red", "sallyport:")} ${printable(fault.message)}`];
  if (fault.at !== undefined) lines.push(`  at      ${printable(fault.at)}`);
  lines.push(`  to do   ${printable(fault.remedy)}`, `  code    ${fault.code}`);
  return lines.join("\n");
}

/** Text from outside, made harmless for a terminal: control and bidirectional characters are shown as escapes. */
export function printable(text: string): string {
  return text.replace(
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Columns padded to their widest cell; the last is not padded. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows)
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length);
  return rows
    .map((row) =>
      row.map((cell, at) => (at === row.length - 1 ? cell : cell.padEnd(widths[at] ?? 0))).join("  "),
    )
    .join("\n");
}

/** Who holds each grant: the agent itself, as far as its own settings go, and what stands round it. */
export const gapTable = (gaps: readonly study.Gap[]): string =>
  table([
    ["grant", "the agent itself", "the wall", "remark"],
    ...gaps.map((gap) => [gap.grant, gap.agent, gap.wall, gap.remark]),
  ]);

/** A command's exit code; what it throws is told, and its code is the fault's. Never throws. */
export async function exitCodeOf(command: () => Promise<number>): Promise<number> {
  // `sallyport log | head`: whoever reads has had enough, which is no fault of ours.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
  try {
    return await command();
  } catch (thrown) {
    const fault = asFault(thrown);
    process.stderr.write(`${faultText(fault, wantsColor(process.stderr))}\n`);
    if (
      fault.code === "internal.bug" &&
      thrown instanceof Error &&
      process.env["SALLYPORT_DEBUG"] !== undefined
    )
      process.stderr.write(`${thrown.stack}\n`);
    return fault.kind.exitCode;
  }
}
