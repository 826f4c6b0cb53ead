// docs/errors.md is the fault table, written out. UPDATE=1 rewrites it; otherwise a stale page fails.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { FAULTS } from "../src/core/index.ts";

const root = join(import.meta.dirname, "..");

function errorsPage(): string {
  const rows = Object.entries(FAULTS)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(
      ([code, kind]) =>
        `| \`${code}\` | ${kind.summary} | ${kind.remedy} | ${kind.exitCode} | ${kind.httpStatus} | ${kind.stops} |`,
    );
  return [
    "# Errors",
    "",
    "Every error has a code. This page is generated from `src/core/fault.ts` (`UPDATE=1 npm run test:unit`).",
    "",
    "| code | what happened | what to do | exit code | HTTP status | stops |",
    "|---|---|---|--:|--:|---|",
    ...rows,
    "",
  ].join("\n");
}

it("docs/errors.md tells every fault", () => {
  const file = join(root, "docs/errors.md");
  if (process.env["UPDATE"] === "1") writeFileSync(file, errorsPage());
  expect(existsSync(file) ? readFileSync(file, "utf8") : "").toBe(errorsPage());
});

it("every threat in the threat model names a control that exists and a test that exists", () => {
  const page = readFileSync(join(root, "docs/threat-model.md"), "utf8");
  const rows = page.split("\n").filter((line) => /^\| T\d\d /.test(line));
  expect(rows.length, "a check that checked nothing is a failure").toBeGreaterThan(10);
  for (const row of rows) {
    const [, id, , , control = "", test = ""] = row.split("|").map((cell) => cell.trim());
    for (const file of [...control.matchAll(/`([^`]+)`/g), ...test.matchAll(/`([^`]+)`/g)].map(
      (match) => match[1] ?? "",
    ))
      expect(existsSync(join(root, file)), `${id} names ${file}`).toBe(true);
    expect(test, `${id} names its test`).toMatch(/`[^`]+\.test\.ts`/);
  }
});
