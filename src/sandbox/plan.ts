/**
 * From what a session may touch, and what this machine is like, to the exact arguments of bubblewrap: a pure function,
 * pinned by golden files (test/golden/sandbox). The result is plain data; the station computes it, the client that owns
 * the terminal launches it.
 *
 * The rules it keeps:
 * - The view is built up from nothing by allow-lists; a read-only `/` would show every socket, key and neighbour.
 * - Options travel by `--args FD`: pid 1's command line is readable inside (bubblewrap #503). The environment is
 *   scrubbed before bubblewrap starts: `--clearenv` leaves it in /proc/1/environ (bubblewrap #725).
 * - Nothing is created in the workspace: what does not exist is not masked. Parents of masked paths are pinned by a
 *   mount of their own, or `mv conf conf2` would uncover what is hidden in them.
 * - Mounts go from the outside in; the root and /dev are made read-only last, or they are a writable disk in memory.
 *
 * Failure contract: throws a Fault, or plans a wall that holds everything it promises; there is no weaker half-way plan.
 */
import { Fault } from "../core/index.ts";
import {
  type HostFacts,
  type MachineFacts,
  type PathFact,
  type SandboxLimits,
  type SandboxRecord,
  type SandboxSpec,
  within,
} from "./facts.ts";
import {
  coverMounts,
  depth,
  grantMounts,
  guardMounts,
  INSIDE_HOME,
  maskMounts,
  pinMounts,
  SYSTEM_VIEW,
} from "./mounts.ts";
import { type Overlay, overlayCommand, planOverlays } from "./overlay.ts";
import { type FilterArch, seccompFilter } from "./seccomp.ts";
import {
  DESCRIPTOR,
  expectationFile,
  LATER,
  nodeStage,
  perlStage,
  type StageExpectation,
  type StageLimit,
} from "./stage.ts";

/** Where things are inside the sandbox. */
export const INSIDE = {
  home: INSIDE_HOME,
  caCertificate: "/etc/sallyport/ca.pem",
  caBundle: "/etc/sallyport/ca-bundle.pem",
} as const;

export interface SandboxPlan {
  readonly kind: "bubblewrap" | "none";
  /** The program to spawn, and its arguments. */
  readonly file: string;
  readonly args: readonly string[];
  /** What the descriptor `--args` names holds. */
  readonly bwrapArgs: readonly string[];
  /** The whole environment of bubblewrap and of the program. */
  readonly environment: Readonly<Record<string, string>>;
  /** The filter's bytes, base64; empty for kind `none`. */
  readonly seccomp: string;
  /** Contents by descriptor, besides the arguments and the filter. They never have a name on the host. */
  readonly descriptors: readonly { readonly fd: number; readonly text: string }[];
  readonly argsDescriptor: number;
  readonly seccompDescriptor: number;
  readonly cwd: string;
  /** 127.0.0.1, inside (kind `bubblewrap`) or on the host (kind `none`). */
  readonly proxyPort: number;
  readonly program: readonly string[];
  /** `helper`: it launches, catches connections to any address, and records if `records` says so. */
  readonly stage: "helper" | "perl" | "node" | "none";
  readonly records: boolean;
  /** Directories that are copy-on-write inside; what is written to them is not the host's until it is brought in. */
  readonly overlays: readonly Overlay[];
  /** For whoever looks the workspace over at the end. */
  readonly atEnd: {
    /** Paths of the workspace that a grant lets the program write although hosts obey them. */
    readonly granted: readonly string[];
    /** Paths of the workspace that are read-only inside, or covered. */
    readonly untouched: readonly string[];
    /** Where a link of the workspace may lead: what is shown inside at the place that it has outside. */
    readonly shown: readonly string[];
  };
  /** For the session as a whole, where the machine allows it. */
  readonly groupLimits: { readonly processes: number; readonly memoryBytes: number } | null;
  /** Disks that are looked at while it runs; null: none. */
  readonly disk: { readonly paths: readonly string[]; readonly freeBytes: number } | null;
  /** What a person should know, one line each: what is granted, what is masked, what could not be. */
  readonly explain: readonly string[];
}

/** The oldest release with `--disable-userns` and `--size`. */
const OLDEST_BUBBLEWRAP = [0, 8] as const;
const JAVA_STORE = "/etc/sallyport/cacerts";
const STAGE_PATH = "/etc/sallyport/enter";
const EXPECT_PATH = "/etc/sallyport/expect";
const NODE_PATH = "/etc/sallyport/node";
const ROOT_INSIDE = 1000; // agents refuse to run as root

