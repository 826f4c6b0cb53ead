// The policy desk and the scanner by the command line: exit codes, data, sentences.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import { Place } from "../harness.ts";

let place: Place;
beforeAll(() => {
  place = new Place();
});
afterAll(() => place.close());

describe("sallyport policy", () => {
  test.each<[string, string[], number, RegExp]>([
    ["check what is in force here", ["check"], 0, /^default: 1 document/],
    [
      "explain a refusal, with the rule and the way on",
      [
        "explain",
        "--profile",
        "engineer",
        "--agent",
        "claude",
        "--data",
        "internal_code",
        "--to",
        "api.mistral.ai",
      ],
      4,
      /refuses this[\s\S]*Allowed when/,
    ],
    [
      "answer a question asked in words",
      ["explain", "may engineer's claude send internal code to api.mistral.ai?"],
      4,
      /refuses this: claude sends internal_code to api\.mistral\.ai:443[\s\S]*engineer\/send\.default/,
    ],
    ["test the documents' own examples", ["test", "engineer"], 0, /^6 examples in the documents hold/],
    ["explain in Chinese", ["explain", "--to", "statsig.anthropic.com", "--lang", "zh-CN"], 4, /拒绝/],
    ["explain what is allowed", ["explain", "--to", "api.anthropic.com/v1/messages"], 0, /allows this/],
    ["a looser document is told as looser", ["diff", "restricted", "default"], 4, /^LOOSER/m],
    ["export for Cedar", ["export", "--cedar"], 0, /permit \(principal, action, resource\)/],
    [
      "compile into an agent's own settings, with its gaps",
      ["compile", "--agent", "claude@2.1.329"],
      0,
      /managed-settings\.json[\s\S]*the agent itself +the wall/,
    ],
    ["an unknown action", ["frobnicate"], 2, /^$/],
    ["explain without a destination", ["explain"], 2, /^$/],
  ])("%s", async (_name, args, code, words) => {
    const done = await place.run(["policy", ...args]);
    expect(done.code, done.stderr).toBe(code);
    expect(done.stdout).toMatch(words);
  });

  it("tests a table of what people expect, and exits with 4 when it does not hold", async () => {
    const table = join(place.workspace, "expected.yaml");
    const cases = (verdict: string): string =>
      `apiVersion: sallyport/v1\nkind: Expectations\ncases:\n  - { title: Secrets are masked, send: { host: api.anthropic.com, data: secret }, expect: ${verdict}, by: [engineer/secrets-masked] }\n`;
    writeFileSync(table, cases("redact"));
    expect((await place.run(["policy", "test", "engineer", "--table", table])).code).toBe(0);
    writeFileSync(table, cases("allow"));
    const done = await place.run(["policy", "test", "engineer", "--table", table, "--json"]);
    expect(done.code).toBe(4);
    expect(JSON.parse(done.stdout).failed).toMatchObject([
      { title: "Secrets are masked", got: "redact by engineer/secrets-masked" },
    ]);
    writeFileSync(table, "apiVersion: sallyport/v1\nkind: Expectations\ncases: [{ expect: deny }]\n");
    expect((await place.run(["policy", "test", "engineer", "--table", table])).stderr).toMatch(
      /expected\.yaml:3:\d+ cases\[0\]/,
    );
  });

  it("proves a property of guardrails under any profile, and names the guardrail that no property needs", async () => {
    writeFileSync(
      join(place.workspace, "org.yaml"),
      `apiVersion: sallyport/v1
kind: Guardrails
metadata: { name: org, owner: ciso@corp.example }
send:
  rules:
    - { id: G-1, title: Restricted data stays in China, because: law, when: { data: [restricted] }, unless: { serverIn: [CN] }, then: deny }
    - { id: G-2, title: No telemetry, because: contract, when: { channel: [telemetry] }, then: deny }
`,
    );
    writeFileSync(
      join(place.workspace, "properties.yaml"),
      `apiVersion: sallyport/v1
kind: Properties
metadata: { name: p, owner: ciso@corp.example }
properties:
  - { id: P-1, title: Nothing restricted leaves China, because: law, never: { data: [restricted] }, unless: { serverIn: [CN] } }
`,
    );
    const done = await place.run(["policy", "prove", "org.yaml", "--properties", "properties.yaml"]);
    expect(done.stdout, done.stderr).toMatch(/holds {3}P-1/);
    expect(done.stdout).toMatch(/unneeded {2}org\/G-2/);
    expect(done.code).toBe(4);
  });

  it("a guardrail on a law holds for an operator that stands under that law among others", async () => {
    writeFileSync(
      join(place.workspace, "law.yaml"),
      "apiVersion: sallyport/v1\nkind: Guardrails\nmetadata: { name: law, owner: ciso@corp.example }\nsend:\n  rules:\n    - { id: L-1, title: Nothing under Chinese law, because: contract, when: { operatorLaw: [CN] }, then: deny }\n",
    );
    writeFileSync(join(place.workspace, "base.yaml"), (await place.run(["profiles", "default"])).stdout);
    const done = await place.run([
      "policy",
      "explain",
      "law.yaml",
      "base.yaml",
      "--to",
      "dashscope-us.aliyuncs.com",
    ]);
    expect(done.stdout, done.stderr).toContain("law/L-1");
    expect(done.code).toBe(4);
  });

  it("replays a policy over what was recorded", async () => {
    expect((await place.run(["policy", "replay", "restricted", "--json"])).stdout).toMatch(/"judged":\d+/);
  });
});

