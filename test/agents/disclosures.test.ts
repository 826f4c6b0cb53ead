// What real agents send of a workspace is told to the line, in whatever form their tools send it.
import { afterEach, describe, expect, it } from "vitest";
import { startScriptedModel } from "../../src/lab/index.ts";
import { AGENTS } from "../../src/register/index.ts";
import type { WorkspaceDisclosures } from "../../src/report/index.ts";
import { Place } from "../harness.ts";

const linesOf = (word: string): string[] =>
  Array.from({ length: 50 }, (_, n) =>
    n % 10 === 9 ? "});" : `  ${word}.on("tick ${n}", (event) => ledger.write(event, ${n * 17 + 3}), {`,
  );

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

describe.each(AGENTS)("$name", (agent) => {
  it("a file it read, a part that a command showed, and nothing of the file it left alone", async () => {
    const place = new Place({
      "pump.js": `${linesOf("pump").join("\n")}\n`,
      "valve.js": `${linesOf("valve").join("\n")}\n`,
      "motor.js": `${linesOf("motor").join("\n")}\n`,
    });
    closing.push(() => place.close());
    const fetched = await place.run(["install", `${agent.name}@${agent.tested}`]);
    expect(fetched.code, fetched.stderr).toBe(0);
    const model = await startScriptedModel({
      cwd: place.workspace,
      plan: {
        steps: [
          { kind: "read", path: "pump.js" },
          { kind: "shell", command: "sed -n 11,25p valve.js" },
        ],
        final: "Both read.",
      },
    });
    closing.push(() => model.close());
    const run = await place.run([
      ...["run", "--json", "--upstream", model.url, `${agent.name}@${agent.tested}`],
      ...agent.headless("Read pump.js and a part of valve.js."),
    ]);
    expect(run.code, run.stdout + run.stderr).toBe(0);
    const { stdout } = await place.run(["disclosures", "--json"]);
    const told = JSON.parse(stdout) as WorkspaceDisclosures;
    expect(told.files.map(({ path, lines, of }) => ({ path, lines, of }))).toEqual([
      { path: "pump.js", lines: [[1, 50]], of: 50 },
      { path: "valve.js", lines: [[11, 25]], of: 50 },
    ]);
    expect(told).toMatchObject({ lines: 65, measured: { files: 3, lines: 150 }, notCompared: [] });
  });
});
