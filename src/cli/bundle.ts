/**
 * The client in one file, for bin/sallyport: Node takes some 20 ms to load its modules one by one, and 3 to load this.
 *
 * In a checkout it is made by `setup` and by each station that finds it missing or old, with the bundler that builds the
 * package. It names the files it was made of with their times and sizes, looks at them each time it starts, and hands over
 * to the sources where one has changed: what runs is always what the sources say. Where it cannot be made (no bundler, a
 * folder that cannot be written) everything works as before, only later.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { version } from "./version.ts";

const ROOT = join(import.meta.dirname, "../..");
const ENTRY = join(import.meta.dirname, "client.ts");

/** Where bin/sallyport looks for it in a checkout. */
export const CLIENT_FILE: string = join(ROOT, "build/client.cjs");

/** [path, modified (ms), bytes] */
type Made = readonly [string, number, number];

/** What the bundle takes for its modules' own place. */
interface Place {
  /** An expression. */
  readonly dirname: string;
  readonly filename: string;
}
const IN_CHECKOUT: Place = { dirname: JSON.stringify(import.meta.dirname), filename: "client.ts" };
const IN_PACKAGE: Place = { dirname: "__dirname", filename: "client.js" };

/** Makes it where its sources are, and it is not of these sources. Resolves to whether it is there now. Never throws. */
export async function ensureClient(file: string = CLIENT_FILE): Promise<boolean> {
  try {
    if (!import.meta.filename.endsWith(".ts")) return true; // a package has it from its build
    if (existsSync(`${file}.version`) && existsSync(file) && isOf(file)) return true;
    const { inputs } = await bundled(IN_CHECKOUT);
    const made = inputs.map(stamp);
    // After the times: a file that changes from here on is not what they say.
    const { text } = await bundled(IN_CHECKOUT);
    mkdirSync(join(file, ".."), { recursive: true });
    const draft = `${file}.${process.pid}`;
    writeFileSync(draft, `${guard(made)}${text}}\n`, { mode: 0o644 });
    writeFileSync(`${file}.version`, version);
    renameSync(draft, file);
    return true;
  } catch {
    return false; // the sources run as they are
  }
}

/** Whether it is there and made of the sources at hand, as it would find itself. */
function isOf(file: string): boolean {
  const list = /^if \((\[.*\])\.every\(isSame\)\)/m.exec(readFileSync(file, "utf8"))?.[1];
  const made = JSON.parse(list ?? "[]") as readonly Made[]; // we wrote it
  return made.length > 0 && made.every((one) => stamp(one[0]).join() === one.join());
}

/** For a package: beside its modules, which do not change. */
export async function writeClient(file: string): Promise<void> {
  const { text } = await bundled(IN_PACKAGE);
  writeFileSync(file, `${PACKAGE_GUARD}${text}}\n`);
  writeFileSync(`${file}.version`, version);
}

async function bundled({
  dirname,
  filename,
}: Place): Promise<{ readonly text: string; readonly inputs: readonly string[] }> {
  const { build } = await import("esbuild");
  const { outputFiles, metafile } = await build({
    entryPoints: [ENTRY],
    absWorkingDir: ROOT,
    bundle: true,
    write: false,
    metafile: true,
    platform: "node",
    format: "cjs",
    target: "node24",
    logLevel: "silent",
    define: {
      "import.meta.dirname": dirname,
      "import.meta.filename": JSON.stringify(filename),
    },
  });
  return {
    text: outputFiles[0]?.text ?? "",
    inputs: Object.keys(metafile.inputs).map((path) => join(ROOT, path)),
  };
}

const stamp = (path: string): Made => {
  const { mtimeMs, size } = statSync(path);
  return [path, mtimeMs, size];
};

/** Runs the sources instead where they are not what the rest was made of. */
const guard = (made: readonly Made[]): string => `"use strict";
const isSame = ([path, at, bytes]) => {
  const file = require("node:fs").statSync(path, { throwIfNoEntry: false });
  return file !== undefined && file.mtimeMs === at && file.size === bytes;
};
if (${JSON.stringify(made)}.every(isSame)) client();
else void import(${JSON.stringify(pathToFileURL(join(import.meta.dirname, "start.ts")).href)});
function client() {
`;

/** An old Node is told by the file that can. */
const PACKAGE_GUARD = `"use strict";
const [major, minor] = process.versions.node.split(".").map(Number);
if (major > 24 || (major === 24 && minor >= 12)) client();
else void import("./start.js");
function client() {
`;
