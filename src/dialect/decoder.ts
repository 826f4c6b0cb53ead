/** Reads the requests of one session: recognise, outline, read what is new, tell all. */
import type { SourceTally } from "../core/index.ts";
import { readElement, valueAt } from "./element.ts";
import { Foresight, lookAt, type Seen } from "./foresight.ts";
import { fragmentParts } from "./fragment.ts";
import { headKey, headParts, piecesOfPath } from "./head.ts";
import {
  digestOf,
  emptyMemory,
  isNewUnit,
  keepReading,
  type Memory,
  noteCall,
  type ReadItem,
  readingOf,
  remember,
  type Snapshot,
} from "./memory.ts";
import { type Item, itemAt, type Outline } from "./outline.ts";
import { isText, plainCuts } from "./plain.ts";
import { binaryCuts, guessedCuts, isProtobuf, protobufCuts } from "./protobuf.ts";
import { type Protocol, textOf, whole } from "./protocol.ts";
import {
  modelInPath,
  recognise,
  recogniseMessage,
  streamsByPath,
  type Target,
  targetOf,
} from "./recognise.ts";
import type {
  Decoded,
  Decoder,
  DecoderOptions,
  DialectName,
  Element,
  RequestView,
  TextPart,
} from "./request.ts";
import { signInCuts } from "./sign-in.ts";
import { escaped, parsed } from "./token.ts";
import { filesIn, type ToolUse, workspacePath } from "./tool.ts";
import { namedIn, oddNames, tells, type Unit, unitsOf } from "./unit.ts";
import { boundaryOf, readUpload } from "./upload.ts";

const MIN_COMPARED_BYTES = 4 * 1024;
const MAX_REMEMBERED_BYTES = 32 * 1024 * 1024;

/** A decoder for one session. Its memory belongs to it alone and goes with it. */
export function createDecoder(options: DecoderOptions = {}): Decoder {
  const memory = emptyMemory(options.maxRememberedBytes ?? MAX_REMEMBERED_BYTES);
  const session: Session = {
    memory,
    workspace: options.workspace ?? null,
    cwd: options.cwd ?? null,
    minCompared: options.minComparedBytes ?? MIN_COMPARED_BYTES,
    undo: new WeakMap(),
    foresight: new Foresight(),
  };
  return {
    foresee: (whole, from) => {
      const target = from === null ? null : targetOf(from.host, from.path);
      return session.foresight.read(
        memory,
        whole,
        bufferOf(whole),
        session.minCompared,
        (members) => (target === null ? recogniseMessage(members) : recognise(target, members)) ?? unknown,
      );
    },
    decode: (request) => decodeRequest(session, request),
    decodeMessage: (payload) => decodeMessage(session, payload),
    learn: ({ calls }) => {
      for (const { id, use } of calls) if (id !== null) noteCall(memory, id, use);
    },
    withdraw: (decoded) => {
      session.undo.get(decoded)?.();
      session.undo.delete(decoded);
    },
  };
}

/** Owned by one decoder. */
interface Session {
  readonly memory: Memory;
  readonly workspace: string | null;
  readonly cwd: string | null;
  readonly minCompared: number;
  /** How to take back what a request added to the memory. */
  readonly undo: WeakMap<Decoded, () => void>;
  readonly foresight: Foresight;
}

const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** One request on its way through. */
interface Turn {
  readonly session: Session;
  /** The body as it was handed in: it may have been read ahead. */
  readonly whole: Uint8Array;
  readonly parts: TextPart[];
  readonly elements: Element[];
  readonly newUnits: Unit[];
  /** What the request says before its body. */
  head: readonly TextPart[];
  /** Takes back what was remembered beside units and heads. */
  readonly undo: (() => void)[];
  readonly files: Set<string>;
  commands: number;
  others: number;
  /** Of elements, for bodies to come. */
  keepsReadings: boolean;
  /** Elements that were read ahead. */
  ahead: Seen["read"];
}

const NOTHING_AHEAD: Seen["read"] = new Map();

const newTurn = (session: Session, whole: Uint8Array): Turn => ({
  session,
  whole,
  parts: [],
  elements: [],
  newUnits: [],
  head: [],
  undo: [],
  files: new Set(),
  commands: 0,
  others: 0,
  keepsReadings: false,
  ahead: NOTHING_AHEAD,
});

