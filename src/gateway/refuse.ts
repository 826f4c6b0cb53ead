/** Words a refusal in the agent's protocol: what happened, why, whose rule, what to do. */
import type { Fault } from "../core/index.ts";
import { type DialectName, refusal } from "../dialect/index.ts";
import type { Refusal } from "./exchange.ts";

/** One line. Never holds anything of the request's content. */
export function refusalText(fault: Fault): string {
  const where = fault.at === undefined ? "" : ` (${fault.at})`;
  return `Sallyport: ${fault.message}${where}. What to do: ${fault.remedy}. [${fault.code}]`;
}

export function refusalFor(dialect: DialectName, fault: Fault): Refusal {
  const { httpStatus } = fault.kind;
  const worded = refusal(dialect, httpStatus, refusalText(fault));
  // What policy refuses stays refused; what broke may work the next time, and SDKs know how to try again.
  return httpStatus < 500
    ? worded
    : { ...worded, headers: worded.headers.filter(([name]) => name !== "x-should-retry") };
}
