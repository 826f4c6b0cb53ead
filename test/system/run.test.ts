// `sallyport run` as a person meets it: exit codes, refusals, bad input, two at once, a killed station, a full disk.
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, test } from "vitest";
import { type ScriptedModel, startScriptedModel } from "../../src/lab/index.ts";
import type { Declaration } from "../../src/report/index.ts";
import { Place, ROOT } from "../harness.ts";

const AGENT = join(ROOT, "test/fixtures/tiny-agent/agent.js");
const BODY = JSON.stringify({
  model: "claude-sonnet-4-5",
  max_tokens: 50,
  stream: true,
  messages: [{ role: "user", content: "hello" }],
});
const MESSAGES = "https://api.anthropic.com/v1/messages";

/** The tiny agent lies in the workspace: programs run by path must be somewhere the sandbox shows. */
function withAgent(): Place {
  const place = new Place({ "README.md": "# Sample\n", "agent.js": readFileSync(AGENT, "utf8") });
  chmodSync(join(place.workspace, "agent.js"), 0o755);
  return place;
}

const declarationOf = (stdout: string): Declaration =>
  JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Declaration;

describe("what comes back", () => {
  let place: Place;
  beforeAll(() => {
    place = withAgent();
  });
  afterAll(() => place.close());

  test.each([
    [["run", "--", "true"], 0],
    [["run", "--", "sh", "-c", "exit 7"], 7],
    [["run", "--", "sh", "-c", "kill -TERM $$"], 143],
  ])("%j gives the program's own exit code %i", async (args, code) => {
    expect((await place.run(args)).code).toBe(code);
  });

  it("keeps the program's stdout clean: the declaration is on stderr", async () => {
    const { stdout, stderr } = await place.run(["run", "--", "echo", "just this"]);
    expect(stdout).toBe("just this\n");
    expect(stderr).toContain("nothing left this machine");
  });

  it("passes the program's own flags through, also those that look like ours", async () => {
    expect((await place.run(["run", "-q", "echo", "--json", "--help", "-p"])).stdout).toBe(
      "--json --help -p\n",
    );
  });

  test.each<[string, string[], number, RegExp]>([
    ["an unknown agent", ["run", "no-such-agent"], 2, /no such agent[\s\S]*claude, codex/],
    [
      "an agent that is not installed",
      ["run", "claude@0.0.1"],
      6,
      /not installed[\s\S]*sallyport install claude@0\.0\.1/,
    ],
    ["no agent at all", ["run"], 2, /needs an agent/],
    ["an unknown flag", ["run", "--nope", "claude"], 2, /--nope/],
    ["an unknown command", ["frobnicate"], 2, /unknown command `frobnicate`/],
    ["an unknown profile", ["run", "-p", "nobody", "true"], 2, /no such profile: `nobody`/],
    [
      "a profile that is not there",
      ["run", "-p", "./nobody.yaml", "true"],
      2,
      /cannot be read[\s\S]*nobody\.yaml/,
    ],
    ["an upstream with a path", ["run", "--upstream", "http://127.0.0.1:1/v1", "true"], 2, /not an origin/],
    ["a door that is none", ["run", "--door", "window", "true"], 2, /unknown door/],
    [
      "the base-URL door of a program that has none",
      ["run", "--door", "base", "true"],
      2,
      /no base-URL setting/,
    ],
    ["an unknown session", ["show", "00000000"], 2, /no such session/],
    ["something that is no session", ["show", "../../etc"], 2, /8 hexadecimal digits/],
  ])("%s: a clear refusal that says what to do", async (_name, args, code, words) => {
    const done = await place.run(args);
    expect(done.code, done.stderr).toBe(code);
    expect(done.stderr).toMatch(words);
    expect(done.stderr).toMatch(/to do {3}\S/);
    expect(done.stderr).not.toMatch(/\n\s+at .*\.ts:\d+/);
  });

  it("a contradictory profile is refused with its line and column", async () => {
    writeFileSync(
      join(place.workspace, "mine.yaml"),
      "apiVersion: sallyport/v1\nkind: Profile\nmetadata: { name: mine, version: 1, owner: me }\nnetwork:\n  default: deny\n  allow:\n    - { id: a, hosts: 5 }\n",
    );
    const done = await place.run(["run", "-p", "mine.yaml", "true"]);
    expect(done.code).toBe(2);
    expect(done.stderr).toMatch(/mine\.yaml:\d+:\d+/);
  });

  it("--explain prints the plan, starts nothing and shows no key", async () => {
    const key = { ANTHROPIC_API_KEY: "sk-ant-api03-not-a-real-key" };
    const before = (await place.run(["log", "--json"])).stdout;
    const done = await place.run(["run", "--explain", "claude@2.1.329"], key);
    const explained =
      done.code === 0 ? done.stdout : (await place.run(["run", "--explain", "true"], key)).stdout;
    expect(explained).toMatch(/workspace .*: read and write[\s\S]*network: none but 127\.0\.0\.1/);
    expect(explained).not.toContain("not-a-real-key");
    expect((await place.run(["log", "--json"])).stdout).toBe(before);
  });

  it("runs in the folder it was called from, and keeps the rest of the home out of sight", async () => {
    mkdirSync(join(place.workspace, ".git"), { recursive: true });
    writeFileSync(join(place.workspace, ".git/HEAD"), "ref: refs/heads/main\n");
    mkdirSync(join(place.workspace, "deep/er"), { recursive: true });
    const done = await place.run([
      "run",
      "-q",
      "--",
      "sh",
      "-c",
      "pwd; ls -a ~; cat ~/../../root/.bashrc /etc/shadow 2>&1",
    ]);
    expect(done.stdout.split("\n")[0]).toBe(place.workspace);
    expect(done.stdout).toMatch(/shadow: No such file|shadow: Permission denied/);
  });
});

