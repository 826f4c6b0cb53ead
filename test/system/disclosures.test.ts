// `sallyport disclosures`: exact lines of the workspace's files, to whom; what was not compared is said.
import { chmodSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { startScriptedModel } from "../../src/lab/index.ts";
import type { WorkspaceDisclosures } from "../../src/report/index.ts";
import { Place, ROOT } from "../harness.ts";

const MESSAGES = "https://api.anthropic.com/v1/messages";
const CODE = Array.from(
  { length: 60 },
  (_, n) => `  const reading${n} = gauge.measure("inlet ${n}", { every: ${n * 13 + 5} });`,
);

function withAgent(): Place {
  const agent = readFileSync(join(ROOT, "test/fixtures/tiny-agent/agent.js"), "utf8");
  const place = new Place({
    "agent.js": agent,
    "gauge.js": `${CODE.join("\n")}\n`,
    "quiet.js": "let a = 1;\n",
  });
  chmodSync(join(place.workspace, "agent.js"), 0o755);
  return place;
}

const bodyOf = (content: string): string =>
  JSON.stringify({
    ...{ model: "claude-sonnet-4-5", max_tokens: 50, stream: true },
    messages: [{ role: "user", content }],
  });

const told = async (place: Place, ...flags: string[]): Promise<WorkspaceDisclosures[]> => {
  const { code, stdout, stderr } = await place.run(["disclosures", "--json", ...flags]);
  expect(code, stderr).toBe(0);
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as WorkspaceDisclosures);
};

it("tells exact lines, to whom, and the share; text of no file is counted; the declaration's order holds", async () => {
  const place = withAgent();
  const model = await startScriptedModel({ cwd: place.workspace, plan: { steps: [], final: "done" } });
  try {
    const numbered = CODE.slice(9, 30).map((line, n) => `${String(n + 10).padStart(6)}→${line}`);
    const body = bodyOf(`Look at this:\n${numbered.join("\n")}\nthanks`);
    const run = await place.run(["run", "-q", "--upstream", model.url, "./agent.js", MESSAGES, body]);
    expect(run.code, run.stderr).toBe(0);
    const [work] = await told(place);
    expect(work).toMatchObject({
      ...{ workspace: "work", sessions: 1, requests: 1, lines: 21, notCompared: [] },
      measured: { files: 3, commit: null, notRead: 0 },
      files: [
        {
          ...{ path: "gauge.js", lines: [[10, 30]], count: 21, of: 60, versions: 1 },
          to: [{ sentTo: model.url, lines: [[10, 30]] }],
        },
      ],
    });
    expect(work?.unmatchedBytes).toBeLessThan(300);
    const events = (await place.run(["log", "--events", "--json"])).stdout;
    expect(events).toContain("exchange.traced");
    const text = (await place.run(["disclosures", "--repo", "work"])).stdout;
    expect(text).toContain("gauge.js");
    expect(text).toMatch(/21 of 60 +10-30/);
    expect((await place.run(["disclosures", "--repo", "elsewhere"])).stderr).toContain("it ran in work");
    expect((await place.run(["disclosures", "--session", "nonsense"])).code).toBe(2);
    expect((await place.run(["verify"])).code).toBe(0);
  } finally {
    await model.close();
    await place.close();
  }
});

it("kill -9 of the station: what was under way is said not to have been compared", async () => {
  const place = withAgent();
  const model = await startScriptedModel({ cwd: place.workspace, fault: "stall" });
  try {
    const body = bodyOf(CODE.join("\n"));
    const running = place.start(["run", "--upstream", model.url, "./agent.js", MESSAGES, body]);
    await running.until("stdout", "message_start");
    const status = JSON.parse((await place.run(["status", "--json"])).stdout) as { pid: number };
    process.kill(status.pid, "SIGKILL");
    await running.finished;
    expect((await place.run(["run", "-q", "--", "true"])).code).toBe(0);
    const [work] = await told(place);
    expect(work?.files).toEqual([]);
    expect(work?.notCompared).toMatchObject([{ requests: 1, isOver: true }]);
    expect((await place.run(["disclosures"])).stdout).toContain("NOT COMPARED: 1 request of session");
  } finally {
    await model.close();
    await place.close();
  }
});
