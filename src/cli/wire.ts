/**
 * The only file that sees every room: it opens the ledger, the gateway and the register, and hands each neighbour to
 * whoever needs it as a function. What it opens it closes, in reverse order.
 */
import { createHmac } from "node:crypto";
import { existsSync, writeFileSync } from "node:fs";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { rootCertificates } from "node:tls";
import {
  asFault,
  asSessionId,
  type Clock,
  type EventBody,
  Fault,
  type SessionId,
  systemClock,
} from "../core/index.ts";
import { type DestinationLabels, type Gateway, openGateway, proxyFromEnvironment } from "../gateway/index.ts";
import { createInspector } from "../inspect/index.ts";
import { type EvidenceInput, type Ledger, openLedger, readEntries } from "../ledger/index.ts";
import type { Policy, parseDocument } from "../policy/index.ts";
import { type BuildHash, hashBuild, type RegisterPlaces } from "../register/index.ts";
import type { DestinationFacts, SessionFold } from "../report/index.ts";
import {
  helperStamp,
  type MachineFacts,
  type MachineReport,
  probeMachine,
  readMachineFacts,
} from "../sandbox/index.ts";
import { finishHold, readHold, Snapshots, Traces } from "../workspace/index.ts";
import { type AnchorPlan, anchorPlan } from "./anchors.ts";
import { registerPlaces, watchRegister } from "./destinations.ts";
import { earlierToday } from "./earlier.ts";
import { keepException, readExceptions } from "./exceptions.ts";
import { findingKey } from "./finding-key.ts";
import { FileHashes } from "./hashes.ts";
import { type Labelled, labelledInspectors } from "./labelled.ts";
import { labeller } from "./labels.ts";
import { notOfWorkspaces, type Places } from "./places.ts";
import { parsingOnce } from "./prepare.ts";
import { version } from "./version.ts";
import { witnessesOf } from "./witnesses.ts";
import { importEvents, type Work, workOf } from "./work.ts";

/** How long an answer of the machine's probe is believed. A missing control is probed for again at once. */
const PROBE_MS = 10 * 60_000;
const SYSTEM_BUNDLES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/cert.pem",
] as const;

export interface House {
  readonly clock: Clock;
  readonly ledger: Ledger;
  /** Whether others cosign its checkpoints. */
  readonly isWitnessed: boolean;
  /** Who stamps them with the time. */
  readonly anchor: AnchorPlan | null;
  readonly gateway: Gateway;
  /** PEM of the roots that programs in the sandbox trust beside the session's own. */
  readonly systemRoots: string;
  /** The ledger's append, with every watching fold fed after the event is durable. */
  readonly append: (
    body: EventBody,
    evidence?: readonly EvidenceInput[],
  ) => Promise<{ readonly index: number }>;
  readonly label: (host: string, port: number, path: string) => DestinationLabels;
  readonly destinationFacts: (id: string) => DestinationFacts | null;
  /** Takes up a register whose files have changed. Throws `register.invalid`. */
  refreshRegister(): Promise<void>;
  /** Feeds the session's fold from now on, and leaves the marker by which a lost session is found. */
  watch(session: SessionId, fold: SessionFold): Promise<void>;
  unwatch(session: SessionId): Promise<void>;
  readonly parse: typeof parseDocument;
  /** Knows what the policy labels. Throws `inspect.index`. */
  /** Keys the hashes of findings. */
  readonly findingKey: Uint8Array;
  readonly inspectorFor: (policy: Policy) => Promise<Labelled>;
  /** What the machine is like: read once, and again while the sandbox's program is missing. */
  machine(): MachineFacts;
  /** Ids of controls that this machine cannot enforce. Throws `control.missing` when the policy promises one of them. */
  gapsOf(policy: Policy): Promise<readonly string[]>;
  /** Each file is read once: the memory is by the file's identity. */
  buildHash(executable: string): Promise<BuildHash>;
  /** Of a file by its identity, wherever it can be read now; null when it has changed. */
  hashOf(identity: string, path: string): Promise<string | null>;
  readonly registerPlaces: RegisterPlaces;
  readonly workspaces: Snapshots;
  /** By workspace: sessions whose work is being brought in. Another waits for that, or it would see half of it. */
  readonly endings: Map<string, Promise<unknown>>;
  /** Compares what leaves in a session with its workspace. To be finished by whoever holds the session. */
  tracesOf(session: SessionId, workspace: string): Traces;
  /** Resolves when nothing is being compared any more for sessions that are over. */
  traced(): Promise<void>;
  close(): Promise<void>;
}

