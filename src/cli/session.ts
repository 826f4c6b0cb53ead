/**
 * One session as the station holds it: prepared, recorded as started before anything can leave, and recorded as ended
 * once, whatever ends it first.
 */
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import {
  asFault,
  type EventBody,
  Fault,
  newSessionId,
  type SessionId,
  type SnapshotTally,
} from "../core/index.ts";
import { type Credential, type OwnDestination, sentinelFor } from "../gateway/index.ts";
import type { TemplateInspector } from "../inspect/index.ts";
import type { Policy } from "../policy/index.ts";
import { type Declaration, declarationText, SessionFold } from "../report/index.ts";
import {
  type Cgroup,
  earlyWall,
  javaTrustStore,
  makeOverlays,
  openCgroup,
  planSandbox,
  Recorder,
  readHostFacts,
  type SandboxPlan,
  type SandboxSpec,
  seatbeltProfile,
} from "../sandbox/index.ts";
import { beginHold, type Traces } from "../workspace/index.ts";
import { type Admitted, admit, standing, standingText } from "./admission.ts";
import { languageFrom } from "./language.ts";
import { destinationsOf, labelling, ownModels } from "./models.ts";
import { localPrincipal, type Places } from "./places.ts";
import { heldKeys, type Prepared, prepare, type RunQuestion, workspaceOf } from "./prepare.ts";
import { WatchedDocuments } from "./reload.ts";
import type { Ended, Explained, Hello, Started } from "./talk.ts";
import { watchTemplate } from "./template-watch.ts";
import type { House } from "./wire.ts";
import { finishWork, type Work } from "./work.ts";

/** The kernel ends what a killed client leaves. */
const DYING_MS = 5_000;

type Reason = Extract<EventBody, { kind: "session.ended" }>["reason"];

export class ActiveSession {
  readonly id: SessionId;
  /** What the client is told, as bytes. */
  readonly answer: Buffer;
  readonly summary: Hello["sessions"][number];
  readonly #house: House;
  readonly #folder: string;
  readonly #fold: SessionFold;
  readonly #documents: WatchedDocuments;
  /** Of the policy that it is judged by. */
  #sha256: string;
  readonly #build: string;
  /** Compares what the build sends with its template; null where it has none. */
  readonly #watched: TemplateInspector | null;
  /** Null where nothing records what happens inside. */
  readonly #recorder: Recorder | null;
  readonly #saving: Saving;
  readonly #traces: Traces;
  /** Its limits; null where nobody may set any, or the client sees to it. */
  readonly #group: Cgroup | null;
  /** Set by the first ending; later ones get the same. */
  #ended: Promise<Ended> | null = null;

  private constructor(
    house: House,
    folder: string,
    fold: SessionFold,
    started: Started,
    prepared: Prepared,
    {
      build,
      watched,
      recorder,
      saving,
      traces,
      group,
      isEarly,
    }: {
      readonly group: Cgroup | null;
      readonly isEarly: boolean;
      readonly build: string;
      readonly watched: TemplateInspector | null;
      readonly recorder: Recorder | null;
      readonly saving: Saving;
      readonly traces: Traces;
    },
  ) {
    this.#build = build;
    this.#watched = watched;
    // The id was made by newSessionId and has travelled as text in `started` only.
    this.id = started.session as SessionId;
    const line = Buffer.from(`${JSON.stringify(started)}\n`);
    this.answer = isEarly ? Buffer.concat([earlyWall(started.plan, started.groups ?? []), line]) : line;
    this.summary = { session: started.session, agent: prepared.agent.name, workspace: prepared.workspace };
    this.#house = house;
    this.#folder = folder;
    this.#fold = fold;
    this.#documents = new WatchedDocuments(prepared.policy, prepared.workspace, house.parse);
    this.#sha256 = prepared.policy.sha256;
    this.#recorder = recorder;
    this.#saving = saving;
    this.#traces = traces;
    this.#group = group;
  }

