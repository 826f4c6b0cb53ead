// Nothing of a workspace changes before a person has looked at it, and then exactly what they took.
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { SessionId } from "../../src/core/index.ts";
import { readMachineFacts } from "../../src/sandbox/index.ts";
import { changesIn, type Hold, takeChanges } from "../../src/workspace/index.ts";
import { type Finished, Place } from "../harness.ts";

type Shape = { [name: string]: Shape | string };
function shape(at: string): Shape {
  return Object.fromEntries(
    readdirSync(at)
      .sort()
      .map((name) => {
        const path = join(at, name);
        const stat = lstatSync(path);
        const mode = (stat.mode & 0o777).toString(8);
        if (stat.isSymbolicLink()) return [name, `-> ${readlinkSync(path)}`];
        if (stat.isDirectory()) return [`${name}/ ${mode}`, shape(path)];
        return [`${name} ${mode}`, readFileSync(path, "base64")];
      }),
  );
}

describe("the law of a review", () => {
  type Step = readonly [verb: string, path: string, more: string];
  const PATH = fc
    .array(fc.constantFrom("a", "b", "c", "ü", ".h"), { minLength: 1, maxLength: 3 })
    .map((names) => names.join("/"));
  const STEPS = fc.array(
    fc.tuple(fc.constantFrom("write", "append", "rm", "mkdir", "mv", "link", "chmod"), PATH, PATH),
    { minLength: 1, maxLength: 14 },
  );
  // A step that cannot be done is passed over, inside and outside alike.
  const DO = `for (const [verb, path, more] of JSON.parse(process.argv[1])) try { const fs = require("fs");
    if (verb === "write") { fs.mkdirSync(require("path").dirname(path), { recursive: true }); fs.writeFileSync(path, more); }
    else if (verb === "append") fs.appendFileSync(path, more); else if (verb === "rm") fs.rmSync(path, { recursive: true });
    else if (verb === "mkdir") fs.mkdirSync(path, { recursive: true }); else if (verb === "link") fs.symlinkSync(more, path);
    else if (verb === "chmod") fs.chmodSync(path, fs.lstatSync(path).isDirectory() ? 0o750 : 0o600);
    else require("child_process").execFileSync("mv", ["-T", path, more], { stdio: "ignore" }); } catch {}`;
  const act = (cwd: string, steps: readonly Step[]): void =>
    void execFileSync(process.execPath, ["-e", DO, JSON.stringify(steps)], { cwd });

  it("taking everything gives what was seen inside, and until then nothing has changed", () => {
    const { helper, noOverlay } = readMachineFacts();
    expect(noOverlay).toBeNull();
    const root = mkdtempSync(join(tmpdir(), "sp-law-"));
    let run = 0;
    try {
      fc.assert(
        fc.property(STEPS, STEPS, (before, during) => {
          run += 1;
          const session = run.toString(16).padStart(8, "0") as SessionId; // its form
          const [workspace, own] = [join(root, `w${run}`), join(root, session, "tree")];
          mkdirSync(workspace);
          act(workspace, before);
          const original = shape(workspace);
          for (const name of ["up", "work"]) mkdirSync(join(own, name), { recursive: true });
          const { dev, ino } = statSync(workspace);
          const seen = join(root, `seen${run}`);
          mkdirSync(seen);
          const overlay = [
            "overlay",
            "law",
            workspace,
            String(dev),
            String(ino),
            join(own, "up"),
            join(own, "work"),
            "volatile",
            "--",
          ];
          const inside = spawnSync(
            helper.path ?? "",
            [
              ...overlay,
              "/bin/sh",
              "-c",
              'cd "$1" && "$2" -e "$3" "$4" && cp -a . "$5"',
              "sh",
              workspace,
              process.execPath,
              DO,
              JSON.stringify(during),
              seen,
            ],
            { encoding: "utf8" },
          );
          expect(inside.status, inside.stderr).toBe(0);
          expect(shape(workspace)).toEqual(original);
          const hold: Hold = {
            ...{ v: 1, session, workspace, startedAt: Date.now() + 60_000, tag: "law", helper: helper.path },
            ...{ known: [], granted: [], untouched: [], shown: [] },
            overlays: [{ kind: "tree", name: "tree", at: workspace }],
            outcome: { imports: [], swept: { aside: [], stayed: [] } },
          };
          const failed = takeChanges(root, hold, changesIn(root, hold)).filter((one) => one.failed !== null);
          expect(failed).toEqual([]);
          expect(shape(workspace)).toEqual(shape(seen));
          expect(changesIn(root, hold)).toEqual([]);
        }),
        {
          numRuns: 40,
          interruptAfterTimeLimit: 30_000,
          // A file that became a folder: what stands in that stood nowhere before.
          examples: [
            [
              [["write", "c", "a"]],
              [
                ["rm", "c", "a"],
                ["write", "c/a", "a"],
              ],
            ],
          ],
        },
      );
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
    expect(run).toBeGreaterThan(3);
  }, 90_000);
});

describe("run --review", { timeout: 150_000 }, () => {
  let place: Place;
  beforeEach(() => {
    place = new Place({ "a.txt": "one\n", "gone.txt": "still here\n", "mine.txt": "mine\n" });
    mkdirSync(at("src"));
    writeFileSync(at("src/run.sh"), "#!/bin/sh\n");
    symlinkSync("a.txt", at("link"));
    git("init", "-q", "-b", "main");
    git("add", "-A");
    git("commit", "-qm", "zero");
  });
  afterEach(() => place.close());
  const at = (path: string): string => join(place.workspace, path);
  const git = (...args: string[]): string =>
    execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@b", "-C", place.workspace, ...args], {
      encoding: "utf8",
    }).trim();
  const HAVOC = `echo two > a.txt; rm gone.txt link; mkdir -p new/deep; echo x > new/deep/file; mv src moved; chmod 700 moved/run.sh
    echo evil > .envrc; ln -s /etc out; git add -A; git -c user.name=a -c user.email=a@b commit -qm session; echo printed`;
  const session = async (script: string): Promise<string> => {
    const done = await place.run(["run", "--review", "--json", "--", "bash", "-ec", script]);
    expect(done.code, done.stderr).toBe(0);
    return (JSON.parse(done.stdout.trim().split("\n").at(-1) ?? "") as { session: string }).session;
  };
  const items = async (
    id: string,
  ): Promise<readonly { path: string; was: string; by: string; why: string | null }[]> =>
    (
      JSON.parse((await place.run(["review", id, "--json"])).stdout) as {
        items: { path: string; was: string; by: string; why: string | null }[];
      }
    ).items;
  const ok = (done: Finished): Finished => {
    expect(done.code, done.stdout + done.stderr).toBe(0);
    return done;
  };

  it("holds everything back, says by whom, takes some, then all but what hosts obey, then that by name", async () => {
    const original = shape(place.workspace);
    const id = await session(HAVOC);
    expect(shape(place.workspace)).toEqual(original);
    const list = await items(id);
    expect(list.map(({ was, path }) => `${was} ${path}`).sort()).toEqual(
      [
        ...[
          "changed a.txt",
          "commits .git",
          "made .envrc",
          "made moved",
          "made moved/run.sh",
          "made new",
          "made new/deep",
        ],
        ...["made new/deep/file", "made out", "removed gone.txt", "removed link", "removed src"],
      ].sort(),
    );
    expect(list.find(({ path }) => path === "gone.txt")?.by).toMatch(/rm \(\d+\)/);
    expect(list.find(({ path }) => path === ".envrc")?.why).toContain("obey");
    const diff = ok(await place.run(["review", id, "--diff", "a.txt"]));
    expect(diff.stdout).toContain("-one\n+two\n");
    ok(await place.run(["review", id, "--take", "new"]));
    expect([readFileSync(at("new/deep/file"), "utf8"), readFileSync(at("a.txt"), "utf8")]).toEqual([
      "x\n",
      "one\n",
    ]);
    ok(await place.run(["review", id, "--take-all"]));
    expect(existsSync(at(".envrc"))).toBe(false);
    expect(git("log", "--format=%s")).toBe("session\nzero");
    expect(statSync(at("moved/run.sh")).mode & 0o777).toBe(0o700);
    expect([
      existsSync(at("src")),
      existsSync(at("gone.txt")),
      lstatSync(at("link"), { throwIfNoEntry: false }),
    ]).toEqual([false, false, undefined]);
    expect((await items(id)).map(({ path }) => path)).toEqual([".envrc"]);
    ok(await place.run(["review", id, "--take", ".envrc"]));
    expect(readFileSync(at(".envrc"), "utf8")).toBe("evil\n");
    expect((await place.run(["review"])).stdout).toContain("nothing waits");
    const events = await place.run(["show", id, "--events", "--json"]);
    expect(events.stdout.match(/"workspace\.reviewed"/g)).toHaveLength(3);
  });

  it("what changed here meanwhile is told and not overwritten, unless forced", async () => {
    const id = await session("echo theirs > a.txt; echo theirs > fresh; rm mine.txt");
    writeFileSync(at("a.txt"), "ours\n");
    writeFileSync(at("fresh"), "ours\n");
    const done = await place.run(["review", id, "--take", "a.txt", "fresh"]);
    expect([done.code, done.stdout]).toEqual([
      6,
      expect.stringMatching(/NOT taken: a\.txt[\s\S]*NOT taken: fresh/),
    ]);
    ok(await place.run(["review", id, "--take-all"]));
    expect([readFileSync(at("a.txt"), "utf8"), existsSync(at("mine.txt"))]).toEqual(["ours\n", false]);
    ok(await place.run(["review", id, "--take", "a.txt", "--force"]));
    expect([readFileSync(at("a.txt"), "utf8"), readFileSync(at("fresh"), "utf8")]).toEqual([
      "theirs\n",
      "ours\n",
    ]);
    ok(await place.run(["review", id, "--discard"]));
    expect((await place.run(["review", id])).code).toBe(2);
  });

  it("kill -9 of client and station together loses nothing; discarding leaves the workspace as it was", async () => {
    const original = shape(place.workspace);
    const running = place.start([
      "run",
      "--review",
      "--",
      "bash",
      "-c",
      "echo two > a.txt; rm gone.txt; echo up; sleep 60",
    ]);
    await running.until("stdout", "up");
    const { pid, sessions } = JSON.parse((await place.run(["status", "--json"])).stdout) as {
      pid: number;
      sessions: { session: string }[];
    };
    const id = sessions[0]?.session ?? "";
    expect((await place.run(["review", id, "--take-all"])).stderr).toContain("still running");
    process.kill(pid, "SIGKILL");
    running.child.kill("SIGKILL");
    await running.finished;
    expect((await items(id)).map(({ was, path }) => `${was} ${path}`)).toEqual([
      "changed a.txt",
      "removed gone.txt",
    ]);
    ok(await place.run(["review", id, "--take", "gone.txt"]));
    expect(existsSync(at("gone.txt"))).toBe(false);
    writeFileSync(at("gone.txt"), "still here\n");
    ok(await place.run(["review", id, "--discard"]));
    expect(shape(place.workspace)).toEqual(original);
  });

  it("where nothing has changed nothing waits, and nobody is told to look", async () => {
    const before = (await place.run(["review", "--json"])).stdout;
    const ran = await place.run(["run", "--review", "--", "sh", "-c", "echo x > t; rm t; cat a.txt"]);
    expect([ran.code, ran.stderr]).toEqual([0, expect.not.stringContaining("wait for a review")]);
    expect((await place.run(["review", "--json"])).stdout).toBe(before);
  });

  it("a profile can require it; where it cannot be held back the session does not start", async () => {
    const profile = join(place.folder, "careful.yaml");
    const ready = (await place.run(["profiles", "engineer"])).stdout;
    writeFileSync(
      profile,
      ready
        .replace(
          /sandbox: \{ mode: bubblewrap, nested: (true|false) \}/,
          "sandbox: { mode: bubblewrap, nested: $1, review: true }",
        )
        .replace("name: engineer", "name: careful"),
    );
    ok(await place.run(["run", "--profile", profile, "--", "sh", "-c", "echo two > a.txt"]));
    expect(readFileSync(at("a.txt"), "utf8")).toBe("one\n");
    const open = await place.run(["run", "--review", "--profile", "dangerously-unsandboxed", "--", "true"]);
    expect([open.code, open.stderr]).toEqual([
      expect.not.stringMatching(/^0$/),
      expect.stringContaining("held back"),
    ]);
  });

  it("T: a folder that became a link between the session and the take is not followed", async () => {
    const id = await session("echo x > src/new; echo y >> src/run.sh");
    const outside = join(place.folder, "outside");
    mkdirSync(outside);
    rmSync(at("src"), { recursive: true });
    symlinkSync(outside, at("src"));
    await place.run(["review", id, "--take", "src", "--force"]);
    expect(readdirSync(outside)).toEqual([]);
    chmodSync(outside, 0o700);
  });
});
