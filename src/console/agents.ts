/**
 * Builds and extensions: where the register has them and by whose word, what ran, what was kept from starting, and the
 * vetting reports kept on this machine. Pure; what is read comes in as data.
 */
import type { LedgerEvent } from "../core/index.ts";
import type { VetReport } from "../lab/index.ts";
import {
  type Approvals,
  type SignedStatement,
  type Standing,
  type Subject,
  standingOf,
} from "../register/index.ts";
import type {
  AgentsOverview,
  BuildRow,
  ExtensionRow,
  FindingView,
  ReportDetail,
  ReportRow,
  StandingView,
  StatementView,
} from "./api/agents.ts";

/** A vetting report as it lies in the state folder. */
export interface SavedReport {
  /** Of the file, hex. */
  readonly sha256: string;
  readonly at: number;
  readonly report: VetReport;
}

export interface AgentsFacts {
  readonly approvals: Approvals;
  readonly reports: readonly SavedReport[];
  /** `session.started` and `admission.refused`, in any order. */
  readonly events: readonly LedgerEvent[];
  readonly signsAs: string | null;
  readonly now: number;
}

type Build = Extract<Subject, { kind: "build" }>;
type Extension = Extract<Subject, { kind: "extension" }>;
type Started = Extract<LedgerEvent, { kind: "session.started" }>;
type Refused = Extract<LedgerEvent, { kind: "admission.refused" }>;

export function agentsOverview(facts: AgentsFacts): AgentsOverview {
  const { approvals, events, signsAs } = facts;
  const started = events.filter((event): event is Started => event.kind === "session.started");
  const refused = events.filter((event): event is Refused => event.kind === "admission.refused");
  const about = subjectsOf(approvals.statements);
  const spoken = about.filter((subject): subject is Build => subject.kind === "build");
  const heard = new Set(spoken.map(({ hash }) => hash));
  const unheard = runsOf(started).filter(({ build }) => build === null || !heard.has(build));
  const builds = [
    ...spoken.map((subject) => spokenRow(subject, started, refused, facts)),
    ...unheard.map((run) => unheardRow(run, refused, facts)),
  ];
  builds.push(...vettedOnly(builds, facts).map((run) => unheardRow(run, refused, facts)));
  return {
    builds: builds.sort(
      (a, b) => (b.lastRun ?? 0) - (a.lastRun ?? 0) || (a.agent + a.version < b.agent + b.version ? -1 : 1),
    ),
    extensions: [
      ...about.flatMap((subject) =>
        subject.kind === "extension" ? [extensionRow(subject, refused, facts)] : [],
      ),
      ...unheardExtensions(refused, about, facts),
    ],
    approvers: approvals.approvers,
    required: approvals.required,
    strangers: approvals.strangers,
    signsAs,
  };
}

/** One report with everything in it; null: none of that hash is kept here. */
export function reportDetail(sha256: string, reports: readonly SavedReport[]): ReportDetail | null {
  const saved = reports.find((one) => one.sha256 === sha256);
  if (saved === undefined) return null;
  const { report } = saved;
  return {
    row: rowOf(saved),
    executable: report.sha256,
    combinations: report.combinations,
    tookSeconds: report.tookSeconds,
    findings: report.findings.map(
      (finding): FindingView => ({
        kind: finding.kind,
        isHidden: isHidden(finding.kind),
        factor: finding.factor,
        baseline: finding.a,
        levels: finding.levels,
        meaning: finding.meaning,
        where: finding.where,
        places: finding.places,
        bytes: finding.bytes,
        codePoints: finding.codePoints,
        context: finding.context,
        repeats: finding.repeats,
        controls: finding.controls,
        smallest: finding.smallest,
        reproduce: finding.reproduce,
        changes: finding.changes.map(({ where, a, b }) => ({ where, a, b })),
      }),
    ),
    explained: report.explained,
    varied: report.varied,
    notVaried: report.notVaried,
    notObserved: report.notObserved,
    hosts: report.touched.hosts,
    names: report.touched.names,
    written: report.touched.written,
    persistence: report.touched.persistence,
    left: [...report.touched.processesLeft, ...report.touched.portsLeft.map((port) => `port ${port}`)],
    switches: report.switches,
    installScripts: report.installScripts,
  };
}