  /**
   * Whether a program inside may connect there; port null: whether the host may be reached at all. For a quick refusal
   * only: the gateway decides again about what is sent.
   */
  reach(host: string, port: number | null): Promise<boolean> {
    return this.#house.gateway.mayReach(this.id, host, port);
  }

  /** The plan a `run` would have, without starting or recording anything. */
  static async explain(house: House, places: Places, question: RunQuestion): Promise<Explained> {
    const { spec, policy, agent, native, software } = await prepare(
      question,
      places,
      filesIn(join(places.run, "s", "explain")),
    );
    // The plan is printed: a key in it is not.
    const keys = Object.fromEntries(
      heldKeys(agent.kind, spec.environment).map(({ variable }) => [variable, "[held by the gateway]"]),
    );
    const record = recordAt(join(places.run, "s", "explain"), { policy, software });
    const hold = {
      folder: join(places.holds, "explain"),
      isWhole: question.review || policy.sandbox.review,
      tag: "sallyport-explain",
    };
    const shown = { ...spec, environment: { ...spec.environment, ...keys }, record, hold };
    const plan = planSandbox(shown, readHostFacts(shown, house.machine()));
    return {
      agent,
      policy: { name: policy.name, sha256: policy.sha256 },
      admission: standingText(await standing(agent, house)),
      plan,
      seatbelt:
        question.system === "macos"
          ? seatbeltProfile(shown, {
              home: homedir(),
              temporary: join(places.run, "s/explain/tmp"),
              hidden: spec.hide,
            })
          : null,
      native: { emitter: native.emitter, gaps: native.gaps },
    };
  }

