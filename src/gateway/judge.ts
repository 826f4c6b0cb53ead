/**
 * From what was read to a verdict: labels from the register, one point for each data class, the policy's decision. Pure.
 * What policy wants changed is judged again as it is to leave: redacted content by `judgeRedacted`, and what goes to one
 * of our own servers instead by `judge` itself, with that server's labels.
 */
import { createHash } from "node:crypto";
import {
  Fault,
  type FindingTally,
  type NormalisedTally,
  type SourceTally,
  type Verdict,
} from "../core/index.ts";
import { type Decision, decide, type Point, type RuleRef, study } from "../policy/index.ts";
import type { Target } from "./exchange.ts";
import type { About } from "./matter.ts";
import { findWay, type Way } from "./reroute.ts";
import type { DestinationLabels, GatewaySession, Reading } from "./session.ts";
import type { Standing } from "./standing.ts";
import { toolUseOf } from "./tool-use.ts";

interface Judged {
  readonly destination: string | null;
  /** The origin it goes to. */
  readonly sentTo: string;
  /** The stand-in, when one stands in here. */
  readonly standIn: URL | null;
  /** The agent's own; what a server of ours is spoken to in is said by the way there. */
  readonly dialect: DialectOf;
  readonly understood: boolean;
  readonly model: string | null;
  readonly sources: SourceTally;
  readonly found: readonly FindingTally[];
  /** Found and passed over. */
  readonly waived: readonly FindingTally[];
  /** What was replaced, and for the first time in the session. */
  readonly redacted: readonly FindingTally[];
  /** What was put back as the build's vetted template has it. */
  readonly normalised: readonly NormalisedTally[];
  /** Whether placeholders in the reply may become values again: models only. */
  readonly isModel: boolean;
  readonly verdict: Verdict;
  /** Ids, for the record. */
  readonly rules: readonly string[];
  /** SHA-256 of the policy it was judged under. */
  readonly policy: string;
  /** Ids of the answers that it leaves by. */
  readonly approvals: readonly string[];
}
export type Judgement = Judged &
  ({ readonly passes: true } | { readonly passes: false; readonly fault: Fault });
/** It may leave once these classes are replaced in it, if {@link judgeRedacted} says so of what is then left. */
export type Condition = Judged & { readonly passes: "redacted"; readonly classes: readonly string[] };
/** It may leave with the build's own lines as they were vetted, if `judge` says so of what is then left. */
export type Unvetted = Judged & { readonly passes: "altered" };
/** It waits for a person. */
export type Asking = Judged & {
  readonly passes: "asked";
  /** The rules that ask. */
  readonly asking: readonly RuleRef[];
  /** The points they ask about, the first of which people are shown. */
  readonly points: readonly [Point, ...Point[]];
  /** The same for requests that hold the same findings; without findings, for those of the same text. */
  readonly fingerprint: string;
};
/** It goes to a server of ours instead, if `judge` says so of it as it is to leave. */
export type Detour = Judged & { readonly passes: "rerouted"; readonly way: Way };
type DialectOf = Reading["decoded"]["dialect"];

const NO_SOURCES: SourceTally = { files: [], commands: 0, others: 0 };
const CHANNELS: ReadonlySet<string> = new Set<Point["channel"]>([
  "llm",
  "telemetry",
  "update",
  "auth",
  "mcp",
  "package",
  "scm",
  "other",
  "unknown",
]);

/** `approvals`: ids of answers that `standing` counts as given. */
export function judge(
  about: About,
  reading: Reading,
  session: GatewaySession,
  standing: Standing,
  approvals: readonly string[] = [],
): Judgement | Condition | Unvetted | Asking | Detour {
  const { decoded } = reading;
  const held = heldIn(reading.classes, decoded.understood, about, session, standing);
  const points = pointsOf(about, decoded.model, held, session);
  const [first, ...others] = points;
  const decision = refusedTools(decoded, about, standing) ?? decide(standing.policy, first, ...others);
  const judged: Judged = {
    ...placed(about, session),
    dialect: decoded.dialect,
    understood: decoded.understood,
    model: decoded.model,
    sources: decoded.sources,
    found: reading.found,
    waived: reading.waived,
    redacted: [],
    normalised: [],
    verdict: decision.verdict === "allow" ? "allow" : "deny",
    rules: decision.rules.map(({ id }) => id),
    policy: standing.policy.sha256,
    approvals,
  };
  return carriedOut(judged, decision, points, about, reading, session, standing);
}

