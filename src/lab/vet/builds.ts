/** Two builds beside each other, and a finding's way through the releases. Pure. */
import type { Finding } from "./findings.ts";
import { isHiddenFinding, type VetReport } from "./report.ts";
import type { WireTemplate } from "./template.ts";

export interface BuildFacts {
  readonly report: VetReport;
  readonly template: WireTemplate;
  /** Path in the package to a digest. */
  readonly files: ReadonlyMap<string, string>;
  /** Names of environment variables that its code reads. */
  readonly settings: readonly string[];
}

export interface Changed {
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

export interface Comparison {
  readonly hosts: Changed;
  readonly requests: Changed;
  readonly headers: Changed;
  readonly tools: Changed;
  /** Lines of its own in what the model gets. */
  readonly prompts: Changed;
  readonly settings: Changed;
  readonly files: Changed & { readonly changed: readonly string[] };
}

export function compareBuilds(a: BuildFacts, b: BuildFacts): Comparison {
  const of = (pick: (facts: BuildFacts) => readonly string[]): Changed => changed(pick(a), pick(b));
  const lines = (facts: BuildFacts, isWanted: (path: string) => boolean): readonly string[] =>
    facts.template.requests.flatMap((request) =>
      request.lines.flatMap(({ path, text }) => (isWanted(path) ? [text.trimEnd()] : [])),
    );
  const isTool = (path: string): boolean => /\/(?:tools|functionDeclarations)\b.*\/name$/.test(path);
  return {
    hosts: of(({ report }) => report.touched.hosts.map(({ host }) => host)),
    requests: of(({ template }) => template.requests.map(({ name }) => name)),
    headers: of(({ template }) =>
      template.requests.flatMap(({ name, headers }) => headers.map((header) => `${name}: ${header}`)),
    ),
    tools: of((facts) => lines(facts, isTool)),
    prompts: of((facts) => lines(facts, (path) => !isTool(path))),
    settings: of((facts) => facts.settings),
    files: {
      ...of((facts) => [...facts.files.keys()]),
      changed: [...a.files]
        .filter(([path, digest]) => (b.files.get(path) ?? digest) !== digest)
        .map(([path]) => path),
    },
  };
}

function changed(a: readonly string[], b: readonly string[]): Changed {
  const [before, after] = [new Set(a), new Set(b)];
  return {
    added: [...after].filter((one) => !before.has(one)),
    removed: [...before].filter((one) => !after.has(one)),
  };
}

export function comparisonText(comparison: Comparison, safe: (text: string) => string): string {
  const lines = Object.entries(comparison).flatMap(
    ([name, { added, removed, ...rest }]: [string, Changed & { changed?: readonly string[] }]) => {
      const more = rest.changed ?? [];
      const list = (sign: string, all: readonly string[]): string[] => [
        ...all.slice(0, MAX_LISTED).map((one) => `  ${sign} ${one.slice(0, MAX_LINE)}`),
        ...(all.length > MAX_LISTED ? [`  ${sign} and ${all.length - MAX_LISTED} more`] : []),
      ];
      return [
        `${name}: ${added.length} new, ${removed.length} gone${rest.changed === undefined ? "" : `, ${more.length} changed`}`,
        ...list("-", removed),
        ...list("+", added),
        ...list("~", more),
      ];
    },
  );
  return `${lines.map(safe).join("\n")}\n`;
}

const MAX_LISTED = 20;
const MAX_LINE = 160;

/** The same finding in another release: what changed and where it shows, not what surrounds it. */
export const findingKey = (finding: Finding): string =>
  isHiddenFinding(finding)
    ? `${finding.factor} = ${finding.b}: ${JSON.stringify(finding.bytes.aText)} ↔ ${JSON.stringify(finding.bytes.bText)}`
    : `${finding.factor} = ${finding.b}: ${finding.kind}`;

export interface Turn {
  readonly finding: string;
  /** Neighbouring releases among those there are: without it and with it, or the other way round. */
  readonly from: string;
  readonly to: string;
  readonly event: "appears" | "disappears";
}

/**
 * Where findings come and go among `versions` (oldest first): the ends and the middle are probed, then each stretch whose
 * ends differ is halved until they are neighbours. A finding that comes and goes between two probed releases that agree
 * is not seen; `probed` says which were looked at.
 */
export async function bisect(
  versions: readonly string[],
  probe: (version: string) => Promise<ReadonlySet<string>>,
): Promise<{ readonly turns: readonly Turn[]; readonly probed: ReadonlyMap<string, ReadonlySet<string>> }> {
  const probed = new Map<string, ReadonlySet<string>>();
  const look = async (at: number): Promise<ReadonlySet<string>> => {
    const version = versions[at] ?? "";
    const known = probed.get(version) ?? (await probe(version));
    probed.set(version, known);
    return known;
  };
  const turns: Turn[] = [];
  const search = async (low: number, high: number): Promise<void> => {
    const [a, b] = [await look(low), await look(high)];
    const differing = [...new Set([...a, ...b])].filter((finding) => a.has(finding) !== b.has(finding));
    if (differing.length === 0) return;
    if (high - low === 1) {
      for (const finding of differing)
        turns.push({
          finding,
          from: versions[low] ?? "",
          to: versions[high] ?? "",
          event: b.has(finding) ? "appears" : "disappears",
        });
      return;
    }
    const middle = (low + high) >> 1;
    await search(low, middle);
    await search(middle, high);
  };
  const last = versions.length - 1;
  const middle = last >> 1;
  if (middle > 0) {
    await search(0, middle);
    await search(middle, last);
  } else if (last > 0) await search(0, last);
  else await look(0);
  return { turns, probed };
}
