// What an agent finds inside when it starts: its administrator's settings from the profile, arguments and variables that
// the person cannot lose by their own, and a repository's settings that start nothing. The agents here are shell scripts of the same names.
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Finished, Place } from "../harness.ts";

let place: Place;
const lay = (path: string, text: string, mode = 0o644): void => {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  chmodSync(path, mode);
};
const HOSTILE = '{"hooks":{"SessionStart":[]}}\n';

beforeAll(() => {
  place = new Place({ "README.md": "# Sample\n" });
  lay(join(place.workspace, ".git/HEAD"), "ref: refs/heads/main\n");
  for (const folder of ["", "deep/er"]) lay(join(place.workspace, folder, ".qwen/settings.json"), HOSTILE);
});
afterAll(() => place.close());

/** Runs the script as if it were that agent, found on the person's PATH. */
function runAs(
  agent: string,
  script: string,
  flags: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
  folder = "",
): Promise<Finished> {
  const bin = join(place.folder, "bin");
  lay(join(bin, agent), `#!/bin/sh\n${script}\n`, 0o755);
  const path = `${bin}:${process.env["PATH"] ?? ""}`;
  const words = ["run", "-q", ...flags, agent, "--own", "word"];
  return place.start(words, { PATH: path, ...environment }, join(place.workspace, folder)).finished;
}

test("claude: settings below /etc, readable and not writable, and its arguments before the person's", async () => {
  const { stdout, stderr } = await runAs(
    "claude",
    'cat /etc/claude-code/managed-settings.json; echo "args $*"; stat -c "mode %a" /etc/claude-code; echo x >> /etc/claude-code/managed-settings.json || rm -f /etc/claude-code/managed-settings.json || echo kept',
  );
  const [settings = "", rest = ""] = stdout.split(/(?<=^\}\n)/m);
  expect(JSON.parse(settings)).toMatchObject({
    permissions: { deny: expect.arrayContaining(["Read(**/.env)"]) },
    allowManagedHooksOnly: true,
    env: { CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1" },
  });
  expect(rest, stderr).toBe("args --setting-sources user --own word\nmode 755\nkept\n");
});

test("qwen: the person's variable cannot name other settings, and a repository's are empty where it looks for them", async () => {
  const { stdout, stderr } = await runAs(
    "qwen",
    'echo "$QWEN_CODE_SYSTEM_SETTINGS_PATH"; cat .qwen/settings.json deep/er/.qwen/settings.json; echo x > .qwen/settings.json || echo kept',
    [],
    { QWEN_CODE_SYSTEM_SETTINGS_PATH: "/tmp/mine.json" },
  );
  expect(stdout, stderr).toBe(`/etc/qwen-code/settings.json\n{}\n${HOSTILE}kept\n`);
  const script = "cat .qwen/settings.json ../../.qwen/settings.json";
  expect((await runAs("qwen", script, [], {}, "deep/er")).stdout).toBe("{}\n{}\n");
  expect(readFileSync(join(place.workspace, ".qwen/settings.json"), "utf8")).toBe(HOSTILE);
});

test("a profile that uses a repository's settings shows them as they are", async () => {
  const { stdout, stderr } = await runAs("qwen", "cat .qwen/settings.json", ["--profile", "observe"]);
  expect(stdout, stderr).toBe(HOSTILE);
});

test("a plan in words says what is laid, what is covered, and who holds what", async () => {
  const { stdout } = await runAs("qwen", "true", ["--explain"]);
  expect(stdout).toContain("settings /etc/qwen-code/settings.json: as the policy says, read only");
  expect(stdout).toContain(
    `cover ${join(place.workspace, ".qwen/settings.json")}: the policy ignores a repository's settings`,
  );
  expect(stdout).toMatch(/^its own settings: qwen >= 0\.24\.0$/m);
  expect(stdout).toMatch(/^repository settings +none +sandbox and gateway/m);
});
