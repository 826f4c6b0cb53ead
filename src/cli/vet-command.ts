/**
 * `sallyport vet`: finds or fetches the build, chooses what is varied, prints what was found. Progress goes to stderr;
 * Ctrl-C stops every run and leaves nothing behind.
 * Exit codes: 0 nothing found, 1 findings, 2 usage, 3 it could not be run.
 */
import { existsSync } from "node:fs";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { asFault, Fault, systemClock } from "../core/index.ts";
import {
  bisect,
  clockLibrary,
  compareBuilds,
  comparisonText,
  type Factor,
  factorOf,
  findingKey,
  hostFactor,
  ordinaryFactors,
  reportHtml,
  reportText,
  type VetOptions,
  type VetReport,
  vetBuild,
} from "../lab/index.ts";
import { type AgentKind, agentNamed, splitVersion } from "../register/index.ts";
import { readMachineFacts } from "../sandbox/index.ts";
import { npm } from "./npm.ts";
import type { Places } from "./places.ts";
import { hashFile } from "./prepare.ts";
import { faultText, printable, wantsColor } from "./print.ts";
import { keepTemplate } from "./templates.ts";
import { isExecutable, targetOf } from "./vet-target.ts";
import { keepReport, rememberedFindings } from "./vettings.ts";

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
  range: { type: "string" },
  compare: { type: "boolean" },
} as const;
type Values = ReturnType<typeof parseArgs<{ options: typeof FLAGS }>>["values"];

/** Changes when the method does: what was found before then is looked for again. */
const RANGE_METHOD = 1;
const DEFAULT_REPEATS = 4;
const QUICK_REPEATS = 3;
/** One more than there are cores, as a run waits now and then. */
const MOST_JOBS = 5;

export async function vetCommand(argv: readonly string[], places: Places): Promise<number> {
  const { values, positionals } = parsed(argv);
  const stopping = new AbortController();
  const stop = (): void => stopping.abort(new Fault("usage.invalid", { detail: "interrupted" }));
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, stop);
  try {
    const [typed, ...more] = positionals;
    if (values.compare === true) return await compare(positionals, values, places, stopping.signal);
    if (values.range !== undefined && typed !== undefined)
      return await history(typed, values.range, values, places, stopping.signal);
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
    const { report, sent, said } = await vetBuild(options.vet);
    await print(report, values);
    const tell = (line: string): void => void process.stderr.write(`sallyport: ${printable(line)}\n`);
    tell(`report kept in ${await keepReport(report, systemClock.now(), places)}`);
    // Its own words are whole only where it was let speak by all of its doors.
    if (options.vet.looks && options.hash !== null)
      for (const line of await keepTemplate(typed, options.hash, sent, said, places)) tell(line);
    return report.findings.length > 0 ? 1 : 0;
  } finally {
    await options.close();
  }
}

// ------------------------------------------------------------------------------------------------------ several builds

/** What changed between two builds: both run unchanged, their own words and files compared. */
async function compare(
  typed: readonly string[],
  values: Values,
  places: Places,
  signal: AbortSignal,
): Promise<number> {
  const [a, b, ...more] = typed;
  if (a === undefined || b === undefined || more.length > 0)
    throw usage(
      "`vet --compare` needs two builds",
      "for example: sallyport vet --compare claude@2.1.197 claude@2.1.198",
    );
  const facts = [];
  for (const one of [a, b]) facts.push(await factsOf(one, values, places, signal));
  const [before, after] = facts;
  if (before === undefined || after === undefined) return 3;
  const comparison = compareBuilds(before, after);
  process.stdout.write(
    values.json === true
      ? `${JSON.stringify({ a, b, ...comparison })}\n`
      : comparisonText(comparison, printable),
  );
  return 0;
}

async function factsOf(
  typed: string,
  values: Values,
  places: Places,
  signal: AbortSignal,
): Promise<Parameters<typeof compareBuilds>[0]> {
  const { vet, close } = await optionsOf(typed, { ...values, factors: "none" }, places, signal);
  try {
    const { report, template } = await vetBuild({ ...vet, looks: true });
    const { files, settings } = await readFiles(vet.target.folder);
    return { report, template, files, settings };
  } finally {
    await close();
  }
}

const MAX_TEXT_BYTES = 512 * 1024 * 1024;

