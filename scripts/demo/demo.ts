/**
 * `npm run demo`: the console on a throw-away state folder with a past of three weeks and two questions that wait for an answer.
 * Ends with Ctrl-C and leaves nothing behind. `--json` prints one line with the link; `--no-live` starts no sandbox.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildMissingPages } from "../../src/cli/console-pages.ts";
import { placesOf } from "../../src/cli/places.ts";
import { MADE_UP, PROJECTS, RECORDED_AT, readRecordings } from "./recording.ts";
import { startReplayServer } from "./replay-server.ts";
import { seed } from "./seed.ts";

const ROOT = join(import.meta.dirname, "../..");
const SALLYPORT = join(ROOT, "bin/sallyport");
const { values } = parseArgs({
  options: {
    json: { type: "boolean" },
    "no-live": { type: "boolean" },
    port: { type: "string" },
    home: { type: "string" },
  },
});
const say = (text: string): void => void process.stderr.write(`${text}\n`);

const folder = values.home ?? mkdtempSync(join(tmpdir(), "sallyport-console-"));
const [home, workspaces] = [join(folder, "state"), join(folder, "work")];
const environment = { ...process.env, SALLYPORT_HOME: home, SALLYPORT_SEEDED: "1" };
const live: ChildProcess[] = [];

const sallyport = (...args: string[]): string =>
  execFileSync(SALLYPORT, args, { env: environment, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });

/** A session in the sandbox whose request policy asks about: it waits until somebody answers, an hour at most. */
function ask(
  workspace: string,
  recording: ReturnType<typeof readRecordings>[number],
  upstream: string,
): ChildProcess {
  const folder = join(workspaces, workspace);
  rmSync(folder, { recursive: true, force: true });
  cpSync(join(PROJECTS, recording.project), folder, { recursive: true });
  mkdirSync(join(folder, ".demo"));
  cpSync(join(import.meta.dirname, "live.mjs"), join(folder, ".demo/live.mjs"));
  const sent = recording.items
    .filter((item) => item.what === "exchange" && item.body.includes("customers.csv"))
    .at(-1);
  if (sent?.what !== "exchange") throw new Error("no recorded request holds the sample customers");
  const body = sent.body
    .replaceAll(`${RECORDED_AT}/${recording.project}`, folder)
    .replaceAll(MADE_UP, "none");
  writeFileSync(join(folder, ".demo/request.json"), JSON.stringify({ ...sent, body }));
  return spawn(
    SALLYPORT,
    [
      "run",
      "--quiet",
      "--no-undo",
      "--profile",
      "careful",
      "--upstream",
      upstream,
      "--",
      "node",
      ".demo/live.mjs",
    ],
    { cwd: folder, env: environment, stdio: "ignore" },
  );
}

function clear(): void {
  for (const child of live) child.kill("SIGTERM");
  try {
    sallyport("down", "--force");
  } finally {
    if (values.home === undefined) rmSync(folder, { recursive: true, force: true });
  }
}

buildMissingPages();
say("replaying recorded agents through the gateway");
const server = await startReplayServer();
try {
  const { sessions } = await seed(placesOf(environment), { now: Date.now(), workspaces, say });
  say(`${sessions} sessions are in the ledger`);
  if (values["no-live"] !== true) {
    const recordings = readRecordings();
    for (const [workspace, agent] of [
      ["payments", "claude"],
      ["billing-api", "copilot"],
    ] as const) {
      const recording = recordings.find((one) => one.agent === agent && one.project === "billing-api");
      if (recording !== undefined) live.push(ask(workspace, recording, server.url));
    }
  }
  const made: unknown = JSON.parse(
    sallyport("console", "--json", ...(values.port === undefined ? [] : ["--port", values.port])),
  );
  const url = (made as { url: string }).url; // our own command's own line
  process.stdout.write(
    values.json === true
      ? `${JSON.stringify(made)}\n`
      : `\n  ${url}\n\n  opens once, within five minutes; another: SALLYPORT_HOME=${home} bin/sallyport console\n  Ctrl-C ends it and removes ${folder}\n`,
  );
  await new Promise<void>((resolve) => {
    process.once("SIGINT", () => resolve());
    process.once("SIGTERM", () => resolve());
  });
} finally {
  clear();
  await server.close();
}
