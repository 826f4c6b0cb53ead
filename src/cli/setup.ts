/**
 * `sallyport setup`: installs what the machine lacks, by the system's own package manager, saying each command before
 * it runs. Nothing is downloaded in any other way.
 */
import { spawnSync } from "node:child_process";
import { asFault, Fault } from "../core/index.ts";
import { buildHelper, readMachineFacts } from "../sandbox/index.ts";
import { ensureClient } from "./bundle.ts";

interface Manager {
  readonly command: string;
  readonly refresh: readonly string[] | null;
  readonly install: readonly string[];
}

const MANAGERS: readonly Manager[] = [
  { command: "apt-get", refresh: ["update"], install: ["install", "--yes", "--no-install-recommends"] },
  { command: "dnf", refresh: null, install: ["install", "--assumeyes"] },
  { command: "pacman", refresh: null, install: ["-S", "--noconfirm", "--needed"] },
  { command: "zypper", refresh: null, install: ["--non-interactive", "install"] },
  { command: "apk", refresh: null, install: ["add"] },
];

/** Commands that must be there, and the package that brings each (the same name in every manager above). */
const NEEDED: readonly { readonly command: string; readonly package: string }[] = [
  { command: "bwrap", package: "bubblewrap" },
  { command: "prlimit", package: "util-linux" },
];

/** What the test suite drives beside it, and what builds the helper. */
const NEEDED_BY_TESTS: typeof NEEDED = [
  { command: "git", package: "git" },
  { command: "gcc", package: "gcc" },
];

/** Resolves to 0. Throws `setup.failed` with the command to run by hand. */
export async function setup(forTests: boolean): Promise<number> {
  ensureSystemPackages(forTests ? [...NEEDED, ...NEEDED_BY_TESTS] : NEEDED);
  ensureHelper(forTests);
  await ensureClient();
  process.stderr.write("sallyport: this machine has what is needed; `sallyport doctor` tells the details\n");
  return 0;
}

/**
 * Builds the helper where it is missing or older than its source. Without a compiler everything works but what the helper
 * does, which is said; tests need it.
 */
export function ensureHelper(isNeeded: boolean): void {
  if (process.platform !== "linux" || readMachineFacts().helper.path !== null) return;
  try {
    const { compiler, sha256 } = buildHelper();
    process.stderr.write(`sallyport: built the helper with ${compiler}: sha256 ${sha256}\n`);
  } catch (thrown) {
    const fault = asFault(thrown);
    if (isNeeded) throw fault;
    process.stderr.write(
      `sallyport: no helper, so programs and files of a session are not recorded: ${fault.message}; ${fault.remedy}\n`,
    );
  }
}

/** Installs missing system packages; silent when nothing is missing. */
export function ensureSystemPackages(needed: typeof NEEDED = NEEDED): void {
  if (process.platform !== "linux") return;
  const missing = needed.filter(({ command }) => !has(command)).map((row) => row.package);
  if (missing.length === 0) return;
  const manager = MANAGERS.find(({ command }) => has(command));
  const byHand = `install ${missing.join(" ")} with this system's package manager`;
  if (manager === undefined) throw new Fault("setup.failed", { detail: missing.join(" "), remedy: byHand });
  const prefix = process.getuid?.() === 0 ? [] : ["sudo"];
  if (prefix.length > 0 && !has("sudo"))
    throw new Fault("setup.failed", { detail: missing.join(" "), remedy: `as root: ${byHand}` });
  const install = [...prefix, manager.command, ...manager.install, ...missing];
  process.stderr.write(`sallyport: installing ${missing.join(", ")} (needed)\n`);
  if (attempt(install)) return;
  // Package lists of a fresh machine are empty or old: refresh them once.
  if (
    manager.refresh !== null &&
    attempt([...prefix, manager.command, ...manager.refresh]) &&
    attempt(install)
  )
    return;
  throw new Fault("setup.failed", { detail: missing.join(" "), remedy: `run: ${install.join(" ")}` });
}

function attempt(command: readonly string[]): boolean {
  process.stderr.write(`  $ ${command.join(" ")}\n`);
  const [file = "", ...args] = command;
  const done = spawnSync(file, args, {
    stdio: ["inherit", 2, 2],
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  });
  return done.status === 0;
}

function has(command: string): boolean {
  // /usr/sbin is where some systems keep administrators' commands, and a plain user's PATH may lack it.
  const path = `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`;
  return spawnSync("/bin/sh", ["-c", 'command -v "$1"', "sh", command], { env: { PATH: path } }).status === 0;
}
