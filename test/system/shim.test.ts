// `sallyport shim`: what starts an agent by its name starts it through Sallyport, and notices nothing.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Place } from "../harness.ts";

/** Says what it was given, answers each line of its input, and ends with 7 when it is asked to end. */
const AGENT = `#!/usr/bin/env node
console.log(JSON.stringify({ argv: process.argv.slice(2), cwd: process.cwd(), path: process.env.PATH, proxy: process.env.HTTPS_PROXY }));
process.on("SIGTERM", () => { console.error("asked to end"); process.exit(7); });
process.stdin.setEncoding("utf8").on("data", (text) => process.stdout.write(text.toUpperCase()));
process.stdin.on("end", () => process.exit(3));
`;

describe("a shim for claude", () => {
  let place: Place;
  let path: string;
  beforeAll(async () => {
    place = new Place();
    const bin = join(place.folder, "bin");
    mkdirSync(bin);
    writeFileSync(join(bin, "claude"), AGENT, { mode: 0o755 });
    path = `${bin}:/usr/bin:/bin`;
    const made = await place.run(["shim", "install"], { PATH: path });
    expect(made.code, made.stderr).toBe(0);
    expect(made.stdout).toContain("claude: ");
    expect(made.stdout).toContain("Not first on PATH yet");
    path = `${join(place.state, "shims")}:${path}`;
  });
  afterAll(() => place?.close());

  interface Spawned {
    readonly child: ChildProcess;
    readonly ended: Promise<{ code: number | null; out: string; err: string }>;
    until(text: string): Promise<void>;
  }
  /** As an editor's extension does. */
  const spawned = (args: readonly string[]): Spawned => {
    const child = spawn("claude", args, {
      cwd: place.workspace,
      env: { PATH: path, HOME: process.env["HOME"], SALLYPORT_HOME: place.state },
      stdio: "pipe",
    });
    let [out, err] = ["", ""];
    child.stdout.on("data", (chunk) => {
      out += chunk;
    });
    child.stderr.on("data", (chunk) => {
      err += chunk;
    });
    const ended = new Promise<{ code: number | null; out: string; err: string }>((resolve) =>
      child.once("close", (code) => resolve({ code, out, err })),
    );
    const until = (text: string): Promise<void> =>
      expect.poll(() => out, { timeout: 20_000 }).toContain(text) as Promise<void>;
    return { child, ended, until };
  };

  it("passes arguments, input, output and exit code on, and adds nothing of its own", async () => {
    const { child, ended, until } = spawned(["--output-format", "stream-json", "a b", "", "$HOME"]);
    await until("argv");
    child.stdin?.write("hello\n");
    await until("HELLO");
    child.stdin?.end();
    const { code, out, err } = await ended;
    expect([code, err]).toEqual([3, ""]);
    const [first = "", ...rest] = out.split("\n");
    const told = JSON.parse(first) as { argv: string[]; cwd: string; path: string; proxy: string };
    // Before them stands what keeps the agent to the policy (policy/native.ts).
    expect(told.argv.slice(-5)).toEqual(["--output-format", "stream-json", "a b", "", "$HOME"]);
    expect(told.cwd).toBe(place.workspace);
    expect(told.proxy, "it runs inside").toBe("http://127.0.0.1:3128");
    expect(told.path, "and does not find the shim again").not.toContain("shims");
    expect(rest).toEqual(["HELLO", ""]);
    const [session] = (await place.run(["log", "--json"])).stdout.trim().split("\n");
    expect(JSON.parse(session ?? "")).toMatchObject({ agent: { name: "claude" }, exitCode: 3 });
  });

  it("passes on that it is to end", async () => {
    const { child, ended, until } = spawned([]);
    await until("argv");
    child.kill("SIGTERM");
    expect(await ended).toMatchObject({ code: 7, err: "asked to end\n" });
    const last = (await place.run(["log", "--json", "-n", "1"])).stdout.trim();
    expect(JSON.parse(last)).toMatchObject({ ended: "exited", exitCode: 7 });
  });

  it("`run claude` finds the agent itself, though the shim is first on PATH", async () => {
    const done = await place.run(["run", "-q", "claude"], { PATH: path });
    expect(done.stdout).toContain('"argv":[');
  });

  it("list says whether it is first; remove takes only what is ours", async () => {
    const shown = await place.run(["shim", "list", "--json"], { PATH: path });
    expect(JSON.parse(shown.stdout)).toMatchObject({
      shims: [{ command: "claude", agent: join(place.folder, "bin/claude"), isFirst: true }],
    });
    writeFileSync(join(place.state, "shims/codex"), "#!/bin/sh\nsomebody's own\n");
    const refused = await place.run(["shim", "install", "codex"]);
    expect(refused.stderr).toContain("it is not of our making");
    expect((await place.run(["shim", "remove"])).code).toBe(0);
    expect(existsSync(join(place.state, "shims/claude"))).toBe(false);
    expect(readFileSync(join(place.state, "shims/codex"), "utf8")).toContain("somebody's own");
  });

  it("where Sallyport has gone the agent does not start", async () => {
    expect((await place.run(["shim", "install", "claude"], { PATH: path })).code).toBe(0);
    const file = join(place.state, "shims/claude");
    writeFileSync(file, readFileSync(file, "utf8").replace(/^sallyport=.*$/m, "sallyport='/nowhere'"));
    const { code, out, err } = await spawned([]).ended;
    expect([code, out]).toEqual([127, ""]);
    expect(err).toContain("Sallyport is not at /nowhere any more");
  });
});
