/**
 * The exact quotient of the space of points: for each label, its values in classes that no rule at hand tells apart,
 * with one sample each. A statement that holds for every combination of samples holds for every point there is,
 * also for values that nobody has named yet: the class of all other values is one of them.
 *
 * Why it is exact: a rule asks about a label only whether its value is in a list (for hosts: stands under a pattern).
 * Values with equal answers to every such question are interchangeable.
 */
import { Fault } from "../core/index.ts";
import type { PolicyDocument, SendRule } from "./document.ts";
import { patternsOf } from "./host.ts";
import { LABEL_NAMES, LABEL_VALUES, type LabelName, type Point } from "./label.ts";
import { DEFAULT_PORTS } from "./match.ts";

type Value = string | number;
/** The labels a rule asks about, with the values it accepts. */
export type Condition = SendRule["when"];

export interface ValueClass {
  readonly sample: Value;
  /** The values (of hosts: patterns) that are named somewhere, or known beforehand, and are in the class. */
  readonly named: readonly Value[];
  /** Whether the class also holds every value that is named nowhere. */
  readonly isRest: boolean;
}

export type Quotient = Readonly<Record<LabelName, readonly ValueClass[]>>;

/** More combinations than this are not walked: some seconds of CPU. */
export const MAX_POINTS = 4_000_000;

/** Every condition that the documents' rules set, network rules included. */
export function conditionsOf(documents: readonly PolicyDocument[]): Condition[] {
  return documents.flatMap(({ data }) => [
    ...(data.send?.rules ?? []).flatMap(({ when, unless }) =>
      unless === undefined ? [when] : [when, unless],
    ),
    ...(data.network?.allow ?? []).map(({ hosts, ports }) => ({
      host: hosts,
      port: [...(ports ?? DEFAULT_PORTS)],
    })),
    ...(data.network?.deny ?? []).map(({ hosts, ports }) => ({ host: hosts, port: ports })),
  ]);
}

export function quotientOf(conditions: readonly Condition[]): Quotient {
  const entries = LABEL_NAMES.map((label) => [label, classesOf(label, conditions)] as const);
  // Every label's name was mapped to its classes.
  return Object.fromEntries(entries) as unknown as Quotient;
}

/** The number of points that stand for all. */
export const sizeOf = (quotient: Quotient): number =>
  LABEL_NAMES.reduce((size, label) => size * quotient[label].length, 1);

/** One point for every combination of classes. Throws `policy.too-wide` when there are more than {@link MAX_POINTS}. */
export function* pointsOf(quotient: Quotient): Generator<Point> {
  const size = sizeOf(quotient);
  if (size > MAX_POINTS)
    throw new Fault("policy.too-wide", {
      detail: `${size} kinds of sending, at most ${MAX_POINTS} are walked`,
    });
  for (let number = 0; number < size; number++) {
    let rest = number;
    const point: Partial<Record<LabelName, Value>> = {};
    for (const label of LABEL_NAMES) {
      const classes = quotient[label];
      point[label] = classes[rest % classes.length]?.sample ?? "unknown";
      rest = Math.floor(rest / classes.length);
    }
    // Every label has been given one of its own values.
    yield point as unknown as Point;
  }
}

function classesOf(label: LabelName, conditions: readonly Condition[]): readonly ValueClass[] {
  const lists = distinctLists(
    conditions.flatMap((condition): (readonly Value[])[] => {
      const list = condition[label];
      return list === undefined ? [] : [list];
    }),
  );
  const asked = [...new Set(lists.flat())];
  const classes = new Map<string, { sample: Value; named: Value[]; isRest: boolean }>();
  for (const { sample, name } of candidates(label, asked)) {
    const answers = lists.map((list) => (accepts(label, list, sample) ? "1" : "0")).join("");
    const same = classes.get(answers) ?? { sample, named: [], isRest: false };
    if (name === null) same.isRest = true;
    else same.named.push(name);
    classes.set(answers, same);
  }
  return [...classes.values()];
}

/** Equal lists ask one question. */
const distinctLists = (lists: readonly (readonly Value[])[]): readonly (readonly Value[])[] => [
  ...new Map(lists.map((list) => [JSON.stringify(list.toSorted()), list])).values(),
];

const accepts = (label: LabelName, list: readonly Value[], value: Value): boolean =>
  label === "host"
    ? patternsOf(String(value)).some((pattern) => list.includes(pattern))
    : list.includes(value);

/** Values that between them give every answer a value of the label can give; the rest has no name. */
function candidates(label: LabelName, asked: readonly Value[]): { sample: Value; name: Value | null }[] {
  const form = LABEL_VALUES[label];
  if ("options" in form) return form.options.map((option) => ({ sample: option, name: option }));
  if (label === "host")
    return [
      ...asked.map((pattern) => ({ sample: sampleHost(String(pattern), asked), name: pattern })),
      { sample: sampleHost("*", asked), name: null },
    ];
  let port = 65535;
  while (asked.includes(port)) port--;
  // The text is no legal value, so that no document can name it.
  const rest = label === "port" ? port : "(any other)";
  return [...asked.map((value) => ({ sample: value, name: value })), { sample: rest, name: null }];
}

/** A host that stands under a pattern and is not named itself; a host that stands under no pattern but `*`. */
function sampleHost(pattern: string, asked: readonly Value[]): string {
  if (!pattern.startsWith("*")) return pattern;
  const suffix = pattern.slice(1);
  for (let n = 0; ; n++) {
    const host = suffix === "" ? `any-other-host-${n}` : `any-${n}${suffix}`;
    // No deeper suffix covers the sample: its parent is `suffix` itself.
    if (!asked.includes(host)) return host;
  }
}