const MIB = 1024 * 1024;
const LIMITS: Omit<SandboxLimits, "memoryBytes"> = {
  processes: 960, // threads count; a build on many cores needs hundreds, a fork bomb takes what it gets
  openFiles: 16_384,
  fileBytes: 2048 * MIB,
  tmpBytes: 896 * MIB,
  freeBytes: 1024 * MIB,
};

/** Of the machine's memory: what is left keeps the machine usable. */
const MEMORY_SHARE = 0.75;

/** Where distributions' libraries look for trusted roots; all get the session's bundle. */
const BUNDLE_PATHS = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/ssl/cert.pem",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/pki/tls/cert.pem",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
];

/** Directories a workspace may not be in or hold: mounting there would take the system's view apart. */
const SYSTEM_DIRECTORIES = ["/proc", "/sys", "/dev", "/etc", "/boot", "/bin", "/sbin", "/lib", "/lib64"];

/**
 * The plan for one session.
 * Throws `sandbox.unavailable` (no usable bubblewrap, unknown architecture or platform), `sandbox.workspace` (a
 * workspace that is `/`, the home, above either, part of the system, another user's, or holds Sallyport's own state)
 * and `sandbox.grant` (the profile names a path that would open what the wall keeps shut).
 */
export function planSandbox(spec: SandboxSpec, facts: HostFacts): SandboxPlan {
  const workspace = checkWorkspace(spec, facts);
  const cwd = spec.cwd !== undefined && within(spec.cwd, workspace) ? spec.cwd : workspace;
  if (spec.mode === "none") {
    if (spec.hold?.isWhole === true)
      throw new Fault("sandbox.unavailable", {
        detail: "changes cannot be held back for a review without the sandbox",
        remedy: "leave --review out, or choose a profile with the sandbox",
      });
    return planWithoutWall(spec, cwd);
  }
  const { bubblewrap, arch } = checkMachine(facts);
  const explain: string[] = [`workspace ${workspace}: read and write`];
  const memoryBytes = Math.floor((facts.memoryBytes * MEMORY_SHARE) / MIB) * MIB;
  const limits: SandboxLimits = { ...LIMITS, memoryBytes, ...spec.limits };
  const descriptors: { fd: number; text: string }[] = [];
  const held = (option: string, path: string, text: string): string[] => {
    const fd = DESCRIPTOR.first + 2 + descriptors.length;
    descriptors.push({ fd, text });
    return ["--perms", "0444", option, String(fd), path];
  };
  const file = (path: string, text: string): string[] => held("--file", path, text);
  const grants = grantMounts(spec, facts, workspace, explain);
  const overlays = planOverlays(spec, facts, workspace, explain);
  const isOverlaid = (path: string): boolean => overlays.some((one) => within(path, one.at));
  const guards = guardMounts(facts, workspace, explain, isOverlaid);
  const masks = [
    ...coverMounts(facts, grants.visible, (path, text) => held("--ro-bind-data", path, text), explain),
    ...maskMounts(facts, grants.visible, explain),
  ];
  // What is covered is not guarded as well: the cover is read-only, and the guard would look for the file beneath it.
  const isCovered = (path: string): boolean => masks.some((mask) => within(path, mask.at));
  const guardBound = guards.bound.filter((fact) => !isCovered(fact.path));
  const content = [...grants.mounts, ...guards.mounts.filter(({ at }) => !isCovered(at)), ...masks];
  const pins = pinMounts(content, facts);
  // An overlay's own numbers are not those that were planned; the helper has compared them before it mounted.
  const expectations = [...grants.bound, ...guardBound, ...pins.bound]
    .filter((fact) => !isOverlaid(fact.path))
    .map(expect);
  const places = readPlaces(spec, facts, workspace);
  const stage = chooseStage(facts, arch, limits, spec, expectations, places);
  explain.push(
    `limits: ${limits.processes} processes, ${limits.openFiles} open files, ${limits.fileBytes / MIB} MiB per file, ${limits.tmpBytes / MIB} MiB in /tmp, no core dumps; ${limits.memoryBytes / MIB} MiB of memory for a process, and where the machine allows it for all; the session ends when less than ${limits.freeBytes / MIB} MiB are left on its disks`,
  );
  const mounts = [...content, ...pins.mounts];
  // Stable: of two at the same place the later wins, and what lies inside comes after what holds it.
  const ordered = mounts.toSorted((a, b) => depth(a.at) - depth(b.at)).flatMap((m) => m.args);
  const bwrapArgs = [
    ...namespaces(spec, facts),
    ...systemView(facts),
    ...generatedFiles(facts, file),
    ...(spec.files ?? []).flatMap(({ path, text }) => settingsFile(path, text, file, explain)),
    ...file(stage.file.path, stage.file.text),
    ...stage.mounts,
    ...privateDirectories(limits),
    ...trust(spec, facts),
    ...ordered,
    ...["--remount-ro", "/dev", "--remount-ro", "/"],
    ...["--chdir", cwd, "--seccomp", String(DESCRIPTOR.first + 1)],
    ...["--info-fd", String(DESCRIPTOR.information)],
  ];
  explain.push("network: none but 127.0.0.1; port ".concat(`${spec.proxyPort} is the gateway`));
  const records = stage.kind === "helper" && (spec.record ?? null) !== null;
  explain.push(...watchingLines(facts, stage.kind, records ? (spec.record ?? null) : null, places));
  if (spec.nested) explain.push("nested: the agent may make its own namespaces and mounts inside");
  return {
    kind: "bubblewrap",
    ...startedBy(facts, spec, workspace, places, [
      ...overlayCommand(facts, spec, overlays),
      ...[bubblewrap, "--args", String(DESCRIPTOR.first), "--"],
      ...[...stage.command, ...spec.program],
    ]),
    bwrapArgs,
    environment: environment(spec, facts, INSIDE.home),
    seccomp: Buffer.from(seccompFilter(arch, spec.nested).bytes).toString("base64"),
    descriptors,
    argsDescriptor: DESCRIPTOR.first,
    seccompDescriptor: DESCRIPTOR.first + 1,
    cwd,
    proxyPort: spec.proxyPort,
    program: spec.program,
    stage: stage.kind,
    records,
    overlays,
    atEnd: {
      granted: facts.write.flatMap(({ path, real }) => ((real ?? path) === workspace ? [] : [real ?? path])),
      untouched: [...guards.mounts, ...masks].flatMap(({ at, isWritable }) => (isWritable ? [] : [at])),
      shown: [...SYSTEM_VIEW, ...grantedPaths(facts)],
    },
    groupLimits: { processes: limits.processes, memoryBytes: limits.memoryBytes },
    disk: {
      paths: [
        workspace,
        facts.homeDirectory.real ?? spec.homeDirectory,
        ...overlays.map(({ upper }) => upper),
      ],
      freeBytes: limits.freeBytes,
    },
    explain,
  };
}

