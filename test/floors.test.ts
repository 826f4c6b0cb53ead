// The house rule, checked: an import may stay in its folder or go DOWN, and it enters another
// folder only by its door (index.ts). Neighbours on one floor do not know each other; whoever
// wires them (cli/wire.ts) hands one to the other as a function.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { expect, it } from "vitest";

const FLOORS: readonly (readonly string[])[] = [
  ["core"],
  ["policy", "dialect", "inspect", "ledger"],
  ["sandbox", "gateway", "register", "workspace", "fleet"],
  ["lab", "report"],
  ["console"],
  ["cli"],
];
const SRC = resolve(process.env["FLOORS_SRC"] ?? join(import.meta.dirname, "../src"));
const IMPORT =
  /^\s*(?:import|export)\b[^"';=()]*?\bfrom\s*["'](\.[^"']+)["']|^\s*import\s*["'](\.[^"']+)["']|\bimport\(\s*["'](\.[^"']+)["']/gm;

// Some rooms have a second door, because what comes through it must be light: the ledger's verifier ships alone, the
// launcher runs in the client that a person waits for, and a thread that compares texts with files needs no detectors.
const SECOND_DOORS: Readonly<Record<string, string>> = {
  inspect: "inspect/provenance.ts",
  ledger: "ledger/verify.ts",
  sandbox: "sandbox/launch.ts",
};
const DOORS = (folder: string): string[] => [
  `${folder}/index.ts`,
  ...(SECOND_DOORS[folder] === undefined ? [] : [SECOND_DOORS[folder]]),
];

const floorOf = (folder: string): number => FLOORS.findIndex((floor) => floor.includes(folder));

function edgesOf(file: string): { file: string; target: string }[] {
  const text = readFileSync(join(SRC, file), "utf8");
  return [...text.matchAll(IMPORT)].map((m) => ({
    file,
    target: relative(SRC, resolve(SRC, dirname(file), m[1] ?? m[2] ?? m[3] ?? "")),
  }));
}

function fault({ file, target }: { file: string; target: string }): string | undefined {
  const [from = "", to = ""] = [file.split("/")[0], target.split("/")[0]];
  if (from === to) return undefined;
  if (floorOf(to) < 0) return `${file} imports ${target}, which is on no floor`;
  if (floorOf(to) >= floorOf(from))
    return `${file} (floor ${floorOf(from)}) may not import ${target} (floor ${floorOf(to)})`;
  if (!DOORS(to).includes(target)) return `${file} reaches past the door of ${to}: import ${to}/index.ts`;
  return undefined;
}

it("every import stays home or goes down through a door", () => {
  const files = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter((f) => /\.tsx?$/.test(f));
  const edges = files.flatMap(edgesOf);
  expect(edges.length, "a check that checked nothing is a failure").toBeGreaterThan(0);
  expect(edges.flatMap((e) => fault(e) ?? [])).toEqual([]);
});
