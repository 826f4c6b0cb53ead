/** From YAML text to data of a schema, or the fault that names the place, what is wrong there, and what to do. */
import type { z } from "zod";
import { type DataPath, printable, readSource, type Source } from "./source.ts";

/** Throws `policy.invalid` at `file:line:column path`. */
export function parseAs<S extends z.ZodType>(
  schema: S,
  yaml: string,
  file: string,
): { readonly data: z.infer<S>; readonly source: Source } {
  const source = readSource(yaml, file);
  const parsed = schema.safeParse(source.data, { error: expectation });
  if (parsed.success) return { data: parsed.data, source };
  const { path, detail, remedy, at } = sayIssue(parsed.error.issues[0], source.data);
  throw source.refuse(path, detail, remedy, at);
}

interface Complaint {
  readonly path: DataPath;
  readonly detail: string;
  readonly remedy: string;
  readonly at?: "value" | "key";
}

type Issue = z.core.$ZodIssue;

/** A schema's complaint in the house's grammar: lower case, what was written in backticks, what to do. */
function sayIssue(issue: Issue | undefined, data: unknown): Complaint {
  if (issue === undefined) return { path: [], detail: "not a document", remedy: "see the schema" };
  const { path } = issue;
  if (issue.code === "unrecognized_keys") {
    const key = issue.keys[0] ?? "";
    return {
      path: [...path, key],
      detail: `unknown key ${show(key)}`,
      remedy: "remove it, or see the schema",
      at: "key",
    };
  }
  const value = valueAt(data, path);
  if (issue.code === "invalid_union") {
    // A sentence is the only union that is not told apart by its kind: a mapping is meant to have both languages.
    const inner = issue.errors.at(-1)?.[0];
    if (typeof value === "object" && value !== null && inner !== undefined)
      return sayIssue({ ...inner, path: [...path, ...inner.path] }, data);
  }
  if (value === undefined)
    return { path, detail: `\`${String(path.at(-1))}\` is missing`, remedy: `add it: ${issue.message}` };
  if (value === "block" && issue.message.includes("`deny`"))
    return { path, detail: "`block` is not a verdict", remedy: "write `deny`" };
  return { path, detail: `${show(value)} is not ${issue.message}`, remedy: `write ${issue.message}` };
}

/** What the schema wanted, in words, where the schema itself has not said it. */
function expectation(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case "invalid_value": {
      const [first, ...others] = issue.values.map((value) => `\`${String(value)}\``);
      return others.length === 0 ? (first ?? "") : `one of ${[first, ...others].join(", ")}`;
    }
    case "too_small":
      return issue.origin === "array" ? "a list of at least one item" : `${issue.minimum} or more`;
    case "too_big":
      return issue.origin === "array"
        ? `a list of at most ${issue.maximum} items`
        : `${issue.maximum} or less`;
    case "invalid_union":
      return "discriminator" in issue
        ? "one of Guardrails, Profile, Repository"
        : "one line of text, or `en` and `zh-CN`";
    case "invalid_type":
      return KINDS[issue.expected] ?? `a ${issue.expected}`;
    default:
      return "what the schema says";
  }
}

const KINDS: Readonly<Record<string, string>> = {
  object: "a mapping",
  array: "a list",
  string: "text",
  int: "a whole number",
  number: "a number",
  boolean: "true or false",
};

function valueAt(data: unknown, path: DataPath): unknown {
  let value = data;
  for (const step of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Readonly<Record<PropertyKey, unknown>>)[step];
  }
  return value;
}

function show(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  return typeof value === "object" ? "a mapping" : `\`${printable(String(value))}\``;
}
