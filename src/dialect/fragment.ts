/**
 * A text sent in pieces: each request or message to a destination carries some of it, beside what numbers or wraps it.
 * Of each, the longest run of characters that keys are made of is kept, and told behind those before it, so that what
 * was cut in two is read as one. Only small requests: a conversation is repeated whole, and has its own memory.
 */
import type { Memory } from "./memory.ts";
import type { TextPart } from "./request.ts";

/** A token cut in more pieces than this is found by the part of it that the last ones hold, or not at all. */
const MOST_PIECES = 6;
const MOST_HOSTS = 500;
const LONGEST_PIECE = 200;
const SHORTEST_PIECE = 3;
/** All text of a request that may be a piece of another. */
const MOST_TEXT = 4096;

/** Pairs of parts, the last so many pieces joined and this one; or none. `undo` takes this one back. */
export function fragmentParts(
  { fragments }: Memory,
  place: string,
  texts: readonly string[],
): { readonly parts: readonly TextPart[]; readonly undo: () => void } {
  const piece = pieceOf(texts);
  if (piece === null) return { parts: [], undo: () => {} };
  const earlier = fragments.get(place) ?? [];
  if (fragments.size > MOST_HOSTS) fragments.clear();
  // The same request once more says nothing new, and must not stand between two pieces.
  if (earlier.at(-1) !== piece) fragments.set(place, [...earlier, piece].slice(-MOST_PIECES));
  const undo = (): void => void fragments.set(place, earlier);
  if (earlier.length === 0) return { parts: [], undo };
  const part = (text: string): TextPart => ({ pointer: "", role: "fragment", text, isNew: true });
  // What came first may have been something else: a key does not begin in the middle of a word.
  return { parts: earlier.flatMap((_, i) => [part(earlier.slice(i).join("")), part(piece)]), undo };
}

function pieceOf(texts: readonly string[]): string | null {
  let all = 0;
  let best = "";
  for (const text of texts) {
    all += text.length;
    if (all > MOST_TEXT) return null;
    for (const [run] of text.matchAll(/[A-Za-z0-9_+=.-]+/g)) if (run.length > best.length) best = run;
  }
  return best.length < SHORTEST_PIECE ? null : best.slice(0, LONGEST_PIECE);
}