function planWithoutWall(spec: SandboxSpec, cwd: string): SandboxPlan {
  const [file = "", ...args] = spec.program;
  return {
    kind: "none",
    file,
    args,
    bwrapArgs: [],
    environment: { ...spec.environment, HOME: spec.homeDirectory },
    seccomp: "",
    descriptors: [],
    argsDescriptor: -1,
    seccompDescriptor: -1,
    cwd,
    proxyPort: spec.proxyPort,
    program: spec.program,
    stage: "none",
    records: false,
    overlays: [],
    atEnd: { granted: [], untouched: [], shown: [] },
    groupLimits: null,
    disk: null,
    explain: [
      "NO SANDBOX: the program can read and write everything that you can, and reach every host",
      "its environment is scrubbed and its settings point to the gateway; it can ignore both",
      `any program on this machine can reach 127.0.0.1:${spec.proxyPort}, and what it sends there is recorded as this session's`,
    ],
  };
}

function checkMachine(facts: MachineFacts): { readonly bubblewrap: string; readonly arch: FilterArch } {
  if (facts.platform !== "linux")
    throw new Fault("sandbox.unavailable", { detail: `no sandbox for ${facts.platform} yet` });
  if (facts.bubblewrap === null)
    throw new Fault("sandbox.unavailable", { detail: "bubblewrap is not installed" });
  const [major = 0, minor = 0] = facts.bubblewrap.version.split(".").map(Number);
  if (major < OLDEST_BUBBLEWRAP[0] || (major === OLDEST_BUBBLEWRAP[0] && minor < OLDEST_BUBBLEWRAP[1]))
    throw new Fault("sandbox.unavailable", {
      detail: `bubblewrap ${facts.bubblewrap.version} is too old, 0.8 is the first that can do what is needed`,
    });
  if (facts.arch !== "x64" && facts.arch !== "arm64")
    throw new Fault("sandbox.unavailable", { detail: `no system-call filter for ${facts.arch}` });
  return { bubblewrap: facts.bubblewrap.path, arch: facts.arch };
}

