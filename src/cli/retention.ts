/**
 * How long evidence is kept: `<config>/retention.yaml`. Without the file nothing is erased by itself. The log and its
 * proofs stay in any case; what goes is the key of a session's evidence.
 *
 * ```yaml
 * rules:
 *   - { id: secrets-30, keepDays: 30, classes: [secret] }
 *   - { id: all-365, keepDays: 365 }
 * ```
 */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { Fault } from "../core/index.ts";
import type { RetentionRule } from "../ledger/index.ts";
import type { Places } from "./places.ts";

const Rules = z.strictObject({
  rules: z.array(
    z.strictObject({
      id: z.string().min(1),
      keepDays: z.number().int().min(1),
      classes: z.array(z.string()).optional(),
      destinations: z.array(z.string()).optional(),
    }),
  ),
});

/** The rules, first that fits decides. Throws `retention.invalid` naming the place: unsure what to erase, erase nothing. */
export async function retentionRules(places: Places): Promise<readonly RetentionRule[]> {
  const file = join(places.config, "retention.yaml");
  if (!existsSync(file)) return [];
  let data: unknown;
  try {
    data = parse(await readFile(file, "utf8"), { schema: "core", uniqueKeys: true });
  } catch (cause) {
    throw new Fault("retention.invalid", {
      at: file,
      cause,
      detail: cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : "",
    });
  }
  const result = Rules.safeParse(data);
  if (!result.success) {
    const issue = result.error.issues[0];
    throw new Fault("retention.invalid", {
      at: `${file} ${issue?.path.join(".") ?? ""}`,
      detail: issue?.message ?? "",
    });
  }
  return result.data.rules.map(({ classes, destinations, ...rule }) => ({
    ...rule,
    ...(classes === undefined ? {} : { classes }),
    ...(destinations === undefined ? {} : { destinations }),
  }));
}
