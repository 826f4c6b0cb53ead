/**
 * What guardrails, profiles and a repository's own document mean together. Layering only tightens: a document that is
 * added can take away, never give. Order does not matter, nor does how the documents are grouped.
 *
 * - verdicts: each document is asked, the strictest answer wins (decide.ts)
 * - grants (paths, variables): what every document grants that speaks about them; hidden files: what any hides
 * - sandbox: on, unless every profile switches it off and nothing else asks for it
 */
import { createHash } from "node:crypto";
import { canonicalText, Fault, type Json } from "../core/index.ts";
import {
  type AGENT_TOOLS,
  type AllowRule,
  type DenyRule,
  type PolicyDocument,
  RESTORE_LEVELS,
  type SendRule,
  type Sentence,
} from "./document.ts";
import { type Covers, folderCovers, intersection, nameCovers, shortest } from "./grant.ts";
import { indexSendRules, type SendIndex } from "./send.ts";
import type { Language } from "./words.ts";

/** A rule as it is shown to people and named in the record. */
export interface RuleRef {
  readonly id: string;
  readonly title: string;
  readonly because: string;
  readonly owner: string;
  /** Name of the document that holds it. */
  readonly document: string;
}

export type Admission = "approved" | "any";
export type AgentTool = (typeof AGENT_TOOLS)[number];

/** A rule together with what shows it. */
export interface NamedRule<R> {
  readonly ref: RuleRef;
  readonly rule: R;
}

/** One document, ready to be asked. */
export interface Layer {
  readonly document: PolicyDocument;
  /** What the document answers when none of its rules speaks, as the rule that people are shown. */
  readonly network: {
    readonly allows: boolean;
    readonly ref: RuleRef;
    /** Rules by the host pattern that they name. */
    readonly allow: ReadonlyMap<string, readonly NamedRule<AllowRule>[]>;
    readonly deny: ReadonlyMap<string, readonly NamedRule<DenyRule>[]>;
  };
  readonly send: { readonly allows: boolean; readonly ref: RuleRef };
}

export interface SendRuleInLayer extends NamedRule<SendRule> {
  /** Index of the layer that holds the rule. */
  readonly layer: number;
  /** Where an exception takes its objection away, and what is shown instead: see waiver.ts. */
  readonly waived?: readonly { readonly scope: SendRule["when"]; readonly ref: RuleRef }[];
}

/** What inspection looks for beside its own detectors, and what it passes over. */
export interface InspectPolicy {
  readonly terms: readonly { readonly id: string; readonly text: string; readonly class: string }[];
  readonly paths: readonly { readonly path: string; readonly class: string }[];
  /** Index files as they are written, each with the document's own file: a relative one is relative to its folder. */
  readonly code: readonly { readonly path: string; readonly document: string }[];
  /** Only where every profile names it, and every other document that names any. */
  readonly waivers: readonly FindingWaiver[];
  readonly restore: RestoreLevel;
}

/** A false positive, passed over for a time. */
export interface FindingWaiver {
  readonly hash: string;
  readonly reason: string;
  /** Unix ms. */
  readonly expiresAt: number;
}
export type RestoreLevel = (typeof RESTORE_LEVELS)[number];