/** What policy says of the tools it reaches out by; null: nothing against them. */
function refusedTools(decoded: Reading["decoded"], about: About, { policy }: Standing): Decision | null {
  if (!study.speaksOfTools(policy)) return null;
  const rules = study.refuseTools(policy, toolUseOf(decoded, endOf(about).host));
  return rules.length === 0
    ? null
    : { verdict: "deny", redact: [], normalise: false, rerouteTo: null, rules };
}

function carriedOut(
  judged: Judged,
  decision: Decision,
  points: readonly [Point, ...Point[]],
  about: About,
  reading: Reading,
  session: GatewaySession,
  standing: Standing,
): Judgement | Condition | Unvetted | Asking | Detour {
  const { verdict, rerouteTo, rules, redact, normalise } = decision;
  if (verdict === "deny") return refused(judged, decision, points, standing);
  // Before a person is asked: what is to leave is what they answer about.
  if (normalise) return { ...judged, passes: "altered" };
  if (verdict === "ask") {
    const asked = points.filter((point) => decide(standing.policy, point).verdict === "ask");
    const [shown = points[0], ...more] = asked;
    return {
      ...judged,
      passes: "asked",
      asking: rules.filter((ref) => isAsking(ref, standing)),
      points: [shown, ...more],
      fingerprint: fingerprintOf(reading),
    };
  }
  if (rerouteTo !== null) {
    if (about.way !== null)
      return denied(judged, new Fault("gateway.unroutable", { detail: "it was rerouted once already" }));
    const way = findWay(rerouteTo, about, reading.decoded, session, standing);
    return "code" in way ? denied(judged, way) : { ...judged, passes: "rerouted", way };
  }
  const verdictNow = about.way === null ? verdict : "reroute";
  if (verdict === "redact") return { ...judged, passes: "redacted", classes: redact };
  return { ...judged, verdict: verdictNow, passes: true };
}

function fingerprintOf({ inspection, decoded }: Reading): string {
  const found = [...new Set(inspection.findings.map(({ hash }) => hash))].sort();
  const told = found.length > 0 ? found : decoded.parts.map(({ text }) => text);
  const hash = createHash("sha256");
  for (const one of told) hash.update(`${one.length}:${one}`);
  return hash.digest("hex");
}

const isAsking = (ref: RuleRef, { policy }: Standing): boolean =>
  policy.send.rules.some(({ ref: own, rule }) => own === ref && rule.then === "ask");

/** What people are shown is the first point that is refused by itself. */
function refused(
  judged: Judged,
  { rules }: Decision,
  points: readonly [Point, ...Point[]],
  standing: Standing,
): Judgement {
  const shown = points.find((point) => decide(standing.policy, point).verdict === "deny") ?? points[0];
  const detail = standing.refusal({ verdict: "deny", rules }, shown);
  return { ...judged, verdict: "deny", passes: false, fault: new Fault("gateway.refused", { detail }) };
}

/** What is to leave once the values of `asked.classes` are replaced. `left`: what it still holds, as for `judge`. */
export function judgeRedacted(
  about: About,
  asked: Condition,
  left: ReadonlySet<string>,
  redacted: readonly FindingTally[],
  session: GatewaySession,
  standing: Standing,
): Judgement {
  const held = heldIn(left, asked.understood, about, session, standing);
  const [first, ...others] = pointsOf(about, asked.model, held, session);
  const { verdict, rules } = decide(standing.policy, first, ...others);
  if (verdict === "allow")
    return {
      ...asked,
      verdict: about.way === null ? "redact" : "reroute",
      redacted,
      passes: true,
    };
  const where = "it stands in the URL, in a header, or in a form that cannot be edited";
  return denied(asked, new Fault("gateway.unredacted", { detail: `${where}; ${ruleText(rules)}` }));
}

/** It stays here, under the fault's code as one of its rules. */
export function denied({ rules, ...judged }: Judged, fault: Fault): Judgement {
  return { ...judged, verdict: "deny", rules: [...rules, fault.code], passes: false, fault };
}

/** The data class of what goes to a model or a tool server and was read as text only. */
const NOT_UNDERSTOOD = "not_understood";

