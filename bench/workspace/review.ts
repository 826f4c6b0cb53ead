/**
 * What holding every change of a 50,000-file repository back costs, against the copy that it saves: `run --review` that
 * changes 20 files, and the list of them, beside `cp -a` of the same tree, in turns.
 *
 *   node bench/workspace/review.ts [files]
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Place, SALLYPORT } from "../../test/harness.ts";

const FILES = Number(process.argv[2] ?? 50_000);
const ROUNDS = 3;
const place = new Place();
const env = { ...process.env, SALLYPORT_HOME: place.state };
const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;

function timed(file: string, args: readonly string[]): number {
  const start = performance.now();
  const done = spawnSync(file, args, { cwd: place.workspace, env, stdio: "ignore" });
  if (done.status !== 0) throw new Error(`${file} ${args.join(" ")} ended with ${done.status}`);
  return performance.now() - start;
}

try {
  for (let at = 0; at < FILES; at += 1) {
    const folder = join(place.workspace, `d${at % 500}`);
    if (at < 500) mkdirSync(folder);
    writeFileSync(join(folder, `f${at}.txt`), `file ${at}\n`.repeat(100));
  }
  execFileSync("git", ["init", "-q", place.workspace]);
  const copy = join(place.folder, "copy");
  const change =
    "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do echo x >> d$i/f$i.txt; done";
  timed(SALLYPORT, ["run", "-q", "--review", "--", "true"]); // the station is warm
  const [copies, plain, reviews, lists]: number[][] = [[], [], [], []];
  for (let round = 0; round < ROUNDS; round += 1) {
    copies?.push(timed("cp", ["-a", place.workspace, copy]));
    rmSync(copy, { recursive: true });
    plain?.push(timed(SALLYPORT, ["run", "-q", "--no-undo", "--", "true"]));
    reviews?.push(timed(SALLYPORT, ["run", "-q", "--review", "--", "sh", "-c", change]));
    const id =
      execFileSync(SALLYPORT, ["review"], { cwd: place.workspace, env, encoding: "utf8" })
        .trim()
        .split("\n")
        .at(-1)
        ?.slice(0, 8) ?? "";
    lists?.push(timed(SALLYPORT, ["review", id, "--json"]));
    timed(SALLYPORT, ["review", id, "--discard"]);
  }
  const base = median(copies ?? []);
  const row = (name: string, values: readonly number[] = []): string =>
    `| ${name} | ${median(values).toFixed(0)} | ${(median(values) / base).toFixed(3)} |\n`;
  process.stdout.write(
    `| ${FILES} files | median ms | × cp -a |\n|---|--:|--:|\n${row("cp -a", copies)}${row("run -- true, without snapshots", plain)}${row("run --review, 20 files changed", reviews)}${row("review, the list", lists)}`,
  );
} finally {
  await place.close();
}
