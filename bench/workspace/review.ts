/**
 * What holding every change of a 50,000-file repository back costs, against the copy that it saves: `run --review` that
 * changes 20 files, the list of them, taking one and taking the rest, in three rounds; `cp -a` of the same tree once before
 * and once after.
 *
 *   node bench/workspace/review.ts [files]
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { loadavg } from "node:os";
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

const copied = (): number => {
  const copy = join(place.folder, "copy");
  const took = timed("cp", ["-a", place.workspace, copy]);
  rmSync(copy, { recursive: true });
  return took;
};

try {
  for (let at = 0; at < FILES; at += 1) {
    const folder = join(place.workspace, `d${at % 500}`);
    if (at < 500) mkdirSync(folder);
    writeFileSync(join(folder, `f${at}.txt`), `file ${at}\n`.repeat(100));
  }
  execFileSync("git", ["init", "-q", place.workspace]);
  const change =
    "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do echo x >> d$i/f$i.txt; done";
  timed(SALLYPORT, ["run", "-q", "--review", "--", "true"]); // the station is warm
  const copies = [copied()];
  const [plain, reviews, lists, one, rest]: [number[], number[], number[], number[], number[]] = [
    [],
    [],
    [],
    [],
    [],
  ];
  for (let round = 1; round <= ROUNDS; round += 1) {
    plain.push(timed(SALLYPORT, ["run", "-q", "--no-undo", "--", "true"]));
    reviews.push(timed(SALLYPORT, ["run", "-q", "--review", "--", "sh", "-c", change]));
    const waiting = execFileSync(SALLYPORT, ["review"], { cwd: place.workspace, env, encoding: "utf8" });
    const id = waiting.trim().split("\n").at(-1)?.slice(0, 8) ?? "";
    lists.push(timed(SALLYPORT, ["review", id, "--json"]));
    one.push(timed(SALLYPORT, ["review", id, "d1/f1.txt", "--take"]));
    rest.push(timed(SALLYPORT, ["review", id, "--take-all"]));
    const lines = readFileSync(join(place.workspace, "d20/f20.txt"), "utf8").split("\n").length;
    if (lines !== 101 + round) throw new Error("what was taken is not there");
  }
  copies.push(copied());
  const base = Math.min(...copies);
  const row = (name: string, values: readonly number[]): string =>
    `| ${name} | ${median(values).toFixed(0)} | ${(median(values) / base).toFixed(3)} |\n`;
  process.stdout.write(
    `load ${loadavg()[0]?.toFixed(1)}\n\n| ${FILES} files | median ms | × the quicker cp -a |\n|---|--:|--:|\n${row("`cp -a`, least of 2", [base])}${row("`run -- true`, without snapshots", plain)}${row("`run --review`, 20 files changed", reviews)}${row("`review`, the list", lists)}${row("`review --take`, one file", one)}${row("`review --take-all`, the other 19", rest)}`,
  );
} finally {
  await place.close();
}
