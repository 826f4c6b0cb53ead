/**
 * The wall with real bubblewrap, as whoever runs the tests; when that is root, everything once more as a plain user.
 * Each test is a promise or an attack. Programs inside are sh, bash and perl.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it, test } from "vitest";
import { type HostFacts, probeMachine, readMachineFacts, type SandboxSpec } from "../../src/sandbox/index.ts";
import type { Orders } from "../system/sandbox-driver.ts";

const DRIVER = join(import.meta.dirname, "../system/sandbox-driver.ts");
const machine = readMachineFacts();
const isRoot = machine.uid === 0;
const PLAIN = 54_321; // needs no account: the kernel knows numbers only
const LATE_MS = 20_000;
const NO_HELPER = { path: null, why: "this test is about what stands in for it" } as const;

const hasGroups = (await probeMachine()).controls.some((c) => c.id === "memory" && c.state === "enforced");

/** What this run cannot check, said once and loudly. */
const unguarded: string[] = [];
if (machine.bubblewrap === null) throw new Error("bubblewrap is not installed: nothing here can be checked");
if (machine.perl === null)
  unguarded.push("perl is missing: attacks written in perl, and the quick first stage");
if (!existsSync("/usr/bin/script")) unguarded.push("script(1) is missing: everything about the terminal");
if (!hasGroups) unguarded.push("no control group is ours: limits of memory, and of root's processes");
if (!isRoot) unguarded.push("not root: root's own sessions, a filler of the disk");
for (const line of unguarded) process.stderr.write(`\n!!! NOT CHECKED: ${line}\n`);

interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

