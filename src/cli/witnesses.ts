/**
 * Who cosigns the ledger's checkpoints: `<config>/witness.policy`, in the form of c2sp.org/tlog-policy, so that the file an
 * auditor verifies with is the one the station works with. The station asks those witnesses that have a URL.
 *
 * ```
 * witness audit audit.example.org/w1+1a2b3c4d+BA… https://witness.audit.example.org
 * quorum audit
 * ```
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "../core/index.ts";
import { parseWitnessPolicy, type Witness } from "../ledger/index.ts";
import type { Places } from "./places.ts";

const fileOf = (places: Places): string => join(places.config, "witness.policy");

/** Null where there is no policy: then nobody else vouches for the log. */
export async function witnessPolicyText(places: Places): Promise<string | null> {
  try {
    return await readFile(fileOf(places), "utf8");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return null;
    throw new Fault("witness.invalid", { at: fileOf(places), detail: "cannot be read", cause });
  }
}

/** Throws `witness.invalid`: who was promised a witness must not go on without one in silence. */
export async function witnessesOf(places: Places): Promise<readonly Witness[]> {
  const text = await witnessPolicyText(places);
  if (text === null) return [];
  return parseWitnessPolicy(text, fileOf(places)).witnesses.flatMap(({ key, url }) =>
    url === null ? [] : { url, verifierKey: key.text },
  );
}