describe("sallyport scan", () => {
  it("finds in files and in the added lines of a diff, never prints the value, and exits for CI", async () => {
    mkdirSync(join(place.workspace, "src"), { recursive: true });
    const key = ["AKIA", "Q3EGRD7XV5WZ2PLM"].join("");
    writeFileSync(join(place.workspace, "src/a.ts"), `const id = "${key}";\n`);
    const done = await place.run(["scan", "src"]);
    expect(done.code).toBe(1);
    expect(done.stdout).toMatch(/^src\/a\.ts:1:13 {2}secret {2}aws-/);
    expect(done.stdout + done.stderr).not.toContain(key);
    const sarif = JSON.parse((await place.run(["scan", "--sarif", "src"])).stdout);
    expect(sarif).toMatchObject({ version: "2.1.0", runs: [{ results: [{}] }] });
    expect((await place.run(["scan", "README.md"])).code).toBe(0);
  });

  it("finds in what a commit added and a later one took out, and runs no program that the repository names", async () => {
    const key = ["AKIA", "Q3EGRD7XV5WZ2PLM"].join("");
    const folder = join(place.workspace, "history");
    const own = ["-c", "user.name=t", "-c", "user.email=t@t.example", "-c", "commit.gpgsign=false"];
    const git = (...args: string[]): void => void execFileSync("git", ["-C", folder, ...own, ...args]);
    mkdirSync(folder);
    git("init", "-q");
    writeFileSync(join(folder, "a b.env"), `x = 1\nid = ${key}\n`);
    writeFileSync(join(folder, ".gitattributes"), "*.env diff=evil\n");
    git("config", "diff.evil.textconv", `touch ${join(folder, "ran")}; cat`);
    git("config", "diff.external", `touch ${join(folder, "ran")}; cat`);
    git("add", ".");
    git("commit", "-qm", "one");
    writeFileSync(join(folder, "a b.env"), "x = 1\n");
    git("commit", "-qam", "two");
    const { code, stdout, stderr } = await place.run(["scan", "--history", "--json", "history"]);
    expect(code, stderr).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject([
      {
        path: "a b.env",
        line: 2,
        column: 6,
        class: "secret",
        commit: expect.stringMatching(/^[0-9a-f]{40}$/),
      },
    ]);
    expect(existsSync(join(folder, "ran"))).toBe(false);
    expect((await place.run(["scan", "--history", "src"])).code).not.toBe(0);
    rmSync(folder, { recursive: true });
  });

  it("why tells a detector's source and examples, and an unknown one is refused", async () => {
    const done = await place.run(["why", "assigned-credential"]);
    expect(done.stdout).toMatch(/source[\s\S]*not found/);
    expect((await place.run(["why", "nonsense"])).code).toBe(2);
  });

  it("why explains one finding: what found it, each place with the values masked, what is done, how it is silenced", async () => {
    const key = ["AKIA", "Q3EGRD7XV5WZ2PLM"].join("");
    mkdirSync(join(place.workspace, "why"));
    writeFileSync(
      join(place.workspace, "why/a.ts"),
      `// twice\nconst id = "${key}", db_password = "x9Kd83hQzLp2Wm7T";\nconst again = "${key}";\n`,
    );
    writeFileSync(
      join(place.workspace, "why/b.ts"),
      `const text = "${Buffer.from(`key: ${key} here`).toString("base64")}";\n`,
    );
    const listed = await place.run(["scan", "--json", "why"]);
    const found = JSON.parse(listed.stdout) as { detector: string; path: string; hash: string }[];
    const hashOf = (path: string): string =>
      found.find((one) => one.path === path && one.detector === "aws-access-key")?.hash ?? "";
    const hash = hashOf("why/a.ts");
    const { code, stdout, stderr } = await place.run(["why", hash.slice(0, 12), "why"]);
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/why\/a\.ts:2:13[\s\S]*why\/a\.ts:3:16/);
    expect(stdout).toContain('const id = "‹20 characters›", db_password = "‹16 characters›";');
    expect(stdout).toContain("redact by default/secrets-masked");
    expect(stdout).toMatch(
      new RegExp(`waivers: \\[\\{ hash: ${hash}, because: .*, until: \\d{4}-\\d\\d-\\d\\d`),
    );
    expect(stdout).not.toContain(key);
    const hidden = await place.run(["why", "--json", hashOf("why/b.ts"), "why"]);
    expect(JSON.parse(hidden.stdout)).toMatchObject({ detector: "aws-access-key", disguised: true });
    expect((await place.run(["why", "0".repeat(32), "why"])).code).toBe(2);
    // What it proposes is taken: in a profile of one's own the finding is passed over, with the reason.
    const copied = (await place.run(["profiles", "default"])).stdout.replace("name: default", "name: mine");
    const waivers = /inspect: (\{ waivers: .* \})/.exec(stdout)?.[1];
    writeFileSync(join(place.workspace, "why/mine.yaml"), `${copied}\ninspect: ${waivers}\n`);
    const passed = await place.run(["scan", "--profile", "why/mine.yaml", "why/a.ts"]);
    expect(passed.stdout).not.toContain(hash);
    expect(passed.stderr).toContain("1 found in 1 file, 2 passed over by waivers");
    const told = await place.run(["why", "--profile", "why/mine.yaml", hash, "why"]);
    expect(told.stdout).toMatch(/passed over +until .*, as why it is none/);
    rmSync(join(place.workspace, "why"), { recursive: true });
  });
});

