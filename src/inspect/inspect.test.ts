import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { Fault } from "../core/index.ts";
import { createInspector } from "./inspect.ts";

const key = Buffer.alloc(32, 7);
const fake = `ghp_${"aB3dE5gH".repeat(5)}`;
const part = (text: string, isNew = true) => ({ text, isNew, role: "user" });

describe("the inspector", () => {
  test("names class, detector and place of a secret, and never its value", () => {
    const inspection = createInspector({ key }).inspect([part("hello"), part(`token ${fake} end`)]);
    expect(inspection.findings).toMatchObject([
      { class: "secret", detector: "github-token", part: 1, start: 6, end: 6 + fake.length },
    ]);
    expect(inspection.tally).toEqual([{ class: "secret", detector: "github-token", count: 1 }]);
    expect(JSON.stringify(inspection)).not.toContain(fake);
  });

  test("the hash is equal for equal values under one key and tells nothing under another", () => {
    const hashes = (k: Buffer) =>
      createInspector({ key: k })
        .inspect([part(fake), part(`x ${fake}`)])
        .findings.map((f) => f.hash);
    const [first, second] = hashes(key);
    expect(first).toBe(second);
    expect(first).toMatch(/^[0-9a-f]{32}$/);
    expect(hashes(Buffer.alloc(32, 8))[0]).not.toBe(first);
  });

  test("a part that was seen before is not scanned again, and stays a finding", () => {
    let scans = 0;
    const counting = {
      id: "counting",
      class: "secret" as const,
      title: "counts",
      source: "https://example.invalid",
      anchors: ["needle"],
      pattern: /needle-\w{4,8}/,
      accept: () => ++scans > 0,
      examples: [],
      counterexamples: [],
    };
    const inspector = createInspector({ key, detectors: [counting] });
    const text = `a long text with a needle-1234 in it, ${"longer than its own key ".repeat(20)}`;
    expect(inspector.inspect([part(text)]).findings.length).toBe(1);
    expect(inspector.inspect([part(text, false), part("new")]).findings.length).toBe(1);
    expect(scans).toBe(1);
    // Never seen by this inspector, though the decoder says it is old: scanned.
    expect(inspector.inspect([part("needle-5678", false)]).findings.length).toBe(1);
  });

  test("a token that ends a message is whole: the first letters of the next are no part of it", () => {
    const token = `ghp_${"aB3dE5gH".repeat(5)}`;
    const parts = [
      { text: `use ${token}`, isNew: true, role: "user" },
      { text: "assistant", isNew: true, role: "assistant" },
    ];
    const { findings } = createInspector({ key }).inspect(parts);
    expect(findings.map(({ part, start, end }) => [part, start, end])).toEqual([[0, 4, 4 + token.length]]);
  });

  test("a secret cut in two by a message border is found in both halves under one hash", () => {
    const { findings } = createInspector({ key }).inspect([
      part(`first half ${fake.slice(0, 15)}`),
      part(`${fake.slice(15)} rest`),
    ]);
    expect(findings.map(({ part: p, start, end }) => ({ p, start, end }))).toEqual([
      { p: 0, start: 11, end: 26 },
      { p: 1, start: 0, end: fake.length - 15 },
    ]);
    expect(new Set(findings.map((f) => f.hash)).size).toBe(1);
  });

  test.each([3, 4, 6])("a secret cut in %i is found in each of its pieces under one hash", (count) => {
    const token = fake.slice(0, "ghp_".length + 36);
    const size = Math.ceil(token.length / count);
    const pieces = Array.from({ length: count }, (_, i) => token.slice(i * size, (i + 1) * size));
    const { findings } = createInspector({ key }).inspect([
      part("what came before"),
      ...pieces.map((text) => part(text)),
    ]);
    const held = findings.map(({ part: p, start, end }) => [p, start, end]);
    for (const [i, { length }] of pieces.entries()) expect(held).toContainEqual([i + 1, 0, length]);
    expect(held.every(([p = 0]) => p > 0)).toBe(true);
    expect(new Set(findings.map(({ hash }) => hash)).size).toBe(1);
  });

  test("a detector that throws fails the inspection, so that the caller denies", () => {
    const broken = {
      id: "broken",
      class: "secret" as const,
      title: "throws",
      source: "https://example.invalid",
      anchors: ["bang"],
      pattern: /bang/,
      accept: () => {
        throw new Error("bug");
      },
      examples: [],
      counterexamples: [],
    };
    const inspector = createInspector({ key, detectors: [broken] });
    expect(() => inspector.inspect([part("bang")])).toThrow(Fault);
    expect(inspector.inspect([part("quiet")]).findings).toEqual([]);
  });

  test("a secret that two detectors know is one finding", () => {
    const text = `curl -u svc:${fake} https://fake.invalid`;
    const { findings } = createInspector({ key }).inspect([part(text)]);
    expect(findings.length).toBe(1);
  });

  test("a key in the middle of long URL-safe base64 is found by its checksum or its long beginning", () => {
    const noise = (from: number): string =>
      Array.from({ length: 400 }, (_, n) =>
        createHash("sha256")
          .update(`${from + n}`)
          .digest("base64url"),
      ).join("");
    const inspector = createInspector({ key });
    const found = (text: string): readonly string[] =>
      inspector.inspect([{ text, isNew: true, role: "encoded" }]).findings.map(({ detector }) => detector);
    expect(found(`${noise(0)}${noise(400)}`)).toEqual([]);
    const long = `-github_pat_11ABCDEFG0aB3dE5gH7iJ9_${"aB3dE5gH7i".repeat(6)}-`;
    expect(found(`${noise(0)}${long}${noise(400)}`)).toEqual(["github-fine-grained-token"]);
  });

  test("the organisation's own words are found in any case, over line ends and encoded", () => {
    const inspector = createInspector({
      key,
      terms: [
        { id: "bluebird", text: "Project Bluebird", class: "classified" },
        { id: "canary", text: "cnry-7f3a-91bd", class: "secret" },
        { id: "名", text: "青鸟计划", class: "classified" },
      ],
    });
    const found = (text: string) => inspector.inspect([part(text)]).findings.map((f) => f.detector);
    expect(found("the PROJECT\n  bluebird plan")).toEqual(["term:bluebird"]);
    expect(found("关于青鸟计划的说明")).toEqual(["term:名"]);
    expect(found(Buffer.from("see cnry-7f3a-91bd in the dump").toString("base64"))).toEqual(["term:canary"]);
    expect(found("projects bluebirds")).toEqual([]);
    expect(() => createInspector({ key, terms: [{ id: "x", text: "ab", class: "secret" }] })).toThrow(Fault);
  });

  test("a text that is nothing but names of credentials is refused, not skipped", () => {
    const inspector = createInspector({ key });
    expect(() => inspector.inspect([part("pass=".repeat(12_000))])).toThrow(Fault);
    const list = Array.from({ length: 2_000 }, (_, i) => `KEY_${i}="value number ${i}"`).join("\n");
    expect(() => inspector.inspect([part(list)])).not.toThrow();
  });
});