  /**
   * Resolves when `session.started` is durable and the gateway listens. Leaves nothing behind when it throws. `tell`: a line
   * for the person that comes later.
   */
  static async start(
    house: House,
    places: Places,
    question: RunQuestion,
    tell: (line: string) => void,
  ): Promise<ActiveSession> {
    const id = newSessionId(randomBytes);
    const folder = join(places.run, "s", id);
    const files = filesIn(folder);
    await house.refreshRegister();
    await house.endings.get(workspaceOf(question.cwd))?.catch(() => {}); // its own line hears of the fault
    const prepared = await prepare(question, places, files, house.parse);
    const isReviewed = question.review || prepared.policy.sandbox.review;
    const credentials = prepared.keys.map(({ variable, secret, hosts, prefix }) => ({
      name: variable,
      secret,
      hosts,
      sentinel: sentinelFor(prefix, randomBytes),
    }));
    const destinations = await destinationsOf(await ownModels(places), question.environment);
    const own = ownCredentials(destinations);
    const spec = {
      ...prepared.spec,
      environment: { ...prepared.spec.environment, ...sentinels(credentials) },
      record: recordAt(folder, prepared),
      hold: { folder: join(places.holds, id), isWhole: isReviewed, tag: `sallyport-${id}` },
      ...(house.machine().javaStores.length === 0 ? {} : { javaStore: join(folder, "cacerts") }),
    };
    const plan = planSandbox(spec, readHostFacts(spec, house.machine()));
    // A session that changes nothing before it is reviewed needs no way back: the review has one of its own.
    const isWanted = question.undo && !isReviewed;
    const saving = snapshotBefore(house, id, prepared.workspace, plan.records, isWanted);
    const gaps = await house.gapsOf(prepared.policy);
    const { inspector, indexes } = await house.inspectorFor(prepared.policy);
    const admitted = await admit(prepared, house);
    const watched = await watchTemplate(admitted.build, inspector, prepared, house.findingKey, places);
    const gatewaySocket = join(folder, "out.sock");
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const traces = house.tracesOf(id, prepared.workspace);
    let recorder: Recorder | null = null;
    let group: Cgroup | null = null;
    try {
      const { caCertificate } = await house.gateway.openSession({
        id,
        agent: prepared.agent.name,
        policy: prepared.policy,
        socketPath: gatewaySocket,
        workspace: prepared.workspace,
        cwd: question.cwd,
        upstream: prepared.upstream,
        label: labelling(destinations, house.label),
        destinations,
        sentinels: new Map(own.map(({ name, sentinel }) => [name, sentinel])),
        repo: prepared.policy.repo,
        inspector: watched ?? inspector,
        tracer: traces,
        build: admitted.standing.state === "approved" ? "approved" : "unapproved",
        principal: localPrincipal(),
        language: languageFrom(question.environment),
        credentials: [...credentials, ...own],
        onAsked: (exchange, calls) => recorder?.asked(exchange, calls),
      });
      // At once: three small files, which in turns through the thread pool would cost the start some milliseconds.
      writeFileSync(files.caCertificate, caCertificate, { mode: 0o600 });
      const bundle = `${house.systemRoots}\n${caCertificate}`;
      writeFileSync(files.caBundle, bundle, { mode: 0o600 });
      if (spec.javaStore !== undefined)
        writeFileSync(spec.javaStore, javaTrustStore(bundle), { mode: 0o600 });
      const fold = new SessionFold();
      await house.watch(id, fold);
      await house.append(
        startedEvent(id, prepared, plan.kind, gaps, { ...admitted, hasTemplate: watched !== null }, indexes),
      );
      if (plan.records) recorder = await recorderOf(house, id, prepared, spec.record.socket, saving, tell);
      if (plan.stage === "helper" && plan.groupLimits !== null) group = openCgroup(plan.groupLimits, id);
      if (plan.kind !== "none") hold(plan, house, places, id, prepared);
      // What is not kept before the agent overwrites it is gone. Where the recorder is, it holds programs that would until
      // all is kept, and the agent starts meanwhile; else the agent waits.
      const unkept = plan.records ? null : (await saving).note;
      if (plan.records) void saving.then(({ note }) => note !== null && tell(note));
      const note = [admitted.note, unkept].filter((one) => one !== null).join("; ");
      const groups = plan.stage === "helper" ? (group?.directories ?? []) : null;
      const started: Started = { session: id, plan, groups, gatewaySocket, note: note === "" ? null : note };
      return new ActiveSession(house, folder, fold, started, prepared, {
        build: admitted.build,
        watched,
        recorder,
        saving,
        traces,
        group,
        isEarly: question.isEarly,
      });
    } catch (error) {
      await recorder?.finish(false);
      group?.close();
      await house.workspaces.ask({ do: "finish", session: id, isGone: true });
      await house.unwatch(id);
      await house.gateway.closeSession(id);
      await traces.finish();
      await rm(folder, { recursive: true, force: true });
      throw isFull(error) ? new Fault("state.full", { at: places.state, cause: error }) : error;
    }
  }

