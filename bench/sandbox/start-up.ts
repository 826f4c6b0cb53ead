/**
 * What the wall adds to starting a program: `true` bare, in a minimal bubblewrap, and by `launch`, interleaved so that a
 * busy machine hits all alike. Times are from before `spawn` to the program's end, in the client's process; what Node
 * itself takes to start is not in them.
 *
 *   node bench/sandbox/start-up.ts [runs]
 */
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, release, tmpdir } from "node:os";
import { join } from "node:path";
import {
  launch,
  type MachineFacts,
  planSandbox,
  readHostFacts,
  readMachineFacts,
  type SandboxPlan,
  type SandboxSpec,
} from "../../src/sandbox/index.ts";

const runs = Number(process.argv[2] ?? 20);
const folder = mkdtempSync(join(tmpdir(), "sallyport-bench-"));
const at = (name: string): string => join(folder, name);
mkdirSync(at("home"));
mkdirSync(at("plain"));
mkdirSync(at("repository"));
for (const name of ["ca.pem", "bundle.pem"]) writeFileSync(at(name), "x");
execFileSync("git", ["init", "-q", at("repository")]);
mkdirSync(at("repository/.vscode"));
writeFileSync(at("repository/.env"), "x");

const machine = readMachineFacts();
const NO_HELPER = { path: null, why: "left out to compare" } as const;
const spec = (workspace: string): SandboxSpec => ({
  program: ["true"],
  workspace: at(workspace),
  homeDirectory: at("home"),
  read: [],
  write: [],
  hide: [".env"],
  environment: {},
  caCertificate: at("ca.pem"),
  caBundle: at("bundle.pem"),
  proxyPort: 3128,
  nested: false,
});
const planned = (workspace: string, over: Partial<MachineFacts> = {}): SandboxPlan =>
  planSandbox(spec(workspace), { ...readHostFacts(spec(workspace), machine), ...over });

const spawned = (file: string, args: readonly string[]) => (): Promise<unknown> =>
  new Promise((resolve, reject) => {
    spawn(file, args, { stdio: "inherit" }).once("exit", resolve).once("error", reject);
  });
const launched = (plan: SandboxPlan) => async (): Promise<unknown> =>
  (await launch(plan, { onConnection: (socket) => socket.destroy() })).exit;

const MINIMAL = ["--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "true"];
const cases: readonly (readonly [string, () => Promise<unknown>])[] = [
  ["bare", spawned("true", [])],
  ["minimal bubblewrap", spawned("bwrap", MINIMAL)],
  ["launch, empty workspace", launched(planned("plain"))],
  ["launch, repository with guards and a hidden file", launched(planned("repository"))],
  ["launch, perl as the first stage", launched(planned("repository", { helper: NO_HELPER }))],
  ["launch, Node as the first stage", launched(planned("repository", { helper: NO_HELPER, perl: null }))],
  [
    "facts and plan only",
    async () => planSandbox(spec("repository"), readHostFacts(spec("repository"), machine)),
  ],
];

const times = new Map<string, number[]>(cases.map(([name]) => [name, []]));
for (let run = -2; run < runs; run++)
  for (const [name, action] of cases) {
    const before = performance.now();
    await action();
    if (run >= 0) times.get(name)?.push(performance.now() - before);
  }
rmSync(folder, { recursive: true, force: true });

const [load = 0] = loadavg();
console.log(
  `${runs} runs · ${cpus()[0]?.model ?? "?"} ×${availableParallelism()} · Linux ${release()} · Node ${process.versions.node} · bubblewrap ${machine.bubblewrap?.version} · uid ${machine.uid} · load ${load.toFixed(1)}`,
);
console.log("| | median ms | min | max |\n|---|---|---|---|");
for (const [name, list] of times) {
  const sorted = list.toSorted((a, b) => a - b);
  const cell = (index: number): string => (sorted[index] ?? 0).toFixed(1);
  console.log(
    `| ${name} | ${cell(Math.floor(sorted.length / 2))} | ${cell(0)} | ${cell(sorted.length - 1)} |`,
  );
}
