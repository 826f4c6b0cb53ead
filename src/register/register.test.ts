import { chmod, mkdir, mkdtemp, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it, test } from "vitest";
import { AGENTS, locateAgent, type Surroundings } from "./index.ts";

describe("finding an agent", () => {
  let around: Surroundings;
  let bin: string;
  beforeAll(async () => {
    const root = await mkdtemp(join(tmpdir(), "sp-locate-"));
    bin = join(root, "bin");
    const pkg = join(root, "lib/node_modules/@qwen-code/qwen-code");
    await mkdir(bin);
    await mkdir(pkg, { recursive: true });
    await writeFile(join(pkg, "cli-entry.js"), "#!/usr/bin/env node\n");
    await writeFile(join(pkg, "package.json"), '{"version":"1.2.3"}');
    await symlink(join(pkg, "cli-entry.js"), join(bin, "qwen"));
    await writeFile(join(bin, "tool"), "#!/bin/sh\n");
    await chmod(join(bin, "tool"), 0o755);
    await writeFile(join(bin, "plain"), "no");
    around = {
      path: `.:${bin}`,
      cwd: root,
      agentsFolder: join(root, "agents"),
      arch: "x64",
      node: "/n/node",
    };
  });
  it("starts a JavaScript agent from PATH with our own Node and shows its whole install", async () => {
    const found = await locateAgent("qwen", around);
    expect(found).toMatchObject({ name: "qwen", version: "1.2.3" });
    expect(found.program[0]).toBe("/n/node");
    expect(found.folders[0]).toMatch(/lib\/node_modules$/);
  });
  it("runs an unknown program by path or from PATH", async () => {
    expect((await locateAgent("tool", around)).kind).toBeNull();
    expect((await locateAgent("./bin/tool", around)).executable).toBe(join(bin, "tool"));
  });
  test.each([
    ["claude", "agent.not-installed", "sallyport install claude@"],
    ["qwen@9.9.9", "agent.not-installed", "sallyport install qwen@9.9.9"],
    ["no-such-program", "agent.unknown", "claude, codex"],
    ["./bin/plain", "agent.not-executable", "permissions"],
    ["./bin", "agent.not-executable", "permissions"],
  ])("%s: %s, with the way out", async (typed, code, remedy) => {
    await expect(locateAgent(typed, around)).rejects.toMatchObject({
      code,
      remedy: expect.stringContaining(remedy),
    });
  });
});

it("every agent is pinned to an exact version", () => {
  expect(AGENTS.map((agent) => agent.name)).toEqual([
    "claude",
    "codex",
    "opencode",
    "qwen",
    "gemini",
    "copilot",
  ]);
  for (const agent of AGENTS) expect(agent.tested).toMatch(/^\d+\.\d+\.\d+$/);
});
