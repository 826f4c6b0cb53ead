/**
 * A document as people read it: every rule as a sentence with its reason, its owner and the day it is looked at again, and
 * every grant by its name. What is secret about a document is left out: the text of terms and canaries, of which only the
 * ids are told.
 */
import type { AllowRule, DenyRule, PolicyDocument, SendRule } from "./document.ts";
import { BUDGET_NAMES } from "./document.ts";
import { LABEL_NAMES } from "./label.ts";
import { type Language, say, sayLabel } from "./words.ts";

export interface SaidRule {
  readonly id: string;
  readonly section: "network" | "send";
  readonly outcome: "allow" | "normalise" | "redact" | "reroute" | "ask" | "deny";
  readonly title: string;
  readonly because: string;
  /** When it speaks, as a sentence; of a rule for hosts, which. */
  readonly when: string;
  readonly owner: string;
  /** A day; null: the document's own, if it has one. */
  readonly review: string | null;
  readonly isWaivable: boolean;
  /** Why no property needs it, in the rule's own words. */
  readonly unproved: string | null;
  readonly controls: readonly string[];
}

/** `section` as in the document (`files.read`); its values as they stand there. */
export interface SaidGrant {
  readonly section: string;
  readonly values: readonly string[];
}

export interface SaidWaiver {
  readonly id: string;
  readonly rule: string;
  readonly where: string;
  readonly reason: string;
  readonly requester: string;
  readonly approver: string;
  readonly from: string;
  readonly until: string;
}

export interface SaidDocument {
  readonly file: string;
  readonly kind: "Guardrails" | "Profile" | "Repository";
  readonly name: string;
  readonly title: string | null;
  readonly version: number;
  readonly owner: string;
  readonly review: string | null;
  /** What it answers where none of its rules speaks; null: it says nothing of that. */
  readonly defaults: { readonly network: "allow" | "deny" | null; readonly send: "allow" | "deny" | null };
  readonly rules: readonly SaidRule[];
  readonly grants: readonly SaidGrant[];
  readonly waivers: readonly SaidWaiver[];
}

export function sayDocument({ file, data }: PolicyDocument, language: Language): SaidDocument {
  const { metadata } = data;
  const about = (rule: SendRule | AllowRule | DenyRule) => ({
    id: rule.id,
    title: say(rule.title, language),
    because: say(rule.because, language),
    owner: rule.owner ?? metadata.owner,
    review: rule.review ?? null,
    unproved: rule.unproved ?? null,
    controls: rule.controls ?? [],
  });
  const hosts = (rule: AllowRule | DenyRule, section: "allow" | "deny"): SaidRule => ({
    ...about(rule),
    section: "network",
    outcome: section,
    when: sayHosts(rule, section, language),
    isWaivable: false,
  });
  return {
    file,
    kind: data.kind,
    name: metadata.name,
    title: metadata.title === undefined ? null : say(metadata.title, language),
    version: metadata.version,
    owner: metadata.owner,
    review: metadata.review ?? null,
    defaults: { network: data.network?.default ?? null, send: data.send?.default ?? null },
    rules: [
      ...(data.send?.rules ?? []).map(
        (rule): SaidRule => ({
          ...about(rule),
          section: "send",
          outcome: rule.then,
          when: sayCondition(rule, language),
          isWaivable: rule.waivable === true,
        }),
      ),
      ...(data.network?.deny ?? []).map((rule) => hosts(rule, "deny")),
      ...(data.network?.allow ?? []).map((rule) => hosts(rule, "allow")),
    ],
    grants: grantsOf(data),
    waivers: (data.kind === "Repository" ? [] : (data.waivers ?? [])).map((waiver) => ({
      id: waiver.id,
      rule: waiver.rule,
      where: sayLabels(waiver.scope, language),
      reason: waiver.reason,
      requester: waiver.requester,
      approver: waiver.approver,
      from: waiver.from,
      until: waiver.until,
    })),
  };
}

type Labels = SendRule["when"];

const sayLabels = (labels: Labels, language: Language): string =>
  LABEL_NAMES.flatMap((label) => {
    const values = labels[label];
    return values === undefined ? [] : [sayLabel(label, values, language)];
  }).join(language === "en" ? " and " : "，且");

