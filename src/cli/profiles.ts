/** `sallyport profiles`: which profiles there are, and their text to start one's own from. */
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "../core/index.ts";
import { READY_PROFILES, readyProfile } from "../policy/index.ts";
import type { Places } from "./places.ts";

export async function profiles(words: readonly string[], places: Places): Promise<number> {
  const folder = join(places.config, "profiles");
  const name = words[0];
  if (name !== undefined) {
    const own = join(folder, `${name}.yaml`);
    const text = existsSync(own) ? await readFile(own, "utf8") : readyProfile(name);
    if (text === null) throw new Fault("profile.unknown", { detail: `\`${name}\`` });
    process.stdout.write(text);
    return 0;
  }
  for (const ready of READY_PROFILES) process.stdout.write(`${ready}  (ready)\n`);
  const own = existsSync(folder) ? (await readdir(folder)).filter((file) => file.endsWith(".yaml")) : [];
  for (const file of own) process.stdout.write(`${file.slice(0, -".yaml".length)}  ${join(folder, file)}\n`);
  process.stdout.write(
    `\nprint one with \`sallyport profiles NAME\`; your own go into ${folder}/NAME.yaml\n`,
  );
  return 0;
}
