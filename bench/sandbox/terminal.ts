/**
 * What the terminal's filter costs: 256 MB of terminal output through it (`sallyport-helper filter`) and through `cat`, in
 * turns, three kinds of output.
 *
 *   node bench/sandbox/terminal.ts
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readMachineFacts } from "../../src/sandbox/index.ts";

const BYTES = 256 << 20;
const ROUNDS = 3;
const helper = readMachineFacts().helper.path;
if (helper === null) throw new Error("the helper was not built");
const kinds: readonly (readonly [string, string])[] = [
  ["plain text", "src/gateway/pipeline.ts:12: export function judge(request: Request): Verdict {\n"],
  [
    "coloured",
    "\x1b[38;2;120;130;140msrc/a.ts\x1b[0m:\x1b[1m12\x1b[22m: \x1b]8;;file:///a\x1b\\x\x1b]8;;\x1b\\\n",
  ],
  ["beyond ASCII", "日本語のテキスト “quoted” 🙂 žluťoučký kůň\n"],
];
const folder = mkdtempSync(join(tmpdir(), "terminal-"));
const timed = (command: string): number => {
  const start = performance.now();
  const { status } = spawnSync("sh", ["-c", command], { stdio: "ignore" });
  if (status !== 0) throw new Error(`${command} ended with ${status}`);
  return performance.now() - start;
};
const least = (values: readonly number[]): number => Math.min(...values);
try {
  process.stdout.write("| output | cat, MB/s | filter, MB/s |\n|---|--:|--:|\n");
  for (const [name, line] of kinds) {
    const file = join(folder, "out");
    const block = Buffer.from(line.repeat(Math.ceil((1 << 20) / line.length)));
    writeFileSync(file, Buffer.concat(Array.from({ length: Math.ceil(BYTES / block.length) }, () => block)));
    const [bare, through]: [number[], number[]] = [[], []];
    for (let round = 0; round < ROUNDS; round += 1) {
      bare.push(timed(`cat ${file} | cat > /dev/null`));
      through.push(timed(`cat ${file} | ${helper} filter > /dev/null`));
    }
    const rate = (ms: number): string => (BYTES / 1e6 / (ms / 1e3)).toFixed(0);
    process.stdout.write(`| ${name} | ${rate(least(bare))} | ${rate(least(through))} |\n`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
