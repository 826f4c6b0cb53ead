/**
 * Recovery phrases of wallets (BIP 39): 12, 15, 18, 21 or 24 words of one list, the last of which holds a checksum. Words
 * in that number one after the other come about by chance once in many books; that the checksum holds, too, hardly ever.
 */
import { hash } from "node:crypto";
import type { Reader, Span } from "./detector.ts";
import { SEED_WORDS } from "./seed-words.ts";

const PLACES: ReadonlyMap<string, number> = new Map(SEED_WORDS.map((word, i) => [word, i]));
/** Each line end, comma, escape or number between two words; words of the list have 3 to 8 letters. */
const GAP = "(?:[\\s,+_.\"'-]|%20|%2C|\\\\n|\\d{1,2}[.):])";
const RUN = new RegExp(`(?<![A-Za-z])[a-z]{3,8}(?:${GAP}{1,6}[a-z]{3,8}){11,40}(?![A-Za-z])`, "g");
const LENGTHS = [24, 21, 18, 15, 12] as const;
/** How far behind its name a phrase may begin, and how long the longest is. */
const REACH = 480;

/** What a run may be made of; twelve words of three letters with a gap between them are the shortest one. */
const IN_RUN: Uint8Array = Uint8Array.from({ length: 128 }, (_, code) =>
  /[a-z\s,+_."'%C\\\d):-]/.test(String.fromCharCode(code)) ? 1 : 0,
);
const SHORTEST_RUN = 47;

/** Whether the expression may find anything. As Boyer and Moore search: from the end of where the shortest run would lie. */
function mayHoldRun(text: string): boolean {
  for (let end = SHORTEST_RUN - 1; end < text.length; ) {
    let at = end;
    // White space and gaps beyond ASCII are rare: they count as part of a run.
    while (at > end - SHORTEST_RUN && IN_RUN[text.charCodeAt(at)] !== 0) at--;
    if (at === end - SHORTEST_RUN) return true;
    end = at + SHORTEST_RUN;
  }
  return false;
}

/** All phrases in a text; linear in it. */
export function seedPhrasesIn(text: string): Span[] {
  const spans: Span[] = [];
  if (!mayHoldRun(text)) return spans;
  for (const run of text.matchAll(RUN)) {
    const words = [...run[0].matchAll(/(?<![A-Za-z%\\])[a-z]{3,8}/g)].map(({ 0: word, index }) => ({
      place: PLACES.get(word) ?? -1,
      start: run.index + index,
      end: run.index + index + word.length,
    }));
    const isNamed = NAMED.test(text.slice(Math.max(0, run.index - 40), run.index));
    for (let at = 0; at + 12 <= words.length; at++) {
      const length = LENGTHS.find((count) =>
        isPhrase(
          words.slice(at, at + count).map(({ place }) => place),
          count,
          isNamed,
        ),
      );
      if (length === undefined) continue;
      spans.push({ start: words[at]?.start ?? 0, end: words[at + length - 1]?.end ?? 0, verified: true });
      at += length - 1;
    }
  }
  return spans;
}

/** Behind its name, words of the list are a phrase, also one that somebody made up or mistyped. */
const NAMED = /(?:mnemonic|seed|recovery|wallet|backup|phrase)[^a-z]{0,12}$/i;

function isPhrase(places: readonly number[], count: number, isNamed: boolean): boolean {
  if (places.length !== count || places.includes(-1)) return false;
  if (isNamed && new Set(places).size > count / 2) return true;
  const bits = places.map((place) => place.toString(2).padStart(11, "0")).join("");
  const checkBits = count / 3;
  const entropyBits = bits.slice(0, bits.length - checkBits);
  const bytes = Uint8Array.from(entropyBits.match(/.{8}/g) ?? [], (byte) => Number.parseInt(byte, 2));
  const digest = Number.parseInt(hash("sha256", bytes).slice(0, 2), 16).toString(2).padStart(8, "0");
  return bits.endsWith(digest.slice(0, checkBits));
}

/** In texts of any length, behind what such a phrase is called. */
export const SEED_PHRASE: Reader = {
  id: "seed-phrase",
  class: "secret",
  title: "Recovery phrase of a wallet",
  source: "https://github.com/bitcoin/bips/blob/master/bip-0039.mediawiki",
  on: {
    anchors: ["mnemonic", "seed phrase", "seed_phrase", "seedphrase", "seed-phrase", "seed words", "wallet"],
  },
  read: (text, start) => {
    const spans = seedPhrasesIn(text.slice(start, start + REACH));
    if (spans.length === 0) return null;
    return spans.map((span) => ({ ...span, start: span.start + start, end: span.end + start }));
  },
  examples: ["mnemonic: legal winner thank year wave sausage worth useful legal winner thank yellow"],
  counterexamples: [
    "mnemonic: legal winner thank year wave sausage worth useful legal winner",
    "recovery of what was lost",
  ],
};
