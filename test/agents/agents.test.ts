// The six real agents, each at its pinned version from npm, do a real task inside the sandbox against the scripted
// model. They are fetched into Sallyport's own folder when missing; if that fails, the tests fail.
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ScriptedModel, startScriptedModel } from "../../src/lab/index.ts";
import { AGENTS } from "../../src/register/index.ts";
import type { Declaration } from "../../src/report/index.ts";
import { type Finished, Place } from "../harness.ts";

/** The text in a client's WebSocket frames, which travel masked (RFC 6455, 5.3). */
function unmasked(frames: Buffer): string {
  const out: Buffer[] = [];
  for (let at = 0; at + 6 <= frames.length; ) {
    let length = (frames[at + 1] ?? 0) & 0x7f;
    let head = 2;
    if (length === 126) [length, head] = [frames.readUInt16BE(at + 2), 4];
    else if (length === 127) [length, head] = [Number(frames.readBigUInt64BE(at + 2)), 10];
    const mask = frames.subarray(at + head, at + head + 4);
    const payload = Buffer.from(frames.subarray(at + head + 4, at + head + 4 + length));
    for (let i = 0; i < payload.length; i += 1) payload[i] = (payload[i] ?? 0) ^ (mask[i % 4] ?? 0);
    out.push(payload);
    at += head + 4 + length;
  }
  return Buffer.concat(out).toString("utf8");
}

const PROMPT = "Read README.md, then run the shell command: echo hi > out.txt";

