/**
 * The system-call filter, as classic BPF (`struct sock_filter[]`, linux/filter.h), made here so that no compiled blob is
 * shipped. bubblewrap loads it with `--seccomp FD` after it has set up the namespaces, before the program starts.
 *
 * What it is for: the kernel's rarely used doors (most privilege escalations of the last years came through them) and
 * the few calls that reach out of namespaces (terminal injection, VSOCK, keyrings). Namespaces and mounts are the
 * boundary; this makes it thinner to attack. Anything not listed is allowed.
 *
 * Rules it keeps: a foreign architecture and the x32 ABI get ENOSYS (their numbers mean other calls); arguments that
 * the kernel reads as 32 bits are compared by their low 32 bits only (the high bits bypass of CVE-2019-10063).
 * Numbers: arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h of Linux 6.12.
 */

export type FilterArch = "x64" | "arm64";

/** What a refused call returns: EPERM where a program should hear "no", ENOSYS where it has a fall-back path. */
type Answer = "EPERM" | "ENOSYS";
type Row = readonly [name: string, x64: number | null, arm64: number | null, answer: Answer, why: string];

const NAMESPACE_CALLS = "mounts and namespaces: only a nested sandbox needs them";

/** Calls refused whatever their arguments are. */
const REFUSED: readonly Row[] = [
  ["add_key", 248, 217, "EPERM", "keyrings are shared with the host's session"],
  ["request_key", 249, 218, "EPERM", "keyrings are shared with the host's session"],
  ["keyctl", 250, 219, "EPERM", "keyrings are shared with the host's session"],
  ["io_uring_setup", 425, 425, "ENOSYS", "does I/O that no filter sees; large attack surface"],
  ["io_uring_enter", 426, 426, "ENOSYS", "does I/O that no filter sees; large attack surface"],
  ["io_uring_register", 427, 427, "ENOSYS", "does I/O that no filter sees; large attack surface"],
  ["userfaultfd", 323, 282, "ENOSYS", "makes kernel races easy to win"],
  ["bpf", 321, 280, "EPERM", "kernel programs"],
  ["perf_event_open", 298, 241, "EPERM", "side channels, large attack surface"],
  ["kexec_load", 246, 104, "EPERM", "replaces the kernel"],
  ["kexec_file_load", 320, 294, "EPERM", "replaces the kernel"],
  ["init_module", 175, 105, "EPERM", "kernel modules"],
  ["finit_module", 313, 273, "EPERM", "kernel modules"],
  ["delete_module", 176, 106, "EPERM", "kernel modules"],
  ["open_by_handle_at", 304, 265, "EPERM", "opens files past every mount"],
  ["name_to_handle_at", 303, 264, "EPERM", "the other half of open_by_handle_at"],
  ["acct", 163, 89, "EPERM", "system administration"],
  ["swapon", 167, 224, "EPERM", "system administration"],
  ["swapoff", 168, 225, "EPERM", "system administration"],
  ["reboot", 169, 142, "EPERM", "system administration"],
  ["sethostname", 170, 161, "EPERM", "system administration"],
  ["setdomainname", 171, 162, "EPERM", "system administration"],
  ["settimeofday", 164, 170, "EPERM", "the clock"],
  ["clock_settime", 227, 112, "EPERM", "the clock"],
  ["adjtimex", 159, 171, "EPERM", "the clock"],
  ["clock_adjtime", 305, 266, "EPERM", "the clock"],
  ["syslog", 103, 116, "EPERM", "the kernel's log holds addresses"],
  ["quotactl", 179, 60, "EPERM", "system administration"],
  ["quotactl_fd", 443, 443, "EPERM", "system administration"],
  ["fanotify_init", 300, 262, "ENOSYS", "watches other people's files"],
  ["lookup_dcookie", 212, 18, "EPERM", "profiling of the kernel"],
  ["vhangup", 153, 58, "EPERM", "takes the terminal from its owner"],
  ["iopl", 172, null, "EPERM", "raw hardware"],
  ["ioperm", 173, null, "EPERM", "raw hardware"],
  ["modify_ldt", 154, null, "EPERM", "legacy; repeated kernel holes"],
  ["kcmp", 312, 272, "EPERM", "compares kernel pointers"],
  ["pidfd_getfd", 438, 438, "EPERM", "takes open files out of another process"],
  ["move_pages", 279, 239, "EPERM", "other processes' memory placement"],
  ["migrate_pages", 256, 238, "EPERM", "other processes' memory placement"],
  ["openat2", 437, 437, "ENOSYS", "its mode hides behind a pointer, so set-user-id could not be seen"],
];