function checkWorkspace(spec: SandboxSpec, facts: HostFacts): string {
  const workspace = facts.workspace.real;
  const refuse = (detail: string, remedy?: string): never => {
    throw new Fault("sandbox.workspace", { at: spec.workspace, detail, ...(remedy && { remedy }) });
  };
  if (workspace === null || facts.workspace.kind !== "directory") return refuse("it is not a directory");
  if (within(facts.home, workspace)) return refuse("it is, or holds, your home directory");
  const isShared = within(workspace, "/dev/shm");
  if (workspace === "/usr" || SYSTEM_DIRECTORIES.some((d) => within(workspace, d) && !isShared))
    return refuse("it is part of the system");
  const own = [facts.homeDirectory.real ?? spec.homeDirectory, spec.caCertificate, spec.caBundle];
  const held = [...own, ...facts.protect].find((path) => within(path, workspace));
  if (held !== undefined) return refuse(`it holds Sallyport's own files (\`${held}\`)`);
  const holding = facts.protect.find((path) => within(workspace, path));
  if (holding !== undefined) return refuse(`it lies in Sallyport's own files (\`${holding}\`)`);
  if (facts.uid === 0 && facts.workspace.owner !== 0 && spec.mode !== "none")
    return refuse(
      `it belongs to user ${facts.workspace.owner}, and root's rights end at the sandbox's wall`,
      `run as its owner: sudo -u '#${facts.workspace.owner}' sallyport run …`,
    );
  return workspace;
}

function namespaces(spec: SandboxSpec, facts: MachineFacts): string[] {
  return [
    ...["--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-net"],
    "--unshare-cgroup-try",
    ...(spec.nested ? [] : ["--disable-userns"]),
    ...["--uid", String(insideId(facts.uid)), "--gid", String(insideId(facts.gid))],
    // Not --new-session: it would take the terminal (resize, Ctrl-Z, /dev/tty); the filter refuses TIOCSTI instead.
    ...["--hostname", "sallyport", "--die-with-parent", "--cap-drop", "ALL"],
  ];
}

/** The person's own id, so that new files in the workspace are theirs; root appears as a plain user. */
const insideId = (id: number): number => (id === 0 ? ROOT_INSIDE : id);

function systemView(facts: MachineFacts): string[] {
  return [
    // Named, as bubblewrap makes the parents that it needs with mode 0700.
    ...["/etc", "/etc/ssl", "/home", "/var"].flatMap((path) => ["--perms", "0755", "--dir", path]),
    ...["--ro-bind", "/usr", "/usr"],
    ...Object.entries(facts.rootEntries).flatMap(([name, target]) =>
      target === "directory" ? ["--ro-bind", `/${name}`, `/${name}`] : ["--symlink", target, `/${name}`],
    ),
    ...Object.entries(facts.etc).flatMap(([name, link]) =>
      link === null ? ["--ro-bind", `/etc/${name}`, `/etc/${name}`] : ["--symlink", link, `/etc/${name}`],
    ),
    ...["--proc", "/proc"],
    ...facts.rootProc.readOnly.flatMap((path) => ["--ro-bind", path, path]),
    ...facts.rootProc.masked.flatMap((path) => ["--ro-bind", "/dev/null", path]),
    ...["--dev", "/dev"],
  ];
}

function generatedFiles(facts: MachineFacts, file: (path: string, text: string) => string[]): string[] {
  const [uid, gid] = [insideId(facts.uid), insideId(facts.gid)];
  const shell = facts.bash ? "/bin/bash" : "/bin/sh";
  const passwd = [
    "root:x:0:0:root:/nonexistent:/usr/sbin/nologin",
    `agent:x:${uid}:${gid}:agent:${INSIDE.home}:${shell}`,
    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin",
  ];
  return [
    ...file("/etc/passwd", `${passwd.join("\n")}\n`),
    ...file("/etc/group", `root:x:0:\nagent:x:${gid}:\nnogroup:x:65534:\n`),
    ...file("/etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n"),
    ...file("/etc/hosts", "127.0.0.1 localhost sallyport\n::1 localhost\n"),
    // Nothing listens there: names are resolved by the gateway. One short try, so that programs that ask fail fast.
    ...file("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"),
  ];
}

