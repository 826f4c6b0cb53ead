import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, test } from "vitest";
import { type FilterArch, seccompFilter } from "./seccomp.ts";

const GOLDEN = join(import.meta.dirname, "../../test/golden/sandbox");

/** Runs the filter as the kernel would: `struct seccomp_data` in, the action out. */
function judge(bytes: Uint8Array, arch: number, nr: number, args: readonly bigint[] = []): string {
  const data = Buffer.alloc(64);
  data.writeInt32LE(nr | 0, 0);
  data.writeUInt32LE(arch, 4);
  args.forEach((value, at) => {
    data.writeBigUInt64LE(value, 16 + 8 * at);
  });
  const program = Buffer.from(bytes);
  let accumulator = 0;
  for (let at = 0; at < program.length / 8; ) {
    const [code, jt, jf, k] = [
      program.readUInt16LE(at * 8),
      program[at * 8 + 2] ?? 0,
      program[at * 8 + 3] ?? 0,
      program.readUInt32LE(at * 8 + 4),
    ];
    at += 1;
    if (code === 0x20) accumulator = data.readUInt32LE(k);
    else if (code === 0x54) accumulator = (accumulator & k) >>> 0;
    else if (code === 0x15) at += accumulator === k ? jt : jf;
    else if (code === 0x35) at += accumulator >= k ? jt : jf;
    else if (code === 0x45) at += (accumulator & k) !== 0 ? jt : jf;
    else if (code === 0x06) {
      if (k === 0x7fff0000) return "allow";
      return { 327681: "EPERM", 327718: "ENOSYS", 327777: "EAFNOSUPPORT" }[k] ?? `0x${k.toString(16)}`;
    } else throw new Error(`unknown instruction 0x${code.toString(16)}`);
  }
  throw new Error("ran off the end");
}

const X64 = 0xc000003e;
const ARM64 = 0xc00000b7;
const HIGH = 1n << 32n;

describe("the filter is what was reviewed", () => {
  test.each([
    ["x64", false],
    ["x64", true],
    ["arm64", false],
    ["arm64", true],
  ] as const)("%s nested=%s", (arch: FilterArch, nested) => {
    const { bytes, text } = seccompFilter(arch, nested);
    const file = join(GOLDEN, `seccomp-${arch}${nested ? "-nested" : ""}.txt`);
    const golden = `${text}sha256 ${createHash("sha256").update(bytes).digest("hex")}\n`;
    if (process.env["UPDATE"] === "1") {
      mkdirSync(GOLDEN, { recursive: true });
      writeFileSync(file, golden);
    }
    expect(golden).toBe(readFileSync(file, "utf8"));
    expect(bytes.length / 8, "BPF_MAXINSNS").toBeLessThan(4096);
  });
});

