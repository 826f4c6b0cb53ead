import { describe, expect, test } from "vitest";
import { buildCodeIndex, openCodeIndex } from "./fingerprint.ts";
import { createInspector } from "./inspect.ts";

const key = Buffer.alloc(32, 6);
/** Code nobody else has: different in every line, and in every number from code of another name. */
const code = (name: string, lines: number): string => {
  const own = [...name].reduce((sum, char) => (sum * 31 + char.charCodeAt(0)) % 999_983, 7);
  return Array.from({ length: lines }, (_, n) => {
    const i = n * 3 + own;
    return `    const ${name}${i * 7919} = compute_${name}(${i}, table["${(i * 31337).toString(36)}"]) ?? ${i * i};`;
  }).join("\n");
};
const secretCode = code("ledger", 200);

function indexOf(...except: string[]) {
  const builder = buildCodeIndex(key);
  builder.add("payments", secretCode);
  builder.add("other", code("other", 200));
  for (const text of except) builder.except(text);
  return builder.encode();
}
const lines = secretCode.split("\n").slice(60, 80);
const disguises: [string, string][] = [
  ["as it is", lines.join("\n")],
  ["re-indented", lines.map((l) => `\t\t${l.trim()}  `).join("\n")],
  ["behind line numbers", lines.map((l, i) => `  ${i + 61}→${l}`).join("\n")],
  ["as a diff", lines.map((l) => `+${l}`).join("\n")],
  ["quoted", lines.map((l) => `> ${l}`).join("\n")],
  ["without white space", lines.join("").replaceAll(/\s/g, "")],
  ["in capitals", lines.join("\n").toUpperCase()],
];

describe("classified code", () => {
  const index = openCodeIndex(key, indexOf());
  test.each(disguises)("20 lines %s are recognised under their label", (_, text) => {
    const [match, ...more] = index.match(`please explain\n${text}\nthanks`);
    expect(match?.label).toBe("payments");
    expect(more).toEqual([]);
  });
  test("other text is not", () => {
    expect(index.match(code("unrelated", 400))).toEqual([]);
  });
  test("public code that the repository shares is taken out of the index", () => {
    expect(openCodeIndex(key, indexOf(secretCode)).match(secretCode)).toEqual([]);
  });
  test("what many files have in common is nobody's: a licence, a preamble", () => {
    const licence = code("licence of a kind", 60);
    const builder = buildCodeIndex(key);
    for (let i = 0; i < 9; i++) builder.add("payments", `${licence}\n${code(`own words of file ${i}`, 60)}`);
    const made = openCodeIndex(key, builder.encode());
    expect(made.match(`${licence}\n${code("something else", 60)}`)).toEqual([]);
    expect(made.match(code("own words of file 3", 60))).toHaveLength(1);
  });
  test("what a good part of the files repeat is recognised by more of it than what is one file's own", () => {
    const repeated = code("generated client", 60).split("\n");
    const builder = buildCodeIndex(key);
    for (let i = 0; i < 30; i++)
      builder.add("payments", `${i < 10 ? repeated.join("\n") : ""}\n${code(`own words of file ${i}`, 60)}`);
    const made = openCodeIndex(key, builder.encode());
    expect(made.match(repeated.slice(20, 40).join("\n"))).toHaveLength(1);
    expect(made.match(repeated[20] ?? "")).toEqual([]);
  });
  test("reveals no line", () => {
    expect(Buffer.from(indexOf()).toString("latin1")).not.toMatch(/ledger|compute/);
  });
  test("a truncated or foreign index is refused", () => {
    const bytes = indexOf();
    for (const bad of [bytes.subarray(0, bytes.length - 3), bytes.subarray(0, 6), Buffer.from("nonsense")])
      expect(() => openCodeIndex(key, bad)).toThrow();
  });
  test("so is one of another key, which would find nothing", () => {
    expect(() => openCodeIndex(Buffer.alloc(32, 99), indexOf())).toThrow("another key");
  });
  test("the inspector reports it as classified", () => {
    const inspector = createInspector({ key, code: [index] });
    const { tally } = inspector.inspect([{ text: lines.join("\n"), isNew: true, role: "tool" }]);
    expect(tally).toEqual([{ class: "classified", detector: "code:payments", count: 1 }]);
  });
});
