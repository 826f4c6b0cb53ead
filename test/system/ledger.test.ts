// The ledger between processes: one writer, whatever namespaces; killed at any time; on a disk that fills up.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { bundleVerifier } from "../../scripts/bundle-verifier.ts";

const CHILD = join(import.meta.dirname, "ledger-child.ts");
const place = (): [directory: string, keyDirectory: string] => {
  const home = mkdtempSync(join(tmpdir(), "ledger-sys-"));
  return [join(home, "disk/ledger"), join(home, "keys")];
};
const run = (before: readonly string[], ...args: string[]): string => {
  const [file = "", ...rest] = [...before, process.execPath, CHILD, ...args];
  return execFileSync(file, rest, { encoding: "utf8" }).trim();
};
const isAble = (...command: string[]): boolean => spawnSync("unshare", [...command, "true"]).status === 0;

it("a second process is refused, in other namespaces too, until the first is killed with SIGKILL", async () => {
  const [directory, keys] = place();
  const holder = spawn(process.execPath, [CHILD, "hold", directory, keys], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(holder.stdout, "data");
  expect(run([], "once", directory, keys)).toBe("ledger.locked");
  if (isAble("-rnpf")) expect(run(["unshare", "-rnpf"], "once", directory, keys)).toBe("ledger.locked");
  else console.warn("SKIPPED: the ledger's lock is not tried across namespaces here");
  holder.kill("SIGKILL");
  await once(holder, "exit");
  expect(run([], "once", directory, keys)).toBe("opened");
});

it.skipIf(!isAble("-rm"))(
  "a disk that fills up refuses, and the ledger goes on by itself when there is space",
  () => {
    const [directory, keys] = place();
    const disk = join(directory, "..");
    mkdirSync(disk, { recursive: true });
    const script = 'mount -t tmpfs -o size=6m tmpfs "$1" && shift && exec "$@"';
    const said = run(["unshare", "-rm", "sh", "-c", script, "sh", disk], "fill", directory, keys);
    expect(JSON.parse(said)).toEqual({ refused: "ledger.full", follows: true, ok: true, complete: true });
  },
);

it("killed again and again under load, nothing acknowledged is missing", () => {
  const script = join(import.meta.dirname, "../../scripts/ledger-kill.ts");
  const said = execFileSync(process.execPath, [script, "25"], { encoding: "utf8" });
  expect(JSON.parse(said.trim().split("\n").at(-1) ?? "")).toMatchObject({ kills: 25, lost: 0, ok: true });
});

it("killed with SIGKILL at each step of compacting, the ledger is whole, and the next run finishes", () => {
  const [directory, keys] = place();
  run([], "grow", directory, keys);
  let step = 0;
  for (; step < 20; step++) {
    const copy = join(directory, "../..", `copy-${step}`);
    cpSync(directory, copy, { recursive: true });
    const { signal } = spawnSync(process.execPath, [CHILD, "compact", copy, keys, String(step)]);
    if (signal === null) break;
    expect(signal).toBe("SIGKILL");
    expect(spawnSync(process.execPath, [bundled, copy]).status, `killed at step ${step}`).toBe(0);
    expect(run([], "compact", copy, keys, "-1")).toBe("compacted");
  }
  // Sync, write, compare, rename, sync, verify.
  expect(step).toBe(6);
});

const bundled = join(mkdtempSync(join(tmpdir(), "verifier-")), "verify.mjs");
beforeAll(() => bundleVerifier(bundled));

it("the stand-alone verifier is one file that reaches for nothing but Node", () => {
  const source = readFileSync(bundled, "utf8");
  const imported = [...source.matchAll(/^import [^"]*"([^"]+)"|\bimport\("([^"]+)"\)/gm)].map(
    (match) => match[1] ?? match[2] ?? "",
  );
  expect(imported.length).toBeGreaterThan(3);
  expect(imported.filter((name) => !name.startsWith("node:"))).toEqual([]);
  expect(source).not.toMatch(/node:(net|http|https|tls|dns|child_process)"/);
  expect(source).not.toMatch(/\bfetch\(/);
});

it("an old copy that goes on signing, and a forked history, are named by the stand-alone file", () => {
  const [directory, keys] = place();
  run([], "once", directory, keys);
  const [old, oldKeys] = [join(directory, "../../old"), join(keys, "../old-keys")];
  cpSync(directory, old, { recursive: true });
  cpSync(keys, oldKeys, { recursive: true });
  run([], "grow", directory, keys);
  const kept = join(directory, "../kept");
  copyFileSync(join(directory, "checkpoint"), kept);
  const verify = (folder: string): { status: number | null; stdout: string } =>
    spawnSync(process.execPath, [bundled, folder, "--remembered", kept], { encoding: "utf8" });
  expect(verify(directory).status).toBe(0);
  expect(verify(old)).toMatchObject({
    status: 7,
    stdout: expect.stringContaining("the ledger was rolled back: 602 entries were signed once, it has 1"),
  });
  run([], "once", old, oldKeys);
  expect(verify(old).stdout).toContain("it has 2");
  run([], "grow", old, oldKeys);
  expect(verify(old)).toMatchObject({
    status: 7,
    stdout: expect.stringContaining(
      "history is forked: its first 602 entries are not those that were signed once",
    ),
  });
});

it("the stand-alone verifier says by its exit code whether a copy is whole", () => {
  const [directory, keys] = place();
  run([], "once", directory, keys);
  const verify = (...args: string[]): { status: number | null; text: string } => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [bundled, ...args], { encoding: "utf8" });
    return { status, text: stdout + stderr };
  };
  const key = readFileSync(join(directory, "vkey.txt"), "utf8").trim();
  const kept = join(directory, "../kept");
  copyFileSync(join(directory, "checkpoint"), kept);
  expect(verify(directory, "--key", key, "--remembered", kept)).toMatchObject({ status: 0 });
  expect(JSON.parse(verify(directory, "--json").text)).toMatchObject({ ok: true, size: 1 });
  const bundle = join(directory, "tile/entries/000.p/1");
  const bytes = readFileSync(bundle);
  bytes[9] = (bytes[9] ?? 0) ^ 1;
  writeFileSync(bundle, bytes);
  const found = verify(directory, "--key", join(directory, "vkey.txt"));
  expect(found).toMatchObject({
    status: 7,
    text: expect.stringContaining("tile/entries/000.p/1: entry 0 is altered"),
  });
  expect(verify()).toMatchObject({ status: 2 });
  expect(verify("--colour", directory)).toMatchObject({ status: 2 });
});
