/**
 * A build's own words: the lines of its system prompt, of its tools and of what it puts round the person's text, as they
 * were when the build was vetted. At run time each line that a build sends is compared: equal; equal only after look-alike
 * characters, punctuation and invisible ones are folded together, which is how an agent can mark who and where you are;
 * accounted for by what the person, a file or a command said; or none of these.
 *
 * What differs from run to run by nature (numbers, paths, ids) is folded away on both sides: a template knows shapes of
 * lines, and the punctuation within a date belongs to the shape. Pure.
 */
import { createHmac } from "node:crypto";
import { z } from "zod";
import { Fault } from "../core/index.ts";
import type { Finding, InspectedPart, Inspection, Inspector } from "./inspect.ts";

/** The class of a line that is the template's but for look-alike characters, for policies to name. */
export const ALTERED_CLASS = "altered_template";
export const ALTERED_DETECTOR = "template-altered";

const File = z.strictObject({
  version: z.literal(1),
  /** The build's hash: see src/register/build.ts. */
  build: z.string(),
  /** Unix ms. */
  at: z.int().min(0),
  /** Shapes of lines, sorted. */
  lines: z.array(z.string()).max(100_000),
});
/** What a template file holds. It is the vendor's text: kept on the machine, never shipped. */
export type TemplateFile = z.infer<typeof File>;

export interface Template {
  readonly build: string;
  /** By folded shape: the shape as the build writes it. */
  readonly shapes: ReadonlyMap<string, string>;
}

const plainest = (forms: readonly string[]): string =>
  [...forms].sort((a, b) => strangers(a) - strangers(b) || (a < b ? -1 : 1))[0] ?? "";
const strangers = (text: string): number => text.match(/\P{ASCII}/gu)?.length ?? 0;

/** Roles whose text the agent itself composes, at least in part. */
const COMPOSED: ReadonlySet<string> = new Set(["system", "user", "definition"]);
/** Roles whose text accounts for what a prompt may repeat. */
const SAID: ReadonlySet<string> = new Set(["user", "tool", "assistant"]);
/** A line with fewer letters tells nothing. */
const LEAST_LETTERS = 8;
const LONGEST_LINE = 20_000;
const MOST_REMEMBERED = 200_000;

/** The template from what a build sent in vetted runs. `said`: the prompts it was given, which are not the build's words. */
export function makeTemplate(
  parts: readonly { readonly role: string; readonly text: string }[],
  about: { readonly build: string; readonly at: number; readonly said: readonly string[] },
): TemplateFile {
  const own = new Set(about.said.flatMap((text) => [...linesOf(text)].map(({ shape }) => shape)));
  const lines = new Set<string>();
  for (const { role, text } of parts)
    if (COMPOSED.has(role)) for (const { shape } of linesOf(text)) if (!own.has(shape)) lines.add(shape);
  return { version: 1, build: about.build, at: about.at, lines: [...lines].sort() };
}

/**
 * Lines that the build wrote in several forms which a person would read as the same: vetting should say why. `lines`: a
 * template's. The form that a template keeps is the one with the fewest characters outside ASCII; see {@link openTemplate}.
 */
export function ambiguous(lines: readonly string[]): readonly (readonly string[])[] {
  return [...Map.groupBy(lines, fold).values()].filter((forms) => forms.length > 1);
}

/** Throws `inspect.template` for what is no template. */
export function openTemplate(text: string, file: string): Template {
  let data: TemplateFile;
  try {
    data = File.parse(JSON.parse(text));
  } catch (cause) {
    throw new Fault("inspect.template", { at: file, cause });
  }
  const forms = Map.groupBy(data.lines, fold);
  return { build: data.build, shapes: new Map([...forms].map(([folded, own]) => [folded, plainest(own)])) };
}

export interface TemplateTally {
  /** Distinct lines that are the template's only after folding. */
  readonly altered: number;
  /** Distinct lines of system prompt and tools that nothing accounts for. */
  readonly unaccounted: number;
  /** Distinct lines that are the template's. */
  readonly known: number;
}

export interface TemplateInspector extends Inspector {
  tally(): TemplateTally;
}

/**
 * The inspector, with a finding for each altered line. One per session. `surroundings`: texts that a prompt may quote, such as
 * the repository's instruction files. `key`: as the inspector's own.
 */
export function withTemplate(
  inspector: Inspector,
  template: Template,
  key: Uint8Array,
  surroundings: readonly string[],
): TemplateInspector {
  const said = new Set(surroundings.flatMap((text) => [...linesOf(text)].map(({ shape }) => shape)));
  const seen = { altered: new Set<string>(), unaccounted: new Set<string>(), known: new Set<string>() };
  const account = (part: InspectedPart, index: number): readonly Finding[] => {
    const found: Finding[] = [];
    if (!COMPOSED.has(part.role)) return found;
    for (const { shape, start, end } of linesOf(part.text)) {
      const own = template.shapes.get(fold(shape));
      if (own === shape) seen.known.add(shape);
      else if (own !== undefined && !said.has(shape)) {
        if (seen.altered.size < MOST_REMEMBERED) seen.altered.add(shape);
        const hash = createHmac("sha256", key)
          .update(`${ALTERED_CLASS}\0${shape}`)
          .digest("hex")
          .slice(0, 32);
        found.push({
          class: ALTERED_CLASS,
          detector: ALTERED_DETECTOR,
          part: index,
          start,
          end,
          hash,
          verified: false,
        });
      } else if (part.role !== "user" && !said.has(shape) && seen.unaccounted.size < MOST_REMEMBERED)
        seen.unaccounted.add(shape);
    }
    return found;
  };
  const asVetted = (part: InspectedPart): ReadonlyMap<string, string> => {
    const lines = new Map<string, string>();
    if (!COMPOSED.has(part.role)) return lines;
    for (const { shape, start, end } of linesOf(part.text)) {
      const own = template.shapes.get(fold(shape));
      if (own === undefined || own === shape || said.has(shape)) continue;
      const line = part.text.slice(start, end);
      lines.set(line, withForm(line, own) ?? line);
    }
    return lines;
  };
  return {
    asVetted,
    labels: inspector.labels,
    foresee: inspector.foresee,
    inspect(parts): Inspection {
      const inspection = inspector.inspect(parts);
      const findings = parts.flatMap((part, index) => account(part, index));
      // After it was judged, not before: a marked line must not account for itself.
      for (const part of parts)
        if (part.isNew && SAID.has(part.role) && said.size < MOST_REMEMBERED)
          for (const { shape } of linesOf(part.text)) if (!template.shapes.has(fold(shape))) said.add(shape);
      if (findings.length === 0) return inspection;
      return {
        findings: [...inspection.findings, ...findings],
        tally: [
          ...inspection.tally,
          { class: ALTERED_CLASS, detector: ALTERED_DETECTOR, count: findings.length },
        ],
      };
    },
    tally: () => ({
      altered: seen.altered.size,
      unaccounted: seen.unaccounted.size,
      known: seen.known.size,
    }),
  };
}