describe("images, signatures and other binary values", () => {
  const inspector = createInspector({ key });
  const found = (text: string): readonly string[] =>
    inspector.inspect([{ text, role: "encoded", isNew: true }]).findings.map(({ detector }) => detector);
  /** Bytes as good as random, the same in each run. */
  const noise = (seed: string, length: number): Buffer => {
    const blocks = Array.from({ length: Math.ceil(length / 32) }, (_, at) =>
      createHash("sha256").update(`${seed} ${at}`).digest(),
    );
    return Buffer.concat(blocks).subarray(0, length);
  };
  const token = fake;

  test("hold no secret by chance, so that no screenshot is spoilt on its way", () => {
    expect(found(noise("image", 1_500_000).toString("base64"))).toEqual([]);
    expect(found(`data:image/png;base64,${noise("url", 300_000).toString("base64")}`)).toEqual([]);
    for (let at = 0; at < 200; at += 1)
      expect(found(noise(`signature ${at}`, 2_400).toString("base64"))).toEqual([]);
  });
  test("are searched for text among their bytes", () => {
    const comment = Buffer.concat([
      noise("a", 40_000),
      Buffer.from(`\0Comment: deploy key ${token}\0`),
      noise("b", 40_000),
    ]);
    expect(found(comment.toString("base64"))).toContain("github-token");
    expect(found(gzipSync(`the deploy key is ${token}`).toString("base64"))).toContain("github-token");
  });
  test("are no place to put a token as it is", () => {
    expect(found(token)).toContain("github-token");
    expect(
      found(`${noise("c", 9_000).toString("base64")}/${token}/${noise("d", 9_000).toString("base64")}`),
    ).toContain("github-token");
  });
});
