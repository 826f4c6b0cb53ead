/**
 * A shared object that shifts the wall clock by a fixed number of seconds for every dynamically linked program: made
 * here, byte for byte, so that no compiler and no package is needed. It is loaded by /etc/ld.so.preload, so that nothing
 * in the agent's environment tells of it. It replaces `clock_gettime`, `gettimeofday` and `time` of the C library by the
 * system calls themselves, with the seconds added for the clocks that tell the time of day.
 *
 * ELF-64 (System V gABI 4.1; AMD64 and AArch64 psABI): one segment holds everything, a dynamic section, a symbol table
 * with the three functions and a hash table of one bucket. No relocations.
 *
 * What it does not reach: statically linked programs (Go, musl), and times of files. The lab says so.
 */

/** CLOCK_REALTIME, CLOCK_REALTIME_COARSE, CLOCK_TAI: the clocks that tell the date. */
const DATE_CLOCKS = [0, 5, 11] as const;

interface Code {
  readonly bytes: Buffer;
  /** Offset of each function in the bytes. */
  readonly at: Readonly<Record<"clock_gettime" | "gettimeofday" | "time", number>>;
  readonly machine: number;
}

/** Null for architectures other than x64 and arm64. */
export function clockLibrary(seconds: number, arch: string): Buffer | null {
  if (arch === "x64") return library(x64(seconds));
  return arch === "arm64" ? library(arm64(seconds)) : null;
}

const NAMES = ["clock_gettime", "gettimeofday", "time"] as const;
const HEADER = 64;
const PROGRAM_HEADER = 56;
const SYMBOL = 24;
const PAGE = 0x1000;

function library(code: Code): Buffer {
  const strings = Buffer.from(`\0${NAMES.join("\0")}\0`);
  const symbolsAt = HEADER + 3 * PROGRAM_HEADER;
  const stringsAt = symbolsAt + SYMBOL * (NAMES.length + 1);
  const hashAt = align(stringsAt + strings.length, 8);
  const hash = words([
    1,
    NAMES.length + 1,
    1,
    ...Array.from({ length: NAMES.length + 1 }, (_, i) => (i === 0 ? 0 : (i + 1) % (NAMES.length + 1))),
  ]);
  const codeAt = align(hashAt + hash.length, 16);
  const dynamicAt = align(codeAt + code.bytes.length, 16);
  const dynamic = longs([4, hashAt, 5, stringsAt, 6, symbolsAt, 10, strings.length, 11, SYMBOL, 0, 0]);
  const size = dynamicAt + dynamic.length;
  const out = Buffer.alloc(size);
  elfHeader(code.machine).copy(out, 0);
  const [LOAD, DYNAMIC, STACK] = [1, 2, 0x6474e551];
  const [R, W, X] = [4, 2, 1];
  programHeader(LOAD, R | W | X, 0, size, PAGE).copy(out, HEADER);
  programHeader(DYNAMIC, R | W, dynamicAt, dynamic.length, 8).copy(out, HEADER + PROGRAM_HEADER);
  // Without it the loader would make the program's stack executable.
  programHeader(STACK, R | W, 0, 0, 16).copy(out, HEADER + 2 * PROGRAM_HEADER);
  for (const [index, name] of NAMES.entries())
    symbol(strings.indexOf(`\0${name}\0`) + 1, codeAt + code.at[name]).copy(
      out,
      symbolsAt + SYMBOL * (index + 1),
    );
  strings.copy(out, stringsAt);
  hash.copy(out, hashAt);
  code.bytes.copy(out, codeAt);
  dynamic.copy(out, dynamicAt);
  return out;
}

const align = (at: number, to: number): number => Math.ceil(at / to) * to;
const words = (all: readonly number[]): Buffer => {
  const out = Buffer.alloc(all.length * 4);
  for (const [at, value] of all.entries()) out.writeUInt32LE(value, at * 4);
  return out;
};
const longs = (all: readonly number[]): Buffer => {
  const out = Buffer.alloc(all.length * 8);
  for (const [at, value] of all.entries()) out.writeBigUInt64LE(BigInt(value), at * 8);
  return out;
};

function elfHeader(machine: number): Buffer {
  const out = Buffer.alloc(HEADER);
  out.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0]);
  out.writeUInt16LE(3, 16); // ET_DYN
  out.writeUInt16LE(machine, 18);
  out.writeUInt32LE(1, 20);
  out.writeBigUInt64LE(BigInt(HEADER), 32); // program headers
  out.writeUInt16LE(HEADER, 52);
  out.writeUInt16LE(PROGRAM_HEADER, 54);
  out.writeUInt16LE(3, 56);
  out.writeUInt16LE(64, 58);
  return out;
}

function programHeader(type: number, flags: number, at: number, size: number, alignment: number): Buffer {
  const out = Buffer.alloc(PROGRAM_HEADER);
  out.writeUInt32LE(type, 0);
  out.writeUInt32LE(flags, 4);
  for (const [index, value] of [at, at, at, size, size, alignment].entries())
    out.writeBigUInt64LE(BigInt(value), 8 + 8 * index);
  return out;
}

