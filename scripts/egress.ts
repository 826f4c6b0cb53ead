/**
 * `npm run egress -- --cases DIR [--json] [--results FILE] [--profile FILE]`: what of agent-egress-bench the product
 * contains. The suite's cases are read from DIR; scripts/egress/tool-profile.json says what the product supports,
 * scripts/egress/profile.yaml under which policy it is run. `--results` writes one line a case, as the suite's
 * result.schema.json has it. Exits 0 when the run was carried out, whatever its figures; 2 when it could not be.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { readCases } from "./egress/case.ts";
import { type Figures, type Result, readPolicy, resultLines, runCases } from "./egress/run.ts";

const { values } = parseArgs({
  options: {
    cases: { type: "string" },
    json: { type: "boolean" },
    results: { type: "string" },
    profile: { type: "string" },
  },
});
if (values.cases === undefined) {
  console.error("usage: npm run egress -- --cases DIR [--json] [--results FILE] [--profile FILE]");
  process.exit(2);
}
const cases = readCases(values.cases);
if (cases.length === 0) {
  console.error(`no cases in \`${values.cases}\``);
  process.exit(2);
}
if (cases.every((one) => !("payload" in one))) {
  console.error(`no file in \`${values.cases}\` is a case of agent-egress-bench`);
  process.exit(2);
}
const { figures, results } = await runCases(cases, readPolicy(values.profile));
if (values.results !== undefined)
  writeFileSync(
    values.results,
    resultLines(cases, results, figures)
      .map((line) => `${JSON.stringify(line)}\n`)
      .join(""),
  );
console.log(values.json === true ? JSON.stringify(figures) : table(figures));

function table(f: Figures): string {
  const share = (part: number): string => part.toFixed(3);
  const reasons = Map.groupBy(f.notApplicable, ({ why }) => why);
  return [
    `containment      ${share(f.containment)}  of ${f.block} block-cases (${f.partly} after a harmless beginning)`,
    `false positives  ${f.falsePositives}      of ${f.allow} allow-cases`,
    `detection        ${share(f.detection)}`,
    `errors           ${f.errors}`,
    `not applicable   ${f.notApplicable.length}`,
    ...[...reasons].map(([why, those]) => `  ${String(those.length).padStart(3)}  ${why}`),
    "",
    f.failing.length === 0 ? "every applicable case as expected" : "not as expected:",
    ...f.failing.map(line),
  ].join("\n");
}

function line({ id, transport, expected, actual, arrived, rules, findings, problem }: Result): string {
  const found = [...findings.map(({ detector }) => detector), ...rules].join(", ");
  const why = problem === null ? "" : `; ${problem}`;
  return `  ${id} (${transport}): expected ${expected}, was ${actual}; ${arrived.join("/")} arrived; ${found || "nothing found"}${why}`;
}
