/**
 * An organisation's own words: project names, customers, canary strings. They become ordinary detectors, so they are
 * found wherever the engine looks, decoded views included.
 */
import { Fault } from "../core/index.ts";
import type { Detector } from "./detector.ts";

export interface Term {
  /** Names the finding: the detector is `term:<id>`. */
  readonly id: string;
  /** The words; case and the white space between them do not matter. Three characters or more in the first word. */
  readonly text: string;
  /** Any class that policy names; `canary` for a string that stands nowhere but where it was planted. */
  readonly class: string;
}

const MAX_TERM_CHARACTERS = 200;
/** The scan engine compares no more of an anchor than this. */
const MAX_ANCHOR_CHARACTERS = 48;

/** Throws Fault("inspect.failed") for a term that is too short, too long or empty: it would find all or nothing. */
export function termDetector(term: Term): Detector {
  const words = term.text.trim().split(/\s+/);
  const anchor = (words[0] ?? "")
    .slice(0, MAX_ANCHOR_CHARACTERS)
    .replace(/[A-Z]/g, (char) => char.toLowerCase());
  if (anchor.length < 3 || term.text.length > MAX_TERM_CHARACTERS)
    throw new Fault("inspect.failed", {
      detail: `term \`${term.id}\` is shorter than 3 or longer than ${MAX_TERM_CHARACTERS} characters`,
    });
  const literal = words.map((word) => word.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&")).join("\\s{1,8}");
  // A word must not be part of a longer one; a canary may end in any sign.
  const left = /^\w/.test(term.text.trim()) ? "(?<![A-Za-z0-9])" : "";
  const right = /\w$/.test(term.text.trim()) ? "(?![A-Za-z0-9])" : "";
  return {
    id: `term:${term.id}`,
    class: term.class,
    title: "A word of the organisation",
    source: "the organisation's own list",
    anchors: [anchor],
    pattern: new RegExp(`${left}${literal}${right}`, "i"),
    examples: [term.text],
    counterexamples: [],
  };
}
