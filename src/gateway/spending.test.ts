// A budget is what leaves, counted before it leaves: not one too many, also of two at once, and not again after a restart.
import { afterEach, expect, it, test } from "vitest";
import { asSessionId, type LedgerEvent, type SessionId } from "../core/index.ts";
import { policyOf, type Rig, startDestination, startRig, Wire } from "./rig.testkit.ts";
import type { EarlierToday } from "./spending.ts";

const closing: (() => Promise<void>)[] = [];
const keep = <T extends { close(): Promise<void> }>(thing: T): T => {
  closing.push(() => thing.close());
  return thing;
};
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const ANSWER = '{"type":"message","content":[],"usage":{"input_tokens":3,"output_tokens":40}}';
const REPLY = `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${ANSWER.length}\r\n\r\n${ANSWER}`;

async function place(
  budgets: string,
  earlierToday?: EarlierToday,
): Promise<{
  rig: Rig;
  ask: (size?: number) => Promise<string>;
}> {
  const server = keep(
    await startDestination((socket, _chunk, sofar) => {
      const end = sofar.indexOf("\r\n\r\n");
      const length = Number(/content-length: (\d+)/i.exec(sofar.toString("latin1"))?.[1] ?? 0);
      if (end >= 0 && sofar.length >= end + 4 + length) socket.write(REPLY);
    }),
  );
  const rig = keep(
    await startRig({
      policy: policyOf({
        ports: [server.port],
        more: `budgets: { because: { en: A loop costs money, zh-CN: 循环会产生费用 }, ${budgets} }`,
      }),
      principal: "local:1000",
      ...(earlierToday === undefined ? {} : { earlierToday }),
    }),
  );
  const authority = `api.anthropic.com:${server.port}`;
  return {
    rig,
    ask: async (size = 10) => {
      const wire = await Wire.tunnel(rig.socketPath, authority);
      const body = JSON.stringify({ model: "m", messages: [{ role: "user", content: "x".repeat(size) }] });
      wire.write(
        `POST /v1/messages HTTP/1.1\r\nHost: ${authority}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      );
      return wire.until("}}");
    },
  };
}

it("the request that would be one too many is refused, with the reason, the owner, what is left and when there is more", async () => {
  const { rig, ask } = await place("requests: 1");
  expect(await ask()).toContain("200 OK");
  const refused = await ask();
  expect(refused).toMatch(/^HTTP\/1\.1 403 [\s\S]*permission_error/);
  expect(refused).toContain(
    "A session has at most 1 requests (rule test/budgets.requests): A loop costs money; owner The tester. 1 used, 0 left; a new session starts again [gateway.over-budget]",
  );
  expect(rig.of("exchange.judged").at(-1)).toMatchObject({
    verdict: "deny",
    rules: expect.arrayContaining(["budgets.requests", "gateway.over-budget"]),
  });
});

it("of many at once no more leave than there are left", async () => {
  const { ask } = await place("requests: 3");
  const answers = await Promise.all(Array.from({ length: 8 }, () => ask()));
  expect(answers.filter((answer) => answer.includes("200 OK"))).toHaveLength(3);
});

test.each([
  ["bytes", "bytesOut: 200", 500, 0],
  ["tokens stop the exchange after the one that went over", "outputTokens: 30", 10, 1],
])("%s", async (_, budgets, size, allowed) => {
  const { rig, ask } = await place(budgets);
  for (let i = 0; i < allowed; i++) {
    expect(await ask(size)).toContain("200 OK");
    await rig.seen("exchange.answered", i + 1);
  }
  expect(await ask(size)).toContain("gateway.over-budget");
});

it("minutes are those since the session began", async () => {
  const { rig, ask } = await place("minutes: 5");
  expect(await ask()).toContain("200 OK");
  rig.pass(5 * 60_000 + 1);
  expect(await ask()).toContain("gateway.over-budget");
});

const OTHER = asSessionId("89abcdef") as SessionId;
const judged = (verdict: "allow" | "deny"): LedgerEvent =>
  ({
    v: 1,
    at: Date.now(),
    kind: "exchange.judged",
    session: OTHER,
    verdict,
    requestBytes: 100,
  }) as unknown as LedgerEvent;

it("a person's day holds over sessions and restarts: what left before counts, what was denied does not", async () => {
  const earlier: EarlierToday = async () => [
    { principal: "local:1000", event: judged("allow") },
    { principal: "local:1000", event: judged("deny") },
    { principal: "local:1001", event: judged("allow") },
  ];
  const { ask } = await place("day: { requests: 2 }", earlier);
  expect(await ask()).toContain("200 OK");
  expect(await ask()).toMatch(
    /A person's day has at most 2 requests .* 2 used, 0 left; it starts again at \d{4}-/,
  );
});

it("a day that cannot be read lets nothing leave, and is tried again", async () => {
  let broken = true;
  const { ask } = await place("day: { requests: 9 }", async () => {
    if (broken) throw new Error("the disk is away");
    return [];
  });
  expect(await ask()).toContain("internal.bug");
  broken = false;
  expect(await ask()).toContain("200 OK");
});
