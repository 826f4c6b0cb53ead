/** What may start: the register's word on a build, and on what a repository brings, as a person meets it. */
import { appendFileSync, chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { hashFile } from "../../src/cli/prepare.ts";
import { approvingKey, hashBuild, putStatement } from "../../src/register/index.ts";
import { type Finished, Place } from "../harness.ts";

const NEEDS_APPROVED = `apiVersion: sallyport/v1
kind: Profile
metadata: { name: careful, owner: test }
admission: { builds: approved, extensions: approved }
repository: { settings: use }
network: { default: deny }
send: { default: deny }
`;

let place: Place;
beforeEach(() => {
  // A build as npm lays it, on PATH by its package's folder.
  place = new Place({ "careful.yaml": NEEDS_APPROVED });
  const home = join(place.folder, "lib/node_modules/@qwen-code/qwen-code");
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, "package.json"), '{"name":"@qwen-code/qwen-code","version":"7.7.7"}');
  writeFileSync(join(home, "part.txt"), "a part of the build");
  writeFileSync(program(), "#!/bin/sh\necho started\n");
  chmodSync(program(), 0o755);
});
afterEach(() => place.close());

const program = (): string => join(place.folder, "lib/node_modules/@qwen-code/qwen-code/qwen");
const PATH = (): Record<string, string> => ({
  PATH: `${join(program(), "..")}:${process.env["PATH"] ?? ""}`,
});
const run = (...flags: string[]): Promise<Finished> => place.run(["run", ...flags, "qwen"], PATH());
const register = (...words: string[]): Promise<Finished> => place.run(["register", ...words], PATH());
const approve = (): Promise<Finished> => register("approve", "qwen", "--reason", "read its report");
const CAREFUL = ["--profile", "./careful.yaml"];

describe("a build", () => {
  it("that nobody approved starts where the profile permits it, and that is said and recorded", async () => {
    const ran = await run();
    expect(ran).toMatchObject({ code: 0, stdout: "started\n" });
    expect(ran.stderr).toContain("qwen 7.7.7 is not vetted; profile default permits that");
    expect(ran.stderr).toMatch(/build +not vetted/);
    const log = await place.run(["log", "--events"]);
    expect(log.stdout).toMatch(/session\.started.*"standing":"unknown"/);
  });
  it("that nobody approved does not start where the profile wants approval; the refusal is recorded", async () => {
    const ran = await run(...CAREFUL);
    expect(ran).toMatchObject({ code: 4, stdout: "" });
    expect(ran.stderr).toContain("nobody has approved it; careful wants an approved build");
    expect(ran.stderr).toContain("sallyport register approve qwen@7.7.7");
    expect((await place.run(["log", "--events"])).stdout).toMatch(/admission\.refused.*"standing":"unknown"/);
  });
  it("that was approved starts, and the declaration says so; a byte changed anywhere in it stops it", async () => {
    expect((await approve()).stdout).toContain("approved by local:");
    const ran = await run(...CAREFUL);
    expect(ran).toMatchObject({ code: 0, stdout: "started\n" });
    expect(ran.stderr).toMatch(/build +approved in the register/);
    expect(ran.stderr).not.toContain("not vetted");
    appendFileSync(join(program(), "../part.txt"), "!");
    for (const flags of [CAREFUL, []]) {
      const changed = await run(...flags);
      expect(changed).toMatchObject({ code: 4, stdout: "" });
      expect(changed.stderr).toContain("its bytes are not the approved ones");
    }
  });
  it("that was revoked stops in every profile, with the reason; it can be revoked without its bytes", async () => {
    await approve();
    const revoked = await place.run(["register", "revoke", "qwen@7.7.7", "--reason", "it phones home"]);
    expect(revoked.stdout).toMatch(/revoked by local:\d+ on .*: it phones home/);
    const ran = await run("--profile", "observe");
    expect(ran).toMatchObject({ code: 4, stdout: "" });
    expect(ran.stderr).toContain("it phones home");
  });
  it("whose approval has ended stops in every profile", async () => {
    const places = {
      system: "/nonexistent",
      own: join(place.state, "config/register"),
      keyFile: join(place.state, "keys/approver.pem"),
      principal: `local:${process.getuid?.() ?? 0}`,
    };
    const { hash, executable, files } = await hashBuild(program(), hashFile);
    await putStatement(
      places,
      {
        type: "sallyport/register/v1",
        action: "approve",
        subject: {
          kind: "build",
          agent: "qwen",
          version: "7.7.7",
          platform: `${process.platform}-${process.arch}`,
          hash,
          files,
          executable,
          native: true,
        },
        by: places.principal,
        at: Date.parse("2026-01-01"),
        reason: "long ago",
        expires: Date.parse("2026-02-01"),
        evidence: {},
      },
      await approvingKey(places),
    );
    const ran = await run();
    expect(ran).toMatchObject({ code: 4, stdout: "" });
    expect(ran.stderr).toContain("its approval ended on 2026-02-01");
    expect((await place.run(["register", "verify"])).code).toBe(0);
  });
  it("wants two where two must agree, and a stranger's word counts for nothing", async () => {
    const own = (await register("key")).stdout.trim();
    const folder = join(place.state, "config/register");
    mkdirSync(folder, { recursive: true });
    const list = (key: string): void =>
      writeFileSync(
        join(folder, "approvers.yaml"),
        `version: 1\nrequired: 2\napprovers: [{ name: me, key: "${key}" }, { name: you, key: "${"A".repeat(43)}=" }]\n`,
      );
    list(own);
    expect((await approve()).stdout).toContain("approved by me; 1 more must agree");
    expect((await run(...CAREFUL)).stderr).toContain("1 more must agree");
    list(`${"B".repeat(42)}A=`);
    const stranger = await approve();
    expect(stranger.code).toBe(4);
    expect(stranger.stderr).toContain("the list of approvers does not name you");
  });
  it("whose statement somebody took away again is missed by `register verify`", async () => {
    await approve();
    const file = JSON.parse((await register("revoke", "qwen@7.7.7", "--reason", "no", "--json")).stdout).file;
    expect((await register("verify")).code).toBe(0);
    rmSync(file);
    const verified = await register("verify");
    expect(verified.code).toBe(7);
    expect(verified.stdout).toContain("qwen@7.7.7 linux-");
  });
});

