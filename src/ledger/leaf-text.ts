/**
 * The canonical text of events, as canonicalText gives it, faster: the order of an event's fields is worked out once for
 * each kind and remembered. Events of one kind have the same fields nearly always; one that has others is written the
 * plain way. Owned by one ledger.
 */
import { canonicalText, type Json, type LedgerEvent } from "../core/index.ts";

interface Shape {
  readonly keys: readonly string[];
  /** What stands before each value: `{"at":`, `,"kind":` and so on. */
  readonly before: readonly string[];
}

export class LeafText {
  readonly #shapes = new Map<string, Shape>();

  of(event: LedgerEvent): string {
    // Every member of the union is plain data; interfaces merely lack the index signature.
    const fields = event as unknown as Readonly<Record<string, Json | undefined>>;
    const keys = Object.keys(fields);
    const shape = this.#shapes.get(event.kind) ?? this.#remember(event.kind, keys);
    if (shape.keys.length !== keys.length) return canonicalText(fields);
    let text = "";
    for (let i = 0; i < shape.keys.length; i++) {
      const value = fields[shape.keys[i] ?? ""];
      // Another set of fields, or one left out by being undefined.
      if (value === undefined) return canonicalText(fields);
      text += shape.before[i];
      text += canonicalText(value);
    }
    return `${text}}`;
  }

  #remember(kind: string, keys: readonly string[]): Shape {
    const sorted = keys.toSorted();
    const before = sorted.map((key, i) => `${i === 0 ? "{" : ","}${canonicalText(key)}:`);
    const shape = { keys: sorted, before };
    this.#shapes.set(kind, shape);
    return shape;
  }
}
