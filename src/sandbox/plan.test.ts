import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, test } from "vitest";
import { Fault } from "../core/index.ts";
import type { HostFacts, PathFact, SandboxSpec } from "./facts.ts";
import { INSIDE, planSandbox, type SandboxPlan } from "./plan.ts";

const GOLDEN = join(import.meta.dirname, "../../test/golden/sandbox");

let inodes = 0;
const fact = (path: string, kind: PathFact["kind"] = "directory", real = path): PathFact => ({
  path,
  real: kind === "missing" ? null : real,
  kind,
  device: 64,
  inode: ++inodes,
});

const HELPER = {
  path: "/opt/sallyport/helper/build/sallyport-helper-x64",
  sources: "",
  sha256: "",
  compiler: "",
  arch: "x64",
};

const spec = (over: Partial<SandboxSpec> = {}): SandboxSpec => ({
  program: ["claude", "-p", "say hi"],
  workspace: "/home/ada/payments",
  homeDirectory: "/home/ada/.local/state/sallyport/homes/claude",
  read: [],
  write: [],
  hide: [],
  environment: { TERM: "xterm-256color", HTTPS_PROXY: "http://127.0.0.1:3128" },
  caCertificate: "/home/ada/.local/state/sallyport/s/1/ca.pem",
  caBundle: "/home/ada/.local/state/sallyport/s/1/bundle.pem",
  proxyPort: 3128,
  nested: false,
  ...over,
});

const facts = (over: Partial<HostFacts> = {}): HostFacts => {
  inodes = 0;
  return {
    platform: "linux",
    arch: "x64",
    uid: 1001,
    gid: 1001,
    home: "/home/ada",
    bubblewrap: { path: "/usr/bin/bwrap", version: "0.8.0" },
    rootEntries: { bin: "usr/bin", sbin: "usr/sbin", lib: "usr/lib", lib64: "usr/lib64" },
    etc: {
      alternatives: null,
      "ld.so.cache": null,
      localtime: "/usr/share/zoneinfo/Etc/UTC",
      "ssl/openssl.cnf": null,
    },
    rootProc: { readOnly: [], masked: [] },
    memoryBytes: 16 * 1024 ** 3,
    helper: { path: null, why: "it was not built" },
    noOverlay: "no helper: it was not built",
    perl: "/usr/bin/perl",
    node: "/opt/node/bin/node",
    prlimit: "/usr/bin/prlimit",
    bash: true,
    javaStores: [],
    workspace: { ...fact("/home/ada/payments"), owner: 1001 },
    homeDirectory: fact("/home/ada/.local/state/sallyport/homes/claude"),
    read: [],
    write: [],
    hidden: [],
    covered: [],
    protect: [],
    git: null,
    inner: [],
    guarded: [],
    parents: [fact("/home/ada/payments/conf"), fact("/home/ada/payments/conf/deep")],
    ...over,
  };
};

const repository = (): Partial<HostFacts> => ({
  git: {
    entry: fact("/home/ada/payments/.git"),
    directories: [fact("/home/ada/payments/.git")],
    executable: [
      fact("/home/ada/payments/.git/config", "file"),
      fact("/home/ada/payments/.git/hooks"),
      fact("/home/ada/payments/.git/info"),
    ],
  },
  guarded: [fact("/home/ada/payments/.vscode"), fact("/home/ada/payments/.envrc", "file")],
});

/** One argument list a person can read: an option and its operands per line. */
function print(plan: SandboxPlan): string {
  const lines: string[] = [];
  for (const arg of plan.bwrapArgs)
    if (arg.startsWith("--")) lines.push(arg);
    else lines.push(`${lines.pop()} ${arg}`);
  const joined = lines.join("\n").replaceAll(/\n(--(?:file|tmpfs|dir|symlink)\b)/g, " $1");
  return [
    `spawn ${JSON.stringify([plan.file, ...plan.args])}`,
    `cwd ${plan.cwd}`,
    ...Object.entries(plan.environment).map(([name, value]) => `env ${name}=${value}`),
    joined,
    ...plan.descriptors.map(({ fd, text }) => `# descriptor ${fd}\n${text.trimEnd().replaceAll("\0", "␀")}`),
    ...plan.explain.map((line) => `explain ${line}`),
    "",
  ].join("\n");
}

