/**
 * What the planner must know about this machine (once) and about the paths of one session (each time). The impure half
 * of planning: everything here is read synchronously and handed to the pure planner. Nothing is created or changed.
 *
 * A path is followed to its end here (realpath), so that a link in a hostile repository cannot make the planner bind a
 * directory that the person never named; device and inode are noted so that the first process inside the sandbox can
 * refuse if the path was swapped in between (T: symlink swap by another session in the same workspace).
 */
import { spawnSync } from "node:child_process";
import {
  accessSync,
  constants,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  statSync,
} from "node:fs";
import { homedir, tmpdir, totalmem } from "node:os";
import { dirname, join, resolve } from "node:path";
import { Fault, OBEYED_AT_TOP } from "../core/index.ts";
import { findHelper, type HelperFact } from "./helper.ts";
import { tryOverlay } from "./overlay-trial.ts";

/** What a session may touch, as the policy and the agent's adapter say it. */
export interface SandboxSpec {
  /** Exact argument vector; the first is a path or a name on the PATH inside. */
  readonly program: readonly string[];
  /** Absolute path; appears inside at the same place. */
  readonly workspace: string;
  /** Where the program starts; the workspace when left out or not in it. */
  readonly cwd?: string;
  /** The host directory that is the agent's home inside, at `/home/agent`. */
  readonly homeDirectory: string;
  /** Absolute, `~/…`, or relative to the workspace. What does not exist is left out and said in `explain`. */
  readonly read: readonly string[];
  readonly write: readonly string[];
  /** Also with `*` within a name and a leading or inner `**` directory; expanded once, when the session starts. */
  readonly hide: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Paths of the workspace that exist and look otherwise inside: a file with this text, a directory empty (null). Read-only. */
  readonly covers?: readonly Cover[];
  /** Files below /etc that exist inside only, read-only: an agent's administrator settings. Left out without a wall. */
  readonly files?: readonly { readonly path: string; readonly text: string }[];
  /** Host files, PEM. */
  readonly caCertificate: string;
  readonly caBundle: string;
  /** Host file: the same for Java (`javaTrustStore`), where one is installed. */
  readonly javaStore?: string;
  /** TCP port on 127.0.0.1, inside, at which the gateway is reached. */
  readonly proxyPort: number;
  /** Whether the agent's own sandbox may nest in ours. */
  readonly nested: boolean;
  /** Default `bubblewrap`. `none` runs the program without any wall. */
  readonly mode?: "bubblewrap" | "none";
  /** Sallyport's own files (ledger, keys, sockets): a workspace or a grant that holds one, or lies in one, is refused. */
  readonly protect?: readonly string[];
  readonly limits?: Partial<SandboxLimits>;
  /** What happens inside is told to this socket of the station's; absent or null: to nobody. */
  readonly record?: SandboxRecord | null;
  /** Where copy-on-write directories keep what is written; absent: nothing is copy-on-write. */
  readonly hold?: SandboxHold;
  /** Absolute: what lies deeper in the workspace that tools on the host obey, and repositories (`.git`) below its top. */
  readonly inner?: { readonly obeyed: readonly string[]; readonly repositories: readonly string[] };
}

export interface SandboxHold {
  /** Host directory, the session's own; made by whoever starts the session. */
  readonly folder: string;
  /** The workspace as a whole, and not only its repositories. */
  readonly isWhole: boolean;
  /** What the mounts are called inside. */
  readonly tag: string;
}

export interface SandboxRecord {
  /** Unix socket, on the host. */
  readonly socket: string;
  /**
   * Also files opened for reading in what `read` and `write` show of the machine beside the workspace, the system's own
   * places and `quiet` left out; each once. Costs some 8 µs for each file opened, and nothing where nothing is shown.
   */
  readonly reads: boolean;
  /** Absolute: places whose reading is no news, as the agent's own program. Default: none. */
  readonly quiet?: readonly string[];
  /** The session goes on when the record is lost; else it is stopped. */
  readonly goesOn: boolean;
}

export interface Cover {
  /** Absolute. What does not exist, or is of the other kind, stays as it is. */
  readonly path: string;
  readonly text: string | null;
}