function sayCondition({ when, unless, rerouteTo }: SendRule, language: Language): string {
  const english = language === "en";
  const stated = sayLabels(when, language);
  const base = stated === "" ? (english ? "always" : "任何情况") : english ? `when ${stated}` : `${stated}时`;
  const but =
    unless === undefined
      ? ""
      : english
        ? `, unless ${sayLabels(unless, language)}`
        : `（${sayLabels(unless, language)}时除外）`;
  const to =
    rerouteTo === undefined
      ? ""
      : english
        ? `; goes to ${rerouteTo.join(" or ")} instead`
        : `；改发到 ${rerouteTo.join(" 或 ")}`;
  return `${base}${but}${to}`;
}

function sayHosts(rule: AllowRule | DenyRule, section: "allow" | "deny", language: Language): string {
  const english = language === "en";
  const hosts = rule.hosts.join(", ");
  const everyPort = section === "deny" && rule.ports === undefined;
  const ports = everyPort
    ? english
      ? "every port"
      : "所有端口"
    : english
      ? `port ${(rule.ports ?? [443]).join(", ")}`
      : `端口 ${(rule.ports ?? [443]).join("、")}`;
  const priv =
    "private" in rule && rule.private === true
      ? english
        ? ", also at private addresses"
        : "，包括私有地址"
      : "";
  return english ? `${hosts} (${ports}${priv})` : `${hosts}（${ports}${priv}）`;
}

function grantsOf(data: PolicyDocument["data"]): readonly SaidGrant[] {
  const { inspect, sandbox, budgets, approvals, admission } = data;
  const one = (value: string | number | undefined): readonly string[] | undefined =>
    value === undefined ? undefined : [String(value)];
  const budget = BUDGET_NAMES.flatMap((name) =>
    budgets?.[name] === undefined ? [] : [`${name} ${budgets[name]}`],
  );
  const day = Object.entries(budgets?.day ?? {}).map(([name, limit]) => `${name} ${limit} / day`);
  const listed: readonly (readonly [section: string, values: readonly string[] | undefined])[] = [
    ["sandbox.mode", one(sandbox?.mode)],
    ["sandbox.nested", sandbox?.nested === undefined ? undefined : [sandbox.nested ? "yes" : "no"]],
    ["sandbox.review", sandbox?.review === undefined ? undefined : [sandbox.review ? "yes" : "no"]],
    [
      "sandbox.unrecorded",
      sandbox?.unrecorded === undefined ? undefined : [sandbox.unrecorded ? "yes" : "no"],
    ],
    ["files.read", data.files?.read],
    ["files.write", data.files?.write],
    ["files.hide", data.files?.hide],
    ["environment.pass", data.environment?.pass],
    ["programs.ask", data.programs?.ask],
    ["programs.deny", data.programs?.deny],
    ["tools.deny", data.tools?.deny],
    ["mcp.servers", data.mcp?.servers],
    ["mcp.tools.deny", data.mcp?.tools?.deny],
    ["agents.allow", data.agents?.allow],
    ["repository.settings", one(data.repository?.settings)],
    ["admission.builds", one(admission?.builds)],
    ["admission.extensions", one(admission?.extensions)],
    ["approvals.self", one(approvals?.self)],
    ["approvals.seconds", one(approvals?.seconds)],
    ["budgets", budget.length + day.length === 0 ? undefined : [...budget, ...day]],
    ["inspect.terms", inspect?.terms?.map(({ id, class: data }) => `${id} (${data})`)],
    ["inspect.canaries", inspect?.canaries?.map(({ id }) => id)],
    ["inspect.paths", inspect?.paths?.map(({ path, class: data }) => `${path} (${data})`)],
    ["inspect.code", inspect?.code],
    ["inspect.waivers", inspect?.waivers?.map(({ hash, until }) => `${hash} (${until})`)],
    ["inspect.restore", one(inspect?.restore)],
    ["language", one(data.language)],
  ];
  return listed.flatMap(([section, values]) =>
    values === undefined || values.length === 0 ? [] : [{ section, values }],
  );
}
