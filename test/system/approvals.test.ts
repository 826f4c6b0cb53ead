// What policy asks about, at the real command line: held, told, answered, expired; what was allowed beyond a session
// outlives the station; what was asked does not.
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { ApprovalList } from "../../src/cli/approval-desk.ts";
import { type ScriptedModel, startScriptedModel } from "../../src/lab/index.ts";
import { Place, ROOT, type Running } from "../harness.ts";

const AGENT = join(ROOT, "test/fixtures/tiny-agent/agent.js");
const MESSAGES = "https://api.anthropic.com/v1/messages";
/** Sends the same request for each turn; before the next one it waits for a file of the given name. */
const TURNS = `#!/usr/bin/env node
const { existsSync } = require("node:fs");
const { setTimeout: wait } = require("node:timers/promises");
(async () => {
  const [url, body, ...files] = process.argv.slice(2);
  const headers = { "content-type": "application/json", "x-api-key": "sk-ant-sallyport-test-not-a-key" };
  for (const [turn, file] of ["", ...files].entries()) {
    while (file !== "" && !existsSync(file)) await wait(20);
    const reply = await fetch(url, { method: "POST", headers, body });
    await reply.text();
    console.log("status " + reply.status + " turn " + (turn + 1));
  }
})();
`;
/** Shaped like a key; it opens nothing. */
const KEY = `ghp_${"aB3dE5gH".repeat(5)}`;
const body = (text: string): string =>
  JSON.stringify({ model: "claude-sonnet-4-5", max_tokens: 50, messages: [{ role: "user", content: text }] });
const SECRET = body(`use ${KEY}`);

const profile = (
  o: { readonly seconds?: number; readonly verdict?: string } = {},
): string => `apiVersion: sallyport/v1
kind: Profile
metadata: { name: asks, owner: security@corp.example }
approvals: { self: allow, seconds: ${o.seconds ?? 60} }
network:
  default: deny
  allow: [{ id: model, title: The model, because: this is the job, hosts: [api.anthropic.com] }]
send:
  default: allow
  rules:
    - id: secrets
      title: { en: Secrets need a yes, zh-CN: 机密须批准 }
      because: { en: a person decides, zh-CN: 由人决定 }
      when: { data: [secret] }
      then: ${o.verdict ?? "ask"}
      waivable: true
`;

let place: Place;
let model: ScriptedModel;
let received = 0;
beforeAll(async () => {
  place = new Place({
    "README.md": "# Sample\n",
    "agent.js": readFileSync(AGENT, "utf8"),
    "turns.js": TURNS,
  });
  for (const program of ["agent.js", "turns.js"]) chmodSync(join(place.workspace, program), 0o755);
  mkdirSync(join(place.state, "config/profiles"), { recursive: true });
  model = await startScriptedModel({ cwd: place.workspace, onRequest: () => void received++ });
});
beforeEach(() => {
  received = 0;
  writeProfile();
});
afterEach(async () => void (await place.run(["down", "--force"])));
afterAll(async () => {
  await model.close();
  await place.close();
});

const writeProfile = (o?: Parameters<typeof profile>[0]): void =>
  writeFileSync(join(place.state, "config/profiles/asks.yaml"), profile(o));
const startRun = (program: readonly string[], environment?: Record<string, string>): Running =>
  place.start(["run", "-p", "asks", "--json", "--upstream", model.url, ...program], environment);
const events = async (): Promise<Record<string, unknown>[]> =>
  (await place.run(["log", "--events", "--json"])).stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).event);
const list = async (): Promise<ApprovalList> => JSON.parse((await place.run(["approvals", "--json"])).stdout);

/** The id of the question that the person at the terminal is told of. */
async function told(running: Running): Promise<string> {
  const text = await running.until("stderr", "approvals approve");
  return /approvals approve ([0-9a-f]{8}-\d+)/.exec(text)?.[1] ?? "";
}

