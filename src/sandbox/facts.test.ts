import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, test } from "vitest";
import { type HostFacts, type MachineFacts, readHostFacts, type SandboxSpec, within } from "./facts.ts";

const MACHINE: MachineFacts = {
  platform: "linux",
  arch: "x64",
  uid: 1,
  gid: 1,
  home: "/home/ada",
  bubblewrap: null,
  rootEntries: {},
  etc: {},
  rootProc: { readOnly: [], masked: [] },
  memoryBytes: 1,
  helper: { path: null, why: "it was not built" },
  noOverlay: "no helper: it was not built",
  perl: null,
  node: "/node",
  prlimit: null,
  bash: true,
  javaStores: [],
};

let root: string;
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "sallyport-facts-")));
  put("work/README.md");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const at = (path: string): string => join(root, path);
const put = (path: string, text = ""): void => {
  mkdirSync(dirname(at(path)), { recursive: true });
  writeFileSync(at(path), text);
};
const read = (over: Partial<SandboxSpec> = {}): HostFacts =>
  readHostFacts(
    {
      program: [],
      workspace: at("work"),
      homeDirectory: root,
      read: [],
      write: [],
      hide: [],
      environment: {},
      caCertificate: "",
      caBundle: "",
      proxyPort: 1,
      nested: false,
      ...over,
    },
    MACHINE,
  );
const names = (facts: readonly { readonly path: string }[]): string[] =>
  facts.map((fact) => fact.path.slice(at("work").length + 1)).toSorted();

describe("hide patterns", () => {
  beforeEach(() => {
    for (const path of [
      ".env",
      ".env.local",
      "envy",
      "a/.env",
      "a/b/.env",
      "a/b/key.pem",
      "node_modules/x/.env",
      ".git/.env",
    ])
      put(`work/${path}`);
  });
  test.each<[string, string[]]>([
    [".env", [".env"]],
    ["missing", ["missing"]],
    [".env.*", [".env.local"]],
    [".env*", [".env", ".env.local"]],
    ["**/.env", [".env", "a/.env", "a/b/.env"]],
    ["a/*/*.pem", ["a/b/key.pem"]],
    ["**/b", ["a/b"]],
    ["a/**", ["a"]],
    ["**/nothing*", ["**/nothing*"]],
  ])("%s", (pattern, want) => {
    expect(names(read({ hide: [pattern] }).hidden)).toEqual(want);
  });

  it("a pattern's dots and brackets are themselves, not a regular expression", () => {
    put("work/xenv");
    put("work/a[1].txt");
    expect(names(read({ hide: [".en*", "a[1]*"] }).hidden)).toEqual([".env", ".env.local", "a[1].txt"]);
  });
});

describe("links", () => {
  it("a path's end is told, and what is no file is missing", () => {
    put("elsewhere/secret");
    symlinkSync(at("elsewhere"), at("work/door"));
    symlinkSync("loop", at("work/loop"));
    const { read: found } = read({ read: ["door/secret", "loop", "nothing"] });
    expect(found.map((fact) => [fact.kind, fact.real])).toEqual([
      ["file", at("elsewhere/secret")],
      ["missing", null],
      ["missing", null],
    ]);
  });

  it("a workspace that is no directory is refused", () => {
    expect(() => read({ workspace: at("work/README.md") })).toThrow("it is not a directory");
    expect(() => read({ workspace: at("nothing") })).toThrow("it is not a directory");
  });
});

describe("git", () => {
  const git = (...args: string[]): void => {
    execFileSync("git", ["-C", at("work"), "-c", "user.name=a", "-c", "user.email=a@b", ...args], {
      env: { PATH: process.env["PATH"], HOME: root },
    });
  };

  it("what makes git run programs, and what its configuration names in the workspace", () => {
    git("init", "-q");
    git("config", "core.hooksPath", ".husky/_");
    git("config", "include.path", "../tools/git.inc");
    git("config", "core.fsmonitor", "/usr/bin/watchman");
    put("work/.husky/_/pre-commit");
    put("work/tools/git.inc");
    const facts = read();
    expect(names(facts.git?.executable ?? [])).toEqual([
      ".git/config",
      ".git/hooks",
      ".git/info",
      ".husky/_",
      "tools/git.inc",
    ]);
    expect(names(facts.parents)).toEqual([".git", ".husky", "tools"]);
  });

  it("T: a .git file is followed only where the repository points back", () => {
    execFileSync("git", ["init", "-q", at("other")]);
    put("work/.git", `gitdir: ${at("other/.git")}\n`);
    expect(read().git?.directories).toEqual([]);
  });

  it("T: a forged commondir does not open another repository", () => {
    execFileSync("git", ["init", "-q", at("other")]);
    put("work/fake/HEAD", "ref: refs/heads/main\n");
    put("work/fake/commondir", `${at("other/.git")}\n`);
    put("work/fake/gitdir", `${at("work/.git")}\n`);
    put("work/.git", `gitdir: ${at("work/fake")}\n`);
    expect(read().git?.directories).toEqual([]);
  });

  it("a linked worktree has its own directory and the shared one", () => {
    git("init", "-q");
    git("commit", "-q", "--allow-empty", "-m", "zero");
    git("worktree", "add", "-q", at("linked"), "-b", "branch");
    const { git: found } = read({ workspace: at("linked") });
    expect(found?.directories.map((d) => d.real)).toEqual([
      at("work/.git/worktrees/linked"),
      at("work/.git"),
    ]);
    expect(found?.executable.map((f) => f.path)).toContain(at("work/.git/config"));
    expect(found?.executable.map((f) => f.path)).not.toContain(at("work/.git/worktrees/linked"));
  });
});

test.each([
  ["/a/b", "/a", true],
  ["/a", "/a", true],
  ["/ab", "/a", false],
  ["/a", "/a/b", false],
  ["/a", "/", true],
])("within(%s, %s) is %s", (path, ancestor, want) => {
  expect(within(path, ancestor)).toBe(want);
});
