/**
 * Runs folded into facts that can be compared as sets: each request, each line at each place with its number of
 * occurrences, each request's order. A fact that all runs of one environment have and no run of the other has is a
 * difference; a fact that runs of the same environment do not agree on is noise and decides nothing.
 */
import { type Echo, echoOf, type Surroundings } from "./echo.ts";
import type { FileLine } from "./files.ts";
import type { SeenRequest } from "./http.ts";
import { itemsOf, type Section } from "./leaves.ts";
import type { Noise } from "./noise.ts";

/** A line at its place, the environment's own values replaced by their names. */
export interface Line {
  readonly section: Section;
  readonly path: string;
  readonly text: string;
  /** As it was sent. */
  readonly raw: string;
  /** Request, section and path in one. */
  readonly place: string;
}

/** Stands among the requests for what a run left in its home. */
export const FILES = "FILES";

export interface ReadRequest {
  /** `POST ‹base-host›/v1/messages`. */
  readonly name: string;
  readonly lines: readonly Line[];
}

/** One run, read; noise is masked later, as it is learnt. */
export interface ReadRun {
  readonly requests: readonly ReadRequest[];
  readonly echoed: ReadonlySet<string>;
}

export interface Fact {
  readonly id: string;
  /** The request's name. */
  readonly request: string;
  readonly section: Section | "presence";
  readonly path: string;
  readonly text: string;
  /** As one run sent it, what varies by itself masked. */
  readonly raw: string;
  /** 1 for the first of equal ones in the run. */
  readonly nth: number;
}

/**
 * Reads a run. `known`: names of requests that the baseline makes (none yet: empty). A base URL may be a host that the
 * agent speaks to anyway: a request is named after the base URL only where the baseline has one of that name; and where
 * no base URL is set, the vendor's own host stands for it.
 */
export function readRun(
  requests: readonly SeenRequest[],
  lookedUp: readonly string[],
  around: Surroundings,
  known: ReadonlySet<string>,
  files: readonly FileLine[],
): ReadRun {
  const echoes = new Map<string | null, Echo>();
  const echoFor = (base: string | null): Echo => {
    const echo = echoes.get(base) ?? remembering(echoOf(around, base));
    echoes.set(base, echo);
    return echo;
  };
  const places = new Map<string, string>();
  const contacted = new Set(requests.map((request) => request.host.replace(/:\d+$/, "")));
  const read = requests.map((request) => {
    const plain = echoFor(null);
    const based = echoFor(around.setting.base ?? `${request.scheme}://${request.host}`);
    const [asBase, asItself] = [requestName(request, based), requestName(request, plain)];
    const isItself = known.has(asItself) || (around.setting.base === null && !known.has(asBase));
    // Elsewhere the base URL is quoted, not addressed.
    const isBase = around.setting.base === null || new URL(around.setting.base).host === request.host;
    const echo = isItself && isBase ? plain : based;
    const name = isItself ? asItself : asBase;
    const lines = itemsOf(request).map((item) => {
      const path = echo.replace(item.path);
      const place = interned(places, `${name}\n${item.section}\n${path}`);
      return { section: item.section, path, text: echo.replace(item.text), raw: item.text, place };
    });
    return { name, lines };
  });
  const silent = lookedUp
    .filter((name) => !contacted.has(name))
    .map((name) => ({ name: `LOOK-UP ${echoFor(around.setting.base).replace(name)}`, lines: [] }));
  const plain = echoFor(around.setting.base);
  const left = {
    name: FILES,
    lines: files.map(({ section, path, text }) => {
      const at = plain.replace(path);
      return {
        section,
        path: at,
        text: plain.replace(text),
        raw: text,
        place: `${FILES}\n${section}\n${at}`,
      };
    }),
  };
  return {
    requests: [...read, ...silent, left],
    echoed: new Set([...echoes.values()].flatMap((echo) => [...echo.met])),
  };
}

/** One string for equal ones: they are kept and compared by the ten thousand. */
function interned(known: Map<string, string>, text: string): string {
  const one = known.get(text);
  if (one !== undefined) return one;
  known.set(text, text);
  return text;
}

/** A session says most things many times. */
function remembering(echo: Echo): Echo {
  const done = new Map<string, string>();
  return {
    met: echo.met,
    replace: (text) => {
      const known = done.get(text);
      if (known !== undefined) return known;
      const made = echo.replace(text);
      done.set(text, made);
      return made;
    },
  };
}