/** What carries information that a reader does not see: as lab's own report counts it. */
const isHidden = (kind: string): boolean => kind === "marker" || kind === "order";

function rowOf({ sha256, at, report }: SavedReport): ReportRow {
  const hidden = report.findings.filter(({ kind }) => isHidden(kind)).length;
  const canaries = report.findings.filter(({ kind }) => kind === "canary").length;
  return {
    sha256,
    agent: report.agent,
    build: report.build,
    at,
    runs: report.runs,
    hidden,
    canaries,
    visible: report.findings.length - hidden - canaries,
    explained: report.explained.length,
  };
}

/** Each once, the one that was spoken about last: two statements about the same bytes may call them by two names. */
function subjectsOf(statements: readonly SignedStatement[]): readonly Subject[] {
  const sorted = statements.toSorted((a, b) => a.statement.at - b.statement.at);
  return [
    ...new Map(
      sorted.map(({ statement: { subject } }) => [`${subject.kind} ${subject.hash}`, subject]),
    ).values(),
  ];
}

function spokenRow(
  subject: Build,
  started: readonly Started[],
  refused: readonly Refused[],
  facts: AgentsFacts,
): BuildRow {
  const own = started.filter((event) => buildOf(event) === subject.hash);
  return {
    hash: subject.hash,
    agent: subject.agent,
    version: subject.version,
    platform: subject.platform,
    executable: subject.executable,
    standing: viewOf(standing(subject, facts)),
    ...runTimes(own),
    refused: refused.filter(({ hash }) => hash === subject.hash).length,
    reports: reportsOf(subject.executable, facts),
    statements: statementsAbout(subject, facts),
    filter: filterOf(subject.agent),
  };
}

interface Run {
  readonly build: string | null;
  readonly agent: string;
  readonly version: string | null;
  readonly executable: string | null;
  readonly events: readonly Started[];
}

/** Sessions of the same agent, version and bytes. */
function runsOf(started: readonly Started[]): readonly Run[] {
  const runs = new Map<string, Run & { readonly events: Started[] }>();
  for (const event of started) {
    const { name, version, sha256 } = event.agent;
    const build = buildOf(event);
    const key = JSON.stringify([build, name, version, sha256]);
    const run = runs.get(key) ?? { build, agent: name, version, executable: sha256, events: [] };
    run.events.push(event);
    runs.set(key, run);
  }
  return [...runs.values()];
}

function unheardRow(run: Run, refused: readonly Refused[], facts: AgentsFacts): BuildRow {
  const { build, agent, version, executable, events } = run;
  const subject = build === null || executable === null ? null : asSubject(run, build, executable);
  return {
    hash: build,
    agent,
    version,
    platform: null,
    executable,
    standing: viewOf(subject === null ? { state: "unknown" } : standing(subject, facts)),
    ...runTimes(events),
    refused: refused.filter(({ hash }) => hash === build).length,
    reports: executable === null ? [] : reportsOf(executable, facts),
    statements: [],
    filter: filterOf(agent),
  };
}

/** Executables that were vetted here, and neither ran nor were spoken about: the very ones that wait for somebody's word. */
function vettedOnly(builds: readonly BuildRow[], { reports }: AgentsFacts): readonly Run[] {
  const known = new Set(builds.map(({ executable }) => executable));
  const runs = new Map<string, Run>();
  for (const { report } of reports)
    if (!known.has(report.sha256))
      runs.set(report.sha256, {
        ...{ build: null, agent: report.agent, version: report.build },
        ...{ executable: report.sha256, events: [] },
      });
  return [...runs.values()];
}

/** What ran, as statements name builds: for asking where it stands, never for signing. */
const asSubject = ({ agent, version }: Run, hash: string, executable: string): Build => ({
  kind: "build",
  agent,
  version: version ?? "unknown",
  platform: `${process.platform}-${process.arch}`,
  hash,
  files: 1,
  executable,
  native: false,
});

