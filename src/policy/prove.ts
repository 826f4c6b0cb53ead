/**
 * Properties of a policy, checked for every point there is (quotient.ts), and for every profile that anyone may ever
 * write: guardrails compose by the strictest answer, so what they refuse beside a profile that allows everything, they
 * refuse beside any. Every waiver that a rule permits is taken as granted, every question as answered with yes.
 *
 * Honesty, to be printed beside every proof: it is about labels. It says nothing of a detector that misses, a register
 * row that is wrong, or bytes that go round the gateway.
 */
import { type Decision, decide, decideConnection } from "./decide.ts";
import type { PolicyData, PolicyDocument } from "./document.ts";
import { patternsOf } from "./host.ts";
import type { LabelName, Point } from "./label.ts";
import { layer, type Policy } from "./layer.ts";
import { matches } from "./match.ts";
import type { Property } from "./property.ts";
import { conditionsOf, pointsOf, type Quotient, quotientOf } from "./quotient.ts";
import { type Language, regionOf, say, sayRegion } from "./words.ts";

export interface Proof {
  readonly property: string;
  readonly title: string;
  readonly holds: boolean;
  /** How many kinds of sending were walked; each stands for all points that no rule tells apart from it. */
  readonly points: number;
  /** A sending that breaks the property, and its labels in words; null when none does. */
  readonly counterExample: { readonly point: Point; readonly words: string } | null;
}

/** A guardrail that was left out to see whether any property notices. */
export interface Mutant {
  readonly document: string;
  readonly rule: string;
  /** The properties that fail without it; empty: nobody has written down what the rule is for. */
  readonly neededBy: readonly string[];
  /** The rule's own reason for needing no property, if it gives one. */
  readonly unproved: string | null;
}

/** Whether each property holds for the documents as they are, all waivers granted. At least one must be a profile. */
export function prove(
  documents: readonly PolicyDocument[],
  properties: readonly Property[],
  language: Language,
): readonly Proof[] {
  const policy = layer(documents.map(withAllWaivers));
  const conditions = conditionsOf(documents);
  return properties.map((property) => {
    const questions = property.unless === undefined ? [property.never] : [property.never, property.unless];
    const quotient = quotientOf([...conditions, ...questions]);
    return proveOne(policy, property, quotient, language);
  });
}

/** Whether each property holds beside every profile that anyone may ever write. Only guardrails count. */
export function proveUnderAnyProfile(
  documents: readonly PolicyDocument[],
  properties: readonly Property[],
  language: Language,
): readonly Proof[] {
  return prove([...guardrailsOf(documents), ANY_PROFILE], properties, language);
}

/** Leaves out each refusing rule of the guardrails in turn, and tells which properties fail without it. */
export function mutate(
  documents: readonly PolicyDocument[],
  properties: readonly Property[],
): readonly Mutant[] {
  const guardrails = guardrailsOf(documents);
  const broken = (mutated: readonly PolicyDocument[]): readonly string[] =>
    proveUnderAnyProfile(mutated, properties, "en").flatMap(({ property, holds }) =>
      holds ? [] : [property],
    );
  const brokenAnyway = broken(guardrails);
  return guardrails.flatMap((document) =>
    [
      ...(document.data.send?.rules ?? []).filter(({ then }) => then !== "allow"),
      ...(document.data.network?.deny ?? []),
    ].map((rule): Mutant => {
      const mutated = guardrails.map((other) => (other === document ? without(document, rule.id) : other));
      return {
        document: document.data.metadata.name,
        rule: rule.id,
        neededBy: broken(mutated).filter((property) => !brokenAnyway.includes(property)),
        unproved: rule.unproved ?? null,
      };
    }),
  );
}

function proveOne(policy: Policy, property: Property, quotient: Quotient, language: Language): Proof {
  const rule = { when: property.never, unless: property.unless };
  let points = 0;
  for (const point of pointsOf(inside(property.never, quotient))) {
    points++;
    if (matches(rule, point) && mayLeave(policy, point))
      return {
        property: property.id,
        title: say(property.title, language),
        holds: false,
        points,
        counterExample: { point, words: sayRegion(regionOf(point, quotient), quotient, language) },
      };
  }
  return {
    property: property.id,
    title: say(property.title, language),
    holds: true,
    points,
    counterExample: null,
  };
}

/** The part of the quotient that a property speaks about: its labels are a product, so the part is one too. */
function inside(never: Property["never"], quotient: Quotient): Quotient {
  const entries = Object.entries(quotient).map(([label, classes]) => {
    const asked = never[label as LabelName];
    return [
      label,
      asked === undefined ? classes : classes.filter(({ sample }) => accepts(label, asked, sample)),
    ];
  });
  // The labels are those of the quotient that went in.
  return Object.fromEntries(entries) as Quotient;
}

const accepts = (label: string, asked: readonly (string | number)[], sample: string | number): boolean =>
  label === "host"
    ? patternsOf(String(sample)).some((pattern) => asked.includes(pattern))
    : asked.includes(sample);

/** Whether this very content may go to this very place: nothing outstanding to mask or to send elsewhere. */
export function mayLeave(policy: Policy, point: Point): boolean {
  const decision: Decision = decide(policy, point);
  const isPermitted = decision.verdict === "allow" || decision.verdict === "ask";
  return (
    isPermitted &&
    decision.redact.length === 0 &&
    !decision.normalise &&
    decision.rerouteTo === null &&
    decideConnection(policy, point.host, point.port).verdict === "allow"
  );
}

const guardrailsOf = (documents: readonly PolicyDocument[]): readonly PolicyDocument[] =>
  documents.filter(({ data }) => data.kind === "Guardrails");

/** The loosest profile there can be. */
export const ANY_PROFILE: PolicyDocument = {
  file: "any profile",
  data: {
    apiVersion: "sallyport/v1",
    kind: "Profile",
    metadata: { name: "any-profile", version: 1, owner: "anyone" },
    network: { default: "allow" },
    send: { default: "allow" },
  },
};

/** A waiver takes a rule's objection away, not its having spoken: it counts as an allowance. */
function withAllWaivers(document: PolicyDocument): PolicyDocument {
  return mapRules(document, (rules) =>
    // biome-ignore lint/suspicious/noThenProperty: the document's own word
    rules.map((rule) => (rule.waivable === true ? { ...rule, then: "allow" as const } : rule)),
  );
}

function without(document: PolicyDocument, id: string): PolicyDocument {
  const { data } = mapRules(document, (rules) => rules.filter((rule) => rule.id !== id));
  const { network } = data;
  const deny = network?.deny?.filter((rule) => rule.id !== id);
  // The kind and every other section stay as they were.
  return { ...document, data: { ...data, ...(network && { network: { ...network, deny } }) } as PolicyData };
}

type Rules = NonNullable<NonNullable<PolicyData["send"]>["rules"]>;

function mapRules(document: PolicyDocument, change: (rules: Rules) => Rules): PolicyDocument {
  const { data } = document;
  if (data.send?.rules === undefined) return document;
  // The kind and every other section stay as they were.
  return {
    ...document,
    data: { ...data, send: { ...data.send, rules: change(data.send.rules) } } as PolicyData,
  };
}
