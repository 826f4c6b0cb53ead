// docs/errors.md is the fault table, docs/events.md the union of events, written out. UPDATE=1 rewrites them; otherwise a
// stale page fails.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { FAULTS } from "../src/core/index.ts";
import { eventsPage, readEventSource, untold } from "./events-page.ts";

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

it("docs/events.md tells every kind of event and every field", () => {
  const source = readEventSource(readFileSync(join(root, "src/core/event.ts"), "utf8"));
  expect(untold(source), "each needs a docstring in src/core/event.ts").toEqual([]);
  const page = eventsPage(source);
  const kinds = readFileSync(join(root, "src/core/event.ts"), "utf8").match(/^ {6}readonly kind: "/gm);
  expect([source.kinds.length, source.kinds.length > 20]).toEqual([kinds?.length, true]);
  const file = join(root, "docs/events.md");
  if (process.env["UPDATE"] === "1") writeFileSync(file, page);
  expect(existsSync(file) ? readFileSync(file, "utf8") : "").toBe(page);
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
