import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { DisclosedLines } from "./disclosed.ts";
import { type Claim, ContentIndex, type FileContent, fileLetters, traceText } from "./provenance.ts";

interface Desk {
  trace(text: string, named?: readonly string[]): readonly (readonly [string, Claim["lines"]])[];
  claims(text: string): readonly Claim[];
  readonly index: ContentIndex;
}

function desk(files: Readonly<Record<string, string>>, window = 16): Desk {
  const index = new ContentIndex(window);
  const contents = new Map<string, FileContent>();
  for (const [path, text] of Object.entries(files)) {
    const bytes = Buffer.from(text);
    index.add(path, fileLetters(bytes));
    contents.set(path, {
      path,
      letters: fileLetters(bytes),
      sha256: createHash("sha256").update(bytes).digest("hex"),
    });
  }
  index.seal();
  const claims = (text: string, named: readonly string[] = []) =>
    traceText(text, named, index, (path) => contents.get(path) ?? null).claims;
  return {
    index,
    claims,
    trace: (text, named) => claims(text, named).map(({ file, lines }) => [file.path, lines]),
  };
}

const NOUNS = "ledger parcel voyage harbour lantern quarry meadow cinder timber velvet saddle orchard".split(
  " ",
);
const VERBS = "gather divide rotate settle borrow measure fasten unfold".split(" ");
/** A line of code that no other place has: its number is in it. */
const lineOf = (n: number): string => {
  const [noun, verb] = [NOUNS[(n * 7) % NOUNS.length], VERBS[(n * 5) % VERBS.length]];
  const forms = [
    `  const ${noun}${n} = ${verb}(${noun}s, { depth: ${n * 37}, label: "${verb} ${noun}\\n" });`,
    `    if (${noun}${n}.${verb}Count > ${n}) return ${verb}${n}(${noun}, '${noun}');`,
    `\t// ${verb} the ${noun} of row ${n}, as "${noun}" \\ asks`,
  ];
  return forms[n % forms.length] ?? "";
};
const fileOf = (from: number, count: number): string =>
  Array.from({ length: count }, (_, i) =>
    i % 9 === 8 ? (i % 2 === 0 ? "" : "  });") : lineOf(from + i),
  ).join("\n");