const buildOf = ({ admission }: Started): string | null => admission?.build ?? null;

const runTimes = (events: readonly Started[]): Pick<BuildRow, "sessions" | "firstRun" | "lastRun"> => {
  const times = events.map(({ at }) => at);
  return {
    sessions: times.length,
    firstRun: times.length === 0 ? null : times.reduce((a, b) => Math.min(a, b)),
    lastRun: times.length === 0 ? null : times.reduce((a, b) => Math.max(a, b)),
  };
};

const extensionRow = (subject: Extension, refused: readonly Refused[], facts: AgentsFacts): ExtensionRow => ({
  hash: subject.hash,
  type: subject.type,
  path: subject.path,
  standing: viewOf(standing(subject, facts)),
  refused: refused.filter(({ hash }) => hash === subject.hash).length,
  statements: statementsAbout(subject, facts),
});

/** What the register kept from starting and nobody has spoken about. */
function unheardExtensions(
  refused: readonly Refused[],
  spoken: readonly Subject[],
  facts: AgentsFacts,
): readonly ExtensionRow[] {
  const rows = new Map<string, ExtensionRow>();
  for (const { what, hash } of refused) {
    if (what === "build" || what === "agent" || spoken.some((subject) => subject.hash === hash)) continue;
    const subject: Extension = { kind: "extension", type: typeByPath(what), path: what, hash };
    const row = rows.get(hash);
    rows.set(hash, {
      hash,
      type: subject.type,
      path: what,
      standing: viewOf(standing(subject, facts)),
      refused: (row?.refused ?? 0) + 1,
      statements: [],
    });
  }
  return [...rows.values()];
}

/** The record names the path alone; the type follows from the place as register/extensions.ts has it. */
function typeByPath(path: string): Extension["type"] {
  if (/mcp[\w-]*\.json$/.test(path)) return "mcp";
  if (/\/skills(\/|$)/.test(path)) return "skill";
  if (/\/hooks/.test(path)) return "hook";
  if (/\/(commands?|prompts)(\/|$)/.test(path)) return "command";
  if (/\/agents?(\/|$)/.test(path)) return "agent";
  if (/\/(plugins?|tools?|extensions)(\/|$)/.test(path)) return "plugin";
  return "settings";
}

const reportsOf = (executable: string, { reports }: AgentsFacts): readonly ReportRow[] =>
  reports
    .filter(({ report }) => report.sha256 === executable)
    .map(rowOf)
    .sort((a, b) => b.at - a.at);

const statementsAbout = ({ kind, hash }: Subject, { approvals }: AgentsFacts): readonly StatementView[] =>
  approvals.statements
    .filter(({ statement: { subject } }) => subject.kind === kind && subject.hash === hash)
    .map(({ id, statement: { action, by, at, reason, expires, evidence } }) => ({
      id,
      action,
      by,
      at,
      reason,
      expires,
      report: evidence["report"] ?? null,
    }))
    .sort((a, b) => b.at - a.at);

const standing = (subject: Subject, { approvals, now }: AgentsFacts): Standing =>
  standingOf(
    subject,
    approvals.statements.map(({ statement }) => statement),
    approvals.required,
    now,
  );

function viewOf(found: Standing): StandingView {
  const view: StandingView = {
    state: found.state,
    by: [],
    needed: 0,
    at: null,
    reason: null,
    approvedHash: null,
  };
  switch (found.state) {
    case "approved":
      return { ...view, by: found.by, at: found.expires };
    case "pending":
      return { ...view, by: found.by, needed: found.needed };
    case "expired":
      return { ...view, at: found.on };
    case "revoked":
      return { ...view, by: [found.by], at: found.at, reason: found.reason };
    case "changed":
      return { ...view, approvedHash: found.approved };
    case "unknown":
      return view;
    default:
      return found satisfies never;
  }
}

const filterOf = (agent: string): string => `kind=session.started agent=${quoted(agent)}`;

/** As the filter language takes it; a double quote has no place in it, and matches nothing. */
const quoted = (word: string): string => (/^[^\s,"]+$/.test(word) ? word : `"${word.replaceAll('"', "")}"`);
