/**
 * From one setting to the exact arguments of bubblewrap for one observed run: pure. The view is built from nothing: the
 * system's programs read-only, a fresh home with a fresh small workspace, the agent read-only at a fixed place, generated
 * files for everything a program can ask about its user and machine. The network namespace holds loopback alone, and
 * nobody outside the lab's own process is at the other end of it.
 *
 * Not the sandbox's own plan (src/sandbox/plan.ts): that one guards a person's files and must not be different from run
 * to run; this one holds nothing of the person's, and its purpose is to be different.
 */
import { Fault } from "../../core/index.ts";
import { type MachineFacts, seccompFilter } from "../../sandbox/index.ts";
import type { Setting } from "./setting.ts";
import { chamberStage } from "./stage.ts";

/** Where the agent is inside. */
export const AGENT_INSIDE = "/opt/agent";
const NODE_INSIDE = "/opt/node/bin/node";
const CA_INSIDE = "/etc/ssl/certs/ca-certificates.crt";
export const WORKSPACE_NAME = "ledgerline";

/** What is vetted, as it lies on this machine. */
export interface Program {
  /** A folder (or a single file) shown read-only at `/opt/agent`; null: the program is part of the system. */
  readonly folder: string | null;
  /** Program and first arguments as they are inside. */
  readonly command: readonly string[];
  /** Arguments for one prompt. */
  readonly headless: (prompt: string) => readonly string[];
}

export interface ChamberSpec {
  readonly setting: Setting;
  readonly command: readonly string[];
  readonly agentFolder: string | null;
  /** Host folder that becomes the home; it holds the workspace. */
  readonly home: string;
  /** Host file, PEM. */
  readonly authority: string;
  /** Variables of the agent's door: keys, base URL. */
  readonly door: Readonly<Record<string, string>>;
  /** Host file of a shared object that shifts the clock; null where the setting's clock is not shifted. */
  readonly clock: string | null;
  readonly watch: boolean;
  /** strace inside, writing to the descriptor of the trace file. */
  readonly trace: boolean;
}

export interface ChamberPlan {
  readonly file: string;
  readonly args: readonly string[];
  readonly bwrapArgs: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly seccomp: Uint8Array;
  readonly descriptors: readonly { readonly fd: number; readonly text: string }[];
}

export const DESCRIPTOR = { channel: 3, args: 4, seccomp: 5, first: 6 } as const;

const USER_ID = 1000;
const MIB = 1024 * 1024;
const LATER = "SALLYPORT_LATER_";

/** Variables that make common programs trust the lab's authority; a fact of every run, never varied. */
const TRUST = [
  "NODE_EXTRA_CA_CERTS",
  "SSL_CERT_FILE",
  "CURL_CA_BUNDLE",
  "REQUESTS_CA_BUNDLE",
  "GIT_SSL_CAINFO",
];

export const homeInside = (setting: Setting): string => `/home/${setting.user}`;
export const workspaceInside = (setting: Setting): string =>
  `${homeInside(setting)}/projects/${WORKSPACE_NAME}`;

/** Throws `sandbox.unavailable` where bubblewrap or Perl is missing. */
export function planChamber(spec: ChamberSpec, facts: MachineFacts): ChamberPlan {
  if (facts.bubblewrap === null)
    throw new Fault("sandbox.unavailable", { detail: "bubblewrap is not installed" });
  if (facts.perl === null)
    throw new Fault("sandbox.unavailable", {
      detail: "vetting needs Perl",
      remedy: "install the system's perl package",
    });
  if (facts.arch !== "x64" && facts.arch !== "arm64")
    throw new Fault("sandbox.unavailable", { detail: `no system-call filter for ${facts.arch}` });
  const descriptors: { fd: number; text: string }[] = [];
  const file = (path: string, text: string, perms = "0444"): string[] => {
    const fd = DESCRIPTOR.first + descriptors.length;
    descriptors.push({ fd, text });
    return ["--perms", perms, "--file", String(fd), path];
  };
  const bwrapArgs = [
    ...["--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-net"],
    ...["--unshare-cgroup-try", "--uid", "0", "--gid", "0"],
    ...["--hostname", spec.setting.machine, "--die-with-parent", "--new-session", "--cap-drop", "ALL"],
    // All are gone when the stage has entered its own user namespace, before the agent starts; SETFCAP is what mapping
    // this namespace's user 0 asks for (user_namespaces(7), since Linux 5.12).
    ...["NET_ADMIN", "NET_BIND_SERVICE", "SETFCAP"].flatMap((name) => ["--cap-add", `CAP_${name}`]),
    ...systemView(facts),
    ...generated(spec.setting, file),
    ...file(
      "/etc/lab-stage",
      chamberStage({ arch: facts.arch, filter: DESCRIPTOR.seccomp, id: USER_ID, watch: spec.watch }),
    ),
    ...scratch(),
    ...["--ro-bind", spec.authority, CA_INSIDE, "--symlink", CA_INSIDE, "/etc/ssl/cert.pem"],
    ...["--bind", spec.home, homeInside(spec.setting)],
    ...["--ro-bind", facts.node, NODE_INSIDE],
    ...(spec.agentFolder === null ? [] : ["--ro-bind", spec.agentFolder, AGENT_INSIDE]),
    ...(spec.clock === null ? [] : ["--ro-bind", spec.clock, "/etc/lab-clock.so"]),
    ...(spec.clock === null ? [] : file("/etc/ld.so.preload", "/etc/lab-clock.so\n")),
    ...spec.setting.files.flatMap(({ place, path, text }) =>
      place === "root" ? file(`/${path}`, text) : [],
    ),
    ...["--remount-ro", "/", "--chdir", workspaceInside(spec.setting)],
  ];
  return {
    file: facts.bubblewrap.path,
    args: ["--args", String(DESCRIPTOR.args), "--", facts.perl, "/etc/lab-stage", ...command(spec)],
    bwrapArgs,
    environment: environment(spec),
    seccomp: seccompFilter(facts.arch, false).bytes,
    descriptors,
  };
}