/** Refused unless the profile lets the agent's own sandbox nest in ours. */
const REFUSED_UNLESS_NESTED: readonly Row[] = [
  ["clone3", 435, 435, "ENOSYS", "its flags hide behind a pointer; the C library falls back to clone"],
  ["setns", 308, 268, "EPERM", NAMESPACE_CALLS],
  ["mount", 165, 40, "EPERM", NAMESPACE_CALLS],
  ["umount2", 166, 39, "EPERM", NAMESPACE_CALLS],
  ["pivot_root", 155, 41, "EPERM", NAMESPACE_CALLS],
  ["chroot", 161, 51, "EPERM", NAMESPACE_CALLS],
  ["open_tree", 428, 428, "ENOSYS", NAMESPACE_CALLS],
  ["move_mount", 429, 429, "ENOSYS", NAMESPACE_CALLS],
  ["fsopen", 430, 430, "ENOSYS", NAMESPACE_CALLS],
  ["fsconfig", 431, 431, "ENOSYS", NAMESPACE_CALLS],
  ["fsmount", 432, 432, "ENOSYS", NAMESPACE_CALLS],
  ["fspick", 433, 433, "ENOSYS", NAMESPACE_CALLS],
  ["mount_setattr", 442, 442, "ENOSYS", NAMESPACE_CALLS],
  ["open_tree_attr", 467, 467, "ENOSYS", NAMESPACE_CALLS],
];

/** Calls judged by their arguments: numbers per architecture; the rules are in {@link judgedCalls}. */
const JUDGED = {
  ioctl: [16, 29],
  socket: [41, 198],
  clone: [56, 220],
  unshare: [272, 97],
  chmod: [90, null],
  fchmod: [91, 52],
  fchmodat: [268, 53],
  fchmodat2: [452, 452],
  open: [2, null],
  openat: [257, 56],
  creat: [85, null],
  mknod: [133, null],
  mknodat: [259, 33],
} as const satisfies Record<string, readonly [number | null, number | null]>;
type JudgedCall = keyof typeof JUDGED;

const AUDIT_ARCH = { x64: 0xc000003e, arm64: 0xc00000b7 } as const;
const X32_BIT = 0x40000000;
const LOAD = 0x20;
const JUMP_EQUAL = 0x15;
const JUMP_AT_LEAST = 0x35;
const JUMP_SET = 0x45;
const AND = 0x54;
const RETURN = 0x06;
const RET_ALLOW = 0x7fff0000;
const RET_ERRNO = 0x00050000;
const ERRNO = { EPERM: 1, ENOSYS: 38, EAFNOSUPPORT: 97 } as const;

const TIOCSTI = 0x5412; // puts characters into the terminal's input, to be run by the host's shell
const TIOCLINUX = 0x541c; // pastes on a Linux console
const TIOCSETD = 0x5423; // line disciplines: autoloads old kernel modules
const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const AF_NETLINK = 16;
const NETLINK_ROUTE = 0;
const SOCK_TYPE_MASK = 0xf;
const SOCK_RAW = 3;
// CLONE_NEWNS|NEWCGROUP|NEWUTS|NEWIPC|NEWUSER|NEWPID|NEWNET. CLONE_NEWTIME (0x80) exists for unshare only: in clone's
// argument those bits are the exit signal.
const CLONE_NEW = 0x7e020000;
const CLONE_NEWTIME = 0x80;
const S_ISUID = 0o4000;
const S_IFMT = 0o170000;
const S_IFCHR = 0o020000;
const S_IFBLK = 0o060000;
const O_CREAT = 0o100;
const O_TMPFILE_BIT = 0o20000000;

