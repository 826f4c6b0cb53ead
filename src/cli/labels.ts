/** The register's rows as the labels that policy asks about. What no row says is `unknown`, which policy can name. */
import type { DestinationLabels } from "../gateway/index.ts";
import type { DestinationRegister } from "../register/index.ts";

/** A value that policy knows as a place or a law; the register's longer texts say that the host alone does not decide. */
const CODE = /^[A-Z][A-Z0-9-]{0,15}$/;

export function labeller(
  register: DestinationRegister,
): (host: string, port: number, path: string) => DestinationLabels {
  return (host, _port, path) => {
    const row = register.find(host, path);
    const [operatorLaw = "unknown", ...otherLaws] = (row?.law ?? []).map((law) =>
      CODE.test(law) ? law : "unknown",
    );
    return {
      destination: row?.id ?? null,
      channel: row?.channel ?? "unknown",
      serverIn: row !== null && CODE.test(row.compute) ? row.compute : "unknown",
      operatorLaw,
      otherLaws,
      trains:
        row !== null && ["no", "yes", "opt_in", "opt_out", "by_plan"].includes(row.trains)
          ? row.trains
          : "unknown",
      // Whether an agreement is signed is a fact about the organisation, which the shipped register cannot know.
      dpa: "unknown",
    };
  };
}
