/** Recorded judgements as the policy desk replays them: the points that their labels and findings come to. Pure. */
import type { LedgerEvent, Verdict } from "../core/index.ts";
import type { DestinationLabels } from "../gateway/index.ts";
import type { Point, study } from "../policy/index.ts";

type Judged = Extract<LedgerEvent, { kind: "exchange.judged" }>;
export type Label = (host: string, port: number, path: string) => DestinationLabels;

/** As the register's labels are today. `agent`: who asked, as the session's beginning says. */
export const judgementOf = (entry: number, event: Judged, agent: string, label: Label): study.Judgement => ({
  entry,
  verdict: decidedIn(event),
  points: pointsOf(event, agent, label),
});

type LawfulLabels = Pick<Point, "channel" | "serverIn" | "operatorLaw" | "trains" | "dpa">;

/** A destination's labels, once for each law that can compel its operator. */
export function lawful(labels: DestinationLabels): [LawfulLabels, ...LawfulLabels[]] {
  const { destination: _row, otherLaws = [], ...rest } = labels;
  const first = rest as LawfulLabels; // the register's own words
  return [first, ...otherLaws.map((operatorLaw) => ({ ...first, operatorLaw }))];
}

/** What the rules said; what people, servers or budgets made of it afterwards is not the policy's to change. */
function decidedIn(event: Judged): Verdict {
  if (event.rules.includes("gateway.unroutable") || event.rerouted !== undefined) return "reroute";
  if (event.rules.includes("gateway.not-approved") || event.approvals !== undefined) return "ask";
  return event.rules.includes("gateway.over-budget") ? "allow" : event.verdict;
}

function pointsOf(event: Judged, agent: string, label: Label): readonly [Point, ...Point[]] {
  const [labels, ...others] = lawful(label(event.host, event.port, event.path));
  const point: Point = {
    agent,
    build: "unknown",
    host: event.host,
    port: event.port,
    ...labels,
    repo: "unknown",
    data: "public",
    model: event.model ?? "unknown",
  };
  const found = new Set(event.findings.map((finding) => finding.class));
  const classes = found.size === 0 ? ["public"] : [...found];
  const all = classes.flatMap((data) =>
    [point, ...others.map((law) => ({ ...point, ...law }))].map((one) => ({ ...one, data })),
  );
  const [first = point, ...rest] = all;
  return [first, ...rest];
}
