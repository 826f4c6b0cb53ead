/**
 * Head of line: 32 streams at 20 ms a token; what the way through the gateway adds to each token, alone, with five 1 MB
 * prompts a second (conversations that go on; and such as were never seen), and with fifty of 200 KB.  node bench/gateway/hol.ts [direct|block|sallyport …]
 * It needs a quiet machine: a line of `uptime` beside the figures says whether it was.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Task } from "./load.ts";
import { peerFolder } from "./peers.ts";

const HERE = import.meta.dirname;
const folder = mkdtempSync(join(tmpdir(), "bench-hol-"));
const run = promisify(execFile);
const [SLOW, FAST] = [9720, 9721];
const children: ChildProcess[] = [];
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1));
process.on("exit", () => {
  for (const child of children) child.kill("SIGTERM");
});
const ended = (child: ChildProcess): Promise<unknown> => {
  const over = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  return over;
};
const start = (core: number, args: readonly string[], env: Record<string, string> = {}): Promise<number> => {
  const child = spawn("taskset", ["-c", String(core), process.execPath, ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  return new Promise((resolve) => child.stdout.once("data", () => resolve(child.pid ?? 0)));
};
await start(1, [join(HERE, "destination.ts"), String(SLOW), "20"]);
const names =
  process.argv.length > 2 ? process.argv.slice(2) : ["direct", "block", "sallyport", "sallyport-unrecorded"];
const load = async (task: Task): Promise<{ delay50: number; delay99: number; n: number; errors: number }> => {
  const { stdout } = await run("taskset", [
    "-c",
    "1",
    process.execPath,
    join(HERE, "load.ts"),
    JSON.stringify(task),
  ]);
  return JSON.parse(stdout);
};
for (const name of names) {
  let way: Pick<Task, "to" | "path"> = { to: SLOW, path: "/v1/messages" };
  let pid = 0;
  if (name === "block") {
    const undici = peerFolder("undici");
    if (undici === null) {
      console.log("block is left out: undici is not installed (`run.ts --install` does it)");
      continue;
    }
    pid = await start(0, [join(HERE, "block.mjs"), String(FAST), String(SLOW)], { BENCH_UNDICI: undici });
    way = { to: FAST, path: "/v1/messages" };
  } else if (name.startsWith("sallyport")) {
    pid = await start(0, [
      "--max-semi-space-size=4", // as the station is started
      join(HERE, "sallyport.ts"),
      join(folder, name),
      `http://127.0.0.1:${SLOW}`,
      "",
      name.endsWith("unrecorded") ? "null" : "",
    ]);
    way = { to: join(folder, name, "#.sock"), path: "/api.anthropic.com/v1/messages" };
  }
  const streams: Task = {
    ...way,
    size: 2048,
    clients: 32,
    streams: true,
    fresh: "tail",
    paced: true,
    warmMs: 1500,
    ms: 5000,
    pid,
  };
  const prompts = (size: number, clients: number, fresh: Task["fresh"] = "tail"): Task => ({
    ...way,
    size,
    clients,
    streams: false,
    fresh,
    pauseMs: 1000,
    warmMs: 1500,
    ms: 5000,
    pid,
  });
  await load({ ...streams, ms: 500 });
  const alone = await load(streams);
  const [big] = await Promise.all([load(streams), load(prompts(1_000_000, 5))]);
  const [unseen] = await Promise.all([load(streams), load(prompts(1_000_000, 5, "all"))]);
  const [many] = await Promise.all([load(streams), load(prompts(200_000, 50))]);
  const tell = (r: { delay50: number; delay99: number }): string => `${r.delay50} / ${r.delay99}`;
  console.log(
    `${name.padEnd(22)} alone ${tell(alone)}   +5/s of 1 MB ${tell(big)}   the same, never seen ${tell(unseen)}   +50/s of 200 KB ${tell(many)} (ms, p50 / p99)`,
  );
}
// Gateways first: they still write into the folder.
await Promise.all(children.map((child) => ended(child)));
rmSync(folder, { recursive: true, force: true });
process.exit(0);
