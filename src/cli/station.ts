/**
 * The station: one process per user that owns the ledger and the gateway, started when a `run` needs it. It answers
 * questions on its socket (talk.ts) and holds one session per connection that asked `run`.
 *
 * Crash story: everything acknowledged is in the journal. A station that dies leaves its socket behind and sessions
 * without an end; the next one, holding the ledger's lock, removes the socket and closes those sessions in the ledger
 * with reason `station-lost` before it answers anybody.
 */
import { chmod, lstat, mkdir, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import type { StationState } from "../console/index.ts";
import { asFault, asSessionId, Fault, type SessionId, systemClock } from "../core/index.ts";
import { serveMetrics } from "../gateway/index.ts";
import { anchorCheckpoint } from "../ledger/index.ts";
import { approvalDesk, toldLine } from "./approval-desk.ts";
import { ensureClient } from "./bundle.ts";
import { ConsoleChild } from "./console-child.ts";
import { faultLog } from "./fault-log.ts";
import { localPrincipal, type Places } from "./places.ts";
import { registerDesk } from "./register-desk.ts";
import { retentionRules } from "./retention.ts";
import { ActiveSession } from "./session.ts";
import { faultLine, type Hello, MAX_LINE_BYTES, type News, type Question, type Reloaded } from "./talk.ts";
import { version } from "./version.ts";
import { type House, openHouse } from "./wire.ts";

/** A station that was started on demand leaves when nobody has needed it for this long. */
export const IDLE_MS: number = 30 * 60_000;
const DAY_MS = 86_400_000;
/** How often the files of running sessions' policies are looked at. */
const LOOK_MS = 1_000;
/**
 * Told to stop, it lets exchanges under way end (`drainMs` of gateway/limits.ts), brings in what sessions wrote and closes the ledger.
 * What has not ended then never will: a disk that hangs. The next station begins where this one was cut off.
 */
const STOP_MS = 60_000;
const SUBSCRIBED = {};
const MINUTE_MS = 60_000;
/** How long `disclosures` waits for comparisons that are under way. */
const TRACED_MS = 10_000;

export interface StationOptions {
  readonly places: Places;
  readonly idleMs: number;
  /** Port on loopback for `/metrics`, `/healthz`, `/readyz`; null: none. */
  readonly metricsPort: number | null;
}

type Report = (thrown: unknown) => void;

/**
 * Runs until it is told to stop, is idle for too long, or gets SIGTERM. Resolves when everything is closed: nothing new is taken,
 * what is under way ends or is cut off in time, and is on the record.
 */
export async function runStation(
  { places, idleMs, metricsPort }: StationOptions,
  ready: () => void,
): Promise<void> {
  await privateFolder(places.run);
  await privateFolder(places.state);
  const report = faultLog(systemClock, (line) => process.stderr.write(line));
  const house = await openHouse(places, report);
  const station = new Station(house, places, idleMs, report);
  const metrics = metricsPort === null ? null : await serveMetrics(station, { port: metricsPort });
  try {
    await rm(places.stationSocket, { force: true }); // we hold the ledger's lock: whoever left it is gone
    await writeFile(places.stationVersion, version, { mode: 0o600 });
    await station.listen();
    ready();
    void ensureClient();
    const stopRetaining = retainDaily(house, places, report);
    const stopAttesting = attestEachMinute(house, places, report);
    await station.stopped;
    stopAttesting();
    stopRetaining();
  } finally {
    const late = setTimeout(() => {
      report(
        new Fault("station.lost", { detail: `it was told to stop, and had not closed within ${STOP_MS} ms` }),
      );
      process.exit(5);
    }, STOP_MS);
    await station.close();
    await metrics?.close();
    await house.close();
    clearTimeout(late);
  }
}

/** Now and each day: erases what the rules say is due. A fault is told in the log and tried again the next day. */
function retainDaily(house: House, places: Places, report: Report): () => void {
  const retain = (): void =>
    void retentionRules(places)
      .then((rules) => (rules.length > 0 ? house.ledger.retain(rules) : []))
      .catch(report);
  const timer = setInterval(retain, DAY_MS).unref();
  retain();
  return () => clearInterval(timer);
}

/**
 * A witness that was away is asked again although nothing new is appended, and the checkpoint is stamped when that is due.
 * A fault is told in the log and tried again a minute later.
 */
function attestEachMinute(house: House, places: Places, report: Report): () => void {
  if (!house.isWitnessed && house.anchor === null) return () => undefined;
  let due = house.clock.monotonic();
  const attest = async (): Promise<void> => {
    await house.ledger.checkpoint();
    if (house.anchor === null || house.clock.monotonic() < due) return;
    await anchorCheckpoint(places.ledger, house.anchor);
    due = house.clock.monotonic() + house.anchor.everyMs;
  };
  const timer = setInterval(() => void attest().catch(report), MINUTE_MS).unref();
  void attest().catch(report);
  return () => clearInterval(timer);
}

/** Ours alone, or refuse: another user's folder under a shared /tmp could hand our agents a false way out. */
export async function privateFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const at = await lstat(folder);
  if (!at.isDirectory() || at.uid !== process.getuid?.())
    throw new Fault("station.unreachable", { at: folder, detail: "the folder belongs to somebody else" });
  if ((at.mode & 0o077) !== 0) await chmod(folder, 0o700);
}

