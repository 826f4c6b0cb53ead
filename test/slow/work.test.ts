// What a session's work becomes: commits arrive, what the host would obey does not, and no crash loses either.
import { execFileSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Finished, Place } from "../harness.ts";

let place: Place;
beforeEach(() => {
  place = new Place({ "a.txt": "one\n" });
  git("init", "-q", "-b", "main");
  git("add", "-A");
  git("commit", "-qm", "zero");
});
afterEach(() => place.close());

const at = (path: string): string => join(place.workspace, path);
const IDENTITY = ["-c", "user.name=a", "-c", "user.email=a@b"];
function git(...args: string[]): string {
  return execFileSync("git", [...IDENTITY, "-C", place.workspace, ...args], { encoding: "utf8" }).trim();
}
const run = (script: string, flags: readonly string[] = []): Promise<Finished> =>
  place.run([
    "run",
    "--json",
    ...flags,
    "--",
    "bash",
    "-ec",
    `git() { command git ${IDENTITY.join(" ")} "$@"; }\n${script}`,
  ]);
interface Told {
  readonly session: string;
  readonly setAside: readonly string[];
  readonly appeared: readonly string[];
}
const told = (done: Finished): Told => JSON.parse(done.stdout.trim().split("\n").at(-1) ?? "") as Told;
const held = (): readonly string[] =>
  existsSync(join(place.state, "held")) ? readdirSync(join(place.state, "held")) : [];