interface Line {
  /** The line with what varies by nature folded away. */
  readonly shape: string;
  /** UTF-16 offsets into the text. */
  readonly start: number;
  readonly end: number;
}

/** Lines that say something, and their places. */
function* linesOf(text: string): Generator<Line> {
  let start = 0;
  while (start < text.length) {
    const at = text.indexOf("\n", start);
    const end = at < 0 ? text.length : at;
    if (end - start >= LEAST_LETTERS && end - start <= LONGEST_LINE) {
      const line = text.slice(start, end);
      if (hasLetters(line)) yield { shape: shapeOf(line), start, end };
    }
    start = end + 1;
  }
}

const hasLetters = (line: string): boolean => (line.match(/\p{L}/gu)?.length ?? 0) >= LEAST_LETTERS;

/** What varies by nature, and what stands for it in a shape; in this order. */
const PATTERNS: readonly (readonly [pattern: RegExp, put: string])[] = [
  [/(?<![\w/])(?:~|\.{1,2})?(?:\/[\w.@+-]+)+\/?/g, "/…"],
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b|\b[0-9a-f]{12,}\b/gi, "…"],
  [/\d+/g, "0"],
];

/** Numbers, hexadecimal ids and paths to one form each; punctuation stays as it is. */
const shapeOf = (line: string): string =>
  PATTERNS.reduce((text, [pattern, put]) => text.replaceAll(pattern, put), line.trim());

/**
 * The line with the characters of another form of its shape: its own numbers, ids and paths stay. Null where it cannot be
 * told which of them belongs where.
 */
function withForm(line: string, form: string): string | null {
  const trimmed = line.trim();
  if (/[\u{f0000}-\u{ffffd}]/u.test(trimmed)) return null;
  const values: { readonly value: string; readonly put: string }[] = [];
  const marked = PATTERNS.reduce(
    (text, [pattern, put]) =>
      text.replaceAll(pattern, (value) => {
        values.push({ value, put });
        return String.fromCodePoint(PRIVATE + values.length - 1);
      }),
    trimmed,
  );
  let [made, rest] = ["", form];
  for (const char of marked) {
    const met = values[(char.codePointAt(0) ?? 0) - PRIVATE];
    if (met === undefined) continue;
    const { value, put } = met;
    const next = rest.indexOf(put);
    if (next < 0) return null;
    made += rest.slice(0, next) + value;
    rest = rest.slice(next + put.length);
  }
  const whole = made + rest;
  const start = line.indexOf(trimmed);
  if (shapeOf(whole) !== form) return null;
  return line.slice(0, start) + whole + line.slice(start + trimmed.length);
}

/** Code points that no text means anything by (plane 15). */
const PRIVATE = 0xf0000;

const SINGLE_QUOTES =
  /[`´\u2018\u2019\u201a\u201b\u02b9\u02bb\u02bc\u02bd\u02be\u02bf\u02c8\u02ca\u2032\u2035\u055a\u07f4\u07f5\ua78c\uff07\u0060]/g;
const DOUBLE_QUOTES = /[\u201c-\u201f\u00ab\u00bb\u2033\u2036\u301d\u301e\uff02]/g;
const DASHES = /[\u2010-\u2015\u2212\ufe58\ufe63\uff0d\u00ad]/g;
/** Letters of other alphabets that look like Latin ones; from Unicode's confusables for these alphabets. */
const ALIKE: ReadonlyMap<string, string> = new Map(
  Array.from(
    "аaеeоoрpсcуyхxіiјjѕsԁdԛqԝwһhӏlΑAΒBΕEΖZΗHΙIΚKΜMΝNΟOΡPΤTΥYΧXАAВBЕEКKМMНHОOРPСCТTХXοoαaνvɡg".matchAll(
      /(.)(.)/gu,
    ),
    ([, alike = "", latin = ""]) => [alike, latin],
  ),
);

/** What a person would read as the same. */
function fold(shape: string): string {
  return shape
    .normalize("NFKC")
    .replaceAll(/[\p{Cf}\p{Mn}]/gu, "")
    .replaceAll(SINGLE_QUOTES, "'")
    .replaceAll(DOUBLE_QUOTES, '"')
    .replaceAll(DASHES, "-")
    .replaceAll(/(?<=0)[-/.年月](?=0)/g, "-")
    .replaceAll(/[^\p{ASCII}]/gu, (char) => ALIKE.get(char) ?? char)
    .replaceAll(/[\s\p{Zs}]+/gu, " ")
    .trim();
}
