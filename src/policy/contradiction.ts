/**
 * What a document must not do although its form is right: contradict itself, hold a rule that can never take effect,
 * loosen what its kind may only tighten, or carry a rule whose own examples say otherwise.
 */
import type { AllowRule, DenyRule, DocumentWaiver, PolicyData, SendRule } from "./document.ts";
import { canonicalHost, coveringPatterns, patternsOf } from "./host.ts";
import { UNKNOWN_POINT } from "./label.ts";
import { allowsPort, DEFAULT_PORTS, deniesPort, matches, parseEndpoint } from "./match.ts";
import type { DataPath } from "./source.ts";

export interface Contradiction {
  readonly path: DataPath;
  readonly detail: string;
  readonly remedy: string;
}

/** The first thing that the document says against itself, or null. */
export function findContradiction(data: PolicyData): Contradiction | null {
  for (const check of [
    sameIds,
    unsafeNames,
    unheld,
    files,
    loosening,
    idle,
    hosts,
    hostExamples,
    sends,
    sendExamples,
    waivers,
  ]) {
    const found = check(data);
    if (found !== null) return found;
  }
  return null;
}

function sameIds(data: PolicyData): Contradiction | null {
  const seen = new Map<string, DataPath>();
  const all: [DataPath, string][] = [
    ...(data.network?.allow ?? []).map((rule, i): [DataPath, string] => [
      ["network", "allow", i, "id"],
      rule.id,
    ]),
    ...(data.network?.deny ?? []).map((rule, i): [DataPath, string] => [
      ["network", "deny", i, "id"],
      rule.id,
    ]),
    ...(data.send?.rules ?? []).map((rule, i): [DataPath, string] => [["send", "rules", i, "id"], rule.id]),
  ];
  for (const [path, id] of all) {
    if (seen.has(id))
      return { path, detail: `a second rule \`${id}\``, remedy: "give each rule an id of its own" };
    seen.set(id, path);
  }
  return null;
}

/** Convention: what is unsafe has a name that says so. */
function unsafeNames(data: PolicyData): Contradiction | null {
  if (data.sandbox?.mode !== "none" || data.metadata.name.startsWith("dangerously-")) return null;
  return {
    path: ["sandbox", "mode"],
    detail: `\`${data.metadata.name}\` switches the sandbox off`,
    remedy: "name the profile `dangerously-…`, or remove the line",
  };
}

function unheld(data: PolicyData): Contradiction | null {
  if (data.sandbox?.mode !== "none" || data.sandbox.review !== true) return null;
  return {
    path: ["sandbox", "review"],
    detail: "without the sandbox nothing can be held back",
    remedy: "remove one of the two lines",
  };
}

function files(data: PolicyData): Contradiction | null {
  const write = data.files?.write ?? [];
  for (const [i, path] of (data.files?.read ?? []).entries())
    if (write.includes(path))
      return {
        path: ["files", "read", i],
        detail: `\`${path}\` is listed as writable too`,
        remedy: "keep it in one list",
      };
  return null;
}

function loosening(data: PolicyData): Contradiction | null {
  if (data.kind === "Profile") return null;
  const remedy = `a ${data.kind} document only tightens: put it into a profile`;
  if (data.sandbox?.mode === "none")
    return { path: ["sandbox", "mode"], detail: "switches the sandbox off", remedy };
  if (data.sandbox?.nested === true)
    return { path: ["sandbox", "nested"], detail: "allows nested sandboxes", remedy };
  if (data.sandbox?.unrecorded === true)
    return { path: ["sandbox", "unrecorded"], detail: "lets sessions go on without a record", remedy };
  if (data.approvals?.self === "allow")
    return { path: ["approvals", "self"], detail: "lets people answer their own questions", remedy };
  if (data.repository?.settings === "use")
    return { path: ["repository", "settings"], detail: "lets the repository's settings in", remedy };
  if (data.kind === "Repository" && data.inspect?.waivers !== undefined)
    return { path: ["inspect", "waivers"], detail: "passes findings over", remedy };
  const at = (data.network?.allow ?? []).findIndex((rule) => rule.private === true);
  return at < 0
    ? null
    : { path: ["network", "allow", at, "private"], detail: "opens private addresses", remedy };
}

/** An allowance where everything is allowed already says something that the document does not mean. */
function idle(data: PolicyData): Contradiction | null {
  const remedy = "set `default: deny`, or remove the rule";
  if (data.network?.default === "allow") {
    const at = (data.network.allow ?? []).findIndex((rule) => rule.private !== true);
    if (at >= 0)
      return {
        path: ["network", "allow", at],
        detail: "allows what `default: allow` allows already",
        remedy,
      };
  }
  if (data.send?.default === "allow") {
    const at = (data.send.rules ?? []).findIndex((rule) => rule.then === "allow");
    if (at >= 0)
      return {
        path: ["send", "rules", at, "then"],
        detail: "allows what `default: allow` allows already",
        remedy,
      };
  }
  return null;
}

function hosts(data: PolicyData): Contradiction | null {
  const denied = new Map<string, DenyRule[]>();
  for (const rule of data.network?.deny ?? [])
    for (const pattern of rule.hosts) {
      const same = denied.get(pattern);
      if (same === undefined) denied.set(pattern, [rule]);
      else same.push(rule);
    }
  for (const [i, allow] of (data.network?.allow ?? []).entries())
    for (const [j, pattern] of allow.hosts.entries()) {
      const clash = coveringPatterns(pattern)
        .flatMap((covering) => denied.get(covering) ?? [])
        .find((deny) => (allow.ports ?? DEFAULT_PORTS).every((port) => deniesPort(deny, port)));
      if (clash !== undefined)
        return {
          path: ["network", "allow", i, "hosts", j],
          detail: `\`${pattern}\` is allowed here and denied by \`${clash.id}\``,
          remedy: "remove one of the two: a denial always wins",
        };
    }
  return null;
}

