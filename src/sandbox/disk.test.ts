// The limit that keeps a person's disk usable, where the disk answers and where it does not.
import { mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type DiskEnd, watchDisk } from "./disk.ts";

describe("the disks of a session", () => {
  let folder: string;
  let ends: DiskEnd[];
  let free: () => number;
  const watch = (paths: readonly string[] = [folder], freeBytes = 100): (() => void) =>
    watchDisk(
      { paths, freeBytes },
      (end) => ends.push(end),
      () => free(),
    );
  const pass = (): void => void vi.advanceTimersByTime(1_000);

  beforeEach(() => {
    vi.useFakeTimers();
    folder = mkdtempSync(join(tmpdir(), "sp-disk-"));
    ends = [];
    free = () => 1_000;
  });
  afterEach(() => {
    vi.useRealTimers();
    rmSync(folder, { recursive: true, force: true });
  });

  it("end it when less is left than is to stay free, and say so once", () => {
    const stop = watch();
    pass();
    expect(ends).toEqual([]);
    free = () => 99;
    pass();
    pass();
    expect(ends).toEqual([{ path: folder, why: "full" }]);
    stop();
  });

  it("that were nearly full already may be filled by half of what was left", () => {
    free = () => 60;
    const stop = watch();
    free = () => 30;
    pass();
    expect(ends).toEqual([]);
    free = () => 29;
    pass();
    expect(ends).toEqual([{ path: folder, why: "full" }]);
    stop();
  });

  it("end it when one of them no longer says how much is left", () => {
    const stop = watch();
    free = () => {
      throw new Error("EIO");
    };
    pass();
    expect(ends).toEqual([{ path: folder, why: "unknown" }]);
    stop();
  });

  it("end it when one of them never said, as soon as somebody can hear it", () => {
    free = () => {
      throw new Error("EIO");
    };
    const stop = watch();
    expect(ends).toEqual([]);
    free = () => 1_000;
    pass();
    expect(ends).toEqual([{ path: folder, why: "unknown" }]);
    stop();
  });

  it("end it when a directory was not there to begin with", () => {
    const path = join(folder, "none");
    const stop = watchDisk({ paths: [path], freeBytes: 1 }, (end) => ends.push(end));
    pass();
    expect(ends).toEqual([{ path, why: "unknown" }]);
    stop();
  });

  it("a directory that is moved or removed meanwhile still answers for its disk", () => {
    const stop = watchDisk({ paths: [folder], freeBytes: 1 }, (end) => ends.push(end));
    renameSync(folder, `${folder}.moved`);
    rmSync(`${folder}.moved`, { recursive: true });
    pass();
    expect(ends).toEqual([]);
    stop();
  });

  it("nothing is looked at when it is over", () => {
    watch()();
    free = () => 0;
    pass();
    expect(ends).toEqual([]);
  });
});
