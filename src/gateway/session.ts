/**
 * What one session of an agent is to the gateway: its policy, its memory of what was read, its connections. Nothing here
 * is shared between sessions, save the rooms behind the gateway.
 */
import { isUtf8 } from "node:buffer";
import {
  type Clock,
  type ExchangeId,
  exchangeId,
  type Fault,
  type FindingTally,
  type SessionId,
  type Turns,
} from "../core/index.ts";
import type { AskedCall, CalledTool, Decoded, Decoder, TextPart } from "../dialect/index.ts";
import {
  type Amount,
  amountOf,
  createFlow,
  type Finding,
  type Inspection,
  type Inspector,
  type Met,
  PATH_DETECTOR,
  type Vault,
  withoutWaived,
} from "../inspect/index.ts";
import type { Ledger } from "../ledger/index.ts";
import type { FindingWaiver, Point, Policy, study } from "../policy/index.ts";
import type { Approvals } from "./approvals.ts";
import type { Credential, Custody } from "./custody.ts";
import type { Deadlines } from "./deadlines.ts";
import { type DocumentIn, type DocumentReader, documentIn } from "./documents.ts";
import type { Target } from "./exchange.ts";
import type { Limits } from "./limits.ts";
import type { Peers } from "./peers.ts";
import type { OwnDestination } from "./reroute.ts";
import type { Room } from "./room.ts";
import type { Spending } from "./spending.ts";
import type { Rulebook } from "./standing.ts";
import type { Tracer, Tracing } from "./tracing.ts";

/** What the register knows about a destination; `unknown` where it knows nothing. */
export interface DestinationLabels {
  /** Id of the register's row; null when it has none. */
  readonly destination: string | null;
  readonly channel: string;
  readonly serverIn: string;
  readonly operatorLaw: string;
  /** Further laws that can compel the operator (a parent's): each is judged too, and the strictest answer wins. */
  readonly otherLaws?: readonly string[];
  readonly trains: string;
  readonly dpa: string;
}

export interface GatewaySession {
  readonly id: SessionId;
  /** Name of the agent as the register knows it. */
  readonly agent: string;
  /** What it begins with: {@link Gateway.setPolicy} puts another in its place. */
  readonly policy: Policy;
  /** Where the session's proxy socket is made; the folder exists and is private. */
  readonly socketPath: string;
  /** The workspace's absolute path as the agent sees it. */
  readonly workspace: string;
  /** Where the agent was started, within it: relative paths are relative to here. Default: the workspace. */
  readonly cwd?: string;
  /** A server that stands in for every destination of channel `llm` that policy allows; null: none does. */
  readonly upstream: URL | null;
  readonly label: (host: string, port: number, path: string) => DestinationLabels;
  /** Credentials that the agent holds sentinels for. */
  readonly credentials?: readonly Credential[];
  /** Standing of the build; `unknown` when left out. */
  readonly build?: Point["build"];
  /** The repository's class; `unknown` when left out. */
  readonly repo?: string;
  /** Knows what the session's policy labels; default: the gateway's own, which all sessions without labels share. */
  readonly inspector?: Inspector;
  /** Who asks what policy asks about; default `local:0`. */
  readonly principal?: string;
  /** Of refusals; default English. */
  readonly language?: study.Language;
  /** Our own model servers by name, for what policy reroutes. */
  readonly destinations?: ReadonlyMap<string, OwnDestination>;
  /** Compares what leaves with the workspace's files; default: nobody does. */
  readonly tracer?: Tracer;
  /** What stands for their credentials in what is sent to them; `credentials` holds the rest. */
  readonly sentinels?: ReadonlyMap<string, string>;
  /** Told which commands and changes of files a reply has asked the agent for, once it was read. */
  readonly onAsked?: (exchange: ExchangeId, calls: readonly AskedCall[]) => void;
}

