import { describe, expect, test } from "vitest";
import { decide, decideConnection } from "./decide.ts";
import { parseDocument } from "./document.ts";
import { type Point, UNKNOWN_POINT } from "./label.ts";
import { layer } from "./layer.ts";

const document = (kind: string, name: string, body: string) =>
  parseDocument(
    `apiVersion: sallyport/v1\nkind: ${kind}\nmetadata: { name: ${name}, owner: ${name}@corp.example }\n${body}`,
    `${name}.yaml`,
  );

const guardrails = document(
  "Guardrails",
  "org",
  `send:
  rules:
    - { id: G-1, title: Only approved builds, because: r, when: { build: [unapproved] }, then: deny }
    - { id: G-3, title: Secrets are masked, because: r, when: { data: [secret] }, unless: { operatorLaw: [SELF] }, then: redact }
    - { id: G-8, title: EU data stays, because: r, when: { data: [eu] }, then: reroute, rerouteTo: [eu-one, eu-two] }
`,
);
const engineer = document(
  "Profile",
  "engineer",
  `network: { default: deny }
send:
  default: deny
  rules:
    - { id: E-1, title: Code to models, because: r, when: { channel: [llm] }, then: allow }
    - { id: E-2, title: Ask first, because: r, when: { data: [confidential] }, then: ask }
    - { id: E-3, title: EU to two, because: r, when: { data: [eu], repo: [two] }, then: reroute, rerouteTo: [eu-two] }
    - { id: E-4, title: EU to three, because: r, when: { data: [eu], repo: [three] }, then: reroute, rerouteTo: [eu-three] }
`,
);
const policy = layer([guardrails, engineer]);
const point = (labels: Partial<Point>): Point => ({ ...UNKNOWN_POINT, channel: "llm", ...labels });

describe("the strictest rule that matches wins", () => {
  test.each<[what: string, labels: Partial<Point>, verdict: string, rules: string[]]>([
    ["what a rule allows", {}, "allow", ["E-1"]],
    ["what no rule speaks about", { channel: "other" }, "deny", ["send.default"]],
    ["a guardrail over a profile", { build: "unapproved" }, "deny", ["G-1"]],
    ["redaction over allowance", { data: "secret" }, "redact", ["G-3"]],
    ["the exception of a rule", { data: "secret", operatorLaw: "SELF" }, "allow", ["E-1"]],
    ["asking over allowance", { data: "confidential" }, "ask", ["E-2"]],
    ["denial over redaction", { data: "secret", build: "unapproved" }, "deny", ["G-1"]],
    [
      "a profile's silence over a guardrail's redaction",
      { data: "secret", channel: "other" },
      "deny",
      ["send.default"],
    ],
  ])("%s", (_, labels, verdict, rules) => {
    const decision = decide(policy, point(labels));
    expect({ verdict: decision.verdict, rules: decision.rules.map(({ id }) => id) }).toEqual({
      verdict,
      rules,
    });
  });
});

test("a rule about a host sees through capitals, a dot at the end and other spellings of an address", () => {
  const byHost = layer([
    document(
      "Profile",
      "p",
      `network: { default: allow }
send:
  default: allow
  rules:
    - { id: H, title: t, because: b, when: { host: ["*.evil.example", 169.254.169.254] }, then: deny }
`,
    ),
  ]);
  for (const host of [
    "a.evil.example",
    "A.EVIL.example.",
    "169.254.169.254",
    "[::ffff:a9fe:a9fe]",
    "0xa9fea9fe",
  ])
    expect(decide(byHost, point({ host })).verdict, host).toBe("deny");
  expect(decide(byHost, point({ host: "evil.example" })).verdict).toBe("allow");
});

test("rerouting targets of all rules are intersected, and none left is a denial that names the rules", () => {
  expect(decide(policy, point({ data: "eu" })).rerouteTo).toEqual(["eu-one", "eu-two"]);
  expect(decide(policy, point({ data: "eu", repo: "two" })).rerouteTo).toEqual(["eu-two"]);
  const none = decide(policy, point({ data: "eu", repo: "three" }));
  expect({ ...none, rules: none.rules.map(({ id }) => id).sort() }).toEqual({
    verdict: "deny",
    redact: [],
    normalise: false,
    rerouteTo: null,
    rules: ["E-4", "G-8"],
  });
});

