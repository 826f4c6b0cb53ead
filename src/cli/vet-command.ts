/**
 * `sallyport vet`: finds or fetches the build, chooses what is varied, prints what was found. Progress goes to stderr;
 * Ctrl-C stops every run and leaves nothing behind.
 * Exit codes: 0 nothing found, 1 findings, 2 usage, 3 it could not be run.
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { mkdtemp, readdir, readFile, realpath, rm, stat, writeFile } from "node:fs/promises";
import { availableParallelism, homedir, tmpdir } from "node:os";
import { basename, dirname, join, resolve, sep } from "node:path";
import { parseArgs } from "node:util";
import { asFault, Fault, systemClock } from "../core/index.ts";
import {
  clockLibrary,
  type Factor,
  factorOf,
  hostFactor,
  insidePath,
  ordinaryFactors,
  reportHtml,
  reportText,
  type Target,
  type VetOptions,
  type VetReport,
  vetBuild,
} from "../lab/index.ts";
import { AGENTS, type AgentKind, agentNamed, locateAgent, splitVersion } from "../register/index.ts";
import { readMachineFacts } from "../sandbox/index.ts";
import { ensureAgent } from "./install.ts";
import type { Places } from "./places.ts";
import { hashFile } from "./prepare.ts";
import { faultText, printable, wantsColor } from "./print.ts";

const FLAGS = {
  json: { type: "boolean" },
  html: { type: "string" },
  factors: { type: "string" },
  only: { type: "string", multiple: true },
  repeats: { type: "string" },
  budget: { type: "string" },
  jobs: { type: "string" },
  quick: { type: "boolean" },
  hosts: { type: "string" },
} as const;
type Values = ReturnType<typeof parseArgs<{ options: typeof FLAGS }>>["values"];

const DEFAULT_REPEATS = 5;
const QUICK_REPEATS = 3;
const DEFAULT_BUDGET_S = 150;
const NODE_INSIDE = "/opt/node/bin/node";

export async function vetCommand(argv: readonly string[], places: Places): Promise<number> {
  const { values, positionals } = parsed(argv);
  const stopping = new AbortController();
  const stop = (): void => stopping.abort(new Fault("usage.invalid", { detail: "interrupted" }));
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, stop);
  try {
    const [typed, ...more] = positionals;
    if (typed === undefined || more.length > 0)
      throw usage("`vet` needs one build", "for example: sallyport vet claude@2.1.169");
    return await vetOne(typed, values, places, stopping.signal);
  } catch (thrown) {
    if (stopping.signal.aborted) {
      process.stderr.write("sallyport: vetting interrupted, nothing is left running\n");
      return 130;
    }
    const fault = asFault(thrown);
    if (fault.kind.exitCode === 2) throw fault;
    process.stderr.write(`${faultText(fault, wantsColor(process.stderr))}\n`);
    return 3;
  } finally {
    for (const name of ["SIGINT", "SIGTERM"] as const) process.off(name, stop);
  }
}

const usage = (detail: string, remedy: string): Fault => new Fault("usage.invalid", { detail, remedy });

function parsed(argv: readonly string[]): {
  readonly values: Values;
  readonly positionals: readonly string[];
} {
  try {
    return parseArgs({ args: [...argv], options: FLAGS, allowPositionals: true, strict: true });
  } catch (cause) {
    throw new Fault("usage.invalid", {
      detail: cause instanceof Error ? cause.message.replace(/\.? To specify.*$/, "") : "",
      cause,
    });
  }
}

async function vetOne(typed: string, values: Values, places: Places, signal: AbortSignal): Promise<number> {
  if (values.factors === "list") {
    for (const factor of await factorsOf(typed, values))
      process.stdout.write(
        `${factor.name}: ${factor.baseline} ↔ ${factor.levels.map((l) => l.name).join(", ")}\n`,
      );
    return 0;
  }
  const options = await optionsOf(typed, values, places, signal);
  try {
    const { report } = await vetBuild(options.vet);
    await print(report, values);
    return report.findings.length > 0 ? 1 : 0;
  } finally {
    await options.close();
  }
}

async function print(report: VetReport, values: Values): Promise<void> {
  if (values.html !== undefined) await writeFile(values.html, reportHtml(report));
  process.stdout.write(values.json === true ? `${JSON.stringify(report)}\n` : reportText(report, printable));
}

async function optionsOf(
  typed: string,
  values: Values,
  places: Places,
  signal: AbortSignal,
): Promise<{ readonly vet: VetOptions; close(): Promise<void> }> {
  const found = await targetOf(typed, places);
  const hasClock = clockLibrary(1, process.arch) !== null;
  const chosen = (await factorsOf(found.target.name, values)).filter(
    ({ name }) => hasClock || name !== "date",
  );
  const began = performance.now();
  const isPart = values.quick === true || values.only !== undefined || values.factors !== undefined;
  const vet: VetOptions = {
    ...{
      target: found.target,
      typed,
      factors: chosen,
      signal,
      facts: readMachineFacts(),
      clock: systemClock,
    },
    repeats: count(values.repeats, "--repeats", values.quick === true ? QUICK_REPEATS : DEFAULT_REPEATS),
    budgetMs: count(values.budget, "--budget", DEFAULT_BUDGET_S) * 1000,
    combinations:
      values.only === undefined
        ? values.quick === true
          ? "none"
          : "all"
        : values.only.length > 1
          ? "all"
          : "none",
    jobs: count(values.jobs, "--jobs", Math.max(1, Math.min(4, availableParallelism()))),
    looks: !isPart,
    hasTracer: existsSync("/usr/bin/strace"),
    shiftClock: (seconds) => clockLibrary(seconds, process.arch),
    cannotVary: hasClock ? [] : [`date: no shifted clock for ${process.arch}`],
    installScripts: found.installScripts,
    say: (line) =>
      process.stderr.write(
        `${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s  ${printable(line)}\n`,
      ),
  };
  return { vet, close: found.close };
}

function count(text: string | undefined, flag: string, otherwise: number): number {
  if (text === undefined) return otherwise;
  if (!/^[1-9]\d{0,4}$/.test(text))
    throw usage(`${flag} is not a whole number from 1`, `for example ${flag} ${otherwise}`);
  return Number(text);
}

async function factorsOf(agent: string, values: Values): Promise<readonly Factor[]> {
  const own =
    values.hosts === undefined
      ? ""
      : await readFile(values.hosts, "utf8").catch((cause: unknown) => {
          throw new Fault("usage.invalid", {
            detail: "--hosts cannot be read",
            at: values.hosts ?? "",
            cause,
          });
        });
  const shipped = await readFile(join(import.meta.dirname, "../../register/base-url-hosts.txt"), "utf8");
  const all = [hostFactor(`${own}\n${shipped}`), ...ordinaryFactors(splitVersion(agent).name)];
  if (values.only !== undefined)
    return values.only.map((text) => {
      const [name = "", levels = ""] = [
        text.replace(/=.*$/s, ""),
        text.includes("=") ? text.replace(/^[^=]*=/s, "") : "",
      ];
      return factorOf(all, name, levels === "" ? [] : splitLevels(all, name, levels));
    });
  const names = values.factors === undefined || values.factors === "list" ? null : values.factors.split(",");
  if (names === null) return all;
  return names.includes("none") ? [] : names.map((name) => factorOf(all, name, []));
}

/** A level's name may hold a comma: one that is known as a whole is one. */
const splitLevels = (all: readonly Factor[], name: string, text: string): readonly string[] =>
  all.find((factor) => factor.name === name)?.levels.some((level) => level.name === text) === true
    ? [text]
    : text.split(",");

