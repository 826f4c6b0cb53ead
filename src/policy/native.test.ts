import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, test } from "vitest";
import { parseDocument } from "./document.ts";
import { layer } from "./layer.ts";
import { asked } from "./native/form.ts";
import { COMPILED_AGENTS, compileNative, type NativeSettings, placeOf } from "./native.ts";
import { readyProfile } from "./ready.ts";

const ROOT = join(import.meta.dirname, "../..");
const GOLDEN = join(ROOT, "test/golden/policy");
const policy = layer([
  parseDocument(readFileSync(join(ROOT, "test/fixtures/policy/native.yaml"), "utf8"), "native.yaml"),
]);
const around = { workspace: "/home/agent/work", hiddenFiles: ["/home/agent/work/.env"], isInside: false };
const TESTED = {
  claude: "2.1.329",
  codex: "0.169.0",
  qwen: "0.24.4",
  gemini: "0.61.0",
  opencode: "1.18.33",
  copilot: "1.0.102",
  cursor: "3.23.0",
  vscode: "1.133.0",
} as const;

/** Everything that was compiled, by file name under the golden folder. */
function goldenOf(agent: string, compiled: NativeSettings): Map<string, string> {
  const table = compiled.gaps.map(
    ({ grant, agent: own, wall, remark }) => `| ${grant} | ${own} | ${wall} | ${remark} |`,
  );
  return new Map([
    ...compiled.files.map(({ path, content }): [string, string] => [`${agent}/${placeOf(path)}`, content]),
    [
      `${agent}/launch.json`,
      `${JSON.stringify({ arguments: compiled.arguments, environment: compiled.environment, covers: compiled.covers }, null, 2)}\n`,
    ],
    [
      `${agent}/gaps.md`,
      ["| grant | the agent itself | the wall | remark |", "|---|---|---|---|", ...table, ""].join("\n"),
    ],
  ]);
}

const filesBelow = (folder: string): string[] =>
  (existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: "utf8" }) : [])
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile())
    .map((path) => relative(GOLDEN, path))
    .sort();

describe.each(Object.entries(TESTED))("%s %s", (agent, version) => {
  test("gets the files that were reviewed (UPDATE=1 rewrites test/golden/policy)", () => {
    const compiled = goldenOf(agent, compileNative(policy, agent, version, around));
    for (const [name, content] of compiled) {
      const file = join(GOLDEN, name);
      if (process.env["UPDATE"] === "1") {
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, content);
      }
      expect(existsSync(file) ? readFileSync(file, "utf8") : "", name).toBe(content);
    }
    expect(filesBelow(join(GOLDEN, agent))).toEqual([...compiled.keys()].sort());
  });

  test("every grant that the policy uses has its row, and every JSON file is JSON", () => {
    const { files, gaps } = compileNative(policy, agent, version, around);
    expect(gaps.map(({ grant }) => grant)).toEqual([
      "hidden files",
      "commands refused",
      "commands asked about",
      "agent's own web tools",
      "MCP servers",
      "repository settings",
      "telemetry",
      "network destinations",
      "data that leaves",
    ]);
    for (const { path, content } of files) if (path.endsWith(".json")) JSON.parse(content);
  });
});

test("inside the sandbox, where nothing is root's, gemini gets its rules by a flag and no file that it would not believe", () => {
  const inside = compileNative(policy, "gemini", null, { ...around, isInside: true });
  const machine = compileNative(policy, "gemini", null, around);
  expect(inside.files.map(({ path }) => path)).toEqual(["/etc/sallyport/gemini/10-sallyport.toml"]);
  expect(inside.files[0]?.content).toBe(machine.files[1]?.content);
  expect(inside.arguments).toEqual([
    "--admin-policy=/etc/sallyport/gemini",
    "--allowed-mcp-server-names=github",
  ]);
  expect(inside.gaps.find(({ grant }) => grant === "telemetry")).toMatchObject({
    agent: "none",
    wall: "gateway",
  });
});

test("a profile that uses a repository's settings covers none of them", () => {
  const observe = layer([parseDocument(readyProfile("observe") ?? "", "observe.yaml")]);
  for (const agent of Object.keys(TESTED))
    expect(compileNative(observe, agent, null, around).covers).toEqual([]);
});