test("a payload of several classes is judged class by class, and keeps every obligation", () => {
  const decision = decide(policy, point({ data: "secret" }), point({ data: "confidential" }), point({}));
  expect({ ...decision, rules: decision.rules.map(({ id }) => id) }).toEqual({
    verdict: "ask",
    redact: ["secret"],
    normalise: false,
    rerouteTo: null,
    rules: ["G-3", "E-2"],
  });
});

test("a rule is shown with its reason, its owner and its document", () => {
  expect(decide(policy, point({ build: "unapproved" })).rules).toEqual([
    { id: "G-1", title: "Only approved builds", because: "r", owner: "org@corp.example", document: "org" },
  ]);
});

describe("connections", () => {
  const connections = layer([
    document(
      "Profile",
      "p",
      `network:
  default: deny
  allow:
    - { id: A, title: t, because: b, hosts: [api.a.example, "*.b.example", "2001:db8::1"] }
    - { id: B, title: t, because: b, hosts: [git.corp.example, 10.0.0.5], ports: [22, 443], private: true }
  deny:
    - { id: D, title: t, because: b, hosts: [x.b.example] }
send: { default: allow }
`,
    ),
  ]);
  test.each<[what: string, host: string, port: number, verdict: string, rule: string, isPrivate: boolean]>([
    ["an exact host", "api.a.example", 443, "allow", "A", false],
    ["capitals and a dot at the end", "API.A.example.", 443, "allow", "A", false],
    ["another port", "api.a.example", 80, "deny", "network.default", false],
    ["a host below a suffix", "x.y.b.example", 443, "allow", "A", false],
    ["the suffix itself", "b.example", 443, "deny", "network.default", false],
    ["a look-alike of the suffix", "evilb.example", 443, "deny", "network.default", false],
    ["a longer name that ends alike", "api.a.example.evil.example", 443, "deny", "network.default", false],
    ["a denied host below an allowed suffix", "x.b.example", 443, "deny", "D", false],
    ["a host named as private", "git.corp.example", 22, "allow", "B", true],
    ["an address named as private", "10.0.0.5", 443, "allow", "B", true],
    ["the same address as one number", "167772165", 443, "allow", "B", true],
    ["the same address as IPv6", "::ffff:10.0.0.5", 443, "allow", "B", true],
    ["an IPv6 address in another form", "[2001:DB8:0::1]", 443, "allow", "A", false],
    ["a user name before the host", "api.a.example@evil.example", 443, "deny", "malformed-host", false],
    ["a path after the host", "evil.example/api.a.example", 443, "deny", "malformed-host", false],
    ["a zero byte", "api.a.example\0.evil.example", 443, "deny", "malformed-host", false],
    ["an escape", "api%2ea.example", 443, "deny", "malformed-host", false],
    ["a look-alike letter", "аpi.a.example", 443, "deny", "malformed-host", false],
    ["nothing", "", 443, "deny", "malformed-host", false],
  ])("%s", (_, host, port, verdict, rule, isPrivate) => {
    const decision = decideConnection(connections, host, port);
    expect({ ...decision, rules: decision.rules.map(({ id }) => id) }).toEqual({
      verdict,
      rules: [rule],
      privateAddresses: isPrivate,
    });
  });

  test("a refusal names the rule that speaks, not the silence of another document", () => {
    const guardrails = document(
      "Guardrails",
      "g",
      "network: { deny: [{ id: N, title: t, because: b, hosts: [paste.example] }] }",
    );
    const profile = document("Profile", "p", "network: { default: deny }\nsend: { default: allow }\n");
    const { rules } = decideConnection(layer([guardrails, profile]), "paste.example", 443);
    expect(rules.map(({ document: name, id }) => `${name}/${id}`)).toEqual(["g/N"]);
  });

  test("a repository may close a private address, never open one", () => {
    const profile = document(
      "Profile",
      "p",
      "network: { default: deny, allow: [{ id: A, title: t, because: b, hosts: [a.example] }] }\nsend: { default: allow }\n",
    );
    const repository = document(
      "Repository",
      "r",
      "network: { default: deny, allow: [{ id: A, title: t, because: b, hosts: [a.example, b.example] }] }\n",
    );
    expect(decideConnection(layer([profile, repository]), "a.example", 443).privateAddresses).toBe(false);
    expect(decideConnection(layer([profile, repository]), "b.example", 443).verdict).toBe("deny");
  });
});