/** What all sessions share. */
export interface Rooms {
  readonly clock: Clock;
  readonly append: Ledger["append"];
  readonly inspector: Inspector;
  readonly limits: Limits;
  readonly deadlines: Deadlines;
  readonly turns: Turns;
  readonly approvals: Approvals;
  readonly spending: Spending;
  /** Reply bytes held as evidence. */
  readonly captured: Room;
  readonly documents: DocumentReader;
  /** Told about every fault that nobody else can be told about. */
  readonly onFault: (fault: Fault) => void;
}

export interface Reading {
  readonly decoded: Decoded;
  /** What is found for the first time in the session. */
  readonly found: readonly FindingTally[];
  /** The same of what waivers pass over. */
  readonly waived: readonly FindingTally[];
  /** Data classes of the whole request, old parts included. */
  readonly classes: ReadonlySet<string>;
  /** Of these, what replacing does not take away: what documents in it hold, and that it is too much. */
  readonly lasting: ReadonlySet<string>;
  /** What of it counts against a budget, and whose. */
  readonly flow: { readonly to: string; readonly isModel: boolean; readonly amount: Amount } | null;
  /** The parts that were inspected, and what was found in them. */
  readonly asked: Decoded["parts"];
  readonly inspection: Inspection;
  /** What is to leave in its place, once that was read too. */
  readonly leaving: Decoded | null;
  /** The placeholders in it that had not left before. */
  readonly placeholders: readonly string[];
}

/** Texts whose classes are remembered; they are the decoder's own strings, so this holds references, not copies. */
const MOST_REMEMBERED = 50_000;
const both = (a: ReadonlySet<string>, b: ReadonlySet<string>): ReadonlySet<string> =>
  b.size === 0 ? a : new Set([...a, ...b]);
const NOTHING_LASTING: ReadonlySet<string> = new Set();
const MOST_DOCUMENTS = 500;
/** Smaller bodies take less than a millisecond or two to read, also when all in them is new. */
const LARGE_BYTES = 64 * 1024;
/** The data class of what says nothing to us: images, and documents that could not be read in time. */
const UNREAD = "unread";
const NO_CLASSES: readonly string[] = [];
const NOTHING: Buffer = Buffer.alloc(0);

type Decode = (decoder: Decoder, content: Buffer) => Decoded;

/** Whether what a detector found in a field for credentials is in its place there. */
export type Belongs = (detector: string, text: string) => boolean;

/** What a reader knows of what it has read. */
interface Memory {
  readonly decoder: Decoder;
  /** By text (`nameOf`); what was found in it. */
  classes: Map<string, readonly string[]>;
  /** The parts of the last request, and what was known of each. */
  last: Looked;
}

interface Looked {
  readonly parts: Decoded["parts"];
  /** By index; undefined for what is not old. */
  readonly known: (readonly string[] | undefined)[];
}

/**
 * The session's reader. The inspector sees what is new, and what stands beside it; what was found in an old part is
 * remembered by its text, so that what was denied is denied when it is sent again. A text that is not remembered is
 * inspected, new or not. The record counts what is new. The vault answers for the values that it knows, also where no
 * detector would find them; its placeholders that come back are no findings.
 *
 * The inspector remembers too, for all sessions, by the text's hash; to be asked about each old part of each turn costs
 * more than all that is new. The decoder hands out the same string objects turn after turn, whose hash V8 keeps.
 */
export class Reader {
  readonly #newDecoder: () => Decoder;
  readonly #inspector: Inspector;
  readonly #vault: Vault;
  #came: Memory;
  /** By the text that a document is: what was found in it. */
  readonly #documents = new Map<string, Promise<readonly FindingTally[]>>();
  /** Whether any came: from then on old parts are looked at for them too. */
  #carriesDocuments = false;
  /** Of what leaves redacted: every turn repeats the last, so that has a memory of its own. Made when needed. */
  #leaving: Memory | null = null;
  /** Those that have left. */
  readonly #placeholders = new Set<string>();

