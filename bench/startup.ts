/**
 * What `sallyport run` adds to a program's start, with a warm station: `sallyport run -q -- true` beside bare `true` and
 * beside `node -e 0` (the floor of a client written in Node), 20 interleaved runs each, medians. Then the same in a folder of
 * 50,000 files, by when the agent's program starts and by when all is over (each round's start is told apart by a file that
 * the program writes).
 *
 *   node bench/startup.ts [files]
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import { Place, SALLYPORT } from "../test/harness.ts";

const RUNS = 20;
const RUNS_IN_MANY = 5;
const FILES = Number(process.argv[2] ?? 50_000);
const place = new Place();
const many = join(place.folder, "many");

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

function timed(file: string, args: readonly string[], cwd = place.workspace): number {
  const start = performance.now();
  const done = spawnSync(file, args, {
    cwd,
    env: { ...process.env, SALLYPORT_HOME: place.state },
    stdio: "ignore",
  });
  if (done.status !== 0) throw new Error(`${file} ${args.join(" ")} ended with ${done.status}`);
  return performance.now() - start;
}

/** Until the program writes a file, whose time the kernel notes. */
function untilStarted(): number {
  const before = Date.now();
  timed(SALLYPORT, ["run", "-q", "--", "sh", "-c", "echo > /home/agent/started"], many);
  return statSync(join(place.state, "homes/other/started")).mtimeMs - before;
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
  timed(SALLYPORT, ["run", "-q", "--", "true"]);
  for (let run = 0; run < RUNS; run += 1)
    for (const [name, file, args] of subjects) times.get(name)?.push(timed(file, args));
  const bare = median(times.get("true") ?? []);
  process.stdout.write(
    `load ${loadavg()[0]?.toFixed(1)}\n\n| start | median ms | least ms | over \`true\` |\n|---|--:|--:|--:|\n`,
  );
  const row = (name: string, values: readonly number[]): string =>
    `| ${name} | ${median(values).toFixed(1)} | ${Math.min(...values).toFixed(1)} | +${(median(values) - bare).toFixed(1)} |\n`;
  for (const [name, values] of times) process.stdout.write(row(name, values));

  for (let at = 0; at < FILES; at += 1) {
    const folder = join(many, `d${at % 500}`);
    if (at < 500) mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `f${at}.txt`), `file ${at}\n`);
  }
  untilStarted(); // the first snapshot reads everything
  const [find, starts, ends]: [number[], number[], number[]] = [[], [], []];
  for (let run = 0; run < RUNS_IN_MANY; run += 1) {
    find.push(timed("find", [many, "-type", "f", "-newermt", "2100-01-01"]));
    starts.push(untilStarted());
    ends.push(timed(SALLYPORT, ["run", "-q", "--", "true"], many));
  }
  process.stdout.write(
    row(`\`find\` over ${FILES} files`, find) +
      row("there: until the agent starts", starts) +
      row("there: `sallyport run -q -- true`", ends),
  );
} finally {
  await place.close();
}