describe("a session against a scripted model", () => {
  let place: Place;
  let model: ScriptedModel | null = null;
  beforeAll(() => {
    place = withAgent();
  });
  afterEach(async () => {
    await model?.close();
    model = null;
  });
  afterAll(() => place.close());

  it("what left is in the declaration, the log, the sealed evidence, and the ledger verifies", async () => {
    model = await startScriptedModel({ cwd: place.workspace });
    const done = await place.run(["run", "--json", "--upstream", model.url, "./agent.js", MESSAGES, BODY]);
    expect(done.stdout).toContain("status 200");
    const declared = declarationOf(done.stdout);
    expect(declared.sent).toEqual([
      expect.objectContaining({
        host: "api.anthropic.com",
        sentTo: model.url,
        requests: 1,
        requestBytes: Buffer.byteLength(BODY),
        models: ["claude-sonnet-4-5"],
      }),
    ]);
    expect(model.requests().length).toBe(1);
    const shown = await place.run(["show", declared.session, "--json"]);
    expect(JSON.parse(shown.stdout), "folding again from the ledger gives the same").toEqual(declared);
    const events = (await place.run(["show", declared.session, "--events", "--json"])).stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).event);
    // What programs do inside is recorded beside, in its own time (helper.test.ts).
    const kinds = events.map((event) => event.kind);
    expect(kinds).toContain("command.started");
    expect(kinds.filter((kind) => /^(?:session\.|exchange\.(?!traced))/.test(kind))).toEqual([
      "session.started",
      "exchange.judged",
      "exchange.answered",
      "session.ended",
    ]);
    const body = events[1].evidence.find((ref: { role: string }) => ref.role === "request-body");
    const seen = await place.run(["show", declared.session, "--evidence", body.id, "--reason", "audit"]);
    expect(seen.stdout).toBe(BODY);
    expect((await place.run(["show", declared.session, "--events"])).stdout).toContain("evidence.viewed");
    const verified = await place.run(["verify", "--json"]);
    expect(JSON.parse(verified.stdout)).toMatchObject({ ok: true, problems: [] });
  });

  it("evidence is not shown without a reason", async () => {
    const done = await place.run(["show", "00000000", "--evidence", "x"]);
    expect(done.code).toBe(2);
    expect(done.stderr).toContain("--reason");
  });

  it("a host that the profile does not allow is refused with words the agent can show, and recorded", async () => {
    const done = await place.run(["run", "--json", "./agent.js", "https://example.org/"]);
    expect(done.stdout).toMatch(/error|status 403/);
    expect(declarationOf(done.stdout).refused).toEqual([
      expect.objectContaining({ host: "example.org", count: 1 }),
    ]);
  });

  it("a station that was told to stop is gone, not idle, and writes nothing once `down` has come back", async () => {
    const done = await place.run(["run", "--json", "--", "sh", "-c", "echo changed > README.md"]);
    // The newest entry is not yet under a signed checkpoint: the ledger writes one as it closes.
    await place.run(["undo", declarationOf(done.stdout).session]);
    const written = (): readonly string[] =>
      readdirSync(place.folder, { recursive: true, encoding: "utf8" })
        .map((path) => `${path} ${lstatSync(join(place.folder, path)).mtimeMs}`)
        .toSorted();
    const { pid } = JSON.parse((await place.run(["down", "--json"])).stdout) as { pid: number };
    const then = written();
    const isGone = (): boolean => !existsSync(`/proc/${pid}`);
    const end = performance.now() + 10_000;
    while (!isGone() && performance.now() < end) await new Promise((resolve) => setImmediate(resolve));
    expect(isGone()).toBe(true);
    expect(written()).toEqual(then);
  });

  it("two runs at once share one station and one ledger", async () => {
    model = await startScriptedModel({ cwd: place.workspace });
    await place.run(["down"]);
    const [a, b] = await Promise.all(
      [1, 2].map(() =>
        place.run(["run", "--json", "--upstream", model?.url ?? "", "./agent.js", MESSAGES, BODY]),
      ),
    );
    for (const done of [a, b]) {
      expect(done?.code, done?.stderr).toBe(0);
      expect(declarationOf(done?.stdout ?? "").sent[0]?.requests).toBe(1);
    }
    expect((await place.run(["verify"])).code).toBe(0);
  });

  test.each(["drop", "reset", "invalid-sse", "invalid-json", "529"] as const)(
    "a model that answers with %s: the agent hears of it, the record says it",
    async (fault) => {
      model = await startScriptedModel({ cwd: place.workspace, fault });
      const done = await place.run(["run", "--json", "--upstream", model.url, "./agent.js", MESSAGES, BODY]);
      const declared = declarationOf(done.stdout);
      expect(declared.sent[0]?.requests).toBe(1);
      const kinds = (await place.run(["show", declared.session, "--events", "--json"])).stdout;
      expect(kinds).toMatch(/exchange\.(answered|failed)/);
    },
  );

  it("a request body that is not JSON is sent as it is and counted as not understood", async () => {
    model = await startScriptedModel({ cwd: place.workspace });
    const done = await place.run([
      "run",
      "--json",
      "--upstream",
      model.url,
      "./agent.js",
      MESSAGES,
      '{"model": oops',
    ]);
    const declared = declarationOf(done.stdout);
    expect(declared.notUnderstoodBytes).toBe('{"model": oops'.length);
    expect(model.requests()[0]?.bytes).toBe('{"model": oops'.length);
  });

  it("a header far beyond every limit is refused, not passed on", async () => {
    model = await startScriptedModel({ cwd: place.workspace });
    const done = await place.run([
      "run",
      "--json",
      "--upstream",
      model.url,
      "./agent.js",
      MESSAGES,
      BODY,
      `x-huge: ${"a".repeat(100_000)}`,
    ]);
    expect(done.stdout).toMatch(/status 4\d\d|error/);
    expect(model.requests().length).toBe(0);
  });
});

