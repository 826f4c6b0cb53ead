/**
 * The wall on macOS: a profile for `sandbox-exec` (Seatbelt), from the same spec that bubblewrap's plan is made of. A pure
 * function, pinned by golden files. IT HAS NOT BEEN RUN: there is no macOS among the machines that tests run on. `run` does
 * not use it; `run --explain --for macos` prints it.
 *
 * Rules it keeps, in the order in which Seatbelt reads them (the last that matches decides):
 * - Nothing is allowed but what is named: the system's libraries and tools, the workspace, the agent's home, what the
 *   profile grants; of the network only the gateway's port on loopback. Unix sockets are refused by their own rule: a rule
 *   on files does not stop `connect` to docker.sock.
 * - What is hidden, and what tools on the machine obey, is denied after the workspace is allowed. Seatbelt decides by path,
 *   so each folder on the way down to it must not be renamed or removed either (`file-write-unlink`).
 * - No `lsopen`, no Apple events, no mDNSResponder, no pasteboard: each is a way out that no proxy sees.
 *
 * What it cannot do, and the Linux wall does: other files at the same paths (private /tmp, copy-on-write repositories),
 * limits of processes and memory, programs that know of no proxy, a record of programs and files. Loopback is the machine's
 * own there: servers that the agent starts can listen, and nothing inside can connect to them, or to anybody else's.
 *
 * Grammar: TinyScheme forms as in Apple's own profiles below /System/Library/Sandbox/Profiles; Apple documents none of it.
 */
import { posix } from "node:path";
import { Fault, OBEYED_AT_TOP } from "../core/index.ts";
import type { SandboxSpec } from "./facts.ts";

/** What a planner would read on the machine. All paths absolute, links resolved (`/private/tmp`, not `/tmp`). */
export interface MacFacts {
  readonly home: string;
  /** The session's own folder for temporary files. */
  readonly temporary: string;
  /** Existing files and folders of the workspace that are hidden. */
  readonly hidden: readonly string[];
}

const SYSTEM_READ = [
  ...["/System", "/usr/lib", "/usr/bin", "/usr/sbin", "/usr/libexec", "/usr/share", "/bin", "/sbin"],
  ...[
    "/Library/Apple",
    "/Library/Developer/CommandLineTools",
    "/private/etc/ssl",
    "/private/var/db/timezone",
  ],
  ...["/private/var/db/dyld", "/opt/homebrew", "/usr/local"],
];
const SYSTEM_FILES = [
  ...["/", "/private/etc/hosts", "/private/etc/passwd", "/private/etc/protocols", "/private/etc/services"],
  ...["/dev/null", "/dev/zero", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/dtracehelper"],
];
const DEVICES = ["/dev/null", "/dev/zero", "/dev/tty"];
const SERVICES = [
  "com.apple.system.opendirectoryd.libinfo",
  "com.apple.system.logger",
  "com.apple.system.notification_center",
  "com.apple.trustd.agent",
];
/** Of a repository: what makes git on this machine run something. */
const GIT_OBEYED = ["config", "config.worktree", "hooks", "info", "commondir", "modules"];
/** Throws `sandbox.workspace` for a workspace that is the home, above it, or part of the system. */
export function seatbeltProfile(spec: SandboxSpec, facts: MacFacts): string {
  const { workspace } = spec;
  if (workspace === "/" || facts.home === workspace || facts.home.startsWith(`${workspace}/`))
    throw new Fault("sandbox.workspace", { at: workspace, detail: "it holds the home folder" });
  const here = (path: string): string => resolved(path, workspace, facts.home);
  const granted = spec.write.map(here);
  const guarded = [...GIT_OBEYED.map((name) => `.git/${name}`), ...OBEYED_AT_TOP]
    .map((path) => posix.join(workspace, path))
    .filter((path) => !granted.some((grant) => path === grant || path.startsWith(`${grant}/`)));
  const hidden = [...facts.hidden, ...(spec.protect ?? [])].toSorted();
  return [
    "; Sallyport: made for macOS, and not run by Sallyport's tests.",
    "(version 1)",
    "(deny default)",
    "(deny file-write-setugid)",
    ...["process-fork", "process-exec*", "sysctl-read", "file-read-metadata", "pseudo-tty"].map(allow),
    "(allow signal process-info* (target same-sandbox))",
    `(allow mach-lookup ${SERVICES.map((name) => `(global-name ${text(name)})`).join(" ")})`,
    ...rule("allow", "file-read*", "subpath", SYSTEM_READ),
    ...rule("allow", "file-read*", "literal", SYSTEM_FILES),
    ...rule("allow", "file-write-data file-ioctl", "literal", DEVICES),
    '(allow file-read* file-write-data file-ioctl (regex #"^/dev/(fd/[0-9]+|ttys[0-9]+|ptmx)$"))',
    ...rule("allow", "file-read*", "literal", [spec.caCertificate, spec.caBundle].map(here)),
    ...rule("allow", "file-read*", "subpath", spec.read.map(here)),
    ...rule("allow", "file-read* file-write*", "subpath", [
      ...[workspace, spec.homeDirectory, facts.temporary],
      ...granted,
    ]),
    ...rule("deny", "file-write*", "subpath", guarded),
    ...rule("deny", "file-read* file-write*", "subpath", hidden),
    ...rule("deny", "file-write-unlink", "literal", parentsOf([...guarded, ...hidden], workspace)),
    "(deny network*)",
    `(allow network-outbound (remote ip ${text(`localhost:${spec.proxyPort}`)}))`,
    '(allow network-bind network-inbound (local ip "localhost:*"))',
    "(deny network-outbound (remote unix-socket))",
    "",
  ].join("\n");
}

const allow = (operation: string): string => `(allow ${operation})`;

function rule(
  verdict: "allow" | "deny",
  operations: string,
  filter: "subpath" | "literal",
  paths: readonly string[],
): readonly string[] {
  return paths.map((path) => `(${verdict} ${operations} (${filter} ${text(path)}))`);
}

/** The workspace, and folders between it and these paths: a renamed one would take them out of their rules. */
function parentsOf(paths: readonly string[], workspace: string): readonly string[] {
  const found = new Set([workspace]);
  for (const path of paths)
    for (let at = posix.dirname(path); at.startsWith(`${workspace}/`); at = posix.dirname(at)) found.add(at);
  return [...found].toSorted();
}

function resolved(path: string, workspace: string, home: string): string {
  if (path === "~" || path.startsWith("~/")) return posix.join(home, path.slice(1));
  return posix.resolve(workspace, path);
}

/** A Scheme string. Throws `sandbox.grant` on what could end it early in a reader that nobody documents. */
function text(path: string): string {
  if (/[\u0000-\u001f\u007f]/.test(path))
    throw new Fault("sandbox.grant", { at: path, detail: "a control character in a path" });
  return `"${path.replace(/["\\]/g, "\\$&")}"`;
}
