import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { documentJsonSchema } from "./schema.ts";

const FILE = join(import.meta.dirname, "../../schema/policy.schema.json");

test("schema/policy.schema.json is what documents are parsed by (UPDATE=1 rewrites it)", () => {
  const text = `${JSON.stringify(documentJsonSchema(), null, 2)}\n`;
  if (process.env["UPDATE"] === "1") writeFileSync(FILE, text);
  expect(readFileSync(FILE, "utf8")).toBe(text);
});
