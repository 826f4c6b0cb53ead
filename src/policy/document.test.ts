import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { asFault, type Fault } from "../core/index.ts";
import { parseDocument } from "./document.ts";
import { layer } from "./layer.ts";
import { parseProperties } from "./property.ts";

const profile = (body: string): string => `apiVersion: sallyport/v1
kind: Profile
metadata: { name: mine, owner: me }
${body}`;
const rule = "id: A-1, title: t, because: b";
const NET = "network: { default: deny }\n";
const SEND = "send: { default: deny }\n";

function faultOf(text: string): Fault {
  try {
    parseDocument(text, "profile.yaml");
  } catch (thrown) {
    return asFault(thrown);
  }
  throw new Error("the document was accepted");
}

test("the smallest profile says everything that it must", () => {
  const { data } = parseDocument(profile(NET + SEND), "profile.yaml");
  expect(data).toEqual({
    apiVersion: "sallyport/v1",
    kind: "Profile",
    metadata: { name: "mine", owner: "me", version: 1 },
    network: { default: "deny" },
    send: { default: "deny" },
  });
});

describe("a document that is not exactly a document is refused, at its place and with a remedy", () => {
  const net = (ruleBody: string): string =>
    profile(`network: { default: deny, allow: [{ ${ruleBody} }] }\n${SEND}`);
  const send = (ruleBody: string): string =>
    profile(`${NET}send: { default: deny, rules: [{ ${ruleBody} }] }`);
  /** `▸` marks the place that the fault must name. */
  const cases: [what: string, text: string, path: string, detail: RegExp][] = [
    ["nothing", "▸", "", /nothing is not a mapping/],
    ["a list", "▸- 1", "", /a list is not a mapping/],
    ["not YAML", "a: [1▸", "", /not YAML: /],
    ["a tab for indentation", "a:\n▸\tb: 1", "", /not YAML: /],
    ["two documents", "a: 1\n▸---\nb: 1", "", /more than one YAML document/],
    ["a key that stands twice", "kind: Profile\n▸kind: Profile", "", /stands twice/],
    ["an anchor", "a: &x ▸1\nb: *x", "", /an anchor/],
    ["an alias to nothing", "a: ▸*x", "", /alias/i],
    ["a tag", "a: !!binary ▸aGk=", "", /the tag/],
    [
      "a merge key",
      `▸${profile(`${NET}${SEND}`).replace("kind: Profile", "<<: { kind: Profile }")}`,
      "kind",
      /`kind` is missing/,
    ],
    ["a number as a key", "▸1: a", "", /a key that is not a word/],
    [
      "an unknown kind",
      "apiVersion: sallyport/v1\nkind: ▸Policy",
      "kind",
      /`Policy` is not one of Guardrails, Profile, Repository/,
    ],
    [
      "another version",
      profile(NET + SEND).replace("sallyport/v1", "▸v2"),
      "apiVersion",
      /`v2` is not `sallyport\/v1`/,
    ],
    ["no network section", `▸${profile(SEND)}`, "network", /`network` is missing/],
    ["an unknown key", profile(`${NET}${SEND}▸netwrok: {}`), "netwrok", /unknown key `netwrok`/],
    [
      "no owner",
      profile(NET + SEND).replace("{ name: mine, owner: me }", "▸{ name: mine }"),
      "metadata.owner",
      /`owner` is missing/,
    ],
    [
      "a day that is none",
      profile(NET + SEND).replace("owner: me", "owner: me, review: ▸2026-02-30"),
      "metadata.review",
      /`2026-02-30` is not a day/,
    ],
    [
      "a name in capitals",
      profile(NET + SEND).replace("mine", "▸Mine"),
      "metadata.name",
      /`Mine` is not a name/,
    ],
    [
      "a rule without a reason",
      net("id: a, title: t, hosts: [a.example]").replace("[{", "[▸{"),
      "network.allow[0].because",
      /`because` is missing/,
    ],
    [
      "a host with a scheme",
      net(`${rule}, hosts: [▸https://a.example]`),
      "network.allow[0].hosts[0]",
      /`https:\/\/a.example` is not a lower-case host/,
    ],
    [
      "a host in capitals",
      net(`${rule}, hosts: [a.example, ▸A.example]`),
      "network.allow[0].hosts[1]",
      /`A.example` is not/,
    ],
    [
      "a star inside a name",
      net(`${rule}, hosts: [▸"api.*.example"]`),
      "network.allow[0].hosts[0]",
      /`api\.\*\.example` is not/,
    ],
    [
      "a whole top-level domain",
      net(`${rule}, hosts: [▸"*.com"]`),
      "network.allow[0].hosts[0]",
      /`\*\.com` is not/,
    ],
    [
      "an address in disguise",
      net(`${rule}, hosts: [▸"0x7f.1"]`),
      "network.allow[0].hosts[0]",
      /`0x7f\.1` is not/,
    ],
    [
      "port 0",
      net(`${rule}, hosts: [a.example], ports: [▸0]`),
      "network.allow[0].ports[0]",
      /`0` is not 1 or more/,
    ],
    [
      "no hosts",
      net(`${rule}, hosts: ▸[]`),
      "network.allow[0].hosts",
      /an empty list is not a list of at least one item/,
    ],
    [
      "the design's word for deny",
      profile(`${NET}send: { default: ▸block }`),
      "send.default",
      /`block` is not a verdict/,
    ],
    [
      "a data class in capitals",
      send(`${rule}, when: { data: [▸Secret] }, then: allow`),
      "send.rules[0].when.data[0]",
      /`Secret` is not a lower-case name/,
    ],
    [
      "a region in lower case",
      send(`${rule}, when: { serverIn: [▸cn] }, then: allow`),
      "send.rules[0].when.serverIn[0]",
      /`cn` is not an upper-case code/,
    ],
    [
      "an unknown label",
      send(`${rule}, when: { ▸team: [x] }, then: allow`),
      "send.rules[0].when.team",
      /unknown key `team`/,
    ],
    [
      "a label with one value instead of a list",
      send(`${rule}, when: { data: ▸secret }, then: allow`),
      "send.rules[0].when.data",
      /`secret` is not a list/,
    ],
    [
      "half a translation",
      net("id: a, title: ▸{ en: t }, because: b, hosts: [a.example]"),
      "network.allow[0].title.zh-CN",
      /`zh-CN` is missing/,
    ],
    [
      "a title of two lines",
      net('id: a, title: ▸"t\\nu", because: b, hosts: [a.example]'),
      "network.allow[0].title",
      /is not one line of text/,
    ],
    [
      "a path that climbs",
      profile(`${NET}${SEND}files: { read: [▸~/a/../.ssh] }`),
      "files.read[0]",
      /is not an absolute path/,
    ],
    [
      "a path with a wildcard",
      profile(`${NET}${SEND}files: { write: [▸"~/*"] }`),
      "files.write[0]",
      /is not an absolute path/,
    ],
    [
      "a hide pattern from the root",
      profile(`${NET}${SEND}files: { hide: [▸/etc] }`),
      "files.hide[0]",
      /is not a path in the workspace/,
    ],
    [
      "a hide pattern that takes back",
      profile(`${NET}${SEND}files: { hide: [▸"!.env"] }`),
      "files.hide[0]",
      /is not a path in the workspace/,
    ],
    [
      "a variable with a star inside",
      profile(`${NET}${SEND}environment: { pass: [▸"A*B"] }`),
      "environment.pass[0]",
      /is not a variable's name/,
    ],
  ];
  test.each(cases)("%s", (_, marked, path, detail) => {
    const before = marked.slice(0, marked.indexOf("▸")).split("\n");
    const place = `profile.yaml:${before.length}:${(before.at(-1) ?? "").length + 1}`;
    const fault = faultOf(marked.replace("▸", ""));
    expect({ code: fault.code, at: fault.at }).toEqual({
      code: "policy.invalid",
      at: path === "" ? place : `${place} ${path}`,
    });
    expect(fault.detail).toMatch(detail);
    expect(fault.remedy).toMatch(/^[a-z]/);
  });
});

