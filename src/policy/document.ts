/**
 * A policy document: what people write, and the strict parser that refuses what is wrong in it.
 *
 * Three kinds, one schema: `Guardrails` (the organisation's; no profile loosens them), `Profile` (a person's or team's
 * permissions; what it does not speak about is refused) and `Repository` (a repository's own `.sallyport.yaml`; it only
 * narrows). Unknown and duplicate keys, contradictions, rules that can never take effect and rules whose own examples
 * fail are faults, never repaired: a document that means something else than it says is worse than none.
 *
 * Every fault is `policy.invalid` at `file:line:column path`, with a remedy.
 */
import { z } from "zod";
import { findContradiction, LONGEST_WAIVER_DAYS } from "./contradiction.ts";
import { HostPattern } from "./host.ts";
import { LABEL_VALUES, Word } from "./label.ts";
import { parseAs } from "./parse.ts";
import { text } from "./text.ts";

const MAX_RULES = 20_000;

export const BUDGET_NAMES = ["requests", "bytesOut", "inputTokens", "outputTokens", "minutes"] as const;
export type BudgetName = (typeof BUDGET_NAMES)[number];

/** Where a value that was replaced comes back, from the loosest on. */
export const RESTORE_LEVELS = ["all", "text", "none"] as const;

/** Tools that agents have under different names: see native.ts. */
export const AGENT_TOOLS = ["web_fetch", "web_search"] as const;

const Line = text("one line of text", /^[^\p{Cc}\u2028\u2029]{1,400}$/u);
/** A sentence that people read: in English, or in English and Simplified Chinese. */
export const Sentence = z.union([Line, z.strictObject({ en: Line, "zh-CN": Line })]);
export const Name = text("a name of lower-case letters, digits and dashes", /^[a-z0-9][a-z0-9-]{0,62}$/);
export const RuleId = text(
  "a rule id: a letter, then letters, digits and . _ -",
  /^[A-Za-z][A-Za-z0-9._-]{0,63}$/,
);
const Day = text("a day as YYYY-MM-DD", /^\d{4}-\d\d-\d\d$/, (day) => {
  const time = Date.parse(day);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(day);
});
export const few = <T extends z.ZodType>(item: T) => z.array(item).min(1).max(2_000);

export const Metadata = z.strictObject({
  name: Name,
  title: Sentence.optional(),
  version: z.int().min(1).default(1),
  owner: Line.describe("who answers for the document: a person, a role or an address"),
  review: Day.optional().describe("the day by which people look at it again"),
});

/** What every rule says about itself. */
const aboutRule = {
  id: RuleId,
  title: Sentence.describe("what the rule does, as a sentence"),
  because: Sentence.describe("the reason, shown to whoever meets the rule"),
  owner: Line.optional().describe("who answers for the rule; else the document's owner"),
  review: Day.optional(),
  unproved: Line.optional().describe("why no property needs the rule: see `sallyport policy prove`"),
  controls: few(Line).optional().describe("ids in control catalogues, e.g. nist80053:AC-4"),
};

const labels = Object.fromEntries(
  Object.entries(LABEL_VALUES).map(([name, value]) => [name, few(value).optional()]),
) as { [L in keyof typeof LABEL_VALUES]: z.ZodOptional<z.ZodArray<(typeof LABEL_VALUES)[L]>> };
export const Labels = z
  .strictObject(labels)
  .describe("matches when every label named has one of the values given");
const Example = z.strictObject(
  Object.fromEntries(Object.entries(LABEL_VALUES).map(([name, value]) => [name, value.optional()])) as {
    [L in keyof typeof LABEL_VALUES]: z.ZodOptional<(typeof LABEL_VALUES)[L]>;
  },
);

/** An exception that the document's own people grant to one of its own rules: see waiver.ts. */
const DocumentWaiver = z.strictObject({
  id: RuleId,
  rule: RuleId.describe("a rule of this very document that says `waivable: true`"),
  scope: Labels.describe("the points it holds for; at least one label"),
  reason: Line,
  requester: Line,
  approver: Line.describe("somebody else than the requester"),
  from: Day.describe("the first day, UTC"),
  until: Day.describe(`the last day, UTC; at most ${LONGEST_WAIVER_DAYS} days`),
});

const SendRule = z.strictObject({
  ...aboutRule,
  when: Labels,
  unless: Labels.optional(),
  // biome-ignore lint/suspicious/noThenProperty: the document's own word; nothing awaits a rule
  then: z
    .enum(["allow", "normalise", "redact", "reroute", "ask", "deny"])
    .describe(
      "`normalise`: lines of the build's own as its vetted template has them; `altered_template` only",
    ),
  rerouteTo: few(Name).optional().describe("destinations by name; `then: reroute` only"),
  waivable: z.boolean().optional().describe("whether a person may be given an exception for a time"),
  match: few(Example).optional().describe("points the rule must match; labels not named are unknown"),
  not_match: few(Example).optional().describe("points the rule must not match"),
});