describe("a question", () => {
  it("is told at the terminal and listed; a yes lets the request go on, and the record names who said so", async () => {
    const running = startRun(["./agent.js", MESSAGES, SECRET]);
    const id = await told(running);
    expect(
      await running.until(
        "stderr",
        "Secrets need a yes (rule asks/secrets): a person decides; owner security@corp.example",
      ),
    ).toBeTruthy();
    const { questions } = await list();
    expect(questions).toMatchObject([
      { id, classes: ["secret"], host: "api.anthropic.com", isWaiting: true },
    ]);
    expect(received).toBe(0);
    const shown = await place.run(["approvals", "show", id]);
    expect(shown.stdout).toContain(`approvals approve ${id}`);
    const done = await place.run(["approvals", "approve", id, "--reason", "rotating it"]);
    expect(done.stdout).toContain(`${id}: allowed once`);
    const { stdout } = await running.finished;
    expect(stdout).toContain("status 200");
    const judged = (await events()).filter(({ kind }) => /judged|approval/.test(String(kind)));
    expect(judged).toMatchObject([
      { kind: "approval.asked", question: id },
      { kind: "approval.answered", question: id, by: `local:${process.getuid?.()}`, reason: "rotating it" },
      { kind: "exchange.judged", verdict: "allow", approvals: [id] },
    ]);
    expect((await place.run(["verify"])).code).toBe(0);
  });

  it("is followed by who watches, as data: the door for a console", async () => {
    const asking = startRun(["./agent.js", MESSAGES, SECRET]);
    const id = await told(asking);
    const watching = place.start(["approvals", "watch", "--json"]);
    await watching.until("stdout", `"id":"${id}"`);
    await place.run(["approvals", "deny", id]);
    const text = await watching.until("stdout", '"what":"answered"');
    await asking.finished;
    watching.child.kill();
    const news = text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(news).toContainEqual(
      expect.objectContaining({
        what: "asked",
        question: expect.objectContaining({ id, classes: ["secret"] }),
      }),
    );
  });

  it("a no is the agent's error, in the person's language", async () => {
    const running = startRun(["./agent.js", MESSAGES, SECRET], { LC_ALL: "zh_CN.UTF-8" });
    const id = await told(running);
    expect((await place.run(["approvals", "deny", id, "--reason", "nein"])).code).toBe(0);
    const { stdout } = await running.finished;
    expect(stdout).toContain("status 403");
    expect(stdout).toMatch(/机密须批准（规则 asks\/secrets）：由人决定.*未批准：nein/);
    expect(received).toBe(0);
  });

  it("that nobody answers is refused at its deadline", async () => {
    writeProfile({ seconds: 1 });
    const { stdout, stderr } = await startRun(["./agent.js", MESSAGES, SECRET]).finished;
    expect(stdout).toMatch(/status 403[\s\S]*Nobody answered within 1 seconds/);
    expect(stderr).toContain("no answer in time");
    expect(received).toBe(0);
  });

  it("dies with a station that is killed: nothing leaves, and the next station closes it on the record", async () => {
    const running = startRun(["./agent.js", MESSAGES, SECRET]);
    const id = await told(running);
    const { pid } = JSON.parse((await place.run(["status", "--json"])).stdout);
    process.kill(pid, "SIGKILL");
    const { stdout } = await running.finished;
    expect(stdout).not.toContain("status 200");
    expect((await place.run(["approvals", "approve", id])).code).toBe(2);
    await place.run(["up"]);
    expect(await list()).toEqual({ questions: [], exceptions: [] });
    expect((await events()).filter(({ kind }) => kind === "approval.expired").at(-1)).toMatchObject({
      question: id,
      because: "session-ended",
    });
    expect(received).toBe(0);
    expect((await place.run(["verify"])).code).toBe(0);
  });
});

