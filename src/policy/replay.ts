/** A policy run over what was judged before: what it would have changed. Pure and fast: about a microsecond each. */
import type { Verdict } from "../core/index.ts";
import { decide, decideConnection } from "./decide.ts";
import { LABEL_NAMES, type Point } from "./label.ts";
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

type Kind = { -readonly [K in keyof Replay["changes"][number]]: Replay["changes"][number][K] };

export function replay(policy: Policy, judgements: Iterable<Judgement>, language: Language): Replay {
  let judged = 0;
  let changed = 0;
  const kinds = new Map<string, Kind>();
  // Recorded traffic repeats itself: equal points of equal verdict are judged once.
  const seen = new Map<string, Kind | null>();
  for (const { entry, verdict, points } of judgements) {
    judged++;
    const key = keyOf(verdict, points);
    let kind = seen.get(key);
    if (kind === undefined) {
      const fresh = rejudge(policy, verdict, points, language);
      kind = fresh === null ? null : (kinds.get(fresh.sentence) ?? fresh);
      if (kind !== null) kinds.set(kind.sentence, kind);
      seen.set(key, kind);
    }
    if (kind === null) continue;
    changed++;
    kind.count++;
    if (kind.entries.length < MAX_EXAMPLES) kind.entries = [...kind.entries, entry];
  }
  return { judged, changed, changes: [...kinds.values()].sort((a, b) => b.count - a.count) };
}

/** The change, counted as none yet; null: the verdict stays. */
function rejudge(
  policy: Policy,
  from: Verdict,
  points: Judgement["points"],
  language: Language,
): Kind | null {
  const [point, ...others] = points;
  const connection = decideConnection(policy, point.host, point.port);
  const decision = connection.verdict === "deny" ? connection : decide(policy, point, ...others);
  const to = decision.verdict;
  if (from === to) return null;
  const rules = decision.rules.map(({ document, id }) => `${document}/${id}`);
  const sentence = `${sayPoint(point, language)}: ${from} → ${to} (${rules.join(", ")})`;
  return { from, to, rules, count: 0, entries: [], sentence };
}

/** Each value with its length before it: a model's name is whatever a request said, and must not pass for other labels. */
function keyOf(verdict: Verdict, points: Judgement["points"]): string {
  let key: string = verdict;
  for (const point of points)
    for (const label of LABEL_NAMES) {
      const value = String(point[label]);
      key += `,${value.length}:${value}`;
    }
  return key;
}