function decodeRequest(session: Session, request: RequestView): Decoded {
  const turn = newTurn(session, request.body);
  const target = targetOf(request.host, request.path);
  const contentType = headerOf(request, "content-type");
  const body = bufferOf(request.body);
  const told = decodeBody(turn, target, contentType, body);
  // The path's own words are not what a piece hides among: the last segment and the fields' values are.
  if (!CONVERSATIONS.has(told.dialect) && body.length <= MAX_FRAGMENT_BYTES)
    tellFragment(turn, target.host, piecesOfPath(request.path));
  turn.head = headParts(session.memory, request);
  turn.parts.push(...turn.head);
  return finish(turn, {
    ...told,
    model: told.model ?? modelInPath(target.path),
    streaming: told.streaming || streamsByPath(target),
  });
}

const MAX_FRAGMENT_BYTES = 4096;
/** Their turns repeat what was said before, and are read as one text anyway. */
const CONVERSATIONS: ReadonlySet<DialectName> = new Set([
  "anthropic-messages",
  "openai-chat",
  "openai-responses",
  "gemini",
  "bedrock",
]);

/** Tells what this and the requests before it may hold together. */
function tellFragment(turn: Turn, place: string, around: readonly string[]): void {
  const { parts, undo } = fragmentParts(turn.session.memory, place, [
    ...around,
    ...turn.parts.map(({ text }) => text),
  ]);
  turn.parts.push(...parts);
  turn.undo.push(undo);
}

function decodeMessage(session: Session, payload: Uint8Array): Decoded {
  const turn = newTurn(session, payload);
  const body = bufferOf(payload);
  const told = decodeJson(turn, body, recogniseMessage) ?? decodePlain(turn, body, "", "opaque");
  if (!CONVERSATIONS.has(told.dialect) && body.length <= MAX_FRAGMENT_BYTES) tellFragment(turn, "", []);
  return finish(turn, { ...told, streaming: true });
}

interface Told {
  readonly dialect: DialectName;
  readonly understood: boolean;
  readonly model: string | null;
  readonly streaming: boolean;
  readonly undo?: () => void;
}

function decodeBody(turn: Turn, target: Target, contentType: string, body: Buffer): Told {
  const byPath = recognise(target, NO_MEMBERS)?.name ?? "opaque";
  if (body.length === 0) return { dialect: byPath, understood: true, model: null, streaming: false };
  const signIn = signInCuts(target, contentType, body);
  if (signIn !== null) {
    tell(turn, signIn.flatMap(unitsOf), turn.parts);
    return { dialect: "opaque", understood: true, model: null, streaming: false };
  }
  // JSON comes first, whatever the header calls it: the other side may look at the bytes alone, too.
  const json = decodeJson(turn, body, (members) => recognise(target, members));
  if (json !== null) return json;
  const boundary = boundaryOf(contentType);
  const upload = boundary === null ? null : readUpload(body, boundary);
  if (upload !== null) {
    if (tell(turn, upload.cuts.flatMap(unitsOf), turn.parts))
      for (const file of upload.files) turn.files.add(file);
    return { dialect: "upload", understood: true, model: null, streaming: false };
  }
  if (!isProtobuf(contentType)) return decodePlain(turn, body, contentType, byPath);
  tell(turn, protobufCuts(body, contentType).flatMap(unitsOf), turn.parts);
  const dialect = byPath === "telemetry" ? "telemetry" : "protobuf";
  return { dialect, understood: false, model: null, streaming: false };
}

const NO_MEMBERS: ReadonlySet<string> = new Set();

function decodePlain(turn: Turn, body: Buffer, contentType: string, dialect: DialectName): Told {
  const cuts = isText(body) ? [...plainCuts(body, contentType), ...guessedCuts(body)] : binaryCuts(body);
  tell(turn, cuts.flatMap(unitsOf), turn.parts);
  // Telemetry is known by where it goes; that it is in lines or in a form of its own changes nothing.
  return { dialect, understood: dialect === "telemetry", model: null, streaming: false };
}

/** JSON of no known protocol: every text in it counts as a user's. */
const unknown: Protocol = { name: "opaque", demands: [], cut: (_, value) => whole(value, "user") };

