/**
 * Where known values stand in the JSON bodies of one session. Every turn sends the whole conversation again: a body is searched
 * only where it differs from an earlier one, so that a turn costs what is new in it.
 *
 * Exact: what is remembered is used only where the bytes are the same and stand in the same place of the document, which the
 * walk's own state says (json-strings.ts). Held in memory only, as the values themselves.
 */
import { keepInPlace, samePrefix, sameSuffix } from "../core/index.ts";
import { bytesOfUnits, decodeString, type JsonString, type WalkPoint, walkStrings } from "./json-strings.ts";

/** A known value in a text, in UTF-16 units. */
interface Range {
  readonly start: number;
  readonly end: number;
}

/** A string in which known values stand. */
export interface Spot<Hit extends Range> {
  readonly string: JsonString;
  /** Ascending and disjoint. */
  readonly hits: readonly Hit[];
  /** For each hit the bytes from the string's start at which it begins and ends. */
  readonly ranges: readonly Range[];
}

export interface Spots<Hit extends Range> {
  /** In document order. Throws Fault("inspect.unreadable") when the body is no JSON. */
  in(body: Buffer): readonly Spot<Hit>[];
}

interface Lane<Hit extends Range> {
  readonly body: Buffer;
  readonly spots: readonly Spot<Hit>[];
  /** Where the walk may go on. */
  readonly points: readonly WalkPoint[];
}

/** A session has few conversations under way at once (the decoder remembers six), and each comes in and leaves. */
const MAX_LANES = 12;
/** Of all bodies that are kept. */
const MAX_BYTES = 16 * 1024 * 1024;
/** A smaller body is searched as a whole. */
const MIN_BYTES = 4 * 1024;
/** Between points within arrays. */
const POINT_BYTES = 1024;
/** Points between members of objects, which are kept wherever they stand. */
const MAX_MEMBERS = 256;
const MAX_POINT_DEPTH = 3;