describe("what a repository brings", () => {
  it("stops the start while nobody has approved it, and again when a byte of it changes", async () => {
    await approve();
    const hook = join(place.workspace, ".qwen/settings.json");
    mkdirSync(join(hook, ".."));
    writeFileSync(hook, '{"hooks":{"SessionStart":[{"command":"true"}]}}');
    const refused = await run(...CAREFUL);
    expect(refused).toMatchObject({ code: 4, stdout: "" });
    expect(refused.stderr).toContain("the repository brings `.qwen/settings.json` (settings)");
    const approved = await register("approve", "--extension", ".qwen/settings.json", "--reason", "read it");
    expect(approved.code).toBe(0);
    expect((await run(...CAREFUL)).code).toBe(0);
    appendFileSync(hook, "\n");
    expect((await run(...CAREFUL)).stderr).toContain("not the approved ones");
  });

  it("`.mcp.json` with a new server stops Claude Code; approved it starts, a further server stops it again", async () => {
    const home = join(place.folder, "lib/node_modules/@anthropic-ai/claude-code");
    mkdirSync(home, { recursive: true });
    writeFileSync(join(home, "package.json"), '{"name":"@anthropic-ai/claude-code","version":"7.7.7"}');
    writeFileSync(join(home, "claude"), "#!/bin/sh\necho started\n");
    chmodSync(join(home, "claude"), 0o755);
    const path = { PATH: `${home}:${process.env["PATH"] ?? ""}` };
    const as = (...words: string[]): Promise<Finished> => place.run(words, path);
    await as("register", "approve", "claude", "--reason", "read its report");
    const servers = join(place.workspace, ".mcp.json");
    writeFileSync(servers, '{"mcpServers":{"one":{"command":"one"}}}');
    const refused = await as("run", ...CAREFUL, "claude");
    expect(refused).toMatchObject({ code: 4, stdout: "" });
    expect(refused.stderr).toContain("the repository brings `.mcp.json` (mcp)");
    await as("register", "approve", "--extension", ".mcp.json", "--reason", "read it");
    expect(await as("run", ...CAREFUL, "claude")).toMatchObject({ code: 0, stdout: "started\n" });
    writeFileSync(servers, '{"mcpServers":{"one":{"command":"one"},"two":{"command":"two"}}}');
    expect((await as("run", ...CAREFUL, "claude")).stderr).toContain("not the approved ones");
  });

  it.each([
    [".qwen/hooks/start.sh", ".qwen/hooks", "hook"],
    [".qwen/skills/deploy/SKILL.md", ".qwen/skills", "skill"],
    [".qwen/extensions/helper/index.js", ".qwen/extensions", "plugin"],
    [".qwen/commands/ship.md", ".qwen/commands", "command"],
  ])(
    "a new %s stops the start with the reason; approved it starts, revoked it stops",
    async (file, path, type) => {
      await approve();
      mkdirSync(dirname(join(place.workspace, file)), { recursive: true });
      writeFileSync(join(place.workspace, file), "echo one\n");
      const refused = await run(...CAREFUL);
      expect(refused).toMatchObject({ code: 4, stdout: "" });
      expect(refused.stderr).toContain(`the repository brings \`${path}\` (${type})`);
      const reason = ["--reason", "read it"];
      expect((await register("approve", "--extension", path, "--expires", "30d", ...reason)).code).toBe(0);
      expect((await run(...CAREFUL)).code).toBe(0);
      expect((await register("show", path)).stdout).toMatch(/approved by local:\d+.*\n.*approve.*read it/s);
      // One more file in a folder that was approved is another folder.
      writeFileSync(join(place.workspace, dirname(file), "another"), "echo two\n");
      expect((await run(...CAREFUL)).stderr).toContain("not the approved ones");
      rmSync(join(place.workspace, dirname(file), "another"));
      expect((await register("revoke", path, "--reason", "it phones home")).code).toBe(0);
      // Where the repository's settings are not read, what they hold stops nothing.
      expect((await run()).code).toBe(0);
      const revoked = await run(...CAREFUL);
      expect(revoked).toMatchObject({ code: 4, stdout: "" });
      expect(revoked.stderr).toContain("it phones home");
    },
  );
});

describe("rows of one's own", () => {
  it("are checked, recorded, and in force from the next session without a restart", async () => {
    await run();
    writeFileSync(
      join(place.workspace, "rows.yaml"),
      "version: 1\nrows:\n- { id: own-model, host: llm.corp.internal, channel: llm, operator: us, law: [SELF], agreement: signed, src: [contract 12], as_of: 2026-11-01 }\n",
    );
    expect((await register("add", "rows.yaml")).stdout).toContain("own-model");
    expect((await register("show", "own-model")).stdout).toContain("llm.corp.internal");
    expect((await place.run(["log", "--events"])).stdout).toMatch(/register\.changed.*"own-model"/);
    writeFileSync(join(place.workspace, "rows.yaml"), "version: 1\nrows: [{ id: x }]");
    const bad = await register("add", "rows.yaml");
    expect(bad.code).toBe(2);
    expect(bad.stderr).toContain("rows[0] (x)");
  });
});
