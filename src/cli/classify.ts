/** `classify`: fingerprints of a folder's code, by which a paste of it is recognised. The index holds no code. */
import { mkdir, writeFile } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { Fault } from "../core/index.ts";
import { buildCodeIndex } from "../inspect/index.ts";
import { findingKey } from "./finding-key.ts";
import { codeKey } from "./labelled.ts";
import type { Places } from "./places.ts";
import { printable } from "./print.ts";
import { filesUnder } from "./scan.ts";

export interface ClassifyFlags {
  readonly class?: string;
  readonly name?: string;
  readonly except?: string;
  readonly out?: string;
}

export async function classify(
  folders: readonly string[],
  { class: dataClass = "restricted", name, except, out }: ClassifyFlags,
  places: Places,
): Promise<number> {
  if (folders.length === 0 || out === undefined)
    throw new Fault("usage.invalid", {
      detail: "`classify` wants a folder and --out",
      remedy: "for example: sallyport classify src --class restricted --out restricted.spf",
    });
  if (!/^[a-z][a-z0-9_-]{0,63}$/.test(dataClass))
    throw new Fault("usage.invalid", { detail: `\`${dataClass}\` is no data class: a lower-case name` });
  const index = buildCodeIndex(codeKey(await findingKey(places)));
  let count = 0;
  let size = 0;
  for (const folder of folders)
    for await (const { text } of filesUnder(folder)) {
      index.add(`${dataClass}/${name ?? basename(resolve(folder))}`, text);
      count++;
      size += text.length;
    }
  if (count === 0)
    throw new Fault("usage.invalid", {
      detail: "there is no text to take fingerprints of",
      at: folders[0] ?? "",
    });
  if (except !== undefined) for await (const { text } of filesUnder(except)) index.except(text);
  const encoded = index.encode();
  await mkdir(dirname(resolve(out)), { recursive: true });
  await writeFile(out, encoded);
  process.stderr.write(
    `${count} files, ${(size / 1e6).toFixed(1)} MB of text: ${printable(out)}, ${Math.ceil(encoded.length / 1000)} KB, class ${dataClass}\n`,
  );
  return 0;
}
