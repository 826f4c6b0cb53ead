/**
 * What snapshots and an undo cost on a repository of 50,000 files (77 MB of text), beside `cp -a`, `git status` and `find`
 * in the same run. CPU seconds of the process and, for programs, of their children; the wall clock is other people's too.
 *
 *   node bench/workspace/undo.ts [files]
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { planRestore, restore, SnapshotStore, type Taken } from "../../src/workspace/index.ts";

const FILES = Number(process.argv[2] ?? 50_000);
const PER_FOLDER = 50;
const EVERY = 50;

const folder = mkdtempSync(join(tmpdir(), "sp-bench-"));
const work = join(folder, "work");
const rows: string[] = [];

function measure<T>(name: string, run: () => T): T {
  const cpu = process.cpuUsage();
  const from = performance.now();
  const result = run();
  const { user, system } = process.cpuUsage(cpu);
  const wall = (performance.now() - from) / 1000;
  rows.push(`| ${name} | ${((user + system) / 1e6).toFixed(2)} | ${wall.toFixed(2)} |`);
  return result;
}

/** CPU of a program, as the shell's `times` sees it. */
function program(name: string, line: string): void {
  const from = performance.now();
  const { stdout, status } = spawnSync("bash", ["-c", `( ${line} ) >/dev/null 2>&1; times`], {
    encoding: "utf8",
    cwd: work,
  });
  if (status !== 0) throw new Error(`${name} failed`);
  const [user = 0, system = 0] = [...(stdout.split("\n")[1] ?? "").matchAll(/(\d+)m([\d.]+)s/g)].map(
    ([, minutes, seconds]) => Number(minutes) * 60 + Number(seconds),
  );
  rows.push(
    `| ${name} | ${(user + system).toFixed(2)} | ${((performance.now() - from) / 1000).toFixed(2)} |`,
  );
}

function lay(): void {
  for (let n = 0; n < FILES; n += 1) {
    const at = join(work, `d${Math.floor(n / PER_FOLDER)}`);
    if (n % PER_FOLDER === 0) mkdirSync(at, { recursive: true });
    const line = `export const value${n} = ${Math.sin(n)}; // ${Math.cos(n * 7)}\n`;
    writeFileSync(join(at, `f${n}.ts`), line.repeat(20 + (n % 11)));
  }
}

const bytesBelow = (at: string): number =>
  readdirSync(at, { recursive: true, encoding: "utf8" })
    .map((name) => statSync(join(at, name)))
    .reduce((sum, stat) => sum + (stat.isFile() ? stat.size : 0), 0);

function undo(store: SnapshotStore, before: Taken, after: Taken): number {
  const all = (): boolean => true;
  const now = store.take([], Date.now());
  const steps = planRestore({
    before: before.tree,
    after: after.tree,
    now: now.tree,
    isChosen: all,
    isOwn: all,
    isForced: false,
  });
  const results = restore(work, before.tree, steps, (file) => store.read(file));
  const failed = results.filter((one) => one.failed !== null);
  if (failed.length > 0) throw new Error(`${failed.length} failed: ${failed[0]?.failed}`);
  return steps.length;
}

try {
  lay();
  const store = new SnapshotStore(join(folder, "snapshots"), work);
  const first = measure("first snapshot, everything is read", () => store.take([], Date.now() + 1_000));
  const kept = bytesBelow(join(folder, "snapshots"));
  measure("snapshot, nothing changed, in the station's memory", () => store.take([], Date.now()));
  const cold = new SnapshotStore(join(folder, "snapshots"), work);
  measure("snapshot, nothing changed, read from disk", () => cold.take([], Date.now()));
  for (let n = 0; n < FILES; n += EVERY)
    writeFileSync(join(work, `d${Math.floor(n / PER_FOLDER)}`, `f${n}.ts`), "changed\n");
  const changed = measure(`snapshot, ${FILES / EVERY} files changed`, () => store.take([], Date.now()));
  measure(`undo of ${FILES / EVERY} changed files`, () => undo(store, first, changed));
  const back = store.take([], Date.now());
  rmSync(work, { recursive: true });
  mkdirSync(work);
  const empty = store.take([], Date.now());
  measure(`undo of \`rm -rf\` of all ${FILES} files`, () => undo(store, back, empty));
  if (
    bytesBelow(work) !==
    [...first.tree.values()].reduce((sum, e) => sum + (e.kind === "file" ? e.bytes : 0), 0)
  )
    throw new Error("not everything came back");
  program("floor: find, every file's times", "find . -printf '%s %T@ %C@\\n'");
  program("floor: cp -a elsewhere", `cp -a . ${join(folder, "copy")}`);
  execFileSync("bash", ["-c", "rm -rf ./*"], { cwd: work });
  program("floor: cp -a back after the same `rm -rf`", `cp -a ${join(folder, "copy")}/. .`);
  execFileSync(
    "bash",
    ["-c", "git init -q . && git add . && git -c user.name=n -c user.email=e@e.example commit -qm x"],
    { cwd: work },
  );
  program("floor: git status, warm index", "git status --porcelain");
  process.stdout.write(
    `load ${loadavg()[0]?.toFixed(1)}; kept ${(kept / 2 ** 20).toFixed(1)} MB of ${(bytesBelow(work) / 2 ** 20).toFixed(1)} MB\n`,
  );
  process.stdout.write(`| ${FILES} files | CPU s | wall s |\n|---|--:|--:|\n${rows.join("\n")}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
