/**
 * What one session of an agent is to the gateway: its policy, its memory of what was read, its connections. Nothing here
 * is shared between sessions, save the rooms behind the gateway.
 */
import {
  type Clock,
  type ExchangeId,
  exchangeId,
  type Fault,
  type FindingTally,
  type SessionId,
} from "../core/index.ts";
import type { CalledTool, Decoded, Decoder } from "../dialect/index.ts";
import type { Finding, Inspector } from "../inspect/index.ts";
import type { Ledger } from "../ledger/index.ts";
import type { ConnectionDecision, Point, Policy } from "../policy/index.ts";
import type { Credential, Custody } from "./custody.ts";
import type { Deadlines } from "./deadlines.ts";
import type { Limits } from "./limits.ts";
import type { Peers } from "./peers.ts";
import type { Room } from "./room.ts";

/** What the register knows about a destination; `unknown` where it knows nothing. */
export interface DestinationLabels {
  /** Id of the register's row; null when it has none. */
  readonly destination: string | null;
  readonly channel: string;
  readonly serverIn: string;
  readonly operatorLaw: string;
  readonly trains: string;
  readonly dpa: string;
}

export interface GatewaySession {
  readonly id: SessionId;
  /** Name of the agent as the register knows it. */
  readonly agent: string;
  readonly policy: Policy;
  /** Where the session's proxy socket is made; the folder exists and is private. */
  readonly socketPath: string;
  /** The workspace's absolute path as the agent sees it. */
  readonly workspace: string;
  /** A server that stands in for every destination of channel `llm` that policy allows; null: none does. */
  readonly upstream: URL | null;
  readonly label: (host: string, port: number, path: string) => DestinationLabels;
  /** Credentials that the agent holds sentinels for. */
  readonly credentials?: readonly Credential[];
  /** Standing of the build; `unknown` when left out. */
  readonly build?: Point["build"];
  /** The repository's class; `unknown` when left out. */
  readonly repo?: string;
}

/** What all sessions share. */
export interface Rooms {
  readonly clock: Clock;
  readonly append: Ledger["append"];
  readonly inspector: Inspector;
  readonly limits: Limits;
  readonly deadlines: Deadlines;
  /** Reply bytes held as evidence. */
  readonly captured: Room;
  /** Told about every fault that nobody else can be told about. */
  readonly onFault: (fault: Fault) => void;
}

export interface Reading {
  readonly decoded: Decoded;
  /** What is found for the first time in the session. */
  readonly found: readonly FindingTally[];
  /** Data classes of the whole request, old parts included. */
  readonly classes: ReadonlySet<string>;
}

/** Texts whose classes are remembered; they are the decoder's own strings, so this holds references, not copies. */
const MOST_REMEMBERED = 50_000;
const NO_CLASSES: readonly string[] = [];

/**
 * The session's reader. The inspector sees what is new, and what stands beside it; what was found in an old part is
 * remembered by its text, so that what was denied is denied when it is sent again. A text that is not remembered is
 * inspected, new or not. The record counts what is new.
 *
 * The inspector remembers too, for all sessions, by the text's hash; to be asked about each old part of each turn costs
 * more than all that is new. The decoder hands out the same string objects turn after turn, whose hash V8 keeps.
 */
export class Reader {
  readonly #newDecoder: () => Decoder;
  readonly #inspector: Inspector;
  #decoder: Decoder;
  #classesOf = new Map<string, readonly string[]>();

  constructor(newDecoder: () => Decoder, inspector: Inspector) {
    this.#newDecoder = newDecoder;
    this.#inspector = inspector;
    this.#decoder = newDecoder();
  }

  /** One step on purpose: between "seen" and "inspected" nothing else may come. Throws what the inspector throws. */
  read(decode: (decoder: Decoder) => Decoded): Reading {
    try {
      const decoded = decode(this.#decoder);
      const classes = new Set<string>();
      const asked = this.#unknown(decoded.parts, classes);
      const parts = asked.map((index) => decoded.parts[index] ?? NO_PART);
      const { findings } = this.#inspector.inspect(parts);
      this.#remember(parts, findings);
      for (const { class: dataClass } of findings) classes.add(dataClass);
      const fresh = findings.filter(({ part }) => parts[part]?.isNew ?? true);
      return { decoded, found: tallyOf(fresh), classes };
    } catch (error) {
      // What was seen but not inspected must be new again.
      this.#decoder = this.#newDecoder();
      this.#classesOf = new Map();
      throw error;
    }
  }

  /** Indexes of the parts to inspect; what is remembered of the others goes into `classes`. */
  #unknown(parts: Decoded["parts"], classes: Set<string>): number[] {
    const asked: number[] = [];
    let isNewBefore = false;
    for (let index = 0; index < parts.length; index++) {
      const { text, isNew } = parts[index] ?? NO_PART;
      const known = isNew ? undefined : this.#classesOf.get(text);
      if (known !== undefined && known !== NO_CLASSES) for (const dataClass of known) classes.add(dataClass);
      // A value may be cut in two between a new part and its neighbour.
      if (known === undefined || isNewBefore || parts[index + 1]?.isNew === true) asked.push(index);
      isNewBefore = isNew;
    }
    return asked;
  }

  #remember(parts: Decoded["parts"], findings: readonly Finding[]): void {
    if (this.#classesOf.size + parts.length > MOST_REMEMBERED) this.#classesOf = new Map();
    for (const { text } of parts) if (!this.#classesOf.has(text)) this.#classesOf.set(text, NO_CLASSES);
    for (const { part, class: dataClass } of findings) {
      const { text } = parts[part] ?? NO_PART;
      const known = this.#classesOf.get(text) ?? NO_CLASSES;
      if (!known.includes(dataClass)) this.#classesOf.set(text, [...known, dataClass]);
    }
  }

  /** It did not leave: what was new in it is new again, so that the record tells of each thing when it first left. */
  withdraw(reading: Reading | null): void {
    if (reading !== null) this.#decoder.withdraw(reading.decoded);
  }

  /** Which tools a reply calls: their results in later messages are told apart by it. */
  learn(reply: { readonly calls: readonly CalledTool[] }): void {
    this.#decoder.learn(reply);
  }
}

const NO_PART: Decoded["parts"][number] = { pointer: "", role: "opaque", text: "", isNew: true };

function tallyOf(findings: readonly Finding[]): FindingTally[] {
  const tallies = new Map<string, FindingTally>();
  for (const { class: dataClass, detector } of findings) {
    const key = `${dataClass} ${detector}`;
    tallies.set(key, { class: dataClass, detector, count: (tallies.get(key)?.count ?? 0) + 1 });
  }
  return [...tallies.values()];
}

/** One open session. Its fields are owned by the gateway; the reader is used by the pipeline alone. */
export interface Sitting {
  readonly session: GatewaySession;
  readonly reader: Reader;
  readonly peers: Peers;
  readonly custody: Custody;
  /** What policy says about speaking to a host at all. */
  readonly connection: (host: string, port: number) => ConnectionDecision;
  exchanges: number;
  /** Exchanges whose outcome is not recorded yet. */
  readonly underWay: Set<Promise<void>>;
}

export function nextExchange(sitting: Sitting): ExchangeId {
  return exchangeId(sitting.session.id, ++sitting.exchanges);
}
