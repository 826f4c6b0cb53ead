/** What an administrator lays in /etc/sallyport/register goes before a person's own list and cannot be taken back by them. */
import { spawnSync } from "node:child_process";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { hashFile } from "../../src/cli/prepare.ts";
import { hashBuild, publicText, putStatement } from "../../src/register/index.ts";
import { Place, SALLYPORT } from "../harness.ts";

let place: Place;
/** What stands at /etc/sallyport for the command. */
let etc: string;
const ada = generateKeyPairSync("ed25519").privateKey;
const ben = generateKeyPairSync("ed25519").privateKey;

beforeEach(() => {
  place = new Place();
  etc = mkdtempSync(join(tmpdir(), "sp-etc-"));
  const home = join(place.folder, "lib/node_modules/@qwen-code/qwen-code");
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, "package.json"), '{"name":"@qwen-code/qwen-code","version":"7.7.7"}');
  writeFileSync(program(), "#!/bin/sh\necho started\n");
  chmodSync(program(), 0o755);
  mkdirSync(join(etc, "register"), { recursive: true });
  writeFileSync(
    join(etc, "register/approvers.yaml"),
    `version: 1\nrequired: 2\napprovers:\n- { name: ada, key: "${publicText(ada)}" }\n- { name: ben, key: "${publicText(ben)}" }\n`,
  );
});
afterEach(async () => {
  sallyport("down", "--force");
  await place.close();
  rmSync(etc, { recursive: true, force: true });
});

const program = (): string => join(place.folder, "lib/node_modules/@qwen-code/qwen-code/qwen");

/** The command, on a machine whose /etc/sallyport is `etc`: a view of its own, the machine's /etc stays as it is. */
function sallyport(...args: string[]): {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
} {
  const entries = readdirSync("/etc").filter((name) => name !== "sallyport");
  const view = [
    ...["--dev-bind", "/", "/", "--tmpfs", "/etc"],
    ...entries.flatMap((name) => ["--ro-bind-try", `/etc/${name}`, `/etc/${name}`]),
    ...["--ro-bind", etc, "/etc/sallyport"],
  ];
  const { PATH = "", HOME = "" } = process.env;
  const done = spawnSync("bwrap", [...view, "--", SALLYPORT, ...args], {
    cwd: place.workspace,
    encoding: "utf8",
    env: { PATH: `${join(program(), "..")}:${PATH}`, HOME, SALLYPORT_HOME: place.state },
  });
  return { code: done.status, stdout: done.stdout, stderr: done.stderr };
}

async function say(action: "approve" | "revoke", by: string, key: KeyObject, reason: string): Promise<void> {
  const { hash, executable, files } = await hashBuild(program(), hashFile);
  const subject = {
    ...{ kind: "build" as const, agent: "qwen", version: "7.7.7", native: true },
    ...{ platform: `${process.platform}-${process.arch}`, hash, files, executable },
  };
  const where = { system: "/nonexistent", own: join(etc, "register"), keyFile: "", principal: by };
  await putStatement(
    where,
    {
      ...{ type: "sallyport/register/v1", action, subject, by, reason },
      at: Date.now(),
      expires: null,
      evidence: {},
    },
    key,
  );
}

describe("the administrator's register", () => {
  it("says how many must agree: one of two is not enough, both are", async () => {
    await say("approve", "ada", ada, "read its report");
    expect(sallyport("register", "list", "builds").stdout).toContain("1 more must agree");
    await say("approve", "ben", ben, "read it too");
    const listed = sallyport("register", "list", "builds");
    expect(listed.stdout, listed.stderr).toMatch(/qwen@7\.7\.7 .*approved by ada, ben/);
    expect(sallyport("run", "-q", "qwen")).toMatchObject({ code: 0, stdout: "started\n" });
  });

  it("stops what one of them revokes, whatever the person's own list says, and their word counts for nothing", async () => {
    const own = sallyport("register", "key").stdout.trim();
    mkdirSync(join(place.state, "config/register"), { recursive: true });
    writeFileSync(
      join(place.state, "config/register/approvers.yaml"),
      `version: 1\nrequired: 1\napprovers: [{ name: me, key: "${own}" }]\n`,
    );
    const approved = sallyport("register", "approve", "qwen", "--reason", "I like it");
    expect(approved.code).toBe(4);
    expect(approved.stderr).toContain("the list of approvers does not name you");
    await say("revoke", "ada", ada, "it phones home");
    const ran = sallyport("run", "-q", "--profile", "observe", "qwen");
    expect(ran).toMatchObject({ code: 4, stdout: "" });
    expect(ran.stderr).toContain("it phones home");
  });

  it("with a list that cannot be read starts nothing, and names the file", () => {
    writeFileSync(join(etc, "register/approvers.yaml"), "version: 1\napprovers: []\n");
    const ran = sallyport("run", "-q", "qwen");
    expect(ran.code).not.toBe(0);
    expect(ran.stdout).toBe("");
    expect(ran.stderr).toContain("/etc/sallyport/register/approvers.yaml");
  });
});