  /**
   * Takes up documents that have changed. The change is on the record before a request is judged by it, and a request is
   * judged by the old or by the new, never by parts of both. What is not valid is not taken up, recorded and told.
   */
  async reload(all: boolean): Promise<"same" | "changed" | { readonly at: string; readonly detail: string }> {
    if (this.#ended !== null || (!all && !this.#documents.hasChanged)) return "same";
    let policy: Policy | null;
    try {
      policy = await this.#documents.read();
    } catch (error) {
      const fault = asFault(error);
      const rejected = { at: fault.at ?? "", detail: fault.message };
      const where = rejected.at;
      await this.#house.append({
        kind: "policy.rejected",
        session: this.id,
        fault: fault.code,
        where,
        detail: rejected.detail,
      });
      return rejected;
    }
    if (policy === null) return "same";
    const profile = { name: policy.name, sha256: policy.sha256 };
    await this.#house.append({ kind: "policy.changed", session: this.id, profile, before: this.#sha256 });
    this.#house.gateway.setPolicy(this.id, policy);
    this.#documents.take(policy);
    this.#sha256 = policy.sha256;
    return "changed";
  }

  /**
   * Closes the way out, brings the work in, records the end, signs, and tells what left. The first reason counts. `isTold`
   * false: nobody reads when that was signed, so it resolves when the end is durable, and the checkpoint follows. `consoleAt`:
   * the origin of a console that runs, for whoever is told.
   */
  end(
    reason: Reason,
    exitCode: number | null,
    isTold = true,
    withheld = 0,
    consoleAt: string | null = null,
  ): Promise<Ended> {
    if (this.#ended !== null) return this.#ended;
    const { endings } = this.#house;
    const { workspace } = this.summary;
    const ended = this.#finish(reason, exitCode, isTold, withheld, consoleAt).finally(() => {
      if (endings.get(workspace) === ended) endings.delete(workspace);
    });
    this.#ended = ended;
    endings.set(workspace, ended);
    return ended;
  }

  async #bringIn(isGone: boolean): Promise<Work & { readonly snapshot: SnapshotTally | null }> {
    const work = await finishWork(this.#house, this.id, this.summary.workspace, isGone);
    return {
      ...work,
      snapshot: (await this.#saving).hasSnapshot ? await snapshotAfter(this.#house, this.id) : null,
    };
  }

  async #finish(
    reason: Reason,
    exitCode: number | null,
    isTold: boolean,
    withheld: number,
    consoleAt: string | null,
  ): Promise<Ended> {
    const wasAnswered = await this.#house.gateway.closeSession(this.id);
    const isGone = reason !== "client-lost" && reason !== "station-lost";
    // An agent that has just been answered may say so before it is stopped.
    const isEnding = reason === "client-lost" || (reason === "station-lost" && wasAnswered);
    const told = this.#recorder?.finish(reason === "exited", isEnding);
    // Where somebody has seen the end of everything inside, the record's last lines and the work need not wait for each other.
    if (!isGone) await told;
    const [{ setAside, appeared, isWaiting, snapshot }] = await Promise.all([this.#bringIn(isGone), told]);
    await this.#traces.finish();
    this.#group?.close();
    // Nobody has seen the end of what is in it.
    if (reason === "client-lost") setTimeout(() => this.#group?.close(), DYING_MS).unref();
    const emptied = rm(this.#folder, { recursive: true, force: true });
    if (this.#watched !== null)
      await this.#house.append({
        kind: "template.compared",
        session: this.id,
        build: this.#build,
        ...this.#watched.tally(),
      });
    await this.#house.append({
      kind: "session.ended",
      session: this.id,
      reason,
      exitCode,
      setAside,
      appeared,
      ...(withheld === 0 ? {} : { withheld }),
      ...(snapshot === null ? {} : { snapshot }),
    });
    const done = Promise.all([this.#house.ledger.checkpoint(), this.#house.unwatch(this.id), emptied]);
    if (isTold) await done;
    else done.catch(() => {}); // the ledger signs each second, and says itself what keeps it from that
    const declaration: Declaration | null = this.#fold.declaration();
    if (declaration === null)
      throw new Fault("internal.bug", { detail: "a session without its first event" });
    const surround = { facts: this.#house.destinationFacts, signedAt: this.#house.clock.now(), consoleAt };
    return {
      declaration,
      isWaiting,
      text: declarationText(declaration, { ...surround, color: false }),
      colored: declarationText(declaration, { ...surround, color: true }),
    };
  }
}

/** Keys of our own servers: never in the sandbox; what is sent to a server bears a sentinel until it is on the wire. */
const ownCredentials = (destinations: ReadonlyMap<string, OwnDestination>): readonly Credential[] =>
  [...destinations.values()].flatMap(({ name, url, secret }) =>
    secret === null
      ? []
      : [
          {
            name,
            secret,
            hosts: [url.hostname.replace(/^\[|\]$/g, "")],
            sentinel: sentinelFor("", randomBytes),
          },
        ],
  );
/**
 * Nothing may leave once what happens inside cannot be recorded, unless the profile lets the session go on; the helper stops
 * the session itself.
 */
const recorderOf = (
  house: House,
  session: SessionId,
  prepared: Prepared,
  socket: string,
  known: Promise<unknown>,
  tell: (line: string) => void,
): Promise<Recorder> =>
  Recorder.listen({
    session,
    workspace: prepared.workspace,
    cwd: prepared.spec.cwd ?? prepared.workspace,
    ...{ socket, known },
    append: house.append,
    hashOf: (identity, path) => house.hashOf(identity, path),
    goesOn: prepared.policy.sandbox.unrecorded,
    onLost: () => {
      if (prepared.policy.sandbox.unrecorded) tell(UNRECORDED);
      else void house.gateway.closeSession(session);
    },
  });

const recordAt = (
  folder: string,
  { policy, software }: Pick<Prepared, "policy" | "software">,
): NonNullable<SandboxSpec["record"]> => ({
  ...{ socket: join(folder, "record.sock"), reads: true, quiet: software },
  goesOn: policy.sandbox.unrecorded,
});

const UNRECORDED =
  "WHAT HAPPENS INSIDE IS NOT RECORDED ANY MORE; the session goes on, as its profile says (sandbox.unrecorded)";

/** The directories for what is written apart, and the note by which it is brought in, whatever ends the session. */
function hold(plan: SandboxPlan, house: House, places: Places, session: SessionId, prepared: Prepared): void {
  const { workspace, known } = prepared;
  makeOverlays(plan.overlays);
  beginHold(places.holds, {
    ...{
      v: 1,
      session,
      workspace,
      known,
      overlays: plan.overlays.map(({ kind, name, at }) => ({ kind, name, at })),
    },
    ...plan.atEnd,
    tag: `sallyport-${session}`,
    helper: house.machine().helper.path,
    startedAt: house.clock.now(),
    outcome: null,
  });
}

/** Whether there is a snapshot of before the session, and what to tell the person where there is none. Never rejects. */
type Saving = Promise<{ readonly hasSnapshot: boolean; readonly note: string | null }>;

/** A session that cannot be undone is started all the same, and says so. */
async function snapshotBefore(
  house: House,
  session: SessionId,
  workspace: string,
  isRecorded: boolean,
  isWanted: boolean,
): Saving {
  if (!isWanted) return { hasSnapshot: false, note: null };
  const now = house.clock.now();
  const answer = await house.workspaces.ask({ do: "begin", session, workspace, isRecorded, now });
  if ("failed" in answer)
    return { hasSnapshot: false, note: `this session cannot be undone: ${answer.failed}` };
  return { hasSnapshot: true, note: null };
}

/** Null when there is none; the session's end is recorded all the same. */
async function snapshotAfter(house: House, session: SessionId): Promise<SnapshotTally | null> {
  const answer = await house.workspaces.ask({ do: "end", session, now: house.clock.now() });
  return "changed" in answer ? { changed: answer.changed ?? 0, notKept: answer.notKept } : null;
}

const sentinels = (credentials: readonly Credential[]): Record<string, string> =>
  Object.fromEntries(credentials.map(({ name, sentinel }) => [name, sentinel]));

const isFull = (error: unknown): boolean =>
  error instanceof Error && "code" in error && (error.code === "ENOSPC" || error.code === "EDQUOT");

const filesIn = (folder: string): { readonly caCertificate: string; readonly caBundle: string } => ({
  caCertificate: join(folder, "ca.pem"),
  caBundle: join(folder, "bundle.pem"),
});

function startedEvent(
  id: SessionId,
  prepared: Prepared,
  sandbox: SandboxPlan["kind"],
  gaps: readonly string[],
  admitted: Admitted & { readonly hasTemplate: boolean },
  indexes: readonly string[],
): EventBody {
  return {
    kind: "session.started",
    session: id,
    principal: localPrincipal(),
    agent: { name: prepared.agent.name, version: prepared.agent.version, sha256: admitted.executable },
    profile: { name: prepared.policy.name, sha256: prepared.policy.sha256 },
    workspace: basename(prepared.workspace),
    sandbox,
    gaps,
    upstream: prepared.upstream?.origin ?? null,
    ...(indexes.length === 0 ? {} : { codeIndexes: indexes }),
    admission: {
      build: admitted.build,
      standing: admitted.standing.state,
      template: admitted.hasTemplate,
    },
  };
}
