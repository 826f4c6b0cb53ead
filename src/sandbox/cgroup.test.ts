import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openCgroup } from "./cgroup.ts";

const LIMITS = { processes: 100, memoryBytes: 1 << 30 };

/** The kernel's files, as plain ones: what is chosen and written is tested, not what the kernel makes of it. */
describe("where a group is made", () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "sallyport-cgroup-"));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const put = (path: string, text = ""): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  const groups = (path: string): string[] =>
    readdirSync(join(root, path)).filter((name) => name.startsWith("sallyport-"));

  it("version 2: beside our own group, in the nearest one that hands both controllers down", () => {
    put("cgroup.controllers", "cpu io memory pids\n");
    for (const [path, controllers] of [
      ["user.slice", "cpu memory pids"],
      ["user.slice/app.slice", "memory pids"],
      ["user.slice/app.slice/terminal.scope", ""],
    ]) {
      put(`${path}/cgroup.subtree_control`, `${controllers}\n`);
      put(`${path}/cgroup.procs`);
    }
    const group = openCgroup(LIMITS, "1", root, "0::/user.slice/app.slice/terminal.scope\n");
    const [name = ""] = groups("user.slice/app.slice");
    expect(name).toBe(`sallyport-${process.pid}-1`);
    const at = join(root, "user.slice/app.slice", name);
    expect(readFileSync(join(at, "pids.max"), "utf8")).toBe("100");
    expect(readFileSync(join(at, "memory.max"), "utf8")).toBe(String(1 << 30));
    group?.enter(12);
    expect(readFileSync(join(at, "cgroup.procs"), "utf8")).toBe("12");
  });

  it("version 2 without delegation: none", () => {
    put("cgroup.controllers", "cpu io memory pids\n");
    put("session.scope/cgroup.subtree_control", "\n");
    put("session.scope/cgroup.procs");
    put("cgroup.subtree_control", "cpu pids\n"); // memory is not handed down
    put("cgroup.procs");
    expect(openCgroup(LIMITS, "1", root, "0::/session.scope\n")).toBeNull();
    expect(groups("session.scope")).toEqual([]);
  });

  it("version 1: in both hierarchies, below our own groups, whatever is mounted together", () => {
    put("pids/cgroup.procs");
    put("memory/box/cgroup.procs");
    const own = "9:name=systemd:/\n8:pids:/\n4:cpu,memory:/box\n0::/\n";
    expect(openCgroup(LIMITS, "1", root, own)).not.toBeNull();
    const name = `sallyport-${process.pid}-1`;
    expect(readFileSync(join(root, "pids", name, "pids.max"), "utf8")).toBe("100");
    expect(readFileSync(join(root, "memory/box", name, "memory.limit_in_bytes"), "utf8")).toBe(
      String(1 << 30),
    );
  });

  it("version 1 with one of the two missing: none, and nothing half made", () => {
    put("pids/cgroup.procs");
    expect(openCgroup(LIMITS, "1", root, "8:pids:/\n4:memory:/\n")).toBeNull();
    expect(groups("pids")).toEqual([]);
  });

  it("no control groups at all: none", () => {
    expect(openCgroup(LIMITS, "1", root, "")).toBeNull();
  });

  it("groups of clients that were killed are removed, those of living ones stay", () => {
    put("pids/cgroup.procs");
    put("memory/cgroup.procs");
    const gone = 2 ** 22 + 1; // above the kernel's largest number
    for (const pid of [gone, process.pid]) mkdirSync(join(root, `pids/sallyport-${pid}-7`));
    openCgroup(LIMITS, "1", root, "8:pids:/\n4:memory:/\n");
    expect(existsSync(join(root, `pids/sallyport-${gone}-7`))).toBe(false);
    expect(existsSync(join(root, `pids/sallyport-${process.pid}-7`))).toBe(true);
  });
});
