/**
 * What was found in texts that were read before, for an inspector. A text is known by itself: a decoder hands out the same
 * string objects turn after turn, whose hash V8 keeps, so that asking costs less than any digest would. Texts of roles
 * that are read by rules of their own are kept apart. Bounded in number and characters; the oldest go first.
 */

/** Texts of one role, and characters in them. */
const MOST_TEXTS = 20_000;
const MOST_CHARACTERS = 16 * 1024 * 1024;
/** A longer one would push out too many others. */
const LONGEST = 1024 * 1024;

interface Shelf<T> {
  readonly found: Map<string, T>;
  characters: number;
}

/** Owned by one inspector. */
export class Remembered<T> {
  readonly #shelves = new Map<string, Shelf<T>>();

  /** Undefined: not known. `role`: "" for all that are read alike. */
  get(role: string, text: string): T | undefined {
    return this.#shelves.get(role)?.found.get(text);
  }

  /** `found` must depend on role and text alone. */
  put(role: string, text: string, found: T): void {
    if (text.length > LONGEST) return;
    let shelf = this.#shelves.get(role);
    if (shelf === undefined) {
      shelf = { found: new Map(), characters: 0 };
      this.#shelves.set(role, shelf);
    }
    if (!shelf.found.has(text)) shelf.characters += text.length;
    shelf.found.set(text, found);
    for (const oldest of shelf.found.keys()) {
      if (shelf.found.size <= MOST_TEXTS && shelf.characters <= MOST_CHARACTERS) break;
      shelf.found.delete(oldest);
      shelf.characters -= oldest.length;
    }
  }
}
