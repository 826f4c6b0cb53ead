// What a program or a change of a file comes from: the tool call in the model's reply that asked for it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LedgerEvent } from "../../src/core/index.ts";
import { type ScriptedModel, startScriptedModel } from "../../src/lab/index.ts";
import type { Declaration } from "../../src/report/index.ts";
import { Place, ROOT } from "../harness.ts";

const AGENT = join(ROOT, "test/fixtures/calling-agent/agent.js");

const isTheCommands = (programs: readonly string[]): boolean =>
  /^bash (?:cat sort|sort cat) rm$/.test(programs.join(" "));

describe("tool calls and what came of them", () => {
  let place: Place;
  let model: ScriptedModel;
  beforeAll(async () => {
    place = new Place();
    model = await startScriptedModel({
      cwd: place.workspace,
      plan: {
        steps: [
          { kind: "shell", command: "cat README.md | sort > sorted.txt; rm sorted.txt; exit 3" },
          { kind: "edit", path: "made.txt", before: "", after: "by a Write call" },
        ],
        final: "done",
      },
    });
  });
  afterAll(async () => {
    await model?.close();
    await place?.close();
  });

  it.each(["late", "early"])("are joined, also where the agent acts %s", async (when) => {
    const { stdout, stderr } = await place.run(["run", "--json", "--upstream", model.url, AGENT, when]);
    const declared = JSON.parse(stdout.trim().split("\n").at(-1) ?? "{}") as Declaration;
    expect(readFileSync(join(place.workspace, "made.txt"), "utf8"), stderr).toBe("by a Write call");
    const { session } = declared;
    expect(declared.inside?.calls).toEqual([
      {
        ...{ exchange: `${session}-1`, tool: "Bash", number: 1 },
        // `cat` and `sort` are one pipeline: either may start first.
        ...{ programs: expect.toSatisfy(isTheCommands), started: 4, exitCode: 3 },
        ...{ changed: ["sorted.txt"], changes: 1 },
      },
      {
        ...{ exchange: `${session}-2`, tool: "Write", number: 1 },
        ...{ programs: [], started: 0, exitCode: null, changed: ["made.txt"], changes: 1 },
      },
    ]);
    const shown = await place.run(["show", session]);
    expect(shown.stdout).toMatch(
      new RegExp(`Bash ${session}-1: bash, (?:cat, sort|sort, cat), rm \\(exit 3\\); changed sorted\\.txt`),
    );
    expect(shown.stdout).toContain(`Write ${session}-2: changed made.txt`);
    // The agent's own programs are nobody's call.
    const events = (await place.run(["show", session, "--events", "--json"])).stdout
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { event: LedgerEvent }).event);
    const started = events.flatMap((event) => (event.kind === "command.started" ? event.commands : []));
    expect(started[0]).not.toHaveProperty("call");
  });
});
