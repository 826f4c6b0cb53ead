import { execFileSync } from "node:child_process";
import { createHash, generateKeyPairSync, type KeyObject } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { beforeAll, describe, expect, it, test } from "vitest";
import { Fault } from "../core/index.ts";
import {
  approvingKey,
  type BuildHash,
  findExtensions,
  hashBuild,
  listBuild,
  nameOf,
  publicText,
  putStatement,
  readApprovals,
  type Statement,
  type Subject,
  standingOf,
} from "./index.ts";
import { openStatement, signStatement } from "./statement.ts";

const NOW = Date.parse("2026-11-20");
const DAY = 86_400_000;
const sha256 = async (file: string): Promise<string> =>
  createHash("sha256").update(readFileSync(file)).digest("hex");
const put = (root: string, path: string, text: string): string => {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
};
const faultOf = (act: () => unknown): string => {
  try {
    act();
  } catch (thrown) {
    if (thrown instanceof Fault) return `${thrown.code} ${thrown.at ?? ""} ${thrown.detail ?? ""}`;
    throw thrown;
  }
  return "accepted";
};

describe("the hash of a build", () => {
  /** An agent with a hoisted dependency, a nested one, and a neighbour it does not depend on. */
  const lay = (): { modules: string; program: string } => {
    const modules = join(mkdtempSync(join(tmpdir(), "sp-build-")), "lib/node_modules");
    const program = put(modules, "@v/agent/cli.js", "#!/usr/bin/env node\n");
    put(
      modules,
      "@v/agent/package.json",
      '{"name":"@v/agent","version":"1.2.3","dependencies":{"dep":"*","nested":"*"},"optionalDependencies":{"absent":"*"}}',
    );
    put(modules, "dep/package.json", '{"name":"dep","version":"2.0.0","dependencies":{"deeper":"*"}}');
    put(modules, "dep/index.js", "dep");
    put(modules, "deeper/package.json", '{"name":"deeper","version":"3.0.0"}');
    put(modules, "@v/agent/node_modules/nested/package.json", '{"name":"nested","version":"4.0.0"}');
    put(modules, "neighbour/package.json", '{"name":"neighbour","version":"9.0.0"}');
    return { modules, program };
  };
  const hash = (program: string): Promise<BuildHash> => hashBuild(program, sha256);

  it("covers the package and all it depends on, and nothing else of the install", () => {
    expect(listBuild(lay().program).map(({ name }) => name)).toEqual([
      "@v/agent@1.2.3/cli.js",
      "@v/agent@1.2.3/node_modules/nested/package.json",
      "@v/agent@1.2.3/package.json",
      "deeper@3.0.0/package.json",
      "dep@2.0.0/index.js",
      "dep@2.0.0/package.json",
    ]);
  });
  it("is the same wherever the package lies", async () => {
    expect((await hash(lay().program)).hash).toBe((await hash(lay().program)).hash);
  });
  test.each<[string, (modules: string) => void]>([
    ["a byte of a file that is not the program", (m) => put(m, "dep/index.js", "deq")],
    ["a file more", (m) => put(m, "deeper/extra.js", "")],
    [
      "a byte of a nested package",
      (m) => put(m, "@v/agent/node_modules/nested/package.json", '{"name":"nested","version":"4.0.1"}'),
    ],
    ["a link", (m) => symlinkSync("/etc/passwd", join(m, "dep/link"))],
  ])("changes with %s", async (_what, change) => {
    const { modules, program } = lay();
    const before = await hash(program);
    change(modules);
    expect((await hash(program)).hash).not.toBe(before.hash);
  });
  it("can be made again with tools we did not write", async () => {
    const { modules, program } = lay();
    const lines = listBuild(program).map(({ name, file }) => {
      const sum = execFileSync("sha256sum", [file], { encoding: "utf8" }).slice(0, 64);
      return `${sum}  ${name}\n`;
    });
    const all = put(modules, "../lines", lines.join(""));
    const digest = execFileSync("sha256sum", [all], { encoding: "utf8" }).slice(0, 64);
    expect((await hash(program)).hash).toBe(`h1:${Buffer.from(digest, "hex").toString("base64")}`);
  });
  it("of a program in no package is that of its one file", async () => {
    const file = put(mkdtempSync(join(tmpdir(), "sp-build-")), "tool", "#!/bin/sh\n");
    expect(listBuild(file)).toEqual([{ name: "tool", file, link: null }]);
  });
});

const build = (
  more: Partial<Extract<Subject, { kind: "build" }>> = {},
): Extract<Subject, { kind: "build" }> => ({
  kind: "build",
  agent: "claude",
  version: "1.0.0",
  platform: "linux-x64",
  hash: `h1:${"A".repeat(43)}=`,
  files: 4,
  executable: "0".repeat(64),
  native: false,
  ...more,
});
const said = (more: Partial<Statement>): Statement => ({
  type: "sallyport/register/v1",
  action: "approve",
  subject: build(),
  by: "alice",
  at: NOW - 10 * DAY,
  reason: "read its report",
  expires: NOW + 10 * DAY,
  evidence: {},
  ...more,
});

