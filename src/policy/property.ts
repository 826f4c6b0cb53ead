/**
 * What must hold whatever profiles anyone writes: properties, in a document of their own.
 *
 * ```yaml
 * apiVersion: sallyport/v1
 * kind: Properties
 * metadata: { name: org-properties, owner: ciso@corp.example }
 * properties:
 *   - id: P-1
 *     title: Nothing restricted reaches a server outside China
 *     because: DSL Art. 31
 *     never: { data: [restricted] }
 *     unless: { serverIn: [CN, ONPREM] }
 * ```
 */
import { z } from "zod";
import { few, Labels, Metadata, RuleId, Sentence } from "./document.ts";
import { parseAs } from "./parse.ts";

const Property = z.strictObject({
  id: RuleId,
  title: Sentence,
  because: Sentence,
  never: Labels.describe("what must never leave"),
  unless: Labels.optional(),
});
const Properties = z.strictObject({
  apiVersion: z.literal("sallyport/v1"),
  kind: z.literal("Properties"),
  metadata: Metadata,
  properties: few(Property),
});

export type Property = z.infer<typeof Property>;

/** Throws `policy.invalid` at `file:line:column path`. */
export function parseProperties(yaml: string, file: string): readonly Property[] {
  const { data, source } = parseAs(Properties, yaml, file);
  for (const [i, { id }] of data.properties.entries())
    if (data.properties.findIndex((other) => other.id === id) < i)
      throw source.refuse(
        ["properties", i, "id"],
        `a second property \`${id}\``,
        "give each property an id of its own",
      );
  return data.properties;
}
