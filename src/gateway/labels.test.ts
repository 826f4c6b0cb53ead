// What an organisation labels itself is recognised on its way out, and policy decides: paths, words, canaries, code by its
// fingerprints; and what it has found to be no secret passes, for a time.
import { createHmac } from "node:crypto";
import { afterEach, describe, expect, it } from "vitest";
import { buildCodeIndex, createInspector, openCodeIndex, type PathLabel } from "../inspect/index.ts";
import { isHidden } from "../policy/index.ts";
import { policyOf, type Rig, startDestination, startRig, Wire } from "./rig.testkit.ts";

const KEY = Buffer.alloc(32, 7);
const TOKEN = `ghp_${"aB3dE5gH".repeat(5)}`;
const RESTRICTED = `  rules:
    - id: restricted-stays
      title: Restricted content stays here
      because: Somebody labelled it
      when: { data: [restricted, canary, secret] }
      then: deny
`;
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

interface Place {
  readonly rig: Rig;
  /** The first line of the answer to a body. */
  post(messages: readonly object[]): Promise<string>;
  readonly received: readonly Buffer[];
}

async function place(options: Parameters<typeof startRig>[0], rules = RESTRICTED): Promise<Place> {
  const server = await startDestination((socket, _chunk, sofar) => {
    const end = sofar.indexOf("\r\n\r\n") + 4;
    const length = Number(/content-length: (\d+)/i.exec(sofar.toString("latin1"))?.[1] ?? 0);
    if (end > 3 && sofar.length === end + length)
      socket.end("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
  });
  closing.push(() => server.close());
  const rig = await startRig({ policy: policyOf({ ports: [server.port], rules }), ...options });
  closing.push(() => rig.close());
  return {
    rig,
    received: server.received,
    post: async (messages) => {
      const wire = await Wire.tunnel(rig.socketPath, `api.anthropic.com:${server.port}`);
      const body = JSON.stringify({ model: "m", max_tokens: 5, messages });
      wire.write(
        `POST /v1/messages HTTP/1.1\r\nHost: api.anthropic.com:${server.port}\r\ncontent-type: application/json\r\nConnection: close\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      );
      const answer = await wire.all();
      return answer.slice(9, 12);
    },
  };
}

const user = (text: string): object => ({ role: "user", content: text });
const read = (id: string, path: string, text: string): object[] => [
  { role: "assistant", content: [{ type: "tool_use", id, name: "Read", input: { file_path: path } }] },
  { role: "user", content: [{ type: "tool_result", tool_use_id: id, content: text }] },
];
const run = (id: string, command: string, text: string): object[] => [
  { role: "assistant", content: [{ type: "tool_use", id, name: "Bash", input: { command } }] },
  { role: "user", content: [{ type: "tool_result", tool_use_id: id, content: text }] },
];
const pathLabel = (glob: string): PathLabel => ({
  glob,
  class: "restricted",
  covers: (path) => isHidden([glob], path),
});

describe("labels", () => {
  it("a file under a labelled path is refused in every turn, by whatever tool it was read; others pass", async () => {
    const inspector = createInspector({ key: KEY, paths: [pathLabel("design/**")] });
    const { rig, post, received } = await place({ inspector });
    expect(await post([user("go"), ...read("a", "/work/src/plain.ts", "some words")])).toBe("200");
    const told = received.length;
    const secret = [user("go"), ...read("b", "/work/design/plan.md", "some words")];
    expect(await post(secret)).toBe("403");
    expect(await post([...secret, user("go on")])).toBe("403");
    expect(await post([user("go"), ...run("c", "sed -n '1,9p' design/plan.md | tail", "some words")])).toBe(
      "403",
    );
    expect(received.length).toBe(told);
    expect(rig.of("exchange.judged").at(-1)).toMatchObject({
      verdict: "deny",
      findings: [{ class: "restricted", detector: "path:design/**", count: 1 }],
    });
  });

  it("twenty lines of restricted code are recognised, re-indented and quoted; so is a canary; policy decides", async () => {
    const lines = Array.from(
      { length: 60 },
      (_, i) =>
        `  const total${i} = ledger.entriesOf(account${i}).reduce((sum, entry) => sum + entry.amount${i}, ${i * 17});`,
    );
    const index = buildCodeIndex(createHmac("sha256", KEY).digest());
    index.add("restricted/payments", lines.join("\n"));
    const inspector = createInspector({
      key: KEY,
      code: [openCodeIndex(createHmac("sha256", KEY).digest(), index.encode())],
      terms: [{ id: "planted", text: "zq-canary-7781-marble", class: "canary" }],
    });
    const { rig, post } = await place({ inspector });
    const paste = lines
      .slice(20, 40)
      .map((line, i) => `> ${i + 1}:\t\t${line.trim()}`)
      .join("\n");
    expect(await post([user(`what does this do?\n${paste}`)])).toBe("403");
    expect(await post([user(lines[3] ?? "")])).toBe("200");
    expect(await post([user("see zq-canary-7781-marble there")])).toBe("403");
    expect(rig.of("exchange.judged").map(({ findings }) => findings.map(({ detector }) => detector))).toEqual(
      [["code:payments"], [], ["term:planted"]],
    );
  });

  it("a false positive that the policy waives passes until its day, and is told of; then it counts again", async () => {
    const inspector = createInspector({ key: KEY });
    const [finding] = inspector.inspect([{ text: TOKEN, isNew: true, role: "user" }]).findings;
    const waivers = `inspect:
  waivers: [{ hash: ${finding?.hash}, because: a sample in the manual, until: 2027-01-02 }]
`;
    let now = Date.parse("2027-01-01T12:00:00Z");
    const { rig, post } = await place({ inspector, now: () => now }, RESTRICTED + waivers);
    const told = [user(`see ${TOKEN}`)];
    expect(await post(told)).toBe("200");
    expect(rig.of("exchange.judged")[0]).toMatchObject({
      verdict: "allow",
      findings: [],
      waived: [{ class: "secret", detector: finding?.detector, count: 1 }],
    });
    now += 86_400_000;
    expect(await post([...told, user("more")])).toBe("403");
  });
});

describe("low and slow", () => {
  it("a value that leaves a few characters at a time is noticed by how much goes there, also when it is masked", async () => {
    const rules = `${RESTRICTED.replace("[restricted, canary, secret]", "[volume]")}    - id: masked
      title: Secrets are masked
      because: A leaked key is a lost key
      when: { data: [secret] }
      then: redact
`;
    const { rig, post } = await place({ label: () => LABELS }, rules);
    const pieces = Array.from({ length: 40 }, (_, i) =>
      createHmac("sha256", KEY).update(String(i)).digest("base64url").repeat(32),
    );
    const answers: string[] = [];
    for (const piece of pieces) answers.push(await post([user(`note ${piece}`)]));
    const first = answers.indexOf("403");
    expect(first).toBeGreaterThan(20);
    expect(answers.slice(first).every((answer) => answer === "403")).toBe(true);
    expect(rig.of("exchange.judged").at(-1)?.findings).toEqual([
      { class: "volume", detector: "volume:bits", count: 1 },
    ]);
    // What was refused has not left: a little more may.
    expect(await post([user("and a word")])).toBe("200");
    expect(await post([user(`and ${TOKEN} with ${pieces.join("")}`)])).toBe("403");
  });
});

const LABELS = {
  ...{ destination: null, channel: "other", serverIn: "unknown", operatorLaw: "unknown" },
  ...{ trains: "unknown", dpa: "unknown" },
};
