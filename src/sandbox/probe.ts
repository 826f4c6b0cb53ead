/**
 * What this machine can enforce, tried and not guessed: each control is exercised with the very arguments a session
 * uses, in a sandbox of its own, within a deadline. Nothing is changed on the machine; a temporary folder is removed.
 *
 * Failure contract: never throws. What cannot be tried counts as missing, with the reason.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { release, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { asFault } from "../core/index.ts";
import { openCgroup } from "./cgroup.ts";
import { type MachineFacts, readHostFacts, readMachineFacts, type SandboxSpec } from "./facts.ts";
import { launch } from "./launch.ts";
import { planSandbox } from "./plan.ts";
import { FrameReader, MAY_CHANGE } from "./record.ts";

export interface MachineControl {
  readonly id: string;
  readonly title: string;
  readonly state: "enforced" | "missing" | "degraded";
  readonly detail: string;
  /** What to do about it; null when there is nothing to do. */
  readonly remedy: string | null;
  /** Whether the default profile promises it: `run` refuses to start where it is missing. */
  readonly required: boolean;
}

export interface MachineReport {
  readonly platform: string;
  readonly kernel: string;
  readonly controls: readonly MachineControl[];
}

const INSTALL =
  "sudo apt-get install bubblewrap (Fedora: sudo dnf install bubblewrap; Arch: sudo pacman -S bubblewrap; Alpine: sudo apk add bubblewrap)";
const USERNS_SYSCTL = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns";
const APPARMOR_REMEDY =
  "sudo apt-get install apparmor-profiles, then sudo ln -s /usr/share/apparmor/extra-profiles/bwrap-userns-restrict /etc/apparmor.d/ and sudo systemctl reload apparmor";
const TRIAL_MS = 15_000;

/** Tries everything; takes a few hundred milliseconds. `holds`: as readMachineFacts'. */
export async function probeMachine(holds: string = tmpdir()): Promise<MachineReport> {
  const facts = readMachineFacts(holds);
  const controls: MachineControl[] = [];
  const say = (
    id: string,
    title: string,
    state: MachineControl["state"],
    detail: string,
    remedy: string | null = null,
    required = true,
  ): void => void controls.push({ id, title, state, detail, remedy, required });

  const found = facts.bubblewrap;
  if (found === null)
    say("bubblewrap", "bubblewrap", "missing", "not installed, or it does not start", INSTALL);
  else {
    const isOld = /^0\.[0-7]\./.test(found.version);
    const detail = `${found.version} at ${found.path}`;
    if (isOld) say("bubblewrap", "bubblewrap", "missing", `${detail}: 0.8 is needed`, INSTALL);
    else say("bubblewrap", "bubblewrap", "enforced", detail);
  }
  const userns = tryUserNamespace(facts);
  if (userns === null)
    say("user-namespaces", "user namespaces", "enforced", "rootless namespaces can be made");
  else say("user-namespaces", "user namespaces", "missing", userns.detail, userns.remedy);

  const trial = await tryWall(facts);
  for (const [id, title, pass, want] of WALL_TRIALS) {
    if (trial.fault !== null)
      say(id, title, "missing", `could not be tried: ${trial.fault}`, "solve the first line that is missing");
    else {
      const got = trial.answers.get(id) ?? "no answer";
      say(
        id,
        title,
        got === want ? "enforced" : "missing",
        got === want ? pass : `tried, and it answered \`${got}\``,
      );
    }
  }
  sayHelper(facts, trial, say);
  if (facts.helper.path !== null)
    say(
      "first-stage",
      "nothing of ours inside",
      "enforced",
      "the helper's first stage sets limits, then is the agent",
    );
  else if (facts.perl !== null)
    say(
      "first-stage",
      "nothing of ours inside",
      "enforced",
      `${facts.perl} hands the way out over, then is the agent`,
    );
  else
    say(
      "first-stage",
      "nothing of ours inside",
      "degraded",
      "by Node, as there is no perl: about 35 ms slower to start",
      "install perl",
      false,
    );
  sayLimits(facts, say);
  return { platform: `${facts.platform} ${facts.arch}`, kernel: release(), controls };
}

type Say = (
  id: string,
  title: string,
  state: MachineControl["state"],
  detail: string,
  remedy?: string | null,
  required?: boolean,
) => void;