/** A global function in section 1 (any number but "undefined" does). */
function symbol(name: number, value: number): Buffer {
  const out = Buffer.alloc(SYMBOL);
  out.writeUInt32LE(name, 0);
  out[4] = 0x12;
  out.writeUInt16LE(1, 6);
  out.writeBigUInt64LE(BigInt(value), 8);
  return out;
}

const imm32 = (value: number): number[] => {
  const out = Buffer.alloc(4);
  out.writeInt32LE(value);
  return [...out];
};

function x64(seconds: number): Code {
  const add = [0x48, 0x81, 0x06, ...imm32(seconds)]; // add qword [rsi], seconds
  const addTime = [0x48, 0x81, 0x07, ...imm32(seconds)]; // add qword [rdi], seconds
  const compare = DATE_CLOCKS.flatMap((clock, i) => {
    // cmp edi, clock; je add (over the comparisons that are left, and the ret)
    const rest = (DATE_CLOCKS.length - 1 - i) * 5 + 1;
    return [0x83, 0xff, clock, 0x74, rest];
  });
  const clockGettime = [
    ...[0xb8, 228, 0, 0, 0, 0x0f, 0x05], // mov eax, 228; syscall
    ...[0x85, 0xc0, 0x75, compare.length], // test eax, eax; jnz ret
    ...compare,
    0xc3,
    ...[...add, 0xc3],
  ];
  const gettimeofday = [
    ...[0xb8, 96, 0, 0, 0, 0x0f, 0x05, 0x85, 0xc0, 0x75, 5 + addTime.length], // mov eax, 96; syscall; test; jnz ret
    ...[0x48, 0x85, 0xff, 0x74, addTime.length], // test rdi, rdi; jz ret
    ...addTime,
    0xc3,
  ];
  const time = [
    ...[0xb8, 201, 0, 0, 0, 0x57, 0x31, 0xff, 0x0f, 0x05, 0x5f], // mov eax, 201; push rdi; xor edi, edi; syscall; pop rdi
    ...[0x48, 0x05, ...imm32(seconds)], // add rax, seconds
    ...[0x48, 0x85, 0xff, 0x74, 3, 0x48, 0x89, 0x07, 0xc3], // test rdi, rdi; jz ret; mov [rdi], rax; ret
  ];
  return joined(
    [clockGettime, gettimeofday, time].map((bytes) => Buffer.from(bytes)),
    62,
  );
}

function arm64(seconds: number): Code {
  const [low, high] = [seconds & 0xffff, (seconds >> 16) & 0xffff];
  const movX9 = [0xd2800009 | (low << 5), 0xf2a00009 | (high << 5), 0x93407d29]; // movz, movk x9; sxtw x9, w9
  const svc = 0xd4000001;
  const ret = 0xd65f03c0;
  const mov8 = (call: number): number => 0xd2800008 | (call << 5);
  const compare = DATE_CLOCKS.flatMap((clock, i) => [
    0x7100001f | (10 << 5) | (clock << 10),
    0x54000000 | ((2 * (DATE_CLOCKS.length - 1 - i) + 2) << 5),
  ]);
  const addTo1 = [...movX9, 0xf940002b, 0x8b09016b, 0xf900002b]; // ldr x11, [x1]; add x11, x11, x9; str x11, [x1]
  const clockGettime = [
    0x2a0003ea,
    mov8(113),
    svc,
    0x35000000 | ((compare.length + 1) << 5),
    ...compare,
    ret,
    ...addTo1,
    ret,
  ];
  const addTo0 = [...movX9, (0xf94001 << 8) | 0x8b, 0x8b09016b, 0xf900018b]; // the same at [x12]
  const gettimeofday = [
    0xaa0003ec,
    mov8(169),
    svc,
    0x35000000 | ((addTo0.length + 2) << 5),
    0xb4000000 | ((addTo0.length + 1) << 5) | 12,
    ...addTo0,
    ret,
  ];
  const time = [
    ...[0xaa0003ec, 0xd10043ff, 0xd2800000, 0x910003e1, mov8(113), svc], // mov x12, x0; sub sp, sp, 16; clock 0; x1 = sp
    ...[0xf94003e0, 0x910043ff, ...movX9, 0x8b090000], // ldr x0, [sp]; add sp, sp, 16; add x0, x0, x9
    ...[0xb400004c, 0xf9000180, ret], // cbz x12, ret; str x0, [x12]; ret
  ];
  return joined(
    [clockGettime, gettimeofday, time].map((all) => words(all.map((word) => word >>> 0))),
    183,
  );
}

/** The functions one after another, each at a multiple of sixteen. */
function joined(functions: readonly Buffer[], machine: number): Code {
  const at: number[] = [];
  const parts: Buffer[] = [];
  let offset = 0;
  for (const bytes of functions) {
    at.push(offset);
    const padded = Buffer.alloc(align(bytes.length, 16));
    bytes.copy(padded);
    parts.push(padded);
    offset += padded.length;
  }
  const [clock_gettime = 0, gettimeofday = 0, time = 0] = at;
  return { bytes: Buffer.concat(parts), at: { clock_gettime, gettimeofday, time }, machine };
}
