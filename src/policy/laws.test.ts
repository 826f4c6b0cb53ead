/** The laws of policy, as properties over random documents. */
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  connectionArbitrary,
  documentArbitrary,
  pointArbitrary,
  ruleArbitrary,
} from "./arbitrary.testkit.ts";
import { type Decision, decide, decideConnection, STRICTNESS } from "./decide.ts";
import type { PolicyDocument } from "./document.ts";
import { folderCovers, nameCovers } from "./grant.ts";
import { layer, type Policy } from "./layer.ts";
import { matches } from "./match.ts";
import { indexSendRules, matchingRules } from "./send.ts";

const profile = documentArbitrary("p", ["Profile"]);
const runs = { numRuns: 400 };

/** Whether `tight` permits nothing that `loose` does not. */
function isAtLeastAsStrict(tight: Decision, loose: Decision): boolean {
  if (tight.verdict === "deny") return true;
  return (
    STRICTNESS[tight.verdict] >= STRICTNESS[loose.verdict] &&
    (!loose.normalise || tight.normalise) &&
    loose.redact.every((data) => tight.redact.includes(data)) &&
    (loose.rerouteTo === null || (tight.rerouteTo?.every((to) => loose.rerouteTo?.includes(to)) ?? false))
  );
}

const meaning = ({ name: _, layers: __, send: ___, sha256: ____, ...rest }: Policy): unknown => rest;
const verdictOf = ({ verdict, redact, rerouteTo }: Decision): unknown => ({
  verdict,
  redact: [...redact].sort(),
  rerouteTo: rerouteTo === null ? null : [...rerouteTo].sort(),
});

test("the index finds exactly the rules that match by their plain meaning", () => {
  fc.assert(
    fc.property(fc.array(ruleArbitrary, { maxLength: 70 }), pointArbitrary, (rules, point) => {
      const bits = matchingRules(indexSendRules(rules), point);
      const found = rules.filter((_, r) => ((bits[r >>> 5] ?? 0) >>> (r & 31)) & 1);
      expect(found).toEqual(rules.filter((rule) => matches(rule, point)));
    }),
    runs,
  );
});

test("many rules with values of their own cost memory by their number, not by its square", () => {
  const rules = Array.from({ length: 20_000 }, (_, r) => ({ when: { data: [`class_${r}`, "secret"] } }));
  const index = indexSendRules(rules);
  const bytes = index.when
    .flatMap(({ accepting }) => [...accepting.values()])
    .reduce((sum, one) => sum + (one instanceof Uint32Array ? one.byteLength : one.length * 8), 0);
  expect(bytes).toBeLessThan(1_000_000);
});

test("adding a denial never widens what may leave", () => {
  fc.assert(
    fc.property(profile, ruleArbitrary, pointArbitrary, (document, rule, point) => {
      const { send } = document.data;
      // biome-ignore lint/suspicious/noThenProperty: the document's own word
      const denial = { ...rule, id: "added", then: "deny" as const, rerouteTo: undefined };
      const more = {
        ...document,
        data: { ...document.data, send: { ...send, rules: [...(send?.rules ?? []), denial] } },
      } as PolicyDocument;
      expect(isAtLeastAsStrict(decide(layer([more]), point), decide(layer([document]), point))).toBe(true);
    }),
    runs,
  );
});

test("adding a document only tightens: what may leave, what may be connected to, what is shown and passed", () => {
  fc.assert(
    fc.property(
      profile,
      documentArbitrary("q"),
      pointArbitrary,
      connectionArbitrary,
      (a, b, point, [host, port]) => {
        const loose = layer([a]);
        const tight = layer([a, b]);
        expect(isAtLeastAsStrict(decide(tight, point), decide(loose, point))).toBe(true);
        const [tightly, loosely] = [decideConnection(tight, host, port), decideConnection(loose, host, port)];
        if (loosely.verdict === "deny") expect(tightly.verdict).toBe("deny");
        if (!loosely.privateAddresses) expect(tightly.privateAddresses).toBe(false);
        for (const path of tight.files.read)
          expect(loose.files.read.some((p) => folderCovers(p, path))).toBe(true);
        for (const name of tight.environment.pass)
          expect(loose.environment.pass.some((p) => nameCovers(p, name))).toBe(true);
        expect(tight.files.hide).toEqual(expect.arrayContaining([...loose.files.hide]));
        if (loose.sandbox.mode === "bubblewrap") expect(tight.sandbox.mode).toBe("bubblewrap");
        if (!loose.sandbox.nested) expect(tight.sandbox.nested).toBe(false);
      },
    ),
    runs,
  );
});

test("the order of documents and of rules means nothing", () => {
  fc.assert(
    fc.property(
      profile,
      documentArbitrary("q"),
      documentArbitrary("r"),
      pointArbitrary,
      connectionArbitrary,
      (a, b, c, point, [host, port]) => {
        const one = layer([a, b, c]);
        const flip = (document: PolicyDocument): PolicyDocument =>
          ({
            ...document,
            data: {
              ...document.data,
              send: { ...document.data.send, rules: [...(document.data.send?.rules ?? [])].reverse() },
            },
          }) as PolicyDocument;
        const other = layer([flip(c), flip(a), flip(b)]);
        expect(verdictOf(decide(other, point))).toEqual(verdictOf(decide(one, point)));
        expect(decideConnection(other, host, port)).toEqual(decideConnection(one, host, port));
        expect(meaning(other)).toEqual(meaning(one));
        expect(layer([c, a, b]).sha256).toBe(one.sha256);
      },
    ),
    runs,
  );
});

test("a layer of several documents means what each of them says, taken strictly: grouping means nothing", () => {
  fc.assert(
    fc.property(
      profile,
      documentArbitrary("q", ["Profile"]),
      pointArbitrary,
      connectionArbitrary,
      (a, b, point, [host, port]) => {
        const [left, right, both] = [layer([a]), layer([b]), layer([a, b])];
        const strictest = (x: Decision, y: Decision): number =>
          Math.max(STRICTNESS[x.verdict], STRICTNESS[y.verdict]);
        const [l, r, joint] = [decide(left, point), decide(right, point), decide(both, point)];
        // Rerouting to different places is the one case in which two parts are stricter together than either alone.
        if (!(l.rerouteTo !== null && r.rerouteTo !== null))
          expect(STRICTNESS[joint.verdict]).toBe(strictest(l, r));
        const connections = [left, right].map((policy) => decideConnection(policy, host, port).verdict);
        expect(decideConnection(both, host, port).verdict).toBe(
          connections.includes("deny") ? "deny" : "allow",
        );
      },
    ),
    runs,
  );
});

test("several points are judged as strictly as the strictest of them", () => {
  fc.assert(
    fc.property(profile, pointArbitrary, pointArbitrary, (document, p, q) => {
      const policy = layer([document]);
      const joint = decide(policy, p, q);
      expect(isAtLeastAsStrict(joint, decide(policy, p)) && isAtLeastAsStrict(joint, decide(policy, q))).toBe(
        true,
      );
    }),
    runs,
  );
});
