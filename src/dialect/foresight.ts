/**
 * A large body that was never seen is read ahead, element by element, so that others have their turn between: what takes
 * long of `decode` is then done. Nothing that is told depends on it: what was read ahead is what reading the same bytes in
 * the same place gives, and where anything has changed meanwhile it is not used.
 */
import { readElement } from "./element.ts";
import { digestOf, type Likeness, type Memory, mostSimilar, readingOf } from "./memory.ts";
import { type Item, type Outline, outlineOf } from "./outline.ts";
import type { Protocol } from "./protocol.ts";
import { parsed } from "./token.ts";
import type { Piece, Unit } from "./unit.ts";

/** A body compared with the earlier ones. */
export interface Look {
  readonly earlier: Likeness | null;
  /** Null: no strict JSON. */
  readonly outline: Outline | null;
}

export function lookAt(memory: Memory, body: Buffer, minCompared: number): Look {
  const earlier = body.length < minCompared ? null : mostSimilar(memory, body);
  return { earlier, outline: outlineOf(body, earlier?.snapshot.outline, earlier ?? undefined) };
}

/** A body that was read ahead. */
export interface Seen {
  readonly look: Look;
  /** What it was compared with; when the decoder remembers others, the comparison is void, and all of this with it. */
  readonly snapshots: Memory["snapshots"];
  readonly read: Map<Item, { readonly digest: string; readonly units: readonly Unit[] }>;
}

/** Owned by one decoder. */
export class Foresight {
  /** By the body's own object. */
  readonly #bodies = new WeakMap<Uint8Array, Seen>();

  /** Each step is an element read: its texts. `choose` as for decoding. */
  *read(
    memory: Memory,
    whole: Uint8Array,
    body: Buffer,
    minCompared: number,
    choose: (members: ReadonlySet<string>) => Protocol,
  ): Generator<readonly Piece[]> {
    if (body.length < minCompared) return;
    const seen: Seen = {
      look: lookAt(memory, body, minCompared),
      snapshots: memory.snapshots,
      read: new Map(),
    };
    this.#bodies.set(whole, seen);
    const { earlier, outline } = seen.look;
    if (outline === null) return;
    yield [];
    const members = new Set(outline.members.filter((m) => m.container === "").map((m) => m.name));
    const protocol = choose(members);
    const { items } = outline;
    const isSame = earlier?.snapshot.protocol === protocol;
    const end = items.length - (isSame ? outline.sameTail : 0);
    for (const item of items.slice(isSame ? outline.sameHead : 0, end)) {
      const digest = digestOf(memory, body, item);
      if (readingOf(memory, protocol, item, digest) !== undefined) continue;
      const units = readElement(protocol, item, parsed(body, item.start, item.end));
      // Broken, and decoding will say so.
      if (units === null) return;
      seen.read.set(item, { digest, units });
      yield units.flatMap(({ pieces }) => pieces);
    }
  }

  /** Null: it was not read ahead, or that holds no longer. */
  of(memory: Memory, whole: Uint8Array): Seen | null {
    const seen = this.#bodies.get(whole);
    return seen?.snapshots === memory.snapshots ? seen : null;
  }
}