/** Refuses nothing: the paths are our own (policy/native), never a document's. */
function settingsFile(
  path: string,
  text: string,
  file: (path: string, text: string) => string[],
  explain: string[],
): string[] {
  explain.push(`settings ${path}: as the policy says, read only`);
  const parents = path.split("/").slice(2, -1);
  // Named, as bubblewrap makes parents with mode 0700, and some agents look at the mode before they believe a file.
  const folders = parents.map((_, at) => `/etc/${parents.slice(0, at + 1).join("/")}`);
  return [...folders.flatMap((folder) => ["--perms", "0755", "--dir", folder]), ...file(path, text)];
}

function privateDirectories(limits: SandboxLimits): string[] {
  return [
    ...["--perms", "1777", "--size", String(limits.tmpBytes), "--tmpfs", "/tmp"],
    ...["--perms", "0755", "--size", String(64 * MIB), "--tmpfs", "/run"],
    ...["--perms", "1777", "--size", String(256 * MIB), "--tmpfs", "/dev/shm"],
    // Not a link to /tmp: a workspace may lie there.
    ...["--perms", "1777", "--size", String(limits.tmpBytes), "--tmpfs", "/var/tmp"],
    ...["--symlink", "/run", "/var/run"],
  ];
}

/** Under /etc, which is ours, a link; under /usr a cover for the file that is there. */
const javaTrust = (store: string, { javaStores }: MachineFacts): string[] =>
  javaStores.length === 0
    ? []
    : [
        ...["--ro-bind", store, JAVA_STORE],
        ...javaStores.flatMap((path) =>
          path.startsWith("/etc/") ? ["--symlink", JAVA_STORE, path] : ["--ro-bind", store, path],
        ),
      ];

function trust(spec: SandboxSpec, facts: MachineFacts): string[] {
  return [
    ...["--ro-bind", spec.caCertificate, INSIDE.caCertificate],
    ...["--ro-bind", spec.caBundle, INSIDE.caBundle],
    ...(spec.javaStore === undefined ? [] : javaTrust(spec.javaStore, facts)),
    ...BUNDLE_PATHS.flatMap((path) => ["--symlink", INSIDE.caBundle, path]),
  ];
}

/** What the first stage is: a file made inside, a command, and what else must be seen. */
interface Stage {
  readonly kind: "helper" | "perl" | "node";
  readonly file: { readonly path: string; readonly text: string };
  readonly command: readonly string[];
  readonly mounts: readonly string[];
}

function chooseStage(
  facts: MachineFacts,
  arch: FilterArch,
  limits: SandboxLimits,
  spec: SandboxSpec,
  expectations: readonly StageExpectation[],
  places: readonly string[],
): Stage {
  const rows = stageLimits(limits);
  const port = String(spec.proxyPort);
  const list = rows.map((row) => `${row.resource}=${row.value}`).join(",");
  if (facts.helper.path !== null)
    return {
      kind: "helper",
      file: { path: EXPECT_PATH, text: expectationFile(expectations) },
      command: [STAGE_PATH, "stage", list, watched(spec, places)],
      mounts: ["--ro-bind", facts.helper.path, STAGE_PATH],
    };
  if (facts.perl !== null)
    return {
      kind: "perl",
      file: { path: STAGE_PATH, text: perlStage(arch, expectations) },
      command: [facts.perl, STAGE_PATH, port, list],
      mounts: [],
    };
  if (facts.prlimit === null)
    throw new Fault("sandbox.unavailable", {
      detail: "neither perl nor prlimit is installed, so no limit can be set",
      remedy: "install perl (package perl-base on Debian, perl elsewhere)",
    });
  const node = [NODE_PATH, "--disable-warning=ExperimentalWarning", STAGE_PATH, port];
  return {
    kind: "node",
    file: { path: STAGE_PATH, text: nodeStage(expectations) },
    command: [
      ...["/bin/sh", "-c", NODE_STAGE_SHELL, "sallyport"],
      ...[facts.prlimit, ...rows.map((row) => `--${row.name}=${row.value}`), "--", ...node],
    ],
    mounts: ["--ro-bind", facts.node, NODE_PATH],
  };
}

/** The helper's letters: connections always, programs and files when somebody records, reads when asked for. */
const watched = ({ record }: SandboxSpec, places: readonly string[]): string =>
  (record ?? null) === null ? "c" : `cf${places.length > 0 ? "r" : ""}${record?.goesOn === true ? "o" : ""}`;

/** Software for all, like the system's own: that it is read says nothing. */
const SHARED_SOFTWARE = ["/usr", "/opt", ...SYSTEM_DIRECTORIES];

