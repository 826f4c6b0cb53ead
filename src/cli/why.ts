/**
 * `why`: a detector by its id; one finding by its keyed hash, where it stands and what becomes of it; an exchange by its id.
 * Read-only. A value is never printed: a line that is shown has every finding in it masked.
 */
import { relative } from "node:path";
import { Fault, type LedgerEvent } from "../core/index.ts";
import { explain, type Inspector, type ScanFinding, scan } from "../inspect/index.ts";
import { layer, type Policy } from "../policy/index.ts";
import { judgedAs } from "./exchange-texts.ts";
import { findingKey } from "./finding-key.ts";
import { labelledInspectors } from "./labelled.ts";
import type { Places } from "./places.ts";
import { documentsFor, workspaceOf } from "./prepare.ts";
import { printable } from "./print.ts";
import { inputsOf, type ScanFlags } from "./scan.ts";

export type WhyFlags = Pick<ScanFlags, "json" | "diff" | "history" | "exchange" | "reason" | "profile">;

const HASH = /^[0-9a-f]{12,32}$/;
const EXCHANGE = /^[0-9a-f]{8}-\d{1,9}$/;
/** More places than anybody reads are counted only. */
const MOST_PLACES = 10;
/** How much of a line is shown on each side of the value. */
const LINE_REACH = 60;
/** The longest that the policy's parser lets a waiver last is a year; this is what is proposed. */
const PROPOSED_DAYS = 90;

/** `words`: what to explain, and for a hash the paths to look in; else the workspace. */
export async function why(words: readonly string[], flags: WhyFlags, places: Places): Promise<number> {
  const [id = "", ...paths] = words;
  if (HASH.test(id)) return whyFinding(id, paths, flags, places);
  if (paths.length > 0 || flags.history === true || flags.exchange !== undefined)
    throw new Fault("usage.invalid", {
      detail: "`why` looks in files, a history or an exchange for a finding's hash only",
      remedy: "give the hash as `scan` prints it, at least its first 12 digits",
    });
  if (EXCHANGE.test(id)) return whyExchange(id, flags, places);
  const known = explain(id);
  if (known !== null) return say(flags, known.detector, detectorText(known));
  const own = ownLabel(id, await policyHere(flags, places));
  if (own !== null) return say(flags, { id, title: own }, `${id}: ${own}\n`);
  throw new Fault("usage.invalid", {
    detail: "`why` wants the id of a detector, the hash of a finding or the id of an exchange",
    remedy: "`scan` prints detectors and hashes, `show SESSION --events` exchanges",
  });
}

async function policyHere({ profile }: WhyFlags, places: Places): Promise<Policy> {
  const cwd = process.cwd();
  return layer(await documentsFor(profile ?? null, cwd, workspaceOf(cwd), places));
}

async function whyFinding(
  hash: string,
  within: readonly string[],
  flags: WhyFlags,
  places: Places,
): Promise<number> {
  const policy = await policyHere(flags, places);
  const { inspector } = await labelledInspectors(await findingKey(places))(policy);
  const isHere = within.length === 0 && flags.exchange === undefined && flags.history !== true;
  const looked = isHere ? [relative(process.cwd(), workspaceOf(process.cwd())) || "."] : within;
  const found = await placesOf(inspector, hash, inputsOf(looked, flags, places));
  const [first] = found;
  if (first === undefined)
    throw new Fault("usage.invalid", {
      detail: `nothing with the hash \`${hash}\` is found in ${looked.map((path) => `\`${path}\``).join(", ") || (flags.exchange ?? "the history")}`,
      remedy: "name the path that was scanned, or --history, or --exchange ID --reason TEXT",
    });
  const { class: dataClass, detector, verified } = first.finding;
  const told: Told = {
    hash: first.finding.hash,
    class: dataClass,
    detector,
    title: explain(detector)?.detector.title ?? ownLabel(detector, policy),
    verified,
    disguised: !first.shows,
    places: found.map(({ finding, line }) => ({ ...finding, text: line })),
    rules: rulesOn(policy, dataClass),
    waiver: policy.inspect.waivers.find((waiver) => waiver.hash === first.finding.hash) ?? null,
    propose: proposal(first.finding.hash, Date.now()),
  };
  return say(flags, told, findingText(told));
}

interface Standing {
  readonly finding: ScanFinding;
  /** Whether the detector's form shows in the text as it stands; else something was decoded first. */
  readonly shows: boolean;
  /** The line round it, every finding masked; null where only a diff is at hand. */
  readonly line: string | null;
}

async function placesOf(
  inspector: Inspector,
  hash: string,
  inputs: ReturnType<typeof inputsOf>,
): Promise<readonly Standing[]> {
  const found: Standing[] = [];
  for await (const input of inputs) {
    const all = scan(inspector, input);
    const fitting = all.filter((one) => one.hash.startsWith(hash));
    const lines = "text" in input && fitting.length > 0 ? input.text.split("\n") : [];
    for (const finding of fitting) {
      if (found[0] !== undefined && found[0].finding.hash !== finding.hash)
        throw new Fault("usage.invalid", {
          detail: `more than one finding begins with \`${hash}\``,
          remedy: "give all 32 digits",
        });
      const own = lines.slice(finding.line - 1, finding.endLine).join("\n");
      const text = lines[finding.line - 1];
      found.push({
        finding,
        shows: own === "" || showsIn(own, finding.detector),
        line: text === undefined ? null : masked(text, finding, all),
      });
    }
  }
  return found;
}