/** `onFault`: told what nobody else can be told. `clock`: another than the machine's, for a demonstration that has a past. */
export async function openHouse(
  places: Places,
  onFault: (fault: Fault) => void,
  clock: Clock = systemClock,
): Promise<House> {
  const [destinations, systemRoots, witnesses, anchor] = await Promise.all([
    watchRegister(places),
    readSystemRoots(),
    witnessesOf(places),
    anchorPlan(places),
  ]);
  const ledger = await openLedger({
    directory: places.ledger,
    keyDirectory: places.keys,
    clock,
    program: `sallyport ${version}`,
    witnesses,
  });
  const folds = new Map<SessionId, SessionFold>();
  const hashes = new FileHashes(join(places.state, "builds.json"));
  const append: Ledger["append"] = async (body, evidence) => {
    const done = await ledger.append(body, evidence);
    if ("session" in done.event) folds.get(done.event.session)?.add(done.index, done.event);
    return done;
  };
  await endLostSessions(places, append);
  const sizeAtOpening = ledger.size;
  const key = await findingKey(places);
  const gateway = openGateway({
    clock,
    append,
    inspector: createInspector({ key }),
    placeholderKey: createHmac("sha256", key).update("placeholders").digest(),
    extraRoots: await extraRoots(),
    proxy: proxyFromEnvironment(process.env),
    exceptions: await readExceptions(places, clock.now()),
    keepException: (waiver, entry) => keepException(places, waiver, entry),
    earlierToday: (since) => earlierToday(places, since, sizeAtOpening),
    onFault,
  });
  const comparing = new Set<Traces>();
  const probe = probeOnce(clock, places);
  const workspaces = new Snapshots({
    root: places.snapshots,
    except: notOfWorkspaces(places),
    holds: places.holds,
  });
  return {
    clock,
    ledger,
    isWitnessed: witnesses.length > 0,
    anchor,
    gateway,
    systemRoots,
    append,
    label: labeller(() => destinations.current().register, clock),
    destinationFacts: (id) => destinations.current().facts(id),
    refreshRegister: () => destinations.refresh(),
    watch: async (session, fold) => {
      folds.set(session, fold);
      // At once: in its turn through the thread pool this would cost each start a millisecond or two.
      writeFileSync(join(places.state, "open", session), String(ledger.size), { mode: 0o600 });
    },
    unwatch: async (session) => {
      folds.delete(session);
      await rm(join(places.state, "open", session), { force: true });
    },
    parse: parsingOnce(),
    inspectorFor: labelledInspectors(key),
    findingKey: key,
    machine: machineOnce(places),
    gapsOf: async (policy) => gaps(await probe(), policy),
    buildHash: (executable) => hashBuild(executable, (path) => hashes.of(path)),
    hashOf: (identity, path) => hashes.ofIdentity(identity, path),
    registerPlaces: registerPlaces(places),
    workspaces,
    endings: new Map(),
    tracesOf: (session, workspace) => {
      const traces = new Traces({
        session,
        workspace,
        name: basename(workspace),
        except: notOfWorkspaces(places),
        append: async (event) => append(event),
        onFault,
      });
      comparing.add(traces);
      void traces.gone.then(() => comparing.delete(traces));
      return traces;
    },
    traced: async () => {
      await Promise.all([...comparing].filter(({ isOver }) => isOver).map(({ gone }) => gone));
    },
    close: async () => {
      await gateway.close();
      await Promise.all([...comparing].map((traces) => traces.abandon()));
      await workspaces.close();
      await hashes.close();
      await ledger.close();
    },
  };
}

/**
 * A session whose station died has no end in the ledger; the first station after it writes one. Each running session
 * has a marker `<state>/open/<id>` that holds the ledger's size before it started, so only the tail is read. A power
 * cut may lose a marker that was never synced: then the session stays without an end, and says so when shown.
 */
