/** One element of a body: its value, and the units it is cut into. */
import type { Item } from "./outline.ts";
import type { Protocol } from "./protocol.ts";
import { unescaped } from "./token.ts";
import { countNames, type Unit, unitsOf } from "./unit.ts";

/** An element's units; null when its value is none, or has a name twice. */
export function readElement(protocol: Protocol, item: Item, value: unknown): readonly Unit[] | null {
  if (value === undefined || (item.names > 0 && countNames(value) !== item.names)) return null;
  const member = item.index < 0 ? item.name : item.container.replace(/^\/request(?=\/)/, "").slice(1);
  return protocol.cut(member, value).flatMap(unitsOf);
}

/** An element within the parsed body. */
export function valueAt(whole: unknown, { container, index, name }: Item): unknown {
  let holder = whole;
  for (const step of container.split("/").slice(1)) holder = memberIn(holder, unescaped(step));
  return Array.isArray(holder) ? holder[index] : memberIn(holder, name);
}

/** Of an object, its own members alone: what a name means to JavaScript is not what it means in JSON. */
const memberIn = (holder: unknown, name: string): unknown =>
  typeof holder === "object" && holder !== null && Object.hasOwn(holder, name)
    ? (holder as Readonly<Record<string, unknown>>)[name] // asked for in the line before
    : undefined;
