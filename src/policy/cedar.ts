/**
 * A policy as Cedar (https://www.cedarpolicy.com, language 4): a portable artefact for those who keep their policies
 * there, and a second opinion on our own engine (cedar.test.ts). Never on the hot path.
 *
 * Cedar answers allow or deny, so that an outcome takes several questions about one context:
 *   leave     it may leave in some way            unasked   nobody has to be asked first
 *   unmasked  nothing has to be masked            here      it may go where it was addressed to
 *   unaltered nothing has to be put back as it was vetted
 *   via:NAME  it may go to the destination NAME instead
 * Every rule of ours but an allowance is one `forbid`; a document whose default is to deny is a `forbid … unless` over
 * all its rules. Two of Cedar's traps to know: an erring `forbid` is skipped, so ask with the schema and treat any
 * error as deny; and annotations are not seen by analyses.
 */
import type { PolicyDocument, SendRule } from "./document.ts";
import { LABEL_NAMES, type LabelName } from "./label.ts";
import { inEnglish } from "./layer.ts";
import { DEFAULT_PORTS } from "./match.ts";

export interface CedarExport {
  readonly policies: string;
  readonly schema: string;
  /** The destinations that rules reroute to: each has an action `via:NAME`. */
  readonly targets: readonly string[];
}

type Condition = SendRule["when"];

export function exportCedar(documents: readonly PolicyDocument[]): CedarExport {
  const targets = [
    ...new Set(
      documents.flatMap(({ data }) => (data.send?.rules ?? []).flatMap(({ rerouteTo }) => rerouteTo ?? [])),
    ),
  ].sort();
  const statements = documents.flatMap((document) => [
    ...sendStatements(document, targets),
    ...networkStatements(document),
  ]);
  const actions = [
    "leave",
    "unasked",
    "unaltered",
    "unmasked",
    "here",
    ...targets.map((target) => `via:${target}`),
  ];
  return {
    policies: `${["permit (principal, action, resource);", ...statements].join("\n\n")}\n`,
    schema: schemaOf(actions),
    targets,
  };
}

function sendStatements({ data }: PolicyDocument, targets: readonly string[]): readonly string[] {
  const rules = data.send?.rules ?? [];
  const refuses = data.send === undefined ? data.kind === "Profile" : data.send.default === "deny";
  return [
    ...rules.flatMap((rule) => {
      const scope = scopeOf(rule, targets);
      return scope === null
        ? []
        : [`${annotations(rule, data)}\nforbid (principal, ${scope}, resource)\n${whenText(rule)};`];
    }),
    ...(refuses ? [refusalText(`${data.metadata.name}/send.default`, rules.map(ruleText))] : []),
  ];
}

/** Which questions a rule answers with no; null: none. */
function scopeOf(rule: SendRule, targets: readonly string[]): string | null {
  switch (rule.then) {
    case "allow":
      return null;
    case "deny":
      return "action";
    case "ask":
      return 'action == Action::"unasked"';
    case "normalise":
      return 'action == Action::"unaltered"';
    case "redact":
      return 'action == Action::"unmasked"';
    case "reroute": {
      const refused = targets
        .filter((target) => !rule.rerouteTo?.includes(target))
        .map((target) => `via:${target}`);
      return `action in [${["here", ...refused].map((name) => `Action::${quote(name)}`).join(", ")}]`;
    }
    default:
      rule.then satisfies never;
      return "action";
  }
}

function networkStatements({ data }: PolicyDocument): readonly string[] {
  const name = data.metadata.name;
  const refuses = data.network === undefined ? data.kind === "Profile" : data.network.default === "deny";
  const allowed = (data.network?.allow ?? []).map(({ hosts, ports }) =>
    conditionText({ host: hosts, port: [...(ports ?? DEFAULT_PORTS)] }),
  );
  return [
    ...(data.network?.deny ?? []).map(
      (rule) =>
        `${annotations(rule, data)}\nforbid (principal, action, resource)\nwhen { ${conditionText({ host: rule.hosts, port: rule.ports })} };`,
    ),
    ...(refuses ? [refusalText(`${name}/network.default`, allowed)] : []),
  ];
}

const refusalText = (id: string, exceptions: readonly string[]): string =>
  `@id(${quote(id)})\nforbid (principal, action, resource)${exceptions.length === 0 ? "" : `\nunless {\n  ${exceptions.join(" ||\n  ")}\n}`};`;

type Described = Pick<SendRule, "id" | "title" | "because" | "owner">;

const annotations = (rule: Described, data: PolicyDocument["data"]): string =>
  [
    ["id", `${data.metadata.name}/${rule.id}`],
    ["title", inEnglish(rule.title)],
    ["because", inEnglish(rule.because)],
    ["owner", rule.owner ?? data.metadata.owner],
  ]
    .map(([name, value]) => `@${name}(${quote(value ?? "")})`)
    .join("\n");

const whenText = ({ when, unless }: SendRule): string =>
  `when { ${conditionText(when)} }${unless === undefined ? "" : `\nunless { ${conditionText(unless)} }`}`;

const ruleText = ({ when, unless }: SendRule): string =>
  unless === undefined
    ? `(${conditionText(when)})`
    : `(${conditionText(when)} && !(${conditionText(unless)}))`;

function conditionText(condition: Condition): string {
  const parts = LABEL_NAMES.flatMap((label) => {
    const values = condition[label];
    return values === undefined ? [] : [label === "host" ? hostText(values) : listText(label, values)];
  });
  return parts.length === 0 ? "true" : parts.join(" && ");
}

const listText = (label: LabelName, values: readonly (string | number)[]): string =>
  `[${values.map(quote).join(", ")}].contains(context.${label})`;

const hostText = (patterns: readonly (string | number)[]): string =>
  `(${patterns
    .map((pattern) => `context.host ${String(pattern).startsWith("*") ? "like" : "=="} ${quote(pattern)}`)
    .join(" || ")})`;

/** Our texts hold no control characters, so that JSON's quoting is Cedar's. */
const quote = (value: string | number): string => JSON.stringify(value);

function schemaOf(actions: readonly string[]): string {
  const context = LABEL_NAMES.map((label) => `${label}: ${label === "port" ? "Long" : "String"}`).join(", ");
  const names = actions.map(quote).join(", ");
  return `entity Person;
entity Destination;
type Labels = { ${context} };
action ${names} appliesTo { principal: [Person], resource: [Destination], context: Labels };
`;
}
