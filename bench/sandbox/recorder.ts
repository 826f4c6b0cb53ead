/**
 * What the record of programs, files and connections costs: the same work in the same sandbox with and without it,
 * interleaved. With it, everything is appended to a real ledger, arguments sealed. Time is CPU time of the work, the helper
 * and this process (which is station and client at once) together, as the machine may be busy; wall time beside it.
 *
 *   node bench/sandbox/recorder.ts [rounds] [work…]      work: npm, git, exec
 *
 * `npm` fills a cache of its own from the registry first; what is measured is offline.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { newSessionId, systemClock } from "../../src/core/index.ts";
import { openLedger } from "../../src/ledger/index.ts";
import {
  launch,
  planSandbox,
  Recorder,
  readHostFacts,
  readMachineFacts,
  type SandboxSpec,
} from "../../src/sandbox/index.ts";

const ROOT = join(import.meta.dirname, "../..");
const rounds = Number(process.argv[2] ?? 5);
const chosen = process.argv.slice(3);
const folder = mkdtempSync(join(tmpdir(), "sp-recorder-"));
const at = (...names: string[]): string => join(folder, ...names);
const machine = readMachineFacts();
if (machine.helper.path === null) throw new Error(`no helper: ${machine.helper.why}`);
for (const name of ["home", "work", "cache"]) mkdirSync(at(name));
writeFileSync(at("ca.pem"), "");

const _node = join(ROOT, "node_modules/node/bin/node");
const DEPENDENCIES = {
  typescript: "7.0.2",
  "fast-check": "4.10.2",
  "@google/genai": "2.32.0",
  openai: "6.49.0",
  esbuild: "0.28.2",
};
// Offline, npm finds packages by the addresses in the lock file, whatever the person's own settings leave out of it.
const flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--omit-lockfile-registry-resolved=false"];
const npm = ["npm", "ci", "--offline", ...flags, "--cache", at("cache")];
const WORK: Readonly<Record<string, { readonly prepare: () => void; readonly script: string }>> = {
  npm: {
    prepare: () => {
      writeFileSync(at("work/package.json"), JSON.stringify({ name: "x", dependencies: DEPENDENCIES }));
      execFileSync("npm", ["install", ...flags, "--cache", at("cache")], {
        cwd: at("work"),
        stdio: "ignore",
      });
    },
    script: `${npm.join(" ")}`,
  },
  git: {
    prepare: () => {
      execFileSync("git", ["clone", "-q", "--depth", "1", `file://${ROOT}`, at("work/repo")]);
    },
    script: "cd repo; for i in $(seq 200); do git status --short >/dev/null; done",
  },
  exec: { prepare: () => {}, script: "for i in $(seq 2000); do /bin/true; done" },
};

const ledger = await openLedger({
  directory: at("ledger"),
  keyDirectory: at("keys"),
  clock: systemClock,
  program: "bench",
});
let sessions = 0;
let events = 0;

interface Cost {
  readonly cpu: number;
  readonly wall: number;
}

/** CPU seconds of children that have ended, the helper above all: user and system, in ticks of 10 ms. */
function ofChildren(): number {
  const fields = readFileSync("/proc/self/stat", "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[13]) + Number(fields[14])) / 100;
}

async function measure(script: string, isRecorded: boolean): Promise<Cost> {
  const id = newSessionId(() => Buffer.from((++sessions).toString(16).padStart(8, "0"), "hex"));
  const socket = at(`${sessions}.sock`);
  const inside = at("work/times");
  const spec: SandboxSpec = {
    program: ["bash", "-c", `(${script}) >/dev/null 2>&1; code=$?; times > ${inside}; exit $code`],
    ...{ workspace: at("work"), homeDirectory: at("home"), hide: [], proxyPort: 3128, nested: false },
    read: [ROOT],
    write: [at("cache")],
    environment: { PATH: `${process.env["PATH"]}` },
    ...{ caCertificate: at("ca.pem"), caBundle: at("ca.pem") },
    record: isRecorded ? { socket, reads: false, goesOn: false } : null,
  };
  const facts = readHostFacts(
    spec,
    isRecorded ? machine : { ...machine, helper: { path: null, why: "left out" } },
  );
  const before = { own: process.cpuUsage(), children: ofChildren(), wall: performance.now() };
  const recorder = isRecorded
    ? await Recorder.listen({
        ...{ session: id, workspace: at("work"), socket },
        append: async (body, evidence) => {
          events++;
          return ledger.append(body, evidence);
        },
        hashOf: async () => null, // each program is read once in its life
        onLost: () => {},
      })
    : null;
  const launched = await launch(planSandbox(spec, facts), { onConnection: (one) => one.destroy() });
  const { code } = await launched.exit;
  if (code !== 0) throw new Error(`\`${script}\` ended with ${code}: ${readFileSync(inside, "utf8")}`);
  await recorder?.finish(true);
  const wall = performance.now() - before.wall;
  const own = process.cpuUsage(before.own);
  // Of the shell and of its children, user and system: `0m0.012s`.
  const work = [...readFileSync(inside, "utf8").matchAll(/(\d+)m([\d.]+)s/g)];
  const spent = work.reduce((sum, [, minutes, seconds]) => sum + Number(minutes) * 60 + Number(seconds), 0);
  return { wall, cpu: spent + (own.user + own.system) / 1e6 + ofChildren() - before.children };
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
const [load = 0] = loadavg();
console.log(`${rounds} rounds · load ${load.toFixed(1)} · helper by ${machine.helper.compiler}`);
console.log(
  "| work | without, CPU s | with, CPU s | ratio, CPU | ratio, least wall | events in the ledger |\n|---|--:|--:|--:|--:|--:|",
);
try {
  for (const [name, { prepare, script }] of Object.entries(WORK)) {
    if (chosen.length > 0 && !chosen.includes(name)) continue;
    rmSync(at("work"), { recursive: true });
    mkdirSync(at("work"));
    prepare();
    const costs: Record<"without" | "with", Cost[]> = { without: [], with: [] };
    await measure(script, false); // warm
    events = 0;
    for (let round = 0; round < rounds; round++) {
      costs.without.push(await measure(script, false));
      costs.with.push(await measure(script, true));
    }
    const cpu = (of: readonly Cost[]): number => median(of.map((one) => one.cpu));
    const wall = (of: readonly Cost[]): number => Math.min(...of.map((one) => one.wall));
    console.log(
      `| ${name} | ${cpu(costs.without).toFixed(2)} | ${cpu(costs.with).toFixed(2)} | ${(cpu(costs.with) / cpu(costs.without)).toFixed(2)} | ${(wall(costs.with) / wall(costs.without)).toFixed(2)} | ${Math.round(events / rounds)} |`,
    );
  }
} finally {
  await ledger.close();
  rmSync(folder, { recursive: true, force: true });
}
