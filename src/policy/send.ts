/**
 * The index over all send rules of a policy: which rules match a point, in time that hardly grows with their number.
 *
 * For each label and value, a column of bits: bit r is set when rule r does not ask about the label, or accepts the
 * value. A point's matching rules are the AND of its labels' columns, less those whose `unless` holds, which are
 * found the same way. 200 rules are seven 32-bit words. The plain meaning is match.ts; a property holds them equal.
 */
import type { SendRule } from "./document.ts";
import { patternsOfWritten } from "./host.ts";
import { LABEL_NAMES, type LabelName, type Point } from "./label.ts";

type Value = string | number;
type Bits = Uint32Array;

interface Column {
  readonly label: LabelName;
  /** Rules that do not ask about the label. */
  readonly indifferent: Bits;
  /**
   * By value (for hosts: by pattern): the rules that accept it; as bits together with the indifferent ones, or as a list
   * where that is shorter. Without lists, a document of many rules that each name values of their own would cost memory
   * by the square.
   */
  readonly accepting: ReadonlyMap<Value, Bits | readonly number[]>;
}

export interface SendIndex {
  readonly words: number;
  readonly when: readonly Column[];
  readonly unless: readonly Column[];
  /** Rules that have an `unless`. */
  readonly hasUnless: Bits;
  /** Every rule there is. */
  readonly every: Bits;
}

type Conditions = readonly Pick<SendRule, "when" | "unless">[];

export function indexSendRules(rules: Conditions): SendIndex {
  const words = Math.ceil(rules.length / 32);
  const bitsOf = (test: (rule: Conditions[number]) => boolean): Bits => {
    const found = rules.flatMap((rule, r) => (test(rule) ? [r] : []));
    return withRules(new Uint32Array(words), found);
  };
  const every = bitsOf(() => true);
  const hasUnless = bitsOf((rule) => rule.unless !== undefined);
  const columns = (part: "when" | "unless"): Column[] =>
    LABEL_NAMES.filter((label) => rules.some((rule) => rule[part]?.[label] !== undefined)).map((label) => {
      const indifferent = bitsOf((rule) => rule[part]?.[label] === undefined);
      const lists = new Map<Value, number[]>();
      for (const [r, rule] of rules.entries())
        for (const value of rule[part]?.[label] ?? []) {
          const list = lists.get(value);
          if (list === undefined) lists.set(value, [r]);
          else list.push(r);
        }
      const accepting = new Map<Value, Bits | readonly number[]>();
      for (const [value, list] of lists) {
        const isLong = list.length > words;
        accepting.set(value, isLong ? withRules(indifferent.slice(), list) : list);
      }
      return { label, indifferent, accepting };
    });
  return { words, when: columns("when"), unless: columns("unless"), hasUnless, every };
}

/** The matching rules as bits, in the order the index was built from. */
export function matchingRules(index: SendIndex, point: Point): Bits {
  const hits = index.every.slice();
  for (const column of index.when) and(hits, column, point);
  if (index.unless.length === 0) return hits;
  const excepted = index.hasUnless.slice();
  for (const column of index.unless) and(excepted, column, point);
  for (let w = 0; w < index.words; w++) hits[w] = (hits[w] ?? 0) & ~(excepted[w] ?? 0);
  return hits;
}

function and(bits: Bits, column: Column, point: Point): void {
  const accepted =
    column.label === "host"
      ? acceptedHosts(column, point.host)
      : (column.accepting.get(point[column.label]) ?? column.indifferent);
  if (accepted instanceof Uint32Array) {
    andBits(bits, accepted);
    return;
  }
  const kept = accepted.filter((r) => ((bits[r >>> 5] ?? 0) >>> (r & 31)) & 1);
  andBits(bits, column.indifferent);
  withRules(bits, kept);
}

/** A host stands under several patterns: what any of them accepts. */
function acceptedHosts(column: Column, host: string): Bits {
  const accepted = column.indifferent.slice();
  for (const pattern of patternsOfWritten(host)) {
    const more = column.accepting.get(pattern);
    if (more instanceof Uint32Array)
      for (let w = 0; w < accepted.length; w++) accepted[w] = (accepted[w] ?? 0) | (more[w] ?? 0);
    else if (more !== undefined) withRules(accepted, more);
  }
  return accepted;
}

function andBits(bits: Bits, mask: Bits): void {
  for (let w = 0; w < bits.length; w++) bits[w] = (bits[w] ?? 0) & (mask[w] ?? 0);
}

function withRules(bits: Bits, rules: readonly number[]): Bits {
  for (const r of rules) bits[r >>> 5] = (bits[r >>> 5] ?? 0) | (1 << (r & 31));
  return bits;
}