/** Where a traced run writes; in its home, outside its workspace. */
export const TRACE_FILE = ".lab-trace";

function command(spec: ChamberSpec): readonly string[] {
  if (!spec.trace) return spec.command;
  const calls = "execve,open,openat,connect,bind,unlink,rename,kill,symlink,link";
  const options = ["-f", "-qq", "-s", "300", "--seccomp-bpf", "-y", "-e", `trace=${calls}`];
  return ["/usr/bin/strace", ...options, "-o", `${homeInside(spec.setting)}/${TRACE_FILE}`, ...spec.command];
}

function environment(spec: ChamberSpec): Record<string, string> {
  const home = homeInside(spec.setting);
  const all: Record<string, string> = {
    PATH: `${home}/.local/bin:/opt/node/bin:/usr/local/bin:/usr/bin:/bin`,
    HOME: home,
    USER: spec.setting.user,
    LOGNAME: spec.setting.user,
    PWD: workspaceInside(spec.setting),
    ...Object.fromEntries(TRUST.map((name) => [name, CA_INSIDE])),
    ...spec.door,
    ...spec.setting.variables,
  };
  // What would change the stage's own start reaches the agent under its name only after the stage.
  const early = Object.entries(all).map(([name, value]): [string, string] =>
    /^(?:LD_|PERL|LANG|LC_|TZ)/.test(name) ? [`${LATER}${name}`, value] : [name, value],
  );
  return { ...Object.fromEntries(early), PERL_BADLANG: "0" };
}

function systemView(facts: MachineFacts): string[] {
  const etc = Object.entries(facts.etc).filter(([name]) => name !== "localtime");
  return [
    ...["/etc", "/etc/ssl", "/etc/ssl/certs", "/home", "/var", "/opt"].flatMap((path) => [
      ...["--perms", "0755", "--dir", path],
    ]),
    ...["--ro-bind", "/usr", "/usr"],
    ...Object.entries(facts.rootEntries).flatMap(([name, target]) =>
      target === "directory" ? ["--ro-bind", `/${name}`, `/${name}`] : ["--symlink", target, `/${name}`],
    ),
    ...etc.flatMap(([name, link]) =>
      link === null ? ["--ro-bind", `/etc/${name}`, `/etc/${name}`] : ["--symlink", link, `/etc/${name}`],
    ),
    ...["--proc", "/proc"],
    ...facts.rootProc.readOnly.flatMap((path) => ["--ro-bind", path, path]),
    ...facts.rootProc.masked.flatMap((path) => ["--ro-bind", "/dev/null", path]),
    ...["--dev", "/dev"],
  ];
}

function generated(setting: Setting, file: (path: string, text: string) => string[]): string[] {
  const home = homeInside(setting);
  const search = setting.dnsSuffix === null ? "" : `search ${setting.dnsSuffix}\n`;
  return [
    ...file(
      "/etc/passwd",
      `root:x:0:0:root:/root:/bin/bash\n${setting.user}:x:${USER_ID}:${USER_ID}:${setting.user}:${home}:/bin/bash\n` +
        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    ),
    ...file("/etc/group", `root:x:0:\n${setting.user}:x:${USER_ID}:\nnogroup:x:65534:\n`),
    ...file("/etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n"),
    ...file("/etc/hosts", `127.0.0.1 localhost ${setting.machine}\n::1 localhost\n`),
    ...file("/etc/resolv.conf", `nameserver 127.0.0.1\n${search}options timeout:2 attempts:2\n`),
    ...file("/etc/hostname", `${setting.machine}\n`),
    ...file("/etc/timezone", `${setting.localtime}\n`),
    ...file("/etc/machine-id", "5d1fe1dc94c34f47a4d4b0c3a8f3c6b2\n"),
    ...["--symlink", `/usr/share/zoneinfo/${setting.localtime}`, "/etc/localtime"],
  ];
}

const scratch = (): string[] => [
  ...["--perms", "1777", "--size", String(512 * MIB), "--tmpfs", "/tmp"],
  ...["--perms", "0755", "--size", String(64 * MIB), "--tmpfs", "/run"],
  ...["--perms", "1777", "--size", String(256 * MIB), "--tmpfs", "/dev/shm"],
  ...["--perms", "1777", "--size", String(512 * MIB), "--tmpfs", "/var/tmp"],
];
