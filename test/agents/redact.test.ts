// A real agent works on a file that holds a key: the model never sees the key; asked to write it into the file it came
// from the agent writes the real one; into another file, or a command, goes the placeholder, as these could send it on.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { type ScriptedModel, type Step, startScriptedModel } from "../../src/lab/index.ts";
import { AGENTS } from "../../src/register/index.ts";
import type { Declaration } from "../../src/report/index.ts";
import { Place } from "../harness.ts";

/** Shaped like a key; it opens nothing. */
const KEY = `ghp_${"aB3dE5gH".repeat(5)}`;
const SHAPE = /ghp_[A-Za-z0-9]{40}/;

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/**
 * Codex edits by commands. What most of them write cannot be told, and keeps the placeholder; a patch of one file can.
 */
const EDITS_BY_COMMAND: ReadonlySet<string> = new Set(["codex"]);
const patchOf = (word: () => string): readonly Step[] =>
  ["settings.ini", "other.ini"].map((path) => ({
    kind: "shell",
    get command() {
      const change =
        path === "other.ini"
          ? `*** Add File: ${path}\n+token = ${word()}`
          : `*** Update File: ${path}\n@@\n-token = ${word()}\n+token = ${word()} # patched`;
      return `apply_patch <<'EOF'\n*** Begin Patch\n${change}\n*** End Patch\nEOF`;
    },
  }));

describe.each(AGENTS)("$name", (agent) => {
  it("writes the real key into its own file alone; the model never sees it", async () => {
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
      ...(agent.name === "codex" ? patchOf(word) : []),
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
    const place = new Place({ "settings.ini": `[git]\ntoken = ${KEY}\nregion = eu\n` });
    closing.push(() => place.close());
    const fetched = await place.run(["install", `${agent.name}@${agent.tested}`]);
    expect(fetched.code, fetched.stderr).toBe(0);
    const model: ScriptedModel = await startScriptedModel({
      cwd: place.workspace,
      plan: {
        steps,
        get final() {
          return `The token is ${word()}, done.`;
        },
      },
      onRequest: ({ body }) => void received.push(Buffer.from(body).toString()),
    });
    closing.push(() => model.close());

    const { code, stdout, stderr } = await place.run([
      ...["run", "--json", "--upstream", model.url, `${agent.name}@${agent.tested}`],
      ...agent.headless("Copy settings.ini to copy.ini."),
    ]);
    expect(code, stdout + stderr).toBe(0);
    expect(word()).toMatch(SHAPE);
    expect(word()).not.toBe(KEY);
    expect(received.join()).not.toContain(KEY);
    const read = (name: string): string => readFileSync(join(place.workspace, name), "utf8");
    expect(read("copy.ini").trim()).toBe(`token = ${word()}\nregion = eu`);
    const isByCommand = EDITS_BY_COMMAND.has(agent.name);
    const own = isByCommand ? `${KEY} # patched` : `${KEY} # read`;
    if (isByCommand) expect(read("other.ini").trim()).toBe(`token = ${word()}`);
    expect(read("settings.ini")).toBe(`[git]\ntoken = ${own}\nregion = eu\n`);
    expect(read("sent.txt")).toBe(word());
    expect(stdout).toContain(`The token is ${KEY}, done.`);
    const declared = JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Declaration;
    expect(declared.redacted.map((row) => row.class)).toEqual(["secret"]);
    expect(declared.refused.filter(({ rule }) => /secret|unredacted/.test(rule))).toEqual([]);
    expect((await place.run(["verify"])).code).toBe(0);
  });
});