/** What several documents, layered, mean. Immutable; a session keeps the one it began with. */
export interface Policy {
  /** The profiles' names, then the other documents', joined by `+`. */
  readonly name: string;
  /** SHA-256 of the canonical JSON of the documents, hex; the same for any order of them. */
  readonly sha256: string;
  /** The repository's class as its own document names it; `unknown` without one. Goes into {@link Point.repo}. */
  readonly repo: string;
  readonly sandbox: {
    readonly mode: "bubblewrap" | "none";
    readonly nested: boolean;
    /** Whether changes to the workspace are held back for a person to look at. */
    readonly review: boolean;
    /** Whether a session goes on, and says so in the record, when its recorder dies. */
    readonly unrecorded: boolean;
  };
  readonly files: {
    /** Read-only beside the workspace; absolute, or beginning with `~/`. What does not exist is passed over. */
    readonly read: readonly string[];
    readonly write: readonly string[];
    /** Patterns of workspace files that are not shown: see {@link isHidden}. */
    readonly hide: readonly string[];
  };
  readonly environment: {
    /** Names of variables, or prefixes that end in `*`. */
    readonly pass: readonly string[];
  };
  /** Commands by their first words. Only agents' own settings can enforce these. */
  readonly programs: { readonly ask: readonly string[]; readonly deny: readonly string[] };
  /** Agents' own tools that must be off. */
  readonly tools: { readonly deny: readonly AgentTool[] };
  /** Whether the agent may read settings, hooks and servers out of the repository. */
  readonly repositorySettings: "use" | "ignore";
  /** Whether only what the register approves starts: the agent's build; what the repository brings for the agent. */
  readonly admission: { readonly builds: Admission; readonly extensions: Admission };
  /** MCP servers that may be used, by name; null: any. */
  readonly mcpServers: readonly string[] | null;
  /** Tools of MCP servers over HTTP that are not called. */
  readonly mcpTools: { readonly deny: readonly string[] };
  readonly inspect: InspectPolicy;
  readonly approvals: {
    /** Whether the person who asked may answer; never where the agent could answer in their place: without a sandbox. */
    readonly self: boolean;
    /** How long a question waits. */
    readonly seconds: number;
  };
  /** Of refusals; null: the person's own. */
  readonly language: Language | null;
  /** Agents that may be run, as name or name@version; null: any. */
  readonly agents: readonly string[] | null;
  readonly layers: readonly Layer[];
  /** All layers' send rules, and the index that finds the matching ones. */
  readonly send: { readonly rules: readonly SendRuleInLayer[]; readonly index: SendIndex };
}

/**
 * Layers documents into a policy. At least one must be a profile: guardrails and repositories say nothing about what
 * is permitted. Throws `policy.invalid` without one, or when two documents or rules share a name.
 */
export function layer(documents: readonly PolicyDocument[]): Policy {
  const sorted = [...documents].sort(byKindThenName);
  const profiles = sorted.filter(({ data }) => data.kind === "Profile");
  const first = sorted[0];
  if (profiles.length === 0)
    throw new Fault("policy.invalid", {
      ...(first === undefined ? {} : { at: first.file }),
      detail: "no profile among the documents",
      remedy: "add a document of `kind: Profile`",
    });
  refuseDuplicates(sorted);
  const layers = sorted.map(asLayer);
  const rules = sorted.flatMap(({ data }, at) =>
    (data.send?.rules ?? []).map((rule): SendRuleInLayer => ({ ref: refOf(rule, data), rule, layer: at })),
  );
  // Absent optional fields are `undefined` in the parsed data; canonical JSON leaves them out.
  const texts = sorted.map(({ data }) => canonicalText(data as unknown as Json));
  return {
    name: sorted.map(({ data }) => data.metadata.name).join("+"),
    sha256: createHash("sha256")
      .update(`[${texts.join(",")}]`)
      .digest("hex"),
    repo:
      sorted.map(({ data }) => (data.kind === "Repository" ? data.labels?.repo : undefined)).find(Boolean) ??
      "unknown",
    sandbox: {
      mode: sandboxMode(sorted),
      nested: layered(
        sorted,
        (data) => data.sandbox?.nested,
        false,
        (a, b) => a && b,
      ),
      review: layered(
        sorted,
        (data) => data.sandbox?.review,
        false,
        (a, b) => a || b,
      ),
      unrecorded: layered(
        sorted,
        (data) => data.sandbox?.unrecorded,
        false,
        (a, b) => a && b,
      ),
    },
    files: {
      read: grants(sorted, (data) => data.files?.read, folderCovers),
      write: grants(sorted, (data) => data.files?.write, folderCovers),
      hide: union(sorted, (data) => data.files?.hide),
    },
    environment: { pass: grants(sorted, (data) => data.environment?.pass, nameCovers) },
    programs: {
      ask: union(sorted, (data) => data.programs?.ask),
      deny: union(sorted, (data) => data.programs?.deny),
    },
    tools: { deny: union(sorted, (data) => data.tools?.deny) },
    repositorySettings: layered<"use" | "ignore">(
      sorted,
      (data) => data.repository?.settings,
      "ignore",
      (a, b) => (a === b ? a : "ignore"),
    ),
    admission: {
      builds: admission(sorted, (data) => data.admission?.builds),
      extensions: admission(sorted, (data) => data.admission?.extensions),
    },
    inspect: inspectPolicy(sorted),
    mcpServers: inAll(sorted.map(({ data }) => data.mcp?.servers)),
    mcpTools: { deny: union(sorted, (data) => data.mcp?.tools?.deny) },
    approvals: {
      self:
        sandboxMode(sorted) === "bubblewrap" &&
        layered(
          sorted,
          (data) => data.approvals?.self,
          "deny",
          (a, b) => (a === b ? a : "deny"),
        ) === "allow",
      seconds: layered<number>(sorted, (data) => data.approvals?.seconds, APPROVAL_SECONDS, Math.min),
    },
    language: sorted.map(({ data }) => data.language).find((language) => language !== undefined) ?? null,
    agents: inAll(
      sorted.map(({ data }) => data.agents?.allow),
      agentCovers,
    ),
    layers,
    send: { rules, index: indexSendRules(rules.map(({ rule }) => rule)) },
  };
}