// ------------------------------------------------------------------------------------------------------------- the build

interface Found {
  readonly target: Target;
  readonly installScripts: readonly string[];
  close(): Promise<void>;
}

const nothingToClose = async (): Promise<void> => {};

async function targetOf(typed: string, places: Places): Promise<Found> {
  const { name, version } = splitVersion(typed);
  const kind = agentNamed(name);
  if (kind !== null) return knownBuild(kind, version ?? kind.tested, places);
  const path = resolve(typed);
  const info = await stat(path).catch(() => null);
  if (info === null)
    throw new Fault("agent.unknown", {
      detail: `\`${typed}\``,
      remedy: `name one of ${AGENTS.map((a) => a.name).join(", ")} with a version, or give a path`,
    });
  if (info.isDirectory()) return { ...(await folderBuild(await realpath(path))), close: nothingToClose };
  if (/\.(?:tgz|tar\.gz|tar)$/.test(path)) return tarballBuild(path);
  return { target: await fileBuild(await realpath(path), places), installScripts: [], close: nothingToClose };
}

async function knownBuild(kind: AgentKind, version: string, places: Places): Promise<Found> {
  const folder = await realpath(await ensureAgent(kind, version, places));
  const located = await locateAgent(`${kind.name}@${version}`, {
    ...{ path: "", cwd: "/", agentsFolder: places.agents, arch: process.arch, node: process.execPath },
  });
  const target: Target = {
    ...{ name: kind.name, version, sha256: await hashFile(located.executable), folder, kind },
    command: located.program.map((part) =>
      part === process.execPath ? NODE_INSIDE : insidePath(folder, part),
    ),
  };
  return {
    target,
    installScripts: installScripts(join(folder, "node_modules", kind.package, "package.json")),
    close: nothingToClose,
  };
}

