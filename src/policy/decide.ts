/**
 * Decisions: pure, total, the strictest wins. No order, no priorities, no first match: adding a rule that denies, or a
 * document, never widens. What cannot be judged is denied.
 *
 * A transformed payload is judged again as it leaves: after redaction or rerouting the caller asks once more with the
 * new labels, and only `allow` may pass.
 */
import type { Verdict } from "../core/index.ts";
import { canonicalHost, patternsOf } from "./host.ts";
import type { Point } from "./label.ts";
import type { Layer, Policy, RuleRef } from "./layer.ts";
import { allowsPort, deniesPort, matches } from "./match.ts";
import { matchingRules } from "./send.ts";

export interface Decision {
  readonly verdict: Verdict;
  /** Data classes to replace before anything is sent; whatever the verdict, unless it is `deny`. */
  readonly redact: readonly string[];
  /** Whether the build's own lines leave as its vetted template has them. */
  readonly normalise: boolean;
  /** Destinations, by name, of which one must be used instead; null: the one that was asked for. */
  readonly rerouteTo: readonly string[] | null;
  /** The rules that decide: those that make the verdict, and those that oblige to redact or reroute. */
  readonly rules: readonly RuleRef[];
}

/** Allow < normalise < redact < reroute < ask < deny. */
export const STRICTNESS: Readonly<Record<Verdict, number>> = {
  allow: 0,
  normalise: 1,
  redact: 2,
  reroute: 3,
  ask: 4,
  deny: 5,
};

/**
 * The verdict about something that is about to leave. A payload with several data classes (or laws) is one point for
 * each of them; the strictest answer wins, obligations add up, and rerouting targets must suit all.
 */
export function decide(policy: Policy, point: Point, ...others: readonly Point[]): Decision {
  const answers = answersTo(policy, point);
  for (const other of others) answers.push(...answersTo(policy, other));
  return judge(answers);
}

/** What one rule, or one layer's default, answers about one point. */
interface Answer {
  readonly verdict: Verdict;
  readonly ref: RuleRef;
  readonly data: string;
  readonly rerouteTo: readonly string[];
  readonly isDefault: boolean;
}

const NOWHERE: readonly string[] = [];

function answersTo(policy: Policy, point: Point): Answer[] {
  const { rules, index } = policy.send;
  const { data } = point;
  const hits = matchingRules(index, point);
  const speaks = new Set<number>();
  const answers: Answer[] = [];
  for (let w = 0; w < hits.length; w++)
    for (let bits = hits[w] ?? 0; bits !== 0; bits &= bits - 1) {
      const found = rules[w * 32 + 31 - Math.clz32(bits & -bits)];
      if (found === undefined) continue;
      speaks.add(found.layer);
      const waiver = found.waived?.find(({ scope }) => matches({ when: scope }, point));
      if (waiver !== undefined) {
        // The rule has spoken, so that its document's default does not; what it objects to is taken away.
        answers.push({ verdict: "allow", ref: waiver.ref, data, rerouteTo: NOWHERE, isDefault: false });
        continue;
      }
      const { then, rerouteTo } = found.rule;
      answers.push({
        verdict: then,
        ref: found.ref,
        data,
        rerouteTo: rerouteTo ?? NOWHERE,
        isDefault: false,
      });
    }
  for (const [at, { send }] of policy.layers.entries())
    if (!speaks.has(at)) {
      const verdict = send.allows ? "allow" : "deny";
      answers.push({ verdict, ref: send.ref, data, rerouteTo: NOWHERE, isDefault: true });
    }
  return answers;
}