type Data = PolicyDocument["data"];

function inspectPolicy(documents: readonly PolicyDocument[]): InspectPolicy {
  const own = documents.map(({ data, file }) => ({ file, inspect: data.inspect ?? {} }));
  return {
    terms: own.flatMap(({ inspect }) => [
      ...(inspect.terms ?? []),
      ...(inspect.canaries ?? []).map((canary) => ({ ...canary, class: "canary" })),
    ]),
    paths: own.flatMap(({ inspect }) => inspect.paths ?? []),
    code: own.flatMap(({ file, inspect }) => (inspect.code ?? []).map((path) => ({ path, document: file }))),
    waivers: layered<readonly FindingWaiver[]>(documents, waiversOf, [], (a, b) =>
      a.flatMap((one) => {
        const other = b.find(({ hash }) => hash === one.hash);
        return other === undefined ? [] : [one.expiresAt <= other.expiresAt ? one : other];
      }),
    ),
    // Who says nothing of it is not asked: nothing leaves by it.
    restore:
      RESTORE_LEVELS[
        Math.max(...own.map(({ inspect }) => RESTORE_LEVELS.indexOf(inspect.restore ?? "all")))
      ] ?? "none",
  };
}

const waiversOf = ({ inspect }: Data): readonly FindingWaiver[] | undefined =>
  inspect?.waivers?.map(({ hash, because, until }) => ({
    hash,
    reason: inEnglish(because),
    expiresAt: Date.parse(until),
  }));

const admission = (
  documents: readonly PolicyDocument[],
  read: (data: Data) => Admission | undefined,
): Admission => (documents.some(({ data }) => read(data) === "approved") ? "approved" : "any");

/** Below the five minutes after which Node's fetch, which most agents use, gives an unanswered request up. */
const APPROVAL_SECONDS = 240;

const sandboxMode = (documents: readonly PolicyDocument[]): "bubblewrap" | "none" =>
  layered(
    documents,
    (data) => data.sandbox?.mode,
    "bubblewrap",
    (a, b) => (a === b ? a : "bubblewrap"),
  );

/** `claude` stands for every version of it. */
const agentCovers: Covers = (outer, inner) => outer === inner || inner.startsWith(`${outer}@`);
const same: Covers = (outer, inner) => outer === inner;

/** What every list holds that there is; null without any. */
const inAll = (
  lists: readonly (readonly string[] | undefined)[],
  covers: Covers = same,
): readonly string[] | null =>
  lists.reduce<readonly string[] | null>(
    (all, more) => (more === undefined ? all : intersection(all ?? more, more, covers)),
    null,
  );

