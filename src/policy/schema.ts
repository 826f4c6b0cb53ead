/** The document's form as JSON Schema, for editors that complete and check while people write. */
import { z } from "zod";
import { DocumentSchema } from "./document.ts";

/** Draft 7, which editors' YAML support understands. What a schema cannot say (contradictions, examples) it leaves out. */
export function documentJsonSchema(): object {
  const schema = z.toJSONSchema(DocumentSchema, { target: "draft-7", io: "input", reused: "ref" });
  return { title: "Sallyport policy document", description: "Guardrails, Profile or Repository", ...schema };
}