class Station {
  readonly #house: House;
  readonly #places: Places;
  readonly #idleMs: number;
  readonly #server: net.Server;
  readonly #lines = new Set<net.Socket>();
  /** Lines of those who said `stop`: open until this process is gone, so that who waits for that sees nothing written later. */
  readonly #stoppers = new Set<net.Socket>();
  /** Lines that are told what happens: of a session, or (null) of all. */
  readonly #listening = new Map<net.Socket, SessionId | null>();
  /** Owned here: a session lives from its `run` until its line closes or says `ended`. */
  readonly #sessions = new Map<SessionId, ActiveSession>();
  readonly #console = new ConsoleChild(() => this.#rest());
  readonly #startedAt: number;
  readonly #looking: NodeJS.Timeout;
  #idle: NodeJS.Timeout | undefined;
  readonly #report: Report;
  #isStopping = false;
  #stop: () => void = () => {};
  readonly stopped: Promise<void>;

  constructor(house: House, places: Places, idleMs: number, report: Report) {
    this.#report = report;
    this.#house = house;
    this.#places = places;
    this.#idleMs = idleMs;
    this.#startedAt = house.clock.now();
    this.#server = net.createServer((socket) => this.#serve(socket));
    this.stopped = new Promise((resolve) => {
      this.#stop = resolve;
    });
    house.gateway.approvals.subscribe((event) =>
      this.#tell((session) => ({ line: session === null ? null : toldLine(event, session), event })),
    );
    // One at a time: a slow disk must not pile them up.
    let isReloading = false;
    this.#looking = setInterval(() => {
      if (isReloading) return;
      isReloading = true;
      void this.#reload(false)
        .catch(report)
        .finally(() => {
          isReloading = false;
        });
    }, LOOK_MS).unref();
    process.once("SIGTERM", () => this.#stop());
    process.once("SIGINT", () => this.#stop());
    this.#rest();
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(this.#places.stationSocket, resolve);
    });
    await chmod(this.#places.stationSocket, 0o600);
  }

  /** For whoever asks whether work may be sent here. */
  get isReady(): boolean {
    return !this.#isStopping && this.#house.gateway.isReady;
  }

  metrics(): string {
    return this.#house.gateway.metrics();
  }

  /** Takes nothing new; sessions end when their exchanges have. */
  async close(): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#idle);
    clearInterval(this.#looking);
    this.#server.close();
    await this.#console.close();
    await Promise.all([...this.#sessions.values()].map((session) => session.end("station-lost", null)));
    for (const line of this.#lines)
      if (this.#stoppers.has(line)) line.unref();
      else line.destroy();
    await rm(this.#places.stationSocket, { force: true });
  }

  #rest(): void {
    clearTimeout(this.#idle);
    // Never what keeps the process: the listening socket does, and the last line may close after it.
    if (this.#sessions.size === 0 && !this.#console.isRunning)
      this.#idle = setTimeout(() => this.#stop(), this.#idleMs).unref();
  }

  #serve(socket: net.Socket): void {
    this.#lines.add(socket);
    socket.setEncoding("utf8");
    let buffer = "";
    let session: ActiveSession | null = null;
    let work: Promise<void> = Promise.resolve();
    const tell = (line: string): void => {
      if (socket.writable) socket.write(`${JSON.stringify({ told: { line, event: null } })}\n`);
    };
    socket.on("data", (text: string) => {
      buffer += text;
      if (buffer.length > MAX_LINE_BYTES) {
        socket.destroy();
        return;
      }
      for (let end = buffer.indexOf("\n"); end >= 0; end = buffer.indexOf("\n")) {
        const line = buffer.slice(0, end);
        buffer = buffer.slice(end + 1);
        work = work.then(async () => {
          const answer = await this.#answer(line, session, tell, socket).catch((thrown: unknown) =>
            faultLine(asFault(thrown)),
          );
          if (answer instanceof ActiveSession) {
            session = answer;
            this.#sessions.set(answer.id, answer);
            clearTimeout(this.#idle);
            this.#listening.set(socket, answer.id);
            socket.write(answer.answer);
          } else socket.write(`${JSON.stringify(answer)}\n`);
          if (answer === SUBSCRIBED) this.#listening.set(socket, null);
        });
      }
    });
    socket.on("error", () => {}); // `close` follows
    socket.on("close", () => {
      this.#lines.delete(socket);
      this.#listening.delete(socket);
      void work
        .then(() => session?.end("client-lost", null))
        .catch((thrown: unknown) => this.#report(thrown))
        .then(() => {
          if (session !== null) this.#sessions.delete(session.id);
          this.#rest();
        });
    });
  }

  async #answer(
    line: string,
    session: ActiveSession | null,
    tell: (line: string) => void,
    socket: net.Socket,
  ): Promise<object | ActiveSession> {
    const question = JSON.parse(line) as Question; // the other end is this program, on a socket only this user opens
    switch (question.op) {
      case "hello":
        return this.#hello();
      case "run":
        if (session !== null) throw new Fault("internal.bug", { detail: "a line holds one session" });
        if (this.#isStopping)
          throw new Fault("station.lost", { detail: "it was told to stop", remedy: "run again" });
        return question.explain
          ? ActiveSession.explain(this.#house, this.#places, question)
          : ActiveSession.start(this.#house, this.#places, question, tell);
      case "ended":
        return (
          (await session?.end(
            "exited",
            question.exitCode,
            question.isTold,
            question.withheld,
            this.#console.origin,
          )) ?? {}
        );
      case "traced":
        await Promise.race([this.#house.traced(), wait(TRACED_MS, undefined, { ref: false })]);
        return {};
      case "reach":
        return { mayReach: (await session?.reach(question.host, question.port)) ?? false };
      case "failed":
        return (await session?.end("failed", null)) ?? {};
      case "viewed":
        await this.#house.append({
          kind: "evidence.viewed",
          session: asSessionId(question.session) ?? bug("not a session id"),
          evidenceId: question.evidence,
          principal: localPrincipal(),
          reason: question.reason,
        });
        return {};
      case "undone":
        await this.#house.append({
          kind: "workspace.undone",
          ...question.undone,
          session: asSessionId(question.undone.session) ?? bug("not a session id"),
          principal: localPrincipal(),
        });
        return {};
      case "reviewed":
        await this.#house.append({
          kind: "workspace.reviewed",
          ...question.reviewed,
          session: asSessionId(question.reviewed.session) ?? bug("not a session id"),
          principal: localPrincipal(),
        });
        return {};
      case "keep":
        return this.#keep(question.action);
      case "register":
        return { index: (await this.#house.append({ kind: "register.changed", ...question.change })).index };
      case "register-desk":
        return registerDesk(question.action, question.by, this.#house, this.#places);
      case "approvals":
        return approvalDesk(question.action, this.#house, this.#places, question.by);
      case "record":
        return { index: (await this.#house.append(question.event)).index };
      case "state":
        return this.#state();
      case "console":
        clearTimeout(this.#idle);
        return this.#console.answer(question.action).finally(() => this.#rest());
      case "subscribe":
        return SUBSCRIBED;
      case "reload":
        return this.#reload(true);
      case "sign":
        await this.#house.ledger.checkpoint();
        return {};
      case "stop":
        if (this.#sessions.size > 0 && !question.evenWithSessions)
          throw new Fault("station.busy", { detail: `${this.#sessions.size} running` });
        this.#stoppers.add(socket);
        setImmediate(() => this.#stop());
        return this.#hello();
      default:
        question satisfies never;
        // The other end is a newer program than this one, under the same version: a checkout that went on.
        throw new Fault("station.busy", {
          detail: "it is of an older build and does not know this",
          remedy: "run `sallyport down`, then again",
        });
    }
  }

  /** Tells lines that listen: those of sessions what concerns them, the others everything. */
  #tell(newsFor: (session: SessionId | null) => News): void {
    for (const [socket, session] of this.#listening) {
      const told = newsFor(session);
      if (told.line !== null || (session === null && told.event !== null))
        socket.write(`${JSON.stringify({ told })}\n`);
    }
  }

  /** Running sessions take up documents that have changed. `all`: also those whose files look the same. */
  async #reload(all: boolean): Promise<Reloaded> {
    const changed: string[] = [];
    const rejected: Reloaded["rejected"][number][] = [];
    for (const session of this.#sessions.values()) {
      const outcome = await session.reload(all);
      if (outcome === "changed") changed.push(session.id);
      else if (outcome !== "same") rejected.push({ session: session.id, ...outcome });
      const line =
        outcome === "same"
          ? null
          : outcome === "changed"
            ? "the policy has changed; new requests are judged by it"
            : `THE CHANGED POLICY IS NOT VALID and not in force; the session keeps the old one: ${outcome.at} ${outcome.detail}`;
      this.#tell((own) => ({ line: own === session.id || own === null ? line : null, event: null }));
    }
    return { changed, rejected };
  }

  async #keep(action: Extract<Question, { op: "keep" }>["action"]): Promise<object> {
    const { ledger } = this.#house;
    const principal = localPrincipal();
    const id = (text: string): SessionId => asSessionId(text) ?? bug("not a session id");
    switch (action.do) {
      case "erase":
        return {
          index: (await ledger.erase(id(action.session), { principal, reason: action.reason })).index,
        };
      case "hold":
        return { index: (await ledger.hold(action.name, action.sessions.map(id), principal)).index };
      case "release":
        return { index: (await ledger.liftHold(action.name, principal)).index };
      case "rotate-key":
        return { index: (await ledger.rotateKey(principal)).index };
      case "retire-key":
        return { index: (await ledger.retireKey(principal)).index };
      default:
        action satisfies never;
        return bug("unknown action");
    }
  }

  #state(): StationState {
    const { gateway } = this.#house;
    const hello = this.#hello();
    return {
      ...hello,
      residentBytes: process.memoryUsage.rss(),
      isReady: gateway.isReady,
      metrics: gateway.metrics(),
      waiting: gateway.approvals.list().filter(({ isWaiting }) => isWaiting).length,
    };
  }

  #hello(): Hello {
    return {
      pid: process.pid,
      version,
      startedAt: this.#startedAt,
      sessions: [...this.#sessions.values()].map((session) => session.summary),
      ledgerSize: this.#house.ledger.size,
    };
  }
}

function bug(detail: string): never {
  throw new Fault("internal.bug", { detail });
}
