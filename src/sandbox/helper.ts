/**
 * The helper (helper/*.c): found where it was built, built where a compiler is. It is built from the source at hand by
 * the system's own compiler, so a binary is never shipped and never fetched; what was built is described beside it, and a
 * helper whose source has changed since, or whose bytes are not those that were built, is not used.
 *
 * The same source and compiler give the same bytes; helper/pins.json names the hashes of builds that were looked at.
 * Without it everything works as `doctor` says: nothing records what happens inside, and programs that ignore proxy
 * settings reach nothing.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { Fault } from "../core/index.ts";

/** Beside `src` and `dist` alike. */
export const HELPER_FOLDER: string = join(import.meta.dirname, "../../helper");

/** pidfd_getfd and openat2, and with them all that the helper asks of the kernel. */
const OLDEST_KERNEL = [5, 6] as const;

export interface BuiltHelper {
  /** SHA-256, hex: of the sources together, and of the program. */
  readonly sources: string;
  readonly sha256: string;
  /** The compiler's first line about itself, with the C library it links. */
  readonly compiler: string;
  readonly arch: string;
}

export type HelperFact =
  | ({ readonly path: string } & BuiltHelper)
  /** Why it is not there, or not used. */
  | { readonly path: null; readonly why: string };

/** Strict warnings: what is compiled here runs outside of the wall. The same bytes each time: no paths, no build id. */
const FLAGS = [
  ...["-std=gnu17", "-O2", "-static", "-s", "-Wall", "-Wextra", "-Werror", "-Wno-sign-compare"],
  ...["-fstack-protector-strong", "-D_FORTIFY_SOURCE=2", "-Wl,--build-id=none", "-Wl,-z,noexecstack"],
];
const COMPILERS = ["musl-gcc", "gcc", "cc"] as const;

const binaryIn = (folder: string): string => join(folder, "build", `sallyport-helper-${process.arch}`);

/** The helper that may be used on this machine, or why there is none. Reads some hundred kilobytes. */
export function findHelper(folder: string = HELPER_FOLDER): HelperFact {
  if (process.platform !== "linux" || (process.arch !== "x64" && process.arch !== "arm64"))
    return { path: null, why: `it is for Linux on x64 and arm64, not ${process.platform} ${process.arch}` };
  const [major = 0, minor = 0] = release().split(".").map(Number);
  if (major < OLDEST_KERNEL[0] || (major === OLDEST_KERNEL[0] && minor < OLDEST_KERNEL[1]))
    return { path: null, why: `Linux ${release()} is too old, 5.6 is the first that can do what is needed` };
  const path = binaryIn(folder);
  try {
    const built = JSON.parse(readFileSync(`${path}.json`, "utf8")) as BuiltHelper; // we wrote it, and check it below
    if (built.sources !== hashSources(folder))
      return { path: null, why: "its source has changed since it was built" };
    if (built.sha256 !== sha256(readFileSync(path))) return { path: null, why: "it is not what was built" };
    return { ...built, path };
  } catch {
    return { path: null, why: "it was not built" };
  }
}

/** Changes when a helper is built or taken away: what was found before is to be looked for again. Costs one `stat`. */
export function helperStamp(folder: string = HELPER_FOLDER): string {
  const at = statSync(binaryIn(folder), { throwIfNoEntry: false });
  return at === undefined ? "" : `${at.ino} ${at.ctimeMs} ${at.size}`;
}

/** Throws `setup.failed` where no compiler is, or it complains. */
export function buildHelper(folder: string = HELPER_FOLDER): BuiltHelper {
  const sources = sourcesIn(folder).filter((name) => name.endsWith(".c"));
  const path = binaryIn(folder);
  const draft = `${path}.${process.pid}`;
  const compiler = findCompiler();
  const remedy = "install a C compiler (package gcc, or musl-tools), then run `sallyport setup`";
  if (compiler === null) throw new Fault("setup.failed", { detail: "no C compiler for the helper", remedy });
  mkdirSync(join(folder, "build"), { recursive: true });
  const done = spawnSync(compiler.command, [...FLAGS, "-o", draft, ...sources], {
    cwd: folder,
    encoding: "utf8",
    env: { PATH: process.env["PATH"], LC_ALL: "C", SOURCE_DATE_EPOCH: "0" },
    shell: false,
  });
  if (done.status !== 0) {
    rmSync(draft, { force: true });
    throw new Fault("setup.failed", { at: folder, detail: firstLine(done.stderr), remedy });
  }
  const built: BuiltHelper = {
    sources: hashSources(folder),
    sha256: sha256(readFileSync(draft)),
    compiler: compiler.version,
    arch: process.arch,
  };
  // Description first: a crash in between leaves a description that does not fit, which is "not what was built".
  writeFileSync(`${path}.json`, `${JSON.stringify(built)}\n`);
  renameSync(draft, path);
  return built;
}

/** Whether a build with this compiler was looked at, and came out the same. */
export function isPinned(
  built: BuiltHelper,
  folder: string = HELPER_FOLDER,
): "same" | "differs" | "unknown compiler" {
  const pins = JSON.parse(readFileSync(join(folder, "pins.json"), "utf8")) as readonly BuiltHelper[]; // ours
  const pin = pins.find(({ compiler, arch }) => compiler === built.compiler && arch === built.arch);
  if (pin === undefined) return "unknown compiler";
  return pin.sources === built.sources && pin.sha256 === built.sha256 ? "same" : "differs";
}

function findCompiler(): { readonly command: string; readonly version: string } | null {
  for (const command of COMPILERS) {
    const { status, stdout } = spawnSync(command, ["--version"], { encoding: "utf8", shell: false });
    if (status !== 0) continue;
    const libc =
      command === "musl-gcc"
        ? "musl"
        : firstLine(spawnSync("ldd", ["--version"], { encoding: "utf8" }).stdout);
    return { command, version: `${firstLine(stdout)}; ${libc}` };
  }
  return null;
}

const sourcesIn = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => /\.[ch]$/.test(name))
    .sort();

function hashSources(folder: string): string {
  const hash = createHash("sha256").update(FLAGS.join(" "));
  for (const name of sourcesIn(folder)) hash.update(`\0${name}\0`).update(readFileSync(join(folder, name)));
  return hash.digest("hex");
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const firstLine = (text: string | null): string => (text ?? "").split("\n")[0] ?? "";