describe("where a build stands", () => {
  const other = build({ hash: `h1:${"B".repeat(43)}=`, executable: "1".repeat(64) });
  test.each<[string, readonly Statement[], number, string]>([
    ["nobody spoke", [], 1, "unknown"],
    ["one approved", [said({})], 1, "approved"],
    ["one of two approved", [said({})], 2, "pending"],
    ["the same person twice is one person", [said({}), said({ at: NOW - DAY })], 2, "pending"],
    ["two of two approved", [said({}), said({ by: "bob" })], 2, "approved"],
    ["the approval has run out", [said({ expires: NOW - DAY })], 1, "expired"],
    ["one of two approvals has run out", [said({ expires: NOW - DAY }), said({ by: "bob" })], 2, "expired"],
    ["revoked by the other", [said({}), said({ by: "bob", action: "revoke", at: NOW - DAY })], 1, "revoked"],
    [
      "approved again after a revocation",
      [said({ action: "revoke", at: NOW - 20 * DAY }), said({})],
      1,
      "approved",
    ],
    [
      "one of two again after a revocation",
      [said({}), said({ by: "bob" }), said({ action: "revoke", at: NOW - 2 * DAY }), said({ at: NOW - DAY })],
      2,
      "pending",
    ],
    ["other bytes of that version were approved", [said({ subject: other })], 1, "changed"],
    [
      "another version was approved",
      [said({ subject: build({ version: "1.0.1", hash: other.hash }) })],
      1,
      "unknown",
    ],
    ["an approval from the future, the clock set back", [said({ at: NOW + DAY })], 1, "unknown"],
    [
      "a revocation from the future, the clock set back",
      [said({}), said({ action: "revoke", at: NOW + DAY })],
      1,
      "revoked",
    ],
  ])("%s", (_what, statements, required, state) => {
    expect(standingOf(build(), statements, required, NOW).state).toBe(state);
  });
  test.each([
    ["a native program of one file", true, 1, "approved"],
    ["a native program with files beside it, which it may load", true, 2, "changed"],
    ["a script", false, 1, "changed"],
  ])("%s, installed in another way, with the approved executable: %s", (_what, native, files, state) => {
    const asked = build({ hash: other.hash, native, files });
    expect(standingOf(asked, [said({ subject: build({ native }) })], 1, NOW).state).toBe(state);
  });
  it("order of statements is irrelevant, and one more revocation never admits", () => {
    const statement = fc.record({
      by: fc.constantFrom("alice", "bob", "carol"),
      action: fc.constantFrom("approve" as const, "revoke" as const),
      at: fc.integer({ min: NOW - 20 * DAY, max: NOW + DAY }),
      expires: fc.option(fc.integer({ min: NOW - 5 * DAY, max: NOW + 5 * DAY })),
    });
    fc.assert(
      fc.property(
        fc.uniqueArray(statement, { selector: ({ at }) => at, maxLength: 8 }),
        fc.integer({ min: 1, max: 3 }),
        (some, required) => {
          const all = some.map((one) => said(one));
          const state = standingOf(build(), all, required, NOW).state;
          expect(standingOf(build(), all.toReversed(), required, NOW).state).toBe(state);
          const more = [...all, said({ action: "revoke", at: NOW + 2 * DAY, by: "dan" })];
          expect(standingOf(build(), more, required, NOW).state).not.toBe("approved");
        },
      ),
    );
  });
});

