/**
 * What `sallyport run` adds to a program's start, with a warm station: `sallyport run -q -- true` beside bare `true` and
 * beside `node -e 0` (the floor of a client written in Node), 20 interleaved runs each, medians.
 *
 *   node bench/startup.ts
 */
import { spawnSync } from "node:child_process";
import { Place, SALLYPORT } from "../test/harness.ts";

const RUNS = 20;
const place = new Place();

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

function timed(file: string, args: readonly string[]): number {
  const start = performance.now();
  const done = spawnSync(file, args, {
    cwd: place.workspace,
    env: { ...process.env, SALLYPORT_HOME: place.state },
    stdio: "ignore",
  });
  if (done.status !== 0) throw new Error(`${file} ${args.join(" ")} ended with ${done.status}`);
  return performance.now() - start;
}

const subjects: readonly (readonly [string, string, readonly string[]])[] = [
  ["true", "true", []],
  ["node -e 0", process.execPath, ["-e", "0"]],
  ["bwrap (bare) true", "bwrap", ["--ro-bind", "/", "/", "--unshare-all", "true"]],
  ["sallyport run -q -- true", SALLYPORT, ["run", "-q", "--", "true"]],
];
const times = new Map<string, number[]>(subjects.map(([name]) => [name, []]));
try {
  for (const [, file, args] of subjects) timed(file, args); // warm: station, compile cache, page cache
  for (let run = 0; run < RUNS; run += 1)
    for (const [name, file, args] of subjects) times.get(name)?.push(timed(file, args));
  const bare = median(times.get("true") ?? []);
  process.stdout.write(`| start | median ms | least ms | over \`true\` |\n|---|--:|--:|--:|\n`);
  for (const [name, values] of times)
    process.stdout.write(
      `| ${name} | ${median(values).toFixed(1)} | ${Math.min(...values).toFixed(1)} | +${(median(values) - bare).toFixed(1)} |\n`,
    );
} finally {
  await place.close();
}