export function createSpots<Hit extends Range>(options: {
  readonly find: (text: string) => readonly Hit[];
  /** Ascending byte offsets near which a value may stand; null: it may stand anywhere. */
  readonly suspects: (bytes: Buffer) => readonly number[] | null;
}): Spots<Hit> {
  let lanes: readonly Lane<Hit>[] = [];

  const nearest = (
    body: Buffer,
  ): { readonly lane: Lane<Hit>; readonly prefix: number; readonly suffix: number } | null => {
    let best = null;
    for (const lane of lanes) {
      const prefix = samePrefix(body, lane.body);
      const suffix = sameSuffix(body, lane.body, Math.min(body.length, lane.body.length) - prefix);
      if (best === null || prefix + suffix > best.prefix + best.suffix) best = { lane, prefix, suffix };
      if (prefix + suffix > (body.length * 7) / 8) break; // near enough to be the conversation
    }
    return best;
  };

  /** The strings with hits and the points from `from` on; null when the walk does not come by `join`. */
  const walk = (
    body: Buffer,
    from: WalkPoint | null,
    join: WalkPoint | null,
  ): Omit<Lane<Hit>, "body"> | null => {
    const begin = from?.at ?? 0;
    const suspects = options.suspects(body.subarray(begin, join?.at ?? body.length));
    const spots: Spot<Hit>[] = [];
    const points: WalkPoint[] = [];
    let next = 0;
    let members = 0;
    let joins = false;
    const visit = (string: JsonString): void => {
      if (suspects !== null) {
        while (next < suspects.length && begin + (suspects[next] ?? 0) < string.start) next++;
        if (next >= suspects.length || begin + (suspects[next] ?? 0) >= string.end) return;
      }
      const spot = spotOf(body, string, options.find(decodeString(body, string.start, string.end)));
      if (spot !== null) spots.push(spot);
    };
    walkStrings(body, visit, {
      from,
      maxDepth: MAX_POINT_DEPTH,
      pass: (at, point) => {
        if (join !== null && at >= join.at) {
          joins = isSamePoint(join, point());
          return false;
        }
        const far = at - (points.at(-1)?.at ?? begin) >= POINT_BYTES;
        if (!far && members >= MAX_MEMBERS) return true;
        const here = point();
        const isMember = isBetweenMembers(here);
        if (isMember) members++;
        if (far || isMember) points.push(here);
        return true;
      },
    });
    return join === null || joins ? { spots, points } : null;
  };

  const search = (body: Buffer, near: ReturnType<typeof nearest>): Omit<Lane<Hit>, "body"> => {
    if (near === null) return walk(body, null, null) ?? NOTHING;
    const { lane, prefix, suffix } = near;
    if (prefix === body.length && prefix === lane.body.length) return lane;
    const from = lane.points.findLast(({ at }) => at <= prefix) ?? null;
    const begin = from?.at ?? 0;
    const before = {
      spots: lane.spots.filter(({ string }) => string.end < begin),
      points: lane.points.filter(({ at }) => at <= begin),
    };
    const shift = body.length - lane.body.length;
    const tail = lane.points.find(
      (point) => point.at >= lane.body.length - suffix && point.at + shift > begin && isBetweenMembers(point),
    );
    const middle = tail === undefined ? null : walk(body, from, shifted(tail, shift));
    if (tail === undefined || middle === null) {
      const { spots, points } = walk(body, from, null) ?? NOTHING;
      return { spots: [...before.spots, ...spots], points: [...before.points, ...points] };
    }
    const after = lane.spots.filter(({ string }) => string.start >= tail.at);
    return {
      spots: [
        ...before.spots,
        ...middle.spots,
        ...after.map((spot) => ({ ...spot, string: movedBy(spot.string, shift) })),
      ],
      points: [
        ...before.points,
        ...middle.points,
        ...lane.points.filter(({ at }) => at >= tail.at).map((point) => shifted(point, shift)),
      ],
    };
  };

  return {
    in(body) {
      if (body.length < MIN_BYTES || body.length > MAX_BYTES) return search(body, null).spots;
      const near = nearest(body);
      const { spots, points } = search(body, near);
      const isSuccessor = near !== null && near.prefix + near.suffix >= (near.lane.body.length * 2) / 3;
      const last = isSuccessor ? near.lane : null;
      const kept = { body: keepInPlace(body, last?.body ?? null, near?.prefix ?? 0), spots, points };
      let room = MAX_BYTES;
      lanes = [kept, ...lanes.filter((lane) => lane !== last)].slice(0, MAX_LANES).filter((lane) => {
        room -= lane.body.length;
        return room >= 0;
      });
      return spots;
    },
  };
}

const NOTHING = { spots: [], points: [] };

/** Null without hits. */
export function spotOf<Hit extends Range>(
  body: Buffer,
  string: JsonString,
  hits: readonly Hit[],
): Spot<Hit> | null {
  if (hits.length === 0) return null;
  const { start, end } = string;
  const places = bytesOfUnits(
    body,
    start,
    end,
    hits.flatMap((hit) => [hit.start, hit.end]),
  );
  const ranges = hits.map((_, i) => ({
    start: (places[2 * i] ?? end) - start,
    end: (places[2 * i + 1] ?? end) - start,
  }));
  return { string, hits, ranges };
}

/** No array is open, whose elements before would count: what follows stands in the same place wherever it begins. */
const isBetweenMembers = ({ indices }: WalkPoint): boolean => indices.every((index) => index < 0);

const isSamePoint = (a: WalkPoint, b: WalkPoint): boolean =>
  a.at === b.at &&
  a.pointer === b.pointer &&
  a.isKey === b.isKey &&
  isSameList(a.pointers, b.pointers) &&
  isSameList(a.indices, b.indices);

const isSameList = <T>(a: readonly T[], b: readonly T[]): boolean =>
  a.length === b.length && a.every((one, i) => one === b[i]);

const shifted = (point: WalkPoint, by: number): WalkPoint => ({ ...point, at: point.at + by });

const movedBy = (string: JsonString, by: number): JsonString => ({
  ...string,
  start: string.start + by,
  end: string.end + by,
});
