// A real agent meets the policy: it waits while a person is asked and goes on after the yes; under `restricted` it works
// with our own model, and nothing goes to its vendor.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type ReceivedRequest, type ScriptedModel, startScriptedModel } from "../../src/lab/index.ts";
import { agentNamed } from "../../src/register/index.ts";
import type { Declaration } from "../../src/report/index.ts";
import { Place } from "../harness.ts";

/** Shaped like a key; it opens nothing. */
const KEY = `ghp_${"aB3dE5gH".repeat(5)}`;
const claude = agentNamed("claude");
if (claude === null) throw new Error("the register has no claude");

const ASKS = `apiVersion: sallyport/v1
kind: Profile
metadata: { name: asks, owner: security@corp.example }
approvals: { self: allow, seconds: 120 }
network:
  default: deny
  allow: [{ id: model, title: The model, because: this is the job, hosts: [api.anthropic.com] }]
send:
  default: allow
  rules:
    - { id: secrets, title: Secrets need a yes, because: a person decides, when: { data: [secret] }, then: ask }
`;

let place: Place;
let model: ScriptedModel;
const received: ReceivedRequest[] = [];
beforeAll(async () => {
  place = new Place({ "settings.ini": `[git]\ntoken = ${KEY}\n` });
  mkdirSync(join(place.state, "config/profiles"), { recursive: true });
  writeFileSync(join(place.state, "config/profiles/asks.yaml"), ASKS);
  const fetched = await place.run(["install", `${claude.name}@${claude.tested}`]);
  expect(fetched.code, fetched.stderr).toBe(0);
  model = await startScriptedModel({
    cwd: place.workspace,
    plan: {
      steps: [
        { kind: "read", path: "settings.ini" },
        { kind: "shell", command: "echo hi > out.txt" },
      ],
      final: "All done.",
    },
    onRequest: (request) => received.push(request),
  });
});
beforeEach(() => {
  received.length = 0;
});
afterAll(async () => {
  await model?.close();
  await place?.close();
});

const agent = `${claude.name}@${claude.tested}`;
const prompt = claude.headless("Read settings.ini, then write out.txt.");
const declarationOf = (stdout: string): Declaration =>
  JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Declaration;
const carriesKey = (request: ReceivedRequest): boolean => Buffer.from(request.body).includes(KEY);

test("claude reads a file with a key: it waits for the person's yes, given once for the session, and finishes", async () => {
  const running = place.start(["run", "-p", "asks", "--json", "--upstream", model.url, agent, ...prompt]);
  const text = await running.until("stderr", "approvals approve");
  const id = /approvals approve ([0-9a-f]{8}-\d+)/.exec(text)?.[1] ?? "";
  expect(received.some(carriesKey)).toBe(false);
  const answered = await place.run([
    "approvals",
    "approve",
    id,
    "--scope",
    "session",
    "--reason",
    "a test key",
  ]);
  expect(answered.code, answered.stderr).toBe(0);
  const { code, stdout, stderr } = await running.finished;
  expect(code, stdout + stderr).toBe(0);
  expect(stdout).toContain("All done.");
  expect(readFileSync(join(place.workspace, "out.txt"), "utf8")).toBe("hi\n");
  expect(received.some(carriesKey)).toBe(true);
  expect(declarationOf(stdout).exceptions).toEqual([{ id, count: expect.any(Number) }]);
});

test("claude is told no: its own error shows the rule, the reason and the owner, and the key has not left", async () => {
  const running = place.start(["run", "-p", "asks", "--json", "--upstream", model.url, agent, ...prompt]);
  const text = await running.until("stderr", "approvals approve");
  const id = /approvals approve ([0-9a-f]{8}-\d+)/.exec(text)?.[1] ?? "";
  await place.run(["approvals", "deny", id, "--scope", "session", "--reason", "not this file"]);
  const { stdout, stderr } = await running.finished;
  expect(stdout + stderr).toMatch(
    /Secrets need a yes \(rule asks\/secrets\): a person decides; owner security@corp\.example/,
  );
  expect(stdout + stderr).toContain("said no: not this file");
  expect(received.some(carriesKey)).toBe(false);
});

test("under `restricted` claude works with our own model, which speaks Chat Completions alone", async () => {
  const set = [
    "models",
    "set",
    "own-model",
    "--url",
    model.url,
    "--model",
    "qwen3-coder",
    "--speaks",
    "openai-chat",
  ];
  expect((await place.run(set)).code).toBe(0);
  writeFileSync(join(place.workspace, "settings.ini"), "[git]\nregion = eu\n");
  const key = ["sk-ant-api03", "not-a-real-key"].join("-");
  const { code, stdout, stderr } = await place.run(["run", "-p", "restricted", "--json", agent, ...prompt], {
    ANTHROPIC_API_KEY: key,
  });
  expect(code, stdout + stderr).toBe(0);
  expect(stdout).toContain("All done.");
  const declared = declarationOf(stdout);
  expect(declared.sent.map(({ rerouted }) => rerouted)).toEqual(["own-model"]);
  expect(received.length).toBeGreaterThan(2);
  for (const { path, body, headers } of received) {
    expect(path).toBe("/v1/chat/completions");
    expect(JSON.parse(Buffer.from(body).toString())).toMatchObject({ model: "qwen3-coder" });
    expect(JSON.stringify(headers)).not.toMatch(/sk-ant|x-api-key/i);
  }
});