function judge(answers: readonly Answer[]): Decision {
  let verdict: Verdict = "allow";
  let rerouteTo: readonly string[] | null = null;
  const redact = new Set<string>();
  for (const answer of answers) {
    if (STRICTNESS[answer.verdict] > STRICTNESS[verdict]) verdict = answer.verdict;
    if (answer.verdict === "redact") redact.add(answer.data);
    if (answer.verdict === "reroute") rerouteTo = common(rerouteTo, answer.rerouteTo);
  }
  if (verdict === "deny")
    return {
      verdict,
      redact: [],
      normalise: false,
      rerouteTo: null,
      rules: refs(answers, (answer) => answer.verdict === "deny"),
    };
  // Two rules that name different servers leave none: what may go nowhere stays.
  if (rerouteTo?.length === 0)
    return {
      verdict: "deny",
      redact: [],
      normalise: false,
      rerouteTo: null,
      rules: refs(answers, (answer) => answer.verdict === "reroute"),
    };
  const named = answers.some((answer) => answer.verdict === verdict && !answer.isDefault);
  const decides = (answer: Answer): boolean =>
    answer.verdict === "normalise" ||
    answer.verdict === "redact" ||
    answer.verdict === "reroute" ||
    (answer.verdict === verdict && !(named && answer.isDefault));
  const normalise = answers.some((answer) => answer.verdict === "normalise");
  return { verdict, redact: [...redact], normalise, rerouteTo, rules: refs(answers, decides) };
}

const common = (a: readonly string[] | null, b: readonly string[]): readonly string[] =>
  a === null ? b : a.filter((one) => b.includes(one));

const refs = (answers: readonly Answer[], test: (answer: Answer) => boolean): readonly RuleRef[] => [
  ...new Set(answers.filter(test).map(({ ref }) => ref)),
];

/** What may be connected to at all, before anything is known of what will be sent. */
export interface ConnectionDecision {
  readonly verdict: "allow" | "deny";
  /** The rules that decide. */
  readonly rules: readonly RuleRef[];
  /** Whether the host may resolve to a private address: only where a profile names it so, and no document objects. */
  readonly privateAddresses: boolean;
}

/**
 * Whether a host and port may be connected to. The host is compared in canonical form (`canonicalHost`): what the
 * caller dials must be that form too. A malformed host is denied. It does not look names up: the addresses that a
 * name resolves to are for the caller to check against `privateAddresses`.
 */
export function decideConnection(policy: Policy, host: string, port: number): ConnectionDecision {
  const canonical = canonicalHost(host);
  if (canonical === null) return { verdict: "deny", rules: [MALFORMED], privateAddresses: false };
  const patterns = patternsOf(canonical);
  const answers = policy.layers.map((layer) => askLayer(layer, patterns, port));
  const denials = answers.filter(({ allows }) => !allows);
  const deciding = denials.length > 0 ? denials : answers;
  const named = deciding.filter(({ isDefault }) => !isDefault);
  return {
    verdict: denials.length > 0 ? "deny" : "allow",
    rules: (named.length > 0 ? named : deciding).flatMap(({ refs }) => refs),
    privateAddresses: denials.length === 0 && answers.every(({ grantsPrivate }) => grantsPrivate),
  };
}

/** A host that is none is nobody's rule. */
const MALFORMED: RuleRef = {
  id: "malformed-host",
  title: "What is not a host name or an address is not connected to",
  because: "a name that can be read in two ways could pass as one host and lead to another",
  owner: "Sallyport",
  document: "built in",
};

interface LayerAnswer {
  readonly allows: boolean;
  readonly grantsPrivate: boolean;
  readonly refs: readonly RuleRef[];
  readonly isDefault: boolean;
}

function askLayer({ document, network }: Layer, patterns: readonly string[], port: number): LayerAnswer {
  const denials = patterns
    .flatMap((pattern) => network.deny.get(pattern) ?? [])
    .filter(({ rule }) => deniesPort(rule, port));
  if (denials.length > 0)
    return { allows: false, grantsPrivate: false, refs: distinct(denials), isDefault: false };
  const allowances = patterns
    .flatMap((pattern) => network.allow.get(pattern) ?? [])
    .filter(({ rule }) => allowsPort(rule, port));
  if (allowances.length > 0) {
    // Guardrails and repositories cannot grant private addresses; their allowances leave that to the profile.
    const grantsPrivate =
      document.data.kind !== "Profile" || allowances.some(({ rule }) => rule.private === true);
    return { allows: true, grantsPrivate, refs: distinct(allowances), isDefault: false };
  }
  const { allows, ref } = network;
  return { allows, grantsPrivate: document.data.kind !== "Profile", refs: [ref], isDefault: true };
}

const distinct = (rules: readonly { readonly ref: RuleRef }[]): readonly RuleRef[] => [
  ...new Set(rules.map(({ ref }) => ref)),
];