it("the station tells its own measure on a port of its own, and only when asked to", async () => {
  const place = withAgent();
  try {
    const port = await new Promise<number>((resolve) => {
      const probe = net.createServer().listen(0, "127.0.0.1", () => {
        const at = probe.address();
        probe.close(() => resolve(typeof at === "object" && at !== null ? at.port : 0));
      });
    });
    await place.run(["up"], { SALLYPORT_METRICS_PORT: String(port) });
    const told = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    expect(told).toMatch(/^sallyport_/m);
    expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200);
  } finally {
    await place.close();
  }
});

describe("the station dies", () => {
  it("kill -9 in the middle of a streamed answer: the session stops, nothing acknowledged is lost, the next run starts clean", async () => {
    const place = withAgent();
    const model = await startScriptedModel({ cwd: place.workspace, fault: "stall" });
    try {
      const running = place.start(["run", "--upstream", model.url, "./agent.js", MESSAGES, BODY]);
      await running.until("stdout", "message_start");
      const status = JSON.parse((await place.run(["status", "--json"])).stdout) as {
        pid: number;
        sessions: { session: string }[];
      };
      process.kill(status.pid, "SIGKILL");
      const done = await running.finished;
      expect(done.code).toBe(125);
      expect(done.stderr).toContain("the station stopped");
      const session = status.sessions[0]?.session ?? "";
      const next = await place.run(["run", "--", "true"]);
      expect(next.code, next.stderr).toBe(0);
      const shown = JSON.parse((await place.run(["show", session, "--json"])).stdout) as Declaration;
      expect(shown).toMatchObject({
        ended: "station-lost",
        sent: [{ requests: 1, requestBytes: Buffer.byteLength(BODY) }],
      });
      expect((await place.run(["verify"])).code).toBe(0);
    } finally {
      await model.close();
      await place.close();
    }
  });

  it("kill -9 of the client: everything inside dies with it, and the ledger says client-lost", async () => {
    const place = withAgent();
    try {
      const running = place.start([
        "run",
        "--",
        "sh",
        "-c",
        "echo up; setsid sh -c 'echo $$ > pid; exec sleep 1000'",
      ]);
      await running.until("stdout", "up");
      const status = JSON.parse((await place.run(["status", "--json"])).stdout) as {
        sessions: { session: string }[];
      };
      running.child.kill("SIGKILL");
      await running.finished; // stdout closes when the last process inside has gone
      let ended: Declaration["ended"] = null;
      while (ended === null)
        ended = (
          JSON.parse(
            (await place.run(["show", status.sessions[0]?.session ?? "", "--json"])).stdout,
          ) as Declaration
        ).ended;
      expect(ended).toBe("client-lost");
      expect((await place.run(["verify"])).code).toBe(0);
    } finally {
      await place.close();
    }
  });

  it("a socket without a station behind it does not hinder the next run", async () => {
    const place = withAgent();
    const run = join(place.state, "run");
    mkdirSync(run, { recursive: true });
    const stale = net.createServer();
    await new Promise<void>((resolve) => stale.listen(join(run, "station.sock"), resolve));
    // Node removes the file when a server closes; a killed one leaves it, which a hard link keeps for us.
    spawnSync("ln", [join(run, "station.sock"), join(run, "kept")]);
    await new Promise((resolve) => stale.close(resolve));
    spawnSync("mv", [join(run, "kept"), join(run, "station.sock")]);
    expect(existsSync(join(run, "station.sock"))).toBe(true);
    const done = await place.run(["run", "--", "true"]);
    expect(done.code, done.stderr).toBe(0);
    await place.close();
  });
});

