/**
 * Policy as people read it, prove it, and try a change of it. The desk never saves: a draft is checked, compared with what
 * stands and replayed over what was recorded; putting it in force is a person's act at the machine.
 */
import { createHash } from "node:crypto";
import { basename } from "node:path";
import { asFault, Fault, type LedgerEvent } from "../core/index.ts";
import type { FoundEntry } from "../ledger/index.ts";
import { layer, type PolicyDocument, parseDocument, study } from "../policy/index.ts";
import type {
  DocumentDetail,
  DocumentRow,
  DraftAnswer,
  DraftReplay,
  Origin,
  PlacedError,
  PolicyOverview,
  ProofsAnswer,
} from "./api/policy.ts";

const MOST_CHANGES = 400;
/** Requests that a draft is tried on: the newest. A second of work or two. */
export const MOST_REPLAYED = 50_000;
const DRAFT = "draft.yaml";

/** One document as it lies on this machine. */
export interface PolicyFile {
  readonly origin: Origin;
  readonly file: string;
  readonly text: string;
  readonly changedAt: number | null;
  readonly belongsTo: DocumentRow["belongsTo"];
}

export interface PolicyFacts {
  readonly files: readonly PolicyFile[];
  readonly properties: readonly { readonly file: string; readonly text: string }[];
  /** `session.started`, in any order. */
  readonly started: readonly LedgerEvent[];
  /** YYYY-MM-DD */
  readonly today: string;
  readonly parse: ParseDocument;
}

export interface Traffic {
  /** `exchange.judged`, newest first, at most {@link MOST_REPLAYED} and one. */
  readonly judged: readonly FoundEntry[];
  readonly judgementOf: (
    entry: number,
    event: Extract<LedgerEvent, { kind: "exchange.judged" }>,
    agent: string,
  ) => study.Judgement;
}

export interface Whereabouts {
  readonly guardrails: string;
  readonly profiles: string;
}

type Language = "en" | "zh-CN";
type Parsed =
  | { readonly document: PolicyDocument; readonly error: null }
  | { readonly document: null; readonly error: PlacedError };

export function policyOverview(facts: PolicyFacts, language: Language): PolicyOverview {
  return {
    documents: facts.files.map((file) => rowOf(file, parsed(file, facts.parse), facts, language)),
    properties: facts.properties.map(({ file }) => file),
  };
}

/** One document by its name and origin; null: there is none. */
export function documentDetail(
  name: string,
  origin: Origin,
  facts: PolicyFacts,
  language: Language,
  mayReadText: boolean,
): DocumentDetail | null {
  for (const file of facts.files) {
    const found = parsed(file, facts.parse);
    const row = rowOf(file, found, facts, language);
    if (row.name !== name || row.origin !== origin) continue;
    const late = found.document === null ? [] : study.overdue([found.document], facts.today);
    return {
      row,
      said: found.document === null ? null : study.sayDocument(found.document, language),
      overdue: late.flatMap(({ rule }) => rule ?? []),
      text: mayReadText ? file.text : null,
    };
  }
  return null;
}

/** Whether the properties hold: beside any profile where there are guardrails, else for the profile named. */
export function proofsOf(
  profile: string,
  facts: PolicyFacts,
  language: Language,
  monotonic: () => number,
): ProofsAnswer {
  const began = monotonic();
  const documents = inForce(profile, facts);
  const isAny = documents.some(({ data }) => data.kind === "Guardrails");
  const [own] = facts.properties;
  const answer = {
    scope: isAny ? ("any-profile" as const) : ("documents" as const),
    documents: documents.map(({ data }) => data.metadata.name),
    file: own?.file ?? null,
  };
  let properties: readonly study.Property[];
  try {
    properties = study.parseProperties(own?.text ?? study.READY_PROPERTIES, own?.file ?? "starter");
  } catch (error) {
    return { ...answer, proofs: [], mutants: [], tookMs: 0, error: placed(error, own?.file ?? "starter") };
  }
  const proofs = isAny
    ? study.proveUnderAnyProfile(documents, properties, language)
    : study.prove(documents, properties, language);
  return {
    ...answer,
    proofs: proofs.map((proof, at) => {
      const because = properties[at]?.because ?? "";
      return {
        id: proof.property,
        title: proof.title,
        because: typeof because === "string" ? because : because[language],
        holds: proof.holds,
        points: proof.points,
        counterExample: proof.counterExample?.words ?? null,
      };
    }),
    mutants: isAny ? study.mutate(documents, properties) : [],
    tookMs: Math.round(monotonic() - began),
    error: null,
  };
}

