/**
 * The verifier as one file, `dist/verify.mjs`: no dependency, no network, nothing but Node ≥ 20.15 and the log's public
 * key. It verifies a ledger directory, or a copy of its published files (`checkpoint`, `tile/`, `vkey.txt`).
 *
 *   node verify.mjs --receipt <file.tlog-proof> --key <verifier key or file> [--policy <file>] [--json]
 *   node verify.mjs <directory> [--key <verifier key or file>] [--remembered <file>]… [--policy <file>] [--json]
 *
 * `--policy`: whose cosignatures it must bear, as c2sp.org/tlog-policy; its `log` lines stand in for `--key`.
 * `--anchor-roots`: whom to believe the time of its anchors (RFC 3161).
 *
 * Exit: 0 verified, 7 something is wrong (each problem is named), 2 the command line is not understood.
 */
import { existsSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { Verifier } from "./note.ts";
import { parseKeys } from "./published.ts";
import { checkReceipt } from "./receipt.ts";
import { certificatesOf } from "./timestamp.ts";
import { type Verification, verifyLedger } from "./verify.ts";
import { parseWitnessPolicy, type WitnessPolicy } from "./witness-policy.ts";

const USAGE =
  "usage: node verify.mjs <directory> [--key <verifier key or file>] [--remembered <file with a checkpoint>]… [--policy <file>] [--anchor-roots <PEM file>] [--json]\n       node verify.mjs --receipt <file> --key <verifier key or file> [--policy <file>] [--json]";

function print(found: Verification, isOwnKey: boolean): void {
  console.log(`${found.ok ? "verified" : "NOT VERIFIED"}  ${found.origin || "(no readable checkpoint)"}`);
  console.log(`  entries   ${found.size} signed, ${found.unsigned} more in the journal`);
  console.log(`  root      ${found.root}`);
  if (isOwnKey)
    console.log("  key       the copy's own vkey.txt: this shows only that the copy agrees with itself");
  for (const { name, size, at } of found.witnessed?.by ?? [])
    console.log(`  witness   ${name} cosigned ${size} entries, ${new Date(at * 1000).toISOString()}`);
  if (found.witnessed !== null) console.log(`  quorum    has seen ${found.witnessed.size} entries`);
  for (const { authority, size, at } of found.anchored ?? [])
    console.log(`  anchor    ${size} entries, ${new Date(at).toISOString()}, by ${authority}`);
  for (const { at, problem } of found.problems) console.log(`  problem   ${at}: ${problem}`);
}

function verifyReceipt(
  text: string,
  keys: readonly Verifier[],
  policy: WitnessPolicy | null,
  json: boolean,
): number {
  try {
    const { index, entry, checkpoint, cosigned } = checkReceipt(text, keys, policy);
    const { origin, size } = checkpoint;
    if (json) console.log(JSON.stringify({ ok: true, origin, size, index, cosigned, entry }));
    else console.log(`verified  entry ${index} of ${origin} (${size} entries)\n${entry}`);
    return 0;
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    console.log(json ? JSON.stringify({ ok: false, problem }) : `NOT VERIFIED  ${problem}`);
    return 7;
  }
}

async function main(): Promise<number> {
  const options = {
    key: { type: "string" },
    remembered: { type: "string", multiple: true },
    policy: { type: "string" },
    "anchor-roots": { type: "string" },
    receipt: { type: "string" },
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
  const { key, remembered = [], receipt, json = false } = parsed.values;
  const verifierKey = key !== undefined && existsSync(key) ? readFileSync(key, "utf8") : key;
  const text = parsed.values.policy;
  const policy = text === undefined ? null : parseWitnessPolicy(readFileSync(text, "utf8"), text);
  if (receipt !== undefined && directory === undefined) {
    const keys = verifierKey === undefined ? (policy?.logs ?? []) : parseKeys(verifierKey);
    return verifyReceipt(readFileSync(receipt, "utf8"), keys, policy, json);
  }
  if (directory === undefined || receipt !== undefined || rest.length > 0) {
    console.error(USAGE);
    return 2;
  }
  const notes = remembered.map((file) => readFileSync(file, "utf8"));
  const pem = parsed.values["anchor-roots"];
  const roots = pem === undefined ? null : certificatesOf(readFileSync(pem, "utf8"));
  const found = await verifyLedger(directory, verifierKey, notes, policy, roots);
  if (json) console.log(JSON.stringify(found, null, 2));
  else print(found, verifierKey === undefined && (policy?.logs.length ?? 0) === 0);
  return found.ok ? 0 : 7;
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error));
  return 2;
});
