/**
 * The model servers of one's own that rules may reroute to: a small document of its own, as it names machines and where
 * their keys lie, which a profile that people exchange does not.
 */
import { z } from "zod";
import { Name } from "./document.ts";
import { LABEL_VALUES } from "./label.ts";
import { parseAs } from "./parse.ts";
import { text } from "./text.ts";

export const SPEECHES = ["anthropic-messages", "openai-chat", "openai-responses"] as const;

const Url = text(
  "an http or https address without user, query or fragment",
  /^https?:\/\/[^\s/?#@]+(\/[^\s?#]*)?$/,
  (url) => URL.parse(url) !== null,
);
const ModelName = text("a model's name", /^\S{1,128}$/);

const OwnModel = z.strictObject({
  name: Name.describe("what rules name in `rerouteTo`"),
  url: Url.describe("what stands before /v1/messages, /v1/chat/completions, /v1/responses"),
  speaks: z.array(z.enum(SPEECHES)).min(1).describe("protocols, the preferred first"),
  model: ModelName.optional().describe("asked for in the place of whatever the agent names"),
  models: z
    .record(ModelName, ModelName)
    .optional()
    .describe("by the name the agent gives, `*` at its end for any ending; goes before `model`"),
  key: z
    .union([
      z.strictObject({ variable: text("a variable's name", /^[A-Za-z_][A-Za-z0-9_]*$/) }),
      z.strictObject({ file: text("an absolute path, or one that begins with ~/", /^(~\/|\/)[^\p{Cc}]+$/u) }),
    ])
    .optional()
    .describe("where its key is: in the person's environment, or in a file; it stays outside the sandbox"),
  serverIn: LABEL_VALUES.serverIn.default("ONPREM"),
  operatorLaw: LABEL_VALUES.operatorLaw.default("SELF"),
  trains: LABEL_VALUES.trains.default("no"),
  dpa: LABEL_VALUES.dpa.default("signed"),
});

const ModelsSchema = z.strictObject({
  apiVersion: z.literal("sallyport/v1"),
  kind: z.literal("Models"),
  models: z.array(OwnModel).max(200),
});

export type OwnModel = z.infer<typeof OwnModel>;

/** Throws `policy.invalid` at `file:line:column path`. */
export function parseModels(yaml: string, file: string): readonly OwnModel[] {
  const { data, source } = parseAs(ModelsSchema, yaml, file);
  const seen = new Set<string>();
  for (const [i, { name }] of data.models.entries()) {
    if (seen.has(name))
      throw source.refuse(
        ["models", i, "name"],
        `a second server \`${name}\``,
        "give each a name of its own",
      );
    seen.add(name);
  }
  return data.models;
}

/** The model to ask for in the place of the one the agent names; null: the same. */
export function modelFor(own: OwnModel, asked: string | null): string | null {
  const named = Object.entries(own.models ?? {})
    .filter(([pattern]) => asked !== null && stands(pattern, asked))
    .sort(([a], [b]) => b.length - a.length)[0];
  return named?.[1] ?? own.model ?? null;
}

const stands = (pattern: string, name: string): boolean =>
  pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : pattern === name;