  readonly #flow = createFlow();
  readonly #waivers: readonly FindingWaiver[];
  readonly #now: () => number;
  /** When the next waiver ends, Unix ms: what was judged with it must be judged anew. */
  #waivedUntil: number;

  constructor(options: ReaderOptions) {
    this.#newDecoder = options.newDecoder;
    this.#inspector = options.inspector;
    this.#vault = options.vault;
    this.#waivers = options.waivers;
    this.#now = options.now;
    this.#waivedUntil = this.#nextEnd();
    this.#came = this.#newMemory();
  }

  /** One step on purpose: between "seen" and "inspected" nothing else may come. Throws what the inspector throws. */
  read(decode: Decode, content: Buffer, belongs: Belongs): Reading {
    try {
      if (this.#now() >= this.#waivedUntil) this.#forgetJudgements();
      const { decoded, asked, inspection, waived, classes } = this.#readInto(
        this.#came,
        decode,
        content,
        belongs,
      );
      const isFresh = ({ part }: Finding): boolean => asked[part]?.isNew ?? true;
      return {
        decoded,
        found: tallyOf(inspection.findings.filter(isFresh)),
        waived: tallyOf(waived.filter(isFresh)),
        classes,
        lasting: NOTHING_LASTING,
        flow: null,
        asked,
        inspection,
        leaving: null,
        placeholders: [],
      };
    } catch (error) {
      this.#forget();
      throw error;
    }
  }

  /** What takes long of reading a large body is done ahead, in turns; then `read` is handed the very same one. */
  foresee(content: Buffer, from: Pick<Target, "host" | "path"> | null, turns: Turns): Promise<void> | null {
    if (content.length < LARGE_BYTES) return null;
    let before: Pick<TextPart, "role" | "text"> | null = null;
    // Text by text, as an element may hold many.
    const texts = function* (steps: ReturnType<Decoder["foresee"]>) {
      for (const step of steps) {
        yield null;
        yield* step;
      }
    };
    return turns.walk(texts(this.#came.decoder.foresee(content, from)), (text) => {
      if (text === null) return;
      this.#inspector.foresee(text, before);
      before = text;
    });
  }