async function tarballBuild(path: string): Promise<Found> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "sallyport-vet-")));
  const close = (): Promise<void> => rm(folder, { recursive: true, force: true });
  const done = spawnSync("tar", ["-xf", path, "-C", folder, "--no-same-owner"], {
    stdio: ["ignore", "ignore", "pipe"],
    encoding: "utf8",
  });
  const inner = join(folder, "package");
  if (done.status !== 0) {
    await close();
    throw new Fault("agent.not-executable", {
      at: path,
      detail: `it cannot be unpacked: ${done.stderr.trim().split("\n").at(-1) ?? ""}`,
    });
  }
  try {
    return { ...(await folderBuild(existsSync(inner) ? inner : folder)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A package (the first of its `bin`), or a folder with one executable. */
async function folderBuild(folder: string): Promise<Omit<Found, "close">> {
  const manifest = packageAt(join(folder, "package.json"));
  const bin = typeof manifest["bin"] === "string" ? manifest["bin"] : Object.values(manifest["bin"] ?? {})[0];
  const entries = await readdir(folder, { withFileTypes: true });
  const runnable = entries.filter((entry) => entry.isFile() && isExecutable(join(folder, entry.name)));
  const file =
    typeof bin === "string"
      ? join(folder, bin)
      : runnable.length === 1
        ? join(folder, runnable[0]?.name ?? "")
        : null;
  if (file === null || !existsSync(file))
    throw new Fault("agent.not-executable", {
      at: folder,
      detail: "no `bin` in its package.json, and not exactly one executable",
    });
  const name = typeof manifest["name"] === "string" ? manifest["name"] : basename(folder);
  const kind =
    AGENTS.find((agent) => agent.package === name || name.startsWith(`${agent.package}-linux-`)) ?? null;
  const version = typeof manifest["version"] === "string" ? manifest["version"] : null;
  const target: Target = {
    ...{ name: kind?.name ?? name, version, sha256: await hashFile(file), folder, kind },
    command: commandFor(file, insidePath(folder, file)),
  };
  return { target, installScripts: installScripts(join(folder, "package.json")) };
}

async function fileBuild(file: string, places: Places): Promise<Target> {
  const isSystem = file.startsWith("/usr/");
  const folder = isSystem ? null : await folderToShow(file, places);
  const inside = folder === null ? file : insidePath(folder, file);
  return {
    name: basename(file),
    version: null,
    sha256: await hashFile(file),
    folder,
    command: commandFor(file, inside),
    kind: null,
  };
}

/** Its package or its folder, so that what it loads is there; the file alone where that would show a home or more. */
async function folderToShow(file: string, places: Places): Promise<string> {
  const tooWide = new Set([
    "/",
    "/tmp",
    "/var/tmp",
    "/home",
    "/root",
    "/opt",
    "/srv",
    homedir(),
    await realpath(tmpdir()),
    places.state,
  ]);
  const isWide = (folder: string): boolean => tooWide.has(folder) || homedir().startsWith(`${folder}${sep}`);
  for (let folder = dirname(file); !isWide(folder); folder = dirname(folder))
    if (existsSync(join(folder, "package.json")) && depthFrom(folder, file) <= 3) return folder;
  return isWide(dirname(file)) ? file : dirname(file);
}

const depthFrom = (folder: string, file: string): number => file.slice(folder.length + 1).split(sep).length;

function commandFor(file: string, inside: string): readonly string[] {
  const head = readFileSync(file).subarray(0, 128).toString("latin1");
  const isNode = /^#![^\n]*\bnode\b/.test(head) || (/\.[cm]?js$/.test(file) && !head.startsWith("#!"));
  if (isNode) return [NODE_INSIDE, inside];
  if (!isExecutable(file))
    throw new Fault("agent.not-executable", { at: file, detail: "no permission to execute" });
  return [inside];
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false; // said by whoever asked
  }
}

function packageAt(file: string): Record<string, unknown> {
  if (!existsSync(file)) return {};
  const value: unknown = JSON.parse(readFileSync(file, "utf8"));
  // Each field is checked where it is used.
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function installScripts(file: string): readonly string[] {
  const scripts = packageAt(file)["scripts"];
  if (typeof scripts !== "object" || scripts === null) return [];
  return Object.entries(scripts).flatMap(([name, text]) =>
    /^(?:pre|post)?install$|^prepare$/.test(name) ? [`${name}: ${String(text)}`] : [],
  );
}
