/**
 * Budgets: what one session, and all sessions of one person in a day, may use up. Layered, the smallest of each holds.
 * Pure: what was used is handed in.
 */
import { BUDGET_NAMES, type BudgetName } from "./document.ts";
import { inEnglish, type Policy, type RuleRef } from "./layer.ts";
import { type Language, say } from "./words.ts";

/** What has been used, together with what the next exchange is about to use. */
export type Spent = Readonly<Record<BudgetName, number>>;
/** A day has no minutes of its own. */
export type DaySpent = Readonly<Record<Exclude<BudgetName, "minutes">, number>>;

/** One budget that the next exchange would go over. */
export interface Overrun {
  readonly name: BudgetName;
  readonly per: "session" | "day";
  readonly limit: number;
  /** What was used, without the next exchange. */
  readonly used: number;
  readonly because: { readonly en: string; readonly "zh-CN": string };
}

export interface BudgetDecision {
  readonly verdict: "allow" | "deny";
  readonly rules: readonly RuleRef[];
  readonly overruns: readonly Overrun[];
}

const DAY_NAMES = ["requests", "bytesOut", "inputTokens", "outputTokens"] as const;

/**
 * Whether the next exchange is within every budget. `before` and `day` are what was used so far, `next` what the exchange
 * will use as far as that is known beforehand: a request and its bytes. Tokens and minutes are those used so far, so that
 * they stop the exchange after the one that goes over.
 */
export function decideBudget(policy: Policy, before: Spent, day: DaySpent, next: Spent): BudgetDecision {
  const rules: RuleRef[] = [];
  const overruns: Overrun[] = [];
  for (const { document } of policy.layers) {
    const { budgets, metadata } = document.data;
    if (budgets === undefined) continue;
    const check = (
      name: BudgetName,
      per: "session" | "day",
      limit: number | undefined,
      used: number,
    ): void => {
      // Not "more than": a count that is no number must not pass.
      if (limit === undefined || used + next[name] <= limit) return;
      rules.push({
        id: per === "day" ? `budgets.day.${name}` : `budgets.${name}`,
        title: `${per === "day" ? "A person's day" : "A session"} has at most ${limit} ${WORDS[name][0]}`,
        because: inEnglish(budgets.because),
        owner: metadata.owner,
        document: metadata.name,
      });
      const because = { en: say(budgets.because, "en"), "zh-CN": say(budgets.because, "zh-CN") };
      overruns.push({ name, per, limit, used, because });
    };
    for (const name of BUDGET_NAMES) check(name, "session", budgets[name], before[name]);
    for (const name of DAY_NAMES) check(name, "day", budgets.day?.[name], day[name]);
  }
  return { verdict: rules.length === 0 ? "allow" : "deny", rules, overruns };
}

/** Whether any document speaks of a day: only then the day's use has to be known. */
export const hasDayBudget = (policy: Policy): boolean =>
  policy.layers.some(({ document }) => document.data.budgets?.day !== undefined);

/**
 * What a developer reads: the budget, the reason, the owner, what is left, and when there is more. `dayEndsAt` is Unix ms.
 */
export function overrunText(
  { rules, overruns }: BudgetDecision,
  dayEndsAt: number,
  language: Language,
): string {
  const lines = overruns.map((over, i) => {
    const { owner = "", document = "", id = "" } = rules[i] ?? {};
    const { limit, used, name, per } = over;
    const [english, chinese] = WORDS[name];
    const left = Math.max(0, limit - used);
    const reset = new Date(dayEndsAt).toISOString();
    if (language === "zh-CN")
      return `${per === "day" ? "每人每日" : "每个会话"}最多 ${limit} ${chinese}（规则 ${document}/${id}）：${over.because["zh-CN"]}；负责人 ${owner}。已用 ${used}，剩余 ${left}，${per === "day" ? `于 ${reset} 重置` : "新会话重新计算"}`;
    return `${per === "day" ? "A person's day" : "A session"} has at most ${limit} ${english} (rule ${document}/${id}): ${over.because.en}; owner ${owner}. ${used} used, ${left} left; ${per === "day" ? `it starts again at ${reset}` : "a new session starts again"}`;
  });
  return language === "zh-CN"
    ? `Sallyport 拒绝：${lines.join("。")}`
    : `Sallyport refuses this: ${lines.join(". ")}`;
}

const WORDS: Readonly<Record<BudgetName, readonly [english: string, chinese: string]>> = {
  requests: ["requests", "次请求"],
  bytesOut: ["bytes sent", "字节外发数据"],
  inputTokens: ["input tokens", "个输入令牌"],
  outputTokens: ["output tokens", "个输出令牌"],
  minutes: ["minutes", "分钟"],
};
