// What starts before the client is whole: the client in one file, and the question that is asked while Node starts.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { CLIENT_FILE, ensureClient } from "../../src/cli/bundle.ts";
import { Place } from "../harness.ts";

describe("the client in one file", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "sp-client-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const said = (file: string): string =>
    spawnSync(process.execPath, [file, "run"], { encoding: "utf8", env: { HOME: folder } }).stderr;

  it("runs while its sources are what it was made of; else the sources run", async () => {
    const file = join(folder, "client.cjs");
    expect(await ensureClient(file)).toBe(true);
    const made = readFileSync(file, "utf8");
    expect(made).toContain("needs an agent or a program");
    const marked = made.replace("needs an agent or a program", "IN ONE FILE");
    writeFileSync(file, marked);
    expect(said(file)).toContain("IN ONE FILE");
    // As if a source had been written since.
    writeFileSync(file, marked.replace(/(fault\.ts",)\d/, "$19"));
    expect(said(file)).toContain("needs an agent or a program");
    expect(await ensureClient(file)).toBe(true);
    expect(readFileSync(file, "utf8"), "and it is made again").toBe(made);
  });
});

describe("the station is asked while Node starts", () => {
  let place: Place;
  beforeAll(async () => {
    place = new Place();
    expect(await ensureClient(CLIENT_FILE)).toBe(true);
    expect((await place.run(["up"])).code).toBe(0);
  });
  afterAll(() => place?.close());

  const odd = { ODD: 'x"\\\u0001\n\té', PATH: `${process.env["PATH"]}` };
  const words = ['a "b"', "\\", "\u0007", "é", ""];
  const script = 'printf "%s|" "$@"; pwd; [ -z "$SALLYPORT_LINE" ] && ls /proc/self/fd | wc -l; exit 3';
  const args = ["bash", "-c", script, "0", ...words];

  it("with the same words, once, and nothing of it is left open inside", async () => {
    const early = await place.run(["run", "-q", "--", ...args], odd);
    // A flag that the helper has no word for: the client asks by itself.
    const late = await place.run(["run", "-q", "--door", "tls", "--", ...args], odd);
    expect(early.stdout).toBe(`${words.join("|")}|${place.workspace}\n4\n`);
    expect(early.code).toBe(3);
    expect(late).toEqual(early);
    const sessions = (await place.run(["log", "--json"])).stdout.trim().split("\n");
    expect(sessions).toHaveLength(2);
  });

  it("and the wall is built meanwhile: it is the client's own child, and dies with it", async () => {
    const running = place.start(["run", "-q", "--", "sh", "-c", "echo up; sleep 60"]);
    await running.until("stdout", "up");
    const found = execFileSync("pgrep", ["-f", `sallyport-helper.* launch ${place.state}`], {
      encoding: "utf8",
    });
    const wall = Number(found.trim().split("\n")[0]);
    const client = running.child.pid ?? 0;
    const parent = readFileSync(`/proc/${wall}/stat`, "utf8").split(") ")[1]?.split(" ")[1];
    expect(Number(parent)).toBe(client);
    expect(readFileSync(`/proc/${client}/environ`, "latin1")).toContain(`SALLYPORT_WALL=${wall} `);
    process.kill(client, "SIGKILL");
    await running.finished;
    await expect.poll(() => existsSync(`/proc/${wall}`), { timeout: 10_000 }).toBe(false);
  });

  it("and a program that cannot start is told as ever", async () => {
    const file = join(place.workspace, "no-interpreter");
    writeFileSync(file, "#!/no/such/interpreter\n", { mode: 0o755 });
    const done = await place.run(["run", "-q", "--", file]);
    expect([done.code, done.stderr]).toEqual([126, expect.stringContaining("interpreter")]);
    rmSync(file);
    expect((await place.run(["run", "-q", "--", "sh", "-c", "kill -9 $$"])).code).toBe(137);
  });

  it("and not where a station of another version is said to listen: it is asked which it is", async () => {
    const version = join(place.state, "run/station.version");
    const own = readFileSync(version, "utf8");
    const before = JSON.parse((await place.run(["status", "--json"])).stdout) as { pid: number };
    writeFileSync(version, "0.0.1");
    expect((await place.run(["run", "-q", "--", "true"])).code).toBe(0);
    const after = JSON.parse((await place.run(["status", "--json"])).stdout) as { pid: number };
    // It is of this version after all.
    expect(after.pid).toBe(before.pid);
    writeFileSync(version, own);
  });

  it("and a station that has died is started again", async () => {
    const { pid } = JSON.parse((await place.run(["status", "--json"])).stdout) as { pid: number };
    process.kill(pid, "SIGKILL");
    const done = await place.run(["run", "-q", "--", "echo", "again"]);
    expect(done.stdout).toBe("again\n");
  });

  it("what is wrong with the question is told as ever", async () => {
    const done = await place.run(["run", "-q", "-p", "no-such", "true"]);
    expect(done.code).toBe(2);
    expect(done.stderr).toContain("no such profile: `no-such`");
    const none = await place.run(["run", "-q"]);
    expect(none.stderr).toContain("needs an agent or a program");
  });

  it("an end that nobody reads is durable when the client ends", async () => {
    const { code } = await place.run(["run", "-q", "--", "true"]);
    expect(code).toBe(0);
    const { pid } = JSON.parse((await place.run(["status", "--json"])).stdout) as { pid: number };
    const run = await place.run(["run", "-q", "--", "sh", "-c", "exit 5"]);
    process.kill(pid, "SIGKILL");
    expect(run.code).toBe(5);
    const last = JSON.parse((await place.run(["log", "--json", "-n", "1"])).stdout.trim()) as object;
    expect(last).toMatchObject({ ended: "exited", exitCode: 5 });
  });
});