export interface SandboxLimits {
  /** Processes and threads of the whole sandbox. */
  readonly processes: number;
  readonly openFiles: number;
  /** Bytes of any one file. */
  readonly fileBytes: number;
  /** Bytes of the private /tmp. */
  readonly tmpBytes: number;
  /**
   * Bytes of memory: of the whole sandbox where the machine lets this user limit that (see `doctor`), of each process
   * everywhere.
   */
  readonly memoryBytes: number;
  /** Bytes that stay free on the disks that the session writes to; it ends when fewer are left. */
  readonly freeBytes: number;
}

export interface PathFact {
  /** As the spec asked for it, made absolute. */
  readonly path: string;
  /** Its end after all links; null when there is nothing. */
  readonly real: string | null;
  readonly kind: "file" | "directory" | "other" | "missing";
  readonly device: number;
  readonly inode: number;
}

export interface MachineFacts {
  readonly platform: NodeJS.Platform;
  readonly arch: string;
  readonly uid: number;
  readonly gid: number;
  /** The person's home, real path. */
  readonly home: string;
  readonly bubblewrap: { readonly path: string; readonly version: string } | null;
  /** /bin, /lib, …: the link's text, or "directory" where the system is not merged into /usr. */
  readonly rootEntries: Readonly<Record<string, string>>;
  /** Which of the allowed names under /etc exist: the text of a link into /usr, else null. */
  readonly etc: Readonly<Record<string, string | null>>;
  /** For root only: what under /proc is root's to write or read by file mode alone, without any capability. */
  readonly rootProc: { readonly readOnly: readonly string[]; readonly masked: readonly string[] };
  readonly memoryBytes: number;
  /** Starts, records and catches; without it perl or Node is the first stage, and nothing is recorded inside. */
  readonly helper: HelperFact;
  /** Why no copy-on-write directory can be made; null: it can. */
  readonly noOverlay: string | null;
  readonly perl: string | null;
  readonly node: string;
  readonly prlimit: string | null;
  readonly bash: boolean;
  /** Trust stores of the Javas that are installed: real files under /usr, and links or files under /etc. */
  readonly javaStores: readonly string[];
}

/** What the planner knows besides the spec. */
export type HostFacts = MachineFacts & WorkspaceFacts;

/** The paths of one session as they are now. */
export interface WorkspaceFacts {
  readonly workspace: PathFact & { readonly owner: number };
  readonly homeDirectory: PathFact;
  readonly read: readonly PathFact[];
  readonly write: readonly PathFact[];
  /** Existing paths that the hide patterns match. */
  readonly hidden: readonly PathFact[];
  readonly covered: readonly (PathFact & { readonly text: string | null })[];
  /** Real paths. */
  readonly protect: readonly string[];
  /** The repository's administrative directory; null when the workspace has none. */
  readonly git: GitFacts | null;
  /** The same of repositories deeper in the workspace. */
  readonly inner: readonly GitFacts[];
  /** Existing files and directories of the workspace that tools on the host execute or obey. */
  readonly guarded: readonly PathFact[];
  /** Directories above any of these, up to the workspace or grant that holds them: moving one would move what is in it. */
  readonly parents: readonly PathFact[];
}

export interface GitFacts {
  /** `<workspace>/.git` itself: a directory, or a file in a linked worktree or submodule. */
  readonly entry: PathFact;
  /** Where git's files are, when `entry` is a file that points there: the worktree's own directory, and the shared one. */
  readonly directories: readonly PathFact[];
  /** What makes git run programs: config, hooks, info, … of these directories, and files that their config names. */
  readonly executable: readonly PathFact[];
}

const ROOT_ENTRIES = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];

/**
 * Names under /etc that programs need to start, verify and print. An allow-list, because /etc also holds password
 * hashes, private keys and package managers' tokens (`/etc/ssl/private`, `/etc/npmrc`, `/etc/pip.conf`), which a session
 * started by root could read. Short, because each mount costs bubblewrap a third of a millisecond. Not `profile` and
 * `bash.bashrc`: they would replace the plan's PATH in the login shells that some agents use.
 */
export const ETC_NAMES: readonly string[] = [
  "alternatives",
  "crypto-policies",
  "fonts",
  "java-11-openjdk",
  "java-17-openjdk",
  "java-21-openjdk",
  "java-25-openjdk",
  "ld.so.cache",
  "localtime",
  "mime.types",
  "os-release",
  "protocols",
  "services",
  "ssl/openssl.cnf",
];