/** Null when the body is no strict JSON: then nothing was told. */
function decodeJson(
  turn: Turn,
  body: Buffer,
  choose: (members: ReadonlySet<string>) => Protocol | null,
): Told | null {
  const { memory, minCompared, foresight } = turn.session;
  const isSmall = body.length < minCompared;
  const seen = isSmall ? null : foresight.of(memory, turn.whole);
  const { earlier, outline } = seen?.look ?? lookAt(memory, body, minCompared);
  turn.ahead = seen?.read ?? NOTHING_AHEAD;
  if (outline === null) return null;
  const members = new Set<string>();
  for (const { container, name } of outline.members) if (container === "") members.add(name);
  const protocol = choose(members) ?? unknown;
  const from = earlier?.snapshot.protocol === protocol ? earlier : null;
  turn.keepsReadings = !isSmall;
  // A small body is parsed once, a large one element by element, as far as it is new.
  const value = isSmall ? parsed(body, 0, body.length) : null;
  if (value === undefined) return null;
  const valueIn = (item: Item): unknown =>
    isSmall ? valueAt(value, item) : parsed(body, item.start, item.end);
  const read = readItems(turn, protocol, outline, from?.snapshot ?? null, valueIn);
  if (read === null) return null;

  // Names at the top stand between the elements, and hide text as well as any.
  const names = oddNames(outline.members.map(({ name }) => name));
  if (names !== "") tell(turn, unitsOf({ pointer: "", value: names, role: "metadata" }), turn.parts);
  for (const { container, name, at } of outline.members) {
    const item = container === "" ? itemAt(outline.items, at) : undefined;
    const named = item === undefined || !tells(name) ? null : namedIn(name, valueIn(item));
    const role = protocol === unknown ? "user" : "metadata";
    if (named !== null) tell(turn, unitsOf({ pointer: `/${escaped(name)}`, value: named, role }), turn.parts);
  }
  const undo = isSmall ? null : remember(memory, { protocol, outline, read }, from);
  return {
    dialect: protocol.name,
    understood: protocol !== unknown && isComplete(protocol, members),
    model: textOf(memberOf(outline, "model", valueIn)),
    streaming: memberOf(outline, "stream", valueIn) === true,
    ...(undo === null ? {} : { undo }),
  };
}

const isComplete = ({ demands }: Protocol, members: ReadonlySet<string>): boolean =>
  demands.length === 0 ||
  demands.some((name) => members.has(name) || (name === "" && members.size === 0)) ||
  members.has("request");

function memberOf({ members, items }: Outline, name: string, valueIn: (item: Item) => unknown): unknown {
  const member = members.find((one) => one.container === "" && one.name === name);
  const item = member && itemAt(items, member.at);
  return item && valueIn(item);
}

// ------------------------------------------------------------------------------------------------------------- elements

/** Reads every element and tells its parts, in body order; null, and nothing told, when one is not valid. */
function readItems(
  turn: Turn,
  protocol: Protocol,
  outline: Outline,
  from: Snapshot | null,
  valueIn: (item: Item) => unknown,
): readonly ReadItem[] | null {
  const { items, body } = outline;
  const head = from === null ? 0 : outline.sameHead;
  const tail = from === null ? 0 : outline.sameTail;
  const twins = from === null ? NO_TWINS : twinsOf(outline, from);
  const between = items.slice(head, items.length - tail);
  const fresh = readFresh(
    turn,
    protocol,
    body,
    between.filter((item) => !twins.has(item)),
    valueIn,
  );
  if (fresh === null) return null;

  const read: ReadItem[] = [];
  for (let i = 0; i < head; i++) {
    const one = from?.read[i];
    if (one !== undefined) tellOld(turn, read, one);
  }
  let next = 0;
  for (const item of between) {
    const twin = twins.get(item);
    const one = twin === undefined ? fresh[next++] : undefined;
    if (twin !== undefined) tellOld(turn, read, moved(twin, item));
    else if (one !== undefined) tellFresh(turn, read, one);
  }
  for (let i = items.length - tail; i < items.length; i++) {
    const item = items[i];
    const one = from?.read[from.read.length - items.length + i];
    if (item !== undefined && one !== undefined) tellOld(turn, read, moved(one, item));
  }
  return read;
}

