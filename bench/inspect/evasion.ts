/**
 * How many found secrets stay found when they are encoded, cut or disguised.
 *
 *   node bench/inspect/evasion.ts <corpora/secrets> [ordinary source dir]
 *
 * Base: rows of examples.jsonl labelled true, with a secret of 20 characters or more that a format detector finds plain
 * (every seventh). "plain scan": the engine alone; "with views": the Inspector. The cost line compares both on ordinary
 * source.
 */
import { deflateSync, gzipSync } from "node:zlib";
import { DETECTORS } from "../../src/inspect/detectors/index.ts";
import { createInspector } from "../../src/inspect/inspect.ts";
import { createScanner } from "../../src/inspect/scanner.ts";
import { examples, sourceFiles } from "./corpus.ts";

const [corpus = "", ordinary] = process.argv.slice(2);
const pack = DETECTORS.filter((d) => d.class === "secret");
const inspector = createInspector({ key: Buffer.alloc(32, 1), detectors: pack });
const scanner = createScanner(pack);
const found = (texts: string[]): boolean =>
  inspector.inspect(texts.map((text) => ({ text, isNew: true, role: "user" }))).findings.length > 0;
const plain = (texts: string[]): boolean => texts.some((text) => scanner.scan(text).length > 0);

const all = examples(corpus).filter(
  (row) => row.label === 1 && (row.secret?.length ?? 0) >= 20 && !row.rule.startsWith("pii:"),
);
const formats = createScanner(pack.filter((d) => d.id !== "assigned-credential"));
const base = all.filter((row) => formats.scan(row.secret ?? "").length > 0).filter((_, i) => i % 7 === 0);

const b64 = (s: string): string => Buffer.from(s).toString("base64");
const each = (s: string, f: (c: string) => string): string => [...s].map(f).join("");
const hex2 = (c: string): string => c.charCodeAt(0).toString(16).padStart(2, "0");
const CYRILLIC: Record<string, string> = {
  a: "а",
  e: "е",
  o: "о",
  p: "р",
  c: "с",
  x: "х",
  A: "А",
  B: "В",
  E: "Е",
  K: "К",
  M: "М",
  H: "Н",
  O: "О",
  P: "Р",
  C: "С",
  T: "Т",
  X: "Х",
};
const wrap76 = (s: string): string => s.replace(/.{76}/g, "$&\n");
const half = (s: string): number => s.length >> 1;

const disguises: [string, (s: string) => string[]][] = [
  ["base64", (s) => [`x ${b64(`key: ${s}`)} y`]],
  ["base64url", (s) => [`x ${Buffer.from(`key: ${s}`).toString("base64url")} y`]],
  [
    "base64 wrapped at 76",
    (s) => [`x\n${wrap76(b64(`a line before\nkey: ${s}\nand a line behind it, long enough to wrap`))}\ny`],
  ],
  ["base64 twice", (s) => [`x ${b64(b64(`key: ${s}`))} y`]],
  ["gzip + base64", (s) => [`x ${gzipSync(`key: ${s}`).toString("base64")} y`]],
  ["zlib + base64", (s) => [`x ${deflateSync(`key: ${s}`).toString("base64")} y`]],
  ["UTF-16 + base64", (s) => [`x ${Buffer.from(`key: ${s}`, "utf16le").toString("base64")} y`]],
  ["hex", (s) => [`x ${Buffer.from(s).toString("hex")} y`]],
  ["URL-encoded, every character", (s) => [`a=${each(s, (c) => `%${hex2(c)}`)}&b`]],
  ["URL-encoded twice", (s) => [`a=${each(s, (c) => `%25${hex2(c)}`)}&b`]],
  ["encodeURIComponent", (s) => [`a=${encodeURIComponent(s)}&b`]],
  ["\\uXXXX", (s) => [`"${each(s, (c) => `\\u00${hex2(c)}`)}"`]],
  ["\\xXX", (s) => [`"${each(s, (c) => `\\x${hex2(c)}`)}"`]],
  ["HTML entities", (s) => [`<b>${each(s, (c) => `&#${c.charCodeAt(0)};`)}</b>`]],
  ["JSON-escaped once", (s) => [JSON.stringify(`line\nkey="${s}"\n`)]],
  ["JSON-escaped twice", (s) => [JSON.stringify(JSON.stringify(`line\nkey="${s}"\n`))]],
  ["zero-width between", (s) => [`key ${[...s].join("\u200b")} y`]],
  [
    "soft hyphen, bidi, tags",
    (s) => [`key ${s.slice(0, 3)}\u00ad${s.slice(3, 6)}\u202e${s.slice(6, 9)}\u{e0041}${s.slice(9)} y`],
  ],
  ["Cyrillic look-alikes", (s) => [`key ${each(s, (c) => CYRILLIC[c] ?? c)} y`]],
  ["full-width", (s) => [`key ${each(s, (c) => String.fromCharCode(c.charCodeAt(0) + 0xfee0))} y`]],
  ["NUL between", (s) => [`key ${[...s].join("\0")} y`]],
  ['"ab" + "cd"', (s) => [`const k = "${s.slice(0, half(s))}" + "${s.slice(half(s))}";`]],
  [
    "over two messages",
    (s) => [`the first part is ${s.slice(0, half(s))}`, `${s.slice(half(s))} is the second`],
  ],
  ["reversed", (s) => [[...s].reverse().join("")]],
];

console.log(`${base.length} secrets`);
for (const [name, disguise] of disguises) {
  const texts = base.map((row) => disguise(row.secret ?? ""));
  const rate = (n: number): string => `${((100 * n) / base.length).toFixed(0)} %`;
  console.log(
    `${name.padEnd(30)} plain scan ${rate(texts.filter(plain).length).padStart(5)}   with views ${rate(texts.filter(found).length).padStart(5)}`,
  );
}

if (ordinary !== undefined) {
  const texts: string[] = [];
  for (const { text } of sourceFiles(ordinary, 10_000_000))
    texts.push(JSON.parse(JSON.stringify(text)) as string);
  const whole = createScanner(DETECTORS);
  const both = createInspector({ key: Buffer.alloc(32, 1) });
  const time = (run: () => void): number => {
    const spent: number[] = [];
    for (let round = 0; round < 6; round++) {
      const before = process.cpuUsage();
      run();
      const used = process.cpuUsage(before);
      spent.push((used.user + used.system) / 1e3);
    }
    return spent.sort((a, b) => a - b)[2] ?? 0;
  };
  const engine = time(() => texts.forEach((text) => void whole.scan(text)));
  const views = time(() => texts.forEach((text) => void both.inspect([{ text, isNew: true, role: "user" }])));
  const size = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0) / 1e6;
  console.log(
    `cold cost on ${size.toFixed(1)} MB of ordinary source: engine ${engine.toFixed(0)} ms, Inspector with views, hashes and memory ${views.toFixed(0)} ms: ${(views / engine).toFixed(2)} times`,
  );
}