/**
 * Inside, root's processes have no capability, but they are still user 0 to the kernel, and these files ask for no more:
 * /proc/sys/kernel/core_pattern and /proc/sys/kernel/modprobe name programs that the host's kernel runs as root.
 * bubblewrap covers only what its own check calls writable, and /proc/sys is not among it (0.8.0).
 */
const ROOT_PROC_READ_ONLY = ["acpi", "scsi", "sys"];
/** Maps of physical memory and of the kernel's heap, readable by user 0: what exploits look for. */
const ROOT_PROC_MASKED = ["kpagecgroup", "kpagecount", "kpageflags", "slabinfo", "vmallocinfo"];

/** What git executes or obeys when a tool on the host next runs in this repository. */
const GIT_EXECUTABLE = ["config", "config.worktree", "hooks", "info", "commondir", "modules"];
/** Settings whose value names files that git reads as configuration or runs. */
const GIT_PATH_SETTING =
  /^\s*(?:path|hooksPath|attributesFile|excludesFile|fsmonitor|program|sshCommand)\s*=\s*"?([^"\n;#]+)"?/gim;

/** Of a git file that is read whole. */
const MAX_SMALL_BYTES = 256 * 1024;
/** Entries that expanding hide patterns may look at; more is a pattern too wide to promise anything. */
const MAX_WALKED = 200_000;

/**
 * The machine's facts; good for the life of a process. Costs some milliseconds, most of them `bwrap --version`.
 * `holds`: where copy-on-write directories would keep what is written; the nearest folder upwards that exists is tried.
 */
export function readMachineFacts(holds: string = tmpdir()): MachineFacts {
  return {
    platform: process.platform,
    arch: process.arch,
    uid: process.getuid?.() ?? -1,
    gid: process.getgid?.() ?? -1,
    home: realOr(homedir()),
    bubblewrap: readBubblewrap(),
    rootEntries: Object.fromEntries(ROOT_ENTRIES.flatMap((name) => rootEntry(name))),
    etc: Object.fromEntries(
      ETC_NAMES.filter((name) => existing(`/etc/${name}`)).map((name) => [name, linkIntoUsr(`/etc/${name}`)]),
    ),
    rootProc: process.getuid?.() === 0 ? rootProc() : { readOnly: [], masked: [] },
    memoryBytes: totalmem(),
    ...helperFacts(holds),
    perl: firstUsable(["/usr/bin/perl", "/bin/perl"]),
    node: realOr(process.execPath),
    prlimit: firstUsable(["/usr/bin/prlimit", "/bin/prlimit"]),
    bash: existing("/bin/bash"),
    javaStores: javaStores(),
  };
}

/**
 * The facts for one session; `machine` may be kept between sessions. Throws `sandbox.workspace` when the workspace is
 * not a directory, `sandbox.hide` when a pattern needs more than 200 000 directory entries.
 */
export function readHostFacts(spec: SandboxSpec, machine: MachineFacts = readMachineFacts()): HostFacts {
  return { ...machine, ...readWorkspaceFacts(spec) };
}

function helperFacts(holds: string): Pick<MachineFacts, "helper" | "noOverlay"> {
  const helper = findHelper();
  return {
    helper,
    noOverlay: helper.path === null ? `no helper: ${helper.why}` : tryOverlay(helper.path, holds),
  };
}

/** Debian's and Fedora's own, which their Javas link to, and those that a Java brings itself. */
function javaStores(): string[] {
  const shared = [
    "/etc/ssl/certs/java/cacerts",
    "/etc/pki/java/cacerts",
    "/etc/pki/ca-trust/extracted/java/cacerts",
  ];
  const own = list("/usr/lib/jvm").flatMap(({ name }) => {
    const path = `/usr/lib/jvm/${name}/lib/security/cacerts`;
    // A link leads to one of the shared; another name of the same Java needs no second mount.
    return existing(path) && realOr(path) === path ? [path] : [];
  });
  return own.length > 0 || existing("/usr/lib/jvm") ? [...shared, ...own] : [];
}

