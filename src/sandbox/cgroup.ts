/**
 * Limits for a session as a whole, where the kernel lets this user set any: processes and memory, by a control group of
 * the session's own. RLIMIT_NPROC does not count root's processes, and no rlimit bounds the memory of many processes.
 *
 * Version 2: a child is made in the nearest group upwards that is ours to write and already hands both controllers down
 * (systemd's user manager arranges that; `Documentation/admin-guide/cgroup-v2.rst`, "delegation"). Version 1, which
 * root alone can write: a child of our own group in each of the two hierarchies.
 *
 * A client that was killed leaves an empty group; the next session removes it.
 * Failure contract: null, or a group that holds; a limit that cannot be set is not half set.
 */
import {
  accessSync,
  constants,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";

export interface CgroupLimits {
  readonly processes: number;
  readonly memoryBytes: number;
}

export interface Cgroup {
  /** Its directories. */
  readonly directories: readonly string[];
  /** Moves the process, unless it is in the group already. What it starts from then on is in it too. */
  enter(pid: number): void;
  /** Removes the group; call when nothing is in it any more, or again later. */
  close(): void;
}

/** One directory to make a group in, and what to write there. */
interface Place {
  readonly parent: string;
  readonly settings: readonly (readonly [file: string, value: number])[];
}

const PREFIX = "sallyport-";

/**
 * A new group with these limits, or null where this user may make none. `name` keeps two of one process apart; `root`
 * and `own` (the text of /proc/self/cgroup) are the machine's, but in tests.
 */
export function openCgroup(
  limits: CgroupLimits,
  name: string,
  root = "/sys/fs/cgroup",
  own: string = readText("/proc/self/cgroup"),
): Cgroup | null {
  const places = findPlaces(root, own, limits);
  if (places === null) return null;
  const made: string[] = [];
  const close = (): void => {
    for (const directory of made) remove(directory);
  };
  try {
    for (const { parent, settings } of places) {
      sweep(parent);
      const directory = join(parent, `${PREFIX}${process.pid}-${name}`);
      mkdirSync(directory);
      made.push(directory);
      for (const [file, value] of settings) writeFileSync(join(directory, file), String(value));
    }
  } catch {
    close();
    return null; // not ours to limit after all
  }
  return {
    directories: [...made],
    enter: (pid) => {
      for (const directory of made)
        if (!isIn(pid, directory.slice(root.length + 1)))
          writeFileSync(join(directory, "cgroup.procs"), String(pid));
    },
    close,
  };
}

/** Where groups can be made; null when not for both limits. */
function findPlaces(root: string, own: string, limits: CgroupLimits): Place[] | null {
  const unified = /^0::(\/.*)$/m.exec(own)?.[1];
  if (unified !== undefined && readText(join(root, "cgroup.controllers")) !== "") {
    const settings = [
      ["pids.max", limits.processes],
      ["memory.max", limits.memoryBytes],
    ] as const;
    for (let path = unified; ; path = dirname(path)) {
      const parent = join(root, path);
      const handsDown = readText(join(parent, "cgroup.subtree_control")).trim().split(" ");
      if (handsDown.includes("pids") && handsDown.includes("memory") && isOurs(parent))
        return [{ parent, settings }];
      if (path === "/") return null;
    }
  }
  const first = (controller: string): string | null => {
    const path = new RegExp(`^\\d+:(?:\\w+,)*${controller}(?:,\\w+)*:(/.*)$`, "m").exec(own)?.[1];
    const parent = path === undefined ? null : join(root, controller, path);
    return parent !== null && isOurs(parent) ? parent : null;
  };
  const [pids, memory] = [first("pids"), first("memory")];
  if (pids === null || memory === null) return null;
  return [
    { parent: pids, settings: [["pids.max", limits.processes]] },
    { parent: memory, settings: [["memory.limit_in_bytes", limits.memoryBytes]] },
  ];
}

function isOurs(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK);
    accessSync(join(directory, "cgroup.procs"), constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** `directory` below the root: the group's path, on version 1 after the controller's name. */
function isIn(pid: number, directory: string): boolean {
  const controller = directory.slice(0, directory.indexOf("/"));
  const name = directory.slice(directory.lastIndexOf("/") + 1);
  return readText(`/proc/${pid}/cgroup`)
    .split("\n")
    .some(
      (line) => line.endsWith(`/${name}`) && (line.startsWith("0::") || line.includes(`:${controller}:`)),
    );
}

/** Groups of clients that have gone; those that still hold a process cannot be removed, and stay. */
function sweep(parent: string): void {
  for (const name of readdirSync(parent)) {
    const pid = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1];
    if (pid !== undefined && readText(`/proc/${pid}/stat`) === "") remove(join(parent, name));
  }
}

function remove(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // Still in use, or gone: the next session's sweep looks again.
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
