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
/** Between points within arrays; what is the same for less is walked again. */
const POINT_BYTES = 1024;
/** From so many on, points between members of objects are kept only where they are far from the last, as others are. */
const MAX_POINTS = 2_000;
const MAX_POINT_DEPTH = 3;
/** Suspects are looked for so far ahead of the walk. */
const AHEAD_BYTES = 16 * 1024;

export function createSpots<Hit extends Range>(options: {
  readonly find: (text: string) => readonly Hit[];
  /** Ascending byte offsets near which a value may stand; null: it may stand anywhere. */
  readonly suspects: (bytes: Buffer) => readonly number[] | null;
}): Spots<Hit> {
  let lanes: readonly Lane<Hit>[] = [];

  const nearest = (body: Buffer): Near<Hit> | null => {
    let best = null;
    for (const lane of lanes) {
      const prefix = samePrefix(body, lane.body);
      const suffix = sameSuffix(body, lane.body, Math.min(body.length, lane.body.length) - prefix);
      if (best === null || prefix + suffix > best.prefix + best.suffix) best = { lane, prefix, suffix };
      if (prefix + suffix > (body.length * 7) / 8) break; // near enough to be the conversation
    }
    return best;
  };

  /** Whether a value may stand within bytes of a body, which are asked for in ascending order. */
  const suspectsIn = (body: Buffer): ((start: number, end: number) => boolean) => {
    let places: readonly number[] | null = [];
    let next = 0;
    let until = 0;
    return (start, end) => {
      if (end > until) {
        const begin = Math.max(start, until);
        until = Math.min(body.length, Math.max(end, begin + AHEAD_BYTES));
        // From the string's own beginning: a value may lie across what was looked at and what was not.
        const from = Math.min(begin, start);
        places = options.suspects(body.subarray(from, until))?.map((place) => from + place) ?? null;
        next = 0;
      }
      if (places === null) return true;
      while (next < places.length && (places[next] ?? 0) < start) next++;
      return next < places.length && (places[next] ?? 0) < end;
    };
  };

  /**
   * Walks what is not as in the lane's body: from where the two part until they stand in the same place again, there on to
   * where they part again.
   */
  const search = (body: Buffer, near: Near<Hit> | null): Omit<Lane<Hit>, "body"> => {
    const lane = near?.lane ?? null;
    const spots: Spot<Hit>[] = [];
    const points: WalkPoint[] = [];
    const isSuspect = suspectsIn(body);
    const members = new Map(lane?.points.filter(isBetweenMembers).map((point) => [placeOf(point), point]));
    const visit = (string: JsonString): void => {
      if (!isSuspect(string.start, string.end)) return;
      const spot = spotOf(body, string, options.find(decodeString(body, string.start, string.end)));
      if (spot !== null) spots.push(spot);
    };
    /** What stands from `old` on in the lane's body stands from `at` on in this one, for `length` bytes: where it does so no more. */
    const take = (old: number, at: number, length: number): WalkPoint | null => {
      if (lane === null) return null;
      const last = lane.points.findLast((point) => point.at > old && point.at <= old + length);
      if (last === undefined) return null;
      const shift = at - old;
      for (const spot of lane.spots)
        if (spot.string.start >= old && spot.string.end < last.at)
          spots.push(shift === 0 ? spot : { ...spot, string: movedBy(spot.string, shift) });
      for (const point of lane.points)
        if (point.at > old && point.at <= last.at) points.push(shifted(point, shift));
      return shifted(last, shift);
    };

    let from = near === null ? null : take(0, 0, near.prefix);
    for (let isOver = false; !isOver; ) {
      const begin = from?.at ?? 0;
      isOver = true;
      walkStrings(body, visit, {
        from,
        maxDepth: MAX_POINT_DEPTH,
        pass: (at, point) => {
          const isFar = at - (points.at(-1)?.at ?? 0) >= POINT_BYTES;
          if (!isFar && points.length >= MAX_POINTS) return true;
          const here = point();
          const isMember = isBetweenMembers(here);
          if (isFar || isMember) points.push(here);
          const old = isMember && at > begin ? members.get(placeOf(here)) : undefined;
          if (old === undefined || lane === null) return true;
          const rest = samePrefix(body.subarray(at), lane.body.subarray(old.at));
          const on = rest < POINT_BYTES ? null : take(old.at, at, rest);
          if (on === null) return true;
          from = on;
          isOver = false;
          return false;
        },
      });
    }
    return { spots, points };
  };

  return {
    in(body) {
      if (body.length < MIN_BYTES || body.length > MAX_BYTES) return search(body, null).spots;
      const near = nearest(body);
      const isSame = near?.prefix === body.length && near.prefix === near.lane.body.length;
      const { spots, points } = isSame ? near.lane : search(body, near);
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

interface Near<Hit extends Range> {
  readonly lane: Lane<Hit>;
  readonly prefix: number;
  readonly suffix: number;
}

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

/** Equal for points from which the same bytes are walked the same way. */
const placeOf = ({ pointers, indices, pointer, isKey }: WalkPoint): string =>
  JSON.stringify([pointers, indices, pointer, isKey]);

const shifted = (point: WalkPoint, by: number): WalkPoint => ({ ...point, at: point.at + by });

const movedBy = (string: JsonString, by: number): JsonString => ({
  ...string,
  start: string.start + by,
  end: string.end + by,
});
