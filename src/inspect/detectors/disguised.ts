/**
 * Keys behind a disguise that needs no key to undo: written backwards, or turned by thirteen letters. Such text is not
 * decoded as a whole, as every text can be; the beginnings of keys are looked for as they look in disguise.
 */
import { entropy } from "../checksum.ts";
import {
  type Detector,
  type Family,
  filler,
  isReader,
  OWN_LICENCE,
  type Reader,
  type Span,
} from "../detector.ts";
import { CREDENTIALS } from "./credentials.ts";
import { CLOUDS, GITHUB, MESSAGING, MODEL_PROVIDERS, PAYMENTS, SOURCE_HOSTS } from "./tokens.ts";

type Disguise = (text: string) => string;
const backwards: Disguise = (text) => [...text].reverse().join("");
const turned: Disguise = (text) =>
  text.replace(/[A-Za-z]/g, (letter) => {
    const first = letter <= "Z" ? 65 : 97;
    return String.fromCharCode(((letter.charCodeAt(0) - first + 13) % 26) + first);
  });

const TELLING = /^(?=.{4,24}$)(?:akia|asia|abia|acca|[a-z0-9]{1,12}[_-][a-z0-9_-]{0,14})$/;

/** Formats with a beginning of four characters or more that is no word, and a body after it. */
const KEYS: readonly Detector[] = [
  GITHUB,
  MODEL_PROVIDERS,
  CLOUDS,
  SOURCE_HOSTS,
  PAYMENTS,
  MESSAGING,
  CREDENTIALS,
]
  .flatMap(({ detectors }) => detectors)
  .filter((detector): detector is Detector => !isReader(detector) && detector.lead === undefined)
  // A shorter beginning among others tells nothing here: every third word has it backwards.
  .map((detector) => ({ ...detector, anchors: detector.anchors.filter((anchor) => anchor.length > 3) }))
  .filter(({ anchors, offset = 0 }) => offset === 0 && anchors.every((anchor) => TELLING.test(anchor)));

const RUN = /[\w.+/=~-]/;
const LONGEST_RUN = 200;

function undone(name: string, title: string, undo: Disguise, example: Disguise): Reader {
  return {
    id: name,
    class: "secret",
    title,
    source: "https://attack.mitre.org/techniques/T1027/",
    // Both disguises undo themselves.
    on: {
      anchors: [
        ...new Set(KEYS.flatMap(({ anchors }) => anchors.map((anchor) => undo(anchor).toLowerCase()))),
      ],
    },
    read: (text, start, end): Span | null => {
      let [from, to] = [start, end];
      while (from > 0 && end - from < LONGEST_RUN && RUN.test(text.charAt(from - 1))) from--;
      while (to < text.length && to - start < LONGEST_RUN && RUN.test(text.charAt(to))) to++;
      const run = text.slice(from, to);
      if (run.length < 20 || entropy(run) < 3) return null;
      const plain = undo(run);
      const isKey = KEYS.some(({ pattern, accept }) => {
        const match = pattern.exec(plain);
        return match !== null && (accept === undefined || accept(match[1] ?? match[0], match));
      });
      return isKey ? { start: from, end: to, verified: false } : null;
    },
    examples: [example(`ghp_${filler("base62", 36)}`)],
    counterexamples: [example(`ghp_${"x".repeat(36)}`)],
  };
}

export const DISGUISED: Family = {
  name: "keys in disguise",
  written: "2026-11-20",
  licence: OWN_LICENCE,
  detectors: [
    undone("key-backwards", "Key written backwards", backwards, backwards),
    undone("key-rot13", "Key turned by thirteen letters", turned, turned),
    {
      id: "key-in-hex",
      class: "secret",
      title: "Random text of letters and digits, written in hexadecimal",
      source: "https://attack.mitre.org/techniques/T1132/001/",
      // How views.ts marks what it read out of hexadecimal; bytes spell such a text by intent only.
      anchors: ["~hex~"],
      pattern: /~hex~[^~]{0,40}?(?<![A-Za-z0-9+/])([A-Za-z0-9+/_=-]{24,200})/,
      accept: (value) =>
        /[a-z]/.test(value) && /[A-Z]/.test(value) && /\d/.test(value) && entropy(value) > 3.9,
      examples: [`~hex~${filler("base62", 40)}`],
      counterexamples: ["~hex~an ordinary sentence of some words, and nothing else in it"],
    },
  ],
};