describe("what was allowed for a time", () => {
  it("holds in the next session and after the station was killed, until it is taken back", async () => {
    const running = startRun(["./agent.js", MESSAGES, SECRET]);
    const id = await told(running);
    await place.run(["approvals", "approve", id, "--for", "2d", "--reason", "key rotation"]);
    expect((await running.finished).stdout).toContain("status 200");
    const { pid } = JSON.parse((await place.run(["status", "--json"])).stdout);
    process.kill(pid, "SIGKILL");
    expect((await startRun(["./agent.js", MESSAGES, SECRET]).finished).stdout).toContain("status 200");
    expect((await list()).exceptions).toMatchObject([{ id, kind: "answer", reason: "key rotation" }]);
    await place.run(["approvals", "end", id]);
    await place.run(["down"]);
    const again = startRun(["./agent.js", MESSAGES, SECRET]);
    await place.run(["approvals", "deny", await told(again)]);
    expect((await again.finished).stdout).toContain("status 403");
  });

  it("break-glass is for what it names, loudly, and refused for a rule that cannot be waived", async () => {
    const glass = (...more: string[]): string[] => [
      "break-glass",
      "-p",
      "asks",
      "--reason",
      "outage",
      ...more,
    ];
    expect((await place.run(glass("--rule", "asks/secrets"))).code).toBe(2);
    expect((await place.run(glass("--rule", "asks/nope", "--data", "secret"))).stderr).toContain(
      "no rule `asks/nope`",
    );
    expect(
      (await place.run(glass("--rule", "asks/secrets", "--data", "secret", "--for", "2h"))).stderr,
    ).toContain("60 minutes");
    const done = await place.run(glass("--rule", "asks/secrets", "--data", "secret", "--for", "5m"));
    expect(done.stdout).toMatch(/^BREAK-GLASS BG-/);
    expect((await startRun(["./agent.js", MESSAGES, SECRET]).finished).stdout).toContain("status 200");
    const seen = await events();
    expect(seen.findLast(({ kind }) => kind === "waiver.granted")).toMatchObject({
      breakGlass: true,
      reason: "outage",
    });
    expect(seen.findLast(({ kind }) => kind === "exchange.judged")).toMatchObject({
      rules: [expect.stringMatching(/^waiver\.BG-/)],
    });
    const [id] = (await list()).exceptions.map((one) => one.id);
    expect((await place.run(["approvals", "end", id ?? ""])).code).toBe(0);
  });
});

it("a running session is judged by a changed profile at once; one that does not parse is told and not taken up", async () => {
  const running = startRun(["./turns.js", MESSAGES, body("hello"), "first", "second"]);
  await running.until("stdout", "turn 1");
  const go = (name: string): void => writeFileSync(join(place.workspace, name), "go\n");
  const file = join(place.state, "config/profiles/asks.yaml");
  writeFileSync(file, `${profile()}nonsense: 1\n`);
  expect((await place.run(["policy", "reload"])).code).toBe(4);
  await running.until("stderr", "THE CHANGED POLICY IS NOT VALID");
  go("first");
  await running.until("stdout", "turn 2");
  // The station looks by itself each second; whoever is first, the change holds once it is told.
  writeFileSync(file, profile({ verdict: "deny" }).replace("data: [secret]", "data: [public]"));
  await place.run(["policy", "reload"]);
  await running.until("stderr", "the policy has changed");
  go("second");
  const { stdout } = await running.finished;
  expect(stdout.match(/status \d+/g)).toEqual(["status 200", "status 200", "status 403"]);
  const seen = (await events()).filter(({ kind }) => /policy\.|judged/.test(String(kind)));
  const kinds = seen.map(({ kind }) => kind).filter((kind, i, all) => kind !== all[i - 1]);
  expect(kinds.slice(-5)).toEqual([
    "exchange.judged",
    "policy.rejected",
    "exchange.judged",
    "policy.changed",
    "exchange.judged",
  ]);
  const changed = seen.at(-2)?.["profile"];
  expect(seen.at(-1)).toMatchObject({ verdict: "deny", policy: (changed as { sha256: string }).sha256 });
});
