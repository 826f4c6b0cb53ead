/** Budgets of a session: what it may use up in all. Layered, the smallest of each holds. Pure: what was used is handed in. */
import { BUDGET_NAMES, type BudgetName } from "./document.ts";
import { inEnglish, type Policy, type RuleRef } from "./layer.ts";

/** What a session has used, together with what the next exchange is about to use. */
export type Spent = Readonly<Record<BudgetName, number>>;

/**
 * Whether the next exchange is within every budget. `spent` counts it in as far as its cost is known beforehand; tokens
 * and minutes are those used so far, so that they stop the exchange after the one that goes over.
 */
export function decideBudget(
  policy: Policy,
  spent: Spent,
): { readonly verdict: "allow" | "deny"; readonly rules: readonly RuleRef[] } {
  const rules = policy.layers.flatMap(({ document: { data } }): RuleRef[] => {
    const { budgets, metadata } = data;
    if (budgets === undefined) return [];
    return BUDGET_NAMES.flatMap((name) => {
      const limit = budgets[name];
      // Not "more than": a count that is no number must not pass.
      if (limit === undefined || spent[name] <= limit) return [];
      const title = `A session has at most ${limit} ${WORDS[name]}`;
      return [
        {
          id: `budgets.${name}`,
          title,
          because: inEnglish(budgets.because),
          owner: metadata.owner,
          document: metadata.name,
        },
      ];
    });
  });
  return { verdict: rules.length === 0 ? "allow" : "deny", rules };
}

const WORDS: Readonly<Record<BudgetName, string>> = {
  requests: "requests",
  bytesOut: "bytes sent",
  inputTokens: "input tokens",
  outputTokens: "output tokens",
  minutes: "minutes",
};
