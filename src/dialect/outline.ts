/**
 * The outline of a JSON body (RFC 8259): where its elements lie, found by jumping from string to string, without
 * building values. Only elements that are new to the session are parsed (by the decoder), which also proves them valid;
 * together with the structure checked here that makes the whole body valid JSON.
 *
 * Strict: one value, no trailing bytes, no name twice in an object, depth and element count bounded. Whatever breaks a
 * rule has no outline (null), and the decoder then reads the body as plain text.
 *
 * Given the outline of an earlier body, elements within the common prefix and suffix are taken over without looking at
 * them. Why that is sound: the tokenizer's state at an element's end is its container and position; where both are
 * equal, and all bytes before (or after) too, so is the outcome.
 */

import { samePrefix, sameSuffix } from "../core/index.ts";
import {
  CLOSE_LIST,
  CLOSE_OBJECT,
  COMMA,
  type Cursor,
  escaped,
  OPEN_LIST,
  OPEN_OBJECT,
  readName,
  skipSpace,
  skipValue,
} from "./token.ts";

const MAX_ELEMENTS = 50_000;
/** In one element: an object of very many names costs JSON.parse more than its bytes. */
const MAX_NAMES = 100_000;
/** Objects whose members are elements themselves: Gemini Code Assist wraps the usual request in one. */
const WRAPPERS: ReadonlySet<string> = new Set(["/request"]);

export interface Item {
  readonly start: number;
  readonly end: number;
  /** Pointer of the list or object that holds the element. */
  readonly container: string;
  /** Position in a list; -1 in an object. */
  readonly index: number;
  /** Name in an object; "" in a list. */
  readonly name: string;
  /** Names of objects within the element: fewer in the parsed value means that one stood twice. */
  readonly names: number;
}

/** A name of an object that is split into elements. */
interface Member {
  readonly container: string;
  readonly name: string;
  /** Where its value starts. */
  readonly at: number;
}

export interface Outline {
  readonly body: Buffer;
  readonly items: readonly Item[];
  readonly members: readonly Member[];
  /** How many of the first, and of the last, items are those of the earlier outline. */
  readonly sameHead: number;
  readonly sameTail: number;
}

interface Frame {
  readonly pointer: string;
  readonly isList: boolean;
  /** Elements or members so far. */
  count: number;
}

/** One pass over one body. */
interface Pass extends Cursor {
  readonly stack: Frame[];
  items: Item[];
  readonly members: Member[];
  /** By container: the names seen. */
  readonly names: Map<string, Set<string>>;
  readonly earlier: Outline | null;
  /** From here on the body equals the end of the earlier one. */
  readonly suffixFrom: number;
}

/**
 * The outline of a body that is an object or a list, or null when it breaks a rule. `same`: what it has in common with
 * the earlier one's.
 */
export function outlineOf(
  body: Buffer,
  earlier: Outline | null = null,
  same: Sameness = earlier === null ? { prefix: 0, suffix: 0 } : sameBytes(body, earlier.body),
): Outline | null {
  const pass: Pass = {
    body,
    at: 0,
    stack: [],
    items: [],
    members: [],
    names: new Map(),
    earlier,
    suffixFrom: body.length - same.suffix,
  };
  const sameHead = takeHead(pass, same.prefix);
  if (sameHead === 0) {
    skipSpace(pass);
    if (!open(pass, "")) return null;
  }
  let sameTail = 0;
  while (pass.stack.length > 0) {
    if (!step(pass) || pass.items.length > MAX_ELEMENTS) return null;
    const taken = takeTail(pass, sameHead);
    if (taken === null) return null;
    if (taken < 0) continue;
    sameTail = taken;
    pass.at = body.length;
    break;
  }
  skipSpace(pass);
  if (pass.at !== body.length) return null;
  return { body, items: pass.items, members: pass.members, sameHead, sameTail };
}

/** Reads one element, or the end of a container. False: not JSON, or a name that stood before. */
function step(pass: Pass): boolean {
  const frame = pass.stack[pass.stack.length - 1];
  if (frame === undefined) return false;
  const { body } = pass;
  skipSpace(pass);
  if (body[pass.at] === (frame.isList ? CLOSE_LIST : CLOSE_OBJECT)) {
    pass.at++;
    pass.stack.pop();
    return true;
  }
  if (frame.count > 0) {
    if (body[pass.at] !== COMMA) return false;
    pass.at++;
    skipSpace(pass);
  }
  frame.count++;
  const name = frame.isList ? "" : readName(pass);
  if (name === null) return false;
  const start = pass.at;
  if (!frame.isList) {
    if (!noteName(pass, frame.pointer, name)) return false;
    pass.members.push({ container: frame.pointer, name, at: start });
    const pointer = `${frame.pointer}/${escaped(name)}`;
    if (body[start] === OPEN_LIST || (body[start] === OPEN_OBJECT && WRAPPERS.has(pointer)))
      return open(pass, pointer);
  }
  const names = skipValue(pass);
  if (names < 0 || names > MAX_NAMES) return false;
  const index = frame.isList ? frame.count - 1 : -1;
  pass.items.push({ start, end: pass.at, container: frame.pointer, index, name, names });
  return true;
}