describe("a document that contradicts itself is refused", () => {
  const allow = (hosts: string, more = ""): string =>
    `{ id: a, title: t, because: b, hosts: [${hosts}]${more} }`;
  const deny = (hosts: string, more = ""): string =>
    `{ id: d, title: t, because: b, hosts: [${hosts}]${more} }`;
  const net = (a: string, d: string): string =>
    profile(`network: { default: deny, allow: [${a}], deny: [${d}] }\n${SEND}`);
  const send = (...rules: string[]): string =>
    profile(`${NET}send:\n  default: deny\n  rules:\n${rules.map((r) => `    - { ${r} }\n`).join("")}`);
  /** A waiver with one field changed, and more of the same with changes of their own. */
  const waived = (change: string, more: string): string => {
    const fields: Record<string, string> = {
      id: "W",
      rule: "A-1",
      scope: "{ repo: [vault] }",
      reason: "r",
      requester: "ann",
      approver: "bob",
      from: "2026-11-20",
      until: "2026-11-21",
    };
    const written = (own: string): string => {
      const [name = "", value = ""] = own.split(/: (.*)/s);
      return `{ ${Object.entries({ ...fields, [name]: value })
        .map(([key, one]) => `${key}: ${one}`)
        .join(", ")} }`;
    };
    const list = [change, ...(more === "" ? [] : ["id: W"])].map(written).join(", ");
    return profile(
      `${NET}send: { default: allow, rules: [{ ${rule}, when: { data: [secret] }, then: deny, waivable: true }] }\nwaivers: [${list}]`,
    );
  };
  const cases: [what: string, text: string, where: string, detail: RegExp][] = [
    [
      "a waiver of a rule that is not waivable",
      waived("rule: A-1", "").replace("waivable: true", "waivable: false"),
      "waivers[0].rule",
      /not waivable/,
    ],
    ["a waiver of another document's rule", waived("rule: G-1", ""), "waivers[0].rule", /no send rule `G-1`/],
    ["a waiver without a scope", waived("scope: {}", ""), "waivers[0].scope", /change of the rule/],
    ["a waiver of one's own", waived("approver: ann", ""), "waivers[0].approver", /nobody grants their own/],
    ["a waiver for too long", waived("until: 2027-11-20", ""), "waivers[0].until", /366 days/],
    ["a waiver that ends before it begins", waived("until: 2026-11-19", ""), "waivers[0].until", /0 days/],
    ["two waivers of one id", waived("id: W", ", { id: W }"), "waivers[1].id", /a second waiver `W`/],
    [
      "guardrails that let people answer themselves",
      "apiVersion: sallyport/v1\nkind: Guardrails\nmetadata: { name: g, owner: o }\napprovals: { self: allow }\n",
      "approvals.self",
      /answer their own questions/,
    ],
    [
      "one id, two rules",
      net(allow("a.example"), deny("b.example").replace("id: d", "id: a")),
      "network.deny[0].id",
      /a second rule `a`/,
    ],
    [
      "the same host allowed and denied",
      net(allow("a.example"), deny("a.example")),
      "network.allow[0].hosts[0]",
      /allowed here and denied by `d`/,
    ],
    [
      "a host allowed below a suffix that is denied",
      net(allow("x.a.example"), deny('"*.a.example"')),
      "network.allow[0].hosts[0]",
      /denied by `d`/,
    ],
    [
      "a suffix allowed below a suffix that is denied",
      net(allow('"*.x.a.example"'), deny('"*.a.example"')),
      "network.allow[0].hosts[0]",
      /denied by `d`/,
    ],
    [
      "an allowance where all is allowed",
      net(allow("a.example"), deny("b.example")).replace("default: deny", "default: allow"),
      "network.allow[0]",
      /allows what `default: allow` allows already/,
    ],
    [
      "an allowed send where all is allowed",
      send(`${rule}, when: {}, then: allow`).replace("default: deny\n", "default: allow\n"),
      "send.rules[0].then",
      /allows what/,
    ],
    [
      "allow and deny under one condition",
      send(
        "id: x, title: t, because: b, when: { data: [a, b] }, then: allow",
        "id: y, title: t, because: b, when: { data: [b, a] }, then: deny",
      ),
      "send.rules[1]",
      /`y` says `deny` where `x` says `allow`/,
    ],
    [
      "rerouting to nowhere",
      send(`${rule}, when: {}, then: reroute`),
      "send.rules[0]",
      /`rerouteTo` is missing/,
    ],
    [
      "a target without rerouting",
      send(`${rule}, when: {}, then: deny, rerouteTo: [a]`),
      "send.rules[0].rerouteTo",
      /`then` is `deny`/,
    ],
    [
      "a waivable allowance",
      send(`${rule}, when: {}, then: allow, waivable: true`),
      "send.rules[0].waivable",
      /needs no waiver/,
    ],
    [
      "a rule that does not match its example",
      send(`${rule}, when: { data: [secret] }, then: deny, match: [{ data: secret }, { channel: llm }]`),
      "send.rules[0].match[1]",
      /does not match its own example/,
    ],
    [
      "a rule that matches its counter-example",
      send(`${rule}, when: { data: [secret] }, then: deny, not_match: [{ data: secret, port: 80 }]`),
      "send.rules[0].not_match[0]",
      /matches what it says it does not/,
    ],
    [
      "a host rule that does not match its example",
      net(allow("a.example", ", match: [a.example:80]"), ""),
      "network.allow[0].match[0]",
      /does not match/,
    ],
    [
      "a host rule that matches its counter-example",
      net("", deny('"*.a.example"', ", not_match: [x.a.example:22]")),
      "network.deny[0].not_match[0]",
      /matches what/,
    ],
    [
      "a path readable and writable",
      profile(`${NET}${SEND}files: { read: [~/a], write: [~/a] }`),
      "files.read[0]",
      /listed as writable too/,
    ],
    [
      "a sandbox switched off in silence",
      profile(`${NET}${SEND}sandbox: { mode: none }`),
      "sandbox.mode",
      /`mine` switches the sandbox off/,
    ],
    [
      "guardrails that loosen",
      profile("sandbox: { mode: none }").replace("Profile", "Guardrails").replace("mine", "dangerously-mine"),
      "sandbox.mode",
      /switches the sandbox off/,
    ],
    [
      "guardrails that allow sandboxes inside ours",
      profile("sandbox: { nested: true }").replace("Profile", "Guardrails"),
      "sandbox.nested",
      /allows nested sandboxes/,
    ],
    [
      "a repository that lets its own settings in",
      profile("repository: { settings: use }").replace("Profile", "Repository"),
      "repository.settings",
      /lets the repository's settings in/,
    ],
    [
      "asking and denying under one condition",
      send(
        "id: x, title: t, because: b, when: { data: [a] }, then: ask",
        "id: y, title: t, because: b, when: { data: [a] }, then: deny",
      ),
      "send.rules[1]",
      /`y` says `deny` where `x` says `ask`/,
    ],
    [
      "a repository that opens private addresses",
      profile(`network: { default: deny, allow: [${allow("a.example", ", private: true")}] }`).replace(
        "Profile",
        "Repository",
      ),
      "network.allow[0].private",
      /opens private addresses/,
    ],
  ];
  test.each(cases)("%s", (_, text, where, detail) => {
    const fault = faultOf(text);
    expect({ code: fault.code, where: fault.at?.split(" ")[1] }).toEqual({ code: "policy.invalid", where });
    expect(fault.detail).toMatch(detail);
  });
});