/** A profile that says nothing means the strict value; any other document that says nothing is not asked. */
function layered<T>(
  documents: readonly PolicyDocument[],
  read: (data: Data) => T | undefined,
  strict: T,
  tighter: (a: T, b: T) => T,
): T {
  const values = documents.flatMap(({ data }): T[] => {
    const value = read(data) ?? (data.kind === "Profile" ? strict : undefined);
    return value === undefined ? [] : [value];
  });
  return values.length === 0 ? strict : values.reduce(tighter);
}

const grants = (
  documents: readonly PolicyDocument[],
  read: (data: Data) => readonly string[] | undefined,
  covers: Covers,
): readonly string[] =>
  shortest(
    layered<readonly string[]>(documents, read, [], (a, b) => intersection(a, b, covers)),
    covers,
  );

const union = <T>(
  documents: readonly PolicyDocument[],
  read: (data: Data) => readonly T[] | undefined,
): readonly T[] => [...new Set(documents.flatMap(({ data }) => read(data) ?? []))].sort();

const KIND_ORDER = { Profile: 0, Guardrails: 1, Repository: 2 } as const;

function byKindThenName(a: PolicyDocument, b: PolicyDocument): number {
  const kinds = KIND_ORDER[a.data.kind] - KIND_ORDER[b.data.kind];
  if (kinds !== 0) return kinds;
  return a.data.metadata.name < b.data.metadata.name ? -1 : 1;
}

/** The record names a rule by `document/rule`: both must lead to one place. */
function refuseDuplicates(documents: readonly PolicyDocument[]): void {
  const files = new Map<string, string>();
  for (const { file, data } of documents) {
    const other = files.get(data.metadata.name);
    if (other !== undefined)
      throw new Fault("policy.invalid", {
        at: `${file} metadata.name`,
        detail: `\`${data.metadata.name}\` is the name of ${other} too`,
        remedy: "give each document a name of its own",
      });
    files.set(data.metadata.name, file);
  }
}

function asLayer(document: PolicyDocument): Layer {
  const { data } = document;
  const isProfile = data.kind === "Profile";
  const allowsHosts = data.network === undefined ? !isProfile : data.network.default === "allow";
  const allowsSends = data.send === undefined ? !isProfile : data.send.default === "allow";
  return {
    document,
    network: {
      allows: allowsHosts,
      ref: defaultRef(data, "network", allowsHosts),
      allow: byHost((data.network?.allow ?? []).map((rule) => ({ ref: refOf(rule, data), rule }))),
      deny: byHost((data.network?.deny ?? []).map((rule) => ({ ref: refOf(rule, data), rule }))),
    },
    send: { allows: allowsSends, ref: defaultRef(data, "send", allowsSends) },
  };
}

function byHost<R extends { readonly hosts: readonly string[] }>(
  rules: readonly NamedRule<R>[],
): ReadonlyMap<string, readonly NamedRule<R>[]> {
  const table = new Map<string, NamedRule<R>[]>();
  for (const named of rules)
    for (const pattern of named.rule.hosts) {
      const same = table.get(pattern);
      if (same === undefined) table.set(pattern, [named]);
      else same.push(named);
    }
  return table;
}

export const inEnglish = (sentence: Sentence): string =>
  typeof sentence === "string" ? sentence : sentence.en;

type AboutRule = Pick<SendRule, "id" | "title" | "because" | "owner">;

function refOf(rule: AboutRule, data: Data): RuleRef {
  return {
    id: rule.id,
    title: inEnglish(rule.title),
    because: inEnglish(rule.because),
    owner: rule.owner ?? data.metadata.owner,
    document: data.metadata.name,
  };
}

function defaultRef(data: Data, section: "network" | "send", allows: boolean): RuleRef {
  const what = section === "network" ? "a host" : "a destination and its data";
  return {
    id: `${section}.default`,
    title: allows
      ? `\`${data.metadata.name}\` allows what none of its rules speaks about`
      : `\`${data.metadata.name}\` refuses what none of its rules speaks about`,
    because: `no rule of \`${data.metadata.name}\` speaks about such ${what}`,
    owner: data.metadata.owner,
    document: data.metadata.name,
  };
}