const NO_TWINS: ReadonlyMap<Item, ReadItem> = new Map();

/**
 * Elements between the common start and the common end whose bytes are those of the earlier body's at the same place,
 * counted from the end: where a body ends in an id of its own, all that follows the conversation would be read anew.
 */
function twinsOf({ body, items, sameHead, sameTail }: Outline, from: Snapshot): ReadonlyMap<Item, ReadItem> {
  const twins = new Map<Item, ReadItem>();
  const shift = from.read.length - items.length;
  for (let i = items.length - sameTail - 1; i >= sameHead; i--) {
    const item = items[i];
    const twin = i + shift < sameHead ? undefined : from.read[i + shift];
    if (item === undefined || twin === undefined) break;
    const { container, name, index, start, end } = twin.item;
    if (container !== item.container || name !== item.name || index !== item.index) break;
    if (end - start !== item.end - item.start) continue;
    if (body.compare(from.outline.body, start, end, item.start, item.end) === 0) twins.set(item, twin);
  }
  return twins;
}

interface Fresh {
  readonly item: Item;
  readonly digest: string;
  readonly units: readonly Unit[];
  readonly isKnown: boolean;
}

function readFresh(
  turn: Turn,
  protocol: Protocol,
  body: Buffer,
  items: readonly Item[],
  valueIn: (item: Item) => unknown,
): readonly Fresh[] | null {
  const { memory } = turn.session;
  const fresh: Fresh[] = [];
  for (const item of items) {
    const ahead = turn.ahead.get(item);
    const digest = ahead?.digest ?? (turn.keepsReadings ? digestOf(memory, body, item) : "");
    const known = turn.keepsReadings ? readingOf(memory, protocol, item, digest) : undefined;
    const units = known ?? ahead?.units ?? readElement(protocol, item, valueIn(item));
    if (units === null) return null;
    fresh.push({ item, digest, units, isKnown: known !== undefined });
  }
  // Kept only now: a body with one bad element must leave no trace.
  for (const { item, digest, units, isKnown } of fresh) {
    if (turn.keepsReadings && !isKnown) keepReading(memory, protocol, item, digest, units);
  }
  return fresh;
}

const elementOf = (item: Item, hash: string, parts: readonly TextPart[]): Element => ({
  pointer: placeOf(item),
  start: item.start,
  end: item.end,
  hash,
  isNew: false,
  parts,
});

/** An element of the earlier body at its new place. */
function moved(one: ReadItem, item: Item): ReadItem {
  const isSamePlace = one.item.container === item.container && one.item.index === item.index;
  const { parts: told } = one.element;
  const parts = isSamePlace ? told : partsOf(item, one.units).map((part, i) => ({ ...told[i], ...part }));
  return { item, units: one.units, element: elementOf(item, one.element.hash, parts) };
}

function tellOld(turn: Turn, read: ReadItem[], one: ReadItem): void {
  read.push(one);
  turn.elements.push(one.element);
  for (const part of one.element.parts) turn.parts.push(part);
}

function tellFresh(turn: Turn, read: ReadItem[], { item, digest, units, isKnown }: Fresh): void {
  for (const { call } of units) if (call?.id) noteCall(turn.session.memory, call.id, call.use);
  const parts: TextPart[] = [];
  tell(turn, units, parts, placeOf(item), (unit) => useOf(turn, read, units, unit));
  // A body that is not kept is nobody's earlier one.
  const hasNew = turn.keepsReadings && parts.some((part) => part.isNew);
  const old = hasNew ? parts.map((part) => ({ ...part, isNew: false })) : parts;
  read.push({ item, units, element: elementOf(item, digest, old) });
  turn.elements.push({ ...elementOf(item, digest, parts), isNew: !isKnown });
  for (const part of parts) turn.parts.push(part);
}

const placeOf = ({ container, index, name }: Item): string =>
  `${container}/${index < 0 ? escaped(name) : index}`;

function partsOf(item: Item, units: readonly Unit[]): readonly TextPart[] {
  const place = placeOf(item);
  return units.flatMap(({ pieces }) =>
    pieces.map(({ pointer, role, text }) => ({ pointer: place + pointer, role, text, isNew: false })),
  );
}

