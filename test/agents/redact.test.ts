// A real agent works on a file that holds a key: the model never sees the key, the files on disk always do, and a
// command gets the placeholder, as it could send the key anywhere.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ScriptedModel, type Step, startScriptedModel } from "../../src/lab/index.ts";
import { agentNamed } from "../../src/register/index.ts";
import type { Declaration } from "../../src/report/index.ts";
import { Place } from "../harness.ts";

/** Shaped like a key; it opens nothing. */
const KEY = `ghp_${"aB3dE5gH".repeat(5)}`;
const SHAPE = /ghp_[A-Za-z0-9]{40}/;
const claude = agentNamed("claude");
if (claude === null) throw new Error("the register has no claude");

let place: Place;
let model: ScriptedModel;
const received: string[] = [];
/** What the model saw where the key stood. */
const word = (): string => SHAPE.exec(received.find((body) => SHAPE.test(body)) ?? "")?.[0] ?? "not seen";
const steps: readonly Step[] = [
  { kind: "read", path: "settings.ini" },
  {
    kind: "edit",
    path: "copy.ini",
    before: "",
    get after() {
      return `token = ${word()}\nregion = eu\n`;
    },
  },
  {
    kind: "edit",
    path: "settings.ini",
    get before() {
      return `token = ${word()}`;
    },
    get after() {
      return `token = ${word()} # read`;
    },
  },
  {
    kind: "shell",
    get command() {
      return `printf %s ${word()} > sent.txt`;
    },
  },
];

beforeAll(async () => {
  place = new Place({ "settings.ini": `[git]\ntoken = ${KEY}\nregion = eu\n` });
  const fetched = await place.run(["install", `${claude.name}@${claude.tested}`]);
  expect(fetched.code, fetched.stderr).toBe(0);
  model = await startScriptedModel({
    cwd: place.workspace,
    plan: {
      steps,
      get final() {
        return `The token is ${word()}, done.`;
      },
    },
    onRequest: ({ body }) => void received.push(Buffer.from(body).toString()),
  });
});
afterAll(async () => {
  await model?.close();
  await place?.close();
});

test("claude writes the real key to files, runs commands with its placeholder, and the model never sees the key", async () => {
  const { code, stdout, stderr } = await place.run([
    ...["run", "--json", "--upstream", model.url, `${claude.name}@${claude.tested}`],
    ...claude.headless("Copy settings.ini to copy.ini."),
  ]);
  expect(code, stdout + stderr).toBe(0);
  expect(word()).toMatch(SHAPE);
  expect(word()).not.toBe(KEY);
  expect(received.join()).not.toContain(KEY);
  const read = (name: string): string => readFileSync(join(place.workspace, name), "utf8");
  expect(read("copy.ini")).toBe(`token = ${KEY}\nregion = eu\n`);
  expect(read("settings.ini")).toBe(`[git]\ntoken = ${KEY} # read\nregion = eu\n`);
  expect(read("sent.txt")).toBe(word());
  expect(stdout).toContain(`The token is ${KEY}, done.`);
  const declared = JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Declaration;
  expect(declared.redacted.map((row) => row.class)).toEqual(["secret"]);
  expect(declared.refused.filter(({ rule }) => /secret|unredacted/.test(rule))).toEqual([]);
  expect((await place.run(["verify"])).code).toBe(0);
});
