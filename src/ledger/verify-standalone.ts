/**
 * The verifier as one file, `dist/verify.mjs`: no dependency, no network, nothing but Node ≥ 20.15 and the log's public
 * key. It verifies a ledger directory, or a copy of its published files (`checkpoint`, `tile/`, `vkey.txt`).
 *
 *   node verify.mjs <directory> [--key <verifier key or file>] [--remembered <file>]… [--json]
 *
 * Exit: 0 verified, 7 something is wrong (each problem is named), 2 the command line is not understood.
 */
import { existsSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type Verification, verifyLedger } from "./verify.ts";

const USAGE =
  "usage: node verify.mjs <directory> [--key <verifier key or file>] [--remembered <file with a checkpoint>]… [--json]";

function print(found: Verification, isOwnKey: boolean): void {
  console.log(`${found.ok ? "verified" : "NOT VERIFIED"}  ${found.origin || "(no readable checkpoint)"}`);
  console.log(`  entries   ${found.size} signed, ${found.unsigned} more in the journal`);
  console.log(`  root      ${found.root}`);
  if (isOwnKey)
    console.log("  key       the copy's own vkey.txt: this shows only that the copy agrees with itself");
  for (const { at, problem } of found.problems) console.log(`  problem   ${at}: ${problem}`);
}

async function main(): Promise<number> {
  const options = {
    key: { type: "string" },
    remembered: { type: "string", multiple: true },
    json: { type: "boolean" },
  } as const;
  let parsed: ReturnType<typeof parseArgs<{ options: typeof options; allowPositionals: true }>>;
  try {
    parsed = parseArgs({ options, allowPositionals: true });
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return 2;
  }
  const [directory, ...rest] = parsed.positionals;
  if (directory === undefined || rest.length > 0) {
    console.error(USAGE);
    return 2;
  }
  const { key, remembered = [], json = false } = parsed.values;
  const verifierKey = key !== undefined && existsSync(key) ? readFileSync(key, "utf8") : key;
  const notes = remembered.map((file) => readFileSync(file, "utf8"));
  const found = await verifyLedger(directory, verifierKey, notes);
  if (json) console.log(JSON.stringify(found, null, 2));
  else print(found, verifierKey === undefined);
  return found.ok ? 0 : 7;
}

process.exitCode = await main();