/** The classes found, and that it was not understood, where a rule speaks of that: no other policy is to notice. */
function heldIn(
  found: ReadonlySet<string>,
  isUnderstood: boolean,
  about: About,
  session: GatewaySession,
  { policy }: Standing,
): ReadonlySet<string> {
  if (isUnderstood || !/^(?:llm|mcp)$/.test(labelsOf(about, session).channel)) return found;
  const isNamed = policy.send.rules.some(({ rule: { when, unless } }) =>
    [when, unless].some((labels) => labels?.data?.includes(NOT_UNDERSTOOD)),
  );
  return isNamed ? new Set([...(found.size === 0 ? ["public"] : found), NOT_UNDERSTOOD]) : found;
}

/** One point for each data class and each law: the strictest answer wins. */
export function pointsOf(
  about: About,
  model: string | null,
  held: ReadonlySet<string>,
  session: GatewaySession,
): readonly [Point, ...Point[]] {
  const labels = labelsOf(about, session);
  const point = pointOf(about, labels, about.way?.model ?? model, session);
  const classes = held.size === 0 ? ["public"] : [...held];
  const laws = [labels.operatorLaw, ...(labels.otherLaws ?? [])];
  const [first = point, ...others] = classes.flatMap((data) =>
    laws.map((operatorLaw): Point => ({ ...point, data, operatorLaw })),
  );
  return [first, ...others];
}

/** What could not even be read is denied, under the fault's code as its rule. */
export function judgeFault(
  about: About,
  fault: Fault,
  session: GatewaySession,
  standing: Standing,
  dialect: DialectOf = "opaque",
): Judgement {
  return {
    ...placed(about, session),
    standIn: null,
    dialect,
    understood: false,
    model: null,
    sources: NO_SOURCES,
    found: [],
    waived: [],
    redacted: [],
    normalised: [],
    isModel: false,
    verdict: "deny",
    rules: [fault.code],
    policy: standing.policy.sha256,
    approvals: [],
    passes: false,
    fault,
  };
}

/** Where it really goes. */
export const endOf = (about: Pick<About, "target" | "way">): Target => about.way?.target ?? about.target;

/** Where it was to go, and whether that is a model. */
export const placeOf = (about: About, session: GatewaySession): readonly [to: string, isModel: boolean] => [
  originText(about.target),
  labelsOf(about, session).channel === "llm",
];

const labelsOf = (about: About, session: GatewaySession): DestinationLabels => {
  const end = endOf(about);
  return about.way?.labels ?? session.label(end.host, end.port, pathOf(end));
};

function placed(
  about: About,
  session: GatewaySession,
): Pick<Judged, "destination" | "sentTo" | "standIn" | "isModel"> {
  const labels = labelsOf(about, session);
  const standIn = labels.channel === "llm" && about.way === null ? session.upstream : null;
  return {
    destination: labels.destination,
    sentTo: standIn?.origin ?? originText(endOf(about)),
    standIn,
    isModel: labels.channel === "llm",
  };
}

function pointOf(
  about: About,
  labels: DestinationLabels,
  model: string | null,
  session: GatewaySession,
): Point {
  const { host, port } = endOf(about);
  return {
    agent: session.agent,
    build: session.build ?? "unknown",
    host,
    port,
    // The set was built from the type's own values.
    channel: CHANNELS.has(labels.channel) ? (labels.channel as Point["channel"]) : "unknown",
    serverIn: labels.serverIn,
    operatorLaw: labels.operatorLaw,
    trains: labels.trains,
    dpa: labels.dpa,
    repo: session.repo ?? "unknown",
    data: "public",
    model: model ?? "unknown",
  };
}

/** The path without its query. */
export const pathOf = (target: Target): string => target.path.split("?", 1)[0] ?? "/";

export function originText(target: Target): string {
  const host = target.host.includes(":") ? `[${target.host}]` : target.host;
  const isDefault = target.port === (target.scheme === "https" ? 443 : 80);
  return `${target.scheme}://${host}${isDefault ? "" : `:${target.port}`}`;
}

/** What a person needs to know to ask for something else: which rule, why, whose. For the record: in English. */
export function ruleText(rules: readonly RuleRef[]): string {
  if (rules.length === 0) return "no rule allows it";
  return rules
    .map(
      ({ id, title, because, owner, document }) =>
        `rule \`${id}\` (${title}) of ${document}: ${because}; owner: ${owner}`,
    )
    .join(" | ");
}
