/** Whether a difference is one that is known already, whole or piece by piece. Pure. */
import type { Effect } from "./compare.ts";

/** What tells an effect from others: each changed piece of a line, or the whole of what came or went. */
export function piecesOf({ a, b, signature }: Effect): readonly string[] {
  if (a === null || b === null) return [signature];
  const [x, y] = [a.split(" … "), b.split(" … ")];
  return x.map((text, at) => `${text}\0${y[at] ?? ""}`);
}

/** Pieces of the effect that no known one has; none when the effect as a whole is known. */
export function unknownPieces(effect: Effect, known: readonly Effect[]): readonly string[] {
  if (known.some(({ signature }) => signature === effect.signature)) return [];
  const pieces = new Set(known.flatMap(piecesOf));
  return piecesOf(effect).filter((piece) => !pieces.has(piece));
}

/** Whether one of the effects has all these pieces. */
export const hasPieces = (effects: readonly Effect[], pieces: readonly string[]): boolean =>
  effects.some((effect) => {
    const own = new Set(piecesOf(effect));
    return pieces.every((piece) => own.has(piece));
  });
