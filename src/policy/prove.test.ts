import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { documentArbitrary, pointArbitrary, ruleArbitrary } from "./arbitrary.testkit.ts";
import { decide, decideConnection } from "./decide.ts";
import { diff } from "./diff.ts";
import { parseDocument } from "./document.ts";
import { LABEL_NAMES, type Point } from "./label.ts";
import { layer } from "./layer.ts";
import { matches } from "./match.ts";
import { parseProperties } from "./property.ts";
import { mayLeave, mutate, prove, proveUnderAnyProfile } from "./prove.ts";
import { conditionsOf, pointsOf, quotientOf, sizeOf } from "./quotient.ts";

const fixture = (name: string): string =>
  readFileSync(join(import.meta.dirname, "../../test/fixtures/policy", name), "utf8");
const org = parseDocument(fixture("org.yaml"), "org.yaml");
const engineer = parseDocument(fixture("engineer.yaml"), "engineer.yaml");
const properties = parseProperties(fixture("properties.yaml"), "properties.yaml");

describe("the worked example of the design", () => {
  test("every property holds for guardrails and engineer, and beside any profile", () => {
    expect(prove([org, engineer], properties, "en").map(({ property, holds }) => [property, holds])).toEqual(
      properties.map(({ id }) => [id, true]),
    );
    const anywhere = proveUnderAnyProfile([org, engineer], properties, "en");
    expect(anywhere.map(({ property, holds }) => [property, holds])).toEqual(
      properties.map(({ id }) => [id, true]),
    );
    for (const { points } of anywhere)
      expect(points, "a proof that walked nothing proves nothing").toBeGreaterThan(0);
  });

  test("each guardrail is needed by the property meant for it; the two that none needs are reported", () => {
    expect(mutate([org, engineer], properties).map(({ rule, neededBy }) => [rule, neededBy])).toEqual([
      ["G-1", ["P-3"]],
      ["G-2", ["P-1"]],
      ["G-3", ["P-2"]],
      ["G-4", ["P-4"]],
      ["G-5", ["P-5"]],
      ["G-6", []],
      ["G-7", []],
      ["N-1", ["P-6"]],
    ]);
  });

  test("a property that does not hold comes with a counter-example in words", () => {
    const [proof] = proveUnderAnyProfile(
      [org],
      parseProperties(
        fixture("properties.yaml").replace(
          "never: { data: [secret] }\n    unless: { operatorLaw: [SELF] }",
          "never: { data: [secret] }",
        ),
        "p.yaml",
      ).filter(({ id }) => id === "P-2"),
      "en",
    );
    expect(proof?.holds).toBe(false);
    expect(proof?.counterExample?.words).toMatch(
      /the build is approved.*we run the server ourselves.*the data are secret/,
    );
    expect(
      mayLeave(
        layer([
          org,
          {
            ...engineer,
            data: {
              ...engineer.data,
              network: { default: "allow" },
              send: { default: "allow" },
            } as typeof engineer.data,
          },
        ]),
        proof?.counterExample?.point as Point,
      ),
    ).toBe(true);
  });
});

test("the quotient is exact: any point is judged like the sample of its classes", () => {
  fc.assert(
    fc.property(
      documentArbitrary("p", ["Profile"]),
      documentArbitrary("q"),
      pointArbitrary,
      (a, b, point) => {
        const policy = layer([a, b]);
        const conditions = conditionsOf([a, b]);
        const quotient = quotientOf(conditions);
        const sample = Object.fromEntries(
          LABEL_NAMES.map((label) => {
            const alike = (value: string | number): boolean =>
              conditions.every((condition) => {
                const only = { when: { [label]: condition[label] } };
                return matches(only, { ...point, [label]: value } as Point) === matches(only, point);
              });
            return [label, quotient[label].find((one) => alike(one.sample))?.sample];
          }),
        ) as unknown as Point;
        const [own, stand] = [decide(policy, point), decide(policy, sample)];
        expect(stand.verdict).toBe(own.verdict);
        expect(stand.rerouteTo).toEqual(own.rerouteTo);
        const [connection, standIn] = [point, sample].map(({ host, port }) =>
          decideConnection(policy, host, port),
        );
        expect({ ...standIn, rules: [] }).toEqual({ ...connection, rules: [] });
      },
    ),
    { numRuns: 400 },
  );
});