async function endLostSessions(places: Places, append: Ledger["append"]): Promise<void> {
  const folder = join(places.state, "open");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const lost = new Map<SessionId, number>();
  for (const name of await readdir(folder)) {
    const id = asSessionId(name);
    if (id !== null) lost.set(id, Number(await readFile(join(folder, name), "utf8")) || 0);
  }
  if (lost.size === 0) return;
  const open = new Set<SessionId>();
  const questions = new Map<string, SessionId>();
  for await (const { event } of readEntries(places.ledger, { from: Math.min(...lost.values()) })) {
    if (event.kind === "session.started" && lost.has(event.session)) open.add(event.session);
    if (event.kind === "session.ended") open.delete(event.session);
    if (event.kind === "approval.asked") questions.set(event.question, event.session);
    if (event.kind === "approval.answered" || event.kind === "approval.expired")
      questions.delete(event.question);
  }
  for (const [question, session] of questions)
    if (open.has(session))
      await append({ kind: "approval.expired", session, question, because: "session-ended" });
  for (const session of open) {
    const { events, work } = lostWork(places, session);
    for (const event of events) await append(event);
    const { setAside, appeared } = work;
    await append({
      kind: "session.ended",
      session,
      reason: "station-lost",
      exitCode: null,
      setAside,
      appeared,
    });
  }
  for (const session of lost.keys()) await rm(join(folder, session), { force: true });
  await rm(join(places.run, "s"), { recursive: true, force: true });
}

/** What a lost session's programs committed is brought in before its end is recorded. */
function lostWork(
  places: Places,
  session: SessionId,
): { readonly events: readonly EventBody[]; readonly work: Work } {
  const workspace = readHold(places.holds, session)?.workspace ?? "/";
  try {
    const finished = finishHold(places.holds, session, false);
    return {
      events: importEvents(session, workspace, finished),
      work: workOf(workspace, finished),
    };
  } catch (error) {
    const why = asFault(error).message;
    return {
      events: [],
      work: { setAside: [], appeared: [`(not brought in yet: ${why})`], isWaiting: true },
    };
  }
}

async function readSystemRoots(): Promise<string> {
  for (const file of SYSTEM_BUNDLES) if (existsSync(file)) return readFile(file, "utf8");
  return rootCertificates.join("\n");
}

/** Roots of the person's organisation, beside the system's: what Node itself would have trusted in their shell. */
async function extraRoots(): Promise<readonly string[]> {
  const file = process.env["NODE_EXTRA_CA_CERTS"];
  return file !== undefined && existsSync(file) ? [await readFile(file, "utf8")] : [];
}

function machineOnce(places: Places): () => MachineFacts {
  let known: { readonly facts: MachineFacts; readonly stamp: string } | null = null;
  return () => {
    // Somebody may have built the helper since, or have installed what was missing.
    const stamp = helperStamp();
    if (known === null || known.facts.bubblewrap === null || known.stamp !== stamp)
      known = { facts: readMachineFacts(places.holds), stamp };
    return known.facts;
  };
}

function probeOnce(clock: Clock, places: Places): () => Promise<MachineReport> {
  let last: { readonly at: number; readonly stamp: string; readonly report: Promise<MachineReport> } | null =
    null;
  return async () => {
    const now = clock.monotonic();
    const stamp = helperStamp();
    if (
      last === null ||
      last.stamp !== stamp ||
      now - last.at > PROBE_MS ||
      (await last.report).controls.some((c) => c.state === "missing" && c.required)
    )
      last = { at: now, stamp, report: probeMachine(places.holds) };
    return last.report;
  };
}

function gaps(report: MachineReport, policy: Policy): readonly string[] {
  if (policy.sandbox.mode === "none") return ["sandbox-off"];
  const missing = report.controls.filter((control) => control.state === "missing" && control.required);
  const first = missing[0];
  if (first !== undefined)
    throw new Fault("control.missing", {
      detail: `${first.title}: ${first.detail}`,
      remedy: first.remedy ?? "see `sallyport doctor`",
    });
  return report.controls.filter((control) => control.state !== "enforced").map((control) => control.id);
}
