// The ledger between processes: one writer, whatever namespaces; killed at any time; on a disk that fills up.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";

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
