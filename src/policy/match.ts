/** Whether one rule matches one point: the meaning of a rule, in its plainest form. The index (send.ts) is an equal of it. */
import type { AllowRule, DenyRule, SendRule } from "./document.ts";
import { patternsOfWritten } from "./host.ts";
import { LABEL_NAMES, type Point } from "./label.ts";

export function matches(rule: Pick<SendRule, "when" | "unless">, point: Point): boolean {
  return holds(rule.when, point) && !(rule.unless !== undefined && holds(rule.unless, point));
}

/** Every label named has one of the values given. */
function holds(labels: SendRule["when"], point: Point): boolean {
  return LABEL_NAMES.every((name) => {
    const values: readonly (string | number)[] | undefined = labels[name];
    if (values === undefined) return true;
    if (name === "host") return patternsOfWritten(point.host).some((pattern) => values.includes(pattern));
    return values.includes(point[name]);
  });
}

/** `host:port`, with or without brackets round an IPv6 address. */
export function parseEndpoint(text: string): { readonly host: string; readonly port: number } {
  const colon = text.lastIndexOf(":");
  return { host: text.slice(0, colon), port: Number(text.slice(colon + 1)) };
}

/** An allowance that names no port means HTTPS; a denial that names none means every port. */
export const DEFAULT_PORTS: readonly number[] = [443];

export const allowsPort = (rule: Pick<AllowRule, "ports">, port: number): boolean =>
  (rule.ports ?? DEFAULT_PORTS).includes(port);
export const deniesPort = (rule: Pick<DenyRule, "ports">, port: number): boolean =>
  rule.ports === undefined || rule.ports.includes(port);