/** Ids in a path are not part of a request's name. */
function requestName(request: SeenRequest, echo: Echo): string {
  const path = request.target.replace(/^[a-z]+:\/\/[^/]*/i, "").replace(/\?.*$/, "");
  const plain = path.replaceAll(
    /[0-9a-f]{8}-[0-9a-f-]{27}|(?<=\/)[0-9a-f]{16,}(?=\/|$)|(?<=\/)\d{5,}(?=\/|$)/gi,
    "‹id›",
  );
  const origin = echo.replace(`${request.scheme}://${request.host}`);
  return `${request.method} ${origin}${echo.replace(plain)}`;
}

export const placeOf = (request: string, line: Line): string => `${request}\n${line.section}\n${line.path}`;

/** A run's facts by id, and the ids of each request's lines in order, by request name and section. */
export interface FoldedRun {
  readonly facts: ReadonlyMap<string, Fact>;
  readonly sequences: ReadonlyMap<string, readonly (readonly string[])[]>;
}

/** Made once for what the noise has learnt so far: folds are asked for again and again. */
export const foldRun = (run: ReadRun, noise: Noise): FoldedRun => noise.kept(run, () => makeFold(run, noise));

const NOTHING = { path: "", text: "", raw: "" };

function makeFold(run: ReadRun, noise: Noise): FoldedRun {
  const facts = new Map<string, Fact>();
  const counts = new Map<string, number>();
  const sequences = new Map<string, string[][]>();
  const add = (
    base: string,
    request: string,
    section: Fact["section"],
    { path, text, raw }: Pick<Line, "path" | "text" | "raw">,
  ): void => {
    const nth = (counts.get(base) ?? 0) + 1;
    counts.set(base, nth);
    const id = nth === 1 ? base : `${base}\n${nth}`;
    facts.set(id, { id, request, section, path, text, raw, nth });
  };
  for (const request of run.requests) {
    add(`${request.name}\npresence\n\n`, request.name, "presence", NOTHING);
    const lists = new Map<string, string[]>();
    for (const line of request.lines) {
      const text = noise.mask(line.place, line.text);
      const base = noise.once(`${line.place}\n${text}`);
      // Where the environment's values stand in it, the line as it was sent is another.
      const raw = line.raw === line.text ? text : noise.mask(line.place, line.raw);
      add(base, request.name, line.section, { path: line.path, text, raw });
      const list = lists.get(line.section);
      if (list === undefined) lists.set(line.section, [base]);
      else list.push(base);
    }
    for (const [section, list] of lists) {
      const key = `${request.name}\n${section}`;
      sequences.set(key, [...(sequences.get(key) ?? []), list]);
    }
  }
  return { facts, sequences };
}

/** Learns from two control runs what varies; returns when another look would teach nothing. */
export function learnNoise(one: ReadRun, other: ReadRun, noise: Noise): void {
  for (let round = 0; round < 4; round += 1) {
    let learnt = false;
    const [a, b] = [linesByPlace(one, noise), linesByPlace(other, noise)];
    for (const [place, lines] of a) {
      const match = b.get(place);
      if (match !== undefined) learnt = learnPlace(place, lines, match, noise) || learnt;
    }
    if (!learnt) return;
  }
}

function linesByPlace(run: ReadRun, noise: Noise): Map<string, { masked: string; text: string }[]> {
  const out = new Map<string, { masked: string; text: string }[]>();
  for (const request of run.requests)
    for (const line of request.lines) {
      const { place } = line;
      const list = out.get(place) ?? [];
      list.push({ masked: noise.mask(place, line.text), text: line.text });
      out.set(place, list);
    }
  return out;
}

type Lines = readonly { readonly masked: string; readonly text: string }[];

/** Pairs what is in one and not in the other, in order, and lets the noise learn from each pair. */
function learnPlace(place: string, one: Lines, other: Lines, noise: Noise): boolean {
  const [a, b] = [surplus(one, other), surplus(other, one)];
  let learnt = false;
  const pairs = Math.min(a.length, b.length, 400);
  for (let i = 0; i < pairs; i += 1) learnt = noise.learn(place, a[i] ?? "", b[i] ?? "") || learnt;
  return learnt;
}

function surplus(one: Lines, other: Lines): readonly string[] {
  const counts = new Map<string, number>();
  for (const { masked } of other) counts.set(masked, (counts.get(masked) ?? 0) + 1);
  return one.flatMap(({ masked, text }) => {
    const left = counts.get(masked) ?? 0;
    counts.set(masked, left - 1);
    return left > 0 ? [] : [text];
  });
}