const fault = (action: () => unknown): Fault => {
  try {
    action();
  } catch (thrown) {
    if (thrown instanceof Fault) return thrown;
    throw thrown;
  }
  throw new Error("nothing was thrown");
};

describe("the plan is what was reviewed", () => {
  test.each<[string, () => [SandboxSpec, HostFacts]]>([
    ["plain", () => [spec(), facts()]],
    [
      "repository",
      () => [
        spec({ hide: [".env", "conf/.env"] }),
        facts({
          ...repository(),
          hidden: [
            fact("/home/ada/payments/.env", "file"),
            fact("/home/ada/payments/conf/.env", "file"),
            fact("/home/ada/payments/secrets"),
          ],
        }),
      ],
    ],
    [
      "helper",
      () => [
        spec({ javaStore: "/home/ada/.local/state/sallyport/s/1/cacerts" }),
        facts({
          helper: HELPER,
          javaStores: ["/etc/ssl/certs/java/cacerts", "/usr/lib/jvm/temurin-25/lib/security/cacerts"],
        }),
      ],
    ],
    [
      "overlays",
      () => [
        spec({
          hide: ["conf/.env"],
          hold: {
            folder: "/home/ada/.local/state/sallyport/held/0a1b2c3d",
            isWhole: true,
            tag: "sallyport-0a1b2c3d",
          },
        }),
        facts({
          ...repository(),
          helper: HELPER,
          noOverlay: null,
          hidden: [fact("/home/ada/payments/conf/.env", "file")],
        }),
      ],
    ],
    [
      "helper-recording",
      () => [
        spec({ record: { socket: "/run/user/1001/sallyport/s/1/record.sock", reads: true, goesOn: false } }),
        facts({ helper: HELPER }),
      ],
    ],
    [
      "root",
      () => [
        spec(),
        facts({
          uid: 0,
          gid: 0,
          home: "/root",
          workspace: { ...fact("/srv/payments"), owner: 0 },
          rootProc: { readOnly: ["/proc/sys"], masked: ["/proc/kmsg", "/proc/slabinfo"] },
        }),
      ],
    ],
    ["nested", () => [spec({ nested: true }), facts()]],
    [
      "grants",
      () => [
        spec(),
        facts({
          ...repository(),
          read: [
            fact("/opt/claude"),
            fact("/home/ada/bin/claude", "file", "/opt/claude/bin/claude"),
            fact("/home/ada/gone", "missing"),
          ],
          write: [fact("/home/ada/payments/.vscode"), fact("/home/ada/.cache/pip")],
        }),
      ],
    ],
    ["arm64-without-perl", () => [spec(), facts({ arch: "arm64", perl: null })]],
    ["none", () => [spec({ mode: "none", proxyPort: 40123 }), facts()]],
  ])("%s", (name, make) => {
    const text = print(planSandbox(...make()));
    const file = join(GOLDEN, `${name}.txt`);
    if (process.env["UPDATE"] === "1") {
      mkdirSync(GOLDEN, { recursive: true });
      writeFileSync(file, text);
    }
    expect(text).toBe(readFileSync(file, "utf8"));
  });

  it("is plain data: the station's plan and the client's are the same after JSON", () => {
    const plan = planSandbox(spec(), facts(repository()));
    expect(JSON.parse(JSON.stringify(plan))).toEqual(plan);
  });
});

describe("a workspace that would open the wall is refused", () => {
  const at = (path: string, over: Partial<HostFacts> = {}): Fault =>
    fault(() =>
      planSandbox(spec({ workspace: path }), facts({ workspace: { ...fact(path), owner: 1001 }, ...over })),
    );
  test.each([
    ["/", "home directory"],
    ["/home", "home directory"],
    ["/home/ada", "home directory"],
    ["/etc/nginx", "part of the system"],
    ["/usr", "part of the system"],
    ["/proc/self", "part of the system"],
    ["/dev", "part of the system"],
    ["/home/ada/.local/state/sallyport", "Sallyport's own files"],
    ["/home/ada/.local/state/sallyport/homes/claude", "Sallyport's own files"],
    ["/home/ada/.local", "Sallyport's own files"],
  ])("%s", (path, why) => {
    const found = at(path);
    expect(found.code).toBe("sandbox.workspace");
    expect(found.message).toContain(why);
    expect(found.remedy).not.toBe("");
  });

  it("lies inside protected files", () => {
    expect(at("/srv/ledger/x", { protect: ["/srv/ledger"] }).message).toContain(
      "lies in Sallyport's own files",
    );
  });

  it("belongs to somebody else while root runs it", () => {
    const found = at("/srv/payments", { uid: 0, gid: 0, home: "/root" });
    expect(found.message).toContain("belongs to user 1001");
    expect(found.remedy).toContain("sudo -u '#1001'");
  });
});