/** What a draft says, changes and would have changed. Writes nothing. */
export function tryDraft(
  {
    text,
    profile,
    language,
  }: { readonly text: string; readonly profile: string | null; readonly language: Language },
  facts: PolicyFacts,
  traffic: Traffic,
  { guardrails, profiles }: Whereabouts,
): DraftAnswer {
  const found = parsed({ text, file: DRAFT }, parseDocument);
  if (found.document === null) return { isValid: false, error: found.error };
  const draft = found.document;
  const { kind, metadata } = draft.data;
  const standing = facts.files.flatMap((file) => {
    const { document } = parsed(file, facts.parse);
    return document === null ? [] : [{ file, document }];
  });
  const replaced = standing.find(
    ({ document: { data } }) =>
      data.kind === kind && (kind === "Guardrails" || data.metadata.name === metadata.name),
  );
  const others = inForce(profile ?? "default", facts).filter(
    ({ data }) => data.kind !== kind && (kind === "Guardrails" || data.kind === "Guardrails"),
  );
  const beside = kind === "Repository" ? inForce(profile ?? "default", facts) : others;
  const before = replaced === undefined ? null : [...beside, replaced.document];
  const compared = comparison(before, beside, draft, language);
  const file =
    kind === "Guardrails"
      ? guardrails
      : kind === "Profile"
        ? `${profiles}/${metadata.name}.yaml`
        : ".sallyport.yaml";
  return {
    isValid: true,
    said: study.sayDocument(draft, language),
    replaces: replaced?.file.file ?? null,
    standingText: replaced?.file.text ?? null,
    ...compared,
    overdue: study.overdue([draft], facts.today).map(({ rule }) => rule ?? metadata.name),
    replay: replayed([...beside, draft], kind === "Profile" ? metadata.name : null, facts, traffic, language),
    place: { file, commands: [`sallyport policy check ${file}`, "sallyport policy reload"] },
  };
}

type Compared = Pick<Extract<DraftAnswer, { isValid: true }>, "diff" | "diffFault">;

function comparison(
  before: readonly PolicyDocument[] | null,
  beside: readonly PolicyDocument[],
  draft: PolicyDocument,
  language: Language,
): Compared {
  // Guardrails and repositories take away: without them there was what stands beside them. A profile of no standing one
  // permits from nothing, and its own sentences say what.
  const old = before ?? (draft.data.kind === "Profile" ? null : beside);
  if (old === null) return { diff: null, diffFault: null };
  try {
    const changes = study.diff(old, [...beside, draft], language);
    return {
      diff: {
        loosens: changes.some(({ loosens }) => loosens),
        changes: changes.toSorted((a, b) => Number(b.loosens) - Number(a.loosens)).slice(0, MOST_CHANGES),
        more: Math.max(0, changes.length - MOST_CHANGES),
      },
      diffFault: null,
    };
  } catch (error) {
    const fault = asFault(error);
    if (fault.code === "internal.bug") throw error;
    return { diff: null, diffFault: fault.message };
  }
}