type Target = string | null; // a label, or null: the next instruction
interface Step {
  readonly code: number;
  readonly k: number;
  readonly yes: Target;
  readonly no: Target;
  readonly note: string;
}

class Program {
  readonly steps: Step[] = [];
  readonly labels: Map<string, number> = new Map();

  label(name: string): void {
    this.labels.set(name, this.steps.length);
  }
  /** Low 32 bits of argument `n` of `struct seccomp_data` (little-endian on both architectures). */
  argument(n: number, note: string): void {
    this.#add(LOAD, 16 + 8 * n, null, null, note);
  }
  load(offset: number, note: string): void {
    this.#add(LOAD, offset, null, null, note);
  }
  mask(k: number): void {
    this.#add(AND, k, null, null, "");
  }
  jump(code: number, k: number, yes: Target, no: Target, note: string): void {
    this.#add(code, k, yes, no, note);
  }
  answer(value: number, note: string): void {
    this.#add(RETURN, value, null, null, note);
  }
  #add(code: number, k: number, yes: Target, no: Target, note: string): void {
    this.steps.push({ code, k: k >>> 0, yes, no, note });
  }

  offset(target: Target, at: number): number {
    if (target === null) return 0;
    const found = this.labels.get(target);
    const distance = found === undefined ? -1 : found - at - 1;
    // Classic BPF jumps forward only, by at most one byte's worth.
    if (distance < 0 || distance > 255) throw new Error(`filter jump to ${target} is ${distance}`);
    return distance;
  }
}

/**
 * The filter as bytes for `--seccomp`, and as text for people (`sallyport run --explain`, golden files).
 * `nested` leaves out the rules that would stop a sandbox inside ours. The same input gives the same bytes.
 */
export function seccompFilter(
  arch: FilterArch,
  nested: boolean,
): { readonly bytes: Uint8Array; readonly text: string } {
  const program = new Program();
  const column = arch === "x64" ? 0 : 1;
  program.load(4, "architecture");
  program.jump(
    JUMP_EQUAL,
    AUDIT_ARCH[arch],
    null,
    "ENOSYS",
    "a foreign architecture's numbers mean other calls",
  );
  program.load(0, "call number");
  if (arch === "x64") program.jump(JUMP_AT_LEAST, X32_BIT, "ENOSYS", null, "x32 ABI");
  const judged = (Object.keys(JUDGED) as JudgedCall[]).filter(
    (call) => JUDGED[call][column] !== null && !(nested && (call === "clone" || call === "unshare")),
  );
  for (const call of judged) program.jump(JUMP_EQUAL, JUDGED[call][column] ?? 0, call, null, call);
  for (const row of nested ? REFUSED : [...REFUSED, ...REFUSED_UNLESS_NESTED]) {
    const number = row[column + 1];
    if (typeof number === "number") program.jump(JUMP_EQUAL, number, row[3], null, `${row[0]}: ${row[4]}`);
  }
  program.answer(RET_ALLOW, "allow the rest");
  for (const call of judged) {
    program.label(call);
    judge(program, call);
  }
  for (const [name, number] of Object.entries(ERRNO)) {
    program.label(name);
    program.answer(RET_ERRNO | number, name);
  }
  program.label("allow");
  program.answer(RET_ALLOW, "allow");
  return { bytes: encode(program), text: print(program) };
}