const Endpoint = text("host:port", /^\S{1,255}:\d{1,5}$/);
const aboutHosts = {
  ...aboutRule,
  hosts: few(HostPattern),
  ports: few(z.int().min(1).max(65535)).optional().describe("default: 443"),
  match: few(Endpoint).optional(),
  not_match: few(Endpoint).optional(),
};
const AllowRule = z.strictObject({
  ...aboutHosts,
  private: z
    .boolean()
    .optional()
    .describe("whether a host named here may resolve to a private address; profiles only"),
});
const DenyRule = z.strictObject({
  ...aboutHosts,
  ports: aboutHosts.ports.describe("default: every port"),
});

const Path = text(
  "an absolute path, or one that begins with ~/; no `..`, no wildcards, no slash at the end",
  /^(~|\/|~?(\/(?!\.{1,2}(\/|$))[^\p{Cc}*?[\]{}/]+)+)$/u,
);
const HidePattern = text(
  "a path in the workspace: without a slash a name at any depth, `*` within a name, `**` across folders",
  /^(?!\.{1,2}(\/|$))[^\p{Cc}?[\]{}!\\/]+(\/(?!\.{1,2}(\/|$))[^\p{Cc}?[\]{}!\\/]+)*$/u,
);
const OwnWords = text(
  "3 to 200 characters on one line, the first word of three or more",
  /^\S{3}[^\p{Cc}]{0,197}$/u,
  (words) => words.trim() === words,
);
const IndexPath = text(
  "a file: absolute, from ~/, or from the document's folder on",
  /^(?!-)[^\p{Cc}*?[\]{}]{1,500}$/u,
);
const FindingHash = text("a finding's keyed hash: 32 hexadecimal digits", /^[0-9a-f]{32}$/);
const EnvironmentName = text("a variable's name, or a prefix that ends in *", /^[A-Za-z_][A-Za-z0-9_]*\*?$/);
const Command = text(
  "the first words of a command, with single spaces",
  /^[A-Za-z0-9._/-]{1,100}( [A-Za-z0-9._/=-]{1,100}){0,5}$/,
);
const AgentName = text(
  "an agent's name, or name@version",
  /^[a-z0-9][a-z0-9._-]{0,62}(@[A-Za-z0-9][A-Za-z0-9.+-]{0,62})?$/,
);
const Default = z.enum(["allow", "deny"]);

/** What inspection looks for beside its own detectors, and what it passes over. */
const Inspect = z.strictObject({
  terms: z
    .array(z.strictObject({ id: RuleId, text: OwnWords, class: LABEL_VALUES.data }))
    .max(2_000)
    .optional()
    .describe("the organisation's own words: project names, customers"),
  canaries: z
    .array(z.strictObject({ id: RuleId, text: OwnWords }))
    .max(2_000)
    .optional()
    .describe("strings that stand nowhere but where they were planted; their class is `canary`"),
  paths: z
    .array(z.strictObject({ path: HidePattern, class: LABEL_VALUES.data }))
    .max(500)
    .optional()
    .describe("files of the workspace whose content has a class, whatever it says"),
  code: z
    .array(IndexPath)
    .max(50)
    .optional()
    .describe("fingerprints of classified code, as `sallyport classify` writes them"),
  waivers: z
    .array(z.strictObject({ hash: FindingHash, because: Sentence, until: Day }))
    .max(2_000)
    .optional()
    .describe("false positives, each by its keyed hash, for a year at most; not in a repository's document"),
  restore: z
    .enum(RESTORE_LEVELS)
    .optional()
    .describe("where values come back in replies: text and the file of origin, text alone, nowhere"),
});

