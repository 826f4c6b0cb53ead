/**
 * From what was read to a verdict: labels from the register, one point for each data class, the policy's decision. Pure.
 * Parts of a decision that the gateway cannot carry out yet (redact, reroute, ask) deny, and say so.
 */
import { Fault, type FindingTally, type SourceTally, type Verdict } from "../core/index.ts";
import { decide, type Point, type RuleRef } from "../policy/index.ts";
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
  readonly verdict: Verdict;
  /** Ids, for the record. */
  readonly rules: readonly string[];
}
export type Judgement = Judged &
  ({ readonly passes: true } | { readonly passes: false; readonly fault: Fault });
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

export function judge(about: About, reading: Reading, session: GatewaySession): Judgement {
  const { decoded } = reading;
  const labels = session.label(about.target.host, about.target.port, pathOf(about.target));
  const point = pointOf(about, labels, decoded.model, session);
  const classes = reading.classes.size === 0 ? ["public"] : [...reading.classes];
  const [first = point, ...others] = classes.map((data): Point => ({ ...point, data }));
  const decision = decide(session.policy, first, ...others);
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
    verdict: decision.verdict === "allow" ? "allow" : "deny",
    rules: decision.rules.map(({ id }) => id),
  };
  if (decision.verdict === "allow" && decision.redact.length === 0 && decision.rerouteTo === null)
    return { ...judged, passes: true };
  if (decision.verdict === "deny")
    return {
      ...judged,
      passes: false,
      fault: new Fault("gateway.refused", { detail: ruleText(decision.rules) }),
    };
  const fault = new Fault("gateway.unsupported", {
    detail: `${decision.verdict} by ${ruleText(decision.rules)}`,
  });
  return { ...judged, verdict: "deny", rules: [...judged.rules, fault.code], passes: false, fault };
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
