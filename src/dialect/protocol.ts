/** What each protocol's file provides, and reading parsed JSON without trusting its shape. */
import type { DialectName, Role } from "./request.ts";
import type { Cut } from "./unit.ts";

export interface Protocol {
  readonly name: DialectName;
  /** Tells apart protocols of one name that are cut differently; default the name. */
  readonly variant?: string;
  /** One of these members must be there for a body to be understood. */
  readonly demands: readonly string[];
  /** Cuts one element: `member` is the top-level member that holds it, or is it. Cuts may not overlap. */
  readonly cut: (member: string, value: unknown) => readonly Cut[];
}

export type Fields = Readonly<Record<string, unknown>>;

/** The members of an object; of anything else none. */
export const fieldsOf = (value: unknown): Fields =>
  // Not null, an object, no list: a parsed JSON object.
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : NONE;
const NONE: Fields = {};

export const textOf = (value: unknown): string | null => (typeof value === "string" ? value : null);

/** Readers know objects; a value of another kind, where they expect one, is told as it is, lest it be passed over. */
export function ofObject(value: unknown, cut: (fields: Fields) => readonly Cut[]): readonly Cut[] {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject ? cut(fieldsOf(value)) : whole(value, "user");
}

/** The object without some members: what is left after those were cut out. */
export function without(value: Fields, ...names: readonly string[]): Fields {
  return Object.fromEntries(Object.entries(value).filter(([name]) => !names.includes(name)));
}

export const whole = (value: unknown, role: Role): readonly Cut[] => [{ pointer: "", value, role }];

/** The cuts of a member that is text or a list of blocks, one for each. */
export function blocks(
  pointer: string,
  value: unknown,
  role: Role,
  cut?: (block: Fields) => Partial<Cut>,
): readonly Cut[] {
  if (!Array.isArray(value)) return value === undefined || value === null ? [] : [{ pointer, value, role }];
  return value.map((block, i) => ({
    pointer: `${pointer}/${i}`,
    value: block,
    role,
    ...cut?.(fieldsOf(block)),
  }));
}
