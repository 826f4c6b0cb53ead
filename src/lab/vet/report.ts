/** A vetting as data for programs, and as text for a person at a terminal. Pure. */
import type { Explained, Finding } from "./findings.ts";

export interface Touched {
  /** Hosts tried, with how many requests, and whether TLS was refused by the build. */
  readonly hosts: readonly { readonly host: string; readonly requests: number; readonly refused: boolean }[];
  /** Names looked up and not contacted. */
  readonly names: readonly string[];
  /** Files written in the home, outside the workspace. */
  readonly written: readonly string[];
  /** Of those, what another program or a later login would run or obey. */
  readonly persistence: readonly string[];
  readonly processesLeft: readonly string[];
  readonly portsLeft: readonly number[];
  /** Only where a tracer was there: programs started, files read outside workspace and system, sockets listened on. */
  readonly traced: {
    readonly programs: readonly string[];
    readonly read: readonly string[];
    readonly listened: readonly string[];
  } | null;
}

export interface SwitchEffect {
  readonly setting: string;
  /** Requests no longer made, and newly made, with it: `host METHOD /path`. */
  readonly stops: readonly string[];
  readonly starts: readonly string[];
}

export interface VetReport {
  readonly agent: string;
  /** Version, else `sha256:…`. */
  readonly build: string;
  readonly sha256: string;
  readonly findings: readonly Finding[];
  /** Differences that are the setting's own value, or follow from it. */
  readonly explained: readonly Explained[];
  readonly varied: readonly {
    readonly factor: string;
    readonly baseline: string;
    readonly levels: readonly string[];
  }[];
  readonly notVaried: readonly string[];
  readonly notObserved: readonly string[];
  readonly touched: Touched;
  readonly switches: readonly SwitchEffect[];
  readonly installScripts: readonly string[];
  readonly runs: number;
  readonly combinations: number;
  readonly tookSeconds: number;
}

const HIDDEN = new Set(["marker", "order"]);

export const isHiddenFinding = (finding: Finding): boolean => HIDDEN.has(finding.kind);

export function reportText(report: VetReport, safe: (text: string) => string): string {
  const hidden = report.findings.filter(isHiddenFinding);
  const canaries = report.findings.filter((finding) => finding.kind === "canary");
  const others = report.findings.filter((finding) => !isHiddenFinding(finding) && finding.kind !== "canary");
  const lines = [
    `sallyport vet  ${report.agent} ${report.build}   sha256 ${report.sha256.slice(0, 16)}…`,
    `  ${report.runs} runs in ${report.tookSeconds} s, ${report.combinations} combinations; nothing but loopback was reached`,
    "",
    ...section(`hidden differences: ${hidden.length}`, hidden.flatMap(findingLines)),
    ...section(`planted secrets that left: ${canaries.length}`, canaries.flatMap(findingLines)),
    ...section(`visible differences: ${others.length}`, others.flatMap(findingLines)),
    ...section(
      `explained, no finding: ${report.explained.length}`,
      report.explained.map((e) => `${e.factor} (${shortList(e.levels)}): ${e.explanation}, ${e.where}`),
    ),
    ...section(
      "hosts tried",
      report.touched.hosts.map((h) => `${h.host}  ${h.requests} requests${h.refused ? ", TLS refused" : ""}`),
    ),
    ...section("names looked up, not contacted", report.touched.names),
    ...section("left running", report.touched.processesLeft),
    ...section("would outlive the session", report.touched.persistence),
    ...section("programs started", report.touched.traced?.programs ?? []),
    ...section("read outside the workspace", report.touched.traced?.read ?? []),
    ...section("listened on", report.touched.traced?.listened ?? []),
    ...section("switches", report.switches.map(switchLine)),
    ...section("install scripts (not run)", report.installScripts),
    ...section(
      "varied",
      report.varied.map((v) => `${v.factor}: ${v.baseline} ↔ ${shortList(v.levels)}`),
    ),
    ...section("not varied", report.notVaried),
    ...section("not observed", report.notObserved),
  ];
  return `${lines.map(safe).join("\n").trimEnd()}\n`;
}

const section = (title: string, lines: readonly string[]): readonly string[] =>
  lines.length === 0 && !title.includes(":") ? [] : [title, ...lines.map((line) => `  ${line}`), ""];

function findingLines(finding: Finding): readonly string[] {
  const lines = [
    `${finding.factor}: ${finding.a} ↔ ${shortList(finding.levels)}`,
    `    ${finding.meaning}`,
    `    where     ${finding.where}${finding.places > 1 ? `, and ${finding.places - 1} more` : ""}`,
    `    bytes     ${shown(finding.bytes.aText)} ↔ ${shown(finding.bytes.bText)}${finding.codePoints.a.length + finding.codePoints.b.length > 0 ? `   ${finding.codePoints.a.join(" ") || "nothing"} ↔ ${finding.codePoints.b.join(" ") || "nothing"}` : ""}`,
    ...finding.changes.slice(0, 8).map((c) => `    change    ${c.where}: ${shown(c.a)} ↔ ${shown(c.b)}`),
    ...(finding.changes.length > 8
      ? [`    change    and ${finding.changes.length - 8} more (--json lists them)`]
      : []),
    `    repeated  ${finding.repeats}, in none of ${finding.controls} controls; smallest change: ${finding.smallest}`,
    `    again     ${finding.reproduce}`,
  ];
  return lines;
}

const switchLine = (s: SwitchEffect): string =>
  `${s.setting}: ${s.stops.length === 0 ? "stops nothing" : `stops ${s.stops.join(", ")}`}${s.starts.length === 0 ? "" : `; starts ${s.starts.join(", ")}`}`;

const MAX_SHOWN = 100;
const shown = (text: string | null): string => {
  if (text === null) return "nothing";
  const quoted = JSON.stringify(text);
  return quoted.length > MAX_SHOWN ? `${quoted.slice(0, MAX_SHOWN)}…` : quoted;
};

const shortList = (all: readonly string[]): string =>
  all.length <= 4 ? all.join(", ") : `${all.slice(0, 4).join(", ")} and ${all.length - 4} more`;