describe.each<[string, number | null, boolean]>([
  ["as whoever runs the tests", null, false],
  ...(isRoot ? [["as a plain user", PLAIN, false] as [string, number | null, boolean]] : []),
  ["with Node as the first stage", isRoot ? PLAIN : null, true],
])("%s", (_title, uid, byNode) => {
  let root: string;
  let workspace: string;
  let home: string;
  let listener: Server;
  let port: number;
  let abstract: Server;
  const running = new Set<ChildProcess>();
  const abstractName = `sallyport-test-${process.pid}-${uid}-${byNode}`;

  const mine = (path: string): string => {
    if (uid !== null) chownSync(path, uid, uid);
    return path;
  };
  const file = (path: string, text: string, mode = 0o644): string => {
    writeFileSync(path, text, { mode });
    return mine(path);
  };
  const folder = (path: string): string => {
    mkdirSync(path, { recursive: true });
    return mine(path);
  };

  beforeAll(async () => {
    listener = createServer((socket) => socket.end("host secret\n"));
    await new Promise<void>((resolve) => listener.listen(0, resolve));
    const address = listener.address();
    port = typeof address === "object" && address !== null ? address.port : 0;
    abstract = createServer((socket) => socket.end("host secret\n"));
    await new Promise<void>((resolve) => abstract.listen({ path: `\0${abstractName}` }, resolve));
  });
  afterAll(() => {
    listener.close();
    abstract.close();
  });
  beforeEach(() => {
    root = mine(mkdtempSync(join(tmpdir(), "sallyport-wall-")));
    workspace = folder(join(root, "work"));
    home = folder(join(root, "person"));
    folder(join(home, ".ssh"));
    file(join(home, ".ssh/id_ed25519"), "host secret\n");
    folder(join(root, "agent-home"));
    file(join(root, "ca.pem"), "certificate\n");
    file(join(root, "bundle.pem"), "bundle\n");
    return () => {
      for (const child of running) child.kill("SIGKILL");
      rmSync(root, { recursive: true, force: true });
    };
  });

  function orders(program: readonly string[], spec: Partial<SandboxSpec>, more: Partial<Orders>): string {
    const whole: Orders = {
      spec: {
        program,
        workspace,
        homeDirectory: join(root, "agent-home"),
        read: [],
        write: [],
        hide: [],
        environment: { TERM: "xterm", SAID: "aloud" },
        caCertificate: join(root, "ca.pem"),
        caBundle: join(root, "bundle.pem"),
        proxyPort: 3128,
        nested: false,
        ...spec,
      },
      facts: byNode ? ({ helper: NO_HELPER, perl: null } satisfies Partial<HostFacts>) : {},
      ...more,
    };
    return JSON.stringify(whole);
  }

  const environment = (): NodeJS.ProcessEnv => ({
    PATH: process.env["PATH"],
    HOME: home,
    SECRET_TOKEN: "host secret",
    AWS_SECRET_ACCESS_KEY: "host secret",
    SSH_AUTH_SOCK: "/run/agent.sock",
  });
  const identity = () => (uid === null ? {} : { uid, gid: uid });

  function start(program: readonly string[], spec: Partial<SandboxSpec> = {}, more: Partial<Orders> = {}) {
    const child = spawn(process.execPath, [DRIVER, orders(program, spec, more)], {
      env: environment(),
      stdio: ["pipe", "pipe", "pipe"],
      ...identity(),
    });
    return watch(child);
  }

  /** On a terminal of its own, which `script` makes; what is typed goes to its standard input. */
  function startOnTerminal(program: readonly string[]) {
    const quoted = [process.execPath, DRIVER, orders(program, {}, {})].map(
      (word) => `'${word.replaceAll("'", `'\\''`)}'`,
    );
    const child = spawn("/usr/bin/script", ["-qefc", `exec ${quoted.join(" ")}`, "/dev/null"], {
      env: { ...environment(), SHELL: "/bin/sh" },
      stdio: ["pipe", "pipe", "pipe"],
      ...identity(),
    });
    return watch(child);
  }

  function watch(child: ChildProcess) {
    running.add(child);
    let [out, err] = ["", ""];
    const listeners = new Set<() => void>();
    child.stdout?.on("data", (chunk) => {
      out += chunk;
      for (const look of listeners) look();
    });
    child.stderr?.on("data", (chunk) => {
      err += chunk;
      for (const look of listeners) look();
    });
    const ended = new Promise<Ran>((resolve) => {
      child.once("close", (code) => {
        running.delete(child);
        resolve({ code, out, err });
      });
    });
    /** Resolves when the text has been printed; rejects when the program ended without. */
    const printed = (text: string): Promise<void> =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (out.includes(text) || err.includes(text)) resolve();
        };
        listeners.add(look);
        look();
        void ended.then((ran) => reject(new Error(`ended without \`${text}\`: ${JSON.stringify(ran)}`)));
      });
    return { child, ended, printed };
  }

  const run = (
    program: readonly string[],
    spec?: Partial<SandboxSpec>,
    more?: Partial<Orders>,
  ): Promise<Ran> => start(program, spec, more).ended;
  const sh = (script: string, spec?: Partial<SandboxSpec>): Promise<Ran> => run(["bash", "-c", script], spec);
  const perl = (script: string): Promise<Ran> => run(["perl", "-e", script]);

  describe("files", () => {
    it("the workspace can be written, and what is written belongs to the person", async () => {
      const ran = await sh("echo text > new && mkdir d && mv new d/new && cat d/new");
      expect(ran).toEqual({ code: 0, out: "text\n", err: "" });
      expect(statSync(join(workspace, "d/new")).uid).toBe(uid ?? machine.uid);
    });

    it("the person's home, other files and the host's /tmp cannot be seen", async () => {
      file(join(root, "outside"), "host secret\n");
      const ran = await sh(
        `cat '${home}/.ssh/id_ed25519' '${root}/outside'; ls '${home}' '${root}/agent-home'; true`,
      );
      expect(ran.out).toBe("");
      expect(ran.err.match(/No such file/g)).toHaveLength(4);
    });

    it("a link out of the workspace leads nowhere", async () => {
      symlinkSync(join(home, ".ssh"), join(workspace, "door"));
      expect((await sh("cat door/id_ed25519")).code).toBe(1);
    });

    it("home, /tmp, /run and /dev/shm are private, the system is read-only", async () => {
      const ran = await sh(`
        for d in /home/agent /tmp /var/tmp /run /dev/shm; do echo x > $d/mark || echo "$d not writable"; done
        for d in / /usr /usr/bin /etc /dev /home /etc/sallyport /proc/sys/kernel; do (echo x > $d/mark) 2>/dev/null && echo "$d writable"; done
        echo HOME=$HOME; whoami; hostname`);
      expect(ran.out).toBe("HOME=/home/agent\nagent\nsallyport\n");
      expect(readdirSync(join(root, "agent-home"))).toEqual(["mark"]);
      expect(existsSync("/tmp/mark")).toBe(false);
      expect(existsSync("/dev/shm/mark")).toBe(false);
    });

    it("private keys and registry tokens under /etc are not there", async () => {
      const ran = await sh(
        "ls -d /etc/shadow /etc/ssl/private /etc/ssh /etc/npmrc /etc/pip.conf /etc/sudoers 2>/dev/null; true",
      );
      expect(ran.out).toBe("");
    });

    it("the session's certificates are where programs look", async () => {
      const ran = await sh(
        "cat /etc/sallyport/ca.pem /etc/sallyport/ca-bundle.pem /etc/ssl/certs/ca-certificates.crt /etc/ssl/cert.pem",
      );
      expect(ran.out).toBe("certificate\nbundle\nbundle\nbundle\n");
    });

    it("hidden files cannot be read, uncovered by moving their directory, or reached by a link", async () => {
      file(join(workspace, ".env"), "host secret\n");
      folder(join(workspace, "conf"));
      file(join(workspace, "conf/.env"), "host secret\n");
      folder(join(workspace, "private"));
      file(join(workspace, "private/key"), "host secret\n");
      const ran = await sh(
        `cat .env conf/.env private/key; mv conf conf2; ln -s . loop; cat loop/conf/.env; ln .env hard; cat hard conf2/.env; rm -f .env; rm -rf conf private; echo end`,
        { hide: [".env", "**/.env", "private", "missing", "missing/**/x"] },
      );
      expect(ran.out).toBe("end\n");
      expect(readFileSync(join(workspace, "conf/.env"), "utf8")).toBe("host secret\n");
      expect(readFileSync(join(workspace, ".env"), "utf8")).toBe("host secret\n");
    });

    it("masking creates nothing in the workspace, neither during nor after the session", async () => {
      const session = start(["bash", "-c", "ls -A; echo seen; read line"], {
        hide: [".env", "conf/.env", "secrets", ".env.*"],
      });
      await session.printed("seen");
      expect(readdirSync(workspace)).toEqual([]);
      session.child.stdin?.end("\n");
      expect((await session.ended).out).toBe("seen\n");
      expect(readdirSync(workspace)).toEqual([]);
    });

    it("git's own configuration and hooks, and what editors run, are read-only; commits work", async () => {
      const git = (...args: string[]): string =>
        execFileSync(
          "git",
          ["-c", "safe.directory=*", "-c", "user.name=a", "-c", "user.email=a@b", "-C", workspace, ...args],
          { encoding: "utf8" },
        );
      git("init", "-q");
      execFileSync("chown", ["-R", String(uid ?? machine.uid), workspace]);
      folder(join(workspace, ".vscode"));
      file(join(workspace, ".envrc"), "");
      const ran = await sh(`
        git config core.fsmonitor evil; echo x > .git/hooks/post-checkout; echo x >> .git/info/attributes; mv .git away
        mkdir -p .git/hooks; echo x > .vscode/tasks.json; echo x >> .envrc; rm -rf .vscode; mv .envrc gone; ln -s x .git/config
        echo text > a && git add a && git -c user.name=a -c user.email=a@b commit -qm one && git log --format=%s`);
      expect(ran.out).toBe("one\n");
      expect(readdirSync(join(workspace, ".git/hooks"))).not.toContain("post-checkout");
      expect(readFileSync(join(workspace, ".git/config"), "utf8")).not.toContain("evil");
      expect(readdirSync(join(workspace, ".vscode"))).toEqual([]);
      expect(readFileSync(join(workspace, ".envrc"), "utf8")).toBe("");
      expect(git("log", "--format=%s").trim()).toBe("one");
    });

    it("hooks that the repository's configuration keeps in the tree are read-only, other worktrees too", async () => {
      const git = (...args: string[]): string =>
        execFileSync(
          "git",
          ["-c", "safe.directory=*", "-c", "user.name=a", "-c", "user.email=a@b", "-C", workspace, ...args],
          { encoding: "utf8" },
        );
      git("init", "-q");
      git("config", "core.hooksPath", "tools/hooks");
      git("config", "include.path", "../settings.inc");
      folder(join(workspace, "tools/hooks"));
      file(join(workspace, "settings.inc"), "");
      git("commit", "-q", "--allow-empty", "-m", "zero");
      git("worktree", "add", "-q", join(root, "other"), "-b", "branch");
      execFileSync("chown", ["-R", String(uid ?? machine.uid), workspace, join(root, "other")]);
      const ran = await sh(
        "echo x > tools/hooks/pre-commit; mv tools away; mv .git/worktrees .git/away; mkdir -p tools/hooks && echo x > tools/hooks/pre-commit; echo x >> settings.inc; echo /tmp > .git/worktrees/other/commondir; git worktree add -q /tmp/new -b new && echo added",
      );
      expect(ran.out).toBe("added\n");
      expect(readdirSync(join(workspace, "tools/hooks"))).toEqual([]);
      expect(readFileSync(join(workspace, "settings.inc"), "utf8")).toBe("");
      expect(readFileSync(join(workspace, ".git/worktrees/other/commondir"), "utf8").trim()).toBe("../..");
    });

    it("a hostile .git file does not open another repository", async () => {
      const other = folder(join(root, "other"));
      execFileSync("git", ["init", "-q", other]);
      file(join(workspace, ".git"), `gitdir: ${other}/.git\n`);
      expect((await sh(`ls '${other}'`)).code).not.toBe(0);
    });

    it("a linked worktree commits into its repository, whose configuration stays read-only", async () => {
      const main = folder(join(root, "main"));
      const git = (...args: string[]) =>
        execFileSync(
          "git",
          ["-c", "safe.directory=*", "-c", "user.name=a", "-c", "user.email=a@b", "-C", main, ...args],
          { encoding: "utf8" },
        );
      git("init", "-q");
      git("commit", "-q", "--allow-empty", "-m", "zero");
      rmSync(workspace, { recursive: true });
      git("worktree", "add", "-q", workspace, "-b", "branch");
      execFileSync("chown", ["-R", String(uid ?? machine.uid), main, workspace]);
      const ran = await sh(
        "echo x > a; git add a; git -c user.name=a -c user.email=a@b commit -qm one; git log --format=%s; git config core.fsmonitor evil; echo gitdir: /tmp > .git; ls",
      );
      expect(ran.out).toBe("one\nzero\na\n");
      expect(git("log", "--format=%s", "branch").trim()).toBe("one\nzero");
      expect(readFileSync(join(main, ".git/config"), "utf8")).not.toContain("evil");
    });

    it("grants show a directory, read-only or writable, at its own place", async () => {
      const tools = folder(join(root, "tools"));
      file(join(tools, "hello"), "#!/bin/sh\necho hello\n", 0o755);
      const cache = folder(join(root, "cache"));
      const ran = await run(
        [
          "bash",
          "-c",
          `'${tools}/hello'; echo x > '${cache}/x' && echo written; echo x > '${tools}/x' || echo refused`,
        ],
        { read: [tools, join(root, "nothing")], write: [cache] },
      );
      expect(ran.out).toBe("hello\nwritten\nrefused\n");
    });

    it("T: a path swapped for a link while the wall is being built stops the session", async () => {
      execFileSync("git", ["init", "-q", workspace]);
      folder(join(workspace, ".vscode"));
      const ran = await run(
        ["cat", ".vscode/id_ed25519"],
        {},
        {
          swap: [join(workspace, ".vscode"), join(home, ".ssh")],
        },
      );
      expect(ran.out).toBe("");
      expect(ran.code).toBe(6);
      expect(JSON.parse(ran.err)).toMatchObject({ code: "sandbox.failed" });
    });

    it("grants by links: from outside, from the workspace, from within another grant", async () => {
      const tools = folder(join(root, "tools"));
      folder(join(tools, "lib"));
      file(join(tools, "lib/hello"), "#!/bin/sh\necho hello\n", 0o755);
      symlinkSync(join(tools, "lib/hello"), join(tools, "hello"));
      symlinkSync(tools, join(root, "alias"));
      symlinkSync(join(tools, "lib"), join(workspace, "lib"));
      const ran = await sh(`'${tools}/hello'; '${root}/alias/hello'; lib/hello`, {
        read: [tools, join(tools, "hello"), join(root, "alias"), "lib"],
      });
      expect(ran).toEqual({ code: 0, out: "hello\nhello\nhello\n", err: "" });
    });

    it("what is hidden in a read-only grant stays hidden, and the grant read-only", async () => {
      const tools = folder(join(root, "tools"));
      folder(join(tools, "conf"));
      file(join(tools, "conf/token"), "host secret\n");
      const ran = await sh(`cd '${tools}'; ls conf; cat conf/token; echo x > conf/new; mv conf away; ls`, {
        read: [tools],
        hide: [join(tools, "conf/token")],
      });
      expect(ran.out).toBe("token\nconf\n");
    });

    it("a set-user-id file cannot be made", async () => {
      const ran = await sh(
        "cp /bin/true a; chmod 4755 a; chmod u+s a; umask 0; perl -e 'sysopen(F, q(b), 0102, 04755)'; ls -l | grep -c '^-..s'",
      );
      expect(ran.out).toBe("0\n");
    });
  });

  describe("network", () => {
    it("nothing of the host answers: loopback, its addresses, abstract sockets", async () => {
      const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
      const v4 = addresses.filter((a) => a.family === "IPv4").map((a) => a.address);
      expect(v4.length).toBeGreaterThan(0);
      const tries = ["::1", ...v4].map((a) => `(exec 3<>/dev/tcp/${a}/${port} && cat <&3) 2>/dev/null`);
      const ran = await sh(
        `${tries.join("; ")}; sed -n 's/^ *\\([^ :]*\\):.*/\\1/p' /proc/net/dev; wc -l < /proc/net/route`,
      );
      expect(ran.out).toBe("lo\n1\n");
    });

    test.skipIf(machine.perl === null)("the host's abstract sockets are not reachable", async () => {
      const ran = await perl(
        `use Socket; socket(S, AF_UNIX, SOCK_STREAM, 0) or die; print connect(S, pack("Sa*", 1, "\\0${abstractName}")) ? "reached" : "refused"`,
      );
      expect(ran.out).toBe("refused");
    });

    it("the gateway's port works both ways, and each side may end first", async () => {
      const ran = await perl(
        `use Socket; $| = 1; socket(S, 2, 1, 0); connect(S, sockaddr_in(3128, inet_aton("127.0.0.1"))) or die "no: $!"; syswrite(S, "one\\n"); sysread(S, $a, 100); print $a; syswrite(S, "two\\n"); sysread(S, $a, 100); print $a; shutdown(S, 1); print <S>`,
      );
      expect(ran).toEqual({ code: 0, out: "heard one\nheard two\ngoodbye\n", err: "" });
    });

    it("many connections at once all arrive", async () => {
      const ran = await sh(
        "for i in $(seq 50); do (exec 3<>/dev/tcp/127.0.0.1/3128; echo $i >&3; read -r l <&3; echo $l) & done; wait",
      );
      expect(ran.out.trim().split("\n")).toHaveLength(50);
    });

    it("a name is not resolved, and the answer comes quickly", async () => {
      const before = performance.now();
      expect((await sh("getent hosts example.com")).code).not.toBe(0);
      expect(performance.now() - before).toBeLessThan(8_000);
    });

    it("an own server on loopback works inside", async () => {
      const ran = await perl(
        `use Socket; socket(L, 2, 1, 0); bind(L, sockaddr_in(8000, INADDR_ANY)) or die; listen(L, 5); if (!fork) { socket(S, 2, 1, 0); connect(S, sockaddr_in(8000, inet_aton("127.0.0.1"))) or die; print <S>; exit } accept(C, L); print C "inside\\n"; close C; wait`,
      );
      expect(ran.out).toBe("inside\n");
    });
  });

  describe("processes", () => {
    it("the environment is what the plan says, for the program and for pid 1", async () => {
      const ran = await sh(
        "env | sort; echo --; tr '\\0' '\\n' < /proc/1/environ; tr '\\0' ' ' < /proc/1/cmdline",
      );
      expect(ran.out).not.toContain("host secret");
      expect(ran.out).not.toMatch(/--(ro-)?bind|--setenv|agent-home/);
      const [own = ""] = ran.out.split("--\n");
      const names = own.split("\n").map((line) => line.split("=")[0]);
      expect(names.filter((name) => name !== "" && name !== "_" && name !== "SHLVL")).toEqual([
        "HOME",
        "LANG",
        "LOGNAME",
        "PATH",
        "PWD",
        "SAID",
        "SHELL",
        "TERM",
        "TMPDIR",
        "USER",
      ]);
    });

    it("variables that load code arrive, without the first stage obeying them", async () => {
      const ran = await sh(
        "env | grep -E '^(LD_LIBRARY_PATH|PERL5OPT|PERL_UNICODE|NODE_OPTIONS|SALLYPORT.*)=' | sort",
        {
          environment: {
            LD_LIBRARY_PATH: "/nowhere",
            NODE_OPTIONS: "--require=/nowhere.cjs",
            PERL5OPT: "-MNoSuchModule",
            PERL_UNICODE: "SDA",
          },
        },
      );
      expect(ran).toEqual({
        code: 0,
        err: "",
        out: "LD_LIBRARY_PATH=/nowhere\nNODE_OPTIONS=--require=/nowhere.cjs\nPERL5OPT=-MNoSuchModule\nPERL_UNICODE=SDA\n",
      });
    });

    it("only the program's own processes can be seen, and nothing of ours among them", async () => {
      const ran = await sh('for p in /proc/[0-9]*; do read -r name < $p/comm; echo "$name"; done');
      expect(ran.out).toBe("bwrap\nbash\n");
    });

    it("descriptors that the caller left open do not come in", async () => {
      const fd = openSync(join(home, ".ssh/id_ed25519"), "r");
      const child = spawn(
        process.execPath,
        [
          DRIVER,
          orders(
            ["bash", "-c", "for f in /proc/$$/fd/*; do readlink $f; done | grep -c id_ed25519; cat <&9"],
            {},
            {},
          ),
        ],
        {
          env: environment(),
          stdio: [
            "ignore",
            "pipe",
            "pipe",
            "ignore",
            "ignore",
            "ignore",
            "ignore",
            "ignore",
            "ignore",
            fd,
            ...Array<"ignore">(20).fill("ignore"),
            fd,
          ],
          ...identity(),
        },
      );
      const ran = await watch(child).ended;
      expect(ran.out).toBe("0\n");
    });

    it("no capabilities, no new privileges, no new namespaces, no mounts", async () => {
      const ran = await sh(
        "grep -E '^(CapEff|CapPrm|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status; unshare -U true; unshare -Urn true; mount -t tmpfs t /tmp; echo end",
      );
      expect(ran.out.replaceAll("\t", " ")).toBe(
        "CapPrm: 0000000000000000\nCapEff: 0000000000000000\nCapBnd: 0000000000000000\nNoNewPrivs: 1\nSeccomp: 2\nend\n",
      );
    });

    it("T: the host's kernel cannot be told what to run, not even by root without capabilities", async () => {
      const ran = await sh(`
        for f in core_pattern modprobe hotplug sysrq; do (echo '|/tmp/evil' > /proc/sys/kernel/$f) 2>/dev/null && echo "$f written"; done
        find /proc/sys -writable -type f 2>/dev/null | grep -vE '^/proc/sys/(fs/mqueue|kernel/(msg|shm|sem|auto_msgmni|ns_last_pid|pid_max)|net)'
        (echo x > /proc/sysrq-trigger) 2>/dev/null && echo sysrq; head -c1 /proc/kpagecount /proc/vmallocinfo /proc/slabinfo /proc/kcore 2>/dev/null | grep -v '^==>'; echo end`);
      expect(ran.out.trim()).toBe("end");
    });

    it("nested: the profile may let the agent's own sandbox work, and nothing else", async () => {
      const ran = await sh(
        `unshare -Urm true && echo namespaces; unshare -Urm umount '${workspace}/.env' && cat .env; grep CapEff /proc/self/status`,
        { nested: true, hide: [".env"] },
      );
      expect(ran.out).toBe("namespaces\nCapEff:\t0000000000000000\n");
    });

    it("limits: files open, size of a file, core dumps", async () => {
      const ran = await sh("ulimit -n; ulimit -c; ulimit -f; ulimit -n 20000 || echo refused");
      expect(ran.out).toBe("16384\n0\n2097152\nrefused\n".replace("16384", ran.out.split("\n")[0] ?? ""));
      expect(Number(ran.out.split("\n")[0])).toBeLessThanOrEqual(16_384);
    });

    it("an eater of memory ends at the limit of one process, also where no group can be made, and is offered first", async () => {
      const script = `$x = "x" x (1 << 32); print "ate"`;
      const ran = await sh(`perl -e '${script}' 2>/dev/null; echo still here; cat /proc/self/oom_score_adj`, {
        // Node, where it is the first stage, needs some hundred megabytes itself.
        limits: { memoryBytes: 2048 * 1024 * 1024 },
      });
      // Without the helper the kernel is not told whom to end first.
      expect(ran.out).toMatch(/^still here\n(?:500|0)\n$/);
    });

    // On a disk of its own: half of what is free on the machine's would be too much to write.
    test.skipIf(!isRoot)("a filler of the disk is stopped while there is room", async () => {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=512m", "sallyport-test", workspace]);
      try {
        if (uid !== null) chownSync(workspace, uid, uid);
        const script =
          "i=0; while [ $i -lt 100 ]; do head -c 4000000 /dev/zero > f$i || exit 9; i=$((i+1)); sleep 0.05; done";
        const ran = await sh(script, { limits: { freeBytes: 300 * 1024 * 1024 } });
        expect(ran.code).not.toBe(0);
        expect(readdirSync(workspace).length).toBeLessThan(100);
      } finally {
        execFileSync("umount", ["-l", workspace]);
      }
    });

    test.skipIf(uid === null && isRoot && !hasGroups)(
      "a fork bomb ends at the limit of processes",
      async () => {
        const ran = await run(
          [
            "perl",
            "-e",
            `$n = 0; for (1..400) { $p = fork; defined $p or last; if (!$p) { sleep 60; exit } $n++ } print $n < 120 ? "stopped" : "$n"`,
          ],
          { limits: { processes: 100 } },
        );
        expect(ran.out).toBe("stopped");
      },
    );

    test.skipIf(uid !== null || !hasGroups)(
      "an eater of memory is stopped, the session goes on",
      async () => {
        const ran = await sh(
          `perl -e '$x = "x" x (1 << 29); print "ate"'; echo still here; cat /proc/self/cgroup`,
          {
            limits: { memoryBytes: 128 * 1024 * 1024 },
          },
        );
        expect(ran.out).toMatch(/^still here\n/);
        const name = /sallyport-\d+-\d+/.exec(ran.out)?.[0] ?? "none";
        expect(name).not.toBe("none");
        expect(execFileSync("find", ["/sys/fs/cgroup", "-name", name], { encoding: "utf8" })).toBe("");
      },
    );
  });

  describe("how it ends", () => {
    test.each([
      ["its own code", "exit 7", 7],
      ["killed by itself", "kill -KILL $$", 137],
      ["terminated by itself", "kill -TERM $$", 143],
    ])("exit code: %s", async (_name, script, code) => {
      expect((await run(["sh", "-c", script])).code).toBe(code);
    });

    it("arguments arrive exactly, even empty ones", async () => {
      const ran = await run([
        "perl",
        "-e",
        'print join("|", map { "<$_>" } @ARGV)',
        "",
        "a b",
        "'\"$x\\",
        "ü\n",
        "--",
      ]);
      expect(ran.out).toBe("<>|<a b>|<'\"$x\\>|<ü\n>|<-->");
    });

    it("a program that is not there: a fault with code 127", async () => {
      const ran = await run(["no-such-program"]);
      expect(ran.code).toBe(127);
      expect(JSON.parse(ran.err)).toMatchObject({ code: "program.missing", at: "no-such-program" });
    });

    it("a program that may not be executed: a fault with code 126", async () => {
      file(join(workspace, "plain"), "text");
      const ran = await run(["./plain"]);
      expect(ran.code).toBe(126);
      expect(JSON.parse(ran.err)).toMatchObject({ code: "program.unusable", at: "./plain" });
    });

    it("bubblewrap's own words come back when it cannot build the wall", async () => {
      const ran = await run(["true"], { caBundle: join(root, "missing.pem") });
      expect(ran.code).toBe(6);
      expect(JSON.parse(ran.err)).toMatchObject({ code: "sandbox.failed" });
      expect(ran.err).toContain("missing.pem");
    });

    it("a port that cannot be had is a fault, not a hang", async () => {
      const ran = await run(["true"], { proxyPort: 80 });
      expect(ran.code).toBe(6);
      expect(JSON.parse(ran.err).message).toContain("port 80");
    });

    it("a signal to the client reaches the program itself", async () => {
      const session = start(
        ["bash", "-c", 'trap "echo got; exit 3" USR1 TERM; echo up; while :; do read -t 1 x; done'],
        {},
        { announce: true },
      );
      await Promise.all([session.printed("up"), session.printed("ready")]);
      session.child.kill("SIGTERM");
      expect(await session.ended).toMatchObject({ code: 3, out: "up\ngot\n" });
    });

    it("a program that ignores the request to end is killed after a grace", async () => {
      const session = start(
        ["bash", "-c", 'trap "" TERM; echo up; while :; do read -t 1 x; done'],
        {},
        { announce: true },
      );
      await Promise.all([session.printed("up"), session.printed("ready")]);
      session.child.kill("SIGTERM");
      expect((await session.ended).code).toBe(137);
    });

    test.each([
      ["the program ends", false],
      ["the client is killed", true],
    ])("nothing outlives it, not even a daemon in a session of its own: %s", async (_name, isKilled) => {
      const marker = `9${process.pid}${uid ?? 0}${byNode ? 1 : 0}${isKilled ? 1 : 0}`;
      const session = start([
        "bash",
        "-c",
        `setsid -f sleep ${marker}; (trap '' HUP TERM; setsid sleep ${marker}) & sleep 0.1; echo up; read line`,
      ]);
      await session.printed("up");
      expect(processesWith(marker).length).toBeGreaterThan(0);
      if (isKilled) session.child.kill("SIGKILL");
      else session.child.stdin?.end("\n");
      await session.ended;
      await vanishes(() => processesWith(marker).length === 0);
    });

    it("the client is killed in any early moment: nothing is left", async () => {
      const marker = `8${process.pid}${uid ?? 0}${byNode ? 1 : 0}`;
      for (let afterMs = 40; afterMs < 200; afterMs += 4) {
        const session = start(["sleep", marker]);
        // The moment is the attack; no outcome waits for it.
        await new Promise((resolve) => setTimeout(resolve, afterMs));
        session.child.kill("SIGKILL");
        await session.ended;
      }
      await vanishes(() => processesWith(marker).length === 0);
    });

    it("Ctrl-C in any early moment: nothing is left, and no program starts unattended", async () => {
      const marker = `7${process.pid}${uid ?? 0}${byNode ? 1 : 0}`;
      for (let afterMs = 40; afterMs < 200; afterMs += 10) {
        const session = start(["sleep", marker]);
        await new Promise((resolve) => setTimeout(resolve, afterMs));
        session.child.kill("SIGINT");
        session.child.kill("SIGTERM"); // for the case that it had started
        await session.ended;
      }
      await vanishes(() => processesWith(marker).length === 0);
    });

    it("nothing is left on the host's disk", async () => {
      const before = readdirSync(tmpdir()).filter((name) => !name.startsWith("sallyport-wall-"));
      await sh("echo > /tmp/x; echo > /dev/shm/x");
      const after = readdirSync(tmpdir()).filter((name) => !name.startsWith("sallyport-wall-"));
      expect(after.filter((name) => name.includes("sallyport") && !before.includes(name))).toEqual([]);
      expect(readdirSync(root).toSorted()).toEqual(["agent-home", "bundle.pem", "ca.pem", "person", "work"]);
    });
  });

  describe.skipIf(!existsSync("/usr/bin/script"))("the terminal", () => {
    it("is kept: size, /dev/tty, colours", async () => {
      const ran = await startOnTerminal([
        "bash",
        "-c",
        "[ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo all; echo x > /dev/tty; stty size; echo $TERM",
      ]).ended;
      expect(ran.out.replaceAll("\r", "")).toMatch(/^all\nx\n\d+ \d+\nxterm\n$/);
    });

    it("a change of size is told to the program", async () => {
      const ran = await startOnTerminal([
        "bash",
        "-c",
        "trap 'stty size; exit' WINCH; stty cols 77 rows 33; for i in 1 2 3 4 5; do read -t 1 x; done",
      ]).ended;
      expect(ran.out.replaceAll("\r", "")).toContain("33 77");
    });

    it("Ctrl-C reaches the program, and its own exit code comes back", async () => {
      const session = startOnTerminal([
        "bash",
        "-c",
        "trap 'echo interrupted; exit 9' INT; echo up; for i in 1 2 3 4 5 6 7 8 9; do read -t 1 x; done",
      ]);
      await session.printed("up");
      session.child.stdin?.write("\x03");
      const ran = await session.ended;
      expect(ran.out).toContain("interrupted");
      expect(ran.code).toBe(9);
    });

    it("Ctrl-C ends a program that does not catch it, as outside", async () => {
      const session = startOnTerminal(["bash", "-c", "echo up; exec sleep 30"]);
      await session.printed("up");
      session.child.stdin?.write("\x03");
      expect((await session.ended).code).toBe(130);
    });

    test.skipIf(machine.perl === null)("T: typing into the terminal from inside is refused", async () => {
      const attack = `$c = "\\n"; $r = ioctl(STDIN, 0x5412, $c); print $r ? "typed" : "refused"; print " ", syscall(${machine.arch === "x64" ? 16 : 29}, 0, 0x100005412, $c) == 0 ? "typed" : "refused"`;
      const ran = await startOnTerminal(["perl", "-e", attack]).ended;
      expect(ran.out).toBe("refused refused");
    });
  });

  it("without a wall (the weaker profile): the program's own home and port, scrubbed environment", async () => {
    const free = await freePort();
    const ran = await run(
      [
        "bash",
        "-c",
        `env | grep -c SECRET; exec 3<>/dev/tcp/127.0.0.1/${free}; echo hi >&3; read -r l <&3; echo $l; pwd; exit 5`,
      ],
      { mode: "none", proxyPort: free, environment: { PATH: process.env["PATH"] ?? "" } },
    );
    expect(ran).toEqual({ code: 5, out: `0\nheard hi\n${workspace}\n`, err: "" });
    expect((await run(["no-such-program"], { mode: "none", proxyPort: free })).code).toBe(127);
    const taken = await run(["true"], { mode: "none", proxyPort: port });
    expect(JSON.parse(taken.err)).toMatchObject({ code: "sandbox.failed" });
  });
});

describe("doctor", () => {
  it("has tried every control that the default profile promises, and none is missing here", async () => {
    const { controls } = await probeMachine();
    const required = controls.filter((control) => control.required);
    expect(required.map((c) => c.id).toSorted()).toEqual(
      [
        "bubblewrap",
        "files",
        "first-stage",
        "nested-namespaces",
        "network",
        "privileges",
        "system-calls",
        "user-namespaces",
      ].toSorted(),
    );
    expect(required.filter((c) => c.state !== "enforced")).toEqual([]);
  });
});

/** Host processes with this word in their arguments. */
function processesWith(marker: string): string[] {
  return readdirSync("/proc").filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0").includes(marker);
    } catch {
      return false; // it ended while we looked
    }
  });
}

/** Polls, as nobody tells us of a stranger's end; fails by the test's own limit. */
async function vanishes(isGone: () => boolean): Promise<void> {
  const end = performance.now() + LATE_MS;
  while (!isGone()) {
    if (performance.now() > end) throw new Error("it is still there");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}
