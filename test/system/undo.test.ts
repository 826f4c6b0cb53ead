// `sallyport undo` after real sessions: what the agent did goes back, what the person did stays.
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Place } from "../harness.ts";

let place: Place;
beforeEach(() => {
  place = new Place({
    "a.txt": "one\n",
    "gone.txt": "still here\n",
    "mine.txt": "mine\n",
    ".gitignore": "secret.env\n",
  });
  writeFileSync(at("secret.env"), "ignored by git\n");
  mkdirSync(at("src"));
  writeFileSync(at("src/run.sh"), "#!/bin/sh\n");
  chmodSync(at("src/run.sh"), 0o755);
  symlinkSync("a.txt", at("link"));
});
afterEach(() => place.close());

const at = (path: string): string => join(place.workspace, path);
const text = (path: string): string => readFileSync(at(path), "utf8");

const HAVOC = `
echo two > a.txt; rm gone.txt secret.env link; mkdir -p new/deep; echo x > new/deep/file
mv src moved; chmod 600 moved/run.sh; echo changed >> moved/run.sh; ln -s /usr link`;

/** The session's id. */
async function session(script: string, flags: readonly string[] = []): Promise<string> {
  const done = await place.run(["run", "--json", ...flags, "--", "sh", "-c", script]);
  expect(done.code, done.stderr).toBe(0);
  return (JSON.parse(done.stdout.trim().split("\n").at(-1) ?? "") as { session: string }).session;
}

function expectOriginal(): void {
  expect([text("a.txt"), text("gone.txt"), text("secret.env"), text("src/run.sh")]).toEqual([
    "one\n",
    "still here\n",
    "ignored by git\n",
    "#!/bin/sh\n",
  ]);
  expect(lstatSync(at("src/run.sh")).mode & 0o7777).toBe(0o755);
  expect(readlinkSync(at("link"))).toBe("a.txt");
  expect(["new", "moved"].map((name) => existsSync(at(name)))).toEqual([false, false]);
}

describe("undo", () => {
  it("brings back changed, removed, renamed and ignored files, modes and links, and redo undoes that", async () => {
    const id = await session(HAVOC);
    const list = await place.run(["undo", id, "--list"]);
    expect(list.stdout).toMatch(/changed +a\.txt +\S*sh \(\d+\)/);
    expect(text("a.txt")).toBe("two\n");
    const done = await place.run(["undo", id]);
    expect(done.code, done.stdout + done.stderr).toBe(0);
    expectOriginal();
    const events = (await place.run(["show", id, "--events", "--json"])).stdout.trim().split("\n");
    const kinds = events.map(
      (line) => (JSON.parse(line) as { event: { kind: string; total?: number } }).event,
    );
    expect(kinds.at(-1)).toMatchObject({ kind: "workspace.undone", direction: "undo", isForced: false });
    const redo = await place.run(["undo", id, "--redo"]);
    expect(redo.code, redo.stdout + redo.stderr).toBe(0);
    expect([text("a.txt"), text("new/deep/file"), readlinkSync(at("link"))]).toEqual([
      "two\n",
      "x\n",
      "/usr",
    ]);
    expect(existsSync(at("src"))).toBe(false);
  });

  it("leaves what the person wrote while the session ran, and what was changed after it", async () => {
    const running = place.start([
      "run",
      "--json",
      "--",
      "sh",
      "-c",
      "echo two > a.txt; echo up; until [ -e go ]; do sleep 0.05; done; rm gone.txt",
    ]);
    await running.until("stdout", "up");
    writeFileSync(at("mine.txt"), "edited meanwhile\n");
    writeFileSync(at("go"), "");
    const id = (
      JSON.parse((await running.finished).stdout.trim().split("\n").at(-1) ?? "") as { session: string }
    ).session;
    writeFileSync(at("a.txt"), "three, by hand\n");
    const done = await place.run(["undo", id]);
    expect(done.code).toBe(6);
    expect(done.stdout).toMatch(/a\.txt +LEFT: changed after the session/);
    expect([text("a.txt"), text("mine.txt"), text("gone.txt")]).toEqual([
      "three, by hand\n",
      "edited meanwhile\n",
      "still here\n",
    ]);
    expect((await place.run(["undo", id, "--force", "a.txt"])).code).toBe(0);
    expect([text("a.txt"), text("mine.txt")]).toEqual(["one\n", "edited meanwhile\n"]);
  });

  it("takes named paths alone, and changes nothing on a dry run", async () => {
    const id = await session(HAVOC);
    const dry = await place.run(["undo", id, "--dry-run", "--json"]);
    expect(JSON.parse(dry.stdout)).toMatchObject({ isDone: false });
    expect(text("a.txt")).toBe("two\n");
    expect((await place.run(["undo", id, "gone.txt", "src"])).code).toBe(0);
    expect([text("gone.txt"), text("src/run.sh"), text("a.txt")]).toEqual([
      "still here\n",
      "#!/bin/sh\n",
      "two\n",
    ]);
  });

  it("a session whose client was killed has snapshots too; one with --no-undo has none", async () => {
    // What a program changed is with the station when the next one starts.
    const running = place.start(["run", "--", "sh", "-c", "echo two > a.txt; /bin/true; echo up; sleep 60"]);
    await running.until("stdout", "up");
    running.child.kill("SIGKILL");
    await running.finished;
    const without = await session("echo three > mine.txt", ["--no-undo"]);
    const id = JSON.parse((await place.run(["log", "--json"])).stdout.split("\n")[0] ?? "") as {
      session: string;
    };
    expect((await place.run(["undo", id.session])).code).toBe(0);
    expect(text("a.txt")).toBe("one\n");
    const none = await place.run(["undo", without]);
    expect([none.code, none.stderr]).toEqual([2, expect.stringMatching(/no snapshot[\s\S]*--no-undo/)]);
  });
});
