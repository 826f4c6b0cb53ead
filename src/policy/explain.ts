/**
 * Why a policy decides as it does, for people: the refusal that a developer reads in the agent's own error, and the
 * answer to `sallyport policy explain`. Names the rule, the reason, the owner and the fastest permitted way on.
 */
import { type Decision, decide, decideConnection } from "./decide.ts";
import { LABEL_NAMES, type LabelName, type Point } from "./label.ts";
import type { Policy, RuleRef } from "./layer.ts";
import { conditionsOf, type Quotient, quotientOf } from "./quotient.ts";
import { type Language, say, sayLabel, sayPoint } from "./words.ts";

export interface Explanation {
  /** Whether it may leave: what the connection and the sending together come to. */
  readonly verdict: Decision["verdict"];
  readonly connection: ReturnType<typeof decideConnection>;
  readonly decision: Decision;
  /** Changes of a single label under which it would be allowed as it is. */
  readonly waysOn: readonly { readonly label: LabelName; readonly values: readonly (string | number)[] }[];
  /** All of it as lines. */
  readonly text: string;
}

/** Judges one sending and says why. */
export function explain(policy: Policy, point: Point, language: Language): Explanation {
  const connection = decideConnection(policy, point.host, point.port);
  const decision = decide(policy, point);
  const verdict = connection.verdict === "deny" ? "deny" : decision.verdict;
  const waysOn = verdict === "allow" ? [] : findWaysOn(policy, point, quotientIn(policy));
  const rules = connection.verdict === "deny" ? connection.rules : decision.rules;
  const lines = [
    `${VERDICTS[verdict][language]}${language === "en" ? ": " : "："}${sayPoint(point, language)}`,
    ...rules.map((rule) => sayRule(policy, rule, language)),
    ...sayObligations(decision, verdict, language),
    ...(waysOn.length === 0 ? [] : [sayWaysOn(waysOn, language)]),
  ];
  return { verdict, connection, decision, waysOn, text: lines.join("\n") };
}

/** What is about to be refused: the decision, and all that is known of what it is about. */
export interface Refused {
  readonly verdict: Decision["verdict"];
  readonly rules: readonly RuleRef[];
}
export type RefusedAbout = Point | { readonly host: string; readonly port: number };

/**
 * The words of refusals under one policy. What it takes to find the ways on is worked out at the first refusal and kept:
 * a wide policy costs milliseconds, and an agent's telemetry is refused all day.
 */
export function refuser(
  policy: Policy,
): (refused: Refused, about: RefusedAbout, language: Language) => string {
  let known: Quotient | null = null;
  return (refused, about, language) => {
    known ??= quotientIn(policy);
    return refusalText(policy, refused, about, language, known);
  };
}

/**
 * What a developer reads when something is refused, held or sent elsewhere: one paragraph for an error message of the
 * agent's protocol. Of a refused connection nothing but the host and port is known.
 */
export function refusalText(
  policy: Policy,
  refused: Refused,
  about: RefusedAbout,
  language: Language,
  quotient: Quotient = quotientIn(policy),
): string {
  const point = "channel" in about ? about : null;
  const what = point === null ? `${about.host}:${about.port}` : sayPoint(point, language);
  const rules = refused.rules.map((rule) => sayRule(policy, rule, language));
  return [
    `Sallyport ${VERDICTS[refused.verdict][language]}${language === "en" ? ": " : "："}${what}`,
    ...rules,
    wayOn(policy, refused.rules, point, language, quotient),
  ].join(language === "en" ? ". " : "。");
}

const VERDICTS: Readonly<Record<Decision["verdict"], Readonly<Record<Language, string>>>> = {
  allow: { en: "allows this", "zh-CN": "允许" },
  normalise: {
    en: "allows this with the build's own lines as they were vetted",
    "zh-CN": "将程序自身文本还原为已审查的写法后允许",
  },
  redact: { en: "allows this with parts masked", "zh-CN": "遮盖部分内容后允许" },
  reroute: { en: "sends this to another server", "zh-CN": "改发到其他服务器" },
  ask: { en: "holds this until a person has answered", "zh-CN": "等待人工批准" },
  deny: { en: "refuses this", "zh-CN": "拒绝" },
};