describe("a signed statement", () => {
  const key = generateKeyPairSync("ed25519").privateKey;
  const alice = { name: "alice", key: publicText(key) };
  const text = signStatement(said({}), key);
  const change = (
    act: (envelope: {
      payload: string;
      signatures: { sig: string; keyid: string }[];
      payloadType: string;
    }) => void,
  ): string => {
    const envelope = JSON.parse(text);
    act(envelope);
    return JSON.stringify(envelope);
  };
  const resaid = (from: string, to: string) => (e: { payload: string }) => {
    e.payload = Buffer.from(Buffer.from(e.payload, "base64").toString().replace(from, to)).toString("base64");
  };
  it("opens as it was made", () => {
    expect(openStatement(text, "f", [alice])?.statement).toEqual(said({}));
  });
  it("of somebody who is on no list counts for nothing", () => {
    expect(
      openStatement(text, "f", [{ name: "bob", key: publicText(generateKeyPairSync("ed25519").privateKey) }]),
    ).toBeNull();
  });
  test.each([
    ["another build", change(resaid('"1.0.0"', '"1.0.1"')), /the signature is not alice's/],
    ["another day", change(resaid('"expires":1', '"expires":2')), /the signature is not alice's/],
    [
      "a payload type of somebody else",
      change((e) => {
        e.payloadType = "application/other";
      }),
      /not a DSSE envelope/,
    ],
    [
      "no signature",
      change((e) => {
        e.signatures = [];
      }),
      /not a DSSE envelope/,
    ],
    ["half a file", text.slice(0, 40), /not JSON/],
  ])("changed to %s is refused, not passed over", (_what, changed, problem) => {
    expect(faultOf(() => openStatement(changed, "f", [alice]))).toMatch(problem);
  });
  it("in another's name is refused", () => {
    const forged = signStatement(said({ by: "bob" }), key);
    expect(faultOf(() => openStatement(forged, "f", [alice]))).toMatch(/signed by alice in the name of bob/);
  });
  it("is accepted by OpenSSL over the specification's bytes", () => {
    const folder = mkdtempSync(join(tmpdir(), "sp-dsse-"));
    const envelope = JSON.parse(text);
    const payload = Buffer.from(envelope.payload, "base64");
    const signed = Buffer.concat([
      Buffer.from(`DSSEv1 ${envelope.payloadType.length} ${envelope.payloadType} ${payload.length} `),
      payload,
    ]);
    writeFileSync(join(folder, "signed"), signed);
    writeFileSync(join(folder, "sig"), Buffer.from(envelope.signatures[0].sig, "base64"));
    writeFileSync(join(folder, "key"), key.export({ format: "pem", type: "pkcs8" }));
    execFileSync("openssl", ["pkey", "-in", join(folder, "key"), "-pubout", "-out", join(folder, "pub")]);
    const args = [
      "pkeyutl",
      "-verify",
      "-pubin",
      "-inkey",
      join(folder, "pub"),
      "-rawin",
      "-in",
      join(folder, "signed"),
      "-sigfile",
      join(folder, "sig"),
    ];
    expect(execFileSync("openssl", args, { encoding: "utf8" })).toContain("Signature Verified Successfully");
  });
});

describe("the register's folder", () => {
  let places: { system: string; own: string; keyFile: string; principal: string };
  let key: KeyObject;
  beforeAll(async () => {
    const root = mkdtempSync(join(tmpdir(), "sp-register-"));
    places = {
      system: join(root, "system"),
      own: join(root, "own"),
      keyFile: join(root, "keys/approver.pem"),
      principal: "local:7",
    };
    key = await approvingKey(places);
  });
  const list = (folder: string, text: string): string => put(folder, "approvers.yaml", text);

  it("has the person as its one approver until a list names others", async () => {
    await putStatement(places, said({ by: "local:7" }), key);
    expect(readApprovals(places)).toMatchObject({
      required: 1,
      approvers: [{ name: "local:7" }],
      strangers: [],
    });
    const fresh = publicText(generateKeyPairSync("ed25519").privateKey);
    list(places.own, `version: 1\napprovers: [{ name: bob, key: "${fresh}" }]`);
    const listed = readApprovals(places);
    expect(listed).toMatchObject({ statements: [], strangers: [expect.stringContaining("approve")] });
    expect(faultOf(() => nameOf(key, listed, "local:7"))).toContain("register.stranger");
  });
  it("asks the administrator's list where there is one", () => {
    const own = publicText(key);
    list(
      places.system,
      `version: 1\nrequired: 2\napprovers: [{ name: local:7, key: "${own}" }, { name: b, key: "${publicText(generateKeyPairSync("ed25519").privateKey)}" }]`,
    );
    expect(readApprovals(places)).toMatchObject({ required: 2, statements: [{}] });
  });
  test.each([
    ["version: 1\nrequired: 2\napprovers: [{ name: a, key: K }]", /2 must agree, and only 1/],
    ["version: 1\napprovers: [{ name: a, key: K }, { name: b, key: K }]", /share a name or a key/],
    ["version: 1\napprovers: [{ name: a, key: short }]", /base64 of 32 bytes/],
    ["version: 1\napprovers: []", /approvers/],
    ["version: 1\nrequired: 0\napprovers: [{ name: a, key: K }]", /required/],
    ["approvers: [", /approvers.yaml/],
  ])("refuses a list that is not one: %s", (text, problem) => {
    list(places.system, text.replaceAll("K", `"${publicText(key)}"`));
    expect(faultOf(() => readApprovals(places))).toMatch(problem);
  });
});

describe("what a repository brings", () => {
  it("is found by agent, by path, with a hash of its bytes", () => {
    const root = mkdtempSync(join(tmpdir(), "sp-ext-"));
    put(root, ".claude/settings.json", '{"hooks":{}}');
    put(root, ".claude/skills/deploy/SKILL.md", "do");
    put(root, ".gemini/settings.json", "{}");
    const before = findExtensions(root, "claude");
    expect(before.map(({ path, type }) => [path, type])).toEqual([
      [".claude/settings.json", "settings"],
      [".claude/skills", "skill"],
    ]);
    put(root, ".claude/skills/deploy/run.sh", "curl evil.example");
    const after = findExtensions(root, "claude");
    expect(after[0]?.hash).toBe(before[0]?.hash);
    expect(after[1]?.hash).not.toBe(before[1]?.hash);
    expect(findExtensions(root, null)).toHaveLength(3);
  });
});