/** What agents and their tools do to lines on their way into a request. */
const DISGUISES: Readonly<Record<string, (lines: readonly string[], from: number) => string>> = {
  "as it is": (lines) => lines.join("\n"),
  "with CRLF": (lines) => lines.join("\r\n"),
  "re-indented with tabs": (lines) => lines.map((line) => `\t\t\t${line.trim()}`).join("\n"),
  "with its white space gone": (lines) => lines.map((line) => line.replace(/\s+/g, " ").trim()).join("\n"),
  "numbered with an arrow": (lines, from) =>
    lines.map((line, i) => `${String(i + from).padStart(6)}→${line}`).join("\n"),
  "numbered with a tab": (lines, from) => lines.map((line, i) => `${i + from}\t${line}`).join("\n"),
  "from cat -n": (lines, from) =>
    lines.map((line, i) => `${String(i + from).padStart(6)}\t${line}`).join("\n"),
  "from grep -n": (lines, from) => lines.map((line, i) => `${i + from}:${line}`).join("\n"),
  "from grep -rn": (lines, from) => lines.map((line, i) => `src/some/file.ts:${i + from}:${line}`).join("\n"),
  "numbered with a bar": (lines, from) => lines.map((line, i) => `${i + from} | ${line}`).join("\n"),
  "added in a diff": (lines) => lines.map((line) => `+${line}`).join("\n"),
  "removed in a diff": (lines) => lines.map((line) => `-${line}`).join("\n"),
  "quoted in a mail": (lines) => lines.map((line) => `> ${line}`).join("\n"),
  "commented out": (lines) => lines.map((line) => `// ${line}`).join("\n"),
  "as strings of a list": (lines) => lines.map((line) => `  ${JSON.stringify(line)},`).join("\n"),
  "in JSON": (lines) => JSON.stringify({ content: lines.join("\n"), more: true }),
  "in JSON in JSON": (lines) => JSON.stringify({ a: JSON.stringify({ b: lines.join("\n") }) }),
  "numbered, in JSON in JSON": (lines, from) =>
    JSON.stringify({
      a: JSON.stringify({ b: lines.map((line, i) => `${String(i + from).padStart(6)}→${line}`).join("\n") }),
    }),
  "in JSON with escaped characters": (lines) =>
    JSON.stringify({ content: lines.join("\n") }).replace(
      /[<>&'=]/g,
      (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
    ),
  "in XML": (lines) =>
    `<file>${lines.join("\n").replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;")}</file>`,
};

const FILES = { "a.ts": fileOf(0, 120), "src/b.ts": fileOf(1000, 200), "src/c.ts": fileOf(5000, 60) };
const WORDS = ["Please read this:", "and tell me what it does.", ""] as const;

describe.each(Object.entries(DISGUISES))("a stretch of a file, %s,", (_, disguise) => {
  it("is told by its exact lines, and by no others", () => {
    const { trace } = desk(FILES);
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.keys(FILES)),
        fc.nat(),
        fc.integer({ min: 4, max: 40 }),
        fc.constantFrom(...WORDS),
        fc.constantFrom(...WORDS),
        (path, at, size, before, after) => {
          const lines = (FILES[path as keyof typeof FILES] ?? "").split("\n");
          let from = at % (lines.length - size);
          // A blank line at an end is nobody's.
          while (lines[from] === "") from++;
          let to = from + size;
          while (lines[to - 1] === "") to--;
          const text = [before, disguise(lines.slice(from, to), from + 1), after].join("\n");
          expect(trace(text)).toEqual([[path, [[from + 1, to]]]]);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("claims", () => {
  it("another project's file claims nothing, however alike its idioms", () => {
    const { trace } = desk(FILES);
    fc.assert(
      fc.property(
        fc.integer({ min: 20_000, max: 900_000 }),
        fc.constantFrom(...Object.values(DISGUISES)),
        (from, disguise) => {
          expect(trace(disguise(fileOf(from, 30).split("\n"), 1))).toEqual([]);
        },
      ),
      { numRuns: 100 },
    );
  });

  it("a licence's notice alone is nobody's", () => {
    const notice = `/*\n * Licensed under the Apache License, Version 2.0 (the "License");\n * you may not use this file except in compliance with the License.\n * You may obtain a copy of the License at\n *\n *     http://www.apache.org/licenses/LICENSE-2.0\n *\n * Unless required by applicable law or agreed to in writing, software\n * distributed under the License is distributed on an "AS IS" BASIS,\n * WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.\n */\n`;
    const { trace } = desk({ "a.ts": notice + FILES["a.ts"] });
    expect(trace(`${notice}export const other = 1;\n`)).toEqual([]);
    expect(trace(notice + FILES["a.ts"])[0]?.[1]).toEqual([[1, 131]]);
  });

  it("what the workspace repeats in many files is told only beside what it does not", () => {
    const preamble = `${fileOf(70_000, 6)}\n`;
    const files = Object.fromEntries(
      Array.from({ length: 12 }, (_, i) => [
        `f${String(i).padStart(2, "0")}.ts`,
        preamble + fileOf(80_000 + i * 100, 20),
      ]),
    );
    const { trace } = desk(files);
    expect(trace(preamble)).toEqual([]);
    expect(trace(files["f03.ts"] ?? "")).toEqual([["f03.ts", [[1, 26]]]]);
  });

  it("one line of a search is told by the path and number before it", () => {
    const lines = FILES["a.ts"].split("\n");
    expect(desk(FILES).trace(`a.ts:3:${lines[2]}\n`)).toEqual([["a.ts", [[3, 3]]]]);
    expect(desk(FILES).trace("nothing.ts:3:});\n")).toEqual([]);
  });

  it("a tiny file is told when the agent named it, and only then", () => {
    const { trace } = desk({ ".env": "TOKEN=abcdef12\nREGION=eu\n", "a.ts": FILES["a.ts"] });
    expect(trace("TOKEN=abcdef12\nREGION=eu\n", [".env"])).toEqual([[".env", [[1, 2]]]]);
    expect(trace("     1→TOKEN=abcdef12\n     2→REGION=eu", [".env"])).toEqual([[".env", [[1, 2]]]]);
    expect(trace("TOKEN=abcdef12\nREGION=eu\n")).toEqual([]);
  });

  it("a diff is told by the lines that the file has, whatever was taken out between", () => {
    const lines = FILES["a.ts"].split("\n");
    const diff = [
      ...["--- a/a.ts", "+++ b/a.ts", "@@ -10,8 +10,8 @@"],
      ...lines.slice(9, 13).map((line) => ` ${line}`),
      "-  const gone = somethingThatWasThereBefore(12345);",
      ...lines.slice(13, 17).map((line) => `+${line}`),
    ].join("\n");
    expect(desk(FILES).trace(diff)).toEqual([["a.ts", [[10, 17]]]]);
  });

  it("of two files that hold the same, the one that the agent named is told", () => {
    const { trace } = desk({ "copy.ts": FILES["a.ts"], "a.ts": FILES["a.ts"] });
    expect(trace(FILES["a.ts"], ["a.ts"]).map(([path]) => path)).toEqual(["a.ts"]);
    expect(trace(FILES["a.ts"], ["copy.ts"]).map(([path]) => path)).toEqual(["copy.ts"]);
  });

  it("a long line that a tool cut short is told", () => {
    const long = Array.from({ length: 400 }, (_, n) => `w${n}:${NOUNS[n % NOUNS.length]}`).join(";");
    const { trace } = desk({ "min.js": `${long}\nshort\n` });
    expect(trace(`${long.slice(0, 2000)}… [truncated]`)).toEqual([["min.js", [[1, 1]]]]);
  });

  it("text that is nobody's is counted as such, byte by byte", () => {
    const { index } = desk(FILES);
    const none = traceText("Grüße aus dem Hafen", [], index, () => null);
    expect(none).toEqual({ claims: [], bytes: 21, unmatchedBytes: 21 });
  });

  test.each([
    ["backslashes", "\\".repeat(200_000)],
    ["quotes", '"'.repeat(200_000)],
    ["one letter", "a".repeat(200_000)],
    ["numbers", "1:".repeat(100_000)],
    ["heads", "a.b:1:\n".repeat(30_000)],
  ])("no text is dear: %s", (_, text) => {
    const { trace } = desk({
      ...FILES,
      "flat.txt": "a".repeat(50_000),
      "heads.txt": "a.b:1:\n".repeat(5_000),
    });
    const start = process.cpuUsage().user;
    trace(text, ["heads.txt", "flat.txt"]);
    expect((process.cpuUsage().user - start) / 1000).toBeLessThan(5_000);
  });
});

describe("an index", () => {
  it("follows a file that changes, and forgets one that goes", () => {
    const { index } = desk(FILES);
    const others = fileOf(300_000, 50);
    const seeds = (text: string): number =>
      index.seedsOf(fileLetters(Buffer.from(text)).kept).get("a.ts")?.length ?? 0;
    const before = seeds(FILES["a.ts"]);
    index.add("a.ts", fileLetters(Buffer.from(others)));
    expect(seeds(FILES["a.ts"])).toBeLessThan(before);
    expect(seeds(others)).toBeGreaterThan(100);
    index.remove("a.ts");
    expect([seeds(FILES["a.ts"]), seeds(others)]).toEqual([0, 0]);
  });
});

describe("lines that were sent", () => {
  const claimOf = (text: string, sha256: string, lines: Claim["lines"]): Claim => ({
    file: { path: "a.ts", letters: fileLetters(Buffer.from(text)), sha256 },
    lines,
  });

  it("are told once to each destination", () => {
    const book = new DisclosedLines();
    const claim = claimOf(FILES["a.ts"], "one", [[3, 10]]);
    const bytes = Buffer.byteLength(`${FILES["a.ts"].split("\n").slice(2, 10).join("\n")}\n`);
    const told = { path: "a.ts", lines: [[3, 10]], of: 120, bytes, sha256: "one" };
    expect(book.take("https://one.example", [claim])).toEqual([told]);
    expect(book.take("https://one.example", [claim])).toEqual([]);
    expect(book.take("https://two.example", [claim])).toEqual([told]);
    expect(
      book.take("https://one.example", [
        claimOf(FILES["a.ts"], "one", [
          [1, 4],
          [9, 12],
        ]),
      ])[0]?.lines,
    ).toEqual([
      [1, 2],
      [11, 12],
    ]);
  });

  it("are known again after the file has changed", () => {
    const book = new DisclosedLines();
    book.take("https://one.example", [claimOf(FILES["a.ts"], "one", [[1, 120]])]);
    const changed = ["const brandNew = 1;", ...FILES["a.ts"].split("\n")].join("\n");
    expect(book.take("https://one.example", [claimOf(changed, "two", [[1, 121]])])).toMatchObject([
      { lines: [[1, 1]], of: 121, sha256: "two" },
    ]);
  });
});
