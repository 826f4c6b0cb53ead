// One person with the default profile: a key in a message never leaves, and is there again in what comes back.
import { chmodSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ScriptedModel, startScriptedModel } from "../../src/lab/index.ts";
import type { Declaration } from "../../src/report/index.ts";
import { Place, ROOT } from "../harness.ts";

/** Shaped like a key; it opens nothing. */
const KEY = `ghp_${"aB3dE5gH".repeat(5)}`;
const SHAPE = /ghp_[A-Za-z0-9]{40}/;
const MESSAGES = "https://api.anthropic.com/v1/messages";
const bodyOf = (stream: boolean): string =>
  JSON.stringify({
    model: "claude-sonnet-4-5",
    max_tokens: 50,
    stream,
    tools: [{ name: "nothing", input_schema: { type: "object", properties: {} } }],
    messages: [{ role: "user", content: `my token is ${KEY}` }],
  });

describe("a key in a message", () => {
  let place: Place;
  let model: ScriptedModel;
  const received: string[] = [];
  /** The model says what it saw. */
  const plan = {
    steps: [],
    get final(): string {
      return `I saw ${SHAPE.exec(received.at(-1) ?? "")?.[0]}.`;
    },
  };
  beforeAll(async () => {
    place = new Place({
      "agent.js": readFileSync(join(ROOT, "test/fixtures/tiny-agent/agent.js"), "utf8"),
    });
    chmodSync(join(place.workspace, "agent.js"), 0o755);
    model = await startScriptedModel({
      cwd: place.workspace,
      plan,
      onRequest: ({ body }) => void received.push(Buffer.from(body).toString()),
    });
  });
  afterAll(async () => {
    await model?.close();
    await place?.close();
  });

  it.each([true, false])(
    "reaches the model as a placeholder and the agent as itself (stream: %s)",
    async (stream) => {
      const args = ["run", "--json", "--upstream", model.url, "./agent.js", MESSAGES, bodyOf(stream)];
      const { stdout, stderr } = await place.run(args);
      const seen = received.at(-1) ?? "";
      const word = SHAPE.exec(seen)?.[0] ?? "";
      expect(word).not.toBe(KEY);
      expect(seen).toBe(bodyOf(stream).replace(KEY, word));
      const said = [...stdout.matchAll(/"text":"([^"]*)"/g)].map(([, text]) => text).join("");
      expect(said, stdout + stderr).toContain(`I saw ${KEY}.`);
      expect(stdout).not.toContain(word);
      const declared = JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Declaration;
      expect(declared.redacted).toEqual([{ class: "secret", count: 1 }]);
      const shown = await place.run(["show", declared.session]);
      expect(shown.stdout).toContain("kept in    1 secret replaced before sending, restored in replies");
      const events = await place.run(["show", declared.session, "--events", "--json"]);
      const refs = events.stdout
        .trim()
        .split("\n")
        .flatMap((line) => (JSON.parse(line).event.evidence ?? []) as readonly { id: string; role: string }[])
        // What a command was started with is kept as it was: here the key stands in the agent's own arguments.
        .filter(({ role }) => role !== "arguments");
      const kept = new Map<string, string>();
      for (const { id, role } of refs)
        kept.set(
          role,
          (await place.run(["show", declared.session, "--evidence", id, "--reason", "audit"])).stdout,
        );
      expect(kept.get("request-body")).toBe(seen);
      expect([...kept.values()].join()).not.toContain(KEY);
      expect(kept.size).toBe(4);
    },
  );
});

describe("what a placeholder stands for", () => {
  const agentPlace = (): Place => {
    const place = new Place({
      "agent.js": readFileSync(join(ROOT, "test/fixtures/tiny-agent/agent.js"), "utf8"),
    });
    chmodSync(join(place.workspace, "agent.js"), 0o755);
    return place;
  };
  const said = (stdout: string): string =>
    [...stdout.matchAll(/"text":"([^"]*)"/g)].map(([, text]) => text).join("");
  /** Files of the state folder that hold the text, as it is or in base64. */
  const filesWith = (place: Place, text: string): readonly string[] => {
    const forms = [
      text,
      Buffer.from(text).toString("base64").slice(0, -4),
      Buffer.from(text, "utf16le").toString("latin1"),
    ];
    return readdirSync(place.state, { recursive: true, encoding: "utf8" }).filter((name) => {
      const path = join(place.state, name);
      if (!statSync(path).isFile()) return false;
      const held = readFileSync(path, "latin1");
      return forms.some((form) => held.includes(form));
    });
  };

  it.each(["ended", "killed with its station"])(
    "is gone with a session that was %s: the next one hands the placeholder on, and no file holds the value",
    async (how) => {
      const place = agentPlace();
      const received: string[] = [];
      let word = "";
      const plan = {
        steps: [],
        get final(): string {
          word ||= SHAPE.exec(received.at(-1) ?? "")?.[0] ?? "";
          return `I saw ${word}.`;
        },
      };
      const onRequest = ({ body }: { readonly body: Uint8Array }): void =>
        void received.push(Buffer.from(body).toString());
      const model = await startScriptedModel({ cwd: place.workspace, plan, onRequest });
      const stalling = await startScriptedModel({ cwd: place.workspace, onRequest, fault: "stall" });
      try {
        const body = bodyOf(true);
        if (how === "ended") {
          const { stdout } = await place.run(["run", "--upstream", model.url, "./agent.js", MESSAGES, body]);
          expect(said(stdout)).toContain(`I saw ${KEY}.`);
        } else {
          const running = place.start(["run", "--upstream", stalling.url, "./agent.js", MESSAGES, body]);
          await running.until("stdout", "message_start");
          word = SHAPE.exec(received.at(-1) ?? "")?.[0] ?? "";
          const status = JSON.parse((await place.run(["status", "--json"])).stdout) as { pid: number };
          process.kill(status.pid, "SIGKILL");
          await running.finished;
        }
        expect(word).toMatch(SHAPE);
        expect(word).not.toBe(KEY);
        // The search finds what is there: an event is written in clear.
        expect(filesWith(place, "session.started")).not.toEqual([]);
        expect(filesWith(place, KEY)).toEqual([]);
        const next = await place.run([
          ...["run", "--upstream", model.url, "./agent.js", MESSAGES],
          bodyOf(true).replace(`my token is ${KEY}`, "say it again"),
        ]);
        expect(said(next.stdout), next.stderr).toContain(`I saw ${word}.`);
        expect(next.stdout).not.toContain(KEY);
      } finally {
        await stalling.close();
        await model.close();
        await place.close();
      }
    },
  );
});
