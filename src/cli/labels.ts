/** The register's rows as the labels that policy asks about. What no row says, or said too long ago, is `unknown`. */
import type { Clock } from "../core/index.ts";
import type { DestinationLabels } from "../gateway/index.ts";
import { type DatedFact, type Destination, type DestinationRegister, isStale } from "../register/index.ts";

/** A value that policy knows as a place or a law; the register's longer texts say that the host alone does not decide. */
const CODE = /^[A-Z][A-Z0-9-]{0,15}$/;
const TRAINS: ReadonlySet<string> = new Set(["no", "yes", "opt_in", "opt_out", "by_plan"]);

export function labeller(
  register: () => Pick<DestinationRegister, "find">,
  clock: Pick<Clock, "now">,
): (host: string, port: number, path: string) => DestinationLabels {
  return (host, _port, path) => {
    const row = register().find(host, path);
    return row === null ? NO_ROW : labelsOf(row, clock.now());
  };
}

const NO_ROW: DestinationLabels = {
  destination: null,
  channel: "unknown",
  serverIn: "unknown",
  operatorLaw: "unknown",
  otherLaws: [],
  trains: "unknown",
  dpa: "unknown",
};

function labelsOf(row: Destination, now: number): DestinationLabels {
  const fresh = <T>(fact: DatedFact, value: T, unknown: T): T => (isStale(row, fact, now) ? unknown : value);
  const laws = fresh("law", row.law, ["unknown"]).map((law) => (CODE.test(law) ? law : "unknown"));
  const [operatorLaw = "unknown", ...otherLaws] = laws;
  return {
    destination: row.id,
    channel: row.channel,
    serverIn: fresh("compute", CODE.test(row.compute) ? row.compute : "unknown", "unknown"),
    operatorLaw,
    otherLaws,
    trains: fresh("trains", TRAINS.has(row.trains) ? row.trains : "unknown", "unknown"),
    dpa: fresh("agreement", row.agreement, "unknown"),
  };
}