test("the walk visits every combination once", () => {
  const quotient = quotientOf(conditionsOf([org]));
  const seen = new Set([...pointsOf(quotient)].map((point) => JSON.stringify(point)));
  expect(seen.size).toBe(sizeOf(quotient));
});

test("a proof holds under every profile: no random profile beside the guardrails breaks a property", () => {
  fc.assert(
    fc.property(
      documentArbitrary("p", ["Profile"]),
      fc.array(ruleArbitrary, { maxLength: 4 }),
      pointArbitrary,
      (profile, rules, point) => {
        const never = rules[0]?.when ?? {};
        const guardrails = {
          file: "g",
          data: {
            ...org.data,
            send: { default: "allow", rules: rules.map((rule, i) => ({ ...rule, id: `X-${i}` })) },
          } as typeof org.data,
        };
        const [proof] = proveUnderAnyProfile(
          [guardrails],
          [{ id: "P", title: "t", because: "b", never }],
          "en",
        );
        if (proof?.holds === true && matches({ when: never }, point))
          expect(mayLeave(layer([guardrails, profile]), point)).toBe(false);
      },
    ),
    { numRuns: 200 },
  );
});

describe("diff, in sentences", () => {
  const changed = (from: string, to: string): ReturnType<typeof parseDocument> => {
    expect(fixture("engineer.yaml")).toContain(from);
    return parseDocument(fixture("engineer.yaml").replace(from, to), "engineer.yaml");
  };
  test("nothing changed, nothing said", () => {
    expect(diff([org, engineer], [engineer, org], "en")).toEqual([]);
  });
  test("a rule made stricter, in one sentence", () => {
    const after = changed(
      "data: [confidential], operatorLaw: [SELF] }, then: allow",
      "data: [confidential], operatorLaw: [SELF] }, then: ask",
    );
    expect(diff([org, engineer], [org, after], "en")).toEqual([
      {
        loosens: false,
        sentence:
          "allow becomes ask when the build is approved, the host is api.anthropic.com or *.corp.example, the port is 443, the channel is llm, we run the server ourselves, the operator trains on content: no or opt_in or opt_out or by_plan, the data are confidential",
      },
    ]);
  });
  test("every other grant that changes has its sentence, and says which way it goes", () => {
    const more = `sandbox: { nested: true }
files: { write: [~/cache], hide: [a.pem] }
environment: { pass: [LANG] }
budgets: { because: b, requests: 5 }
programs: { ask: [git push], deny: [curl] }
tools: { deny: [web_fetch] }
repository: { settings: use }
mcp: { servers: [github] }
network:
  default: deny`;
    expect(diff([org, engineer], [org, changed("network:\n  default: deny", more)], "en")).toEqual([
      { loosens: true, sentence: "writable folders: added ~/cache" },
      { loosens: false, sentence: "hidden files: added a.pem" },
      { loosens: true, sentence: "variables passed on: added LANG" },
      { loosens: false, sentence: "commands to ask about: added git push" },
      { loosens: false, sentence: "commands refused: added curl" },
      { loosens: false, sentence: "agents' tools switched off: added web_fetch" },
      { loosens: false, sentence: "MCP servers: removed any other" },
      { loosens: true, sentence: "repository's own settings: added use" },
      { loosens: false, sentence: "budgets: added requests 5 (engineer)" },
      { loosens: true, sentence: "sandbox: added nested sandboxes" },
    ]);
  });

  test("guardrails alone are compared beside a profile that allows everything", () => {
    const without = {
      ...org,
      data: { ...org.data, network: { default: "allow" as const } } as typeof org.data,
    };
    const changes = diff([org], [without], "en");
    expect(changes.length).toBeGreaterThan(0);
    for (const { loosens, sentence } of changes) {
      expect(loosens).toBe(true);
      expect(sentence).toContain("the host is pastebin.com or *.pastebin.com");
    }
  });

  test("a wider list of hosts and folders loosens, and says so in Chinese too", () => {
    const { data } = changed(
      "network:\n  default: deny",
      "files: { read: [/opt] }\nnetwork:\n  default: deny",
    );
    const open = { file: "e", data: { ...data, network: { default: "allow" } } as typeof data };
    const changes = diff([org, engineer], [org, open], "zh-CN");
    expect(changes.every(({ loosens }) => loosens)).toBe(true);
    expect(changes.at(-1)?.sentence).toBe("可读目录: 新增 /opt");
    expect(changes[0]?.sentence).toContain("由 deny 变为");
  });
});