describe("a grant that would open the wall is refused", () => {
  test.each([
    ["/home/ada"],
    ["/"],
    ["/etc"],
    ["/run"],
    ["/var"],
    ["/home/ada/.local/state/sallyport/keys"],
    ["/home/ada/.local/state"],
  ])("%s", (path) => {
    const protect = ["/home/ada/.local/state/sallyport/keys"];
    expect(fault(() => planSandbox(spec(), facts({ protect, read: [fact(path)] }))).code).toBe(
      "sandbox.grant",
    );
    expect(fault(() => planSandbox(spec(), facts({ protect, write: [fact(path)] }))).code).toBe(
      "sandbox.grant",
    );
  });

  it("a link to a private directory is judged by its end", () => {
    const read = [fact("/opt/innocent", "directory", "/home/ada")];
    expect(fault(() => planSandbox(spec(), facts({ read }))).code).toBe("sandbox.grant");
  });

  it("T: a link in the repository does not choose what a grant of that name opens", () => {
    const link = [fact("/home/ada/payments/vendor", "directory", "/home/ada/.ssh")];
    for (const over of [{ read: link }, { write: link }]) {
      const plan = planSandbox(spec(), facts(over));
      expect(plan.bwrapArgs.join(" ")).not.toContain(".ssh");
      expect(plan.explain.join("\n")).toContain("vendor: leads out of the workspace, left out");
    }
  });
});

describe("a machine that cannot hold the promise is refused", () => {
  test.each<[string, Partial<HostFacts>, string]>([
    ["no bubblewrap", { bubblewrap: null }, "not installed"],
    ["old bubblewrap", { bubblewrap: { path: "/usr/bin/bwrap", version: "0.4.1" } }, "too old"],
    ["another platform", { platform: "darwin" }, "darwin"],
    ["another processor", { arch: "riscv64" }, "riscv64"],
    ["no way to set limits", { perl: null, prlimit: null }, "no limit can be set"],
  ])("%s", (_name, over, why) => {
    const found = fault(() => planSandbox(spec(), facts(over)));
    expect(found.code).toBe("sandbox.unavailable");
    expect(found.kind.exitCode).toBe(3);
    expect(found.message).toContain(why);
  });
});