describe.each(AGENTS)("$title $tested", (kind) => {
  let place: Place;
  let model: ScriptedModel;
  beforeAll(async () => {
    place = new Place({
      "README.md": "# Sample\n\nREADME-MARKER-42\n",
      ".env": "TOKEN=not-a-real-token-ENV-MARKER\n",
    });
    const fetched = await place.run(["install", `${kind.name}@${kind.tested}`]);
    expect(fetched.code, fetched.stderr).toBe(0);
    model = await startScriptedModel({
      plan: {
        steps: [
          { kind: "read", path: "README.md" },
          { kind: "shell", command: "echo hi > out.txt" },
        ],
        final: "Done: README read, out.txt written.",
      },
      cwd: place.workspace,
    });
  });
  afterAll(async () => {
    await model?.close();
    await place?.close();
  });

  const runIt = (door: "tls" | "base"): Promise<Finished> =>
    place.run([
      ...["run", "--json", "--door", door, "--upstream", model.url, `${kind.name}@${kind.tested}`],
      ...kind.headless(PROMPT),
    ]);

  test.each(["tls", "base"] as const)(
    "reads a file, writes one by a command, answers (%s door)",
    async (door) => {
      const { code, stdout, stderr } = await runIt(door);
      expect(code, stdout + stderr).toBe(0);
      expect(readFileSync(join(place.workspace, "out.txt"), "utf8")).toBe("hi\n");
      expect(stdout + stderr).toContain("README read, out.txt written");
      const declared = JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Declaration;
      expect(declared).toMatchObject({
        ended: "exited",
        exitCode: 0,
        sandbox: "bubblewrap",
        notUnderstoodBytes: 0,
      });
      expect(declared.agent).toMatchObject({ name: kind.name, version: kind.tested });
      // Codex has no tool that reads a file: it runs `cat`, so what it read is a command's output.
      if (kind.name !== "codex") expect(declared.files).toContain("README.md");
      expect(declared.commandOutputs).toBeGreaterThan(kind.name === "codex" ? 1 : 0);
      // The file is the doing of the call that asked for the command, however the agent runs it.
      const writing = declared.inside?.calls.filter(({ changed }) => changed.includes("out.txt")) ?? [];
      expect(writing, JSON.stringify(declared.inside)).toHaveLength(1);
      // What agents themselves send (instructions, tool definitions, ids) is no secret: a finding here is a false one.
      expect(declared.findings.filter((finding) => finding.class === "secret")).toEqual([]);
      expect(declared.redacted).toEqual([]);
      // Everything that left went to the stand-in, as model requests; nothing else was let through.
      expect(declared.sent.map((row) => row.sentTo)).toEqual(declared.sent.map(() => model.url));
      expect(declared.sent.reduce((sum, row) => sum + row.requests, 0)).toBeGreaterThanOrEqual(3);
      expect((await place.run(["verify"])).code).toBe(0);
    },
  );

  if (kind.name === "codex")
    test("its commands run without its bypass flag, though its own sandbox cannot nest in ours", async () => {
      rmSync(join(place.workspace, "out.txt"), { force: true });
      const agent = `${kind.name}@${kind.tested}`;
      const done = await place.run([
        ...["run", "--upstream", model.url, agent],
        ...["exec", "--skip-git-repo-check", PROMPT],
      ]);
      expect(done.code, done.stderr).toBe(0);
      expect(readFileSync(join(place.workspace, "out.txt"), "utf8")).toBe("hi\n");
    });

  test("the person's key is not in the sandbox: not in the agent's environment, not in what it sends", async () => {
    const key = "sk-ant-api03-of-the-person-not-a-real-key-0123456789";
    const seen: string[] = [];
    const watching = await startScriptedModel({
      plan: {
        steps: [{ kind: "shell", command: "env > env.txt" }],
        final: "done",
      },
      cwd: place.workspace,
      onRequest: ({ headers, body }) =>
        seen.push(JSON.stringify(headers), Buffer.from(body).toString("utf8")),
    });
    const keys = Object.fromEntries(Object.keys(kind.keyHosts).map((name) => [name, key]));
    // Copilot takes a provider's key only beside the provider's address and a model.
    const { COPILOT_PROVIDER_BASE_URL, COPILOT_MODEL, OPENAI_BASE_URL, OPENAI_MODEL } =
      kind.standInEnvironment;
    const others = { COPILOT_PROVIDER_BASE_URL, COPILOT_MODEL, OPENAI_BASE_URL, OPENAI_MODEL };
    const given = Object.fromEntries(
      Object.entries(others).filter(([, value]) => value !== undefined),
    ) as Record<string, string>;
    if (kind.name === "copilot")
      for (const name of ["COPILOT_GITHUB_TOKEN", "GH_TOKEN", "GITHUB_TOKEN"]) delete keys[name];
    const done = await place.run(
      ["run", "--upstream", watching.url, `${kind.name}@${kind.tested}`, ...kind.headless(PROMPT)],
      { ...keys, ...given },
    );
    await watching.close();
    expect(done.code, done.stdout + done.stderr).toBe(0);
    const environment = readFileSync(join(place.workspace, "env.txt"), "utf8");
    expect(environment).toContain("HTTPS_PROXY=");
    expect(environment).not.toContain("of-the-person");
    expect(seen.join("\n")).not.toContain("of-the-person");
    expect(seen.join("\n"), "the stand-in for the key went to the stand-in server").toContain("sallyport0");
  });

  test("nothing of the hidden .env is in any recorded request", async () => {
    const { stdout } = await place.run(["log", "--events", "--json"]);
    const events = stdout
      .trim()
      .split("\n")
      .map(
        (line) =>
          JSON.parse(line) as {
            event: { kind: string; session: string; evidence?: { id: string; role: string }[] };
          },
      );
    const bodies = events.flatMap(({ event }) =>
      event.kind === "exchange.judged"
        ? (event.evidence ?? []).map((ref) => ({ ...ref, session: event.session }))
        : [],
    );
    expect(bodies.length).toBeGreaterThan(0);
    let sawReadme = false;
    for (const { id, role, session } of bodies) {
      const shown = await place.run(["show", session, "--evidence", id, "--reason", "test of hidden files"]);
      expect(shown.code, shown.stderr).toBe(0);
      const text = role === "frames" ? unmasked(shown.bytes) : shown.stdout;
      expect(text).not.toContain("ENV-MARKER");
      sawReadme ||= text.includes("README-MARKER-42");
    }
    expect(sawReadme, "the evidence holds what was really sent").toBe(true);
    expect(existsSync(join(place.workspace, ".env"))).toBe(true);
  });
});
