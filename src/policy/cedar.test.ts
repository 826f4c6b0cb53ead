/**
 * The Cedar engine as a second opinion on ours: it must agree on the points of the quotient. CEDAR_ALL=1 asks about
 * every point.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as cedar from "@cedar-policy/cedar-wasm/nodejs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { documentArbitrary, pointArbitrary } from "./arbitrary.testkit.ts";
import { type CedarExport, exportCedar } from "./cedar.ts";
import { decide, decideConnection } from "./decide.ts";
import { type PolicyDocument, parseDocument } from "./document.ts";
import type { Point } from "./label.ts";
import { layer, type Policy } from "./layer.ts";
import { conditionsOf, pointsOf, quotientOf, sizeOf } from "./quotient.ts";

const fixture = (name: string): PolicyDocument =>
  parseDocument(readFileSync(join(import.meta.dirname, "../../test/fixtures/policy", name), "utf8"), name);
const documents = [fixture("org.yaml"), fixture("engineer.yaml")];

/** What we use of the engine. */
interface Cedar {
  validate(call: object): { type: string; validationErrors?: unknown[] };
  preparseSchema(name: string, schema: string): { type: string };
  preparsePolicySet(name: string, policies: object): { type: string };
  statefulIsAuthorized(call: object): {
    type: string;
    response?: { decision: string; diagnostics: { errors: unknown[] } };
  };
}

test("the export holds one statement for each rule that refuses anything, with its reason and owner", () => {
  const { policies, schema, targets } = exportCedar(documents);
  expect(targets).toEqual(["onprem-mistral", "onprem-qwen"]);
  expect([...policies.matchAll(/^@id\("(.*)"\)$/gm)].map((match) => match[1])).toEqual([
    ...["G-1", "G-2", "G-3", "G-4", "G-5", "G-6", "G-7", "N-1"].map((id) => `org/${id}`),
    ...["E-3", "E-5", "E-6", "send.default", "network.default"].map((id) => `engineer/${id}`),
  ]);
  expect(policies).toContain(`@id("org/G-2")
@title("Data listed as important under the DSL stays on servers in China run under Chinese law")
@because("PIPL Art. 38-40 / DSL Art. 31 - cross-border transfer needs an assessment we have not filed")
@owner("ciso@corp.example")
forbid (principal, action, resource)
when { ["pipl_important"].contains(context.data) }
unless { ["CN", "ONPREM"].contains(context.serverIn) && ["CN", "SELF"].contains(context.operatorLaw) };`);
  expect(schema).toContain('"via:onprem-qwen"');
});

describe("the Cedar engine", () => {
  const engine: Cedar = cedar;
  let sets = 0;

  /** Our verdict, put together from Cedar's answers. Any error is a failure of the test. */
  function oracle(exported: CedarExport): (point: Point) => unknown {
    const name = `set-${sets++}`;
    expect(engine.preparseSchema(name, exported.schema)).toEqual({ type: "success" });
    expect(engine.preparsePolicySet(name, { staticPolicies: exported.policies })).toEqual({
      type: "success",
    });
    return (point) => {
      const may = (action: string): boolean => {
        const answer = engine.statefulIsAuthorized({
          principal: { type: "Person", id: "p" },
          action: { type: "Action", id: action },
          resource: { type: "Destination", id: "d" },
          context: point,
          preparsedSchemaName: name,
          preparsedPolicySetId: name,
          validateRequest: true,
          entities: [],
        });
        expect(answer.response?.diagnostics.errors, JSON.stringify(answer)).toEqual([]);
        return answer.response?.decision === "allow";
      };
      if (!may("leave")) return { verdict: "deny", masked: false, rerouteTo: null };
      const rerouteTo = may("here") ? null : exported.targets.filter((target) => may(`via:${target}`));
      if (rerouteTo?.length === 0) return { verdict: "deny", masked: false, rerouteTo: null };
      const masked = !may("unmasked");
      const plain = may("unaltered") ? "allow" : "normalise";
      const verdict = !may("unasked") ? "ask" : rerouteTo !== null ? "reroute" : masked ? "redact" : plain;
      return { verdict, masked, rerouteTo };
    };
  }

  function ours(policy: Policy, point: Point): unknown {
    if (decideConnection(policy, point.host, point.port).verdict === "deny")
      return { verdict: "deny", masked: false, rerouteTo: null };
    const { verdict, redact, rerouteTo } = decide(policy, point);
    return { verdict, masked: redact.length > 0, rerouteTo: rerouteTo?.toSorted() ?? null };
  }

  test("accepts the export against its schema", () => {
    const { policies, schema } = exportCedar(documents);
    const answer = engine.validate({ schema, policies: { staticPolicies: policies } });
    expect(answer).toMatchObject({ type: "success", validationErrors: [] });
  });

  test("agrees with us on the worked example", { timeout: 600_000 }, () => {
    const policy = layer(documents);
    const ask = oracle(exportCedar(documents));
    const quotient = quotientOf(conditionsOf(documents));
    const step = process.env["CEDAR_ALL"] === "1" ? 1 : Math.ceil(sizeOf(quotient) / 2_000);
    let asked = 0;
    for (const [number, point] of [...pointsOf(quotient)].entries())
      if (number % step === 0) {
        asked++;
        expect(ask(point), JSON.stringify(point)).toEqual(ours(policy, point));
      }
    console.log(`Cedar agreed on ${asked} of ${sizeOf(quotient)} points`);
    expect(asked).toBeGreaterThan(1_000);
  });

  test("agrees with us on random documents", { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(
        documentArbitrary("p", ["Profile"]),
        documentArbitrary("q"),
        fc.array(pointArbitrary, { minLength: 5, maxLength: 5 }),
        (a, b, points) => {
          const policy = layer([a, b]);
          const ask = oracle(exportCedar([a, b]));
          for (const point of points) expect(ask(point)).toEqual(ours(policy, point));
        },
      ),
      { numRuns: 60 },
    );
  });
});