/** Where reading is told. */
function readPlaces({ record }: SandboxSpec, facts: HostFacts, workspace: string): readonly string[] {
  if (record?.reads !== true) return [];
  const left = [...SHARED_SOFTWARE, ...(record.quiet ?? []), workspace];
  return grantedPaths(facts).filter((path) => !left.some((place) => within(path, place)));
}

const grantedPaths = ({ read, write }: HostFacts): readonly string[] => [
  ...new Set([...read, ...write].flatMap(({ path, real }) => (real === null ? [] : [path, real]))),
];

function startedBy(
  facts: MachineFacts,
  spec: SandboxSpec,
  workspace: string,
  places: readonly string[],
  command: readonly string[],
): Pick<SandboxPlan, "file" | "args"> {
  if (facts.helper.path === null)
    // bubblewrap ignores Ctrl-C and Ctrl-\, so that only the agent gets them and bubblewrap lives to tell its exit code.
    return { file: "/bin/sh", args: ["-c", 'trap "" INT QUIT; exec "$@"', "sallyport", ...command] };
  return {
    file: facts.helper.path,
    args: [
      ...["launch", spec.record?.socket ?? "-", workspace, watched(spec, places)],
      ...[String(spec.proxyPort), "any", places.join("\n"), ...command],
    ],
  };
}

function watchingLines(
  facts: MachineFacts,
  stage: Stage["kind"],
  record: SandboxRecord | null,
  places: readonly string[],
): readonly string[] {
  if (stage !== "helper")
    return [
      `not recorded: programs that start and files that change, as there is no helper: ${facts.helper.path === null ? facts.helper.why : ""}`,
      "programs that ignore proxy settings reach nothing",
    ];
  return [
    "programs that ignore proxy settings: names are answered inside, connections to any address are led to the gateway or refused at once; no datagram leaves",
    record !== null
      ? `recorded: programs that start, files of the workspace that change, connections that are tried${places.length > 0 ? `, files that are read in ${places.join(", ")}` : ""}; if that cannot be recorded the session ${record.goesOn ? "GOES ON WITHOUT A RECORD, as the profile says" : "stops"}`
      : "not recorded: programs that start and files that change",
  ];
}

/** What Node cannot do itself: gives standard error back, and notes which descriptors were inherited. */
const NODE_STAGE_SHELL = [
  `exec 2>&${DESCRIPTOR.stderr} ${DESCRIPTOR.stderr}>&-`,
  'for f in /proc/$$/fd/*; do [ -e "$f" ] && SALLYPORT_OPEN="$SALLYPORT_OPEN,$f"; done',
  'export SALLYPORT_OPEN; exec "$@"',
].join("\n");

function stageLimits(limits: SandboxLimits): StageLimit[] {
  return [
    { resource: 1, name: "fsize", value: limits.fileBytes },
    // Writable memory of one process, as far as the kernel counts it for RLIMIT_DATA (Linux 4.7): not what is only reserved.
    { resource: 2, name: "data", value: limits.memoryBytes },
    { resource: 4, name: "core", value: 0 },
    { resource: 6, name: "nproc", value: limits.processes },
    { resource: 7, name: "nofile", value: limits.openFiles },
  ];
}

/**
 * Variables that make the loader, the shell or perl load code of their choice. bubblewrap and the shell that starts it run
 * outside of the wall: a library that an earlier session planted in the workspace must not be loaded out here because
 * the person's own LD_LIBRARY_PATH names that directory. They travel under another name, which the stage takes off.
 */
const LOADS_CODE =
  /^(LD_|GLIBC_|GCONV_PATH$|LOCPATH$|BASH_FUNC_|BASH_ENV$|ENV$|SHELLOPTS$|PERL|NODE_OPTIONS$)/;

function environment(spec: SandboxSpec, facts: MachineFacts, home: string): Record<string, string> {
  const given = Object.entries(spec.environment).map(([name, value]): [string, string] => [
    LOADS_CODE.test(name) ? `${LATER}${name}` : name,
    value,
  ]);
  return {
    PATH: "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin",
    LANG: "C.UTF-8",
    ...Object.fromEntries(given),
    HOME: home,
    USER: "agent",
    LOGNAME: "agent",
    SHELL: facts.bash ? "/bin/bash" : "/bin/sh",
    TMPDIR: "/tmp",
    // The stage's own, gone before the program starts: no complaint about a locale that is not installed.
    PERL_BADLANG: "0",
  };
}

const expect = (fact: PathFact): StageExpectation => ({
  path: fact.path,
  device: fact.device,
  inode: fact.inode,
});