/** `Secrets are masked (org/G-3): a credential … Owner: ciso@corp.example, review by 2027-02-01` */
function sayRule(policy: Policy, ref: RuleRef, language: Language): string {
  const { title, because, review } = sentencesOf(policy, ref);
  const until =
    review === undefined ? "" : language === "en" ? `, review by ${review}` : `，复审日期 ${review}`;
  return language === "en"
    ? `${say(title, "en")} (rule ${ref.document}/${ref.id}): ${say(because, "en")}; owner ${ref.owner}${until}`
    : `${say(title, "zh-CN")}（规则 ${ref.document}/${ref.id}）：${say(because, "zh-CN")}；负责人 ${ref.owner}${until}`;
}

/** The rule behind a reference, or the reference itself for a default, which has no rule. */
function sentencesOf(policy: Policy, ref: RuleRef) {
  const data = policy.layers.find(({ document }) => document.data.metadata.name === ref.document)?.document
    .data;
  const rules = [
    ...(data?.send?.rules ?? []),
    ...(data?.network?.allow ?? []),
    ...(data?.network?.deny ?? []),
  ];
  const { title, because, review } = rules.find(({ id }) => id === ref.id) ?? { ...defaultSentences(ref) };
  return { title, because, review: review ?? data?.metadata.review };
}

const defaultSentences = (ref: RuleRef) =>
  ref.id.endsWith(".default")
    ? {
        title: { en: ref.title, "zh-CN": `\`${ref.document}\` 未提及者按其默认规则处理` },
        because: { en: ref.because, "zh-CN": `\`${ref.document}\` 中没有规则提及此项` },
        review: undefined,
      }
    : // A waiver or a budget: its words are its own.
      { title: ref.title, because: ref.because, review: undefined };

function sayObligations(decision: Decision, verdict: Decision["verdict"], language: Language): string[] {
  if (verdict === "deny") return [];
  const { redact, normalise, rerouteTo } = decision;
  const [masked, elsewhere] = language === "en" ? ["masked first", "sent instead to"] : ["先遮盖", "改发到"];
  const asVetted =
    language === "en" ? "first put back as its vetted template has it" : "先还原为已审查模板的写法";
  return [
    ...(normalise ? [asVetted] : []),
    ...(redact.length === 0 ? [] : [`${masked}: ${redact.join(", ")}`]),
    ...(rerouteTo === null ? [] : [`${elsewhere}: ${rerouteTo.join(", ")}`]),
  ];
}

/** The fastest permitted way on, in the order of what costs the developer least. */
function wayOn(
  policy: Policy,
  rules: readonly RuleRef[],
  point: Point | null,
  language: Language,
  quotient: Quotient,
): string {
  const english = language === "en";
  const waysOn = point === null ? [] : findWaysOn(policy, point, quotient);
  if (waysOn.length > 0) return sayWaysOn(waysOn, language);
  const owners = [...new Set(rules.map(({ owner }) => owner))].join(", ");
  const waivable = rules.length > 0 && rules.every((rule) => isWaivable(policy, rule));
  if (waivable)
    return english ? `An exception for a time can be had from ${owners}` : `可向 ${owners} 申请限时豁免`;
  return english ? `Ask ${owners} if the work needs it` : `如工作确有需要，请联系 ${owners}`;
}

const isWaivable = (policy: Policy, ref: RuleRef): boolean =>
  policy.send.rules.some(({ ref: own, rule }) => own === ref && rule.waivable === true);

const quotientIn = (policy: Policy): Quotient =>
  quotientOf(conditionsOf(policy.layers.map(({ document }) => document)));

/** Labels that a person can change by choosing another server, model, agent or build; not what the data or the repository are. */
const CHOICES: readonly LabelName[] = ["serverIn", "operatorLaw", "model", "build", "agent", "trains", "dpa"];

/** Every single change of a label, to a value that the policy names, after which the sending is allowed. */
function findWaysOn(policy: Policy, point: Point, quotient: Quotient): Explanation["waysOn"] {
  return LABEL_NAMES.filter((label) => CHOICES.includes(label)).flatMap((label) => {
    const values = quotient[label]
      .filter(({ sample }) => {
        const changed = { ...point, [label]: sample };
        return (
          sample !== point[label] &&
          decide(policy, changed).verdict === "allow" &&
          decideConnection(policy, changed.host, changed.port).verdict === "allow"
        );
      })
      .flatMap(({ named }) => named);
    return values.length === 0 ? [] : [{ label, values }];
  });
}

function sayWaysOn(waysOn: Explanation["waysOn"], language: Language): string {
  const ways = waysOn.map(({ label, values }) => sayLabel(label, values, language));
  return language === "en"
    ? `Allowed when ${ways.join(", or when ")}`
    : `以下情形可获允许：${ways.join("；或")}`;
}
