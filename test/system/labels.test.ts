// What a repository's .sallyport.yaml labels stays here: code by its fingerprints, files by their path, words.
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type ScriptedModel, startScriptedModel } from "../../src/lab/index.ts";
import type { Declaration } from "../../src/report/index.ts";
import { Place, ROOT } from "../harness.ts";

const SOURCE = Array.from(
  { length: 80 },
  (_, i) =>
    `export const total${i} = (book) => book.entriesOf("account-${i}").filter((entry) => entry.day > ${i * 31});`,
);
const bodyOf = (text: string): string =>
  JSON.stringify({ model: "m", max_tokens: 5, messages: [{ role: "user", content: text }] });

let place: Place;
let model: ScriptedModel;
const received: string[] = [];
let declaredLast: Declaration | null = null;

beforeAll(async () => {
  place = new Place({
    "agent.js": readFileSync(join(ROOT, "test/fixtures/tiny-agent/agent.js"), "utf8"),
    "pricing.js": SOURCE.join("\n"),
    ".sallyport.yaml": `apiVersion: sallyport/v1
kind: Repository
metadata: { name: pricing-repo, owner: pricing@corp.example }
labels: { repo: restricted }
inspect:
  code: [.pricing.spf]
  terms: [{ id: project, text: Project Marble Arch, class: restricted }]
`,
  });
  chmodSync(join(place.workspace, "agent.js"), 0o755);
  model = await startScriptedModel({
    cwd: place.workspace,
    onRequest: ({ body }) => void received.push(Buffer.from(body).toString()),
  });
});
afterAll(async () => {
  await model?.close();
  await place?.close();
});

const send = async (
  text: string,
): Promise<{ readonly stdout: string; readonly declared: Declaration | null }> => {
  const args = [
    "run",
    "--json",
    "--upstream",
    model.url,
    "./agent.js",
    "https://api.anthropic.com/v1/messages",
  ];
  const { code, stdout, stderr } = await place.run([...args, bodyOf(text)]);
  const line = stdout.trim().split("\n").at(-1) ?? "";
  return { stdout: `${code} ${stdout}${stderr}`, declared: line.startsWith("{") ? JSON.parse(line) : null };
};

it("an index that is not there keeps the session from starting", async () => {
  const { stdout } = await send("hello");
  expect(stdout).toMatch(/^2 /);
  expect(stdout).toContain("an index of classified code cannot be used");
  expect(stdout).toContain(".pricing.spf");
});

it("classify makes it; a paste of twenty lines is refused, in any dress, and words are; the rest passes", async () => {
  const made = await place.run(["classify", "pricing.js", "--class", "restricted", "--out", ".pricing.spf"]);
  expect(made.code, made.stderr).toBe(0);
  expect(readFileSync(join(place.workspace, ".pricing.spf"), "latin1")).not.toContain("entriesOf");

  const paste = SOURCE.slice(30, 50)
    .map((line, i) => `+ ${i}:  ${line}`)
    .join("\n");
  const refused = await send(`review this:\n${paste}`);
  expect(refused.declared?.refused, refused.stdout).toMatchObject([{ rule: "restricted-stays" }]);
  const words = await send("tell me of project  marble arch");
  declaredLast = words.declared;
  expect(words.declared?.refused).toMatchObject([{ rule: "restricted-stays" }]);
  expect(received).toEqual([]);
  const passed = await send(`review this: ${SOURCE[3]?.slice(0, 36)}`);
  expect(passed.declared?.refused, passed.stdout).toEqual([]);
  expect(received).toHaveLength(1);
});

it("scan reads a recorded request, for a reason that is itself recorded; nobody else's", async () => {
  const session = declaredLast?.session ?? "";
  expect((await place.run(["scan", "--exchange", `${session}-1`])).code).toBe(2);
  expect((await place.run(["scan", "--exchange", "00000000-1", "--reason", "audit"])).code).toBe(2);
  const { code, stdout } = await place.run([
    "scan",
    "--json",
    "--exchange",
    `${session}-1`,
    "--reason",
    "audit",
  ]);
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject([
    { path: `${session}-1/messages/0/content`, class: "restricted", detector: "term:project" },
  ]);
  const events = await place.run(["show", session, "--events"]);
  expect(events.stdout).toMatch(/evidence\.viewed.*audit/);
  const exchange = await place.run(["why", `${session}-1`]);
  expect(exchange.stdout).toMatch(/deny of POST[\s\S]*restricted-stays[\s\S]*1 restricted, term:project/);
  const { hash } = JSON.parse(stdout)[0] as { hash: string };
  const one = await place.run(["why", hash, "--exchange", `${session}-1`, "--reason", "audit"]);
  expect(one.stdout).toMatch(/messages\/0\/content:1:12\n +tell me of ‹20 characters›/);
  expect((await place.run(["why", `${session}-99`])).code).toBe(2);
});

it("scan knows the same labels", async () => {
  writeFileSync(
    join(place.workspace, "copy.txt"),
    `${SOURCE.slice(5, 30).join("\n")}\nProject Marble Arch\n`,
  );
  const { code, stdout } = await place.run(["scan", "copy.txt", "--json"]);
  expect(code).toBe(1);
  const found = JSON.parse(stdout) as readonly { class: string; detector: string }[];
  expect(found.map(({ class: dataClass, detector }) => [dataClass, detector])).toEqual([
    ["restricted", "code:pricing.js"],
    ["restricted", "term:project"],
  ]);
  expect((await place.run(["why", "term:project"])).stdout).toContain(
    "a word of the organisation (restricted)",
  );
});