test("a denial below an allowed suffix, or of other ports, is no contradiction", () => {
  const text = profile(`network:
  default: deny
  allow: [{ id: a, title: t, because: b, hosts: ["*.a.example"] }]
  deny:
    - { id: d, title: t, because: b, hosts: [x.a.example] }
    - { id: e, title: t, because: b, hosts: ["*.a.example"], ports: [22] }
${SEND}`);
  expect(parseDocument(text, "profile.yaml").data.network?.deny).toHaveLength(2);
});

test("a document of 10,000 rules is read", () => {
  const rules = Array.from(
    { length: 10_000 },
    (_, i) => `    - { id: R-${i}, title: t, because: b, when: { data: [class_${i}] }, then: deny }\n`,
  ).join("");
  const { data } = parseDocument(profile(`${NET}send:\n  default: deny\n  rules:\n${rules}`), "profile.yaml");
  expect(data.send?.rules).toHaveLength(10_000);
});

describe("a hostile repository's document is refused in good time", () => {
  const many = (count: number, one: (i: number) => string): string =>
    Array.from({ length: count }, (_, i) => one(i)).join("");
  test.each<[what: string, text: string, detail: RegExp]>([
    ["nested without end", `a: ${"[".repeat(100_000)}`, /nested too deep/],
    ["nested a little too deep", `a: ${"[".repeat(30)}1${"]".repeat(30)}`, /nested too deep/],
    ["wide", many(30_000, (i) => `k${i}: 1\n`), /missing/],
    ["a key twice among many", `${many(30_000, (i) => `k${i}: 1\n`)}k7: 2`, /stands twice/],
    ["wrong everywhere", `a: ${"!b ".repeat(30_000)}`, /at most one tag/],
  ])("%s", (_, text, detail) => {
    const before = process.cpuUsage();
    expect(faultOf(text).detail).toMatch(detail);
    expect(process.cpuUsage(before).user).toBeLessThan(5_000_000);
  });

  test("what it wrote reaches no terminal but as plain short text", () => {
    const fault = faultOf(`"\\u001b]0;pwned\\u0007${"x".repeat(500)}": 1\n${profile(NET + SEND)}`);
    expect(fault.at).toBe(`profile.yaml:1:1  ]0;pwned ${"x".repeat(50)}…`);
    expect(fault.detail).toBe(`unknown key \` ]0;pwned ${"x".repeat(50)}…\``);
  });
});

test("more text than any document needs is refused before it is parsed", () => {
  expect(faultOf(`# ${" ".repeat(17_000_000)}`).at).toBe("profile.yaml");
});

test("the examples in docs/policy.md are what they say they are", () => {
  const page = readFileSync(join(import.meta.dirname, "../../docs/policy.md"), "utf8");
  // Blocks that begin otherwise are parts of a document.
  const [profileText = "", propertiesText = "", ...more] = [
    ...page.matchAll(/```yaml\n(apiVersion: .*?)```/gs),
  ].map((match) => match[1] ?? "");
  expect(more).toEqual([]);
  expect(layer([parseDocument(profileText, "docs/policy.md")]).name).toBe("payments");
  expect(parseProperties(propertiesText, "docs/policy.md")).toHaveLength(1);
});