/** One word for each grant and agent: who holds to it under `engineer`, inside our sandbox where we start the agent. */
function gapsPage(): string {
  const engineer = layer([parseDocument(readyProfile("engineer") ?? "", "engineer")]);
  const whole = [policy, engineer].map((each, at) => {
    const columns = COMPILED_AGENTS.map((agent) => ({
      agent,
      gaps: compileNative(each, agent, null, { ...around, isInside: true }).gaps,
    }));
    const grants = columns[0]?.gaps.map(({ grant }) => grant) ?? [];
    const cell = (own: string, wall: string): string =>
      [own, wall].filter((who) => who !== "–" && who !== "nobody").join(" + ") || "nobody";
    return [
      at === 0 ? "## A policy that uses everything" : "## The ready profile `engineer`",
      "",
      `| grant | ${columns.map(({ agent }) => agent).join(" | ")} |`,
      `|---|${columns.map(() => "---|").join("")}`,
      ...grants.map((grant) => {
        const cells = columns.map(({ gaps }) => {
          const gap = gaps.find((one) => one.grant === grant);
          return gap === undefined ? "" : cell(OWN_WORD[gap.agent], gap.wall);
        });
        return `| ${grant} | ${cells.join(" | ")} |`;
      }),
      "",
    ];
  });
  return [
    "# Who holds to what",
    "",
    "Written by `UPDATE=1 npx vitest run --project unit src/policy/native.test.ts`. `sallyport policy compile --gaps` prints the",
    "same for a policy of your own, with remarks, and `sallyport run --explain` for one session.",
    "",
    "**itself**: the agent's compiled settings hold it. *advice*: they do, and a determined command gets round them. Cursor and",
    "VS Code are not started by Sallyport: for them there are files to roll out, and nothing else.",
    "",
    ...whole.flat(),
  ].join("\n");
}

const OWN_WORD = { kept: "**itself**", advice: "*advice*", none: "–" } as const;

test("docs/gaps.md is the table of who holds to what (UPDATE=1 rewrites it)", () => {
  const file = join(ROOT, "docs/gaps.md");
  const text = gapsPage();
  if (process.env["UPDATE"] === "1") writeFileSync(file, text);
  expect(readFileSync(file, "utf8")).toBe(text);
});

test("what we do not start, no wall of ours holds: the table says nobody", () => {
  for (const agent of ["cursor", "vscode"])
    expect(compileNative(policy, agent, null, around).gaps.every(({ wall }) => wall === "nobody")).toBe(true);
});

test("cursor's list of hosts holds what every document grants", () => {
  const narrower = parseDocument(
    `apiVersion: sallyport/v1
kind: Guardrails
metadata: { name: org, owner: ciso@corp.example, review: 2027-02-01 }
network:
  default: deny
  allow: [{ id: G-1, title: Ours, because: Contract, hosts: [api.anthropic.com, git.corp.example] }]
  deny: [{ id: G-2, title: Never, because: Contract, hosts: ["*.evil.example"] }]
`,
    "org.yaml",
  );
  const native = parseDocument(
    readFileSync(join(ROOT, "test/fixtures/policy/native.yaml"), "utf8"),
    "native.yaml",
  );
  const { files } = compileNative(layer([narrower, native]), "cursor", null, around);
  expect(JSON.parse(files[0]?.content ?? "")).toMatchObject({
    networkPolicy: { default: "deny", allow: ["api.anthropic.com"], deny: ["*.evil.example"] },
  });
});

test("an agent or a version that no emitter knows gets nothing, and the table says so", () => {
  for (const [agent, version] of [
    ["claude", "2.1.197"],
    ["claude", "latest"],
    ["aider", null],
  ] as const) {
    const { emitter, files, gaps } = compileNative(policy, agent, version, around);
    expect({ emitter, files }).toEqual({ emitter: null, files: [] });
    expect(gaps.every((gap) => gap.agent === "none")).toBe(true);
  }
});

test("a command that is refused is not asked about as well, so that no reading order lets it through", () => {
  expect(asked(policy)).toEqual(["docker run", "git push"]);
});

test("without the sandbox the table says nobody where nobody is", () => {
  const off = layer([parseDocument(readyProfile("dangerously-unsandboxed") ?? "", "off.yaml")]);
  const { gaps } = compileNative(off, "qwen", null, around);
  expect(gaps.filter(({ wall }) => wall === "nobody").map(({ grant }) => grant)).toEqual([
    "hidden files",
    "repository settings",
    "telemetry",
    "network destinations",
    "data that leaves",
  ]);
});
