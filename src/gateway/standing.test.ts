// No request is judged by half a policy, whatever changes while requests are under way.
import fc from "fast-check";
import { afterEach, expect, it, test } from "vitest";
import type { Policy, study } from "../policy/index.ts";
import { policyOf, SESSION, startDestination, startRig, Wire } from "./rig.testkit.ts";
import { Rulebook } from "./standing.ts";

const closing: (() => Promise<void>)[] = [];
const keep = <T extends { close(): Promise<void> }>(thing: T): T => {
  closing.push(() => thing.close());
  return thing;
};
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Two rules that both speak about the request: a policy whose half decided would name one of them. */
const version = (name: string, port: number): Policy =>
  policyOf({
    ports: [port],
    rules: `  rules:
    - { id: ${name}-1, title: t, because: b, when: { channel: [llm] }, then: deny }
    - { id: ${name}-2, title: t, because: b, when: { data: [public] }, then: deny }
`,
  });

it("under load, with the policy changed between any two steps, each request is judged by one version, and the record says which", async () => {
  const server = keep(await startDestination(() => {}));
  const versions = ["a", "b"].map((name) => version(name, server.port));
  const [first] = versions;
  if (first === undefined) throw new Error("no version");
  const rig = keep(await startRig({ policy: first }));
  const authority = `api.anthropic.com:${server.port}`;
  const wires = await Promise.all(Array.from({ length: 8 }, () => Wire.tunnel(rig.socketPath, authority)));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(9), { minLength: 4, maxLength: 24 }), async (steps) => {
      const before = rig.of("exchange.judged").length;
      let sent = 0;
      for (const step of steps) {
        if (step > 7) rig.gateway.setPolicy(SESSION, versions[step - 8] ?? first);
        else {
          sent++;
          wires[step]?.write(
            `POST /v1/messages HTTP/1.1\r\nHost: ${authority}\r\ncontent-length: 2\r\n\r\n{}`,
          );
        }
        if (step % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      await rig.seen("exchange.judged", before + sent);
    }),
    { numRuns: 15 },
  );
  const judged = rig.of("exchange.judged");
  expect(judged.length).toBeGreaterThan(30);
  const seen = new Set(judged.map(({ rules, policy }) => `${rules.join(" ")} ${policy ?? first.sha256}`));
  expect([...seen].sort()).toEqual(
    versions.map(({ sha256 }, i) => (i === 0 ? `a-1 a-2 ${sha256}` : `b-1 b-2 ${sha256}`)).sort(),
  );
});

const ASKS = policyOf({
  rules:
    "  rules:\n    - { id: w, title: t, because: b, when: { data: [secret] }, then: deny, waivable: true }\n",
});
const waiver: study.Waiver = {
  id: "W",
  kind: "waiver",
  rule: "test/w",
  scope: { data: ["secret"] },
  reason: "r",
  requester: "ann",
  approver: "bob",
  grantedAt: 1_000,
  expiresAt: 2_000,
};

test.each([
  [999, true],
  [1_000, false],
  [1_999, false],
  [2_000, true],
])(
  "a waiver holds in its time and not a moment longer, without anybody turning it off: at %i",
  (at, holds) => {
    let now = 1_500;
    const rules = new Rulebook(ASKS, "en", { now: () => now, monotonic: () => now });
    rules.setWaivers([waiver]);
    expect(rules.now().policy.send.rules[0]?.waived).toBeDefined();
    now = at;
    expect(rules.now().policy.send.rules[0]?.waived === undefined).toBe(holds);
  },
);
