/**
 * What a session's terminal adds to a key: one byte to a program that sends it back at once, behind a terminal of
 * `script`'s, bare and in a session (whose own terminal with its filter stands between); 300 keys each, in turns of fifty.
 *
 *   node bench/sandbox/keystroke.ts
 */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { loadavg } from "node:os";
import { Place, SALLYPORT } from "../../test/harness.ts";

const TURNS = 6;
const KEYS = 50;
const ECHO = "stty raw -echo; echo ready; exec cat";
const place = new Place();

/** Resolves when it sends keys back. */
async function started(command: string): Promise<ChildProcessWithoutNullStreams> {
  const child = spawn("script", ["-qec", command, "/dev/null"], {
    cwd: place.workspace,
    env: { ...process.env, SALLYPORT_HOME: place.state, TERM: "xterm-256color" },
  });
  let said = "";
  await new Promise<void>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`${command} ended with ${code}: ${said}`)));
    child.stdout.on("data", (piece: Buffer) => {
      said += piece.toString();
      if (said.includes("ready")) resolve();
    });
  });
  child.stdout.removeAllListeners("data");
  return child;
}

/** Milliseconds until the key is back. */
function key({ stdin, stdout }: ChildProcessWithoutNullStreams, letter: string): Promise<number> {
  const start = performance.now();
  return new Promise((resolve) => {
    const hear = (piece: Buffer): void => {
      if (!piece.includes(letter)) return;
      stdout.off("data", hear);
      resolve(performance.now() - start);
    };
    stdout.on("data", hear);
    stdin.write(letter);
  });
}

const quantile = (values: readonly number[], share: number): string =>
  ([...values].sort((a, b) => a - b)[Math.floor(values.length * share)] ?? 0).toFixed(3);

try {
  const subjects = [
    { name: "bare", child: await started(`sh -c '${ECHO}'`), times: [] as number[] },
    {
      name: "in a session",
      child: await started(`${SALLYPORT} run -q -- sh -c '${ECHO}'`),
      times: [] as number[],
    },
  ];
  for (let turn = 0; turn <= TURNS; turn += 1)
    for (const { child, times } of subjects)
      for (let at = 0; at < KEYS; at += 1) {
        const took = await key(child, "abcdefghij".charAt(at % 10));
        if (turn > 0) times.push(took); // the first turn warms up
      }
  process.stdout.write(
    `load ${loadavg()[0]?.toFixed(1)}\n\n| key and back | p50 ms | p99 ms |\n|---|--:|--:|\n`,
  );
  for (const { name, times, child } of subjects) {
    process.stdout.write(`| ${name} | ${quantile(times, 0.5)} | ${quantile(times, 0.99)} |\n`);
    child.kill();
  }
} finally {
  await place.close();
}
