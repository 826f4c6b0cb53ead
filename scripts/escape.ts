/**
 * The escape probes (test/system/escape-probes.sh) run behind several walls in one run, and counted: what succeeded, what
 * never reached the host, what was refused.
 *
 *   node scripts/escape.ts [--srt FOLDER]
 *
 * `--srt`: where `npm install @anthropic-ai/sandbox-runtime` was run; it needs socat and ripgrep. Without it that row is left out.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { SALLYPORT } from "../test/harness.ts";

const PROBES = join(import.meta.dirname, "../test/system/escape-probes.sh");
const { values } = parseArgs({ options: { srt: { type: "string" } } });

interface Tally {
  readonly name: string;
  readonly succeeded: readonly string[];
  readonly contained: number;
  readonly refused: number;
  readonly left: number;
}

/** `command`: the words that stand before the probes' own. */
function measure(name: string, command: (at: (path: string) => string) => readonly string[]): Tally {
  const root = mkdtempSync(join(tmpdir(), "escape-"));
  const at = (path: string): string => join(root, path);
  for (const folder of ["work", "home", "bait"]) mkdirSync(at(folder));
  for (const file of ["home/.bashrc", "home/.profile"]) writeFileSync(at(file), "\n");
  copyFileSync(PROBES, at("work/probes.sh"));
  const env = {
    ...{
      PATH: process.env["PATH"],
      HOME: at("home"),
      SALLYPORT_HOME: at("state"),
      SHELL: "/bin/sh",
      TERM: "dumb",
    },
    ...{ AWS_SECRET_ACCESS_KEY: "bait", GITHUB_TOKEN: "bait", SSH_AUTH_SOCK: "/bait" },
  };
  const outside = (...words: string[]): string =>
    execFileSync("bash", ["probes.sh", ...words], {
      cwd: at("work"),
      env,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
  try {
    outside("setup", at("bait"));
    const words = [...command(at), "bash", "probes.sh", "run"].map(
      (word) => `'${word.replaceAll("'", `'\\''`)}'`,
    );
    const ran = spawnSync("script", ["-qec", words.join(" "), "/dev/null"], {
      cwd: at("work"),
      env,
      encoding: "latin1",
      stdio: ["ignore", "pipe", "inherit"],
      timeout: 240_000,
    });
    const lines = ran.stdout.match(/[a-z][a-z0-9_]*\t(?:blocked|ALLOWED|n\/a)/g) ?? [];
    if (lines.length < 150)
      throw new Error(`${name}: ${lines.length} probes answered: ${ran.stdout.slice(-500)}`);
    writeFileSync(at("answers"), `${lines.join("\n")}\n`);
    const verified = outside("verify", at("answers"));
    const named = (verdict: string): string[] =>
      [...verified.matchAll(new RegExp(`^(\\w+)\\t${verdict}$`, "gm"))].map((match) => match[1] ?? "");
    return {
      name,
      succeeded: named("ALLOWED"),
      contained: named("contained").length,
      refused: named("blocked").length,
      left: named("n/a").length,
    };
  } finally {
    outside("teardown");
    spawnSync(SALLYPORT, ["down", "--force"], { env, stdio: "ignore" });
    rmSync(root, { recursive: true, force: true });
  }
}

const rows = [
  measure("bubblewrap: `/` read-only, the workspace writable, no network, own processes", (at) => [
    ...["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--bind", at("work"), at("work")],
    ...["--unshare-net", "--unshare-pid", "--die-with-parent", "--"],
  ]),
  ...(values.srt === undefined
    ? []
    : [
        measure(
          "sandbox-runtime: home, `.env` files and bait unreadable, workspace and /tmp writable, no host allowed",
          (at) => {
            const settings = {
              network: { allowedDomains: [], deniedDomains: [] },
              filesystem: {
                denyRead: [at("home"), "**/.env", at("bait")],
                allowRead: ["."],
                allowWrite: [".", "/tmp"],
                denyWrite: [],
              },
            };
            writeFileSync(at("settings.json"), JSON.stringify(settings));
            return [join(values.srt ?? "", "node_modules/.bin/srt"), "--settings", at("settings.json")];
          },
        ),
      ]),
  measure("sallyport run --profile engineer", () => [SALLYPORT, "run", "-q", "--profile", "engineer", "--"]),
];
process.stdout.write("| wall | succeeded | contained | refused | not applicable |\n|---|--:|--:|--:|--:|\n");
for (const { name, succeeded, contained, refused, left } of rows)
  process.stdout.write(`| ${name} | ${succeeded.length} | ${contained} | ${refused} | ${left} |\n`);
for (const { name, succeeded } of rows) process.stdout.write(`\n${name}: ${succeeded.join(", ")}\n`);