function replayed(
  documents: readonly PolicyDocument[],
  profile: string | null,
  { started }: PolicyFacts,
  { judged, judgementOf }: Traffic,
  language: Language,
): DraftReplay {
  const sessions = new Map<string, { readonly agent: string; readonly profiles: readonly string[] }>();
  for (const event of started)
    if (event.kind === "session.started")
      sessions.set(event.session, { agent: event.agent.name, profiles: event.profile.name.split("+") });
  const taken = judged.slice(0, MOST_REPLAYED);
  const isOwn = ({ event }: FoundEntry): boolean =>
    profile !== null &&
    "session" in event &&
    sessions.get(event.session)?.profiles.includes(profile) === true;
  // Traffic of another profile was judged by other rules: it would show those as changes of this one.
  const isOwnTraffic = taken.some(isOwn);
  const chosen = isOwnTraffic ? taken.filter(isOwn) : taken;
  const judgements = chosen.flatMap(({ index, event }) =>
    event.kind === "exchange.judged"
      ? [judgementOf(index, event, sessions.get(event.session)?.agent ?? "unknown")]
      : [],
  );
  const result = study.replay(layer(documents), judgements, language);
  return {
    ...result,
    isOwnTraffic,
    isCut: judged.length > MOST_REPLAYED,
    from: chosen.at(-1)?.event.at ?? null,
  };
}

/** The documents that hold for somebody who runs under that profile, outside of any repository. Throws `profile.unknown`. */
function inForce(profile: string, facts: PolicyFacts): readonly PolicyDocument[] {
  const all = facts.files.map((file) => ({ file, ...parsed(file, facts.parse) }));
  const guardrails = all
    .filter(({ file }) => file.origin === "guardrails")
    .flatMap(({ document }) => document ?? []);
  const named = all
    .filter(({ document }) => document?.data.kind === "Profile" && document.data.metadata.name === profile)
    .toSorted((a, b) => ORIGINS.indexOf(a.file.origin) - ORIGINS.indexOf(b.file.origin))
    .flatMap(({ document }) => document ?? []);
  const [first] = named;
  if (first === undefined) throw new Fault("profile.unknown", { detail: `\`${profile}\`` });
  return [...guardrails, first];
}

const ORIGINS: readonly Origin[] = ["guardrails", "own", "ready"];

function rowOf(file: PolicyFile, found: Parsed, facts: PolicyFacts, language: Language): DocumentRow {
  const { origin, changedAt, belongsTo } = file;
  const common = {
    origin,
    file: file.file,
    sha256: createHash("sha256").update(file.text).digest("hex"),
    changedAt,
    belongsTo,
  };
  if (found.document === null)
    return {
      ...common,
      name: basename(file.file).replace(/\.ya?ml$/, ""),
      kind: null,
      title: null,
      owner: null,
      version: null,
      review: null,
      isOverdue: false,
      rules: 0,
      sessions: 0,
      lastUsed: null,
      error: found.error,
    };
  const said = study.sayDocument(found.document, language);
  const own = facts.started.filter(
    (event) => event.kind === "session.started" && event.profile.name.split("+").includes(said.name),
  );
  return {
    ...common,
    name: said.name,
    kind: said.kind,
    title: said.title,
    owner: said.owner,
    version: said.version,
    review: said.review,
    isOverdue: study.overdue([found.document], facts.today).length > 0,
    rules: said.rules.length,
    sessions: own.length,
    lastUsed: own.length === 0 ? null : own.reduce((last, { at }) => Math.max(last, at), 0),
    error: null,
  };
}

/** Reads a document; may remember it. */
export type ParseDocument = (text: string, file: string) => PolicyDocument;

function parsed({ text, file }: Pick<PolicyFile, "text" | "file">, parse: ParseDocument): Parsed {
  try {
    return { document: parse(text, file), error: null };
  } catch (error) {
    return { document: null, error: placed(error, file) };
  }
}

/** `file:line:column path` as the parser says it; what is no fault of the document's goes on. */
function placed(error: unknown, file: string): PlacedError {
  const fault = asFault(error);
  if (fault.code !== "policy.invalid" && fault.code !== "policy.too-wide") throw error;
  const at = fault.at ?? "";
  const [, line, column, path] =
    (at.startsWith(`${file}:`) ? /^:(\d+):(\d+)(?: (.*))?$/s.exec(at.slice(file.length)) : null) ?? [];
  return {
    file,
    line: line === undefined ? null : Number(line),
    column: column === undefined ? null : Number(column),
    path: path ?? null,
    detail: fault.detail ?? fault.message,
    remedy: fault.remedy,
  };
}
