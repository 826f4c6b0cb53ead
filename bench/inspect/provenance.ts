/**
 * Which lines of which files a text holds.
 *
 *   node bench/inspect/provenance.ts <workspace> -- <other projects' dir>...
 *
 * The index covers the source files of the first directory. Queries are random stretches of 40, 10 and 3 lines in the forms
 * in which agents send them; a query counts as exact when it claims just those lines of that file, or as many of a file that
 * holds the same. Files of the other directories should claim nothing. The floor of the speed is one pass over the bytes.
 */
import { createHash } from "node:crypto";
import { ContentIndex, type FileContent, fileLetters, traceText } from "../../src/inspect/provenance.ts";
import { sourceFiles } from "./corpus.ts";

const args = process.argv.slice(2);
const border = args.indexOf("--");
const [workspace = ""] = args.slice(0, border);
const others = args.slice(border + 1);
const files = sourceFiles(workspace, 64_000_000);
const bytes = files.map(({ text }) => Buffer.from(text));
const total = bytes.reduce((sum, one) => sum + one.length, 0);

const cpu = (work: () => void): number => {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
};

const index = new ContentIndex(Number(process.env["WINDOW"] ?? 16));
const buildMs = cpu(() => {
  for (const [i, { path }] of files.entries()) index.add(path, fileLetters(bytes[i] ?? Buffer.alloc(0)));
  index.seal();
});
const mb = total / 1e6;
console.log(
  `${files.length} files, ${mb.toFixed(1)} MB: built in ${buildMs.toFixed(0)} ms, ${(buildMs / mb).toFixed(1)} ms and ${(index.memoryBytes / 1e6 / mb).toFixed(2)} MB of memory per MB`,
);

const contents = new Map<string, FileContent>();
const at = new Map(files.map(({ path }, i) => [path, i]));
const load = (path: string): FileContent | null => {
  const known = contents.get(path);
  const own = bytes[at.get(path) ?? -1];
  if (known !== undefined || own === undefined) return known ?? null;
  const content = { path, letters: fileLetters(own), sha256: createHash("sha256").update(own).digest("hex") };
  contents.set(path, content);
  return content;
};

let seed = 7;
const random = (below: number): number => {
  seed = (seed * 1664525 + 1013904223) >>> 0;
  return seed % below;
};
const FORMS: readonly (readonly [string, (lines: readonly string[], from: number) => string])[] = [
  ["as it is", (lines) => lines.join("\n")],
  ["re-indented", (lines) => lines.map((l) => `      ${l.trim()}`).join("\n")],
  ["numbers →", (lines, from) => lines.map((l, i) => `${String(i + from).padStart(6)}→${l}`).join("\n")],
  ["cat -n", (lines, from) => lines.map((l, i) => `${String(i + from).padStart(6)}\t${l}`).join("\n")],
  ["grep -n", (lines, from) => lines.map((l, i) => `${i + from}:${l}`).join("\n")],
  ["as a diff", (lines) => lines.map((l) => `+${l}`).join("\n")],
  ["quoted", (lines) => lines.map((l) => `> ${l}`).join("\n")],
  ["in JSON", (lines) => JSON.stringify({ content: lines.join("\n") })],
  [
    "in JSON twice, numbers",
    (lines, from) =>
      JSON.stringify({ a: JSON.stringify({ b: lines.map((l, i) => `${i + from}\t${l}`).join("\n") }) }),
  ],
];
const letters = (line: string): string => line.replace(/[^\p{L}\p{N}]/gu, "");
for (const size of [40, 10, 3])
  for (const [name, form] of FORMS) {
    let [exact, claimed, asked] = [0, 0, 0];
    for (let tries = 0; asked < 500 && tries < 20_000; tries++) {
      const lines = files[random(files.length)]?.text.split("\n") ?? [];
      if (lines.length < size + 2) continue;
      const from = random(lines.length - size);
      const part = lines.slice(from, from + size);
      // Too little to be told from others, or blank at an end.
      if (
        letters(part.join("")).length < 100 ||
        letters(part[0] ?? "") === "" ||
        letters(part.at(-1) ?? "") === ""
      )
        continue;
      asked++;
      const { claims } = traceText(
        `Look at this:\n${form(part, from + 1)}\nWhat does it do?`,
        [],
        index,
        load,
      );
      if (claims.length > 0) claimed++;
      const [claim] = claims;
      const [range] = claim?.lines ?? [];
      if (claims.length !== 1 || claim?.lines.length !== 1 || range === undefined) continue;
      const held = load(claim.file.path);
      const text = Buffer.from(held?.letters.bytes ?? [])
        .toString()
        .split("\n")
        .slice(range[0] - 1, range[1])
        .join("\n");
      if (text === part.join("\n")) exact++;
    }
    console.log(
      `${size} lines, ${name}: claimed ${((100 * claimed) / asked).toFixed(1)} %, exactly ${((100 * exact) / asked).toFixed(1)} %`,
    );
  }

const texts = files.map(({ text }) => text.slice(0, 6_000)).slice(0, 2_000);
for (const text of texts) traceText(text, [], index, load);
const size = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
const ownMs = cpu(() => {
  for (const text of texts) traceText(text, [], index, load);
});
let sum = 0;
const floorMs = cpu(() => {
  for (const text of texts) for (const byte of Buffer.from(text)) sum += byte;
});
console.log(
  `own files, 6 KB each: ${((1000 * ownMs) / (size / 1024)).toFixed(1)} µs a KB (a pass over the bytes: ${((1000 * floorMs) / (size / 1024)).toFixed(1)}${sum < 0 ? "!" : ""})`,
);

let [flagged, all, lines, otherBytes] = [0, 0, 0, 0];
const foreign = others.flatMap((dir) => sourceFiles(dir, 40_000_000));
const otherMs = cpu(() => {
  for (const { text, path } of foreign) {
    all++;
    otherBytes += Buffer.byteLength(text);
    const { claims } = traceText(text, [], index, load);
    if (claims.length === 0) continue;
    flagged++;
    if (process.env["SHOW"] && flagged < 40)
      console.log(path, JSON.stringify(claims.map((c) => [c.file.path, c.lines])));
    lines += claims.flatMap((claim) => claim.lines).reduce((n, [first, last]) => n + last - first + 1, 0);
  }
});
console.log(
  `other projects: ${flagged} of ${all} files claimed (${((100 * flagged) / all).toFixed(2)} %), ${lines} lines; ${((1000 * otherMs) / (otherBytes / 1024)).toFixed(1)} µs a KB`,
);
