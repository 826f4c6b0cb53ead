/**
 * From what was read to a verdict: labels from the register, one point for each data class, the policy's decision. Pure.
 * What policy wants redacted is judged twice: what came, and what is to leave in its place; there only `allow` passes.
 * Parts of a decision that the gateway cannot carry out yet (reroute, ask) deny, and say so.
 */
import { Fault, type FindingTally, type SourceTally, type Verdict } from "../core/index.ts";
import { type Decision, decide, type Point, type RuleRef } from "../policy/index.ts";
import type { Target } from "./exchange.ts";
import type { About } from "./matter.ts";
import type { DestinationLabels, GatewaySession, Reading } from "./session.ts";

interface Judged {
  readonly destination: string | null;
  /** The origin it goes to. */
  readonly sentTo: string;
  /** The stand-in, when one stands in here. */
  readonly standIn: URL | null;
  readonly dialect: DialectOf;
  readonly understood: boolean;
  readonly model: string | null;
  readonly sources: SourceTally;
  readonly found: readonly FindingTally[];
  /** Found and passed over. */
  readonly waived: readonly FindingTally[];
  /** What was replaced, and for the first time in the session. */
  readonly redacted: readonly FindingTally[];
  /** Whether placeholders in the reply may become values again: models only. */
  readonly isModel: boolean;
  readonly verdict: Verdict;
  /** Ids, for the record. */
  readonly rules: readonly string[];
}
export type Judgement = Judged &
  ({ readonly passes: true } | { readonly passes: false; readonly fault: Fault });
/** It may leave once these classes are replaced in it, if {@link judgeRedacted} says so of what is then left. */
export type Condition = Judged & { readonly passes: "redacted"; readonly classes: readonly string[] };
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

export function judge(about: About, reading: Reading, session: GatewaySession): Judgement | Condition {
  const { decoded } = reading;
  const labels = session.label(about.target.host, about.target.port, pathOf(about.target));
  const decision = decisionOn(about, labels, decoded.model, reading.classes, session);
  const standIn = labels.channel === "llm" ? session.upstream : null;
  const judged: Judged = {
    destination: labels.destination,
    sentTo: standIn?.origin ?? originText(about.target),
    standIn,
    dialect: decoded.dialect,
    understood: decoded.understood,
    model: decoded.model,
    sources: decoded.sources,
    found: reading.found,
    waived: reading.waived,
    redacted: [],
    isModel: labels.channel === "llm",
    verdict: decision.verdict === "allow" ? "allow" : "deny",
    rules: decision.rules.map(({ id }) => id),
  };
  if (decision.verdict === "allow" && decision.redact.length === 0 && decision.rerouteTo === null)
    return { ...judged, passes: true };
  if (decision.verdict === "redact" && decision.rerouteTo === null)
    return { ...judged, passes: "redacted", classes: decision.redact };
  if (decision.verdict === "deny")
    return {
      ...judged,
      passes: false,
      fault: new Fault("gateway.refused", { detail: ruleText(decision.rules) }),
    };
  return denied(
    judged,
    new Fault("gateway.unsupported", { detail: `${decision.verdict} by ${ruleText(decision.rules)}` }),
  );
}

/** What is to leave once the values of `asked.classes` are replaced. `left`: what it still holds, as for `judge`. */
export function judgeRedacted(
  about: About,
  asked: Condition,
  left: ReadonlySet<string>,
  redacted: readonly FindingTally[],
  session: GatewaySession,
): Judgement {
  const labels = session.label(about.target.host, about.target.port, pathOf(about.target));
  const { verdict, rules } = decisionOn(about, labels, asked.model, left, session);
  if (verdict === "allow") return { ...asked, verdict: "redact", redacted, passes: true };
  const where = "it stands in the URL, in a header, or in a form that cannot be edited";
  return denied(asked, new Fault("gateway.unredacted", { detail: `${where}; ${ruleText(rules)}` }));
}

/** It stays here, under the fault's code as one of its rules. */
export function denied({ rules, ...judged }: Judged, fault: Fault): Judgement {
  return { ...judged, verdict: "deny", rules: [...rules, fault.code], passes: false, fault };
}

/** One point for each data class: the strictest answer wins. */
function decisionOn(
  about: About,
  labels: DestinationLabels,
  model: string | null,
  held: ReadonlySet<string>,
  session: GatewaySession,
): Decision {
  const point = pointOf(about, labels, model, session);
  const classes = held.size === 0 ? ["public"] : [...held];
  const laws = [labels.operatorLaw, ...(labels.otherLaws ?? [])];
  const [first = point, ...others] = classes.flatMap((data) =>
    laws.map((operatorLaw): Point => ({ ...point, data, operatorLaw })),
  );
  return decide(session.policy, first, ...others);
}

/** What could not even be read is denied, under the fault's code as its rule. */
export function judgeFault(about: About, fault: Fault, session: GatewaySession): Judgement {
  const labels = session.label(about.target.host, about.target.port, pathOf(about.target));
  return {
    destination: labels.destination,
    sentTo: originText(about.target),
    standIn: null,
    dialect: "opaque",
    understood: false,
    model: null,
    sources: NO_SOURCES,
    found: [],
    waived: [],
    redacted: [],
    isModel: false,
    verdict: "deny",
    rules: [fault.code],
    passes: false,
    fault,
  };
}

function pointOf(
  about: About,
  labels: DestinationLabels,
  model: string | null,
  session: GatewaySession,
): Point {
  const { host, port } = about.target;
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

/** What a person needs to know to ask for something else: which rule, why, whose. */
export function ruleText(rules: readonly RuleRef[]): string {
  if (rules.length === 0) return "no rule allows it";
  return rules
    .map(
      ({ id, title, because, owner, document }) =>
        `rule \`${id}\` (${title}) of ${document}: ${because}; owner: ${owner}`,
    )
    .join(" | ");
}