describe("x64 verdicts", () => {
  const { bytes } = seccompFilter("x64", false);
  test.each<[string, number, bigint[], string]>([
    ["read", 0, [], "allow"],
    ["execve", 59, [], "allow"],
    ["futex", 202, [], "allow"],
    ["ioctl TCGETS", 16, [0n, 0x5401n], "allow"],
    ["ioctl TIOCGWINSZ", 16, [0n, 0x5413n], "allow"],
    ["ioctl TIOCSTI types into the terminal", 16, [0n, 0x5412n], "EPERM"],
    ["ioctl TIOCSTI with high bits set", 16, [0n, HIGH | 0x5412n], "EPERM"],
    ["ioctl TIOCLINUX", 16, [0n, 0x541cn], "EPERM"],
    ["socket unix", 41, [1n, 1n, 0n], "allow"],
    ["socket tcp", 41, [2n, 1n, 6n], "allow"],
    ["socket tcp, close-on-exec, non-blocking", 41, [2n, 0x80801n, 0n], "allow"],
    ["socket udp over IPv6", 41, [10n, 2n, 17n], "allow"],
    ["socket raw", 41, [2n, 3n, 1n], "EPERM"],
    ["socket raw with flags", 41, [2n, 0x80003n, 1n], "EPERM"],
    ["socket netlink route", 41, [16n, 3n, 0n], "allow"],
    ["socket netlink audit", 41, [16n, 3n, 9n], "EAFNOSUPPORT"],
    ["socket netlink netfilter", 41, [16n, 3n, 12n], "EAFNOSUPPORT"],
    ["socket packet", 41, [17n, 3n, 0n], "EAFNOSUPPORT"],
    ["socket vsock", 41, [40n, 1n, 0n], "EAFNOSUPPORT"],
    ["socket vsock with high bits set", 41, [HIGH | 40n, 1n, 0n], "EAFNOSUPPORT"],
    ["socket alg", 41, [38n, 5n, 0n], "EAFNOSUPPORT"],
    ["clone of a thread", 56, [0x3d0f00n], "allow"],
    ["clone of a process", 56, [0x1200011n], "allow"],
    ["clone with a user namespace", 56, [0x10000011n], "EPERM"],
    ["clone with a network namespace", 56, [0x40000011n], "EPERM"],
    ["clone3", 435, [], "ENOSYS"],
    ["unshare of open files", 272, [0x400n], "allow"],
    ["unshare of the user namespace", 272, [0x10000000n], "EPERM"],
    ["unshare of time", 272, [0x80n], "EPERM"],
    ["setns", 308, [], "EPERM"],
    ["mount", 165, [], "EPERM"],
    ["chmod 755", 90, [0n, 0o755n], "allow"],
    ["chmod g+s", 90, [0n, 0o2755n], "allow"],
    ["chmod u+s", 90, [0n, 0o4755n], "EPERM"],
    ["fchmod u+s", 91, [0n, 0o4755n], "EPERM"],
    ["fchmodat u+s", 268, [0n, 0n, 0o4755n], "EPERM"],
    ["fchmodat2 u+s", 452, [0n, 0n, 0o4755n], "EPERM"],
    ["open for reading, with an old mode in the register", 2, [0n, 0n, 0o4755n], "allow"],
    ["open creating", 2, [0n, 0o102n, 0o644n], "allow"],
    ["open creating u+s", 2, [0n, 0o102n, 0o4755n], "EPERM"],
    ["openat creating u+s", 257, [0n, 0n, 0o101n, 0o4755n], "EPERM"],
    ["openat unnamed u+s", 257, [0n, 0n, 0o20200002n, 0o4755n], "EPERM"],
    ["openat of a directory, with an old mode in the register", 257, [0n, 0n, 0o200000n, 0o4755n], "allow"],
    ["openat2", 437, [], "ENOSYS"],
    ["creat u+s", 85, [0n, 0o4755n], "EPERM"],
    ["mknod fifo", 133, [0n, 0o10644n], "allow"],
    ["mknod file", 133, [0n, 0o100644n], "allow"],
    ["mknod file u+s", 133, [0n, 0o104755n], "EPERM"],
    ["mknod character device", 133, [0n, 0o20644n], "EPERM"],
    ["mknodat block device", 259, [0n, 0n, 0o60644n], "EPERM"],
    ["io_uring_setup", 425, [], "ENOSYS"],
    ["bpf", 321, [], "EPERM"],
    ["keyctl", 250, [], "EPERM"],
    ["userfaultfd", 323, [], "ENOSYS"],
    ["open_by_handle_at", 304, [], "EPERM"],
    ["ptrace of one's own children", 101, [], "allow"],
    ["landlock_create_ruleset", 444, [], "allow"],
    ["x32 read", 0x40000000, [], "ENOSYS"],
  ])("%s", (_name, nr, args, want) => {
    expect(judge(bytes, X64, nr, args)).toBe(want);
  });

  it("answers a foreign architecture with ENOSYS", () => {
    expect(judge(bytes, 0x40000003, 4)).toBe("ENOSYS");
    expect(judge(bytes, ARM64, 64)).toBe("ENOSYS");
  });
});

describe("arm64 verdicts", () => {
  const { bytes } = seccompFilter("arm64", false);
  test.each<[string, number, bigint[], string]>([
    ["read", 63, [], "allow"],
    ["ioctl TIOCSTI", 29, [0n, HIGH | 0x5412n], "EPERM"],
    ["socket vsock", 198, [40n, 1n, 0n], "EAFNOSUPPORT"],
    ["clone with a user namespace", 220, [0x10000011n], "EPERM"],
    ["fchmod u+s", 52, [0n, 0o4755n], "EPERM"],
    ["openat creating u+s", 56, [0n, 0n, 0o101n, 0o4755n], "EPERM"],
    ["mknodat character device", 33, [0n, 0n, 0o20644n], "EPERM"],
    ["mount", 40, [], "EPERM"],
    ["bpf", 280, [], "EPERM"],
  ])("%s", (_name, nr, args, want) => {
    expect(judge(bytes, ARM64, nr, args)).toBe(want);
  });
});

describe("nested: the agent's own sandbox may do its work, ours keeps the rest", () => {
  const { bytes } = seccompFilter("x64", true);
  test.each<[string, number, bigint[], string]>([
    ["clone with a user namespace", 56, [0x10000011n], "allow"],
    ["unshare of the user namespace", 272, [0x10000000n], "allow"],
    ["mount", 165, [], "allow"],
    ["clone3", 435, [], "allow"],
    ["ioctl TIOCSTI", 16, [0n, 0x5412n], "EPERM"],
    ["socket vsock", 41, [40n, 1n, 0n], "EAFNOSUPPORT"],
    ["bpf", 321, [], "EPERM"],
    ["open_by_handle_at", 304, [], "EPERM"],
  ])("%s", (_name, nr, args, want) => {
    expect(judge(bytes, X64, nr, args)).toBe(want);
  });
});