it("a machine without bubblewrap: run refuses and says how to get it; only a profile that says dangerously goes on", async () => {
  const place = withAgent();
  try {
    // An empty folder mounted over the one place where the system's bubblewrap lies, in a mount namespace of our own.
    const hide = 'mount --bind /dev/null /usr/bin/bwrap && exec "$@"';
    const unshared = (args: string[]): ReturnType<typeof spawnSync> =>
      spawnSync("unshare", ["-Urm", "sh", "-c", hide, "sh", join(ROOT, "bin/sallyport"), ...args], {
        cwd: place.workspace,
        env: { ...process.env, SALLYPORT_HOME: place.state },
        encoding: "utf8",
        timeout: 50_000,
      });
    const refused = unshared(["run", "--", "true"]);
    expect(refused.status).not.toBe(0);
    expect(String(refused.stderr)).toMatch(/bubblewrap/);
    expect(String(refused.stderr)).toMatch(/install/);
    const weaker = unshared(["run", "--profile", "dangerously-unsandboxed", "--", "true"]);
    expect(weaker.status, String(weaker.stderr)).toBe(0);
    expect(String(weaker.stderr)).toMatch(/none: the profile says so/);
    unshared(["down", "--force"]);
  } finally {
    await place.close();
  }
});

it("a full disk: run refuses before anything leaves, and recovers when there is room", async () => {
  const place = withAgent();
  try {
    const script = `
      mkdir -p "$SALLYPORT_HOME" && mount -t tmpfs -o size=12m none "$SALLYPORT_HOME"
      ${join(ROOT, "bin/sallyport")} run -q -- true && echo first ok
      dd if=/dev/zero of="$SALLYPORT_HOME/filler" bs=1M 2>/dev/null
      dd if=/dev/zero of="$SALLYPORT_HOME/filler2" bs=1 2>/dev/null
      ${join(ROOT, "bin/sallyport")} run -q -- true 2>&1 || echo "refused $?"
      rm "$SALLYPORT_HOME"/filler*
      ${join(ROOT, "bin/sallyport")} run -q -- true && echo third ok
      ${join(ROOT, "bin/sallyport")} verify
      ${join(ROOT, "bin/sallyport")} down --force`;
    const done = spawnSync("unshare", ["-Urm", "sh", "-c", script], {
      cwd: place.workspace,
      env: { ...process.env, SALLYPORT_HOME: place.state },
      encoding: "utf8",
      timeout: 55_000,
    });
    expect(done.stdout, done.stderr).toContain("first ok");
    expect(done.stdout).toMatch(/refused [1-9]/);
    expect(done.stdout).toMatch(/state\.full|ledger\.full/);
    expect(done.stdout).toContain("third ok");
    expect(done.stdout).toContain("verified:");
  } finally {
    await place.close();
  }
});
