/** A policy run over what was judged before: what it would have changed. Pure and fast: about a microsecond each. */
import type { Verdict } from "../core/index.ts";
import { decide, decideConnection } from "./decide.ts";
import type { Point } from "./label.ts";
import type { Policy } from "./layer.ts";
import { type Language, sayPoint } from "./words.ts";

/** What was judged: an `exchange.judged` entry with the points that its labels and findings come to. */
export interface Judgement {
  /** Index of the ledger's entry. */
  readonly entry: number;
  readonly verdict: Verdict;
  readonly points: readonly [Point, ...Point[]];
}

export interface Replay {
  readonly judged: number;
  readonly changed: number;
  /** By kind of change, the most frequent first. */
  readonly changes: readonly {
    readonly from: Verdict;
    readonly to: Verdict;
    /** `document/rule` of the rules that decide now. */
    readonly rules: readonly string[];
    readonly count: number;
    /** The first entries of the kind, at most {@link MAX_EXAMPLES}. */
    readonly entries: readonly number[];
    readonly sentence: string;
  }[];
}

const MAX_EXAMPLES = 5;

export function replay(policy: Policy, judgements: Iterable<Judgement>, language: Language): Replay {
  let judged = 0;
  let changed = 0;
  const kinds = new Map<
    string,
    { -readonly [K in keyof Replay["changes"][number]]: Replay["changes"][number][K] }
  >();
  for (const { entry, verdict: from, points } of judgements) {
    judged++;
    const [point, ...others] = points;
    const connection = decideConnection(policy, point.host, point.port);
    const decision = connection.verdict === "deny" ? connection : decide(policy, point, ...others);
    const to = decision.verdict;
    if (from === to) continue;
    changed++;
    const rules = decision.rules.map(({ document, id }) => `${document}/${id}`);
    const sentence = `${sayPoint(point, language)}: ${from} → ${to} (${rules.join(", ")})`;
    const kind = kinds.get(sentence);
    if (kind === undefined) kinds.set(sentence, { from, to, rules, count: 1, entries: [entry], sentence });
    else {
      kind.count++;
      if (kind.entries.length < MAX_EXAMPLES) kind.entries = [...kind.entries, entry];
    }
  }
  return { judged, changed, changes: [...kinds.values()].sort((a, b) => b.count - a.count) };
}
