// The profile `restricted` with one setting: the agent asks its vendor, and our own model answers.
import { chmodSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type ReceivedRequest, type ScriptedModel, startScriptedModel } from "../../src/lab/index.ts";
import type { Declaration } from "../../src/report/index.ts";
import { Place, ROOT } from "../harness.ts";

const AGENT = join(ROOT, "test/fixtures/tiny-agent/agent.js");
const BODY = JSON.stringify({
  model: "claude-sonnet-4-5",
  max_tokens: 50,
  stream: true,
  messages: [{ role: "user", content: "hello" }],
});
const OWN_KEY = "own-server-key-not-real";

let place: Place;
let own: ScriptedModel;
const received: ReceivedRequest[] = [];
beforeAll(async () => {
  place = new Place({ "README.md": "# Sample\n", "agent.js": readFileSync(AGENT, "utf8") });
  chmodSync(join(place.workspace, "agent.js"), 0o755);
  own = await startScriptedModel({ cwd: place.workspace, onRequest: (request) => received.push(request) });
});
afterAll(async () => {
  await own.close();
  await place.close();
});

const run = (url: string, ...more: string[]) =>
  place.run(["run", "-p", "restricted", "--json", "./agent.js", url, BODY, ...more], { OWN_KEY });

it("without it, a model call is refused and says what to set up", async () => {
  const { stdout } = await run("https://api.anthropic.com/v1/messages");
  expect(stdout).toMatch(
    /status 403[\s\S]*no own server is set up under the name `own-model`[\s\S]*sallyport models/,
  );
});

it("with it, the vendor is asked and our own model answers; key, model and record are those of our server", async () => {
  const set = [
    "models",
    "set",
    "own-model",
    "--url",
    own.url,
    "--model",
    "qwen3-coder",
    "--key-variable",
    "OWN_KEY",
  ];
  expect((await place.run(set)).code).toBe(0);
  expect(JSON.parse((await place.run(["models", "--json"])).stdout)).toMatchObject([
    { name: "own-model", operatorLaw: "SELF", serverIn: "ONPREM" },
  ]);
  const { stdout } = await run(
    "https://api.anthropic.com/v1/messages",
    "authorization: Bearer the-persons-own",
  );
  expect(stdout).toContain("status 200");
  expect(stdout).toContain("message_stop");
  expect(JSON.parse(Buffer.from(received[0]?.body ?? []).toString())).toMatchObject({ model: "qwen3-coder" });
  const headers = JSON.stringify(received[0]?.headers);
  expect(headers).toContain(`Bearer ${OWN_KEY}`);
  expect(headers).not.toContain("the-persons-own");
  const declared = JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Declaration;
  expect(declared.sent).toMatchObject([
    { host: "api.anthropic.com", sentTo: own.url, id: "own-model", requests: 1 },
  ]);
  const shown = await place.run(["show", declared.session]);
  expect(shown.stdout).toContain("→ own-model, our own");
  expect((await place.run(["verify"])).code).toBe(0);
});

it("everything that is not for a model stays here", async () => {
  for (const url of [
    "https://github.com/x",
    "https://statsig.anthropic.com/v1/rgstr",
    "https://api.anthropic.com/api/hello",
  ])
    expect((await run(url)).stdout).toMatch(/status 403|error/);
  expect(received).toHaveLength(1);
});