/** What the helper does: exercised in the same trial. None is required: the gateway is the wall, this is the record. */
function sayHelper(facts: MachineFacts, trial: Trial, say: Say): void {
  const { helper } = facts;
  const lack = helper.path === null ? `no helper: ${helper.why}` : trial.fault;
  const remedy = "sudo apt-get install gcc (any C compiler will do), then sallyport setup";
  const rows = [
    [
      "recorder",
      "record of programs and files",
      trial.told.includes("sh"),
      "programs that start, workspace files that change and connections that are tried are recorded",
    ],
    [
      "any-address",
      "programs that ignore proxy settings",
      trial.caught,
      "their names are answered, their connections led to the gateway or refused at once",
    ],
  ] as const;
  for (const [id, title, works, detail] of rows)
    if (lack !== null) say(id, title, "missing", lack, remedy, false);
    else if (works) say(id, title, "enforced", detail, null, false);
    else
      say(
        id,
        title,
        "missing",
        "tried, and it did not work",
        "report this with `sallyport doctor --json`",
        false,
      );
}

function sayLimits(facts: MachineFacts, say: Say): void {
  const group = openCgroup({ processes: 960, memoryBytes: facts.memoryBytes }, "doctor");
  group?.close();
  const isCounted = group !== null || facts.uid !== 0;
  say(
    "limits",
    "limits by process",
    isCounted ? "enforced" : "degraded",
    `${isCounted ? "processes, " : "not processes, as the kernel does not count root's; "}open files, size of a file, core dumps, private /tmp`,
    isCounted ? null : "run as a plain user",
    false,
  );
  say(
    "memory",
    "limit of memory",
    group === null ? "degraded" : "enforced",
    group === null
      ? "of each process, not of all together: no control group that is ours to divide; when memory runs out the kernel ends the session's programs first"
      : "by a control group of the session's own, and of each process",
    group === null ? "run inside: systemd-run --user --scope -p Delegate=yes sallyport run …" : null,
    false,
  );
  say(
    "overlay",
    "copy-on-write directories",
    facts.noOverlay === null ? "enforced" : "missing",
    facts.noOverlay === null
      ? "repositories are written apart and brought in without what git would run; --review works"
      : `${facts.noOverlay}; what git would run is read-only or set aside at the end, --review does not work`,
    facts.noOverlay === null
      ? null
      : facts.helper.path === null
        ? "sallyport setup"
        : "Linux 5.11 or later, and a state folder on ext4, xfs, btrfs or tmpfs",
    false,
  );
}

/** The trials that run inside one real sandbox: id, title, what an enforced control says, the answer that proves it. */
const WALL_TRIALS: readonly (readonly [string, string, string, string])[] = [
  [
    "network",
    "no network but the gateway",
    "inside there is only loopback, and the one way out works",
    "lo way-out",
  ],
  ["files", "files outside are hidden", "a file outside of the workspace cannot be seen", "hidden"],
  [
    "system-calls",
    "system-call filter",
    "loaded; typing into the terminal from inside is refused",
    "filtered",
  ],
  ["nested-namespaces", "no namespaces inside", "a new user namespace is refused", "refused"],
  ["privileges", "no privileges", "no capability, no way to gain one", "none"],
];

/** A name that cannot exist elsewhere (RFC 6761). */
const TRIAL_HOST = "doctor.invalid";

/** One line per answer: `id<TAB>answer`. Plain sh and cat, so that it says nothing about what else is installed. */
const TRIAL_SCRIPT = (outside: string, port: number): string => `
names=$(sed -n 's/^ *\\([^ :]*\\):.*/\\1/p' /proc/net/dev | tr '\\n' ' ')
say() { printf '%s\\t%s\\n' "$1" "$2" >> answers; }
if [ -e '${outside}' ]; then say files seen; else say files hidden; fi
grep -q '^Seccomp:.*2' /proc/self/status && say system-calls filtered || say system-calls none
if unshare -U true 2>/dev/null; then say nested-namespaces allowed; else say nested-namespaces refused; fi
if grep -q '^CapEff:.*[1-9a-f]' /proc/self/status || ! grep -q '^NoNewPrivs:.*1' /proc/self/status; then say privileges some; else say privileges none; fi
way=none; command -v bash >/dev/null && bash -c 'exec 3<>/dev/tcp/127.0.0.1/${port} && read -r l <&3 && [ "$l" = way-out ]' 2>/dev/null && way=way-out
command -v bash >/dev/null || way=way-out
command -v bash >/dev/null && bash -c 'exec 3<>/dev/tcp/${TRIAL_HOST}/443 && read -r l <&3' 2>/dev/null
say network "\${names}$way"
`;

