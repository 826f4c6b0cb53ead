/**
 * What people expect of a policy, as a table that a machine checks: a test of the documents, kept beside them. A case is a
 * sending by its labels, or a connection; what it leaves unsaid is as the caller's labels say, else `unknown`.
 */
import { z } from "zod";
import { decide, decideConnection } from "./decide.ts";
import { few } from "./document.ts";
import { LABEL_VALUES, type Point, UNKNOWN_POINT } from "./label.ts";
import type { Policy } from "./layer.ts";
import { parseEndpoint } from "./match.ts";
import { parseAs } from "./parse.ts";
import { text } from "./text.ts";

const Line = text("one line of text", /^[^\p{Cc}\u2028\u2029]{1,400}$/u);
const RuleName = text("document/rule", /^[a-z0-9][a-z0-9-]*\/[A-Za-z][A-Za-z0-9._-]*$/);
const Labels = z.strictObject(
  Object.fromEntries(Object.entries(LABEL_VALUES).map(([name, value]) => [name, value.optional()])) as {
    [L in keyof typeof LABEL_VALUES]: z.ZodOptional<(typeof LABEL_VALUES)[L]>;
  },
);
const Case = z.union([
  z.strictObject({
    title: Line.optional(),
    send: Labels,
    expect: z.enum(["allow", "normalise", "redact", "reroute", "ask", "deny"]),
    by: few(RuleName).optional().describe("rules that must be among those that decide"),
  }),
  z.strictObject({
    title: Line.optional(),
    connect: text("host:port", /^\S{1,255}:\d{1,5}$/),
    expect: z.enum(["allow", "deny"]),
    by: few(RuleName).optional(),
  }),
]);
const ExpectationsSchema = z.strictObject({
  apiVersion: z.literal("sallyport/v1"),
  kind: z.literal("Expectations"),
  cases: z.array(Case).min(1).max(20_000),
});

export type Expectation = z.infer<typeof Case>;

/** Throws `policy.invalid` at `file:line:column path`. */
export const parseExpectations = (yaml: string, file: string): readonly Expectation[] =>
  parseAs(ExpectationsSchema, yaml, file).data.cases;

export interface Tested {
  readonly title: string;
  readonly holds: boolean;
  readonly expected: string;
  readonly got: string;
  /** `document/rule` of the rules that decide. */
  readonly rules: readonly string[];
}

/** `known`: the labels of a host that the table does not say, as the register has them. */
export const checkExpectations = (
  policy: Policy,
  cases: readonly Expectation[],
  known: (host: string, port: number) => Partial<Point>,
): readonly Tested[] => cases.map((one) => checked(policy, one, known));

function checked(
  policy: Policy,
  one: Expectation,
  known: (host: string, port: number) => Partial<Point>,
): Tested {
  const { decision, title } = "send" in one ? sent(policy, one.send, known) : connected(policy, one.connect);
  const rules = decision.rules.map(({ document, id }) => `${document}/${id}`);
  const holds = decision.verdict === one.expect && (one.by ?? []).every((rule) => rules.includes(rule));
  const by = one.by === undefined ? "" : ` by ${one.by.join(", ")}`;
  return {
    title: one.title ?? title,
    holds,
    expected: `${one.expect}${by}`,
    got: `${decision.verdict} by ${rules.join(", ")}`,
    rules,
  };
}

type Decided = Pick<ReturnType<typeof decide>, "verdict" | "rules">;

function sent(
  policy: Policy,
  labels: Extract<Expectation, { send: unknown }>["send"],
  known: (host: string, port: number) => Partial<Point>,
): { readonly decision: Decided; readonly title: string } {
  const named = Object.fromEntries(Object.entries(labels).filter(([, value]) => value !== undefined));
  const { host = UNKNOWN_POINT.host, port = UNKNOWN_POINT.port } = labels;
  const point: Point = { ...UNKNOWN_POINT, ...known(host, port), ...named, host, port };
  const connection = decideConnection(policy, host, port);
  // A sending that names no host is about the rules for sending alone.
  const decision =
    labels.host !== undefined && connection.verdict === "deny" ? connection : decide(policy, point);
  return { decision, title: `send ${JSON.stringify(named)}` };
}

function connected(policy: Policy, endpoint: string): { readonly decision: Decided; readonly title: string } {
  const { host, port } = parseEndpoint(endpoint);
  return { decision: decideConnection(policy, host, port), title: `connect ${endpoint}` };
}
