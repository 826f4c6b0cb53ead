/** Words a refusal in the agent's protocol: what happened, why, whose rule, what to do; in the session's language. */
import type { Fault, FaultCode } from "../core/index.ts";
import { type DialectName, refusal } from "../dialect/index.ts";
import type { study } from "../policy/index.ts";
import type { Refusal } from "./exchange.ts";
import { CHINESE } from "./words.ts";

/** Whose detail is the whole text: policy's own words, which name the rule, the reason, the owner and the way on. */
const BY_POLICY: ReadonlySet<FaultCode> = new Set([
  "gateway.refused",
  "gateway.not-approved",
  "gateway.over-budget",
]);

/** One line. Never holds anything of the request's content. */
export function refusalText(fault: Fault, language: study.Language): string {
  if (BY_POLICY.has(fault.code) && fault.detail !== undefined) return `${fault.detail} [${fault.code}]`;
  const chinese = language === "zh-CN" ? CHINESE[fault.code] : undefined;
  if (chinese === undefined) {
    const where = fault.at === undefined ? "" : ` (${fault.at})`;
    return `Sallyport: ${fault.message}${where}. What to do: ${fault.remedy}. [${fault.code}]`;
  }
  const [summary, remedy] = chinese;
  const where = [fault.detail, fault.at].filter((part) => part !== undefined);
  return `Sallyport：${summary}${where.length === 0 ? "" : `（${where.join("；")}）`}。解决办法：${remedy}。[${fault.code}]`;
}

export function refusalFor(dialect: DialectName, fault: Fault, language: study.Language): Refusal {
  const { httpStatus } = fault.kind;
  const worded = refusal(dialect, httpStatus, refusalText(fault, language));
  // What policy refuses stays refused; what broke may work the next time, and SDKs know how to try again.
  return httpStatus < 500
    ? worded
    : { ...worded, headers: worded.headers.filter(([name]) => name !== "x-should-retry") };
}