/** Of a detector that is one expression; of others it cannot be told. */
function showsIn(text: string, detector: string): boolean {
  const known = explain(detector)?.detector;
  if (known === undefined || !("pattern" in known)) return true;
  return new RegExp(known.pattern.source, known.pattern.flags.replace(/[gy]/g, "")).test(text);
}

/** The line that a finding begins in, about what stands round it; each finding in it as its length. */
function masked(text: string, own: ScanFinding, all: readonly ScanFinding[]): string {
  const on = all
    .filter((one) => one.line <= own.line && one.endLine >= own.line)
    .map((one) => ({
      from: one.line < own.line ? 0 : one.column - 1,
      to: one.endLine > own.line ? text.length : one.endColumn - 1,
    }))
    .sort((a, b) => a.from - b.from || b.to - a.to);
  let out = "";
  let at = Math.max(0, own.column - 1 - LINE_REACH);
  const end = Math.min(text.length, (own.endLine > own.line ? text.length : own.endColumn - 1) + LINE_REACH);
  const cut = [at > 0, end < text.length];
  for (const { from, to } of on) {
    if (to <= at || from >= end) continue;
    out += text.slice(at, Math.max(at, from));
    out += `‹${to - from} characters›`;
    at = to;
  }
  return `${cut[0] === true ? "…" : ""}${out}${text.slice(at, Math.max(at, end))}${cut[1] === true ? "…" : ""}`.trim();
}

interface RuleOn {
  readonly rule: string;
  readonly then: string;
  readonly title: string;
  /** Whether it asks for more than the class: where the request goes, whose it is. */
  readonly depends: boolean;
}

/** Rules of the documents in force that speak of the class. */
function rulesOn(policy: Policy, dataClass: string): readonly RuleOn[] {
  return policy.layers.flatMap(({ document: { data } }) =>
    (data.send?.rules ?? [])
      .filter(({ when }) => (when.data as readonly string[] | undefined)?.includes(dataClass) === true)
      .map(({ id, then, title, when, unless }) => ({
        rule: `${data.metadata.name}/${id}`,
        then,
        title: typeof title === "string" ? title : title.en,
        depends: Object.keys(when).length > 1 || unless !== undefined,
      })),
  );
}

const dayOf = (at: number): string => new Date(at).toISOString().slice(0, 10);

const proposal = (hash: string, now: number): string =>
  `inspect: { waivers: [{ hash: ${hash}, because: "why it is none", until: ${dayOf(now + PROPOSED_DAYS * 86_400_000)} }] }`;

interface Told {
  readonly hash: string;
  readonly class: string;
  readonly detector: string;
  readonly title: string | null;
  readonly verified: boolean;
  readonly disguised: boolean;
  readonly places: readonly (ScanFinding & { readonly text: string | null })[];
  readonly rules: readonly RuleOn[];
  readonly waiver: Policy["inspect"]["waivers"][number] | null;
  readonly propose: string;
}

const row = (label: string, text: string): string => `${label.padEnd(16)} ${printable(text)}`;