/** Every file's digest, and the environment variables that code reads by name. */
async function readFiles(
  folder: string | null,
): Promise<{ readonly files: Map<string, string>; readonly settings: readonly string[] }> {
  const files = new Map<string, string>();
  const settings = new Set<string>();
  if (folder === null) return { files, settings: [] };
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    files.set(path.slice(folder.length + 1), await hashFile(path));
    const isCode = /\.[cm]?js$/.test(path) || isExecutable(path);
    if (!isCode || (await stat(path)).size > MAX_TEXT_BYTES) continue;
    for (const [, name] of (await readFile(path))
      .toString("latin1")
      .matchAll(/\bprocess\.env\.([A-Z][A-Z0-9_]{2,})/g))
      if (name !== undefined) settings.add(name);
  }
  return { files, settings: [...settings].toSorted() };
}

/** In which releases findings come and go. Each is fetched into the agents' folder and vetted with the given factors. */
async function history(
  typed: string,
  range: string,
  values: Values,
  places: Places,
  signal: AbortSignal,
): Promise<number> {
  const kind = agentNamed(typed);
  const [from, to] = range.split("..");
  if (kind === null || from === undefined || to === undefined || to === "")
    throw usage(
      "`--range` needs an agent's name and A..B",
      "for example: sallyport vet claude --range 2.1.190..2.1.200",
    );
  const versions = releasesOf(kind, from, to);
  const limits = {
    ...values,
    quick: true,
    only: values.only ?? [
      "timezone=Asia/Shanghai",
      "locale=zh_CN.UTF-8",
      "host=api.deepseek.com,llm.example.cn",
    ],
  };
  const { turns, probed } = await bisect(versions, async (version) => {
    const { vet, close } = await optionsOf(`${kind.name}@${version}`, limits, places, signal);
    try {
      process.stderr.write(`sallyport: vetting ${kind.name}@${version}\n`);
      const { findings, isRemembered } = await rememberedFindings(
        vet.target.sha256,
        [RANGE_METHOD, vet.factors, vet.repeats],
        places,
        async () => {
          const { report } = await vetBuild({ ...vet, combinations: "none" });
          return report.findings.map(findingKey);
        },
      );
      if (isRemembered) process.stderr.write(`sallyport: ${kind.name}@${version} was vetted before\n`);
      return new Set(findings);
    } finally {
      await close();
    }
  });
  const looked = [...probed].map(([version, findings]) => ({ version, findings: [...findings] }));
  if (values.json === true)
    process.stdout.write(
      `${JSON.stringify({ agent: kind.name, releases: versions.length, turns, probed: looked })}\n`,
    );
  else {
    for (const { version, findings } of looked)
      process.stdout.write(printable(`${version}  ${findings.length} findings\n`));
    for (const turn of turns)
      process.stdout.write(
        printable(
          `${turn.event === "appears" ? `not in ${turn.from}, in ${turn.to}` : `in ${turn.from}, not in ${turn.to}`}: ${turn.finding}
`,
        ),
      );
  }
  return turns.length > 0 || looked.some(({ findings }) => findings.length > 0) ? 1 : 0;
}

/** Published releases from `from` to `to`, oldest first, as npm's registry lists them. */
function releasesOf(kind: AgentKind, from: string, to: string): readonly string[] {
  const done = npm(["view", kind.package, "versions", "--json"], { prints: "back" });
  const listed: unknown = done.status === 0 ? JSON.parse(done.stdout ?? "") : null;
  if (!Array.isArray(listed))
    throw new Fault("setup.failed", { detail: `npm does not list the releases of ${kind.package}` });
  const rank = (version: string): number =>
    version.split(".").reduce((sum, part) => sum * 100_000 + Number(part), 0);
  const plain = listed.filter((one): one is string => typeof one === "string" && /^\d+\.\d+\.\d+$/.test(one));
  const chosen = plain
    .filter((one) => rank(one) >= rank(from) && rank(one) <= rank(to))
    .toSorted((a, b) => rank(a) - rank(b));
  if (chosen.length === 0)
    throw usage(`no release of ${kind.package} from ${from} to ${to}`, "see `npm view PACKAGE versions`");
  return chosen;
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
): Promise<{ readonly vet: VetOptions; readonly hash: string | null; close(): Promise<void> }> {
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
    budgetMs: values.budget === undefined ? null : count(values.budget, "--budget", 60) * 1000,
    combinations:
      values.only === undefined
        ? values.quick === true
          ? "none"
          : "all"
        : values.only.length > 1
          ? "all"
          : "none",
    jobs: count(values.jobs, "--jobs", Math.min(MOST_JOBS, availableParallelism() + 1)),
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
  return { vet, hash: found.hash, close: found.close };
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