function readWorkspaceFacts(spec: SandboxSpec): WorkspaceFacts {
  const workspace = pathFact(resolve(spec.workspace));
  const { real } = workspace;
  if (workspace.kind !== "directory" || real === null)
    throw new Fault("sandbox.workspace", { at: spec.workspace, detail: "it is not a directory" });
  const absolute = (path: string): string =>
    path === "~" || path.startsWith("~/") ? join(homedir(), path.slice(1)) : resolve(real, path);
  const read = spec.read.map((path) => pathFact(absolute(path)));
  const write = spec.write.map((path) => pathFact(absolute(path)));
  const hidden = spec.hide.flatMap((pattern) => expand(absolute(pattern))).map(pathFact);
  const covered = (spec.covers ?? [])
    .map(({ path, text }) => ({ ...pathFact(path), text }))
    .filter(({ kind, text }) => kind === (text === null ? "directory" : "file"));
  const git = gitFacts(real);
  const repositories = (spec.inner?.repositories ?? []).flatMap((path) => gitFacts(dirname(path)) ?? []);
  const guarded = [...OBEYED_AT_TOP.map((name) => join(real, name)), ...(spec.inner?.obeyed ?? [])]
    .map(pathFact)
    .filter((fact) => fact.kind !== "missing");
  const inner = [
    ...read,
    ...write,
    ...hidden,
    ...covered,
    ...guarded,
    ...[git, ...repositories].flatMap((one) => (one === null ? [] : [...one.executable, ...one.directories])),
  ];
  return {
    workspace: { ...workspace, owner: statSync(real).uid },
    homeDirectory: pathFact(spec.homeDirectory),
    read,
    write,
    hidden,
    covered,
    protect: (spec.protect ?? []).map((path) => realOr(resolve(path))),
    git,
    inner: repositories,
    guarded,
    parents: parentsOf(inner, [workspace, ...read, ...write, ...(git?.directories ?? [])]),
  };
}

function parentsOf(inner: readonly PathFact[], roots: readonly PathFact[]): PathFact[] {
  const found = new Set<string>();
  for (const { real } of inner) {
    const holding = roots.flatMap((root) =>
      root.real !== null && real !== null && within(real, root.real) ? [root.real] : [],
    );
    for (
      let at = dirname(real ?? "/");
      holding.some((root) => at !== root && within(at, root));
      at = dirname(at)
    )
      found.add(at);
  }
  return [...found].map(pathFact);
}

/** The system's bubblewrap and its version, or null when there is none or it does not start. */
export function readBubblewrap(): { readonly path: string; readonly version: string } | null {
  const path = firstUsable(["/usr/bin/bwrap", "/usr/local/bin/bwrap", "/bin/bwrap"]);
  if (path === null) return null;
  const { stdout } = spawnSync(path, ["--version"], { encoding: "utf8", timeout: 5000, shell: false });
  const version = /(\d+\.\d+\.\d+)/.exec(stdout ?? "")?.[1];
  return version === undefined ? null : { path, version };
}

function rootProc(): MachineFacts["rootProc"] {
  const present = (names: readonly string[]): string[] =>
    names.map((name) => `/proc/${name}`).filter((path) => existing(path));
  return { readOnly: present(ROOT_PROC_READ_ONLY), masked: present(ROOT_PROC_MASKED) };
}

function rootEntry(name: string): [string, string][] {
  try {
    return lstatSync(`/${name}`).isSymbolicLink()
      ? [[name, readlinkSync(`/${name}`)]]
      : [[name, "directory"]];
  } catch {
    return []; // not every system has every one
  }
}

function linkIntoUsr(path: string): string | null {
  return lstatSync(path).isSymbolicLink() && realOr(path).startsWith("/usr/") ? realOr(path) : null;
}

function pathFact(path: string): PathFact {
  try {
    const real = realpathSync(path);
    const found = statSync(real);
    const kind = found.isDirectory() ? "directory" : found.isFile() ? "file" : "other";
    return { path, real, kind, device: found.dev, inode: found.ino };
  } catch {
    // Missing, a loop, or not ours to look at: nothing that could be bound.
    return { path, real: null, kind: "missing", device: 0, inode: 0 };
  }
}

function gitFacts(workspace: string): GitFacts | null {
  const path = join(workspace, ".git");
  const entry = pathFact(path);
  if (entry.real === null) return null;
  const directories = entry.kind === "directory" ? [entry] : linkedDirectories(entry.real);
  const paths = directories.flatMap(({ real }) => {
    const directory = real ?? "";
    return [
      ...GIT_EXECUTABLE.map((name) => join(directory, name)),
      // Other worktrees are not this session's; new ones may be made.
      ...list(join(directory, "worktrees")).map((other) => join(directory, "worktrees", other.name)),
      ...configuredPaths(join(directory, "config"), workspace),
    ];
  });
  const executable = [...new Set(paths)]
    .map(pathFact)
    .filter((fact) => fact.kind !== "missing" && !directories.some((d) => d.real === fact.real));
  return { entry, directories, executable };
}