  /** Orders to a model in what a server says. Remembers nothing. */
  screen(content: Buffer): readonly FindingTally[] {
    const { parts } = this.#newDecoder().decodeMessage(content);
    const { findings } = withoutWaived(this.#inspector.inspect(parts), this.#waivers, this.#now());
    return tallyOf(findings.filter((finding) => finding.class === "injection"));
  }

  /** Counts what is new in it against what may go to such a place in a session. */
  weigh(reading: Reading, to: string, isModel: boolean): Reading {
    // What is new was inspected.
    const fresh = reading.asked.filter(({ isNew }) => isNew);
    const amount = amountOf(
      fresh.map(({ text, role }) => (role === "encoded" ? "" : text)),
      isModel,
    );
    const over = this.#flow.add(to, isModel, amount);
    const classes = new Set(over.map((row) => row.class));
    return {
      ...reading,
      classes: both(reading.classes, classes),
      lasting: both(reading.lasting, classes),
      found: [...reading.found, ...over],
      flow: { to, isModel, amount },
    };
  }

  /** Reads the documents that the request carries, old ones too; what is known of them is remembered by their bytes. */
  readDocuments(reading: Reading, documents: DocumentReader): Reading | Promise<Reading> {
    const parts = this.#carriesDocuments ? reading.decoded.parts : reading.asked;
    const carried = parts.flatMap((part) => {
      const document = documentIn(part.text);
      return document === null ? [] : [{ part, document }];
    });
    this.#carriesDocuments ||= carried.length > 0;
    return carried.length === 0 ? reading : this.#withDocuments(reading, carried, documents);
  }

  async #withDocuments(
    reading: Reading,
    carried: readonly { readonly part: TextPart; readonly document: DocumentIn }[],
    documents: DocumentReader,
  ): Promise<Reading> {
    const read = await Promise.all(
      carried.map(async ({ part, document }) => {
        const known = this.#documents.get(part.text) ?? this.#readDocument(part, document, documents);
        this.#documents.delete(part.text);
        this.#documents.set(part.text, known);
        const [oldest] = this.#documents.keys();
        if (this.#documents.size > MOST_DOCUMENTS && oldest !== undefined) this.#documents.delete(oldest);
        return { part, tally: await known };
      }),
    );
    const attached = new Set(read.flatMap(({ tally }) => tally.map((row) => row.class)));
    const fresh = read.flatMap(({ part, tally }) => (part.isNew ? tally : []));
    return {
      ...reading,
      classes: both(reading.classes, attached),
      lasting: both(reading.lasting, attached),
      found: [...reading.found, ...fresh],
    };
  }

  async #readDocument(
    part: TextPart,
    { kind, from }: DocumentIn,
    documents: DocumentReader,
  ): Promise<readonly FindingTally[]> {
    const text = await documents.read(kind, Buffer.from(part.text.slice(from), "base64"));
    if (text === null) return [{ class: UNREAD, detector: `${UNREAD}:${kind}`, count: 1 }];
    const whole = this.#inspector.inspect([{ ...part, text, isNew: true }]);
    return withoutWaived(whole, this.#waivers, this.#now()).tally;
  }

  /** Everything in it, old parts too: for values that were found where nothing was to be replaced. */
  inspectAll({ decoded }: Reading, belongs: Belongs): Inspection {
    return this.#inspect(decoded.parts, belongs);
  }

  /** Lines of the build's own that are altered, as they were when it was vetted; by the pointer of their text. */
  asVetted({ decoded }: Reading): ReadonlyMap<string, ReadonlyMap<string, string>> {
    const all = decoded.parts.map((part) => [part.pointer, this.#inspector.asVetted?.(part)] as const);
    return new Map(
      all.flatMap(([pointer, lines]) => (lines === undefined || lines.size === 0 ? [] : [[pointer, lines]])),
    );
  }

  /** Reads what is to leave in the place of what was read: the data classes that it still holds. */
  readLeaving(reading: Reading, decode: Decode, content: Buffer, belongs: Belongs): Reading {
    try {
      this.#leaving ??= this.#newMemory();
      const { decoded, classes } = this.#readInto(this.#leaving, decode, content, belongs);
      return { ...reading, leaving: decoded, classes: both(classes, reading.lasting) };
    } catch (error) {
      this.#forget();
      throw error;
    }
  }

  /** It leaves with these placeholders: the reading, and a count of those that leave for the first time. */
  replaced(
    reading: Reading,
    met: readonly Met[],
  ): { readonly reading: Reading; readonly tally: readonly FindingTally[] } {
    const fresh = met.filter(({ placeholder }) => !this.#placeholders.has(placeholder));
    for (const { placeholder } of fresh) this.#placeholders.add(placeholder);
    const tally = tallyOf(fresh.map(({ classes, detector }) => ({ class: classes[0] ?? "", detector })));
    return { reading: { ...reading, placeholders: fresh.map(({ placeholder }) => placeholder) }, tally };
  }

  #readInto(
    memory: Memory,
    decode: Decode,
    content: Buffer,
    belongs: Belongs,
  ): Pick<Reading, "decoded" | "asked" | "inspection"> & {
    readonly waived: readonly Finding[];
    readonly classes: Set<string>;
  } {
    const decoded = decode(memory.decoder, content);
    const classes = new Set<string>();
    const asked = unknownParts(memory, decoded.parts, classes).map(
      (index) => decoded.parts[index] ?? NO_PART,
    );
    const whole = this.#inspect(asked, belongs);
    const inspection = this.#vault.learn(asked, whole, []);
    remember(memory, asked, inspection.findings);
    for (const { class: dataClass } of inspection.findings) classes.add(dataClass);
    const { labels } = this.#inspector;
    if (labels !== null)
      for (const part of decoded.parts)
        if (!part.isNew) for (const label of labels(part)) classes.add(label.class);
    for (const { classes: known } of this.#known(decoded, decode, content, belongs))
      for (const dataClass of known) classes.add(dataClass);
    return { decoded, asked, inspection, waived: whole.waived.map(({ finding }) => finding), classes };
  }

  #inspect(parts: Decoded["parts"], belongs: Belongs): ReturnType<typeof withoutWaived> {
    const inspection = withoutLogins(this.#inspector.inspect(parts), parts, belongs);
    return withoutWaived(inspection, this.#waivers, this.#now());
  }

  /** Values of the vault, wherever they stand. */
  #known(decoded: Decoded, decode: Decode, content: Buffer, belongs: Belongs): readonly Met[] {
    if (this.#vault.size === 0) return [];
    // Headers and target are small and searched as they are; the body only where a value may stand.
    const round = decode(this.#newDecoder(), NOTHING).parts.flatMap(({ role, text }) =>
      this.#vault.find(text).filter(({ detector }) => role !== "credential" || !belongs(detector, text)),
    );
    return [...round, ...this.#vault.redact(content, formOf(decoded, content) ?? "text").met];
  }

  #nextEnd(): number {
    const ends = this.#waivers.map(({ expiresAt }) => expiresAt).filter((end) => end > this.#now());
    return Math.min(...ends);
  }

  /** What was passed over counts again; what is new in the session stays what it was. */
  #forgetJudgements(): void {
    this.#documents.clear();
    for (const memory of [this.#came, this.#leaving]) if (memory !== null) forgetClasses(memory);
    this.#waivedUntil = this.#nextEnd();
  }

  #newMemory(): Memory {
    return { decoder: this.#newDecoder(), classes: new Map(), last: { parts: [], known: [] } };
  }

  /** What was seen but not inspected must be new again. */
  #forget(): void {
    this.#came = this.#newMemory();
    this.#leaving = null;
  }

  /** It did not leave: what was new in it is new again, so that the record tells of each thing when it first left. */
  withdraw(reading: Reading | null): void {
    if (reading === null) return;
    this.#came.decoder.withdraw(reading.decoded);
    if (reading.flow !== null)
      this.#flow.takeBack(reading.flow.to, reading.flow.isModel, reading.flow.amount);
    if (reading.leaving !== null) this.#leaving?.decoder.withdraw(reading.leaving);
    for (const word of reading.placeholders) this.#placeholders.delete(word);
  }

  /** Which tools a reply calls: their results in later messages are told apart by it. */
  learn(reply: { readonly calls: readonly CalledTool[] }): void {
    this.#came.decoder.learn(reply);
  }
}

interface ReaderOptions {
  readonly newDecoder: () => Decoder;
  readonly inspector: Inspector;
  readonly vault: Vault;
  /** False positives that the policy passes over for a time. */
  readonly waivers: readonly FindingWaiver[];
  /** Unix ms. */
  readonly now: () => number;
}

/** An agent's own login is no finding where it belongs, nor a value to be kept from anywhere. */
function withoutLogins(inspection: Inspection, parts: Decoded["parts"], belongs: Belongs): Inspection {
  const isLogin = ({ part, detector }: Finding): boolean => {
    const { role, text } = parts[part] ?? NO_PART;
    return role === "credential" && belongs(detector, text);
  };
  if (!inspection.findings.some(isLogin)) return inspection;
  const findings = inspection.findings.filter((finding) => !isLogin(finding));
  return { findings, tally: tallyOf(findings) };
}

const NO_PART: Decoded["parts"][number] = { pointer: "", role: "opaque", text: "", isNew: true };

function forgetClasses(memory: Memory): void {
  memory.classes = new Map();
  memory.last = { parts: [], known: [] };
}

/** Indexes of the parts to inspect; what is remembered of the others goes into `classes`. */
function unknownParts(memory: Memory, parts: Decoded["parts"], classes: Set<string>): number[] {
  const asked: number[] = [];
  const { parts: before, known } = memory.last;
  let isNewBefore = false;
  for (let index = 0; index < parts.length; index++) {
    const part = parts[index] ?? NO_PART;
    // Most parts are the very objects of the turn before: to look each up by its text costs more than what is new.
    const seen = before[index] === part ? known[index] : undefined;
    const { isNew, role, text } = part;
    // A login is asked about each time: what it is depends on where it goes.
    const held =
      seen ?? (isNew || role === "credential" ? undefined : memory.classes.get(nameOf(role, text)));
    known[index] = held;
    if (held !== undefined && held !== NO_CLASSES) for (const dataClass of held) classes.add(dataClass);
    // A value may be cut in two between a new part and its neighbour.
    if (held === undefined || isNewBefore || parts[index + 1]?.isNew === true) asked.push(index);
    isNewBefore = isNew;
  }
  memory.last = { parts, known };
  return asked;
}

function remember(memory: Memory, parts: Decoded["parts"], findings: readonly Finding[]): void {
  if (memory.classes.size + parts.length > MOST_REMEMBERED) forgetClasses(memory);
  const { classes } = memory;
  for (const { role, text } of parts) {
    const name = nameOf(role, text);
    if (!classes.has(name)) classes.set(name, NO_CLASSES);
  }
  for (const { part, class: dataClass, detector } of findings) {
    // Where a text is from is no property of the text.
    if (detector.startsWith(PATH_DETECTOR)) continue;
    const { role, text } = parts[part] ?? NO_PART;
    const name = nameOf(role, text);
    const known = classes.get(name) ?? NO_CLASSES;
    if (known.includes(dataClass)) continue;
    classes.set(name, [...known, dataClass]);
    // Of an old text more is known than before, as of one beside a new one.
    memory.last = { parts: [], known: [] };
  }
}

/** Roles whose texts are judged by rules of their own; of all others the string itself, whose hash V8 keeps. */
const nameOf = (role: string, text: string): string =>
  role === "target" || role === "credential" || role === "fragment" ? `${role}\0${text}` : text;

function tallyOf(findings: readonly Pick<Finding, "class" | "detector">[]): FindingTally[] {
  const tallies = new Map<string, FindingTally>();
  for (const { class: dataClass, detector } of findings) {
    const key = `${dataClass} ${detector}`;
    tallies.set(key, { class: dataClass, detector, count: (tallies.get(key)?.count ?? 0) + 1 });
  }
  return [...tallies.values()];
}

/** How a body can be edited; null: not at all. */
export function formOf({ dialect, elements }: Decoded, content: Buffer): "json" | "text" | null {
  if (elements.length > 0) return "json";
  return dialect !== "protobuf" && isUtf8(content) ? "text" : null;
}

/** One open session. Its fields are owned by the gateway; the reader is used by the pipeline alone. */
export interface Sitting {
  readonly session: GatewaySession;
  readonly reader: Reader;
  readonly peers: Peers;
  readonly custody: Custody;
  /** What policy says now. */
  readonly rules: Rulebook;
  /** What was replaced, with its placeholders; gone with the session. */
  readonly vault: Vault;
  /** What of it is compared with the workspace's files; null: nothing is. */
  readonly tracing: Tracing | null;
  /** The placeholders that may have been sent, by origin: only these come back as values in its replies. */
  readonly masked: Map<string, Set<string>>;
  exchanges: number;
  /** Exchanges whose outcome is not recorded yet. */
  readonly underWay: Set<Promise<void>>;
}

export function nextExchange(sitting: Sitting): ExchangeId {
  return exchangeId(sitting.session.id, ++sitting.exchanges);
}
