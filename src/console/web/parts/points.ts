/**
 * Which characters cannot be trusted to show themselves: controls, marks that reorder or hide, look-alikes of nothing. Pure.
 *
 * Whoever writes them (a file name, a header, a model's reply) may be the attacker, so they are shown as their code points
 * and never reach the page as what they are.
 */
export type Piece =
  | { readonly kind: "plain"; readonly text: string }
  /** One code point, or a run of the same. */
  | { readonly kind: "point"; readonly code: number; readonly times: number };

/** More combining marks on one letter than any language writes. */
const MAX_MARKS = 4;

const RANGES: readonly (readonly [number, number])[] = [
  [0x0000, 0x0008],
  [0x000b, 0x001f],
  [0x007f, 0x009f],
  [0x00ad, 0x00ad],
  [0x034f, 0x034f],
  [0x061c, 0x061c],
  [0x115f, 0x1160],
  [0x17b4, 0x17b5],
  [0x180b, 0x180f],
  [0x200b, 0x200f],
  [0x2028, 0x202e],
  [0x2060, 0x206f],
  [0x2800, 0x2800],
  [0x3164, 0x3164],
  [0xd800, 0xdfff],
  [0xe000, 0xf8ff],
  [0xfe00, 0xfe0f],
  [0xfeff, 0xfeff],
  [0xffa0, 0xffa0],
  [0xfff0, 0xfffc],
  [0x1bca0, 0x1bca3],
  [0x1d173, 0x1d17a],
  [0xe0000, 0xe0fff],
  [0xf0000, 0x10ffff],
];

export const isHidden = (code: number): boolean => RANGES.some(([from, to]) => code >= from && code <= to);

/** `U+202E` */
export const pointName = (code: number): string => `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;

const EMOJI = /\p{Extended_Pictographic}$/u;
const MARK = /^\p{M}$/u;

/** Cuts `text` so that everything hidden stands apart. Tabs and line feeds are plain. */
export function piecesOf(text: string): readonly Piece[] {
  const pieces: Piece[] = [];
  let plain = "";
  let marks = 0;
  const flush = (): void => {
    if (plain !== "") pieces.push({ kind: "plain", text: plain });
    plain = "";
  };
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    // U+FE0F after an emoji only asks for its colours.
    const isColour = code === 0xfe0f && EMOJI.test(plain);
    marks = MARK.test(character) ? marks + 1 : 0;
    if (isColour || (!isHidden(code) && marks <= MAX_MARKS)) {
      plain += character;
      continue;
    }
    flush();
    const last = pieces.at(-1);
    if (last?.kind === "point" && last.code === code)
      pieces[pieces.length - 1] = { ...last, times: last.times + 1 };
    else pieces.push({ kind: "point", code, times: 1 });
  }
  flush();
  return pieces;
}

/** For titles, options and SVG, where no element can stand for a hidden character. */
export const plainText = (text: string): string =>
  piecesOf(text)
    .map((piece) => (piece.kind === "plain" ? piece.text : `⟨${pointName(piece.code)}⟩`))
    .join("");