/** Files of the workspace that the repository's configuration makes git read or run (`core.hooksPath=.husky/_`). */
function configuredPaths(config: string, workspace: string): string[] {
  return [...readSmall(config).matchAll(GIT_PATH_SETTING)]
    .map((match) => (match[1] ?? "").trim())
    .flatMap((value) => [resolve(workspace, value), resolve(dirname(config), value)])
    .filter((path) => within(path, workspace) && path !== workspace && path !== dirname(config));
}

/**
 * `gitdir: …` of a linked worktree or submodule, and the shared directory that its `commondir` names. A hostile `.git`
 * file could name any repository of the person's: it is followed only where that repository points back here, which
 * git itself wrote (`gitdir` of a worktree, `core.worktree` of a submodule).
 */
function linkedDirectories(pointer: string): PathFact[] {
  const named = /^gitdir: (.+)$/m.exec(readSmall(pointer))?.[1];
  const own = named === undefined ? null : pathFact(resolve(dirname(pointer), named));
  if (own === null || own.real === null || own.kind !== "directory") return [];
  const common = readSmall(join(own.real, "commondir")).trim();
  if (common !== "") {
    const shared = pathFact(resolve(own.real, common));
    const pointsBack = realOr(resolve(own.real, readSmall(join(own.real, "gitdir")).trim())) === pointer;
    const isPart = shared.real !== null && dirname(own.real) === join(shared.real, "worktrees");
    return pointsBack && isPart ? [pathFact(own.real), pathFact(shared.real ?? "")] : [];
  }
  const worktree = /^\s*worktree\s*=\s*(.+)$/m.exec(readSmall(join(own.real, "config")))?.[1];
  const pointsBack = worktree !== undefined && realOr(resolve(own.real, worktree)) === dirname(pointer);
  return pointsBack ? [pathFact(own.real)] : [];
}

/** Existing paths that match, or the pattern itself, which then is a path with nothing there; only `*` and `**` are special, and only in patterns that contain a `*`. */
function expand(pattern: string): string[] {
  if (!pattern.includes("*")) return [pattern];
  const found: string[] = [];
  let left = MAX_WALKED;
  const visit = (directory: string, parts: readonly string[]): void => {
    const [part, ...rest] = parts;
    if (part === undefined) return;
    if (!part.includes("*")) {
      if (rest.length > 0) visit(join(directory, part), rest);
      else if (existing(join(directory, part))) found.push(join(directory, part));
      return;
    }
    // At the end it means what is below: the directory itself is hidden.
    if (part === "**" && rest.length === 0) return void found.push(directory);
    if (part === "**") visit(directory, rest);
    const name = new RegExp(`^${part.split("*").map(literal).join(".*")}$`, "s");
    for (const entry of list(directory)) {
      left -= 1;
      if (left < 0)
        throw new Fault("sandbox.hide", { at: pattern, detail: `it spans more than ${MAX_WALKED} files` });
      const path = join(directory, entry.name);
      if (part === "**") {
        if (entry.isDirectory() && entry.name !== ".git" && entry.name !== "node_modules") visit(path, parts);
      } else if (name.test(entry.name)) {
        if (rest.length === 0) found.push(path);
        else if (entry.isDirectory()) visit(path, rest);
      }
    }
  };
  visit(
    "/",
    pattern.split("/").filter((part) => part !== ""),
  );
  return found.length === 0 ? [pattern] : [...new Set(found)];
}

const literal = (text: string): string => text.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&");

function list(directory: string) {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch {
    return []; // unreadable for us, hence for the agent
  }
}

/** Whether `path` is `ancestor` or lies under it; both absolute and without links. */
export function within(path: string, ancestor: string): boolean {
  return path === ancestor || ancestor === "/" || path.startsWith(`${ancestor}/`);
}

function readSmall(path: string): string {
  try {
    const found = statSync(path);
    return found.isFile() && found.size < MAX_SMALL_BYTES ? readFileSync(path, "utf8") : "";
  } catch {
    return "";
  }
}

function existing(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

function firstUsable(paths: readonly string[]): string | null {
  return (
    paths.find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    }) ?? null
  );
}

function realOr(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
