/**
 * The outer door. Each session has a unix socket of its own; what its sandbox writes there is what the agent wrote to its
 * proxy: CONNECT (with TLS, or plain HTTP, inside), an absolute-form request, or a base-URL request `/<host>/<path>`.
 * Which session a byte belongs to is decided by the socket it came through, and by nothing that it says.
 */

import { createServer, isIP, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { SecureContext } from "node:tls";
import { asFault, type Clock, type Door, Fault, type SessionId, Turns } from "../core/index.ts";
import { createDecoder } from "../dialect/index.ts";
import { createVault, type Inspector } from "../inspect/index.ts";
import type { Ledger } from "../ledger/index.ts";
import type { Policy, study } from "../policy/index.ts";
import { reachOf } from "./address.ts";
import { Approvals, type ApprovalsDependencies } from "./approvals.ts";
import type { Authority } from "./authority.ts";
import { type LeafKey, newLeafKey, SessionAuthority } from "./certificate.ts";
import { Custody } from "./custody.ts";
import { type Deadline, Deadlines } from "./deadlines.ts";
import { Dialler, type Lookup, systemLookup, trustedRoots } from "./dial.ts";
import { type DocumentReader, Documents } from "./documents.ts";
import type { Inbound, Refusal, Reply } from "./exchange.ts";
import { Flood } from "./flood.ts";
import { type Desk, FrontH1 } from "./front-h1.ts";
import type { ProxyChoice } from "./hop.ts";
import { direct } from "./intake.ts";
import { ruleText } from "./judge.ts";
import { LIMITS, type Limits } from "./limits.ts";
import { Meter } from "./metrics.ts";
import { Peers } from "./peers.ts";
import { pass } from "./pipeline.ts";
import { passRaw } from "./raw.ts";
import { inTime } from "./record.ts";
import { refusalFor } from "./refuse.ts";
import { requestMatter } from "./relay.ts";
import { Room, Slabs } from "./room.ts";
import { type GatewaySession, Reader, type Rooms, type Sitting } from "./session.ts";
import { type EarlierToday, Spending } from "./spending.ts";
import { Rulebook } from "./standing.ts";
import { Tracing } from "./tracing.ts";
import { openTunnel } from "./tunnel.ts";

/** For what is left of a reply that has ended, to an agent that reads. */
const LAST_BYTES_MS = 1_000;

export interface Gateway {
  /** Resolves when the socket accepts connections. Throws what listening throws. */
  openSession(session: GatewaySession): Promise<{ readonly caCertificate: string }>;
  /**
   * Lets exchanges under way end, within the limit; then nothing of the session is left. Of an unknown session: nothing.
   * Resolves to whether there were any.
   */
  closeSession(id: SessionId): Promise<boolean>;
  /** New requests of the session are judged by it from now on; those under way end under what they began with. */
  setPolicy(id: SessionId, policy: Policy): void;
  /** Questions that wait for people, and exceptions. */
  readonly approvals: Approvals;
  /**
   * Whether a program of the session may connect there; port null: to any port of that host. For a quick refusal only:
   * what it then sends is judged again. A refusal is durable when this resolves. False for an unknown session.
   */
  mayReach(id: SessionId, host: string, port: number | null): Promise<boolean>;
  close(): Promise<void>;
  /** Counts and gauges in Prometheus' text format. */
  metrics(): string;
  /** False while the ledger does not take records. */
  readonly isReady: boolean;
}

export interface GatewayDependencies {
  readonly clock: Clock;
  readonly append: Ledger["append"];
  readonly inspector: Inspector;
  /** Keys the placeholders; at least 16 bytes. One key for long: a conversation that is taken up again reads the same. */
  readonly placeholderKey: Uint8Array;
  /** All addresses of a name; default: the system's resolver. What it returns is checked before it is dialled. */
  readonly lookup?: Lookup;
  /** PEM certificates that destinations may be verified against, beside Node's and the system's. */
  readonly extraRoots?: readonly string[];
  /** The organisation's proxy for a destination; default: none. Not asked for a server that stands in. */
  readonly proxy?: ProxyChoice;
  readonly limits?: Partial<Limits>;
  /** Reads the documents that requests carry; default: in a thread of its own. Closed with the gateway. */
  readonly documents?: DocumentReader;
  /** Calls back regularly until the returned function is called; default: four times a second. */
  readonly tick?: (sweep: () => void) => () => void;
  /** Exceptions that were granted before and still hold, and who keeps new ones. */
  readonly exceptions?: readonly study.Waiver[];
  readonly keepException?: ApprovalsDependencies["keep"];
  /** What was used today before this gateway opened, for budgets by the day; default: nothing. */
  readonly earlierToday?: EarlierToday;
  /** Told about every fault that neither the agent nor the ledger can be told about. */
  readonly onFault?: (fault: Fault) => void;
}

const everyQuarterSecond = (sweep: () => void): (() => void) => {
  const timer = setInterval(sweep, 250).unref();
  return () => clearInterval(timer);
};

export function openGateway(deps: GatewayDependencies): Gateway {
  const limits: Limits = { ...LIMITS, ...deps.limits };
  const deadlines = new Deadlines(deps.clock);
  const stopTicking = (deps.tick ?? everyQuarterSecond)(() => deadlines.sweep());
  const meter = new Meter();
  const onFault = deps.onFault ?? (() => {});
  const spending = new Spending(deps.clock, deps.earlierToday ?? (async () => []));
  const append = meter.round(async (body, evidence) => {
    const done = await deps.append(body, evidence);
    spending.add(done.event);
    return done;
  }, deps.clock.monotonic);
  const approvals = new Approvals({
    clock: deps.clock,
    append,
    deadlines,
    onFault,
    ...(deps.exceptions === undefined ? {} : { restored: deps.exceptions }),
    ...(deps.keepException === undefined ? {} : { keep: deps.keepException }),
  });
  const rooms: Rooms = {
    clock: deps.clock,
    append,
    approvals,
    spending,
    inspector: deps.inspector,
    limits,
    deadlines,
    turns: new Turns(deps.clock),
    captured: new Room(limits.capturedBytes),
    documents: deps.documents ?? new Documents(limits.documentMs),
    onFault,
  };
  const shared: Shared = {
    rooms,
    placeholderKey: deps.placeholderKey,
    lookup: deps.lookup ?? systemLookup,
    proxy: deps.proxy ?? (() => null),
    held: new Room(limits.heldBytes),
    readInto: Buffer.allocUnsafeSlow(READ_BYTES),
    leafKey: newLeafKey(),
    roots: once(() => trustedRoots(deps.extraRoots ?? [])),
  };
  const sessions = new Map<SessionId, SessionDoor>();
  const closeSession = async (id: SessionId): Promise<boolean> => {
    const door = sessions.get(id);
    sessions.delete(id);
    return (await door?.close()) ?? false;
  };
  return {
    openSession: async (session) => {
      if (sessions.has(session.id))
        throw new Fault("internal.bug", { detail: `session ${session.id} is open already` });
      const door = new SessionDoor(session, shared);
      sessions.set(session.id, door);
      try {
        await door.listen();
      } catch (error) {
        sessions.delete(session.id);
        throw error;
      }
      return { caCertificate: door.caCertificate };
    },
    closeSession,
    setPolicy: (id, policy) => {
      sessions.get(id)?.setPolicy(policy);
      approvals.reconsider(id);
    },
    approvals,
    mayReach: async (id, host, port) => (await sessions.get(id)?.mayReach(host, port)) ?? false,
    close: async () => {
      await Promise.all([...sessions.keys()].map(closeSession));
      await rooms.documents.close();
      stopTicking();
    },
    metrics: () => {
      const doors = [...sessions.values()];
      return meter.text({
        sessions: doors.length,
        connections: doors.reduce((sum, door) => sum + door.connections, 0),
        exchangesUnderWay: doors.reduce((sum, door) => sum + door.exchangesUnderWay, 0),
        heldBytes: shared.held.held,
        capturedBytes: rooms.captured.held,
        deadlines: deadlines.size,
      });
    },
    get isReady() {
      return meter.isReady;
    },
  };
}

const READ_BYTES = 256 * 1024;
/** Hosts that programs ask for in vain; further ones are refused without a record of each. */
const MOST_REFUSALS = 10_000;

/** Ports that any rule names, and the usual one: a host that none of them is open on does not exist for programs. */
const portsOf = ({ layers }: Policy): readonly number[] => [
  ...new Set([
    443,
    ...layers.flatMap(({ document }) =>
      (document.data.network?.allow ?? []).flatMap(({ ports }) => ports ?? []),
    ),
  ]),
];

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

interface Shared {
  readonly rooms: Rooms;
  readonly placeholderKey: Uint8Array;
  readonly lookup: Lookup;
  readonly proxy: ProxyChoice;
  readonly held: Room;
  /** What all agents' sockets read into, one after the other. */
  readonly readInto: Buffer;
  readonly leafKey: LeafKey;
  readonly roots: () => SecureContext;
}

/** One session's socket and everything that came in through it. */
class SessionDoor implements Desk {
  readonly limits: Limits;
  readonly deadlines: Deadlines;
  readonly slabs: Slabs;
  readonly #shared: Shared;
  readonly #sitting: Sitting;
  readonly #dialler: Dialler;
  readonly #authority: SessionAuthority;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isClosing = false;
  readonly #flood: Flood;
  /** Set while refusals are counted that are not on the record yet. */
  #counting: Deadline | null = null;
  /** What was refused to programs that know of no proxy. */
  readonly #refused = new Set<string>();

  constructor(session: GatewaySession, shared: Shared) {
    const { rooms } = shared;
    this.#shared = shared;
    this.limits = rooms.limits;
    this.deadlines = rooms.deadlines;
    this.slabs = new Slabs(rooms.limits.sparedBytes);
    this.#flood = new Flood(rooms.clock, rooms.limits.refusalsAtOnce, rooms.limits.refusalsPerSecond);
    const dialler = new Dialler({
      deadlines: rooms.deadlines,
      lookup: shared.lookup,
      proxy: shared.proxy,
      limits: rooms.limits,
      roots: shared.roots,
    });
    this.#dialler = dialler;
    const vault = createVault({ key: shared.placeholderKey });
    this.#sitting = {
      session,
      reader: new Reader({
        newDecoder: () =>
          createDecoder({ workspace: session.workspace, cwd: session.cwd ?? session.workspace }),
        inspector: session.inspector ?? rooms.inspector,
        vault,
        waivers: session.policy.inspect.waivers,
        now: rooms.clock.now,
      }),
      peers: new Peers(dialler, rooms.limits, rooms.deadlines),
      custody: new Custody(session.credentials ?? []),
      rules: new Rulebook(session.policy, session.language ?? "en", rooms.clock),
      vault,
      tracing: session.tracer === undefined ? null : new Tracing(session.tracer),
      masked: new Map(),
      exchanges: 0,
      underWay: new Set(),
    };
    rooms.approvals.join(this.#sitting);
    rooms.spending.open(session.id, session.principal ?? "local:0");
    this.#authority = new SessionAuthority(session.id, shared.leafKey, rooms.clock.now, rooms.limits.leaves);
    this.#server = createServer({ noDelay: true, pauseOnConnect: true }, (socket) => this.#accept(socket));
  }

  setPolicy(policy: Policy): void {
    this.#sitting.rules.setPolicy(policy);
  }

  get connections(): number {
    return this.#sockets.size;
  }

  get exchangesUnderWay(): number {
    return this.#sitting.underWay.size;
  }

  get caCertificate(): string {
    return this.#authority.certificate;
  }

  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ path: this.#sitting.session.socketPath, backlog: 1024 }, () => {
        this.#server.removeListener("error", reject);
        this.#server.on("error", (error) => this.#shared.rooms.onFault(asFault(error)));
        resolve();
      });
    });
  }

  #accept(accepted: Socket): void {
    if (this.#isClosing || this.#sockets.size >= this.limits.connectionsPerSession)
      return void accepted.destroy();
    const socket = direct(accepted, this.#shared.readInto);
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    // Whoever holds the socket next hears of its close; an error that nobody listens to would end the process.
    socket.on("error", () => {});
    new FrontH1(socket, { door: "plain", authority: null, isSecure: false }, this, Buffer.alloc(0));
  }

  connect(authority: Authority, socket: Socket, early: Buffer): void {
    openTunnel(socket, early, authority, this.#authority, this);
  }

  passRaw(authority: Authority, socket: Duplex, first: Buffer): void {
    const rooms = { sitting: this.#sitting, dialler: this.#dialler, rooms: this.#shared.rooms };
    const done = passRaw(socket, first, authority, rooms)
      .catch(async (error: unknown) => {
        socket.destroy();
        await this.reject("caught", authority, asFault(error));
      })
      .finally(() => this.#sitting.underWay.delete(done));
    this.#sitting.underWay.add(done);
  }

  admit(door: Door, authority: Authority): Promise<Refusal> | null {
    const { host, port } = authority;
    const standing = this.#sitting.rules.now();
    const decision = standing.connection(host, port);
    if (decision.verdict === "deny") {
      const rule = decision.rules[0]?.id ?? "default";
      const fault = new Fault("gateway.refused", { detail: standing.refusal(decision, authority) });
      return this.#refuse(door, authority, rule, fault, ruleText(decision.rules));
    }
    const reach = isIP(host) === 0 ? "public" : reachOf(host);
    if (reach === "public" || (reach === "private" && decision.privateAddresses)) return null;
    const fault = new Fault("gateway.address-refused", { at: `${host}:${port}` });
    return this.#refuse(door, authority, fault.code, fault);
  }

  /**
   * Whether a program that knows of no proxy may connect there; ports: any of them. It hears "connection refused" or "no
   * such name" and nothing else, so a refusal is recorded once, not each time it tries.
   */
  async mayReach(host: string, port: number | null): Promise<boolean> {
    const { policy, connection } = this.#sitting.rules.now();
    const ports = port === null ? portsOf(policy) : [port];
    const open = ports.find((at) => connection(host, at).verdict === "allow");
    if (port === null && open !== undefined) return true;
    // Another policy may answer otherwise: what is remembered is that it was refused for this reason.
    const key = `${host} ${port} ${open === undefined}`;
    if (this.#refused.has(key)) return false;
    const refusal = await this.admit("caught", { host, port: port ?? ports[0] ?? 0 });
    if (refusal !== null && this.#refused.size < MOST_REFUSALS) this.#refused.add(key);
    return refusal === null;
  }

  reject(door: Door, authority: Authority | null, fault: Fault): Promise<Refusal> {
    return this.#refuse(door, authority ?? { host: "", port: 0 }, fault.code, fault);
  }

  /** The refusal, once it is recorded; of a refusal that cannot be recorded, one that says so. */
  async #refuse(
    door: Door,
    { host, port }: Authority,
    rule: string,
    fault: Fault,
    said: string = fault.message,
  ): Promise<Refusal> {
    const { rooms } = this.#shared;
    const { language } = this.#sitting.rules;
    if (!this.#flood.admits()) {
      this.#counting ??= rooms.deadlines.start(rooms.limits.countedMs, () => void this.#recordCounted());
      const detail = `more than ${rooms.limits.refusalsPerSecond} refusals a second: further ones are counted`;
      return refusalFor("opaque", new Fault("gateway.busy", { detail }), language);
    }
    const unrecorded = await this.#recordRefusal(door, host, port, rule, said);
    return refusalFor("opaque", unrecorded ?? fault, language);
  }

  /** Null: durable. Otherwise why not, within the limit. */
  #recordRefusal(door: Door, host: string, port: number, rule: string, said: string): Promise<Fault | null> {
    const { rooms } = this.#shared;
    const { id: session } = this.#sitting.session;
    const reason = said.slice(0, 1000);
    // An append that throws instead of rejecting is one that rejects.
    const append = async (): Promise<unknown> =>
      rooms.append({ kind: "connection.refused", session, door, host, port, rule, reason });
    return inTime(append(), rooms);
  }

  async #recordCounted(): Promise<void> {
    this.#counting?.stop();
    this.#counting = null;
    const counted = this.#flood.takeCounted();
    if (counted === 0) return;
    const said = `${counted} further refusals, counted and not recorded one by one`;
    const unrecorded = await this.#recordRefusal("plain", "", 0, "gateway.busy", said);
    if (unrecorded !== null) this.#shared.rooms.onFault(unrecorded);
  }

  hold(bytes: number): boolean {
    return this.#shared.held.take(bytes);
  }

  letGo(bytes: number): void {
    this.#shared.held.give(bytes);
  }

  exchange(inbound: Inbound, reply: Reply): void {
    const done = this.#pass(inbound, reply)
      .catch((error: unknown) => {
        this.#shared.rooms.onFault(asFault(error));
        reply.cut();
      })
      .finally(() => {
        this.letGo(inbound.bodyBytes);
        this.#sitting.underWay.delete(done);
      });
    this.#sitting.underWay.add(done);
  }

  async #pass(inbound: Inbound, reply: Reply): Promise<void> {
    if (this.#isClosing || this.#sitting.underWay.size >= this.limits.exchangesPerSession) {
      const detail = this.#isClosing
        ? "the session is ending"
        : `${this.limits.exchangesPerSession} exchanges are under way`;
      return reply.refuse(
        await this.reject(inbound.door, inbound.target, new Fault("gateway.busy", { detail })),
      );
    }
    await pass(
      requestMatter(inbound, reply, this.#sitting, this.#shared.rooms),
      this.#sitting,
      this.#shared.rooms,
    );
  }

  /** Resolves to whether something was under way. */
  async close(): Promise<boolean> {
    this.#isClosing = true;
    const wasAtWork = this.#sitting.underWay.size > 0;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    const left = this.#shared.rooms.approvals.leave(this.#sitting.session.id);
    await this.#drained();
    for (const socket of this.#sockets) {
      // The end of a reply may be on its way yet.
      socket.destroySoon();
      setTimeout(() => socket.destroy(), LAST_BYTES_MS).unref();
    }
    this.#sitting.peers.close();
    // Their outcomes are recorded before the session counts as closed.
    await Promise.all([...this.#sitting.underWay, left, this.#recordCounted()]);
    this.#shared.rooms.spending.close(this.#sitting.session.id);
    this.#sitting.vault.close();
    await closed;
    return wasAtWork;
  }

  /** Resolves when nothing is under way, or when the time for it is over. */
  #drained(): Promise<void> {
    return new Promise((resolve) => {
      const deadline = this.deadlines.start(this.limits.drainMs, resolve);
      void Promise.all(this.#sitting.underWay).then(() => {
        deadline.stop();
        resolve();
      });
    });
  }
}