const sections = {
  apiVersion: z.literal("sallyport/v1"),
  metadata: Metadata,
  sandbox: z
    .strictObject({
      mode: z.enum(["bubblewrap", "none"]).optional(),
      nested: z.boolean().optional(),
      review: z.boolean().optional(),
      unrecorded: z.boolean().optional(),
    })
    .optional()
    .describe(
      "`nested`: the agent may build a sandbox of its own inside ours; `review`: nothing of the workspace changes before a person has looked at it, as with `run --review`; `unrecorded`: a session goes on when what its programs do can no longer be recorded, instead of being stopped",
    ),
  files: z
    .strictObject({
      read: z.array(Path).max(500).optional().describe("shown read-only beside the workspace and the system"),
      write: z.array(Path).max(500).optional().describe("writable beside the workspace"),
      hide: z.array(HidePattern).max(500).optional().describe("files of the workspace that are not shown"),
    })
    .optional(),
  environment: z.strictObject({ pass: z.array(EnvironmentName).max(500).optional() }).optional(),
  budgets: z
    .strictObject({
      because: Sentence,
      requests: z.int().min(0).optional(),
      bytesOut: z.int().min(0).optional(),
      inputTokens: z.int().min(0).optional(),
      outputTokens: z.int().min(0).optional(),
      minutes: z.int().min(0).optional(),
      day: z
        .strictObject({
          requests: z.int().min(0).optional(),
          bytesOut: z.int().min(0).optional(),
          inputTokens: z.int().min(0).optional(),
          outputTokens: z.int().min(0).optional(),
        })
        .optional()
        .describe("what one person's sessions may use up together in a day (UTC)"),
    })
    .optional()
    .describe("what one session may use up; layered, the smallest of each holds"),
  approvals: z
    .strictObject({
      self: z.enum(["allow", "deny"]).optional(),
      seconds: z.int().min(1).max(3_600).optional(),
    })
    .optional()
    .describe(
      "who may answer what a rule asks: `self: allow` lets the person who asked answer (a profile's default: deny); after `seconds` without an answer it is denied",
    ),
  language: z.enum(["en", "zh-CN"]).optional().describe("of refusals; without it: the person's own"),
  agents: z
    .strictObject({ allow: few(AgentName) })
    .optional()
    .describe("agents that may be run, by name or name@version; without the list: any"),
  // What only the agents' own settings can hold them to: see native.ts, and its gap table.
  programs: z
    .strictObject({ ask: z.array(Command).max(500).optional(), deny: z.array(Command).max(500).optional() })
    .optional()
    .describe("first words of commands that the agent must ask about, or must not run"),
  tools: z
    .strictObject({ deny: z.array(z.enum(AGENT_TOOLS)).max(AGENT_TOOLS.length).optional() })
    .optional()
    .describe("the agent's own tools that reach out on its vendor's side"),
  repository: z
    .strictObject({ settings: z.enum(["use", "ignore"]).optional() })
    .optional()
    .describe(
      "whether the agent reads settings, hooks and servers out of the repository; a profile's default: ignore",
    ),
  inspect: Inspect.optional(),
  admission: z
    .strictObject({
      builds: z.enum(["approved", "any"]).optional(),
      extensions: z.enum(["approved", "any"]).optional(),
    })
    .optional()
    .describe(
      "which agents start, and with which hooks, servers and skills of the repository: those the register approves, or any; default: any",
    ),
  mcp: z
    .strictObject({
      servers: z.array(Word).max(500).optional(),
      tools: z.strictObject({ deny: z.array(Word).max(2_000).optional() }).optional(),
    })
    .optional()
    .describe(
      "MCP servers the agent may use, by name, those over HTTP by their host; without the list: any. `tools.deny`: tools of servers over HTTP that are not called",
    ),
};
const network = {
  allow: z.array(AllowRule).max(MAX_RULES).optional(),
  deny: z.array(DenyRule).max(MAX_RULES).optional(),
};
const rules = z.array(SendRule).max(MAX_RULES);
const waivers = z.array(DocumentWaiver).max(2_000).optional().describe("exceptions to this document's rules");

/** A guardrail or repository document is neutral about what it does not speak about; a profile refuses it. */
const neutral = {
  network: z.strictObject({ default: Default.default("allow"), ...network }).optional(),
  send: z.strictObject({ default: Default.default("allow"), rules: rules.optional() }).optional(),
};

export const DocumentSchema = z.discriminatedUnion("kind", [
  z.strictObject({ ...sections, kind: z.literal("Guardrails"), ...neutral, waivers }),
  z.strictObject({
    ...sections,
    kind: z.literal("Profile"),
    network: z.strictObject({ default: Default, ...network }),
    send: z.strictObject({ default: Default, rules: rules.optional() }),
    waivers,
  }),
  z.strictObject({
    ...sections,
    kind: z.literal("Repository"),
    ...neutral,
    labels: z.strictObject({ repo: LABEL_VALUES.repo }).optional().describe("what the repository is"),
  }),
]);

export type SendRule = z.infer<typeof SendRule>;
export type DocumentWaiver = z.infer<typeof DocumentWaiver>;
export type AllowRule = z.infer<typeof AllowRule>;
export type DenyRule = z.infer<typeof DenyRule>;
export type Sentence = z.infer<typeof Sentence>;
export type InspectSection = z.infer<typeof Inspect>;
export type PolicyData = z.infer<typeof DocumentSchema>;

/** A document that has been parsed: what it says, and the file it says it in. */
export interface PolicyDocument {
  readonly file: string;
  readonly data: PolicyData;
}

/**
 * Parses one document. `file` is used in messages only.
 * Throws `policy.invalid` at `file:line:column path` for anything that is not exactly a document.
 */
export function parseDocument(yaml: string, file: string): PolicyDocument {
  const { data, source } = parseAs(DocumentSchema, yaml, file);
  const contradiction = findContradiction(data);
  if (contradiction !== null)
    throw source.refuse(contradiction.path, contradiction.detail, contradiction.remedy);
  return { file, data };
}