describe("the record, kept and asked", () => {
  let session = "";
  it("query finds by filter and by roll-up, and a malformed filter is refused", async () => {
    await place.run(["run", "--", "true"]);
    session = JSON.parse((await place.run(["log", "--json"])).stdout.trim().split("\n").at(-1) ?? "").session;
    expect((await place.run(["query", `kind=session.started session=${session}`])).stdout).toContain(session);
    expect((await place.run(["query", "--by", "day"])).stdout).toMatch(/^day +requests +bytes/);
    expect((await place.run(["query", "colour=red"])).code).toBe(2);
  });

  test.each(["ndjson", "ocsf", "otlp", "syslog", "hec"])(
    "export as %s goes on where it ended",
    async (format) => {
      const all = await place.run(["export", "--format", format]);
      expect(all.code, all.stderr).toBe(0);
      const next = /--from (\d+)/.exec(all.stderr)?.[1] ?? "";
      expect(Number(next)).toBeGreaterThan(1);
      expect((await place.run(["export", "--format", format, "--from", next])).stdout).toBe("");
    },
  );

  it("retention that is due runs by itself when the station starts; a rule that is none erases nothing and is told", async () => {
    mkdirSync(join(place.state, "config"), { recursive: true });
    writeFileSync(join(place.state, "config/retention.yaml"), "rules: [{ id: all, keepDays: soon }]\n");
    await place.run(["down"]);
    await place.run(["run", "-q", "--", "true"]);
    await place.run(["down"]);
    expect(readFileSync(join(place.state, "station.log"), "utf8")).toContain("retention.invalid");
    expect((await place.run(["query", "kind=evidence.erased"])).stdout).toBe("");
    rmSync(join(place.state, "config/retention.yaml"));
  });

  it("a hold forbids erasing; a backup verifies and, restored, goes on with its key", async () => {
    expect((await place.run(["ledger", "hold", session, "--name", "case-1"])).code).toBe(0);
    const held = await place.run(["ledger", "erase", session, "--reason", "test"]);
    expect([held.code, held.stderr]).toEqual([5, expect.stringMatching(/legal hold/)]);
    expect((await place.run(["ledger", "release", "--name", "case-1"])).code).toBe(0);
    expect((await place.run(["ledger", "rotate-key"])).code).toBe(0);
    const backup = join(place.folder, "backup");
    expect((await place.run(["ledger", "backup", backup])).stdout).toContain("verified");
    expect((await place.run(["verify", "--ledger", backup])).code).toBe(0);
    await place.run(["down"]);
    renameSync(join(place.state, "ledger"), join(place.folder, "old"));
    expect((await place.run(["ledger", "restore", backup])).code).toBe(0);
    expect((await place.run(["run", "-q", "--", "true"])).code).toBe(0);
    expect((await place.run(["verify"])).code).toBe(0);
  });
});