describe("a repository", { timeout: 120_000 }, () => {
  it("gets commits, branches, tags, stashes, worktrees and packs; nothing is left over", async () => {
    const done = await run(`
      echo two >> a.txt; git commit -qam one; git checkout -qb topic; echo b > b.txt; git add b.txt; git commit -qm two
      git tag v1; git tag -am annotated v2; echo dirty >> a.txt; git stash -q; git gc -q; git branch -q gone; git branch -qD gone
      git worktree add -q tree -b side; echo s > tree/s.txt; git -C tree add s.txt; git -C tree commit -qm three
      git checkout -q main; git merge -q --no-edit topic; git rebase -q --onto HEAD~1 HEAD~1; git reflog | wc -l`);
    expect(done.code, done.stderr).toBe(0);
    expect(told(done)).toMatchObject({ setAside: [], appeared: [] });
    expect(git("log", "--format=%s", "main")).toBe("two\none\nzero");
    expect(git("for-each-ref", "--format=%(refname)").split("\n")).toEqual(
      ["heads/main", "heads/side", "heads/topic", "stash", "tags/v1", "tags/v2"].map(
        (name) => `refs/${name}`,
      ),
    );
    expect(git("stash", "list")).toContain("stash@{0}");
    expect(git("-C", at("tree"), "log", "-1", "--format=%s")).toBe("three");
    expect(git("status", "--short")).toBe("?? tree/");
    expect(git("fsck", "--strict", "--no-dangling")).toBe("");
    expect(held()).toEqual([]);
  });

  it("T: nothing that git would run or obey comes in, however it got its name", async () => {
    git("worktree", "add", "-q", join(place.folder, "other"), "-b", "other");
    const before = readFileSync(at(".git/config"), "utf8");
    const done = await run(`
      git config core.fsmonitor evil; echo ../x > .git/commondir; mkdir -p .git/hooks .git/info; echo evil > .git/hooks/post-commit
      chmod +x .git/hooks/post-commit; echo '* filter=x' > .git/info/attributes; echo secret > .git/info/exclude; echo /x > .git/objects/info/alternates
      echo x > .git/config.worktree; ln -s /etc/passwd .git/FETCH_HEAD; mkdir -p .git/remotes; echo URL: ext::evil > .git/remotes/origin
      echo /tmp > .git/worktrees/other/commondir; mkdir .git/worktrees/new; echo /x > .git/worktrees/new/commondir; echo x > .git/worktrees/new/gitdir
      mkdir -p .git/rebase-merge; echo 'exec evil' > .git/rebase-merge/git-rebase-todo; mkdir -p .git/modules/m; echo x > .git/modules/m/config`);
    expect(done.code, done.stderr).toBe(0);
    expect(readFileSync(at(".git/config"), "utf8")).toBe(before);
    for (const path of [
      "commondir",
      "hooks/post-commit",
      "info/attributes",
      "objects/info/alternates",
      "config.worktree",
      "FETCH_HEAD",
      "remotes",
      "worktrees/new",
      "rebase-merge",
      "modules",
    ])
      expect(existsSync(at(`.git/${path}`)), path).toBe(false);
    expect(readFileSync(at(".git/worktrees/other/commondir"), "utf8").trim()).toBe("../..");
    expect(told(done).setAside).toEqual(
      expect.arrayContaining([
        ".git/config",
        ".git/commondir",
        ".git/hooks/post-commit",
        ".git/rebase-merge",
      ]),
    );
    expect(held()).toHaveLength(1);
  });

  it("T: an object under another's name, an index that lends one, and a replaced object do not come in", async () => {
    const blob = git("rev-parse", "HEAD:a.txt");
    const done = await run(`
      h=${blob}; f=.git/objects/\${h:0:2}/\${h:2}; o=$(echo evil | git hash-object -w --stdin); chmod u+w $f; cp -f .git/objects/\${o:0:2}/\${o:2} $f
      forged=0123456789012345678901234567890123456789; mkdir -p .git/objects/01; cp .git/objects/\${o:0:2}/\${o:2} .git/objects/01/\${forged:2}
      p=$(echo $o | git pack-objects -q .git/objects/pack/pack); i=.git/objects/pack/pack-$p.idx; chmod u+w $i
      FROM=$o TO=$h perl -0pi -e 's/\\Q@{[pack "H*", $ENV{FROM}]}\\E/pack "H*", $ENV{TO}/ge' $i
      git update-ref refs/replace/$h $o`);
    expect(done.code, done.stderr).toBe(0);
    expect(git("cat-file", "blob", blob)).toBe("one");
    expect(existsSync(at(".git/objects/01"))).toBe(false);
    expect(git("for-each-ref", "refs/replace")).toBe("");
    expect(git("fsck", "--strict", "--no-dangling")).toBe("");
    expect(told(done).setAside).toContain(`.git/refs/replace/${blob}`);
  });

  it("what the person committed meanwhile stays; the session's commit goes beside it", async () => {
    const session = place.start([
      "run",
      "--json",
      "--",
      "bash",
      "-ec",
      'git() { command git -c user.name=a -c user.email=a@b "$@"; }; echo x > s.txt; git add s.txt; git commit -qm session; echo ready; while [ ! -e go ]; do sleep 0.05; done',
    ]);
    await session.until("stdout", "ready");
    writeFileSync(at("mine.txt"), "mine\n");
    git("add", "mine.txt");
    git("commit", "-qm", "mine");
    writeFileSync(at("go"), "");
    const done = await session.finished;
    expect(git("log", "--format=%s", "main")).toBe("mine\nzero");
    const { session: id, setAside } = told(done);
    expect(git("log", "--format=%s", `refs/sallyport/${id}/heads/main`)).toBe("session\nzero");
    expect(setAside).toContain(".git/refs/heads/main");
    expect(git("ls-files")).toBe("a.txt\nmine.txt");
  });

  it.each<[string, string]>([
    ["the client", "client"],
    ["the station", "station"],
  ])("kill -9 of %s loses nothing that was committed", async (_who, who) => {
    const session = place.start([
      "run",
      "--",
      "bash",
      "-ec",
      'git() { command git -c user.name=a -c user.email=a@b "$@"; }; echo x > s.txt; git add s.txt; git commit -qm kept; git config core.fsmonitor evil; echo x > .envrc; echo ready; sleep 60',
    ]);
    await session.until("stdout", "ready");
    expect(git("log", "--format=%s", "main")).toBe("zero");
    const status = JSON.parse((await place.run(["status", "--json"])).stdout) as { pid: number };
    if (who === "client") session.child.kill("SIGKILL");
    else process.kill(status.pid, "SIGKILL");
    await session.finished;
    await place.run(["run", "-q", "--", "true"]);
    const log = await place.run(["log", "--events", "--json", "-n", "100"]);
    expect(log.stdout).toMatch(who === "client" ? /client-lost/ : /station-lost/);
    expect(git("log", "--format=%s", "main")).toBe("kept\nzero");
    expect(git("config", "--default", "none", "--get", "core.fsmonitor")).toBe("none");
    expect(existsSync(at(".envrc"))).toBe(false);
    expect(git("status", "--short")).toBe("");
  });
});