function hostExamples(data: PolicyData): Contradiction | null {
  for (const list of ["allow", "deny"] as const)
    for (const [i, rule] of (data.network?.[list] ?? []).entries())
      for (const key of ["match", "not_match"] as const)
        for (const [j, example] of (rule[key] ?? []).entries())
          if (hostRuleMatches(rule, list, example) !== (key === "match"))
            return failedExample(["network", list, i, key, j], rule.id, key);
  return null;
}

function hostRuleMatches(rule: AllowRule | DenyRule, list: "allow" | "deny", example: string): boolean {
  const { host, port } = parseEndpoint(example);
  const canonical = canonicalHost(host);
  if (canonical === null) return false;
  const speaks = list === "allow" ? allowsPort(rule, port) : deniesPort(rule, port);
  return speaks && patternsOf(canonical).some((pattern) => rule.hosts.includes(pattern));
}

function sends(data: PolicyData): Contradiction | null {
  const seen = new Map<string, SendRule>();
  for (const [i, rule] of (data.send?.rules ?? []).entries()) {
    const path = ["send", "rules", i];
    if (rule.then === "reroute" && rule.rerouteTo === undefined)
      return {
        path,
        detail: "`rerouteTo` is missing",
        remedy: "name the destinations, or choose another verdict",
      };
    if (rule.then !== "reroute" && rule.rerouteTo !== undefined)
      return {
        path: [...path, "rerouteTo"],
        detail: `\`then\` is \`${rule.then}\``,
        remedy: "write `then: reroute`",
      };
    if (rule.then === "normalise" && (rule.when.data ?? []).join() !== "altered_template")
      return {
        path: [...path, "when"],
        detail: "`then: normalise` is for lines that differ from the build's vetted template",
        remedy: "write `data: [altered_template]` in `when`",
      };
    if (rule.waivable === true && rule.then === "allow")
      return {
        path: [...path, "waivable"],
        detail: "an allowance needs no waiver",
        remedy: "remove the line",
      };
    const condition = conditionText(rule);
    const other = seen.get(condition);
    if (other !== undefined && other.then !== rule.then && (decisive(rule.then) || decisive(other.then)))
      return {
        path,
        detail: `\`${rule.id}\` says \`${rule.then}\` where \`${other.id}\` says \`${other.then}\``,
        remedy: "keep the one that is meant",
      };
    seen.set(condition, rule);
  }
  return null;
}

/** Redaction, rerouting and asking may be asked for together; an allowance or a denial stands alone. */
const decisive = (verdict: SendRule["then"]): boolean => verdict === "allow" || verdict === "deny";

const conditionText = (rule: SendRule): string =>
  JSON.stringify(
    [rule.when, rule.unless ?? {}].map((labels) =>
      Object.entries(labels)
        .map(([name, values]): [string, string[]] => [name, (values ?? []).map(String).sort()])
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    ),
  );

function sendExamples(data: PolicyData): Contradiction | null {
  for (const [i, rule] of (data.send?.rules ?? []).entries())
    for (const key of ["match", "not_match"] as const)
      for (const [j, example] of (rule[key] ?? []).entries())
        if (matches(rule, { ...UNKNOWN_POINT, ...defined(example) }) !== (key === "match"))
          return failedExample(["send", "rules", i, key, j], rule.id, key);
  return null;
}

const DAY_MS = 86_400_000;
export const LONGEST_WAIVER_DAYS = 90;

/** A document grants exceptions to its own rules alone: another's would loosen what others wrote. */
function waivers(data: PolicyData): Contradiction | null {
  const seen = new Set<string>();
  for (const [i, waiver] of (data.kind === "Repository" ? [] : (data.waivers ?? [])).entries()) {
    const at = (key: keyof DocumentWaiver, detail: string, remedy: string): Contradiction => ({
      path: ["waivers", i, key],
      detail,
      remedy,
    });
    const rule = data.send?.rules?.find(({ id }) => id === waiver.rule);
    const days = (Date.parse(waiver.until) - Date.parse(waiver.from)) / DAY_MS + 1;
    if (seen.has(waiver.id))
      return at("id", `a second waiver \`${waiver.id}\``, "give each waiver an id of its own");
    if (rule === undefined)
      return at("rule", `no send rule \`${waiver.rule}\` in this document`, "name one of its own rules");
    if (rule.waivable !== true)
      return at(
        "rule",
        `\`${waiver.rule}\` is not waivable`,
        "add `waivable: true` to the rule, or remove this",
      );
    if (Object.values(waiver.scope).every((values) => values === undefined))
      return at("scope", "an exception without a scope is a change of the rule", "name at least one label");
    if (waiver.approver === waiver.requester)
      return at("approver", "nobody grants their own waiver", "name somebody else");
    if (!(days >= 1 && days <= LONGEST_WAIVER_DAYS))
      return at("until", `${days} days`, `let it last from 1 to ${LONGEST_WAIVER_DAYS} days`);
    seen.add(waiver.id);
  }
  return null;
}

const failedExample = (path: DataPath, id: string, key: "match" | "not_match"): Contradiction => ({
  path,
  detail:
    key === "match"
      ? `\`${id}\` does not match its own example`
      : `\`${id}\` matches what it says it does not`,
  remedy: "correct the rule, or the example",
});

/** The labels that an example names. */
const defined = (example: NonNullable<SendRule["match"]>[number]): Partial<typeof UNKNOWN_POINT> =>
  // Leaving out undefined entries is what makes the rest a partial point.
  Object.fromEntries(Object.entries(example).filter(([, value]) => value !== undefined));
