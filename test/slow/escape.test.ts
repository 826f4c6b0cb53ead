/**
 * 162 escape attempts (escape-probes.sh: bait and victims outside, attempts inside, then a look at what really reached
 * the host), with every attempt that succeeds named here and argued. A new success fails, and so does one that is gone.
 */
import { execFileSync, spawn } from "node:child_process";
import {
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { SALLYPORT } from "../harness.ts";

const PROBES = join(import.meta.dirname, "../system/escape-probes.sh");
const PLAIN = 54_322;
const NEEDED = ["/usr/bin/script", "/usr/bin/python3", "/usr/bin/perl", "/usr/bin/git"];
const missing = NEEDED.filter((path) => !existsSync(path));
if (missing.length > 0)
  process.stderr.write(`\n!!! NOT CHECKED: the escape probes, as these are missing: ${missing.join(", ")}\n`);

/** What a session may do, because it is what an agent is for, or because it stays inside. */
const MEANT: Readonly<Record<string, string>> = {
  ws_plain_file: "the workspace is the agent's to write",
  exec_from_tmp: "builds run what they have made",
  memfd_exec: "as exec_from_tmp",
  unix_create_socket: "only sockets that the view holds can be reached, and it holds none",
  listen_on_all: "in a network namespace of its own",
  signal_sandbox_pid1: "ends the session at most",
  tty_ctty_open: "an interactive agent needs its terminal; typing into it is refused (tiocsti)",
  proc_mountinfo_paths: "names of directories, not what is in them",
};

/** Known holes, each with what stands in for a wall. */
const OPEN: Readonly<Record<string, string>> = {
  memory_unlimited:
    "the probe looks for `ulimit -v` and into /sys: each process is limited by RLIMIT_DATA, all together where a control group can be made",
  tty_osc52_write:
    "the program may print it, on its own terminal; it does not reach the person's (terminal.test.ts)",
};

const isRoot = process.getuid?.() === 0;

describe.skipIf(missing.length > 0)("the escape probes", () => {
  test.each<[string, number | null]>([
    ["as whoever runs the tests", null],
    ...(isRoot ? [["as a plain user", PLAIN] as [string, number]] : []),
  ])(
    "%s: what succeeds is what is argued for, and nothing else",
    async (_title, uid) => {
      const root = mkdtempSync(join(tmpdir(), "sallyport-escape-"));
      const at = (name: string): string => join(root, name);
      const identity = uid === null ? {} : { uid, gid: uid };
      for (const name of ["", "work", "home", "state", "bait"]) {
        mkdirSync(at(name), { recursive: true });
        if (uid !== null) chownSync(at(name), uid, uid);
      }
      for (const name of ["home/.bashrc", "home/.profile"]) writeFileSync(at(name), "\n");
      if (uid !== null) for (const name of ["home/.bashrc", "home/.profile"]) chownSync(at(name), uid, uid);
      copyFileSync(PROBES, at("work/probes.sh"));
      const environment = {
        PATH: "/usr/local/bin:/usr/bin:/bin",
        HOME: at("home"),
        SALLYPORT_HOME: at("state"),
        SHELL: "/bin/sh",
        AWS_SECRET_ACCESS_KEY: "bait",
        GITHUB_TOKEN: "bait",
        SSH_AUTH_SOCK: "/bait",
        TERM: "dumb",
      };
      const outside = (...args: string[]): string =>
        execFileSync("bash", ["probes.sh", ...args], {
          cwd: at("work"),
          env: environment,
          encoding: "utf8",
          stdio: ["ignore", "pipe", "ignore"],
          ...identity,
        });
      try {
        outside("setup", at("bait"));
        const run = `exec '${SALLYPORT}' run -q --profile engineer -- bash probes.sh run`;
        const child = spawn("/usr/bin/script", ["-qefc", run, "/dev/null"], {
          env: environment,
          cwd: at("work"),
          stdio: ["ignore", "pipe", "inherit"],
          ...identity,
        });
        let typescript = "";
        child.stdout.on("data", (chunk) => {
          typescript += chunk;
        });
        await new Promise((resolve) => child.once("close", resolve));
        // One probe writes an escape sequence of its own before its line.
        const lines = typescript.match(/[a-z][a-z0-9_]*\t(?:blocked|ALLOWED|n\/a)/g) ?? [];
        expect(lines.length, typescript).toBeGreaterThan(150);
        writeFileSync(at("answers"), `${lines.join("\n")}\n`);
        const verified = outside("verify", at("answers"));
        const succeeded = [...verified.matchAll(/^(\w+)\tALLOWED$/gm)].map((match) => match[1] ?? "");
        expect(succeeded.toSorted()).toEqual([...Object.keys(MEANT), ...Object.keys(OPEN)].toSorted());
        expect(existsSync(at("bait/hits")) ? readFileSync(at("bait/hits"), "utf8") : "").toBe("");
      } finally {
        outside("teardown");
        execFileSync(SALLYPORT, ["down", "--force"], { env: environment, stdio: "ignore", ...identity });
        rmSync(root, { recursive: true, force: true });
      }
    },
    180_000,
  );
});