describe("what the host would obey", () => {
  it("T: made anew it is set aside, at any depth, by any way; what was there is read-only; packages are left alone", async () => {
    mkdirSync(at("sub/.vscode"), { recursive: true });
    writeFileSync(at("sub/.vscode/settings.json"), "{}\n");
    writeFileSync(at(".mcp.json"), "{}\n");
    const done = await run(`
      echo x > .envrc; mkdir -p .github/workflows deep/er/.claude node_modules/p/.vscode; echo x > .github/workflows/x.yml; echo x > deep/er/.claude/settings.json
      echo x > node_modules/p/.vscode/a; mkdir t; echo x > t/x; mv t deep/.cursor; echo x >> .mcp.json || true; echo x > sub/.vscode/tasks.json || true
      ln -s /etc/shadow out; ln -s ../../../etc up; ln -s /usr/bin/env ok; ln -s a.txt near; echo 'gitdir: /x' > deep/.git
      git init -q inner; git -C inner config core.pager evil; git -C inner config remote.origin.url https://example.test/x.git; git -C inner commit -q --allow-empty -m x
      mkdir -p bare/objects bare/refs; echo 'ref: refs/heads/m' > bare/HEAD; printf '[core]\\n\\tfsmonitor = evil\\n' > bare/config`);
    expect(done.code, done.stderr).toBe(0);
    expect([...told(done).setAside].sort()).toEqual(
      [
        ".envrc",
        ".github",
        "bare/config",
        "deep/.cursor",
        "deep/.git",
        "deep/er/.claude",
        "inner/.git/config",
        "out",
        "up",
      ].sort(),
    );
    for (const path of told(done).setAside.filter((path) => path !== "inner/.git/config"))
      expect(lstatSync(at(path), { throwIfNoEntry: false }), path).toBeUndefined();
    expect(readFileSync(at(".mcp.json"), "utf8")).toBe("{}\n");
    expect(readdirSync(at("sub/.vscode"))).toEqual(["settings.json"]);
    expect(existsSync(at("node_modules/p/.vscode/a"))).toBe(true);
    expect([existsSync(at("ok")), existsSync(at("near"))]).toEqual([true, true]);
    expect(git("-C", at("inner"), "config", "--get", "remote.origin.url")).toBe("https://example.test/x.git");
    expect(git("-C", at("inner"), "config", "--default", "none", "--get", "core.pager")).toBe("none");
    expect(git("-C", at("inner"), "log", "--format=%s")).toBe("x");
  });

  it("what a profile grants stays, and so does what was there before", async () => {
    symlinkSync("/etc", at("old"));
    const profile = join(place.folder, "granting.yaml");
    const ready = (await place.run(["profiles", "engineer"])).stdout;
    writeFileSync(
      profile,
      ready.replace("write: []", `write: ["${at(".vscode")}"]`).replace("name: engineer", "name: granting"),
    );
    const done = await run("mkdir .vscode; echo x > .vscode/tasks.json; touch old/x || true", [
      "--profile",
      profile,
    ]);
    expect(done.code, done.stderr).toBe(0);
    expect(told(done)).toMatchObject({ setAside: [], appeared: [] });
    expect(readFileSync(at(".vscode/tasks.json"), "utf8")).toBe("x\n");
    expect(lstatSync(at("old")).isSymbolicLink()).toBe(true);
  });
});
