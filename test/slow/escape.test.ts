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
import type { SandboxSpec } from "../../src/sandbox/index.ts";
import type { Orders } from "../system/sandbox-driver.ts";

const PROBES = join(import.meta.dirname, "../system/escape-probes.sh");
const DRIVER = join(import.meta.dirname, "../system/sandbox-driver.ts");
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
  symlink_planted: "a link in the workspace that points outside: seen in the diff",
  git_commondir: "set aside at the end of the session under its name; the probe renames it before",
  git_nested_bare_repo: "a directory that looks like a repository: seen in the diff",
  git_gitmodules: "new at the top of the workspace: told at the end of the session",
  ws_vscode_tasks: "as git_gitmodules",
  ws_idea: "as git_gitmodules",
  ws_mcp_json: "as git_gitmodules",
  ws_cursor_rules: "as git_gitmodules",
  ws_envrc: "as git_gitmodules",
  ws_devcontainer: "as git_gitmodules",
  ws_husky: "as git_gitmodules",
  ws_gh_workflow: "as git_gitmodules",
  ws_claude_settings: "as git_gitmodules",
  memory_unlimited:
    "the probe looks into /sys, which is not there; limited where a control group can be made",
  tty_osc52_write: "the clipboard by an escape sequence: the terminal's own settings decide",
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
      for (const name of ["", "work", "home", "agent-home", "bait"]) {
        mkdirSync(at(name), { recursive: true });
        if (uid !== null) chownSync(at(name), uid, uid);
      }
      for (const name of ["ca.pem", "home/.bashrc", "home/.profile"]) writeFileSync(at(name), "\n");
      if (uid !== null) for (const name of ["home/.bashrc", "home/.profile"]) chownSync(at(name), uid, uid);
      copyFileSync(PROBES, at("work/probes.sh"));
      const environment = {
        PATH: "/usr/local/bin:/usr/bin:/bin",
        HOME: at("home"),
        SHELL: "/bin/sh",
        AWS_SECRET_ACCESS_KEY: "bait",
        GITHUB_TOKEN: "bait",
        SSH_AUTH_SOCK: "/bait",
      };
      const outside = (...args: string[]): string =>
        execFileSync("bash", ["probes.sh", ...args], {
          cwd: at("work"),
          env: environment,
          encoding: "utf8",
          stdio: ["ignore", "pipe", "ignore"],
          ...identity,
        });
      const spec: SandboxSpec = {
        program: ["bash", "probes.sh", "run"],
        workspace: at("work"),
        homeDirectory: at("agent-home"),
        read: [],
        write: [],
        hide: ["**/.env"],
        environment: {
          TERM: "dumb",
          HTTP_PROXY: "http://127.0.0.1:3128",
          HTTPS_PROXY: "http://127.0.0.1:3128",
        },
        caCertificate: at("ca.pem"),
        caBundle: at("ca.pem"),
        proxyPort: 3128,
        nested: false,
      };
      try {
        outside("setup", at("bait"));
        const orders: Orders = { spec, facts: {} };
        const quoted = [process.execPath, DRIVER, JSON.stringify(orders)].map(
          (word) => `'${word.replaceAll("'", `'\\''`)}'`,
        );
        const child = spawn("/usr/bin/script", ["-qefc", `exec ${quoted.join(" ")}`, "/dev/null"], {
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
        rmSync(root, { recursive: true, force: true });
      }
    },
    180_000,
  );
});
