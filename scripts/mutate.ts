/**
 * Mutation score of files that decide whether something is believed: alters them in one place at a time, runs the tests
 * named for them, and lists the alterations that no test noticed. Works in a copy; one run at a time; deterministic for a
 * seed. Not part of `npm test`: a mutant costs a few seconds.
 *
 *   node scripts/mutate.ts [--count 100] [--seed 1] [--minutes 15] <source file>… -- <test file>…
 *   node scripts/mutate.ts src/ledger/{verify,recover,merkle}.ts -- src/ledger/{verify,crash,merkle,compact}.test.ts
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const ROOT = join(import.meta.dirname, "..");
const MUTANT_TIMEOUT_MS = 90_000;

/** What is looked for, and what stands there instead. Code only: comments and imports are left out below. */
const ALTERATIONS: readonly (readonly [pattern: RegExp, instead: string])[] = [
  [/ === /g, " !== "],
  [/ !== /g, " === "],
  [/ < /g, " <= "],
  [/ <= /g, " < "],
  [/ > /g, " >= "],
  [/ >= /g, " > "],
  [/ && /g, " || "],
  [/ \|\| /g, " && "],
  [/ \+ 1\b/g, " + 2"],
  [/ - 1\b/g, " - 0"],
  [/ \+ (?=[a-z])/g, " - "],
  [/\btrue\b/g, "false"],
  [/\bfalse\b/g, "true"],
  [/\bif \((?=[^;]*\) )/g, "if (false && "],
  [/\breturn null;/g, "return undefined as never;"],
  [/^ {2,}(?:this\.#)?report\(.*\);$/gm, ";"],
  [/\+\+;/g, ";"],
];

interface Mutant {
  readonly file: string;
  readonly line: number;
  readonly before: string;
  readonly after: string;
  readonly text: string;
}

function mutantsOf(file: string): Mutant[] {
  const source = readFileSync(join(ROOT, file), "utf8");
  const isCode = (at: number): boolean => {
    const line = source.slice(source.lastIndexOf("\n", at) + 1, at);
    return (
      !/^\s*(\*|\/\/|\/\*\*|import|export (type|interface)|type |readonly )/.test(`${line} `) &&
      !line.includes("//")
    );
  };
  return ALTERATIONS.flatMap(([pattern, instead]) =>
    [...source.matchAll(pattern)]
      .filter((match) => isCode(match.index))
      .map((match) => {
        const text = source.slice(0, match.index) + instead + source.slice(match.index + match[0].length);
        const line = source.slice(0, match.index).split("\n").length;
        const shown = (all: string): string => (all.split("\n")[line - 1] ?? "").trim();
        return { file, line, before: shown(source), after: shown(text), text };
      }),
  );
}

/** So many of them, spread by the seed. */
function sample(all: readonly Mutant[], count: number, seed: number): Mutant[] {
  let state = seed * 2654435761;
  const random = (): number => {
    state = (Math.imul(state ^ (state >>> 15), 2246822519) + 0x9e3779b9) >>> 0;
    return state / 2 ** 32;
  };
  return all
    .map((mutant) => ({ mutant, at: random() }))
    .sort((a, b) => a.at - b.at)
    .slice(0, count)
    .map(({ mutant }) => mutant);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    count: { type: "string", default: "100" },
    seed: { type: "string", default: "1" },
    minutes: { type: "string", default: "15" },
  },
});
const tests = positionals.filter((file) => file.endsWith(".test.ts"));
const sources = positionals.filter((file) => !file.endsWith(".test.ts"));
if (sources.length === 0 || tests.length === 0)
  throw new Error("usage: node scripts/mutate.ts <source>… -- <test>…");

const copy = mkdtempSync(join(tmpdir(), "mutate-"));
for (const name of [
  "src",
  "test",
  "scripts",
  "package.json",
  "tsconfig.json",
  "vitest.config.ts",
  "register",
])
  cpSync(join(ROOT, name), join(copy, name), { recursive: true });
symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));

const isNoticed = (): boolean => {
  const { status } = spawnSync(
    process.execPath,
    [join(ROOT, "node_modules/vitest/vitest.mjs"), "run", "--project", "unit", "--bail", "1", ...tests],
    { cwd: copy, stdio: "ignore", timeout: MUTANT_TIMEOUT_MS },
  );
  return status !== 0; // a mutant that hangs is noticed too
};

try {
  if (isNoticed()) throw new Error("the tests fail on the unaltered source");
  const all = sources.flatMap(mutantsOf);
  const chosen = sample(all, Number(values.count), Number(values.seed));
  const survivors: Mutant[] = [];
  const until = performance.now() + Number(values.minutes) * 60_000;
  let tried = 0;
  for (const mutant of chosen) {
    if (performance.now() > until) break;
    tried++;
    writeFileSync(join(copy, mutant.file), mutant.text);
    if (!isNoticed()) {
      survivors.push(mutant);
      console.log(`SURVIVED ${mutant.file}:${mutant.line}\n  - ${mutant.before}\n  + ${mutant.after}`);
    }
    cpSync(join(ROOT, mutant.file), join(copy, mutant.file));
  }
  const killed = tried - survivors.length;
  console.log(
    `${killed} of ${tried} noticed (${((100 * killed) / tried).toFixed(0)} %), of ${all.length} possible`,
  );
} finally {
  rmSync(copy, { recursive: true, force: true });
}
