// `npm run egress`: that the runner measures. Its figures about the product come from the whole suite, not from here.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Case, readCases } from "../../scripts/egress/case.ts";
import { type Figures, figuresOf, type Result, readPolicy, runCases } from "../../scripts/egress/run.ts";
import { ROOT } from "../harness.ts";

const FIXTURES = join(ROOT, "test/fixtures/egress");
const CASES = join(FIXTURES, "cases");
const cases = readCases(CASES);

const expectedOf = (id: string): Case["expected_verdict"] | undefined =>
  cases.find((one) => one.id === id)?.expected_verdict;

describe("the runner measures what arrived, not what was hoped", () => {
  it("--json prints one object with every case in it, judged or told why not", () => {
    const done = spawnSync("npm", ["run", "--silent", "egress", "--", "--cases", CASES, "--json"], {
      cwd: ROOT,
      encoding: "utf8",
      timeout: 50_000,
    });
    expect(done.status, done.stderr).toBe(0);
    const figures = JSON.parse(done.stdout) as Figures;
    expect(figures).toEqual({
      containment: expect.any(Number),
      falsePositives: expect.any(Number),
      detection: expect.any(Number),
      applicable: 14,
      notApplicable: [
        { id: "fp-git-status-output-012", why: expect.stringContaining("sandbox") },
        { id: "response-injection-ignore-002", why: expect.stringContaining("replies") },
      ],
      block: 9,
      allow: 5,
      partly: 0,
      errors: 0,
      failing: expect.any(Array),
    });
    expect(figures.applicable + figures.notApplicable.length).toBe(cases.length);
    expect(figures.containment).toBeGreaterThanOrEqual(0.95);
    expect(figures.detection).toBeGreaterThanOrEqual(0.95);
    expect(figures.falsePositives).toBe(0);
  });

  it("of what is contained nothing arrived; what is allowed arrived once and was answered whole", async () => {
    const { results } = await runCases(cases, readPolicy());
    for (const { id, actual, arrived, problem } of results) {
      expect(actual, `${id}: ${problem}`).toBe(expectedOf(id));
      if (actual === "block") expect(arrived[0], id).toBe(0);
      else expect(arrived, id).toEqual([arrived[1], arrived[1]]);
    }
  });

  it("under a policy that denies nothing, containment drops to the addresses that nobody may reach", async () => {
    const { figures, results } = await runCases(cases, readPolicy(join(FIXTURES, "open.yaml")));
    const contained = results.filter(({ expected, actual }) => expected === "block" && actual === "block");
    expect(contained.map(({ id }) => id)).toEqual(["ssrf-cloud-metadata-007", "url-ssrf-localhost-alt-011"]);
    expect(figures.containment).toBeCloseTo(2 / 9);
    expect(figures.falsePositives).toBe(0);
    // Detection is told apart from containment: the findings are in the record although nothing was refused.
    expect(figures.detection).toBeGreaterThan(figures.containment);
    expect(figures.failing.every(({ arrived: [some, all] }) => some === all)).toBe(true);
  });

  it("nothing goes to a name that leads to an address of this machine or its network", async () => {
    const base = cases.find(({ id }) => id === "url-benign-special-chars-002");
    if (base === undefined) throw new Error("the fixture is gone");
    const rebinding: Case = {
      ...base,
      id: "rebinding",
      expected_verdict: "block",
      requires: ["dns_rebinding_fixture"],
      payload: { method: "GET", url: "https://rebind.example.org/" },
    };
    const spelt: Case = {
      ...rebinding,
      id: "spelt",
      requires: [],
      payload: { url: "http://10.0.0.7.nip.io/" },
    };
    const { results } = await runCases([rebinding, spelt], readPolicy());
    expect(results.map(({ actual, rules, arrived }) => ({ actual, rules, arrived }))).toEqual([
      { actual: "block", rules: ["gateway.address-refused"], arrived: [0, 1] },
      { actual: "block", rules: ["gateway.address-refused"], arrived: [0, 1] },
    ]);
  });
});

describe("the figures", () => {
  const result = (one: Partial<Result>): Result => ({
    id: "x",
    input: "url",
    transport: "fetch_proxy",
    expected: "block",
    actual: "block",
    detected: true,
    arrived: [0, 1],
    rules: [],
    findings: [],
    problem: null,
    ...one,
  });

  it.each<[string, readonly Partial<Result>[], Partial<Figures>]>([
    ["nothing was run: nothing was contained", [], { containment: 0, detection: 0, applicable: 0 }],
    [
      "one of two block-cases arrived",
      [{}, { actual: "allow", detected: false, arrived: [1, 1] }],
      { containment: 0.5, detection: 0.5, block: 2, allow: 0 },
    ],
    [
      "an error is no containment, and an allow-case that broke is no false positive but is shown",
      [{ actual: "error" }, { expected: "allow", actual: "error" }],
      { containment: 0, falsePositives: 0, errors: 2 },
    ],
    [
      "an allow-case that was refused is a false positive, and changes no share",
      [{}, { expected: "allow", actual: "block" }],
      { containment: 1, falsePositives: 1 },
    ],
    ["the second of two messages was refused", [{ arrived: [1, 2] }], { containment: 1, partly: 1 }],
  ])("%s", (_name, results, wanted) => {
    expect(figuresOf(results.map(result), [])).toMatchObject(wanted);
  });
});
