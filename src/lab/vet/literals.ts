/** Texts of the surroundings that agents quote: given names, so that what quotes one is no difference. Pure. */
import { committedFiles } from "../chamber/home.ts";
import type { Patch } from "../chamber/setting.ts";

/** Names and lines of every file that is ever changed, in all runs alike: what quotes one is no news. */
export function fileLiterals(patches: readonly Patch[]): readonly (readonly [string, string])[] {
  const out: [string, string][] = [];
  const lines = (path: string, text: string): void => {
    for (const line of text.split("\n"))
      if (isTelling(line.trim())) out.push([line.trim(), `line of ${path}`]);
  };
  for (const [path, text] of Object.entries(committedFiles())) lines(path, text);
  for (const patch of patches) {
    if (patch.kind !== "file" || patch.place === "root") continue;
    if (patch.place === "workspace") lines(patch.path, patch.text);
    // A name without a dot is a word that may stand anywhere.
    const names = [patch.path, patch.path.replace(/^.*\//, ""), patch.path.replace(/\/.*$/, "")];
    for (const name of names)
      if (name.includes(".") && name.length >= 6 && name !== "README.md") out.push([name, "file name"]);
  }
  return out;
}

/** Long enough, or in a script, that it stands nowhere by chance. */
const isTelling = (line: string): boolean =>
  (line.length >= 12 && line.includes(" ")) || /[^\x00-\x7f]{2}/.test(line);