function open(pass: Pass, pointer: string): boolean {
  const byte = pass.body[pass.at];
  if (byte !== OPEN_LIST && byte !== OPEN_OBJECT) return false;
  pass.at++;
  pass.stack.push({ pointer, isList: byte === OPEN_LIST, count: 0 });
  return true;
}

function noteName(pass: Pass, container: string, name: string): boolean {
  const known = pass.names.get(container);
  if (known === undefined) pass.names.set(container, new Set([name]));
  else if (known.has(name)) return false;
  else known.add(name);
  return true;
}

// ------------------------------------------------------------------------------------------------- the earlier outline

/** Takes over the elements of the common prefix; how many. Afterwards the pass stands behind the last of them. */
function takeHead(pass: Pass, prefix: number): number {
  const { earlier } = pass;
  if (earlier === null) return 0;
  // One byte more than the element must be equal: a number's end is told by what follows it.
  const count = firstWhere(earlier.items, (item) => item.end + 1 > prefix);
  const last = earlier.items[count - 1];
  if (last === undefined) return 0;
  pass.items = earlier.items.slice(0, count);
  for (const member of earlier.members) {
    if (member.at > last.start) break;
    pass.members.push(member);
    noteName(pass, member.container, member.name);
  }
  pass.at = last.end;
  for (let slash = 0; slash >= 0; slash = last.container.indexOf("/", slash + 1)) {
    if (slash > 0) pass.stack.push({ pointer: last.container.slice(0, slash), isList: false, count: 1 });
    else if (last.container !== "") pass.stack.push({ pointer: "", isList: false, count: 1 });
  }
  pass.stack.push({ pointer: last.container, isList: last.index >= 0, count: last.index + 1 || 1 });
  return count;
}

/**
 * Takes over what follows the latest element, if it ends where an element of the earlier body ended, in the same
 * container, and all bytes after are equal. How many elements; -1 when it does not; null when a name stood before.
 */
function takeTail(pass: Pass, sameHead: number): number | null {
  const { earlier, body, at } = pass;
  const latest = pass.items[pass.items.length - 1];
  if (earlier === null || latest === undefined || at < pass.suffixFrom) return -1;
  if (latest.end !== at || pass.items.length === sameHead) return -1;
  const shift = body.length - earlier.body.length;
  const found = firstWhere(earlier.items, (item) => item.end >= at - shift);
  const twin = earlier.items[found];
  if (twin === undefined || twin.end !== at - shift || twin.container !== latest.container) return -1;
  if (twin.index < 0 !== latest.index < 0) return -1;
  const step = latest.index - twin.index;
  for (let i = found + 1; i < earlier.items.length; i++) {
    const item = earlier.items[i] as Item; // i < length
    const index = item.container === latest.container && item.index >= 0 ? item.index + step : item.index;
    pass.items.push({ ...item, start: item.start + shift, end: item.end + shift, index });
  }
  for (const member of earlier.members) {
    if (member.at < twin.end) continue;
    if (!noteName(pass, member.container, member.name)) return null;
    pass.members.push({ ...member, at: member.at + shift });
  }
  return earlier.items.length - found - 1;
}

/** The item that starts at `at`, if one does. */
export function itemAt(items: readonly Item[], at: number): Item | undefined {
  const found = items[firstWhere(items, (item) => item.start >= at)];
  return found?.start === at ? found : undefined;
}

/** Index of the first item for which the claim holds; it holds for all after. */
function firstWhere(items: readonly Item[], claim: (item: Item) => boolean): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (claim(items[middle] as Item))
      high = middle; // low <= middle < high <= length
    else low = middle + 1;
  }
  return low;
}

/** The length of the longest common start, and of the longest common end of what is left after it. */
export interface Sameness {
  readonly prefix: number;
  readonly suffix: number;
}

export function sameBytes(a: Buffer, b: Buffer): Sameness {
  const prefix = samePrefix(a, b);
  return { prefix, suffix: sameSuffix(a, b, Math.min(a.length, b.length) - prefix) };
}
