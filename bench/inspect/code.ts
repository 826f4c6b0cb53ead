/**
 * Recognition of classified code.
 *
 *   node bench/inspect/code.ts <classified dir> <public dir>... -- <other projects' dir>...
 *   node bench/inspect/code.ts --each <project's dir>...     each as the classified one, the rest as the others
 *
 * The index covers every file of the first directory; the public directories are excepted; queries are random
 * stretches of 20 and 10 lines (re-indented, with line numbers, as a diff, one identifier renamed); every file of the
 * other directories should match nothing.
 */
import { buildCodeIndex, openCodeIndex } from "../../src/inspect/fingerprint.ts";
import { sourceFiles } from "./corpus.ts";

const isEach = process.argv.includes("--each");
const args = process.argv.slice(2).filter((word) => word !== "--each");
const MOST_OTHERS = 400;
const CODE = /\.(?:ts|js|mjs|py|pm|pl|rb|go|rs|java|c|h|cpp)$/;
const code = (dir: string, max: number) => sourceFiles(dir, max).filter((f) => CODE.test(f.path));

const key = Buffer.alloc(32, 3);
function measure(classified: string, publics: readonly string[], others: readonly string[]): void {
  const files = code(classified, 20_000_000);
  const builder = buildCodeIndex(key);
  let bytes = 0;
  for (const { text } of files) {
    builder.add("classified", text);
    bytes += Buffer.byteLength(text);
  }
  for (const { text } of publics.flatMap((dir) => code(dir, 60_000_000))) builder.except(text);
  const encoded = builder.encode();
  const index = openCodeIndex(key, encoded);
  console.log(
    `${files.length} files, ${(bytes / 1e6).toFixed(1)} MB; index ${(encoded.length / 1e3 / (bytes / 1e6)).toFixed(1)} KB per MB of source`,
  );

  let seed = 7;
  const random = (below: number): number => {
    seed = (seed * 1664525 + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  const renamed = (text: string): string => {
    const names = [...new Set(text.match(/\b[a-z_][A-Za-z0-9_]{3,}\b/g) ?? [])];
    const name = names[random(Math.max(1, names.length))] ?? "none";
    return text.replaceAll(new RegExp(`\\b${name}\\b`, "g"), "other_name");
  };
  const disguises: [string, (lines: string[]) => string][] = [
    ["as it is", (lines) => lines.join("\n")],
    ["re-indented", (lines) => lines.map((l) => `      ${l.trim()}`).join("\n")],
    ["line numbers", (lines) => lines.map((l, i) => `${String(i + 212).padStart(6)}→${l}`).join("\n")],
    ["as a diff", (lines) => lines.map((l) => `+${l}`).join("\n")],
    ["one identifier renamed", (lines) => renamed(lines.join("\n"))],
  ];
  for (const size of [20, 10])
    for (const [name, disguise] of disguises) {
      let found = 0;
      let asked = 0;
      for (let tries = 0; asked < 1000 && tries < 20_000; tries++) {
        const lines = files[random(files.length)]?.text.split("\n") ?? [];
        if (lines.length < size + 2) continue;
        const from = random(lines.length - size);
        const part = lines.slice(from, from + size);
        // Blank stretches hold no code to recognise.
        if (part.join("").replace(/\s/g, "").length < size * 12) continue;
        asked++;
        if (index.match(`Look at this:\n${disguise(part)}\nWhat does it do?`).length > 0) found++;
      }
      console.log(`${size} lines, ${name}: ${((100 * found) / asked).toFixed(1)} %`);
    }

  let flagged = 0;
  let all = 0;
  let size = 0;
  const before = process.cpuUsage();
  for (const { text } of others.flatMap(few)) {
    all++;
    size += text.length;
    if (index.match(text).length > 0) flagged++;
  }
  const used = process.cpuUsage(before);
  console.log(
    `other projects: ${flagged} of ${all} files flagged (${((100 * flagged) / all).toFixed(2)} %), ${(size / (used.user + used.system)).toFixed(0)} MB/s`,
  );
}

/** Of each other project as many files as of the others, or its size would decide. */
function few(dir: string): readonly { readonly text: string }[] {
  const files = code(dir, 40_000_000);
  const step = isEach ? Math.max(1, Math.floor(files.length / MOST_OTHERS)) : 1;
  return files.filter((_, at) => at % step === 0);
}

if (isEach)
  for (const dir of args) {
    console.log(dir);
    measure(
      dir,
      [],
      args.filter((other) => other !== dir),
    );
  }
else {
  const border = args.indexOf("--");
  const [classified = "", ...publics] = args.slice(0, border);
  measure(classified, publics, args.slice(border + 1));
}