// ---------------------------------------------------------------------------------------------------------------- units

/** Adds the parts of units and counts the sources among the new ones. True when one of them is new. */
function tell(
  turn: Turn,
  units: readonly Unit[],
  into: TextPart[],
  place = "",
  use: (unit: Unit) => ToolUse = () => OTHER,
): boolean {
  let hasNew = false;
  for (const unit of units) {
    const isNew = isNewUnit(turn.session.memory, unit);
    const why = unit.result === null ? null : use(unit);
    const source = sourceOf(turn, why, unit);
    for (const { pointer, role, text } of unit.pieces) {
      const part = { pointer: place + pointer, role, text, isNew };
      // The id of a call is no content of a file.
      const isContent = source !== NO_SOURCE && text !== unit.result?.id && text !== unit.result?.name;
      into.push(isContent ? { ...part, ...source } : part);
    }
    if (!isNew) continue;
    hasNew = true;
    turn.newUnits.push(unit);
    if (why !== null) count(turn, why, source, unit);
    for (const path of unit.files) turn.files.add(pathIn(turn.session, path));
  }
  return hasNew;
}

const pathIn = ({ workspace, cwd }: Session, path: string): string => workspacePath(path, workspace, cwd);

type Source = Pick<TextPart, "files" | "named">;
const NO_SOURCE: Source = {};

/** Where the text of a unit is from, as far as the agent's own words tell. */
function sourceOf(turn: Turn, use: ToolUse | null, unit: Unit): Source {
  if (use === null && unit.files.length === 0) return NO_SOURCE;
  const inWorkspace = (paths: readonly string[]): readonly string[] =>
    paths.map((path) => pathIn(turn.session, path));
  const shown = use === null ? [] : filesIn(use, () => unit.pieces.map(({ text }) => text).join("\n"));
  const files = inWorkspace([...unit.files, ...shown]);
  const named = use?.kind === "command" ? inWorkspace(use.named) : [];
  return { ...(files.length === 0 ? {} : { files }), ...(named.length === 0 ? {} : { named }) };
}

const OTHER: ToolUse = { kind: "other" };

function count(turn: Turn, use: ToolUse, { files = [] }: Source, unit: Unit): void {
  if (use.kind === "command") {
    turn.commands++;
    return;
  }
  for (const path of files) turn.files.add(path);
  if (files.length === unit.files.length) turn.others++;
}

/** What the call was for whose result this is: by id, else (Gemini) by name and order in the latest calls before it. */
function useOf(turn: Turn, before: readonly ReadItem[], units: readonly Unit[], unit: Unit): ToolUse {
  const { result } = unit;
  if (result === null || result.use !== undefined) return result?.use ?? OTHER;
  const byId = result.id === null ? undefined : turn.session.memory.calls.get(result.id);
  if (byId !== undefined || result.name === null) return byId ?? OTHER;
  const siblings = units.filter((one) => one.result?.name === result.name);
  for (let i = before.length - 1; i >= 0; i--) {
    const calls = (before[i]?.units ?? []).flatMap(({ call }) => (call === null ? [] : [call]));
    if (calls.length === 0) continue;
    const named = calls.filter(({ name }) => name === result.name);
    return named[siblings.indexOf(unit)]?.use ?? named[0]?.use ?? OTHER;
  }
  return OTHER;
}

// --------------------------------------------------------------------------------------------------------------- finish

function finish(turn: Turn, told: Told): Decoded {
  const sources: SourceTally = { files: [...turn.files], commands: turn.commands, others: turn.others };
  const { dialect, understood, model, streaming, undo } = told;
  const { parts, elements, newUnits, head, session } = turn;
  const decoded = { dialect, understood, model, streaming, parts, sources, elements };
  session.undo.set(decoded, () => {
    for (const unit of newUnits) session.memory.units.delete(unit.key);
    for (const part of head) if (part.isNew) session.memory.seenHeads.delete(headKey(part));
    for (const step of turn.undo) step();
    undo?.();
  });
  return decoded;
}

function headerOf({ headers }: RequestView, name: string): string {
  return headers.find(([key]) => key.toLowerCase() === name)?.[1] ?? "";
}