function findingText(told: Told): string {
  const shown = told.places.slice(0, MOST_PLACES);
  const signs = [
    told.title ?? told.detector,
    ...(told.verified ? ["the check digit or checksum in it fits"] : []),
    ...(told.disguised ? ["it shows only when decoded or put back in order"] : []),
  ];
  return [
    `${told.class}, found by ${printable(told.detector)}, hash ${told.hash}`,
    row("why it counts", signs.join("; ")),
    ...shown.flatMap((place, at) => [
      row(
        at === 0 ? "where" : "",
        `${place.commit === undefined ? "" : `${place.commit.slice(0, 12)} `}${place.path}:${place.line}:${place.column}`,
      ),
      ...(place.text === null ? [] : [row("", `  ${place.text}`)]),
    ]),
    ...(told.places.length > shown.length
      ? [row("", `and ${told.places.length - shown.length} more places`)]
      : []),
    ...(told.rules.length === 0
      ? [
          row(
            "what is done",
            `no rule in force speaks of ${told.class}; what a document says by default holds`,
          ),
        ]
      : told.rules.map(({ rule, then, title, depends }, at) =>
          row(
            at === 0 ? "what is done" : "",
            `${then} by ${rule}${depends ? " where its other labels fit" : ""}: ${title}`,
          ),
        )),
    row("", `for one destination: sallyport policy explain --data ${told.class} --to HOST`),
    told.waiver === null
      ? row("if it is wrong", `in a profile: ${told.propose}`)
      : row("passed over", `until ${dayOf(told.waiver.expiresAt)}, as ${told.waiver.reason}`),
    row("the detector", `sallyport why ${told.detector}`),
    "",
  ].join("\n");
}

async function whyExchange(id: string, flags: WhyFlags, places: Places): Promise<number> {
  const judged = await judgedAs(id, places);
  const told = {
    exchange: judged.exchange,
    verdict: judged.verdict,
    rules: judged.rules,
    findings: judged.findings.map((one) => ({
      ...one,
      title: explain(one.detector)?.detector.title ?? null,
    })),
    redacted: judged.redacted ?? [],
    waived: judged.waived ?? [],
  };
  return say(flags, told, exchangeText(judged, told.findings));
}

type Judged = Extract<LedgerEvent, { kind: "exchange.judged" }>;

function exchangeText(
  judged: Judged,
  findings: readonly (Judged["findings"][number] & { title: string | null })[],
): string {
  const { exchange, verdict, method, host, path, rules, redacted = [], waived = [] } = judged;
  const counted = (rows: Judged["findings"]): string =>
    rows.map(({ class: dataClass, detector, count }) => `${count} ${dataClass} (${detector})`).join(", ");
  return [
    `${exchange}: ${verdict} of ${method} ${printable(host)}${printable(path)}`,
    row("by", rules.join(", ") || "no rule"),
    ...(findings.length === 0
      ? [row("found in it", "nothing")]
      : findings.map(({ class: dataClass, detector, count, title }, at) =>
          row(
            at === 0 ? "found in it" : "",
            `${count} ${dataClass}, ${detector}${title === null ? "" : `: ${title}`}`,
          ),
        )),
    ...(redacted.length === 0 ? [] : [row("masked", counted(redacted))]),
    ...(waived.length === 0 ? [] : [row("passed over", counted(waived))]),
    row(
      "where in it",
      `sallyport scan --exchange ${exchange} --reason TEXT (recorded), then sallyport why HASH --exchange ${exchange} --reason TEXT`,
    ),
    "",
  ].join("\n");
}

function detectorText({ family, detector }: NonNullable<ReturnType<typeof explain>>): string {
  const lines = (label: string, values: readonly string[]): string =>
    values.map((value, at) => row(at === 0 ? label : "", JSON.stringify(value))).join("\n");
  return [
    `${detector.id}: ${detector.title} (${detector.class})`,
    `${"source".padEnd(16)} ${detector.source}, written ${family.written}, ${family.licence}`,
    lines("found", detector.examples),
    lines("not found", detector.counterexamples),
    row(
      "if it is wrong",
      "name its hash in a profile: inspect: { waivers: [{ hash: …, because: …, until: … }] }",
    ),
    "",
  ].join("\n");
}

/** What `term:…`, `path:…` and `code:…` stand for here; null: nothing in the documents in force. */
function ownLabel(id: string, { inspect }: Policy): string | null {
  const name = id.slice(id.indexOf(":") + 1);
  if (id.startsWith("term:")) {
    const term = inspect.terms.find((one) => one.id === name);
    return term === undefined ? null : `a word of the organisation (${term.class}), from the policy in force`;
  }
  if (id.startsWith("path:")) {
    const label = inspect.paths.find(({ path }) => path === name);
    return label === undefined
      ? null
      : `what files under \`${printable(name)}\` hold (${label.class}), from the policy in force`;
  }
  if (id.startsWith("code:") && inspect.code.length > 0)
    return `code like that of \`${printable(name)}\`, by fingerprints in ${inspect.code.map(({ path }) => printable(path)).join(", ")}`;
  return null;
}

/** `data` for machines: without what has a function's or an expression's form. */
function say({ json }: WhyFlags, data: object, text: string): number {
  const plain = JSON.stringify(data, (_, value: unknown) =>
    value instanceof RegExp ? String(value) : value,
  );
  process.stdout.write(json === true ? `${plain}\n` : text);
  return 0;
}