interface Trial {
  /** Why the trial could not be made; null when it was. */
  readonly fault: string | null;
  readonly answers: ReadonlyMap<string, string>;
  /** Base names of the programs that the recorder told of. */
  readonly told: readonly string[];
  /** A connection to a name that only the sandbox's own name service knows was led here. */
  readonly caught: boolean;
}

async function tryWall(facts: MachineFacts): Promise<Trial> {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-doctor-"));
  const told: string[] = [];
  let caught = false;
  const record = createServer((socket) => {
    const reader = new FrameReader();
    socket.on("error", () => {}); // the trial's own end
    socket.write(MAY_CHANGE);
    socket.on("data", (bytes) => {
      for (const one of reader.read(bytes)) {
        if (one.kind === "started") told.push(basename(one.program));
        // The helper keeps the last programs open for us until we hang up (helper/launch.c), for seconds.
        if (one.kind === "end") socket.end();
      }
    });
  });
  try {
    const [workspace, home, outside] = [join(folder, "work"), join(folder, "home"), join(folder, "outside")];
    const socket = join(folder, "record.sock");
    await new Promise<void>((resolve) => record.listen(socket, resolve));
    for (const directory of [workspace, home]) mkdirSync(directory);
    for (const file of [outside, join(folder, "ca.pem")]) writeFileSync(file, "");
    const proxyPort = 3128;
    const spec: SandboxSpec = {
      program: ["/bin/sh", "-c", TRIAL_SCRIPT(outside, proxyPort)],
      workspace,
      homeDirectory: home,
      read: [],
      write: [],
      hide: [],
      environment: {},
      caCertificate: join(folder, "ca.pem"),
      caBundle: join(folder, "ca.pem"),
      proxyPort,
      nested: false,
      record: { socket, reads: false, goesOn: false },
    };
    const launched = await launch(planSandbox(spec, readHostFacts(spec, facts)), {
      onConnection: (connection, to) => {
        connection.on("error", () => {}); // the trial's own end; its answer is what counts
        if (to !== null) caught ||= to.host === TRIAL_HOST && to.port === 443;
        connection.end("way-out\n");
      },
      mayReach: async (host) => host === TRIAL_HOST,
    });
    const late = setTimeout(() => launched.signal("SIGKILL"), TRIAL_MS);
    await launched.exit;
    clearTimeout(late);
    const lines = readFileSync(join(workspace, "answers"), "utf8").trim().split("\n");
    return {
      fault: null,
      answers: new Map(lines.map((line): [string, string] => halves(line))),
      told,
      caught,
    };
  } catch (thrown) {
    return { fault: asFault(thrown).message, answers: new Map(), told, caught };
  } finally {
    record.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function halves(line: string): [string, string] {
  const at = line.indexOf("\t");
  return [line.slice(0, at), line.slice(at + 1)];
}

function tryUserNamespace(facts: MachineFacts): { readonly detail: string; readonly remedy: string } | null {
  if (facts.bubblewrap === null) return { detail: "could not be tried without bubblewrap", remedy: INSTALL };
  const args = ["--unshare-user", "--unshare-net", "--disable-userns", "--ro-bind", "/", "/", "true"];
  const result = spawnSync(facts.bubblewrap.path, args, { encoding: "utf8", timeout: 5000, shell: false });
  if (result.status === 0) return null;
  const detail = (result.stderr || String(result.error ?? "it failed")).trim().replaceAll("\n", "; ");
  if (readNumber(USERNS_SYSCTL) === 1)
    return { detail: `AppArmor restricts them: ${detail}`, remedy: APPARMOR_REMEDY };
  if (readNumber("/proc/sys/kernel/unprivileged_userns_clone") === 0)
    return { detail, remedy: "sudo sysctl -w kernel.unprivileged_userns_clone=1" };
  if (readNumber("/proc/sys/user/max_user_namespaces") === 0)
    return { detail, remedy: "sudo sysctl -w user.max_user_namespaces=15000" };
  return {
    detail,
    remedy:
      "in a container: allow user namespaces and an unmasked /proc (see docs/containers.md), or run outside of it",
  };
}

function readNumber(path: string): number | null {
  try {
    return Number(readFileSync(path, "utf8"));
  } catch {
    return null; // this kernel does not have it
  }
}
