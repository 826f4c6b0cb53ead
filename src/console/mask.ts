/**
 * Values found in sealed bytes stand masked until somebody unmasks one. What is found is found anew, by the detectors of this
 * program, each time it is looked at: the record holds classes and numbers, never places.
 *
 * Fail closed: where the record says that a class was found and this look does not find it (the organisation's own words,
 * classified code), each part of the text is one masked value; where a value cannot be found again in the text that is shown,
 * nothing of the text is shown here.
 *
 * A placeholder is shown as it is. Whether a match is one is told by the record: its class was replaced in this session before or
 * in this request, and no waiver let the class pass.
 */
import { createInspector, type Finding, type Inspector } from "../inspect/index.ts";
import type { Masked } from "./api/sessions.ts";

const MASK = "••••••••";
/** Placeholders that are no format's: see src/inspect/placeholder.ts. */
const PLAIN_PLACEHOLDER = /redacted_[a-z0-9]{20}|user_[a-z0-9]{12}@redacted\.invalid/g;

/** What the record says of a request's values. */
export interface Record {
  /** Classes that were replaced in this session so far, if this request left with replacements. */
  readonly replaced: ReadonlySet<string>;
  /** Of the evidence that the text is from. */
  readonly evidence: string;
}

export interface MaskedText {
  readonly text: string;
  readonly masked: readonly Masked[];
}

/** Compiling the detectors takes a moment: made when first needed. Owned by the console. */
export function lazyInspector(key: Uint8Array): () => Inspector {
  let made: Inspector | null = null;
  return () => {
    made ??= createInspector({ key });
    return made;
  };
}

interface Place {
  readonly class: string;
  readonly detector: string;
  readonly hash: string;
  readonly start: number;
  readonly end: number;
}

/** A class that the record tells of and that was not found now; undefined: none. */
export function unplacedIn<T extends { readonly class: string }>(
  { findings: told }: { readonly findings: readonly T[] },
  found: readonly { readonly class: string }[],
  replaced: ReadonlySet<string>,
): T | undefined {
  const classes = new Set(found.map((one) => one.class));
  return told.find((one) => !classes.has(one.class) && !replaced.has(one.class));
}

/** A text of which any place may hold something of this class. */
export function maskWhole(
  id: string,
  { class: name, detector }: { readonly class: string; readonly detector: string },
): MaskedText {
  return { text: MASK, masked: [{ id, class: name, detector, start: 0, end: MASK.length, as: "value" }] };
}

/** A text with its own findings' places. */
export function maskPlaces(text: string, findings: readonly Place[], record: Record): MaskedText {
  const places: Place[] = [...findings];
  for (const match of text.matchAll(PLAIN_PLACEHOLDER))
    places.push({
      ...{ class: [...record.replaced][0] ?? "", detector: "placeholder", hash: "" },
      start: match.index,
      end: match.index + match[0].length,
    });
  places.sort((a, b) => a.start - b.start || b.end - a.end);
  let out = "";
  let at = 0;
  const masked: Masked[] = [];
  for (const place of places) {
    // Within the one before: hidden by it. Overlapping its end: the rest is hidden too.
    if (place.end <= at) continue;
    const start = Math.max(place.start, at);
    out += text.slice(at, start);
    const isPlaceholder = place.detector === "placeholder" || record.replaced.has(place.class);
    const shown = isPlaceholder ? text.slice(start, place.end) : MASK;
    masked.push({
      id: `${record.evidence}:${place.hash}`,
      ...{ class: place.class, detector: place.detector, start: out.length, end: out.length + shown.length },
      as: isPlaceholder ? "placeholder" : "value",
    });
    out += shown;
    at = place.end;
  }
  return { text: out + text.slice(at), masked };
}

/**
 * Another writing of what the findings were found in (JSON set out over lines): each value is looked for in it, plain and as
 * JSON writes it. Null when one is not there: then the text cannot be masked.
 */
export function maskValues(
  text: string,
  found: readonly {
    readonly finding: Pick<Finding, "class" | "detector" | "hash">;
    readonly value: string;
  }[],
  record: Record,
): MaskedText | null {
  const places: Place[] = [];
  for (const { finding, value } of found) {
    const written = [...new Set([value, JSON.stringify(value).slice(1, -1)])].filter((one) => one !== "");
    let isThere = false;
    for (const one of written)
      for (let at = text.indexOf(one); at >= 0; at = text.indexOf(one, at + one.length)) {
        isThere = true;
        places.push({
          class: finding.class,
          detector: finding.detector,
          hash: finding.hash,
          start: at,
          end: at + one.length,
        });
      }
    if (!isThere && !record.replaced.has(finding.class)) return null;
  }
  return maskPlaces(text, places, record);
}