/** The rule of one judged call; ends in a jump or an answer. */
function judge(program: Program, call: JudgedCall): void {
  switch (call) {
    case "ioctl":
      program.argument(1, "ioctl: request");
      program.jump(JUMP_EQUAL, TIOCSTI, "EPERM", null, "TIOCSTI types into the host's terminal");
      program.jump(JUMP_EQUAL, TIOCSETD, "EPERM", null, "TIOCSETD");
      program.jump(JUMP_EQUAL, TIOCLINUX, "EPERM", "allow", "TIOCLINUX pastes on a console");
      return;
    case "socket":
      program.argument(0, "socket: family");
      program.jump(JUMP_EQUAL, AF_UNIX, "allow", null, "AF_UNIX: only sockets the view holds are reachable");
      program.jump(JUMP_EQUAL, AF_INET, "inet", null, "AF_INET");
      program.jump(JUMP_EQUAL, AF_INET6, "inet", null, "AF_INET6");
      // AF_VSOCK above all: a network namespace does not confine it (virtual machines, WSL2).
      program.jump(JUMP_EQUAL, AF_NETLINK, null, "EAFNOSUPPORT", "no VSOCK, PACKET, ALG, BLUETOOTH, …");
      program.argument(2, "netlink: protocol");
      program.jump(JUMP_EQUAL, NETLINK_ROUTE, "allow", "EAFNOSUPPORT", "NETLINK_ROUTE lists interfaces");
      program.label("inet");
      program.argument(1, "inet: type");
      program.mask(SOCK_TYPE_MASK);
      program.jump(JUMP_EQUAL, SOCK_RAW, "EPERM", "allow", "raw packets");
      return;
    case "clone":
      program.argument(0, "clone: flags");
      program.jump(JUMP_SET, CLONE_NEW, "EPERM", "allow", "new namespaces");
      return;
    case "unshare":
      program.argument(0, "unshare: flags");
      program.jump(JUMP_SET, CLONE_NEW | CLONE_NEWTIME, "EPERM", "allow", "new namespaces");
      return;
    case "chmod":
    case "fchmod":
    case "creat":
    case "fchmodat":
    case "fchmodat2": {
      program.argument(call.startsWith("fchmodat") ? 2 : 1, `${call}: mode`);
      program.jump(
        JUMP_SET,
        S_ISUID,
        "EPERM",
        "allow",
        "a set-user-id file in the workspace works on the host",
      );
      return;
    }
    case "open":
    case "openat": {
      const flags = call === "open" ? 1 : 2;
      // Without these flags the mode register holds whatever it held before.
      program.argument(flags, `${call}: flags`);
      program.jump(JUMP_SET, O_CREAT | O_TMPFILE_BIT, null, "allow", "creates");
      program.argument(flags + 1, `${call}: mode`);
      program.jump(JUMP_SET, S_ISUID, "EPERM", "allow", "set-user-id");
      return;
    }
    case "mknod":
    case "mknodat": {
      program.argument(call === "mknod" ? 1 : 2, `${call}: mode`);
      program.jump(JUMP_SET, S_ISUID, "EPERM", null, "set-user-id");
      program.mask(S_IFMT);
      program.jump(JUMP_EQUAL, S_IFCHR, "EPERM", null, "character device");
      program.jump(JUMP_EQUAL, S_IFBLK, "EPERM", "allow", "block device");
      return;
    }
    default:
      call satisfies never;
  }
}

/** `struct sock_filter { u16 code; u8 jt; u8 jf; u32 k }`, little-endian. */
function encode(program: Program): Uint8Array {
  const bytes = Buffer.alloc(program.steps.length * 8);
  program.steps.forEach((step, at) => {
    bytes.writeUInt16LE(step.code, at * 8);
    bytes[at * 8 + 2] = program.offset(step.yes, at);
    bytes[at * 8 + 3] = program.offset(step.no, at);
    bytes.writeUInt32LE(step.k, at * 8 + 4);
  });
  return bytes;
}

const WORD: Readonly<Record<number, string>> = {
  [LOAD]: "load",
  [JUMP_EQUAL]: "if ==",
  [JUMP_AT_LEAST]: "if >=",
  [JUMP_SET]: "if &",
  [AND]: "and",
  [RETURN]: "return",
};

function print(program: Program): string {
  const names = new Map<number, string[]>();
  for (const [name, at] of program.labels) names.set(at, [...(names.get(at) ?? []), name]);
  const lines = program.steps.flatMap((step, at) => {
    const jumps =
      step.yes === null && step.no === null ? "" : ` ? ${step.yes ?? "next"} : ${step.no ?? "next"}`;
    const note = step.note === "" ? "" : `  ; ${step.note}`;
    const line = `${String(at).padStart(3)}  ${WORD[step.code]} 0x${step.k.toString(16)}${jumps}${note}`;
    return [...(names.get(at) ?? []).map((name) => `${name}:`), line];
  });
  return `${lines.join("\n")}\n`;
}