describe("laws of the argument list", () => {
  const args = planSandbox(
    spec(),
    facts({
      ...repository(),
      hidden: [fact("/home/ada/payments/conf/deep/.env", "file")],
      read: [fact("/opt/tools")],
    }),
  ).bwrapArgs;
  const at = (...wanted: string[]): number =>
    args.findIndex((_, i) => wanted.every((word, j) => args[i + j] === word));

  it("the workspace comes before what is pinned in it, and pins before masks", () => {
    const workspace = at("--bind", "/home/ada/payments", "/home/ada/payments");
    const git = at("--bind", "/home/ada/payments/.git", "/home/ada/payments/.git");
    const config = at("--ro-bind", "/home/ada/payments/.git/config", "/home/ada/payments/.git/config");
    const pin = at("--bind", "/home/ada/payments/conf", "/home/ada/payments/conf");
    const mask = at("--ro-bind", "/dev/null", "/home/ada/payments/conf/deep/.env");
    expect([workspace, git, config]).toEqual([workspace, git, config].toSorted((a, b) => a - b));
    expect(Math.min(workspace, git, config, pin, mask)).toBeGreaterThan(0);
    expect(pin).toBeLessThan(mask);
  });

  it("every namespace, no privileges, no new session, nothing by --setenv or --clearenv", () => {
    for (const option of ["user", "pid", "ipc", "uts", "net"]) expect(args).toContain(`--unshare-${option}`);
    expect(args).toEqual(expect.arrayContaining(["--disable-userns", "--cap-drop", "--die-with-parent"]));
    for (const option of ["--new-session", "--setenv", "--clearenv", "--share-net"])
      expect(args).not.toContain(option);
    expect(args.join(" ")).not.toMatch(/--(ro-)?bind \/ /);
  });

  it("a link at a guarded name is never bound: its end could be a private directory", () => {
    const plan = planSandbox(
      spec(),
      facts({ guarded: [fact("/home/ada/payments/.vscode", "directory", "/home/ada/.ssh")] }),
    );
    expect(plan.bwrapArgs.join(" ")).not.toContain(".ssh");
    expect(plan.explain).toContain("guard /home/ada/payments/.vscode: is a link, not guarded");
  });

  it("whoever looks the workspace over at the end knows what was granted, and what could not be written", () => {
    const write = [fact("/home/ada/payments"), fact("/home/ada/payments/.vscode", "missing")];
    const plan = planSandbox(spec(), facts({ ...repository(), write, read: [fact("/opt/claude")] }));
    expect(plan.atEnd.granted).toEqual(["/home/ada/payments/.vscode"]);
    expect(plan.atEnd.untouched).toEqual([
      "/home/ada/payments/.git/config",
      "/home/ada/payments/.git/hooks",
      "/home/ada/payments/.git/info",
      "/home/ada/payments/.envrc",
    ]);
    expect(plan.atEnd.shown).toContain("/opt/claude");
  });

  it("where it can be, a repository is copy-on-write and needs no guard; a whole workspace needs none at all", () => {
    const can = { ...repository(), helper: HELPER, noOverlay: null };
    const hold = { folder: "/state/held/0a1b2c3d", isWhole: false, tag: "sallyport-0a1b2c3d" };
    const plan = planSandbox(spec({ hold }), facts(can));
    expect(plan.overlays.map(({ kind, at, upper }) => [kind, at, upper])).toEqual([
      ["git", "/home/ada/payments/.git", "/state/held/0a1b2c3d/git-0/up"],
    ]);
    expect(plan.bwrapArgs).not.toContain("/home/ada/payments/.git/config");
    expect(plan.bwrapArgs).toContain("/home/ada/payments/.envrc");
    expect(plan.descriptors.at(-1)?.text ?? "").not.toContain("/home/ada/payments/.git");
    const whole = planSandbox(spec({ hold: { ...hold, isWhole: true } }), facts(can));
    expect(whole.overlays.map(({ kind, name }) => [kind, name])).toEqual([
      ["tree", "tree"],
      ["git", "git-1"],
    ]);
    expect(whole.bwrapArgs).not.toContain("/home/ada/payments/.envrc");
  });

  it("a review that the machine cannot hold back is refused, not skipped", () => {
    const hold = { folder: "/state/held/0a1b2c3d", isWhole: true, tag: "sallyport-0a1b2c3d" };
    expect(fault(() => planSandbox(spec({ hold }), facts()))).toMatchObject({
      code: "sandbox.unavailable",
      detail: expect.stringContaining("no helper"),
    });
  });

  it("what is guarded and hidden is covered, and nobody looks for the file beneath the cover", () => {
    const envrc = fact("/home/ada/payments/.envrc", "file");
    const plan = planSandbox(spec(), facts({ ...repository(), hidden: [envrc] }));
    expect(plan.bwrapArgs.filter((arg) => arg === envrc.path)).toHaveLength(1);
    expect(plan.descriptors.at(-1)?.text).not.toContain(".envrc");
    expect(plan.descriptors.at(-1)?.text).toContain(".vscode");
  });

  it("a covered file has the plan's text, read-only, and is neither guarded nor looked for beneath it", () => {
    const settings = { ...fact("/home/ada/payments/.mcp.json", "file"), text: "{}" };
    const hooks = { ...fact("/home/ada/payments/.github/hooks"), text: null };
    const elsewhere = { ...fact("/home/ada/payments/opencode.json", "file", "/home/ada/x.json"), text: "{}" };
    const plan = planSandbox(
      spec(),
      facts({
        covered: [settings, hooks, elsewhere],
        guarded: [settings, fact("/home/ada/payments/.github")],
      }),
    );
    const args = plan.bwrapArgs;
    const at = args.indexOf(settings.path);
    expect(args.slice(at - 4, at - 1)).toEqual(["--perms", "0444", "--ro-bind-data"]);
    expect(plan.descriptors.find(({ fd }) => String(fd) === args[at - 1])?.text).toBe("{}");
    expect(args.filter((arg) => arg === settings.path)).toHaveLength(1);
    expect(args.indexOf("/home/ada/payments/.github")).toBeLessThan(args.indexOf(hooks.path));
    expect(args.slice(args.indexOf(hooks.path) - 1, args.indexOf(hooks.path))).toEqual(["--tmpfs"]);
    expect(args.join(" ")).not.toContain("/home/ada/x.json");
  });

  it("an agent's settings lie below /etc for everybody to read, and never on the host", () => {
    const files = [{ path: "/etc/codex/deep/requirements.toml", text: "x = 1\n" }];
    const plan = planSandbox(spec({ files }), facts());
    const at = plan.bwrapArgs.indexOf("/etc/codex/deep/requirements.toml");
    const fd = Number(plan.bwrapArgs[at - 1]);
    expect(plan.bwrapArgs.slice(at - 12, at - 1)).toEqual([
      ...["--perms", "0755", "--dir", "/etc/codex", "--perms", "0755", "--dir", "/etc/codex/deep"],
      ...["--perms", "0444", "--file"],
    ]);
    expect(plan.descriptors.find((one) => one.fd === fd)?.text).toBe("x = 1\n");
    expect(planSandbox(spec({ files, mode: "none" }), facts()).descriptors).toEqual([]);
  });

  it("hiding nothing is told, hiding everything is refused", () => {
    const nothing = planSandbox(
      spec(),
      facts({ hidden: [fact("/home/ada/payments/.env.{a,b}", "missing")] }),
    );
    expect(nothing.explain).toContain("hide /home/ada/payments/.env.{a,b}: nothing there now");
    for (const path of ["/home/ada/payments", "/home/ada", "/"])
      expect(fault(() => planSandbox(spec(), facts({ hidden: [fact(path)] }))).code).toBe("sandbox.hide");
  });

  it("what is hidden but not visible anyway is not mounted", () => {
    const plan = planSandbox(spec(), facts({ hidden: [fact("/home/ada/.env", "file")] }));
    expect(plan.bwrapArgs.join(" ")).not.toContain("/home/ada/.env");
  });

  it("the program's environment has the home inside and nothing of the caller's", () => {
    const { environment } = planSandbox(spec({ environment: { HOME: "/home/ada", X: "1" } }), facts());
    expect(environment).toMatchObject({ HOME: INSIDE.home, USER: "agent", TMPDIR: "/tmp", X: "1" });
  });

  it("T: variables that load code reach the program, but not bubblewrap and the shell outside", () => {
    const environment = {
      LD_PRELOAD: "./evil.so",
      "BASH_FUNC_trap%%": "() { evil; }",
      PERL5OPT: "-Mevil",
      TERM: "xterm",
    };
    const plan = planSandbox(spec({ environment }), facts());
    expect(plan.environment).toMatchObject({ TERM: "xterm" });
    expect(Object.keys(plan.environment).filter((name) => /^(LD_|BASH_FUNC|PERL5)/.test(name))).toEqual([]);
    expect(plan.environment["SALLYPORT_LATER_LD_PRELOAD"]).toBe("./evil.so");
  });

  it("root appears as a plain user, anybody else as themselves", () => {
    const ids = (uid: number): string => {
      const owner = { ...fact("/srv/payments"), owner: uid };
      const { bwrapArgs } = planSandbox(spec(), facts({ uid, gid: uid, home: "/h", workspace: owner }));
      return bwrapArgs[bwrapArgs.indexOf("--uid") + 1] ?? "";
    };
    expect([ids(0), ids(1234)]).toEqual(["1000", "1234"]);
  });
});
