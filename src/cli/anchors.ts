/**
 * Who stamps the ledger's checkpoints with the time (RFC 3161): `<config>/anchor.yaml`. Without the file nobody does.
 *
 * ```yaml
 * url: https://tsa.example.org/tsr
 * roots: tsa-roots.pem       # beside this file: the roots its certificates lead to
 * everyMinutes: 60
 * ```
 */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { Fault } from "../core/index.ts";
import type { TimestampAuthority } from "../ledger/index.ts";
import type { Places } from "./places.ts";

const Anchor = z.strictObject({
  url: z.url({ protocol: /^https?$/ }),
  roots: z.string().min(1),
  everyMinutes: z.number().int().min(1).default(60),
});

export interface AnchorPlan extends TimestampAuthority {
  readonly everyMs: number;
}

/** Null where nothing is configured. Throws `anchor.invalid` naming the place. */
export async function anchorPlan(places: Places): Promise<AnchorPlan | null> {
  const file = join(places.config, "anchor.yaml");
  if (!existsSync(file)) return null;
  try {
    const result = Anchor.safeParse(
      parse(await readFile(file, "utf8"), { schema: "core", uniqueKeys: true }),
    );
    const [issue] = result.error?.issues ?? [];
    if (!result.success) throw new Error(`${issue?.path.join(".")}: ${issue?.message}`);
    const { url, roots, everyMinutes } = result.data;
    const pem = await readFile(resolve(places.config, roots), "utf8");
    return { url, roots: pem, everyMs: everyMinutes * 60_000 };
  } catch (cause) {
    const detail = cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : String(cause);
    throw new Fault("anchor.invalid", { at: file, detail, cause });
  }
}
